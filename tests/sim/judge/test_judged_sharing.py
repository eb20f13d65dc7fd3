"""What the adaptive law promises of sharing: kept by it, and broken by the law that does not promise it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evcc_sim.judge.invariants import check
from evcc_sim.judge.trace import Trace
from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds.variants import resolve

PROMISES = ("nothing_is_lent", "equals_share", "what_is_left_is_used")


def run(name: str, law: str, *, seed: int = 1, changes: tuple[str, ...] = ()) -> Trace:
    world = resolve(name, changes=list(changes), seed=seed)
    return simulate(replace(world, site=replace(world.site, law=law), allowed=()), seed).trace


def broken(trace: Trace, only: tuple[str, ...] = PROMISES) -> set[str]:
    return {each.invariant for each in check(trace, only)}


@pytest.mark.day
def test_a_lower_priority_is_lent_out_by_the_classic_law_alone() -> None:
    assert "nothing_is_lent" in broken(run("two-cars-one-roof", "classic"))
    assert broken(run("two-cars-one-roof", "adaptive"), (*PROMISES, "nothing_is_bought_for_the_sun")) == set()


@pytest.mark.day
@pytest.mark.parametrize("seed", [1, 2])
def test_equals_share_the_sun_under_the_adaptive_law_alone(seed: int) -> None:
    assert "equals_share" in broken(run("equal-cars", "classic", seed=seed))
    assert broken(run("equal-cars", "adaptive", seed=seed)) == set()


@pytest.mark.day
def test_equals_share_a_limit_under_the_adaptive_law_alone() -> None:
    assert "equals_share" in broken(run("two-cars-one-fuse", "classic"))
    assert broken(run("two-cars-one-fuse", "adaptive")) == set()


def test_what_a_full_car_leaves_is_lent_under_the_adaptive_law_alone() -> None:
    assert "what_is_left_is_used" in broken(run("lent-offers", "classic"))
    trace = run("lent-offers", "adaptive")
    assert broken(trace) == set()
    assert trace.instants[-1].loadpoints[2].energy_kwh > 2 * 15.0


def test_nobody_is_judged_by_shares_that_an_owner_does_not_want() -> None:
    trace = run("lent-offers", "adaptive", changes=("site.sharing=order",))
    assert broken(trace, ("equals_share",)) == set()
