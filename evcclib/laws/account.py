"""What the past would have cost, wherever one had wished to end: the account by which the adaptive law moves.

A car that follows the sun is in one of four positions: contactor open or closed, relay at one phase or at all of them. In each
position a second costs what is bought in it and what of the usable sun is left, and a move has a price of its own. The account of
a position x is the least that a way through the past can have cost which ends in x::

    w(x) += rate(x) dt;     w(x) = min over y of ( w(y) + price(y, x) )          [EUR, the least of them kept at zero]

    move from c to x, when     w(x) + price(c, x) <= w(c)

So it moves when staying has been dearer than moving, by as much as the move costs: at once where much is at stake, late where
little is, never for what comes and goes. This is the work function algorithm of metrical task systems (Borodin, Linial, Saks
1992): whatever the sun does, and with prices that are the same in both directions, it pays at most seven times what perfect
foresight would have paid, and a constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

BOUGHT_EUR_PER_KWH = 0.30
LEFT_EUR_PER_KWH = 0.22
"""What a household pays, and what it pays more for a kilowatt-hour of tonight than it gets for one of now."""
SWITCHING_EUR = 0.003
RELAY_EUR = 0.006
"""A change of phases takes two switchings and this. Both were chosen by their result on days of sun and clouds (docs/law.md)."""
ONLY_SWITCHING_EUR = 0.009
"""A station without a relay has no gentler move, and its contactor would wear for it: chosen so that it moves as often as under
the classic law."""
EUR_PER_WS = 1 / 3_600_000.0
NEVER_EUR = 1e3
"""A position that cannot be taken."""

OPEN_ONE, OPEN_ALL, ONE, ALL = range(4)
POSITIONS = (OPEN_ONE, OPEN_ALL, ONE, ALL)

Account = tuple[float, float, float, float]
"""One sum for each of `POSITIONS` [EUR]."""
NOTHING_PAID: Account = (0.0, 0.0, 0.0, 0.0)


class Span(NamedTuple):
    """What a car can draw in a position with a closed contactor [W]."""

    min_w: float
    max_w: float


class Prices(NamedTuple):
    """Of moves [EUR], the same in both directions: closing or opening the contactor, the relay up or down."""

    switching: float
    relay: float


def prices(*, is_switchable: bool, switching: float = 1.0, relay: float = 1.0) -> Prices:
    """``switching`` and ``relay`` are an owner's patience with each, 1 by default.

    What it takes to leave a position is the price of the way back, too: were that cheaper, the account of staying could never
    grow by the price of leaving, and nothing would ever be left.
    """
    return Prices((SWITCHING_EUR if is_switchable else ONLY_SWITCHING_EUR) * switching, RELAY_EUR * relay)


def price(moves: Prices, before: int, after: int) -> float:
    """What it costs to go from one position to another [EUR]; with a closed contactor the relay moves after it has opened."""
    was_on, is_on = before >= ONE, after >= ONE
    is_relay = before % 2 != after % 2
    stops = was_on and (is_relay or not is_on)
    starts = is_on and (is_relay or not was_on)
    return moves.relay * is_relay + moves.switching * (stops + starts)


def rates(surplus_w: float, one: Span | None, every: Span | None, *, tolerated_w: float = 0.0) -> Account:
    """What a second of so much sun costs in each position [EUR/s]; a span is None where the relay cannot be.

    So much power as an owner tolerates (``tolerated_w``) costs nothing.
    """
    spans = [span for span in (one, every) if span is not None]
    least_w, most_w = min(span.min_w for span in spans), max(span.max_w for span in spans)
    usable_w = min(surplus_w, most_w) if surplus_w >= least_w else 0.0
    left = usable_w * LEFT_EUR_PER_KWH * EUR_PER_WS
    return (
        NEVER_EUR if one is None else left,
        NEVER_EUR if every is None else left,
        _rate(surplus_w, usable_w, one, tolerated_w),
        _rate(surplus_w, usable_w, every, tolerated_w),
    )


def _rate(surplus_w: float, usable_w: float, span: Span | None, tolerated_w: float) -> float:
    if span is None:
        return NEVER_EUR
    drawn_w = min(max(surplus_w, span.min_w), span.max_w)
    bought_w, left_w = max(0.0, drawn_w - surplus_w - tolerated_w), max(0.0, usable_w - drawn_w)
    return (bought_w * BOUGHT_EUR_PER_KWH + left_w * LEFT_EUR_PER_KWH) * EUR_PER_WS


@lru_cache(maxsize=256)
def _ways_to(moves: Prices) -> tuple[Account, ...]:
    """What it costs to come to each position from each one: asked for every car with every sample, while prices stay."""
    return tuple(
        [
            (price(moves, OPEN_ONE, to), price(moves, OPEN_ALL, to), price(moves, ONE, to), price(moves, ALL, to))
            for to in POSITIONS
        ]
    )


def accrue(account: Account, rate: Account, seconds: float, moves: Prices) -> Account:
    """The account so many seconds later."""
    w, x, y, z = [before + each * seconds for before, each in zip(account, rate, strict=True)]
    least = min(w, x, y, z)
    open_one, open_all, one, every = [
        min(w + way[0], x + way[1], y + way[2], z + way[3]) - least for way in _ways_to(moves)
    ]
    return open_one, open_all, one, every


class Move(NamedTuple):
    """Where to go, and what staying may still cost more until it is worth it [EUR]; nothing: now."""

    position: int
    missing: float


def best(account: Account, position: int, moves: Prices, allowed: Sequence[int]) -> Move:
    """The position among ``allowed`` that is next to be moved to."""
    options = [
        Move(each, account[each] + price(moves, position, each) - account[position])
        for each in allowed
        if each != position
    ]
    return min(
        options, key=lambda move: (round(move.missing, 12), account[move.position]), default=Move(position, NEVER_EUR)
    )
