"""``python -m benchmarks.against REF [NAME ...]``: this build and another one of its history, side by side in one run.

The other build gets a worktree and an environment of its own, with the versions that it pins. The benchmarks that both have are
run in turns, so that whatever else the machine does meets both alike; the table has the medians of the rounds and their ratio.
Both are kept below ``build/against`` for the next time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.__main__ import NAMES

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = ROOT / "benchmarks" / "commands.py"
"""Run by both builds as it is here."""
Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Build:
    """A build in ``folder`` and the interpreter that has its dependencies."""

    folder: Path
    python: Path

    def figures(self, name: str) -> Figures:
        """What a benchmark of this build says; nothing if it has none of that name."""
        if name == "commands":
            return self._numbers([str(COMMANDS)])
        if not (self.folder / "benchmarks" / f"{name}.py").exists():
            return {}
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "numbers.json"
            self._run(["-m", "benchmarks", name, "--json", str(file)])
            found: Figures = json.loads(file.read_text(encoding="utf-8"))["results"][name]
        return found

    def _numbers(self, arguments: Sequence[str]) -> Figures:
        found: Figures = json.loads(self._run(arguments))
        return found

    def _run(self, arguments: Sequence[str]) -> str:
        places = [str(self.folder), *(str(self.folder / part) for part in ("server", "sim", "tests"))]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
        done = subprocess.run(
            [str(self.python), *arguments],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout


def build_of(reference: str, place: Path) -> Build:
    """The build at a commit, made if it is not there yet. Raises `subprocess.CalledProcessError`."""
    commit = _told("git", "rev-parse", "--verify", f"{reference}^{{commit}}")
    folder, environment = place / commit[:12], place / f"{commit[:12]}-env"
    if not folder.exists():
        _told("git", "worktree", "prune")
        _told("git", "worktree", "add", "--quiet", "--detach", str(folder), commit)
    python = environment / "bin" / "python"
    marker = environment / "complete"
    if not marker.exists():
        _told(sys.executable, "-m", "venv", "--clear", str(environment))
        _told(str(python), "-m", "pip", "install", "--quiet", "-c", "constraints.txt", "-e", ".[dev]", cwd=folder)
        marker.touch()
    return Build(folder, python)


def _told(*command: str, cwd: Path = ROOT) -> str:
    return subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def medians(rounds: Sequence[Figures]) -> Figures:
    """Of each figure that all rounds have."""
    keys = [key for key in rounds[0] if all(key in each for each in rounds)]
    return {key: median(each[key] for each in rounds) for key in keys}


def table(name: str, before: Figures, after: Figures) -> list[str]:
    """A line for each figure that both have: before, after, and how many times as much that is."""
    lines = []
    for key in before:
        if key in after:
            ratio = f"{after[key] / before[key]:8.3f} x" if before[key] else "       -"
            lines.append(f"{name + '.' + key:<56} {before[key]:>14,.3f} {after[key]:>14,.3f} {ratio}")
    return lines


def main() -> None:
    """Run the benchmarks of both builds in turns."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.against", description=__doc__)
    parser.add_argument("reference", metavar="REF", help="a commit, tag or branch")
    parser.add_argument("names", nargs="*", metavar="NAME", help="which benchmarks; all by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--place", type=Path, default=ROOT / "build" / "against", help="where the other build is kept")
    arguments = parser.parse_args()
    names = arguments.names or NAMES
    unknown = sorted(set(names) - set(NAMES))
    if unknown or arguments.rounds < 1:
        parser.error(f"no such benchmark: {', '.join(unknown)}" if unknown else "--rounds: at least 1")
    other = build_of(arguments.reference, arguments.place.resolve())
    own = Build(ROOT, Path(sys.executable))
    print(f"{'':<56} {arguments.reference[:14]:>14} {'this build':>14}")
    for name in names:
        rounds = [(other.figures(name), own.figures(name)) for _ in range(arguments.rounds)]
        lines = table(name, medians([each[0] for each in rounds]), medians([each[1] for each in rounds]))
        print("\n".join(lines) if lines else f"{name}: nothing that both have", flush=True)


if __name__ == "__main__":
    main()
