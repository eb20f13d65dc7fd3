"""A client's request: checked completely, then fulfilled
[SITE-20..SITE-22, SET-1..SET-6, RC-1, VEH-4, VEH-5, PH-12, PLAN-18, DEF-41].

Every range comes from the one table in `evcclib.settings`; what depends on a second value is checked here. Nothing has
changed when `InvalidSetting` or `UnknownTarget` is raised.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime

from evcclib.allowed import TEXT, TIME
from evcclib.commands import BatteryMode
from evcclib.errors import InvalidSetting, UnknownTarget, shown
from evcclib.events import SettingChanged, Warned, WarningCode
from evcclib.machines import battery, detection
from evcclib.machines.charger import COARSE_STEP_A, ceil_to_step, floor_to_step
from evcclib.model import ChargeMode, RemoteDemand
from evcclib.pipeline.assignment import assign, set_mode, set_own
from evcclib.pipeline.desk import NOTHING_SET, LoadpointDesk, SiteDesk, phases_became
from evcclib.planning import plan_follow
from evcclib.planning.dues import Due
from evcclib.requests import (
    AssignVehicle,
    ChangeLoadpointSetting,
    ChangeSiteSetting,
    ChangeVehicleSetting,
    CommandBatteries,
    DemandRemotely,
    DetectVehicle,
    Request,
)
from evcclib.settings import (
    SPECS,
    LoadpointSettings,
    Scope,
    SettingSpec,
    SettingValue,
    SiteSettings,
)
from evcclib.timetable.plans import VehiclePlan, flaw_of_plan


def fulfil(site: SiteDesk, request: Request) -> None:
    """Change what ``request`` asks for. Raises `InvalidSetting` or `UnknownTarget`."""
    if isinstance(request, ChangeSiteSetting):
        _change_site(site, request.name, request.value)
    elif isinstance(request, ChangeLoadpointSetting):
        lp = _known_loadpoint(site, request.loadpoint)
        _change_loadpoint(site, lp, request.name, request.value)
        if lp.state.charger.refused_at is not None:  # whoever asks for something else may see it tried at once
            lp.state.charger = lp.state.charger._replace(refused_at=None)
    elif isinstance(request, ChangeVehicleSetting):
        name = _known_vehicle(site, request.vehicle)
        spec = _spec(Scope.VEHICLE, request.name)
        value = spec.judged(request.value)
        spec.check_beside(value, site.state.vehicle_settings.get(name, NOTHING_SET))
        if isinstance(value, VehiclePlan):
            _check_ahead(spec, value.time, site.utc)
        set_own(site, name, request.name, value)
    elif isinstance(request, AssignVehicle):
        lp = _known_loadpoint(site, request.loadpoint)
        assign(site, lp, None if request.vehicle is None else _known_vehicle(site, request.vehicle))
        lp.state.detection = detection.stop_searching(lp.state.detection)
    elif isinstance(request, DetectVehicle):
        lp = _known_loadpoint(site, request.loadpoint)
        assign(site, lp, None)
        lp.state.detection = detection.search(lp.state.detection, lp.instant)
    elif isinstance(request, DemandRemotely):
        _demand_remotely(site, request)
    elif isinstance(request, CommandBatteries):
        _command_batteries(site, request.mode)
    else:
        raise InvalidSetting("request", request, "one of the requests of evcclib.requests")


def _spec(scope: Scope, name: str) -> SettingSpec:
    spec = SPECS.get((scope, name)) if isinstance(name, str) else None
    if spec is None:
        raise UnknownTarget(f"no {scope.value} setting {shown(name)}")
    return spec


def _known_loadpoint(site: SiteDesk, index: int) -> LoadpointDesk:
    return site.desks[known_loadpoint(index, len(site.desks))]


def _known_vehicle(site: SiteDesk, name: str) -> str:
    if not isinstance(name, str) or name not in site.layout.vehicles:
        raise UnknownTarget(f"vehicle not found: {name[:60] if isinstance(name, str) else shown(name)}")
    return name


def _change_site(site: SiteDesk, name: str, value: SettingValue) -> None:
    spec = _spec(Scope.SITE, name)
    spec.check_needs(value, batteries=site.layout.battery_count, commanded=len(site.layout.commanded))
    value = spec.judged(value)
    state = site.state
    spec.check_beside(value, state.settings)
    if getattr(state.settings, name) == value:
        return
    state.settings = replace(state.settings, **{name: value})  # type: ignore[arg-type]  # checked by the table
    site.events.append(SettingChanged(Scope.SITE, None, name, value))
    _warn_priority(site, state.settings)


def _warn_priority(site: SiteDesk, settings: SiteSettings) -> None:
    if 0 < settings.buffer_soc_pct < settings.priority_soc_pct:
        site.events.append(Warned(WarningCode.PRIORITY_ABOVE_BUFFER))


def _change_loadpoint(site: SiteDesk, lp: LoadpointDesk, name: str, value: SettingValue) -> None:
    spec = _spec(Scope.LOADPOINT, name)
    value = spec.judged(value)
    state = lp.state
    if name in ("current_min_a", "current_max_a"):
        _check_currents(lp, spec, value)
    else:
        spec.check_beside(value, state.settings)
    if name == "mode":
        assert isinstance(value, ChargeMode)
        set_mode(lp, value)
    elif name == "phases_configured":
        _set_phases(lp, spec, _whole(value))
    elif name in ("soc_min_pct", "soc_target_pct") and state.vehicle is not None:
        set_own(site, state.vehicle, name, value)
    elif name == "target_time":
        _change_target(site, lp, spec, value)
    else:
        lp.change(**{name: value})
        if name in ("enable_threshold_w", "disable_threshold_w"):
            _warn_thresholds(lp, state.settings)


def _change_target(site: SiteDesk, lp: LoadpointDesk, spec: SettingSpec, value: SettingValue) -> None:
    """What is taken away is what is shown: the loadpoint's own target, else the plan of the vehicle there [PLAN-32]."""
    state = lp.state
    if isinstance(value, datetime):
        check_target(value)
        _check_ahead(spec, value, lp.utc)
    elif state.settings.target_time is None and state.vehicle is not None:
        set_own(site, state.vehicle, "plan", None)
    lp.change(target_time=value)
    if value is None:
        state.plan = plan_follow.IDLE


