"""What the house is expected to take: what it has taken at this hour of the week, and for a while what it takes now.

Each hour of the week has a mean of its own that forgets: it weighs no more than `MEMORY` of that hour, about the last month. An
hour that has hardly been seen yet is told by the same hour of the other days, and that one by what the house takes now.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import NamedTuple

from evcclib.units import HOUR, ZERO

HOURS = 168
MEMORY = timedelta(hours=4)
"""An hour of the week is no older in its mean than so much of it."""
SEEN = timedelta(minutes=30)
"""An hour that has been seen for less tells nothing by itself."""
GAP = timedelta(minutes=5)
"""A sample speaks for no more than so much time before it."""
FADES = HOUR
"""What the house takes now beyond what it usually does fades with this time constant."""


class HourMean(NamedTuple):
    """What an hour of the week takes [W], and for how long that has been seen."""

    power_w: float = 0.0
    seen: timedelta = ZERO


def learned(load: tuple[HourMean, ...], power_w: float, *, lasted: timedelta, at: datetime) -> tuple[HourMean, ...]:
    """``load`` after ``power_w`` has ``lasted`` until ``at``, local time; ``load`` has all hours, or none."""
    lasted = min(lasted, GAP)
    if lasted <= ZERO:
        return load
    hours = list(load) or [HourMean()] * HOURS
    hour = _hour(at)
    before, seen = hours[hour]
    seen = min(seen + lasted, MEMORY)
    hours[hour] = HourMean(before + (power_w - before) * (lasted / seen), seen)
    return tuple(hours)


def usual_w(load: tuple[HourMean, ...], at: datetime) -> float | None:
    """What the house usually takes at a local time; None: nobody knows."""
    if not load:
        return None
    hour = _hour(at)
    if load[hour].seen >= SEEN:
        return load[hour].power_w
    days = [each for each in load[hour % 24 :: 24] if each.seen >= SEEN]
    return sum(each.power_w for each in days) / len(days) if days else None


def expected_w(load: tuple[HourMean, ...], present_w: float, *, now: datetime, at: datetime) -> float:
    """What it is expected to take at ``at``, where it takes ``present_w`` now; local times."""
    usual = usual_w(load, at)
    if usual is None:
        return present_w
    today = usual_w(load, now)
    beyond_w = present_w - (usual if today is None else today)
    return max(0.0, usual + beyond_w * math.exp(min(0.0, (now - at) / FADES)))


def _hour(at: datetime) -> int:
    return at.weekday() * 24 + at.hour
