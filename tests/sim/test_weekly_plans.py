"""Plans of vehicles in the world: every morning by the clock on the wall, also after the nights of 23 and of 25 hours."""

from __future__ import annotations

import tomllib
from datetime import time

import pytest

from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds.scenario import Scenario, from_table
from evcclib.model import Planner

MORNINGS = """
title = "Every morning by seven"
description = "60 %% by seven every morning, over the night in which the clocks change, and 40 %% in the evening."
days = 4
[site]
start = "%s"
planner = "%s"
[tariff]
grid = { zones = [["00:00", 0.30], ["01:00", 0.18], ["05:00", 0.30]] }
[[charger]]
box = { name = "garage" }
loadpoint = { title = "Garage" %s }
[[car]]
name = "blue"
capacity_kwh = 60
has_status = true
visits = [{ charger = "garage", arrive = "18:00", depart = "07:30", soc_pct = 40 }]
[[action]]
at = "12:00"
vehicle = "blue"
setting = "weekly_plans"
value = "mon tue wed thu fri sat sun 07:00 60"
"""


def mornings(start: str, planner: Planner, *, is_assigned: bool) -> Scenario:
    text = MORNINGS % (start, planner.value, ', vehicle = "blue"' if is_assigned else "")
    return from_table(tomllib.loads(text), name="mornings")


@pytest.mark.rule("PLAN-34", "PLAN-32")
@pytest.mark.parametrize("planner", Planner)
@pytest.mark.parametrize("start", ["2026-03-27", "2026-10-23"])
def test_a_weekly_plan_is_reached_by_the_clock_on_the_wall_whatever_the_clocks_do(start: str, planner: Planner) -> None:
    scenario = mornings(start, planner, is_assigned=True)
    found = simulate(scenario, seed=1)
    assert not found.violations
    by_second = {instant.second: instant.loadpoints[0] for instant in found.trace.instants}
    for day in (1, 2, 3):
        seven = scenario.base.second(day, time(7))
        before = [lp for second, lp in by_second.items() if seven - 120 <= second <= seven]
        assert 59.5 <= before[-1].soc_pct <= 61.5, day
        five = scenario.base.second(day, time(5, 1))
        late = [lp.power_w for second, lp in by_second.items() if five <= second <= seven]
        assert max(late) == 0, day  # all of it in the cheap hours, which the wall's clock tells as well
    assert scenario.base.second(3, time(7)) - scenario.base.second(2, time(7)) == 24 * 3600


@pytest.mark.rule("PLAN-32")
def test_a_vehicle_that_is_found_by_its_status_brings_its_plans() -> None:
    scenario = mornings("2026-10-23", Planner.CLASSIC, is_assigned=False)
    found = simulate(scenario, seed=1)
    assert not found.violations
    seven = scenario.base.second(1, time(7))
    soc_pct = [instant.loadpoints[0].soc_pct for instant in found.trace.instants if instant.second <= seven]
    assert 59.5 <= soc_pct[-1] <= 61.5
