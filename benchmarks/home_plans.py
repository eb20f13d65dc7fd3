"""Plans for a home with a battery and three cars: ours with HiGHS, ours without a solver, and PuLP with CBC on the same model.

Times are CPU, of this process and its children: from the data to the plan, PuLP's building of its model included. Gaps are what a
plan costs more than the optimum by HiGHS to 1e-6, in percent of it. Needs the extra ``bench``; without PuLP its rows are missing.
``HOMES`` in the environment is how many.
"""

from __future__ import annotations

import importlib.util
import math
import os
import resource
from collections.abc import Callable, Mapping
from typing import TypeVar

from benchmarks.plan_instances import home
from benchmarks.timing import percentile
from evcc_server.optimize import highs
from evcclib.planning.joint.home_plan import plan_home_with
from evcclib.planning.joint.home_programme import home_model
from evcclib.planning.joint.programme import Programme
from evcclib.planning.joint.together import plan_home

HOMES = int(os.environ.get("HOMES", "20"))
Result = TypeVar("Result")


def run() -> Mapping[str, float]:
    """Gaps [%], CPU [s] and the ratio of CPU to that of CBC."""
    has_cbc = importlib.util.find_spec("pulp") is not None
    gaps: dict[str, list[float]] = {}
    times_s: dict[str, list[float]] = {}
    told: list[float] = []
    for seed in range(HOMES):
        found = home(seed)
        programme = home_model(found).programme
        least = programme.cost(highs.solve(programme, gap=1e-6, time_limit_s=120.0).values)
        solved, solved_s = _timed(lambda found=found: plan_home_with(highs.solve, found))  # type: ignore[misc]
        alone, alone_s = _timed(lambda found=found: plan_home(found))  # type: ignore[misc]
        costs = {"with highs": (solved.cost, solved_s), "without a solver": (alone.cost, alone_s)}
        if has_cbc:
            costs["pulp and cbc"] = _timed(lambda found=found: _by_cbc(home_model(found).programme))  # type: ignore[misc]
        assert solved.is_met and alone.is_met
        told.append((solved.cost - solved.bound) / abs(least) * 100)
        for name, (cost, taken_s) in costs.items():
            gaps.setdefault(name, []).append((cost - least) / abs(least) * 100)
            times_s.setdefault(name, []).append(taken_s)
    results: dict[str, float] = {"with highs: gap that is told, mean %": sum(told) / HOMES}
    for name in gaps:
        results[f"{name}: gap mean %"] = sum(gaps[name]) / HOMES
        results[f"{name}: gap worst %"] = max(gaps[name])
        results[f"{name}: gap p50 %"] = percentile(gaps[name], 0.5)
        results[f"{name}: cpu mean s"] = sum(times_s[name]) / HOMES
        results[f"{name}: cpu p50 s"] = percentile(times_s[name], 0.5)
        results[f"{name}: cpu max s"] = max(times_s[name])
        if has_cbc:
            ratios = [ours / cbc for ours, cbc in zip(times_s[name], times_s["pulp and cbc"], strict=True)]
            results[f"{name}: cpu to that of cbc, p50"] = percentile(ratios, 0.5)
    return results


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _timed(what: Callable[[], Result]) -> tuple[Result, float]:
    began_s = _cpu_s()
    result = what()
    return result, _cpu_s() - began_s


def _by_cbc(programme: Programme) -> float:
    """To the relative gap that HiGHS is asked for."""
    import pulp

    model = pulp.LpProblem("home", pulp.LpMinimize)
    variables = [
        pulp.LpVariable(f"v{number}", each.low, each.high, "Integer" if each.is_whole else "Continuous")
        for number, each in enumerate(programme.variables)
    ]
    model += pulp.lpSum(each.cost * var for each, var in zip(programme.variables, variables, strict=True) if each.cost)
    for row in programme.rows:
        total = pulp.lpSum(factor * variables[number] for number, factor in row.terms)
        if row.low == row.high:
            model += total == row.low
            continue
        if row.low > -math.inf:
            model += total >= row.low
        if row.high < math.inf:
            model += total <= row.high
    model.solve(pulp.PULP_CBC_CMD(msg=False, gapRel=highs.GAP, threads=1, timeLimit=120))
    assert model.sol_status == 1  # proven; "Optimal" is said of any incumbent
    return float(pulp.value(model.objective))
