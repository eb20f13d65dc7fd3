"""Seeded charging problems of each kind, and homes: two days of quarter hours, prices as on a day-ahead market in spring."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from evcclib.planning.goals import Goal
from evcclib.planning.joint.home import Car, Circuit, Home, HomeBattery, HomeSlot
from evcclib.planning.problem import Problem, Slot, Sun

SLOTS = 192
QUARTER = timedelta(minutes=15)
EVENING = datetime(2026, 3, 2, 18, tzinfo=UTC)
FEED_IN = 0.08
KINDS = ("price only", "partial slot", "cap", "sun", "start cost", "sun and start cost", "one block")
RANGES_W = (
    ((1380.0, 11040.0),),
    ((4140.0, 11040.0),),
    ((1380.0, 7360.0),),
    ((1380.0, 3680.0), (4140.0, 11040.0)),
    ((4140.0, 22080.0),),
)
CAPS_W = (math.inf, 9000.0, 6000.0, 3000.0, 1000.0)


def instance(kind: str, seed: int) -> Problem:
    """One problem for one car."""
    rng = random.Random(f"{kind} {seed}")
    prices, sun_w = _prices(rng), _sun_w(rng)
    has_sun = "sun" in kind
    slots = tuple(
        Slot(
            EVENING + number * QUARTER,
            EVENING + (number + 1) * QUARTER,
            prices[number],
            FEED_IN if has_sun else 0.0,
            (Sun(sun_w[number]),) if has_sun and sun_w[number] > 0 else (),
            rng.choice(CAPS_W) if kind == "cap" else math.inf,
        )
        for number in range(SLOTS)
    )
    ranges_w = rng.choice(RANGES_W)
    slot_kwh = max(high for _low, high in ranges_w) / 4000
    need_kwh = rng.uniform(3, 45)
    return Problem(
        slots=slots,
        need_kwh=round(need_kwh / slot_kwh) * slot_kwh if kind == "price only" else need_kwh,
        ranges_w=ranges_w,
        start_cost=rng.choice((0.01, 0.03, 0.05, 0.1)) if "start cost" in kind or kind == "one block" else 0.0,
        is_one_block=kind == "one block",
    )


def home(seed: int) -> Home:
    """Three cars on a tree of circuits, a battery and a roof."""
    rng = random.Random(f"home {seed}")
    prices, sun_w = _prices(rng), _sun_w(rng, left_over_w=0.0)
    slots = tuple(
        HomeSlot(
            EVENING + number * QUARTER,
            EVENING + (number + 1) * QUARTER,
            prices[number],
            FEED_IN,
            sun_w[number],
            round(300 + 600 * rng.random() + (800 if 17 < _hour(number) < 21 else 0)),
            buy_max_w=17250,
            sell_max_w=10000,
        )
        for number in range(SLOTS)
    )
    battery = HomeBattery(
        capacity_kwh=10,
        level_kwh=rng.uniform(1, 8),
        charge_max_w=5000,
        discharge_max_w=5000,
        wear_per_kwh=0.02,
        level_value=0.8 * sum(prices) / len(prices),
    )
    cars = (
        _car(rng.uniform(10, 40), rng.randint(48, 60), (4140, 11040), circuit=1),
        _car(rng.uniform(10, 30), rng.randint(130, SLOTS), (1380, 11040), circuit=1, arrives=rng.randint(0, 80)),
        _car(rng.uniform(5, 20), rng.randint(50, SLOTS), (1380, 7360), circuit=2),
    )
    circuits = (Circuit(17000), Circuit(14000, parent=0), Circuit(11000, parent=0))
    return Home(slots=slots, cars=cars, battery=battery, circuits=circuits)


def _car(need_kwh: float, leaves: int, range_w: tuple[float, float], *, circuit: int, arrives: int = 0) -> Car:
    return Car(
        goals=(Goal(EVENING + leaves * QUARTER, need_kwh),),
        ranges_w=(range_w,),
        start_cost=0.03,
        arrives=EVENING + arrives * QUARTER,
        circuit=circuit,
    )


def _hour(number: int) -> float:
    return (18 + number / 4) % 24


def _prices(rng: random.Random) -> Sequence[float]:
    """Two peaks a day, a valley of the sun that may go below zero, some quarters alike; one in ten is flat but for the valley."""
    base, shift, is_flat = rng.uniform(0.12, 0.3), rng.uniform(0, 6), rng.random() < 0.1
    prices: list[float] = []
    for number in range(SLOTS):
        hour = _hour(number)
        if number % 4 == 0 or rng.random() < 0.5:
            swing = 0.0 if is_flat else 0.06 * math.sin((hour - shift) / 6 * math.pi) + rng.gauss(0, 0.02)
            price = round(base + swing - 0.1 * math.exp(-(((hour - 13) / 2.5) ** 2)), 4)
        prices.append(price)
    return prices


def _sun_w(rng: random.Random, *, left_over_w: float = 400.0) -> Sequence[float]:
    """A roof under passing clouds, less what a house takes."""
    peak_w, cloud = rng.uniform(1500, 9000), 1.0
    powers_w: list[float] = []
    for number in range(SLOTS):
        cloud = min(1.0, max(0.1, cloud + rng.gauss(0, 0.15)))
        clear_w = peak_w * math.exp(-(((_hour(number) - 12.5) / 3) ** 2)) if 6 < _hour(number) < 19 else 0.0
        powers_w.append(float(max(0, round(clear_w * cloud - left_over_w))))
    return powers_w
