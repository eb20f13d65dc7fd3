"""A condition and since when it holds [N-2].

A timer is an instant, or None: not running. What waits for more than that has states of its own (`evcclib.machines.surplus`).
"""

from __future__ import annotations

from datetime import timedelta

from evcclib.units import ZERO, Instant

Timer = Instant | None


def remaining(until: Timer, instant: Instant) -> timedelta:
    """How long it is until then, never negative; nothing of what is not waited for."""
    return ZERO if until is None else max(ZERO, until - instant)


def first_after(instant: Instant, *times: Instant | None) -> Instant | None:
    """The earliest of ``times`` that is still to come; None: none is."""
    soonest = None
    for each in times:
        if each is not None and each > instant and (soonest is None or each < soonest):
            soonest = each
    return soonest


def elapsed(timer: Timer, instant: Instant) -> timedelta:
    """How long a timer runs; one that does not has run for ever."""
    return timedelta.max if timer is None else instant - timer
