"""A control is judged by what it does: whatever it says, the same commands get the same verdict and the same figures."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

import pytest
from broken_controls import greedy, jumpy, pretending, silent, silent_for_ever, talkative
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from evcc_sim.commands import cli
from evcc_sim.judge.invariants import INVARIANTS, OWN_PROMISES, check
from evcc_sim.plants.car import CarSpec, Visit
from evcc_sim.plants.household import HouseholdSpec
from evcc_sim.plants.prices import PriceSpec, TariffSpec
from evcc_sim.plants.sunshine import PvSpec
from evcc_sim.plants.wallbox import WallboxSpec
from evcc_sim.runs.controls import ControlFactory, classic
from evcc_sim.runs.inprocess import Run, simulate
from evcc_sim.runs.result import RunResult
from evcc_sim.worlds.generators import PACKS
from evcc_sim.worlds.scenario import ActionSpec, ChargerSpec, LoadpointSpec, Scenario
from evcc_sim.worlds.variants import resolve
from evcclib.model import ChargeMode


def same_whatever_is_said(scenario: Scenario, seed: int) -> None:
    """Everything is judged here, what binds the library's own control alone as well, but for what is about words."""
    said, unsaid = (simulate(scenario, seed, control=control) for control in (talkative, silent))
    assert [each[:4] for each in said.trace.sent] == [each[:4] for each in unsaid.trace.sent]
    assert said.summary == unsaid.summary
    assert said.violations == unsaid.violations
    by_deeds = INVARIANTS.keys() - ABOUT_WORDS
    assert check(said.trace, only=by_deeds) == check(unsaid.trace, only=by_deeds)


ABOUT_WORDS = {"recovers", "sessions_equal_the_meter", "starts_have_sessions"}


@pytest.mark.parametrize(
    "world",
    [
        "winter,hours=14",
        "unknown-soc,hours=12",
        "short-visit",
        "guest-at-the-charger,hours=12",
        "holiday-home,hours=20",
        "kill-and-restart,hours=14",
        "night-tariff,hours=30",
        "battery-home,hours=12",
    ],
)
@pytest.mark.day
def test_the_same_commands_get_the_same_verdict_in(world: str) -> None:
    same_whatever_is_said(resolve(world), 1)


@pytest.mark.day
@settings(
    max_examples=12,
    phases=(Phase.explicit, Phase.generate),
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(pack=st.sampled_from(sorted(PACKS)), seed=st.integers(1, 1_000_000))
def test_the_same_commands_get_the_same_verdict_in_any_world(pack: str, seed: int) -> None:
    same_whatever_is_said(resolve(f"@{pack}", seed=seed), seed)


def test_what_only_our_own_control_says_is_told_by_name() -> None:
    assert ABOUT_WORDS <= OWN_PROMISES < INVARIANTS.keys()


# -- mode, power and time ----------------------------------------------------------------------------------------------


def home(*actions: ActionSpec, mode: ChargeMode = ChargeMode.PV, soc_pct: float = 20.0, **more: object) -> Scenario:
    """One car from 0:05 on, and no sun worth the name."""
    visit = Visit(charger="bay", arrive=time(0, 5), depart=time(23), soc_pct=soc_pct)
    scenario = Scenario(
        name="home",
        hours=6.0,
        household=HouseholdSpec(constant_w=300.0),
        pv=(PvSpec(name="roof", constant_w=500.0),),
        charger=(ChargerSpec(box=WallboxSpec(name="bay"), loadpoint=LoadpointSpec(mode=mode, vehicle="car")),),
        car=(CarSpec(name="car", capacity_kwh=60.0, soc_pct=soc_pct, visits=(visit,)),),
        action=actions,
    )
    return scenario.with_changes(**more)


def of_car(setting: str, value: float) -> ActionSpec:
    return ActionSpec(at=time(0, 1), vehicle="car", setting=setting, value=value)


def at_bay(setting: str, value: float | str, *, at: time = time(0, 2)) -> ActionSpec:
    return ActionSpec(at=at, loadpoint=0, setting=setting, value=value)


def accused_from_s(result: RunResult) -> float | None:
    """Since when it has bought what nobody wanted bought."""
    found = [each.second for each in result.violations if each.invariant == "nothing_is_bought_for_the_sun"]
    return min(found, default=None)


def test_who_charges_all_day_in_mode_pv_is_told_for_what_it_bought() -> None:
    result = simulate(home(), control=greedy)
    charged_kwh = result.summary.charged_kwh
    assert charged_kwh > 50
    assert charged_kwh - 1.2 < result.summary.import_in_pv_mode_kwh < charged_kwh  # but for 200 W of sun
    assert accused_from_s(result) is not None
    talking = simulate(home(mode=ChargeMode.NOW), control=greedy)
    assert (talking.summary.charged_kwh, talking.summary.import_in_pv_mode_kwh) == (charged_kwh, 0.0)
    assert accused_from_s(talking) is None


@pytest.mark.parametrize("minutes", [0, 20])
def test_nobody_wishes_what_a_control_merely_shows(minutes: int) -> None:
    """From the first moment on, or with somebody's change of something else later on."""
    world = home() if minutes == 0 else home(at_bay("current_min_a", 7, at=time(0, minutes)))
    honest, pretends = (simulate(world, control=each) for each in (greedy, pretending))
    assert pretends.summary == honest.summary
    assert pretends.violations == honest.violations != ()
    narrow = replace(world, charger=(replace(world.charger[0], loadpoint=LoadpointSpec(current_max_a=10.0)),))
    for control in (greedy, pretending):
        assert "current_within_bounds" in {each.invariant for each in simulate(narrow, control=control).violations}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mute", "step of the control has returned None, expected an evcclib.decision.Decision"),
        ("listing", "commands of the control's decision are a list, expected a mapping by position"),
    ],
)
def test_a_control_that_decides_nothing_is_one_line(name: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "clear-day,hours=1", "--control", f"broken_controls:{name}"]) == 2
    assert capsys.readouterr().err == f"evcc-sim: {words}\n"


