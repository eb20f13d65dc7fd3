"""The only reader of clocks. Everything else is given a `Clock`, so virtual time needs no patching."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import trio

from evcclib.model import Now
from evcclib.units import Instant


def system_utc() -> datetime:
    """Timezone-aware UTC of the system."""
    return datetime.now(UTC)


class Clock:
    """Monotonic time from trio's clock, UTC from the system's, or from ``epoch`` when the world is virtual.

    With ``epoch``, UTC is ``epoch`` plus the trio time since construction plus whatever `jump` added; so MockClock drives both.
    """

    def __init__(self, *, epoch: datetime | None = None) -> None:
        self._epoch = epoch
        self._origin_s = trio.current_time()
        self._offset = timedelta(0)

    def instant(self) -> Instant:
        """Monotonic time since construction, in whole microseconds."""
        return Instant(timedelta(seconds=trio.current_time() - self._origin_s))

    def utc(self) -> datetime:
        """Timezone-aware UTC."""
        return self._utc_at(self.instant())

    def now(self) -> Now:
        """Both clocks, read together."""
        instant = self.instant()
        return Now(instant, self._utc_at(instant))

    def _utc_at(self, instant: Instant) -> datetime:
        return system_utc() if self._epoch is None else self._epoch + self._offset + instant

    def jump(self, by: timedelta) -> None:
        """Let UTC jump, as after a time correction; virtual worlds only."""
        if self._epoch is None:
            raise RuntimeError("only a virtual clock can be made to jump")
        self._offset += by