def _check_ahead(spec: SettingSpec, time: datetime, now: datetime) -> None:
    if time < now:
        raise spec.refusal(time, "timestamp is in the past", "a time in the future")


def _warn_thresholds(lp: LoadpointDesk, settings: LoadpointSettings) -> None:
    if settings.enable_threshold_w > settings.disable_threshold_w:
        lp.events.append(Warned(WarningCode.THRESHOLDS_CROSSED, lp.index))


def _check_currents(lp: LoadpointDesk, spec: SettingSpec, value: SettingValue) -> None:
    """The minimum must be reachable below the maximum with the charger's steps [DEF-7, DEF-41]."""
    assert isinstance(value, float)
    charger = lp.layout.charger
    settings = lp.state.settings
    limit_a = math.inf if charger.current_max_a is None else charger.current_max_a
    if value > limit_a:
        raise spec.refusal(value, "current out of range", f"at most {limit_a:g} A")
    spec.check_beside(value, settings, limit=limit_a)
    bound = spec.at_most or spec.at_least
    assert bound is not None
    low, high = (value, settings.current_max_a) if spec.at_most else (settings.current_min_a, value)
    step_a = min(charger.current_step_a, COARSE_STEP_A)
    if ceil_to_step(low, step_a) > floor_to_step(min(high, limit_a), step_a):
        raise spec.refusal(value, bound.problem, f"a step of {step_a:g} A between minimum and maximum")


def _set_phases(lp: LoadpointDesk, spec: SettingSpec, phases: int) -> None:
    """Store the phases; of a charger without switch they are the connected ones [PH-12]."""
    state = lp.state
    is_switchable = lp.layout.is_switchable
    if phases == 0 and not is_switchable:
        raise spec.refusal(phases, "invalid number of phases", "1 or 3")
    lp.change(phases_configured=phases)
    if not is_switchable and state.charger.phases != phases:
        proven_phases = state.proven_phases
        phases_became(lp, phases)
        state.proven_phases = proven_phases  # what flows has proven them, whatever the owner says


def _demand_remotely(site: SiteDesk, request: DemandRemotely) -> None:
    state = _known_loadpoint(site, request.loadpoint).state
    if not isinstance(request.demand, RemoteDemand):
        raise InvalidSetting("remote_demand", request.demand, "'', soft, hard")
    TEXT.check("remote_source", request.source, InvalidSetting)
    state.remote_demand = request.demand
    state.remote_source = request.source


def _command_batteries(site: SiteDesk, mode: BatteryMode | None) -> None:
    """Every battery that can be told obeys; at least one must be able to [BAT-9]."""
    able = frozenset[BatteryMode]().union(*site.layout.commanded.values())
    words = (
        ", ".join(each for each in BatteryMode if each in able)
        or "only with a home battery that can be told what to do"
    )
    if not able:
        raise InvalidSetting("battery_mode", mode, words, "battery control not available")
    if mode is not None and (not isinstance(mode, BatteryMode) or mode not in able):
        raise InvalidSetting("battery_mode", mode, words)
    site.state.battery_override = battery.override(mode, site.instant)


def known_loadpoint(index: int, count: int) -> int:
    """``index`` if it is one of ``count`` loadpoints. Raises `UnknownTarget`."""
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < count:
        raise UnknownTarget(
            f"no loadpoint {index + 1 if isinstance(index, int) and abs(index) < 10**9 else shown(index)}"
        )
    return index


def check_target(time: datetime) -> None:
    """Raises `InvalidSetting` for what is no time."""
    TIME.check("target_time", time, InvalidSetting)


def check_due(lp: LoadpointDesk, due: Due) -> None:
    """Raises `InvalidSetting` for a goal that cannot be planned for: a SoC where none is known, an energy where one is."""
    check_target(due.time)
    if due.soc_pct is None and due.energy_kwh is None:
        return
    knows_soc = lp.vehicle is not None and lp.state.soc.soc_pct is not None and lp.vehicle.config.capacity_kwh > 0
    if due.soc_pct is not None:
        flaw = flaw_of_plan(VehiclePlan(due.soc_pct, due.time))
        if flaw is not None:
            raise InvalidSetting("soc_pct", flaw.value, flaw.allowed, flaw.problem)
        if not knows_soc:
            words = "only for a vehicle whose SoC and capacity are known"
            raise InvalidSetting("soc_pct", due.soc_pct, words, "soc is not known")
    if due.energy_kwh is not None:
        _spec(Scope.LOADPOINT, "energy_target_kwh").judged(due.energy_kwh)
        if knows_soc:
            raise InvalidSetting("energy_kwh", due.energy_kwh, "only where no SoC is known", "soc is known")


def _whole(value: SettingValue) -> int:
    assert isinstance(value, int)
    return value
