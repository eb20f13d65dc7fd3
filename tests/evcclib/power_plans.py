"""Small problems for the planner, and what they cost by other means: an oracle that tries everything, and the bill of a plan."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import combinations_with_replacement

from hypothesis import strategies as st

from evcclib.planning.power_plan import Piece, PowerPlan
from evcclib.planning.problem import Problem, Slot, Sun

MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
LOW_W, HIGH_W = 2000, 6000
UNIT_KWH = 1.0
"""Every corner of the small problems, and their need, is a multiple of it."""


def at(hours: float) -> datetime:
    return MIDNIGHT + hours * HOUR


def hourly(*prices: float | None, **more: object) -> tuple[Slot, ...]:
    return tuple(Slot(at(hour), at(hour + 1), price, **more) for hour, price in enumerate(prices))  # type: ignore[arg-type]


def spans(plan: PowerPlan) -> list[tuple[float, float, float]]:
    """Pieces in hours and kilowatts."""
    return [
        ((piece.start - MIDNIGHT) / HOUR, (piece.end - MIDNIGHT) / HOUR, round(piece.power_w / 1000, 6))
        for piece in plan.pieces
    ]


def bill(problem: Problem, pieces: Iterable[Piece]) -> float:
    """What pieces cost, from the definition: money for each of them, and for each run."""
    total, end = 0.0, problem.slots[0].start if problem.is_charging else None
    for piece in pieces:
        if piece.start != end:
            total += problem.start_cost
        end = piece.end
        for slot in problem.slots:
            hours = (min(piece.end, slot.end) - max(piece.start, slot.start)) / HOUR
            if hours > 0:
                total += hours * hourly_cost(slot, piece.power_w)
    return total


def hourly_cost(slot: Slot, power_w: float) -> float:
    if slot.price is None:
        return 0.0
    suns = slot.sun or (Sun(0.0),)
    total = 0.0
    for sun in suns:
        sold_w = [min(max(0.0, sun.power_w - each_w), slot.sell_max_w) for each_w in (0.0, power_w)]
        total += sun.share * (slot.price * max(0.0, power_w - sun.power_w) + slot.feed_in * (sold_w[0] - sold_w[1]))
    return total / 1000


def powers(problem: Problem, slot: Slot) -> list[float]:
    """Corners of what it costs to charge."""
    ends = [(low, min(high, slot.cap_w)) for low, high in problem.ranges_w if low <= slot.cap_w]
    edges = [edge for sun in slot.sun for edge in (sun.power_w, sun.power_w - slot.sell_max_w)]
    suns = [edge for edge in edges for low, high in ends if low < edge < high]
    return sorted({*(power for end in ends for power in end), *suns})


def mixed(problem: Problem, slot: Slot, kwh: float, powers_w: list[float]) -> float:
    """The cheapest way to take ``kwh`` in a slot with two of the powers, one after the other."""
    hours = (slot.end - slot.start) / HOUR
    best = math.inf
    for low, high in combinations_with_replacement(powers_w, 2):
        low_kwh, high_kwh = low * hours / 1000, high * hours / 1000
        if low_kwh - 1e-9 <= kwh <= high_kwh + 1e-9:
            share = (kwh - low_kwh) / (high_kwh - low_kwh) if high > low else 0.0
            cost = (1 - share) * hourly_cost(slot, low) + share * hourly_cost(slot, high)
            best = min(best, cost * hours)
    return best


def least_cost(problem: Problem) -> float:
    """By trying all: state after each slot and units charged; infinite if nothing fits."""
    need = round(problem.need_kwh / UNIT_KWH)
    standing, charging, over = range(3)
    least: dict[tuple[int, int], float] = {(charging if problem.is_charging else standing, 0): 0.0}
    if problem.is_one_block:
        least[standing, 0] = 0.0
    for slot in problem.slots:
        reached: dict[tuple[int, int], float] = {}
        usable = powers(problem, slot)
        after = over if problem.is_one_block else standing
        for (state, units), cost in least.items():
            moves = [] if state == charging else [(state, 0, 0.0)]
            for taken in range(need - units + 1):
                part = mixed(problem, slot, taken * UNIT_KWH, [0.0, *usable])
                whole = mixed(problem, slot, taken * UNIT_KWH, usable)
                if state == charging:
                    moves += [(after, taken, part), (charging, taken, whole)]
                if state == standing or (state == charging and not problem.is_one_block):
                    moves.append((charging, taken, part + problem.start_cost))
            for following, taken, more in moves:
                if following == charging and not usable:
                    continue
                key = (following, units + taken)
                reached[key] = min(reached.get(key, math.inf), cost + more)
        least = reached
    return min((cost for (_state, units), cost in least.items() if units == need), default=math.inf)


PRICES = st.integers(-3, 12).map(lambda cents: cents / 100)


@st.composite
def slots(draw: st.DrawFn) -> Slot:
    sun = draw(st.one_of(st.just(()), st.sampled_from([1000, 3000, 4000, 7000]).map(lambda power: (Sun(power),))))
    cap_w = draw(st.sampled_from([math.inf, math.inf, 1000, 4000]))
    sell_max_w = draw(st.sampled_from([math.inf, math.inf, 0, 2000]))
    return Slot(at(0), at(1), draw(PRICES), draw(PRICES), sun, cap_w, sell_max_w=sell_max_w)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    drawn = draw(st.lists(slots(), min_size=1, max_size=6))
    placed = tuple(slot._replace(start=at(hour), end=at(hour + 1)) for hour, slot in enumerate(drawn))
    return Problem(
        slots=placed,
        need_kwh=draw(st.integers(1, 14)) * UNIT_KWH,
        ranges_w=draw(st.sampled_from([((LOW_W, HIGH_W),), ((HIGH_W, HIGH_W),), ((1000, 2000), (4000, 6000))])),
        start_cost=draw(st.sampled_from([0.0, 0.01, 0.05])),
        is_charging=draw(st.booleans()),
        is_one_block=draw(st.booleans()),
    )
