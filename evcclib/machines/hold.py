"""A condition and since when it holds [N-2].

A timer is an instant, or None (not running), or `ELAPSED` (ran out long ago, so that every delay is over).
"""

from __future__ import annotations

from datetime import timedelta

from evcclib.units import Instant

ELAPSED = Instant(timedelta(days=-365_000))
"""A symbol, not a time: compare with ``==``; it keeps its meaning when a state moves to another clock [N-2]."""

Timer = Instant | None


def remaining(timer: Timer, delay: timedelta, instant: Instant) -> timedelta:
    """What is left of ``delay``, never negative; nothing of a timer that does not run."""
    if timer is None or timer == ELAPSED:
        return timedelta(0)
    return max(timedelta(0), timer + delay - instant)


def first_after(instant: Instant, *times: Instant | None) -> Instant | None:
    """The earliest of ``times`` that is still to come; None: none is."""
    soonest = None
    for each in times:
        if each is not None and each > instant and (soonest is None or each < soonest):
            soonest = each
    return soonest


def elapsed(timer: Timer, instant: Instant) -> timedelta:
    """How long a timer runs; one that does not has run for ever."""
    return instant - (ELAPSED if timer is None else timer)
