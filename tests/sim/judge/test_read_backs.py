"""Stations that tell the wrong of themselves, wrong or late: no start without sun, a stop after its delays, few commands."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta

import pytest
from broken_controls import credulous, nagging

from evcc_sim.judge.invariants import check
from evcc_sim.plants.faults import FaultKind, ReadBack
from evcc_sim.plants.wallbox import Rounds
from evcc_sim.runs.controls import ControlFactory
from evcc_sim.runs.inprocess import Run, simulate
from evcc_sim.runs.result import RunResult
from evcc_sim.worlds.generators import generate
from evcc_sim.worlds.scenario import FaultSpec, InvalidScenario, Scenario, parse
from evcclib.commands import Command, Disable, Enable, SetCurrent
from evcclib.events import Warned, WarningCode

HALF_AN_HOUR_OF_SUN = """
title = "Half an hour of sun, then none"
hours = 2.2
household = { constant_w = 300.0, has_appliances = false }
pv = [{ name = "roof", steps = [["00:00", 0.0], ["00:10", 8000.0], ["00:40", 0.0]] }]

[[charger]]
box = { name = "bay" }
loadpoint = { mode = "pv" }

[[car]]
name = "blue"
capacity_kwh = 100
visits = [{ charger = "bay", arrive = "00:01", depart = "23:00", soc_pct = 20 }]
"""
SUN_ENDS_S = 2400.0
INVARIANTS = ("starts_need_sun", "stops_come", "little_is_said_again")
LIES = {
    "enabled never": (FaultKind.READ_BACK_STUCK, ReadBack.ENABLED, {"shows": 0.0}),
    "enabled always": (FaultKind.READ_BACK_STUCK, ReadBack.ENABLED, {"shows": 1.0}),
    "enabled wrong": (FaultKind.READ_BACK_WRONG, ReadBack.ENABLED, {}),
    "enabled 70 s late": (FaultKind.READ_BACK_LAG, ReadBack.ENABLED, {"lag_s": 70.0}),
    "enabled 600 s late": (FaultKind.READ_BACK_LAG, ReadBack.ENABLED, {"lag_s": 600.0}),
    "all settings 70 s late": (FaultKind.READ_BACK_LAG, None, {"lag_s": 70.0}),
    "never charging": (FaultKind.READ_BACK_STUCK, ReadBack.STATUS, {"shows": 1.0}),
    "always charging": (FaultKind.READ_BACK_STUCK, ReadBack.STATUS, {"shows": 2.0}),
    "status wrong": (FaultKind.READ_BACK_WRONG, ReadBack.STATUS, {}),
    "status 70 s late": (FaultKind.READ_BACK_LAG, ReadBack.STATUS, {"lag_s": 70.0}),
    "status 300 s late": (FaultKind.READ_BACK_LAG, ReadBack.STATUS, {"lag_s": 300.0}),
    "current never": (FaultKind.READ_BACK_STUCK, ReadBack.CURRENT, {"shows": 0.0}),
    "current always the highest": (FaultKind.READ_BACK_STUCK, ReadBack.CURRENT, {"shows": 16.0}),
    "current wrong": (FaultKind.READ_BACK_WRONG, ReadBack.CURRENT, {}),
    "current 70 s late": (FaultKind.READ_BACK_LAG, ReadBack.CURRENT, {"lag_s": 70.0}),
    "power never": (FaultKind.READ_BACK_STUCK, ReadBack.POWER, {"shows": 0.0}),
    "power always": (FaultKind.READ_BACK_STUCK, ReadBack.POWER, {"shows": 2000.0}),
    "power wrong": (FaultKind.READ_BACK_WRONG, ReadBack.POWER, {}),
    "power 70 s late": (FaultKind.READ_BACK_LAG, ReadBack.POWER, {"lag_s": 70.0}),
}


def world(lie: str | None = None, *, has_meter: bool = True, ignores_at: time | None = None) -> Scenario:
    scenario = parse(HALF_AN_HOUR_OF_SUN, name="half-an-hour-of-sun")
    faults: list[FaultSpec] = []
    if lie is not None:
        kind, of, params = LIES[lie]
        faults.append(FaultSpec(kind=kind, device="bay", at=time(0), lasts=timedelta(days=1), of=of, params=params))
    if ignores_at is not None:
        fault = FaultSpec(kind=FaultKind.IGNORED_WRITES, device="bay", at=ignores_at, lasts=timedelta(seconds=30))
        faults.append(fault)
    charger = scenario.charger[0]
    return scenario.with_changes(
        fault=tuple(faults),
        charger=(replace(charger, box=replace(charger.box, has_meter=has_meter)),),
        allowed=("sessions_equal_the_meter", "starts_have_sessions"),  # by a wrong status
    )


def sent(result: RunResult, kind: type[Command]) -> list[float]:
    return [each.second for each in result.trace.sent if isinstance(each.command, kind)]


def charged_kwh(result: RunResult) -> float:
    return result.trace.instants[-1].loadpoints[0].energy_kwh


@pytest.fixture(scope="module")
def honest() -> RunResult:
    result = simulate(world(), 1)
    assert (len(sent(result, Enable)), len(sent(result, Disable))) == (1, 1)
    return result


@pytest.mark.parametrize("lie", LIES)
def test_a_wrong_read_back_starts_nothing_and_keeps_nothing_from_stopping(lie: str, honest: RunResult) -> None:
    result = simulate(world(lie), 1)
    assert result.violations == ()
    assert result.trace.contactor_switches == honest.trace.contactor_switches == [2]
    stops = [each.second for each in result.trace.instants if each.loadpoints[0].pilot_a > 0]
    assert stops[-1] == pytest.approx(sent(honest, Disable)[-1], abs=30)
    assert len(sent(result, Enable)) <= 4
    if "power" not in lie:  # else the current is followed at a distance
        assert charged_kwh(result) == pytest.approx(charged_kwh(honest), rel=0.01)
        assert len(sent(result, SetCurrent)) <= len(sent(honest, SetCurrent)) + 4


@pytest.mark.parametrize(
    "lie", ["enabled never", "enabled wrong", "enabled 70 s late", "always charging", "status wrong"]
)
def test_a_wrong_read_back_of_a_station_without_a_meter_starts_nothing_either(lie: str) -> None:
    result = simulate(world(lie, has_meter=False), 1)
    assert result.violations == ()
    assert result.trace.contactor_switches == [2]


def test_a_station_that_says_disabled_all_the_time_is_told_so_four_times_and_the_owner_once(honest: RunResult) -> None:
    """It was told Enable once a minute for ever, and 6.2 kWh were bought in the 90 minutes without sun."""
    result = simulate(world("enabled never"), 1)
    assert sent(result, Disable) == sent(honest, Disable)
    enabled = sent(result, Enable)
    assert [round(later - enabled[0]) for later in enabled] == [0, 60, 360, 960]
    assert charged_kwh(result) == charged_kwh(honest)
    warned = [each.event for each in result.trace.events if isinstance(each.event, Warned)]
    assert warned.count(Warned(WarningCode.CHARGER_OUT_OF_SYNC, 0)) == 1


def test_a_station_that_ignores_one_stop_is_told_to_stop_again_and_never_to_start() -> None:
    """The control itself told it Enable a minute later, fifteen times."""
    result = simulate(world(ignores_at=time(0, 43)), 1)
    stops = sent(result, Disable)
    assert stops[0] == 2580.0  # after three minutes without sun, and ignored
    assert stops[1] == pytest.approx(stops[0] + 60, abs=10)
    assert len(stops) == 2
    assert len(sent(result, Enable)) == 1
    assert result.trace.instants[-1].loadpoints[0].power_w == 0
    reasons = {each.loadpoints[0].reason for each in result.trace.instants if 2640 < each.second < stops[1] + 5}
    assert reasons <= {"read_back_disagrees", "surplus_missing"}


@pytest.mark.parametrize("stays_on", [True, False])
def test_what_an_owner_does_at_the_station_is_put_right_once_there_is_sun(stays_on: bool) -> None:
    """Switched off in the sun it is switched on again; in the minutes that only wait for the stop it is left alone."""
    run = Run(world(), seed=1)
    off_at_s = 1200.0 if stays_on else SUN_ENDS_S + 20
    while run.house.now_s < off_at_s:
        _tick(run)
    run.house.wallboxes[0].disable()
    while run.house.now_s < off_at_s + 400:
        _tick(run)
    later = [each for each in run.recorder.trace.sent if each.second > off_at_s]
    enables = [each.second for each in later if isinstance(each.command, Enable)]
    if stays_on:
        assert len(enables) == 1 and enables[0] - off_at_s <= 70
        assert run.house.wallboxes[0].power_w > 0
    else:
        assert not enables
        assert not any(isinstance(each.command, SetCurrent) for each in later)
        assert isinstance(later[-1].command, Disable)


def _tick(run: Run) -> None:
    run._until(run.house.now_s // 10 * 10 + 10)
    run._tick()


@pytest.mark.parametrize(
    ("control", "lie", "invariants"),
    [
        (credulous, "enabled never", {"stops_come", "little_is_said_again"}),
        (credulous, "all settings 70 s late", {"starts_need_sun", "little_is_said_again"}),
        (nagging, "enabled never", {"little_is_said_again"}),
    ],
)
def test_a_control_that_believes_or_nags_is_found(control: ControlFactory, lie: str, invariants: set[str]) -> None:
    trace = simulate(world(lie), 1, control=control).trace
    assert {violation.invariant for violation in check(trace, only=INVARIANTS)} == invariants


FIXED = (
    "drawn=981,how=wrong,of=phases,world=clouds_at_phase_gap",  # started on one phase, drew on three, again and again
    "drawn=53,how=always,of=power,world=clouds_at_phase_gap",  # switched phases without a car's power
    "drawn=3,how=never,of=enabled,world=n_cars_one_roof",
    "drawn=7,how=late,lag_s=150,of=all,world=clouds_at_phase_gap",
    "drawn=11,how=always,of=status,world=sunny_tomorrow",
    "drawn=5,how=always,of=status,world=clouds_at_phase_gap,meter=no",
    "drawn=2,how=wrong,of=current,world=n_cars_one_roof",
    "drawn=9,how=late,lag_s=70,of=power,world=n_cars_one_roof,ignored_at_h=13",
    "drawn=3,how=always,of=enabled,world=boundary",
    "drawn=17,how=never,of=phases,world=clouds_at_phase_gap",
)


@pytest.mark.day
@pytest.mark.parametrize("parameters", FIXED)
def test_worlds_of_the_sun_bear_wrong_read_backs(parameters: str) -> None:
    assert simulate(generate(f"@lying_read_back:{parameters}", seed=1), 1).violations == ()


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ('kind = "read_back_stuck"\nof = "enabled"', "'shows' is missing"),
        ('kind = "read_back_stuck"\nof = "status"\nparams = { shows = 3 }', "3.0 is not allowed, only 0, 1 or 2"),
        ('kind = "read_back_wrong"', "needs one of status, enabled, current, phases, power"),
        ('kind = "silence"\nof = "enabled"', "has no 'of'"),
    ],
)
def test_a_fault_of_a_read_back_says_what_is_missing(fault: str, problem: str) -> None:
    with pytest.raises(InvalidScenario, match=problem):
        parse(f'{HALF_AN_HOUR_OF_SUN}\n[[fault]]\ndevice = "bay"\nat = "00:00"\n{fault}\n', name="w")


def test_only_stations_have_settings_to_read_back() -> None:
    text = '\n[[fault]]\ndevice = "roof"\nat = "00:00"\nkind = "read_back_wrong"\nof = "enabled"\n'
    with pytest.raises(InvalidScenario, match="no charger"):
        parse(HALF_AN_HOUR_OF_SUN + text, name="w")


STEADY_SUN = """
title = "A station that rounds what it is told, under a steady sun"
hours = 2
household = { constant_w = 400.0, has_appliances = false }
pv = [{ name = "roof", constant_w = 6500.0 }]

