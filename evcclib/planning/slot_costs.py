"""What energy in each slot costs, in whole numbers: the curves c and d of `evcclib.planning.problem`.

Energy is counted in watt-millimilliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from enum import Enum
from typing import NamedTuple

from evcclib.planning.problem import Problem, Slot

UNITS_PER_KWH = 3_600_000_000
MILLISECOND = timedelta(milliseconds=1)
PRICE_STEPS = 1_000_000
"""Prices are told apart by this part of a unit per kWh."""
TIE = 1 << 20
"""A price step is so many cost steps; below it the earlier of two slots is the dearer one."""


class Use(Enum):
    """What a run does in a slot."""

    FIRST = "first"  # begins, late if it likes
    WHOLE = "whole"
    LAST = "last"  # ends, early if it likes
    BREAK = "break"  # ends and begins again


class Point(NamedTuple):
    """Energy [W ms] and what it costs [unit / `PRICE_STEPS` / `TIE` x W ms / kWh], at a power [W]."""

    energy: int
    cost: int
    power_w: int


NOTHING = Point(0, 0, 0)


class Costed(NamedTuple):
    """``part``: the corners of c but for the first one, which is nothing for nothing; ``whole``: the corners of d.

    Both empty: the slot cannot be used.
    """

    part: tuple[Point, ...] = ()
    whole: tuple[Point, ...] = ()
    is_forced: bool = False

    def corners(self, use: Use) -> tuple[Point, ...]:
        """All corners of the curve that holds for ``use``."""
        if use is Use.WHOLE:
            return self.whole
        return self.part if self.is_forced else (NOTHING, *self.part)

    @property
    def most(self) -> int:
        """All energy that the slot holds [W ms]."""
        return self.part[-1].energy if self.part else 0


UNUSABLE = Costed()


def need_of(problem: Problem) -> int:
    """What is to be charged [W ms]; never less than was asked for."""
    return max(0, math.ceil(round(problem.need_kwh * UNITS_PER_KWH, 3)))


def start_cost_of(problem: Problem) -> int:
    """One start, in cost steps."""
    return round(problem.start_cost * PRICE_STEPS) * TIE * UNITS_PER_KWH


def cost_in_units(cost: int) -> float:
    """Cost steps as money, or whatever prices are in."""
    return cost / (PRICE_STEPS * TIE * UNITS_PER_KWH)


def is_priced(slot: Slot) -> bool:
    """Whether its price is known."""
    return slot.price is not None and math.isfinite(slot.price)


def costed(problem: Problem) -> list[Costed]:
    """The curves of all slots; those without a price as if they cost nothing."""
    ranges = sorted((round(low), round(high)) for low, high in problem.ranges_w)
    most = max(high for _low, high in ranges)
    last = len(problem.slots) - 1
    return [_slot(slot, ranges, most, last - number) for number, slot in enumerate(problem.slots)]


def _slot(slot: Slot, ranges: Sequence[tuple[int, int]], most: int, lateness: int) -> Costed:
    milliseconds = (slot.end - slot.start) // MILLISECOND
    if slot.cap_w < most:
        cap_w = math.floor(slot.cap_w)
        ranges = [(low, min(high, cap_w)) for low, high in ranges if low <= cap_w]
        most = max((high for _low, high in ranges), default=0)
    if not most or not milliseconds:
        return UNUSABLE
    price = round(slot.price * PRICE_STEPS) * TIE + lateness if slot.price is not None and is_priced(slot) else lateness
    part: tuple[Point, ...]
    whole: tuple[Point, ...]
    if not slot.sun:
        least = ranges[0][0]
        top = Point(most * milliseconds, price * most * milliseconds, most)
        part = (top,)
        whole = (Point(least * milliseconds, price * least * milliseconds, least), top) if least < most else part
    else:
        feed_in = round(slot.feed_in * PRICE_STEPS) * TIE + lateness
        powers = {power for each in ranges for power in each}
        for sun in slot.sun:
            for edge_w in (sun.power_w, sun.power_w - slot.sell_max_w):
                powers |= {round(edge_w) for low, high in ranges if low < edge_w < high}
        points = [
            Point(power * milliseconds, _each_millisecond(slot, power, price, feed_in) * milliseconds, power)
            for power in sorted(powers)
        ]
        part, whole = tuple(_hull([NOTHING, *(point for point in points if point.energy)])[1:]), tuple(_hull(points))
    if slot.is_forced:
        part = whole = (part[-1],)
    return Costed(part, whole, slot.is_forced)


def _each_millisecond(slot: Slot, power_w: int, price: int, feed_in: int) -> int:
    """g(p), in cost steps for each millisecond; powers in milliwatts, since shares part them."""
    if len(slot.sun) == 1 and slot.sell_max_w == math.inf:
        own = min(power_w, max(0, round(slot.sun[0].power_w)))
        return price * (power_w - own) + feed_in * own
    bought = free = 0.0
    for power, share in slot.sun:
        own_w = min(power_w, max(0.0, power))
        bought += share * (power_w - own_w)
        free += share * min(own_w, max(0.0, power - slot.sell_max_w))
    bought_mw, free_mw = round(bought * 1000), round(free * 1000)
    return (price * bought_mw + feed_in * (power_w * 1000 - bought_mw - free_mw)) // 1000


def _hull(points: Sequence[Point]) -> list[Point]:
    """The lower convex hull of points in order of energy; what lies on a line between two others is left out."""
    hull: list[Point] = []
    for point in points:
        while len(hull) > 1 and (hull[-1].cost - hull[-2].cost) * (point.energy - hull[-1].energy) >= (
            point.cost - hull[-1].cost
        ) * (hull[-1].energy - hull[-2].energy):
            hull.pop()
        hull.append(point)
    return hull
