"""One loadpoint from start-up to disconnect: status, measuring, energy, session, SoC [control.md 4.1, 4.2, 5, 6, 13]."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from bench import NOON, Bench, loadpoint, run, site_config

from evcclib.commands import (
    Disable,
    Enable,
    Read,
    SetCurrent,
    SwitchPhases,
    VehicleRead,
    WakeCharger,
    WakeVehicle,
)
from evcclib.config import Actions, PollConfig, VehicleConfig
from evcclib.events import (
    ChargeStarted,
    ChargeStopped,
    SessionChanged,
    SessionRecord,
    VehicleConnected,
    VehicleDisconnected,
    Warned,
    WarningCode,
)
from evcclib.model import Cause, ChargeMode, ChargerStatus, PollMode, TariffKind
from evcclib.readings import ABSENT, Measured, Missing, Reading, VehicleReading
from evcclib.reasons import ReasonCode
from evcclib.requests import AssignVehicle
from evcclib.site import step
from evcclib.tariff import CO2_UNIT, Rate, Rates
from evcclib.view import LoadpointView

A, B, C = ChargerStatus.A, ChargerStatus.B, ChargerStatus.C
HOUR = timedelta(hours=1)
ZERO = timedelta(0)
CAR = VehicleConfig(name="zoe", title="Zoe", capacity_kwh=60.0, has_soc=True, has_range=True, has_soc_limit=True)


def home(*vehicles: VehicleConfig, status: ChargerStatus = A, **values: object) -> Bench:
    values.setdefault("mode", ChargeMode.OFF)
    values.setdefault("phases", 0 if values.get("can_switch_phases") else 3)
    bench = Bench(site_config(loadpoint(**values), vehicles=vehicles))
    bench.box.status = status
    return bench


def shown(bench: Bench) -> LoadpointView:
    return bench.site.view(now=bench.now).loadpoints[0]


def names(bench: Bench) -> list[str]:
    kinds = (VehicleConnected, ChargeStarted, ChargeStopped, VehicleDisconnected)
    return [type(event).__name__ for event in bench.events if isinstance(event, kinds)]


def stored(bench: Bench) -> list[SessionRecord]:
    return [event.session for event in bench.events if isinstance(event, SessionChanged)]


def counter(bench: Bench, kwh: float) -> None:
    bench.box.extra["energy_total_kwh"] = Measured(kwh, bench.t)


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
    bench.box.extra["identity"] = Measured("1", ZERO)
    assert bench.at(10) == (SetCurrent(16.0), Enable())


@pytest.mark.rule("LP-12", "MEA-6")
def test_voltages_tell_the_phases_of_a_fixed_charger() -> None:
    bench = home(phases=3, status=B)
    bench.box.extra["voltages_v"] = Measured((230.0, 0.0, 0.0), ZERO)
    bench.at(0)
    assert shown(bench).phases_enabled == 1
    assert shown(bench).voltages_v == (230.0, 0.0, 0.0)
    bench.box.extra["voltages_v"] = Measured((230.0, 231.0, 229.0), ZERO)
    bench.at(10)
    assert shown(bench).phases_enabled == 3


@pytest.mark.rule("MEA-6")
def test_voltages_of_a_switchable_charger_tell_nothing() -> None:
    bench = home(can_switch_phases=True, status=B)
    bench.box.extra["voltages_v"] = Measured((230.0, 0.0, 0.0), ZERO)
    bench.at(0)
    assert shown(bench).phases_enabled == 0


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
    bench.box.extra["power_w"] = Missing(ZERO)
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


@pytest.mark.rule("MEA-2", "EV-14")
def test_without_a_meter_power_is_what_is_offered_while_charging() -> None:
    bench = home(status=B, mode=ChargeMode.NOW, has_power=False)
    bench.box.extra["power_w"] = ABSENT
    bench.at(0)
    bench.at(10)
    assert shown(bench).charge_power_w == 16 * 3 * 230
    bench.box.status = B
    bench.at(20)
    assert shown(bench).charge_power_w == 0


@pytest.mark.rule("LP-15", "MET-3", "LP-16")
def test_power_is_integrated_into_energy() -> None:
    bench = home(status=B, mode=ChargeMode.NOW)
    for seconds in range(0, 3611, 10):
        bench.at(seconds)
    assert shown(bench).energy_charged_kwh == pytest.approx(11.04, abs=0.04)
    assert shown(bench).charge_duration == timedelta(seconds=3610)


@pytest.mark.rule("MET-1", "MET-4", "LP-16")
@pytest.mark.parametrize(
    ("has_total", "has_session", "expected_kwh"), [(True, True, 2.0), (True, False, 2.0), (False, True, 5.0)]
)
def test_chargers_own_counter_counts_without_a_meter_only(
    has_total: bool, has_session: bool, expected_kwh: float
) -> None:
    bench = home(status=B, mode=ChargeMode.NOW, has_energy_total=has_total, has_energy_session=has_session)
    for seconds, total, own in ((0, 100.0, 0.0), (3600, 102.0, 5.0)):
        bench.t = timedelta(seconds=seconds)
        counter(bench, total)
        bench.box.extra["energy_session_kwh"] = Measured(own, bench.t)
        bench.at(seconds)
    assert shown(bench).energy_charged_kwh == pytest.approx(expected_kwh)
    assert shown(bench).energy_total_kwh == (102.0 if has_total else None)


@pytest.mark.rule("EV-10", "EV-11", "EV-12", "EV-13", "SES-1", "SES-2", "SES-3", "SES-5", "MET-2", "MET-5")
def test_a_session_from_connect_to_disconnect() -> None:
    bench = home(status=A, title="Carport", has_energy_total=True)
    counter(bench, 100.0)
    bench.at(0)
    bench.box.status = B
    bench.at(60)
    assert shown(bench).connected_duration == ZERO
    assert not stored(bench)
    bench.set("mode", ChargeMode.NOW)
    bench.at(120)
    bench.at(130)
    (first,) = stored(bench)
    started = NOON + timedelta(seconds=120)
    assert (first.created, first.finished, first.loadpoint) == (started, None, "Carport")
    assert first.meter_start_kwh == 100.0
    bench.t = timedelta(seconds=3720)
    counter(bench, 111.0)
    bench.set("mode", ChargeMode.OFF)
    bench.at(3720)
    bench.at(3730)
    last = stored(bench)[-1]
    assert last.key == first.key
    assert last.energy_charged_kwh == pytest.approx(11.0)
    assert last.meter_stop_kwh == 111.0
    assert last.finished == NOON + timedelta(seconds=3720)
    bench.box.status = A
    bench.at(4000)
    assert bench.lp.session is None
    view = shown(bench)
    assert view.energy_charged_kwh == pytest.approx(11.0)
    assert view.charge_duration == timedelta(seconds=3600)
    assert view.connected_duration is None
    bench.box.status = B
    bench.at(5000)
    assert shown(bench).energy_charged_kwh == 0
    assert shown(bench).charge_duration == ZERO
    assert bench.lp.session is not None
    assert bench.lp.session.key != first.key
    assert len({record.key for record in stored(bench)}) == 1


@pytest.mark.rule("EV-12", "SES-3")
def test_pause_and_start_again_are_one_session() -> None:
    bench = home(status=B, mode=ChargeMode.NOW)
    bench.box.starts = False
    bench.at(0)
    for second, status in enumerate((C, B, C, B), start=1):
        bench.box.status = status
        bench.at(1000 * second)
    assert len({record.key for record in stored(bench)}) == 1
    assert stored(bench)[0].finished is None
    assert stored(bench)[-1].finished == NOON + timedelta(seconds=4000)
    assert shown(bench).charge_duration == timedelta(seconds=2000)


@pytest.mark.rule("DEF-35", "EV-13")
def test_connected_time_is_told_in_whole_seconds_while_there_is_a_car() -> None:
    bench = home(status=A)
    bench.at(0)
    assert shown(bench).connected_duration is None
    bench.box.status = B
    bench.at(10)
    bench.at(70.6)
    assert shown(bench).connected_duration == timedelta(seconds=61)


@pytest.mark.rule("EV-3", "LP-16", "CUT-5")
def test_energy_of_the_last_minute_belongs_to_the_session_that_ends() -> None:
    bench = home(status=B, mode=ChargeMode.NOW, has_energy_total=True)
    counter(bench, 100.0)
    bench.at(0)
    bench.at(10)
    bench.t = timedelta(seconds=600)
    counter(bench, 101.5)
    bench.box.status = A
    bench.at(600)
    assert stored(bench)[-1].energy_charged_kwh == pytest.approx(1.5)
    assert shown(bench).energy_charged_kwh == pytest.approx(1.5)


@pytest.mark.rule("SES-3", "INV-9", "MET-2")
def test_energy_that_the_counter_shows_after_the_stop_belongs_to_the_session_too() -> None:
    bench = home(status=C, has_energy_total=True, mode=ChargeMode.NOW)
    counter(bench, 100.0)
    bench.at(0)
    bench.t = HOUR
    counter(bench, 103.0)
    bench.box.status, bench.box.starts = B, False
    bench.at(3600)
    assert stored(bench)[-1].energy_charged_kwh == pytest.approx(3.0)
    bench.t = HOUR + timedelta(seconds=10)
    counter(bench, 103.1)
    bench.at(3610)
    bench.at(3620)
    bench.box.status = A
    bench.at(3700)
    last = stored(bench)[-1]
    assert last.energy_charged_kwh == pytest.approx(3.1)
    assert last.meter_stop_kwh == 103.1
    assert last.finished == NOON + HOUR
    assert len(stored(bench)) == 3


@pytest.mark.rule("SES-6", "TAR-9", "DEF-40")
def test_session_knows_what_its_energy_was_made_of() -> None:
    bench = Bench(site_config(loadpoint(mode=ChargeMode.NOW, phases=1), pv_count=1))
    bench.tariffs = {TariffKind.GRID: Rates.of([Rate(NOON, NOON + 5 * HOUR, 0.30)])}
    bench.box.status = B
    bench.box.phases = 1
    bench.pv_w = [1840.0]
    run(bench, range(0, 3600, 10), house_w=0.0, sun_w=1840.0)
    bench.set("mode", ChargeMode.OFF)
    run(bench, range(3600, 3620, 10), sun_w=1840.0)
    record = stored(bench)[-1]
    assert record.energy_charged_kwh == pytest.approx(3.68, abs=0.02)
    assert record.solar_pct == pytest.approx(50.0, abs=0.5)
    assert record.price_per_kwh == pytest.approx(0.15, abs=0.002)


def answers(bench: Bench, soc_pct: float, **about: Reading[float]) -> None:
    bench.vehicles = {"zoe": VehicleReading(soc_pct=Measured(soc_pct, bench.t), **about)}  # type: ignore[arg-type]


@pytest.mark.rule("LP-20", "SOC-7", "SOC-8", "EV-10", "EV-11", "EV-12", "CUT-2")
def test_soc_is_asked_for_after_connect_start_and_stop() -> None:
    bench = home(CAR, vehicle="zoe")
    bench.box.starts = bench.answers_at_once = False
    bench.at(0)
    assert not bench.reads
    asked = {}
    for seconds, status in ((100, B), (200, B), (300, C), (400, C), (500, B), (600, B)):
        bench.box.status = status
        bench.at(seconds)
        asked[seconds] = {(read.what, read.is_fresh) for read in bench.reads}
        answers(bench, 50.0)
    assert asked == {
        100: {(VehicleRead.SOC, False)},
        200: set(),
        300: {(VehicleRead.SOC, False)},
        400: set(),
        500: {(VehicleRead.SOC, True)},
        600: set(),
    }


@pytest.mark.rule("SOC-8")
def test_poll_mode_always_asks_without_a_car_too() -> None:
    bench = home(CAR, vehicle="zoe", poll=PollConfig(mode=PollMode.ALWAYS))
    bench.at(0)
    assert bench.reads == frozenset({Read("zoe", VehicleRead.SOC)})


@pytest.mark.rule("SOC-8", "SOC-10")
def test_answer_to_poll_mode_always_is_shown_without_a_car_too() -> None:
    bench = home(CAR, vehicle="zoe", poll=PollConfig(mode=PollMode.ALWAYS))
    bench.at(0)
    answers(bench, 55.0)
    bench.at(10)
    assert shown(bench).vehicle_soc_pct == 55.0
    answers(bench, 54.0)
    bench.at(3600)
    assert shown(bench).vehicle_soc_pct == 54.0


@pytest.mark.rule("SOC-7", "EST-3", "SOC-6")
def test_vehicle_is_not_asked_while_the_charger_tells_its_soc() -> None:
    bench = home(CAR, vehicle="zoe", status=B, has_soc=True)
    bench.box.extra["soc_pct"] = Measured(61.0, ZERO)
    bench.at(0)
    assert not bench.reads
    assert shown(bench).vehicle_soc_pct == 61.0


@pytest.mark.rule("SOC-9", "EST-1", "EV-10")
def test_soc_of_the_last_connection_is_not_taken_for_new() -> None:
    bench = home(CAR, vehicle="zoe", status=B)
    answers(bench, 40.0)
    bench.at(0)
    assert shown(bench).vehicle_soc_pct == 40.0
    bench.box.status = A
    bench.at(100)
    bench.box.status = B
    bench.at(40_000)
    assert shown(bench).vehicle_soc_pct is None
    answers(bench, 70.0)
    bench.at(40_010)
    assert shown(bench).vehicle_soc_pct == 70.0


@pytest.mark.rule("EST-1", "EST-3", "SOC-6", "EV-10")
def test_chargers_soc_of_the_last_car_is_not_that_of_the_next() -> None:
    """A car that the charger cannot ask leaves the value of the one before standing."""
    bench = home(CAR, status=B, has_soc=True)
    bench.box.extra["soc_pct"] = Measured(61.0, ZERO)
    bench.at(0)
    assert shown(bench).vehicle_soc_pct == 61.0
    bench.box.status = A
    bench.at(100)
    bench.box.status = B
    bench.at(200)
    bench.submit(AssignVehicle(0, "zoe"))
    bench.at(210)
    assert shown(bench).vehicle_soc_pct is None
    assert bench.reads == frozenset({Read("zoe", VehicleRead.SOC)})
    bench.box.extra["soc_pct"] = Measured(30.0, bench.t)
    bench.at(220)
    assert shown(bench).vehicle_soc_pct == 30.0


@pytest.mark.rule("EST-3", "SOC-6")
def test_chargers_soc_that_was_read_with_the_connect_counts() -> None:
    """A poll is a moment older than the step that learns of the vehicle from it."""
    bench = home(CAR, vehicle="zoe", has_soc=True)
    bench.at(0)
    bench.t = timedelta(seconds=9)
    bench.box.status = B
    bench.box.extra["soc_pct"] = Measured(61.0, bench.t)
    polled = bench.readings()
    bench.t = timedelta(seconds=10)
    bench.step(readings=polled)
    assert shown(bench).vehicle_soc_pct == 61.0


@pytest.mark.rule("EST-5", "EST-6")
def test_status_of_the_vehicle_from_before_the_answer_says_nothing_about_it() -> None:
    """It was asked for its status to find out who it is; that it waited then does not keep it from teaching."""
    bench = home(replace(CAR, has_status=True), vehicle="zoe", status=B, has_energy_total=True, mode=ChargeMode.NOW)
    counter(bench, 100.0)
    bench.at(0)
    bench.at(10)
    for second, soc_pct, kwh in ((20, 40.0, 100.0), (7200, 52.0, 109.0)):
        bench.t = timedelta(seconds=second)
        counter(bench, kwh)
        bench.vehicles = {
            "zoe": VehicleReading(soc_pct=Measured(soc_pct, bench.t), status=Measured(B, timedelta(seconds=5)))
        }
        bench.at(second)
    assert bench.lp.soc.kwh_per_pct == pytest.approx(0.75)


@pytest.mark.rule("SOC-10", "SOC-11", "EST-7", "EST-8")
def test_remaining_energy_and_time_look_at_the_lower_limit() -> None:
    bench = home(CAR, vehicle="zoe", status=B)
    bench.set("soc_target_pct", 90)
    answers(bench, 50.0, soc_limit_pct=Measured(80.9, ZERO), range_km=Measured(210.0, ZERO))
    bench.at(0)
    view = shown(bench)
    assert view.remaining_energy_kwh == pytest.approx(30 * 60 / 90)
    assert view.remaining_duration is None
    assert view.vehicle_soc_limit_pct == 80.9
    assert view.vehicle_range_km == 210.0
    bench.set("mode", ChargeMode.NOW)
    bench.at(10)
    bench.at(20)
    duration = shown(bench).remaining_duration
    assert duration is not None
    assert duration / HOUR == pytest.approx(20 / 11.04, rel=0.01)


@pytest.mark.rule("EST-5", "SOC-7")
def test_soc_counts_up_between_two_answers() -> None:
    bench = home(CAR, vehicle="zoe", status=B, mode=ChargeMode.NOW)
    answers(bench, 40.0)
    for seconds in range(0, 3610, 10):
        bench.at(seconds)
    assert shown(bench).vehicle_soc_pct == pytest.approx(40 + 11.04 / 60 * 0.9 * 100, abs=0.2)


@pytest.mark.rule("LP-21", "SYN-1", "SYN-2")
def test_charger_that_was_switched_by_somebody_else_is_followed_after_a_minute() -> None:
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
    assert bench.lp.pv_timer is None
    run(bench, range(600, 620, 10), sun_w=3 * 6 * 230.0 - 0.1)
    assert bench.lp.pv_timer is not None


@pytest.mark.rule("SES-6", "TAR-9", "SES-3")
def test_session_knows_its_emissions_and_rests_between_two_charges() -> None:
    bench = Bench(site_config(loadpoint(mode=ChargeMode.NOW, phases=1), pv_count=1))
    bench.tariffs = {TariffKind.PLANNER: Rates((Rate(NOON, NOON + 5 * HOUR, 400.0),), unit=CO2_UNIT)}
    bench.box.status = B
    bench.box.phases = 1
    bench.pv_w = [920.0]
    run(bench, range(0, 3600, 10), sun_w=920.0)
    bench.set("mode", ChargeMode.OFF)
    run(bench, range(3600, 3620, 10), sun_w=920.0)
    record = stored(bench)[-1]
    assert record.solar_pct == pytest.approx(25.0, abs=0.5)
    assert record.co2_g_per_kwh == pytest.approx(300.0, abs=2)
    assert record.price is None
    resting = bench.lp.session
    run(bench, range(3620, 3700, 10), sun_w=0.0)
    assert bench.lp.session == resting


@pytest.mark.rule("PRIO-1", "DEF-20", "STR-8")
def test_what_charges_by_a_plan_gives_nothing_up() -> None:
    bench = Bench(site_config(loadpoint(phases=3, vehicle="zoe"), loadpoint(phases=3, priority=1), vehicles=(CAR,)))
    bench.vehicles = {"zoe": VehicleReading(soc_pct=Measured(40.0, ZERO))}
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
    bench.box.extra["identity"] = Measured("1", ZERO)
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
