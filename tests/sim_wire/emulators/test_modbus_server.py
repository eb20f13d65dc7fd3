"""The stream server, byte by byte: frames written by hand, not by any codec of ours."""

import struct
from collections.abc import Awaitable, Callable

import anyio
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.simulator import DataType, SimData, SimDevice
from pymodbus.simulator.simcore import SimCore
from trio_test import in_virtual_time, orders, run_deterministic

from evcc_sim.devices.memory_stream import MemoryStream, memory_pair
from evcc_sim.devices.modbus_server import (
    Asked,
    Close,
    Delay,
    Duplicate,
    FaultHook,
    FlipByte,
    LoseAnswer,
    Refuse,
    StaleAnswer,
    Swallow,
    Truncate,
    WireFault,
    Wrapping,
    no_faults,
    serve_stream,
)

READ_TWO = bytes.fromhex("0007 0000 0006 01 03 0000 0002")
TWO_VALUES = bytes.fromhex("0007 0000 0007 01 03 04 002A 0102")
WRITE_ONE = bytes.fromhex("0008 0000 0006 01 06 0001 0BAD")


def core() -> SimCore:
    return SimCore([SimDevice(1, [SimData(0, values=[42, 0x0102, 3], datatype=DataType.REGISTERS)])])


async def talk(
    script: Callable[[MemoryStream], Awaitable[None]],
    *,
    faults: FaultHook = no_faults,
    framing: Wrapping = Wrapping.TCP,
) -> None:
    async with trio.open_nursery() as nursery:
        ours, theirs = memory_pair()
        nursery.start_soon(serve_stream, theirs, core(), framing, faults)
        with trio.fail_after(60):
            await script(ours)
        await ours.aclose()


def always(*faults: WireFault) -> FaultHook:
    return lambda _: faults


async def ask(line: MemoryStream, request: bytes) -> bytes:
    await line.send(request)
    return await line.receive()


@in_virtual_time
async def test_a_read_is_answered_with_its_transaction_id() -> None:
    async def script(line: MemoryStream) -> None:
        assert await ask(line, READ_TWO) == TWO_VALUES

    await talk(script)


@in_virtual_time
async def test_requests_in_one_segment_are_all_answered_in_order() -> None:
    async def script(line: MemoryStream) -> None:
        await line.send(READ_TWO + WRITE_ONE)
        await trio.sleep(1)
        assert await line.receive() == TWO_VALUES + WRITE_ONE

    await talk(script)


@in_virtual_time
async def test_a_request_may_arrive_byte_by_byte() -> None:
    async def script(line: MemoryStream) -> None:
        for byte in READ_TWO:
            await line.send(bytes([byte]))
            await trio.sleep(0.1)
        assert await line.receive() == TWO_VALUES

    await talk(script)


@pytest.mark.parametrize(
    ("request_hex", "answer_hex"),
    [
        ("0001 0000 0006 02 03 0000 0001", "0001 0000 0003 02 83 0B"),  # no such unit behind the gateway
        ("0001 0000 0006 01 03 0002 0002", "0001 0000 0003 01 83 02"),  # beyond the last register
        ("0001 0000 0002 01 63", "0001 0000 0003 01 E3 01"),  # a function nobody knows
        ("0001 0000 0006 01 03 0000 0000", "0001 0000 0003 01 83 03"),  # nothing to read
        ("0001 0000 0006 01 03 0000 00FF", "0001 0000 0003 01 83 03"),  # more than one frame can hold
    ],
)
def test_a_bad_request_is_refused_with_its_exception_code(request_hex: str, answer_hex: str) -> None:
    async def script(line: MemoryStream) -> None:
        assert await ask(line, bytes.fromhex(request_hex)) == bytes.fromhex(answer_hex)
        assert await ask(line, READ_TWO) == TWO_VALUES

    async def main() -> None:
        await talk(script)

    run_deterministic(main)


@in_virtual_time
async def test_a_foreign_protocol_id_ends_the_connection() -> None:
    async def script(line: MemoryStream) -> None:
        await line.send(bytes.fromhex("0001 0001 0006 01 03 0000 0001"))
        with pytest.raises(anyio.EndOfStream):
            await line.receive()

    await talk(script)


RTU_READ = bytes.fromhex("01 03 0000 0001 840A")
RTU_VALUE = bytes.fromhex("01 03 02 002A 399B")


@in_virtual_time
async def test_rtu_frames_carry_their_checksum() -> None:
    async def script(line: MemoryStream) -> None:
        assert await ask(line, RTU_READ) == RTU_VALUE

    await talk(script, framing=Wrapping.RTU)


