"""Price lists: order, gaps, overlaps, current prices."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcclib.tariff import CO2_UNIT, Rate, Rates, co2_at, effective_co2, effective_price, price_at

MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hour(start: float, end: float, price: float) -> Rate:
    return Rate(MIDNIGHT + start * HOUR, MIDNIGHT + end * HOUR, price)


@pytest.mark.rule("TAR-1", "U-11")
def test_price_holds_from_its_start_until_before_its_end() -> None:
    rates = Rates.of([hour(0, 1, 0.2), hour(1, 2, 0.3)])
    assert price_at(rates, MIDNIGHT) == 0.2
    assert price_at(rates, MIDNIGHT + HOUR - timedelta(microseconds=1)) == 0.2
    assert price_at(rates, MIDNIGHT + HOUR) == 0.3
    assert price_at(rates, MIDNIGHT + 2 * HOUR) is None
    assert price_at(rates, MIDNIGHT - timedelta(microseconds=1)) is None
    assert rates.unit == "EUR"


@pytest.mark.rule("TAR-1")
def test_gap_in_the_list_has_no_price() -> None:
    rates = Rates.of([hour(0, 1, 0.2), hour(2, 3, 0.3)])
    assert price_at(rates, MIDNIGHT + 1.5 * HOUR) is None
    assert price_at(None, MIDNIGHT) is None


@pytest.mark.rule("DEF-15", "TAR-7")
def test_unsorted_list_is_sorted_on_input() -> None:
    rates = Rates.of([hour(2, 3, 0.3), hour(0, 1, 0.1), hour(1, 2, 0.2)])
    assert [rate.price for rate in rates.rates] == [0.1, 0.2, 0.3]
    assert price_at(rates, MIDNIGHT + 0.5 * HOUR) == 0.1


@pytest.mark.rule("TAR-8")
def test_outdated_list_has_no_price() -> None:
    rates = Rates((hour(0, 1, 0.2),), is_outdated=True)
    assert rates.at(MIDNIGHT) is None
    assert price_at(rates, MIDNIGHT) is None


@pytest.mark.rule("DEF-39")
def test_empty_inverted_and_priceless_rates_are_left_out() -> None:
    rates = Rates.of(
        [hour(1, 1, 0.1), hour(3, 2, 0.1), hour(0, 1, float("nan")), hour(4, 5, float("inf")), hour(5, 6, -0.1)]
    )
    assert rates.rates == (hour(5, 6, -0.1),)


@pytest.mark.rule("DEF-39")
def test_of_overlapping_rates_the_later_start_holds() -> None:
    rates = Rates.of([hour(0, 6, 0.3), hour(2, 3, 0.1), hour(5, 8, 0.2)])
    assert rates.rates == (hour(0, 2, 0.3), hour(2, 3, 0.1), hour(3, 5, 0.3), hour(5, 8, 0.2))


@pytest.mark.rule("DEF-39")
def test_of_two_rates_with_the_same_start_the_one_given_last_holds() -> None:
    assert Rates.of([hour(0, 1, 0.3), hour(0, 1, 0.1)]).rates == (hour(0, 1, 0.1),)


def test_overlap_of_equal_prices_stays_one_slot_where_it_can() -> None:
    rates = Rates.of([hour(0, 4, 0.3), hour(3, 6, 0.1), hour(8, 9, 0.5)])
    assert rates.rates == (hour(0, 3, 0.3), hour(3, 6, 0.1), hour(8, 9, 0.5))


@pytest.mark.rule("DEF-15")
def test_local_times_become_utc_so_that_a_clock_change_counts() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    night = Rate(datetime(2026, 3, 29, 1, tzinfo=berlin), datetime(2026, 3, 29, 4, tzinfo=berlin), 0.2)
    (rate,) = Rates.of([night]).rates
    assert rate.end - rate.start == 2 * HOUR
    assert rate.start.tzinfo is UTC


@given(
    st.lists(
        st.builds(
            lambda start, length, price: hour(start, start + length, price),
            st.integers(0, 20),
            st.integers(0, 6),
            st.integers(-5, 5).map(float),
        ),
        max_size=8,
    )
)
@pytest.mark.rule("DEF-39", "DEF-15")
def test_any_list_becomes_disjoint_and_loses_no_time(given_rates: list[Rate]) -> None:
    rates = Rates.of(given_rates).rates
    assert all(rate.start < rate.end for rate in rates)
    assert all(earlier.end <= later.start for earlier, later in itertools.pairwise(rates))
    for half_hour in range(60):
        time = MIDNIGHT + half_hour * HOUR / 2
        holding = [rate for rate in given_rates if rate.start <= time < rate.end]
        found = Rates.of(given_rates).at(time)
        if not holding:
            assert found is None
            continue
        latest = max(rate.start for rate in holding)
        assert found is not None
        assert found.price == [rate.price for rate in holding if rate.start == latest][-1]


@pytest.mark.rule("TAR-9")
def test_effective_price_mixes_grid_and_feed_in() -> None:
    assert effective_price(0.3, 0.1, 0.25) == pytest.approx(0.25)
    assert effective_price(0.3, None, 0.25) == pytest.approx(0.225)
    assert effective_price(None, 0.1, 0.25) is None


@pytest.mark.rule("TAR-9", "U-11")
def test_co2_comes_from_a_planner_list_in_grams_only() -> None:
    grams = Rates((hour(0, 1, 400.0),), unit=CO2_UNIT)
    assert co2_at(grams, MIDNIGHT) == 400.0
    assert co2_at(Rates.of([hour(0, 1, 0.3)]), MIDNIGHT) is None
    assert co2_at(None, MIDNIGHT) is None
    assert effective_co2(400.0, 0.25) == 300.0
    assert effective_co2(None, 0.25) is None
