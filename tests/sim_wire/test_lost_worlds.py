"""A limit falls while nobody hears the station: through the whole server it holds, at every station; then all is well."""

from dataclasses import replace

import pytest
from test_every_charger import CHARGERS

from evcc_sim.runs.fullstack import run_scenario
from evcc_sim.runs.inprocess import simulate
from evcc_sim.runs.result import RunResult
from evcc_sim.worlds import scenario
from evcc_sim.worlds.broken_things import STATIONS
from evcc_sim.worlds.generators import PACKS
from evcc_sim.worlds.packs import Value

RISES_S, CALMS_S, ENDS_S = 605.0, 1005.0, 1500.0
LOST: dict[str, Value] = {"kind": "loss", "lasts_s": 240.0, "house_lasts_s": CALMS_S - RISES_S}
KINDS: dict[str, dict[str, Value]] = {
    "lost": {},
    "writes lost": {"spares_reads": "yes"},
    "late": {"kind": "delay", "delay_s": 4.0},
    "writes late": {"kind": "delay", "delay_s": 4.0, "spares_reads": "yes"},
}


def world(station: str, kind: str) -> scenario.Scenario:
    return replace(PACKS["lost_answers"].build({**LOST, **KINDS[kind], "station": station}), hours=ENDS_S / 3600)


def judge(result: RunResult) -> None:
    """The fuse holds, nothing is violated, and the car gets all it may have before and after."""
    assert result.violations == ()
    trace = result.trace
    offered = {
        span: [i.loadpoints[0].pilot_a for i in trace.instants if span[0] <= i.second < span[1]] for span in SPANS
    }
    before, during, after = offered.values()
    assert min(before) >= 15.7  # a station that takes a power has wide steps
    assert max(during) <= 10.1
    assert max(during) > 0
    assert after[-1] >= 15.7


SPANS = ((500.0, RISES_S), (RISES_S + 40.0, CALMS_S), (CALMS_S, ENDS_S))


@pytest.mark.parametrize("kind", KINDS)
def test_a_limit_holds_in_process(kind: str) -> None:
    judge(simulate(world("alfen-ng9xx", kind)))


@pytest.mark.parametrize("station", [*STATIONS[:3], "evse-din"])  # the last one has no meter
def test_a_limit_holds_at_one_station_of_each_watchdog(station: str) -> None:
    judge(run_scenario(world(station, "lost")))


@pytest.mark.parametrize("kind", ["writes lost", "late"])
def test_a_limit_holds_whatever_is_not_heard(kind: str) -> None:
    judge(run_scenario(world("alfen-ng9xx", kind)))


@pytest.mark.day
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("station", CHARGERS)
def test_a_limit_holds_at_every_station(station: str, kind: str) -> None:
    judge(run_scenario(world(station, kind)))


RAISED = """
title = "The house takes 9 A more on each phase while the answers of the station are lost; 20 A at the grid meter"
hours = 0.45

[site]
start = "2026-06-15"
fuse_a = 20

[household]
steps = [["00:00", 690.0], ["00:10:05", 6900.0]]
split = [0.34, 0.33, 0.33]

[[circuit]]
name = "main"
current_max_a = 20.0
uses_grid_meter = true
safe_current_a = 6.0

[[charger]]
box = { name = "bay" }
loadpoint = { mode = "now", vehicle = "car", circuit = "main" }

[[car]]
name = "car"
soc_pct = 20.0
visits = [{ charger = "bay", arrive = "00:02", depart = "23:00", soc_pct = 20 }]

[[fault]]
kind = "loss"
device = "bay"
at = "00:10:03"
lasts = "10m"
params = { rate = 1.0 }
"""


@pytest.mark.parametrize("kind", ["loss", "lost_requests"])
def test_what_keeps_a_watchdog_calm_does_not_raise_a_station_again(kind: str) -> None:
    """While the answers are lost; and while some writes are too, it is told the lower current once it can hear."""
    result = run_scenario(
        scenario.parse(RAISED.replace('"loss"', f'"{kind}"').replace("rate = 1.0", "rate = 0.5"), name="raised")
    )
    assert result.violations == ()
    offered = [i.loadpoints[0].pilot_a for i in result.trace.instants if i.second >= 645]
    assert max(offered) <= 9.81


def test_a_station_is_not_raised_while_its_answers_are_lost() -> None:
    result = run_scenario(scenario.parse(RAISED, name="raised"))
    assert result.violations == ()
    offered = [i.loadpoints[0].pilot_a for i in result.trace.instants if i.second >= 612]
    assert max(offered) <= 9.81
    assert result.summary.commands < 40


@pytest.mark.parametrize("kind", ["lost", "late"])
def test_a_limit_reaches_a_station_that_has_been_silent_for_long(kind: str) -> None:
    """Its watchdog is kept calm by polls that nobody hears the answers to, and what it is told arrives."""
    values: dict[str, Value] = {**LOST, **KINDS[kind], "before_s": 45.0}
    judge(run_scenario(replace(PACKS["lost_answers"].build(values), hours=ENDS_S / 3600)))
