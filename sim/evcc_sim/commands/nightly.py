"""``evcc-sim nightly``: what takes too long for every commit, one part after the other, and a summary at the end.

A part that fails does not keep the next ones from running; each says itself what failed and how to see it again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from evcc_sim.runs.days import say_at_once
from evcc_sim.worlds import scenario

USUAL_DAYS = 7
USUAL_SEEDS = 200
USUAL_EXAMPLES = 4000
SIMULATOR = "evcc-sim"
PROPERTIES = ("tests/evcclib/test_properties.py", "tests/evcclib/pipeline/test_last_word.py")
"""What holds for every site, in the repository."""
CONSTANTS = "tests/evcclib/test_mutants.py"
"""What notices when a constant of the library has another value."""
SHORT = 60
"""Letters of a command in the summary."""


@dataclass(frozen=True, slots=True)
class Part:
    """A command, as one would type it; ``examples`` is how many Hypothesis draws where that matters."""

    arguments: tuple[str, ...]
    program: str = SIMULATOR
    examples: int = 0

    def __str__(self) -> str:
        budget = (f"EVCC_EXAMPLES={self.examples}",) if self.examples else ()
        return " ".join((*budget, self.program, *self.arguments))

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


def properties(*, examples: int = USUAL_EXAMPLES, root: Path = Path()) -> tuple[Part, ...]:
    """The library's properties with new examples, far more than for a commit; none where there is no repository."""
    if not all((root / name).is_file() for name in PROPERTIES):
        return ()
    return (Part(("-q", *PROPERTIES), "pytest", examples),)


def constants(*, root: Path = Path()) -> tuple[Part, ...]:
    """Every constant of the library with other values, each against its witness; none where there is no repository."""
    if not (root / CONSTANTS).is_file():
        return ()
    return (Part(("-q", "-n", "auto", "-m", "mutant", CONSTANTS), "pytest"),)


def run_program(part: Part) -> int:
    """Run a part that is no command of ours, as a module of this Python. Returns its exit status."""
    environment = {**os.environ, **({"EVCC_EXAMPLES": str(part.examples)} if part.examples else {})}
    return subprocess.run(
        [sys.executable, "-m", part.program, *part.arguments], env=environment, check=False
    ).returncode


def run_parts(
    chosen: Sequence[Part], run: Callable[[Sequence[str]], int], *, say: Callable[[str], None] = say_at_once
) -> int:
    """Run all of them, our own commands with ``run``, which returns an exit status. Returns 1 if any failed."""
    lines: list[str] = []
    failed = 0
    for part in chosen:
        say(f"== {part}")
        started = perf_counter()
        try:
            status = run(part.arguments) if part.program == SIMULATOR else run_program(part)
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
