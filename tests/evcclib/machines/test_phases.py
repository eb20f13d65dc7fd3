"""Counting phases, and switching between one and three."""

from __future__ import annotations

from datetime import timedelta
from math import isnan, nan
from typing import Any

import pytest

from evcclib.machines.phases import (
    AT_REST,
    IDLE_DOUBLINGS,
    Narrowed,
    Scaling,
    active_phases,
    active_phases_max,
    narrow,
    patience,
    phases_in_use,
    phases_with_voltage,
    scale,
    widening_wait,
    with_rest,
)
from evcclib.model import PhaseAction

S: Any = timedelta(seconds=1)


@pytest.mark.rule("MEA-3", "MEA-4")
@pytest.mark.parametrize(
    ("power_w", "currents_a", "count"),
    [
        (1410.0, (6.13, 0.0, 0.0), 1),
        (1290.0, (6.13, 0.0, 0.0), 1),  # a power factor below 1
        (1530.0, (6.13, 0.0, 0.0), 1),  # 250 V
        (4230.0, (6.13, 6.13, 6.13), 3),
        (0.0, (6.13, 0.0, 0.0), 1),
    ],
)
def test_phases_of_which_nothing_is_known_carry_what_the_power_leaves(
    power_w: float, currents_a: tuple[float, float, float], count: int
) -> None:
    found = with_rest((6.13, nan, nan), power_w, 230.0)
    assert found is not None
    assert found == pytest.approx(currents_a, abs=0.01)
    assert phases_in_use(found) == count


@pytest.mark.rule("MEA-3", "MEA-4", "MEA-6")
def test_without_a_power_a_phase_that_is_not_known_stays_so_and_nothing_is_counted() -> None:
    found = with_rest((nan, 6.13, nan), None, 230.0)
    assert found is not None
    assert (isnan(found[0]), found[1], isnan(found[2])) == (True, 6.13, True)
    assert phases_in_use(found) == 0
    assert with_rest((nan, nan, nan), 4000.0, 230.0) is None
    assert with_rest((1.0, 2.0, 3.0), 4000.0, 230.0) == (1.0, 2.0, 3.0)
    assert phases_with_voltage((230.0, nan, nan)) == 0
    assert phases_with_voltage((230.0, 230.0, nan)) == 3
    assert phases_with_voltage((nan, 0.0, 0.0)) == 0


@pytest.mark.rule("PH-1", "PH-2", "PH-3", "PH-4")
@pytest.mark.parametrize(
    ("is_switchable", "configured", "physical", "vehicle", "measured", "active", "most"),
    [
        (True, 0, 1, 2, 0, 1, 2),
        (False, 3, 3, 0, 1, 1, 1),
        (True, 0, 3, 2, 2, 2, 2),
        (True, 0, 0, 0, 0, 3, 3),
        (True, 0, 1, 0, 1, 1, 3),
        (True, 0, 1, 1, 1, 1, 1),
        (True, 1, 1, 0, 0, 1, 1),
        (True, 3, 3, 0, 0, 3, 3),
        (False, 1, 1, 3, 0, 1, 1),
        (True, 0, 3, 1, 3, 1, 1),
    ],
)
def test_active_and_most_phases(
    is_switchable: bool, configured: int, physical: int, vehicle: int, measured: int, active: int, most: int
) -> None:
    assert active_phases(vehicle=vehicle, physical=physical, measured=measured) == active
    counted = active_phases_max(
        vehicle=vehicle, physical=physical, measured=measured, configured=configured, is_switchable=is_switchable
    )
    assert counted == most


@pytest.mark.rule("MEA-4")
def test_phase_is_in_use_above_one_ampere() -> None:
    assert phases_in_use((1.0, 1.01, 6.0)) == 2
    assert phases_in_use((0.0, 0.0, 0.0)) == 0


@pytest.mark.rule("MEA-6", "DEF-31")
@pytest.mark.parametrize(
    ("voltages", "phases"),
    [
        ((230, 0, 0), 1),
        ((207, 206.9, 0), 1),
        ((230, 230, 230), 3),
        ((230, 230, 0), 3),
        ((0, 0, 230), 3),
        ((206, 0, 0), 0),
    ],
)
def test_voltage_tells_the_phases(voltages: tuple[float, float, float], phases: int) -> None:
    assert phases_with_voltage(voltages) == phases


def scaled(previous: Scaling = AT_REST, **values: Any) -> Scaling:
    given: dict[str, Any] = {
        "instant": 100 * S,
        "site_power_w": 100.0,
        "voltage_v": 230.0,
        "active": 3,
        "active_max": 3,
        "physical": 3,
        "configured": 0,
        "current_min_a": 6.0,
        "current_max_a": 16.0,
        "enable_delay": 60 * S,
        "disable_delay": 180 * S,
        "is_enabled": True,
        "is_charging": True,
        "idle_switches": 0,
    }
    available_w = values.pop("available_w")
    known = {"available_least_w": available_w, "available_most_w": available_w}
    return scale(previous, **{**given, **known, **values})


@pytest.mark.rule("PH-6", "PH-7")
def test_down_when_the_minimum_is_not_there_on_all_phases() -> None:
    started = scaled(available_w=4139)
    assert started == Scaling(100 * S, PhaseAction.SCALE_1P, False)
    assert started.phases == 1
    assert not scaled(started, available_w=4139, instant=280 * S - timedelta(microseconds=1)).is_due
    assert scaled(started, available_w=4139, instant=280 * S).is_due
    assert scaled(started, available_w=4140, instant=280 * S) is AT_REST


