"""Several cars with foresight: for one car the same as the dynamic programme, for two no worse than whatever anybody does."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evcc_sim.bound.cost import Weights
from evcc_sim.bound.one_car import least_cost
from evcc_sim.bound.stay import Position, Stay, stays_together, usable
from evcc_sim.bound.together import scored_together, together
from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds.variants import resolve

pytest.importorskip("highspy", reason="needs the extra `optimize`")
from evcc_sim.bound.joint import GAP_EUR, NotSolved, least_joint_cost

ONE, THREE = Position(1, 1380.0, 3680.0), Position(3, 4140.0, 11040.0)
suns = st.lists(st.floats(0.0, 13_000.0).map(lambda value: round(value, 1)), min_size=1, max_size=40)


def stay(sun_w: list[float], positions: tuple[Position, ...] = (ONE, THREE), room_kwh: float = inf) -> Stay:
    """A car that is there for so many minutes, and whose contactor may stay closed at their end."""
    sun, share = np.array(sun_w), np.ones(len(sun_w))
    return Stay(
        cell_s=60.0,
        cells_per_step=1,
        sun_w=sun,
        usable_w=usable(sun, share, positions),
        share=share,
        drawn_w=np.zeros(len(sun_w)),
        positions=positions,
        first_phases=positions[-1].phases,
        lag_s=7.0,
        room_kwh=room_kwh,
        leaves=False,
    )


@given(suns, st.sampled_from(((ONE,), (THREE,), (ONE, THREE))))
@settings(max_examples=15)
def test_one_car_is_the_same_by_both_ways(sun: list[float], positions: tuple[Position, ...]) -> None:
    day = stay(sun, positions)
    found = least_joint_cost(together([day]))
    assert found.is_proven
    assert found.least == pytest.approx(least_cost(day).least, abs=GAP_EUR)
    assert found.reached == pytest.approx(least_cost(day).least, abs=GAP_EUR)


@given(suns, st.floats(0.05, 0.5), st.booleans())
@settings(max_examples=15)
def test_a_car_with_little_room_lies_between_both_ends(sun: list[float], room_kwh: float, tapers: bool) -> None:
    day = stay(sun, room_kwh=room_kwh)
    if tapers:
        day = replace(day, taper_kwh=0.9 * room_kwh)
    found, alone = least_joint_cost(together([day])), least_cost(day)
    assert alone.least <= found.reached + 1e-6
    assert found.least <= alone.reached + 1e-6
    assert alone.least >= found.least - 0.02  # a few switchings


def test_two_cars_share_what_is_too_much_for_one() -> None:
    """14 kW for an hour: one car takes 11.04 of it, the other the rest on one phase; one of them alone would leave it."""
    sun = [14_000.0] * 60
    both = [stay(sun), replace(stay(sun, (ONE,)), loadpoint=1)]
    found = least_joint_cost(together(both))
    assert found.reached == pytest.approx(2 * 0.002, abs=GAP_EUR)
    alone = least_joint_cost(together([both[1]]))
    assert alone.reached == pytest.approx(0.002, abs=GAP_EUR)
    assert together(both).usable_kwh == pytest.approx(14.0)
    assert together(both[1:]).usable_kwh == pytest.approx(3.68)


def test_out_of_time_it_says_less_and_nothing_wrong() -> None:
    day = stay([3000.0 + 1500.0 * (-1) ** n for n in range(120)])
    try:
        found = least_joint_cost(together([day]), time_limit_s=0.0)
    except NotSolved:
        return
    assert not found.is_proven
    assert found.least <= least_cost(day).least + 1e-6


@pytest.mark.day
@pytest.mark.parametrize("world", ["short-visit", "two-cars-one-roof,hours=9"])
def test_no_run_beats_the_cars_together(world: str) -> None:
    trace = simulate(resolve(world), 1).trace
    done = scored_together(trace)
    assert done.not_taken_kwh >= -1e-6
    found = least_joint_cost(together(stays_together(trace)), time_limit_s=60.0)
    assert found.least <= done.eur(Weights()) + 1e-6
