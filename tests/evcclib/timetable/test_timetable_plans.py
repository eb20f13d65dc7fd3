"""What plans may be, and what is said of those that may not."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from evcclib.errors import InvalidSetting
from evcclib.settings import SPECS, Scope
from evcclib.timetable.plans import PlanStrategy, VehiclePlan, WeeklyPlan, zone_named

MORNING = datetime(2026, 6, 2, 5, tzinfo=UTC)
WEEKDAYS = WeeklyPlan((1, 2, 3, 4, 5), time(7), "Europe/Berlin", 80)
LOOK_LIKE_NAMES: Any = [
    "Mars/Base",
    "",
    "..",
    "../passwd",
    "Europe",
    "/etc/localtime",
    "x" * 65,
    7,
    None,
    "Europe/Ber lin",
]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("plan", None),
        ("plan", VehiclePlan(1, MORNING)),
        ("plan", VehiclePlan(100, MORNING)),
        ("weekly_plans", ()),
        ("weekly_plans", (WEEKDAYS, WEEKDAYS._replace(weekdays=(), is_active=False))),
        ("weekly_plans", (WEEKDAYS._replace(weekdays=(6, 0), time=time(23, 59), zone="UTC"),)),
        ("plan_strategy", PlanStrategy()),
        ("plan_strategy", PlanStrategy(is_continuous=True, precondition=timedelta(days=1))),
    ],
)
def test_what_may_be_is_taken_as_it_is(name: str, value: Any) -> None:
    assert SPECS[Scope.VEHICLE, name].judged(value) is value


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("plan", 80, "invalid value: 80 (allowed: a VehiclePlan, or None)"),
        ("plan", VehiclePlan(0, MORNING), "soc out of range: 0 (allowed: 1..100 %)"),
        ("plan", VehiclePlan(101, MORNING), "soc out of range: 101 (allowed: 1..100 %)"),
        (
            "plan",
            VehiclePlan(80, MORNING.replace(tzinfo=None)),
            "invalid time: 2026-06-02 05:00:00 (allowed: a datetime with time zone, 1970..2999)",
        ),
        ("weekly_plans", [WEEKDAYS], "invalid value: a list (allowed: a tuple of plans)"),
        ("weekly_plans", (WEEKDAYS, 7), "plan 2: invalid value: 7 (allowed: a plan)"),
        (
            "weekly_plans",
            (WEEKDAYS._replace(weekdays=(1, 7)),),
            "plan 1: weekday out of range: 7 (allowed: 0..6, where 0 is Sunday)",
        ),
        (
            "weekly_plans",
            (WEEKDAYS._replace(weekdays=[1]),),  # type: ignore[arg-type]  # what is refused
            "plan 1: invalid weekdays: a list (allowed: a tuple of 0..6, where 0 is Sunday)",
        ),
        (
            "weekly_plans",
            (WEEKDAYS._replace(weekdays=(1, 1)),),
            "plan 1: a weekday comes twice: (1, 1) (allowed: 0..6, where 0 is Sunday)",
        ),
        (
            "weekly_plans",
            (WEEKDAYS, WEEKDAYS._replace(zone="Mars/Base")),
            "plan 2: unknown time zone: Mars/Base (allowed: an IANA name such as Europe/Berlin)",
        ),
        (
            "weekly_plans",
            (WEEKDAYS._replace(time="25:00"),),  # type: ignore[arg-type]  # what a client has said
            "plan 1: invalid time: 25:00 (allowed: HH:MM, 00:00..23:59)",
        ),
        (
            "weekly_plans",
            (WEEKDAYS._replace(soc_pct=True),),
            "plan 1: soc out of range: True (allowed: 1..100 %)",
        ),
        (
            "weekly_plans",
            (WEEKDAYS,) * 21,
            "too many plans: 21 (allowed: 0..20)",
        ),
        (
            "plan_strategy",
            PlanStrategy(precondition=timedelta(days=1, seconds=1)),
            "precondition out of range: 86401 s (allowed: 0..86400 s)",
        ),
        (
            "plan_strategy",
            PlanStrategy(is_continuous=1),  # type: ignore[arg-type]  # what a client has said
            "continuous: invalid value: 1 (allowed: true, false)",
        ),
    ],
)
def test_what_may_not_be_is_refused_by_the_part_that_is_wrong(name: str, value: Any, sentence: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        SPECS[Scope.VEHICLE, name].judged(value)
    assert str(refused.value) == sentence


@pytest.mark.parametrize("name", LOOK_LIKE_NAMES)
def test_only_names_name_a_zone(name: Any) -> None:
    assert zone_named(name) is None
