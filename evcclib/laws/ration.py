"""How often a contactor may move: as often as its guard time allows on the average, a few times in a row sooner."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from evcclib.machines.hold import Timer
from evcclib.units import ZERO, Instant

SPARED_MAX = 4.0
"""So many moves can be spared for restless minutes."""
REST_PART = 5
"""Even then it rests for a fifth of its guard time."""


class Ration(NamedTuple):
    """Moves that were spared, as of an instant; None: nothing has moved yet."""

    spared: float = SPARED_MAX
    counted_at: Timer = None


FULL = Ration()


def saved(ration: Ration, guard: timedelta, instant: Instant) -> Ration:
    """One more for each guard time that has passed."""
    if ration.counted_at is None:
        return ration
    if guard == ZERO:
        return FULL
    spared = ration.spared + max(ZERO, instant - ration.counted_at) / guard
    return FULL if spared >= SPARED_MAX else Ration(spared, instant)


def saved_at(ration: Ration, guard: timedelta, instant: Instant) -> Instant:
    """From when on a whole move is spared."""
    return instant + guard * max(0.0, 1.0 - ration.spared)


def spent(ration: Ration, instant: Instant) -> Ration:
    """One less, if any is left: a move that waits for nothing is none that has to be made up for."""
    return Ration(max(0.0, ration.spared - 1.0), instant)


def rest(guard: timedelta) -> timedelta:
    """The least time between two moves."""
    return guard / REST_PART
