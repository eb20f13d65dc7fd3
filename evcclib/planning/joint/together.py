"""A whole home without a solver: each car for itself, the battery, and again, until nothing gets cheaper.

Whoever plans sees what the others and the battery leave: their sun, and the limits minus their loads. Every car and the battery
are planned as well as can be (`one_car`, `battery_flow`), but nobody gives way to another: what is still missing to the optimum
only a bound from a solver can say. A car that comes too short is asked first the next time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from evcclib.planning.goals import plan_goals
from evcclib.planning.joint.battery_flow import Load, battery_flow
from evcclib.planning.joint.home import Car, Home, paid
from evcclib.planning.power_plan import EMPTY, PowerPlan
from evcclib.planning.problem import Problem, Slot, Sun
from evcclib.units import HOUR

ROUNDS = 5
"""So often everybody is asked again, at most."""
SAVED = 1e-6
"""Less is no reason to ask again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePlan:
    """A plan for each car, and what the battery takes from the house in each slot [W, mean]; negative: gives.

    ``cost`` is that of the whole home, house included, less what is left in its battery (`planning.joint.home`). No plan costs
    less than ``bound``, if somebody has found one.
    """

    cars: tuple[PowerPlan, ...]
    battery_w: tuple[float, ...]
    cost: float
    bound: float = -math.inf

    @property
    def is_met(self) -> bool:
        """Whether all goals are reached."""
        return all(car.is_met for car in self.cars)

    @property
    def short_kwh(self) -> float:
        """What is missing of all goals."""
        return sum(round(car.shortfall.short_kwh, 3) for car in self.cars if car.shortfall is not None)


def plan_home(home: Home, *, rounds: int = ROUNDS) -> HomePlan:
    """A good plan: the best of some that begin with a battery which does nothing, or with one that knows of no car; and with own
    sun as it is, or as if more was bought anyway wherever that is cheaper than selling: nobody would begin with that alone.
    """
    nobody = [EMPTY] * len(home.cars)
    begun: list[HomePlan] = []
    for each in dict.fromkeys((home, _buying(home))):
        for flow_w in dict.fromkeys(((0.0,) * len(home.slots), _battery_w(each, nobody))):
            plan = _begun(each, flow_w)
            begun.append(replace(plan, cost=home_cost(home, plan.cars, plan.battery_w)))
    return min((improved(home, plan, rounds=rounds - 1) for plan in dict.fromkeys(begun)), key=_rank)


def _buying(home: Home) -> Home:
    """Own sun is worth no more than what is bought: together all use so much that some is."""
    return replace(
        home,
        slots=tuple(
            slot._replace(feed_in=min(slot.feed_in, price))
            for slot, price in zip(home.slots, home.prices(), strict=True)
        ),
    )


def _begun(home: Home, flow_w: Sequence[float]) -> HomePlan:
    """Who has the least time is asked first; if somebody comes too short, he is, and all begin anew."""
    nobody = [EMPTY] * len(home.cars)
    order = sorted(range(len(home.cars)), key=lambda number: _latest_start(home, home.cars[number]))
    best = _asked(home, nobody, flow_w, order)
    for _car in home.cars:
        short = [number for number in order if not best.cars[number].is_met]
        if not short or short == order[: len(short)]:
            break
        order = [*short, *(number for number in order if number not in short)]
        best = min(best, _asked(home, nobody, flow_w, order), key=_rank)
    return best


def improved(home: Home, plan: HomePlan, *, rounds: int = ROUNDS) -> HomePlan:
    """Everybody is asked again, ``rounds`` times or until nobody knows better; of what costs the same the last answer counts."""
    for _round in range(rounds):
        found = _asked(home, plan.cars, plan.battery_w, range(len(home.cars)))
        if _rank(found) > (plan.short_kwh, plan.cost + SAVED):
            break
        is_settled = _rank(found) >= (plan.short_kwh, plan.cost - SAVED)
        plan = found
        if is_settled:
            break
    return plan


def _asked(home: Home, cars: Sequence[PowerPlan], flow_w: Sequence[float], order: Sequence[int]) -> HomePlan:
    """One after the other plans anew, then the battery."""
    plans = list(cars)
    for number in order:
        plans[number] = EMPTY
        plans[number] = _car_plan(home, home.cars[number], plans, flow_w)
    flow = _battery_w(home, plans)
    return HomePlan(cars=tuple(plans), battery_w=flow, cost=home_cost(home, plans, flow))


def _rank(plan: HomePlan) -> tuple[float, float]:
    return plan.short_kwh, plan.cost


