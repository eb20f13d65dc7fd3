"""What the planners pay in generated worlds, beside each other and beside perfect foresight.

The same car, in the same world, needs the same energy by the same time; what it has cost is what it has bought, at the prices of
then, and what its own sun would have fetched (what a home battery gives counts as sun). The clairvoyant is the exact plan for
that energy in slots of ten minutes, made of the sun that was really left over and of all prices, at no cost for a start: no
planner can pay less. ``SEEDS`` in the environment is the number of seeds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import time
from itertools import pairwise
from statistics import fmean

from evcc_sim.judge.trace import Instant, Trace
from evcc_sim.plants.prices import PriceSpec, Tariffs, TariffSpec
from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds.scenario import ActionSpec, Scenario
from evcc_sim.worlds.variants import resolve
from evcclib.model import Planner, TariffKind
from evcclib.planning.one_car import cheapest_plan
from evcclib.planning.problem import Problem, Slot, Sun

SEEDS = int(os.environ.get("SEEDS", "5"))
SLOT_S = 600.0
ZONES = ((time(0), 0.24), (time(6), 0.34), (time(11), 0.18), (time(15), 0.34))
WORLDS = {
    "night plan": "@night_plan",
    "negative hours": "@night_plan:cheap=-0.05,noise=0.3,slot_minutes=15",
    "sunny tomorrow": "@sunny_tomorrow:mode=pv",
    "bad car": "@bad_car:api=good,soc_min_pct=0",
}


@dataclass(frozen=True, slots=True)
class Paid:
    """What has been charged while the goal lay ahead [kWh], for how much, and for how much it could have been."""

    charged_kwh: float
    cost: float
    least: float


def run() -> Mapping[str, float]:
    """For each world and planner: cost and least cost [EUR/kWh], starts, runs that miss a goal, or break anything else."""
    found: dict[str, float] = {}
    for name, world in WORLDS.items():
        for planner in Planner:
            paid: list[Paid] = []
            starts, missed, broken = [], 0, 0
            for seed in range(1, SEEDS + 1):
                result = simulate(_planned(resolve(world, seed=seed), planner), seed)
                violated = {each.invariant for each in result.violations}
                missed += "feasible_plans_are_met" in violated
                broken += bool(violated - {"feasible_plans_are_met"})
                starts.append(result.summary.starts)
                paid.append(_paid(result.trace))
            charged_kwh = sum(each.charged_kwh for each in paid)
            found |= {
                f"{name}, {planner}: EUR/kWh": sum(each.cost for each in paid) / charged_kwh,
                f"{name}, {planner}: least EUR/kWh": sum(each.least for each in paid) / charged_kwh,
                f"{name}, {planner}: kWh": charged_kwh / SEEDS,
                f"{name}, {planner}: starts": fmean(starts),
                f"{name}, {planner}: missed": float(missed),
                f"{name}, {planner}: else broken": float(broken),
            }
    return found


def _planned(world: Scenario, planner: Planner) -> Scenario:
    """With that planner; a world that has no goal is given 80 % by eight in the evening, and prices that change."""
    planned = replace(world, site=replace(world.site, planner=planner))
    if any(action.setting == "target_time" for action in world.action):
        return planned
    goal = (
        ActionSpec(at=time(8, 2), loadpoint=0, setting="soc_target_pct", value=80),
        ActionSpec(at=time(8, 3), loadpoint=0, setting="target_time", value="20:00"),
    )
    (station,) = world.charger
    station = replace(station, loadpoint=replace(station.loadpoint, vehicle="blue"))
    tariff = TariffSpec(grid=PriceSpec(zones=ZONES), feed_in=PriceSpec(zones=((time(0), 0.08),)))
    return replace(planned, action=world.action + goal, charger=(station,), tariff=tariff)


def _paid(trace: Trace) -> Paid:
    """Of the first loadpoint, while its target lies ahead and its car is there."""
    there = [
        each
        for each in trace.instants
        if trace.in_force(each.second).loadpoints[0].target_time is not None and each.loadpoints[0].car
    ]
    tariffs = Tariffs(trace.scenario.tariff, trace.scenario.base, trace.seed)
    parts = [_part(tariffs, now, after) for now, after in pairwise(there)]
    charged_kwh = sum(part.car_w * part.hours / 1000 for part in parts)
    cost = sum((part.bought_w * part.price + part.own_w * part.feed_in) * part.hours / 1000 for part in parts)
    (station,), (car,) = trace.scenario.charger, trace.scenario.car
    watts_a = trace.scenario.site.voltage_v * min(car.phases, station.box.phases)
    most_w = watts_a * min(car.current_max_a, station.loadpoint.current_max_a, station.box.current_max_a)
    most_w = max([most_w, *(part.car_w for part in parts)])
    utc = trace.scenario.base.utc
    slots = tuple(
        Slot(
            start=utc(group[0].second),
            end=utc(group[-1].until),
            price=_mean(group, [part.price for part in group]),
            feed_in=_mean(group, [part.feed_in for part in group]),
            sun=(Sun(max(0.0, _mean(group, [part.surplus_w for part in group]))),),
        )
        for group in _slots(parts)
    )
    plan = cheapest_plan(Problem(slots=slots, need_kwh=charged_kwh, ranges_w=((0.0, most_w),)))
    return Paid(charged_kwh, cost, plan.bound)


@dataclass(frozen=True, slots=True)
class _Part:
    """What flowed between two instants, at which prices."""

    second: float
    until: float
    car_w: float
    surplus_w: float
    price: float
    feed_in: float

    @property
    def hours(self) -> float:
        return (self.until - self.second) / 3600

    @property
    def own_w(self) -> float:
        return min(self.car_w, max(0.0, self.surplus_w))

    @property
    def bought_w(self) -> float:
        return self.car_w - self.own_w


def _part(tariffs: Tariffs, now: Instant, after: Instant) -> _Part:
    w_per_kwh = 3.6e6 / (after.second - now.second)
    car_kwh = after.loadpoints[0].energy_kwh - now.loadpoints[0].energy_kwh
    sold_kwh = (after.grid_out_kwh - now.grid_out_kwh) - (after.grid_in_kwh - now.grid_in_kwh)
    feed_in = tariffs.price(TariffKind.FEED_IN, now.second) or 0.0
    surplus_w = (sold_kwh + car_kwh) * w_per_kwh
    return _Part(now.second, after.second, car_kwh * w_per_kwh, surplus_w, now.price, feed_in)


def _slots(parts: Sequence[_Part]) -> Iterator[list[_Part]]:
    """Parts that belong to one slot, and have one price."""
    group: list[_Part] = []
    for part in parts:
        if group and (part.second // SLOT_S != group[0].second // SLOT_S or part.price != group[0].price):
            yield group
            group = []
        group.append(part)
    if group:
        yield group


def _mean(group: Sequence[_Part], values: Sequence[float]) -> float:
    return sum(value * part.hours for value, part in zip(values, group, strict=True)) / sum(
        part.hours for part in group
    )
