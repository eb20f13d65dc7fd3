"""Controls that are wrong on purpose: the simulator must notice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from evcc_sim.inprocess import Control, classic
from evcclib.commands import Batch, SetCurrent
from evcclib.config import SiteConfig
from evcclib.decision import Decision
from evcclib.model import Cause, Now
from evcclib.readings import Readings


class _Wrapped:
    """The library's site with something done to its decisions."""

    def __init__(self, site: Control) -> None:
        self._site = site

    def __getattr__(self, name: str) -> Any:
        return getattr(self._site, name)

    def step(self, readings: Readings, *, now: Now, cause: Cause) -> Decision:
        decision = self._site.step(readings, now=now, cause=cause)
        batches = {
            loadpoint: Batch(batch.number, tuple(self.change(command) for command in batch.commands))
            for loadpoint, batch in decision.commands.items()
        }
        return replace(decision, commands=batches)

    def change(self, command: Any) -> Any:
        return SetCurrent(command.current_a + 20) if isinstance(command, SetCurrent) else command


def overloading(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """Commands 20 A more than decided."""
    return _Wrapped(classic(config, restored, now=now))


def crashing(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
    """Cannot even start."""
    raise ZeroDivisionError("on purpose")
