"""What cannot be run is refused."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bench import loadpoint, site_config

import evcclib
from evcclib.config import CircuitConfig, VehicleConfig, check
from evcclib.errors import EvccError, InvalidConfig


@pytest.mark.rule("DEF-7")
@pytest.mark.parametrize(
    ("loadpoints", "values", "words"),
    [
        ([], {"has_grid": False}, "missing either grid or pv meter"),
        ([], {"voltage_v": 0.0}, "voltage"),
        ([], {"interval": timedelta(0)}, "interval"),
        ([], {"vehicles": (VehicleConfig(name="a"), VehicleConfig(name="a"))}, "'a' is configured twice"),
        ([], {"circuits": (CircuitConfig(name="a"), CircuitConfig(name="a"))}, "'a' is configured twice"),
        ([], {"circuits": (CircuitConfig(name="a", parent="a"),)}, "own parent"),
        ([], {"circuits": (CircuitConfig(name="a", parent="b"), CircuitConfig(name="b", parent="a"))}, "own parent"),
        ([], {"circuits": (CircuitConfig(name="a", parent="b"),)}, "no circuit 'b'"),
        ([{"vehicle": "x"}], {}, "loadpoint 1: no vehicle 'x'"),
        ([{}, {"circuit": "x"}], {}, "loadpoint 2: no circuit 'x'"),
        ([{"phases": 2}], {}, "phases must be 0, 1 or 3"),
        ([{"phase_rotation": (1, 1, 2)}], {}, "phase rotation"),
        ([{"current_step_a": 0.0}], {}, "current step"),
        ([{"current_min_a": 6.2, "current_max_a": 6.8}], {}, "no current between 6.2 and 6.8 A in steps of 1 A"),
        ([{"current_min_a": 0.0}], {}, "no current"),
        ([{"current_min_a": 10.0, "current_max_a": 8.0}], {}, "no current"),
    ],
)
def test_refused(loadpoints: list[dict[str, Any]], values: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidConfig, match=words):
        check(site_config(*(loadpoint(**each) for each in loadpoints), **values))
    assert issubclass(InvalidConfig, EvccError)


def test_accepted() -> None:
    circuits = (CircuitConfig(name="main", current_max_a=63), CircuitConfig(name="garage", parent="main"))
    check(site_config(loadpoint(circuit="garage"), has_grid=False, pv_count=1, circuits=circuits))
    check(site_config(loadpoint(current_min_a=6.2, current_max_a=6.8, current_step_a=0.1)))


def test_public_names_are_the_same_for_python_and_for_type_checkers() -> None:
    stub = ast.parse((Path(evcclib.__file__).parent / "__init__.pyi").read_text(encoding="utf-8"))
    homes = {alias.name: node.module for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert sorted(homes) == evcclib.__all__
    assert set(evcclib.__all__) <= set(dir(evcclib))
    for name, home in homes.items():
        assert home is not None
        assert getattr(evcclib, name) is getattr(importlib.import_module(home), name)
    with pytest.raises(AttributeError, match="no attribute 'Manager'"):
        _ = evcclib.Manager  # type: ignore[attr-defined]


def test_importing_the_package_is_cheap() -> None:
    code = "import sys; import evcclib; print(sum(name.startswith('evcclib.') for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "0\n"
