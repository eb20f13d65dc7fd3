"""``evcc-sim sweep`` and ``evcc-sim compare``: many runs as tables, and what failed in them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.table import Table

from evcc_sim.runs.sweep import Job, JobOutcome, jobs_for, run_here, run_on_cluster
from evcc_sim.show.report import compare_rows, mean_of
from evcc_sim.show.terminal import Progress, console
from evcc_sim.worlds import generators, scenario
from evcc_sim.worlds.variants import Files

OK, FAILED = 0, 1
SHOWN_MAX = 20
"""So many failed runs are shown in full."""
TOO_LARGE = frozenset({"hundred-chargers"})
"""Left out of a sweep over everything."""

_COLUMNS = (
    ("charged kWh", "charged_kwh"),
    ("bought following the sun kWh", "import_in_pv_mode_kwh"),
    ("contactor", "contactor_switches"),
    ("phases", "phase_switches"),
    ("commands", "commands"),
)
"""Heading, and the field of `Summary`."""
_REGRETS = (("day cost EUR", "day_cost_eur"), ("least EUR", "least_cost_eur"), ("regret EUR", "regret_eur"))
"""The same of `Regret`, where it is asked for."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of two things to compare: a scenario with its changes, a law (empty: its own), a control (empty: the library's)."""

    scenario: str
    law: str = ""
    control: str = ""

    def __str__(self) -> str:
        who = self.law or self.control
        return f"{self.scenario} ({who})" if who else self.scenario


def compare(
    first: Side, second: Side, *, seeds: Sequence[int], days: int | None, workers: int | None, files: Files
) -> int:
    """Print means over ``seeds`` beside each other; returns the exit status. Raises `InvalidScenario`."""
    jobs = [
        jobs_for([side.scenario], seeds, days=days, law=side.law, control=side.control, regrets=True, files=files)
        for side in (first, second)
    ]
    outcomes = _gather([*jobs[0], *jobs[1]], workers, None)
    one, two = outcomes[: len(jobs[0])], outcomes[len(jobs[0]) :]
    table = Table(title=f"mean of {len(seeds)} seeds")
    table.add_column("")
    for name in (str(first), str(second), "difference"):
        table.add_column(name, justify="right")
    for row in compare_rows(one, two):
        table.add_row(*row)
    console().print(table)
    _say_what_is_missing(outcomes)
    return _report_failures(outcomes)


def sweep(
    names: Sequence[str],
    *,
    seeds: Sequence[int],
    days: int | None = None,
    values: Sequence[str] = (),
    law: str = "",
    control: str = "",
    workers: int | None = None,
    scheduler: str | None = None,
    regrets: bool = False,
    file: Path | None = None,
) -> int:
    """Run and judge the named worlds (all by default) with every seed and combination of ``values``; returns the exit status.

    ``regrets``: with day cost and regret. ``file`` gets every outcome as JSON. Raises `InvalidScenario`.
    """
    jobs = jobs_for(names or _all_worlds(), seeds, days=days, values=values, law=law, control=control, regrets=regrets)
    outcomes = _gather(jobs, workers, scheduler)
    table = Table(title=f"{len(outcomes)} runs")
    columns = (*_COLUMNS, *(_REGRETS if regrets else ()))
    for heading in ("world", "runs", "failed", *(each for each, _field in columns)):
        is_name = heading == "world"
        table.add_column(heading, justify="left" if is_name else "right", no_wrap=is_name)
    for name, group in _by_world(outcomes).items():
        means = (mean_of(group, field) for _heading, field in columns)
        failed = sum(not outcome.ok for outcome in group)
        table.add_row(name, str(len(group)), str(failed), *("–" if m is None else f"{m:.2f}" for m in means))
    console().print(table)
    _say_what_is_missing(outcomes)
    if file is not None:
        file.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1), encoding="utf-8")
    return _report_failures(outcomes)


def _say_what_is_missing(outcomes: Sequence[JobOutcome]) -> None:
    """Why some runs have no regret, if it was asked for."""
    reasons = Counter(outcome.regret.missing for outcome in outcomes if outcome.regret is not None)
    for reason, count in reasons.items():
        if reason:
            print(f"no regret in {count} of {len(outcomes)} runs: {reason}")


def _all_worlds() -> list[str]:
    return [name for name in scenario.names() if name not in TOO_LARGE] + [f"@{name}" for name in generators.PACKS]


def _by_world(outcomes: Sequence[JobOutcome]) -> dict[str, list[JobOutcome]]:
    groups: dict[str, list[JobOutcome]] = {}
    for outcome in outcomes:
        name = outcome.name.partition(":")[0] if outcome.name.startswith("@") else outcome.name
        groups.setdefault(name, []).append(outcome)
    return groups


def _gather(jobs: Sequence[Job], workers: int | None, scheduler: str | None) -> list[JobOutcome]:
    """The outcomes, in the order of the jobs."""
    positions: dict[tuple[str, int, str, str], list[int]] = {}
    for index, job in enumerate(jobs):
        positions.setdefault((job.scenario.name, job.seed, job.scenario.site.law, job.control), []).append(index)
    found: list[tuple[int, JobOutcome]] = []
    failed = 0
    with Progress(f"{len(jobs)} runs", len(jobs)) as progress:
        for outcome in _running(jobs, workers, scheduler):
            index = positions[(outcome.name, outcome.seed, outcome.law, outcome.control)].pop(0)
            found.append((index, outcome))
            failed += not outcome.ok
            progress(len(found), f"{failed} failed")
    return [outcome for _index, outcome in sorted(found, key=lambda pair: pair[0])]


def _running(jobs: Sequence[Job], workers: int | None, scheduler: str | None) -> Iterator[JobOutcome]:
    return run_here(jobs, workers=workers) if scheduler is None else run_on_cluster(jobs, scheduler)


def _report_failures(outcomes: Sequence[JobOutcome]) -> int:
    failed = [outcome for outcome in outcomes if not outcome.ok]
    for outcome in failed[:SHOWN_MAX]:
        print(f"\n{outcome.name}, seed {outcome.seed}:")
        for text in (outcome.error, *outcome.violations[:3]):
            if text:
                print(f"  {text}")
        print(f"  again: {outcome.replay}")
    if len(failed) > SHOWN_MAX:
        print(f"\n... and {len(failed) - SHOWN_MAX} more")
    print(f"{len(outcomes) - len(failed)} of {len(outcomes)} runs ok")
    return FAILED if failed else OK
