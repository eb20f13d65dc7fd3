"""A plan in force is kept until another is worth the change: no flips for a thousandth of a cent, no third start in a night."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from evcclib.planning.one_car import cheapest_plan
from evcclib.planning.power_plan import PowerPlan
from evcclib.planning.problem import Problem, Slot


def plan_with(problem: Problem, in_force: PowerPlan, *, worth: float) -> PowerPlan:
    """The rest of the plan that is in force, unless one is cheaper by more than ``worth``.

    If its time does not suffice any more, for a need that has grown or a car that draws less than it was thought to, then the
    best plan in its slots.
    """
    best = cheapest_plan(problem)
    if not in_force.pieces:
        return best
    in_time = tuple(piece for slot in problem.slots for piece in _parted(slot, in_force))
    in_slots = tuple(_kept(slot, in_force) for slot in problem.slots)
    for slots in (in_time, in_slots):
        kept = cheapest_plan(replace(problem, slots=slots))
        if kept.is_met and kept.unpriced_kwh <= best.unpriced_kwh and kept.cost <= best.cost + worth:
            return replace(kept, bound=best.bound)
    return best


def _parted(slot: Slot, in_force: PowerPlan) -> Iterator[Slot]:
    """A slot cut where the plan in force begins and ends to charge."""
    edges = {edge for piece in in_force.pieces for edge in (piece.start, piece.end) if slot.start < edge < slot.end}
    for start, end in pairwise(sorted({slot.start, *edges, slot.end})):
        yield _kept(slot._replace(start=start, end=end), in_force)


def _kept(slot: Slot, in_force: PowerPlan) -> Slot:
    is_in = slot.is_forced or any(piece.start < slot.end and slot.start < piece.end for piece in in_force.pieces)
    return slot if is_in else slot._replace(cap_w=0.0)
