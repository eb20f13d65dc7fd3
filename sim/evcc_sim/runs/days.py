"""``evcc-sim days``: scenarios through the whole server in virtual time, several at once; what `make days` runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from time import perf_counter

from evcc_sim.quiet import quiet
from evcc_sim.runs.replay import command
from evcc_sim.worlds import scenario
from evcc_sim.worlds.laws import with_law


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How one scenario went. ``problems`` has a line for each violation, or the error that ended the run."""

    name: str
    seconds: float
    simulated_h: float
    digest: str
    problems: tuple[str, ...]
    replay: str

    @property
    def is_ok(self) -> bool:
        return not self.problems

    def line(self) -> str:
        """One line for a person."""
        word = "ok    " if self.is_ok else "FAILED"
        return f"{word} {self.name:<28} {self.simulated_h:5.1f} h in {self.seconds:5.1f} s  {self.digest[:12]}"


def say_at_once(line: str) -> None:
    """Print, also into a pipe, when it happens."""
    print(line, flush=True)


def run_days(
    names: Sequence[str] | None = None,
    *,
    days: int | None = None,
    seed: int | None = None,
    law: str = "",
    workers: int | None = None,
    say: Callable[[str], None] = say_at_once,
) -> int:
    """Run the named scenarios (all of the library by default), each for ``days`` (one by default; less where the scenario says
    how many hours) and by ``law`` (its own by default); returns the exit status: 0 if every one is without violation, 2 for a
    name that nobody knows.
    """
    known = scenario.names()
    chosen = list(names or known)
    try:
        for name in chosen:
            with_law(scenario.load(name), law)
    except scenario.InvalidScenario as error:
        print(f"evcc-sim days: {error}", file=sys.stderr)
        return 2
    started = perf_counter()
    failed = 0
    processes = workers or os.cpu_count() or 1
    # Fresh interpreters, but not one for each run: replacing workers can hang the pool (CPython issue 115634).
    with ProcessPoolExecutor(min(processes, len(chosen)), mp_context=get_context("spawn")) as pool:
        runs: list[Future[Verdict]] = [pool.submit(run_one, name, days, seed, law) for name in chosen]
        for run in as_completed(runs):
            verdict = run.result()
            say(verdict.line())
            if not verdict.is_ok:
                failed += 1
                for problem in verdict.problems:
                    say(f"         {problem}")
                say(f"         again: {verdict.replay}")
    say(f"{len(chosen) - failed} of {len(chosen)} scenarios ok in {perf_counter() - started:.0f} s")
    return 1 if failed else 0


@quiet()
def run_one(name: str, days: int | None, seed: int | None, law: str = "") -> Verdict:
    """One scenario in this process. An error of the server is a failed run, not the end of all."""
    from evcc_sim.runs.fullstack import run_scenario  # the web stack is slow to import, and the parent does not need it

    world = with_law(scenario.load(name), law)
    if days is None and world.hours is None:
        days = 1
    started = perf_counter()
    hours = world.length_s(days) / 3600.0
    replay = command(world, world.seed if seed is None else seed, days=days, options=["--full-stack"])
    try:
        result = run_scenario(world, seed, days=days)
    except Exception as error:  # noqa: BLE001  whatever it is, it is this run's failure and is shown
        problems: tuple[str, ...] = (f"{type(first(error)).__name__}: {first(error)}",)
        digest = "-"
    else:
        problems = tuple(str(violation) for violation in result.violations)
        digest = result.digest()
    return Verdict(
        name=name,
        seconds=perf_counter() - started,
        simulated_h=hours,
        digest=digest,
        problems=problems,
        replay=replay,
    )


def first(error: BaseException) -> BaseException:
    """The innermost error of nested groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
