"""Rates: prices, or emissions, over time [TAR-1]."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from evcclib.allowed import EARLIEST, LATEST, TEXT, TIME, TRUTH, Table, check_fields, instance, quantity
from evcclib.errors import InvalidReadings

CO2_UNIT = "gCO2eq"
POWER_UNIT = "W"
PRICE_MAX = 1e9
"""Of any currency, for a kWh."""


@dataclass(frozen=True, slots=True)
class Rate:
    """``price`` [unit/kWh; W in a forecast of power] from ``start`` (inclusive) to ``end`` (exclusive), both timezone-aware."""

    start: datetime
    end: datetime
    price: float


@dataclass(frozen=True, slots=True)
class Rates:
    """A price list: UTC, disjoint, sorted by start, whatever order it was given in [DEF-15]; ``unit`` is a currency code or
    ``gCO2eq``; or ``W``: a forecast of power, whose "price" is that power.

    Rates that are empty, run backwards or have no finite price are left out; where two overlap the one with the later start
    holds, and of two with the same start the one given last [DEF-39]. ``is_outdated`` says that the provider has not answered
    for more than two hours [TAR-8]; such a list gives no current price and no plan prices. Raises
    `evcclib.errors.InvalidReadings` for what is no list of rates.
    """

    rates: tuple[Rate, ...]
    unit: str = "EUR"
    is_outdated: bool = False
    by_price: tuple[Rate, ...] = field(init=False, repr=False, compare=False)
    """Cheapest first, of equal prices the latest first: the order in which a planner takes them [PLAN-9]."""
    _starts: tuple[datetime, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if type(self.rates) is not tuple or type(self.unit) is not str or type(self.is_outdated) is not bool:
            check_fields(self, _TABLE, "Rates.", InvalidReadings)
        for position, rate in enumerate(self.rates):
            if not _is_plain(rate):
                _RATE.check(f"Rates.rates[{position}]", rate, InvalidReadings)
                check_fields(rate, _TABLE, f"Rates.rates[{position}].", InvalidReadings)
        usable = (_in_utc(rate) for rate in self.rates if math.isfinite(rate.price))
        ordered = sorted((rate for rate in usable if rate.start < rate.end), key=lambda rate: rate.start)
        if any(later.start < earlier.end for earlier, later in itertools.pairwise(ordered)):
            ordered = _disjoint(ordered)
        latest_first = sorted(ordered, key=lambda rate: rate.start, reverse=True)
        object.__setattr__(self, "rates", tuple(ordered))
        object.__setattr__(self, "by_price", tuple(sorted(latest_first, key=lambda rate: rate.price)))
        object.__setattr__(self, "_starts", tuple(rate.start for rate in ordered))

    @classmethod
    def of(cls, rates: Iterable[Rate], *, unit: str = "EUR") -> Rates:
        """A list from any iterable of rates."""
        return cls(tuple(rates), unit)

    def at(self, time: datetime) -> Rate | None:
        """The rate in force at ``time``, or None where the list has a gap or ends, or when it is outdated."""
        if self.is_outdated:
            return None
        index = bisect_right(self._starts, time) - 1
        if index < 0:
            return None
        rate = self.rates[index]
        return rate if time < rate.end else None

    def next_change(self, time: datetime) -> datetime | None:
        """When another rate begins to be in force, or none; None: as far as the list goes, never again."""
        rate = self.at(time)
        if rate is not None:
            return rate.end
        return next((each.start for each in self.rates if each.start > time), None)


def price_at(rates: Rates | None, time: datetime) -> float | None:
    """The price in force at ``time``; None without a list, in a gap, or when it is outdated [TAR-1, TAR-8]."""
    rate = None if rates is None else rates.at(time)
    return None if rate is None else rate.price


def co2_at(rates: Rates | None, time: datetime) -> float | None:
    """Emissions [g/kWh] at ``time``, if the list is one of emissions and not of prices [TAR-9]."""
    if rates is None or rates.unit != CO2_UNIT:
        return None
    return price_at(rates, time)


def effective_price(
    grid: float | None, feed_in: float | None, green_share: float, *, has_feed_in: bool = False
) -> float | None:
    """What a kWh costs of which ``green_share`` is own energy that could have been sold; None without a grid price [TAR-9].

    ``has_feed_in``: there is a list of feed-in prices, so none at present is an unknown one; else own energy costs nothing.
    """
    if grid is None or (has_feed_in and feed_in is None and green_share > 0):
        return None
    return grid * (1 - green_share) + (feed_in or 0.0) * green_share


def effective_co2(co2_g_per_kwh: float | None, green_share: float) -> float | None:
    """Emissions [g/kWh] of energy of which ``green_share`` is own and counts as free of them [TAR-9]."""
    return None if co2_g_per_kwh is None else co2_g_per_kwh * (1 - green_share)


def _is_plain(rate: Rate) -> bool:
    """Whether ``rate`` is as it nearly always is; False: that is still to be seen."""
    return (
        type(rate) is Rate
        and type(rate.start) is type(rate.end) is datetime
        and rate.start.tzinfo is rate.end.tzinfo is UTC
        and EARLIEST <= rate.start < LATEST
        and EARLIEST <= rate.end < LATEST
        and type(rate.price) is float
        and -PRICE_MAX <= rate.price <= PRICE_MAX
    )


def _in_utc(rate: Rate) -> Rate:
    # Differences of two local times with the same zone ignore a change of the clocks in between; UTC has none.
    if rate.start.tzinfo is UTC and rate.end.tzinfo is UTC:
        return rate
    return Rate(rate.start.astimezone(UTC), rate.end.astimezone(UTC), rate.price)


def _disjoint(ordered: list[Rate]) -> list[Rate]:
    edges = sorted({rate.start for rate in ordered} | {rate.end for rate in ordered})
    pieces: list[Rate] = []
    for start, end in itertools.pairwise(edges):
        holding = next((rate for rate in reversed(ordered) if rate.start <= start < rate.end), None)
        if holding is None:
            continue
        if pieces and pieces[-1].end == start and start != holding.start and pieces[-1].price == holding.price:
            start = pieces.pop().start
        pieces.append(Rate(start, end, holding.price))
    return pieces


_RATE = instance(Rate)
_TABLE: Table = {
    Rate: {"start": TIME, "end": TIME, "price": quantity(PRICE_MAX)},
    Rates: {"rates": instance(tuple, "a tuple, each a Rate"), "unit": TEXT, "is_outdated": TRUTH},
}
