"""What cannot be run is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bench import loadpoint, site_config

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
