"""A car that takes less the fuller it is: plans within its charging curve.

The curve says how much power a car takes once it has charged so much. What fits in a slot then depends on the slots before it.
A plan without the curve is cut where it asks for more than the car takes, the slots in question are capped at that, and it is
planned anew, until the car can follow. Caps only ever fall, so this ends; what they cost beside the plan without a curve is in
the gap to its bound.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from evcclib.planning.one_car import cheapest_plan
from evcclib.planning.power_plan import Piece, PowerPlan, Shortfall, charged_kwh, joined
from evcclib.planning.problem import Problem, Slot, hourly_cost
from evcclib.units import HOUR, energy_kwh

TRIES = 12
"""So often a plan is cut; then the car charges as late as it can."""
MISSED_KWH = 1e-3
"""A car that lacks less can follow."""


class Step(NamedTuple):
    """From ``charged_kwh`` on, counted at the socket from the first slot, the car takes no more than ``most_w`` [W]."""

    charged_kwh: float
    most_w: float


def curve_at_socket(
    curve: Sequence[tuple[float, float]], *, soc_pct: float, capacity_kwh: float, efficiency: float
) -> tuple[Step, ...]:
    """Steps for a car at ``soc_pct``, of pairs: from so much SoC on no more than so many watts."""
    return tuple(
        Step((from_pct - soc_pct) / 100 * capacity_kwh / efficiency, most_w) for from_pct, most_w in sorted(curve)
    )


def shifted(curve: Sequence[Step], charged_kwh: float) -> tuple[Step, ...]:
    """The same curve for who has charged so much already."""
    return tuple(Step(step.charged_kwh - charged_kwh, step.most_w) for step in curve)


def required_hours(curve: Sequence[Step], need_kwh: float, most_w: float) -> float:
    """How long a need takes with all that is possible."""
    return sum(_hours_for(end - begin, power_w) for begin, end, power_w in _parts(curve, need_kwh, most_w))


def last_kwh(curve: Sequence[Step], need_kwh: float, most_w: float, hours: float) -> float:
    """How much of a need fits in its last so many hours."""
    fits = 0.0
    for begin, end, power_w in reversed(_parts(curve, need_kwh, most_w)):
        fits += min(end - begin, power_w / 1000 * hours)
        hours -= _hours_for(end - begin, power_w)
        if hours <= 0:
            break
    return fits


def _parts(curve: Sequence[Step], need_kwh: float, most_w: float) -> list[tuple[float, float, float]]:
    """A need in parts of one power, each from and to what has been charged [kWh]."""
    edges = [0.0, *(min(max(step.charged_kwh, 0.0), need_kwh) for step in curve), need_kwh]
    powers_w = [most_w, *(min(most_w, step.most_w) for step in curve)]
    return [
        (begin, end, power_w) for (begin, end), power_w in zip(pairwise(edges), powers_w, strict=True) if end > begin
    ]


def _hours_for(charged_kwh: float, power_w: float) -> float:
    return charged_kwh * 1000 / power_w if power_w > 0 else math.inf


def plan_within(problem: Problem, curve: Sequence[Step]) -> PowerPlan:
    """A plan that a car can follow whose curve falls, ``curve`` in order; whoever charges goes on if that costs no more."""
    plan = _cut_to(problem, curve)
    if not problem.is_charging or not plan.is_met or plan.start in (None, problem.slots[0].start):
        return plan
    on = _going_on(problem, curve)
    return replace(on, bound=min(plan.bound, on.cost)) if on.cost <= plan.cost else plan


def _cut_to(problem: Problem, curve: Sequence[Step]) -> PowerPlan:
    if sum(_takes(problem, curve)) < problem.need_kwh - MISSED_KWH:
        return _from(problem, curve, 0)
    first = cheapest_plan(problem)
    # who takes less than the least that can be offered is offered that
    (low_w, high_w), *others = problem.ranges_w
    tried = replace(problem, ranges_w=((min([low_w, *(step.most_w for step in curve)]), high_w), *others))
    plan = cheapest_plan(tried)
    for _try in range(TRIES):
        asked = [charged_kwh(plan, slot.end) - charged_kwh(plan, slot.start) for slot in problem.slots]
        takes = _takes(problem, curve, asked)
        if sum(takes) >= sum(asked) - MISSED_KWH:
            return replace(plan, pieces=_stretched(problem, curve, plan), bound=first.bound)
        slots = tuple(
            slot if take >= ask - MISSED_KWH / 10 else slot._replace(cap_w=min(slot.cap_w, take * 1000 / _hours(slot)))
            for slot, ask, take in zip(tried.slots, asked, takes, strict=True)
        )
        tried = replace(tried, slots=slots)
        plan = cheapest_plan(tried)
        if not plan.is_met:
            break
    begins = range(len(problem.slots) - 1, -1, -1)
    latest = next(each for each in begins if sum(_takes(problem, curve, begin=each)) >= problem.need_kwh - MISSED_KWH)
    return replace(_from(problem, curve, latest), bound=first.bound)


def _stretched(problem: Problem, curve: Sequence[Step], plan: PowerPlan) -> tuple[Piece, ...]:
    """Where the car takes less than the plan gives, all the slot's time with the mean."""
    pieces: list[Piece] = []
    for slot in problem.slots:
        there = [
            Piece(max(piece.start, slot.start), min(piece.end, slot.end), piece.power_w)
            for piece in plan.pieces
            if piece.start < slot.end and slot.start < piece.end
        ]
        charged = charged_kwh(plan, slot.end)
        limit_w = min((step.most_w for step in curve if step.charged_kwh < charged), default=math.inf)
        if any(piece.power_w > limit_w for piece in there):
            taken = charged - charged_kwh(plan, slot.start)
            there = [Piece(slot.start, slot.end, taken * 1000 / _hours(slot))]
        pieces.extend(there)
    return joined(pieces)


