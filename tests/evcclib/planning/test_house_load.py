"""What the house will take is learned by the hour of the week."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from evcclib.planning.house_load import HourMean, expected_w, learned, usual_w

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def lived(days: int, *, evening_w: float = 2000.0, first: datetime = MONDAY) -> tuple[HourMean, ...]:
    """Minute by minute: 300 W, and more from seven to nine in the evening; at weekends never."""
    load: tuple[HourMean, ...] = ()
    for number in range(days * 24 * 60):
        at = first + number * MINUTE
        is_evening = at.hour in (19, 20) and at.weekday() < 5
        load = learned(load, evening_w if is_evening else 300.0, lasted=MINUTE, at=at)
    return load


def test_an_hour_of_the_week_has_a_mean_of_its_own() -> None:
    load = lived(7)
    week = MONDAY + 7 * DAY
    assert usual_w(load, week + 19.5 * HOUR) == pytest.approx(2000.0)
    assert usual_w(load, week + 12 * HOUR) == pytest.approx(300.0)
    assert usual_w(load, week + 5 * DAY + 19.5 * HOUR) == pytest.approx(300.0)


def test_what_was_long_ago_is_forgotten() -> None:
    load = lived(28, evening_w=2000.0)
    for week in range(8):
        for minute in range(60):
            at = MONDAY + (week + 4) * 7 * DAY + 19 * HOUR + minute * MINUTE
            load = learned(load, 400.0, lasted=MINUTE, at=at)
    usual = usual_w(load, MONDAY + 19 * HOUR)
    assert usual is not None and 400.0 < usual < 700.0
    assert usual_w(load, MONDAY + 20 * HOUR) == pytest.approx(2000.0)


def test_an_hour_that_has_not_been_seen_is_told_by_those_of_other_days() -> None:
    load = lived(2)
    assert usual_w(load, MONDAY + 3 * DAY + 20 * HOUR) == pytest.approx(2000.0)
    assert usual_w(lived(0), MONDAY) is None
    assert usual_w(learned((), 500.0, lasted=MINUTE, at=MONDAY), MONDAY) is None


def test_what_is_taken_now_beyond_what_is_usual_fades() -> None:
    load, now = lived(7), MONDAY + 7 * DAY + 10 * HOUR
    later = [expected_w(load, 1300.0, now=now, at=now + hours * HOUR) for hours in (0, 1, 5, 9)]
    assert later == pytest.approx([1300.0, 300.0 + 367.9, 306.7, 2000.1], abs=0.1)
    assert expected_w(load, 0.0, now=now + 10 * HOUR, at=now + 11 * HOUR) == 0.0  # never less than nothing
    assert expected_w((), 700.0, now=now, at=now + HOUR) == 700.0


def test_a_sample_after_a_gap_speaks_for_five_minutes() -> None:
    load = learned((), 900.0, lasted=8 * HOUR, at=MONDAY)
    assert load[0] == HourMean(900.0, 5 * MINUTE)
    assert learned(load, 100.0, lasted=timedelta(0), at=MONDAY) is load
