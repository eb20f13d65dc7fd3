"""Waking a vehicle."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from evcclib.commands import WakeCharger, WakeVehicle
from evcclib.machines.rousing import is_due, wake_commands

S: Any = timedelta(seconds=1)


@pytest.mark.rule("WAKE-1", "WAKE-2")
def test_due_after_its_time_only() -> None:
    def due(at: float) -> bool:
        return is_due(0 * S, at * S, is_enabled=True, is_waiting=True, soc_pct=None, soc_target_pct=80)

    assert not due(29.999999)
    assert due(30)
    assert not is_due(None, 99 * S, is_enabled=True, is_waiting=True, soc_pct=None, soc_target_pct=80)


@pytest.mark.rule("WAKE-2", "DEF-44")
@pytest.mark.parametrize(
    ("enabled", "waiting", "soc", "target", "due"),
    [
        (True, True, 79.9, 80, True),
        (True, True, 80.0, 80, False),
        (True, True, 99.0, 0, True),
        (True, True, 100.0, 0, False),
        (False, True, 10.0, 80, False),
        (True, False, 10.0, 80, False),
    ],
)
def test_only_a_vehicle_that_is_offered_something_it_still_wants(
    enabled: bool, waiting: bool, soc: float, target: int, due: bool
) -> None:
    found = is_due(0 * S, 60 * S, is_enabled=enabled, is_waiting=waiting, soc_pct=soc, soc_target_pct=target)
    assert found is due


@pytest.mark.rule("WAKE-3", "DEF-28")
def test_both_means_are_used() -> None:
    both = wake_commands(charger_has_wakeup=True, vehicle="i3", vehicle_has_wakeup=True)
    assert both == (WakeCharger(), WakeVehicle("i3"))
    assert wake_commands(charger_has_wakeup=False, vehicle="i3", vehicle_has_wakeup=True) == (WakeVehicle("i3"),)
    assert wake_commands(charger_has_wakeup=True, vehicle=None, vehicle_has_wakeup=True) == (WakeCharger(),)
    assert wake_commands(charger_has_wakeup=False, vehicle="i3", vehicle_has_wakeup=False) == ()