def _takes(
    problem: Problem, curve: Sequence[Step], asked: Sequence[float] | None = None, *, begin: int = 0
) -> list[float]:
    """What the car takes in each slot from ``begin`` on, of what it is asked to, or of all that it could [kWh]."""
    charged = 0.0
    takes = [0.0] * begin
    for number, slot in enumerate(problem.slots[begin:], begin):
        most_w = max((min(high, slot.cap_w) for low, high in problem.ranges_w if low <= slot.cap_w), default=0.0)
        wanted = energy_kwh(most_w, slot.end - slot.start)
        if asked is not None:
            wanted = min(wanted, asked[number])
        taken = min(wanted, _room(curve, charged, most_w, _hours(slot)))
        takes.append(taken)
        charged += taken
    return takes


def _room(curve: Sequence[Step], charged: float, most_w: float, hours: float) -> float:
    """How much goes into the car in so many hours."""
    begin = charged
    ends = [*(step.charged_kwh for step in curve), math.inf]
    for end, limit_w in zip(ends, [math.inf, *(step.most_w for step in curve)], strict=True):
        if charged >= end:
            continue
        power_kw = min(most_w, limit_w) / 1000
        taken = min(power_kw * hours, end - charged)
        charged += taken
        hours -= taken / power_kw if power_kw > 0 else hours
        if hours <= 0:
            break
    return charged - begin


def _from(problem: Problem, curve: Sequence[Step], begin: int) -> PowerPlan:
    """All that the car takes from a slot on, and no more than is needed."""
    takes = _takes(problem, curve, begin=begin)
    surplus = max(0.0, sum(takes) - problem.need_kwh)
    pieces: list[Piece] = []
    for slot, taken in zip(problem.slots, takes, strict=True):
        if taken > 0:
            idle = (slot.end - slot.start) * min(1.0, surplus / taken)  # only in the first slot
            pieces.append(Piece(slot.start + idle, slot.end, taken * 1000 / _hours(slot)))
            surplus = 0.0
    there = sum(takes)
    lacks = problem.need_kwh - there
    slowest_w = min(
        (step.most_w for step in curve if step.most_w > 0), default=max(high for _low, high in problem.ranges_w)
    )
    shortfall = Shortfall(
        need_kwh=problem.need_kwh, available_kwh=there, later=lacks * 1000 / slowest_w * HOUR, lifted_kwh=0.0
    )
    cost = _cost(problem, pieces)
    return PowerPlan(pieces=joined(pieces), cost=cost, bound=cost, shortfall=shortfall if lacks > MISSED_KWH else None)


def _going_on(problem: Problem, curve: Sequence[Step]) -> PowerPlan:
    """All that the car takes from now on, until it has what it needs."""
    pieces: list[Piece] = []
    left = problem.need_kwh
    for slot, taken in zip(problem.slots, _takes(problem, curve), strict=True):
        if taken <= 0 or left <= 0:
            break
        end = slot.start + (slot.end - slot.start) * min(1.0, left / taken)
        pieces.append(Piece(slot.start, end, taken * 1000 / _hours(slot)))
        left -= taken
    return PowerPlan(pieces=joined(pieces), cost=_cost(problem, pieces))


def _cost(problem: Problem, pieces: Sequence[Piece]) -> float:
    goes_on = problem.is_charging and bool(pieces) and pieces[0].start == problem.slots[0].start
    starts = PowerPlan(pieces=tuple(pieces)).runs() - goes_on
    begins = [slot.start for slot in problem.slots]
    return starts * problem.start_cost + sum(
        hourly_cost(problem.slots[bisect_right(begins, piece.start) - 1], piece.power_w)
        * ((piece.end - piece.start) / HOUR)
        for piece in pieces
    )


def _hours(slot: Slot) -> float:
    return (slot.end - slot.start) / HOUR
