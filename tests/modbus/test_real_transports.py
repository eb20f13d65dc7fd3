"""The same link over real ports: TCP, UDP, a pseudo terminal, and a serial pair made by socat."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tty
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketStream
from fake_device import FakeDevice, Pipe, rtu
from trio_test import in_real_time

from evcc_server.config.sources import NetworkAddress, SerialAddress, Transport
from evcc_server.devices.template.modbus_meter import ModbusMeter
from evcc_server.errors import DeviceDown, DeviceSilent
from evcc_server.modbus.link import Link, Port
from evcc_server.modbus.proxy import serve_proxy
from evcc_server.modbus.serial import SerialStream, baud_constant, control_flags, open_serial
from evcc_server.modbus.wire import Framing
from evcc_server.profiles.profile import load
from evcc_server.wiring.factory import WIRE_FRAMINGS, Links

pytestmark = pytest.mark.wire


def device(framing: Framing) -> FakeDevice:
    fake = FakeDevice(framing)
    for address in range(0, 90, 2):
        fake.put_float(1, "input", address, address + 0.5)
    return fake


class Streamed(Pipe):
    """A real stream where the fake device expects its cable."""

    def __init__(self, stream: SocketStream | SerialStream) -> None:
        self.stream = stream

    async def receive(self, max_bytes: int = 512) -> bytes:
        return await self.stream.receive(max_bytes)

    async def send(self, item: bytes) -> None:
        await self.stream.send(item)

    async def aclose(self) -> None:
        await self.stream.aclose()


def link_to(port: int, transport: Transport = Transport.TCP) -> Link:
    return Links().get(NetworkAddress(host="127.0.0.1", port=port, transport=transport))


def bus(device: str, baudrate: int, comset: str = "8N1") -> Link:
    return Links().get(SerialAddress(device=device, baudrate=baudrate, comset=comset))


@pytest.mark.parametrize("transport", [Transport.TCP, Transport.RTU_OVER_TCP, Transport.ASCII_OVER_TCP])
@in_real_time
async def test_tcp(transport: Transport) -> None:
    fake = device(WIRE_FRAMINGS[transport])
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:

        async def serve(stream: SocketStream) -> None:
            await fake._serve(Streamed(stream))

        group.start_soon(listener.serve, serve)
        link = link_to(listener.extra(anyio.abc.SocketAttribute.local_port), transport)
        values = await ModbusMeter(load("eastron-sdm630"), link, 1, usage="grid").read()
        assert values.power_w == 52.5
        assert values.powers_w == (12.5, 14.5, 16.5)
        await link.aclose()
        group.cancel_scope.cancel()


@in_real_time
async def test_a_request_that_was_given_up_is_not_delivered_later() -> None:
    """The connection is reset: what the network has not delivered by then it drops, instead of repeating it."""
    ends: list[type[BaseException]] = []
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:

        async def never_answer(stream: SocketStream) -> None:
            try:
                while True:
                    await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError) as end:
                ends.append(type(end))
            finally:
                await stream.aclose()

        group.start_soon(listener.serve, never_answer)
        link = link_to(listener.extra(anyio.abc.SocketAttribute.local_port))
        with pytest.raises(DeviceSilent):
            await Port(link, 1, timeout_s=0.05).write(16, 1210, (1, 2))
        with anyio.fail_after(5):
            while not ends:
                await anyio.sleep(0.01)
        assert ends == [anyio.BrokenResourceError]
        group.cancel_scope.cancel()


@in_real_time
async def test_a_proxy_on_a_real_port_serves_a_second_link() -> None:
    fake = device(Framing.RTU)
    async with anyio.create_task_group() as group:
        inner = fake.link(group)
        port = await group.start(
            lambda *, task_status: serve_proxy(inner, port=0, host="127.0.0.1", task_status=task_status)
        )
        outer = link_to(port)
        assert (await ModbusMeter(load("eastron-sdm630"), outer, 1, usage="grid").read()).power_w == 52.5
        await outer.aclose()
        await inner.aclose()
        group.cancel_scope.cancel()


@in_real_time
async def test_udp() -> None:
    async with await anyio.create_udp_socket(local_host="127.0.0.1") as server, anyio.create_task_group() as group:

        async def serve() -> None:
            async for data, address in server:
                assert data == rtu(247, struct.pack(">BHH", 3, 35105, 2))
                await server.sendto(rtu(247, struct.pack(">BBHH", 3, 4, 0, 4321)), *address)

        group.start_soon(serve)
        link = link_to(server.extra(anyio.abc.SocketAttribute.local_port), Transport.UDP)
        assert await Port(link, 247).read(3, 35105, 2) == (0, 4321)
        await link.aclose()
        group.cancel_scope.cancel()


@in_real_time
async def test_nobody_at_the_port_is_told_at_once() -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
    with pytest.raises(DeviceDown, match="cannot connect"):
        await Port(link_to(port), 1).read(3, 0, 1)


async def read_a_meter_over(link: Link, far_end: SerialStream) -> None:
    fake = device(Framing.RTU)
    async with anyio.create_task_group() as group:
        group.start_soon(fake._serve, Streamed(far_end))
        meter = ModbusMeter(load("eastron-sdm630"), link, 1, usage="grid")
        assert (await meter.read()).power_w == 52.5
        fake.silent_units = {1}
        with pytest.raises(DeviceSilent):
            await Port(link, 1, timeout_s=0.1).read(4, 0, 2)
        await far_end.send(b"\x01\x04\x04\x00\x00\x00\x00\xfb\x84")  # a late answer: it must not pass for the next
        fake.silent_units = set()
        await anyio.sleep(1.0)
        assert (await meter.read()).power_w == 52.5
        await link.aclose()
        group.cancel_scope.cancel()


@in_real_time
async def test_rtu_over_a_pseudo_terminal() -> None:
    ours, theirs = os.openpty()
    tty.setraw(ours)
    os.set_blocking(ours, False)
    link = bus(os.ttyname(theirs), 19200, "8E1")
    await read_a_meter_over(link, SerialStream(ours, 19200))
    os.close(theirs)


@pytest.mark.skipif(shutil.which("socat") is None, reason="socat is not installed")
@in_real_time
async def test_rtu_over_a_serial_pair(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    command = ["socat", f"pty,raw,echo=0,link={one}", f"pty,raw,echo=0,link={other}"]
    process = subprocess.Popen(command)  # blocking for a moment only
    try:
        with anyio.fail_after(5):
            while not (one.exists() and other.exists()):
                await anyio.sleep(0.02)
        await read_a_meter_over(bus(str(one), 9600), await open_serial(str(other), 9600))
    finally:
        process.terminate()
        process.wait(5)


@in_real_time
async def test_a_port_that_is_not_there_is_one_clear_error() -> None:
    with pytest.raises(DeviceDown, match="no-such-port"):
        await Port(bus("/dev/no-such-port", 9600), 1).read(3, 0, 1)
    with pytest.raises(DeviceDown, match="/dev/null"):
        await Port(bus("/dev/null", 9600), 1).read(3, 0, 1)


def test_line_settings() -> None:
    assert control_flags("8N1") != control_flags("8E1") != control_flags("8O1")
    assert control_flags("8n2") == control_flags("8N2")
    assert baud_constant(38400)
    with pytest.raises(ValueError, match="8X1"):
        control_flags("8X1")
    with pytest.raises(ValueError, match="12345"):
        baud_constant(12345)
