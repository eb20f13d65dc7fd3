"""Dull twins of clever functions: slow, obvious, and written without looking at what they check."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import combinations

from evcclib.tariff import Rate


def cheapest_cost(
    rates: Sequence[Rate], required: timedelta, target: datetime, now: datetime, unit: timedelta
) -> float:
    """Cost (price times hours) of the best choice of ``unit``-long pieces between ``now`` and ``target``: tries them all."""
    pieces = [
        rate.price
        for rate in rates
        for piece in range(int((rate.end - rate.start) / unit))
        if now <= rate.start + piece * unit and rate.start + (piece + 1) * unit <= target
    ]
    count = min(int(required / unit), len(pieces))
    return min(sum(choice) for choice in combinations(pieces, count)) * (unit / timedelta(hours=1))


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
