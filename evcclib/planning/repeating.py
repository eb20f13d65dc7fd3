"""Plans that come back: every Monday at seven, by the clock on the owner's wall.

A wall time that a day has twice is its first; one that a day leaves out is as long after the change as it would have been.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import NamedTuple

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatingPlan:
    """``weekdays``: Monday is 0. One of ``soc_pct`` and ``energy_kwh`` is the goal."""

    weekdays: frozenset[int]
    time: time
    soc_pct: float | None = None
    energy_kwh: float | None = None


class Departure(NamedTuple):
    """``time`` in UTC."""

    time: datetime
    plan: RepeatingPlan


def next_departure(plans: Sequence[RepeatingPlan], after: datetime, zone: tzinfo) -> Departure | None:
    """The first after an instant, of several at one time the one that is listed first; None if there is none."""
    found = (
        Departure(_instant(after, day, plan, zone), plan)
        for plan in plans
        for day in range(-1, 8)  # a time that yesterday has left out may be today
        if _weekday(after, day, zone) in plan.weekdays
    )
    return min((each for each in found if each.time > after), key=lambda each: each.time, default=None)


def departures(plans: Sequence[RepeatingPlan], after: datetime, until: datetime, zone: tzinfo) -> Iterator[Departure]:
    """All after an instant and not after another, in order; one for each time."""
    while (found := next_departure(plans, after, zone)) is not None and found.time <= until:
        yield found
        after = found.time


def _weekday(after: datetime, day: int, zone: tzinfo) -> int:
    return (after.astimezone(zone).date() + day * DAY).weekday()


def _instant(after: datetime, day: int, plan: RepeatingPlan, zone: tzinfo) -> datetime:
    date = after.astimezone(zone).date() + day * DAY
    return datetime.combine(date, plan.time, zone).astimezone(UTC)
