"""Two years of nights: plans end by the clock on the wall, and those of two looks agree unless one is cheaper."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from evcclib.planning import planner
from evcclib.planning.keeping import plan_with
from evcclib.planning.one_car import cheapest_plan
from evcclib.planning.power_plan import EMPTY, PowerPlan
from evcclib.planning.problem import Problem
from evcclib.planning.repeating import RepeatingPlan, next_departure
from evcclib.planning.slots import slots_between
from evcclib.tariff import Rate, Rates

ZONES = ("Europe/Berlin", "America/St_Johns", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu")
QUARTER = timedelta(minutes=15)
SEVEN = RepeatingPlan(weekdays=frozenset(range(7)), time=time(7), soc_pct=80)
POWER_W = 11040.0


def nights(zone: ZoneInfo) -> Iterator[tuple[datetime, datetime, Rates]]:
    """From six in the evening to seven in the morning, in quarter hours: each seventh, and those that change the clocks."""
    for number in range(730):
        day = date(2026, 1, 1) + number * timedelta(days=1)
        evening = datetime.combine(day, time(18), zone)
        departure = next_departure([SEVEN], evening.astimezone(UTC), zone)
        assert departure is not None
        is_long = departure.time - evening.astimezone(UTC) != timedelta(hours=13)
        if number % 7 and not is_long:
            continue
        rng, start = random.Random(number), evening.astimezone(UTC)
        count = (departure.time - start) // QUARTER + 4
        prices = [rng.choice((-0.02, 0.0, 0.18, 0.20, 0.31)) for _ in range(count)]
        rates = (Rate(start + i * QUARTER, start + (i + 1) * QUARTER, price) for i, price in enumerate(prices))
        yield start, departure.time, Rates.of(rates)


@pytest.mark.parametrize("zone", ZONES)
def test_two_years_of_nights_end_by_the_wall_clock_and_two_looks_agree(zone: str) -> None:
    there, lengths = ZoneInfo(zone), set()
    for start, target, rates in nights(there):
        assert target.astimezone(there).time() == time(7)
        lengths.add(target - start)
        rng = random.Random(start.timestamp())
        need_kwh = rng.uniform(5.0, 60.0)
        first = cheapest_plan(_problem(start, target, rates, need_kwh))
        later = start + rng.random() * (target - start)
        left = _rest(first, later)
        left_kwh = math.fsum(power_w * hours / 1000.0 for _start, _end, power_w, hours in left)
        second = plan_with(_problem(later, target, rates, left_kwh), first, worth=0.01)
        assert first.is_met and second.is_met and (not second.pieces or second.pieces[-1].end <= target)
        assert [(a, b) for a, b, _w, _h in left] == [
            (pytest.approx(a, abs=1), pytest.approx(b, abs=1)) for a, b, _w, _h in _rest(second, later)
        ]
        assert plan_with(_problem(later, target, rates, 0.0), first, worth=0.01) == EMPTY
    assert len(lengths) == (1 if zone == "Asia/Kathmandu" else 3)


@pytest.mark.rule("PLAN-5", "PLAN-9")
@pytest.mark.parametrize("zone", ZONES)
def test_the_cheapest_slots_of_two_looks_cost_the_same(zone: str) -> None:
    for start, target, rates in nights(ZoneInfo(zone)):
        rng = random.Random(start.timestamp())
        required = timedelta(minutes=rng.randrange(1, 600))
        first = planner.plan(rates, required, target, start)
        later = start + rng.random() * (target - start)
        rest = tuple(Rate(max(slot.start, later), slot.end, slot.price) for slot in first.slots if slot.end > later)
        second = planner.plan(rates, planner.Plan(rest).duration(), target, later)
        assert first.duration() == required
        assert second.duration() == planner.Plan(rest).duration()
        assert _cost(second.slots) == pytest.approx(_cost(rest))


def _problem(start: datetime, target: datetime, rates: Rates, need_kwh: float) -> Problem:
    slots = slots_between(start, target, prices=rates, feed_in=None, sun=())
    return Problem(slots=slots, need_kwh=need_kwh, ranges_w=((1380.0, POWER_W),))


def _rest(plan: PowerPlan, later: datetime) -> list[tuple[float, float, float, float]]:
    """What is left of a plan, pieces that touch as one: start, end [s], power, hours."""
    rest: list[tuple[float, float, float, float]] = []
    for piece in plan.pieces:
        begin, end = max(piece.start, later).timestamp(), piece.end.timestamp()
        if end <= begin:
            continue
        if rest and rest[-1][1] == begin and rest[-1][2] == piece.power_w:
            begin = rest.pop()[0]
        rest.append((begin, end, piece.power_w, (end - begin) / 3600.0))
    return rest


def _cost(slots: tuple[Rate, ...]) -> float:
    return math.fsum(slot.price * ((slot.end - slot.start) / timedelta(hours=1)) for slot in slots)
