"""Every constant of the library has a witness: a test that says, in numbers of its own, what the constant does.

A witness never reads the constant. It stands right beside the edge, so that it fails for half the value as for twice of it;
`test_mutants.py` tries both for all of them. What may be any value within reason is in `ARBITRARY`, with the reason.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, time, timedelta
from types import MappingProxyType
from typing import Any

import mutant
import pytest
from bench import NOON, Bench, S, loadpoint, run, site_config

from evcclib import allowed, config, errors, fixed_tariff, measured, reason_history, settings, units
from evcclib.commands import BatteryMode, Disable, Enable, SetCurrent, SwitchPhases
from evcclib.config import BatteryConfig, CircuitConfig, PollConfig, VehicleConfig
from evcclib.deciding.power_plans import home_of, wanted_of
from evcclib.errors import IncompatibleState, InvalidConfig, InvalidReadings, InvalidSetting
from evcclib.events import Warned, WarningCode
from evcclib.laws import account, adaptive, lateness, ration, roof
from evcclib.ledger import meter_ledger, savings
from evcclib.ledger.meter_ledger import LedgerState
from evcclib.ledger.savings import SavingsState
from evcclib.machines import (
    asking,
    balance,
    battery,
    charger,
    detection,
    hidden_sun,
    phases,
    plausible,
    readback,
    rounding,
    rousing,
    soc,
    surplus,
    unmetered,
)
from evcclib.machines.asking import PollState
from evcclib.machines.charger import ChargerState, Report
from evcclib.machines.detection import DetectionState
from evcclib.machines.hidden_sun import HiddenSun
from evcclib.machines.limits import mean_power
from evcclib.machines.readback import Disagreement
from evcclib.machines.soc import EstimatorConfig, SocState
from evcclib.machines.unmetered import UNWATCHED, Offered, Watch
from evcclib.model import ChargeMode, ChargerStatus, Now, Planner, PollMode, Sharing, TariffKind, VehicleFeature
from evcclib.pipeline import check_state, sharing
from evcclib.pipeline.desk import begin
from evcclib.pipeline.state import Effect
from evcclib.planning import house_load, plan_follow, planner, power_follow
from evcclib.planning.dues import Due
from evcclib.planning.joint.programme import Programme, flaw
from evcclib.planning.one_car import cheapest_plan
from evcclib.planning.plan_follow import PlanState
from evcclib.planning.planner import Plan
from evcclib.planning.power_follow import PlanInForce
from evcclib.planning.power_plan import Piece, PowerPlan
from evcclib.planning.problem import Problem, Slot
from evcclib.planning.repeating import RepeatingPlan, next_departure
from evcclib.readings import ABSENT, ChargerReading, Measured, MeterReading, Readings, VehicleReading
from evcclib.reason_history import Spell, noted
from evcclib.reasons import BatteryCode, BatteryReason, Reason, ReasonCode
from evcclib.requests import ChangeLoadpointSetting, ChangeVehicleSetting
from evcclib.site import Site, layout_of
from evcclib.tariff import Rate, Rates
from evcclib.timetable.plans import WeeklyPlan, flaw_of_weekly
from evcclib.units import Instant

A, B, C = ChargerStatus.A, ChargerStatus.B, ChargerStatus.C
H: Any = 3600 * S
NAN = float("nan")
ARBITRARY = MappingProxyType(
    {
        "settings.NUMBER_MAX": "far above the range of any setting, and far below what a float cannot hold",
        "planning.planner.UNPRICED": "a sentinel: no number at all",
        "planning.planner.COST_DECIMALS": "more than a sum of floats errs by, and less than any price",
        "planning.slot_costs.TIE": "far more than there are slots, and far below what a price step is worth",
        "planning.goals.ENOUGH_KWH": "more than a sum of floats errs by, and less than anybody charges",
        "planning.joint.home_plan.NEGLIGIBLE_KW": "what a solver leaves of nothing, and less than any station gives",
        "planning.joint.home_plan.NEGLIGIBLE_KWH": "more than a solver errs by, and less than anybody charges",
        "planning.joint.home_programme.SHORT_TIMES": "enough to miss no goal for money, and little enough for a solver's numbers",
        "planning.joint.together.ROUNDS": "how long is searched: nobody is worse off for less",
        "planning.joint.together.SAVED": "more than a sum of floats errs by, and less than anybody would pay",
        "planning.joint.crowded.ENOUGH_KWH": "more than a sum of floats errs by, and less than anybody charges",
        "planning.curve.TRIES": "how long is searched: the car charges as late as it can if it was not long enough",
        "planning.curve.MISSED_KWH": "more than a sum of floats errs by, and less than anybody charges",
        "planning.starts.WIDTHS": "how long is searched: the bound says what it has missed",
        "planning.starts.GAP": "how long is searched: the bound says what it has missed",
        "planning.starts.PRICES": "how long is searched: the bound says what it has missed",
        "planning.starts.ROUNDS": "far more rounds than a bound has ever needed",
        "planning.starts.NEVER": "more than anything costs",
        "machines.readback._DOUBLINGS_MAX": "keeps numbers small: every wait has reached its longest by then",
        "laws.adaptive.TINY_EUR": "more than nothing, and less than any price",
        "laws.adaptive._FINITE": "far above all that can be remembered, and far below what a float cannot hold",
        "laws.adaptive.ALWAYS": "how far ahead a time is told: the move itself comes when it comes",
        "laws.shares.SLACK": "more than sums of floats are wrong by, and less than any step",
        "laws.roof.WATT": "finer than any power that is worth a move",
        "units.ORIGIN": "a name: nothing depends on when a clock began to count",
    }
)
"""Constants whose value nobody could see, and why."""
WITNESSES: dict[str, str] = {}
"""Who notices when a constant changes: the name of a test in this file."""


def witness(*constants: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """The test below notices each of ``constants``."""

    def note(test: Callable[[], None]) -> Callable[[], None]:
        for each in constants:
            assert each not in WITNESSES, each
            WITNESSES[each] = test.__name__
        return test

    return note


def test_every_constant_has_a_witness_or_a_reason_to_have_none() -> None:
    names = {str(each) for each in mutant.constants()}
    assert WITNESSES.keys() | ARBITRARY.keys() == names
    assert not WITNESSES.keys() & ARBITRARY.keys()


# allocation


def may_be_bought(second: int, bought_wh: float) -> float:
    """Of 4 kW in the mean of a quarter of an hour."""
    terms = mean_power.Terms(4000.0, 900 * S, UTC)
    bought = mean_power.Bought(NOON, bought_wh, 0.0, second * S)
    return mean_power.left_w(bought, terms, instant=second * S, utc=NOON + second * S, calmly=True)


@witness("machines.limits.mean_power.KEPT_SHARE")
def test_three_percent_of_what_may_be_bought_in_a_window_are_kept_for_its_end() -> None:
    assert may_be_bought(0, 0.0) == pytest.approx(3880.0)


@witness("machines.limits.mean_power.SPREAD_SHARE")
def test_what_was_saved_is_spread_over_a_third_of_the_window() -> None:
    assert may_be_bought(840, 0.0) == pytest.approx(3880.0 + 3880.0 * 14 / 5)
    assert may_be_bought(540, 0.0) == pytest.approx(3880.0 + 3880.0 * 9 / 6)


@witness("pipeline.sharing.RAMP")
def test_vehicle_may_take_half_a_minute_until_it_draws() -> None:
    lp = Bench(site_config()).lp
    lp.charger = ChargerState(is_enabled=True, is_certain=True, wake_timer=0 * S, enable_changed_at=0 * S)
    assert sharing.is_ramping(lp, 29.9 * S)
    assert not sharing.is_ramping(lp, 30 * S)


@witness("pipeline.witness.TOGETHER")
def test_meters_of_one_load_are_read_within_five_seconds() -> None:
    bench = Bench(site_config(loadpoint(has_power=False), pv_count=1))
    for grid_w, second, load_w in ((100.0, 10.0, 100.0), (200.0, 14.9, 200.0), (300.0, 15.1, 200.0)):
        bench.t = second * S
        station = ChargerReading(status=Measured(ChargerStatus.A, 10 * S), is_enabled=Measured(False, 10 * S))
        bench.step(readings=Readings(grid=meter(grid_w, second * S), pv=(meter(0.0, 10 * S),), chargers=(station,)))
        load = bench.site.state.load
        assert load is not None and load.value == load_w


def meter(power_w: float, at: Instant) -> MeterReading:
    return MeterReading(power_w=Measured(power_w, at))


@witness("pipeline.sharing.OBEDIENCE")
def test_vehicle_may_take_five_seconds_to_obey() -> None:
    lp = Bench(site_config()).lp
    lp.effect, lp.effect_at = Effect(100.0, 100.0), 10 * S
    assert not sharing.is_shown(lp, 14.9 * S)
    assert sharing.is_shown(lp, 15 * S)


# planning


@witness("planning.slot_costs.UNITS_PER_KWH", "planning.slot_costs.PRICE_STEPS")
def test_an_hour_at_a_kilowatt_is_a_kilowatt_hour_and_costs_its_price() -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    slots = (Slot(start, start + timedelta(hours=1), 0.3),)
    plan = cheapest_plan(Problem(slots=slots, need_kwh=1.0, ranges_w=((1000, 1000),)))
    assert (plan.is_met, plan.energy_kwh, plan.cost) == (True, 1.0, 0.3)


@witness("planning.one_car.NEGLIGIBLE")
def test_goal_that_is_missed_by_less_than_a_watt_hour_is_met() -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    slots = (Slot(start, start + timedelta(hours=1), 0.3),)
    for need_kwh, is_met in ((3_603_600_000 / 3.6e9, True), (3_603_600_001 / 3.6e9, False)):
        assert cheapest_plan(Problem(slots=slots, need_kwh=need_kwh, ranges_w=((1000, 1000),))).is_met is is_met


@witness("planning.slot_costs.MILLISECOND")
def test_slot_holds_every_millisecond() -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    slots = tuple(
        Slot(start + number * timedelta(milliseconds=3), start + (number + 1) * timedelta(milliseconds=3), 0.3)
        for number in range(3)
    )
    plan = cheapest_plan(Problem(slots=slots, need_kwh=1.0, ranges_w=((3_600_000, 3_600_000),)))
    assert plan.energy_kwh == pytest.approx(0.009)


@witness("planning.repeating.DAY")
def test_departure_in_a_week_is_found_and_is_a_week_away() -> None:
    monday = datetime(2026, 1, 5, 7, tzinfo=UTC)
    found = next_departure([RepeatingPlan(weekdays=frozenset({0}), time=monday.time())], monday, UTC)
    assert found is not None
    assert found.time - monday == timedelta(days=7)


@witness("planning.joint.programme.TOLERANCE")
def test_solution_may_miss_by_a_hundredth_of_a_watt() -> None:
    programme = Programme()
    programme.variable(0.0, 1.0)
    assert flaw(programme, (1 + 0.9e-5,)) is None
    assert flaw(programme, (1 + 1.1e-5,)) is not None


def in_force(now: datetime = NOON) -> PlanInForce:
    """Ten kilowatts from one o'clock to two, for ten kilowatt-hours by six."""
    plan = PowerPlan(pieces=(Piece(NOON + H, NOON + 2 * H, 10_000.0),))
    return PlanInForce(plan, NOON + 6 * H, now, 10.0)


