"""How old the values of the grid meter are, told by which age makes sense of them.

The sun that a car could have is what it draws and what is left beside it. Where the meter is late, that is the drawn power of
then and the grid power of now; with a wrong age each change of the car's own looks like one of the sun::

    sun(L) = drawn(t - L) - grid(t)              doubt(L): how far sun(L) moves from one value to the next, while the car moves

The age in least doubt is believed once it explains far better what was seen than the one believed so far. A value that has not
changed at all is none of its own: the meter has not measured since.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from evcclib.units import ORIGIN, Instant

AGES = tuple(timedelta(seconds=seconds) for seconds in (0, 5, 10, 15, 20, 30, 40, 50, 60))
KEPT = timedelta(seconds=60)
"""A value that stays the same for so long is believed again."""
MOVES_W = 200.0
"""A car that moves by less says nothing."""
MEMORY_S = 60.0
"""What was seen longer ago hardly counts."""
BETTER_PART = 0.5
"""Another age is believed that explains what was seen by so much better, ..."""
DOUBT_MIN_W = 300.0
"""... and only where the one believed so far leaves as much to explain."""


class Drawn(NamedTuple):
    """What a car draws from then on [W]."""

    at: Instant
    power_w: float


class Lateness(NamedTuple):
    """What the car drew lately, the sun of the last value by each of `AGES` [W], how badly each explains what was seen [W], which
    one is believed, and the meter's value and since when it shows it."""

    drawn: tuple[Drawn, ...] = ()
    suns_w: tuple[float, ...] = ()
    doubts_w: tuple[float, ...] = (0.0,) * len(AGES)
    believed: int = 0
    grid_w: float = 0.0
    shown_at: Instant = ORIGIN

    @property
    def sun_w(self) -> float:
        """The sun that the car could have had when the meter measured [W]; there is none before the first value."""
        return self.suns_w[self.believed]


NOTHING_HEARD = Lateness()


def heard(before: Lateness, *, drawn_w: float, grid_w: float, at: Instant) -> Lateness:
    """With one more value of the meter."""
    drawn = before.drawn
    if not drawn or abs(drawn[-1].power_w - drawn_w) > 1.0:
        drawn = (*drawn, Drawn(at, drawn_w))
    while len(drawn) > 1 and drawn[1].at <= at - AGES[-1]:
        drawn = drawn[1:]
    if before.suns_w and grid_w == before.grid_w and at - before.shown_at < KEPT:
        return before._replace(drawn=drawn)
    suns_w = tuple(_drawn_at(drawn, at - age) - grid_w for age in AGES)
    powers = [each.power_w for each in drawn]
    doubts_w, believed = before.doubts_w, before.believed
    if before.suns_w and max(powers) - min(powers) > MOVES_W:
        kept = 1.0 - min(1.0, max(0.0, (at - before.shown_at).total_seconds() / MEMORY_S))
        doubts_w = tuple(
            doubt * kept + abs(now - then) for doubt, now, then in zip(doubts_w, suns_w, before.suns_w, strict=True)
        )
        best = min(range(len(AGES)), key=lambda index: doubts_w[index])
        if doubts_w[believed] > DOUBT_MIN_W and doubts_w[best] < BETTER_PART * doubts_w[believed]:
            believed = best
    return Lateness(drawn, suns_w, doubts_w, believed, grid_w, at)


def _drawn_at(drawn: tuple[Drawn, ...], at: Instant) -> float:
    return next((each.power_w for each in reversed(drawn) if each.at <= at), drawn[0].power_w)
