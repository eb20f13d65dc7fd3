"""The clairvoyant against everything that one can try on a short day, and against days worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evcc_sim.bound.cost import Weights, cost_of
from evcc_sim.bound.one_car import least_cost, least_purchase, most_sun
from evcc_sim.bound.stay import Position, Stay, usable
from evcc_sim.bound.walk import FREE, Budget

ONE, THREE = Position(1, 1380.0, 3680.0), Position(3, 4140.0, 11040.0)


def stay(
    *sun_w: float,
    positions: tuple[Position, ...] = (ONE, THREE),
    cells_per_step: int = 1,
    room_kwh: float = inf,
    lag_s: float = 0.0,
    leaves: bool = True,
    pauses: bool = True,
) -> Stay:
    """A car that is there for so many minutes."""
    sun, share = np.array(sun_w), np.ones(len(sun_w))
    return Stay(
        cell_s=60.0 / cells_per_step,
        cells_per_step=cells_per_step,
        sun_w=sun,
        usable_w=usable(sun, share, positions),
        share=share,
        drawn_w=np.zeros(len(sun_w)),
        positions=positions,
        first_phases=positions[-1].phases,
        pauses=pauses,
        lag_s=lag_s,
        room_kwh=room_kwh,
        leaves=leaves,
    )


# -- by hand -------------------------------------------------------------------------------------------------------------


def test_a_steady_sun_is_taken_whole() -> None:
    found = least_cost(stay(*[6000.0] * 60))
    assert found.walk is not None
    assert found.walk.charged_kwh == pytest.approx(6.0)
    assert (found.walk.switchings, found.walk.phase_changes) == (2, 0)
    assert (found.least, found.reached) == (pytest.approx(0.004), pytest.approx(0.004))


def test_little_sun_is_worth_one_phase() -> None:
    found = least_cost(stay(*[2000.0] * 60))
    assert found.least == pytest.approx(0.004 + 0.01)  # 2 kWh are worth 0.44


def test_a_lull_is_bridged_by_what_costs_less_than_two_switchings() -> None:
    """One minute at 4,140 W with 4,000 W of sun buys 2.3 Wh for 0.07 ct; with 1,000 W it would be 1.6 ct, and 0.4 ct to pause."""
    lit = [6000.0] * 10
    assert least_cost(stay(*lit, 4000.0, *lit)).least == pytest.approx(0.004 + 0.140 / 60 * 0.30)
    dark = least_cost(stay(*lit, 1000.0, *lit))
    assert dark.least == pytest.approx(0.008)
    assert dark.walk is not None
    assert dark.walk.switchings == 4


def test_what_the_car_has_no_room_for_is_not_missed() -> None:
    found = least_cost(stay(*[6000.0] * 60, room_kwh=2.0))
    assert found.reached == pytest.approx(0.004)
    assert 0.0 <= found.least <= 0.004


def test_room_goes_to_whole_spells_of_sun() -> None:
    """Eight spells of a kilowatt-hour and room for six: more would be nothing saved, and each costs two switchings."""
    day = stay(*([6000.0] * 10 + [0.0] * 10) * 8, positions=(THREE,), room_kwh=6.0)
    found = least_cost(day)
    assert found.least == pytest.approx(6 * 0.004)
    assert found.reached == pytest.approx(6 * 0.004)


def test_phases_are_remembered_while_off() -> None:
    lit, dark = [2000.0] * 10, [0.0] * 10
    assert least_cost(stay(*lit, *dark, *lit)).least == pytest.approx(0.01 + 4 * 0.002)


def test_single_figures() -> None:
    day = stay(*[2000.0] * 30, *[6000.0] * 30)
    assert most_sun(day) == pytest.approx(4.0)
    assert most_sun(day, Budget(phase_changes=0)) == pytest.approx(
        3.0 + 2.0 / 2
    )  # switched on and off within each minute
    assert most_sun(day, Budget(phase_changes=0, starts=1)) == pytest.approx(3.0 + 2.0 / 60)  # the minute before counts
    assert least_purchase(day, 4.0).least == pytest.approx(0.0)
    assert least_purchase(day, 5.0).least == pytest.approx(1.0)
    assert least_purchase(day, 99.0).least == inf


# -- by trying everything --------------------------------------------------------------------------------------------------

Seen = tuple[int, bool, float]
"""Position, whether closed, and for how many seconds it has been."""


@cache
def stories(
    start: Seen, positions: tuple[Position, ...], lag_s: float, pauses: bool, moves_most: int
) -> frozenset[tuple[Seen, int, int, int, float, float]]:
    """All that can happen in a minute: where it ends, switchings, starts, changes, least and most power."""
    found = set()
    for moves in (moves for count in range(moves_most + 1) for moves in product(("switch", "relay"), repeat=count)):
        position, is_closed, closed_s = start
        short = 1 - min(1.0, max(0.0, lag_s - closed_s) / 60)
        least = [positions[position].min_w * short if is_closed else 0.0]
        most = [positions[position].max_w if is_closed else 0.0]
        switchings = starts = changes = 0
        for move in moves:
            if move == "relay" and (len(positions) == 1 or (is_closed and pauses)):
                break
            if move == "switch":
                is_closed = not is_closed
                switchings += 1
                starts += is_closed
                closed_s = -60.0  # at the very end of this minute
            else:
                position = 1 - position
                changes += 1
            least.append(positions[position].min_w if is_closed else 0.0)
            most.append(positions[position].max_w if is_closed else 0.0)
        else:
            end = (position, is_closed, min(600.0, closed_s + 60.0) if is_closed else 0.0)
            found.add((end, switchings, starts, changes, min(least), max(most)))
    return frozenset(found)


def tried(day: Stay, weights: Weights, budget: Budget, moves_most: int) -> float:
    """The least day cost of all ways through a day with room for everything."""

    def rest(step: int, now: Seen, changes_left: float, starts_left: float) -> float:
        if step == day.steps:
            return inf if day.leaves and now[1] else 0.0
        sun_kw, usable_kw = day.sun_w[step] / 1000, day.usable_w[step] / 1000
        best = inf
        for end, switchings, starts, changes, least_w, most_w in stories(
            now, day.positions, day.lag_s, day.pauses, moves_most
        ):
            if changes > changes_left or starts > starts_left:
                continue
            cost = min(
                max(0.0, power_kw - sun_kw) / 60 * weights.bought_per_kwh
                + max(0.0, usable_kw - power_kw) / 60 * weights.not_taken_per_kwh
                for aim_kw in (usable_kw, sun_kw)
                for power_kw in [min(max(aim_kw, least_w / 1000), most_w / 1000)]
            )
            cost += switchings * weights.switching + changes * weights.phase_change
            best = min(best, cost + rest(step + 1, end, changes_left - changes, starts_left - starts))
        return best

    left = [inf if most is None else most for most in (budget.phase_changes, budget.starts)]
    first = next(n for n, p in enumerate(day.positions) if p.phases == day.first_phases)
    return rest(0, (first, False, 0.0), left[0], left[1])


suns = st.floats(0.0, 13_000.0).map(lambda value: round(value, 1))
counts = st.none() | st.integers(0, 2)
budgets = st.builds(Budget, phase_changes=counts, starts=counts)
prices = st.floats(0.0, 0.05)
weights = st.builds(Weights, switching=prices, phase_change=prices)
lags = st.sampled_from((0.0, 7.0, 45.0, 80.0))


@given(st.lists(suns, min_size=1, max_size=8), st.sampled_from((ONE, THREE)), lags, st.booleans(), weights, budgets)
@settings(max_examples=25)
def test_equals_whatever_can_be_tried_with_fixed_phases(
    sun: list[float], position: Position, lag_s: float, leaves: bool, weighed: Weights, budget: Budget
) -> None:
    day = stay(*sun, positions=(position,), lag_s=lag_s, leaves=leaves)
    assert least_cost(day, weighed, budget).least == pytest.approx(tried(day, weighed, budget, 2), abs=1e-9)


@given(st.lists(suns, min_size=1, max_size=3), lags, st.booleans(), st.booleans(), weights, budgets)
@settings(max_examples=25)
def test_equals_whatever_can_be_tried_with_a_relay(
    sun: list[float], lag_s: float, leaves: bool, pauses: bool, weighed: Weights, budget: Budget
) -> None:
    day = stay(*sun, lag_s=lag_s, leaves=leaves, pauses=pauses)
    found = least_cost(day, weighed, budget)
    assert found.least == pytest.approx(found.reached, abs=1e-9)
    assert found.least == pytest.approx(tried(day, weighed, budget, 6), abs=1e-9)


@given(st.lists(suns, min_size=2, max_size=40), st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=25)
def test_a_larger_budget_is_never_worse(sun: list[float], changes: int, starts: int) -> None:
    day = stay(*sun)
    small = Budget(phase_changes=changes, starts=starts)
    energy_kwh = most_sun(day, small)
    for large in (replace(small, phase_changes=changes + 1), replace(small, starts=starts + 1), FREE):
        assert least_cost(day, budget=large).least <= least_cost(day, budget=small).least + 1e-9
        assert most_sun(day, large) >= energy_kwh - 1e-9
        assert least_purchase(day, energy_kwh, large).least <= least_purchase(day, energy_kwh, small).least + 1e-9


# -- whatever somebody does ------------------------------------------------------------------------------------------------


@st.composite
def deeds(draw: st.DrawFn) -> tuple[Stay, int, int, int]:
    """A stay in which somebody has charged, cell by cell, until the car was full; switchings, changes, starts."""
    cells = draw(st.integers(1, 6))
    sun = draw(st.lists(suns, min_size=cells, max_size=12 * cells).map(lambda all_: all_[: len(all_) // cells * cells]))
    day = stay(*sun, cells_per_step=cells, room_kwh=draw(st.sampled_from((inf, 0.1, 0.5))), leaves=draw(st.booleans()))
    position, is_closed, charged_kwh = 1, False, 0.0
    switchings = changes = starts = 0
    drawn = np.zeros(len(sun))
    for cell in range(len(sun)):
        wanted = draw(st.sampled_from((None, 0, 1)) | st.just(position if is_closed else None))
        power_w = 0.0
        if wanted is not None:
            aimed = day.positions[wanted]
            power_w = min(max(aimed.min_w, draw(st.just(sun[cell]) | st.floats(0.0, 12_000.0))), aimed.max_w)
            power_w = 0.0 if charged_kwh + day.kwh(np.array([power_w])) > day.room_kwh else power_w
        if power_w and wanted is not None:
            changes += wanted != position
            is_new = not is_closed or wanted != position
            switchings += is_new + (is_new and is_closed)
            starts += is_new
            position, is_closed = wanted, True
        else:
            switchings += is_closed
            is_closed = False
        drawn[cell] = power_w
        charged_kwh += day.kwh(drawn[cell : cell + 1])
    switchings += is_closed and day.leaves
    return replace(day, drawn_w=drawn), switchings, changes, starts


@given(deeds(), weights)
@settings(max_examples=100)
def test_nobody_does_better(deed: tuple[Stay, int, int, int], weighed: Weights) -> None:
    day, switchings, changes, starts = deed
    done = cost_of([day], switchings, changes)
    assert done.not_taken_kwh >= -1e-9
    for budget in (FREE, Budget(phase_changes=changes), Budget(phase_changes=changes, starts=starts)):
        assert least_cost(day, weighed, budget).least <= done.eur(weighed) + 1e-9
        assert least_purchase(day, done.charged_kwh, budget).least <= done.bought_kwh + 1e-9
        if done.bought_kwh == 0.0:
            assert most_sun(day, budget) >= day.usable_kwh - done.not_taken_kwh - 1e-9


@given(deeds(), weights)
@settings(max_examples=50)
def test_a_full_car_costs_no_less_than_said(deed: tuple[Stay, int, int, int], weighed: Weights) -> None:
    day = deed[0]
    found = least_cost(day, weighed)
    assert found.least <= found.reached + 1e-9
    assert found.walk is not None
    assert found.walk.charged_kwh <= day.room_kwh + 1e-9
