"""What an invariant is, and what it finds.

    @invariant
    def no_phase_switch_under_load(run: Judged) -> Found:
        \"\"\"The phase relay moves without current.\"\"\"
        for second, loadpoint in run.trace.switched_under_load:
            yield second, f"relay of loadpoint {loadpoint + 1} moved under load"

That is all: the decorator registers it under its name. What keeps house and car safe and what an owner may expect of his settings
binds every control. What only the library's own control has promised, a courtesy of its own or a word about what it does, is
marked `@own_promise` and left out of the verdict on another, `@promise_of(law)` where only one of its laws has promised it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from evcc_sim.judge.invariants.judged import Judged

Found = Iterator[tuple[float, str]]
"""Seconds, and in words what does not hold then."""
Invariant = Callable[[Judged], Found]
INVARIANTS: dict[str, Invariant] = {}
"""All of them by name."""


OWN_PROMISES: set[str] = set()
"""Those that bind no other control than the library's own."""


def invariant(function: Invariant) -> Invariant:
    """Judges every run from now on, called as the function is."""
    INVARIANTS[function.__name__] = function
    return function


def own_promise(function: Invariant) -> Invariant:
    """Judges every run of the library's own control from now on, called as the function is."""
    OWN_PROMISES.add(function.__name__)
    return invariant(function)


LAW_PROMISES: dict[str, str] = {}
"""Of these the ones that only one of its laws has promised, and which."""


def promise_of(law: str) -> Callable[[Invariant], Invariant]:
    """Judges every run of the library's own control under this law from now on, called as the function is."""

    def register(function: Invariant) -> Invariant:
        LAW_PROMISES[function.__name__] = law
        return own_promise(function)

    return register


@dataclass(frozen=True, slots=True)
class Violation:
    """``invariant`` does not hold at ``second``."""

    invariant: str
    second: float
    message: str

    def __str__(self) -> str:
        hours, rest = divmod(int(self.second), 3600)
        return f"{self.invariant} at {hours:02d}:{rest // 60:02d}:{rest % 60:02d}: {self.message}"