@in_virtual_time
async def test_rtu_device_keeps_silent_on_a_bad_checksum_and_on_other_units() -> None:
    async def script(line: MemoryStream) -> None:
        await line.send(RTU_READ[:-1] + b"\0")
        await line.send(bytes.fromhex("02 03 0000 0001 8439"))
        with trio.move_on_after(5) as waiting:
            await line.receive()
        assert waiting.cancelled_caught
        assert await ask(line, RTU_READ) == RTU_VALUE

    await talk(script, framing=Wrapping.RTU)


@in_virtual_time
async def test_ascii_frames_are_understood() -> None:
    async def script(line: MemoryStream) -> None:
        assert await ask(line, b":010300000001FB\r\n") == b":010302002AD0\r\n"

    await talk(script, framing=Wrapping.ASCII)


@in_virtual_time
async def test_faults_do_what_they_say() -> None:
    async def expect(answer: bytes | None, *faults: WireFault) -> None:
        async def script(line: MemoryStream) -> None:
            await line.send(READ_TWO)
            with trio.move_on_after(10) as waiting:
                assert await line.receive() == answer
            assert waiting.cancelled_caught == (answer is None)

        await talk(script, faults=always(*faults))

    await expect(TWO_VALUES, Delay(9.0))
    await expect(None, Delay(11.0))
    await expect(bytes.fromhex("0007 0000 0003 01 83 06"), Refuse(6))
    await expect(None, Swallow())
    await expect(None, LoseAnswer())
    await expect(TWO_VALUES[:5], Truncate(5))
    await expect(TWO_VALUES[:9] + bytes([0xFF]) + TWO_VALUES[10:], FlipByte(9))
    await expect(TWO_VALUES * 2, Duplicate())


@in_virtual_time
async def test_a_stale_answer_carries_its_old_transaction_id() -> None:
    asked: list[Asked] = []

    def second_is_stale(request: Asked) -> tuple[WireFault, ...]:
        asked.append(request)
        return (StaleAnswer(),) if len(asked) == 2 else ()

    async def script(line: MemoryStream) -> None:
        assert await ask(line, READ_TWO) == TWO_VALUES
        assert await ask(line, b"\x00\x09" + READ_TWO[2:]) == TWO_VALUES
        assert await ask(line, b"\x00\x0a" + READ_TWO[2:]) == b"\x00\x0a" + TWO_VALUES[2:]

    await talk(script, faults=second_is_stale)
    assert [(r.unit, r.function, r.address, r.count, r.is_write) for r in asked] == [(1, 3, 0, 2, False)] * 3


@in_virtual_time
async def test_a_lost_answer_has_still_written() -> None:
    def lose_writes(request: Asked) -> tuple[WireFault, ...]:
        return (LoseAnswer(),) if request.is_write else ()

    async def script(line: MemoryStream) -> None:
        await line.send(WRITE_ONE)
        assert await ask(line, READ_TWO) == TWO_VALUES[:-2] + b"\x0b\xad"

    await talk(script, faults=lose_writes)


@in_virtual_time
async def test_a_device_may_hang_up() -> None:
    async def script(line: MemoryStream) -> None:
        await line.send(READ_TWO)
        with pytest.raises(anyio.EndOfStream):
            await line.receive()

    await talk(script, faults=always(Close()))


@settings(max_examples=200, deadline=None)
@given(orders, st.lists(st.binary(max_size=300), max_size=6), st.sampled_from(list(Wrapping)))
def test_garbage_never_breaks_the_server(order: int, pieces: list[bytes], framing: Wrapping) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            ours, theirs = memory_pair()
            nursery.start_soon(serve_stream, theirs, core(), framing)
            for piece in pieces:
                try:
                    await ours.send(piece)
                except anyio.BrokenResourceError:
                    break
                await trio.sleep(1)
            await ours.aclose()

    run_deterministic(main, order=order)


@settings(max_examples=100, deadline=None)
@given(orders, st.lists(st.integers(1, 40), max_size=8))
def test_a_memory_stream_keeps_every_byte_in_order(order: int, sizes: list[int]) -> None:
    async def main() -> None:
        one, other = memory_pair()
        data = struct.pack(f"{sum(sizes)}B", *(i % 256 for i in range(sum(sizes))))
        await one.send(data)
        await one.aclose()
        received = b""
        for size in [*sizes, 1]:
            try:
                piece = await other.receive(size)
            except anyio.EndOfStream:
                break
            assert len(piece) <= size
            received += piece
        assert received == data
        with pytest.raises(anyio.BrokenResourceError):
            await other.send(b"x")
        with pytest.raises(anyio.ClosedResourceError):
            await one.receive()

    run_deterministic(main, order=order)
