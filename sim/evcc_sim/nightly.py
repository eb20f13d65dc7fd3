"""``evcc-sim nightly``: what takes too long for every commit, one part after the other, and a summary at the end.

A part that fails does not keep the next ones from running; each says itself what failed and how to see it again.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from evcc_sim import scenario
from evcc_sim.days import say_at_once

USUAL_DAYS = 7
USUAL_SEEDS = 200
SHORT = 60
"""Letters of a command in the summary."""


@dataclass(frozen=True, slots=True)
class Part:
    """A command of ``evcc-sim``, as one would type it."""

    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(("evcc-sim", *self.arguments))

    @property
    def short(self) -> str:
        """Enough of it to know it again."""
        text = str(self)
        return text if len(text) <= SHORT else f"{text[:SHORT]}..."


def parts(*, days: int = USUAL_DAYS, seeds: int = USUAL_SEEDS, every: bool = True) -> tuple[Part, ...]:
    """Kills at every step (or, without ``every``, once at every await point), long full-stack runs, a wide sweep.

    Scenarios that say how many hours they last, last so long.
    """
    names = scenario.names()
    short = [name for name in names if scenario.load(name).hours is not None]
    long = [name for name in names if name not in short]
    return (
        Part(("kills", *(["--every"] if every else []))),
        Part(("days", *short)),
        Part(("days", "--days", str(days), *long)),
        Part(("sweep", "--seeds", str(seeds))),
    )


def run_parts(
    chosen: Sequence[Part], run: Callable[[Sequence[str]], int], *, say: Callable[[str], None] = say_at_once
) -> int:
    """Run all of them with ``run``, which returns an exit status. Returns 1 if any failed."""
    lines: list[str] = []
    failed = 0
    for part in chosen:
        say(f"== {part}")
        started = perf_counter()
        try:
            status = run(part.arguments)
        except Exception:  # noqa: BLE001  whatever it is, the other parts are run and the night has failed
            say(traceback.format_exc())
            status = 1
        failed += status != 0
        word = "ok    " if status == 0 else "FAILED"
        lines.append(f"{word} {part.short} in {(perf_counter() - started) / 60:.1f} min")
    say("== summary")
    for line in lines:
        say(line)
    return 1 if failed else 0
