"""What the planners pay in generated worlds, beside each other and beside perfect foresight (`evcc_sim.bound`).

For each world and planner: the mean of what the car's days cost more than the clairvoyant's [EUR], starts of charging in a run,
and in how many runs a goal that could be met was missed, or anything else that is promised was broken. ``SEEDS`` in the
environment is the number of seeds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import time
from statistics import fmean

from evcc_sim.bound.regret import regret
from evcc_sim.plants.prices import PriceSpec, TariffSpec
from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds.scenario import ActionSpec, Scenario
from evcc_sim.worlds.variants import resolve
from evcclib.model import Planner

SEEDS = int(os.environ.get("SEEDS", "5"))
ZONES = ((time(0), 0.24), (time(6), 0.34), (time(11), 0.18), (time(15), 0.34))
WORLDS = {
    "night plan": "@night_plan",
    "negative hours": "@night_plan:cheap=-0.05,noise=0.3,slot_minutes=15",
    "sunny tomorrow": "@sunny_tomorrow:mode=pv",
    "bad car": "@bad_car:api=good,soc_min_pct=0",
}


def run() -> Mapping[str, float]:
    """For each world and planner: regret [EUR], starts, runs with a missed goal, runs with anything else broken."""
    found: dict[str, float] = {}
    for name, world in WORLDS.items():
        for planner in Planner:
            regrets, starts, missed, broken = [], [], 0, 0
            for seed in range(1, SEEDS + 1):
                result = simulate(_planned(resolve(world, seed=seed), planner), seed)
                violated = {each.invariant for each in result.violations}
                missed += "feasible_plans_are_met" in violated
                broken += bool(violated - {"feasible_plans_are_met"})
                starts.append(result.summary.starts)
                more_eur = regret(result.trace).regret_eur
                if more_eur is not None:
                    regrets.append(more_eur)
            found |= {
                f"{name}, {planner}: regret EUR": fmean(regrets) if regrets else float("nan"),
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
