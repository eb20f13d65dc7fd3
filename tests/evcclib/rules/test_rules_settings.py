"""What a client may change, and that nothing changes when it may not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bench import Bench, loadpoint, run, site_config
from hypothesis import given
from hypothesis import strategies as st

from evcclib.config import BatteryConfig, VehicleConfig
from evcclib.errors import EvccError, InvalidSetting, UnknownTarget
from evcclib.events import SettingChanged, Warned, WarningCode
from evcclib.laws.classic import Memory
from evcclib.machines.surplus import RESTING, Waiting
from evcclib.model import ChargeMode, ChargerStatus, PhaseAction, PvAction, RemoteDemand
from evcclib.requests import (
    AssignVehicle,
    ChangeLoadpointSetting,
    ChangeSiteSetting,
    ChangeVehicleSetting,
    DemandRemotely,
)
from evcclib.settings import SETTINGS, SPECS, Scope, SettingValue

B = ChargerStatus.B
MINUTE: Any = timedelta(minutes=1)


def home(**values: object) -> Bench:
    bench = Bench(
        site_config(
            loadpoint(**values), batteries=(BatteryConfig(capacity_kwh=10.0),), vehicles=(VehicleConfig(name="zoe"),)
        )
    )
    bench.box.status = B
    bench.at(0)
    bench.at(10)
    return bench


def request(scope: Scope, name: str, value: SettingValue) -> object:
    match scope:
        case Scope.SITE:
            return ChangeSiteSetting(name, value)
        case Scope.LOADPOINT:
            return ChangeLoadpointSetting(0, name, value)
        case Scope.VEHICLE:
            return ChangeVehicleSetting("zoe", name, value)


@pytest.mark.rule("SET-1", "DEF-41")
@pytest.mark.parametrize("text", ["PV", "pv", "Pv"])
def test_mode_is_normalised(text: str) -> None:
    bench = home(mode=ChargeMode.OFF)
    bench.set("mode", text)  # type: ignore[arg-type]  # as an outlet that does not parse would send it
    assert bench.lp.settings.mode is ChargeMode.PV


@pytest.mark.rule("SET-1", "DEF-41")
@pytest.mark.parametrize("value", ["", "fast", 3, None, True])
def test_anything_else_is_no_mode(value: SettingValue) -> None:
    bench = home()
    with pytest.raises(InvalidSetting) as raised:
        bench.set("mode", value)
    assert raised.value.setting == "mode"
    assert raised.value.allowed == "off, now, minpv, pv"
    assert bench.lp.settings.mode is ChargeMode.PV


@pytest.mark.rule("SET-2", "PVT-2", "PVT-5", "PH-10")
@pytest.mark.parametrize(
    ("mode", "keeps_pv_timer", "keeps_phase_timer"),
    [
        (ChargeMode.PV, True, True),
        (ChargeMode.MINPV, False, True),
        (ChargeMode.NOW, False, False),
        (ChargeMode.OFF, False, False),
    ],
)
def test_new_mode_clears_what_no_longer_applies(
    mode: ChargeMode, keeps_pv_timer: bool, keeps_phase_timer: bool
) -> None:
    bench = Bench(site_config(loadpoint(can_switch_phases=True)))
    bench.box.status = B
    run(bench, range(0, 60, 10), sun_w=5000)
    run(bench, range(60, 120, 10), sun_w=2000)
    assert bench.lp.memory.scaling.action is PhaseAction.SCALE_1P
    bench.lp.memory = before = Memory(Waiting(PvAction.DISABLE, bench.t), bench.lp.memory.scaling)
    bench.set("mode", mode)
    assert (bench.lp.memory.timer == before.timer) is keeps_pv_timer
    assert (bench.lp.memory.timer == RESTING) is not keeps_pv_timer
    assert (bench.lp.memory.scaling == before.scaling) is keeps_phase_timer


@pytest.mark.rule("SET-3", "SET-4", "SET-5", "SET-6", "SITE-21", "CUT-6")
@pytest.mark.parametrize(
    ("scope", "name", "value"),
    [
        (Scope.SITE, "residual_power_w", -200.0),
        (Scope.SITE, "buffer_soc_pct", 80.0),
        (Scope.SITE, "buffer_start_soc_pct", 90.0),
        (Scope.SITE, "priority_soc_pct", 50.0),
        (Scope.LOADPOINT, "current_min_a", 8.0),
        (Scope.LOADPOINT, "current_max_a", 12.0),
        (Scope.LOADPOINT, "enable_threshold_w", -500.0),
        (Scope.LOADPOINT, "disable_threshold_w", 300.0),
        (Scope.LOADPOINT, "enable_delay", 2 * MINUTE),
        (Scope.LOADPOINT, "disable_delay", timedelta(0)),
        (Scope.LOADPOINT, "priority", 2),
        (Scope.LOADPOINT, "soc_min_pct", 20),
        (Scope.LOADPOINT, "soc_target_pct", 80),
        (Scope.LOADPOINT, "energy_target_kwh", 7.5),
        (Scope.LOADPOINT, "smart_cost_limit", 0.15),
        (Scope.LOADPOINT, "smart_cost_limit", -0.01),
        (Scope.LOADPOINT, "phases_configured", 1),
        (Scope.LOADPOINT, "target_time", datetime(2023, 6, 2, 7, tzinfo=UTC)),
    ],
)
def test_accepted_value_is_shown_and_told_once(scope: Scope, name: str, value: SettingValue) -> None:
    bench = home(phases=3)
    events = bench.submit(request(scope, name, value))  # type: ignore[arg-type]  # one of the requests
    shown = bench.site.view(now=bench.now)
    settings = shown.settings if scope is Scope.SITE else shown.loadpoints[0].settings
    assert getattr(settings, name) == value
    changed = [event for event in events if isinstance(event, SettingChanged)]
    assert changed == [SettingChanged(scope, None if scope is Scope.SITE else 0, name, value)]
    assert bench.submit(request(scope, name, value)) == ()  # type: ignore[arg-type]  # one of the requests


@pytest.mark.rule("SET-3", "VEH-3")
def test_goal_of_an_assigned_vehicle_belongs_to_the_vehicle() -> None:
    bench = home()
    bench.submit(AssignVehicle(0, "zoe"))
    events = bench.set("soc_target_pct", 80)
    assert SettingChanged(Scope.VEHICLE, "zoe", "soc_target_pct", 80) in events
    assert SettingChanged(Scope.LOADPOINT, 0, "soc_target_pct", 80) in events
    assert bench.site.view(now=bench.now).vehicle_settings["zoe"].soc_target_pct == 80
    assert bench.submit(ChangeVehicleSetting("zoe", "soc_target_pct", 80)) == ()


@pytest.mark.rule("DEF-41", "SET-3", "SET-4", "SET-5")
@pytest.mark.parametrize(
    ("scope", "name", "value"),
    [
        (Scope.SITE, "buffer_soc_pct", -1),
        (Scope.SITE, "priority_soc_pct", 100.1),
        (Scope.SITE, "residual_power_w", float("nan")),
        (Scope.SITE, "residual_power_w", "100"),
        (Scope.LOADPOINT, "current_min_a", 0.0),
        (Scope.LOADPOINT, "current_min_a", 16.5),
        (Scope.LOADPOINT, "current_max_a", 5.9),
        (Scope.LOADPOINT, "current_max_a", 81.0),
        (Scope.LOADPOINT, "current_max_a", float("inf")),
        (Scope.LOADPOINT, "soc_target_pct", 101),
        (Scope.LOADPOINT, "soc_target_pct", 80.5),
        (Scope.LOADPOINT, "soc_min_pct", -1),
        (Scope.LOADPOINT, "soc_min_pct", True),
        (Scope.LOADPOINT, "energy_target_kwh", -0.1),
        (Scope.LOADPOINT, "enable_delay", timedelta(seconds=-1)),
        (Scope.LOADPOINT, "enable_delay", 60),
        (Scope.LOADPOINT, "target_time", datetime(2030, 1, 1)),  # noqa: DTZ001  # a time without zone is what is refused
        (Scope.LOADPOINT, "target_time", "tomorrow"),
        (Scope.LOADPOINT, "smart_cost_limit", float("nan")),
        (Scope.LOADPOINT, "phases_configured", 2),
        (Scope.LOADPOINT, "priority", 11),
        (Scope.VEHICLE, "soc_target_pct", 101),
    ],
)
def test_value_out_of_range_is_refused_and_changes_nothing(scope: Scope, name: str, value: SettingValue) -> None:
    bench = home(phases=3)
    before = bench.site.export(now=bench.now)
    with pytest.raises(InvalidSetting) as raised:
        bench.submit(request(scope, name, value))  # type: ignore[arg-type]  # one of the requests
    assert raised.value.setting == name
    assert raised.value.value is value or raised.value.value == value
    assert raised.value.allowed
    assert bench.site.export(now=bench.now) == before


@pytest.mark.rule("SITE-20")
@pytest.mark.parametrize("name", ["buffer_soc_pct", "buffer_start_soc_pct", "priority_soc_pct"])
def test_battery_settings_need_a_battery(name: str) -> None:
    bench = Bench(site_config())
    with pytest.raises(InvalidSetting, match="battery not configured"):
        bench.submit(ChangeSiteSetting(name, 50.0))
    bench.submit(ChangeSiteSetting("residual_power_w", 50.0))
    assert bench.site.view(now=bench.now).settings.residual_power_w == 50.0


@pytest.mark.rule("SITE-20")
def test_priority_above_buffer_is_accepted_with_a_warning() -> None:
    bench = home()
    bench.submit(ChangeSiteSetting("buffer_soc_pct", 50.0))
    events = bench.submit(ChangeSiteSetting("priority_soc_pct", 60.0))
    assert Warned(WarningCode.PRIORITY_ABOVE_BUFFER) in events


@pytest.mark.rule("SET-4", "DEF-41")
def test_currents_never_cross() -> None:
    bench = home()
    with pytest.raises(InvalidSetting, match="min current must be smaller or equal than max current"):
        bench.set("current_min_a", 17.0)
    bench.set("current_max_a", 10.0)
    with pytest.raises(InvalidSetting, match="max current must be greater or equal than min current"):
        bench.set("current_max_a", 5.0)
    bench.set("current_min_a", 10.0)
    assert (bench.lp.settings.current_min_a, bench.lp.settings.current_max_a) == (10.0, 10.0)


@pytest.mark.rule("DEF-7", "SET-4")
def test_currents_between_which_the_charger_has_no_step_are_refused() -> None:
    bench = home()
    bench.set("current_max_a", 6.5)
    with pytest.raises(InvalidSetting):
        bench.set("current_min_a", 6.2)
    fine = home(current_step_a=0.1)
    fine.set("current_max_a", 6.5)
    fine.set("current_min_a", 6.2)
    assert fine.lp.settings.current_min_a == 6.2


@pytest.mark.rule("PH-12", "SET-6")
def test_phases_of_a_fixed_charger_are_the_connected_ones() -> None:
    bench = home(phases=3)
    with pytest.raises(InvalidSetting, match="invalid number of phases: 0"):
        bench.set("phases_configured", 0)
    bench.set("phases_configured", 1)
    assert bench.lp.charger.phases == 1
    assert bench.site.view(now=bench.now).loadpoints[0].phases_active == 1


@pytest.mark.rule("PH-12")
def test_phases_of_a_switchable_charger_may_be_automatic() -> None:
    bench = home(can_switch_phases=True)
    for phases in (1, 3, 0):
        bench.set("phases_configured", phases)
        assert bench.lp.settings.phases_configured == phases


@pytest.mark.rule("SITE-3", "RC-1", "DEF-37", "CUT-6")
def test_changes_that_want_a_step_at_once_say_so() -> None:
    wanting = {spec.name for spec in SETTINGS if spec.wakes_loop and spec.scope is Scope.LOADPOINT}
    assert wanting == {
        "mode",
        "phases_configured",
        "soc_min_pct",
        "soc_target_pct",
        "energy_target_kwh",
        "smart_cost_limit",
        "feed_in_priority_limit",
    }
    assert not [spec for spec in SETTINGS if spec.wakes_loop and spec.scope is Scope.SITE]


@pytest.mark.rule("RC-1", "RC-3", "LP-24")
def test_remote_demand_is_shown_with_its_source() -> None:
    bench = home()
    bench.submit(DemandRemotely(0, RemoteDemand.SOFT, "operator"))
    view = bench.site.view(now=bench.now).loadpoints[0]
    assert (view.remote_demand, view.remote_source) == (RemoteDemand.SOFT, "operator")
    bench.submit(DemandRemotely(0, RemoteDemand.ENABLE, "operator"))
    assert bench.site.view(now=bench.now).loadpoints[0].remote_demand is RemoteDemand.ENABLE
    with pytest.raises(InvalidSetting):
        bench.submit(DemandRemotely(0, "off", "operator"))  # type: ignore[arg-type]  # what an outlet might send
    with pytest.raises(UnknownTarget):
        bench.submit(DemandRemotely(3, RemoteDemand.SOFT, "operator"))


@pytest.mark.rule("SET-6")
@pytest.mark.parametrize("scope", Scope)
def test_setting_that_does_not_exist_is_refused(scope: Scope) -> None:
    bench = home()
    with pytest.raises(UnknownTarget):
        bench.submit(request(scope, "colour", 1))  # type: ignore[arg-type]  # one of the requests


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-200, 200),
    st.floats(),
    st.sampled_from(list(ChargeMode)),
    st.text(max_size=3),
    st.timedeltas(),
    st.datetimes(timezones=st.just(UTC)),
    st.datetimes(),
)


@given(key=st.sampled_from(sorted(SPECS)), value=VALUES)
@pytest.mark.rule("DEF-41", "SET-6")
def test_whatever_is_sent_is_either_shown_or_refused_without_a_trace(
    key: tuple[Scope, str], value: SettingValue
) -> None:
    scope, name = key
    bench = Bench(site_config(loadpoint(phases=3), vehicles=(VehicleConfig(name="zoe"),)))
    before = bench.site.export(now=bench.now)
    try:
        bench.submit(request(scope, name, value))  # type: ignore[arg-type]  # one of the requests
    except EvccError as error:
        assert isinstance(error, InvalidSetting)
        assert bench.site.export(now=bench.now) == before
        return
    view = bench.site.view(now=bench.now)
    settings = {
        Scope.SITE: view.settings,
        Scope.LOADPOINT: view.loadpoints[0].settings,
        Scope.VEHICLE: view.vehicle_settings.get("zoe"),
    }[scope]
    shown = getattr(settings, name)
    assert shown == (value.lower() if isinstance(value, str) else value)
    currents = view.loadpoints[0].settings
    assert 0 < currents.current_min_a <= currents.current_max_a


@pytest.mark.rule("SET-5", "DEF-41")
def test_delays_last_a_day_at_most() -> None:
    bench = home()
    bench.set("enable_delay", timedelta(days=1))
    with pytest.raises(InvalidSetting):
        bench.set("enable_delay", timedelta(days=1, seconds=1))
    assert bench.lp.settings.enable_delay == timedelta(days=1)
