"""One loadpoint and its station in the step: status, measurements, who has switched it, outcomes of commands."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import isnan, nan

import pytest
from bench import NOON, run
from loadpoint_bench import HOUR, MINPV, NOW, OFF, PV, A, B, C, E, F, S, bench, reason

from evcclib.commands import (
    Disable,
    Enable,
    Outcome,
    Result,
    SetCurrent,
)
from evcclib.events import (
    ChargeStarted,
    ChargeStopped,
    SessionChanged,
    SettingChanged,
    VehicleConnected,
    VehicleDisconnected,
    Warned,
    WarningCode,
)
from evcclib.laws.classic import Memory
from evcclib.machines.surplus import ELAPSED, RESTING, SunTimer, Waiting
from evcclib.model import Cause, ChargeMode, ChargerStatus, PvAction
from evcclib.readings import Measured, Missing, OperatorLimit
from evcclib.reasons import Reason, ReasonCode
from evcclib.settings import Scope

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
@pytest.mark.parametrize(("timer", "later"), [(Waiting(PvAction.DISABLE, 5 * S), RESTING), (ELAPSED, ELAPSED)])
def test_stop_resets_a_running_timer_only(timer: SunTimer, later: SunTimer) -> None:
    site = bench()
    site.box.is_enabled, site.box.offered_a, site.box.status = True, 6.0, C
    site.grid_w = 0.0
    site.at(0)
    site.at(10)
    site.lp.memory = Memory(timer)
    site.box.status = B
    site.at(15, Cause.STATUS)
    assert site.lp.memory.timer == later


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


@pytest.mark.rule("MEA-3", "MEA-4", "PV-2", "DEF-8")
def test_currents_of_a_meter_with_one_phase_count() -> None:
    site = bench(PV, status=C)
    site.box.is_enabled, site.box.car_phases, site.box.offered_a, site.box.shows_currents = True, 1, 9.0, True
    site.box.currents_a, site.box.power_w = (6.13, nan, nan), 1410.0
    site.grid_w = 0.0
    site.at(0)
    site.at(10)
    assert site.lp.measured_phases == 1
    found = site.site.view(now=site.now).loadpoints[0]
    assert found.phases_active == 1
    assert found.currents_a is not None
    assert (found.currents_a[0], isnan(found.currents_a[1]), isnan(found.currents_a[2])) == (6.13, True, True)


@pytest.mark.rule("MEA-3", "MEA-4")
def test_phases_are_not_counted_from_a_current_that_may_be_one_of_three() -> None:
    site = bench(PV, status=C, has_power=False)
    site.box.extra = {"currents_a": Measured((7.0, nan, nan), 0 * S)}
    site.at(0)
    assert site.lp.measured_phases == 0
    assert site.site.view(now=site.now).loadpoints[0].phases_active == 3


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
def test_charger_that_reports_its_phases_is_believed_until_it_has_been_switched() -> None:
    site = bench(OFF, can_switch_phases=True, phases=0)
    site.box.extra = {"phases": Measured(1, 0 * S)}
    site.at(0)
    assert site.lp.charger.phases == 1
    site.box.extra = {"phases": Measured(2, 10 * S)}
    site.at(10)
    assert site.lp.charger.phases == 1
    site.lp.charger = site.lp.charger._replace(phases=0, phases_switched_at=10 * S)
    site.box.extra = {"phases": Measured(3, 20 * S)}
    site.at(20)
    assert site.lp.charger.phases == 3  # a switch whose end nobody knows
    site.box.extra = {"phases": Measured(1, 60 * S)}
    site.at(60)
    assert site.lp.charger.phases_disagreement is None
    site.box.extra = {"phases": Measured(1, 70 * S)}
    site.at(70)
    assert site.lp.charger.phases == 3
    assert site.lp.charger.phases_disagreement is not None
    assert site.lp.reason.params == {"read_back": "phases"}


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
def test_charger_that_was_switched_by_somebody_else_is_put_right_and_told_of_once() -> None:
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
    assert [site.at(t) for t in (60, 70, 80, 120, 350, 360)] == [(Disable(),), (), (), (), (), (Disable(),)]
    assert site.events.count(Warned(WarningCode.CHARGER_OUT_OF_SYNC, 0)) == 1


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
    assert site.at(20) == ()
    assert site.lp.reason == Reason(ReasonCode.COMMAND_FAILED, until=30 * S)
    site.at(30)
    assert site.lp.charger.is_enabled
    assert Warned(WarningCode.RECOVERED, 0, {"code": "command_failed"}) in site.events


@pytest.mark.rule("LIM-9")
@pytest.mark.parametrize(("mode", "most"), [(NOW, 20), (OFF, 125)])
def test_what_is_refused_for_an_hour_is_not_said_at_every_tick(mode: ChargeMode, most: int) -> None:
    site = bench(NOW)
    if mode is OFF:
        site.at(0)
        site.set("mode", OFF)
    site.box.result, before = Result.FAILED, len(site.sent)
    for second in range(10, 3610, 10):
        site.at(second)
    assert most / 2 < len(site.sent) - before <= most
    site.box.result = Result.DONE
    for second in range(3610, 3920, 10):
        site.at(second)
    assert site.lp.charger.is_enabled is (mode is NOW)
    assert not site.lp.charger.has_failed


@pytest.mark.rule("LIM-9")
def test_whoever_asks_for_something_else_sees_it_tried_at_once() -> None:
    site = bench(NOW)
    site.box.result = Result.FAILED
    for second in range(0, 1000, 10):
        site.at(second)
    assert site.at(1000) == ()
    site.set("current_max_a", 10)
    assert site.at(1001, Cause.REQUEST) == (SetCurrent(10.0), Enable())
    assert site.at(1010) == ()


@pytest.mark.rule("LIM-9", "INV-2")
def test_limit_that_is_refused_is_tried_again_soon_but_not_with_every_sample() -> None:
    site = bench(NOW)
    site.at(0)
    site.at(10)
    site.operator = OperatorLimit(power_w=6000.0, expires_at=24 * HOUR)
    site.box.result, before = Result.FAILED, len(site.sent)
    for second in range(11, 311):
        site.at(second, Cause.INTERVAL if second % 10 == 0 else Cause.SAMPLE)
    assert 28 <= len(site.sent) - before <= 30
    assert all(isinstance(each, SetCurrent) and each.current_a == 8.0 for batch in site.sent[before:] for each in batch)


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
@pytest.mark.parametrize("cause", [Cause.SAMPLE, Cause.STATUS, Cause.OUTCOME])
def test_other_causes_take_things_in_and_decide_nothing(cause: Cause) -> None:
    site = bench(NOW, status=A)
    site.at(0)
    site.box.status = B
    assert site.at(5, cause) == ()
    assert site.found(VehicleConnected)
    assert site.at(10) == (SetCurrent(16.0), Enable())
