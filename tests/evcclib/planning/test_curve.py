"""A car that takes less the fuller it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from power_plans import at, bill, hourly, spans

from evcclib.planning.curve import Step, curve_at_socket, last_kwh, plan_within, required_hours
from evcclib.planning.one_car import cheapest_plan
from evcclib.planning.power_plan import PowerPlan
from evcclib.planning.problem import Problem

RANGES_W = ((1000.0, 6000.0),)


def problem(*prices: float, need_kwh: float, start_cost: float = 0.0) -> Problem:
    return Problem(slots=hourly(*prices), need_kwh=need_kwh, ranges_w=RANGES_W, start_cost=start_cost)


def follows(plan: PowerPlan, curve: tuple[Step, ...]) -> bool:
    """Whether a car can: minute by minute, as much as it takes of what it is offered in whole hours."""
    charged = 0.0
    for hour in range(24):
        offered = sum(
            piece.power_w / 1000 * max(0.0, (min(piece.end, at(hour + 1)) - max(piece.start, at(hour))).total_seconds())
            for piece in plan.pieces
        )
        wanted, taken = offered / 3600, 0.0
        for _second in range(360):
            limit_w = min((step.most_w for step in curve if charged + taken >= step.charged_kwh), default=6000.0)
            taken = min(wanted, taken + min(6000.0, limit_w) / 1000 / 360)
        if wanted - taken > 0.02:
            return False
        charged += taken
    return True


def test_curve_of_a_battery_at_the_socket() -> None:
    curve = curve_at_socket(((90, 2000), (80, 4000)), soc_pct=60, capacity_kwh=50, efficiency=0.9)
    assert [step.most_w for step in curve] == [4000, 2000]
    assert [step.charged_kwh for step in curve] == pytest.approx([100 / 9, 50 / 3])


def test_where_the_curve_does_not_bind_nothing_changes() -> None:
    given_problem = problem(0.3, 0.1, 0.2, need_kwh=8)
    assert plan_within(given_problem, (Step(8.0, 1000.0),)) == cheapest_plan(given_problem)


def test_last_kilowatt_hours_take_longer() -> None:
    """After 6 kWh only 2 kW: 2 of 8 kWh need an hour of their own."""
    plan = plan_within(problem(0.3, 0.1, 0.2, need_kwh=8), (Step(6.0, 2000.0),))
    assert spans(plan) == [(1, 2, 6), (2, 3, 2)]
    assert plan.cost == pytest.approx(6 * 0.1 + 2 * 0.2)


def test_what_the_curve_makes_impossible_is_said() -> None:
    plan = plan_within(problem(0.3, 0.1, need_kwh=9), (Step(6.0, 2000.0),))
    assert plan.shortfall is not None
    assert plan.shortfall.short_kwh == pytest.approx(1)
    assert plan.energy_kwh == pytest.approx(8)


@given(
    cents=st.lists(st.integers(0, 30), min_size=1, max_size=10),
    need=st.floats(1, 40),
    bend=st.floats(0, 20),
    slow_w=st.sampled_from([1000.0, 2500.0, 4000.0]),
    start_cost=st.sampled_from([0.0, 0.05]),
)
def test_the_car_can_follow_and_the_bill_is_right(
    cents: list[int], need: float, bend: float, slow_w: float, start_cost: float
) -> None:
    given_problem = problem(*(price / 100 for price in cents), need_kwh=need, start_cost=start_cost)
    curve = (Step(bend, slow_w), Step(bend + 4, slow_w / 2))
    plan = plan_within(given_problem, curve)
    assert follows(plan, curve)
    assert plan.bound <= plan.cost + 1e-9
    assert bill(given_problem, plan.pieces) == pytest.approx(plan.cost, abs=1e-3)
    if plan.is_met:
        assert plan.energy_kwh == pytest.approx(need, abs=2e-3)


CURVE = (Step(4.0, 3000.0), Step(6.0, 1000.0))


def test_how_long_it_takes_and_what_fits_in_the_end() -> None:
    assert required_hours(CURVE, 7.0, 6000.0) == pytest.approx(4 / 6 + 2 / 3 + 1)
    assert required_hours((), 3.0, 6000.0) == 0.5
    assert required_hours((Step(0.0, 3000.0), Step(0.0, 2000.0)), 3.0, 6000.0) == 1.5  # the last one passed counts
    assert last_kwh(CURVE, 7.0, 6000.0, 0.5) == 0.5
    assert last_kwh(CURVE, 7.0, 6000.0, 1.0 + 1 / 3) == pytest.approx(2.0)
    assert last_kwh(CURVE, 7.0, 6000.0, 10.0) == pytest.approx(7.0)


def test_whoever_charges_goes_on_where_another_start_would_cost_as_much() -> None:
    slow = (Step(0.0, 2000.0),)
    waits = problem(0.2, 0.2, 0.2, need_kwh=4.0, start_cost=0.05)
    assert plan_within(waits, slow).start == at(1)
    plan = plan_within(replace(waits, is_charging=True), slow)
    assert plan.start == at(0) and plan.runs() == 1 and plan.cost == pytest.approx(0.8)
    dear_now = replace(problem(0.9, 0.2, 0.2, need_kwh=4.0, start_cost=0.05), is_charging=True)
    assert plan_within(dear_now, slow).start == at(1)
