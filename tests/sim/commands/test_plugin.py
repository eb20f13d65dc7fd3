"""The pytest plugin, used as somebody else would: in a project of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.day
def test_a_scenario_runs_once_for_each_seed(tmp_path: Path) -> None:
    status, printed = run(tmp_path, TESTS)
    assert status == 0, printed
    assert "3 passed" in printed


@pytest.mark.day
def test_a_violated_invariant_fails_with_the_command_to_replay(tmp_path: Path) -> None:
    status, printed = run(tmp_path, BROKEN)
    assert status == 1, printed
    assert "current_within_bounds" in printed
    assert "replay: evcc-sim run clear-day,hours=11 --seed 1" in printed
