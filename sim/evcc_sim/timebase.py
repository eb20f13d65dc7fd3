"""Simulated time: seconds of the SimPy environment, UTC and the owner's wall clock.

The environment counts seconds from the scenario's start. Times of day in a scenario are wall-clock times of its time zone, so
a day may have 23 or 25 hours.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import simpy

from evcclib.model import Now
from evcclib.units import Instant


@dataclass(frozen=True, slots=True)
class Timebase:
    """Second 0 of the environment is local midnight of ``start``."""

    start: date
    zone: ZoneInfo
    epoch: datetime = field(init=False)
    """UTC of second 0."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "epoch", datetime.combine(self.start, time(0), self.zone).astimezone(UTC))

    def utc(self, second: float) -> datetime:
        """UTC at ``second``."""
        return self.epoch + timedelta(seconds=second)

    @staticmethod
    def instant(second: float) -> Instant:
        """The monotonic clock of evcclib at ``second``."""
        return Instant(timedelta(seconds=second))

    def now(self, second: float) -> Now:
        """Both clocks of evcclib at ``second``."""
        return Now(self.instant(second), self.utc(second))

    def second(self, day: int, wall: time) -> float:
        """The second at which the wall clock shows ``wall`` on day number ``day`` (0 = start).

        A time that the spring night skips means the moment after the gap; one that the autumn night repeats, its first.
        """
        local = datetime.combine(self.start + timedelta(days=day), wall, self.zone)
        return (local.astimezone(UTC) - self.epoch).total_seconds()

    def day_second(self, day: int) -> float:
        """The second of local midnight at which day number ``day`` begins."""
        return self.second(day, time(0))

    def date_of(self, day: int) -> date:
        """The calendar day with number ``day``."""
        return self.start + timedelta(days=day)


def stream(seed: int, *names: object) -> random.Random:
    """A random stream of its own for each name: adding a plant does not shift the numbers of the others."""
    digest = hashlib.sha256(repr((seed, *names)).encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))


class Timer:
    """An action at a later second, which may be cancelled until then."""

    __slots__ = ("_action", "at")

    def __init__(self, env: simpy.Environment, delay_s: float, action: Callable[[], None]) -> None:
        self.at = env.now + max(0.0, delay_s)
        self._action: Callable[[], None] | None = action
        event = env.timeout(max(0.0, delay_s))
        event.callbacks.append(self._fire)

    def cancel(self) -> None:
        """Forget the action."""
        self._action = None

    def _fire(self, _event: simpy.events.Event) -> None:
        action, self._action = self._action, None
        if action is not None:
            action()
