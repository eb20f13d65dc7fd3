"""Plans for one car against HiGHS on the same model, over seeded problems of each kind, and against the cheapest slots.

A gap is what a plan costs more than the optimum, in percent of it (of 0.10 at least). HiGHS solves to a relative gap of 1e-6; its
time is that of `run` alone, and "all" with building the model. Ours is all of `cheapest_plan`. Needs the extra ``optimize``.
``PLANS`` in the environment is the number of problems of each kind.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping, Sequence

import highspy

from benchmarks.plan_instances import KINDS, instance
from benchmarks.timing import percentile
from evcc_server.optimize.highs import model_of
from evcclib.planning.joint.programme import Programme
from evcclib.planning.one_car import cheapest_plan
from evcclib.planning.planner import duration_at, plan
from evcclib.planning.problem import Problem
from evcclib.planning.slot_costs import UNITS_PER_KWH, Costed, Point, cost_in_units, costed
from evcclib.tariff import Rate, Rates
from evcclib.units import HOUR

EACH = int(os.environ.get("PLANS", "75"))
LEAST_EUR = 0.10
STANDING, CHARGING, OVER = range(3)


def run() -> Mapping[str, float]:
    """For each kind: gaps [%], times [ms], and what the cheapest slots at full power cost more [%]."""
    found: dict[str, float] = {}
    for kind in KINDS:
        gaps, bounds, ours_ms, highs_ms, highs_all_ms, classic = [], [], [], [], [], []
        for seed in range(EACH):
            problem = instance(kind, seed)
            began = time.perf_counter()
            planned = cheapest_plan(problem)
            ours_ms.append((time.perf_counter() - began) * 1e3)
            assert planned.is_met
            began = time.perf_counter()
            least, run_ms = _by_highs(problem)
            highs_all_ms.append((time.perf_counter() - began) * 1e3)
            highs_ms.append(run_ms)
            percent = 100 / max(abs(least), LEAST_EUR)
            gaps.append((planned.cost - least) * percent)
            bounds.append((planned.cost - planned.bound) * percent)
            if kind not in ("cap", "one block"):  # which the cheapest slots know nothing of
                classic.append((_classic_cost(problem) - planned.cost) * percent)
        found[f"{kind}: gap mean %"] = sum(gaps) / EACH
        found[f"{kind}: gap worst %"] = max(gaps)
        found[f"{kind}: gap that is told, mean %"] = sum(bounds) / EACH
        found[f"{kind}: gap that is told, worst %"] = max(bounds)
        found[f"{kind}: ours p50 ms"] = percentile(ours_ms, 0.5)
        found[f"{kind}: ours p90 ms"] = percentile(ours_ms, 0.9)
        found[f"{kind}: ours max ms"] = max(ours_ms)
        found[f"{kind}: highs p50 ms"] = percentile(highs_ms, 0.5)
        found[f"{kind}: highs all p50 ms"] = percentile(highs_all_ms, 0.5)
        found[f"{kind}: highs max ms"] = max(highs_ms)
        if classic:
            found[f"{kind}: cheapest slots dearer, mean %"] = sum(classic) / EACH
            found[f"{kind}: cheapest slots dearer, least %"] = min(classic)
    return found


def _classic_cost(problem: Problem) -> float:
    """What `planner.plan` costs: full power in the cheapest slots, sun and starts as they come."""
    most_w = max(high for _low, high in problem.ranges_w)
    rates = Rates.of(Rate(slot.start, slot.end, slot.price or 0.0) for slot in problem.slots)
    required = duration_at(problem.need_kwh, most_w)
    assert required is not None
    total, end = 0.0, None
    for chosen in plan(rates, required, problem.slots[-1].end, problem.slots[0].start).slots:
        total += problem.start_cost if chosen.start != end else 0.0
        end = chosen.end
        sun_w = next(
            sum(sun.power_w for sun in slot.sun) for slot in problem.slots if slot.start <= chosen.start < slot.end
        )
        own_w = min(sun_w, most_w)
        hours = (chosen.end - chosen.start) / HOUR
        total += hours * (chosen.price * (most_w - own_w) + problem.slots[0].feed_in * own_w) / 1000
    return total


def _by_highs(problem: Problem) -> tuple[float, float]:
    """The optimum, and the time that HiGHS takes for it [ms]."""
    solver = highspy.Highs()
    for name, value in (("output_flag", False), ("mip_rel_gap", 1e-6), ("time_limit", 120.0)):
        solver.setOptionValue(name, value)
    solver.passModel(model_of(_programme(problem)))
    began = time.perf_counter()
    solver.run()
    taken_ms = (time.perf_counter() - began) * 1e3
    assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return float(solver.getInfo().objective_function_value), taken_ms


def _programme(problem: Problem) -> Programme:
    """The model as tight as it can be made; without whole numbers where a start costs nothing."""
    if problem.start_cost or problem.is_one_block:
        return _walk(problem)
    programme = Programme()
    energy: list[tuple[int, float]] = []
    for each in costed(problem):
        weights = _weights(programme, each.part, energy)
        programme.row(-math.inf, 1.0, *weights)
    programme.row(problem.need_kwh, problem.need_kwh, *energy)
    return programme


def _weights(
    programme: Programme, corners: Sequence[Point], energy: list[tuple[int, float]]
) -> list[tuple[int, float]]:
    """One for each corner of a curve."""
    weights = [programme.variable(0.0, 1.0, cost=cost_in_units(corner.cost)) for corner in corners]
    energy.extend((weight, corner.energy / UNITS_PER_KWH) for weight, corner in zip(weights, corners, strict=True))
    return [(weight, 1.0) for weight in weights]


def _walk(problem: Problem) -> Programme:
    """A walk through the slots, standing or charging, as a flow."""
    programme = Programme()
    energy: list[tuple[int, float]] = []
    reached: dict[int, list[tuple[int, float]]] = {state: [] for state in (STANDING, CHARGING, OVER)}
    begun = CHARGING if problem.is_charging else STANDING
    for number, each in enumerate(costed(problem)):
        left: dict[int, list[tuple[int, float]]] = {state: [] for state in reached}
        following: dict[int, list[tuple[int, float]]] = {state: [] for state in reached}
        _slot(programme, problem, each, left, following, energy)
        for state in reached:
            there = 1.0 if number == 0 and state == begun else 0.0
            programme.row(there, there, *left[state], *((flow, -factor) for flow, factor in reached[state]))
        reached = following
    programme.row(problem.need_kwh, problem.need_kwh, *energy)
    return programme


def _slot(
    programme: Programme,
    problem: Problem,
    each: Costed,
    left: dict[int, list[tuple[int, float]]],
    following: dict[int, list[tuple[int, float]]],
    energy: list[tuple[int, float]],
) -> None:
    def arc(start: int, end: int, cost: float = 0.0) -> tuple[int, float]:
        flow = programme.variable(0.0, 1.0, cost=cost, is_whole=True)
        left[start].append((flow, 1.0))
        following[end].append((flow, 1.0))
        return flow, -1.0

    after = OVER if problem.is_one_block else STANDING
    arc(STANDING, STANDING)
    arc(OVER, OVER)
    if not each.part:
        arc(CHARGING, after)
        return
    parts = [arc(STANDING, CHARGING, problem.start_cost), arc(CHARGING, after)]
    if not problem.is_one_block:
        parts.append(arc(CHARGING, CHARGING, problem.start_cost))
    wholes = [arc(CHARGING, CHARGING)]
    for corners, arcs, least in ((each.part, parts, -1.0), (each.whole, wholes, 0.0)):
        programme.row(least, 0.0, *_weights(programme, corners, energy), *arcs)
