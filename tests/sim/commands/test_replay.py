"""The command that a run prints runs exactly it again: same digest, same violations."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from html import unescape
from pathlib import Path

import broken_controls
import pytest

from evcc_sim.runs.controls import classic
from evcc_sim.runs.fullstack import run_scenario
from evcc_sim.runs.inprocess import simulate
from evcc_sim.runs.result import RunResult
from evcc_sim.runs.sweep import jobs_for, run_here
from evcc_sim.show import html_report
from evcc_sim.worlds.generators import PACKS
from evcc_sim.worlds.scenario import load
from evcc_sim.worlds.variants import resolve

OVERLOADING = "broken_controls:overloading"
OWN = """
name = "a name of its own"
hours = 0.3
pv = [{ name = "roof", constant_w = 9000.0 }]
charger = [{ box = { name = "bay" }, loadpoint = { vehicle = "car" } }]
car = [{ name = "car", visits = [{ charger = "bay", arrive = "00:05", depart = "23:00" }] }]
"""

partially_overloading = partial(broken_controls.overloading)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "my home").mkdir()
    file = tmp_path / "my home" / "own.toml"
    file.write_text(OWN, encoding="utf-8")
    return file


def test_a_file_with_all_that_can_be_said_beside_it(own: Path, again: Callable[[str], RunResult]) -> None:
    options = ["--set", "site.interval_s=20", "--set", "household.steps=[['00:10', 900.0]]"]
    options += ["--days", "1", "--seed", "3", "--control", OVERLOADING, "--allow", "sun_is_used"]
    first = again(shlex.join(["evcc-sim", "run", f"{own},pv.0.constant_w=8000.0", *options]))
    assert first.violations and first.days == 1.0
    second = again(first.replay)
    assert (second.digest(), second.violations) == (first.digest(), first.violations)
    assert second.trace.scenario == first.trace.scenario
    assert second.replay == first.replay


def test_a_control_that_only_its_name_finds(own: Path, again: Callable[[str], RunResult]) -> None:
    first = again(shlex.join(["evcc-sim", "run", str(own), "--control", "test_replay:partially_overloading"]))
    assert first.violations
    assert again(first.replay).violations == first.violations


@pytest.mark.parametrize("days", [None, 1, 2])
def test_from_python(days: int | None, again: Callable[[str], RunResult]) -> None:
    world = resolve("@bad_car", seed=5)
    first = simulate(world, 7, days=days, control=broken_controls.overloading)
    second = again(first.replay)
    assert first.violations and (second.digest(), second.violations) == (first.digest(), first.violations)


@pytest.mark.day
def test_through_the_whole_server(own: Path, again: Callable[[str], RunResult]) -> None:
    for scenario in (load(own), resolve("short-visit,hours=0.2")):
        first = run_scenario(scenario, 2)
        second = again(first.replay)  # which shows how far it is
        assert (second.digest(), second.violations) == (first.digest(), first.violations)


def test_outcomes_of_a_sweep(own: Path, again: Callable[[str], RunResult]) -> None:
    jobs = jobs_for([str(own)], [1, 2], values=["household.split=[1.0, 0.0, 0.0]|[0.5, 0.5, 0.0]"], control=OVERLOADING)
    for outcome in run_here(jobs, workers=1):
        second = again(outcome.replay)
        assert second.digest() == outcome.digest
        assert outcome.violations == tuple(map(str, second.violations)) != ()


def test_a_report(own: Path, tmp_path: Path, again: Callable[[str], RunResult]) -> None:
    first = simulate(load(own))
    html_report.save(first, tmp_path / "report.html")
    said = re.search(r"Again: <code>(.*)</code>", (tmp_path / "report.html").read_text(encoding="utf-8"))
    assert said is not None and again(unescape(said[1])).digest() == first.digest()


@pytest.mark.parametrize("pack", PACKS)
def test_the_name_of_a_generated_world_makes_it_again(pack: str) -> None:
    for seed in (1, 2, 3):
        drawn = PACKS[pack].draw(seed)
        assert resolve(drawn.name, seed=drawn.seed) == drawn


def test_what_no_command_makes_says_so(own: Path) -> None:
    world = load(own)
    by_hand = simulate(replace(world, hours=0.1))
    assert by_hand.replay.startswith("no command: a name of its own is not what")
    nameless = simulate(replace(world, allowed=("sun_is_used",)), control=partial(classic))
    assert nameless.replay.startswith("no command: the control")
