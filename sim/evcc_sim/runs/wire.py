"""The world on the wire: every device of a scenario listens on TCP, or on a serial line, in real time."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import time

import anyio
import trio
from anyio.abc import ByteStream, SocketAttribute, TaskGroup

from evcc_sim.devices.modbus_server import Wrapping, serve_stream
from evcc_sim.devices.site_devices import Address, Device, devices, evcc_yaml
from evcc_sim.runs.world_clock import WorldClock
from evcc_sim.worlds.compressed import CompressedHouse
from evcc_sim.worlds.house import House
from evcc_sim.worlds.scenario import InvalidScenario, Scenario, load

PORT_MAX = 65535
REAL_STEP_S = 1.0
"""How often the world moves when nobody looks."""


def say(line: str) -> None:
    """Print, also into a pipe, when it happens."""
    print(line, flush=True)


@dataclass(frozen=True, slots=True)
class World:
    """A running simulated site: its plants, its devices, and where they listen."""

    house: House
    clock: WorldClock
    devices: Mapping[str, Device]
    addresses: Mapping[str, Address]


@asynccontextmanager
async def running_world(
    scenario: Scenario,
    *,
    seed: int | None = None,
    host: str = "127.0.0.1",
    first_port: int = 0,
    factor: float = 1.0,
    at: time = time(0),
    weather_from: time | None = None,
) -> AsyncIterator[World]:
    """The scenario's devices, listening until the block ends. Its clock begins ``at``, its weather at ``weather_from``.

    ``first_port`` 0: any free ports; else consecutive ones from there. Raises `OSError` when one is in use, `InvalidScenario`
    when there are not so many.
    """
    compressed = CompressedHouse(
        scenario,
        seed=seed,
        start_s=_seconds(at),
        factor=factor,
        weather_s=None if weather_from is None else _seconds(weather_from),
    )
    clock = WorldClock(compressed.house, advance=compressed.run)
    found = devices(compressed.house, clock.sync)
    last_allowed = PORT_MAX + 1 - len(found)
    if first_port > last_allowed:
        message = f"the first port {first_port} leaves too few for {len(found)} devices, expected 1 to {last_allowed}"
        raise InvalidScenario(message)
    async with anyio.create_task_group() as tasks:
        addresses: dict[str, Address] = {}
        for index, (name, device) in enumerate(found.items()):
            addresses[name] = await listen(tasks, device, host, first_port + index if first_port else 0)
        tasks.start_soon(_pump, clock)
        try:
            yield World(compressed.house, clock, found, addresses)
        finally:
            tasks.cancel_scope.cancel()


def _seconds(wall: time) -> float:
    return wall.hour * 3600.0 + wall.minute * 60.0 + wall.second


async def _pump(clock: WorldClock) -> None:
    await clock.pump(step_max_s=REAL_STEP_S)


async def listen(tasks: TaskGroup, device: Device, host: str, port: int = 0) -> Address:
    """Let ``device`` listen on TCP; the address says on which port. Raises `OSError`."""
    listener = await anyio.create_tcp_listener(local_host=host, local_port=port)

    async def handle(stream: ByteStream) -> None:
        if device.faults.refuses_connections:
            await anyio.aclose_forcefully(stream)
            return
        await serve_stream(stream, device.emulator.core, device.emulator.framing, device.faults)

    async def accept() -> None:
        async with listener:
            await listener.serve(handle)

    tasks.start_soon(accept)
    return Address(host, listener.extra(SocketAttribute.local_port))


async def serve(
    scenario: str | Scenario,
    *,
    seed: int | None = None,
    host: str = "127.0.0.1",
    first_port: int = 0,
    factor: float = 1.0,
    at: time = time(12),
    serial: bool = False,
    announce: Callable[[str], None] = say,
    until: trio.Event | None = None,
) -> None:
    """Serve a scenario for any Modbus client until ``until`` (for ever without): addresses, and a configuration to use them.

    The world's clock begins at ``at``, so that at noon there is something to see.
    """
    spec = load(scenario) if isinstance(scenario, str) else scenario
    async with running_world(spec, seed=seed, host=host, first_port=first_port, factor=factor, at=at) as world:
        for name, address in world.addresses.items():
            device = world.devices[name].emulator
            way = "Modbus TCP" if device.framing is Wrapping.TCP else f"Modbus {device.framing.upper()} over TCP"
            announce(f"{name:<16} {address.host}:{address.port}  {way}, unit {device.unit_id}, {device.profile.id}")
        async with anyio.create_task_group() as tasks:
            if serial:
                for name, device_on_line in world.devices.items():
                    if device_on_line.emulator.framing is Wrapping.RTU:
                        announce(f"{name:<16} {serve_on_pty(tasks, device_on_line)}  Modbus RTU")
            announce("\n# evcc.yaml for this site\n" + evcc_yaml(spec, world.addresses))
            await (trio.Event() if until is None else until).wait()
            tasks.cancel_scope.cancel()


# -- serial lines -------------------------------------------------------------------------------------------------------------


class PtyStream(ByteStream):
    """Our end of a pseudo terminal, as a byte stream."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._is_closed = False
        os.set_blocking(descriptor, False)

    async def receive(self, max_bytes: int = 4096) -> bytes:
        """The next bytes; waits also while nobody has the other end open."""
        while True:
            await trio.lowlevel.wait_readable(self._descriptor)
            try:
                return os.read(self._descriptor, max_bytes)
            except BlockingIOError:
                continue
            except OSError:  # EIO: the other end is not open (any more)
                await trio.sleep(0.05)

    async def send(self, item: bytes) -> None:
        """Write all of ``item``."""
        while item:
            await trio.lowlevel.wait_writable(self._descriptor)
            item = item[os.write(self._descriptor, item) :]

    async def send_eof(self) -> None:
        """A serial line has no end."""

    async def aclose(self) -> None:
        """Close our end."""
        if not self._is_closed:
            self._is_closed = True
            trio.lowlevel.notify_closing(self._descriptor)
            os.close(self._descriptor)
        await trio.lowlevel.checkpoint()


def serve_on_pty(tasks: TaskGroup, device: Device, link: str | None = None) -> str:
    """Let ``device`` answer RTU on a pseudo terminal; returns the path of the other end (``link`` if given points there)."""
    if sys.platform == "win32":
        raise OSError("pseudo terminals need a POSIX system")
    import pty
    import tty

    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    path = os.ttyname(theirs)
    if link is not None:
        os.symlink(path, link)
    tasks.start_soon(_serve_on_pty, ours, theirs, device)
    return link or path


async def _serve_on_pty(ours: int, theirs: int, device: Device) -> None:
    try:  # keeping the far end open ourselves: a client that closes it does not end the line
        await serve_stream(PtyStream(ours), device.emulator.core, Wrapping.RTU, device.faults)
    finally:
        os.close(theirs)
