"""A battery under command: its mode lasts as long as it is renewed, whatever becomes of the control loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
import trio
from trio_test import in_virtual_time

from evcc_server.clock import Clock
from evcc_server.errors import DeviceError, DeviceRefused, DeviceSilent
from evcc_server.loop.batteries import BatteryLease
from evcclib.commands import BatteryCommand, BatteryMode
from evcclib.units import Instant

HOLD, CHARGE, NORMAL = BatteryMode.HOLD, BatteryMode.CHARGE, BatteryMode.NORMAL


class Device:
    """Notes what it is told, and at which second."""

    def __init__(self, *, repeat_s: float | None = None, fails: dict[int, DeviceError] | None = None) -> None:
        self.told: list[tuple[float, str]] = []
        self.kicks: list[float] = []
        self._repeat_s = repeat_s
        self._fails = fails or {}
        self._mode = "normal"

    @property
    def modes(self) -> tuple[str, ...]:
        return ("normal", "hold", "charge")

    @property
    def keepalive(self) -> timedelta | None:
        return None if self._repeat_s is None or self._mode == "normal" else timedelta(seconds=self._repeat_s)

    async def set_mode(self, mode: str) -> None:
        await trio.lowlevel.checkpoint()
        self.told.append((trio.current_time(), mode))
        if len(self.told) in self._fails:
            raise self._fails[len(self.told)]
        self._mode = mode

    async def kick(self) -> None:
        await trio.lowlevel.checkpoint()
        self.kicks.append(trio.current_time())

    async def release(self) -> None:
        await self.set_mode("normal")


async def guarded(device: Device, use: Callable[[BatteryLease, Clock], Awaitable[None]]) -> None:
    clock = Clock()
    lease = BatteryLease("cellar", device, clock)
    async with trio.open_nursery() as nursery:
        await use(lease, clock)
        nursery.start_soon(lease.guard)
        nursery.start_soon(lease.guard)  # a second one is none
        await trio.sleep(1000)
        nursery.cancel_scope.cancel()


def command(number: int, mode: BatteryMode, clock: Clock, lasts_s: float = 300) -> BatteryCommand:
    expires_at = Instant(clock.instant() + timedelta(seconds=lasts_s))
    return BatteryCommand(number, mode, None if mode is NORMAL else expires_at)


@in_virtual_time
async def test_a_mode_that_nobody_renews_ends_and_renewing_it_writes_nothing() -> None:
    device = Device()

    async def use(lease: BatteryLease, clock: Clock) -> None:
        start_s = trio.current_time()
        await lease.obey(command(1, HOLD, clock))
        await trio.sleep(100)
        await lease.obey(command(2, HOLD, clock))
        assert lease.is_in(HOLD)
        assert [mode for _second, mode in device.told] == ["hold"]
        assert trio.current_time() - start_s == pytest.approx(100)

    await guarded(device, use)
    begun_s, freed_s = (second for second, _mode in device.told)
    assert [mode for _second, mode in device.told] == ["hold", "normal"]
    assert 400 <= freed_s - begun_s <= 405


@in_virtual_time
async def test_the_devices_own_watchdog_is_kept_calm_only_as_long_as_the_mode_lasts() -> None:
    device = Device(repeat_s=30)

    async def use(lease: BatteryLease, clock: Clock) -> None:
        await lease.obey(command(1, CHARGE, clock, lasts_s=100))

    await guarded(device, use)
    begun_s = device.told[0][0]
    assert [round(second - begun_s) for second in device.kicks] == [30, 60, 90]
    assert [mode for _second, mode in device.told] == ["charge", "normal"]


@in_virtual_time
async def test_a_battery_that_cannot_be_freed_is_told_until_it_is() -> None:
    silent = DeviceSilent("no answer")
    device = Device(fails={2: silent, 3: silent})

    async def use(lease: BatteryLease, clock: Clock) -> None:
        await lease.obey(command(1, HOLD, clock, lasts_s=20))

    await guarded(device, use)
    begun_s = device.told[0][0]
    assert [(round(second - begun_s), mode) for second, mode in device.told] == [
        (0, "hold"),
        (20, "normal"),
        (25, "normal"),
        (30, "normal"),
    ]


@in_virtual_time
@pytest.mark.parametrize(("error", "undone"), [(DeviceRefused("no"), False), (DeviceSilent("no answer"), True)])
async def test_what_may_have_been_begun_is_undone_and_what_was_refused_is_not(error: DeviceError, undone: bool) -> None:
    error.left_unchanged = not undone
    device = Device(fails={1: error})

    async def use(lease: BatteryLease, clock: Clock) -> None:
        with pytest.raises(DeviceError):
            await lease.obey(command(1, HOLD, clock, lasts_s=20))

    await guarded(device, use)
    assert [mode for _second, mode in device.told] == (["hold", "normal"] if undone else ["hold"])
