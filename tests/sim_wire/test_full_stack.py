"""The real server in virtual time: same seed same bytes, a lost meter, restarts. Kills: tests/system/test_kills.py."""

import os
import subprocess
import sys

import pytest

from evcc_sim.runs.fullstack import FullStackResult, run_scenario
from evcc_sim.worlds import scenario
from evcclib.commands import Disable, Enable, SetCurrent
from evcclib.reasons import ReasonCode

NOON = """
title = "Noon all day"
household = { constant_w = 400.0 }
pv = [{ name = "roof", constant_w = 6700.0 }]

[[charger]]
box = { name = "garage", current_step_a = 0.001 }
loadpoint = { title = "Garage", guard_duration_s = 0 }

[[car]]
name = "blue"
title = "Blue car"
capacity_kwh = 77
soc_pct = 30
visits = [{ charger = "garage", arrive = "00:01", depart = "23:00", soc_pct = 30 }]
"""


def noon(minutes: float, extra: str = "", *, allowed: tuple[str, ...] = ()) -> scenario.Scenario:
    return scenario.parse(NOON + extra, name="noon").with_changes(hours=minutes / 60, allowed=allowed)


UNUSED_SUN = ("settles_on_its_aim",)
"""A maximum current that somebody has lowered leaves some of the sun unused."""


def currents(result: FullStackResult, start_s: float, end_s: float) -> list[float]:
    """What the car was offered at the steps of this span [A]."""
    return [i.loadpoints[0].pilot_a for i in result.trace.instants if start_s <= i.second < end_s]


def test_the_car_follows_the_sun_through_every_layer() -> None:
    result = run_scenario(noon(20))
    assert result.violations == ()
    assert result.seconds_between_steps_max <= 10.0
    settled = currents(result, 600, 1200)
    assert settled
    assert min(settled) == pytest.approx(6300 / 690, abs=0.2)
    assert max(settled) == pytest.approx(6300 / 690, abs=0.2)


RUN = """
import logging, sys
logging.disable(logging.CRITICAL)
from evcc_sim.worlds import scenario
from evcc_sim.runs.fullstack import run_scenario
from dataclasses import replace
world = scenario.load(sys.argv[1])
world = world.with_changes(site=replace(world.site, interval_s=float(sys.argv[2])))
result = run_scenario(world, int(sys.argv[3]), days=1)
print(result.digest(), len(result.violations), round(result.summary.charged_kwh, 3))
"""


def start_run(name: str, interval_s: float, seed: int, hash_seed: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", RUN, name, str(interval_s), str(seed)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    )


@pytest.mark.timeout(900)
def test_a_whole_day_gives_the_same_bytes_twice() -> None:
    """Whatever the order in which Python happens to iterate sets."""
    runs = [start_run("clear-day", 30.0, 3, hash_seed) for hash_seed in (1, 2)]
    first, second = (run.communicate(timeout=800)[0] for run in runs)
    assert all(run.returncode == 0 for run in runs)
    assert first == second
    _, violations, charged_kwh = first.split()
    assert violations == "0"
    assert float(charged_kwh) > 30


FAULTS = """
[[fault]]
kind = "loss"
device = "garage"
at = "00:02"
lasts = "10m"
params = { rate = 0.3 }
[[fault]]
kind = "garble"
device = "grid"
at = "00:04"
lasts = "5m"
params = { rate = 0.5 }
[[fault]]
kind = "refuse"
device = "roof"
at = "00:06"
lasts = "2m"
"""


def test_faults_are_the_same_for_the_same_seed_and_differ_for_another() -> None:
    world = noon(15, FAULTS)
    digests = [run_scenario(world, seed).digest() for seed in (1, 1, 2)]
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


SILENT_GRID = """
[[fault]]
kind = "silence"
device = "grid"
at = "00:10"
lasts = "10m"
"""


def test_a_lost_grid_meter_leads_to_the_minimum_then_to_a_pause_and_back() -> None:
    result = run_scenario(noon(35, SILENT_GRID))
    lost_s, found_s = 600.0, 1200.0
    assert result.violations == ()
    assert result.seconds_between_steps_max <= 11.0 + 1e-6  # it waits for the silent one once, for a second
    assert min(currents(result, 400, lost_s)) > 8.5
    # max(3 x interval, 30 s) after the last good reading, and what a command takes
    assert set(currents(result, lost_s + 45, lost_s + 200)) == {6.0}
    stale = [i.loadpoints[0].reason for i in result.trace.instants if lost_s + 45 <= i.second < lost_s + 200]
    assert set(stale) == {ReasonCode.GRID_STALE}
    # three minutes later it pauses
    assert set(currents(result, lost_s + 240, found_s)) == {0.0}
    lost = [i.loadpoints[0].reason for i in result.trace.instants if lost_s + 240 <= i.second < found_s]
    assert set(lost) == {ReasonCode.GRID_LOST}
    # and comes back by itself, never above what the sun gives
    after = currents(result, found_s + 120, 2100)
    assert after[-1] == pytest.approx(6300 / 690, abs=0.2)
    assert max(after) <= 6300 / 690 + 0.2


LIMITED = """
[[action]]
at = "00:03"
loadpoint = 0
setting = "current_max_a"
value = 8.0
"""
KILLED = """
[[fault]]
kind = "kill"
device = "site"
at = "00:09"
lasts = "40s"
"""


def test_a_killed_server_comes_back_with_its_settings_and_its_session() -> None:
    result = run_scenario(noon(20, LIMITED + KILLED, allowed=UNUSED_SUN))
    assert result.violations == ()
    assert result.trace.restarts == [580.0]
    assert result.trace.settings_lost == []
    assert max(currents(result, 200, 1200)) <= 8.0
    assert set(currents(result, 700, 1200)) == {8.0}


FAST = """
[[action]]
at = "00:01"
loadpoint = 0
setting = "mode"
value = "now"
"""
RESTARTED = KILLED.replace("kill", "restart").replace("00:09", "00:05")


def test_a_station_that_was_left_at_its_minimum_is_told_its_current_again() -> None:
    result = run_scenario(noon(8, FAST + RESTARTED))
    assert result.violations == ()
    assert set(currents(result, 200, 299)) == {16.0}
    assert currents(result, 340, 343)[0] == 6.0  # as the server has left it
    assert set(currents(result, 360, 480)) == {16.0}


def test_commands_reach_the_station_in_order() -> None:
    result = run_scenario(noon(5))
    kinds = [type(sent.command) for sent in result.trace.sent]
    assert kinds[:2] == [SetCurrent, Enable]
    assert Disable not in kinds
