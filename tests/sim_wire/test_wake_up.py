"""A sleeping car is woken by both means, and one that fails keeps nobody from trying the other [WAKE-3, DEF-28].

In process and through the whole server alike.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

from evcc_server.devices.plugin.vehicle import PluginVehicle
from evcc_server.devices.template.modbus_charger import ModbusCharger
from evcc_server.errors import DeviceSilent
from evcc_sim.runs.fullstack import run_scenario
from evcc_sim.runs.inprocess import simulate
from evcc_sim.runs.result import RunResult
from evcc_sim.worlds import scenario
from evcc_sim.worlds.scenario import Scenario
from evcclib.commands import Command, Enable, WakeCharger, WakeVehicle
from evcclib.events import Warned, WarningCode

WORLD = """
title = "Asleep"
hours = 0.25
household = { constant_w = 400.0 }

[[charger]]
box = { name = "garage", profile = "cfos-power-brain", current_step_a = 0.1, has_wakeup = true }
loadpoint = { title = "Garage", mode = "off", vehicle = "blue" }

[[car]]
name = "blue"
capacity_kwh = 77
soc_pct = 30
has_wakeup = true
sleep_after_s = 30
wakes_by_pilot = false
wakes_by_charger = false
visits = [{ charger = "garage", arrive = "00:01", depart = "23:00", soc_pct = 30 }]

[[action]]
at = "00:05"
loadpoint = 0
setting = "mode"
value = "now"
"""
REFUSED = """
[[fault]]
kind = "refused_writes"
device = "garage"
at = "00:05:20"
lasts = "1m"
"""


def outcomes(result: RunResult) -> list[tuple[type[Command], bool]]:
    """What became of the wake-ups."""
    return [
        (type(sent.command), sent.accepted)
        for sent in result.trace.sent
        if isinstance(sent.command, WakeCharger | WakeVehicle)
    ]


def assert_woken(result: RunResult) -> None:
    """It charges, and the only thing to tell of is that it was asleep."""
    assert result.trace.instants[-1].loadpoints[0].power_w > 1000
    warned = [happened.event.code for happened in result.trace.events if isinstance(happened.event, Warned)]
    assert WarningCode.VEHICLE_ASLEEP in warned
    assert WarningCode.COMMAND_FAILED not in warned
    assert result.violations == ()


@pytest.mark.parametrize("run", [simulate, run_scenario], ids=["in process", "full stack"])
@pytest.mark.rule("WAKE-3", "DEF-28")
def test_a_station_that_refuses_to_wake_the_car_leaves_it_to_the_cars_own_interface(
    run: Callable[[Scenario], RunResult], caplog: pytest.LogCaptureFixture
) -> None:
    result = run(scenario.parse(WORLD + REFUSED, name="asleep"))
    assert outcomes(result) == [(WakeCharger, False), (WakeVehicle, True)]
    enabled, woken = (
        next(sent.second for sent in result.trace.sent if isinstance(sent.command, kind))
        for kind in (Enable, WakeCharger)
    )
    assert 30 <= woken - enabled < 50
    assert_woken(result)
    if run is run_scenario:
        (line,) = [record for record in caplog.records if "WakeCharger" in record.getMessage()]
        assert line.levelname == "WARNING"
        assert line.getMessage().startswith("garage: WakeCharger failed")


async def never_answer(_charger: ModbusCharger) -> None:
    await trio.sleep_forever()


async def make_a_mistake(_charger: ModbusCharger) -> None:
    raise ZeroDivisionError("a mistake of the driver")


@pytest.mark.parametrize(
    ("wake", "level", "line"),
    [
        (never_answer, "WARNING", "garage: WakeCharger was not answered in time"),
        (make_a_mistake, "ERROR", "garage: the driver failed"),
    ],
)
@pytest.mark.rule("WAKE-3", "DEF-28")
def test_neither_does_one_that_does_not_answer_or_whose_driver_is_broken(
    wake: Callable[[ModbusCharger], object],
    level: str,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(ModbusCharger, "wake", wake)
    result = run_scenario(scenario.parse(WORLD, name="asleep"))
    assert outcomes(result) == [(WakeCharger, False), (WakeVehicle, True)]
    assert_woken(result)
    assert (level, line) in [(record.levelname, record.getMessage()) for record in caplog.records]


async def be_unreachable(_vehicle: PluginVehicle) -> None:
    raise DeviceSilent("nobody there")


@pytest.mark.rule("WAKE-3", "DEF-28")
def test_a_car_whose_interface_fails_is_named_and_nothing_counts_as_failed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(PluginVehicle, "wake", be_unreachable)
    world = WORLD.replace("wakes_by_charger = false", "wakes_by_charger = true")
    result = run_scenario(scenario.parse(world, name="asleep"))
    assert outcomes(result) == [(WakeCharger, True), (WakeVehicle, False)]
    assert_woken(result)
    assert "blue: WakeVehicle failed: nobody there" in [record.getMessage() for record in caplog.records]
