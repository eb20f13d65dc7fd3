"""What is due when: the target, the plan, and what weekly plans come to next."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from evcclib.planning.dues import Due, dues
from evcclib.timetable.plans import VehiclePlan, WeeklyPlan

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WEEKDAYS = WeeklyPlan((1, 2, 3, 4, 5), time(7), "Europe/Berlin", 30)
SUNDAY = WeeklyPlan((0,), time(10), "Europe/Berlin", 90)


@pytest.mark.rule("PLAN-32", "PLAN-34")
def test_all_that_is_due_comes_by_time_with_the_number_that_clients_know() -> None:
    plan = VehiclePlan(60, MONDAY + HOUR)
    found = dues(MONDAY, target=MONDAY + 30 * HOUR, plan=plan, weekly=(SUNDAY, WEEKDAYS))
    assert found == [
        Due(MONDAY + HOUR, 1, 60),
        Due(datetime(2026, 6, 2, 5, tzinfo=UTC), 3, 30),
        Due(MONDAY + 30 * HOUR),
        Due(datetime(2026, 6, 7, 8, tzinfo=UTC), 2, 90),
    ]


@pytest.mark.rule("PLAN-34")
def test_what_is_over_or_not_active_is_not_due_and_what_is_due_now_is() -> None:
    assert dues(MONDAY, target=MONDAY - HOUR, plan=VehiclePlan(60, MONDAY - HOUR), weekly=()) == []
    assert dues(MONDAY, target=None, plan=None, weekly=(SUNDAY._replace(is_active=False),)) == []
    assert dues(MONDAY, target=None, plan=None, weekly=(SUNDAY._replace(weekdays=()),)) == []
    seven = datetime(2026, 6, 2, 5, tzinfo=UTC)
    for since, due in ((seven, seven), (seven + timedelta(microseconds=1), seven + timedelta(days=1))):
        assert dues(since, target=seven - HOUR, plan=None, weekly=(WEEKDAYS,)) == [Due(due, 2, 30)]


@pytest.mark.rule("PLAN-34")
def test_each_weekly_plan_goes_by_its_own_clock_also_over_the_change_of_the_clocks() -> None:
    """Asked every twenty minutes for two years: always the wall time, and never one that is over."""
    nightly = WeeklyPlan(tuple(range(7)), time(2, 30), "Europe/Berlin", 50)
    tokyo = nightly._replace(zone="Asia/Tokyo")
    now, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    walls: dict[str, set[time]] = {"Europe/Berlin": set(), "Asia/Tokyo": set()}
    while now < end:
        first, second = dues(now, target=None, plan=None, weekly=(nightly, tokyo))
        for due in (first, second):
            zone = ("Europe/Berlin", "Asia/Tokyo")[due.number - 2]
            walls[zone].add(due.time.astimezone(ZoneInfo(zone)).time())
            assert now <= due.time <= now + timedelta(hours=25)
        now += timedelta(minutes=20)
    assert walls == {"Europe/Berlin": {time(2, 30), time(3, 30)}, "Asia/Tokyo": {time(2, 30)}}
    left_out = datetime(2026, 3, 29, 3, 30, tzinfo=BERLIN)
    assert dues(left_out - HOUR, target=None, plan=None, weekly=(nightly,))[0].time == left_out
