"""The cheapest way to run a battery beside loads that are known, exact where what each slot costs is convex.

The value of a level, V, is convex and piecewise linear: a list of slopes with their lengths. A slot before,

    V'(x) = least over u of cost(u) + V(x + u),   u: what goes into the battery [kWh], within its power and its levels

is found by merging the slopes of both. Where buying is cheaper than selling, cost(u) is concave at one point: its convex hull
stands in for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from evcclib.planning.joint.home import HomeBattery, HomeSlot, paid
from evcclib.units import HOUR

Slopes = list[tuple[float, float]]
"""Slope and length, rising, from the least argument on."""


class Load(NamedTuple):
    """What house and cars take in a slot [W, mean], and its price."""

    slot: HomeSlot
    price: float
    used_w: float


def battery_flow(battery: HomeBattery, loads: Sequence[Load]) -> tuple[float, ...]:
    """What the battery takes from the house in each slot [kWh, measured in the house]; negative: gives."""
    values: list[Slopes] = [[(-battery.level_value, battery.capacity_kwh)]]
    moves = [_moves(battery, load) for load in loads]
    for least, slopes in reversed(moves):
        values.append(_before(values[-1], least, slopes, battery.capacity_kwh))
    level = battery.level_kwh
    flows: list[float] = []
    for (least, slopes), value in zip(moves, reversed(values[:-1]), strict=True):
        stored = _best(value, least, slopes, level, battery.capacity_kwh)
        level += stored
        flows.append(stored / battery.efficiency if stored > 0 else stored * battery.efficiency)
    return tuple(flows)


def _moves(battery: HomeBattery, load: Load) -> tuple[float, Slopes]:
    """The least that may be stored in a slot, and what more costs."""
    slot = load.slot
    hours = (slot.end - slot.start) / HOUR
    used, sun, buy_max, sell_max = (
        power_w * hours / 1000 for power_w in (load.used_w, max(0.0, slot.sun_w), slot.buy_max_w, slot.sell_max_w)
    )
    give = battery.discharge_max_w / 1000 * hours
    take = min(battery.charge_max_w / 1000 * hours, max(0.0, sun + buy_max - used))
    suns = [each.power_w * hours / 1000 for each in slot.suns] or [sun]
    kinks = [each - limit - used for each in suns for limit in (0.0, sell_max)]
    if load.price < 0:  # all is bought, and own sun used beyond it alone
        kinks.append(buy_max - used)
    edges = sorted({-give, 0.0, take, *(kink for kink in kinks if -give < kink < take)})
    efficiency, wear = battery.efficiency, battery.wear_per_kwh
    points = [
        (
            edge * efficiency if edge > 0 else edge / efficiency,
            paid(slot, used + edge, load.price) + max(0.0, -edge) * wear,
        )
        for edge in edges
    ]
    hull: list[tuple[float, float]] = []
    for point in points:
        while len(hull) > 1 and _slope(hull[-2], hull[-1]) >= _slope(hull[-1], point):
            hull.pop()
        hull.append(point)
    return hull[0][0], [(_slope(low, high), high[0] - low[0]) for low, high in pairwise(hull)]


def _slope(low: tuple[float, float], high: tuple[float, float]) -> float:
    return (high[1] - low[1]) / (high[0] - low[0])


def _before(value: Slopes, least: float, slopes: Slopes, capacity: float) -> Slopes:
    """V a slot earlier, on the levels that there are."""
    merged = sorted([*value, *((-slope, length) for slope, length in slopes)])
    skipped = least + sum(length for _slope, length in slopes)  # so far left of an empty battery the merged list begins
    kept: Slopes = []
    room = capacity
    for slope, length in merged:
        if skipped >= length:
            skipped -= length
            continue
        if skipped > 0:
            length, skipped = length - skipped, 0.0
        kept.append((slope, min(length, room)))
        room -= length
        if room <= 0:
            break
    return kept


def _best(value: Slopes, least: float, slopes: Slopes, level: float, capacity: float) -> float:
    """What to store: more, as long as it costs less than it is worth later."""
    stored = max(least, -level)
    skipped = stored - least
    rest = iter(value)
    passed, (worth, edge) = level + stored, (0.0, 0.0)
    edge = 0.0
    for slope, length in slopes:
        if skipped >= length:
            skipped -= length
            continue
        length, skipped = length - skipped, 0.0
        while length > 1e-12:
            while edge <= passed + 1e-12:
                following = next(rest, None)
                if following is None:
                    return stored
                worth, edge = following[0], edge + following[1]
            if slope + worth >= 0:
                return stored
            step = min(length, edge - passed)
            stored, passed, length = stored + step, passed + step, length - step
    return min(stored, capacity - level)
