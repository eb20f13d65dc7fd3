"""What a vehicle is to have by when: the loadpoint's target, the vehicle's own plan, and what its weekly plans come to next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from evcclib.planning.repeating import RepeatingPlan, next_departure
from evcclib.timetable.plans import VehiclePlan, WeeklyPlan, zone_named
from evcclib.units import TICK

ONE_TIME = 1
"""The number of what comes once; weekly plans are counted on from there, in their order."""


class Due(NamedTuple):
    """A goal with a time. With neither SoC nor energy the goal is the loadpoint's own."""

    time: datetime
    number: int = ONE_TIME
    soc_pct: int | None = None
    energy_kwh: float | None = None


def dues(
    since: datetime, *, target: datetime | None, plan: VehiclePlan | None, weekly: Sequence[WeeklyPlan]
) -> list[Due]:
    """All of them from ``since`` on by time, of each weekly plan the next one."""
    found = [] if target is None or target < since else [Due(target)]
    if plan is not None and plan.time >= since:
        found.append(Due(plan.time, ONE_TIME, plan.soc_pct))
    for number, each in enumerate(weekly, ONE_TIME + 1):
        time = _next_time(each, since - TICK) if each.is_active else None
        if time is not None:
            found.append(Due(time, number, each.soc_pct))
    return sorted(found, key=lambda due: (due.time, due.number))


def _next_time(weekly: WeeklyPlan, after: datetime) -> datetime | None:
    """The first that has been worked out for the hour is still the first, unless it has passed."""
    time = _first_after(weekly, after.replace(minute=0, second=0, microsecond=0))
    return _first_after.__wrapped__(weekly, after) if time is not None and time <= after else time


@lru_cache(maxsize=256)
def _first_after(weekly: WeeklyPlan, after: datetime) -> datetime | None:
    zone = zone_named(weekly.zone)
    if zone is None:
        return None
    weekdays = frozenset((day - 1) % 7 for day in weekly.weekdays)  # owners count from Sunday, the calendar from Monday
    plan = RepeatingPlan(weekdays=weekdays, time=weekly.time, soc_pct=weekly.soc_pct)
    found = next_departure((plan,), after, zone)
    return None if found is None else found.time
