"""Slots for a plan, of price lists and forecasts that each have slots of their own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

from evcclib.planning.problem import Slot, Sun
from evcclib.tariff import Rates, price_at


class Charges(NamedTuple):
    """What comes on top of a price: (price + ``per_kwh``) x (1 + ``tax_share``)."""

    per_kwh: float = 0.0
    tax_share: float = 0.0

    def on(self, price: float) -> float:
        """What a kWh costs in the end."""
        return (price + self.per_kwh) * (1 + self.tax_share)


class SunForecast(NamedTuple):
    """What the house leaves over, and how likely: of quantiles one `Sun` each, with the share that it stands for."""

    start: datetime
    end: datetime
    suns: tuple[Sun, ...]


NO_CHARGES = Charges()


def slots_between(
    start: datetime,
    end: datetime,
    *,
    prices: Rates | None,
    charges: Charges = NO_CHARGES,
    feed_in: Rates | None = None,
    sun: Sequence[SunForecast] = (),
) -> tuple[Slot, ...]:
    """All time from ``start`` to ``end``, cut wherever anything changes; what has no price, for a hole or at the end, too.

    ``sun`` is in order and disjoint; where there is no forecast, none is counted on.
    """
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    edges = {start, end}
    for rates in (prices, feed_in):
        edges.update(edge for rate in (rates.rates if rates is not None else ()) for edge in (rate.start, rate.end))
    edges.update(edge for forecast in sun for edge in (forecast.start, forecast.end))
    ahead = iter(sun)
    forecast = next(ahead, None)
    slots: list[Slot] = []
    for begin, stop in pairwise(sorted(edge for edge in edges if start <= edge <= end)):
        while forecast is not None and forecast.end <= begin:
            forecast = next(ahead, None)
        price = price_at(prices, begin)
        slots.append(
            Slot(
                begin,
                stop,
                None if price is None else charges.on(price),
                price_at(feed_in, begin) or 0.0,
                forecast.suns if forecast is not None and forecast.start <= begin else (),
            )
        )
    return tuple(slots)
