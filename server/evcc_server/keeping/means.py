"""Time-weighted means of what is sampled, minute by minute: the history's rows before they are written.

A value holds until the next sample, at most for ``hold``; time that nobody vouches for counts nowhere: a gap is no zero.
How long something lasted is told by the monotonic clock, which minute it belongs to by UTC: whatever UTC does, mean times seconds
stays the energy that flowed. A minute that UTC passes twice simply has more seconds; `merged` adds them up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from evcclib.model import Now

MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)

_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Mean:
    """What ``series`` was on average during the ``seconds`` for which it was known, of the span that begins at ``start``."""

    start: datetime
    series: str
    mean: float
    seconds: float


class MinuteMeans:
    """Takes samples in the order of the monotonic clock and gives each minute when it is over."""

    def __init__(self, hold: timedelta) -> None:
        self._hold = hold
        self._last: Now | None = None
        self._values: Mapping[str, float | None] = {}
        self._open: dict[datetime, dict[str, tuple[float, float]]] = {}

    def take(self, now: Now, values: Mapping[str, float | None]) -> tuple[Mean, ...]:
        """Take in what is measured from ``now`` on, None: unknown. Returns what minutes other than that of ``now`` have got."""
        if self._last is not None:
            lasted = min(now.instant - self._last.instant, self._hold)
            for start, seconds in _minutes(self._last.utc, lasted):
                self._add(start, seconds)
        self._last, self._values = now, values
        return self._close(floor(now.utc, MINUTE))

    def end(self, now: Now) -> tuple[Mean, ...]:
        """What is still open at ``now``, after which nothing is known."""
        return (*self.take(now, {}), *self._close(None))

    def _add(self, start: datetime, seconds: float) -> None:
        sums = self._open.setdefault(start, {})
        for name, value in self._values.items():
            if value is not None:
                weighted, known = sums.get(name, (0.0, 0.0))
                sums[name] = weighted + value * seconds, known + seconds

    def _close(self, current: datetime | None) -> tuple[Mean, ...]:
        over = [start for start in self._open if start != current]
        return tuple(
            Mean(start, name, weighted / seconds, seconds)
            for start in over
            for name, (weighted, seconds) in self._open.pop(start).items()
        )


def merged(means: Iterable[Mean], width: timedelta) -> tuple[Mean, ...]:
    """The means of spans of ``width``, by start and series; energy and known seconds stay what they were."""
    sums: dict[tuple[datetime, str], tuple[float, float]] = {}
    for each in means:
        key = floor(each.start, width), each.series
        weighted, seconds = sums.get(key, (0.0, 0.0))
        sums[key] = weighted + each.mean * each.seconds, seconds + each.seconds
    return tuple(Mean(*key, weighted / seconds, seconds) for key, (weighted, seconds) in sorted(sums.items()))


def floor(time: datetime, width: timedelta) -> datetime:
    """The start of the span of ``width`` that ``time`` is in, in UTC, where no day has 23 hours."""
    return time - (time - _EPOCH) % width


def _minutes(start: datetime, lasted: timedelta) -> Iterator[tuple[datetime, float]]:
    end = start + lasted
    while start < end:
        minute = floor(start, MINUTE)
        until = min(minute + MINUTE, end)
        yield minute, (until - start).total_seconds()
        start = until
