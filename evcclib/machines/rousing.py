"""When a vehicle that was offered current and does not take it is to be woken, or seems full [WAKE-1..WAKE-3].

The timer starts with enabling, and when the vehicle stops by itself while still enabled [DEF-28]; it ends with disabling and
with the start of charging. One attempt for each start of the timer.
"""

from __future__ import annotations

from datetime import timedelta

from evcclib.commands import Command, WakeCharger, WakeVehicle
from evcclib.machines.hold import Timer, first_after
from evcclib.units import Instant

WAKE_DELAY = timedelta(seconds=30)
NOT_DRAWING_AFTER = timedelta(seconds=60)
"""A vehicle that has been enabled for so long and does not draw is full, or does not want to."""


def is_due(
    timer: Timer,
    instant: Instant,
    *,
    is_enabled: bool,
    is_waiting: bool,
    soc_pct: float | None,
    soc_target_pct: int,
) -> bool:
    """Whether to wake now: enabled, connected but not charging, not yet at its goal, and the time is over [WAKE-2].

    A goal of 0 means 100 [DEF-44]; an unknown SoC is not at its goal.
    """
    if timer is None or not is_enabled or not is_waiting:
        return False
    if soc_pct is not None and int(soc_pct) >= (soc_target_pct or 100):
        return False
    return instant - timer >= WAKE_DELAY


def seems_full(idle_since: Timer, instant: Instant) -> bool:
    """Whether a vehicle that has been enabled at ``idle_since`` and does not draw will not any more."""
    return idle_since is not None and instant - idle_since >= NOT_DRAWING_AFTER


def next_change(timer: Timer, *, instant: Instant, idle_since: Timer) -> Instant | None:
    """When `is_due` or `seems_full` could say something else; ``idle_since`` None: it draws, or is not enabled."""
    return first_after(
        instant,
        None if timer is None else timer + WAKE_DELAY,
        None if idle_since is None else idle_since + NOT_DRAWING_AFTER,
    )


def wake_commands(*, charger_has_wakeup: bool, vehicle: str | None, vehicle_has_wakeup: bool) -> tuple[Command, ...]:
    """Both means that exist, the charger's first [WAKE-3, DEF-28]."""
    commands: tuple[Command, ...] = ()
    if charger_has_wakeup:
        commands += (WakeCharger(),)
    if vehicle is not None and vehicle_has_wakeup:
        commands += (WakeVehicle(vehicle),)
    return commands
