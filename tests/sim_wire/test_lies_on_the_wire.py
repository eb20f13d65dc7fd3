"""A station that tells the wrong of itself, through drivers and frames: the emulator shows it, the server bears it."""

from __future__ import annotations

import pytest

from evcc_sim.runs.fullstack import run_scenario
from evcc_sim.worlds import scenario
from evcclib.commands import Disable, Enable

TEN_MINUTES_OF_SUN = """
title = "Ten minutes of sun, then none"
hours = 0.7
household = {{ constant_w = 300.0, has_appliances = false }}
pv = [{{ name = "roof", steps = [["00:00", 0.0], ["00:04", 8000.0], ["00:14", 0.0]] }}]

[[charger]]
box = {{ name = "bay", profile = "{profile}" }}
loadpoint = {{ mode = "pv" }}

[[car]]
name = "blue"
capacity_kwh = 100
visits = [{{ charger = "bay", arrive = "00:01", depart = "23:00", soc_pct = 20 }}]
"""
FAULT = """
[[fault]]
device = "bay"
at = "00:00"
lasts = "24h"
"""
LIES = {
    "enabled never": 'kind = "read_back_stuck"\nof = "enabled"\nparams = { shows = 0 }',
    "enabled always": 'kind = "read_back_stuck"\nof = "enabled"\nparams = { shows = 1 }',
    "all 70 s late": 'kind = "read_back_lag"\nparams = { lag_s = 70 }',
    "status never": 'kind = "read_back_stuck"\nof = "status"\nparams = { shows = 1 }',
    "status always": 'kind = "read_back_stuck"\nof = "status"\nparams = { shows = 2 }',
    "current wrong": 'kind = "read_back_wrong"\nof = "current"',
    "power late": 'kind = "read_back_lag"\nof = "power"\nparams = { lag_s = 70 }',
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("profile", ["alfen-ng9xx", "keba-p30"])
def test_a_lie_on_the_wire_starts_nothing_and_keeps_nothing_from_stopping(lie: str, profile: str) -> None:
    text = TEN_MINUTES_OF_SUN.format(profile=profile) + FAULT + LIES[lie]
    world = scenario.parse(text, name="ten-minutes-of-sun")
    by_status = ("sessions_equal_the_meter", "starts_have_sessions")
    result = run_scenario(world.with_changes(allowed=by_status), 1)
    assert result.violations == ()
    assert result.trace.contactor_switches == [2]
    on = [each.second for each in result.trace.instants if each.loadpoints[0].pilot_a > 0]
    assert 300 <= on[0] < 360 and 1020 <= on[-1] < 1060  # after the delays of one and three minutes
    sent = [each.command for each in result.trace.sent]
    assert sent.count(Enable()) <= 3 and sent.count(Disable()) <= 5
