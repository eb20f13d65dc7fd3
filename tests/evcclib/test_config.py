"""What cannot be run is refused."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from bench import NOON, S, loadpoint, site_config

import evcclib
from evcclib.config import Actions, BatteryConfig, CircuitConfig, CurvePoint, SiteConfig, VehicleConfig
from evcclib.errors import InvalidConfig
from evcclib.model import Now
from evcclib.pipeline.check_config import check
from evcclib.site import Site
from evcclib.units import ORIGIN


@pytest.mark.rule("DEF-7")
@pytest.mark.parametrize(
    ("loadpoints", "values", "words"),
    [
        (
            [],
            {"has_grid": False},
            "has_grid: False is not allowed, expected True, or a pv_count above 0: either grid or pv meter",
        ),
        (
            [],
            {"has_zero_feed_in": True, "pv_count": 0},
            "has_zero_feed_in: True is not allowed, expected False at a site without grid meter or without pv meter",
        ),
        (
            [],
            {"has_zero_feed_in": True, "has_grid": False, "pv_count": 1},
            "has_zero_feed_in: True is not allowed, expected False at a site without grid meter or without pv meter",
        ),
        ([], {"voltage_v": 0.0}, "voltage_v: 0.0 is not allowed, expected a number, 50..500 V"),
        ([], {"interval": timedelta(0)}, "interval: 0 s is not allowed, expected a timedelta, 0.1..86400 s"),
        (
            [],
            {"time_zone": "Europe/Berlin"},
            "time_zone: 'Europe/Berlin' is not allowed, expected a tzinfo such as datetime.UTC or ZoneInfo('Europe/Berlin')",
        ),
        ([], {"has_grid": 1}, "has_grid: 1 is not allowed, expected True or False"),
        ([], {"pv_count": True}, "pv_count: True is not allowed, expected an integer, 0..100"),
        (
            [],
            {"loadpoints": [loadpoint()]},
            "loadpoints: a list is not allowed, expected a tuple, each a LoadpointConfig",
        ),
        ([], {"loadpoints": (1,)}, "loadpoints[0]: 1 is not allowed, expected a LoadpointConfig"),
        (
            [],
            {"batteries": (BatteryConfig(capacity_kwh=-1),)},
            "batteries[0].capacity_kwh: -1 is not allowed, expected a number, 0..10000 kWh, or None",
        ),
        (
            [],
            {"vehicles": (VehicleConfig(name="a"), VehicleConfig(name="a"))},
            "vehicles[1].name: 'a' is not allowed, expected a name that is not used twice",
        ),
        (
            [],
            {"vehicles": (VehicleConfig(name="a", capacity_kwh=-5),)},
            "vehicles[0].capacity_kwh: -5 is not allowed, expected a number, 0..2000 kWh",
        ),
        (
            [],
            {"vehicles": (VehicleConfig(name="a", charging_curve=(CurvePoint(80, 7000), CurvePoint(80, 5000))),)},
            "vehicles[0].charging_curve[1].from_soc_pct: 80 is not allowed, expected more than that of the point before, 80 %",
        ),
        (
            [],
            {"vehicles": (VehicleConfig(name="a", charging_curve=(CurvePoint(80, 0),)),)},
            "vehicles[0].charging_curve[0].most_w: 0 is not allowed, expected a number, 100..1e+06 W",
        ),
        (
            [],
            {"vehicles": (VehicleConfig(name="a", on_identify=Actions(current_min_a=9, current_max_a=8)),)},
            "vehicles[0].on_identify.current_min_a: 9 is not allowed, expected at most its current_max_a, 8 A",
        ),
        (
            [],
            {"circuits": (CircuitConfig(name="a"), CircuitConfig(name="a"))},
            "circuits[1].name: 'a' is not allowed, expected a name that is not used twice",
        ),
        (
            [],
            {"circuits": (CircuitConfig(name="a", parent="a"),)},
            "circuits[0].parent: 'a' is not allowed, expected a circuit that is not below its own parent",
        ),
        (
            [],
            {"circuits": (CircuitConfig(name="a", parent="b"), CircuitConfig(name="b", parent="a"))},
            "circuits[0].parent: 'b' is not allowed, expected a circuit that is not below its own parent",
        ),
        (
            [],
            {"circuits": (CircuitConfig(name="a", parent="b"),)},
            "circuits[0].parent: 'b' is not allowed, expected one of a",
        ),
        (
            [],
            {"has_grid": False, "pv_count": 1, "circuits": (CircuitConfig(name="a", uses_grid_meter=True),)},
            "circuits[0].uses_grid_meter: True is not allowed, expected False at a site without grid meter",
        ),
        (
            [],
            {"circuits": (CircuitConfig(name="a", uses_grid_meter=True, has_meter=True),)},
            "circuits[0].has_meter: True is not allowed, expected False where the grid meter is used",
        ),
        ([{"vehicle": "x"}], {}, "loadpoints[0].vehicle: 'x' is not allowed, expected None: there is none"),
        ([{}, {"circuit": "x"}], {}, "loadpoints[1].circuit: 'x' is not allowed, expected None: there is none"),
        (
            [{}, {"mode": "quick"}],
            {},
            "loadpoints[1].mode: 'quick' is not allowed, expected a ChargeMode: one of off, now, minpv, pv",
        ),
        (
            [{"mode": "off"}],
            {},
            "loadpoints[0].mode: 'off' is not allowed, expected a ChargeMode: one of off, now, minpv, pv",
        ),
        ([{"priority": 99}], {}, "loadpoints[0].priority: 99 is not allowed, expected an integer, 0..10"),
        ([{"phases": 2}], {}, "loadpoints[0].phases: 2 is not allowed, expected 0, 1 or 3"),
        (
            [{"phase_rotation": (1, 1, 2)}],
            {},
            "loadpoints[0].phase_rotation: (1, 1, 2) is not allowed, expected the three phases in some order, such as (1, 2, 3)",
        ),
        (
            [{"current_step_a": 0.0}],
            {},
            "loadpoints[0].charger.current_step_a: 0.0 is not allowed, expected a number, 0.001..1 A",
        ),
        (
            [{"current_min_a": 6.2, "current_max_a": 6.8}],
            {},
            "loadpoints[0].current_min_a: 6.2 is not allowed, expected a step of 1 A from there to 6.8 A",
        ),
        ([{"current_min_a": 0.0}], {}, "loadpoints[0].current_min_a: 0.0 is not allowed, expected a number, 0.1..80 A"),
        (
            [{"current_min_a": 10.0, "current_max_a": 8.0}],
            {},
            "loadpoints[0].current_min_a: 10.0 is not allowed, expected a step of 1 A from there to 8 A",
        ),
        (
            [{"current_max_a": 10**400}],
            {},
            "loadpoints[0].current_max_a: an integer of 1329 bits is not allowed, expected a number, 0.1..80 A",
        ),
        (
            [{"current_max_a": 1e308}],
            {},
            "loadpoints[0].current_max_a: 1e+308 is not allowed, expected a number, 0.1..80 A",
        ),
        (
            [{"enable_delay": -5 * S}],
            {},
            "loadpoints[0].enable_delay: -5 s is not allowed, expected a timedelta, 0..86400 s",
        ),
        (
            [{"guard_duration": 300}],
            {},
            "loadpoints[0].guard_duration: 300 is not allowed, expected a timedelta, 0..86400 s",
        ),
    ],
)
def test_refused(loadpoints: list[dict[str, Any]], values: dict[str, Any], words: str) -> None:
    built: Any = {"loadpoints": tuple(loadpoint(**each) for each in loadpoints) or (loadpoint(),), **values}
    config = SiteConfig(**{"time_zone": UTC, **built})
    with pytest.raises(InvalidConfig) as refused:
        check(config)
    assert str(refused.value) == words
    assert refused.value.where == words.partition(": ")[0]
    with pytest.raises(InvalidConfig):
        Site(config, now=Now(ORIGIN, NOON))


def test_accepted() -> None:
    circuits = (CircuitConfig(name="main", current_max_a=63), CircuitConfig(name="garage", parent="main"))
    check(site_config(loadpoint(circuit="garage"), has_grid=False, pv_count=1, circuits=circuits))
    check(site_config(loadpoint(current_min_a=6.2, current_max_a=6.8, current_step_a=0.1)))


def test_the_door_names_what_it_imports_and_makes_nothing_up() -> None:
    door = ast.parse(Path(evcclib.__file__).read_text(encoding="utf-8"))
    homes = {alias.name: node.module for node in door.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert sorted(evcclib.__all__) == sorted(homes)
    for name, home in homes.items():
        assert home is not None
        assert getattr(evcclib, name) is getattr(importlib.import_module(home), name)
    with pytest.raises(AttributeError, match="no attribute 'Manager'"):
        _ = evcclib.Manager  # type: ignore[attr-defined]


def test_importing_the_package_is_cheap(tmp_path: Path) -> None:
    """Measured against what its classes are made with, so that a slow machine does not matter."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def imported(what: str) -> tuple[float, list[str]]:
        code = (
            f"import sys, time; began = time.process_time(); {what}; print(time.process_time() - began, *sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        cpu_s, *modules = done.stdout.split()
        return float(cpu_s), modules

    imported("import evcclib")  # now it is compiled
    own_s, modules = min(imported("from evcclib import Site") for _ in range(5))
    tools_s, _ = min(imported("import dataclasses, datetime, enum, typing") for _ in range(5))
    assert own_s < 8 * tools_s
    assert not {"asyncio", "decimal", "json", "logging", "pathlib", "zoneinfo"} & set(modules)
