"""When to come back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from bench import NOON, Bench, S, loadpoint, run, site_config

from evcclib.commands import Disable, Enable, SetCurrent, SwitchPhases
from evcclib.config import VehicleConfig
from evcclib.machines.surplus import IDLE_REST
from evcclib.model import Cause, ChargeMode, ChargerStatus, TariffKind
from evcclib.readings import Measured, OperatorLimit, Readings, VehicleReading
from evcclib.requests import ChangeVehicleSetting
from evcclib.tariff import Rate, Rates
from evcclib.units import Instant

pytestmark = pytest.mark.rule("SITE-24")

FOREVER = Instant(timedelta(days=365))


def lasting(readings: Readings) -> Readings:
    """The same readings, valid for ever: samples may lie in the future."""
    charger = readings.chargers[0]
    grid = readings.grid
    assert grid is not None and isinstance(grid.power_w, Measured)
    later = {
        name: Measured(value.value, FOREVER)
        for name in ("status", "is_enabled", "power_w", "currents_a")
        if isinstance(value := getattr(charger, name), Measured)
    }
    return replace(
        readings,
        grid=replace(grid, power_w=Measured(grid.power_w.value, FOREVER)),
        chargers=(replace(charger, **later),),
    )


def wake_at(bench: Bench, *, cause: Cause = Cause.INTERVAL) -> timedelta | None:
    bench.step(cause, lasting(bench.readings()))
    assert bench.decision is not None
    return bench.decision.wake_at


@pytest.mark.rule("SITE-1")
def test_next_tick_while_something_moves() -> None:
    bench = Bench(site_config(loadpoint(phases=3)))
    bench.box.status = ChargerStatus.B
    run(bench, [0, 10], sun_w=9000)
    assert bench.decision is not None and bench.decision.wake_at == 20 * S
    bench.at(13, Cause.SAMPLE)
    assert bench.decision.wake_at == 20 * S


@pytest.mark.rule("SITE-1")
def test_idle_site_need_not_come_back() -> None:
    bench = Bench(site_config(loadpoint(mode=ChargeMode.OFF)))
    run(bench, [0, 10])
    bench.t = 200 * S
    wake_at(bench)
    bench.t = 210 * S
    found = wake_at(bench)
    assert found is not None and found > FOREVER  # when the last sample gets too old


@pytest.mark.rule("DEF-47", "SITE-1")
def test_samples_that_get_too_old_are_a_reason_to_come_back() -> None:
    bench = Bench(site_config(loadpoint(mode=ChargeMode.OFF)))
    run(bench, [0, 10, 20])
    assert bench.decision is not None and bench.decision.wake_at == 60 * S  # sampled at 20 s, too old after 50 s


@pytest.mark.rule("PV-6", "SITE-1")
def test_running_delay_ends_on_a_tick() -> None:
    bench = Bench(site_config(loadpoint(phases=3, enable_delay=65 * S)))
    bench.box.status = ChargerStatus.B
    run(bench, [0, 10, 100, 110])
    bench.t, bench.grid_w = 120 * S, -5000.0
    wake_at(bench)
    bench.t = 130 * S
    assert wake_at(bench) == 190 * S
    bench.t = 180 * S
    assert wake_at(bench) == 190 * S
    bench.t = 190 * S
    assert bench.step(readings=lasting(bench.readings()))[0] == SetCurrent(6.0)


@pytest.mark.rule("TAR-10", "SITE-1")
def test_price_change_and_plan_are_reasons_to_come_back() -> None:
    bench = Bench(
        site_config(loadpoint(vehicle="car"), vehicles=(VehicleConfig(name="car", capacity_kwh=54.0, has_soc=True),))
    )
    bench.box.status = ChargerStatus.B
    hour = timedelta(hours=1)
    bench.tariffs = {TariffKind.GRID: Rates((Rate(NOON + hour, NOON + 2 * hour, 0.2),))}
    bench.vehicles = {"car": VehicleReading(soc_pct=Measured(79.0, FOREVER))}
    bench.submit(ChangeVehicleSetting("car", "soc_target_pct", 80))
    bench.grid_w = 500.0
    run(bench, [0, 10])
    bench.grid_w = 500.0
    for second in (1000, 1010, 1020):
        bench.t = second * S
        found = wake_at(bench)
    assert found == 3600 * S
    bench.set("target_time", NOON + 3 * hour)
    for second in (1030, 1040):
        bench.t = second * S
        found = wake_at(bench)
    assert found == 3600 * S
    bench.tariffs = {}
    for second in (3600, 3610):
        bench.t = second * S
        found = wake_at(bench)
    start = bench.lp.plan.projected_start
    assert start is not None and found is not None
    assert NOON + found <= start + 10 * S


@pytest.mark.rule("TAR-10", "SITE-1", "PLAN-9")
def test_hole_in_the_prices_begins_and_ends_with_a_wake_up_and_so_does_the_plan_in_it() -> None:
    bench = Bench(
        site_config(loadpoint(vehicle="car"), vehicles=(VehicleConfig(name="car", capacity_kwh=54.0, has_soc=True),))
    )
    bench.box.status = ChargerStatus.B
    hour = timedelta(hours=1)
    rates = (Rate(NOON, NOON + hour, 0.2), Rate(NOON + 8 * hour, NOON + 9 * hour, 0.1))
    bench.tariffs = {TariffKind.GRID: Rates(rates)}
    bench.vehicles = {"car": VehicleReading(soc_pct=Measured(40.0, FOREVER))}
    bench.grid_w = 500.0
    run(bench, [0, 10])
    bench.grid_w = 500.0

    def settled(*seconds: float) -> timedelta | None:
        for second in seconds:
            bench.t = second * S
            found = wake_at(bench)
        return found

    assert settled(1000, 1010, 1020) == hour
    assert settled(3600, 3610, 28000, 28010) == 8 * hour
    bench.t = 4000 * S
    bench.submit(ChangeVehicleSetting("car", "soc_target_pct", 45))
    bench.tariffs = {TariffKind.GRID: Rates((Rate(NOON + 8 * hour, NOON + 9 * hour, 0.1),))}
    bench.set("target_time", NOON + 7 * hour)
    found = settled(4010, 4020, 4030)
    start = bench.lp.plan.projected_start
    assert start is not None and NOON + 6 * hour < start < NOON + 7 * hour
    assert found is not None and NOON + found <= start + 10 * S
    bench.t = start - NOON + 10 * S
    bench.step()
    assert bench.lp.plan.is_active


@pytest.mark.rule("SITE-2")
def test_wake_is_on_the_grid_of_ticks_and_two_of_them_at_once_are_one() -> None:
    bench = Bench(site_config(loadpoint(phases=3)))
    bench.box.status = ChargerStatus.B
    run(bench, [0, 10], sun_w=9000)
    bench.grid_w = -2000.0
    bench.t = 20 * S
    assert bench.step(Cause.INTERVAL)
    assert bench.step(Cause.WAKE) == ()
    bench.grid_w = -2000.0
    bench.t = 30 * S
    assert bench.step(Cause.WAKE)
    assert bench.site.state.tick_at == 20 * S
    assert bench.decision is not None and bench.decision.wake_at == 40 * S


@pytest.mark.rule("LIM-5", "SITE-1")
def test_end_of_the_guard_is_a_reason_to_come_back() -> None:
    bench = Bench(site_config(loadpoint(phases=3, disable_delay=0 * S, guard_duration=305 * S)))
    bench.box.status = ChargerStatus.B
    run(bench, [0, 10, 20], sun_w=5000)
    bench.grid_w = 3000.0
    for second in (30, 40, 50, 60, 120):
        bench.t = second * S
        found = wake_at(bench)
    assert found == 310 * S  # enabled at 0 s; 305 s are over, up to one second early
    bench.t = 310 * S
    assert bench.step(readings=lasting(bench.readings())) == (Disable(),)


@pytest.mark.rule("PH-7", "SITE-1")
def test_end_of_the_phase_delay_is_a_reason_to_come_back() -> None:
    bench = Bench(site_config(loadpoint(can_switch_phases=True, mode=ChargeMode.PV, enable_delay=450 * S)))
    bench.box.status = ChargerStatus.B
    bench.box.extra = {"phases": Measured(1, FOREVER)}
    bench.box.phases = 1
    run(bench, range(0, 200, 10), sun_w=3000)
    bench.grid_w = -6000.0
    for second in (200, 210, 220, 600):
        bench.t = second * S
        found = wake_at(bench)
    assert found == 650 * S
    bench.t = 650 * S
    assert SwitchPhases(3) in bench.step(readings=lasting(bench.readings()))


@pytest.mark.rule("DEF-6", "SITE-1")
@pytest.mark.parametrize(("offered_a", "comes_back"), [(16.0, False), (20.0, True)])
def test_only_a_report_that_contradicts_is_a_reason_to_come_back(offered_a: float, comes_back: bool) -> None:
    bench = Bench(site_config(loadpoint(mode=ChargeMode.NOW, phases=3)))
    bench.box.status = ChargerStatus.B
    bench.box.extra = {"current_offered_a": Measured(offered_a, FOREVER)}
    assert bench.at(0) == (SetCurrent(16.0), Enable())
    for second in (10, 20, 40):
        bench.t = second * S
        wake_at(bench)
    assert bench.decision is not None
    assert (bench.decision.wake_renewed_at == 60 * S) is comes_back
    bench.t = 60 * S
    again = bench.step(readings=lasting(bench.readings()))
    assert again == ((SetCurrent(16.0),) if comes_back else ())


@pytest.mark.rule("DEF-6", "SITE-1")
def test_charger_that_says_disabled_while_it_charges_is_told_after_a_minute() -> None:
    bench = Bench(site_config(loadpoint(mode=ChargeMode.NOW, phases=3)))
    bench.box.status = ChargerStatus.B
    bench.at(0)
    bench.box.is_enabled = False
    for second in (10, 20, 30):
        bench.t = second * S
        wake_at(bench)
    assert bench.decision is not None and bench.decision.wake_renewed_at == 60 * S
    bench.t = 60 * S
    assert Enable() in bench.step(readings=lasting(bench.readings()))


@pytest.mark.rule("DEF-47", "SITE-1")
def test_who_takes_new_samples_at_every_interval_need_not_come_back_for_old_ones() -> None:
    bench = Bench(site_config(loadpoint(mode=ChargeMode.OFF)))
    run(bench, [0, 10, 20])
    assert bench.decision is not None
    assert bench.decision.wake_at == 60 * S
    assert bench.decision.wake_renewed_at is None or bench.decision.wake_renewed_at > 60 * S


@pytest.mark.rule("SITE-1", "PH-7")
def test_wakes_when_a_limit_has_left_all_phases_for_long_enough() -> None:
    bench = Bench(site_config(loadpoint(mode=ChargeMode.NOW, can_switch_phases=True)))
    bench.box.status = ChargerStatus.B
    bench.operator = OperatorLimit(power_w=4000.0, expires_at=100 * S)
    run(bench, range(0, 120, 10))
    bench.t = 120 * S
    wake_at(bench)
    bench.t = 130 * S
    at = wake_at(bench)
    assert at == 340 * S
    bench.t = at
    wake_at(bench, cause=Cause.WAKE)
    assert bench.box.phases == 3


@pytest.mark.rule("PH-7", "SITE-1")
def test_switch_that_waits_because_the_last_ones_were_in_vain_is_a_reason_to_come_back() -> None:
    bench = Bench(
        site_config(
            loadpoint(can_switch_phases=True, enable_delay=100 * S, disable_delay=100 * S, guard_duration=0 * S)
        )
    )
    bench.box.status, bench.box.starts = ChargerStatus.B, False
    bench.box.extra = {"phases": Measured(3, FOREVER)}
    run(bench, [0, 10], sun_w=9000)
    bench.lp.idle_switches = 3
    bench.grid_w = 500.0
    for second in (200, 210, 220):
        bench.t = second * S
        found = wake_at(bench)
    assert found == 400 * S
    bench.t = 400 * S
    assert SwitchPhases(1) in bench.step(readings=lasting(bench.readings()))


@pytest.mark.rule("PV-12", "SITE-1")
def test_offer_that_is_to_be_taken_back_is_a_reason_to_come_back() -> None:
    bench = Bench(site_config(loadpoint(phases=3, guard_duration=0 * S)))
    bench.box.status, bench.box.starts = ChargerStatus.B, False
    run(bench, [0, 10, 20], sun_w=9000)
    changed_at = bench.lp.charger.current_changed_at
    assert bench.box.offered_a == 13.0 and changed_at == 10 * S
    bench.grid_w = -5000.0
    for second in (60, 70, 80):
        bench.t = second * S
        found = wake_at(bench)
    assert found == changed_at + IDLE_REST
    bench.t = found
    assert bench.step(readings=lasting(bench.readings())) == (SetCurrent(7.0),)
