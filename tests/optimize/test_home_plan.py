"""A whole home, with HiGHS and without a solver: the same model, and what must hold of every plan."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planned_homes import BATTERY, at, car, check, convex, home, homes

from evcclib.errors import InvalidReadings
from evcclib.planning.goals import Goal, plan_goals
from evcclib.planning.joint.battery_flow import Load, battery_flow
from evcclib.planning.joint.home import Circuit, Home
from evcclib.planning.joint.home_plan import plan_home_with
from evcclib.planning.joint.home_programme import home_model
from evcclib.planning.joint.programme import Programme, Solution
from evcclib.planning.joint.together import plan_home
from evcclib.planning.one_car import cheapest_plan
from evcclib.planning.problem import Problem, Slot

pytest.importorskip("highspy", reason="needs the extra `optimize`")
from evcc_server.optimize import highs


def exactly(programme: Programme) -> Solution:
    return highs.solve(programme, gap=1e-9)


def quickly(programme: Programme) -> Solution:
    return highs.solve(programme)


@given(home=homes())
@settings(max_examples=60, deadline=None)
def test_plans_hold_and_no_bound_is_above_a_plan(home: Home) -> None:
    alone, solved = plan_home(home), plan_home_with(quickly, home)
    check(home, alone)
    check(home, solved)
    thorough = plan_home_with(exactly, home, is_thorough=True)
    check(home, thorough)
    if thorough.is_met:
        assert solved.bound <= thorough.bound + 1e-5
        assert thorough.bound - 1e-5 <= min(alone.cost, solved.cost, thorough.cost) or not alone.is_met
        assert thorough.cost <= solved.cost + 1e-4 or not solved.is_met


@given(
    cents=st.lists(st.integers(-5, 30), min_size=2, max_size=12),
    need=st.integers(1, 30),
    start_cost=st.sampled_from([0.0, 0.02, 0.1]),
    is_charging=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_one_car_costs_what_the_programme_says(
    cents: list[int], need: int, start_cost: float, is_charging: bool
) -> None:
    need = min(need, 6 * len(cents))
    prices: list[float | None] = [price / 100 for price in cents]
    one = car((len(cents), need), start_cost=start_cost, is_charging=is_charging)
    found = plan_home_with(exactly, home(prices, one), is_thorough=True)
    problem = Problem(
        slots=tuple(Slot(at(hour), at(hour + 1), price) for hour, price in enumerate(prices)),
        need_kwh=need,
        ranges_w=one.ranges_w,
        start_cost=start_cost,
        is_charging=is_charging,
    )
    assert found.cost == pytest.approx(cheapest_plan(problem).cost, abs=1e-4)
    assert exactly(home_model(home(prices, one)).programme).bound == pytest.approx(found.cost, abs=1e-4)


@given(home=homes(battery=False, cars=1).map(convex))
@settings(max_examples=60, deadline=None)
def test_several_goals_are_reached_at_the_least_cost_where_a_start_costs_nothing(home: Home) -> None:
    cars = tuple(replace(each, start_cost=0.0, circuit=None, ranges_w=((0, 6000),)) for each in home.cars)
    free = replace(home, cars=cars)
    alone = plan_home(free)
    assert alone.is_met == plan_home_with(exactly, free, is_thorough=True).is_met
    if alone.is_met:
        assert alone.cost == pytest.approx(exactly(home_model(free).programme).bound, abs=1e-4)


@given(home=homes(cars=0).map(convex))
@settings(max_examples=60, deadline=None)
def test_a_battery_alone_is_run_as_well_as_can_be(home: Home) -> None:
    assert plan_home(home).cost == pytest.approx(exactly(home_model(home).programme).bound, abs=1e-5)


def test_a_battery_takes_its_sun_beside_all_that_is_bought_where_buying_is_paid_for() -> None:
    paid = home([-0.05, 0.4], battery=replace(BATTERY, level_kwh=0.0))
    noon, evening = paid.slots
    paid = replace(paid, slots=(noon._replace(sun_w=3000.0, buy_max_w=1000.0), evening._replace(house_w=2000.0)))
    plan = plan_home(paid)
    assert plan.battery_w[0] == pytest.approx(3000.0)
    assert plan.cost == pytest.approx(exactly(home_model(paid).programme).bound, abs=1e-5)


def test_cars_buy_together_what_neither_would_alone() -> None:
    """Beside 4 kW of own sun, which would fetch more than the price, each would rather pay more in the next hour."""
    both = home([0.01, 0.05], car((2, 6)), car((2, 6)))
    both = replace(
        both, slots=(both.slots[0]._replace(feed_in=0.08, sun_w=4000.0), both.slots[1]._replace(feed_in=0.0))
    )
    assert plan_home(both).cost == pytest.approx(8 * 0.01)


def test_two_cars_that_want_the_same_slot_both_reach_their_goals() -> None:
    both = home([0.3, 0.1, 0.3], car((3, 6), circuit=0), car((3, 6), circuit=0), circuits=(Circuit(6000),))
    for plan in (plan_home(both), plan_home_with(quickly, both)):
        check(both, plan)
        assert plan.is_met
        assert plan.cost == pytest.approx(6 * 0.1 + 6 * 0.3)


def test_who_has_less_time_is_not_left_without() -> None:
    tight = home([0.1, 0.3], car((1, 4), circuit=0), car((2, 5), circuit=0), circuits=(Circuit(6000),))
    for plan in (plan_home(tight), plan_home_with(quickly, tight)):
        check(tight, plan)
        assert plan.is_met
        assert plan.cost == pytest.approx(6 * 0.1 + 3 * 0.3)


def test_what_is_short_is_said() -> None:
    crowded = home([0.1, 0.3], car((2, 9), circuit=0), car((2, 6), circuit=0), circuits=(Circuit(6000),))
    for plan in (plan_home(crowded), plan_home_with(quickly, crowded)):
        assert not plan.is_met
        assert plan.short_kwh == pytest.approx(3, abs=1e-2)


def test_of_equal_prices_the_latest_wins_whatever_the_solver_takes() -> None:
    plan = plan_home_with(quickly, home([0.3, 0.3, 0.3, 0.3], car((4, 9))))
    assert [(piece.start, piece.end) for piece in plan.cars[0].pieces] == [(at(2.5), at(4))]


def test_unknown_prices_are_the_last_resort() -> None:
    plan = plan_home(home([None, 0.9, None], car((3, 9))))
    assert [(piece.start, piece.end) for piece in plan.cars[0].pieces] == [(at(1), at(2.5))]


def test_nothing_before_arrival_nor_after_the_last_goal() -> None:
    plan = plan_home_with(quickly, home([0.1, 0.3, 0.4, 0.1], car((3, 6), arrives=at(1))))
    assert [(piece.start, piece.end) for piece in plan.cars[0].pieces] == [(at(1), at(2))]


def test_battery_charges_cheap_and_gives_dear() -> None:
    loads = [Load(slot, slot.price or 0.0, 2000.0) for slot in home([0.1, 0.4]).slots]
    battery = replace(BATTERY, level_kwh=0.0, level_value=0.0, efficiency=1.0, wear_per_kwh=0.0)
    assert battery_flow(battery, loads) == (2.0, -2.0)
    assert battery_flow(replace(battery, wear_per_kwh=0.31), loads) == (0.0, 0.0)
    assert battery_flow(replace(battery, charge_max_w=1500), loads) == (1.5, -1.5)
    assert battery_flow(replace(battery, capacity_kwh=1.0), loads) == (1.0, -1.0)


def test_goals_in_a_row() -> None:
    problem = Problem(
        slots=tuple(Slot(at(hour), at(hour + 1), price) for hour, price in enumerate((0.3, 0.2, 0.1, 0.1))),
        need_kwh=0,
        ranges_w=((2000, 6000),),
    )
    plan = plan_goals(problem, (Goal(at(4), 9), Goal(at(1), 3)))
    assert [(piece.start, piece.end) for piece in plan.pieces] == [(at(0.5), at(1)), (at(3), at(4))]
    assert plan.cost == pytest.approx(3 * 0.3 + 6 * 0.1)
    assert plan_goals(problem, ()).pieces == ()
    missed = plan_goals(problem, (Goal(at(1), 7), Goal(at(4), 8)))
    assert missed.shortfall is not None
    assert missed.shortfall.short_kwh == pytest.approx(1)


@pytest.mark.parametrize(
    "change",
    [
        {"slots": (home([0.1]).slots[0]._replace(house_w=math.nan),)},
        {"slots": (home([0.1]).slots[0]._replace(end=at(0)),)},
        {"circuits": (Circuit(math.nan),)},
        {"circuits": (Circuit(1.0, 0),)},
        {"cars": (car((1, math.nan)),)},
        {"cars": (car((1, 1), ranges_w=()),)},
        {"cars": (car((1, 1), circuit=0),)},
    ],
)
def test_what_is_no_home_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InvalidReadings, match="Home"):
        replace(home([0.1]), **change)  # type: ignore[arg-type]
