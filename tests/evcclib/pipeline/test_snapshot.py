"""A state as plain data, and back on another clock."""

from __future__ import annotations

import json
from dataclasses import is_dataclass, replace
from datetime import timedelta
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from bench import NOON, Bench, S, loadpoint, run, site_config

from evcclib import (
    AssignVehicle,
    Cause,
    ChangeVehicleSetting,
    ChargeMode,
    ChargerStatus,
    Disable,
    Enable,
    IncompatibleState,
    LoadpointConfig,
    Measured,
    Now,
    SetCurrent,
    Site,
    SiteConfig,
    VehicleConfig,
    VehicleReading,
)
from evcclib.commands import Result
from evcclib.config import BatteryConfig
from evcclib.events import Warned, WarningCode
from evcclib.laws.classic import Memory
from evcclib.ledger.meter_ledger import LedgerState, TimerState
from evcclib.machines.charger import CurrentRange
from evcclib.machines.phases import Narrowed
from evcclib.machines.surplus import ELAPSED
from evcclib.pipeline.snapshot import TRANSIENT
from evcclib.pipeline.state import LoadpointState, SiteState
from evcclib.planning.house_load import HourMean
from evcclib.planning.power_plan import Shortfall
from evcclib.readings import OperatorLimit
from evcclib.settings import LoadpointSettings
from evcclib.timetable.plans import PlanStrategy
from evcclib.units import ORIGIN, Instant

CAR = VehicleConfig(name="car", capacity_kwh=54.0, has_soc=True)


def lived_in() -> Bench:
    """A site in the middle of its day."""
    config = site_config(
        loadpoint(phases=3, has_energy_total=True),
        loadpoint(can_switch_phases=True),
        vehicles=(CAR,),
        batteries=(BatteryConfig(capacity_kwh=10.0),),
        pv_count=1,
    )
    bench = Bench(config)
    for box in bench.boxes:
        box.status = ChargerStatus.B
    bench.box.extra = {"energy_total_kwh": Measured(5.0, 0 * S)}
    bench.submit(AssignVehicle(0, "car"))
    bench.submit(ChangeVehicleSetting("car", "soc_target_pct", 85))
    bench.vehicles["car"] = VehicleReading(soc_pct=Measured(40.0, 0 * S))
    bench.set("target_time", NOON + timedelta(hours=8))
    run(bench, range(0, 200, 10), sun_w=9000)
    run(bench, range(200, 260, 10), sun_w=3000)
    return bench


def moved(
    site: Site, config: SiteConfig, now: Now, *, origin: Instant = ORIGIN, down: timedelta = timedelta(0)
) -> Site:
    """The same site on another clock, ``down`` later."""
    plain = json.loads(json.dumps(site.export(now=now)))
    return Site.restore(config, plain, now=Now(origin, now.utc + down))


@pytest.mark.rule("N-5", "CUT-6")
def test_export_of_a_restored_site_is_the_same() -> None:
    bench = lived_in()
    there = moved(bench.site, bench.config, bench.now, origin=12345 * S)
    assert there.export(now=Now(12345 * S, bench.now.utc)) == bench.site.export(now=bench.now)


@pytest.mark.rule("INV-11", "SITE-22")
def test_restored_site_goes_on_exactly() -> None:
    here = lived_in()
    there = lived_in()
    there.site = moved(there.site, there.config, there.now, origin=there.t)
    for second in range(260, 700, 10):
        for bench in (here, there):
            run(bench, [second], sun_w=3000)
        assert here.decision == there.decision
    assert here.site.view(now=here.now) == there.site.view(now=there.now)


@pytest.mark.rule("N-2")
def test_instants_move_with_the_clock_and_durations_do_not() -> None:
    bench = lived_in()
    bench.lp.memory = Memory(ELAPSED)
    there = moved(bench.site, bench.config, bench.now, origin=-1000 * S)
    shift = -1000 * S - bench.t
    before, after = bench.site.state, there.state
    assert after.loadpoints[0].memory == Memory(ELAPSED)
    assert before.loadpoints[0].connected_at is not None
    assert after.loadpoints[0].connected_at == before.loadpoints[0].connected_at + shift
    assert after.loadpoints[0].settings == before.loadpoints[0].settings
    assert after.loadpoints[0].charger.guard is not None
    assert after.vehicle_settings == before.vehicle_settings


