"""Each constant of the library with another value: its witness in `test_constants.py` must notice. Part of `make nightly`.

Every mutant is a process of its own that runs one test, in half a second. To run them all:

    pytest -m mutant -n auto tests/evcclib/test_mutants.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import mutant
import pytest
from mutant import Mutant
from test_constants import WITNESSES

ROOT = Path(__file__).parents[2]
WHERE = "tests/evcclib/test_constants.py"
FAILED = 1
"""What pytest says when tests have failed, and nothing else has."""
MUTANTS = [each for constant, value in mutant.constants().items() for each in mutant.mutants(constant, value)]


def run(test: str, change: str) -> subprocess.CompletedProcess[str]:
    """Run one test of the constants (nothing: all) in a Python that has not imported the library yet, with few plugins."""
    plugins = [argument for plugin in ("no:cacheprovider", "pytest_timeout", "mutant") for argument in ("-p", plugin)]
    path = os.pathsep.join(str(ROOT / part) for part in ("tests", "."))
    where = f"{WHERE}::{test}" if test else WHERE
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--noconftest", *plugins, "--mutant", change, where],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.mutant
def test_nothing_is_noticed_while_every_constant_is_what_it_is() -> None:
    found = run("", "machines.charger.SYNC_GRACE: value * 1")
    assert found.returncode == 0, found.stdout


@pytest.mark.mutant
@pytest.mark.parametrize("changed", [each for each in MUTANTS if str(each.constant) in WITNESSES], ids=str)
def test_another_value_is_noticed(changed: Mutant) -> None:
    found = run(WITNESSES[str(changed.constant)], str(changed))
    assert found.returncode == FAILED, f"{changed} survived\n{found.stdout}{found.stderr}"


def test_mutant_that_changes_nothing_is_not_noticed() -> None:
    test = WITNESSES["machines.charger.SYNC_GRACE"]
    assert run(test, "machines.charger.SYNC_GRACE: value * 1").returncode == 0
    assert run(test, "machines.charger.SYNC_GRACE: value * 0.5").returncode == FAILED


def test_mutant_of_a_constant_that_is_not_there_is_an_error() -> None:
    found = run(WITNESSES["machines.charger.SYNC_GRACE"], "machines.charger.NOTHING: value * 2")
    assert found.returncode not in (0, FAILED), found.stdout


def test_number_is_changed_in_both_directions() -> None:
    by_name: dict[str, list[str]] = {str(each.constant): [] for each in MUTANTS}
    for each in MUTANTS:
        by_name[str(each.constant)].append(each.change)
    assert by_name["machines.charger.SYNC_GRACE"] == ["value * 0.5", "value * 2"]
    assert by_name["machines.charger.SWITCH_TRIES"] == ["value - 1", "value + 1"]
    assert by_name["machines.plausible.SOC_PCT"] == [
        "tuple(each * 0.5 for each in value)",
        "tuple(each * 2 for each in value)",
    ]
    assert by_name["machines.unmetered.HYPOTHESES"] == ["value[1:]", "value[:-1]"]
    assert Mutant.parse(str(MUTANTS[0])) == MUTANTS[0]
