"""How much in which slot: what the solvers pass on to one another, and the exact part of them.

With the runs given, the cost is a sum of convex curves, and the cheapest segments, filled one after the other, are optimal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from evcclib.planning.slot_costs import NOTHING, Costed, Point, Use

Pattern = tuple[tuple[int, Use], ...]
"""Slots that are charged in, in order, and how."""


class Choice(NamedTuple):
    """Energies [W ms] of the slots in ``pattern``, and what all costs together, starts included."""

    cost: int
    pattern: Pattern
    energies: tuple[int, ...]


class Segment(NamedTuple):
    """The way from one corner of a curve to the next. In order: the cheapest first, of equal ones the latest."""

    slope: float
    earliness: int
    position: int
    energy: int
    cost: int


def filled(costs: Sequence[Costed], pattern: Pattern, need: int, start_cost: int) -> Choice | None:
    """The cheapest energies of a pattern that make up ``need``; None if it has more or less than that."""
    energies: list[int] = []
    segments: list[Segment] = []
    total = 0
    pattern = _loosened(pattern)
    for position, (slot, use) in enumerate(pattern):
        first, *corners = costs[slot].corners(use)
        energy, cost, _power = first
        if use is Use.FIRST or use is Use.BREAK:
            total += start_cost
        energies.append(energy)
        total += cost
        need -= energy
        segments.extend(_segments(first, corners, slot, position))
    if need < 0:
        return None
    for segment in sorted(segments):
        if need <= 0:
            break
        taken = min(need, segment.energy)
        energies[segment.position] += taken
        # rounded up: money, far below a millionth
        total += segment.cost if taken == segment.energy else -(-segment.cost * taken // segment.energy)
        need -= taken
    return Choice(total, pattern, tuple(energies)) if need == 0 else None


def _loosened(pattern: Pattern) -> Pattern:
    """A run may end early in its last slot, if there is nothing behind that it would have to go on to."""
    goes_on = {slot for slot, use in pattern if use is not Use.FIRST}
    return tuple((slot, Use.LAST if use is Use.WHOLE and slot + 1 not in goes_on else use) for slot, use in pattern)


def _segments(before: Point, corners: Iterable[Point], slot: int, position: int) -> Iterable[Segment]:
    for corner in corners:
        energy, cost = corner.energy - before.energy, corner.cost - before.cost
        yield Segment(cost / energy, -slot, position, energy, cost)
        before = corner


def runs(costs: Sequence[Costed], used: Sequence[int], *, is_charging: bool) -> Pattern:
    """The pattern of slots that are in ``used``, in order: one run for each stretch without a gap."""
    pattern: list[tuple[int, Use]] = []
    there = set(used)
    is_on = is_charging
    previous = -1
    for slot in used:
        goes_on = is_on and slot == previous + 1
        has_next = slot + 1 in there and bool(costs[slot + 1].part)
        pattern.append((slot, (Use.WHOLE if has_next else Use.LAST) if goes_on else Use.FIRST))
        is_on, previous = True, slot
    return tuple(pattern)


def cheapest_slots(costs: Sequence[Costed], need: int) -> list[tuple[int, int]]:
    """Slots in order with their energies, starts left out of account: exact where they cost nothing."""
    segments: list[Segment] = []
    taken: dict[int, int] = {}
    for slot, each in enumerate(costs):
        if each.is_forced:
            taken[slot] = each.most
            need -= each.most
        elif len(each.part) == 1:
            (top,) = each.part
            segments.append(Segment(top.cost / top.energy, -slot, slot, top.energy, top.cost))
        else:
            segments.extend(_segments(NOTHING, each.part, slot, slot))
    segments.sort()
    for segment in segments:
        if need <= 0:
            break
        energy = min(need, segment.energy)
        taken[segment.position] = taken.get(segment.position, 0) + energy
        need -= energy
    return sorted(taken.items())
