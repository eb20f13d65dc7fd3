"""``evcc-sim leaderboard``: runs everybody in every world of the pack, on all cores or a Dask cluster, and writes the page."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

from evcc_sim.board.entrants import USUAL, entrants
from evcc_sim.board.kept import Kept
from evcc_sim.board.pack import chosen
from evcc_sim.board.page import Made, page
from evcc_sim.board.runs import Day, Outcome, days, lived
from evcc_sim.runs.sweep import done_here, done_on_cluster
from evcc_sim.show.terminal import Progress

OK, FAILED = 0, 1
VERSIONS = ("evcclib", "numpy", "pvlib", "simpy")


def leaderboard(
    *,
    seeds: Sequence[int],
    controls: Sequence[str] = (),
    worlds: Sequence[str] = (),
    workers: int | None = None,
    scheduler: str | None = None,
    file: Path,
    kept: Path | None = None,
) -> int:
    """Write ``file``; ``kept``: where outcomes are remembered, if they are. Returns the exit status. Raises `InvalidScenario`."""
    began_s = perf_counter()
    groups, named = chosen(worlds), entrants(controls or USUAL)
    wanted = days(groups, named, seeds)
    memory = Kept(kept)
    known = memory.known()
    found = {day.key: known[day.job.replay] for day in wanted if day.job.replay in known and not day.entrant.is_foreign}
    missing = sorted((day for day in wanted if day.key not in found), key=_interval_s)
    with Progress(f"{len(missing)} runs", max(1, len(missing))) as progress:
        for count, outcome in enumerate(_living(missing, workers, scheduler), start=1):
            found[outcome.key] = outcome
            memory.keep(outcome)
            progress(count)
    outcomes = [found[day.key] for day in wanted]
    versions = {name: version(name) for name in VERSIONS}
    made = Made(
        command=_command(seeds, controls, worlds), groups=groups, entrants=named, seeds=seeds, versions=versions
    )
    file.write_text(page(made, outcomes), encoding="utf-8")
    failed = sum(bool(outcome.error) for outcome in outcomes)
    print(
        f"{len(outcomes)} runs, {len(outcomes) - len(missing)} of them known, {failed} failed, "
        f"{(perf_counter() - began_s) / 60:.1f} min: {file}"
    )
    return FAILED if failed else OK


def _interval_s(day: Day) -> float:
    """What is asked most often takes longest, and comes first."""
    return day.job.scenario.site.interval_s


def _living(missing: Sequence[Day], workers: int | None, scheduler: str | None) -> Iterator[Outcome]:
    return (
        done_here(lived, missing, workers=workers) if scheduler is None else done_on_cluster(lived, missing, scheduler)
    )


def _command(seeds: Sequence[int], controls: Sequence[str], worlds: Sequence[str]) -> str:
    """What has made the page, as far as that changes it."""
    words = ["--seeds", f"{seeds[0]}-{seeds[-1]}" if seeds[0] != 1 else str(seeds[-1])]
    words += ["--controls", ",".join(controls)] if controls else []
    words += ["--worlds", ",".join(worlds)] if worlds else []
    return shlex.join(["evcc-sim", "leaderboard", *words])
