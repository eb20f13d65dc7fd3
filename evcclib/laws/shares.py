"""Who gets how much where not everybody can have all: one division for the sun and for every limit at once.

What is wanted are *claims*, what there is are *bounds*: the sum of what some of them get, each with its weight, within a room. A
phase of a circuit is one, so is its power, so is the sun. Everything is given out step by step, and no step is taken back::

    1  what is held already: minimums that nobody can refuse
    2  the other minimums, by priority, equals in order, each where it fits beside those before it
    3  by priority what each makes use of, among equals the step first that reaches the least height
    4  likewise the rest of what each would take

Each step is granted unless a bound forbids it. So nobody could have more without another one, who comes first, having less, and a
bound that is raised never worsens what those who come first have got. The height is what a claim gets (*fair*, max-min), what it
gets beyond its minimum (*equal*), or there is none, and who comes first takes all (*order*).

The steps are not all walked through: where a level rises freely it is raised at once (`_lift`), and only where it meets a bound
do single steps decide.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from evcclib.model import Sharing

SLACK = 1e-6
"""A room that is missing because sums of floats are not exact."""


class Claim(NamedTuple):
    """What one could be given: from ``minimum`` to ``maximum`` in steps, or nothing.

    Up to ``used`` it makes use of it, as far as known. A ``unit`` of it is so high. ``is_held``: it has its minimum anyway.
    """

    minimum: float
    maximum: float
    step: float
    priority: int = 0
    used: float = math.inf
    unit: float = 1.0
    is_held: bool = False


class Bound(NamedTuple):
    """The sum of what claims get, times their ``weights``, stays within ``room``."""

    name: str
    room: float
    weights: Mapping[int, float]


class Share(NamedTuple):
    """What a claim gets, 0: not even its minimum; ``bound`` names what it could have more without, "" nothing."""

    granted: float
    bound: str


def divide(claims: Sequence[Claim], bounds: Iterable[Bound], sharing: Sharing) -> list[Share]:
    """A share for each claim."""
    table = _Table(claims, bounds, sharing)
    order = sorted(range(len(claims)), key=lambda index: (-claims[index].priority, index))
    for index in order:
        if claims[index].is_held:
            table.give(index, claims[index].minimum)
    for index in order:
        if not claims[index].is_held and table.fits(index, claims[index].minimum):
            table.give(index, claims[index].minimum)
    served = [index for index in order if claims[index].is_held or table.granted[index] > 0]
    for tops in ([min(each.used, each.maximum) for each in claims], [each.maximum for each in claims]):
        for priority in dict.fromkeys(claims[index].priority for index in served):
            _raise(table, [index for index in served if claims[index].priority == priority], tops)
    return [Share(*each) for each in zip(table.granted, table.stopped_by, strict=True)]


class _Table:
    """What has been given so far, and what is left of each bound."""

    def __init__(self, claims: Sequence[Claim], bounds: Iterable[Bound], sharing: Sharing) -> None:
        self.claims, self.sharing = claims, sharing
        self.granted = [0.0] * len(claims)
        self.stopped_by = [""] * len(claims)
        # what cannot be exceeded whatever is given need not be watched
        self.bounds = [
            each
            for each in bounds
            if sum(weight * claims[index].maximum for index, weight in each.weights.items()) > each.room
        ]
        self.left = [each.room for each in self.bounds]
        self.bounds_of: list[list[tuple[int, float]]] = [[] for _ in claims]
        for number, bound in enumerate(self.bounds):
            for index, weight in bound.weights.items():
                self.bounds_of[index].append((number, weight))

    def fits(self, index: int, more: float) -> bool:
        """Whether every bound leaves so much more for a claim; the name of the first that does not is kept."""
        for number, weight in self.bounds_of[index]:
            if weight * more > self.left[number] + SLACK:
                self.stopped_by[index] = self.stopped_by[index] or self.bounds[number].name
                return False
        return True

    def give(self, index: int, more: float) -> None:
        self.granted[index] += more
        for number, weight in self.bounds_of[index]:
            self.left[number] -= weight * more

    def height(self, index: int, granted: float) -> float:
        """How high a claim stands with so much."""
        claim = self.claims[index]
        return (granted - (claim.minimum if self.sharing is Sharing.EQUAL else 0.0)) * claim.unit

    def steps_below(self, index: int, most: float) -> float:
        """The most that is a step of the claim and not above ``most``."""
        claim = self.claims[index]
        if most >= claim.maximum:
            return claim.maximum
        return claim.minimum + math.floor((most - claim.minimum) / claim.step + SLACK) * claim.step

    def next_step(self, index: int) -> float:
        claim = self.claims[index]
        steps = math.floor((self.granted[index] - claim.minimum) / claim.step + SLACK) + 1
        return min(claim.minimum + steps * claim.step, claim.maximum)


def _raise(table: _Table, members: Sequence[int], tops: Sequence[float]) -> None:
    """Raise equals, each to its top if no bound forbids it."""
    if table.sharing is Sharing.ORDER:
        for index in members:
            _fill(table, index, tops[index])
        return
    rising = [index for index in members if table.granted[index] < tops[index]]
    while len(rising) > 1:
        level = _lift(table, rising, tops)
        rising = _one_round(table, rising, tops, level)
    for index in rising:
        _fill(table, index, tops[index])


def _fill(table: _Table, index: int, top: float) -> None:
    """Give one claim all the steps that fit, up to ``top``."""
    room = min([table.left[number] / weight for number, weight in table.bounds_of[index]], default=math.inf)
    most = table.steps_below(index, min(top, table.granted[index] + max(0.0, room) + SLACK))
    table.give(index, max(0.0, most - table.granted[index]))
    if table.granted[index] < top:
        table.fits(index, table.next_step(index) - table.granted[index])


def _lift(table: _Table, rising: Sequence[int], tops: Sequence[float]) -> float:
    """Raise the lowest together, as far as no bound is met whatever their steps; returns how high."""
    rate = [0.0] * len(table.bounds)
    left = list(table.left)
    turns: list[tuple[float, int, float]] = []  # height, claim, begins (+1) or ends (-1) to rise there
    for index in rising:
        turns.append((table.height(index, table.granted[index]), index, 1.0))
        turns.append((table.height(index, tops[index]), index, -1.0))
    turns.sort()
    level = turns[0][0]
    for height, index, sign in turns:
        if height > level:
            met = min([left[n] / each for n, each in enumerate(rate) if each > SLACK], default=math.inf)
            if met <= height - level:
                level += max(0.0, met)
                break
            for number, each in enumerate(rate):
                left[number] -= each * (height - level)
            level = height
        for number, weight in table.bounds_of[index]:
            rate[number] += sign * weight / table.claims[index].unit
    for index in rising:
        claim = table.claims[index]
        most = level / claim.unit + (claim.minimum if table.sharing is Sharing.EQUAL else 0.0)
        most = table.steps_below(index, min(most, tops[index]))
        table.give(index, max(0.0, most - table.granted[index]))
    return level


def _one_round(table: _Table, rising: Sequence[int], tops: Sequence[float], level: float) -> list[int]:
    """Steps in the order of the height that they reach, until all up to ``level`` have had a turn; returns who may still rise."""
    steps = {index: table.next_step(index) for index in rising}
    coming = [(table.height(index, step), index) for index, step in steps.items() if step <= tops[index] + SLACK]
    heapq.heapify(coming)
    waiting = {index for _height, index in coming if table.height(index, table.granted[index]) <= level + SLACK}
    while waiting:
        _height, index = heapq.heappop(coming)
        waiting.discard(index)
        step = table.next_step(index)
        if step > table.granted[index] and table.fits(index, step - table.granted[index]):
            table.give(index, step - table.granted[index])
            if (step := table.next_step(index)) > table.granted[index] and step <= tops[index] + SLACK:
                heapq.heappush(coming, (table.height(index, step), index))
    return sorted(index for _height, index in coming)
