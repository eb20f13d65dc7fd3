"""Plans of vehicles at work: kept while they are away, next to the loadpoint's own target, one after the other."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from bench import NOON, Bench, loadpoint, site_config
from loadpoint_bench import CAR, HOUR, OFF, PV, A, B, C, S, reason, with_soc

from evcclib.config import VehicleConfig
from evcclib.errors import InvalidSetting
from evcclib.events import SettingChanged
from evcclib.model import Planner, TariffKind
from evcclib.planning.dues import Due
from evcclib.reasons import ReasonCode
from evcclib.requests import AssignVehicle, ChangeLoadpointSetting, ChangeVehicleSetting
from evcclib.settings import Scope, VehicleSettings
from evcclib.site import Site
from evcclib.tariff import Rate, Rates
from evcclib.timetable.plans import PlanStrategy, VehiclePlan, WeeklyPlan

OTHER = VehicleConfig(name="other", title="Other", capacity_kwh=54.0, has_soc=True)
PLANNERS = pytest.mark.parametrize("planner", Planner)
MINUTE = 60


def hourly(*prices: float) -> Rates:
    return Rates.of(Rate(NOON + n * HOUR, NOON + (n + 1) * HOUR, price) for n, price in enumerate(prices))


def home(
    *prices: float,
    planner: Planner = Planner.CLASSIC,
    soc_pct: float = 50.0,
    vehicle: str | None = "car",
    **values: Any,
) -> Bench:
    """A car that has just come to a loadpoint with three phases of 16 A; it takes 0.6 kWh for each percent."""
    values.setdefault("mode", PV)
    site = Bench(
        site_config(
            loadpoint(vehicle=vehicle, phases=3, guard_duration=timedelta(0), **values),
            vehicles=(CAR, OTHER),
            planner=planner,
        ),
        grid_w=300.0,
    )
    site.box.status = B
    if prices:
        site.tariffs[TariffKind.GRID] = hourly(*prices)
    site.at(0)
    with_soc(site, soc_pct)
    site.at(1)
    return site


def own(site: Bench, name: str, value: Any, vehicle: str = "car") -> None:
    site.submit(ChangeVehicleSetting(vehicle, name, value))


def plan(soc_pct: int, by_h: float) -> VehiclePlan:
    return VehiclePlan(soc_pct, NOON + by_h * HOUR)


def weekly(soc_pct: int, wall: str, **more: Any) -> WeeklyPlan:
    return WeeklyPlan(tuple(range(7)), time.fromisoformat(wall), "UTC", soc_pct, **more)


def settings_of(site: Bench, vehicle: str = "car") -> VehicleSettings:
    return site.site.view(now=site.now).vehicle_settings[vehicle]


def shown(site: Bench) -> tuple[int, float | None, float | None]:
    """The number, SoC and time [hours after noon] of what is planned for."""
    found = site.site.view(now=site.now).loadpoints[0].plan
    return found.number, found.soc_pct, None if found.time is None else (found.time - NOON) / HOUR


def active(site: Bench, until_h: float, *, every_min: int = 5) -> list[float]:
    """When the plan is active [hours after noon]; the car charges as it is told."""
    found, per_kwh = [], 1 / 0.6
    soc_pct = site.lp.soc.soc_pct or 50.0
    minute = int(site.t / (60 * S)) // every_min * every_min
    while (minute := minute + every_min) <= until_h * 60:
        site.box.status = C if site.box.is_enabled else B
        soc_pct += site.power(site.box) / 1000 * (minute * 60 - site.t / S) / 3600 * per_kwh
        site.t = minute * 60 * S
        site.grid_w = 300.0 + site.power(site.box)
        with_soc(site, soc_pct)
        site.at(minute * 60)
        if site.lp.plan.is_active:
            found.append(minute / 60)
    return found


@pytest.mark.rule("PLAN-32", "PLAN-1", "PLAN-9")
@PLANNERS
def test_a_plan_of_the_vehicle_is_charged_for_and_is_no_limit(planner: Planner) -> None:
    site = home(0.3, 0.3, 0.1, 0.3, 0.3, 0.3, planner=planner)
    own(site, "plan", plan(65, 5.0))
    site.at(2)
    assert shown(site) == (1, 65, 5.0)
    hours = active(site, 5.0)
    assert 2.0 <= hours[0] <= 2.25 and 2.75 <= hours[-1] <= 3.0
    assert site.lp.settings.soc_target_pct == 100 and site.lp.settings.target_time is None
    assert reason(site) is not ReasonCode.TARGET_SOC_REACHED  # it still takes the sun


@pytest.mark.rule("PLAN-32")
@PLANNERS
def test_a_plan_is_kept_while_the_vehicle_is_away_and_acts_as_soon_as_it_is_known(planner: Planner) -> None:
    site = home(0.3, 0.3, 0.3, 0.3, planner=planner, vehicle=None)
    own(site, "plan", plan(65, 4.0))
    assert shown(site) == (0, None, None)
    assert active(site, 1.0) == []
    site.submit(AssignVehicle(0, "car"))
    assert shown(site) == (1, 65, 4.0)
    site.box.status = A
    site.at(1.1 * 3600)
    assert settings_of(site).plan == plan(65, 4.0)
    site.box.status = B
    with_soc(site, 50.0)
    site.at(1.2 * 3600)
    site.submit(AssignVehicle(0, "other"))
    assert shown(site) == (0, None, None)
    site.submit(AssignVehicle(0, "car"))
    assert active(site, 4.0) != []


@pytest.mark.rule("PLAN-32", "ACT-2")
def test_resetting_a_loadpoint_forgets_goals_and_no_plans() -> None:
    site = home(reset_on_disconnect=True)
    own(site, "plan", plan(65, 4.0))
    own(site, "weekly_plans", (weekly(30, "07:00"),))
    own(site, "soc_min_pct", 20)
    own(site, "soc_target_pct", 80)
    site.box.status = A
    site.at(10)
    left = settings_of(site)
    assert left == VehicleSettings(plan=plan(65, 4.0), weekly_plans=(weekly(30, "07:00"),))
    assert (site.lp.settings.soc_min_pct, site.lp.settings.soc_target_pct) == (0, 100)


@pytest.mark.rule("PLAN-33")
def test_a_plan_is_over_when_its_time_is_whether_the_vehicle_is_there_or_away() -> None:
    for status in (A, B):
        site = home(mode=OFF)
        own(site, "plan", plan(65, 1.0))
        site.box.status = status
        site.at(3600)
        assert settings_of(site).plan is not None
        site.events.clear()
        site.at(3610)
        assert settings_of(site).plan is None
        assert SettingChanged(Scope.VEHICLE, "car", "plan", None) in site.events


@pytest.mark.rule("PLAN-33", "PLAN-19")
@PLANNERS
def test_a_plan_that_is_late_is_kept_until_it_is_reached(planner: Planner) -> None:
    site = home(planner=planner)
    own(site, "plan", plan(65, 0.5))
    late = active(site, 1.5)
    assert 0.75 <= late[-1] < 1.0
    assert settings_of(site).plan is None


@pytest.mark.rule("PLAN-33", "PLAN-19", "SITE-22")
def test_a_late_plan_goes_on_after_a_restart() -> None:
    site = home()
    own(site, "weekly_plans", (weekly(65, "12:30"),))
    active(site, 0.6)
    assert shown(site) == (2, 65, 0.5) and site.lp.plan.is_active
    exported = site.site.export(now=site.now)
    site.site = Site.restore(site.config, exported, now=site.now)
    assert site.site.export(now=site.now) == exported
    late = active(site, 1.5)
    assert 0.75 <= late[-1] < 1.0
    assert shown(site) == (2, 65, 24.5)


@pytest.mark.rule("PLAN-32", "PLAN-18")
def test_a_plan_must_lie_ahead_and_can_be_taken_away() -> None:
    site = home()
    with pytest.raises(InvalidSetting, match="timestamp is in the past"):
        own(site, "plan", plan(65, -1.0))
    own(site, "plan", plan(65, 4.0))
    own(site, "plan", None)
    site.at(2)
    assert settings_of(site).plan is None and shown(site) == (0, None, None)


@pytest.mark.rule("PLAN-32")
def test_who_takes_the_target_time_away_takes_what_is_shown() -> None:
    site = home()
    own(site, "plan", plan(65, 4.0))
    site.set("target_time", NOON + 2 * HOUR)
    assert shown(site) == (1, 100, 2.0)
    site.set("target_time", None)
    assert shown(site) == (1, 65, 4.0)
    site.set("target_time", None)
    assert shown(site) == (0, None, None) and settings_of(site).plan is None


# -- one after the other -----------------------------------------------------------------------------------------------------


@pytest.mark.rule("PLAN-34")
@PLANNERS
def test_the_next_that_lacks_something_is_planned_for(planner: Planner) -> None:
    site = home(planner=planner, soc_pct=40.0)
    own(site, "weekly_plans", (weekly(70, "18:00"), weekly(30, "14:00"), weekly(45, "15:00", is_active=False)))
    site.at(2)
    assert shown(site) == (2, 70, 6.0)  # 30 % are there
    with_soc(site, 25.0)
    site.at(10 * MINUTE)
    assert shown(site) == (3, 30, 2.0)
    first = active(site, 2.5)
    assert 1.7 < first[0] < first[-1] < 2.2
    assert shown(site) == (2, 70, 6.0)
    assert site.lp.soc.soc_pct is not None and 29.5 <= site.lp.soc.soc_pct < 32.0
    active(site, 6.5)
    assert site.lp.soc.soc_pct is not None and 70.0 <= site.lp.soc.soc_pct < 72.0
    assert shown(site)[0] == 3 and shown(site)[2] == 26.0  # 30 % by two tomorrow, 70 % by six: both are there


@pytest.mark.rule("PLAN-34", "PLAN-23")
def test_goals_in_a_row_are_planned_together() -> None:
    """Both are reached where each for itself would charge the second part at any price that is left."""
    site = home(0.3, 0.1, 0.3, 0.3, 0.15, 0.3, planner=Planner.OPTIMAL, soc_pct=40.0)
    own(site, "weekly_plans", (weekly(50, "15:00"), weekly(65, "18:00")))
    site.at(2)
    in_force = site.lp.power_plan
    assert in_force is not None and in_force.target == NOON + 3 * HOUR
    pieces = [((start - NOON) / HOUR, (end - NOON) / HOUR) for start, end, _ in in_force.plan.pieces]
    assert pieces[0] == (1.0, 2.0)  # all the cheap hour, which is more than the first goal needs
    assert 4.0 <= pieces[1][0] < pieces[1][1] == 5.0
    hours = active(site, 6.0)
    assert {1.0, 1.5} <= {*hours} and not [hour for hour in hours if 2.0 < hour < 4.5 or hour > 5.1]


@pytest.mark.rule("PLAN-34")
def test_a_weekly_plan_comes_again_the_next_day() -> None:
    site = home()
    own(site, "weekly_plans", (weekly(52, "13:00"),))
    site.at(2)
    assert shown(site) == (2, 52, 1.0)
    assert active(site, 1.5) != []
    assert shown(site) == (2, 52, 25.0)
    assert settings_of(site).weekly_plans == (weekly(52, "13:00"),)


@pytest.mark.rule("PLAN-22")
@PLANNERS
def test_without_a_soc_a_plan_cannot_be_told(planner: Planner) -> None:
    site = home(planner=planner)
    own(site, "plan", plan(65, 4.0))
    with_soc(site, None)
    site.site.state.loadpoints[0].soc = site.site.state.loadpoints[0].soc._replace(soc_pct=None, fetched_pct=None)
    site.at(10)
    assert not site.lp.plan.is_active


# -- strategies --------------------------------------------------------------------------------------------------------------

DIPS = (0.3, 0.1, 0.9, 0.12, 0.14, 0.3)


@pytest.mark.rule("PLAN-35")
@PLANNERS
def test_a_continuous_plan_charges_in_one_block(planner: Planner) -> None:
    site = home(*DIPS, planner=planner)
    own(site, "plan", plan(80, 6.0))  # an hour and 38 minutes
    own(site, "plan_strategy", PlanStrategy(is_continuous=True))
    hours = active(site, 6.0)
    assert 3.0 <= hours[0] < 3.6 and hours[-1] < 5.2
    assert len(hours) == round((hours[-1] - hours[0]) * 12) + 1
    assert site.site.view(now=site.now).loadpoints[0].plan.strategy == PlanStrategy(is_continuous=True)


@pytest.mark.rule("PLAN-35")
@PLANNERS
def test_a_block_that_has_begun_outlives_news_of_better_prices(planner: Planner) -> None:
    site = home(*DIPS, planner=planner)
    own(site, "plan_strategy", PlanStrategy(is_continuous=True))
    own(site, "plan", plan(80, 6.0))
    active(site, 3.5)
    assert site.lp.plan.is_active
    site.tariffs[TariffKind.GRID] = hourly(0.3, 0.1, 0.9, 0.12, 0.14, -0.3)
    hours = active(site, 6.0)
    assert hours[-1] < 5.2 and len(hours) == round((hours[-1] - hours[0]) * 12) + 1


@pytest.mark.rule("PLAN-35")
@PLANNERS
def test_a_precondition_charges_right_before_the_departure(planner: Planner) -> None:
    site = home(*DIPS, planner=planner)
    own(site, "plan_strategy", PlanStrategy(precondition=timedelta(minutes=30)))
    own(site, "plan", plan(70, 6.0))  # an hour and five minutes
    hours = active(site, 6.0)
    assert [hour for hour in hours if hour < 2.0] and [hour for hour in hours if hour > 5.6]
    assert not [hour for hour in hours if 2.1 < hour < 5.4]


@pytest.mark.rule("PLAN-35")
def test_the_target_of_a_loadpoint_goes_by_the_strategy_of_the_loadpoint() -> None:
    site = home(*DIPS)
    own(site, "plan_strategy", PlanStrategy(is_continuous=True))
    site.submit(ChangeLoadpointSetting(0, "plan_strategy", PlanStrategy(precondition=HOUR)))
    site.set("soc_target_pct", 80)
    site.set("target_time", NOON + 6 * HOUR)
    site.at(2)
    assert site.site.view(now=site.now).loadpoints[0].plan.strategy == PlanStrategy(precondition=HOUR)
    slots = site.site.plan(0, now=site.now).slots
    assert slots is not None and (slots[-1].start, slots[-1].end) == (NOON + 5 * HOUR, NOON + 6 * HOUR)


# -- looking at plans ----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("PLAN-17", "PLAN-32")
@PLANNERS
def test_a_plan_for_any_goal_can_be_looked_at(planner: Planner) -> None:
    site = home(*DIPS, planner=planner)
    before = site.site.export(now=site.now)
    preview = site.site.plan(0, now=site.now, target_time=NOON + 6 * HOUR, soc_pct=60)
    assert preview.slots is not None and preview.number == 1 and preview.target_time == NOON + 6 * HOUR
    assert 1956 * S <= preview.duration <= 1957 * S  # 6 kWh at 11.04 kW
    assert (preview.slots[-1].start, preview.slots[-1].end) == (NOON + 2 * HOUR - preview.duration, NOON + 2 * HOUR)
    with pytest.raises(InvalidSetting, match=r"soc is known: 6 \(allowed: only where no SoC is known"):
        site.site.plan(0, now=site.now, target_time=NOON + 6 * HOUR, energy_kwh=6.0)
    with pytest.raises(InvalidSetting, match=r"soc out of range: 101 \(allowed: 1\.\.100 %"):
        site.site.plan(0, now=site.now, target_time=NOON + 6 * HOUR, soc_pct=101)
    site.submit(AssignVehicle(0, None))
    energy = site.site.plan(0, now=site.now, target_time=NOON + 6 * HOUR, energy_kwh=11.04)
    assert (energy.duration, energy.is_met) == (HOUR, True)
    with pytest.raises(InvalidSetting, match=r"soc is not known: 60 \(allowed: only for a vehicle whose SoC"):
        site.site.plan(0, now=site.now, target_time=NOON + 6 * HOUR, soc_pct=60)
    site.submit(AssignVehicle(0, "car"))
    assert before["at"] == site.site.export(now=site.now)["at"]


@pytest.mark.rule("PLAN-17", "PLAN-32")
@PLANNERS
def test_the_slots_in_force_are_shown(planner: Planner) -> None:
    site = home(*DIPS, planner=planner)
    own(site, "plan", plan(60, 6.0))
    site.at(2)
    found = site.site.view(now=site.now).loadpoints[0]
    assert found.plan.slots[-1].end == found.plan.projected_end == NOON + 2 * HOUR
    assert found.plan_projected_start == found.plan.slots[0].start
    assert site.lp.due == Due(NOON + 6 * HOUR, 1, 60)
    own(site, "plan", None)
    site.at(3)
    assert site.site.view(now=site.now).loadpoints[0].plan.slots == ()


@pytest.mark.rule("PLAN-32", "GOAL-1")
def test_the_energy_target_of_a_guest_is_shown_as_such() -> None:
    site = home(vehicle=None)
    site.set("energy_target_kwh", 11.0)
    site.set("target_time", NOON + 6 * HOUR)
    found = site.site.view(now=site.now).loadpoints[0].plan
    assert (found.number, found.soc_pct, found.energy_kwh) == (1, None, 11.0)
    assert found.energy_time == found.time == datetime(2023, 6, 1, 18, tzinfo=UTC)


@pytest.mark.rule("PLAN-33", "SITE-24")
def test_whoever_comes_back_only_when_asked_to_sees_a_plan_end() -> None:
    site = home(mode=OFF, vehicle=None)
    site.box.status = A
    own(site, "plan", plan(65, 0.5))
    for second in range(10, 700, 10):
        site.at(second)
    assert site.decision is not None and site.decision.wake_renewed_at == 1810 * S
