"""Plans that come back hit the clock on the wall, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcclib.planning.repeating import RepeatingPlan, departures, next_departure

BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)


def plan(*weekdays: int, at: time, soc_pct: float = 80) -> RepeatingPlan:
    return RepeatingPlan(weekdays=frozenset(weekdays), time=at, soc_pct=soc_pct)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"])
@pytest.mark.parametrize("wall", [time(0), time(1, 30), time(7), time(23, 59)])
def test_two_years_of_departures_hit_the_wall_clock(zone: str, wall: time) -> None:
    there = ZoneInfo(zone)
    every = plan(*range(7), at=wall)
    start = datetime(2026, 1, 1, tzinfo=there).astimezone(UTC) - timedelta(seconds=1)
    until = datetime(2028, 1, 1, tzinfo=there).astimezone(UTC) - timedelta(seconds=1)
    found = [each.time.astimezone(there) for each in departures([every], start, until, there)]
    assert [each.date() for each in found] == [date(2026, 1, 1) + number * DAY for number in range(730)]
    left_out = [each for each in found if each.time() != wall]
    assert all(each.dst() and (each - DAY).dst() != each.dst() for each in left_out)  # a day that has no such time
    assert len(left_out) <= 2


def test_a_wall_time_that_a_day_has_twice_is_its_first() -> None:
    found = next_departure([plan(6, at=time(2, 30))], datetime(2026, 10, 24, 12, tzinfo=UTC), BERLIN)
    assert found is not None
    assert found.time == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    following = next_departure([plan(6, at=time(2, 30))], found.time, BERLIN)
    assert following is not None
    assert following.time == datetime(2026, 11, 1, 1, 30, tzinfo=UTC)


def test_a_wall_time_that_a_day_leaves_out_is_after_the_change() -> None:
    found = next_departure([plan(6, at=time(2, 30))], datetime(2026, 3, 28, 12, tzinfo=UTC), BERLIN)
    assert found is not None
    assert found.time.astimezone(BERLIN).time() == time(3, 30)


def test_today_counts_until_its_time_is_over() -> None:
    monday = plan(0, at=time(7))
    seven = datetime(2026, 1, 5, 7, tzinfo=BERLIN).astimezone(UTC)
    before = next_departure([monday], seven - timedelta(microseconds=1), BERLIN)
    after = next_departure([monday], seven, BERLIN)
    assert before is not None and after is not None
    assert (before.time, after.time - before.time) == (seven, 7 * DAY)


def test_of_several_the_first_comes_and_of_two_at_once_the_one_listed_first() -> None:
    week, weekend = plan(*range(5), at=time(7)), plan(5, 6, at=time(10))
    friday = datetime(2026, 1, 9, 12, tzinfo=UTC)
    found = next_departure([week, weekend], friday, BERLIN)
    assert found is not None and found.plan is weekend
    other = plan(5, at=time(10), soc_pct=100)
    found = next_departure([other, weekend], friday, BERLIN)
    assert found is not None and found.plan is other


def test_no_plan_and_no_weekday_is_no_departure() -> None:
    assert next_departure([], datetime(2026, 1, 1, tzinfo=UTC), BERLIN) is None
    assert next_departure([plan(at=time(7))], datetime(2026, 1, 1, tzinfo=UTC), BERLIN) is None


@given(
    hours=st.floats(0, 24 * 730),
    weekdays=st.sets(st.integers(0, 6), min_size=1),
    wall=st.times(),
)
def test_nothing_is_skipped(hours: float, weekdays: set[int], wall: time) -> None:
    after = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    found = next_departure([plan(*weekdays, at=wall)], after, BERLIN)
    assert found is not None
    assert timedelta(0) < found.time - after <= 7 * DAY + timedelta(hours=1)
    assert found.time.astimezone(BERLIN).weekday() in weekdays
