"""One loadpoint in the step: what is observed, which events follow, which reason to charge wins."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bench import NOON, Bench, loadpoint, run, site_config

from evcclib.commands import (
    Disable,
    Enable,
    Outcome,
    Read,
    Result,
    SetCurrent,
    SwitchPhases,
    VehicleRead,
    WakeCharger,
    WakeVehicle,
)
from evcclib.config import Actions, PollConfig, VehicleConfig
from evcclib.errors import UnknownTarget
from evcclib.events import (
    ChargeStarted,
    ChargeStopped,
    GuestFound,
    SessionChanged,
    SettingChanged,
    SocProgressed,
    VehicleAssigned,
    VehicleConnected,
    VehicleDisconnected,
    Warned,
    WarningCode,
)
from evcclib.hold import ELAPSED
from evcclib.model import Cause, ChargeMode, ChargerStatus, PollMode, RemoteDemand, TariffKind, VehicleFeature
from evcclib.readings import Measured, Missing, VehicleReading
from evcclib.reasons import ReasonCode
from evcclib.requests import AssignVehicle, ChangeVehicleSetting, DemandRemotely
from evcclib.settings import Scope
from evcclib.site import priority_of
from evcclib.tariff import Rate, Rates

A, B, C, E, F = ChargerStatus.A, ChargerStatus.B, ChargerStatus.C, ChargerStatus.E, ChargerStatus.F
OFF, NOW, MINPV, PV = ChargeMode
S = timedelta(seconds=1)
HOUR = timedelta(hours=1)
CAR = VehicleConfig(name="car", title="Car", capacity_kwh=54.0, has_soc=True)


def bench(
    mode: ChargeMode = PV, *, status: ChargerStatus | None = B, cars: tuple[VehicleConfig, ...] = (), **values: Any
) -> Bench:
    values.setdefault("phases", 3)
    found = Bench(site_config(loadpoint(mode=mode, **values), vehicles=cars))
    found.box.status = status
    return found


def with_soc(site: Bench, soc: float | None, name: str = "car", **values: Any) -> None:
    reading = Missing(site.t) if soc is None else Measured(soc, site.t)
    site.vehicles[name] = VehicleReading(soc_pct=reading, **values)


def reason(site: Bench) -> ReasonCode:
    return site.lp.reason.code


# --- status ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule("EV-2", "EV-3", "EV-5", "EV-10", "LP-4")
def test_connect_found_at_start_is_marked_as_such() -> None:
    site = bench(OFF)
    site.at(0)
    assert site.found(VehicleConnected) == [VehicleConnected(0, True)]
    site.box.status = A
    site.at(10)
    site.box.status = C
    site.at(20)
    order = [type(event) for event in site.events if isinstance(event, VehicleConnected | ChargeStarted)]
    assert order[-2:] == [VehicleConnected, ChargeStarted]
    assert site.found(VehicleConnected)[-1] == VehicleConnected(0, False)
    assert site.found(VehicleDisconnected) == [VehicleDisconnected(0, False)]
    assert site.lp.connected_at == 20 * S


@pytest.mark.rule("LP-4", "EV-5")
def test_no_vehicle_at_start_is_a_silent_disconnect() -> None:
    site = bench(OFF, status=A)
    site.at(0)
    assert site.found(VehicleDisconnected) == [VehicleDisconnected(0, True)]


@pytest.mark.rule("EV-11", "EV-12", "SES-5")
def test_session_is_stored_at_start_and_stop_and_dropped_at_disconnect() -> None:
    site = bench(NOW)
    site.box.starts = False
    site.at(0)
    assert site.lp.session is not None and not site.found(SessionChanged)
    site.box.status = C
    site.at(10)
    started = site.found(SessionChanged)[-1]
    assert isinstance(started, SessionChanged)
    assert (started.session.created, started.session.finished) == (NOON + 10 * S, None)
    site.at(3610)
    site.box.status = B
    site.at(3610)
    stopped = site.found(SessionChanged)[-1]
    assert isinstance(stopped, SessionChanged)
    assert stopped.session.finished == NOON + 3610 * S
    assert stopped.session.energy_charged_kwh == pytest.approx(11.04, abs=0.05)
    assert len(site.found(ChargeStopped)) == 1
    site.box.status = A
    count = len(site.found(SessionChanged))
    site.at(3620)
    assert site.lp.session is None and len(site.found(SessionChanged)) == count


@pytest.mark.rule("EV-10", "PVT-3")
def test_connect_makes_the_first_decision_immediate() -> None:
    site = bench(status=A)
    site.grid_w = -5000
    site.at(0)
    site.box.status = B
    assert site.at(10) == (SetCurrent(6.0), Enable())


@pytest.mark.rule("EV-12", "PVT-2")
@pytest.mark.parametrize(("timer", "later"), [(5 * S, None), (ELAPSED, ELAPSED)])
def test_stop_resets_a_running_timer_only(timer: timedelta, later: timedelta | None) -> None:
    site = bench()
    site.box.is_enabled, site.box.offered_a, site.box.status = True, 6.0, C
    site.grid_w = 0.0
    site.at(0)
    site.at(10)
    site.lp.pv_timer = timer
    site.box.status = B
    site.at(15, Cause.STATUS)
    assert site.lp.pv_timer == later


@pytest.mark.rule("EV-13", "DEF-33")
def test_disconnect_forgets_what_belonged_to_the_visit() -> None:
    site = bench(OFF)
    site.at(0)
    site.set("energy_target_kwh", 10)
    site.set("soc_min_pct", 30)
    site.set("target_time", NOON + HOUR)
    site.lp.measured_phases = 1
    site.box.status = A
    site.at(10)
    settings = site.lp.settings
    assert (settings.energy_target_kwh, settings.soc_min_pct, settings.soc_target_pct) == (0, 0, 100)
    assert settings.target_time is None
    assert site.lp.measured_phases == 0
    assert SettingChanged(Scope.LOADPOINT, 0, "target_time", None) in site.events


@pytest.mark.rule("LP-17", "DEF-29", "EV-1")
@pytest.mark.parametrize("status", [E, F])
def test_fault_holds_everything_and_is_no_disconnect(status: ChargerStatus) -> None:
    site = bench(NOW)
    site.at(0)
    site.box.status = status
    assert site.at(10) == ()
    assert reason(site) is ReasonCode.CHARGER_FAULT
    assert Warned(WarningCode.CHARGER_FAULT, 0) in site.events
    assert not site.found(VehicleDisconnected)
    site.box.status = C
    site.at(20)
    assert site.events[-1] == Warned(WarningCode.RECOVERED, 0, {"code": "charger_fault"})
    assert reason(site) is ReasonCode.MODE_NOW


@pytest.mark.rule("LP-17", "DEF-47", "SITE-18")
def test_silent_charger_is_marked_left_alone_and_comes_back() -> None:
    site = bench(NOW)
    site.at(0)
    site.box.status = None
    site.set("mode", OFF)
    assert site.at(10) == ()
    assert reason(site) is ReasonCode.CHARGER_SILENT
    assert Warned(WarningCode.CHARGER_SILENT, 0) in site.events
    site.box.status = C
    assert site.at(20) == (Disable(),)


@pytest.mark.rule("LP-17", "DEF-47")
def test_old_status_is_silence() -> None:
    site = bench(NOW)
    readings = site.readings()
    site.step(readings=readings)
    site.t = 30 * S
    fresh = site.readings()
    site.step(readings=replace(fresh, chargers=readings.chargers))
    assert not site.lp.is_silent
    site.t = 31 * S
    fresh = site.readings()
    site.step(readings=replace(fresh, chargers=readings.chargers))
    assert site.lp.is_silent


@pytest.mark.rule("CUT-5", "LP-18")
def test_missing_charger_reading_is_silence() -> None:
    site = bench(NOW)
    site.step(readings=replace(site.readings(), chargers=()))
    assert reason(site) is ReasonCode.CHARGER_SILENT


# --- measurements ---------------------------------------------------------------------------------------------------


@pytest.mark.rule("MEA-2", "EV-4", "EV-14", "LP-14")
def test_without_a_power_meter_the_offered_current_counts() -> None:
    site = bench(NOW, has_power=False)
    site.at(0)
    site.at(10)
    view = site.site.view(now=site.now).loadpoints[0]
    assert (view.charge_power_w, view.current_offered_a) == (11040, 16)
    site.box.status = B
    site.at(20)
    assert site.site.view(now=site.now).loadpoints[0].charge_power_w == 0


@pytest.mark.rule("MEA-1", "DEF-48", "U-4")
def test_power_stands_until_it_is_too_old() -> None:
    site = bench(NOW)
    site.at(0)
    site.at(10)
    for second in (20, 30, 40):
        site.box.extra = {"power_w": Missing(site.t)}
        site.at(second)
        assert site.site.view(now=site.now).loadpoints[0].charge_power_w == 11040
    site.at(41)
    assert site.site.view(now=site.now).loadpoints[0].charge_power_w is None
    assert Warned(WarningCode.METER_STALE, None, {"meter": "charge1"}) in site.events
    site.box.extra = {}
    site.at(50)
    assert Warned(WarningCode.RECOVERED, None, {"meter": "charge1"}) in site.events


@pytest.mark.rule("MEA-1", "U-4")
def test_negative_power_is_taken_and_warned_about() -> None:
    site = bench(NOW)
    site.box.power_w = -1.0
    site.at(0)
    assert Warned(WarningCode.NEGATIVE_CHARGE_POWER, 0) not in site.events
    site.box.power_w = -1.1
    site.at(10)
    assert Warned(WarningCode.NEGATIVE_CHARGE_POWER, 0) in site.events
    assert site.lp.ledger.session_kwh == 0


@pytest.mark.rule("MEA-3", "MEA-4", "MEA-5", "LP-13")
def test_phases_are_measured_while_charging() -> None:
    site = bench(NOW)
    site.box.car_phases, site.box.shows_currents = 1, True
    site.at(0)
    site.at(10)
    assert site.lp.measured_phases == 1
    site.box.currents_a = (0.5, 0.2, 0.0)
    site.at(20)
    assert site.lp.measured_phases == 1
    site.box.status = A
    site.at(30)
    assert site.lp.measured_phases == 0


@pytest.mark.rule("DEF-3", "MEA-5")
def test_phases_are_not_measured_while_a_switch_settles_nor_above_the_contactor() -> None:
    site = bench(MINPV, can_switch_phases=True, phases=1)
    site.box.shows_currents = True
    site.grid_w = 0.0
    run(site, [0, 10, 20], sun_w=0)
    assert site.lp.charger.phases == 1
    site.box.currents_a = (6.0, 6.0, 6.0)
    site.at(30)
    assert site.lp.measured_phases == 0  # settling
    site.at(120)
    assert site.lp.measured_phases == 0  # three phases behind a contactor for one
    site.box.currents_a = (6.0, 0.0, 0.0)
    site.at(130)
    assert site.lp.measured_phases == 1


@pytest.mark.rule("MEA-6", "LP-12", "LP-1")
def test_voltages_tell_the_phases_of_a_fixed_charger() -> None:
    site = bench(OFF, phases=3)
    site.box.extra = {"voltages_v": Measured((230.0, 0.0, 0.0), 0 * S)}
    site.at(0)
    assert site.lp.charger.phases == 1
    site.box.extra = {"voltages_v": Measured((0.0, 0.0, 0.0), 0 * S)}
    site.at(10)
    assert site.lp.charger.phases == 1
    switchable = bench(OFF, can_switch_phases=True, phases=0)
    switchable.box.extra = {"voltages_v": Measured((230.0, 0.0, 0.0), 0 * S)}
    switchable.at(0)
    assert switchable.lp.charger.phases == 0


@pytest.mark.rule("PH-1", "PH-9", "LP-1")
def test_charger_that_reports_its_phases_is_believed_once_settled() -> None:
    site = bench(OFF, can_switch_phases=True, phases=0)
    site.box.extra = {"phases": Measured(1, 0 * S)}
    site.at(0)
    assert site.lp.charger.phases == 1
    site.box.extra = {"phases": Measured(2, 10 * S)}
    site.at(10)
    assert site.lp.charger.phases == 1
    site.lp.charger = replace(site.lp.charger, phases_switched_at=10 * S)
    site.box.extra = {"phases": Measured(3, 20 * S)}
    site.at(20)
    assert site.lp.charger.phases == 1
    site.box.extra = {"phases": Measured(3, 70 * S)}
    site.at(70)
    assert site.lp.charger.phases == 3


@pytest.mark.rule("LP-15", "LP-16", "MET-1", "U-9")
@pytest.mark.parametrize(("total", "session", "kwh"), [(True, True, 2.0), (False, True, 1.5), (False, False, 22.08)])
def test_best_counter_counts(total: bool, session: bool, kwh: float) -> None:
    site = bench(NOW, has_energy_total=total, has_energy_session=session)
    site.box.extra = {"energy_total_kwh": Measured(100.0, 0 * S), "energy_session_kwh": Measured(0.0, 0 * S)}
    site.at(0)
    site.at(0)
    site.box.extra = {"energy_total_kwh": Measured(101.0, 3600 * S), "energy_session_kwh": Measured(0.75, 3600 * S)}
    site.at(3600)
    site.box.extra = {"energy_total_kwh": Measured(102.0, 7200 * S), "energy_session_kwh": Measured(1.5, 7200 * S)}
    site.at(7200)
    assert site.lp.ledger.session_kwh == pytest.approx(kwh)


# --- adoption and sync ----------------------------------------------------------------------------------------------


@pytest.mark.rule("LP-3", "DEF-6")
def test_enabled_charger_found_at_start_is_followed_and_never_starts_fast() -> None:
    site = bench(PV, guard_duration=timedelta(0))
    site.box.is_enabled, site.box.offered_a, site.box.status = True, 16.0, C
    site.grid_w = 500.0
    commands = site.at(0)
    assert commands == (Disable(),)
    site = bench(PV)
    site.box.is_enabled, site.box.offered_a, site.box.status = True, 16.0, C
    site.grid_w = -100.0
    assert site.at(0) == (SetCurrent(6.0),)


@pytest.mark.rule("LP-3")
def test_disabled_charger_found_at_start_is_sent_nothing() -> None:
    site = bench(OFF)
    assert site.at(0) == ()


@pytest.mark.rule("LP-21", "SYN-1", "SYN-2", "SYN-4")
def test_charger_that_was_switched_by_somebody_else_is_followed_and_the_law_decides() -> None:
    site = bench(NOW)
    site.at(0)
    site.box.is_enabled, site.box.status = False, B
    assert site.at(30) == ()
    assert site.at(60) == (SetCurrent(16.0), Enable())
    assert Warned(WarningCode.CHARGER_OUT_OF_SYNC, 0) in site.events
    site.at(70)
    assert Warned(WarningCode.RECOVERED, 0, {"code": "charger_out_of_sync"}) in site.events


@pytest.mark.rule("SYN-3", "DEF-6")
def test_car_that_charges_in_mode_off_is_told_to_stop_once() -> None:
    site = bench(OFF)
    site.at(0)
    site.box.status, site.box.starts = C, False
    assert [site.at(t) for t in (60, 70, 80, 120)] == [(Disable(),), (), (), (Disable(),)]


@pytest.mark.rule("SYN-1")
def test_charger_that_never_reports_is_told_explicitly() -> None:
    site = bench(OFF)
    site.box.extra = {"is_enabled": Missing()}
    assert site.at(0) == (Disable(),)
    assert site.at(10) == ()


# --- outcomes -------------------------------------------------------------------------------------------------------


@pytest.mark.rule("CUT-4", "LIM-3")
def test_failed_command_changes_nothing_is_said_once_and_tried_again() -> None:
    site = bench(NOW)
    site.box.result = Result.FAILED
    assert site.at(0) == (SetCurrent(16.0), Enable())
    assert reason(site) is ReasonCode.COMMAND_FAILED
    assert not site.lp.charger.is_enabled
    assert site.at(10) == (SetCurrent(16.0), Enable())
    assert site.events.count(Warned(WarningCode.COMMAND_FAILED, 0, {"error": ""})) == 1
    site.box.result = Result.DONE
    site.at(20)
    assert site.lp.charger.is_enabled
    assert Warned(WarningCode.RECOVERED, 0, {"code": "command_failed"}) in site.events


@pytest.mark.rule("CUT-4")
def test_no_batch_while_one_is_in_flight() -> None:
    site = bench(NOW)
    site.answers_at_once = False
    assert site.at(0) == (SetCurrent(16.0), Enable())
    site.set("mode", OFF)
    assert site.at(10) == ()
    assert reason(site) is ReasonCode.COMMAND_PENDING
    site.outcomes = [Outcome(0, 1, Result.DONE, 2)]
    assert site.at(20) == (Disable(),)


@pytest.mark.rule("CUT-4", "LIM-7")
def test_guard_counts_from_the_time_of_the_command() -> None:
    site = bench(NOW)
    site.answers_at_once = False
    site.at(0)
    site.t = 25 * S
    site.outcomes = [Outcome(0, 1, Result.DONE, 2)]
    site.step(Cause.OUTCOME)
    assert site.lp.charger.guard == 0 * S


@pytest.mark.rule("CUT-4")
def test_unknown_outcome_is_sent_again() -> None:
    site = bench(NOW)
    site.box.result = Result.UNKNOWN
    site.at(0)
    site.box.result = Result.DONE
    assert site.at(10) == (SetCurrent(16.0), Enable())


@pytest.mark.rule("CUT-1", "LP-22", "SITE-1")
@pytest.mark.parametrize("cause", [Cause.SAMPLE, Cause.STATUS, Cause.OVERLOAD, Cause.OUTCOME])
def test_other_causes_take_things_in_and_decide_nothing(cause: Cause) -> None:
    site = bench(NOW, status=A)
    site.at(0)
    site.box.status = B
    assert site.at(5, cause) == ()
    assert site.found(VehicleConnected)
    assert site.at(10) == (SetCurrent(16.0), Enable())


# --- which reason wins ----------------------------------------------------------------------------------------------


@pytest.mark.rule("STR-1", "DEF-6", "INV-3")
def test_not_connected_is_off_without_guard() -> None:
    site = bench(NOW)
    site.at(0)
    site.box.status = A
    assert site.at(10) == (Disable(),)
    assert reason(site) is ReasonCode.NOT_CONNECTED


@pytest.mark.rule("STR-2", "PH-11")
@pytest.mark.parametrize("mode", [OFF, NOW])
def test_locked_phases_are_switched_to_first(mode: ChargeMode) -> None:
    site = bench(mode, can_switch_phases=True, phases=1)
    assert site.at(0) == (SwitchPhases(1),)
    assert reason(site) is ReasonCode.PHASE_LOCK
    assert site.at(10) == ((SetCurrent(16.0), Enable()) if mode is NOW else ())


@pytest.mark.rule("STR-5", "RC-2", "DEF-25")
@pytest.mark.parametrize("mode", [NOW, MINPV])
def test_remote_hard_beats_every_mode_and_min_soc(mode: ChargeMode) -> None:
    site = bench(mode, cars=(CAR,), vehicle="car")
    site.submit(ChangeVehicleSetting("car", "soc_min_pct", 50))
    site.at(0)
    with_soc(site, 10.0)
    site.at(10)
    site.submit(DemandRemotely(0, RemoteDemand.HARD, "hems"))
    assert site.at(20, Cause.REQUEST) == (Disable(),)
    assert reason(site) is ReasonCode.REMOTE_HARD
    assert site.lp.reason.params == {"source": "hems"}


@pytest.mark.rule("STR-6", "DEF-25", "INV-5")
def test_off_beats_a_reached_goal_with_climate() -> None:
    car = replace(CAR, has_climate=True)
    site = bench(OFF, cars=(car,), vehicle="car")
    site.at(0)
    with_soc(site, 90.0, is_climating=Measured(True, 0 * S))
    site.submit(ChangeVehicleSetting("car", "soc_target_pct", 80))
    assert site.at(10) == ()
    assert reason(site) is ReasonCode.MODE_OFF


@pytest.mark.rule("STR-7", "STR-10")
def test_now_switches_to_three_phases_and_charges_in_one_batch() -> None:
    site = bench(NOW, can_switch_phases=True, phases=0)
    site.box.extra = {"phases": Measured(1, 0 * S)}
    assert site.at(0) == (SwitchPhases(3), SetCurrent(16.0), Enable())
    assert site.lp.charger.phases == 3
    assert site.lp.charger.guard is None


@pytest.mark.rule("STR-8", "GOAL-4", "PVT-3", "PH-10")
def test_below_min_soc_it_charges_fast_and_the_next_surplus_decision_is_immediate() -> None:
    site = bench(PV, cars=(CAR,), vehicle="car", guard_duration=timedelta(minutes=5))
    site.submit(ChangeVehicleSetting("car", "soc_min_pct", 20))
    site.at(0)
    with_soc(site, 10.0)
    assert site.at(10) == (SetCurrent(16.0), Enable())
    assert reason(site) is ReasonCode.MIN_SOC
    site.at(20)
    assert (site.lp.pv_timer, site.lp.charger.guard) == (ELAPSED, None)
    site.t = 30 * S
    with_soc(site, 20.0)
    site.grid_w = 11000.0
    assert site.at(40) == (Disable(),)


@pytest.mark.rule("PVT-3", "STR-8")
def test_enable_while_the_timer_has_elapsed_keeps_its_guard() -> None:
    site = bench(PV, cars=(replace(CAR, has_soc=False),), vehicle="car")
    site.submit(ChangeVehicleSetting("car", "soc_min_pct", 20))
    assert site.at(0) == (SetCurrent(16.0), Enable())  # connected in this very step: the timer had elapsed already
    assert site.lp.charger.guard == 0 * S


@pytest.mark.rule("GOAL-4", "DEF-1")
def test_unknown_soc_forces_nothing_for_ten_minutes_and_then_a_bounded_energy() -> None:
    site = bench(PV, cars=(CAR,), vehicle="car", has_energy_total=True)
    site.submit(ChangeVehicleSetting("car", "soc_min_pct", 20))
    site.box.extra = {"energy_total_kwh": Measured(0.0, 0 * S)}
    site.grid_w = 500.0
    for second in range(0, 600, 10):
        assert site.at(second) == ()
    assert site.at(600) == (SetCurrent(16.0), Enable())
    site.box.extra = {"energy_total_kwh": Measured(11.99, 610 * S)}
    assert site.at(610) == ()
    site.box.extra = {"energy_total_kwh": Measured(12.0, 620 * S)}
    site.grid_w = 11540.0
    assert site.at(620) == (Disable(),)


@pytest.mark.rule("STR-3", "GOAL-1", "GOAL-2", "GOAL-5")
def test_energy_goal_of_a_guest_ends_charging() -> None:
    site = bench(NOW)
    site.at(0)
    site.set("energy_target_kwh", 10)
    site.at(1000)
    assert site.lp.charger.is_enabled
    assert site.at(10 / 11.04 * 3600 + 1) == (Disable(),)
    assert reason(site) is ReasonCode.TARGET_ENERGY_REACHED


@pytest.mark.rule("GOAL-1", "DEF-42")
def test_energy_goal_does_not_count_for_a_vehicle_with_soc() -> None:
    site = bench(NOW, cars=(CAR, VehicleConfig(name="old", features=frozenset({VehicleFeature.OFFLINE}))))
    site.at(0)
    site.submit(AssignVehicle(0, "car"))
    site.set("energy_target_kwh", 1)
    site.at(3600)
    assert site.lp.charger.is_enabled
    site.submit(AssignVehicle(0, "old"))
    site.set("energy_target_kwh", 1)
    assert site.at(3610) == (Disable(),)


@pytest.mark.rule("STR-4", "GOAL-3", "GOAL-5", "DEF-7")
def test_reached_soc_goal_switches_off_and_a_higher_goal_says_the_current_again() -> None:
    site = bench(NOW, cars=(CAR,), vehicle="car")
    site.at(0)
    with_soc(site, 80.0)
    site.set("soc_target_pct", 80)
    assert site.at(10) == (Disable(),)
    assert reason(site) is ReasonCode.TARGET_SOC_REACHED
    site.set("soc_target_pct", 90)
    assert site.at(20) == (SetCurrent(16.0), Enable())


@pytest.mark.rule("DEF-24", "SOC-6", "GOAL-3")
def test_soc_of_the_charger_counts_for_a_guest() -> None:
    site = bench(NOW, has_soc=True)
    site.box.extra = {"soc_pct": Measured(80.0, 0 * S)}
    site.set("soc_target_pct", 80)
    assert site.at(0) == ()
    assert reason(site) is ReasonCode.TARGET_SOC_REACHED


@pytest.mark.rule("GOAL-5", "CLI", "STR-9")
def test_climate_keeps_the_minimum_after_the_goal_and_without_sun() -> None:
    car = replace(CAR, has_climate=True)
    site = bench(PV, cars=(car,), vehicle="car", poll=PollConfig(mode=PollMode.ALWAYS))
    site.grid_w = 500.0
    site.at(0)
    assert Read("car", VehicleRead.CLIMATE) in site.reads
    with_soc(site, 50.0, is_climating=Measured(True, 0 * S))
    assert site.at(10) == (SetCurrent(6.0), Enable())
    assert reason(site) is ReasonCode.CLIMATE
    site.set("soc_target_pct", 40)
    assert site.at(20) == ()
    assert reason(site) is ReasonCode.CLIMATE
    with_soc(site, 50.0, is_climating=Measured(False, 20 * S))
    assert site.at(30) == (Disable(),)
    assert reason(site) is ReasonCode.TARGET_SOC_REACHED


@pytest.mark.rule("CLI", "DEF-25")
def test_climate_is_asked_for_as_polling_allows() -> None:
    car = replace(CAR, has_climate=True)
    site = bench(PV, cars=(car,), vehicle="car")
    site.grid_w = 500.0
    asked = []
    for second in range(0, 3600, 10):
        with_soc(site, 50.0, is_climating=Measured(False, 0 * S))
        site.at(second)
        asked += [second for read in site.reads if read.what is VehicleRead.CLIMATE]
    assert asked == [0]


@pytest.mark.rule("STR-9", "RC-2", "RC-3", "LP-24")
def test_remote_soft_pauses_the_sun_only() -> None:
    site = bench(PV)
    site.grid_w = -8000.0
    site.at(0)
    site.submit(DemandRemotely(0, RemoteDemand.SOFT, "shm"))
    assert site.at(10) == (Disable(),)
    view = site.site.view(now=site.now).loadpoints[0]
    assert (reason(site), view.remote_demand, view.remote_source) == (ReasonCode.REMOTE_SOFT, RemoteDemand.SOFT, "shm")
    site.set("mode", NOW)
    assert site.at(20) == (SetCurrent(16.0), Enable())


@pytest.mark.rule("LP-11", "LP-25", "DEF-26", "ACT-1", "SITE-4")
def test_mode_that_comes_with_the_vehicle_acts_in_the_same_step() -> None:
    car = VehicleConfig(name="car", identifiers=("abc",), on_identify=Actions(mode=NOW, current_max_a=10.0))
    site = bench(OFF, cars=(car,), has_identity=True)
    site.at(0)
    site.box.extra = {"identity": Measured("ABC", 0 * S)}
    assert site.at(10) == (SetCurrent(10.0), Enable())


@pytest.mark.rule("TAR-10", "STR-9")
def test_cheap_energy_is_taken_at_full_power() -> None:
    site = bench(PV)
    site.grid_w = 500.0
    cheap = Rates((Rate(NOON, NOON + HOUR, 0.10), Rate(NOON + HOUR, NOON + 2 * HOUR, 0.30)))
    site.tariffs = {TariffKind.GRID: cheap}
    site.at(0)
    site.set("smart_cost_limit", 0.10)
    assert site.at(10) == (SetCurrent(16.0), Enable())
    assert (reason(site), site.lp.reason.params) == (ReasonCode.SMART_COST, {"price": 0.10, "limit": 0.10})
    site.grid_w = 11500.0
    assert site.at(3600) == (Disable(),)
    site.tariffs[TariffKind.PLANNER] = cheap
    site.set("target_time", NOON + 5 * HOUR)
    site.at(3610)
    assert reason(site) is ReasonCode.SURPLUS_MISSING
    assert site.site.rates(TariffKind.PLANNER) is cheap
    assert site.site.rates(TariffKind.FEED_IN) is None


# --- plans ----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("PLAN-1", "STR-8", "STR-11", "PLAN-17")
def test_plan_charges_in_its_slots_and_is_previewed_without_being_stored() -> None:
    site = bench(PV, cars=(CAR,), vehicle="car")
    site.grid_w = 500.0
    site.tariffs = {
        TariffKind.GRID: Rates(
            tuple(Rate(NOON + n * HOUR, NOON + (n + 1) * HOUR, price) for n, price in enumerate((0.3, 0.1, 0.4)))
        )
    }
    site.at(0)
    with_soc(site, 62.0)
    site.at(10)
    preview = site.site.plan(0, now=site.now, target_time=NOON + 3 * HOUR)
    assert preview.power_w == 11040
    assert preview.duration == pytest.approx(timedelta(hours=22.8 / 11.04), abs=S)
    assert preview.slots is not None and preview.unit == "EUR" and preview.is_met
    assert site.lp.settings.target_time is None
    site.set("soc_target_pct", 80)
    site.set("target_time", NOON + 3 * HOUR)
    site.at(20)
    assert reason(site) is not ReasonCode.PLAN_ACTIVE
    assert site.lp.plan.projected_start is not None
    assert site.lp.plan.projected_start - NOON == pytest.approx(
        HOUR + 78 * S, abs=S
    )  # 10.8 kWh fit into the cheap hour
    with_soc(site, 62.0)
    assert site.at(3680) == (SetCurrent(16.0), Enable())
    assert (reason(site), site.lp.reason.until_utc) == (ReasonCode.PLAN_ACTIVE, NOON + 2 * HOUR)
    site.set("mode", NOW)
    site.at(3690)
    assert not site.lp.plan.is_active


@pytest.mark.rule("PLAN-17", "PLAN-10", "PLAN-22")
def test_preview_without_a_goal_or_a_time_is_empty() -> None:
    site = bench(PV, cars=(CAR,), vehicle="car")
    site.at(0)
    assert site.site.plan(0, now=site.now).slots is None
    unknown = site.site.plan(0, now=site.now, target_time=NOON + HOUR)
    assert (unknown.slots, unknown.is_met, unknown.unit) == (None, False, "")
    assert site.site.plan(0, now=site.now, target_time=NOON - HOUR).slots is None
    with pytest.raises(UnknownTarget):
        site.site.plan(1, now=site.now)


@pytest.mark.rule("PLAN-2", "PLAN-17")
def test_plan_for_an_energy_goal_and_its_warning() -> None:
    site = bench(PV)
    site.at(0)
    site.set("energy_target_kwh", 22.08)
    site.set("target_time", NOON + HOUR)
    site.at(10)
    assert reason(site) is ReasonCode.PLAN_ACTIVE
    assert Warned(WarningCode.PLAN_UNREACHABLE, 0) in site.events
    assert not site.site.plan(0, now=site.now).is_met


@pytest.mark.rule("GOAL-5", "STR-11")
def test_reached_goal_ends_the_plan() -> None:
    site = bench(PV, cars=(CAR,), vehicle="car")
    site.at(0)
    with_soc(site, 50.0)
    site.set("soc_target_pct", 80)
    site.set("target_time", NOON + HOUR)
    site.at(10)
    assert site.lp.plan.is_active
    with_soc(site, 80.0)
    assert site.at(20) == (Disable(),)
    assert not site.lp.plan.is_active


# --- vehicles -------------------------------------------------------------------------------------------------------


@pytest.mark.rule("VEH-3", "VEH-6", "VEH-7", "LP-2", "LP-10", "LP-19", "LP-20", "DEF-46")
def test_default_vehicle_is_there_from_the_start_and_its_odometer_is_asked_for() -> None:
    car = replace(CAR, has_odometer=True, on_identify=Actions(soc_target_pct=70))
    site = bench(OFF, cars=(car,), vehicle="car")
    assert (site.lp.vehicle, site.lp.settings.soc_target_pct) == ("car", 70)
    site.at(0)
    assert Read("car", VehicleRead.ODOMETER) in site.reads
    site.at(10)
    assert Read("car", VehicleRead.ODOMETER) not in site.reads
    site.vehicles["car"] = VehicleReading(odometer_km=Measured(12345.6, 15 * S))
    site.at(20)
    assert site.site.view(now=site.now).loadpoints[0].vehicle_odometer_km == 12345.6
    assert site.lp.session is not None and site.lp.session.odometer_km == 12345.6
    site.submit(AssignVehicle(0, None))
    assert site.site.view(now=site.now).loadpoints[0].vehicle_odometer_km is None


@pytest.mark.rule("VEH-3", "SES-4")
def test_assigning_writes_into_the_running_session() -> None:
    site = bench(NOW, cars=(CAR,))
    site.at(0)
    site.at(10)
    events = site.submit(AssignVehicle(0, "car"))
    changed = [event for event in events if isinstance(event, SessionChanged)]
    assert changed[0].session.vehicle == "Car"
    assert VehicleAssigned(0, "car") in events
    assert site.submit(AssignVehicle(0, "car")) == ()


@pytest.mark.rule("VEH-2", "INV-13")
def test_vehicle_has_one_loadpoint() -> None:
    site = Bench(site_config(loadpoint(), loadpoint(), vehicles=(CAR,)))
    site.submit(AssignVehicle(0, "car"))
    site.submit(AssignVehicle(1, "car"))
    assert [each.vehicle for each in site.site.state.loadpoints] == [None, "car"]


@pytest.mark.rule("VEH-6", "DEF-36")
def test_detection_starts_only_without_a_vehicle() -> None:
    cars = (replace(CAR, has_status=True), VehicleConfig(name="zoe", has_status=True))
    site = bench(OFF, cars=cars)
    site.at(0)
    assert site.reads >= {Read("car", VehicleRead.STATUS, True), Read("zoe", VehicleRead.STATUS, True)}
    site.vehicles = {"car": VehicleReading(status=Measured(A, 5 * S)), "zoe": VehicleReading(status=Measured(B, 5 * S))}
    site.at(10)
    assert (site.lp.vehicle, site.lp.detection.started_at) == ("zoe", None)
    site.box.status = A
    site.at(20)
    assert site.lp.vehicle is None
    site.submit(AssignVehicle(0, "car"))
    site.box.status = B
    site.at(30)
    assert site.lp.detection.started_at is None


@pytest.mark.rule("VEH-6", "LP-19")
def test_integrated_device_has_no_vehicle_logic() -> None:
    site = bench(OFF, cars=(replace(CAR, has_status=True),), is_integrated=True)
    site.at(0)
    assert site.lp.detection.started_at is None
    assert not site.reads


@pytest.mark.rule("VEH-13")
def test_detection_ends_with_a_guest() -> None:
    site = bench(OFF, cars=(replace(CAR, has_status=True),))
    for second in range(0, 620, 10):
        site.at(second)
    assert site.found(GuestFound) == [GuestFound(0)]


@pytest.mark.rule("ACT-2", "ACT-3", "EV-13")
def test_reset_on_disconnect_returns_to_the_configuration_then_the_default_vehicle_acts() -> None:
    car = replace(CAR, on_identify=Actions(current_min_a=8.0))
    site = bench(PV, cars=(car,), vehicle="car", reset_on_disconnect=True)
    site.at(0)
    site.set("mode", NOW)
    site.set("current_max_a", 10)
    site.set("soc_target_pct", 60)
    site.box.status = A
    site.at(10)
    settings = site.lp.settings
    assert (settings.mode, settings.current_min_a, settings.current_max_a) == (PV, 8, 16)
    assert settings.soc_target_pct == 60  # the owner's goal for this vehicle


@pytest.mark.rule("ACT-4", "ACT-6", "VEH-3")
def test_without_reset_values_of_a_departed_vehicle_stay() -> None:
    car = VehicleConfig(name="car", identifiers=("1",), on_identify=Actions(mode=NOW, soc_min_pct=30))
    site = bench(OFF, cars=(car,), has_identity=True)
    site.box.extra = {"identity": Measured("1", 0 * S)}
    site.at(0)
    assert site.lp.settings.soc_min_pct == 30
    site.box.status = A
    site.at(10)
    assert (site.lp.settings.mode, site.lp.settings.soc_min_pct, site.lp.vehicle) == (NOW, 0, None)


@pytest.mark.rule("DEF-20", "PRIO-3", "ACT-1")
def test_priority_of_the_vehicle_replaces_that_of_the_loadpoint() -> None:
    car = VehicleConfig(name="car", on_identify=Actions(priority=7))
    site = bench(OFF, cars=(car,), priority=2)
    assert priority_of(site.lp) == 2
    site.submit(AssignVehicle(0, "car"))
    assert priority_of(site.lp) == 7
    site.submit(AssignVehicle(0, None))
    assert priority_of(site.lp) == 2


@pytest.mark.rule("SOC-7", "SOC-11", "SOC-12", "EV-15", "DEF-34")
def test_soc_is_asked_for_once_shown_and_told_every_ten_percent() -> None:
    site = bench(OFF, cars=(CAR,), vehicle="car")
    site.at(0)
    assert site.reads == {Read("car", VehicleRead.SOC)}
    with_soc(site, 43.0)
    site.at(10)
    view = site.site.view(now=site.now).loadpoints[0]
    assert (view.vehicle_soc_pct, view.remaining_energy_kwh) == (43.0, pytest.approx(57 * 0.6))
    assert view.remaining_duration is None
    assert site.found(SocProgressed) == [SocProgressed(0, 43.0)]
    with_soc(site, 49.0)
    site.at(20)
    with_soc(site, 51.0)
    site.at(30)
    assert site.found(SocProgressed) == [SocProgressed(0, 43.0), SocProgressed(0, 51.0)]
    site.box.status = A
    site.at(40)
    site.box.status = B
    site.at(50)
    with_soc(site, 51.0)
    site.at(60)
    assert len(site.found(SocProgressed)) == 3


@pytest.mark.rule("SOC-11")
def test_remaining_time_is_told_while_charging() -> None:
    site = bench(NOW, cars=(CAR,), vehicle="car")
    site.at(0)
    with_soc(site, 50.0)
    site.at(10)
    view = site.site.view(now=site.now).loadpoints[0]
    assert view.remaining_duration is not None
    assert view.remaining_duration == pytest.approx(timedelta(hours=30 / 11.04), abs=2 * S)


# --- wake-up --------------------------------------------------------------------------------------------------------


@pytest.mark.rule("LP-23", "WAKE-1", "WAKE-2", "WAKE-3", "DEF-28")
def test_vehicle_that_does_not_take_what_it_is_offered_is_woken_once() -> None:
    car = replace(CAR, has_wakeup=True)
    site = bench(NOW, cars=(car,), vehicle="car", has_wakeup=True)
    site.box.starts = False
    sent = run(site, range(0, 200, 10))
    assert sent == {0: (SetCurrent(16.0), Enable()), 30: (WakeCharger(), WakeVehicle("car"))}
    assert Warned(WarningCode.VEHICLE_ASLEEP, 0) in site.events
    assert reason(site) is ReasonCode.VEHICLE_FULL
    site.box.status = C
    site.at(200)
    assert Warned(WarningCode.RECOVERED, 0, {"code": "vehicle_asleep"}) in site.events


@pytest.mark.rule("WAKE-1", "DEF-28", "EV-12")
def test_vehicle_that_stops_by_itself_is_woken_too() -> None:
    site = bench(NOW, has_wakeup=True)
    site.at(0)
    site.at(10)
    assert site.lp.charger.wake_timer is None
    site.box.status = B
    sent = run(site, range(20, 100, 10))
    assert sent == {50: (WakeCharger(),)}
