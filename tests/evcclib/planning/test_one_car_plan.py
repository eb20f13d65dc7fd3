"""The cheapest plan for one car: against an oracle that tries everything, and by hand."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from power_plans import HIGH_W, HOUR, LOW_W, UNIT_KWH, at, bill, hourly, least_cost, problems, slots, spans

from evcclib.errors import InvalidReadings
from evcclib.planning.one_car import cheapest_plan
from evcclib.planning.planner import plan as classic_plan
from evcclib.planning.power_plan import EMPTY, Shortfall, is_proof
from evcclib.planning.problem import Problem, Slot, Sun
from evcclib.tariff import Rate, Rates

ONE_RANGE = ((LOW_W, HIGH_W),)
FULL = ((HIGH_W, HIGH_W),)


@given(problem=problems())
@settings(max_examples=150)
def test_no_plan_is_cheaper_and_the_bill_is_right(problem: Problem) -> None:
    plan = cheapest_plan(problem)
    least = least_cost(problem)
    if plan.shortfall is not None:
        assert least == math.inf
        assert is_proof(plan.shortfall, problem)
        assert plan.energy_kwh == pytest.approx(plan.shortfall.available_kwh)
        return
    assert plan.cost == pytest.approx(least, abs=1e-7)
    assert plan.bound <= plan.cost + 1e-12
    assert plan.bound <= least + 1e-7
    assert bill(problem, plan.pieces) <= plan.cost + 1e-7
    assert plan.energy_kwh == pytest.approx(problem.need_kwh)


@given(problem=problems())
def test_every_power_is_one_that_the_charger_can_give(problem: Problem) -> None:
    before = None
    for piece in cheapest_plan(problem).pieces:
        assert any(low - 1e-6 <= piece.power_w <= high + 1e-6 for low, high in problem.ranges_w)
        assert before is None or before <= piece.start < piece.end
        before = piece.end
        for slot in problem.slots:
            if piece.start < slot.end and slot.start < piece.end:
                assert piece.power_w <= slot.cap_w


@given(problem=problems())
def test_one_block_is_one_run(problem: Problem) -> None:
    assert cheapest_plan(replace(problem, is_one_block=True)).runs() <= 1


@given(
    cents=st.lists(st.integers(-5, 30), min_size=1, max_size=30),
    need=st.floats(0.1, 100),
    start_cost=st.sampled_from([0.0, 0.02, 0.2]),
)
def test_never_dearer_than_the_cheapest_slots(cents: list[int], need: float, start_cost: float) -> None:
    problem = Problem(
        slots=hourly(*(price / 100 for price in cents)), need_kwh=need, ranges_w=ONE_RANGE, start_cost=start_cost
    )
    rates = Rates.of(Rate(slot.start, slot.end, slot.price or 0.0) for slot in problem.slots)
    plan = cheapest_plan(problem)
    old = classic_plan(rates, need * 1000 / HIGH_W * HOUR, problem.slots[-1].end, problem.slots[0].start)
    assert plan.is_met == old.is_met
    starts = len(old.slots) - sum(a.end == b.start for a, b in zip(old.slots, old.slots[1:], strict=False))
    money = sum(slot.price * ((slot.end - slot.start) / HOUR) for slot in old.slots) * HIGH_W / 1000
    assert plan.cost <= money + start_cost * starts + 1e-6
    if start_cost == 0:
        assert plan.cost == pytest.approx(money, abs=1e-6)


def problem_of(slots: tuple[Slot, ...], need_kwh: float, **more: object) -> Problem:
    return Problem(slots=slots, need_kwh=need_kwh, **{"ranges_w": ONE_RANGE, **more})  # type: ignore[arg-type]


def test_of_equal_prices_the_latest_wins() -> None:
    assert spans(cheapest_plan(problem_of(hourly(0.3, 0.3, 0.3), 9))) == [(1.5, 3, 6)]
    assert spans(cheapest_plan(problem_of(hourly(0.3, 0.2, 0.3, 0.2, 0.3), 6))) == [(3, 4, 6)]
    assert spans(cheapest_plan(problem_of(hourly(0.3, 0.3, 0.3), 9, start_cost=0.1))) == [(1.5, 3, 6)]
    assert spans(cheapest_plan(problem_of(hourly(0.3, 0.3, 0.3), 9, is_one_block=True))) == [(1.5, 3, 6)]


def test_prices_are_told_apart_by_a_millionth() -> None:
    assert spans(cheapest_plan(problem_of(hourly(0.3, 0.300001), 6))) == [(0, 1, 6)]
    assert spans(cheapest_plan(problem_of(hourly(0.3, 0.3000004), 6))) == [(1, 2, 6)]


def test_costs_are_exact() -> None:
    plan = cheapest_plan(problem_of(hourly(0.1, 0.2, 0.3), 9))
    assert plan.cost == plan.bound == 1.2


def test_a_start_that_costs_more_than_it_saves_is_not_made() -> None:
    slots = hourly(0.20, 0.23, 0.20)
    assert cheapest_plan(problem_of(slots, 12, ranges_w=FULL, start_cost=0.17)).runs() == 2
    assert cheapest_plan(problem_of(slots, 12, ranges_w=FULL, start_cost=0.19)).runs() == 1


def test_least_power_bridges_a_dear_slot() -> None:
    plan = cheapest_plan(problem_of(hourly(0.20, 0.23, 0.20), 12, start_cost=0.07))
    assert spans(plan) == [(pytest.approx(1 / 3), 1, 6), (1, 2, 2), (2, 3, 6)]
    assert plan.cost == pytest.approx(10 * 0.20 + 2 * 0.23 + 0.07)


def test_who_charges_already_goes_on() -> None:
    slots = hourly(0.21, 0.2)
    assert spans(cheapest_plan(problem_of(slots, 6, start_cost=0.1))) == [(1, 2, 6)]
    assert spans(cheapest_plan(problem_of(slots, 6, ranges_w=FULL, start_cost=0.1, is_charging=True))) == [(0, 1, 6)]


def test_slowly_and_longer_where_the_sun_is_limited() -> None:
    slots = hourly(0.3, 0.3, 0.3, feed_in=0.08, sun=(Sun(3000),))
    plan = cheapest_plan(problem_of(slots, 9))
    assert spans(plan) == [(0, 3, 3)]
    assert plan.cost == pytest.approx(9 * 0.08)


def test_what_the_sun_does_not_give_is_bought_in_the_cheapest_slot() -> None:
    slots = hourly(0.3, 0.25, 0.3, feed_in=0.08, sun=(Sun(3000),))
    assert spans(cheapest_plan(problem_of(slots, 11))) == [(0, 1, 3), (1, 2, 5), (2, 3, 3)]


def test_what_could_not_be_sold_costs_nothing() -> None:
    sunny = Slot(at(0), at(1), 0.3, 0.08, (Sun(6000),), sell_max_w=2000)
    plan = cheapest_plan(problem_of((sunny,), 6))
    assert plan.cost == pytest.approx(2 * 0.08)
    assert spans(cheapest_plan(problem_of((sunny, Slot(at(1), at(2), 0.05)), 7))) == [(0, 1, 4), (1, 1.5, 6)]


def test_likely_sun_counts_as_likely_as_it_is() -> None:
    """6 kWh of own sun with a chance of three in four, or 6 kWh for 0.14."""
    sunny = Slot(at(0), at(1), 0.3, 0.08, (Sun(6000, 0.75), Sun(0.0, 0.25)))
    for price, hour in ((0.134, 1), (0.136, 0)):
        assert spans(cheapest_plan(problem_of((sunny, Slot(at(1), at(2), price)), 6))) == [(hour, hour + 1, 6)]


def test_where_buying_pays_sun_is_sold() -> None:
    """At a negative price all power in a short time is better than the sun's own power for longer."""
    slots = hourly(-0.05, -0.05, feed_in=0.08, sun=(Sun(3000),))
    assert spans(cheapest_plan(problem_of(slots, 6))) == [(1, 2, 6)]


