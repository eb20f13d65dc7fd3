"""Dull twins of clever functions: slow, obvious, and written without looking at what they check."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import combinations

from evcclib.tariff import Rate


def cheapest_choice(
    rates: Sequence[Rate], required: timedelta, target: datetime, now: datetime, unit: timedelta
) -> tuple[int, float]:
    """How many ``unit``-long pieces without a price the best choice between ``now`` and ``target`` needs, and what its priced
    ones cost (price times hours): tries all choices of as many pieces as ``required`` takes, or all there are."""
    pieces = [now + number * unit for number in range(int((target - now) / unit))]
    prices = [next((rate.price for rate in rates if rate.start <= piece < rate.end), None) for piece in pieces]
    count = min(int(required / unit), len(prices))
    hours = unit / timedelta(hours=1)
    return min(
        (choice.count(None), hours * sum(price for price in choice if price is not None))
        for choice in combinations(prices, count)
    )


def home_power_w(*, grid_w: float, pv_w: float, battery_w: float, charge_w: float) -> float:
    """What the house itself draws: everything that comes in and does not go into a car."""
    return grid_w + pv_w + battery_w - charge_w


def green_energy_by_cups(*, pv_w: float, battery_w: float, home_w: float, charge_w: float) -> tuple[float, float]:
    """Green power that house and cars get when it is poured into house, battery and cars in this order."""
    left = max(0.0, pv_w) + max(0.0, battery_w)
    got = []
    for cup in (home_w, max(0.0, -battery_w), charge_w):
        poured = min(left, cup)
        got.append(poured)
        left -= poured
    return got[0], got[2]


def wall_price(local: datetime, base: float, zones: Sequence[tuple[float, Sequence[int], int, int]]) -> float:
    """What a zone table says at a wall time: the narrowest start wins, as written on the owner's contract."""
    minute = local.hour * 60 + local.minute
    price = base
    for zone_price, weekdays, start, end in sorted(zones, key=lambda zone: (zone[2], -zone[3])):
        if local.weekday() in weekdays and start <= minute < end:
            price = zone_price
    return price
