"""How a plan may lie in time, for both planners."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evcclib.planning.goals import Goal, plan_goals
from evcclib.planning.planner import plan
from evcclib.planning.power_plan import PowerPlan
from evcclib.planning.problem import Problem, Slot
from evcclib.planning.strategy import plan_with
from evcclib.tariff import Rate, Rates
from evcclib.timetable.plans import PlanStrategy

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
H: Any = timedelta(hours=1)
ONE_BLOCK = PlanStrategy(is_continuous=True)
WARM = PlanStrategy(precondition=H / 2)
WARM_BLOCK = PlanStrategy(is_continuous=True, precondition=H / 2)


def hourly(*prices: float) -> Rates:
    return Rates.of(Rate(NOON + n * H, NOON + (n + 1) * H, price) for n, price in enumerate(prices))


def classic(
    prices: Rates, required_h: float, by_h: float, strategy: PlanStrategy, **more: Any
) -> list[tuple[float, float]]:
    """Slots in hours after noon, those that follow one another as one."""
    found: list[tuple[float, float]] = []
    for slot in plan(prices, required_h * H, NOON + by_h * H, more.pop("now", NOON), strategy=strategy, **more).slots:
        start, end = (slot.start - NOON) / H, (slot.end - NOON) / H
        if found and found[-1][1] == start:
            start, _ = found.pop()
        found.append((start, end))
    return found


DIPS = hourly(0.30, 0.10, 0.30, 0.12, 0.14, 0.30)


@pytest.mark.rule("PLAN-35")
def test_one_block_is_the_cheapest_and_of_equal_ones_the_latest() -> None:
    assert classic(DIPS, 2, 6, PlanStrategy()) == [(1, 2), (3, 4)]
    assert classic(DIPS, 2, 6, ONE_BLOCK) == [(3, 5)]
    assert classic(DIPS, 1.5, 6, ONE_BLOCK) == [(3, 4.5)]
    assert classic(hourly(0.2, 0.2, 0.2, 0.2), 1.5, 4, ONE_BLOCK) == [(2.5, 4)]
    assert classic(DIPS, 7, 6, ONE_BLOCK) == [(0, 6)]


@pytest.mark.rule("PLAN-35")
def test_a_block_keeps_off_time_without_a_price_as_long_as_it_can() -> None:
    holed = Rates.of([Rate(NOON, NOON + H, 0.9), Rate(NOON + 2 * H, NOON + 4 * H, 0.5)])
    assert classic(holed, 2, 5, ONE_BLOCK) == [(3, 4)]  # the hour behind the list waits for its price
    assert classic(holed, 1.5, 4, ONE_BLOCK) == [(2.5, 4)]
    assert classic(holed, 3, 4, ONE_BLOCK) == [(1, 4)]


@pytest.mark.rule("PLAN-35")
def test_a_block_that_has_begun_is_not_broken_off() -> None:
    now = NOON + 1.5 * H
    assert classic(DIPS, 1, 6, ONE_BLOCK, now=now) == [(3, 4)]
    assert classic(DIPS, 1, 6, ONE_BLOCK, now=now, has_begun=True) == [(1.5, 2.5)]
    assert classic(DIPS, 1, 6, WARM_BLOCK, now=now, has_begun=True) == [(1.5, 2.5)]
    assert classic(DIPS, 1, 6, PlanStrategy(), now=now, has_begun=True) == [(1.5, 2), (3, 3.5)]


@pytest.mark.rule("PLAN-35")
def test_the_last_part_comes_right_before_the_departure_whatever_it_costs() -> None:
    assert classic(DIPS, 2, 6, WARM) == [(1, 2), (3, 3.5), (5.5, 6)]
    assert classic(DIPS, 0.25, 6, WARM) == [(5.75, 6)]
    assert classic(DIPS, 2, 6, WARM_BLOCK) == [(4, 6)]
    assert classic(DIPS, 2, 8, WARM) == [(7.5, 8)]  # the rest waits for the prices of the hours behind the list
    warm = plan(DIPS, 2 * H, NOON + 6 * H, NOON, strategy=WARM)
    assert [slot.price for slot in warm.slots] == [0.10, 0.12, 0.30]
    assert not plan(DIPS, 7 * H, NOON + 6 * H, NOON, strategy=WARM).is_met


# -- power over time ---------------------------------------------------------------------------------------------------------


def problem(*prices: float, need_kwh: float, **more: Any) -> Problem:
    slots = tuple(Slot(NOON + n * H, NOON + (n + 1) * H, price) for n, price in enumerate(prices))
    return Problem(slots=slots, need_kwh=need_kwh, ranges_w=((2000.0, 10_000.0),), **more)


def hours(found: PowerPlan) -> list[tuple[float, float, float]]:
    return [((start - NOON) / H, (end - NOON) / H, round(power_w)) for start, end, power_w in found.pieces]


PRICES = (0.30, 0.10, 0.90, 0.12, 0.14, 0.30)


@pytest.mark.rule("PLAN-35")
def test_power_is_planned_in_one_block_too() -> None:
    assert hours(plan_with(PlanStrategy(), problem(*PRICES, need_kwh=20.0))) == [(1, 2, 10_000), (3, 4, 10_000)]
    assert hours(plan_with(ONE_BLOCK, problem(*PRICES, need_kwh=20.0))) == [(3, 5, 10_000)]


@pytest.mark.rule("PLAN-35")
def test_a_block_of_power_that_has_begun_goes_on_at_once() -> None:
    going = problem(0.30, 0.05, 0.30, 0.05, need_kwh=5.0, is_charging=True)
    assert hours(plan_with(ONE_BLOCK, going)) == [(3.5, 4, 10_000)]
    assert hours(plan_with(ONE_BLOCK, going, has_begun=True)) == [(0, 0.5, 10_000)]
    assert hours(plan_with(WARM_BLOCK, going, has_begun=True)) == [(0, 0.5, 10_000)]
    longer = problem(0.30, 0.30, 0.30, 0.05, 0.05, need_kwh=15.0, is_charging=True)
    assert hours(plan_with(ONE_BLOCK, longer, has_begun=True)) == [(0, 1.5, 10_000)]


@pytest.mark.rule("PLAN-35")
def test_power_is_planned_right_before_the_departure() -> None:
    assert hours(plan_with(WARM, problem(*PRICES, need_kwh=15.0))) == [(1, 2, 10_000), (5.5, 6, 10_000)]
    assert hours(plan_with(WARM_BLOCK, problem(*PRICES, need_kwh=15.0))) == [(4.5, 6, 10_000)]
    assert hours(plan_with(WARM, problem(*PRICES, need_kwh=0.0))) == []


@pytest.mark.rule("PLAN-34", "PLAN-35")
def test_of_several_goals_each_part_of_the_time_lies_as_it_should() -> None:
    goals = (Goal(NOON + 2 * H, 5.0), Goal(NOON + 6 * H, 15.0))
    dear_first = problem(0.50, 0.40, 0.10, 0.30, 0.10, 0.30, need_kwh=0.0)
    assert hours(plan_goals(dear_first, goals)) == [(1.5, 2, 10_000), (4, 5, 10_000)]
    assert hours(plan_goals(dear_first, goals, strategy=WARM)) == [(1.5, 2, 10_000), (4.5, 5, 10_000), (5.5, 6, 10_000)]
