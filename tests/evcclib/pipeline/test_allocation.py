"""Order, priorities, and what commands will change."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcclib.commands import Disable, Enable, SetCurrent, SwitchPhases
from evcclib.laws.priorities import flexible_for, flexible_power
from evcclib.machines.charger import ChargerState
from evcclib.machines.unmetered import measured
from evcclib.model import ChargeMode
from evcclib.pipeline.sharing import effect_of, order, outstanding
from evcclib.pipeline.state import Effect, LoadpointState
from evcclib.settings import LoadpointSettings

S: Any = timedelta(seconds=1)


@pytest.mark.rule("DEF-49", "SITE-1")
def test_highest_priority_first_then_as_configured() -> None:
    assert order([0, 2, 0, 2]) == [1, 3, 0, 2]


def flexible(mode: ChargeMode, **values: Any) -> float:
    given_: dict[str, Any] = {"is_charging": True, "has_floor": False, "power_w": 5000.0, "phases": 3}
    return flexible_power(mode=mode, current_min_a=6.0, voltage_v=230.0, **{**given_, **values})


@pytest.mark.rule("PRIO-1", "DEF-20", "INV-12")
def test_what_a_loadpoint_could_give_up() -> None:
    assert flexible(ChargeMode.PV) == 5000
    assert flexible(ChargeMode.MINPV) == 5000 - 4140
    assert flexible(ChargeMode.MINPV, phases=1) == 5000 - 1380
    assert flexible(ChargeMode.MINPV, power_w=1000.0) == 0
    assert flexible(ChargeMode.NOW) == 0
    assert flexible(ChargeMode.PV, is_charging=False) == 0
    assert flexible(ChargeMode.PV, has_floor=True) == 0
    assert flexible(ChargeMode.PV, power_w=None) == 0
    assert flexible(ChargeMode.PV, power_w=-20.0) == 0


@pytest.mark.rule("PRIO-2")
def test_only_lower_priorities_give() -> None:
    assert flexible_for(0, [0, 1], [300.0, 0.0].__getitem__) == 0
    assert flexible_for(1, [0, 1], [300.0, 0.0].__getitem__) == 300
    assert flexible_for(1, [0, 0], [300.0, 0.0].__getitem__) == 0


@pytest.mark.rule("INV-12")
@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 22000)), min_size=1, max_size=6))
def test_equal_priorities_never_shift_power(loadpoints: list[tuple[int, float]]) -> None:
    priorities = [priority for priority, _ in loadpoints]
    powers = [power for _, power in loadpoints]
    for index, priority in enumerate(priorities):
        got = flexible_for(index, priorities, powers.__getitem__)
        assert got >= 0
        assert got == pytest.approx(sum(w for p, w in loadpoints if p < priority))


def effect(*commands: Any, **values: Any) -> float:
    given_: dict[str, Any] = {
        "is_enabled": True,
        "is_charging": True,
        "is_ramping": False,
        "current_a": 10.0,
        "drawn_a": 10.0,
        "power_w": 6900.0,
        "phases": 3,
        "voltage_v": 230.0,
    }
    about = {**given_, **values}
    found = effect_of(commands, drawn=measured(about.pop("power_w")), **about)
    assert found.least_w == found.most_w  # what is measured leaves no doubt
    return found.most_w


@pytest.mark.rule("DEF-49")
def test_predicted_effect_of_commands() -> None:
    assert effect(SetCurrent(12.0)) == 1380
    assert effect(SetCurrent(8.0)) == -1380
    assert effect(Disable()) == -6900
    assert effect(Disable(), SwitchPhases(1)) == -6900
    off = {"is_enabled": False, "is_charging": False, "current_a": None, "drawn_a": 0.0, "power_w": 0.0}
    assert effect(SetCurrent(6.0), Enable(), **off) == 4140
    assert effect(SwitchPhases(1), SetCurrent(6.0), Enable(), **off) == 1380


@pytest.mark.rule("DEF-49")
def test_car_that_does_not_use_its_limit_does_not_take_more() -> None:
    assert effect(SetCurrent(12.0), drawn_a=5.0) == 0
    assert effect(SetCurrent(8.0), drawn_a=5.0) == 0
    assert effect(SetCurrent(12.0), is_charging=False) == 0
    assert effect(SetCurrent(12.0), is_charging=False, is_ramping=True, power_w=0.0) == 8280
    assert effect(SetCurrent(12.0), drawn_a=None, current_a=None) == 0


@pytest.mark.rule("DEF-49")
def test_effect_stands_until_the_meter_can_show_it() -> None:
    charger = ChargerState(is_enabled=True, enable_changed_at=10 * S, wake_timer=10 * S)
    lp = LoadpointState(LoadpointSettings(), charger, effect=Effect(4140.0, 4140.0), effect_at=10 * S)
    assert outstanding(lp, sampled_at=10 * S, instant=10 * S) == 4140
    assert outstanding(lp, sampled_at=20 * S, instant=20 * S) == 4140  # the car has not begun to draw
    assert outstanding(lp, sampled_at=40 * S, instant=40 * S) == 0
    lp.charger = ChargerState(is_enabled=True, enable_changed_at=10 * S)
    assert outstanding(lp, sampled_at=20 * S, instant=20 * S) == 0
    assert outstanding(LoadpointState(LoadpointSettings(), charger), sampled_at=0 * S, instant=0 * S) == 0
