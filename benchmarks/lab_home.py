"""The far side of the control-loop benchmark, a process of its own: a simulated home on real sockets that takes notes.

    python -m benchmarks.lab_home      prints one JSON line with its addresses, then, when its input ends, one with latencies

A latency is the time from handing a grid answer to the socket until the next current that is written to the charger has arrived.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial

import anyio
import anyio.to_thread
import trio
from anyio.abc import ByteStream, SocketAttribute

from evcc_sim.devices.modbus_server import Asked, WireFault, serve_stream
from evcc_sim.devices.site_devices import Address, Device, Extras, devices, evcc_yaml
from evcc_sim.runs.world_clock import WorldClock
from evcc_sim.worlds.compressed import CompressedHouse
from evcc_sim.worlds.scenario import parse

LAB = """
title = "A lab: strong sun, and a charger that takes milliamps"
[site]
interval_s = 0.2
[weather]
sky = "cumulus"
[[pv]]
name = "roof"
peak_w = 18000
[[charger]]
box = { name = "garage", profile = "keba-p30", current_step_a = 0.001, current_max_a = 32, can_switch_phases = true }
[charger.loadpoint]
title = "Garage"
mode = "minpv"
phases = 3
current_max_a = 32
[[car]]
name = "blue"
capacity_kwh = 1000
visits = [{ charger = "garage", arrive = "00:00:01", depart = "23:59:59", soc_pct = 10 }]
"""
NOON_S = 12 * 3600.0
CURRENT_REGISTER = 5004  # KEBA KeContact P30: current in mA


class Notes:
    """When the grid last answered, and how long the charger's next current took from there."""

    def __init__(self) -> None:
        self.answered_s = 0.0
        self.latencies_s: list[float] = []

    def charger_asked(self, asked: Asked) -> tuple[WireFault, ...]:
        """Fault hook of the charger: no faults, but notes."""
        if asked.is_write and asked.address == CURRENT_REGISTER and self.answered_s:
            self.latencies_s.append(time.perf_counter() - self.answered_s)
            self.answered_s = 0.0
        return ()


class Noted(ByteStream):
    """The grid meter's side of a connection."""

    def __init__(self, stream: ByteStream, notes: Notes) -> None:
        self._stream = stream
        self._notes = notes

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """As the stream below."""
        return await self._stream.receive(max_bytes)

    async def send(self, item: bytes) -> None:
        """As the stream below, and note when."""
        await self._stream.send(item)
        self._notes.answered_s = time.perf_counter()

    async def send_eof(self) -> None:
        """As the stream below."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """As the stream below."""
        await self._stream.aclose()


async def _serve(device: Device, notes: Notes, stream: ByteStream) -> None:
    if device.name == "grid":
        await serve_stream(Noted(stream, notes), device.emulator.core, device.emulator.framing)
    elif device.name == "garage":
        await serve_stream(stream, device.emulator.core, device.emulator.framing, notes.charger_asked)
    else:
        await serve_stream(stream, device.emulator.core, device.emulator.framing)


async def _echo(stream: ByteStream) -> None:
    try:
        while True:
            await stream.send(await stream.receive())
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        await stream.aclose()


async def main() -> None:
    """Serve until standard input ends."""
    scenario = parse(LAB, name="lab")
    house = CompressedHouse(scenario, seed=1, factor=60.0, weather_s=NOON_S)
    clock = WorldClock(house.house, advance=house.run)
    notes = Notes()
    async with anyio.create_task_group() as tasks:
        addresses = {}
        for name, device in devices(house.house, clock.sync).items():
            listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
            tasks.start_soon(listener.serve, partial(_serve, device, notes))
            addresses[name] = Address("127.0.0.1", listener.extra(SocketAttribute.local_port))
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        tasks.start_soon(listener.serve, _echo)
        config = evcc_yaml(scenario, addresses, Extras(sections={"log": "error"}))
        print(json.dumps({"config": config, "echo": listener.extra(SocketAttribute.local_port)}), flush=True)
        await anyio.to_thread.run_sync(sys.stdin.read)
        print(json.dumps(notes.latencies_s), flush=True)
        tasks.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