BY_PRICE = TariffSpec(grid=PriceSpec(zones=((time(0), 0.10), (time(2), 0.40))))

FORCED: dict[str, tuple[Scenario, float]] = {
    "a minimum SoC": (home(of_car("soc_min_pct", 50)), 50.0),
    "a departure": (home(of_car("soc_target_pct", 60), at_bay("target_time", "05:30")), 60.0),
    "cheap energy": (home(at_bay("smart_cost_limit", 0.2), tariff=BY_PRICE), 20.0 + 1.92 * 11.04 * 0.9 / 0.6),
}


@pytest.mark.parametrize(("scenario", "until_pct"), FORCED.values(), ids=FORCED.keys())
def test_who_charges_all_day_is_told_only_for_what_nobody_wanted(scenario: Scenario, until_pct: float) -> None:
    """11 kW into 60 kWh: what was asked for is in the car after some hours, and known 20 minutes later at the latest."""
    result = simulate(scenario, control=greedy)
    wanted_s = 300 + (until_pct - 20.0) / 100 * 60.0 / 0.9 / 11.04 * 3600
    since_s = accused_from_s(result)
    assert since_s is not None and wanted_s < since_s < wanted_s + 1800
    unwanted_kwh = result.summary.charged_kwh - (until_pct - 20.0) / 100 * 60.0 / 0.9
    assert unwanted_kwh - 4.5 < result.summary.import_in_pv_mode_kwh < unwanted_kwh


def test_a_departure_that_is_over_is_no_reason_to_begin() -> None:
    late = home(of_car("soc_target_pct", 90), at_bay("target_time", "01:00"), hours=4.0)
    assert accused_from_s(simulate(late, control=greedy)) is None  # it goes on
    visit = replace(late.car[0].visits[0], arrive=time(1, 5))
    begun = simulate(late.with_changes(car=(replace(late.car[0], visits=(visit,)),)), control=greedy)
    assert accused_from_s(begun) is not None


# -- whom a rule binds -------------------------------------------------------------------------------------------------


def test_our_own_promises_do_not_bind_others(capsys: pytest.CaptureFixture[str]) -> None:
    world = resolve("clear-day,hours=9")
    result = simulate(world, control=jumpy)
    assert not {each.invariant for each in result.violations} & OWN_PROMISES
    ours = check(replace(result.trace, is_ours=True))
    assert "guard_holds" in {each.invariant for each in ours}
    assert result.not_judged == tuple(sorted(OWN_PROMISES))
    cli.main(["run", "clear-day,hours=9", "--control", "broken_controls:silent"])
    said = capsys.readouterr().out
    assert f"only the library's own control promises it: {', '.join(result.not_judged)}." in said
    cli.main(["run", "clear-day,hours=9"])
    assert "only another law promises it: contactor_is_rationed, " in capsys.readouterr().out


# -- when a control is asked -------------------------------------------------------------------------------------------


def asked(scenario: Scenario, control: ControlFactory) -> int:
    run = Run(scenario, seed=1, control=control)
    run.to_end()
    return len(run.recorder.finish().instants)


def test_who_does_not_say_when_it_wants_to_be_asked_is_asked_at_every_interval() -> None:
    quiet = home(hours=2.0, car=(CarSpec(name="car"),))
    assert asked(quiet, silent_for_ever) >= 720
    assert asked(quiet, classic) < 50  # None of the library's own is a word: nothing happens by itself