def is_made_anew(need_kwh: float, now: datetime, required: timedelta = H) -> bool:
    return power_follow.is_due(in_force(), need_kwh=need_kwh, target=NOON + 6 * H, required=required, now=now)


@witness("planning.power_follow.TOLERANCE_KWH")
def test_plan_may_be_wrong_by_three_tenths_of_a_kilowatt_hour() -> None:
    assert not is_made_anew(10.29, NOON + 0.5 * H)
    assert is_made_anew(10.31, NOON + 0.5 * H)


@witness("planning.power_follow.PATIENCE")
def test_plan_is_not_made_anew_for_five_minutes() -> None:
    assert not is_made_anew(12.0, NOON + 299 * S)
    assert is_made_anew(12.0, NOON + 300 * S)


@witness("planning.power_follow.WAIT_MARGIN")
def test_sun_is_waited_for_until_a_quarter_of_an_hour_before_the_last_moment() -> None:
    def waits(now: datetime) -> bool:
        return power_follow.waits_for_sun(5000.0, sun_w=5000.0, required=H, target=NOON + 6 * H, now=now)

    assert waits(NOON + 4.75 * H)
    assert not waits(NOON + 4.75 * H + S)


def planned_bench(prices: tuple[float, ...], *, circuits: tuple[CircuitConfig, ...] = (), **values: Any) -> Bench:
    """A car that takes 6 kWh for ten percent, below its goal by that much, with an hour for each of ``prices``."""
    car = VehicleConfig(name="car", capacity_kwh=54.0, has_soc=True)
    own = loadpoint(vehicle="car", phases=3, circuit=circuits[0].name if circuits else None, **values)
    bench = Bench(site_config(own, vehicles=(car,), circuits=circuits, planner=Planner.OPTIMAL), grid_w=0.0)
    bench.box.status = ChargerStatus.B
    bench.vehicles = {"car": VehicleReading(soc_pct=Measured(50.0, 0 * S))}
    bench.tariffs[TariffKind.GRID] = Rates.of(
        Rate(NOON + n * H, NOON + (n + 1) * H, price) for n, price in enumerate(prices)
    )
    bench.at(0)
    bench.submit(ChangeVehicleSetting("car", "soc_target_pct", 60))
    bench.set("target_time", NOON + len(prices) * H)
    bench.at(1)
    return bench


