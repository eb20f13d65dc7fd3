"""Each of the invariants about circuits can fail: a good run is changed by hand, or the control is wrong on purpose."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from functools import cache
from typing import Any

import pytest
from broken_controls import forgetful, generous, jumpy, overloading, restless, timid

from evcc_sim.judge.invariants import check
from evcc_sim.judge.trace import Sent, Trace
from evcc_sim.runs.controls import ControlFactory, classic
from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds.generators import PACKS, generate
from evcc_sim.worlds.scenario import ActionSpec, Scenario, load
from evcclib.commands import Disable
from evcclib.model import ChargeMode

HUNGRY: dict[str, float | str] = {"slack_a": 12.0, "phases": "three"}


@cache
def good() -> Trace:
    return run(classic)


def run(control: ControlFactory, noise_w: float = 0.0, **values: Any) -> Trace:
    scenario = replace(PACKS["narrow_circuit"].build({**HUNGRY, **values}), hours=1.2)
    grid = replace(scenario.grid, meter=replace(scenario.grid.meter, noise_w=noise_w))
    return simulate(replace(scenario, grid=grid), control=control).trace


def violated(trace: Trace, name: str) -> bool:
    return bool(check(trace, only=[name]))


def test_a_good_run_violates_none() -> None:
    assert check(good()) == ()


def test_a_stop_without_need_is_found() -> None:
    trace = good()
    at = next(i for i, instant in enumerate(trace.instants) if instant.second >= 1800)
    instant = trace.instants[at]
    held = instant.loadpoints[0]._replace(reason="limited")
    stop = Sent(instant.second, 0, Disable(), True, 99, True, 4000.0)
    changed = replace(
        trace,
        instants=[*trace.instants[:at], instant._replace(loadpoints=(held,)), *trace.instants[at + 1 :]],
        sent=[*trace.sent, stop],
    )
    assert violated(changed, "nobody_is_stopped_without_need")
    full = replace(trace.scenario, circuit=(replace(trace.scenario.circuit[0], current_max_a=13.0),))
    assert not violated(replace(changed, scenario=full), "nobody_is_stopped_without_need")  # there was no room


def test_a_car_that_waits_for_ever_is_found() -> None:
    assert violated(run(forgetful), "nobody_starves")


def test_a_car_that_needs_more_than_its_owner_has_said_may_get_nothing() -> None:
    """Two cars in mode now share a limit; what is left for one is above its loadpoint's minimum and below its own."""
    world = replace(generate("@any_world:faults=none,number=110402", seed=8470), hours=2.8)
    trace = simulate(world, 8470).trace
    late = [each.loadpoints[1] for each in trace.instants if each.second > 9000]
    assert {each.mode for each in late} == {ChargeMode.NOW} and not any(each.power_w for each in late)
    assert all(6.0 < each.pilot_a < 8.0 for each in late)
    assert not violated(trace, "mode_now_charges")


def test_a_contactor_that_rests_after_a_stop_that_had_to_be_starves_nobody() -> None:
    """Ten minutes of guard time after a minute of the operator's limit."""
    limit = ActionSpec(at=time(0, 40), operator_limit_w=2000.0, lasts=timedelta(minutes=1))
    scenario = replace(PACKS["narrow_circuit"].build({**HUNGRY}), hours=1.2, action=(limit,))
    (station, *others) = scenario.charger
    station = replace(station, loadpoint=replace(station.loadpoint, guard_duration_s=660.0))
    trace = simulate(replace(scenario, charger=(station, *others))).trace
    off = [each.second for each in trace.instants if each.second > 2400 and each.loadpoints[0].pilot_a == 0]
    assert off[-1] - off[0] > 600.0
    assert not violated(trace, "nobody_starves")


def unmetered(name: str, seed: int) -> Scenario:
    """A generated world none of whose stations has a meter."""
    world = PACKS[name].draw(seed)
    boxes = [replace(charger, box=replace(charger.box, has_meter=False)) for charger in world.charger]
    return replace(world, charger=tuple(boxes))


WITHOUT_METERS = [("breaker_tree", 16), ("breaker_tree", 26), ("breaker_tree", 42), ("breaker_tree", 53)]
WITHOUT_METERS += [("breaker_tree", 23), ("narrow_circuit", 14), ("narrow_circuit", 17)]


@pytest.mark.day
@pytest.mark.parametrize(("name", "seed"), WITHOUT_METERS)
def test_without_meters_limits_are_used_as_far_as_one_can_know(name: str, seed: int) -> None:
    """On which phases a car draws is not known, nor whose it was when the load has fallen; but it fell only once [MEA-2]."""
    assert simulate(unmetered(name, seed), seed).violations == ()


