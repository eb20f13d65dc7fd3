"""Small homes for the planner, and what one must hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import strategies as st

from evcclib.planning.goals import Goal
from evcclib.planning.joint.home import Car, Circuit, Home, HomeBattery, HomeSlot
from evcclib.planning.joint.together import HomePlan, home_cost, means_w
from evcclib.planning.power_plan import charged_kwh

MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
BATTERY = HomeBattery(
    capacity_kwh=5, level_kwh=2, charge_max_w=3000, discharge_max_w=3000, wear_per_kwh=0.01, level_value=0.1
)


def at(hours: float) -> datetime:
    return MIDNIGHT + hours * HOUR


def car(*goals: tuple[float, float], **more: object) -> Car:
    """Goals are hours and kilowatt-hours."""
    return Car(
        goals=tuple(Goal(at(hour), need) for hour, need in goals),
        **{"ranges_w": ((2000, 6000),), **more},  # type: ignore[arg-type]
    )


def home(prices: list[float | None], *cars: Car, **more: object) -> Home:
    return Home(
        slots=tuple(HomeSlot(at(hour), at(hour + 1), price, 0.05) for hour, price in enumerate(prices)),
        cars=cars,
        **more,  # type: ignore[arg-type]
    )


@st.composite
def slots(draw: st.DrawFn, hour: int, least_cents: int) -> HomeSlot:
    price, feed_in = draw(st.integers(least_cents, 40)) / 100, draw(st.integers(0, 8)) / 100
    sun_w, house_w = draw(st.sampled_from([0, 0, 3000, 8000])), draw(st.sampled_from([200, 1500]))
    return HomeSlot(at(hour), at(hour + 1), price, feed_in, sun_w, house_w, buy_max_w=11000, sell_max_w=7000)


@st.composite
def homes(draw: st.DrawFn, *, least_cents: int = -5, cars: int = 2, battery: bool = True) -> Home:
    hours = draw(st.integers(3, 8))
    return Home(
        slots=tuple(draw(slots(hour, least_cents)) for hour in range(hours)),
        cars=tuple(
            car(
                (draw(st.integers(1, hours)), draw(st.integers(1, 9))),
                (hours, draw(st.integers(1, 15))),
                start_cost=draw(st.sampled_from([0.0, 0.03])),
                circuit=draw(st.sampled_from([None, 0, 1])),
                is_charging=draw(st.booleans()),
            )
            for _number in range(draw(st.integers(0, cars)))
        ),
        battery=draw(st.sampled_from([None, BATTERY])) if battery else None,
        circuits=(Circuit(9000), Circuit(7000, 0)),
    )


def check(home: Home, plan: HomePlan) -> None:
    """Limits and levels hold, goals are reached or said to be missed, and the cost is what it comes to."""
    assert plan.cost == home_cost(home, plan.cars, plan.battery_w)
    means = [means_w(home, each) for each in plan.cars]
    for number, circuit in enumerate(home.circuits):
        below = [mean for each, mean in zip(home.cars, means, strict=True) if number in home.hangs_on(each)]
        assert all(sum(loads) <= circuit.cap_w + 0.1 for loads in zip(*below, strict=True))
    for each, planned in zip(home.cars, plan.cars, strict=True):
        most_w = max(high for _low, high in each.ranges_w)
        least_w = min(low for low, _high in each.ranges_w)
        assert all(least_w - 0.1 <= piece.power_w <= most_w + 0.1 for piece in planned.pieces)
        assert all(before.end <= after.start for before, after in pairwise(planned.pieces))
        if planned.is_met:
            assert all(charged_kwh(planned, goal.time) >= goal.need_kwh - 2e-3 for goal in each.goals)
    level = home.battery.level_kwh if home.battery is not None else 0.0
    for number, slot in enumerate(home.slots):
        hours = (slot.end - slot.start) / HOUR
        load_w = slot.house_w + sum(mean[number] for mean in means) + plan.battery_w[number]
        assert load_w - slot.sun_w <= max(slot.buy_max_w, slot.house_w - slot.sun_w) + 0.1
        if home.battery is None:
            assert plan.battery_w[number] == 0
            continue
        taken_kwh, efficiency = plan.battery_w[number] * hours / 1000, home.battery.efficiency
        level += taken_kwh * efficiency if taken_kwh > 0 else taken_kwh / efficiency
        assert -1e-4 <= level <= home.battery.capacity_kwh + 1e-4


def convex(home: Home) -> Home:
    """Slots in which buying is never cheaper than selling, so that every cost is convex."""
    return replace(
        home, slots=tuple(slot._replace(price=max(slot.price or 0.0, slot.feed_in, 0.0)) for slot in home.slots)
    )
