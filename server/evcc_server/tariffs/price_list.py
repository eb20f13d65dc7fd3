"""What the lists of all providers have in common: slots, and errors. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from evcclib.tariff import Rate, Rates, price_at

HOUR = timedelta(hours=1)
RATES_MAX = 5000
_DURATION = re.compile(r"PT(?:(?P<hours>\d{1,2})H)?(?:(?P<minutes>\d{1,3})M)?")


class PriceListError(ValueError):
    """The answer is no price list of this provider."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A time with a price. ``end`` None: it is not said; ``price`` None: it is not known."""

    start: datetime
    end: datetime | None
    price: float | None


@dataclass(frozen=True, slots=True)
class Power:
    """A forecast of power [W], as rates: what is expected; what is undercut, and what is exceeded, in one case of ten, where
    somebody knows."""

    expected: tuple[Rate, ...]
    p10: tuple[Rate, ...] = ()
    p90: tuple[Rate, ...] = ()

    def map(self, change: Callable[[tuple[Rate, ...]], tuple[Rate, ...]]) -> Power:
        """The same change to all three."""
        return Power(change(self.expected), change(self.p10), change(self.p90))


def rates_of(slots: Iterable[Slot]) -> tuple[Rate, ...]:
    """The slots with a price; the others are gaps. Raises `PriceListError`.

    Where no end is said a slot lasts until the next one begins, with a price or without, at most an hour; the last one as long
    as the one before it.
    """
    ordered = sorted(slots, key=lambda slot: slot.start)
    if not ordered:
        raise PriceListError("the list is empty")
    starts = sorted({slot.start for slot in ordered})
    next_start = dict(itertools.pairwise(starts))
    rates: list[Rate] = []
    length = HOUR
    for slot in ordered:
        if slot.start in next_start:
            length = min(next_start[slot.start] - slot.start, HOUR)
        end = slot.start + length if slot.end is None else slot.end
        if end <= slot.start:
            raise PriceListError(f"a price ends at {end.isoformat()} before it begins")
        if slot.price is not None:
            rates.append(Rate(slot.start, end, slot.price))
    if not rates:
        raise PriceListError("the list has no price")
    return tuple(rates)


def iso_duration(text: str) -> timedelta | None:
    """Hours and minutes, such as ``PT30M``; None for what is no such duration, or none at all."""
    match = _DURATION.fullmatch(text)
    return timedelta(hours=int(match["hours"] or 0), minutes=int(match["minutes"] or 0)) or None if match else None


def summed(lists: Sequence[tuple[Rate, ...]]) -> tuple[Rate, ...]:
    """The sum of several lists, where all have a value."""
    if len(lists) == 1:
        return lists[0]
    each = [Rates(rates) for rates in lists]
    edges = sorted({edge for rates in each for rate in rates.rates for edge in (rate.start, rate.end)})
    pieces: list[Rate] = []
    for start, end in itertools.pairwise(edges):
        values = [price_at(rates, start) for rates in each]
        known = [value for value in values if value is not None]
        if len(known) == len(values):
            pieces.append(Rate(start, end, sum(known)))
    return tuple(pieces)
