"""Whoever is spoken to, and in whatever words, the control decides the same: same seed, same bytes to every device."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from evcc_server.config.model import Config
from evcc_sim.runs.fullstack import FullStack, FullStackResult
from evcc_sim.runs.virtual_time import run_virtually
from evcc_sim.worlds import scenario

NOON = """
title = "Noon for a while"
household = { constant_w = 400.0 }
pv = [{ name = "roof", constant_w = 6700.0 }]
battery = [{ name = "cellar", capacity_kwh = 10, soc_pct = 60 }]

[[charger]]
box = { name = "garage" }
loadpoint = { title = "Garage", mode = "pv" }

[[car]]
name = "blue"
title = "Blue car"
capacity_kwh = 77
soc_pct = 30
visits = [{ charger = "garage", arrive = "00:01", depart = "23:00", soc_pct = 30 }]
"""


def run(compat: str) -> FullStackResult:
    class Speaking(FullStack):
        def config(self) -> Config:
            return replace(super().config(), api_compat=compat)

    world = scenario.parse(NOON, name="noon").with_changes(hours=20 / 60)
    with tempfile.TemporaryDirectory() as folder:
        home = Speaking(world, seed=1, database=Path(folder) / "evcc.db")
        return run_virtually(home.main, seed=home.house.seed)


def test_switching_the_generation_changes_no_decision_and_no_byte_to_a_device() -> None:
    classic, today = run("0.114"), run("today")
    assert classic.trace.digest() == today.trace.digest()
    assert classic.wire_digest == today.wire_digest
    assert classic.steps == today.steps
    assert classic.mqtt_digest != today.mqtt_digest
