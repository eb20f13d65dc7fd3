"""Ways 1 and 2 tell the same story: worlds of anything without faults, in process and through the whole server.

The bounds stand in docs/simulator.md.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from evcc_sim.runs.fullstack import run_scenario
from evcc_sim.runs.inprocess import simulate
from evcc_sim.runs.result import RunResult
from evcc_sim.worlds import scenario
from evcc_sim.worlds.generators import generate

pytestmark = pytest.mark.day

ENERGY_KWH, ENERGY_SHARE = 0.1, 0.02
STARTS, STARTS_SHARE = 1, 0.1


def is_near(one: float, two: float, *, least: float, share: float) -> bool:
    return abs(one - two) <= least + share * max(one, two)


@pytest.mark.parametrize("number", [8, 12, 13, 14, 15, 25])
def test_both_ways_agree_within_the_bounds_on_world(number: int) -> None:
    world = replace(generate(f"@any_world:number={number},faults=none", seed=1), hours=2.5)
    ways: tuple[RunResult, RunResult] = (simulate(world), run_scenario(world))
    assert [way.violations for way in ways] == [(), ()]
    one, two = (way.trace for way in ways)
    for first, second in zip(one.instants[-1].loadpoints, two.instants[-1].loadpoints, strict=True):
        assert is_near(first.energy_kwh, second.energy_kwh, least=ENERGY_KWH, share=ENERGY_SHARE)
    bought = (one.instants[-1].grid_in_kwh, two.instants[-1].grid_in_kwh)
    assert is_near(*bought, least=ENERGY_KWH, share=ENERGY_SHARE)
    assert one.car_starts.keys() == two.car_starts.keys()
    for car, starts in one.car_starts.items():
        assert is_near(starts, two.car_starts[car], least=STARTS, share=STARTS_SHARE), car


def test_a_limit_of_the_grid_operator_is_the_same_in_process_and_over_rest() -> None:
    """One is withdrawn after an hour, another is never heard of again; a car charges with all it can."""
    world = replace(scenario.load("operator-limit"), hours=15.0)
    ways: tuple[RunResult, RunResult] = (simulate(world), run_scenario(world))
    assert [way.violations for way in ways] == [(), ()]
    limited_s = [
        sum(
            later.second - instant.second
            for instant, later in pairwise(way.trace.instants)
            if 0 < instant.charge_w <= 4200
        )
        for way in ways
    ]
    assert limited_s[0] > 5000  # an hour and a half
    assert is_near(*limited_s, least=60, share=0.01)
    energies = [way.trace.instants[-1].loadpoints[0].energy_kwh for way in ways]
    assert is_near(*energies, least=ENERGY_KWH, share=ENERGY_SHARE)
