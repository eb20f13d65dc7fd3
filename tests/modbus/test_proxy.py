"""Sharing a link: a guest reads through us, after our own requests, and writes only where it may."""

from __future__ import annotations

import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

import anyio
import anyio.lowlevel
import pytest
from fake_device import FakeDevice, Fault, Pipe, mbap, pipe_pair
from trio_test import in_real_time, in_virtual_time

from evcc_server.modbus import proxy
from evcc_server.modbus.link import Link, Port
from evcc_server.modbus.proxy import PEER_GUESTS_MAX, Guest, serve_proxy
from evcc_server.modbus.wire import Framing


def device() -> FakeDevice:
    fake = FakeDevice(Framing.RTU)
    for address in range(8):
        fake.put(1, "holding", address, 100 + address)
        fake.put(1, "coil", address, address % 2)
    return fake


async def with_guest(
    fake: FakeDevice, use: Callable[[Pipe, Link], Awaitable[None]], *, is_read_only: bool = True
) -> None:
    async with anyio.create_task_group() as group:
        link = fake.link(group)
        mine, theirs = pipe_pair()

        async def guest() -> None:
            await Guest(link, theirs, is_read_only=is_read_only).serve()  # type: ignore[arg-type]  # close enough

        group.start_soon(guest)
        await use(mine, link)
        await mine.aclose()
        await link.aclose()
        group.cancel_scope.cancel()


def read(transaction: int, address: int, count: int, *, unit: int = 1, function: int = 3) -> bytes:
    return mbap(transaction, unit, struct.pack(">BHH", function, address, count))


@in_virtual_time
async def test_a_guest_reads_registers_and_bits_with_its_own_transaction_numbers() -> None:
    async def use(stream: Pipe, link: Link) -> None:
        await stream.send(read(0xABCD, 2, 3))
        assert await stream.receive() == mbap(0xABCD, 1, struct.pack(">BB3H", 3, 6, 102, 103, 104))
        await stream.send(read(7, 0, 4, function=1))
        assert await stream.receive() == mbap(7, 1, bytes([1, 1, 0b1010]))

    await with_guest(device(), use)


@in_virtual_time
async def test_requests_in_one_segment_and_in_pieces_are_all_answered_in_order() -> None:
    async def use(stream: Pipe, link: Link) -> None:
        both = read(1, 0, 1) + read(2, 1, 1)
        await stream.send(both[:15])
        await stream.send(both[15:])
        assert await stream.receive() == mbap(1, 1, struct.pack(">BBH", 3, 2, 100))
        assert await stream.receive() == mbap(2, 1, struct.pack(">BBH", 3, 2, 101))

    await with_guest(device(), use)


@in_virtual_time
async def test_a_write_is_refused_unless_it_is_allowed() -> None:
    fake = device()
    write = mbap(5, 1, struct.pack(">BHH", 6, 3, 42))

    async def use(stream: Pipe, link: Link) -> None:
        await stream.send(write)
        assert await stream.receive() == mbap(5, 1, bytes([0x86, 1]))

    await with_guest(fake, use)
    assert fake.requests == []

    async def use_freely(stream: Pipe, link: Link) -> None:
        await stream.send(write)
        assert await stream.receive() == write
        many = mbap(6, 1, struct.pack(">BHHBHH", 16, 4, 2, 4, 1, 2))
        await stream.send(many)
        assert await stream.receive() == mbap(6, 1, struct.pack(">BHH", 16, 4, 2))
        await stream.send(mbap(7, 1, struct.pack(">BHH", 5, 0, 0xFF00)))
        assert await stream.receive() == mbap(7, 1, struct.pack(">BHH", 5, 0, 0xFF00))
        await stream.send(mbap(8, 1, struct.pack(">BHHBB", 15, 0, 3, 1, 0b110)))
        assert await stream.receive() == mbap(8, 1, struct.pack(">BHH", 15, 0, 3))

    fake = device()
    await with_guest(fake, use_freely, is_read_only=False)
    assert [fake.get(1, "holding", address) for address in (3, 4, 5)] == [42, 1, 2]
    assert [fake.get(1, "coil", address) for address in (0, 1, 2)] == [0, 1, 1]


@in_virtual_time
async def test_troubles_become_the_exceptions_of_a_gateway() -> None:
    fake = device()
    fake.faults = [Fault(lost=True), Fault(exception=6), None, None]

    async def use(stream: Pipe, link: Link) -> None:
        await stream.send(read(1, 0, 1))
        assert await stream.receive() == mbap(1, 1, bytes([0x83, 11]))
        await stream.send(read(2, 0, 1))
        assert await stream.receive() == mbap(2, 1, bytes([0x83, 6]))
        await stream.send(read(3, 50, 1))
        assert await stream.receive() == mbap(3, 1, bytes([0x83, 2]))
        await stream.send(mbap(4, 1, bytes([43, 14, 1, 0])))
        assert await stream.receive() == mbap(4, 1, bytes([0xAB, 1]))
        fake.is_reachable = False
        await link.aclose()
        await stream.send(read(5, 0, 1))
        assert await stream.receive() == mbap(5, 1, bytes([0x83, 10]))

    await with_guest(fake, use)


