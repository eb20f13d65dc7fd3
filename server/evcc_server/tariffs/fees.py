"""What a kWh costs in the end: charges, by the clock if they differ, tax, or the owner's formula. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo

from evcc_server.config.model import Fees
from evcc_server.profiles.formula import compiled
from evcc_server.tariffs.price_list import PriceListError
from evcclib.fixed_tariff import fixed_tariff
from evcclib.tariff import Rate


def with_fees(rates: Iterable[Rate], fees: Fees, *, now: datetime, zone: tzinfo) -> tuple[Rate, ...]:
    """``rates`` with what the owner pays on top.

    With zones a rate is cut where the charges change, and what is not in the seven local days from today's midnight is left out.
    """
    if not fees.zones:
        return tuple(Rate(rate.start, rate.end, _total(rate.price, fees.charges, fees)) for rate in rates)
    zones = [(each.price, each.days, each.hours, each.months) for each in fees.zones]
    charges = fixed_tariff(fees.charges, zones).rates(now, zone).rates
    return tuple(piece for rate in rates for piece in _pieces(rate, charges, fees))


def _pieces(rate: Rate, charges: Iterable[Rate], fees: Fees) -> Iterator[Rate]:
    for charge in charges:
        start, end = max(rate.start, charge.start), min(rate.end, charge.end)
        if start < end:
            yield Rate(start, end, _total(rate.price, charge.price, fees))


def _total(price: float, charges: float, fees: Fees) -> float:
    if not fees.formula:
        return (price + charges) * (1 + fees.tax)
    total = compiled(fees.formula)({"price": price, "charges": charges, "tax": fees.tax}.get)
    if total is None:
        raise PriceListError(f"formula: {fees.formula} has no value for a price of {price:g}")
    return total
