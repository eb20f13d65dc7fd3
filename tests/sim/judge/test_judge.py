"""The judge goes by what people wish at each moment: it accuses nobody who does it, and finds whoever does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import time, timedelta

import pytest
from broken_controls import anarchist, deaf, forgetful, impatient, jumpy, stammering, timid

from evcc_sim.judge.invariants import check
from evcc_sim.judge.trace import Trace
from evcc_sim.plants.battery import BatterySpec
from evcc_sim.plants.car import CarSpec, Visit
from evcc_sim.plants.faults import FaultKind
from evcc_sim.plants.household import HouseholdSpec
from evcc_sim.plants.meter import MeterSpec
from evcc_sim.plants.sunshine import PvSpec
from evcc_sim.plants.wallbox import Wallbox, WallboxSpec
from evcc_sim.runs.controls import ControlFactory, classic
from evcc_sim.runs.fullstack import run_scenario
from evcc_sim.runs.inprocess import simulate
from evcc_sim.runs.result import RunResult
from evcc_sim.worlds.scenario import (
    ActionSpec,
    ChargerSpec,
    CircuitSpec,
    FaultSpec,
    GridMeterSpec,
    LoadpointSpec,
    Scenario,
    SiteSpec,
)
from evcclib.commands import SetCurrent, SwitchPhases
from evcclib.deciding import decide
from evcclib.model import ChargeMode

Value = float | str | None


def world(
    *actions: ActionSpec,
    mode: str = "pv",
    pv_w: float = 9000.0,
    hours: float = 3.0,
    limit_a: float | None = None,
    soc_pct: float = 20.0,
    loadpoint: LoadpointSpec | None = None,
    box: WallboxSpec | None = None,
    meter: MeterSpec | None = None,
    fault: Sequence[FaultSpec] = (),
) -> Scenario:
    """One car at home from 0:05 on under a constant sun, and what people do."""
    circuit = () if limit_a is None else (CircuitSpec(name="main", current_max_a=limit_a, uses_grid_meter=True),)
    spec = loadpoint or LoadpointSpec(mode=ChargeMode(mode), vehicle="car", circuit="main" if circuit else None)
    visit = Visit(charger="bay", arrive=time(0, 5), depart=time(23), soc_pct=soc_pct)
    return Scenario(
        name="world",
        hours=hours,
        site=SiteSpec(),
        grid=GridMeterSpec(meter=meter or MeterSpec()),
        household=HouseholdSpec(constant_w=300.0),
        pv=(PvSpec(name="roof", constant_w=pv_w),) if pv_w else (),
        charger=(ChargerSpec(box=box or WallboxSpec(name="bay"), loadpoint=spec),),
        car=(CarSpec(name="car", soc_pct=soc_pct, visits=(visit,)), CarSpec(name="other")),
        circuit=circuit,
        action=actions,
        fault=tuple(fault),
    )


def at(hours: int, minutes: int, setting: str, value: Value) -> ActionSpec:
    return ActionSpec(at=time(hours, minutes), loadpoint=0, setting=setting, value=value)


def of_car(hours: int, minutes: int, car: str, setting: str, value: float) -> ActionSpec:
    return ActionSpec(at=time(hours, minutes), vehicle=car, setting=setting, value=value)


def limit(hours: int, minutes: int, watts: float, lasts_min: int) -> ActionSpec:
    return ActionSpec(at=time(hours, minutes), operator_limit_w=watts, lasts=timedelta(minutes=lasts_min))


def left_over(hour: int) -> tuple[ActionSpec, ...]:
    """For half of each hour nothing of the sun is to be left over, else so much that three phases have not enough."""
    setting = "residual_power_w"
    return (
        ActionSpec(at=time(hour, 10), setting=setting, value=0.0),
        ActionSpec(at=time(hour, 40), setting=setting, value=800.0),
    )


def guest_in_mode_now(soc_pct: float) -> Scenario:
    """A car waits a quarter of an hour for the sun that comes at 1:00; ten minutes later another one comes in mode now."""
    patient = LoadpointSpec(mode=ChargeMode.PV, vehicle="car", enable_delay=timedelta(seconds=900.0))
    alone = world(loadpoint=patient, hours=2.0)
    visit = Visit(charger="other bay", arrive=time(1, 10), depart=time(23), soc_pct=soc_pct)
    hasty = ChargerSpec(
        box=WallboxSpec(name="other bay"), loadpoint=LoadpointSpec(mode=ChargeMode.NOW, vehicle="other")
    )
    return replace(
        alone,
        pv=(PvSpec(name="roof", steps=((time(0), 0.0), (time(1), 9000.0))),),
        charger=(*alone.charger, hasty),
        car=(alone.car[0], replace(alone.car[1], visits=(visit,))),
    )


def without_meters(*circuit: CircuitSpec, mode: str = "minpv") -> Scenario:
    """One car that uses one phase of a station of which nobody sees how many, in circuits of which each phase is seen."""
    of_circuits = replace(
        world(
            at(0, 40, "mode", mode),
            loadpoint=LoadpointSpec(mode=ChargeMode.MINPV, vehicle="car", circuit=circuit[-1].name),
            box=WallboxSpec(name="bay", has_meter=False),
        ),
        pv=(PvSpec(name="roof", steps=((time(0), 0.0), (time(1), 9000.0))),),
        circuit=circuit,
    )
    return replace(of_circuits, car=(replace(of_circuits.car[0], phases=1), *of_circuits.car[1:]))


METERED = CircuitSpec(name="main", current_max_a=16.7, has_meter=True)
WIDE = replace(METERED, current_max_a=40.0)
IN_A_TREE = (replace(METERED, has_meter=False), replace(WIDE, name="branch", parent="main"))


def violated(scenario: Scenario, control: ControlFactory = classic) -> set[str]:
    return {violation.invariant for violation in simulate(scenario, 1, control=control).violations}


BLAMELESS = {
    "the maximum current is lowered under the sun": world(at(1, 0, "current_max_a", 6.0)),
    "the minimum current is raised under the sun": world(at(1, 0, "current_min_a", 10.0), pv_w=3500.0),
    "the minimum current is raised by little under the sun": world(at(1, 0, "current_min_a", 8.0), pv_w=5800.0),
    "three phases whenever less sun is to be left over": replace(
        world(
            *(each for hour in range(6) for each in left_over(hour)),
            pv_w=4700.0,
            hours=6.0,
            loadpoint=LoadpointSpec(mode=ChargeMode.PV, vehicle="car", phases=0),
            box=WallboxSpec(name="bay", can_switch_phases=True),
        ),
        site=SiteSpec(residual_power_w=800.0),
    ),
    "a station that is told again, after a fault, that it is on": replace(
        world(
            mode="minpv",
            fault=[FaultSpec(kind=FaultKind.IGNORED_WRITES, device="bay", at=time(0, 4), lasts=timedelta(minutes=12))],
        ),
        pv=(PvSpec(name="roof", steps=((time(0), 5200.0), (time(0, 19, 30), 6600.0))),),
    ),
    "the sun that a full car has been offered": guest_in_mode_now(100.0),
    "a car of which one does not see the phases": without_meters(METERED),
    "such a car in a tree of circuits": without_meters(*IN_A_TREE),
    "such a car in mode now": without_meters(METERED, mode="now"),
    "such a car in mode now in a tree of circuits": without_meters(*IN_A_TREE, mode="now"),
    "delays of more than ten minutes": world(
        loadpoint=LoadpointSpec(
            mode=ChargeMode.PV,
            vehicle="car",
            enable_delay=timedelta(seconds=1500.0),
            disable_delay=timedelta(seconds=1200.0),
        )
    ),
    "delays that become long during the day": world(
        at(0, 2, "enable_delay", 2400.0), at(1, 30, "disable_delay", 1800.0)
    ),
    "a goal in mode now under a limit": world(at(0, 10, "soc_target_pct", 25.0), mode="now", limit_a=32.0),
    "a goal in mode now": world(at(0, 10, "soc_target_pct", 25.0), mode="now"),
    "a goal of energy in mode now": world(at(0, 10, "energy_target_kwh", 1.0), mode="now"),
    "a plan, and another vehicle's goal": world(
        of_car(0, 10, "car", "soc_target_pct", 40.0),
        at(0, 11, "target_time", "03:30"),
        of_car(0, 12, "other", "soc_target_pct", 70.0),
        pv_w=0.0,
        hours=4.0,
    ),
    "a target time that moves": world(
        of_car(0, 10, "car", "soc_target_pct", 40.0),
        at(0, 11, "target_time", "02:00"),
        at(0, 12, "target_time", "03:30"),
        pv_w=0.0,
        hours=4.0,
    ),
    "a target time that is taken back": world(
        of_car(0, 10, "car", "soc_target_pct", 40.0),
        at(0, 11, "target_time", "03:30"),
        at(0, 12, "target_time", None),
        pv_w=0.0,
        hours=4.0,
    ),
    "the operator's limits overlap": world(
        limit(0, 30, 4200.0, 90), limit(0, 50, 8000.0, 20), limit(1, 20, 4200.0, 10), mode="now"
    ),
    "an operator's limit and a minimum SoC": world(
        limit(0, 30, 4200.0, 60), of_car(0, 40, "car", "soc_min_pct", 60.0), pv_w=0.0
    ),
    "a noisy meter": world(meter=MeterSpec(noise_w=60.0, resolution_w=10.0)),
    "a threshold to start below the minimum": world(at(0, 2, "enable_threshold_w", -2000.0), pv_w=3300.0, hours=4.0),
    "a home battery that keeps the car charging down to what is set during the day": replace(
        world(ActionSpec(at=time(0, 10), setting="buffer_soc_pct", value=70.0)),
        pv=(PvSpec(name="roof", steps=((time(0), 9000.0), (time(0, 20), 2300.0))),),
        battery=(BatterySpec(soc_pct=90.0),),
    ),
}


@pytest.mark.parametrize("scenario", BLAMELESS.values(), ids=BLAMELESS.keys())
def test_nobody_is_accused_for(scenario: Scenario) -> None:
    assert violated(scenario) == set()


BROKEN_WORDS: dict[str, tuple[Scenario, ControlFactory, str]] = {
    "a maximum current": (world(at(1, 0, "current_max_a", 6.0)), deaf, "current_within_bounds"),
    "mode off": (world(at(1, 0, "mode", "off"), mode="now"), deaf, "mode_off_is_off"),
    "mode now": (world(at(1, 0, "mode", "now"), mode="off", pv_w=0.0), deaf, "mode_now_charges"),
    "mode pv": (world(at(1, 0, "mode", "pv"), mode="now", pv_w=2000.0), deaf, "nothing_is_bought_for_the_sun"),
    "a minimum SoC": (world(of_car(1, 0, "car", "soc_min_pct", 60.0), pv_w=0.0), deaf, "min_soc_comes_first"),
    "a target time": (
        world(at(0, 12, "soc_target_pct", 40.0), at(0, 13, "target_time", "03:30"), pv_w=0.0, hours=4.0),
        deaf,
        "feasible_plans_are_met",
    ),
    "a shorter disable delay": (
        replace(
            world(
                at(0, 10, "disable_delay", 0.0),
                loadpoint=LoadpointSpec(mode=ChargeMode.PV, vehicle="car", disable_delay=timedelta(seconds=6000.0)),
            ),
            pv=(PvSpec(name="roof", steps=((time(0), 9000.0), (time(1), 1000.0))),),
        ),
        deaf,
        "nothing_is_bought_for_the_sun",
    ),
    "the operator's word": (world(limit(0, 30, 4200.0, 60), mode="now"), anarchist, "operator_limit_holds"),
    "the older of two words that is in force again": (
        world(limit(0, 30, 4200.0, 90), limit(0, 31, 20_000.0, 30), mode="now"),
        anarchist,
        "operator_limit_holds",
    ),
}


@pytest.mark.parametrize(("scenario", "control", "invariant"), BROKEN_WORDS.values(), ids=BROKEN_WORDS.keys())
def test_a_control_is_found_that_does_not_heed(scenario: Scenario, control: ControlFactory, invariant: str) -> None:
    assert invariant in violated(scenario, control)
    assert invariant not in violated(scenario)


@pytest.mark.parametrize("mode", ["now", "pv"])
def test_stops_of_a_limit_that_comes_and_goes_are_not_the_controls(mode: str) -> None:
    minutes = range(10, 170, 2)
    scenario = world(*(limit(each // 60, each % 60, 1000.0, 1) for each in minutes), mode=mode)
    result = simulate(scenario, 1)
    assert result.violations == ()
    assert result.summary.starts > 20  # so that there was something to accuse it of
    for wearing in (jumpy, impatient):
        assert "switching_budget" in violated(scenario, wearing)


@pytest.mark.parametrize(("mode", "invariant"), [("minpv", "sun_is_used"), ("now", "limits_are_used")])
def test_what_is_left_to_a_car_of_which_one_does_not_see_the_phases_is_used(mode: str, invariant: str) -> None:
    assert violated(without_meters(WIDE, mode=mode)) == set()
    assert invariant in violated(without_meters(WIDE, mode=mode), timid)


def test_the_sun_that_a_full_car_was_offered_is_used_once_that_is_seen() -> None:
    assert "sun_is_used" in violated(guest_in_mode_now(100.0).with_changes(hours=3.0), forgetful)


EVERY_DAY = replace(
    world(replace(limit(12, 0, 4200.0, 60), every_day=True), mode="now", pv_w=0.0),
    hours=None,
    car=(CarSpec(name="car", capacity_kwh=900.0, visits=(Visit(charger="bay", arrive=time(0, 5), depart=time(0)),)),),
)
"""A day with a limit of the operator; a run may have several of them."""


@pytest.mark.parametrize("day", [0, 1, 2])
def test_a_limit_of_every_day_is_judged_on_each_day_of_the_run(day: int) -> None:
    trace = simulate(EVERY_DAY, 1, days=3, control=anarchist).trace
    of_day = [instant for instant in trace.instants if instant.second // 86_400 == day]
    found = check(replace(trace, instants=of_day), only=["operator_limit_holds"])
    assert found and all(each.second // 86_400 == day for each in found)


def test_a_still_world_is_left_alone_on_each_day_of_the_run_but_for_the_limit() -> None:
    result = simulate(EVERY_DAY, 1, days=3)
    assert result.violations == ()
    assert len([sent for sent in result.trace.sent if isinstance(sent.command, SetCurrent)]) >= 6  # it was heeded


def test_a_car_in_mode_now_that_is_never_enabled_is_found() -> None:
    assert "mode_now_charges" in violated(world(mode="now"), forgetful)


STUCK = FaultSpec(kind=FaultKind.STUCK_CONTACTOR, device="bay", at=time(0, 4), lasts=timedelta(minutes=5))


def test_a_contactor_that_was_stuck_goes_where_it_was_told_to() -> None:
    result = simulate(world(mode="now", fault=[STUCK]))
    assert result.violations == ()
    assert result.summary.charged_kwh > 25
    late = replace(STUCK, at=time(1))  # and it opens when it stuck closed
    result = simulate(world(at(1, 1, "mode", "off"), mode="now", fault=[late]))
    assert [instant.loadpoints[0].power_w for instant in result.trace.instants][-1] == 0


def test_a_contactor_that_stays_stuck_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Wallbox, "_catch_up", lambda _box: None)
    result = simulate(world(mode="now", fault=[STUCK]))
    assert result.summary.charged_kwh == 0
    assert {violation.invariant for violation in result.violations} == {"mode_now_charges"}
    assert "offered 16 A" in result.violations[0].message


REFUSED = world(
    at(0, 20, "current_max_a", 4.0),
    at(0, 21, "soc_target_pct", 40.0),
    at(1, 10, "target_time", "01:40"),
    hours=1.8,
    fault=[FaultSpec(kind=FaultKind.CLOCK_JUMP, device="site", at=time(1), params={"seconds": 3600.0})],
)


def notes(trace: Trace) -> list[str]:
    return [note.text for note in trace.notes if not note.text.startswith("clock")]


def test_a_refused_request_is_noted_and_changes_nothing() -> None:
    result = simulate(REFUSED)
    assert [text for text in notes(result.trace) if text.startswith("refused")] == [
        "refused: max current must be greater or equal than min current: 4 (allowed: 6..16 A)",
        "refused: timestamp is in the past: 2026-06-14 23:40:00+00:00 (allowed: a time in the future)",
    ]
    assert result.trace.in_force(6000.0).loadpoints[0].target_time is None
    assert result.violations == ()


@pytest.mark.day
def test_both_ways_record_the_same_wishes() -> None:
    scenario = replace(REFUSED, action=(*REFUSED.action, at(1, 20, "mode", "now"), at(1, 21, "disable_delay", 700.0)))
    one, two = simulate(scenario).trace, run_scenario(scenario).trace
    assert notes(one) == notes(two)
    for second in (1.0, 1500.0, 4000.0, 4850.0, 6000.0):
        assert one.in_force(second)._replace(second=0.0) == two.in_force(second)._replace(second=0.0)
    assert one.in_force(6000.0).loadpoints[0].mode is ChargeMode.NOW
    assert one.in_force(6000.0).loadpoints[0].disable_delay == timedelta(seconds=700)
    assert one.in_force(6000.0).vehicles == ("car",)


@pytest.mark.parametrize(
    ("profile", "way", "told_a"),
    [("phoenix-charx", simulate, 13.0), ("phoenix-charx", run_scenario, 16.0), ("alfen-ng9xx", run_scenario, 13.0)],
)
def test_a_stations_own_maximum_counts_where_it_is_told(
    profile: str, way: Callable[[Scenario], RunResult], told_a: float
) -> None:
    """A station for 13 A that lets nobody read so is told the 16 A of its loadpoint, and offers what it can."""
    result = way(world(mode="now", hours=0.3, box=WallboxSpec(name="bay", profile=profile, current_max_a=13.0)))
    currents = [sent.command.current_a for sent in result.trace.sent if isinstance(sent.command, SetCurrent)]
    assert (currents[-1], result.violations) == (told_a, ())


def test_a_restart_begins_with_what_the_control_then_has() -> None:
    restart = FaultSpec(kind=FaultKind.RESTART, device="site", at=time(1), lasts=timedelta(seconds=60))
    trace = simulate(world(at(0, 30, "mode", "minpv"), fault=[restart])).trace
    assert [wish.loadpoints[0].mode for wish in trace.wishes if wish.second in (0.0, *trace.restarts)] == [
        ChargeMode.PV,
        ChargeMode.MINPV,
    ]


def test_what_flows_after_the_last_decision_is_counted() -> None:
    result = simulate(world(mode="now", pv_w=0.0, hours=1.0))
    assert result.trace.instants[-1].second == 3600.0
    assert result.summary.charged_kwh == pytest.approx(result.trace.instants[-1].grid_in_kwh - 0.3, abs=1e-6)


def test_a_watchdog_is_kicked_while_nothing_happens() -> None:
    plain = simulate(world(hours=6.0)).trace
    watched = simulate(world(hours=6.0, box=WallboxSpec(name="bay", watchdog_s=60.0))).trace
    assert [sent[:4] for sent in watched.sent] == [sent[:4] for sent in plain.sent]
    assert watched.instants[-1].grid_out_kwh == pytest.approx(plain.instants[-1].grid_out_kwh, abs=1e-6)


def test_commands_of_a_lowered_maximum_stay_below_it() -> None:
    sent = simulate(BLAMELESS["the maximum current is lowered under the sun"]).trace.sent
    currents = [s.command.current_a for s in sent if s.second >= 3600 and isinstance(s.command, SetCurrent)]
    assert currents == [6.0]
    assert not any(isinstance(s.command, SwitchPhases) for s in sent)


def test_a_station_that_does_as_it_was_told_is_not_told_again() -> None:
    trace = simulate(world(hours=1.0), 1, control=stammering).trace
    assert check(trace, only=["no_needless_writes"])
    assert not check(trace)  # nobody else has promised that


def test_a_rest_below_the_dead_band_and_a_small_step_are_no_missed_aim() -> None:
    """54 W stay unfollowed [PV-12], then the household takes 57 W more: the control is right on both."""
    steps = tuple((600.0 * number, 2000.0 + 54.0 * number) for number in range(1, 30))
    takes = ((second + 300.0, 300.0 - 57.0 * (number % 2)) for number, (second, _watts) in enumerate(steps))
    house = HouseholdSpec(series=((0.0, 300.0), *takes))
    roof = PvSpec(name="roof", series=((0.0, 8000.0), *((second, 6000.0 + watts) for second, watts in steps)))
    world = Scenario(
        name="",
        title="A rest and a step",
        hours=5.0,
        site=SiteSpec(residual_power_w=100.0),
        household=house,
        pv=(roof,),
        charger=(ChargerSpec(box=WallboxSpec(name="bay")),),
        car=(
            CarSpec(name="car", capacity_kwh=90.0, visits=(Visit(charger="bay", arrive=time(0, 1), depart=time(23)),)),
        ),
    )
    assert [each for each in simulate(world).violations if each.invariant == "settles_on_its_aim"] == []


def test_a_cabin_that_is_conditioned_may_be_bought_for_until_its_maker_must_be_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A car far below its goal, without any sun, whose climate runs from 0:30 to 1:00 [STR-9]."""
    asked = LoadpointSpec(mode=ChargeMode.PV, vehicle="car", poll_mode="connected", poll_interval_s=600.0)
    dark = world(pv_w=0.0, loadpoint=asked)
    car = replace(dark.car[0], climate=((time(0, 30), time(1)),), has_climate=True)
    warm = replace(dark, car=(car, *dark.car[1:]))
    run = simulate(warm, 1)
    assert run.summary.charged_kwh > 1.0 and run.violations == ()
    monkeypatch.setattr(decide, "is_climating", lambda _lp: True)
    found = simulate(warm, 1).violations
    bought_s = [each.second for each in found if each.invariant == "nothing_is_bought_for_the_sun"]
    assert any(second < 1800 for second in bought_s) and any(second > 4500 for second in bought_s)
    assert not any(1800 <= second <= 4500 for second in bought_s)
