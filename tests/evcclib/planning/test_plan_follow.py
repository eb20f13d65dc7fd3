"""Following a plan: in a slot, in a gap, past the target."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from evcclib.planning import plan_follow
from evcclib.planning.plan_follow import IDLE, PlanState, applies, overrun
from evcclib.planning.planner import NO_PLAN, Plan, plan
from evcclib.tariff import Rate, Rates

MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)


def at(hours: float) -> datetime:
    return MIDNIGHT + hours * HOUR


def plan_of(*spans: tuple[float, float]) -> Plan:
    return Plan(tuple(Rate(at(start), at(end), 0.1) for start, end in spans))


def step(
    state: PlanState,
    planned: Plan,
    now: datetime,
    *,
    required: timedelta | None = 2 * HOUR,
    target: datetime | None = None,
    holds_full: bool = False,
) -> PlanState:
    return plan_follow.step(
        state, planned, required=required, target=at(8) if target is None else target, now=now, holds_full=holds_full
    )


ACTIVE = PlanState(is_active=True, slot_end=at(3), projected_start=at(2))


@pytest.mark.rule("PLAN-10")
def test_without_a_target_time_there_is_no_plan() -> None:
    state = plan_follow.step(ACTIVE, plan_of((2, 3)), required=HOUR, target=None, now=at(2), holds_full=False)
    assert state is IDLE
    assert not applies(ACTIVE, None, at(2))


@pytest.mark.rule("PLAN-10", "PLAN-19")
def test_target_that_passed_while_not_charging_is_dead() -> None:
    assert applies(IDLE, at(8), at(8))
    assert not applies(IDLE, at(8), at(8) + TICK)
    assert applies(ACTIVE, at(8), at(9))
    assert step(IDLE, NO_PLAN, at(8) + TICK) is IDLE


@pytest.mark.rule("PLAN-11", "PLAN-20", "PLAN-22")
def test_nothing_left_to_charge_ends_the_plan() -> None:
    assert step(ACTIVE, NO_PLAN, at(2.5), required=timedelta(0)) is IDLE
    assert step(ACTIVE, NO_PLAN, at(2.5), required=None) is IDLE


@pytest.mark.rule("PLAN-13", "PLAN-14")
def test_slot_is_active_from_its_start_until_before_its_end() -> None:
    planned = plan_of((2, 3))
    assert not step(IDLE, planned, at(2) - TICK).is_active
    state = step(IDLE, planned, at(2))
    assert state.is_active
    assert state.slot_end == at(3)
    assert step(state, planned, at(3) - TICK).is_active


@pytest.mark.rule("PLAN-14")
def test_rest_of_less_than_ten_minutes_does_not_start_charging() -> None:
    planned = plan_of((2, 3), (5, 6))
    assert step(IDLE, planned, at(3) - 10 * MINUTE).is_active
    assert not step(IDLE, planned, at(3) - 10 * MINUTE + TICK).is_active
    assert step(ACTIVE, planned, at(3) - TICK).is_active


@pytest.mark.rule("PLAN-14", "INV-10")
def test_last_slot_of_a_plan_starts_charging_however_short_it_is() -> None:
    planned = plan_of((2, 3))
    assert step(IDLE, planned, at(3) - TICK).is_active


@pytest.mark.rule("DEF-11", "PLAN-14")
def test_short_rest_counts_when_the_next_slot_follows_at_once() -> None:
    assert step(IDLE, plan_of((2, 3), (3, 4)), at(3) - MINUTE).is_active
    assert not step(IDLE, plan_of((2, 3), (3.5, 4)), at(3) - MINUTE).is_active


@pytest.mark.rule("PLAN-15")
def test_new_plan_does_not_interrupt_the_slot_that_was_begun() -> None:
    assert step(ACTIVE, plan_of((5, 7)), at(3) - TICK).is_active
    assert not step(ACTIVE, plan_of((5, 7)), at(3)).is_active


@pytest.mark.rule("PLAN-15", "DEF-12")
def test_gap_of_less_than_an_hour_is_charged_through() -> None:
    assert step(ACTIVE, plan_of((4, 5)), at(3) + TICK).is_active
    assert not step(ACTIVE, plan_of((4, 5)), at(3)).is_active


@pytest.mark.rule("PLAN-15", "DEF-12")
def test_rest_of_less_than_an_hour_is_charged_at_once() -> None:
    assert step(ACTIVE, plan_of((6, 7)), at(3), required=HOUR - TICK).is_active
    assert not step(ACTIVE, plan_of((6, 7)), at(3), required=HOUR).is_active


@pytest.mark.rule("DEF-12", "PLAN-15")
def test_empty_plan_ends_charging_before_the_target() -> None:
    waiting = plan(Rates.of([Rate(at(0), at(4), 0.1)]), HOUR, at(8), at(3))
    assert waiting.slots == ()
    assert step(ACTIVE, waiting, at(3.5), required=HOUR) == IDLE
    assert step(ACTIVE, waiting, at(3.5), required=HOUR / 2) == IDLE


@pytest.mark.rule("PLAN-15", "PLAN-19")
@pytest.mark.parametrize("late", [timedelta(0), TICK, 5 * HOUR])
def test_plan_that_is_active_goes_on_past_its_target(late: timedelta) -> None:
    state = step(ACTIVE, NO_PLAN, at(8) + late)
    assert state.is_active
    assert overrun(state, at(8), at(8) + late) == (late or None)
    assert step(state, NO_PLAN, at(8) + late, required=timedelta(0)) is IDLE


@pytest.mark.rule("PLAN-19")
def test_no_overrun_is_told_while_there_is_none() -> None:
    assert overrun(IDLE, at(8), at(9)) is None
    assert overrun(ACTIVE, None, at(9)) is None
    assert overrun(ACTIVE, at(8), at(7)) is None


@pytest.mark.rule("DEF-16", "PLAN-20")
def test_plan_for_a_full_battery_stays_while_the_vehicle_charges() -> None:
    assert step(ACTIVE, NO_PLAN, at(4), required=timedelta(0), holds_full=True).is_active
    assert not step(IDLE, NO_PLAN, at(4), required=timedelta(0), holds_full=True).is_active
    assert not step(ACTIVE, NO_PLAN, at(4), required=timedelta(0), holds_full=False).is_active


@pytest.mark.rule("DEF-16")
def test_plan_for_a_full_battery_still_rests_in_an_expensive_gap() -> None:
    assert not step(ACTIVE, plan_of((6, 8)), at(3), holds_full=True).is_active


@pytest.mark.rule("PLAN-16")
def test_becoming_inactive_forgets_the_slot() -> None:
    state = step(ACTIVE, plan_of((6, 8)), at(3))
    assert state == PlanState(projected_start=at(6))


@pytest.mark.rule("PLAN-12", "DEF-30")
def test_projected_start_is_known_while_there_is_a_plan_only() -> None:
    assert step(IDLE, plan_of((2, 3)), at(1)).projected_start == at(2)
    assert step(PlanState(projected_start=at(2)), NO_PLAN, at(1)).projected_start is None
    assert step(PlanState(projected_start=at(2)), NO_PLAN, at(1), required=timedelta(0)).projected_start is None


@pytest.mark.rule("PLAN-16")
def test_nothing_new_returns_the_same_state() -> None:
    state = step(IDLE, plan_of((2, 3)), at(1))
    assert step(state, plan_of((2, 3)), at(1.5)) is state


@pytest.mark.rule("DEF-12", "PLAN-15", "INV-10")
def test_night_with_two_cheap_hours_starts_twice_and_reaches_its_goal() -> None:
    prices = [0.3, 0.1, 0.3, 0.3, 0.3, 0.1, 0.3, 0.3]
    rates = Rates.of(Rate(at(hour), at(hour + 1), price) for hour, price in enumerate(prices))
    state, required, starts, charged_at = IDLE, 2 * HOUR, 0, []
    for minute in range(8 * 60):
        now = MIDNIGHT + minute * MINUTE
        later = plan_follow.step(
            state, plan(rates, required, at(8), now), required=required, target=at(8), now=now, holds_full=False
        )
        starts += later.is_active and not state.is_active
        state = later
        if state.is_active:
            required -= MINUTE
            charged_at.append(minute // 60)
    assert required == timedelta(0)
    assert starts == 2
    assert set(charged_at) == {1, 5}


@pytest.mark.rule("PLAN-19", "PLAN-12")
def test_dead_plan_has_no_projected_start() -> None:
    assert step(PlanState(projected_start=at(7)), plan_of((7, 8)), at(8) + TICK) is IDLE
