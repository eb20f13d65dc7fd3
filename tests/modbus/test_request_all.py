"""Several requests with one patience: each has its own time, and a failure costs the others no more than it must."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import pytest
import trio
import trio.testing
from anyio.abc import ByteStream
from fake_device import FakeDevice, Fault, mbap
from trio.testing import MockClock
from trio_test import in_virtual_time

from evcc_server.errors import DeviceDown, DeviceImplausible, DeviceSilent
from evcc_server.modbus.link import Link, ModbusRefused, Port
from evcc_server.modbus.turns import Priority
from evcc_server.modbus.wire import Framing, Request

READS = tuple(Request(unit=1, function=3, address=address, count=2) for address in (4, 6, 8))
RIGHT = [(40, 50), (60, 70), (80, 90)]


async def with_port(faults: list[Fault | None], use: Callable[[Port], Awaitable[None]]) -> FakeDevice:
    """A device with 10 x address in each register, whose next answers have these faults; requests may take a second."""
    fake = FakeDevice(Framing.SOCKET, faults=faults)
    fake.put(1, "holding", 0, *range(0, 200, 10))
    async with anyio.create_task_group() as group:
        link: Link = fake.link(group)
        await use(Port(link, 1))
        await link.aclose()
        group.cancel_scope.cancel()
    return fake


def addresses(fake: FakeDevice) -> list[int]:
    return [int.from_bytes(pdu[1:3], "big") for _, pdu in fake.requests]


@in_virtual_time
async def test_each_request_has_all_of_its_time() -> None:
    async def use(port: Port) -> None:
        assert await port.read_all(READS) == RIGHT

    fake = await with_port([Fault(late_s=0.9), Fault(late_s=0.9), Fault(late_s=0.9)], use)
    assert fake.connections == 1


class Procrastinator(ByteStream):
    """Answers at the very last moment: before the answer is looked at, the time for it is over."""

    def __init__(self, device: FakeDevice, clock: MockClock, nursery: trio.Nursery) -> None:
        self._device, self._clock, self._nursery = device, clock, nursery
        self._sender, self._receiver = trio.open_memory_channel[bytes](1)

    async def send(self, item: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self._nursery.start_soon(self._answer, item)

    async def _answer(self, frame: bytes) -> None:
        await trio.testing.wait_all_tasks_blocked()
        address = int.from_bytes(frame[8:10], "big")
        words = b"".join(self._device.get(1, "holding", place).to_bytes(2, "big") for place in (address, address + 1))
        self._sender.send_nowait(mbap(int.from_bytes(frame[:2], "big"), 1, b"\x03\x04" + words))
        self._clock.jump(1.0)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        answer = await self._receiver.receive()
        assert len(answer) <= max_bytes
        return answer

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


@in_virtual_time
async def test_an_answer_that_comes_just_in_time_does_not_cost_the_next_one_its_own() -> None:
    fake = FakeDevice(Framing.SOCKET)
    fake.put(1, "holding", 0, *range(0, 200, 10))
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, MockClock)

    async with trio.open_nursery() as nursery:

        async def connect() -> Procrastinator:
            await trio.lowlevel.checkpoint()
            return Procrastinator(fake, clock, nursery)

        link = Link(connect, Framing.SOCKET)
        assert await Port(link, 1).read_all(READS) == RIGHT
        assert link.openings == 1


@in_virtual_time
async def test_none_is_sent_after_one_that_was_not_answered() -> None:
    async def use(port: Port) -> None:
        started = trio.current_time()
        with pytest.raises(DeviceSilent, match="read 2 from 6"):
            await port.read_all(READS)
        assert trio.current_time() - started == pytest.approx(1.0)
        assert not port.link.is_open
        with pytest.raises(DeviceSilent, match="has been silent"):
            await port.read_all(READS)
        await anyio.sleep(1.1)
        assert await port.read_all(READS) == RIGHT

    fake = await with_port([None, Fault(lost=True)], use)
    assert addresses(fake) == [4, 6, 4, 6, 8]


@in_virtual_time
async def test_a_refusal_is_the_last_answer() -> None:
    async def use(port: Port) -> None:
        first, refusal = await port.read_all(READS)
        assert first == RIGHT[0]
        assert isinstance(refusal, ModbusRefused)
        assert refusal.code == 2

    fake = await with_port([None, Fault(exception=2)], use)
    assert addresses(fake) == [4, 6]


@pytest.mark.parametrize(
    ("fault", "error"), [(Fault(function=4), DeviceImplausible), (Fault(exception=None, closes=True), DeviceDown)]
)
@in_virtual_time
async def test_other_failures_end_all(fault: Fault, error: type[Exception]) -> None:
    async def use(port: Port) -> None:
        with pytest.raises(error):
            await port.read_all(READS)

    fake = await with_port([None, fault, fault], use)
    assert set(addresses(fake)) == {4, 6}


@in_virtual_time
async def test_a_command_comes_between_two_of_them() -> None:
    async def command(port: Port) -> None:
        await port.write(6, 15, (1,), priority=Priority.CONTROL)

    async def use(port: Port) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(port.read_all, READS)
            await anyio.sleep(0.1)
            group.start_soon(command, port)

    fake = await with_port([Fault(late_s=0.5)], use)
    assert addresses(fake) == [4, 15, 6, 8]


@in_virtual_time
async def test_waiting_for_the_turn_takes_nothing_of_the_time() -> None:
    async def use(port: Port) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(port.read_all, READS)
            await anyio.sleep(0.1)
            assert await port.read_all(READS) == RIGHT

    fake = await with_port([Fault(late_s=0.8)] * 6, use)
    assert len(fake.requests) == 6
    assert fake.connections == 1


@in_virtual_time
async def test_who_stops_waiting_leaves_no_silence_behind() -> None:
    async def use(port: Port) -> None:
        with trio.move_on_after(0.5):
            await port.read_all(READS)
        assert await port.read_all(READS) == RIGHT

    await with_port([None, Fault(late_s=0.9)], use)
