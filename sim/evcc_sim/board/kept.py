"""Outcomes in a file, so that a leaderboard that was stopped goes on: one JSON object a line, by the command that replays it.

An outcome counts as long as no file of our packages has changed that a run could go by.
"""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from evcc_sim.board.runs import Outcome
from evcc_sim.worlds.scenario import InvalidScenario

PACKAGES = ("evcclib", "evcc_server", "evcc_sim")
PARTS = (".py", ".toml", ".yaml")
TELLING = frozenset({"commands", "show", "page.py", "verdict.py"})
"""Folders and files that only tell of what has been run."""


def code() -> str:
    """Equal for equal code."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        _add(digest, resources.files(package))
    return digest.hexdigest()


def _add(digest: hashlib._Hash, folder: Traversable) -> None:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name in TELLING:
            continue
        if entry.is_dir():
            _add(digest, entry)
        elif entry.name.endswith(PARTS):
            digest.update(entry.name.encode() + entry.read_bytes())


class Kept:
    """The outcomes in ``file``, which need not be there; None: nothing is kept."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._code = code() if file is not None else ""

    def known(self) -> dict[str, Outcome]:
        """By replay; of this code only. A line that was not finished is none. Raises `InvalidScenario` for another file."""
        if self._file is None or not self._file.exists():
            return {}
        try:
            lines = self._file.read_text("utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise InvalidScenario(f"--kept {self._file}: not UTF-8 text: {error.reason}") from error
        found = {}
        for line in lines:
            try:
                row = json.loads(line)
                if row.pop("code") == self._code:
                    found[row["replay"]] = Outcome(**row)
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
        return found

    def keep(self, outcome: Outcome) -> None:
        """At once, on a line of its own even after one that was not finished."""
        if self._file is None or outcome.error:
            return
        with self._file.open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps({"code": self._code, **outcome.as_dict()}))
