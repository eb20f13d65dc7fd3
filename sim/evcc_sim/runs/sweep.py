"""Many runs: over seeds, worlds and values, on all cores of this machine or on a Dask cluster.

A job carries its whole scenario, so a worker needs the packages but none of the files.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TypeVar

from evcc_sim.bound.regret import Regret
from evcc_sim.runs.controls import control_of
from evcc_sim.runs.inprocess import simulate
from evcc_sim.runs.replay import command
from evcc_sim.runs.result import RunResult, Summary
from evcc_sim.worlds.laws import with_law
from evcc_sim.worlds.scenario import InvalidScenario, Scenario
from evcc_sim.worlds.variants import Files, resolve, with_files

Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run. ``control`` is ``module:factory``; empty: the library's own site. ``regrets``: its regret is asked for."""

    scenario: Scenario
    seed: int
    days: int | None = None
    control: str = ""
    regrets: bool = False

    @property
    def replay(self) -> str:
        """The one command that runs it again."""
        return command(self.scenario, self.seed, days=self.days, control=self.control)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutcome:
    """What is kept of a run."""

    name: str
    seed: int
    law: str
    control: str
    summary: Summary | None
    violations: tuple[str, ...]
    digest: str
    replay: str
    regret: Regret | None = None  # None: not asked for
    error: str = ""

    @property
    def ok(self) -> bool:
        return not self.violations and not self.error


def run_job(job: Job) -> JobOutcome:
    """Run one job; a crash of the control is an outcome too. Raises `InvalidScenario`."""
    try:
        result = simulate(job.scenario, job.seed, days=job.days, control=control_of(job.control))
    except InvalidScenario:  # nothing breaks: something cannot be what was asked for
        raise
    except Exception as error:  # noqa: BLE001  a sweep reports what breaks and goes on
        return JobOutcome(
            name=job.scenario.name,
            seed=job.seed,
            law=job.scenario.site.law,
            control=job.control,
            summary=None,
            violations=(),
            digest="",
            replay=job.replay,
            error=repr(error),
        )
    return outcome_of(result, job)


def outcome_of(result: RunResult, job: Job) -> JobOutcome:
    """What is kept of a result."""
    return JobOutcome(
        name=job.scenario.name,
        seed=job.seed,
        law=job.scenario.site.law,
        control=job.control,
        summary=result.summary,
        violations=tuple(str(violation) for violation in result.violations),
        digest=result.digest(),
        replay=job.replay,
        regret=result.regret if job.regrets else None,
    )


def jobs_for(
    worlds: Sequence[str],
    seeds: Iterable[int],
    *,
    days: int | None = None,
    values: Sequence[str] = (),
    law: str = "",
    control: str = "",
    regrets: bool = False,
    files: Files = Files(),  # noqa: B008  frozen
) -> list[Job]:
    """Every world with every seed and every combination of ``values`` (``key=a|b|c``). Raises `InvalidScenario`."""
    control_of(control)
    axes = [_options(value) for value in values]

    def world_of(name: str, seed: int, changes: Sequence[str]) -> Scenario:
        return with_law(with_files(resolve(name, seed=seed, changes=changes), files), law, control=control)

    return [
        Job(scenario=world_of(world, seed, changes), seed=seed, days=days, control=control, regrets=regrets)
        for world in worlds
        for changes in itertools.product(*axes)
        for seed in seeds
    ]


def _options(value: str) -> list[str]:
    key, separator, options = value.partition("=")
    if not separator:
        raise InvalidScenario(f"{value!r}: expected key.path=value|value|...")
    return [f"{key}={option}" for option in options.split("|")]


def run_here(jobs: Sequence[Job], *, workers: int | None = None) -> Iterator[JobOutcome]:
    """All jobs on this machine's cores, as they finish; one worker runs them in this process, in order."""
    return done_here(run_job, jobs, workers=workers)


def run_on_cluster(jobs: Sequence[Job], scheduler: str) -> Iterator[JobOutcome]:
    """All jobs on the Dask cluster at ``scheduler`` (``tcp://host:8786``), as they finish. Needs the extra ``cluster``.

    Raises `InvalidScenario` when nobody answers there.
    """
    return done_on_cluster(run_job, jobs, scheduler)


def done_here(work: Callable[[Given], Made], given: Sequence[Given], *, workers: int | None = None) -> Iterator[Made]:
    """``work``, a function of a module, of each on this machine's cores, as they finish."""
    count = workers or multiprocessing.cpu_count()
    if count <= 1 or len(given) <= 1:
        yield from map(work, given)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(count, len(given)), mp_context=context, initializer=_end_with_parent) as pool:
        try:
            for future in as_completed([pool.submit(work, each) for each in given]):
                yield future.result()
        finally:  # something cannot be what was asked for, or somebody wants no more
            pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """A worker would wait for ever for work of a process that was killed."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def done_on_cluster(work: Callable[[Given], Made], given: Sequence[Given], scheduler: str) -> Iterator[Made]:
    """The same on a Dask cluster. Raises `InvalidScenario`."""
    from distributed import Client
    from distributed import as_completed as as_done

    try:
        found = Client(scheduler)  # type: ignore[no-untyped-call]  # untyped there
    except OSError as error:
        raise InvalidScenario(f"--scheduler {scheduler!r}: {error}") from error
    with found as client:
        futures = client.map(work, given, pure=False)
        for future in as_done(futures):  # type: ignore[no-untyped-call]  # untyped there
            yield future.result()
