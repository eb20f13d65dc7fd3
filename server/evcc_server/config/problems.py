"""What is wrong with a configuration file: every finding names file, line and key, and says what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evcc_server.quoting import short


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. ``line`` counts from 1; ``key`` is the path to the value, such as ``loadpoints[0].minCurrent``."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: "
        return f"{place}{self.key}: {self.message}" if self.key else f"{place}{self.message}"


class ConfigError(Exception):
    """The owner must edit the file. ``problems`` holds every finding, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The one of ``allowed`` that ``word`` was probably meant to be, ignoring case."""
    by_folded = {candidate.casefold(): candidate for candidate in allowed}
    close = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None


def expected_one_of(word: str, allowed: Iterable[str], *, at_most: int = 20) -> str:
    """The end of a message: the nearest allowed word, or the allowed ones when nothing is near."""
    choices = sorted(allowed)
    near = nearest(word, choices)
    if near is not None:
        return f"did you mean {short(near)}?"
    choices = [short(choice) for choice in choices]
    if len(choices) > at_most:
        return f"expected one of {', '.join(choices[:at_most])} ... ({len(choices)} in all)"
    return f"expected one of {', '.join(choices)}"
