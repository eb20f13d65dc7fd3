"""What clients may ask for, and what is refused without a trace."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from bench import NOON, Bench, loadpoint, run, site_config

from evcclib.config import BatteryConfig, ChargerConfig, VehicleConfig
from evcclib.errors import InvalidSetting, UnknownTarget
from evcclib.events import SettingChanged, Warned, WarningCode
from evcclib.laws.classic import Memory
from evcclib.machines.phases import Scaling
from evcclib.machines.surplus import RESTING, Waiting
from evcclib.model import Cause, ChargeMode, ChargerStatus, PhaseAction, PvAction, RemoteDemand
from evcclib.planning.plan_follow import IDLE, PlanState
from evcclib.requests import (
    AssignVehicle,
    ChangeLoadpointSetting,
    ChangeSiteSetting,
    ChangeVehicleSetting,
    DemandRemotely,
    DetectVehicle,
)
from evcclib.settings import MAX_BELOW_MIN, MIN_ABOVE_MAX, Scope

S: Any = timedelta(seconds=1)
HOUR: Any = timedelta(hours=1)


def bench(**values: Any) -> Bench:
    charger = loadpoint(can_switch_phases=values.pop("switchable", True), **values.pop("loadpoint", {}))
    return Bench(site_config(charger, loadpoint(phases=3), **values))


def with_cars() -> Bench:
    return bench(vehicles=(VehicleConfig(name="id3"), VehicleConfig(name="zoe", has_status=True)))


@pytest.mark.rule("SET-1", "DEF-41")
@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("mode", "PV", ChargeMode.PV),
        ("mode", ChargeMode.NOW, ChargeMode.NOW),
        ("phases_configured", 3, 3),
        ("phases_configured", 0, 0),
        ("current_min_a", 6.5, 6.5),
        ("current_max_a", 32, 32.0),
        ("enable_threshold_w", -1300, -1300.0),
        ("disable_threshold_w", 200.5, 200.5),
        ("enable_delay", 30 * S, 30 * S),
        ("priority", 5, 5),
        ("soc_min_pct", 20, 20),
        ("soc_target_pct", 80.0, 80),
        ("energy_target_kwh", 12.5, 12.5),
        ("target_time", NOON + HOUR, NOON + HOUR),
        ("target_time", NOON, NOON),
        ("target_time", None, None),
        ("smart_cost_limit", 0.12, 0.12),
        ("smart_cost_limit", None, None),
    ],
)
def test_accepted(name: str, value: Any, stored: Any) -> None:
    site = bench()
    site.set(name, value)
    assert getattr(site.lp.settings, name) == stored
    assert type(getattr(site.lp.settings, name)) is type(stored)


@pytest.mark.rule("SET-1", "SET-3", "SET-4", "SET-5", "SET-6", "DEF-41", "PH-12", "PLAN-18")
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("mode", "fast", "invalid value: fast"),
        ("mode", "", "invalid value: "),
        ("mode", 3, "invalid value: 3"),
        ("phases_configured", 2, "invalid number of phases: 2"),
        ("current_min_a", 0, "current out of range: 0"),
        ("current_max_a", 99, "current out of range: 99"),
        ("current_max_a", float("nan"), "current out of range: nan"),
        ("current_max_a", "16", "invalid value: 16"),
        ("current_max_a", True, "invalid value: True"),
        ("soc_min_pct", 101, "soc out of range: 101"),
        ("soc_target_pct", 80.5, "not a whole number: 80.5"),
        ("energy_target_kwh", -1, "energy out of range: -1"),
        ("enable_threshold_w", 1e6, "threshold out of range: 1000000 "),
        ("enable_delay", -1 * S, "delay out of range: -1 s"),
        ("enable_delay", 60, "invalid value: 60 "),
        ("target_time", NOON - S, "timestamp is in the past"),
        ("target_time", datetime(2030, 1, 1), "invalid time: 2030-01-01 00:00:00"),  # noqa: DTZ001 - on purpose
        ("smart_cost_limit", float("inf"), "cost out of range: inf"),
    ],
)
def test_refused(name: str, value: Any, message: str) -> None:
    site = bench()
    before = site.lp.settings
    with pytest.raises(InvalidSetting) as caught:
        site.set(name, value)
    assert str(caught.value).startswith(message)
    assert (caught.value.setting, caught.value.value is value) == (name, True)
    assert caught.value.allowed
    assert site.lp.settings is not None and site.lp.settings == before


@pytest.mark.rule("SET-4", "DEF-7", "DEF-41")
def test_minimum_and_maximum_do_not_cross() -> None:
    site = bench()
    with pytest.raises(InvalidSetting, match=MIN_ABOVE_MAX):
        site.set("current_min_a", 17)
    with pytest.raises(InvalidSetting, match=MAX_BELOW_MIN):
        site.set("current_max_a", 5)
    site.set("current_min_a", 6.5)
    with pytest.raises(InvalidSetting, match=MAX_BELOW_MIN):
        site.set("current_max_a", 6.9)  # no whole ampere in between


@pytest.mark.rule("SET-4")
def test_charger_limits_the_maximum() -> None:
    small = Bench(site_config(loadpoint(charger=ChargerConfig(current_max_a=20.0))))
    small.set("current_max_a", 20)
    with pytest.raises(InvalidSetting, match="current out of range"):
        small.set("current_max_a", 20.5)
    with pytest.raises(InvalidSetting, match=re.escape("min current: 5 (allowed: 6..20 A)")):
        small.set("current_max_a", 5)


@pytest.mark.rule("SITE-20", "SITE-21", "SITE-22")
def test_site_settings() -> None:
    site = bench(batteries=(BatteryConfig(),), buffer_soc_pct=80.0, residual_power_w=100.0)
    assert site.site.state.settings.buffer_soc_pct == 80
    assert site.submit(ChangeSiteSetting("residual_power_w", -200)) == (
        SettingChanged(Scope.SITE, None, "residual_power_w", -200.0),
    )
    assert site.submit(ChangeSiteSetting("residual_power_w", -200)) == ()
    events = site.submit(ChangeSiteSetting("priority_soc_pct", 90.5))
    assert events[1] == Warned(WarningCode.PRIORITY_ABOVE_BUFFER)
    with pytest.raises(InvalidSetting, match="soc out of range: 140"):
        site.submit(ChangeSiteSetting("buffer_soc_pct", 140))


@pytest.mark.rule("SET-6")
@pytest.mark.parametrize(
    "request_",
    [
        ChangeLoadpointSetting(2, "mode", "now"),  # type: ignore[arg-type]
        ChangeLoadpointSetting(-1, "mode", "now"),  # type: ignore[arg-type]
        ChangeLoadpointSetting(0, "colour", 3),
        ChangeSiteSetting("colour", 3),
        ChangeVehicleSetting("tank", "soc_min_pct", 3),
        AssignVehicle(0, "tank"),
        AssignVehicle(7, None),
        DetectVehicle(7),
        DemandRemotely(7, RemoteDemand.HARD, "hems"),
    ],
)
def test_unknown_targets(request_: Any) -> None:
    with pytest.raises(UnknownTarget):
        with_cars().submit(request_)


@pytest.mark.rule("SET-2", "PVT-2", "PVT-5", "PH-10")
@pytest.mark.parametrize(
    ("mode", "keeps_pv_timer", "keeps_phase_timer", "keeps_plan"),
    [
        (ChargeMode.NOW, False, False, False),
        (ChargeMode.OFF, False, False, False),
        (ChargeMode.MINPV, False, True, True),
        (ChargeMode.PV, True, True, True),
    ],
)
def test_mode_resets_timers(mode: ChargeMode, keeps_pv_timer: bool, keeps_phase_timer: bool, keeps_plan: bool) -> None:
    site = bench(loadpoint={"mode": ChargeMode.PV if mode is not ChargeMode.PV else ChargeMode.MINPV})
    site.lp.memory = Memory(Waiting(PvAction.DISABLE, 5 * S), Scaling(1 * S, PhaseAction.SCALE_1P, False))
    site.lp.plan = PlanState(is_active=True)
    events = site.set("mode", mode)
    assert events == (SettingChanged(Scope.LOADPOINT, 0, "mode", mode),)
    assert (site.lp.memory.timer is not RESTING) is keeps_pv_timer
    assert (site.lp.memory.scaling.since is not None) is keeps_phase_timer
    assert (site.lp.plan is not IDLE) is keeps_plan
    assert site.set("mode", mode) == ()


@pytest.mark.rule("SITE-2", "CUT-6")
def test_request_steps_at_once_without_moving_the_interval() -> None:
    site = bench(switchable=False)
    site.box.status = ChargerStatus.B
    run(site, [0, 10])
    site.t = 13 * S
    site.set("mode", ChargeMode.NOW)
    site.set("current_max_a", 10, index=1)
    assert site.step(Cause.REQUEST)
    assert site.site.state.tick_at == 10 * S
    assert site.decision is not None and site.decision.wake_at == 20 * S


@pytest.mark.rule("PH-12", "SET-6")
def test_phases_of_a_charger_that_cannot_switch_are_the_connected_ones() -> None:
    site = bench(switchable=False)
    with pytest.raises(InvalidSetting, match="invalid number of phases: 0"):
        site.set("phases_configured", 0)
    site.set("phases_configured", 1)
    assert site.lp.charger.phases == 1
    switchable = bench()
    switchable.set("phases_configured", 1)
    assert switchable.lp.charger.phases == 0


@pytest.mark.rule("SET-5", "DEF-41")
def test_crossed_thresholds_are_accepted_with_a_warning() -> None:
    assert Warned(WarningCode.THRESHOLDS_CROSSED, 0) in bench().set("enable_threshold_w", 500)


@pytest.mark.rule("PLAN-18")
def test_clearing_the_target_time_ends_the_plan() -> None:
    site = bench()
    site.set("target_time", NOON + HOUR)
    site.lp.plan = PlanState(is_active=True)
    site.set("target_time", None)
    assert (site.lp.settings.target_time, site.lp.plan) == (None, IDLE)


@pytest.mark.rule("SET-3", "PLAN-21", "VEH-3")
def test_goals_set_with_a_vehicle_belong_to_it() -> None:
    site = with_cars()
    site.submit(AssignVehicle(0, "id3"))
    events = site.set("soc_target_pct", 80)
    assert set(events) == {
        SettingChanged(Scope.VEHICLE, "id3", "soc_target_pct", 80),
        SettingChanged(Scope.LOADPOINT, 0, "soc_target_pct", 80),
    }
    site.submit(AssignVehicle(0, "zoe"))
    assert site.lp.settings.soc_target_pct == 100
    site.submit(ChangeVehicleSetting("zoe", "soc_min_pct", 15))
    assert site.lp.settings.soc_min_pct == 15
    site.submit(ChangeVehicleSetting("id3", "soc_min_pct", 25))
    assert site.lp.settings.soc_min_pct == 15
    site.submit(AssignVehicle(0, "id3"))
    assert (site.lp.settings.soc_min_pct, site.lp.settings.soc_target_pct) == (25, 80)


@pytest.mark.rule("SET-3")
def test_unchanged_goal_is_no_event() -> None:
    site = with_cars()
    site.submit(AssignVehicle(0, "id3"))
    site.set("soc_target_pct", 80)
    assert site.set("soc_target_pct", 80) == ()


@pytest.mark.rule("VEH-4", "VEH-5")
def test_detect_forgets_the_vehicle_and_assign_stops_detection() -> None:
    site = with_cars()
    site.submit(AssignVehicle(0, "id3"))
    site.submit(DetectVehicle(0))
    assert site.lp.vehicle is None
    assert site.lp.detection.started_at is not None
    site.submit(AssignVehicle(0, "zoe"))
    assert (site.lp.vehicle, site.lp.detection.started_at) == ("zoe", None)


@pytest.mark.rule("RC-1")
def test_remote_demand_is_stored_with_its_source() -> None:
    site = bench()
    site.submit(DemandRemotely(0, RemoteDemand.SOFT, "hems"))
    assert (site.lp.remote_demand, site.lp.remote_source) == (RemoteDemand.SOFT, "hems")
    with pytest.raises(InvalidSetting):
        site.submit(DemandRemotely(0, "loud", "hems"))  # type: ignore[arg-type]
    assert site.lp.remote_demand is RemoteDemand.SOFT
