"""How a plan may lie in time: anywhere, in one block, with its last part right before the departure.

A block that has begun goes on until the need is met. With a precondition a block ends at the departure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from evcclib.planning.curve import Step, plan_within
from evcclib.planning.one_car import cheapest_plan
from evcclib.planning.power_plan import PowerPlan
from evcclib.planning.precondition import cut, preconditioned
from evcclib.planning.problem import Problem
from evcclib.timetable.plans import PlanStrategy
from evcclib.units import SECOND, energy_kwh


def plan_with(
    strategy: PlanStrategy, problem: Problem, *, has_begun: bool = False, curve: Sequence[Step] = ()
) -> PowerPlan:
    """The plan of least cost that lies as ``strategy`` asks; ``has_begun``: it is being charged for already.

    ``curve``: what the car takes the fuller it is; only a plan that may lie anywhere is made within it.
    """
    if not problem.slots or problem.need_kwh <= 0:
        return cheapest_plan(problem)
    begin = problem.slots[0].start
    if not strategy.is_continuous:
        if curve and not strategy.precondition:
            return plan_within(problem, curve)
        return cheapest_plan(preconditioned(problem, strategy.precondition) if strategy.precondition else problem)
    problem = replace(problem, is_one_block=True)
    if strategy.precondition and not has_begun:
        return cheapest_plan(preconditioned(problem, problem.slots[-1].end - begin))
    plan = cheapest_plan(problem)
    return cheapest_plan(_until(problem, _end_at_once(problem))) if has_begun and plan.start != begin else plan


def _end_at_once(problem: Problem) -> datetime:
    """When the need is met, in whole seconds, if all that is possible is charged from now on."""
    missing = problem.need_kwh
    for slot in problem.slots:
        most_w = max((min(high, slot.cap_w) for low, high in problem.ranges_w if low <= slot.cap_w), default=0.0)
        fits = energy_kwh(most_w, slot.end - slot.start)
        if 0 < missing <= fits:
            return slot.start + SECOND * -(-missing * 3.6e6 // most_w)
        missing -= fits
    return problem.slots[-1].end


def _until(problem: Problem, end: datetime) -> Problem:
    slots = (slot if slot.end <= end else slot._replace(cap_w=0.0) for slot in cut(problem.slots, end))
    return replace(problem, slots=tuple(slots))
