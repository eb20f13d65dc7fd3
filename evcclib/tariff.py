"""Rates: prices, or emissions, over time [TAR-1]."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

CO2_UNIT = "gCO2eq"


@dataclass(frozen=True, slots=True)
class Rate:
    """``price`` [unit/kWh] from ``start`` (inclusive) to ``end`` (exclusive), both timezone-aware."""

    start: datetime
    end: datetime
    price: float


@dataclass(frozen=True, slots=True)
class Rates:
    """A price list, sorted by start on construction [DEF-15]; ``unit`` is a currency code or ``gCO2eq``.

    ``is_outdated`` says that the provider has not answered for more than two hours [TAR-8]; such a list gives no
    current price and no plan prices.
    """

    rates: tuple[Rate, ...]
    unit: str = "EUR"
    is_outdated: bool = False
    _starts: tuple[datetime, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.rates, key=lambda rate: rate.start))
        object.__setattr__(self, "rates", ordered)
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
