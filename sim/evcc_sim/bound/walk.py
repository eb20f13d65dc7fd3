"""The best walk through a stay's steps, exactly: a dynamic programme over `evcc_sim.bound.moves`, with a price on energy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf

import numpy as np
from numpy.typing import NDArray

from evcc_sim.bound.cost import DayCost, Weights
from evcc_sim.bound.moves import Arc, State, arcs
from evcc_sim.bound.stay import KWH_PER_WS, Powers, Stay


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """At most so many; None: as many as one likes."""

    phase_changes: int | None = None
    starts: int | None = None


FREE = Budget()


@dataclass(frozen=True, slots=True)
class Walk:
    """``value`` is what was minimised, ``unpriced`` without the price on energy; ``cost`` what it comes to if it stops as soon as
    the car is full."""

    value: float
    unpriced: float
    energy_kwh: float
    cost: DayCost


class Walks:
    """The walks of a stay."""

    def __init__(self, stay: Stay, budget: Budget = FREE) -> None:
        self.stay = stay
        self.budget = budget
        self.arcs = arcs(stay)
        self.states = tuple(dict.fromkeys(state for arc in self.arcs for state in (arc.start, arc.end)))
        self._sun_w, self._usable_w = stay.means(stay.sun_w), stay.means(stay.usable_w)
        self._low_share, self._high_share = stay.low_share, stay.high_share
        self._counts = (_counts(budget.phase_changes), _counts(budget.starts))

    @cached_property
    def most_kwh(self) -> float:
        """What could go into the car if nothing spoke against it."""
        return self.stay.most_w / 1000 * float(self._high_share.sum()) * self.stay.step_kwh

    @cached_property
    def usable_from_kwh(self) -> Powers:
        """The usable sun from each step to the end."""
        energies = self._usable_w * self.stay.step_s * KWH_PER_WS
        summed: Powers = np.cumsum(energies[::-1])[::-1]
        return summed

    def best(self, weights: Weights, energy_price: float = 0.0, *, full_at: Powers | None = None) -> Walk | None:
        """The walk with the least cost plus ``energy_price`` for each kilowatt-hour; None: there is none.

        With ``full_at`` it ends before a step at which the car is as good as full, and has paid that step's value then.
        """
        powers_kw = self._powers_kw(weights, energy_price)
        costs = [self._cost(arc, power, weights, energy_price) for arc, power in zip(self.arcs, powers_kw, strict=True)]
        classes = _classes(self.arcs, self.budget)
        tables = [_Table(self.arcs, members, costs, self.states) for members in classes.values()]
        values = np.full((len(self.states), *self._counts), inf)
        for number, state in enumerate(self.states):
            if not state.is_closed and self.stay.first_phases in (None, self.stay.positions[state.position].phases):
                values[number, 0, 0] = 0.0
        chosen: list[NDArray[np.intp]] = []
        end_step, end_value, end_at = self.stay.steps, inf, (0, 0, 0)
        for step in range(self.stay.steps):
            if full_at is not None and (value := float(values.min()) + float(full_at[step])) < end_value:
                end_step, end_value, end_at = step, value, _where_least(values)
            values, choice = _step(values, [table.at(step) for table in tables], tuple(classes))
            chosen.append(choice)
        if full_at is None:
            if self.stay.leaves:
                values[[number for number, state in enumerate(self.states) if state.is_closed]] = inf
            end_value, end_at = float(values.min()), _where_least(values)
        if end_value == inf:
            return None
        steps = self._followed(end_step, end_at, chosen, tables, tuple(classes))
        energy_kwh = sum(float(powers_kw[number][step]) for step, number in enumerate(steps)) * self.stay.step_kwh
        return Walk(end_value, end_value - energy_price * energy_kwh, energy_kwh, self._summed(steps, powers_kw))

    def _powers_kw(self, weights: Weights, energy_price: float) -> list[Powers]:
        """The best power of each arc in each step: a sum of convex pieces is least at its kink, or the next that may be."""
        if energy_price >= weights.not_taken_per_kwh and energy_price > 0:
            aim_w = np.zeros(self.stay.steps)
        elif energy_price >= 0:
            aim_w = self._usable_w
        elif energy_price >= -weights.bought_per_kwh:
            aim_w = self._sun_w
        else:
            aim_w = np.full(self.stay.steps, inf)
        return [np.clip(aim_w, arc.low_w * self._low_share, arc.high_w * self._high_share) / 1000 for arc in self.arcs]

    def _cost(self, arc: Arc, power_kw: Powers, weights: Weights, energy_price: float) -> Powers:
        hours = self.stay.step_kwh
        beyond_kw = np.maximum(0.0, power_kw - self._sun_w / 1000)
        bought = np.where(beyond_kw > 1e-12, beyond_kw, 0.0) * hours
        not_taken = np.maximum(0.0, self._usable_w / 1000 - power_kw) * hours
        paid = np.where(bought > 0, inf, 0.0) if weights.bought_per_kwh == inf else bought * weights.bought_per_kwh
        cost: Powers = paid + not_taken * weights.not_taken_per_kwh + power_kw * hours * energy_price
        return cost + arc.switchings * weights.switching + arc.changes * weights.phase_change

    def _followed(
        self,
        end_step: int,
        end_at: tuple[int, int, int],
        chosen: Sequence[NDArray[np.intp]],
        tables: Sequence[_Table],
        shifts: Sequence[tuple[int, int]],
    ) -> list[int]:
        """The arc of each step, found backwards from the end."""
        steps: list[int] = []
        state, changed, started = end_at
        for step in range(end_step - 1, -1, -1):
            table, start = divmod(int(chosen[step][state, changed, started]), len(self.states))
            steps.append(tables[table].arc(step, start, state))
            state, changed, started = start, changed - shifts[table][0], started - shifts[table][1]
        return steps[::-1]

    def _summed(self, steps: Sequence[int], powers_kw: Sequence[Powers]) -> DayCost:
        """What so many steps come to; the contactor opens when the car is full."""
        stay, hours = self.stay, self.stay.step_kwh
        charged = sun = used = 0.0
        switchings = changes = 0
        for step, number in enumerate(steps):
            arc, power_kw = self.arcs[number], float(powers_kw[number][step])
            is_full = charged + power_kw * hours > stay.room_kwh + 1e-9
            if is_full:
                power_kw = (stay.room_kwh - charged) / hours
                arc = replace(arc, switchings=(1 if arc.start.is_closed else 2 if power_kw > 1e-9 else 0), changes=0)
            charged += power_kw * hours
            sun += min(power_kw, float(self._sun_w[step]) / 1000) * hours
            used += min(power_kw, float(self._usable_w[step]) / 1000) * hours
            switchings += arc.switchings
            changes += arc.changes
            if is_full:
                break
        return DayCost(
            charged_kwh=charged,
            sun_kwh=sun,
            bought_kwh=charged - sun,
            not_taken_kwh=stay.usable_kwh - used,
            switchings=switchings,
            phase_changes=changes,
        )


class _Table:
    """The cheapest of some arcs from each state to each, for every step."""

    def __init__(
        self, arcs: Sequence[Arc], members: Sequence[int], costs: Sequence[Powers], states: Sequence[State]
    ) -> None:
        number = {state: index for index, state in enumerate(states)}
        steps = len(costs[0])
        self._least = np.full((steps, len(states), len(states)), inf)
        self._arc = np.full((steps, len(states), len(states)), -1, dtype=np.intp)
        for member in members:
            start, end = number[arcs[member].start], number[arcs[member].end]
            is_better = costs[member] < self._least[:, start, end]
            self._least[is_better, start, end] = costs[member][is_better]
            self._arc[is_better, start, end] = member

    def at(self, step: int) -> Powers:
        """Costs from each state (rows) to each."""
        costs: Powers = self._least[step]
        return costs

    def arc(self, step: int, start: int, end: int) -> int:
        """Which one it is."""
        return int(self._arc[step, start, end])


def _counts(most: int | None) -> int:
    return 1 if most is None else most + 1


def _classes(arcs: Sequence[Arc], budget: Budget) -> dict[tuple[int, int], list[int]]:
    """Arcs by what they take from the budget: changes of phases and starts. Who has no budget counts nothing."""
    classes: dict[tuple[int, int], list[int]] = {}
    for number, arc in enumerate(arcs):
        changes = 0 if budget.phase_changes is None else arc.changes
        starts = 0 if budget.starts is None else arc.starts
        if changes <= (budget.phase_changes or 0) and starts <= (budget.starts or 0):
            classes.setdefault((changes, starts), []).append(number)
    return classes


def _step(
    values: Powers, costs: Sequence[Powers], shifts: Sequence[tuple[int, int]]
) -> tuple[Powers, NDArray[np.intp]]:
    """Values after a step, by state and by what is used up, and the number of the table and the state they come from."""
    states = len(values)
    best: Powers | None = None
    chosen = np.zeros(values.shape, dtype=np.intp)
    for table, (cost, (changes, starts)) in enumerate(zip(costs, shifts, strict=True)):
        reached = values[:, None] + cost[:, :, None, None]
        come_from = reached.argmin(axis=0)
        least = np.take_along_axis(reached, come_from[None], axis=0)[0]
        if best is None and not (changes or starts):
            best, chosen = least, come_from + table * states
            continue
        if best is None:
            best = np.full(values.shape, inf)
        shape = values.shape[1] - changes, values.shape[2] - starts
        there = best[:, changes:, starts:]
        is_better = least[:, : shape[0], : shape[1]] < there
        there[is_better] = least[:, : shape[0], : shape[1]][is_better]
        chosen[:, changes:, starts:][is_better] = (come_from + table * states)[:, : shape[0], : shape[1]][is_better]
    assert best is not None
    return best, chosen


def _where_least(values: Powers) -> tuple[int, int, int]:
    state, changed, started = np.unravel_index(int(values.argmin()), values.shape)
    return int(state), int(changed), int(started)