[[charger]]
box = { name = "bay" }
loadpoint = { mode = "minpv" }

[[car]]
name = "blue"
phases = 3
visits = [{ charger = "bay", arrive = "00:05", depart = "02:00", soc_pct = 10 }]
"""


def rounding(
    *, true_step_a: float, rounds: str = "down", has_meter: bool = True, configured_a: float = 0.001
) -> RunResult:
    scenario = parse(STEADY_SUN, name="steady-sun")
    box = replace(
        scenario.charger[0].box,
        true_step_a=true_step_a,
        current_step_a=configured_a,
        rounds=Rounds(rounds),
        has_meter=has_meter,
    )
    return simulate(scenario.with_changes(charger=(replace(scenario.charger[0], box=box),)), 1)


@pytest.mark.parametrize("has_meter", [True, False])
@pytest.mark.parametrize("rounds", Rounds)
@pytest.mark.parametrize("true_step_a", [0.1, 0.6, 1.0])
def test_station_that_rounds_settles_and_takes_as_much_as_if_its_step_were_known(
    true_step_a: float, rounds: str, has_meter: bool
) -> None:
    result = rounding(true_step_a=true_step_a, rounds=rounds, has_meter=has_meter)
    told = rounding(true_step_a=0.0, has_meter=has_meter, configured_a=true_step_a)
    assert result.violations == ()
    assert len(result.trace.sent) < 12
    assert charged_kwh(result) == pytest.approx(charged_kwh(told), abs=0.02)
    assert result.summary.import_kwh < 0.03


@pytest.mark.parametrize("rounds", Rounds)
def test_steps_too_coarse_to_be_configured_are_learned_too(rounds: str) -> None:
    result = rounding(true_step_a=2.0, rounds=rounds)
    assert result.violations == ()
    assert len(result.trace.sent) < 12
    assert result.trace.instants[-1].loadpoints[0].limit_a == 8.0


def test_station_of_milliamperes_is_told_milliamperes() -> None:
    result = rounding(true_step_a=0.001)
    assert charged_kwh(result) == pytest.approx(charged_kwh(rounding(true_step_a=0.0)))
    assert charged_kwh(result) > charged_kwh(rounding(true_step_a=1.0)) + 1.0


@pytest.mark.parametrize("rounds", Rounds)
@pytest.mark.parametrize("drawn", [1, 2])
def test_generated_worlds_with_stations_that_round_keep_every_invariant(rounds: Rounds, drawn: int) -> None:
    for how, of in (("late", "current"), ("wrong", "phases")):
        world = generate(
            f"@lying_read_back:world=n_cars_one_roof,drawn={drawn},of={of},how={how},true_step_a=1,rounds={rounds}",
            seed=1,
        )
        assert simulate(world, 1).violations == ()
