"""Time-weighted means of what is sampled, minute by minute: the history's rows before they are written.

A value holds until the next sample, at most `HOLD`; time that nobody vouches for counts nowhere, so a gap is a gap and no zero.
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
HOLD = timedelta(minutes=2)
"""How long the last sample is believed when no other follows: twice the longest usual interval."""

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

    def __init__(self) -> None:
        self._last: Now | None = None
        self._values: Mapping[str, float | None] = {}
        self._open: list[Mean] = []

    def take(self, now: Now, values: Mapping[str, float | None]) -> tuple[Mean, ...]:
        """Take in what is measured from ``now`` on, None: unknown. Returns what minutes other than that of ``now`` have got."""
        if self._last is not None:
            lasted = min(now.instant - self._last.instant, HOLD)
            for start, seconds in _minutes(self._last.utc, lasted):
                known = ((name, value) for name, value in self._values.items() if value is not None)
                self._open += [Mean(start, name, value, seconds) for name, value in known]
        self._last, self._values = now, dict(values)
        current = floor(now.utc, MINUTE)
        over = merged((mean for mean in self._open if mean.start != current), MINUTE)
        self._open = list(merged((mean for mean in self._open if mean.start == current), MINUTE))
        return over


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
