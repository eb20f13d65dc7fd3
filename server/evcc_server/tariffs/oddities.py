"""What is odd about a list, in words for its owner: holes, two values for one time, a unit that cannot be right. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo

from evcclib.tariff import Rate

PRICE_PLAUSIBLE = 5.0
"""Of a kWh, in a currency in which no auction sells one for more."""
CURRENCIES = ("EUR", "USD", "GBP", "CHF")


def oddities(rates: Sequence[Rate], unit: str, zone: tzinfo) -> Iterator[str]:
    """One line for each kind of them, with the first case and how many there are."""
    ordered = sorted(rates, key=lambda rate: rate.start)
    gaps: list[tuple[datetime, datetime]] = []
    overlaps: list[tuple[datetime, datetime]] = []
    reached: Rate | None = None
    for rate in ordered:
        if reached is not None and rate.start > reached.end:
            gaps.append((reached.end, rate.start))
        if reached is not None and rate.start < reached.end:
            overlaps.append((rate.start, min(rate.end, reached.end)))
        reached = rate if reached is None or rate.end > reached.end else reached
    if gaps:
        yield f"no value from {_span(*gaps[0], zone)}{_more(gaps)}"
    if overlaps:
        yield f"two values from {_span(*overlaps[0], zone)}{_more(overlaps)}; the one that begins later counts"
    highest = max((abs(rate.price) for rate in ordered), default=0.0)
    if unit in CURRENCIES and highest > PRICE_PLAUSIBLE:
        yield f"a price of {highest:g} {unit}/kWh: is it in another unit?"


def _span(start: datetime, end: datetime, zone: tzinfo) -> str:
    return f"{start.astimezone(zone):%Y-%m-%d %H:%M} to {end.astimezone(zone):%Y-%m-%d %H:%M}"


def _more(found: Sequence[object]) -> str:
    return f", and {len(found) - 1} more" if len(found) > 1 else ""