def _latest_start(home: Home, car: Car) -> float:
    """When a car must begin, if it has all power [s from the first slot]."""
    most_w = max(high for _low, high in car.ranges_w)
    return min(
        ((goal.time - home.slots[0].start).total_seconds() - goal.need_kwh * 3.6e6 / most_w for goal in car.goals),
        default=math.inf,
    )


def home_cost(home: Home, plans: Sequence[PowerPlan], battery_w: Sequence[float]) -> float:
    """What a home pays for plans and what its battery does."""
    starts = sum(
        car.start_cost * (plan.runs() - (car.is_charging and plan.start == home.slots[0].start))
        for car, plan in zip(home.cars, plans, strict=True)
    )
    battery = home.battery
    level = worn_kwh = total = 0.0
    cars_w = _sum_w(home, plans)
    for slot, price, car_w, flow_w in zip(home.slots, home.prices(), cars_w, battery_w, strict=True):
        hours = (slot.end - slot.start) / HOUR
        used_kwh = (slot.house_w + car_w + flow_w) * hours / 1000
        total += paid(slot, used_kwh, price)
        if battery is not None:
            level += flow_w * hours / 1000 * (battery.efficiency if flow_w > 0 else 1 / battery.efficiency)
            worn_kwh += max(0.0, -flow_w * hours / 1000)
    if battery is None:
        return total + starts
    return total + starts + worn_kwh * battery.wear_per_kwh - (battery.level_kwh + level) * battery.level_value


def _sum_w(home: Home, plans: Sequence[PowerPlan]) -> list[float]:
    """What all cars take in each slot [W, mean]."""
    total = [0.0] * len(home.slots)
    for plan in plans:
        for number, power_w in enumerate(means_w(home, plan)):
            total[number] += power_w
    return total


def means_w(home: Home, plan: PowerPlan) -> list[float]:
    """What a plan takes in each slot [W, mean]."""
    means = [0.0] * len(home.slots)
    number = 0
    for piece in plan.pieces:
        while home.slots[number].end <= piece.start:
            number += 1
        for slot in range(number, len(home.slots)):
            start, end, *_rest = home.slots[slot]
            if start >= piece.end:
                break
            means[slot] += piece.power_w * ((min(end, piece.end) - max(start, piece.start)) / (end - start))
    return means


def _car_plan(home: Home, car: Car, plans: Sequence[PowerPlan], flow_w: Sequence[float]) -> PowerPlan:
    """The cheapest for one car, with what the others leave."""
    if not car.goals:
        return EMPTY
    others_w = _sum_w(home, plans)
    free_w = [math.inf] * len(home.slots)
    for number in home.hangs_on(car):
        loads_w = _sum_w(
            home, [plan for each, plan in zip(home.cars, plans, strict=True) if number in home.hangs_on(each)]
        )
        cap_w = home.circuits[number].cap_w
        free_w = [min(free, max(0.0, cap_w - load)) for free, load in zip(free_w, loads_w, strict=True)]
    end = max(goal.time for goal in car.goals)
    slots: list[Slot] = []
    for number, (slot, price) in enumerate(zip(home.slots, home.prices(), strict=True)):
        if slot.end > end or (car.arrives is not None and slot.start < car.arrives):
            continue
        used_w = slot.house_w + others_w[number] + flow_w[number]
        left_w = slot.sun_w - used_w
        suns = slot.suns or (Sun(slot.sun_w),)
        is_sunny = price >= 0 and any(each.power_w > used_w for each in suns)
        sun = tuple(Sun(max(0.0, power_w - used_w), share) for power_w, share in suns) if is_sunny else ()
        cap_w = min(free_w[number], max(0.0, slot.buy_max_w + left_w))
        slots.append(Slot(slot.start, slot.end, price, max(0.0, slot.feed_in), sun, cap_w, sell_max_w=slot.sell_max_w))
    is_charging = car.is_charging and bool(slots) and slots[0].start == home.slots[0].start
    problem = Problem(
        slots=tuple(slots), need_kwh=0.0, ranges_w=car.ranges_w, start_cost=car.start_cost, is_charging=is_charging
    )
    return plan_goals(problem, car.goals, strategy=car.strategy, has_begun=car.has_begun, curve=car.curve)


def _battery_w(home: Home, plans: Sequence[PowerPlan]) -> tuple[float, ...]:
    """The cheapest for the battery, with what all cars take."""
    if home.battery is None:
        return (0.0,) * len(home.slots)
    loads = [
        Load(slot, price, slot.house_w + car_w)
        for slot, price, car_w in zip(home.slots, home.prices(), _sum_w(home, plans), strict=True)
    ]
    flow = battery_flow(home.battery, loads)
    return tuple(kwh * 1000 / ((slot.end - slot.start) / HOUR) for kwh, slot in zip(flow, home.slots, strict=True))
