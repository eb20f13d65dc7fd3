"""The cheapest slots that reach a goal in time."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import cheapest_choice

from evcclib.planning.planner import NO_PLAN, Plan, duration_at, plan
from evcclib.tariff import Rate, Rates

MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(hours: float) -> datetime:
    return MIDNIGHT + hours * HOUR


def hourly(*prices: float, first: float = 0) -> Rates:
    return Rates.of(Rate(at(first + hour), at(first + hour + 1), price) for hour, price in enumerate(prices))


def slots(planned: Plan) -> list[tuple[float, float]]:
    return [((slot.start - MIDNIGHT) / HOUR, (slot.end - MIDNIGHT) / HOUR) for slot in planned.slots]


def cost(planned: Plan) -> float:
    return sum(slot.price * ((slot.end - slot.start) / HOUR) for slot in planned.slots if slot.price == slot.price)


def unpriced(planned: Plan) -> list[tuple[float, float]]:
    return slots(Plan(tuple(slot for slot in planned.slots if math.isnan(slot.price))))


@pytest.mark.rule("PLAN-5")
@pytest.mark.parametrize("required", [timedelta(0), timedelta(seconds=-1)])
def test_nothing_to_charge_is_an_empty_plan(required: timedelta) -> None:
    assert plan(hourly(1, 2), required, at(2), at(0)) is NO_PLAN


@pytest.mark.rule("PLAN-6", "DEF-14")
@pytest.mark.parametrize(
    "rates",
    [None, Rates.of([]), Rates((Rate(at(0), at(9), 0.1),), is_outdated=True), hourly(1, 2, first=-2)],
    ids=["no list", "empty list", "outdated list", "list of the past"],
)
def test_without_usable_prices_charging_comes_last(rates: Rates | None) -> None:
    planned = plan(rates, 2 * HOUR, at(6), at(0))
    assert planned.slots == (Rate(at(4), at(6), 0.0),)
    assert planned.is_met


@pytest.mark.rule("PLAN-7")
@pytest.mark.parametrize("rates", [None, hourly(3, 1, 2)])
def test_too_little_time_takes_all_there_is(rates: Rates | None) -> None:
    planned = plan(rates, 5 * HOUR, at(2.5), at(0.5))
    assert planned.start == at(0.5)
    assert planned.duration() == 2 * HOUR
    assert not planned.is_met


@pytest.mark.rule("PLAN-7")
def test_just_enough_time_is_met() -> None:
    planned = plan(hourly(3, 1, 2), 2 * HOUR, at(2.5), at(0.5))
    assert planned.is_met
    assert planned.duration() == 2 * HOUR


@pytest.mark.rule("PLAN-8")
def test_target_beyond_known_prices_waits_when_the_unknown_time_is_enough() -> None:
    assert plan(hourly(1, 1), HOUR, at(4), at(0)) == Plan((), is_met=True)
    assert plan(hourly(1, 1), 2 * HOUR, at(4), at(0)) == Plan((), is_met=True)


@pytest.mark.rule("PLAN-8")
def test_target_beyond_known_prices_uses_them_for_what_does_not_fit_behind() -> None:
    planned = plan(hourly(5, 1, 9), 3 * HOUR, at(5), at(0))
    assert slots(planned) == [(1, 2)]
    assert planned.is_met


@pytest.mark.rule("PLAN-8", "DEF-15")
def test_horizon_is_the_latest_end_however_the_list_is_ordered() -> None:
    backwards = Rates.of(reversed(hourly(20, 60, 10, 80).rates))
    assert slots(plan(backwards, HOUR, at(4), at(0))) == [(2, 3)]


@pytest.mark.rule("PLAN-9")
def test_cheapest_hour_of_six() -> None:
    assert slots(plan(hourly(20, 60, 10, 80, 40, 90), HOUR, at(6), at(0))) == [(2, 3)]


@pytest.mark.rule("PLAN-9", "DEF-11")
def test_earliest_slot_starts_late_when_it_is_not_needed_in_full() -> None:
    assert slots(plan(hourly(20, 60, 10, 80, 40, 90), 1.5 * HOUR, at(6), at(0))) == [(0.5, 1), (2, 3)]
    assert slots(plan(hourly(30, 25, 10, 12, 28, 35), 2.25 * HOUR, at(5.5), at(0.25))) == [(1.75, 2), (2, 3), (3, 4)]


@pytest.mark.rule("PLAN-9")
def test_of_equal_prices_the_latest_wins() -> None:
    assert slots(plan(hourly(7, 7, 7, 7), 1.5 * HOUR, at(4), at(0))) == [(2.5, 3), (3, 4)]


@pytest.mark.rule("DEF-11")
def test_single_slot_starts_late() -> None:
    assert slots(plan(hourly(7, 1, 7), HOUR / 4, at(3), at(0))) == [(1.75, 2)]


@pytest.mark.rule("DEF-11")
def test_later_slot_is_cut_at_its_end() -> None:
    assert slots(plan(hourly(10, 50, 20, 60), 1.5 * HOUR, at(4), at(0))) == [(0, 1), (2, 2.5)]


@pytest.mark.rule("DEF-11")
def test_cut_slot_that_follows_another_stays_in_one_piece_with_it() -> None:
    assert slots(plan(hourly(50, 10, 20, 60), 1.5 * HOUR, at(4), at(0))) == [(1, 2), (2, 2.5)]


@pytest.mark.rule("PLAN-9")
def test_slots_are_clipped_to_now_and_target() -> None:
    assert slots(plan(hourly(1, 5, 2), 2 * HOUR, at(2.5), at(0.25))) == [(0.25, 1), (1, 1.75), (2, 2.5)]


@pytest.mark.rule("DEF-13")
def test_slot_that_ends_now_is_over() -> None:
    assert slots(plan(hourly(1, 5, 2), HOUR, at(3), at(1))) == [(2, 3)]
    assert slots(plan(hourly(1, 5, 2), HOUR, at(2), at(0))) == [(0, 1)]


@pytest.mark.rule("DEF-13")
@pytest.mark.parametrize("rates", [None, hourly(1, 2, 3)])
@pytest.mark.parametrize("now", [1.0, 1.5])
def test_target_that_has_passed_leaves_an_empty_plan(rates: Rates | None, now: float) -> None:
    assert plan(rates, HOUR, at(1), at(now)) == Plan((), is_met=False)


@pytest.mark.rule("PLAN-9", "PLAN-7")
def test_time_without_a_price_is_the_last_resort_and_the_latest_of_it_comes_first() -> None:
    holed = Rates.of([*hourly(9).rates, *hourly(8, first=5).rates])
    planned = plan(holed, 3 * HOUR, at(6), at(0))
    assert slots(planned) == [(0, 1), (4, 5), (5, 6)]
    assert unpriced(planned) == [(4, 5)]
    assert planned.is_met
    assert slots(plan(holed, 2 * HOUR, at(6), at(0))) == [(0, 1), (5, 6)]
    planned = plan(holed, 6 * HOUR, at(6), at(0))
    assert (slots(planned), planned.is_met) == ([(0, 1), (1, 5), (5, 6)], True)
    planned = plan(holed, 7 * HOUR, at(6), at(0))
    assert (slots(planned), planned.is_met) == ([(0, 1), (1, 5), (5, 6)], False)


@pytest.mark.rule("PLAN-9")
def test_prices_that_begin_after_the_target_leave_the_last_moment_before_it() -> None:
    planned = plan(hourly(1, 2, first=3), HOUR, at(1.5), at(0))
    assert (slots(planned), planned.is_met) == ([(0.5, 1.5)], True)
    planned = plan(hourly(1, first=1), 1.5 * HOUR, at(2), at(0))
    assert (slots(planned), unpriced(planned)) == ([(0.5, 1), (1, 2)], [(0.5, 1)])


@pytest.mark.rule("PLAN-9", "PLAN-8")
def test_holes_are_filled_from_the_end_and_what_lies_beyond_the_last_price_still_comes_first() -> None:
    holed = Rates.of([*hourly(9).rates, *hourly(8, first=2).rates, *hourly(7, first=4).rates])
    assert slots(plan(holed, 4.5 * HOUR, at(5), at(0))) == [(0, 1), (1.5, 2), (2, 3), (3, 4), (4, 5)]
    assert unpriced(plan(holed, 4.5 * HOUR, at(5), at(0))) == [(1.5, 2), (3, 4)]
    assert slots(plan(holed, 4.5 * HOUR, at(6), at(0))) == [(0, 1), (2, 3), (3.5, 4), (4, 5)]
    assert plan(holed, HOUR, at(6), at(0)) == Plan((), is_met=True)


@pytest.mark.rule("PLAN-9")
def test_now_in_the_middle_of_a_hole() -> None:
    holed = Rates.of([*hourly(1).rates, *hourly(5, first=3).rates])
    assert slots(plan(holed, 1.5 * HOUR, at(4), at(2))) == [(2.5, 3), (3, 4)]
    assert slots(plan(holed, 0.5 * HOUR, at(2.5), at(1.5))) == [(2, 2.5)]


@pytest.mark.rule("PLAN-9")
def test_negative_prices_are_just_cheaper() -> None:
    assert slots(plan(hourly(0, -5, 3, -1), 2 * HOUR, at(4), at(0))) == [(1, 2), (3, 4)]


@pytest.mark.rule("PLAN-12", "PLAN-13")
def test_plan_knows_its_start_and_the_slot_that_holds_a_time() -> None:
    planned = plan(hourly(20, 60, 10), 1.5 * HOUR, at(3), at(0))
    assert planned.start == at(0.5)
    assert planned.slot_at(at(0.5)) == planned.slots[0]
    assert planned.slot_at(at(1)) is None
    assert planned.slot_at(at(2)) == planned.slots[1]
    assert planned.slot_at(at(3)) is None
    assert NO_PLAN.start is None


@pytest.mark.rule("PLAN-9")
def test_local_times_with_a_clock_change_in_between_are_understood() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    now, target = datetime(2026, 3, 29, 0, tzinfo=berlin), datetime(2026, 3, 29, 6, tzinfo=berlin)
    planned = plan(None, 5 * HOUR, target, now)
    assert planned.is_met
    assert planned.start == now
    assert not plan(None, 5.5 * HOUR, target, now).is_met


@pytest.mark.rule("DEF-10", "DEF-21", "PLAN-2", "PLAN-3", "PLAN-4")
def test_duration_is_energy_over_power_and_nothing_on_top() -> None:
    assert duration_at(22.0, 11_000) == 2 * HOUR
    assert duration_at(0.0, 0) == timedelta(0)
    assert duration_at(-1.0, 11_000) == timedelta(0)
    assert duration_at(1.0, 0) is None
    assert duration_at(1.0, -11_000) is None


QUARTER = HOUR / 4


@settings(max_examples=150, deadline=None)
@given(
    prices=st.lists(st.one_of(st.none(), st.integers(-3, 9).map(float)), min_size=1, max_size=4),
    now_quarter=st.integers(0, 6),
    length=st.integers(1, 10),
    required=st.integers(1, 10),
)
@pytest.mark.rule("INV-10", "PLAN-9")
def test_no_other_choice_of_quarters_is_cheaper_or_needs_less_unpriced_time(
    prices: list[float | None], now_quarter: int, length: int, required: int
) -> None:
    rates = Rates.of(
        rate for hour, price in enumerate(prices) if price is not None for rate in hourly(price, first=hour).rates
    )
    now = MIDNIGHT + now_quarter * QUARTER
    target = now + length * QUARTER
    if not rates.rates or rates.rates[-1].end <= now:
        return
    target = min(target, rates.rates[-1].end)
    planned = plan(rates, required * QUARTER, target, now)
    pieces, priced_cost = cheapest_choice(rates.rates, required * QUARTER, target, now, QUARTER)
    assert sum(end - start for start, end in unpriced(planned)) == pytest.approx(pieces / 4)
    assert cost(planned) == pytest.approx(priced_cost)
    assert planned.duration() == min(required, int((target - now) / QUARTER)) * QUARTER
    assert planned.is_met == (required * QUARTER <= target - now)


@given(
    prices=st.lists(st.one_of(st.none(), st.floats(-1, 1, allow_nan=False)), min_size=1, max_size=30),
    now_minute=st.floats(0, 600),
    span_minutes=st.floats(1, 2000),
    required_minutes=st.floats(0.1, 2000),
)
@pytest.mark.rule("INV-10", "PLAN-9")
def test_slots_are_disjoint_within_the_time_and_add_up(
    prices: list[float | None], now_minute: float, span_minutes: float, required_minutes: float
) -> None:
    rates = Rates.of(
        rate for hour, price in enumerate(prices) if price is not None for rate in hourly(price, first=hour).rates
    )
    if not rates.rates:
        return
    now = MIDNIGHT + timedelta(minutes=now_minute)
    target = now + timedelta(minutes=span_minutes)
    required = timedelta(minutes=required_minutes)
    planned = plan(rates, required, target, now)
    assert all(now <= slot.start < slot.end <= target for slot in planned.slots)
    assert all(earlier.end <= later.start for earlier, later in zip(planned.slots, planned.slots[1:], strict=False))
    known_until = rates.rates[-1].end
    if target <= known_until or known_until <= now:
        assert planned.duration() == min(required, target - now)
    else:
        assert planned.duration() == max(timedelta(0), min(required, target - now) - (target - known_until))
    assert planned.is_met == (required <= target - now)


@given(prices=st.lists(st.sampled_from([0.1, 0.2, 0.3]), min_size=2, max_size=12), required=st.integers(1, 40))
@pytest.mark.rule("DEF-11")
def test_all_slots_but_the_earliest_begin_where_their_price_begins(prices: list[float], required: int) -> None:
    planned = plan(hourly(*prices), required * QUARTER, at(len(prices)), at(0))
    assert all(slot.start in {rate.start for rate in hourly(*prices).rates} for slot in planned.slots[1:])


@pytest.mark.rule("DEF-21", "PLAN-5")
def test_small_rests_of_energy_take_time_too() -> None:
    assert duration_at(0.5, 1000) == HOUR / 2
    assert NO_PLAN.is_met


@pytest.mark.rule("PLAN-9", "DEF-13")
def test_cheap_slot_that_begins_at_the_target_is_too_late() -> None:
    assert slots(plan(hourly(5, 1), HOUR / 2, at(1), at(0))) == [(0.5, 1)]
