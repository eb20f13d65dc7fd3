"""The cheapest runs when starting costs something: a dual bound, and what is left between it and the best plan searched.

A price z on energy takes the need out of the model: what remains is a walk through the slots, standing or charging, and

    L(z) = z x need + the least over all walks of (cost - z x energy)

is no more than any plan costs. L is concave: its maximum is found between a z that charges too little and one that charges too
much. Each walk on the way is a pattern; `choice.filled` makes a plan of it. Then walks are built slot by slot, from the first
on; one whose L, at any of a few z, reaches the cost of the best plan cannot be part of a better one. If there are more left
than `WIDTH`, the worst are given up, and the bound says by how much they could have been better.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from evcclib.planning.choice import Choice, Pattern, cheapest_slots, filled, runs
from evcclib.planning.slot_costs import Costed, Point, Use

WIDTHS = (12, 120)
"""So many walks are followed at a time; the second time only if the first has left a gap that is worth it."""
GAP = 10_000
"""One part in so many of the cost is no gap worth another search."""
PRICES = 4
"""Walks are judged at so many prices of energy."""
NEVER = 1 << 200
"""More than anything costs."""
ROUNDS = 40
"""So often the price of energy is changed at most."""


class Task(NamedTuple):
    """What `problem.Problem` says, in whole numbers."""

    costs: Sequence[Costed]
    need: int
    start_cost: int
    is_charging: bool
    is_one_block: bool


class Found(NamedTuple):
    """The best plan, and what no plan is cheaper than."""

    choice: Choice
    bound: int


class _Priced(NamedTuple):
    """All that follows from a price of energy: ``part`` and ``whole`` of each slot, and the least cost from each slot on."""

    price: int
    part: list[int]
    whole: list[int]
    standing: list[int]
    charging: list[int]
    value: int
    energy: int
    pattern: Pattern


def solve(task: Task) -> Found:
    """The slots hold enough for the need."""
    evaluated = list(_dual(task))
    bound = max(each.value for each in evaluated)
    patterns = [each.pattern for each in evaluated]
    if not task.is_one_block:
        cheapest = [slot for slot, _energy in cheapest_slots(task.costs, task.need)]
        patterns.append(runs(task.costs, cheapest, is_charging=task.is_charging))
    patterns += [_shortened(task, pattern) for pattern in patterns]
    best: Choice | None = None
    for pattern in dict.fromkeys(patterns):
        best = _better(best, filled(task.costs, pattern, task.need, task.start_cost))
    judges = sorted(evaluated, key=lambda each: each.value, reverse=True)[:PRICES]
    for width in WIDTHS:
        best, given_up = _searched(task, judges, best, width)
        bound = max(bound, min(best.cost, given_up))
        if (best.cost - bound) * GAP <= abs(best.cost):
            break
    assert best is not None
    return Found(_tidied(task, best), bound)


def _better(best: Choice | None, other: Choice | None) -> Choice | None:
    return other if best is None or (other is not None and other.cost < best.cost) else best


def _tidied(task: Task, choice: Choice) -> Choice:
    """Without slots in which a run begins or ends, and takes nothing: its next one may then begin late, or its last end early."""
    while 0 in choice.energies:
        pattern: list[tuple[int, Use]] = []
        is_late = False
        for (slot, use), energy in zip(choice.pattern, choice.energies, strict=True):
            if energy:
                pattern.append((slot, Use.FIRST if is_late else use))
            is_late = energy == 0 and use is not Use.LAST
        tidy = filled(task.costs, tuple(pattern), task.need, task.start_cost)
        if tidy is None or tidy.cost > choice.cost:
            return choice
        choice = tidy
    return choice


def _shortened(task: Task, pattern: Pattern) -> Pattern:
    """Begun later, if its slots must take more than is needed."""
    too_much = -task.need + sum(task.costs[slot].whole[0].energy for slot, use in pattern if use is Use.WHOLE)
    first = 0
    while too_much > 0 and first + 1 < len(pattern):
        first += 1
        slot, use = pattern[first]
        if use is Use.WHOLE:
            too_much -= task.costs[slot].whole[0].energy
    return pattern if first == 0 else ((pattern[first][0], Use.FIRST), *pattern[first + 1 :])


# -- the dual --------------------------------------------------------------------------------------------------------------


def _dual(task: Task) -> Iterator[_Priced]:
    """Prices of energy from too low and too high to the one at which L is greatest."""
    slopes = [point.cost // point.energy for each in task.costs for point in (*each.part, *each.whole) if point.energy]
    least = min(each.most for each in task.costs if each.most)
    low = _priced(task, min(slopes) - 1)
    high = _priced(task, 2 * max(abs(slope) for slope in slopes) * len(task.costs) + task.start_cost // least + 1)
    yield low
    yield high
    for _round in range(ROUNDS):
        # each side is a line through its value, with the energy that it lacks as its slope
        gap = high.energy - low.energy
        if gap <= 0:
            return
        price = (
            low.value - high.value + high.price * (task.need - high.energy) - low.price * (task.need - low.energy)
        ) // -gap
        if price in (low.price, high.price):
            return
        found = _priced(task, price)
        yield found
        meet = low.value + (price - low.price) * (task.need - low.energy)
        if found.value >= meet or found.energy == task.need:
            return
        if found.energy < task.need:
            low = found
        else:
            high = found


def _priced(task: Task, price: int) -> _Priced:
    part = [_least(each.part, price, can_stand=not each.is_forced) for each in task.costs]
    whole = [_least(each.whole, price, can_stand=False) for each in task.costs]
    count = len(task.costs)
    standing, charging = [0] * (count + 1), [0] * (count + 1)
    stand = charge = 0
    over = 0  # the least cost when there may be no further run
    for slot in range(count - 1, -1, -1):
        each = task.costs[slot]
        after = over if task.is_one_block else stand
        if not each.part:
            charge = after
        else:
            begin = task.start_cost + part[slot] + charge
            go_on = whole[slot] + charge
            if each.is_forced:
                stand, charge, over = begin, go_on, NEVER
            else:
                charge = min(go_on, part[slot] + after)
                if begin < charge and not task.is_one_block:
                    charge = begin
                if begin < stand:
                    stand = begin
        standing[slot], charging[slot] = stand, charge
    found = _Priced(price, part, whole, standing, charging, 0, 0, ())
    first = charging[0] if _goes_on(task, found) else standing[0]
    pattern = _walked(task, found)
    energy = sum(_energy(task.costs[slot], use, price) for slot, use in pattern)
    return found._replace(value=first + price * task.need, energy=energy, pattern=pattern)


def _goes_on(task: Task, found: _Priced) -> bool:
    """Whether the walk begins with charging; the only run there may be need not be the one that goes on."""
    return task.is_charging and (not task.is_one_block or found.charging[0] < found.standing[0])


def _least(corners: Sequence[Point], price: int, *, can_stand: bool) -> int:
    least = 0
    for energy, cost, _power in corners:
        value = cost - price * energy
        if value < least or not can_stand:
            least, can_stand = value, True
    return least


def _energy(each: Costed, use: Use, price: int) -> int:
    """Of the corner that is best at a price."""
    return min((corner.cost - price * corner.energy, corner.energy) for corner in each.corners(use))[1]


def _walked(task: Task, found: _Priced) -> Pattern:
    """The walk of least cost; of equal ones that which stands still longer at first."""
    pattern: list[tuple[int, Use]] = []
    is_on, is_over = _goes_on(task, found), False
    for slot, each in enumerate(task.costs):
        if not each.part or is_over:
            is_over = is_over or (is_on and task.is_one_block)
            is_on = False
        elif not is_on:
            if each.is_forced or found.standing[slot] < found.standing[slot + 1]:
                pattern.append((slot, Use.FIRST))
                is_on = True
        elif found.charging[slot] == found.whole[slot] + found.charging[slot + 1]:
            pattern.append((slot, Use.WHOLE))
        elif (
            not task.is_one_block
            and found.charging[slot] == task.start_cost + found.part[slot] + found.charging[slot + 1]
        ):
            pattern.append((slot, Use.BREAK))
        else:
            pattern.append((slot, Use.LAST))
            is_on, is_over = False, task.is_one_block
    return tuple(pattern)


# -- the search ------------------------------------------------------------------------------------------------------------

Link = tuple["Link", int, Use] | None
"""The way back to the first slot."""


class _Label(NamedTuple):
    """A walk up to some slot: the least that it leads to, what it has cost at each price of energy."""

    estimate: int
    so_far: tuple[int, ...]
    is_on: bool
    way: Link


def _searched(task: Task, judges: Sequence[_Priced], best: Choice | None, width: int) -> tuple[Choice, int]:
    """The best plan, and the least estimate of walks that were given up."""
    given_up = NEVER
    last_forced = max((slot for slot, each in enumerate(task.costs) if each.is_forced), default=-1)
    nothing = tuple([each.price * task.need for each in judges])
    begun = [task.is_charging] if not (task.is_charging and task.is_one_block) else [True, False]
    labels = [_Label(0, nothing, is_on, None) for is_on in begun]
    for slot in range(len(task.costs)):
        limit = NEVER if best is None else best.cost
        after: list[_Label] = []
        for label in labels:
            for next_label, is_over in _after(task, judges, label, slot):
                if next_label.estimate >= limit:
                    continue
                if not is_over:
                    after.append(next_label)
                elif slot >= last_forced:
                    best = _better(best, _plan(task, next_label))
                    limit = NEVER if best is None else best.cost
        labels = after
        if len(labels) > width:
            labels.sort(key=_estimate)
            given_up = min(given_up, labels[width].estimate)
            del labels[width:]
    for label in sorted(labels, key=_estimate):
        if best is None or label.estimate < best.cost:
            best = _better(best, _plan(task, label))
    assert best is not None
    return best, given_up


def _after(task: Task, judges: Sequence[_Priced], label: _Label, slot: int) -> Iterator[tuple[_Label, bool]]:
    """Where a walk may go in a slot, and whether nothing can follow."""
    each = task.costs[slot]
    way, so_far = label.way, label.so_far
    if not each.part:
        yield label._replace(is_on=False), label.is_on and task.is_one_block
        return
    if label.is_on:
        go_on = [cost + judge.whole[slot] for cost, judge in zip(so_far, judges, strict=True)]
        ahead = max([cost + judge.charging[slot + 1] for cost, judge in zip(go_on, judges, strict=True)])
        yield _Label(ahead, tuple(go_on), True, (way, slot, Use.WHOLE)), False
        if each.is_forced:
            return
        stop = [cost + judge.part[slot] for cost, judge in zip(so_far, judges, strict=True)]
        if task.is_one_block:
            yield _Label(max(stop), tuple(stop), False, (way, slot, Use.LAST)), True
            return
        ahead = max([cost + judge.standing[slot + 1] for cost, judge in zip(stop, judges, strict=True)])
        yield _Label(ahead, tuple(stop), False, (way, slot, Use.LAST)), False
    elif not each.is_forced:
        ahead = max([cost + judge.standing[slot + 1] for cost, judge in zip(so_far, judges, strict=True)])
        yield label._replace(estimate=ahead), False
    begin = [cost + judge.part[slot] + task.start_cost for cost, judge in zip(so_far, judges, strict=True)]
    ahead = max([cost + judge.charging[slot + 1] for cost, judge in zip(begin, judges, strict=True)])
    yield _Label(ahead, tuple(begin), True, (way, slot, Use.BREAK if label.is_on else Use.FIRST)), False


def _estimate(label: _Label) -> int:
    return label.estimate


def _plan(task: Task, label: _Label) -> Choice | None:
    return filled(task.costs, _pattern(label.way), task.need, task.start_cost)


def _pattern(way: Link) -> Pattern:
    pattern: list[tuple[int, Use]] = []
    while way is not None:
        way, slot, use = way
        pattern.append((slot, use))
    return tuple(reversed(pattern))
