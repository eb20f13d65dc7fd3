"""The link against a device made of bytes, in virtual time: whatever happens to an answer, no wrong number comes out."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable

import anyio
import pytest
import trio
from fake_device import FakeDevice, Fault
from trio_test import in_virtual_time

from evcc_server.errors import DeviceDown, DeviceError, DeviceImplausible, DeviceSilent
from evcc_server.modbus.link import Link, ModbusRefused, Port, backoff_s
from evcc_server.modbus.turns import Priority
from evcc_server.modbus.wire import Framing

ALL = pytest.mark.parametrize("framing", list(Framing))


def device(framing: Framing) -> FakeDevice:
    """Unit 1 holds 10 x address in each of 20 holding registers; unit 2 the same plus one."""
    fake = FakeDevice(framing)
    for address in range(20):
        fake.put(1, "holding", address, 10 * address)
        fake.put(2, "holding", address, 10 * address + 1)
    return fake


async def with_link(fake: FakeDevice, use: Callable[[Port, Link], Awaitable[None]]) -> None:
    async with anyio.create_task_group() as group:
        link = fake.link(group)
        await use(Port(link, 1), link)
        await link.aclose()
        group.cancel_scope.cancel()


@ALL
@in_virtual_time
async def test_values_are_read_and_written_over_every_framing(framing: Framing) -> None:
    fake = device(framing)

    async def use(port: Port, link: Link) -> None:
        assert await port.read(3, 4, 3) == (40, 50, 60)
        assert await port.read(3, 4, 2, unit=2) == (41, 51)
        await port.write(16, 5, (1, 65535))
        await port.write(6, 7, (7,))
        await port.write(5, 3, (1,))
        await port.write(15, 4, (0, 1))
        assert await port.read(3, 5, 3) == (1, 65535, 7)
        assert await port.read(1, 3, 3) == (1, 0, 1)

    await with_link(fake, use)
    assert fake.connections == 1


FAULTS = [
    (Fault(lost=True), DeviceSilent),
    (Fault(late_s=1.5), DeviceSilent),
    (Fault(cut_to=5), DeviceSilent),
    (Fault(closes=True), DeviceDown),
    (Fault(exception=2), ModbusRefused),
    (Fault(unit=2), DeviceImplausible),
    (Fault(function=4), DeviceImplausible),
    (Fault(extra_words=1), DeviceImplausible),
]


@ALL
@pytest.mark.parametrize(("fault", "error"), FAULTS)
@in_virtual_time
async def test_a_spoilt_answer_is_an_error_and_the_next_one_is_right(
    framing: Framing, fault: Fault, error: type[DeviceError]
) -> None:
    fake = device(framing)
    fake.faults = [fault]

    async def use(port: Port, link: Link) -> None:
        with pytest.raises(error):
            await port.read(3, 4, 2)
        await anyio.sleep(2)
        assert await port.read(3, 6, 2) == (60, 70)
        assert await port.read(3, 8, 2) == (80, 90)

    await with_link(fake, use)


WRITES = [
    ([Fault(exception=2)], True),
    ([Fault(exception=3)], True),
    ([Fault(exception=6)], True),
    ([Fault(exception=4)], False),  # it has failed in the midst of it
    ([Fault(exception=5)], False),  # it is still at it
    ([Fault(exception=11)], False),  # a gateway: the device behind it may have heard
    ([Fault(lost=True)], False),
    ([Fault(late_s=1.5)], False),
    ([Fault(cut_to=5)], False),
    ([Fault(closes=True)], False),
    ([Fault(unit=2)], False),
    ([Fault(function=4)], False),
]


@ALL
@pytest.mark.parametrize(("faults", "left_unchanged"), WRITES)
@in_virtual_time
async def test_only_a_refusal_is_certain(framing: Framing, faults: list[Fault | None], left_unchanged: bool) -> None:
    fake = device(framing)
    fake.faults = list(faults)

    async def use(port: Port, link: Link) -> None:
        with pytest.raises(DeviceError) as error:
            await port.write(16, 4, (7,))
        assert error.value.left_unchanged is left_unchanged

    await with_link(fake, use)


@in_virtual_time
async def test_a_refusal_of_what_was_sent_twice_is_not_certain() -> None:
    fake = device(Framing.SOCKET)
    fake.faults = [None, Fault(closes=True), Fault(exception=6)]

    async def use(port: Port, link: Link) -> None:
        await port.read(3, 4, 1)
        with pytest.raises(ModbusRefused) as error:
            await port.write(16, 4, (7,))
        assert not error.value.left_unchanged
        port.doubles = True
        fake.faults = [Fault(lost=True), Fault(exception=6)]
        with pytest.raises(ModbusRefused) as error:
            await port.write(16, 4, (7,))
        assert not error.value.left_unchanged

    await with_link(fake, use)


@in_virtual_time
async def test_what_was_never_sent_has_changed_nothing() -> None:
    fake = device(Framing.SOCKET)

    async def use(port: Port, link: Link) -> None:
        async def left_unchanged() -> bool:
            with pytest.raises(DeviceDown) as error:
                await port.write(16, 4, (7,))
            return error.value.left_unchanged

        fake.is_reachable = False
        assert await left_unchanged()  # cannot connect
        assert await left_unchanged()  # not tried again yet
        await anyio.sleep(2)
        fake.is_reachable = True
        await port.read(3, 4, 1)
        fake.faults = [Fault(closes=True)]
        fake.on_write = lambda *_: setattr(fake, "is_reachable", False)
        assert not await left_unchanged()  # sent; sending it again is what failed
        assert fake.get(1, "holding", 4) == 7

    await with_link(fake, use)


@pytest.mark.parametrize("framing", [Framing.RTU, Framing.ASCII])
@pytest.mark.parametrize("place", range(7))
@in_virtual_time
async def test_a_flipped_bit_never_becomes_a_number(framing: Framing, place: int) -> None:
    fake = device(framing)
    fake.faults = [Fault(flipped=place)]

    async def use(port: Port, link: Link) -> None:
        with pytest.raises((DeviceImplausible, DeviceSilent, ModbusRefused)):
            await port.read(3, 4, 2)
        await anyio.sleep(2)
        assert await port.read(3, 6, 2) == (60, 70)

    await with_link(fake, use)


@ALL
@in_virtual_time
async def test_an_answer_sent_twice_is_not_taken_for_the_next(framing: Framing) -> None:
    fake = device(framing)
    fake.faults = [Fault(repeated=True)]

    async def use(port: Port, link: Link) -> None:
        try:
            assert await port.read(3, 4, 2) == (40, 50)
        except DeviceImplausible:
            assert framing is not Framing.SOCKET  # both came as one
        await anyio.sleep(1)
        assert await port.read(3, 6, 2) == (60, 70)

    await with_link(fake, use)


@ALL
@in_virtual_time
async def test_a_late_answer_is_not_taken_for_the_next(framing: Framing) -> None:
    fake = device(framing)
    fake.faults = [Fault(late_s=1.05)]

    async def use(port: Port, link: Link) -> None:
        with pytest.raises(DeviceSilent):
            await port.read(3, 4, 2)
        await port.write(16, 6, (5,))  # commands do not wait until a silent unit is asked again
        assert await port.read(3, 6, 2) == (5, 70)

    await with_link(fake, use)


@in_virtual_time
async def test_noise_before_an_rtu_answer_is_skipped() -> None:
    fake = device(Framing.RTU)
    fake.faults = [Fault(noise_before=b"\0\xff")]

    async def use(port: Port, link: Link) -> None:
        assert await port.read(3, 4, 2) == (40, 50)

    await with_link(fake, use)


@ALL
@in_virtual_time
async def test_a_cancelled_request_leaves_nothing_behind(framing: Framing) -> None:
    fake = device(framing)
    fake.faults = [Fault(late_s=0.5)]

    async def use(port: Port, link: Link) -> None:
        with anyio.move_on_after(0.2):
            await port.read(3, 4, 2)
        assert not link.is_open
        assert await port.read(3, 6, 2) == (60, 70)

    await with_link(fake, use)
    assert fake.connections == 2


@in_virtual_time
async def test_an_idle_connection_closed_by_the_device_costs_nothing() -> None:
    fake = device(Framing.SOCKET)
    fake.faults = [None, Fault(closes=True)]

    async def use(port: Port, link: Link) -> None:
        assert await port.read(3, 4, 1) == (40,)
        assert await port.read(3, 5, 1) == (50,)

    await with_link(fake, use)
    assert fake.connections == 2


@in_virtual_time
async def test_an_unreachable_device_is_tried_at_doubling_intervals_and_fails_fast_between() -> None:
    fake = device(Framing.SOCKET)
    fake.is_reachable = False
    attempts: list[float] = []

    async def use(port: Port, link: Link) -> None:
        start = trio.current_time()
        for _ in range(1000):
            try:
                await port.read(3, 4, 1)
            except DeviceDown as error:
                if "cannot connect" in str(error):
                    attempts.append(trio.current_time() - start)
            await anyio.sleep(0.1)
        fake.is_reachable = True
        await anyio.sleep(30)
        assert await port.read(3, 4, 1) == (40,)

    await with_link(fake, use)
    gaps = [round(later - earlier) for earlier, later in itertools.pairwise(attempts)]
    assert gaps[:6] == [1, 2, 4, 8, 16, 30]
    assert backoff_s(0) == 0
    assert backoff_s(99) == 30


@in_virtual_time
async def test_commands_overtake_polls_and_order_holds_within_a_priority() -> None:
    fake = device(Framing.SOCKET)
    fake.faults = [Fault(late_s=0.5)]
    order: list[str] = []

    async def one(port: Port, name: str, priority: Priority) -> None:
        await port.read(3, 1, 1, priority=priority)
        order.append(name)

    async def use(port: Port, link: Link) -> None:
        async with anyio.create_task_group() as group:
            for name, priority in [
                ("first", Priority.POLL),
                ("guest", Priority.GUEST),
                ("poll 1", Priority.POLL),
                ("poll 2", Priority.POLL),
                ("kick", Priority.KEEPALIVE),
                ("command", Priority.CONTROL),
            ]:
                group.start_soon(one, port, name, priority)
                await anyio.sleep(0.01)

    await with_link(fake, use)
    assert order == ["first", "command", "kick", "poll 1", "poll 2", "guest"]


@in_virtual_time
async def test_a_waiter_that_gives_up_does_not_block_the_others() -> None:
    fake = device(Framing.SOCKET)
    fake.faults = [Fault(late_s=0.8)]

    async def use(port: Port, link: Link) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(port.read, 3, 1, 1)
            await anyio.sleep(0.1)
            with anyio.move_on_after(0.2):
                await port.read(3, 2, 1)
            assert await port.read(3, 3, 1) == (30,)

    await with_link(fake, use)
    assert len(fake.requests) == 2


@in_virtual_time
async def test_a_device_gets_its_pause_between_requests() -> None:
    fake = device(Framing.RTU)

    async def use(port: Port, link: Link) -> None:
        port.min_delay_s = 0.1
        for _ in range(5):
            await port.read(3, 1, 1)

    await with_link(fake, use)
    assert all(later - earlier >= 0.1 - 1e-9 for earlier, later in itertools.pairwise(fake.times))


@in_virtual_time
async def test_the_others_keep_their_period_when_one_device_of_three_is_silent() -> None:
    devices = [device(Framing.SOCKET) for _ in range(3)]
    devices[0].silent_units = {1}
    seen: list[list[float]] = [[], [], []]

    async def poll(number: int, link: Link) -> None:
        port = Port(link, 1)
        for _ in range(30):
            started = trio.current_time()
            try:
                await port.read(3, 1, 1)
                seen[number].append(trio.current_time())
            except DeviceError:
                assert number == 0
            await trio.sleep_until(started + 1)

    async with anyio.create_task_group() as group:
        links = [fake.link(group) for fake in devices]
        async with anyio.create_task_group() as polls:
            for number, link in enumerate(links):
                polls.start_soon(poll, number, link)
        for link in links:
            await link.aclose()
        group.cancel_scope.cancel()
    assert seen[0] == []
    for times in seen[1:]:
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert len(times) == 30
        assert all(abs(gap - 1) < 0.01 for gap in gaps)


@in_virtual_time
async def test_a_silent_unit_on_a_shared_bus_takes_ever_less_time_from_the_others() -> None:
    fake = device(Framing.RTU)
    fake.silent_units = {1}
    answered: list[float] = []

    async def poll(port: Port) -> None:
        while trio.current_time() < end:
            started = trio.current_time()
            try:
                await port.read(3, 1, 1)
                answered.append(trio.current_time())
            except DeviceSilent:
                assert port.unit == 1
            await trio.sleep_until(started + 1)

    async with anyio.create_task_group() as group:
        end = trio.current_time() + 120
        link = fake.link(group)
        async with anyio.create_task_group() as polls:
            polls.start_soon(poll, Port(link, 1))
            polls.start_soon(poll, Port(link, 2))
        await link.aclose()
        group.cancel_scope.cancel()
    assert len(answered) >= 105
    assert sum(unit == 1 for unit, _ in fake.requests) <= 15


@pytest.mark.parametrize("framing", [Framing.RTU, Framing.ASCII])
@in_virtual_time
async def test_the_echo_of_an_adapter_confirms_nothing(framing: Framing) -> None:
    fake = device(framing)
    fake.echoes = True

    async def use(port: Port, link: Link) -> None:
        assert await port.read(3, 10, 2) == (100, 110)
        await port.write(6, 10, (7,))
        fake.faults = [Fault(exception=2)]
        with pytest.raises(ModbusRefused) as refusal:
            await port.write(6, 10, (8,))
        assert refusal.value.left_unchanged
        await port.write(16, 10, (9, 9))
        assert await port.read(3, 10, 2) == (9, 9)

    await with_link(fake, use)
    assert fake.connections == 1


@pytest.mark.parametrize("framing", [Framing.RTU, Framing.ASCII])
@in_virtual_time
async def test_zeros_of_a_line_driver_spoil_no_answer(framing: Framing) -> None:
    fake = device(framing)
    fake.faults = [Fault(noise_after=b"\0\0"), Fault(noise_before=b"\0\0"), Fault(noise_after=b"\0")]

    async def use(port: Port, link: Link) -> None:
        for _ in range(2):
            assert await port.read(3, 10, 2) == (100, 110)
        await port.write(6, 10, (7,))

    await with_link(fake, use)
    assert fake.connections == 1


@in_virtual_time
async def test_a_gateway_that_answers_with_another_transaction_id_is_told_as_that() -> None:
    fake = device(Framing.SOCKET)
    fake.faults = [None, *[Fault(transaction=0) for _ in range(3)]]

    async def use(port: Port, link: Link) -> None:
        assert await port.read(3, 10, 2) == (100, 110)
        for ours in (2, 3):
            with pytest.raises(
                DeviceImplausible, match=rf"read 2 from 10 .*: answered with transaction id 0 in place of {ours}$"
            ):
                await port.read(3, 10, 2)
        with pytest.raises(DeviceImplausible, match="answered with transaction id 0 in place of 4") as failure:
            await port.write(6, 10, (7,))
        assert not failure.value.left_unchanged
        fake.faults = [Fault(lost=True)]
        with pytest.raises(DeviceSilent, match="no answer within 1 s"):
            await port.read(3, 10, 2)

    await with_link(fake, use)
