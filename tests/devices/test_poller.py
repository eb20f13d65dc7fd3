"""Each device's own task: it reads when asked, gives up in time, and brings a lost device under control again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import trio
from trio_test import in_virtual_time

from evcc_server.clock import Clock
from evcc_server.errors import DeviceDown
from evcc_server.loop.pollers import Poller

Seen = list[tuple[int, float]]  # values, and the second at which they were asked for


class Device:
    """Counts its reads; ``takes_s`` and ``raises`` by number of the read."""

    def __init__(self, *, takes_s: dict[int, float] | None = None, raises: dict[int, Exception] | None = None) -> None:
        self._takes_s = takes_s or {}
        self._raises = raises or {}
        self.reads = 0
        self.starts: list[int] = []  # before which read it was prepared

    async def prepare(self) -> None:
        await trio.lowlevel.checkpoint()
        self.starts.append(self.reads)

    async def read(self) -> int:
        number, self.reads = self.reads, self.reads + 1
        if number in self._raises:
            raise self._raises[number]
        await trio.sleep(self._takes_s.get(number, 0.1))
        return number


async def polled(
    device: Device, use: Callable[[Poller[int]], Awaitable[None]], *, period_s: float | None = None
) -> Seen:
    seen: Seen = []

    def take(name: str, number: int, at: timedelta) -> None:
        assert name == "device"
        seen.append((number, at.total_seconds()))

    poller = Poller(
        "device",
        device,
        clock=Clock(),
        deadline=timedelta(seconds=2),
        period=None if period_s is None else timedelta(seconds=period_s),
        sink=take,
        prepare=device.prepare,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poller.run)
        await use(poller)
        nursery.cancel_scope.cancel()
    return seen


async def ask(poller: Poller[int], *, times: int, every_s: float = 10.0) -> list[bool]:
    """Whether the device was all right after each of so many reads."""
    found = []
    for _ in range(times):
        started = trio.current_time()
        await poller.poke().wait()
        found.append(poller.health.is_ok)
        await trio.sleep_until(started + every_s)
    return found


@in_virtual_time
async def test_each_read_has_its_own_deadline() -> None:
    device = Device(takes_s={0: 1.9, 1: 1.9, 2: 1.9})

    async def use(poller: Poller[int]) -> None:
        assert await ask(poller, times=3) == [True, True, True]

    assert await polled(device, use) == [(0, 0.0), (1, 10.0), (2, 20.0)]


@in_virtual_time
async def test_a_read_that_takes_too_long_is_given_up_and_the_next_one_is_not() -> None:
    device = Device(takes_s={1: 9e9, 2: 2.5})

    async def use(poller: Poller[int]) -> None:
        assert await ask(poller, times=5) == [True, False, False, True, True]

    assert await polled(device, use) == [(0, 0.0), (3, 30.0), (4, 40.0)]
    assert device.starts == [0, 2, 3]


@in_virtual_time
async def test_whoever_waits_for_a_read_knows_in_time_that_it_failed() -> None:
    async def use(poller: Poller[int]) -> None:
        started = trio.current_time()
        await poller.poke().wait()
        assert trio.current_time() - started == 2.0
        assert not poller.health.is_ok

    assert await polled(Device(takes_s={0: 9e9}), use) == []


@in_virtual_time
async def test_failures_are_survived_and_the_device_is_brought_under_control_again() -> None:
    device = Device(raises={1: DeviceDown("gone"), 3: trio.TooSlowError(), 5: ZeroDivisionError("a driver's mistake")})

    async def use(poller: Poller[int]) -> None:
        assert await ask(poller, times=7) == [True, False, True, False, True, False, True]

    seen = await polled(device, use)
    assert [number for number, _ in seen] == [0, 2, 4, 6]
    assert device.starts == [0, 2, 4, 6]


@in_virtual_time
async def test_a_period_of_its_own_counts_from_the_end_of_the_last_read() -> None:
    async def use(poller: Poller[int]) -> None:
        await trio.sleep(3.5)

    assert await polled(Device(), use, period_s=1.0) == [(0, 1.0), (1, 2.1), (2, 3.2)]


@in_virtual_time
async def test_leaving_is_no_failure() -> None:
    found: list[Poller[int]] = []

    async def use(poller: Poller[int]) -> None:
        found.append(poller)
        poller.poke()
        await trio.sleep(0.5)

    await polled(Device(takes_s={0: 9e9}), use)
    assert found[0].health.is_ok
