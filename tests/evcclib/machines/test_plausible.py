"""What can be a value and what only says that there is none, and what follows for a site."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from bench import NOON, Bench
from loadpoint_bench import CAR, HOUR, NOW, OFF, PV, C, S, bench, reason, with_soc

from evcclib.commands import Disable, Enable, Read, SetCurrent, VehicleRead
from evcclib.config import PollConfig, VehicleConfig
from evcclib.machines import plausible
from evcclib.model import PollMode
from evcclib.readings import ABSENT, Measured, Missing, Reading, VehicleReading
from evcclib.reasons import ReasonCode
from evcclib.requests import ChangeVehicleSetting
from evcclib.view import LoadpointView

NO_SOC: list[Any] = [-1.0, 100.1, 101, 255, 65535.0, math.nan, math.inf, -math.inf, "40", "", None, True]


@pytest.mark.rule("DEF-43")
@pytest.mark.parametrize("value", NO_SOC)
def test_what_interfaces_say_for_none_is_no_soc(value: object) -> None:
    assert not plausible.is_soc(value)
    assert not plausible.is_sure_soc(value)


@pytest.mark.rule("DEF-43")
def test_zero_can_be_a_soc_but_is_no_sure_one() -> None:
    assert plausible.is_soc(0) and plausible.is_soc(0.0) and plausible.is_soc(100)
    assert not plausible.is_sure_soc(0) and not plausible.is_sure_soc(-0.0)
    assert plausible.is_sure_soc(0.1) and plausible.is_sure_soc(100.0)
    assert plausible.tells_soc(Measured(1.0, 0 * S))
    for reading in (Measured(0.0, 0 * S), Measured(255.0, 0 * S), ABSENT, Missing(0 * S)):
        assert not plausible.tells_soc(reading)


@pytest.mark.rule("DEF-46", "SOC-11")
def test_distances_are_finite_and_an_odometer_stands_at_more_than_zero() -> None:
    assert plausible.is_distance(0) and plausible.is_odometer(0.1)
    for value in (-1.0, math.nan, math.inf, "12", None, False):
        assert not plausible.is_distance(value) and not plausible.is_odometer(value)
    assert not plausible.is_odometer(0.0)


# --- min SoC --------------------------------------------------------------------------------------------------------------


def hungry(car: VehicleConfig = CAR, *, minimum: int = 50, **values: Any) -> Bench:
    """In the evening, in mode pv, with a minimum SoC."""
    site = bench(PV, cars=(car,), vehicle="car", **values)
    site.submit(ChangeVehicleSetting("car", "soc_min_pct", minimum))
    site.at(0)
    return site


def charged_kwh(site: Bench, hours: float, soc_pct: float, *, since: float = 0.0) -> float:
    """Goes through ``hours`` in steps of a minute with a source that says ``soc_pct`` all the time."""
    for minute in range(round(since * 60), round(hours * 60)):
        site.t = minute * 60 * S
        with_soc(site, soc_pct)
        site.grid_w = 500.0 + site.power(site.box)
        site.at(minute * 60 + 10)
    return site.lp.ledger.session_kwh


@pytest.mark.rule("GOAL-4", "DEF-1")
@pytest.mark.parametrize("estimates", [True, False])
def test_source_that_always_says_zero_forces_no_more_than_min_soc_can_need(estimates: bool) -> None:
    site = hungry(estimates_soc=estimates)
    assert charged_kwh(site, 6, 0.0) == pytest.approx(54 * 0.5 / 0.9, abs=0.4)
    assert reason(site) is ReasonCode.SURPLUS_MISSING


@pytest.mark.rule("GOAL-4", "DEF-1")
@pytest.mark.parametrize("stuck_at", [0.0, 12.0])
def test_without_a_capacity_what_does_not_move_is_believed_for_ten_kilowatt_hours(stuck_at: float) -> None:
    site = hungry(replace(CAR, capacity_kwh=0.0))
    assert charged_kwh(site, 6, stuck_at) == pytest.approx(10, abs=0.4)


@pytest.mark.rule("GOAL-4", "DEF-1")
def test_soc_that_rises_is_believed_however_much_it_takes() -> None:
    site = hungry(minimum=30, estimates_soc=False)
    for half in range(9):  # a car that heats: 5.5 kWh for 3 %
        charged_kwh(site, half / 2 + 0.5, 1.0 + 3 * half, since=half / 2)
        assert reason(site) is ReasonCode.MIN_SOC
    assert site.lp.ledger.session_kwh > 2 * 54 * 0.3 / 0.9
    charged_kwh(site, 4.7, 30.0, since=4.5)
    assert not site.lp.charger.is_enabled


@pytest.mark.rule("GOAL-4", "DEF-1")
def test_answer_that_moves_at_last_is_believed_again() -> None:
    site = hungry(minimum=90, estimates_soc=False)
    charged_kwh(site, 6, 20.0)
    assert not site.lp.charger.is_enabled  # 54 kWh: it must be full
    site.t = 6 * HOUR
    with_soc(site, 60.0)
    assert site.at(6 * 3600 + 60) == (SetCurrent(16.0), Enable())


@pytest.mark.rule("GOAL-4")
def test_car_that_is_really_empty_need_not_wait() -> None:
    site = hungry()
    with_soc(site, 0.0)
    assert site.at(10) == (SetCurrent(16.0), Enable())
    assert reason(site) is ReasonCode.MIN_SOC


@pytest.mark.rule("PLAN-19", "PLAN-11")
def test_plan_ends_with_the_energy_it_needs_when_the_soc_does_not_move() -> None:
    site = bench(PV, cars=(CAR,), vehicle="car", estimates_soc=False)
    site.at(0)
    with_soc(site, 40.0)
    site.at(10)
    site.submit(ChangeVehicleSetting("car", "soc_target_pct", 80))
    site.set("target_time", NOON + 3 * HOUR)
    assert charged_kwh(site, 8, 40.0) == pytest.approx(54 * 0.4 / 0.9, abs=0.4)
    assert not site.lp.charger.is_enabled


# --- who is asked ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule("SOC-6", "EST-3", "SOC-8")
@pytest.mark.parametrize("none", [0.0, 255.0, math.nan])
def test_vehicle_is_asked_while_the_charger_has_no_soc_to_tell(none: float) -> None:
    site = bench(OFF, cars=(CAR,), vehicle="car", has_soc=True)
    site.box.extra = {"soc_pct": Measured(none, 0 * S)}
    site.at(0)
    assert Read("car", VehicleRead.SOC, False) in site.reads
    site.box.extra = {"soc_pct": Measured(none, 5 * S)}
    site.t = 5 * S
    with_soc(site, 64.0)
    site.at(10)
    assert site.lp.soc.soc_pct == 64


@pytest.mark.rule("SOC-8", "SOC-9")
@pytest.mark.parametrize(("soc_pct", "asks"), [(0.0, True), (255.0, True), (40.0, False)])
def test_answer_that_may_be_none_is_asked_for_again_after_the_interval(soc_pct: float, asks: bool) -> None:
    site = bench(OFF, cars=(CAR,), vehicle="car", poll=PollConfig(mode=PollMode.CHARGING, interval=HOUR))
    site.at(0)
    assert site.reads
    with_soc(site, soc_pct)
    for second in range(10, 3600, 600):
        site.at(second)
        assert not site.reads
    site.at(3600)
    assert bool(site.reads) is asks


# --- what is shown --------------------------------------------------------------------------------------------------------


def shown(site: Bench) -> LoadpointView:
    return site.site.view(now=site.now).loadpoints[0]


@pytest.mark.rule("SOC-10", "DEF-43")
@pytest.mark.parametrize("limit", [0.0, 255.0, -1.0, math.nan])
def test_limit_that_is_none_limits_nothing(limit: float) -> None:
    car = replace(CAR, has_soc_limit=True, has_range=True)
    site = bench(NOW, cars=(car,), vehicle="car", status=C)
    site.at(0)
    with_soc(site, 40.0, soc_limit_pct=Measured(limit, 0 * S), range_km=Measured(math.nan, 0 * S))
    site.at(10)
    view = shown(site)
    assert (view.vehicle_soc_limit_pct, view.vehicle_range_km) == (None, None)
    assert view.remaining_energy_kwh == pytest.approx(54 * 0.6 / 0.9, abs=0.1)


@pytest.mark.rule("VEH-7", "DEF-46")
@pytest.mark.parametrize("none", [0.0, math.nan, -1.0])
def test_odometer_at_zero_is_none(none: float) -> None:
    site = bench(OFF, cars=(replace(CAR, has_odometer=True),), vehicle="car")
    site.at(0)
    reading: Reading[float] = Measured(none, 1 * S)
    site.vehicles["car"] = VehicleReading(odometer_km=reading)
    site.at(10)
    assert shown(site).vehicle_odometer_km is None
    site.vehicles["car"] = VehicleReading(odometer_km=Measured(31_000.0, 15 * S))
    site.at(20)
    assert shown(site).vehicle_odometer_km == 31_000


@pytest.mark.rule("GOAL-4", "STR-8")
def test_reached_minimum_stops_as_ever() -> None:
    site = hungry(minimum=20)
    with_soc(site, 10.0)
    site.at(10)
    site.t, site.grid_w = 20 * S, 11_500.0
    with_soc(site, 20.0)
    assert site.at(30) == (Disable(),)
