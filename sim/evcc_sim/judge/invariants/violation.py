"""What an invariant finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from evcc_sim.judge.trace import Trace


@dataclass(frozen=True, slots=True)
class Violation:
    """``invariant`` does not hold at ``second``."""

    invariant: str
    second: float
    message: str

    def __str__(self) -> str:
        hours, rest = divmod(int(self.second), 3600)
        return f"{self.invariant} at {hours:02d}:{rest // 60:02d}:{rest % 60:02d}: {self.message}"


Found = Iterator[Violation]


Invariant = Callable[[Trace], Found]
