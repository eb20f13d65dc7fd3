"""A simulated day at 10 s resolution: in process (way 1), and through the whole server in virtual time (way 2).

CPU seconds say what a day costs even on a busy machine; wall seconds what somebody waits. The first day of a process pays for
imports, profiles and the sun's path once; days after it do not, and it is these that are measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from evcc_sim.runs import fullstack, inprocess
from evcc_sim.worlds.scenario import load

SCENARIO = "clear-day"
SEED = 1
REPEATS = 3


def _best(run: Callable[[], object], repeats: int) -> tuple[float, float]:
    """CPU and wall seconds of the quickest run, each by itself: other programs can only make one slower."""
    cpu_s, wall_s = [], []
    for _ in range(repeats):
        cpu_began, wall_began = time.process_time(), time.perf_counter()
        run()
        cpu_s.append(time.process_time() - cpu_began)
        wall_s.append(time.perf_counter() - wall_began)
    return min(cpu_s), min(wall_s)


def run() -> Mapping[str, float]:
    """Seconds of CPU and of wall time for one day each way, and full-stack steps in a CPU second."""
    scenario = load(SCENARIO)
    first_cpu_s, _ = _best(lambda: fullstack.run_scenario(scenario.with_changes(hours=0.1), seed=SEED), 1)
    cpu_1_s, wall_1_s = _best(lambda: inprocess.simulate(scenario, SEED), REPEATS)
    results: list[fullstack.FullStackResult] = []
    cpu_2_s, wall_2_s = _best(lambda: results.append(fullstack.run_scenario(scenario, seed=SEED)), REPEATS - 1)
    if len({result.digest() for result in results}) != 1:
        raise RuntimeError("one seed has given two different days")
    return {
        "in_process_cpu_s": cpu_1_s,
        "in_process_wall_s": wall_1_s,
        "full_stack_cpu_s": cpu_2_s,
        "full_stack_wall_s": wall_2_s,
        "full_stack_steps_per_cpu_s": results[0].steps / cpu_2_s,
        "full_stack_first_start_cpu_s": first_cpu_s,
    }
