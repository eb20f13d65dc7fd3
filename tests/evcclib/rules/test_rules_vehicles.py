"""Vehicles at a site: who is assigned when, what comes and goes with a vehicle."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bench import Bench, loadpoint, site_config

from evcclib.commands import Read, VehicleRead
from evcclib.config import Actions, VehicleConfig
from evcclib.errors import UnknownTarget
from evcclib.events import GuestFound, SessionChanged, SocProgressed, VehicleAssigned
from evcclib.model import ChargeMode, ChargerStatus
from evcclib.readings import Measured, Missing, VehicleReading
from evcclib.requests import AssignVehicle, ChangeVehicleSetting, DetectVehicle
from evcclib.units import ORIGIN

A, B, C = ChargerStatus.A, ChargerStatus.B, ChargerStatus.C


def car(name: str, **values: object) -> VehicleConfig:
    return VehicleConfig(name=name, title=name.title(), **values)  # type: ignore[arg-type]  # keywords passed through


def home(*vehicles: VehicleConfig, count: int = 1, **values: object) -> Bench:
    values.setdefault("mode", ChargeMode.OFF)
    return Bench(site_config(*(loadpoint(**values) for _ in range(count)), vehicles=vehicles))


def assigned(bench: Bench) -> list[str | None]:
    return [event.vehicle for event in bench.events if isinstance(event, VehicleAssigned)]


def plug(bench: Bench, seconds: float, index: int = 0) -> None:
    bench.boxes[index].status = B
    bench.at(seconds)


def unplug(bench: Bench, seconds: float, index: int = 0) -> None:
    bench.boxes[index].status = A
    bench.at(seconds)


def present(bench: Bench, identity: str, index: int = 0) -> None:
    bench.boxes[index].extra["identity"] = Measured(identity, bench.t)


def says(bench: Bench, **statuses: ChargerStatus) -> None:
    bench.vehicles = {name: VehicleReading(status=Measured(status, bench.t)) for name, status in statuses.items()}


@pytest.mark.rule("VEH-6", "EV-10")
def test_default_vehicle_is_there_from_the_start_and_after_each_connect() -> None:
    bench = home(car("zoe"), car("kangoo"), vehicle="zoe")
    assert bench.lp.vehicle == "zoe"
    bench.at(0)
    bench.submit(AssignVehicle(0, "kangoo"))
    plug(bench, 10)
    assert bench.lp.vehicle == "zoe"


@pytest.mark.rule("EV-13", "VEH-6")
def test_default_vehicle_comes_back_when_another_one_leaves() -> None:
    bench = home(car("zoe"), car("kangoo"), vehicle="zoe")
    plug(bench, 0)
    bench.submit(AssignVehicle(0, "kangoo"))
    unplug(bench, 10)
    assert bench.lp.vehicle == "zoe"


@pytest.mark.rule("EV-13")
def test_without_a_default_vehicle_nobody_is_left_after_a_disconnect() -> None:
    bench = home(car("zoe"))
    plug(bench, 0)
    bench.submit(AssignVehicle(0, "zoe"))
    unplug(bench, 10)
    assert bench.lp.vehicle is None
    assert assigned(bench)[-1] is None


@pytest.mark.rule("VEH-2", "VEH-3", "INV-13")
def test_vehicle_that_is_assigned_elsewhere_leaves_its_loadpoint() -> None:
    bench = home(car("zoe", capacity_kwh=50.0), count=2)
    bench.at(0)
    bench.submit(AssignVehicle(0, "zoe"))
    bench.set("energy_target_kwh", 5.0, 1)
    bench.submit(AssignVehicle(1, "zoe"))
    first, second = bench.site.state.loadpoints
    assert (first.vehicle, second.vehicle) == (None, "zoe")
    assert (first.settings.soc_min_pct, first.settings.soc_target_pct) == (0, 100)
    assert second.settings.energy_target_kwh == 0


@pytest.mark.rule("VEH-3")
def test_assigning_the_same_vehicle_changes_nothing() -> None:
    bench = home(car("zoe"))
    bench.at(0)
    bench.submit(AssignVehicle(0, "zoe"))
    before = bench.lp.copy()
    assert bench.submit(AssignVehicle(0, "zoe")) == ()
    assert bench.lp == before


@pytest.mark.rule("VEH-3", "SES-4")
def test_name_of_a_new_vehicle_goes_into_the_running_session() -> None:
    bench = home(car("zoe"), car("kangoo"), mode=ChargeMode.NOW)
    bench.box.status = B
    bench.at(0)
    bench.at(10)
    assert bench.box.status is C
    bench.submit(AssignVehicle(0, "kangoo"))
    stored = [event.session.vehicle for event in bench.events if isinstance(event, SessionChanged)]
    assert stored == ["", "Kangoo"]


@pytest.mark.rule("VEH-4")
def test_choice_by_hand_ends_the_search() -> None:
    bench = home(car("zoe", has_status=True))
    plug(bench, 0)
    assert bench.lp.detection.started_at is not None
    bench.submit(AssignVehicle(0, "zoe"))
    assert bench.lp.detection.started_at is None
    bench.submit(AssignVehicle(0, None))
    assert bench.lp.vehicle is None
    assert bench.lp.detection.started_at is None


@pytest.mark.rule("VEH-4")
def test_unknown_vehicle_or_loadpoint_is_refused() -> None:
    bench = home(car("zoe"))
    bench.at(0)
    with pytest.raises(UnknownTarget):
        bench.submit(AssignVehicle(0, "nobody"))
    with pytest.raises(UnknownTarget):
        bench.submit(AssignVehicle(1, "zoe"))
    with pytest.raises(UnknownTarget):
        bench.submit(DetectVehicle(-1))
    assert bench.lp.vehicle is None


@pytest.mark.rule("VEH-5")
def test_search_by_hand_forgets_the_vehicle_and_looks_for_it() -> None:
    bench = home(car("zoe", has_status=True))
    plug(bench, 0)
    bench.submit(AssignVehicle(0, "zoe"))
    bench.submit(DetectVehicle(0))
    assert bench.lp.vehicle is None
    assert bench.lp.detection.started_at == bench.t
    says(bench, zoe=B)
    bench.at(10)
    assert bench.lp.vehicle == "zoe"


@pytest.mark.rule("VEH-6", "DEF-36")
def test_vehicle_chosen_before_the_connect_needs_no_search() -> None:
    bench = home(car("zoe", has_status=True))
    bench.at(0)
    bench.submit(AssignVehicle(0, "zoe"))
    plug(bench, 10)
    assert bench.lp.vehicle == "zoe"
    assert bench.lp.detection.started_at is None
    assert not [read for read in bench.reads if read.what is VehicleRead.STATUS]


@pytest.mark.rule("VEH-6", "LP-19")
@pytest.mark.parametrize("integrated", [True, False])
def test_heat_pump_is_not_taken_for_a_vehicle(integrated: bool) -> None:
    bench = home(car("zoe", has_status=True, identifiers=("1",)), is_integrated=integrated, has_identity=True)
    bench.at(0)
    present(bench, "1")
    plug(bench, 10)
    assert (bench.lp.vehicle is None) is integrated


@pytest.mark.rule("VEH-6")
def test_without_any_vehicle_nothing_is_searched() -> None:
    bench = home()
    plug(bench, 0)
    assert bench.lp.detection.started_at is None


@pytest.mark.rule("VEH-7", "LP-10", "SES-4", "CUT-2")
def test_odometer_is_asked_for_once_and_goes_into_the_session() -> None:
    bench = home(car("zoe", has_odometer=True), vehicle="zoe")
    plug(bench, 0)
    wish = Read("zoe", VehicleRead.ODOMETER)
    assert wish in bench.reads
    bench.set("mode", ChargeMode.NOW)
    bench.at(10)
    bench.vehicles = {"zoe": VehicleReading(odometer_km=Measured(12_345.6, bench.t))}
    bench.at(20)
    assert wish not in bench.reads
    assert bench.lp.odometer_km == 12_345.6
    assert [event.session.odometer_km for event in bench.events if isinstance(event, SessionChanged)][-1] == 12_345.6


@pytest.mark.rule("VEH-7", "VEH-20", "SES-4")
def test_odometer_of_the_last_journey_is_not_taken_for_new() -> None:
    bench = home(car("zoe", has_odometer=True), vehicle="zoe")
    bench.at(0)
    bench.vehicles = {"zoe": VehicleReading(odometer_km=Measured(12_000.0, bench.t))}
    bench.at(10)
    assert bench.lp.odometer_km == 12_000.0
    plug(bench, 40_000)
    bench.set("mode", ChargeMode.NOW)
    bench.at(40_010)
    bench.vehicles = {"zoe": VehicleReading(odometer_km=Measured(12_080.0, bench.t))}
    bench.at(40_020)
    assert bench.lp.odometer_km == 12_080.0
    kept = [event.session.odometer_km for event in bench.events if isinstance(event, SessionChanged)]
    assert 12_000.0 not in kept
    assert kept[-1] == 12_080.0


@pytest.mark.rule("DEF-46", "VEH-3")
def test_odometer_of_another_vehicle_is_not_shown() -> None:
    bench = home(car("zoe", has_odometer=True), car("kangoo"))
    bench.at(0)
    bench.submit(AssignVehicle(0, "zoe"))
    bench.vehicles = {"zoe": VehicleReading(odometer_km=Measured(12_345.6, bench.t))}
    plug(bench, 10)
    assert bench.lp.odometer_km == 12_345.6
    bench.submit(AssignVehicle(0, "kangoo"))
    assert bench.site.view(now=bench.now).loadpoints[0].vehicle_odometer_km is None


@pytest.mark.rule("VEH-9", "VEH-8", "VEH-11")
def test_new_id_assigns_its_vehicle_over_any_other_choice_once() -> None:
    bench = home(car("zoe", identifiers=("1*",)), car("kangoo"), vehicle="kangoo", has_identity=True)
    bench.at(0)
    plug(bench, 10)
    present(bench, "11")
    bench.at(20)
    assert bench.lp.vehicle == "zoe"
    bench.submit(AssignVehicle(0, "kangoo"))
    present(bench, "11")
    bench.at(30)
    assert bench.lp.vehicle == "kangoo"
    present(bench, "12")
    bench.at(40)
    assert bench.lp.vehicle == "zoe"


@pytest.mark.rule("VEH-9", "VEH-8")
@pytest.mark.parametrize("identity", ["", "99"])
def test_empty_or_unknown_id_leaves_the_vehicle_alone(identity: str) -> None:
    bench = home(car("zoe", identifiers=("1",)), has_identity=True)
    plug(bench, 0)
    present(bench, "1")
    bench.at(10)
    present(bench, identity)
    bench.at(20)
    assert bench.lp.vehicle == "zoe"
    assert (bench.site.view(now=bench.now).loadpoints[0].vehicle_identity or "") == identity


@pytest.mark.rule("VEH-8")
def test_failed_read_of_the_id_keeps_it() -> None:
    bench = home(car("zoe", identifiers=("1",)), has_identity=True)
    plug(bench, 0)
    present(bench, "1")
    bench.at(10)
    bench.box.extra["identity"] = Missing(bench.t)
    bench.at(20)
    assert bench.lp.identity == "1"


@pytest.mark.rule("VEH-9", "VEH-12")
def test_id_ends_the_search() -> None:
    bench = home(car("zoe", identifiers=("1",), has_status=True), has_identity=True)
    plug(bench, 0)
    assert bench.lp.detection.started_at is not None
    present(bench, "1")
    bench.at(10)
    assert bench.lp.detection.started_at is None


@pytest.mark.rule("EV-13", "VEH-8")
def test_id_is_forgotten_with_the_vehicle() -> None:
    bench = home(car("zoe", identifiers=("1",)), has_identity=True)
    plug(bench, 0)
    present(bench, "1")
    bench.at(10)
    del bench.box.extra["identity"]
    unplug(bench, 20)
    assert bench.lp.identity == ""
    plug(bench, 30)
    present(bench, "1")
    bench.at(40)
    assert bench.lp.vehicle == "zoe"


@pytest.mark.rule("VEH-8", "EV-13", "SES-1")
def test_id_that_can_no_longer_be_read_is_not_that_of_the_next_vehicle() -> None:
    bench = home(car("zoe", identifiers=("1",)), has_identity=True)
    bench.box.extra["identity"] = Measured("1", ORIGIN)
    plug(bench, 0)
    assert (bench.lp.vehicle, bench.lp.identity) == ("zoe", "1")
    bench.box.status = A
    bench.at(100)
    plug(bench, 3600)
    assert (bench.lp.vehicle, bench.lp.identity) == (None, "")


@pytest.mark.rule("VEH-14", "VEH-12", "CUT-2")
def test_only_vehicle_that_says_it_is_plugged_in_is_assigned() -> None:
    bench = home(car("kangoo", has_status=True), car("zoe", has_status=True))
    plug(bench, 0)
    assert {read.vehicle for read in bench.reads} == {"kangoo", "zoe"}
    says(bench, kangoo=A, zoe=C)
    bench.at(10)
    assert bench.lp.vehicle == "zoe"
    assert bench.lp.detection.started_at is None


@pytest.mark.rule("VEH-13", "VEH-15", "VEH-16")
def test_two_vehicles_that_are_plugged_in_end_as_a_guest_until_the_next_connect() -> None:
    bench = home(car("kangoo", has_status=True), car("zoe", has_status=True))
    plug(bench, 0)
    for seconds in range(10, 601, 10):
        bench.t = timedelta(seconds=seconds)
        says(bench, kangoo=B, zoe=B)
        bench.at(seconds)
    assert bench.lp.detection.started_at is not None
    assert not bench.found(GuestFound)
    bench.at(610)
    assert len(bench.found(GuestFound)) == 1
    says(bench, kangoo=A, zoe=B)
    bench.at(700)
    assert bench.lp.vehicle is None
    unplug(bench, 710)
    plug(bench, 720)
    assert bench.lp.detection.started_at == bench.t


@pytest.mark.rule("VEH-16", "VEH-9")
def test_guest_is_still_known_by_an_id() -> None:
    bench = home(car("zoe", has_status=True, identifiers=("1",)), has_identity=True)
    plug(bench, 0)
    bench.at(610)
    assert len(bench.found(GuestFound)) == 1
    present(bench, "1")
    bench.at(620)
    assert bench.lp.vehicle == "zoe"


@pytest.mark.rule("VEH-14", "VEH-1")
def test_vehicle_of_another_loadpoint_is_no_candidate() -> None:
    bench = home(car("kangoo", has_status=True), car("zoe", has_status=True), count=2)
    bench.at(0)
    bench.submit(AssignVehicle(1, "kangoo"))
    plug(bench, 10)
    says(bench, kangoo=B, zoe=B)
    bench.at(20)
    assert bench.lp.vehicle == "zoe"


SPORTY = Actions(
    mode=ChargeMode.NOW, current_min_a=8.0, current_max_a=12.0, soc_min_pct=20, soc_target_pct=80, priority=3
)


@pytest.mark.rule("ACT-1", "VEH-3", "DEF-20", "PRIO-3")
def test_actions_of_a_vehicle_take_effect_when_it_is_assigned() -> None:
    bench = home(car("zoe", on_identify=SPORTY))
    bench.at(0)
    bench.submit(AssignVehicle(0, "zoe"))
    settings = bench.lp.settings
    assert settings.mode is ChargeMode.NOW
    assert (settings.current_min_a, settings.current_max_a) == (8.0, 12.0)
    assert (settings.soc_min_pct, settings.soc_target_pct) == (20, 80)
    assert bench.lp.priority_of_vehicle == 3


@pytest.mark.rule("ACT-1")
def test_actions_cannot_widen_the_configured_currents() -> None:
    bench = home(car("zoe", on_identify=Actions(current_min_a=5.0, current_max_a=32.0)))
    bench.at(0)
    bench.submit(AssignVehicle(0, "zoe"))
    assert (bench.lp.settings.current_min_a, bench.lp.settings.current_max_a) == (6.0, 16.0)


@pytest.mark.rule("ACT-1", "DEF-41")
def test_actions_that_would_cross_the_present_currents_are_left_out() -> None:
    bench = home(car("zoe", on_identify=Actions(current_min_a=12.0)))
    bench.at(0)
    bench.set("current_max_a", 10.0)
    bench.submit(AssignVehicle(0, "zoe"))
    assert (bench.lp.settings.current_min_a, bench.lp.settings.current_max_a) == (6.0, 10.0)


@pytest.mark.rule("ACT-2", "ACT-3")
def test_defaults_come_back_at_disconnect_and_the_default_vehicles_actions_after_them() -> None:
    bench = home(
        car("kangoo", on_identify=Actions(mode=ChargeMode.PV)),
        car("zoe", on_identify=SPORTY),
        vehicle="kangoo",
        reset_on_disconnect=True,
        mode=ChargeMode.OFF,
    )
    plug(bench, 0)
    bench.submit(AssignVehicle(0, "zoe"))
    unplug(bench, 10)
    settings = bench.lp.settings
    assert (settings.mode, settings.current_min_a, settings.current_max_a) == (ChargeMode.PV, 6.0, 16.0)
    assert (settings.soc_min_pct, settings.soc_target_pct) == (0, 100)


@pytest.mark.rule("ACT-2")
def test_what_was_set_by_hand_is_reset_to_the_configuration() -> None:
    bench = home(reset_on_disconnect=True, mode=ChargeMode.PV)
    plug(bench, 0)
    bench.set("mode", ChargeMode.NOW)
    bench.set("current_max_a", 10.0)
    bench.set("soc_target_pct", 60)
    unplug(bench, 10)
    settings = bench.lp.settings
    assert (settings.mode, settings.current_max_a, settings.soc_target_pct) == (ChargeMode.PV, 16.0, 100)


@pytest.mark.rule("ACT-4")
def test_without_resetting_mode_and_currents_of_the_vehicle_stay() -> None:
    bench = home(car("zoe", on_identify=SPORTY))
    plug(bench, 0)
    bench.submit(AssignVehicle(0, "zoe"))
    unplug(bench, 10)
    settings = bench.lp.settings
    assert bench.lp.vehicle is None
    assert (settings.mode, settings.current_min_a, settings.current_max_a) == (ChargeMode.NOW, 8.0, 12.0)
    assert bench.lp.priority_of_vehicle is None


@pytest.mark.rule("ACT-6", "DEF-33")
def test_goals_of_a_guest_end_with_the_connection() -> None:
    bench = home()
    plug(bench, 0)
    bench.set("energy_target_kwh", 5.0)
    bench.set("soc_target_pct", 60)
    unplug(bench, 10)
    assert bench.lp.settings.energy_target_kwh == 0
    assert bench.lp.settings.soc_target_pct == 100


@pytest.mark.rule("VEH-3", "PLAN-21")
def test_another_vehicle_brings_its_own_goals_but_no_other_target_time() -> None:
    bench = home(car("kangoo"), car("zoe", on_identify=Actions(soc_target_pct=80)))
    plug(bench, 0)
    target = bench.now.utc + timedelta(hours=8)
    bench.set("soc_min_pct", 30)
    bench.set("energy_target_kwh", 5.0)
    bench.set("target_time", target)
    bench.submit(AssignVehicle(0, "zoe"))
    settings = bench.lp.settings
    assert (settings.soc_min_pct, settings.soc_target_pct, settings.energy_target_kwh) == (0, 80, 0)
    assert settings.target_time == target


@pytest.mark.rule("PLAN-18", "EV-13")
def test_target_time_ends_with_the_connection() -> None:
    bench = home()
    plug(bench, 0)
    bench.set("target_time", bench.now.utc + timedelta(hours=8))
    unplug(bench, 10)
    assert bench.lp.settings.target_time is None


@pytest.mark.rule("VEH-3", "SITE-22")
def test_what_the_owner_set_for_a_vehicle_comes_back_with_it() -> None:
    bench = home(car("zoe", on_identify=Actions(soc_min_pct=10, soc_target_pct=80)))
    plug(bench, 0)
    bench.submit(AssignVehicle(0, "zoe"))
    bench.set("soc_target_pct", 90)
    unplug(bench, 10)
    assert bench.lp.settings.soc_target_pct == 100
    bench.submit(ChangeVehicleSetting("zoe", "soc_min_pct", 25))
    plug(bench, 20)
    bench.submit(AssignVehicle(0, "zoe"))
    assert (bench.lp.settings.soc_min_pct, bench.lp.settings.soc_target_pct) == (25, 90)


@pytest.mark.rule("DEF-34", "SOC-12", "EV-15")
def test_progress_is_told_anew_for_the_same_vehicle() -> None:
    bench = home(car("zoe", has_soc=True, capacity_kwh=50.0), vehicle="zoe")
    for start in (0, 1000):
        bench.t = timedelta(seconds=start)
        bench.vehicles = {"zoe": VehicleReading(soc_pct=Measured(42.0, bench.t))}
        plug(bench, start)
        bench.at(start + 10)
        unplug(bench, start + 20)
    assert [event.soc_pct for event in bench.events if isinstance(event, SocProgressed)] == [42.0, 42.0]


@pytest.mark.rule("EV-10", "SOC-12", "DEF-34")
def test_first_ten_percent_of_a_connection_start_at_zero() -> None:
    bench = home(car("zoe", has_soc=True, capacity_kwh=50.0), vehicle="zoe")
    bench.at(0)
    bench.vehicles = {"zoe": VehicleReading(soc_pct=Measured(0.0, bench.t))}
    plug(bench, 10)
    assert [event.soc_pct for event in bench.events if isinstance(event, SocProgressed)] == [0.0]


@pytest.mark.rule("VEH-3", "SOC-12")
def test_progress_starts_over_with_another_vehicle() -> None:
    bench = home(car("kangoo", has_soc=True, capacity_kwh=50.0), car("zoe", has_soc=True, capacity_kwh=50.0))
    plug(bench, 0)
    for name, soc_pct in (("zoe", 55.0), ("kangoo", 0.0)):
        bench.submit(AssignVehicle(0, name))
        bench.vehicles = {name: VehicleReading(soc_pct=Measured(soc_pct, bench.t))}
        bench.at(10 if name == "zoe" else 20)
    assert [event.soc_pct for event in bench.events if isinstance(event, SocProgressed)] == [55.0, 0.0]
