"""When vehicles are to be charged, as their owners say it: a plan, weekly plans, and how a plan may lie in time.

Plain values. Whoever brings one, the library judges it by the flaws that are found here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, time, timedelta, tzinfo
from typing import NamedTuple

from evcclib.allowed import TIME, TRUTH, Allowed, Table, duration, whole
from evcclib.units import ZERO

WEEKLY_MAX = 20
"""So many weekly plans a vehicle may have."""


class VehiclePlan(NamedTuple):
    """So much by a time, once."""

    soc_pct: int
    time: datetime


class WeeklyPlan(NamedTuple):
    """So much by a time on the owner's clock, on each of ``weekdays``; Sunday is 0. ``zone``: the IANA name of that clock's."""

    weekdays: tuple[int, ...]
    time: time
    zone: str
    soc_pct: int
    is_active: bool = True


class PlanStrategy(NamedTuple):
    """``is_continuous``: charged in one block. ``precondition``: the last so long before the departure, whatever it costs."""

    is_continuous: bool = False
    precondition: timedelta = ZERO


CHEAPEST = PlanStrategy()


class Flaw(NamedTuple):
    """What is wrong with a value, which part of it that is, and what would be allowed there."""

    problem: str
    value: object
    allowed: str


_DAYS = "0..6, where 0 is Sunday"
_SOC = whole(1, 100, "%")
_WEEKDAY = whole(0, 6)
ALLOWED: Table = {
    VehiclePlan: {"soc_pct": _SOC, "time": TIME},
    WeeklyPlan: {
        "weekdays": Allowed(
            f"a tuple of different weekdays, {_DAYS}",
            lambda days: isinstance(days, tuple) and all(map(_WEEKDAY.holds, days)) and len(set(days)) == len(days),
        ),
        "time": Allowed(
            "a time of day in whole minutes, without time zone",
            lambda value: isinstance(value, time) and value == time(value.hour, value.minute),
        ),
        "zone": Allowed("an IANA name such as Europe/Berlin", lambda name: zone_named(name) is not None),
        "soc_pct": _SOC,
        "is_active": TRUTH,
    },
    PlanStrategy: {"is_continuous": TRUTH, "precondition": duration(0, 86_400)},
}
"""What each part may be; see `flaw_of_weekly` for how many."""
_TOLD = {
    "soc_pct": ("soc out of range", "1..100 %"),
    "time": ("invalid time", "HH:MM, 00:00..23:59"),
    "zone": ("unknown time zone", "an IANA name such as Europe/Berlin"),
    "is_active": ("active: invalid value", "true, false"),
    "is_continuous": ("continuous: invalid value", "true, false"),
    "precondition": ("precondition out of range", "0..86400 s"),
}
"""What is wrong, and what would be allowed, as clients are told."""
_ZONE_NAME = re.compile(r"[A-Za-z0-9_+/-]{1,64}")


def zone_named(name: object) -> tzinfo | None:
    """The time zone of an IANA name; None if there is none."""
    if not isinstance(name, str) or not _ZONE_NAME.fullmatch(name):
        return None
    from zoneinfo import ZoneInfo  # the one thing that is read from a disk, and only for who has weekly plans

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # nothing there, or a folder, or something else
        return None


def flaw_of_plan(value: object) -> Flaw | None:
    """Why ``value`` is neither None nor a `VehiclePlan` that may be."""
    return None if value is None else _flaw(value, VehiclePlan, "a VehiclePlan, or None")


def flaw_of_strategy(value: object) -> Flaw | None:
    """Why ``value`` is no `PlanStrategy` that may be."""
    return _flaw(value, PlanStrategy, "a PlanStrategy")


def flaw_of_weekly(value: object) -> Flaw | None:
    """Why ``value`` is no tuple of a few `WeeklyPlan` that may be."""
    if not isinstance(value, tuple):
        return Flaw("invalid value", value, "a tuple of plans")
    if len(value) > WEEKLY_MAX:
        return Flaw("too many plans", len(value), f"0..{WEEKLY_MAX}")
    return next(_flaws_of_each(value), None)


def _flaws_of_each(plans: tuple[object, ...]) -> Iterator[Flaw]:
    for number, plan in enumerate(plans, 1):
        flaw = _flaw(plan, WeeklyPlan, "a plan")
        if flaw is not None:
            yield flaw._replace(problem=f"plan {number}: {flaw.problem}")


def _flaw_of_weekdays(days: object) -> Flaw:
    if not isinstance(days, tuple):
        kind = "tuple" if isinstance(days, list) else "list"  # whose lists are JSON's never comes here with one
        return Flaw("invalid weekdays", days, f"a {kind} of {_DAYS}")
    wrong = next((day for day in days if not _WEEKDAY.holds(day)), None)
    return Flaw("a weekday comes twice", days, _DAYS) if wrong is None else Flaw("weekday out of range", wrong, _DAYS)


def _flaw(value: object, kind: type, words: str) -> Flaw | None:
    if not isinstance(value, kind):
        return Flaw("invalid value", value, words)
    for name, allowed in ALLOWED[kind].items():
        part = getattr(value, name)
        if allowed.holds(part):
            continue
        if name == "weekdays":
            return _flaw_of_weekdays(part)
        problem, told = _TOLD[name]
        return Flaw(problem, part, TIME.words if kind is VehiclePlan and name == "time" else told)
    return None
