"""The cheapest plan for one car: exact where starting costs nothing, with a bound where it does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from evcclib.planning import starts
from evcclib.planning.choice import Choice, cheapest_slots
from evcclib.planning.power_plan import EMPTY, Piece, PowerPlan, Shortfall, in_slot, joined
from evcclib.planning.problem import Problem
from evcclib.planning.slot_costs import (
    UNITS_PER_KWH,
    UNUSABLE,
    Costed,
    Use,
    cost_in_units,
    costed,
    is_priced,
    need_of,
    start_cost_of,
)
from evcclib.units import HOUR

NEGLIGIBLE = 3_600_000
"""A need that is not met by less is met: a watt-hour, in W ms."""


def cheapest_plan(problem: Problem) -> PowerPlan:
    """The plan of least cost; empty if nothing is needed."""
    need = need_of(problem)
    if need == 0:
        return EMPTY
    costs = costed(problem)
    room = _room(problem, costs)
    shortfall = None if room + NEGLIGIBLE >= need else _shortfall(problem, room)
    need = min(need, room)
    if need == 0:
        return replace(EMPTY, shortfall=shortfall)
    known = [
        each if slot.is_forced or is_priced(slot) else UNUSABLE for slot, each in zip(problem.slots, costs, strict=True)
    ]
    if _room(problem, known) >= need:
        choice, bound = _solved(problem, known, need)
    elif problem.is_one_block:
        costs = costed(_with_a_price(problem))
        choice, bound = _solved(problem, costs, need)
        unknown = sum(
            _cost(costs[slot], use, energy)
            for (slot, use), energy in zip(choice.pattern, choice.energies, strict=True)
            if not known[slot].part
        )
        choice, bound = choice._replace(cost=choice.cost - unknown), bound - unknown
    else:
        choice = _placed(
            known, _with_the_latest(known, costs, need), start_cost_of(problem), is_charging=problem.is_charging
        )
        bound = choice.cost
    return _told(problem, costs, known, choice, bound, shortfall)


def _solved(problem: Problem, costs: Sequence[Costed], need: int) -> tuple[Choice, int]:
    start_cost = start_cost_of(problem)
    if start_cost or problem.is_one_block:
        return starts.solve(starts.Task(costs, need, start_cost, problem.is_charging, problem.is_one_block))
    choice = _placed(costs, dict(cheapest_slots(costs, need)), 0, is_charging=problem.is_charging)
    return choice, choice.cost


def _placed(costs: Sequence[Costed], taken: Mapping[int, int], start_cost: int, *, is_charging: bool) -> Choice:
    """Energies as a plan in which every slot may be used in part, as if only the first of each run of slots began one."""
    uses: list[tuple[int, Use]] = []
    total = 0
    before = -1 if is_charging else -2
    for slot, energy in taken.items():
        if slot != before + 1:
            use = Use.FIRST
            total += start_cost
        else:
            use = Use.BREAK if slot + 1 in taken else Use.LAST
        uses.append((slot, use))
        total += _cost(costs[slot], use, energy)
        before = slot
    return Choice(total, tuple(uses), tuple(taken.values()))


def _with_the_latest(known: Sequence[Costed], costs: Sequence[Costed], need: int) -> dict[int, int]:
    """All that has a price, and of the rest the latest."""
    taken = {slot: each.most for slot, each in enumerate(known) if each.part}
    need -= sum(taken.values())
    for slot in range(len(costs) - 1, -1, -1):
        if need > 0 and costs[slot].part and slot not in taken:
            taken[slot] = min(need, costs[slot].most)
            need -= taken[slot]
    return dict(sorted(taken.items()))


def _with_a_price(problem: Problem) -> Problem:
    """Slots without a price made dearer than all others."""
    dearest = 1.0 + 2.0 * max(
        (abs(slot.price) for slot in problem.slots if slot.price is not None and is_priced(slot)), default=0.0
    )
    return replace(
        problem, slots=tuple(slot if is_priced(slot) else slot._replace(price=dearest) for slot in problem.slots)
    )


def _cost(each: Costed, use: Use, energy: int) -> int:
    corners = each.corners(use)
    for low, high in pairwise(corners):
        if energy <= high.energy:
            return high.cost - (high.cost - low.cost) * (high.energy - energy) // (high.energy - low.energy)
    return corners[-1].cost


def _room(problem: Problem, costs: Sequence[Costed]) -> int:
    """All energy that fits in [W ms]."""
    most = stretch = 0
    for each in costs:
        stretch = 0 if problem.is_one_block and not each.part else stretch + each.most
        most = max(most, stretch)
    return most


def _shortfall(problem: Problem, room: int) -> Shortfall:
    lifted = costed(replace(problem, slots=tuple(slot._replace(cap_w=math.inf) for slot in problem.slots)))
    available_kwh = room / UNITS_PER_KWH
    most_w = max(high for _low, high in problem.ranges_w)
    return Shortfall(
        need_kwh=problem.need_kwh,
        available_kwh=available_kwh,
        later=(problem.need_kwh - available_kwh) * 1000 / most_w * HOUR,
        lifted_kwh=(_room(problem, lifted) - room) / UNITS_PER_KWH,
    )


def _told(
    problem: Problem,
    costs: Sequence[Costed],
    known: Sequence[Costed],
    choice: Choice,
    bound: int,
    shortfall: Shortfall | None,
) -> PowerPlan:
    last = len(costs) - 1
    pieces: list[Piece] = []
    ties = unpriced = 0
    for (slot, use), energy in zip(choice.pattern, choice.energies, strict=True):
        if energy:
            pieces.extend(in_slot(problem, problem.slots[slot], costs[slot].corners(use), energy, use))
        if known[slot].part:
            ties += energy * (last - slot)
        else:
            unpriced += energy
    return PowerPlan(
        pieces=joined(pieces),
        cost=cost_in_units(choice.cost - ties),
        bound=cost_in_units(bound - ties),
        unpriced_kwh=unpriced / UNITS_PER_KWH,
        shortfall=shortfall,
    )
