"""The adaptive law keeps every promise in every world of the library, and in generated ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evcc_sim.judge.invariants import not_binding
from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds import scenario
from evcc_sim.worlds.scenario import Scenario
from evcc_sim.worlds.variants import resolve


def adaptive(world: Scenario) -> Scenario:
    return replace(world, site=replace(world.site, law="adaptive"))


@pytest.mark.day
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", [name for name in scenario.names() if name != "hundred-chargers"])
def test_no_invariant_is_violated_in(name: str, seed: int) -> None:
    changes = ["hours=32"] if scenario.load(name).days > 2 else []
    assert simulate(adaptive(resolve(name, changes=changes)), seed).violations == ()


@pytest.mark.day
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("pack", ["clouds_at_phase_gap", "n_cars_one_roof"])
def test_no_invariant_is_violated_in_generated_worlds(pack: str, seed: int) -> None:
    assert simulate(adaptive(resolve(f"@{pack}", seed=seed)), seed).violations == ()


def test_each_law_is_judged_by_what_it_has_promised() -> None:
    world = resolve("clear-day", changes=["hours=0.1"])
    classic, ours = (not_binding(simulate(each).trace) for each in (world, adaptive(world)))
    assert {"guard_holds", "settles_on_its_aim", "small_steps_are_not_sent"} <= ours
    assert "contactor_is_rationed" in classic - ours


@pytest.mark.day
def test_contactor_rests_for_a_car_that_does_not_take_what_it_is_offered() -> None:
    trace = simulate(adaptive(resolve("restless-house"))).trace
    assert len([sent for sent in trace.sent if type(sent.command).__name__ in ("Enable", "Disable")]) <= 2


@pytest.mark.day
def test_slow_car_that_nobody_measures_gets_nearly_what_one_gets_that_is_measured() -> None:
    def charged_kwh(metered: str) -> float:
        world = resolve(f"@clouds_at_phase_gap:sky=april,car_delay_s=27.5,metered={metered}", seed=2)
        return simulate(adaptive(world), 2).summary.charged_kwh

    assert charged_kwh("no") > 0.95 * charged_kwh("yes")