@pytest.mark.rule("PH-6", "PH-7")
def test_up_when_one_phase_is_full_and_the_minimum_is_there_on_all() -> None:
    one: dict[str, Any] = {"active": 1, "physical": 1, "site_power_w": -500.0}
    started = scaled(available_w=4140, **one)
    assert started == Scaling(100 * S, PhaseAction.SCALE_3P, False)
    assert started.phases == 3
    assert scaled(started, available_w=4140, instant=160 * S, **one).is_due
    assert scaled(available_w=4139, **one) is AT_REST
    assert scaled(available_w=3 * 230 * 8, current_max_a=24.0, **one) is AT_REST
    assert scaled(available_w=9000, active=1, physical=3, active_max=1) is AT_REST


@pytest.mark.rule("PH-11")
def test_locked_count_is_not_left() -> None:
    assert scaled(available_w=0, configured=3) is AT_REST
    assert scaled(available_w=9000, configured=1, active=1, active_max=1, physical=1) is AT_REST


@pytest.mark.rule("DEF-3")
def test_car_that_draws_less_than_offered_is_not_scaled_down_while_power_is_exported() -> None:
    assert scaled(available_w=3000, site_power_w=-500) is AT_REST
    assert scaled(available_w=3000, site_power_w=0) is AT_REST
    assert scaled(available_w=3000, site_power_w=-3000, is_enabled=False, is_charging=False).is_due


@pytest.mark.rule("DEF-3", "PH-7")
def test_nothing_is_waited_for_while_nothing_charges() -> None:
    assert scaled(available_w=3000, is_charging=False).is_due
    assert scaled(available_w=5000, active=1, physical=1, is_charging=False).is_due


@pytest.mark.rule("PH-7")
def test_switches_in_vain_wait_for_their_delay_and_then_twice_as_long_each_time() -> None:
    waits = [patience(180 * S, is_charging=False, idle_switches=count) for count in range(9)]
    longest = 180 * S * 2**IDLE_DOUBLINGS
    assert waits == [0 * S, 0 * S, 180 * S, 360 * S, 720 * S, 1440 * S, 2880 * S, longest, longest]
    assert patience(0 * S, is_charging=False, idle_switches=2) == 60 * S
    assert patience(180 * S, is_charging=True, idle_switches=9) == 180 * S
    idle: dict[str, Any] = {"is_charging": False, "idle_switches": 3}
    started = scaled(available_w=3000, **idle)
    assert started == Scaling(100 * S, PhaseAction.SCALE_1P, False)
    assert not scaled(started, available_w=3000, instant=459 * S, **idle).is_due
    assert scaled(started, available_w=3000, instant=460 * S, **idle).is_due


@pytest.mark.rule("PH-6", "MEA-2")
def test_up_by_the_least_and_down_by_the_most_that_may_be_drawn() -> None:
    one: dict[str, Any] = {"active": 1, "physical": 1, "site_power_w": -1700.0}
    assert scaled(available_w=0, available_least_w=4139.0, available_most_w=9000.0, **one) is AT_REST
    assert scaled(available_w=0, available_least_w=4140.0, available_most_w=9000.0, **one).phases == 3
    assert scaled(available_w=0, available_least_w=0.0, available_most_w=4140.0) is AT_REST
    assert scaled(available_w=0, available_least_w=0.0, available_most_w=4139.0).phases == 1


@pytest.mark.rule("DEF-9")
def test_change_of_direction_starts_the_delay_anew() -> None:
    up = Scaling(0 * S, PhaseAction.SCALE_3P, False)
    assert scaled(up, available_w=1000) == Scaling(100 * S, PhaseAction.SCALE_1P, False)


WAIT = widening_wait(60 * S, 180 * S)


#                          seconds, fits, physical, leaves one phase only
NARROW_AND_WIDE_AGAIN = [
    (0, True, 3, False),
    (10, False, 3, True),  # at once
    (20, True, 1, True),
    (250, False, 1, True),  # starts the wait anew
    (260, True, 1, True),
    (499, True, 1, True),
    (500, True, 1, False),
]


@pytest.mark.rule("PH-7", "N-3")
def test_limit_narrows_at_once_and_widens_after_both_delays() -> None:
    state: Narrowed | None = None
    for second, fits, physical, is_narrow in NARROW_AND_WIDE_AGAIN:
        state = narrow(state, "house", instant=second * S, fits=fits, physical=physical, wait=WAIT)
        assert (state is not None) is is_narrow, second
    assert WAIT == 240 * S
    assert widening_wait(0 * S, 0 * S) == 60 * S  # a relay is spared whatever the delays say


@pytest.mark.rule("PH-7")
def test_who_is_still_on_all_phases_need_not_wait_to_stay_there() -> None:
    narrowed = Narrowed("house", None)
    assert narrow(narrowed, None, instant=0 * S, fits=True, physical=3, wait=WAIT) is None
    assert narrow(None, None, instant=0 * S, fits=True, physical=1, wait=WAIT) is None
    assert narrow(narrowed, None, instant=7 * S, fits=True, physical=1, wait=WAIT) == Narrowed("house", 7 * S)
