"""When a report contradicts what was wanted last: it is told again once, then ever less often [SYN-2..SYN-4, DEF-6].

    agrees --- contradicts ---> open: told, and told again after a wait that doubles
       ^                          |
       +---- agrees for long -----+

What was wanted last stays believed. A read-back that lies, lags or flickers therefore costs a few commands that change nothing,
and never a start or a stop.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from evcclib.machines.hold import Timer, first_after
from evcclib.units import Instant

WAIT = timedelta(minutes=5)
"""After the first repetition; it doubles from there ..."""
WAIT_MAX = timedelta(hours=1)
"""... up to this."""
URGENT_WAIT = timedelta(minutes=1)
"""The same where what flows says that the report is right: the charger really does what it was told not to do ..."""
URGENT_WAIT_MAX = timedelta(minutes=10)
"""... so it is told again sooner, but not without end either."""
MEMORY = timedelta(hours=2)
"""A report that has agreed for so long is trusted as on the first day; longer than the longest wait."""
_DOUBLINGS_MAX = 16  # every wait is at its longest by then


def doubled(wait: timedelta, most: timedelta, *, times: int) -> timedelta:
    """``wait`` doubled so many times, ``most`` at most."""
    return min(wait * (1 << min(times, _DOUBLINGS_MAX)), most)


class Disagreement(NamedTuple):
    """A report that contradicts what was wanted last, or did so not long ago (``agreed_at``: since when it does not any more).

    ``is_refuted``: what flows shows that the report is wrong. ``is_resisted``: what flows shows that what was wanted last was
    not done. ``is_urgent``: the report says so, too. ``repeats`` commands were spent on it, the last one at ``told_at``.
    """

    since: Instant
    agreed_at: Timer = None
    is_refuted: bool = False
    is_resisted: bool = False
    is_urgent: bool = False
    repeats: int = 0
    told_at: Timer = None

    @property
    def is_open(self) -> bool:
        """Whether the report contradicts now."""
        return self.agreed_at is None

    @property
    def next_at(self) -> Instant:
        """From when on it may be told again."""
        if self.told_at is None or not self.repeats:
            return self.since
        if self.is_urgent:
            return self.told_at + doubled(URGENT_WAIT, URGENT_WAIT_MAX, times=self.repeats - 1)
        return self.told_at + doubled(WAIT, WAIT_MAX, times=self.repeats - 1)


def is_due(disagreement: Disagreement | None, instant: Instant) -> bool:
    """Whether it is to be told again now."""
    return disagreement is not None and disagreement.is_open and instant >= disagreement.next_at


def contradicted(
    before: Disagreement | None,
    *,
    instant: Instant,
    is_refuted: bool = False,
    is_resisted: bool = False,
    is_urgent: bool = False,
) -> Disagreement:
    """The report contradicts at ``instant``; the same object while nothing changes.

    Urgency stays until something else is wanted, so that a power that flickers does not begin its short waits anew.
    """
    if before is None:
        return Disagreement(since=instant, is_refuted=is_refuted, is_resisted=is_resisted, is_urgent=is_urgent)
    if is_urgent and not before.is_urgent:
        before = before._replace(is_urgent=True, repeats=0)
    since = before.since if before.is_open else instant
    later = before._replace(since=since, agreed_at=None, is_refuted=is_refuted, is_resisted=is_resisted)
    return before if later == before else later


def agreed(before: Disagreement | None, *, instant: Instant) -> Disagreement | None:
    """The report agrees at ``instant``, or nothing is known that contradicts; the same object while nothing changes."""
    if before is None:
        return None
    if before.agreed_at is None:
        return before._replace(agreed_at=instant)
    return None if instant - before.agreed_at >= MEMORY else before


def told(before: Disagreement | None, *, instant: Instant) -> Disagreement | None:
    """It is told again at ``instant``."""
    return None if before is None else before._replace(repeats=before.repeats + 1, told_at=instant)


def overtaken(before: Disagreement | None, *, instant: Instant) -> Disagreement | None:
    """Something else is wanted since ``instant``; how often the report was wrong is not forgotten."""
    if before is None:
        return None
    return before._replace(agreed_at=instant if before.agreed_at is None else before.agreed_at, is_urgent=False)


def next_change(disagreement: Disagreement | None, instant: Instant) -> Instant | None:
    """When `is_due` could say something else; that a report is trusted again is nothing that shows."""
    return first_after(instant, disagreement.next_at) if disagreement is not None and disagreement.is_open else None