@pytest.mark.rule("N-2", "LIM-5")
def test_time_without_the_site_counts() -> None:
    bench = Bench(site_config(loadpoint(phases=3)))
    bench.box.status = ChargerStatus.B
    run(bench, [0, 10], sun_w=5000)
    run(bench, [20], sun_w=0)
    bench.site = moved(bench.site, bench.config, bench.now, origin=1000 * S, down=600 * S)
    bench.utc = NOON + 620 * S - 1000 * S
    bench.t, bench.grid_w = 1000 * S, 4140.0
    assert bench.step(Cause.START) == (Disable(),)


@pytest.mark.rule("DEF-47", "SITE-22")
def test_meter_that_was_not_asked_while_the_site_was_away_is_not_lost() -> None:
    bench = Bench(site_config(loadpoint(phases=3)))
    bench.box.status = ChargerStatus.B
    run(bench, range(0, 200, 10), sun_w=8000)
    assert bench.box.offered_a == 11
    bench.site = moved(bench.site, bench.config, bench.now, origin=1000 * S, down=600 * S)
    bench.utc = NOON + 790 * S - 1000 * S
    bench.t, bench.grid_w = 1000 * S, None
    bench.events.clear()
    assert bench.step(Cause.START) == (SetCurrent(6.0),)
    assert not bench.found(Warned)
    sent = {second: commands for second in range(1010, 1300, 10) if (commands := bench.at(second))}
    assert sent == {1210: (Disable(),)}
    assert [event.code for event in bench.found(Warned)] == [WarningCode.GRID_STALE, WarningCode.GRID_LOST]


@pytest.mark.rule("CUT-4")
def test_batch_in_flight_is_in_doubt_after_a_restart() -> None:
    bench = Bench(site_config(loadpoint(phases=3, mode=ChargeMode.NOW)))
    bench.box.status = ChargerStatus.B
    bench.answers_at_once = False
    bench.at(0)
    bench.site = moved(bench.site, bench.config, bench.now, origin=bench.t)
    assert bench.lp.charger.pending is None
    bench.answers_at_once = True
    assert bench.at(10, Cause.START) == (SetCurrent(16.0), Enable())


@pytest.mark.rule("LP-3")
def test_car_in_pv_goes_on_after_a_restart_as_it_was() -> None:
    bench = Bench(site_config(loadpoint(phases=3)))
    bench.box.status = ChargerStatus.B
    run(bench, range(0, 100, 10), sun_w=7000)
    bench.site = moved(bench.site, bench.config, bench.now, origin=bench.t)
    bench.t += 10 * S
    assert bench.step(Cause.START) == ()
    assert bench.box.offered_a == 10


@pytest.mark.rule("SITE-22", "VEH-1")
def test_configuration_may_have_changed() -> None:
    bench = lived_in()
    plain = bench.site.export(now=bench.now)
    smaller = replace(bench.config, loadpoints=bench.config.loadpoints[:1], vehicles=())
    site = Site.restore(smaller, plain, now=bench.now)
    assert (len(site.state.loadpoints), site.state.loadpoints[0].vehicle, dict(site.state.vehicle_settings)) == (
        1,
        None,
        {},
    )
    larger = replace(bench.config, loadpoints=(*bench.config.loadpoints, LoadpointConfig(vehicle="car")))
    site = Site.restore(larger, plain, now=bench.now)
    assert [each.vehicle for each in site.state.loadpoints] == ["car", None, None]
    fixed = replace(bench.config, loadpoints=(bench.config.loadpoints[0], loadpoint(phases=1)))
    bench.site.state.loadpoints[1].charger = bench.site.state.loadpoints[1].charger._replace(phases=0)
    site = Site.restore(fixed, bench.site.export(now=bench.now), now=bench.now)
    assert site.state.loadpoints[1].charger.phases == 1


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"version": 99},
        {"version": 1, "at": "x", "site": {}},
        {"version": 1, "at": NOON.isoformat(), "site": {"settings": 3}},
    ],
)
def test_what_cannot_be_understood_is_refused(data: dict[str, Any]) -> None:
    bench = Bench(site_config())
    with pytest.raises(IncompatibleState):
        Site.restore(bench.config, data, now=bench.now)