def test_caps_hold_and_what_is_below_the_minimum_is_nothing() -> None:
    slots = (*hourly(0.1, cap_w=3000), Slot(at(1), at(2), 0.1, cap_w=1999), Slot(at(2), at(3), 0.3))
    assert spans(cheapest_plan(problem_of(slots, 5))) == [(0, 1, 3), (pytest.approx(2 + 2 / 3), 3, 6)]


def test_what_has_no_price_is_the_last_resort() -> None:
    slots = hourly(None, 0.9, None, math.nan)
    assert spans(cheapest_plan(problem_of(slots, 6))) == [(1, 2, 6)]
    plan = cheapest_plan(problem_of(slots, 9))
    assert spans(plan) == [(1, 2, 6), (3.5, 4, 6)]
    assert (plan.unpriced_kwh, plan.cost) == (3, pytest.approx(5.4))
    assert spans(cheapest_plan(problem_of(hourly(None, None), 3))) == [(1.5, 2, 6)]
    block = cheapest_plan(problem_of(hourly(0.9, 0.2, None), 9, is_one_block=True))
    assert spans(block) == [(0.5, 2, 6)]
    block = cheapest_plan(problem_of(hourly(None, 0.9, None), 9, is_one_block=True))
    assert (spans(block), block.cost) == ([(1, 2.5, 6)], pytest.approx(5.4))


