"""Several goals in a row for one car: so much by tonight, the rest by Friday.

Without the earlier goals the last one alone is planned. If that plan misses an earlier goal, the one it misses by most holds
exactly: time is parted there, and both parts are planned for themselves, the later one going on from where the earlier one
ends. Where a start costs nothing that is optimal, the costs being convex; where it costs something the bound is still true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from evcclib.planning.curve import Step, shifted
from evcclib.planning.power_plan import EMPTY, PowerPlan, charged_kwh, joined
from evcclib.planning.problem import Problem
from evcclib.planning.strategy import plan_with
from evcclib.timetable.plans import CHEAPEST, PlanStrategy

ENOUGH_KWH = 1e-6
"""A goal that is missed by less holds."""


class Goal(NamedTuple):
    """``need_kwh`` in all, at the socket, by ``time``, the end of a slot."""

    time: datetime
    need_kwh: float


def need_kwh(*, from_soc_pct: float, to_soc_pct: float, capacity_kwh: float, efficiency: float) -> float:
    """What must come out of the socket for a state of charge; ``efficiency``: the share of it that arrives in the battery."""
    return max(0.0, to_soc_pct - from_soc_pct) / 100 * capacity_kwh / efficiency


def plan_goals(
    problem: Problem,
    goals: Sequence[Goal],
    *,
    strategy: PlanStrategy = CHEAPEST,
    has_begun: bool = False,
    curve: Sequence[Step] = (),
) -> PowerPlan:
    """The plan of least cost that reaches all ``goals``; the need of ``problem`` does not count, nor slots after the last goal.

    The shortfall is that of the first goal that cannot be reached; it concerns the slots until then. ``strategy`` holds for each
    part of the time that is planned for itself; ``has_begun`` and ``curve`` as in `planning.strategy`.
    """
    needed = _rising(goals)
    if not needed:
        return EMPTY
    return _parted(problem, needed, 0.0, strategy, curve, has_begun=has_begun)


def until(problem: Problem, time: datetime) -> Problem:
    """The slots that end by ``time``."""
    return replace(problem, slots=tuple(slot for slot in problem.slots if slot.end <= time))


def _rising(goals: Sequence[Goal]) -> list[Goal]:
    """Goals in order of time, each asking for more than the one before; one that asks for less holds by itself."""
    found: list[Goal] = []
    for goal in sorted(goals):
        if goal.need_kwh > (found[-1].need_kwh if found else 0.0):
            found.append(goal)
    return found


def _parted(
    problem: Problem,
    goals: Sequence[Goal],
    before_kwh: float,
    strategy: PlanStrategy,
    curve: Sequence[Step],
    *,
    has_begun: bool,
) -> PowerPlan:
    last = goals[-1]
    whole = plan_with(
        strategy,
        replace(until(problem, last.time), need_kwh=last.need_kwh - before_kwh),
        has_begun=has_begun,
        curve=shifted(curve, before_kwh),
    )
    missed_kwh, number = max(
        (goal.need_kwh - before_kwh - charged_kwh(whole, goal.time), number) for number, goal in enumerate(goals)
    )
    if missed_kwh <= ENOUGH_KWH or number == len(goals) - 1:
        return whole
    split = goals[number]
    early = _parted(problem, goals[: number + 1], before_kwh, strategy, curve, has_begun=has_begun)
    goes_on = bool(early.pieces) and early.pieces[-1].end == split.time
    late = _parted(
        replace(
            problem,
            slots=tuple(slot for slot in problem.slots if slot.start >= split.time),
            is_charging=goes_on or (problem.is_charging and problem.slots[0].start == split.time),
        ),
        goals[number + 1 :],
        split.need_kwh,
        strategy,
        curve,
        has_begun=False,
    )
    return PowerPlan(
        pieces=joined((*early.pieces, *late.pieces)),
        cost=early.cost + late.cost,
        bound=max(whole.bound, early.bound + late.bound) if problem.start_cost == 0 else whole.bound,
        unpriced_kwh=early.unpriced_kwh + late.unpriced_kwh,
        shortfall=early.shortfall or late.shortfall,
    )