@pytest.mark.parametrize(
    "change", [("guard", "soon"), ("is_enabled", "yes"), ("number", 1.5), ("pending", {"batch": 3}), ("guard", 10**30)]
)
def test_wrong_types_are_refused(change: tuple[str, Any]) -> None:
    bench = lived_in()
    data: Any = json.loads(json.dumps(bench.site.export(now=bench.now)))
    data["site"]["loadpoints"][0]["charger"][change[0]] = change[1]
    with pytest.raises(IncompatibleState):
        Site.restore(bench.config, data, now=bench.now)


def test_only_these_times_of_a_state_are_durations() -> None:
    """A restart moves every instant and no duration; what a field holds is said by its annotation alone."""
    found: set[tuple[type, str]] = set()
    seen: set[type] = set()

    def visit(hint: Any) -> None:
        for inner in get_args(hint):
            visit(inner)
        kind = get_origin(hint) or hint
        if kind in seen or not (is_dataclass(kind) or hasattr(kind, "_fields")):
            return
        seen.add(kind)
        for name, each in get_type_hints(kind).items():
            if (kind, name) not in TRANSIENT and name != "pending":
                visit(each)
                if timedelta in (each, *get_args(each)):
                    found.add((kind, name))

    visit(SiteState)
    assert LoadpointState in seen and Narrowed in seen
    assert found == {
        (LoadpointSettings, "enable_delay"),
        (LoadpointSettings, "disable_delay"),
        (TimerState, "duration"),
        (LedgerState, "reach_duration"),
        (Shortfall, "later"),
        (PlanStrategy, "precondition"),
        (HourMean, "seen"),
    }


@pytest.mark.rule("INV-2", "SITE-22")
def test_what_may_stand_what_was_wanted_and_what_a_limit_leaves_survive_a_restart() -> None:
    bench = Bench(site_config(loadpoint(can_switch_phases=True, mode=ChargeMode.NOW)))
    bench.box.status = ChargerStatus.B
    bench.operator = OperatorLimit(power_w=4000.0, expires_at=30 * S)
    run(bench, range(0, 50, 10))
    bench.box.result, bench.box.applied = Result.UNKNOWN, 0
    bench.set("current_max_a", 10)
    run(bench, [50])
    here = bench.lp
    assert here.charger.standing_a == CurrentRange(10.0, 16.0)
    assert here.charger.wanted_a == 10.0
    assert here.narrowed == Narrowed("operator", 30 * S)
    there = moved(bench.site, bench.config, bench.now, origin=bench.t).state.loadpoints[0]
    assert (there.charger, there.narrowed) == (here.charger, here.narrowed)


@pytest.mark.rule("PH-3", "CUT-4")
def test_phases_of_a_switch_in_flight_are_unknown_after_a_restart() -> None:
    bench = Bench(site_config(loadpoint(can_switch_phases=True, mode=ChargeMode.NOW)))
    bench.box.status, bench.box.shows_currents = ChargerStatus.B, True
    bench.operator = OperatorLimit(power_w=4000.0, expires_at=30 * S)
    run(bench, range(0, 200, 10))
    assert bench.lp.measured_phases == 1
    bench.answers_at_once = False
    run(bench, range(200, 290, 10))
    assert bench.lp.charger.pending is not None
    there = moved(bench.site, bench.config, bench.now).state.loadpoints[0]
    assert (there.charger.phases, there.measured_phases) == (0, 0)
