"""A plan in force, and the last part right before a departure."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from power_plans import HOUR, at, hourly, spans

from evcclib.planning.goals import need_kwh
from evcclib.planning.keeping import plan_with
from evcclib.planning.one_car import cheapest_plan
from evcclib.planning.power_plan import EMPTY, PowerPlan, charged_kwh
from evcclib.planning.precondition import preconditioned
from evcclib.planning.problem import Problem, Slot

RANGES_W = ((6000.0, 6000.0),)


def problem(*prices: float, need_kwh: float = 6, **more: object) -> Problem:
    return Problem(slots=hourly(*prices), need_kwh=need_kwh, ranges_w=RANGES_W, **more)  # type: ignore[arg-type]


def test_another_plan_must_be_worth_the_change() -> None:
    early = cheapest_plan(problem(0.20, 0.25))
    assert spans(plan_with(problem(0.20, 0.199), early, worth=0.01)) == [(0, 1, 6)]
    assert spans(plan_with(problem(0.20, 0.198), early, worth=0.01)) == [(1, 2, 6)]
    assert spans(plan_with(problem(0.20, 0.199), EMPTY, worth=0.01)) == [(1, 2, 6)]


def test_a_plan_in_force_that_does_not_suffice_is_given_up() -> None:
    early = cheapest_plan(problem(0.20, 0.25))
    assert spans(plan_with(problem(0.20, 0.25, need_kwh=7), early, worth=0.5)) == [(0, pytest.approx(7 / 6), 6)]


def test_it_follows_a_need_that_changes_a_little() -> None:
    late = cheapest_plan(problem(0.25, 0.20, 0.25, need_kwh=7))
    assert spans(plan_with(problem(0.25, 0.20, 0.25, need_kwh=6.5), late, worth=0.01)) == [
        (1, pytest.approx(2 + 1 / 12), 6)
    ]
    assert spans(plan_with(problem(0.25, 0.20, 0.25, need_kwh=7.5), late, worth=0.01)) == [(1, 2.25, 6)]


def test_a_goal_that_is_reached_has_an_empty_plan() -> None:
    early = cheapest_plan(problem(0.20, 0.25))
    assert plan_with(problem(0.20, 0.25, need_kwh=0), early, worth=0.5) == EMPTY


@given(
    cents=st.lists(st.integers(5, 40), min_size=6, max_size=14),
    need=st.floats(3, 30),
    start_cost=st.sampled_from([0.0, 0.02, 0.1]),
    seed=st.integers(0, 1000),
)
def test_plan_that_is_carried_out_while_prices_tremble_neither_flips_nor_stutters(
    cents: list[int], need: float, start_cost: float, seed: int
) -> None:
    """Ten minutes at a time, with prices that change by a little at each look."""
    rng, worth = random.Random(seed), 0.05
    need = min(need, 6 * len(cents) - 0.5)
    first = cheapest_plan(problem(*(price / 100 for price in cents), need_kwh=need, start_cost=start_cost))
    plan, left, now, is_on, starts = first, need, at(0), False, 0
    while left > 1e-6 and now < at(len(cents)):
        trembling = [price / 100 + rng.uniform(-1, 1) * 0.4 * worth / need for price in cents]
        slots = tuple(slot._replace(start=max(slot.start, now)) for slot in hourly(*trembling) if slot.end > now)
        looked = Problem(slots=slots, need_kwh=left, ranges_w=RANGES_W, start_cost=start_cost, is_charging=is_on)
        plan = plan_with(looked, plan, worth=worth)
        until = now + HOUR / 6
        inside = [piece for piece in plan.pieces if piece.start < until]
        done = PowerPlan(pieces=tuple(piece._replace(end=min(piece.end, until)) for piece in inside))
        starts += done.runs() - (is_on and done.start == now)
        left -= charged_kwh(done, until)
        is_on = bool(inside) and inside[-1].end >= until
        now = until
    assert left <= 1e-3
    assert starts <= first.runs()


def test_need_of_a_state_of_charge() -> None:
    assert need_kwh(from_soc_pct=40, to_soc_pct=80, capacity_kwh=45, efficiency=0.9) == pytest.approx(20)
    assert need_kwh(from_soc_pct=81, to_soc_pct=80, capacity_kwh=45, efficiency=0.9) == 0


# precondition


def test_last_minutes_are_charged_in_whatever_they_cost() -> None:
    warm = preconditioned(problem(0.1, 0.3, 0.9, need_kwh=9), timedelta(minutes=30))
    assert spans(cheapest_plan(warm)) == [(0, 1, 6), (2.5, 3, 6)]
    assert spans(cheapest_plan(replace(warm, start_cost=10.0))) == [(1.5, 3, 6)]


@pytest.mark.parametrize("lasts", [timedelta(minutes=90), timedelta(hours=3), timedelta(days=999)])
def test_all_at_the_last_moment(lasts: timedelta) -> None:
    plan = cheapest_plan(preconditioned(problem(0.1, 0.3, 0.9, need_kwh=9), lasts))
    assert spans(plan) == [(1.5, 3, 6)]


def test_no_precondition_is_no_change() -> None:
    cold = problem(0.1, 0.3, 0.9, need_kwh=9)
    assert preconditioned(cold, timedelta(0)) == cold


@given(
    cents=st.lists(st.integers(0, 40), min_size=1, max_size=12),
    need=st.floats(0.1, 80),
    minutes=st.integers(0, 2000),
    cap_w=st.sampled_from([7000.0, 6000.0, 100.0]),
)
def test_a_plan_is_as_long_as_it_must_be_for_every_precondition(
    cents: list[int], need: float, minutes: int, cap_w: float
) -> None:
    prices = hourly(*(price / 100 for price in cents))
    slots = (*prices[:-1], Slot(prices[-1].start, prices[-1].end, prices[-1].price, cap_w=cap_w))
    cold = Problem(slots=slots, need_kwh=need, ranges_w=RANGES_W)
    plan, warm = cheapest_plan(cold), cheapest_plan(preconditioned(cold, timedelta(minutes=minutes)))
    assert warm.is_met == plan.is_met
    assert warm.energy_kwh == pytest.approx(plan.energy_kwh, abs=1e-6)
    assert warm.cost >= plan.cost - 1e-9
