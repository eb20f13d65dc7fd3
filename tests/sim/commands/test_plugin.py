"""The pytest plugin, used as somebody else would: in a project of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from evcc_sim.runs.result import RunResult

TESTS = """
import pytest
from evcc_sim.worlds.scenario import load
from dataclasses import replace

@pytest.mark.evcc_scenario("clear-day,hours=10", seeds=2)
def test_sun(evcc_result, evcc_seed):
    assert evcc_result.summary.charged_kwh > 0
    assert evcc_result.trace.seed == evcc_seed

def test_by_hand(evcc_simulate):
    assert evcc_simulate(replace(load("clear-day"), hours=2.0)).ok
"""
BROKEN = """
import pytest
from broken_controls import overloading

@pytest.fixture
def evcc_control():
    return overloading

@pytest.mark.evcc_scenario("clear-day,hours=11")
def test_sun(evcc_result):
    pass
"""


def run(folder: Path, text: str) -> tuple[int, str]:
    (folder / "test_site.py").write_text(text, encoding="utf-8")
    (folder / "pytest.ini").write_text(
        "[pytest]\naddopts = --strict-markers -p evcc_sim.pytest_plugin\n", encoding="utf-8"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
    return done.returncode, done.stdout + done.stderr


def violations_in(printed: str) -> list[str]:
    # Under CI pytest repeats each failure's whole text in its closing summary.
    printed = printed.partition("short test summary info")[0]
    return re.findall(r"^  (\w+ at [\d:]+: .*)$", printed, re.MULTILINE)


@pytest.mark.day
def test_a_scenario_runs_once_for_each_seed(tmp_path: Path) -> None:
    status, printed = run(tmp_path, TESTS)
    assert status == 0, printed
    assert "3 passed" in printed


@pytest.mark.day
def test_a_violated_invariant_fails_with_the_command_to_replay(
    tmp_path: Path, again: Callable[[str], RunResult]
) -> None:
    status, printed = run(tmp_path, BROKEN)
    assert status == 1, printed
    assert "current_within_bounds" in printed
    said = re.search(r"^replay: (evcc-sim run clear-day,hours=11 --seed 1 .*)$", printed, re.MULTILINE)
    assert said is not None
    assert violations_in(printed) == list(map(str, again(said[1]).violations)) != []


OWN = """
hours = 0.3
pv = [{ name = "roof", constant_w = 9000.0 }]
charger = [{ box = { name = "bay" }, loadpoint = { vehicle = "car" } }]
car = [{ name = "car", visits = [{ charger = "bay", arrive = "00:05", depart = "23:00" }] }]
"""


@pytest.mark.day
def test_a_file_is_replayed_with_its_days_and_what_is_allowed(
    tmp_path: Path, again: Callable[[str], RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my home.toml").write_text(OWN, encoding="utf-8")
    marked = '"my home.toml", seeds=[3], days=1, allow=["settles_on_its_aim"]'
    _status, printed = run(tmp_path, BROKEN.replace('"clear-day,hours=11"', marked))
    said = re.search("^replay: (.*)$", printed, re.MULTILINE)
    assert said is not None
    monkeypatch.chdir(tmp_path)
    found = list(map(str, again(said[1]).violations))
    assert violations_in(printed) == found != []