@pytest.mark.day
def test_a_contactor_that_a_limit_has_opened_may_rest_while_there_is_room_again() -> None:
    """The household cooks, and both cars have to stop for a minute."""
    assert simulate(load("two-cars-one-fuse"), 2).violations == ()


@pytest.mark.day
def test_without_meters_too_a_limit_that_is_not_used_is_found() -> None:
    assert violated(simulate(unmetered("breaker_tree", 16), 16, control=timid).trace, "limits_are_used")
    assert violated(simulate(unmetered("breaker_tree", 26), 26, control=forgetful).trace, "nobody_starves")


@pytest.mark.parametrize("seed", [55, 60])
def test_a_fuse_that_the_house_trips_by_itself_is_not_the_controls(seed: int) -> None:
    world = PACKS["breaker_tree"].draw(seed)
    blameless = simulate(world, seed).trace
    assert blameless.fuse_trips and not violated(blameless, "fuse_never_trips")
    assert violated(simulate(world, seed, control=overloading).trace, "fuse_never_trips")


def test_a_raise_beyond_the_limit_is_found() -> None:
    assert violated(run(generous, slack_a=4.0), "raises_fit")


NOISY_W = 40.0
"""Of the sum: 0.1 A on each phase, and one sample in a thousand is 0.3 A off."""


@pytest.mark.parametrize(("slack_a", "cars"), [(0.05, 1), (0.3, 1), (8.0, 1), (6.3, 2)])
def test_a_control_is_not_to_know_more_than_a_noisy_meter_shows(slack_a: float, cars: int) -> None:
    """It raises in 0.1 A of room that is not there, stops for want of 0.1 A that are there, and moves in a still world."""
    assert check(run(classic, NOISY_W, slack_a=slack_a, cars=cars)) == ()


@pytest.mark.parametrize(
    ("control", "name"),
    [
        (generous, "raises_fit"),
        (generous, "circuit_limits_hold"),
        (jumpy, "nobody_is_stopped_without_need"),
        (timid, "limits_are_used"),
        (forgetful, "nobody_starves"),
    ],
)
def test_with_a_noisy_meter_too_a_control_that_is_wrong_is_found(control: ControlFactory, name: str) -> None:
    assert violated(run(control, NOISY_W, slack_a=4.0), name)


def test_a_control_that_never_rests_is_found() -> None:
    assert violated(run(restless), "still_worlds_stay_still")


def test_a_control_that_stops_and_starts_is_found() -> None:
    assert violated(run(jumpy), "switching_budget")


def test_cars_that_make_too_great_a_difference_between_phases_are_found() -> None:
    free = load("unbalance-limit")
    free = replace(free, hours=12.0, circuit=(replace(free.circuit[0], unbalance_max_a=None),))
    trace = simulate(free).trace
    assert not violated(trace, "unbalance_holds")
    for limit_a, is_kept in ((60.0, True), (20.0, False)):
        limited = replace(free, circuit=(replace(free.circuit[0], unbalance_max_a=limit_a),))
        assert violated(replace(trace, scenario=limited), "unbalance_holds") is not is_kept


def test_limit_of_the_difference_that_is_not_used_is_found() -> None:
    world = replace(load("unbalance-limit"), hours=12.0)
    trace = simulate(world).trace
    assert check(trace) == ()
    wide = replace(world, circuit=(replace(world.circuit[0], unbalance_max_a=60.0),))
    assert violated(replace(trace, scenario=wide), "limits_are_used")


def test_cars_that_draw_on_when_a_window_has_no_more_for_them_are_found() -> None:
    free = load("quarter-hour-peak")
    free = replace(free, hours=9.0, circuit=(replace(free.circuit[0], mean_power_max_w=None),))
    trace = simulate(free).trace

    def judged(limit_w: float, **changes: Any) -> bool:
        circuit = replace(free.circuit[0], mean_power_max_w=limit_w, **changes)
        return violated(replace(trace, scenario=replace(free, circuit=(circuit,))), "mean_power_holds")

    assert judged(5000.0) and judged(5000.0, mean_window_minutes=60)
    assert not judged(25_000.0)
    assert judged(5000.0, uses_grid_meter=False) and not judged(12_000.0, uses_grid_meter=False)


def test_a_house_that_buys_too_much_without_any_car_is_nobodys_fault() -> None:
    alone = replace(load("quarter-hour-peak"), hours=5.0)
    trace = simulate(alone).trace
    limited = replace(alone, circuit=(replace(alone.circuit[0], mean_power_max_w=50.0),))
    assert not violated(replace(trace, scenario=limited), "mean_power_holds")
