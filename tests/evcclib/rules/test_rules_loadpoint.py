"""One loadpoint from start-up to disconnect: status, measuring, switching, waking."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bench import NOON, Bench, loadpoint, run, site_config
from rules_bench import CAR, HOUR, ZERO, A, B, C, home, names, shown

from evcclib.commands import (
    Disable,
    Enable,
    SetCurrent,
    SwitchPhases,
    WakeCharger,
    WakeVehicle,
)
from evcclib.config import Actions, VehicleConfig
from evcclib.events import (
    ChargeStarted,
    VehicleConnected,
    VehicleDisconnected,
    Warned,
    WarningCode,
)
from evcclib.machines.surplus import RESTING, Waiting
from evcclib.model import Cause, ChargeMode, ChargerStatus, TariffKind
from evcclib.readings import Measured, MeterReading, Missing, VehicleReading
from evcclib.reasons import ReasonCode
from evcclib.site import step
from evcclib.tariff import Rate, Rates
from evcclib.units import ORIGIN


@pytest.mark.rule("LP-1", "PH-13")
def test_switchable_charger_starts_with_an_unknown_number_of_phases() -> None:
    assert shown(home(phases=1)).phases_enabled == 1
    assert shown(home(phases=0)).phases_enabled == 3
    switchable = home(can_switch_phases=True)
    assert shown(switchable).phases_enabled == 0
    assert shown(switchable).phases_active == 3


@pytest.mark.rule("LP-2")
def test_everything_can_be_seen_before_the_first_step() -> None:
    view = shown(home(CAR, title="Carport", vehicle="zoe", current_min_a=8.0, mode=ChargeMode.PV))
    assert view.title == "Carport"
    assert view.settings.mode is ChargeMode.PV
    assert view.settings.current_min_a == 8.0
    assert (view.vehicle, view.vehicle_title, view.vehicle_capacity_kwh) == ("zoe", "Zoe", 60.0)
    assert view.status is None
    assert not view.is_connected
    assert not view.vehicle_detection_is_active
    assert view.reason.code is ReasonCode.STARTING


@pytest.mark.rule("LP-3")
def test_charger_that_is_found_enabled_is_believed_and_offered_the_minimum() -> None:
    bench = home(status=C, mode=ChargeMode.PV)
    bench.box.is_enabled = True
    bench.box.offered_a = 16.0
    bench.grid_w = 5000.0
    assert SetCurrent(6.0) in bench.at(0)
    assert bench.lp.charger.is_enabled
    assert bench.lp.charger.guard == ZERO


@pytest.mark.rule("LP-3")
def test_charger_that_is_found_disabled_is_left_alone() -> None:
    bench = home(status=A)
    assert bench.at(0) == ()
    assert not bench.lp.charger.is_enabled


@pytest.mark.rule("LP-3", "SYN-3", "DEF-6", "INV-5")
def test_charger_that_is_found_charging_though_disabled_is_told_at_once() -> None:
    """There was no command of ours that it could still be working on."""
    bench = home(status=C)
    bench.box.starts = False
    assert bench.at(0) == (Disable(),)


@pytest.mark.rule("LP-4", "EV-5", "EV-2")
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (A, [VehicleDisconnected(0, True)]),
        (B, [VehicleConnected(0, True)]),
        (C, [VehicleConnected(0, True), ChargeStarted(0)]),
    ],
)
def test_first_status_is_told_as_found_at_start(status: ChargerStatus, expected: list[object]) -> None:
    bench = home(status=status)
    bench.at(0)
    kinds = (VehicleConnected, ChargeStarted, VehicleDisconnected)
    assert [event for event in bench.events if isinstance(event, kinds)] == expected


@pytest.mark.rule("EV-2", "EV-5")
def test_transitions_are_told_in_order() -> None:
    bench = home(status=A)
    bench.box.starts = False
    bench.at(0)
    for second, status in enumerate((C, A, B, C, B, A), start=1):
        bench.box.status = status
        bench.at(second * 10)
    assert names(bench)[1:] == [
        "VehicleConnected",
        "ChargeStarted",
        "ChargeStopped",
        "VehicleDisconnected",
        "VehicleConnected",
        "ChargeStarted",
        "ChargeStopped",
        "VehicleDisconnected",
    ]
    assert not any(event.is_startup for event in bench.events if isinstance(event, VehicleConnected))


@pytest.mark.rule("LP-17", "DEF-29", "DEF-47")
@pytest.mark.parametrize("status", [None, ChargerStatus.E, ChargerStatus.F])
def test_charger_without_a_usable_status_is_marked_and_comes_back_by_itself(status: ChargerStatus | None) -> None:
    bench = home(status=B, mode=ChargeMode.NOW)
    bench.at(0)
    bench.at(10)
    bench.box.status = status
    bench.events.clear()
    bench.at(20)
    code = WarningCode.CHARGER_SILENT if status is None else WarningCode.CHARGER_FAULT
    assert Warned(code, 0) in bench.events
    assert bench.lp.reason.code is (ReasonCode.CHARGER_SILENT if status is None else ReasonCode.CHARGER_FAULT)
    bench.set("mode", ChargeMode.OFF)
    assert bench.at(30) == ()
    assert "VehicleDisconnected" not in names(bench)
    bench.box.status = C
    assert bench.at(40) == (Disable(),)
    recovered = [
        event for event in bench.found(Warned) if isinstance(event, Warned) and event.code is WarningCode.RECOVERED
    ]
    assert recovered == [Warned(WarningCode.RECOVERED, 0, {"code": code.value})]


@pytest.mark.rule("LP-17", "DEF-47")
def test_status_counts_until_it_is_too_old() -> None:
    bench = home(status=B, mode=ChargeMode.NOW)
    bench.at(0)
    bench.at(10)
    readings = bench.readings()
    bench.t = timedelta(seconds=40)
    bench.step(readings=readings)
    assert bench.lp.reason.code is not ReasonCode.CHARGER_SILENT
    bench.t = timedelta(seconds=40.000001)
    bench.step(readings=readings)
    assert bench.lp.reason.code is ReasonCode.CHARGER_SILENT


@pytest.mark.rule("LP-11", "LP-25", "DEF-26", "SITE-4", "LP-19")
def test_mode_that_a_vehicle_brings_acts_in_the_same_step() -> None:
    sporty = VehicleConfig(name="zoe", identifiers=("1",), on_identify=Actions(mode=ChargeMode.NOW))
    bench = home(sporty, has_identity=True)
    bench.at(0)
    bench.box.status = B
    bench.box.extra["identity"] = Measured("1", ORIGIN)
    assert bench.at(10) == (SetCurrent(16.0), Enable())


@pytest.mark.rule("LP-12", "MEA-6")
def test_voltages_tell_the_phases_of_a_fixed_charger() -> None:
    bench = home(phases=3, status=B)
    bench.box.extra["voltages_v"] = Measured((230.0, 0.0, 0.0), ORIGIN)
    bench.at(0)
    assert shown(bench).phases_enabled == 1
    assert shown(bench).voltages_v == (230.0, 0.0, 0.0)
    bench.box.extra["voltages_v"] = Measured((230.0, 231.0, 229.0), ORIGIN)
    bench.at(10)
    assert shown(bench).phases_enabled == 3


@pytest.mark.rule("LP-13", "MEA-4", "MEA-5")
def test_currents_tell_the_phases_in_use_until_the_vehicle_leaves() -> None:
    bench = home(status=B, mode=ChargeMode.NOW)
    bench.box.car_phases = 2
    bench.box.shows_currents = True
    bench.at(0)
    bench.at(10)
    assert shown(bench).phases_active == 2
    assert shown(bench).currents_a == (16.0, 16.0, 0.0)
    bench.box.currents_a = (1.0, 1.0, 0.0)
    bench.at(20)
    assert shown(bench).phases_active == 2
    bench.box.currents_a = None
    bench.box.status = A
    bench.at(30)
    assert shown(bench).phases_active == 3


@pytest.mark.rule("MEA-3", "PV-2")
def test_currents_that_cannot_be_read_are_unknown() -> None:
    bench = home(status=B, mode=ChargeMode.PV)
    bench.box.shows_currents = True
    run(bench, range(0, 60, 10), sun_w=8000)
    bench.box.extra["currents_a"] = Missing(bench.t)
    bench.at(60)
    assert shown(bench).currents_a is None
    assert shown(bench).phases_active == 3


@pytest.mark.rule("MEA-3", "SITE-8", "MET-5", "DEF-48")
def test_what_was_read_long_ago_is_not_shown_as_present() -> None:
    """Who hands readings over keeps the last value of each, however old it is."""
    bench = home(status=B, mode=ChargeMode.NOW, has_duration=True)
    bench.box.extra = {
        "currents_a": Measured((6.0, 0.0, 0.0), ORIGIN),
        "voltages_v": Measured((230.0, 230.0, 230.0), ORIGIN),
        "charge_duration": Measured(HOUR, ORIGIN),
    }
    triple = Measured((100.0, 200.0, 300.0), ORIGIN)
    bench.grid = MeterReading(power_w=Measured(600.0, ORIGIN), powers_w=triple, currents_a=triple)
    bench.at(0)
    assert shown(bench).currents_a == (6.0, 0.0, 0.0)
    assert shown(bench).charge_duration == HOUR
    assert bench.site.view(now=bench.now).grid_powers_w == (100.0, 200.0, 300.0)
    bench.at(10)
    bench.at(40)
    found, site = shown(bench), bench.site.view(now=bench.now)
    assert (found.currents_a, found.voltages_v) == (None, None)
    assert (site.grid_powers_w, site.grid_currents_a) == (None, None)
    assert found.charge_duration < HOUR


@pytest.mark.rule("LP-14", "LP-18", "DEF-30", "EV-4")
def test_offered_current_is_zero_while_disabled() -> None:
    bench = home(status=B, mode=ChargeMode.NOW)
    bench.at(0)
    assert shown(bench).current_offered_a == 16.0
    bench.set("mode", ChargeMode.OFF)
    bench.at(10)
    assert not shown(bench).is_enabled
    assert shown(bench).current_offered_a == 0


@pytest.mark.rule("MEA-1", "DEF-48", "U-4")
def test_charge_power_keeps_its_value_until_it_is_too_old() -> None:
    bench = home(status=C, mode=ChargeMode.NOW)
    bench.box.is_enabled = True
    bench.box.power_w = 7000.0
    bench.at(0)
    bench.box.extra["power_w"] = Missing(ORIGIN)
    bench.at(30)
    assert shown(bench).charge_power_w == 7000.0
    bench.at(30.000001)
    assert shown(bench).charge_power_w is None


@pytest.mark.rule("U-4", "MEA-1")
def test_negative_charge_power_is_shown_and_charges_nothing() -> None:
    bench = home(status=C, mode=ChargeMode.NOW)
    bench.box.is_enabled = True
    bench.box.power_w = -50.0
    for seconds in range(0, 3600, 600):
        bench.at(seconds)
    assert shown(bench).charge_power_w == -50.0
    assert shown(bench).energy_charged_kwh == 0.0


@pytest.mark.rule("LP-21", "SYN-1", "SYN-2")
def test_charger_that_was_switched_by_somebody_else_is_told_again_after_a_minute() -> None:
    bench = home(status=B, mode=ChargeMode.NOW)
    bench.box.starts = False
    bench.at(0)
    bench.box.is_enabled = False
    bench.at(50)
    assert bench.lp.charger.is_enabled
    assert Enable() in bench.at(70)
    assert bench.box.is_enabled


@pytest.mark.rule("LP-22", "STR-1", "DEF-6", "INV-3")
def test_unplugging_switches_off_without_waiting_for_the_guard() -> None:
    bench = home(status=B, mode=ChargeMode.NOW)
    bench.at(0)
    bench.at(10)
    bench.box.status = A
    assert bench.at(20) == (Disable(),)
    for seconds in range(30, 300, 10):
        assert bench.at(seconds) == ()


@pytest.mark.rule("STR-2", "PH-11", "INV-1")
def test_locked_phases_are_set_before_anything_else_even_when_off() -> None:
    bench = home(status=B, can_switch_phases=True)
    bench.at(0)
    bench.set("phases_configured", 1)
    assert bench.at(10) == (SwitchPhases(1),)
    bench.set("mode", ChargeMode.NOW)
    bench.at(20)
    bench.set("phases_configured", 3)
    assert bench.at(30) == (Disable(), SwitchPhases(3))
    assert bench.at(40) == (SetCurrent(16.0), Enable())


@pytest.mark.rule("LP-23", "WAKE-1", "WAKE-2")
def test_sleeping_vehicle_is_woken_once() -> None:
    sleepy = VehicleConfig(name="zoe", has_wakeup=True)
    bench = home(sleepy, vehicle="zoe", status=B, mode=ChargeMode.NOW, has_wakeup=True)
    bench.box.starts = False
    sent = {seconds: commands for seconds in range(0, 120, 10) if (commands := bench.at(seconds))}
    assert sent == {0: (SetCurrent(16.0), Enable()), 30: (WakeCharger(), WakeVehicle("zoe"))}


@pytest.mark.rule("PV-1", "PH-8")
def test_phases_are_settled_before_the_current() -> None:
    bench = home(status=B, mode=ChargeMode.PV, can_switch_phases=True)
    sent = run(bench, range(0, 30, 10), sun_w=2000.0)
    assert sent[0] == (SwitchPhases(1),)
    assert sent[10] == (SetCurrent(6.0), Enable())


@pytest.mark.rule("CUT-1")
def test_step_leaves_its_readings_and_its_state_alone() -> None:
    bench = home(status=B, mode=ChargeMode.NOW)
    bench.at(0)
    state = bench.site.state
    before = state.copy()
    readings = bench.readings()
    later, decision = step(bench.config, state, readings, now=bench.now, cause=Cause.INTERVAL)
    assert state.loadpoints == before.loadpoints
    again, same = step(bench.config, state, readings, now=bench.now, cause=Cause.INTERVAL)
    assert (again.loadpoints, same) == (later.loadpoints, decision)


@pytest.mark.rule("PV-4", "N-3")
def test_sun_for_exactly_the_minimum_is_enough() -> None:
    bench = home(status=B, mode=ChargeMode.PV)
    run(bench, range(0, 600, 10), sun_w=3 * 6 * 230.0)
    assert bench.lp.charger.is_enabled
    assert bench.lp.memory.timer == RESTING
    run(bench, range(600, 620, 10), sun_w=3 * 6 * 230.0 - 0.1)
    assert isinstance(bench.lp.memory.timer, Waiting)


@pytest.mark.rule("PRIO-1", "DEF-20", "STR-8")
def test_what_charges_by_a_plan_gives_nothing_up() -> None:
    bench = Bench(site_config(loadpoint(phases=3, vehicle="zoe"), loadpoint(phases=3, priority=1), vehicles=(CAR,)))
    bench.vehicles = {"zoe": VehicleReading(soc_pct=Measured(40.0, ORIGIN))}
    for box in bench.boxes:
        box.status = B
    bench.set("target_time", NOON + HOUR, 0)
    run(bench, range(0, 600, 10), sun_w=5000.0)
    first, second = bench.site.state.loadpoints
    assert first.plan.is_active
    assert first.charger.is_enabled
    assert not second.charger.is_enabled


@pytest.mark.rule("PRIO-1", "DEF-20", "STR-8")
def test_what_charges_for_a_low_price_gives_nothing_up() -> None:
    bench = Bench(site_config(loadpoint(phases=3), loadpoint(phases=3, priority=1)))
    bench.tariffs = {TariffKind.GRID: Rates((Rate(NOON, NOON + HOUR, 0.10),))}
    for box in bench.boxes:
        box.status = B
    bench.set("smart_cost_limit", 0.10, 0)
    run(bench, range(0, 600, 10), sun_w=5000.0)
    first, second = bench.site.state.loadpoints
    assert (first.reason.code, first.charger.current_a) == (ReasonCode.SMART_COST, 16.0)
    assert not second.charger.is_enabled


@pytest.mark.rule("SITE-4", "SITE-3", "LP-25", "ACT-1")
def test_mode_that_a_vehicle_brings_acts_between_two_ticks_too() -> None:
    sporty = VehicleConfig(name="zoe", identifiers=("1",), on_identify=Actions(mode=ChargeMode.NOW))
    bench = home(sporty, has_identity=True)
    bench.at(0)
    bench.box.status = B
    bench.box.extra["identity"] = Measured("1", ORIGIN)
    assert bench.at(3, Cause.STATUS) == (SetCurrent(16.0), Enable())


@pytest.mark.rule("WAKE-1", "SYN-2")
def test_vehicle_has_all_its_time_when_somebody_else_had_switched_off_before() -> None:
    sleepy = VehicleConfig(name="zoe", has_wakeup=True)
    bench = home(sleepy, vehicle="zoe", status=B, mode=ChargeMode.PV)
    run(bench, range(0, 100, 10), sun_w=5000.0)
    bench.box.is_enabled, bench.box.status, bench.box.starts = False, B, False
    assert not run(bench, range(100, 200, 10), sun_w=0.0)
    bench.set("mode", ChargeMode.NOW)
    sent = run(bench, range(200, 300, 10))
    assert sent == {200: (SetCurrent(16.0), Enable()), 230: (WakeVehicle("zoe"),)}
