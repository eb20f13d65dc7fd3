"""Prices, charges and forecasts become slots."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from power_plans import at, spans

from evcclib.planning.one_car import cheapest_plan
from evcclib.planning.problem import Problem, Slot, Sun
from evcclib.planning.slots import Charges, SunForecast, slots_between
from evcclib.tariff import Rate, Rates


def test_slots_are_cut_wherever_anything_changes() -> None:
    prices = Rates.of([Rate(at(0), at(2), 0.1), Rate(at(3), at(5), 0.2)])
    feed_in = Rates.of([Rate(at(0), at(4), 0.05)])
    sun = (SunForecast(at(0.5), at(1), (Sun(1000),)), SunForecast(at(3.5), at(9), (Sun(2000, 0.5), Sun(0, 0.5))))
    assert slots_between(at(0.75), at(6), prices=prices, feed_in=feed_in, sun=sun) == (
        Slot(at(0.75), at(1), 0.1, 0.05, (Sun(1000),)),
        Slot(at(1), at(2), 0.1, 0.05),
        Slot(at(2), at(3), None, 0.05),
        Slot(at(3), at(3.5), 0.2, 0.05),
        Slot(at(3.5), at(4), 0.2, 0.05, sun[1].suns),
        Slot(at(4), at(5), 0.2, 0.0, sun[1].suns),
        Slot(at(5), at(6), None, 0.0, sun[1].suns),
    )


def test_charges_come_on_top() -> None:
    prices = Rates.of([Rate(at(0), at(1), -0.02)])
    (slot,) = slots_between(at(0), at(1), prices=prices, charges=Charges(per_kwh=0.12, tax_share=0.19))
    assert slot.price == pytest.approx(0.119)


@pytest.mark.parametrize("prices", [None, Rates((Rate(at(0), at(9), 0.1),), is_outdated=True), Rates.of([])])
def test_without_prices_charging_comes_last(prices: Rates | None) -> None:
    slots = slots_between(at(0), at(6), prices=prices)
    plan = cheapest_plan(Problem(slots=slots, need_kwh=12, ranges_w=((6000, 6000),)))
    assert spans(plan) == [(4, 6, 6)]


@given(
    starts=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=12),
    begin=st.floats(0, 10),
    length=st.floats(0.1, 30),
)
def test_all_time_is_there_once(starts: list[tuple[int, int]], begin: float, length: float) -> None:
    prices = Rates.of(Rate(at(start / 2), at((start + lasts) / 2), start / 100) for start, lasts in starts)
    slots = slots_between(at(begin), at(begin + length), prices=prices)
    assert (slots[0].start, slots[-1].end) == (at(begin), at(begin + length))
    Problem(slots=slots, need_kwh=1, ranges_w=((1, 1),))  # which refuses gaps
    for slot in slots:
        middle = slot.start + (slot.end - slot.start) / 2
        rate = prices.at(middle)
        assert slot.price == (None if rate is None else rate.price)