def hour_of_plan(bench: Bench) -> int:
    start = bench.lp.plan.projected_start
    assert start is not None
    return int((start - NOON) // H)


@witness("planning.power_follow.WORTH", "deciding.power_plans.START_KWH")
def test_start_is_worth_a_tenth_of_a_kilowatt_hour_and_a_change_half_a_start() -> None:
    bench = planned_bench((0.4, 0.2, 0.4, 0.21, 0.4))
    assert hour_of_plan(bench) == 1
    mean = 0.32
    for saved, hour in ((0.45 * 0.1 * mean, 1), (0.56 * 0.1 * mean, 3)):
        prices = (0.4, 0.2, 0.4, 0.2 - saved / 6.0, 0.4)
        bench.tariffs[TariffKind.GRID] = Rates.of(
            Rate(NOON + n * H, NOON + (n + 1) * H, price) for n, price in enumerate(prices)
        )
        bench.at(bench.t / S + 10)
        assert hour_of_plan(bench) == hour


@witness("deciding.power_plans.LEARNED_AFTER", "deciding.power_plans.LEARNED_STEP")
def test_what_a_car_takes_of_all_is_learned_after_a_minute_and_from_two_percent_on() -> None:
    bench = planned_bench((0.2,))
    bench.set("target_time", NOON + 30 * 60 * S)
    bench.box.power_w = 9000.0
    run(bench, range(10, 60, 10))
    told_at = bench.lp.charger.current_changed_at
    assert told_at is not None and bench.lp.power_drawn_w == 0.0
    bench.t = told_at + 59 * S
    bench.step()
    assert bench.lp.power_drawn_w == 0.0
    bench.t = told_at + 60 * S
    bench.step()
    assert bench.lp.power_drawn_w == 9000.0
    for power_w, known_w in ((9170.0, 9000.0), (9190.0, 9190.0)):
        bench.box.power_w = power_w
        bench.t += 10 * S
        bench.step()
        assert bench.lp.power_drawn_w == known_w


@witness("planning.house_load.HOURS", "planning.house_load.SEEN", "planning.house_load.GAP")
def test_hour_of_the_week_tells_after_half_an_hour_of_five_minutes_at_most() -> None:
    load = house_load.learned((), 400.0, lasted=10 * H, at=NOON)
    assert (len(load), load[NOON.weekday() * 24 + NOON.hour].seen) == (7 * 24, timedelta(minutes=5))
    for _sample in range(4):
        load = house_load.learned(load, 400.0, lasted=timedelta(minutes=5), at=NOON)
    assert house_load.usual_w(load, NOON) is None
    assert house_load.usual_w(
        house_load.learned(load, 400.0, lasted=timedelta(minutes=5), at=NOON), NOON
    ) == pytest.approx(400.0)


@witness("planning.house_load.MEMORY", "planning.house_load.FADES")
def test_hour_of_the_week_remembers_four_of_its_hours_and_the_present_fades_in_an_hour() -> None:
    load = tuple([house_load.HourMean(0.0, timedelta(hours=9))] * (7 * 24))
    after = house_load.learned(load, 4800.0, lasted=timedelta(minutes=3), at=NOON)
    assert house_load.usual_w(after, NOON) == pytest.approx(4800.0 * 3 / 240)
    assert house_load.expected_w(load, 1000.0, now=NOON, at=NOON + H) == pytest.approx(367.9, abs=0.1)


@witness("deciding.power_plans.HOUSE_MEMORY")
def test_what_the_house_took_an_hour_ago_counts_a_third() -> None:
    bench = planned_bench((0.2,) * 6)
    run(bench, [10], house_w=0.0)
    bench.t = 3610 * S
    bench.grid_w = 1000.0
    bench.step()
    house = bench.site.state.house
    assert house is not None and house.value == pytest.approx(1000.0 * (1 - 0.3679), abs=1.0)


@witness("deciding.power_plans.QUARTER")
def test_whoever_plans_beside_others_has_quarters_of_an_hour() -> None:
    bench = planned_bench((0.2, 0.3))
    desk = begin(layout_of(bench.config, bench.site.state), bench.site.state, bench.site.state.readings, bench.now)
    wanted = wanted_of(desk.desks[0], Due(NOON + 2 * H))
    assert wanted is not None
    alone, beside = home_of(desk, [wanted]), home_of(desk, [wanted, wanted])
    assert alone is not None and beside is not None
    assert [len(home.slots) for home in (alone, beside)] == [2, 8]


@witness("planning.dues.ONE_TIME")
def test_what_comes_once_is_number_one() -> None:
    assert Due(NOON).number == 1


@witness("timetable.plans.WEEKLY_MAX")
def test_a_vehicle_has_twenty_weekly_plans_at_most() -> None:
    plan = WeeklyPlan((1,), time(7), "Europe/Berlin", 80)
    assert [flaw_of_weekly((plan,) * count) is None for count in (20, 21)] == [True, False]


@witness("pipeline.goals.FULL")
def test_who_is_planned_for_nearly_all_is_offered_all() -> None:
    for share, offered_a in ((0.975, 15.6), (0.985, 16.0)):
        bench = planned_bench((0.2,), current_step_a=0.1)
        plan = PowerPlan(pieces=(Piece(NOON, NOON + H, share * 11040),))
        bench.lp.power_plan = PlanInForce(plan, NOON + H, NOON, 6.0)
        bench.at(10)
        assert bench.box.offered_a == pytest.approx(offered_a)


@witness("pipeline.goals.MINUTE")
def test_what_is_missing_is_told_in_minutes() -> None:
    bench = planned_bench((0.2,))
    bench.set("target_time", NOON + 20 * 60 * S)
    bench.at(10)  # 33 minutes of charging in less than twenty
    assert bench.lp.reason.params["later_min"] == 13


# reason_history


@witness("reason_history.SPELLS_MAX")
def test_fifty_reasons_are_remembered() -> None:
    history: reason_history.History = ()
    codes = [ReasonCode.SURPLUS, ReasonCode.SURPLUS_MISSING, ReasonCode.MODE_NOW]
    for number in range(60):
        spell = Spell(Instant(number * 10 * S), Reason(codes[number % 3]), 0.0, 3, None)
        history = noted(history, spell)
        assert len(history) == min(number + 1, 50)
    assert history[0].since == 100 * S


@witness("reason_history.SWING_MAX")
def test_reasons_swing_that_hold_for_less_than_five_minutes() -> None:
    def history(lasts: timedelta) -> list[int]:
        found: reason_history.History = ()
        for number in range(6):
            code = ReasonCode.SURPLUS if number % 2 else ReasonCode.SURPLUS_MISSING
            found = noted(found, Spell(Instant(number * lasts), Reason(code), 0.0, 3, None))
        return [spell.turns for spell in found]

    assert history(299 * S) == [5, 1]
    assert history(300 * S) == [1, 1, 1, 1, 1, 1]


# allowed


@witness("allowed.INSTANT_MAX")
def test_clock_counts_from_100_000_days_ago_at_most() -> None:
    assert allowed.INSTANT.holds(timedelta(days=100_000))
    assert not allowed.INSTANT.holds(timedelta(days=100_001))


@witness("allowed.EARLIEST")
def test_time_begins_in_1970() -> None:
    assert allowed.TIME.holds(datetime(1970, 1, 1, tzinfo=UTC))
    assert not allowed.TIME.holds(datetime(1969, 12, 31, tzinfo=UTC))


@witness("allowed.LATEST")
def test_time_ends_with_2999() -> None:
    assert allowed.TIME.holds(datetime(2999, 12, 31, tzinfo=UTC))
    assert not allowed.TIME.holds(datetime(3000, 1, 1, tzinfo=UTC))


# balance


@witness("machines.balance.RESIDUAL_WHILE_BATTERY_FIRST_W")
def test_battery_that_comes_first_sees_100_w_of_export() -> None:
    found = balance.site_power(
        grid_w=0.0,
        battery_w=0.0,
        battery_soc_pct=10.0,
        aux_w=0.0,
        residual_power_w=0.0,
        priority_soc_pct=50.0,
        buffer_soc_pct=0.0,
        buffer_start_soc_pct=0.0,
        grid_supply_max_w=0.0,
    )
    assert found.power_w == 100.0


# hidden sun


def looks(
    state: HiddenSun, seconds: float, *, pv_w: float = 300.0, beyond_w: float = 0.0, room_w: float | None = 5000.0
) -> HiddenSun:
    """One look at a house of 300 W whose car could take 5 kW more, or waits for 1380 W."""
    start_w = 1380.0 if room_w is None else None
    return hidden_sun.looked(state, hidden_sun.Look(seconds * S, pv_w, beyond_w, room_w, start_w))


def hopes(**more: Any) -> HiddenSun:
    """Of an instant ago, unless said otherwise, and looked at then."""
    given: dict[str, Any] = {"hope_w": 300.0, "hoped_at": 0 * S, "at": 0 * S, "pv_w": 300.0, "load_w": 300.0}
    return HiddenSun(**given | more)


@witness("machines.hidden_sun.ABOUT_ZERO_W")
def test_grid_at_zero_may_be_forty_watts() -> None:
    assert looks(hopes(), 5, beyond_w=40.0).seen_at is None
    assert looks(hopes(), 5, beyond_w=40.1).seen_at == 5 * S


@witness("machines.hidden_sun.TRICKLE_W")
def test_trickle_is_sixty_watts() -> None:
    assert looks(hopes(), 5, beyond_w=45.0).hope_w == 360.0


@witness("machines.hidden_sun.PRODUCES_W")
def test_inverter_that_delivers_less_than_100_w_holds_nothing_back() -> None:
    dark, light = (looks(hopes(), 100, pv_w=pv_w, room_w=None).hope_w for pv_w in (99.9, 100.0))
    assert (dark, light) == (99.9, 100.0 + 1380.0 + 60.0)


@witness("machines.hidden_sun.MOVES_W")
def test_load_has_risen_by_more_than_fifty_watts() -> None:
    assert looks(hopes(), 5, pv_w=350.0).rose_at is None
    assert looks(hopes(), 5, pv_w=350.1).rose_at == 5 * S


@witness("machines.hidden_sun.FOLLOWS")
def test_inverter_has_ten_seconds_to_follow() -> None:
    late = hopes(rose_at=0 * S, load_w=800.0)
    assert looks(late, 9.9, beyond_w=500.0).seen_at is None
    assert looks(late, 10, beyond_w=500.0).seen_at == 10 * S


@witness("machines.hidden_sun.STEP_MAX_W")
def test_steps_grow_to_1920_w() -> None:
    assert looks(hopes(step_w=1500.0), 60).step_w == 1920.0
    assert looks(hopes(step_w=900.0), 60).step_w == 1800.0


@witness("machines.hidden_sun.STEP_WAIT")
def test_steps_are_fifteen_seconds_apart() -> None:
    assert [looks(hopes(), each).step_w for each in (14.9, 15)] == [0.0, 60.0]


@witness("machines.hidden_sun.START_WAIT")
def test_start_waits_150_s_once_all_the_sun_was_seen() -> None:
    waits = hopes(hoped_at=None, at=100 * S, seen_at=0 * S)
    assert [looks(waits, each, room_w=None).hope_w for each in (149.9, 150)] == [300.0, 1740.0]


@witness("machines.hidden_sun.PATIENCE_MAX")
def test_patience_doubles_eightfold_at_most() -> None:
    failing = hopes(is_trying=True, step_w=60.0, load_w=500.0)
    patience = [looks(failing._replace(patience=each), 5, beyond_w=200.0).patience for each in (3.0, 7.0)]
    assert patience == [6.0, 8.0]


@witness("machines.hidden_sun.BOUGHT_MAX_WH")
def test_hopes_may_buy_a_hundred_watt_hours_at_once_and_as_much_an_hour() -> None:
    assert [looks(hopes(bought_wh=each), 36).is_spent for each in (100.9, 101.1)] == [False, True]
    assert looks(hopes(bought_wh=50.0), 36).bought_wh == 49.0


@witness("machines.hidden_sun.RESUMED_PART")
def test_hopes_are_raised_again_when_half_is_worked_off() -> None:
    assert [looks(hopes(bought_wh=each, is_spent=True), 36).is_spent for each in (51.1, 50.9)] == [True, False]


@witness("machines.hidden_sun.SWITCHES")
def test_hope_outlives_an_open_contactor_by_a_minute() -> None:
    waits = hopes(hope_w=5000.0, seen_at=0 * S)
    assert [looks(waits, each, room_w=None).hope_w for each in (59.9, 60)] == [5000.0, 300.0]


@witness("machines.hidden_sun.FORGOTTEN")
def test_hope_that_nobody_has_looked_at_for_two_minutes_is_forgotten() -> None:
    old = hopes(hope_w=5000.0, seen_at=0 * S, patience=8.0, step_w=200.0)
    assert [looks(old, each).step_w for each in (119.9, 120, 120.1)] == [200.0, 400.0, 60.0]


# battery

HOLDS = [battery.Call(BatteryMode.HOLD, BatteryReason(BatteryCode.HELD_FAST))]


def told(mode: BatteryMode, *, failures: int = 0) -> battery.BatteryControl:
    """A battery that is in a mode, or has failed to come into it so many times, since the beginning."""
    known = None if failures else mode
    return battery.BatteryControl(
        mode, known, changed_at=0 * S, renewed_at=0 * S, failed_at=0 * S if failures else None, failures=failures
    )


def is_said(control: battery.BatteryControl, seconds: float) -> bool:
    return battery.say(control, expiry=1000 * S, instant=seconds * S)[1] is not None


@witness("machines.battery.REST")
def test_battery_stays_in_a_mode_for_three_minutes() -> None:
    control = told(BatteryMode.NORMAL)
    assert battery.choose(control, HOLDS, instant=179.9 * S).mode is BatteryMode.NORMAL
    assert battery.choose(control, HOLDS, instant=180 * S).mode is BatteryMode.HOLD


@witness("machines.battery.EXPIRY", "machines.battery.EXPIRY_TICKS")
def test_battery_mode_lasts_five_minutes_or_six_intervals() -> None:
    assert battery.expiry_of(10 * S) == 300 * S
    assert battery.expiry_of(100 * S) == 600 * S


@witness("machines.battery.RETRY", "machines.battery.FREE_RETRY_MAX", "machines.battery.RETRY_MAX")
def test_battery_is_told_again_after_10_s_and_then_every_minute_or_every_five() -> None:
    assert [is_said(told(BatteryMode.HOLD, failures=1), each) for each in (9.9, 10)] == [False, True]
    assert [is_said(told(BatteryMode.NORMAL, failures=20), each) for each in (59.9, 60)] == [False, True]
    assert [is_said(told(BatteryMode.HOLD, failures=20), each) for each in (299.9, 300)] == [False, True]


@witness("machines.battery.OVERRIDE_LASTS")
def test_what_somebody_else_says_of_a_battery_holds_for_a_minute() -> None:
    said = battery.override(BatteryMode.HOLD, 7 * S)
    assert said is not None
    assert said.until == 67 * S


@witness("machines.battery.OUTCOME_DUE")
def test_battery_answers_within_a_minute_or_never() -> None:
    control, _command = battery.say(told(BatteryMode.HOLD, failures=1), expiry=1000 * S, instant=100 * S)
    assert battery.forgotten(control, 0, 159.9 * S) is None
    assert battery.forgotten(control, 0, 160 * S) is not None


# charger

ON = ChargerState(is_adopted=True, is_certain=True, is_enabled=True, current_a=10.0, enable_changed_at=0 * S, phases=3)


@witness("machines.charger.SYNC_GRACE")
def test_report_may_lag_a_minute_behind() -> None:
    def after(seconds: float) -> Disagreement | None:
        report = Report(is_charging=False, is_enabled=Measured(False, seconds * S))
        return charger.sync(ON, report, instant=seconds * S).enabled_disagreement

    assert after(59.9) is None
    assert after(60) is not None


@witness("machines.charger.OFFER_TOLERANCE_A")
def test_reported_offer_may_be_half_an_ampere_higher() -> None:
    assert not charger.contradicts_current(ON, Report(True, offered_a=Measured(10.5, 90 * S)))
    assert charger.contradicts_current(ON, Report(True, offered_a=Measured(10.6, 90 * S)))


@witness("machines.charger.DRAWN_TOLERANCE_A")
def test_measured_current_may_be_an_ampere_higher() -> None:
    assert not charger.contradicts_current(ON, Report(True, drawn_a=Measured(11.0, 90 * S)))
    assert charger.contradicts_current(ON, Report(True, drawn_a=Measured(11.1, 90 * S)))


@witness("machines.charger.DRAWING_W")
def test_station_at_rest_may_take_230_w() -> None:
    def runs_unasked(power_w: float) -> bool:
        bench = Bench(site_config(loadpoint(mode=ChargeMode.OFF)))
        bench.box.status, bench.box.power_w = B, power_w
        bench.at(0)
        bench.at(70)
        return bench.lp.charger.runs_unasked

    assert not runs_unasked(230.0)
    assert runs_unasked(231.0)


@witness("machines.charger.PHASES_GRACE")
def test_wrong_phases_must_be_reported_for_five_minutes() -> None:
    state = ON._replace(phases_disagreement=Disagreement(since=0 * S))
    assert not charger.may_switch_again(state, 299.9 * S)
    assert charger.may_switch_again(state, 300 * S)


@witness("machines.charger.SWITCH_RETRY", "machines.charger.SWITCH_TRIES")
def test_third_refused_switch_of_phases_has_a_rest_of_five_minutes() -> None:
    state = ON._replace(phases_refused_at=0 * S)
    assert charger.switch_retry_at(state._replace(phases_refusals=2)) is None
    assert charger.switch_retry_at(state._replace(phases_refusals=3)) == 300 * S


@witness("machines.charger.COMMAND_RETRY", "machines.charger.RAISE_RETRY_MAX", "machines.charger.LOWER_RETRY_MAX")
def test_refused_command_waits_for_10_s_and_then_for_30_s_or_five_minutes() -> None:
    state = ON._replace(refused_at=0 * S)
    assert charger.retried_at(state._replace(refusals=1), (Enable(),)) == 10 * S
    assert charger.retried_at(state._replace(refusals=9), (Enable(),)) == 300 * S
    assert charger.retried_at(state._replace(refusals=9, is_lowering_refused=True), (Disable(),)) == 30 * S


@witness("machines.charger.UNHEARD_RETRY", "machines.charger.UNHEARD_RETRY_MAX")
def test_silent_charger_is_told_again_after_10_s_up_to_a_minute() -> None:
    state = ON._replace(unheard_at=0 * S)
    assert charger.unheard_retry_at(state._replace(unheard_tries=1)) == 10 * S
    assert charger.unheard_retry_at(state._replace(unheard_tries=9)) == 60 * S


@witness("machines.charger.COARSE_STEP_A")
def test_coarse_vehicle_is_offered_whole_amperes() -> None:
    car = VehicleConfig(name="car", features=frozenset({VehicleFeature.COARSE_CURRENT}))
    bench = Bench(
        site_config(
            loadpoint(mode=ChargeMode.NOW, current_step_a=0.1, current_max_a=11.7, vehicle="car"), vehicles=(car,)
        )
    )
    bench.box.status = B
    bench.at(0)
    assert bench.box.offered_a == 11.0


# doors


@witness("pipeline.check_config.DAY_S")
def test_interval_is_a_day_at_most() -> None:
    Site(site_config(interval=86_400 * S), now=Now(0 * S, NOON))
    with pytest.raises(InvalidConfig):
        Site(site_config(interval=86_400.5 * S), now=Now(0 * S, NOON))


@witness("pipeline.check_state.NUMBER_MAX")
def test_no_number_of_a_state_is_above_a_million_millions() -> None:
    assert check_state.ANY_NUMBER.holds(1e12)
    assert not check_state.ANY_NUMBER.holds(1.1e12)


@witness("pipeline.check_state.COUNT_MAX")
def test_nothing_is_counted_above_a_thousand_millions() -> None:
    assert check_state.ANY_INTEGER.holds(10**9)
    assert not check_state.ANY_INTEGER.holds(10**9 + 1)


@witness("errors._SAID_MAX")
def test_a_refusal_says_the_first_80_characters_of_what_a_client_has_sent() -> None:
    assert str(InvalidSetting("mode", "x" * 81, "off", "invalid value")).startswith(f"invalid value: {'x' * 80}... (")
    assert str(InvalidSetting("mode", "x" * 80, "off", "invalid value")).startswith(f"invalid value: {'x' * 80} (")


@witness("errors._SHOWN_MAX")
def test_sentence_shows_sixty_letters_of_a_text() -> None:
    assert errors.shown("x" * 60) == repr("x" * 60)
    assert errors.shown("x" * 61) == f"{'x' * 60!r}..."


@witness("measured.NUMBER_MAX", "measured._SQUARE_MAX")
def test_reading_is_a_thousand_millions_at_most() -> None:
    assert MeterReading(power_w=Measured(1e9, 0 * S))
    assert measured.is_number(Measured(1e9, 0 * S))
    assert measured.NUMBER.holds(1e9)
    assert not measured.is_number(Measured(1.1e9, 0 * S))
    with pytest.raises(InvalidReadings):
        MeterReading(power_w=Measured(1.1e9, 0 * S))


@witness("machines.plausible.SOC_PCT")
def test_soc_is_between_0_and_100() -> None:
    assert [plausible.is_soc(each) for each in (-0.1, 0.0, 100.0, 100.1)] == [False, True, True, False]


@witness("tariff.PRICE_MAX")
def test_price_is_a_thousand_millions_at_most() -> None:
    Rates((Rate(NOON, NOON + H, 1e9),))
    with pytest.raises(InvalidReadings):
        Rates((Rate(NOON, NOON + H, 1.1e9),))


@witness("pipeline.snapshot.VERSION", "units.TICK")
def test_state_is_written_as_version_2_in_microseconds() -> None:
    exported = Bench(site_config(loadpoint(enable_delay=60 * S))).site.export(now=Now(0 * S, NOON))
    assert exported["version"] == 2
    assert '"enable_delay": 60000000' in json.dumps(exported)


@witness("pipeline.snapshot._TICKS_MAX")
def test_state_holds_no_time_of_more_than_100_000_days() -> None:
    site = Bench(site_config(loadpoint(enable_delay=60 * S))).site
    text = json.dumps(site.export(now=Now(0 * S, NOON)))

    def restore(ticks: int) -> None:
        data = json.loads(text.replace('"enable_delay": 60000000', f'"enable_delay": {ticks}'))
        Site.restore(site.config, data, now=Now(0 * S, NOON))

    with pytest.raises(IncompatibleState, match="a timedelta") as within:
        restore(8_640_000_000_000_000)
    with pytest.raises(IncompatibleState, match="whole microseconds") as beyond:
        restore(8_640_000_000_000_001)
    assert str(within.value) != str(beyond.value)


# fixed tariff


@witness("fixed_tariff.DAYS_AHEAD")
def test_fixed_tariff_is_known_for_seven_days() -> None:
    rates = fixed_tariff.fixed_tariff(0.3).rates(NOON, UTC).rates
    assert rates[-1].end - rates[0].start == timedelta(days=7)


@witness("fixed_tariff.END_OF_DAY")
def test_day_has_1440_minutes() -> None:
    assert fixed_tariff.Zone(price=0.1, end_minute=1440).holds(0, 1439)
    with pytest.raises(InvalidConfig):
        fixed_tariff.Zone(price=0.1, end_minute=1441)


@witness("fixed_tariff.WHOLE_WEEK")
def test_zone_without_weekdays_holds_on_all_seven() -> None:
    assert all(fixed_tariff.Zone(price=0.1).holds(weekday, 0) for weekday in range(7))


@witness("fixed_tariff.WHOLE_YEAR")
def test_zone_without_months_holds_in_all_twelve() -> None:
    assert all(fixed_tariff.Zone(price=0.1).holds(0, 0, month) for month in range(1, 13))


# limits


def grid_of(bench: Bench, current_a: float) -> None:
    power_w = 3 * 230.0 * current_a
    bench.grid = MeterReading(power_w=Measured(power_w, bench.t), currents_a=Measured((current_a,) * 3, bench.t))


def house(limit_a: float = 20.0) -> Bench:
    """A car charges with 16 A on three phases below a limit that is measured at the grid, and has done so for a minute."""
    circuit = CircuitConfig(name="house", current_max_a=limit_a, uses_grid_meter=True)
    bench = Bench(site_config(loadpoint(mode=ChargeMode.NOW, phases=3, circuit="house"), circuits=(circuit,)))
    bench.box.status, bench.box.shows_currents = B, True
    for second in (0, 10, 20, 30, 40, 50):
        bench.t = second * S
        grid_of(bench, 3.0 + bench.currents(bench.box)[0])
        bench.step()
    assert bench.box.offered_a == 16.0
    return bench


@witness("pipeline.circuit_loads.METER_LAG")
def test_meter_may_lag_three_seconds_behind_a_car_that_has_obeyed_after_five() -> None:
    bench = house()
    bench.t, bench.box.currents_a = 60 * S, (16.0, 16.0, 16.0)
    grid_of(bench, 28.0)
    assert bench.step() == (SetCurrent(8.0),)
    bench.t, bench.box.currents_a = 67.9 * S, (8.0, 8.0, 8.0)
    grid_of(bench, 22.0)  # the house, or what is left of the 16 A
    assert bench.step() == ()
    bench.t = 68 * S
    grid_of(bench, 22.0)  # the house
    assert bench.step() == (SetCurrent(6.0),)


@witness("pipeline.circuit_loads.ROUND")
def test_samples_of_one_round_are_half_a_second_apart_at_most() -> None:
    def commands(age_s: float) -> tuple[object, ...]:
        """The car takes 6 of 16 A, and the station was asked so long before the grid meter."""
        bench = house()
        bench.box.currents_a = (6.0, 6.0, 6.0)
        bench.t = 60 * S
        grid_of(bench, 9.0)
        bench.step()
        bench.t = 70 * S
        grid_of(bench, 20.0)
        then = bench.t - age_s * S
        bench.box.extra = {"power_w": Measured(4140.0, then), "currents_a": Measured((6.0, 6.0, 6.0), then)}
        return bench.step()

    assert commands(0.45) == (SetCurrent(6.0),)  # the house takes 14 A
    assert commands(0.55) == ()  # or 4 A, and the car has begun to take all


def at_volts(voltage_v: float | None, *later: float) -> float | None:
    """The voltage that limits count with at the end: ``voltage_v`` is shown at first, and none ``later`` [s]."""
    circuit = CircuitConfig(name="house", current_max_a=20.0, uses_grid_meter=True)
    bench = Bench(site_config(loadpoint(circuit="house"), circuits=(circuit,)))
    for second, shown_v in ((0.0, voltage_v), *((each, None) for each in later)):
        bench.t = second * S
        voltages = ABSENT if shown_v is None else Measured((shown_v, shown_v, shown_v), bench.t)
        bench.grid = MeterReading(power_w=Measured(0.0, bench.t), voltages_v=voltages)
        bench.step()
    voltage = bench.site.state.voltage
    return None if voltage is None else voltage.value


@witness("pipeline.circuit_loads.VOLTAGE_SHARE_MAX")
def test_voltage_of_a_phase_is_15_percent_too_high_at_most() -> None:
    assert at_volts(264.4) == 264.4
    assert at_volts(264.6) is None


@witness("pipeline.circuit_loads.VOLTAGE_HELD")
def test_highest_voltage_counts_for_five_minutes() -> None:
    assert at_volts(250.0, 299.9) == 250.0
    assert at_volts(250.0, 300.0) is None


@witness("pipeline.circuit_loads.SAMPLES_KEPT")
def test_four_samples_of_a_car_are_kept() -> None:
    bench = house()
    assert [each.sampled_at for each in bench.lp.drawn] == [20 * S, 30 * S, 40 * S, 50 * S]


# loadpoint


@witness("pipeline.observe_loadpoint.NEGATIVE_POWER_W")
def test_station_whose_power_is_below_minus_one_watt_is_wired_the_wrong_way_round() -> None:
    def warns(power_w: float) -> bool:
        bench = Bench(site_config())
        bench.box.power_w = power_w
        bench.at(0)
        return any(each.code is WarningCode.NEGATIVE_CHARGE_POWER for each in bench.found(Warned))

    assert not warns(-1.0)
    assert warns(-1.1)


@witness("pipeline.observe_loadpoint.OUTCOME_DUE")
def test_outcome_is_missed_after_a_minute() -> None:
    bench = Bench(site_config(loadpoint(mode=ChargeMode.NOW)))
    bench.box.status, bench.answers_at_once = B, False
    bench.at(0)
    bench.at(59.9)
    assert not any(each.code is WarningCode.OUTCOME_MISSING for each in bench.found(Warned))
    bench.at(60)
    assert any(each.code is WarningCode.OUTCOME_MISSING for each in bench.found(Warned))


# meter ledger


def counted(
    state: LedgerState,
    counter_kwh: float | None,
    *,
    sampled: float,
    at: float | None = None,
    power_w: float | None = None,
) -> LedgerState:
    now = sampled if at is None else at
    return meter_ledger.step(
        state,
        counter=ABSENT if counter_kwh is None else Measured(counter_kwh, sampled * S),
        power_w=power_w,
        is_charging=power_w is not None,
        now=now * S,
    )


@witness("machines.plausible.COUNTER_STEP_KWH")
def test_counter_may_show_whole_kilowatt_hours_only() -> None:
    before = counted(LedgerState(), 100.0, sampled=0)
    assert counted(before, 101.0, sampled=0.1).total_kwh == pytest.approx(1.0)
    assert counted(before, 101.01, sampled=0.1).total_kwh == 0.0


@witness("ledger.meter_ledger.IDLE_STRIDE")
def test_counter_that_stands_still_is_noted_every_five_minutes() -> None:
    before = counted(counted(LedgerState(), 100.0, sampled=0), 100.0, sampled=10)
    assert counted(before, 100.0, sampled=309) is before
    assert counted(before, 100.0, sampled=310).reach_at == 310 * S


@witness("ledger.meter_ledger.JITTER_KWH")
def test_counter_may_fall_by_ten_watt_hours() -> None:
    assert meter_ledger.believes(LedgerState(counter_kwh=100.0), 99.991)
    assert not meter_ledger.believes(LedgerState(counter_kwh=100.0), 99.989)


@witness("machines.plausible.CHARGE_POWER_MAX_W", "machines.plausible.COUNTER_SLACK")
def test_counter_that_started_again_counts_what_half_as_much_again_as_22_kw_could_have_charged() -> None:
    before = counted(LedgerState(), 500.0, sampled=0)
    assert counted(before, 33.12, sampled=3600).total_kwh == pytest.approx(33.12)
    assert counted(before, 33.13, sampled=3600).total_kwh == 0.0


@witness("ledger.meter_ledger.COUNTER_AGE_MAX")
def test_counter_is_silent_after_five_minutes() -> None:
    before = LedgerState(counter_kwh=100.0)
    assert counted(before, 101.0, sampled=0, at=300).counter_kwh == 101.0
    assert counted(before, 101.0, sampled=0, at=300.1).counter_kwh == 100.0


@witness("ledger.meter_ledger.HELD_MAX")
def test_power_is_held_for_an_hour_at_most() -> None:
    before = counted(LedgerState(), None, sampled=0, power_w=1000.0)
    assert counted(before, None, sampled=3600, power_w=1000.0).total_kwh == pytest.approx(1.0)
    assert counted(before, None, sampled=3601, power_w=1000.0).total_kwh == 0.0


@witness("ledger.meter_ledger.REPLACED_AFTER")
def test_counter_out_of_reach_for_a_minute_is_a_new_one() -> None:
    before = counted(counted(LedgerState(), 100.0, sampled=0), 5000.0, sampled=10)
    assert counted(before, 5000.0, sampled=69.9).counter_kwh == 100.0
    assert counted(before, 5000.0, sampled=70).counter_kwh == 5000.0


# rounding


def heard(*pairs: tuple[float, float]) -> float:
    """The step that is known after so many commands [A]."""
    state = rounding.UNKNOWN
    for number, (told_a, shown_a) in enumerate(pairs):
        state = rounding.hear(
            state, told_a=told_a, shown_a=shown_a, told_at=number * 10 * S, is_settled=False, configured_a=0.001
        )
    return state.step_a


@witness("machines.rounding.STEPS_A")
def test_steps_are_two_amperes_or_parts_of_one() -> None:
    assert heard((7.9, 6.0), (9.8, 8.0), (9.0, 8.0)) == 2.0
    assert heard((7.1, 6.6), (7.7, 7.2), (8.0, 7.8)) == 0.6
    assert heard((7.19, 7.1), (7.39, 7.3), (7.52, 7.5)) == 0.1
    assert heard((7.03, 7.0), (7.29, 7.25), (7.54, 7.5)) == 0.0


@witness("machines.rounding.HEARD_MIN")
def test_step_is_known_after_three_commands() -> None:
    assert heard((7.9, 7.0), (8.8, 8.0)) == 0.0
    assert heard((7.9, 7.0), (8.8, 8.0), (8.3, 8.0)) == 1.0


@witness("machines.rounding.HEARD_MAX")
def test_eight_commands_later_a_current_that_was_not_rounded_is_forgotten() -> None:
    rounded = [(7.9, 7.0), (8.8, 8.0), (8.3, 8.0), (7.2, 7.0)] * 2
    assert heard((8.43, 8.43), *rounded[:7]) == 0.0
    assert heard((8.43, 8.43), *rounded) == 1.0


@witness("machines.rounding.EXACT_A")
def test_read_back_is_as_exact_as_ten_milliamperes() -> None:
    assert heard((7.9, 7.009), (8.8, 8.0), (8.3, 8.0)) == 1.0
    assert heard((7.9, 7.011), (8.8, 8.0), (8.3, 8.0)) == 0.0


# observation


@witness("pipeline.observe_site.PV_SIGN_W")
def test_inverter_that_takes_more_than_500_w_is_wired_the_wrong_way_round() -> None:
    def warns(power_w: float) -> bool:
        bench = Bench(site_config(pv_count=1))
        bench.pv_w = [power_w]
        bench.at(0)
        return any(each.code is WarningCode.PV_SIGN for each in bench.found(Warned))

    assert not warns(-500.0)
    assert warns(-501.0)


# phases


@witness("machines.phases.UNKNOWN_PHASES")
def test_unknown_phases_are_three() -> None:
    assert phases.active_phases(vehicle=0, physical=0, measured=0) == 3


@witness("machines.phases.ACTIVE_CURRENT_A")
def test_phase_with_more_than_an_ampere_is_in_use() -> None:
    assert phases.phases_in_use((1.1, 1.0, 0.9)) == 1


@witness("machines.phases.ACTIVE_VOLTAGE_V")
def test_phase_with_207_v_is_connected() -> None:
    assert phases.phases_with_voltage((207.0, 207.0, 206.9)) == 3
    assert phases.phases_with_voltage((207.0, 206.9, 206.9)) == 1


@witness("machines.phases.POWER_TOLERANCE")
def test_power_of_a_phase_may_be_15_percent_higher() -> None:
    assert phases.phases_of_power(4460.0, 16.0, 230.0) == 1  # (16 A * 1.15 + 1 A) * 230 V = 4462 W
    assert phases.phases_of_power(4465.0, 16.0, 230.0) == 2


@witness("machines.phases.REST_SHARE")
def test_tenth_of_the_power_is_no_current_in_another_phase() -> None:
    assert phases.with_rest((10.0, NAN, NAN), 2550.0, 230.0) == (10.0, 0.0, 0.0)
    assert phases.with_rest((10.0, NAN, NAN), 2760.0, 230.0) == (10.0, 1.0, 1.0)


@witness("machines.phases.SETTLING")
def test_switch_of_phases_settles_for_a_minute() -> None:
    assert phases.widening_wait(0 * S, 0 * S) == 60 * S
    bench = Bench(site_config(loadpoint(can_switch_phases=True, mode=ChargeMode.NOW)))
    bench.box.status, bench.box.currents_a = C, (10.0, 0.0, 0.0)  # the car takes a moment to find the other phases
    bench.at(0)
    bench.lp.charger = bench.lp.charger._replace(phases=3, phases_switched_at=0 * S)
    bench.at(59)
    assert bench.lp.measured_phases == 0
    bench.at(60)
    assert bench.lp.measured_phases == 1


@witness("machines.phases.IDLE_DELAY_MIN", "machines.phases.IDLE_FREE", "machines.phases.IDLE_DOUBLINGS")
def test_third_switch_in_vain_waits_for_a_minute_and_every_next_one_twice_as_long_up_to_32_minutes() -> None:
    waits = [phases.patience(0 * S, is_charging=False, idle_switches=count) / S for count in range(10)]
    assert waits == [0, 0, 60, 120, 240, 480, 960, 1920, 1920, 1920]


# plans


def is_planned(now: datetime, *slots: Rate, required: timedelta, is_active: bool) -> bool:
    before = PlanState(is_active=is_active, slot_end=NOON if is_active else None)
    target = NOON + 20 * H
    return plan_follow.step(before, Plan(slots), required=required, target=target, now=now, holds_full=False).is_active


@witness("planning.plan_follow.SMALL_SLOT")
def test_ten_minutes_of_a_slot_are_worth_a_start() -> None:
    slots = Rate(NOON, NOON + H, 0.1), Rate(NOON + 5 * H, NOON + 6 * H, 0.1)
    assert is_planned(NOON + 50 * 60 * S, *slots, required=H, is_active=False)
    assert not is_planned(NOON + 50.1 * 60 * S, *slots, required=H, is_active=False)


@witness("planning.plan_follow.SLOT_LENGTH")
def test_gap_or_rest_of_less_than_an_hour_is_no_interruption() -> None:
    later = Rate(NOON + 5 * H, NOON + 6 * H, 0.1)
    assert is_planned(NOON + 4 * H + S, later, required=2 * H, is_active=True)
    assert not is_planned(NOON + 4 * H, later, required=2 * H, is_active=True)
    assert is_planned(NOON, later, required=H - S, is_active=True)
    assert not is_planned(NOON, later, required=H, is_active=True)


# polling


def asks(at: float, state: PollState, *, must_retry: bool = False, is_charging: bool = False, **values: object) -> bool:
    _, read = asking.step(
        state,
        vehicle="car",
        reading=VehicleReading(must_retry=must_retry),
        now=at * S,
        config=PollConfig(**values),  # type: ignore[arg-type]  # by name
        is_connected=True,
        is_charging=is_charging,
    )
    return read is not None


@witness("machines.asking.CACHE")
def test_charging_vehicle_is_asked_every_quarter_of_an_hour() -> None:
    assert not asks(899, PollState(asked_at=0 * S), is_charging=True)
    assert asks(900, PollState(asked_at=0 * S), is_charging=True)


@witness("machines.asking.RETRY")
def test_vehicle_that_wants_to_be_asked_again_is_so_after_five_seconds() -> None:
    assert not asks(4.9, PollState(asked_at=0 * S), must_retry=True)
    assert asks(5, PollState(asked_at=0 * S), must_retry=True)


@witness("machines.asking.BURST")
def test_six_wishes_in_a_row_are_granted() -> None:
    assert asks(0, PollState(paid_until=5 * 900 * S))
    assert not asks(0, PollState(paid_until=5 * 900 * S + S))


@witness("machines.asking.DEFAULT_INTERVAL")
def test_without_an_interval_a_vehicle_is_asked_every_hour() -> None:
    state = PollState(asked_at=0 * S)
    assert not asks(3599, state, mode=PollMode.ALWAYS, interval=0 * S)
    assert asks(3600, state, mode=PollMode.ALWAYS, interval=0 * S)


# readback


@witness(
    "machines.readback.WAIT",
    "machines.readback.WAIT_MAX",
    "machines.readback.URGENT_WAIT",
    "machines.readback.URGENT_WAIT_MAX",
)
def test_it_is_told_again_after_five_minutes_up_to_an_hour_and_if_urgent_after_one_up_to_ten() -> None:
    told = Disagreement(since=0 * S, told_at=0 * S, repeats=1)
    assert told.next_at == 300 * S
    assert told._replace(repeats=9).next_at == 3600 * S
    assert told._replace(is_urgent=True).next_at == 60 * S
    assert told._replace(is_urgent=True, repeats=9).next_at == 600 * S


@witness("machines.readback.MEMORY")
def test_report_is_trusted_again_after_two_hours() -> None:
    before = Disagreement(since=0 * S, agreed_at=0 * S)
    assert readback.agreed(before, instant=7199 * S) is before
    assert readback.agreed(before, instant=7200 * S) is None


# savings


def saved(at: float, before: SavingsState, share: float | None = 1.0) -> SavingsState:
    return savings.step(
        before,
        now=Now(at * S, NOON + at * S),
        charge_power_w=1000.0,
        green_share=share,
        grid_price=None,
        feed_in_price=None,
    )


@witness("ledger.savings.DEFAULT_GRID_PRICE", "ledger.savings.DEFAULT_FEED_IN_PRICE")
def test_unknown_prices_are_30_and_8_cents() -> None:
    bought = savings.view(saved(0, SavingsState(since=NOON), 0.0), now=Now(H, NOON + H), grid_price=None)
    assert (bought.total_charged_kwh, bought.effective_price) == pytest.approx((1.0, 0.30))
    own = savings.view(saved(0, SavingsState(since=NOON), 1.0), now=Now(H, NOON + H), grid_price=None)
    assert (own.effective_price, own.amount) == pytest.approx((0.08, 0.22))
    assert SavingsState(since=NOON).grid_price == 0.30
    assert SavingsState(since=NOON).feed_in_price == 0.08


@witness("ledger.savings.GAP_MAX", "ledger.savings.HELD_MAX")
def test_what_is_charged_is_written_every_quarter_of_an_hour_and_lost_after_an_hour_and_a_quarter() -> None:
    before = saved(0, SavingsState(since=NOON))
    assert saved(899, before) is before
    assert saved(900, before).self_kwh == pytest.approx(0.25)
    assert saved(4500, before).self_kwh == pytest.approx(1.25)
    assert saved(4501, before).self_kwh == 0.0


# site, views, wake, wakeup


@witness("machines.rousing.NOT_DRAWING_AFTER")
def test_vehicle_that_has_not_begun_after_a_minute_seems_full() -> None:
    bench = Bench(site_config(loadpoint(mode=ChargeMode.NOW)))
    bench.box.status, bench.box.starts = B, False
    bench.at(0)
    bench.at(59)
    assert bench.lp.reason.code is not ReasonCode.VEHICLE_FULL
    bench.at(60)
    assert bench.lp.reason.code is ReasonCode.VEHICLE_FULL


def test_it_looks_again_on_the_tick_after_a_sample_has_become_too_old() -> None:
    bench = Bench(site_config())
    bench.at(0)
    bench.at(10)
    assert bench.decision is not None
    assert bench.decision.wake_at == 50 * S  # at 40 s it is just not too old


@witness("pipeline.viewing.HEALTHY_FOR")
def test_site_is_healthy_for_a_minute_and_an_interval_after_its_last_success() -> None:
    bench = Bench(site_config())
    bench.at(0)
    bench.t = 69.9 * S
    assert bench.site.view(now=bench.now).is_healthy
    bench.t = 70 * S
    assert not bench.site.view(now=bench.now).is_healthy


@witness("machines.rousing.WAKE_DELAY")
def test_vehicle_that_does_not_begin_is_woken_after_half_a_minute() -> None:
    def is_due(seconds: float) -> bool:
        return rousing.is_due(0 * S, seconds * S, is_enabled=True, is_waiting=True, soc_pct=None, soc_target_pct=100)

    assert not is_due(29.9)
    assert is_due(30)


# soc

CAR = EstimatorConfig(capacity_kwh=90.0)


def looked(state: SocState, soc_pct: float, energy_kwh: float, car: EstimatorConfig = CAR) -> SocState:
    reading = Measured(soc_pct, 0 * S)
    return soc.step(
        state, charger_soc=ABSENT, vehicle_soc=reading, energy_kwh=energy_kwh, config=car, instant=Instant(0 * S)
    )


@witness("machines.soc.CHARGE_EFFICIENCY", "machines.soc.FULL_PCT")
def test_tenth_of_what_is_charged_is_lost() -> None:
    assert soc.gradient_kwh_per_pct(SocState(), CAR) == pytest.approx(1.0)
    assert soc.effective_target_pct(0) == 100.0


@witness("machines.soc.GRADIENT_RISE_PCT")
def test_gradient_is_learned_from_a_rise_of_more_than_ten_percent() -> None:
    before = looked(SocState(), 20.0, 0.0)
    assert looked(before, 30.0, 9.5).kwh_per_pct is None
    assert looked(before, 30.1, 9.5).kwh_per_pct == pytest.approx(9.5 / 10.1)


@witness("machines.soc.EFFICIENCY_MIN")
def test_learned_loss_is_half_at_most() -> None:
    assert looked(looked(SocState(), 20.0, 0.0), 40.0, 80.0).kwh_per_pct == pytest.approx(1.8)


@witness("machines.soc.MOVED_PCT")
def test_soc_moves_by_two_percent() -> None:
    before = looked(SocState(), 50.0, 0.0)
    assert looked(before, 51.9, 1.0).moved_pct == 50.0
    assert looked(before, 52.0, 1.0).moved_pct == 52.0


@witness("machines.soc.UNMOVED_SHARE", "machines.soc.UNMOVED_KWH")
def test_soc_that_stands_while_a_tenth_of_the_battery_or_10_kwh_are_charged_is_doubted() -> None:
    small = EstimatorConfig(capacity_kwh=36.0, estimates=False)
    state = looked(SocState(), 50.0, 0.0, small)
    assert not soc.is_doubted(state, 3.99, small)
    assert soc.is_doubted(state, 4.01, small)
    unknown = EstimatorConfig(capacity_kwh=0.0)
    assert not soc.is_doubted(state, 10.0, unknown)
    assert soc.is_doubted(state, 10.01, unknown)


@witness("machines.soc.RISE_SLACK_PCT", "machines.soc.RISE_SLACK", "machines.soc.BELIEVED_AFTER")
def test_answer_may_be_five_percent_and_a_fifth_above_what_was_charged_or_stand_for_half_an_hour() -> None:
    car = EstimatorConfig(capacity_kwh=50.0)
    first = looked(looked(SocState(), 40.0, 0.0, car), 42.0, 1.0, car)
    assert [looked(first, soc_pct, 2.5, car).odd_since is None for soc_pct in (51.0, 51.1)] == [True, False]
    assert [looked(first, soc_pct, 5.0, car).odd_since is None for soc_pct in (57.0, 57.1)] == [True, False]
    odd = looked(first, 60.0, 1.0, car)
    assert soc.next_change(odd, Instant(0 * S)) == 1800 * S
    later = [
        soc.step(
            odd,
            charger_soc=ABSENT,
            vehicle_soc=Measured(60.0, Instant(0 * S)),
            energy_kwh=1.0,
            config=car,
            instant=Instant(seconds * S),
        ).soc_pct
        for seconds in (1799, 1800)
    ]
    assert later == [42.0, 60.0]


@witness("machines.soc.POWER_MIN_W")
def test_less_than_a_watt_charges_nothing() -> None:
    state = SocState(soc_pct=50.0)
    assert soc.remaining_duration(state, 51.0, 1.0, CAR) is not None
    assert soc.remaining_duration(state, 51.0, 0.9, CAR) is None


@witness("machines.soc.PROGRESS_STEP_PCT")
def test_progress_is_told_every_ten_percent() -> None:
    assert soc.progress(10.0, 10.0) == 20.0
    assert soc.progress(10.0, 35.0) == 40.0


# surplus


def steadied(target_a: float, *, charges: bool, for_s: float = 0.0) -> float:
    return surplus.steady(
        target_a,
        offered_a=10.0,
        unchanged_for=for_s * S,
        is_charging=charges,
        is_exporting=True,
        current_min_a=6.0,
        current_max_a=16.0,
    )


@witness("machines.surplus.CURRENT_SLACK_A")
def test_vehicle_that_takes_less_is_followed_at_two_amperes() -> None:
    found = surplus.effective_current(is_charging=True, currents_a=(8.0, 8.0, 8.0), current_offered_a=16.0)
    assert found == 10.0


@witness("machines.surplus.DEAD_BAND_A")
def test_less_than_a_tenth_of_an_ampere_is_not_worth_a_command() -> None:
    assert steadied(10.09, charges=True) == 10.0
    assert steadied(10.11, charges=True) == 10.11


@witness("machines.surplus.IDLE_BAND_A", "machines.surplus.IDLE_REST")
def test_vehicle_that_does_not_draw_is_told_two_amperes_and_less_only_after_five_minutes() -> None:
    assert steadied(11.9, charges=False) == 10.0
    assert steadied(12.0, charges=False) == 12.0
    assert steadied(7.0, charges=False, for_s=299.9) == 10.0
    assert steadied(7.0, charges=False, for_s=300) == 7.0


# units


@witness("units.SECOND", "units.HOUR", "units.ZERO")
def test_units_are_what_they_are_called() -> None:
    assert units.whole_seconds(timedelta(seconds=2.6)) == timedelta(seconds=3)
    assert units.energy_kwh(1000.0, timedelta(minutes=60)) == 1.0
    assert planner.duration_at(0.0, 1000.0) == timedelta(seconds=0)


# unmetered


@witness("machines.unmetered.HYPOTHESES")
def test_vehicle_may_take_nothing_or_all_of_any_offer() -> None:
    found = unmetered.powers(Offered(40.0, 3), 230.0)
    assert (min(found), max(found)) == (0.0, 27_600.0)


def learned(change_w: float) -> unmetered.Doubts:
    """What is known after an offer of 16 A on three phases has changed the load so."""
    return unmetered.learn(
        (), Offered(0.0, 3), Offered(16.0, 3), seen_least_w=change_w, seen_most_w=change_w, voltage_v=230.0
    )


@witness("machines.unmetered.DOUBT_MAX_W")
def test_no_observation_raises_more_than_3000_w_of_doubt() -> None:
    assert max(learned(11_040.0)) == 3000.0


@witness("machines.unmetered.BELIEVED_W")
def test_hypotheses_that_differ_by_less_than_200_w_are_both_believed() -> None:
    def least_w(change_w: float) -> float:
        """The truth lies between 9 A (6210 W) and 10 A (6900 W)."""
        return unmetered.taken(learned(change_w), Offered(16.0, 3), 230.0).least_w

    assert least_w(6650.0) == 6210.0  # in doubt by 440 - 250 = 190 W more than the best
    assert least_w(6660.0) == 6900.0  # by 450 - 240 = 210 W


@witness("machines.unmetered.FOLLOWED_SHARE")
def test_who_has_taken_half_of_it_away_has_followed() -> None:
    assert unmetered.has_followed(-100.0, -200.0)
    assert not unmetered.has_followed(-90.0, -200.0)


@witness("machines.unmetered.CHARGING_A")
def test_vehicle_that_says_that_it_charges_is_likely_to_take_six_amperes() -> None:
    assert unmetered.taken(learned(0.0), Offered(16.0, 3), 230.0).likely_w == 1380.0


@witness("machines.unmetered.ROUNDING_A")
def test_limit_counts_on_half_an_ampere_less_than_was_learned() -> None:
    offered = Offered(16.0, 3)
    seen = Watch(offered=offered, settles_at=0 * S, lowest_a=16.0, before=offered)
    assert unmetered.surely_taken(learned(6900.0), seen, 60 * S, 230.0) == pytest.approx(3 * 230.0 * 9.5)


@witness("machines.unmetered.SHOWN_AFTER", "machines.unmetered.BEGUN_AFTER")
def test_change_of_an_offer_shows_after_8_s_and_a_start_after_30_s() -> None:
    assert unmetered.watch(Watch(offered=Offered(10.0, 3)), Offered(8.0, 3), 100 * S).settles_at == 108 * S
    assert unmetered.watch(UNWATCHED, Offered(8.0, 3), 100 * S).settles_at == 130 * S


def unmetered_home() -> Bench:
    """A car charges with 8 A on one phase, and nobody measures it but the grid."""
    bench = Bench(site_config(loadpoint(mode=ChargeMode.NOW, phases=1, has_power=False, current_step_a=0.1)))
    bench.box.status, bench.box.extra = B, {"power_w": ABSENT, "currents_a": ABSENT}
    bench.submit(ChangeLoadpointSetting(0, "current_max_a", 8.0))
    for second in range(0, 100, 10):
        bench.grid_w = 500.0 + bench.power(bench.box)
        bench.at(second)
    return bench


def learns(bench: Bench, current_a: float, *, looks_at: float) -> bool:
    """Whether anything is concluded from an offer of ``current_a`` at 100 s."""
    before = bench.lp.doubts
    bench.set("current_max_a", current_a)
    bench.at(100)
    bench.grid_w = 500.0 + bench.power(bench.box) + 40.0
    bench.at(looks_at)
    return bench.lp.doubts != before


@witness("machines.unmetered.CHANGE_MIN_W")
def test_change_of_less_than_200_w_says_nothing() -> None:
    assert not learns(unmetered_home(), 7.2, looks_at=110)  # 184 W
    assert learns(unmetered_home(), 7.1, looks_at=110)  # 207 W


@witness("machines.unmetered.PATIENCE")
def test_load_of_ten_minutes_ago_is_no_comparison() -> None:
    assert learns(unmetered_home(), 6.0, looks_at=700)
    assert not learns(unmetered_home(), 6.0, looks_at=700.1)


# vehicle


def detected(at: float, state: DetectionState, *answered: str) -> detection.Detection:
    readings = {name: VehicleReading(status=Measured(B, 1 * S)) for name in answered}
    return detection.detect(state, ("one", "two"), readings, now=at * S)


@witness(
    "machines.detection.DETECTION_TIME", "machines.detection.DETECTION_REFRESH", "machines.detection.DETECTION_PATIENCE"
)
def test_search_asks_every_minute_waits_30_s_for_all_answers_and_ends_after_ten_minutes() -> None:
    begun = DetectionState(started_at=0 * S, asked_at=0 * S)
    assert detected(29.9, begun, "one").vehicle is None
    assert detected(30, begun, "one").vehicle == "one"
    assert not detected(59.9, begun).reads
    assert detected(60, begun).reads
    assert not detected(600, begun).is_guest
    assert detected(600.1, begun).is_guest


# defaults; tests/config/test_manual.py compares those of the files with the tables of the documentation


def plain_defaults(kind: type) -> dict[str, object]:
    """The numbers and times that ``kind`` has where nobody says otherwise; durations in seconds."""
    assert is_dataclass(kind)
    found = {each.name: each.default for each in fields(kind)}
    found = {name: value / S if isinstance(value, timedelta) else value for name, value in found.items()}
    return {name: value for name, value in found.items() if type(value) in (int, float)}


LOADPOINT = {
    "current_min_a": 6.0,
    "current_max_a": 16.0,
    "enable_threshold_w": 0.0,
    "enable_delay": 60.0,
    "disable_threshold_w": 0.0,
    "disable_delay": 180.0,
    "priority": 0,
}
DEFAULTS: list[tuple[type, dict[str, object]]] = [
    (config.VehicleConfig, {"capacity_kwh": 0.0, "phases": 0}),
    (config.ChargerConfig, {"current_step_a": 1.0}),
    (config.PollConfig, {"interval": 3600.0}),
    (config.LoadpointConfig, {**LOADPOINT, "phases": 0, "guard_duration": 300.0, "unknown_soc_grace": 600.0}),
    (config.CircuitConfig, {"mean_window": 900.0, "safe_current_a": 0.0}),
    (BatteryConfig, {"phases": 0}),
    (
        config.SiteConfig,
        {
            "voltage_v": 230.0,
            "interval": 10.0,
            "pv_count": 0,
            "aux_count": 0,
            "residual_power_w": 0.0,
            "priority_soc_pct": 0.0,
            "buffer_soc_pct": 0.0,
            "grid_supply_max_while_battery_charges_w": 0.0,
            "grid_stale_pause": 180.0,
        },
    ),
    (
        settings.SiteSettings,
        {"buffer_soc_pct": 0.0, "buffer_start_soc_pct": 0.0, "priority_soc_pct": 0.0, "residual_power_w": 0.0},
    ),
    (
        settings.LoadpointSettings,
        {**LOADPOINT, "phases_configured": 0, "soc_min_pct": 0, "soc_target_pct": 100, "energy_target_kwh": 0.0},
    ),
    (settings.VehicleSettings, {}),
]


@pytest.mark.parametrize(("kind", "expected"), DEFAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_defaults_have_not_changed_by_accident(kind: type, expected: dict[str, object]) -> None:
    assert plain_defaults(kind) == expected


@pytest.mark.parametrize(("interval_s", "age_max_s"), [(1, 30), (10, 30), (11, 33), (60, 180)])
def test_reading_steers_for_three_intervals_and_half_a_minute_at_least(interval_s: int, age_max_s: int) -> None:
    assert site_config(interval=interval_s * S).reading_age_max == age_max_s * S


# the adaptive law


@witness("laws.account.BOUGHT_EUR_PER_KWH", "laws.account.LEFT_EUR_PER_KWH", "laws.account.EUR_PER_WS")
def test_what_is_bought_costs_30_cents_and_what_is_left_22() -> None:
    one = account.Span(1380.0, 3680.0)
    for_an_hour = [each * 3600 for each in account.rates(0.0, one, None)]
    assert for_an_hour[account.ONE] == pytest.approx(1.38 * 0.30)
    for_an_hour = [each * 3600 for each in account.rates(2000.0, one, None)]
    assert for_an_hour[account.OPEN_ONE] == pytest.approx(2.0 * 0.22)


@witness("laws.account.SWITCHING_EUR", "laws.account.RELAY_EUR", "laws.account.ONLY_SWITCHING_EUR")
def test_prices_of_moves() -> None:
    assert account.prices(is_switchable=True) == (0.003, 0.006)
    assert account.prices(is_switchable=False).switching == 0.009


@witness("laws.account.NEVER_EUR", "laws.account.POSITIONS", "laws.account.NOTHING_PAID")
def test_where_the_relay_cannot_be_nobody_goes() -> None:
    rate = account.rates(0.0, None, account.Span(4140.0, 11040.0))
    assert [position for position in account.POSITIONS if rate[position] == 1000.0] == [account.OPEN_ONE, account.ONE]
    moves = account.prices(is_switchable=True)
    assert account.accrue(account.NOTHING_PAID, (0.0, 0.0, 0.0, 0.0), 60.0, moves) == (0.0, 0.0, 0.0, 0.0)


@witness("laws.ration.REST_PART", "laws.ration.SPARED_MAX")
def test_four_moves_are_spared_a_minute_apart() -> None:
    assert ration.rest(300 * S) == 60 * S
    spent, guard = ration.FULL, 300 * S
    for number in range(4):
        spent = ration.saved(spent, guard, Instant(number * S))
        assert spent.spared >= 1.0
        spent = ration.spent(spent, Instant(number * S))
    assert 0.0 <= spent.spared < 0.02
    assert ration.saved(spent, guard, Instant(1300 * S)) == ration.FULL


def sampled(sun_w: float, later_w: float, seconds: float) -> tuple[adaptive.Memory, float, float]:
    first, _, _ = adaptive._entered(adaptive.FRESH, sun_w, Instant(0 * S))
    return adaptive._entered(first, later_w, Instant(seconds * S))


@witness("laws.adaptive.AHEAD_S", "laws.adaptive.AHEAD_MAX_W", "laws.adaptive.SAMPLE_MAX_S", "laws.adaptive.SPREAD_S")
def test_samples_are_carried_on_for_a_minute_and_by_a_kilowatt() -> None:
    later, ahead_w, seconds = sampled(1000.0, 900.0, 10.0)
    assert (ahead_w, seconds) == (-600.0, 10.0)
    assert later.spread_w == pytest.approx(100.0 / 30)
    assert sampled(1000.0, 5000.0, 10.0)[1] == 1000.0
    assert sampled(1000.0, 990.0, 60.0)[1:] == (-10.0, 60.0)
    assert sampled(1000.0, 990.0, 61.0)[1:] == (0.0, 60.0)


def followed(change_w: float) -> list[float]:
    """When an adaptive law that has come to rest at 5 kW, asked every second, sends other currents for so much more sun [s]."""
    bench = Bench(site_config(loadpoint(phases=3, current_step_a=0.001), law="adaptive"))
    bench.box.status = B
    run(bench, range(1, 1201), sun_w=5000.0)
    assert bench.lp.charger.is_enabled
    bench.lp.memory = bench.lp.memory._replace(missed_ws=0.0)
    sent = run(bench, range(1201, 1221), sun_w=5000.0 + change_w)
    return [second - 1200 for second, commands in sent.items() if commands]


def followed_at(voltage_v: float) -> Bench:
    """An adaptive law at 230 V, where the grid has had so many for a quarter of an hour, under 7 kW of sun."""
    bench = Bench(site_config(loadpoint(phases=3, current_step_a=0.001), law="adaptive"))
    bench.box.status, bench.voltage_v = B, voltage_v
    run(bench, range(10, 901, 10), sun_w=7000.0)
    return bench


@witness("laws.adaptive.VOLTAGE_PART")
def test_what_an_ampere_gives_is_believed_within_fifteen_percent() -> None:
    for believed_v in (230 * 1.149, 230 * 0.92):  # far below it looks like a car that does not use its offer
        bench = followed_at(believed_v)
        assert bench.power(bench.box) == pytest.approx(7000.0, abs=3.0)
    for absurd_v in (230 * 1.151, 230 * 0.849):
        assert followed_at(absurd_v).box.offered_a == pytest.approx(7000.0 / 690.0, abs=0.001)


@witness("laws.adaptive.VOLTAGE_SAMPLES")
def test_what_an_ampere_gives_is_a_mean_of_thirty_samples() -> None:
    bench = followed_at(230.0)
    bench.voltage_v = 233.0
    run(bench, [910], sun_w=7000.0)
    assert bench.lp.memory.voltage_v == pytest.approx(230.1, abs=0.001)


@witness("laws.adaptive.COMMAND_WS", "laws.adaptive.STEP_A")
def test_a_quarter_of_a_watt_hour_or_an_ampere_is_worth_a_command() -> None:
    assert followed(95.0)[:1] == [10]
    assert followed(680.0)[:1] == [2]
    assert followed(700.0)[:1] == [1]
    assert followed(300.0)[:1] == [3]


@witness("laws.adaptive.RELAY_GUARD")
def test_phases_change_four_times_in_a_row_and_then_every_ten_minutes() -> None:
    bench = Bench(site_config(loadpoint(phases=0, can_switch_phases=True, guard_duration=0 * S), law="adaptive"))
    bench.box.status = B
    changes = []
    for second in range(10, 3601, 10):
        sent = run(bench, [second], sun_w=9000.0 if second // 150 % 2 else 2000.0)
        changes += [each for commands in sent.values() for each in commands if isinstance(each, SwitchPhases)]
    assert len(changes) == 9


@witness("laws.adaptive.MARGIN_PART")
def test_a_tenth_of_the_spread_is_left_to_the_grid() -> None:
    bench = Bench(site_config(loadpoint(phases=3, current_step_a=0.001), law="adaptive", residual_power_w=100.0))
    bench.box.status = B
    for second in range(10, 3601, 10):
        run(bench, [second], sun_w=6000.0 + 345.0 * (second // 10 % 2))
    assert bench.lp.memory.spread_w == pytest.approx(345.0, abs=1.0)
    run(bench, [3610], sun_w=8000.0)
    assert bench.box.offered_a * 690.0 == pytest.approx(8000.0 - bench.lp.memory.spread_w / 10, abs=1.0)


def lent(drawn_a: float, seconds: int) -> tuple[float, float]:
    """What two cars in mode now are offered of 20 A so long after they have come, when the first draws so little of its 10 A."""
    cars = [loadpoint(mode=ChargeMode.NOW, phases=3, circuit="garage", current_step_a=0.1) for _ in range(2)]
    circuit = CircuitConfig(name="garage", current_max_a=20.0)
    bench = Bench(site_config(*cars, circuits=(circuit,), law="adaptive"))
    for box in bench.boxes:
        box.status, box.shows_currents = B, True
    run(bench, [10])
    bench.boxes[0].currents_a = (drawn_a, drawn_a, drawn_a)
    run(bench, range(15, 11 + seconds, 5))
    return bench.boxes[0].offered_a, bench.boxes[1].offered_a


@witness("laws.adaptive.PROMISED", "laws.adaptive.UNUSED_A")
def test_a_car_has_half_a_minute_to_take_its_offer_and_keeps_an_ampere_beyond_what_it_takes() -> None:
    assert lent(7.0, 25) == (10.0, 10.0)
    assert lent(7.0, 50) == (8.0, 12.0)
    assert lent(8.9, 50) == (10.0, 10.0)


@witness("laws.roof.TAKEN_PART")
def test_sun_that_an_equal_uses_is_worth_a_tenth() -> None:
    span = account.Span(4140.0, 11040.0)
    car = roof.Party(0, True, False, False, False, 8000.0, span, span, 690.0, 1.0, math.inf, 0)
    waiting = car._replace(is_on=False, is_waiting=True, load_w=0.0)
    assert roof.Roof(9000.0, {0: car, 1: waiting}, {}, (), Sharing.FAIR).worth(1) == pytest.approx((1000 + 350) / 4500)
    assert roof.Roof(9000.0, {0: car, 1: waiting._replace(priority=1)}, {}, (), Sharing.FAIR).worth(1) == 1.0


def moving(*, at_s: float = 0.0, drawn_w: float = 4140.0, **known: Any) -> lateness.Lateness:
    """A car that drew 300 W more ten seconds ago, unless told otherwise, and a meter that shows 10 W less now."""
    before = lateness.Lateness(
        **{
            "drawn": (lateness.Drawn(-10 * S, 4440.0), lateness.Drawn(0 * S, 4140.0)),
            "suns_w": (4240.0,) * 9,
            "grid_w": 0.0,
            "shown_at": 0 * S,
            **known,
        }
    )
    return lateness.heard(before, drawn_w=drawn_w, grid_w=-10.0, at=at_s * S)


@witness("laws.lateness.KEPT")
def test_value_of_a_meter_is_believed_again_after_a_minute() -> None:
    assert moving(grid_w=-10.0, at_s=59.9).sun_w == 4240.0
    assert moving(grid_w=-10.0, at_s=60.0).sun_w == 4150.0


@witness("laws.lateness.MOVES_W")
def test_car_that_moves_by_two_hundred_watts_tells_how_late_the_meter_is() -> None:
    for before_w, says in ((4339.0, False), (4341.0, True)):
        drawn = (lateness.Drawn(-10 * S, before_w), lateness.Drawn(0 * S, 4140.0))
        assert (moving(drawn=drawn, at_s=1.0).doubts_w != (0.0,) * 9) is says


@witness("laws.lateness.MEMORY_S")
def test_what_was_seen_a_minute_ago_is_forgotten() -> None:
    known = moving(doubts_w=(1000.0,) * 9, at_s=6.0)
    assert known.doubts_w[0] == pytest.approx(900.0 + 90.0)


@witness("laws.lateness.BETTER_PART", "laws.lateness.DOUBT_MIN_W")
def test_another_age_is_believed_that_is_twice_as_good_where_much_is_unexplained() -> None:
    def believed(first_w: float, second_w: float) -> int:
        return moving(doubts_w=(first_w, second_w, *(first_w,) * 7), suns_w=(4150.0, *(4450.0,) * 8)).believed

    assert [believed(1000.0, 490.0), believed(1000.0, 510.0)] == [1, 0]
    assert [believed(301.0, 0.0), believed(299.0, 0.0)] == [1, 0]


@witness("laws.lateness.AGES")
def test_meters_are_at_most_a_minute_late() -> None:
    for late_s in (0, 60):
        known = lateness.Lateness()
        for second in range(10, 900, 10):
            then_w, now_w = (4000.0 + 1500.0 * (each // 50 % 3) for each in (second - late_s, second))
            known = lateness.heard(known, drawn_w=now_w, grid_w=then_w - 6000.0 + second % 7, at=second * S)
            assert second < 600 or known.sun_w == 6000.0 - second % 7
