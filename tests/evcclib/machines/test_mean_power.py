"""What was bought in a window of the clock, and what is left of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcclib.machines.limits.mean_power import Bought, Terms, count, left_w
from evcclib.readings import Measured
from evcclib.units import Instant

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
QUARTER = Terms(4000.0, timedelta(minutes=15), UTC)
OLD = timedelta(seconds=30)


def at(second: float) -> Instant:
    """On a clock that counts from noon."""
    return Instant(timedelta(seconds=second))


def counted(before: Bought | None, second: float, power_w: float | None, terms: Terms = QUARTER) -> Bought:
    sample = None if power_w is None else Measured(power_w, at(second))
    return count(before, sample, terms, age_max=OLD, instant=at(second), utc=NOON + timedelta(seconds=second))


def left(bought: Bought, second: float, terms: Terms = QUARTER, *, calmly: bool = True) -> float:
    return left_w(bought, terms, instant=at(second), utc=NOON + timedelta(seconds=second), calmly=calmly)


@pytest.mark.rule("CIR-2")
def test_windows_begin_on_the_clock_of_the_house() -> None:
    late = NOON + timedelta(minutes=44, seconds=59)
    assert QUARTER.begins(late) == NOON + timedelta(minutes=30)
    assert QUARTER.ends(late) == NOON + timedelta(minutes=45)
    hour = Terms(4000.0, timedelta(minutes=60), ZoneInfo("Asia/Kolkata"))  # 5:30 h before UTC
    assert hour.begins(late) == NOON + timedelta(minutes=30)
    berlin = Terms(4000.0, timedelta(minutes=60), ZoneInfo("Europe/Berlin"))
    assert berlin.begins(datetime(2026, 10, 25, 1, 10, tzinfo=UTC)) == datetime(2026, 10, 25, 1, tzinfo=UTC)


@pytest.mark.rule("CIR-2")
def test_what_flowed_between_two_samples_is_the_more_that_either_shows_and_what_is_sold_is_nothing() -> None:
    bought = counted(None, 0, 3600.0)
    for second, power_w, expected_wh in (
        (10, 3600.0, 10.0),
        (20, 7200.0, 30.0),
        (30, 1800.0, 50.0),
        (40, -9000.0, 55.0),
    ):
        bought = counted(bought, second, power_w)
        assert bought.bought_wh == pytest.approx(expected_wh)
    assert counted(bought, 50, -9000.0).bought_wh == pytest.approx(55.0)
    assert counted(bought, 50, None) == bought


@pytest.mark.rule("CIR-2", "DEF-47")
def test_what_nobody_has_seen_was_the_limit_at_least() -> None:
    begun_late = counted(None, 360, 0.0)
    assert begun_late.bought_wh == pytest.approx(400.0)
    assert counted(counted(None, 0, 0.0), 36, 0.0).bought_wh == pytest.approx(40.0)  # silent for more than 30 s
    assert counted(counted(None, 0, 0.0), 30, 0.0).bought_wh == 0.0
    assert counted(counted(None, 0, 8000.0), 36, 0.0).bought_wh == pytest.approx(80.0)


@pytest.mark.rule("CIR-2")
def test_window_begins_with_nothing_and_counts_what_reaches_into_it() -> None:
    bought = counted(counted(None, 0, 0.0), 10, 0.0)
    bought = counted(bought._replace(at=at(895), power_w=3600.0), 905, 3600.0)
    assert bought._replace(bought_wh=0.0) == Bought(NOON + timedelta(minutes=15), 0.0, 3600.0, at(905))
    assert bought.bought_wh == pytest.approx(5.0)
    early = counted(bought, 905, None)
    assert early == bought
    set_back = count(bought, None, QUARTER, age_max=OLD, instant=at(910), utc=NOON + timedelta(seconds=190))
    assert set_back.bought_wh == pytest.approx(4000.0 * 185 / 3600)  # it may have been the limit all the time


@pytest.mark.rule("CIR-2")
def test_rest_of_the_window_gets_what_is_left_of_it_calmly() -> None:
    level = Bought(NOON, 0.97 * 4000 / 12, 3880.0, at(300))
    assert left(level, 300) == pytest.approx(3880.0)  # all the time: a little is kept for the end
    saved = Bought(NOON, 0.0, 0.0, at(300))
    assert left(saved, 300) == pytest.approx(3880.0 + 3880.0 / 2)  # five minutes of it for ten
    assert left(saved._replace(at=at(840)), 840) == pytest.approx(3880.0 + 3880.0 * 14 / 5)  # not all of it in a minute
    over = Bought(NOON, 900.0, 0.0, at(600))
    assert left(over, 600) == pytest.approx(970 * 12 - 900 * 12)  # 70 Wh for five minutes
    assert left(over._replace(bought_wh=1200.0), 600) == 0.0
    assert left(level, 300, calmly=False) == pytest.approx((1000 - 3880 / 12) * 6)  # all of it
    assert left(saved._replace(at=at(840)), 840, calmly=False) == pytest.approx(60_000.0)


@pytest.mark.rule("CIR-2")
def test_what_is_kept_back_is_there_for_the_end() -> None:
    over = Bought(NOON, 930.0, 0.0, at(840))
    assert left(over, 840) == pytest.approx(
        3880.0 - (930.0 - 0.97 * 4000 * 14 / 60) * 12
    )  # not yet all, but what is kept
    assert left(Bought(NOON, 995.0, 0.0, at(890)), 890) == pytest.approx(5.0 * 360)  # but never more than there is


@pytest.mark.rule("CIR-2")
def test_power_goes_on_since_the_last_sample() -> None:
    assert left(Bought(NOON, 0.0, 7760.0, at(0)), 300) == pytest.approx(3880.0 - 3880.0 / 2)


@pytest.mark.rule("CIR-2")
@given(
    house=st.lists(st.floats(-3000, 3500), min_size=90, max_size=90),
    limit_w=st.sampled_from([4000.0, 6000.0]),
    most_w=st.sampled_from([3680.0, 11_000.0, 22_000.0]),
)
def test_mean_holds_however_the_house_goes_below_the_limit_and_whoever_takes_all_that_is_left(
    house: list[float], limit_w: float, most_w: float
) -> None:
    """A car that follows only at the next sample takes all that the house leaves of what may be bought."""
    terms, bought, true_wh, car_w = QUARTER._replace(limit_w=limit_w), None, 0.0, 0.0
    for tenth, house_w in enumerate(house):
        bought = counted(bought, tenth * 10.0, house_w + car_w, terms)
        car_w = min(max(left(bought, tenth * 10.0, terms) - house_w, 0.0), most_w)
        true_wh += max(house_w + car_w, 0.0) / 360
    assert true_wh <= limit_w / 4 + 1e-6
