"""The clairvoyant optimum of one car's stay: least day cost, most sun without a purchase, least purchase for an energy.

What goes into the car is kept within its room by a price on energy (a Lagrange multiplier): each price gives a value that no walk
can be better than, and a walk that may keep the room. The best price is found by cutting planes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import numpy as np

from evcc_sim.bound.cost import DayCost, Weights
from evcc_sim.bound.stay import Stay
from evcc_sim.bound.walk import FREE, Budget, Walk, Walks

ROUNDS_MAX = 24
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Optimum:
    """``least``: no walk and no run has less. ``walk`` is the best one seen and costs ``reached``, for a car that does not taper;
    where that equals ``least`` it is the optimum itself."""

    least: float
    reached: float = inf
    walk: DayCost | None = None


def least_cost(stay: Stay, weights: Weights | None = None, budget: Budget = FREE) -> Optimum:
    """The least day cost [EUR]."""
    weights = weights or Weights()
    walks = Walks(stay, budget)
    most_price = weights.bought_per_kwh + weights.not_taken_per_kwh + TOLERANCE  # nothing is worth that
    prices = -most_price, most_price
    least, seen = _best_price(
        lambda price: walks.best(weights, price), (0.0, min(stay.room_kwh, stay.taper_kwh)), prices
    )
    nearly_full_kwh = stay.nearly_full_kwh
    if nearly_full_kwh <= walks.most_kwh:
        last_kwh = stay.room_kwh - nearly_full_kwh
        full_at = weights.not_taken_per_kwh * np.maximum(0.0, walks.usable_from_kwh - last_kwh)
        filled, _seen = _best_price(
            lambda price: walks.best(weights, price, full_at=full_at), (nearly_full_kwh, stay.taper_kwh), prices
        )
        least = min(least, filled)
    # what the car has no room for is not usable, but has been counted step by step
    least -= weights.not_taken_per_kwh * (stay.kwh(stay.usable_w) - stay.usable_kwh)
    walk = min((walk.cost for walk in seen), key=lambda cost: cost.eur(weights))
    return Optimum(max(0.0, least), walk.eur(weights), walk)


def most_sun(stay: Stay, budget: Budget = FREE) -> float:
    """The most of the usable sun that goes into the car while no step buys anything [kWh]. A run that buys may come to more."""
    usable = Weights(bought_per_kwh=inf, not_taken_per_kwh=1.0, switching=0.0, phase_change=0.0)
    walk = Walks(stay, budget).best(usable)
    assert walk is not None, "to stay away is always possible"
    last_kwh = 0.0 if stay.nearly_full_kwh == inf else stay.room_kwh - stay.nearly_full_kwh
    return min(stay.kwh(stay.usable_w) - walk.value + last_kwh, stay.usable_kwh)


def least_purchase(stay: Stay, energy_kwh: float, budget: Budget = FREE) -> Optimum:
    """The least that has to be bought for so much energy [kWh]; infinite where so much cannot go into the car."""
    purchase = Weights(bought_per_kwh=1.0, not_taken_per_kwh=0.0, switching=0.0, phase_change=0.0)
    walks = Walks(stay, budget)
    wanted_kwh = min(energy_kwh, stay.nearly_full_kwh)
    least, seen = _best_price(lambda price: walks.best(purchase, price), (wanted_kwh, inf), (-1.0 - TOLERANCE, 0.0))
    enough = [walk.cost for walk in seen if walk.energy_kwh >= wanted_kwh - TOLERANCE]
    if not enough:
        return Optimum(inf)
    walk = min(enough, key=lambda cost: cost.bought_kwh)
    return Optimum(max(0.0, least), walk.bought_kwh, walk)


def _best_price(
    priced: Callable[[float], Walk | None], within_kwh: tuple[float, float], prices: tuple[float, float]
) -> tuple[float, list[Walk]]:
    """The most that can be said of the least value of walks with an energy in these bounds, and the walks seen on the way.

    Value minus price x bound is concave in the price, and each walk a line above it.
    """
    free = priced(0.0)
    if free is None:
        return inf, []
    if within_kwh[0] - TOLERANCE <= free.energy_kwh <= within_kwh[1] + TOLERANCE:
        return free.value, [free]
    is_too_much = free.energy_kwh > within_kwh[1]
    goal_kwh, other_price = (within_kwh[1], prices[1]) if is_too_much else (within_kwh[0], prices[0])
    other = priced(other_price)
    assert other is not None, "what is possible does not depend on prices"
    seen = [free, other]
    many, few = (free, other) if is_too_much else (other, free)
    least = max(free.value, other.value - other_price * goal_kwh)
    for _round in range(ROUNDS_MAX):
        apart_kwh = many.energy_kwh - few.energy_kwh
        if not few.energy_kwh <= goal_kwh <= many.energy_kwh or apart_kwh <= TOLERANCE:
            break
        price = (few.unpriced - many.unpriced) / apart_kwh
        height = many.unpriced + price * (many.energy_kwh - goal_kwh)
        found = priced(price)
        assert found is not None
        seen.append(found)
        value = found.value - price * goal_kwh
        least = max(least, value)
        if height - value <= TOLERANCE:
            break
        many, few = (found, few) if found.energy_kwh >= goal_kwh else (many, found)
    return least, seen