@in_virtual_time
async def test_what_is_not_modbus_is_shown_the_door() -> None:
    async def use(stream: Pipe, link: Link) -> None:
        await stream.send(b"GET / HTTP/1.1\r\n\r\n")
        try:
            await stream.receive()
        except anyio.EndOfStream:
            return
        raise AssertionError("still connected")

    await with_guest(device(), use)


@in_virtual_time
async def test_a_guest_waits_behind_our_own_polls_and_its_silence_is_not_held_against_a_unit() -> None:
    fake = device()
    fake.faults = [Fault(lost=True)]

    async def use(stream: Pipe, link: Link) -> None:
        await stream.send(read(1, 0, 1))
        await stream.receive()
        assert await Port(link, 1).read(3, 1, 1) == (101,)

    await with_guest(fake, use)


@in_virtual_time
async def test_a_guest_that_leaves_after_its_requests_has_them_carried_out() -> None:
    async def use(stream: Pipe, link: Link) -> None:
        first, second = (mbap(n, 1, struct.pack(">BHH", 6, address, 42)) for n, address in ((1, 3), (2, 4)))
        await stream.send(first + second)
        await stream.aclose()
        await anyio.sleep(10)

    fake = device()
    await with_guest(fake, use, is_read_only=False)
    assert [fake.get(1, "holding", address) for address in (3, 4)] == [42, 42]


@pytest.mark.wire
@in_real_time
async def test_guests_that_say_nothing_lock_nobody_out() -> None:
    async with anyio.create_task_group() as group, AsyncExitStack() as stack:
        link = device().link(group)
        port = await group.start(partial(serve_proxy, link, port=0, host="127.0.0.1"))
        silent = [
            await stack.enter_async_context(await anyio.connect_tcp("127.0.0.1", port)) for _ in range(PEER_GUESTS_MAX)
        ]
        with anyio.fail_after(10):
            async with await anyio.connect_tcp("127.0.0.1", port) as guest:
                await guest.send(read(1, 0, 1))
                assert await guest.receive() == mbap(1, 1, struct.pack(">BBH", 3, 2, 100))
            with pytest.raises(anyio.EndOfStream):
                await silent[0].receive()
        await link.aclose()
        group.cancel_scope.cancel()


@pytest.mark.wire
@in_real_time
async def test_guests_from_many_places_lock_nobody_out_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "GUESTS_MAX", 2)
    async with anyio.create_task_group() as group, AsyncExitStack() as stack:
        link = device().link(group)
        port = await group.start(partial(serve_proxy, link, port=0, host="127.0.0.1"))
        silent = [
            await stack.enter_async_context(await anyio.connect_tcp("127.0.0.1", port, local_host=f"127.0.0.{place}"))
            for place in (2, 3)
        ]
        with anyio.fail_after(10):
            async with await anyio.connect_tcp("127.0.0.1", port) as guest:
                await guest.send(read(1, 0, 1))
                assert await guest.receive() == mbap(1, 1, struct.pack(">BBH", 3, 2, 100))
            with pytest.raises(anyio.EndOfStream):
                await silent[0].receive()
        await link.aclose()
        group.cancel_scope.cancel()


@pytest.mark.wire
@in_real_time
async def test_a_guest_that_resets_its_connection_before_it_is_let_in_ends_nothing() -> None:
    """anyio 4.16.0 has no address for it: findings/anyio_has_no_address_for_a_guest_that_has_reset.sh."""
    fake = device()
    async with anyio.create_task_group() as group:
        link = fake.link(group)
        port = await group.start(partial(serve_proxy, link, port=0, host="127.0.0.1", is_read_only=False))
        with socket.create_connection(("127.0.0.1", port)) as gone:  # no task has had a turn when it closes
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            gone.sendall(mbap(1, 1, struct.pack(">BHH", 6, 3, 42)))
        with anyio.fail_after(10):
            async with await anyio.connect_tcp("127.0.0.1", port) as guest:
                await guest.send(read(1, 0, 1))
                assert await guest.receive() == mbap(1, 1, struct.pack(">BBH", 3, 2, 100))
            while fake.get(1, "holding", 3) != 42:  # what it asked for is carried out all the same
                await anyio.lowlevel.checkpoint()
        await link.aclose()
        group.cancel_scope.cancel()
