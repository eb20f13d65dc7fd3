"""One loadpoint in the step: which vehicle is there and what it brings along, its SoC, waking it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from bench import Bench, loadpoint, run, site_config
from loadpoint_bench import CAR, NOW, OFF, PV, A, B, C, S, bench, reason, with_soc

from evcclib.commands import (
    Enable,
    Read,
    SetCurrent,
    VehicleRead,
    WakeCharger,
    WakeVehicle,
)
from evcclib.config import Actions, VehicleConfig
from evcclib.events import (
    GuestFound,
    SessionChanged,
    SettingChanged,
    SocProgressed,
    VehicleAssigned,
    Warned,
    WarningCode,
)
from evcclib.pipeline.sharing import priority_of
from evcclib.readings import Measured, VehicleReading
from evcclib.reasons import ReasonCode
from evcclib.requests import AssignVehicle
from evcclib.settings import Scope

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
    assert (settings.soc_min_pct, settings.soc_target_pct) == (0, 100)
    site.box.status = B
    site.at(20)
    site.set("soc_target_pct", 60)
    assert site.lp.settings.soc_target_pct == 60


@pytest.mark.rule("ACT-2", "ACT-3", "EV-13")
def test_reset_on_disconnect_leaves_the_default_vehicle_the_goals_of_its_file_for_good() -> None:
    car = replace(CAR, on_identify=Actions(soc_min_pct=20, soc_target_pct=80))
    site = bench(PV, cars=(car, replace(CAR, name="other")), vehicle="car", reset_on_disconnect=True)
    site.at(0)
    site.set("soc_min_pct", 40)
    site.set("soc_target_pct", 60)
    site.box.status = A
    site.at(10)
    assert (site.lp.settings.soc_min_pct, site.lp.settings.soc_target_pct) == (20, 80)
    assert site.site.lasting.vehicle_settings == {}
    forgotten = [event for event in site.found(SettingChanged) if event.scope is Scope.VEHICLE and event.value is None]
    assert {(event.owner, event.name) for event in forgotten} == {("car", "soc_min_pct"), ("car", "soc_target_pct")}
    site.submit(AssignVehicle(0, "other"))
    site.submit(AssignVehicle(0, "car"))
    assert (site.lp.settings.soc_min_pct, site.lp.settings.soc_target_pct) == (20, 80)


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