def test_forced_slots_are_full() -> None:
    slots = (*hourly(0.1, 0.2), Slot(at(2), at(3), 0.9, is_forced=True))
    for more in ({}, {"start_cost": 0.01}):
        assert spans(cheapest_plan(problem_of(slots, 9, **more))) == [(0.5, 1, 6), (2, 3, 6)]
    assert spans(cheapest_plan(problem_of(slots, 9, ranges_w=FULL, is_one_block=True))) == [(1.5, 3, 6)]


def test_nothing_needed_is_an_empty_plan() -> None:
    assert cheapest_plan(problem_of(hourly(0.1), 0)) is EMPTY


def test_what_cannot_be_is_proven_and_says_what_would_help() -> None:
    slots = hourly(0.1, 0.1, cap_w=4000)
    plan = cheapest_plan(problem_of(slots, 11))
    assert plan.shortfall == Shortfall(need_kwh=11, available_kwh=8, later=HOUR / 2, lifted_kwh=4)
    assert plan.shortfall.short_kwh == 3
    assert spans(plan) == [(0, 2, 4)]
    assert is_proof(plan.shortfall, problem_of(slots, 11))
    assert not is_proof(plan.shortfall, problem_of(hourly(0.1, 0.1), 11))
    assert not is_proof(replace(plan.shortfall, available_kwh=7), problem_of(slots, 11))
    assert not is_proof(replace(plan.shortfall, need_kwh=8), problem_of(slots, 8))


def test_no_usable_slot_is_an_empty_plan_that_does_not_hold() -> None:
    for unusable in ((), hourly(0.1, cap_w=100)):
        plan = cheapest_plan(problem_of(unusable, 1))
        assert (plan.pieces, plan.is_met) == ((), False)


@pytest.mark.parametrize(
    "change",
    [
        {"need_kwh": math.nan},
        {"need_kwh": -1},
        {"start_cost": math.inf},
        {"ranges_w": ()},
        {"ranges_w": ((3, 2),)},
        {"ranges_w": ((0, 0),)},
        {"slots": (Slot(at(0), at(0), 0.1),)},
        {"slots": (Slot(at(0), at(1), 0.1), Slot(at(2), at(3), 0.1))},
        {"slots": (Slot(at(0), at(1), 0.1, math.nan),)},
        {"slots": (Slot(at(0), at(1), 0.1, 0.0, (Sun(math.nan),)),)},
        {"slots": (Slot(at(0), at(1), 0.1, cap_w=math.nan),)},
        {"slots": (Slot(at(0), at(1), 0.1, sell_max_w=math.nan),)},
    ],
)
def test_what_is_no_problem_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InvalidReadings, match="Problem"):
        problem_of(**{"slots": hourly(0.1), "need_kwh": 1, **change})  # type: ignore[arg-type]


@given(slot=slots(), seconds=st.integers(1, 5000))
def test_slots_may_have_any_length(slot: Slot, seconds: int) -> None:
    lasts = timedelta(seconds=seconds)
    cut = problem_of((slot._replace(end=at(0) + lasts), slot._replace(start=at(0) + lasts, end=at(2))), UNIT_KWH)
    assert cheapest_plan(cut).cost == pytest.approx(
        cheapest_plan(problem_of((slot._replace(end=at(2)),), UNIT_KWH)).cost, abs=1e-5
    )


@pytest.mark.parametrize("seed", range(3))
def test_two_days_of_quarter_hours_are_near_the_bound(seed: int) -> None:
    rng = random.Random(seed)
    slots = tuple(
        Slot(
            at(number / 4),
            at((number + 1) / 4),
            round(0.25 + 0.06 * math.sin(number / 15) + rng.gauss(0, 0.02), 4),
            0.08,
            (Sun(max(0.0, 5000 * math.sin(number / 96 * math.tau) + rng.gauss(0, 300))),),
        )
        for number in range(192)
    )
    plan = cheapest_plan(problem_of(slots, 25, ranges_w=((1380, 3680), (4140, 11040)), start_cost=0.05))
    assert plan.is_met
    assert plan.cost - plan.bound <= 0.005 * plan.cost
