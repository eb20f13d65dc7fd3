"""The state, for those who look on: every value the API shows, computed for the time of the view [control.md 16]."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from evcclib.decision import PlanPreview
from evcclib.errors import UnknownTarget
from evcclib.ledger import meter_ledger, savings, session
from evcclib.machines import plausible, soc
from evcclib.machines.hold import remaining
from evcclib.machines.phases import active_phases, patience
from evcclib.model import ChargerStatus, PhaseAction, PvAction, TariffKind
from evcclib.pipeline.assignment import title_of
from evcclib.pipeline.circuit_loads import signed_currents
from evcclib.pipeline.desk import Work
from evcclib.pipeline.goals import make_plan, planner_rates, power_max_w
from evcclib.pipeline.lookup import age
from evcclib.pipeline.observe_loadpoint import estimate, meter_total_kwh
from evcclib.pipeline.state import LoadpointState
from evcclib.planning import plan_follow
from evcclib.readings import ABSENT, ChargerReading, Measured, Missing, Reading, VehicleReading
from evcclib.settings import VehicleSettings
from evcclib.tariff import effective_co2, effective_price
from evcclib.units import ZERO, whole_seconds
from evcclib.view import BatteryView, LoadpointView, SiteView

T = TypeVar("T")

HEALTHY_FOR = timedelta(seconds=60)
"""On top of the interval: how long ago the last good step may be [SITE-18]."""


def site_view(work: Work) -> SiteView:
    """The whole site at the time of ``work``."""
    state, readings, layout = work.state, work.readings, work.layout
    figures, config = state.figures, layout.config
    balance = figures.balance
    grid = readings.grid
    share = figures.green_share
    co2 = figures.co2_g_per_kwh
    last_at = state.last_success_at
    powers, currents = (None, None) if grid is None else (_fresh(work, grid.powers_w), _fresh(work, grid.currents_a))
    if powers is not None and currents is not None:
        currents = signed_currents(currents, powers)
    return SiteView(
        title=config.title,
        settings=state.settings,
        vehicle_settings={name: state.vehicle_settings.get(name, VehicleSettings()) for name in layout.vehicles},
        has_grid=config.has_grid,
        has_pv=config.pv_count > 0,
        has_battery=layout.battery_count > 0,
        grid_power_w=balance.grid_w if config.has_grid else None,
        grid_powers_w=powers,
        grid_currents_a=currents,
        grid_energy_kwh=None if grid is None else _value(grid.energy_import_kwh),
        grid_age=_age(work, state.grid),
        pv_power_w=balance.pv_w,
        pv_powers_w=tuple(_known(work, meter) for meter in state.pv),
        pv_ages=tuple(_age(work, meter) for meter in state.pv),
        battery_power_w=balance.battery.power_w,
        battery_soc_pct=balance.battery.soc_pct,
        battery_capacity_kwh=balance.battery.capacity_kwh,
        batteries=tuple(
            BatteryView(
                power_w=_known(work, _at(state.batteries, position)),
                soc_pct=_known(work, _at(state.battery_socs, position)),
                capacity_kwh=battery.capacity_kwh,
            )
            for position, battery in enumerate(config.batteries)
        ),
        aux_power_w=balance.aux_w,
        home_power_w=balance.home_w,
        site_power_w=balance.site_w,
        green_share=share,
        tariff_grid=figures.price_grid,
        tariff_feed_in=figures.price_feed_in,
        tariff_co2=co2,
        tariff_effective_price=None
        if share is None
        else effective_price(
            figures.price_grid, figures.price_feed_in, share, has_feed_in=TariffKind.FEED_IN in readings.tariffs
        ),
        tariff_effective_co2=None if share is None else effective_co2(co2, share),
        savings=savings.view(state.savings, now=work.now, grid_price=figures.price_grid),
        last_success=state.last_success,
        is_healthy=last_at is not None and work.instant - last_at < HEALTHY_FOR + layout.interval,
        vehicles=tuple(title_of(work, vehicle.name) for vehicle in config.vehicles),
        loadpoints=tuple(_loadpoint_view(work, index) for index in range(len(state.loadpoints))),
    )


def plan_preview(work: Work, index: int, target: datetime | None) -> PlanPreview:
    """The plan for ``target`` or the stored target time, as it would be made now [PLAN-10, PLAN-17]."""
    if not 0 <= index < len(work.state.loadpoints):
        raise UnknownTarget(f"no loadpoint {index + 1}")
    loadpoint = work.state.loadpoints[index]
    target = target or loadpoint.settings.target_time
    power_w = power_max_w(work, index)
    rates = planner_rates(work)
    unit = "" if rates is None else rates.unit
    if target is None or not plan_follow.applies(loadpoint.plan, target, work.utc):
        return PlanPreview(ZERO, None, unit, power_w, target, True)
    required, plan = make_plan(work, index, target, power_w)
    if required is None or required <= ZERO:
        return PlanPreview(ZERO, None, unit, power_w, target, required is not None)
    return PlanPreview(required, plan.slots or None, unit, power_w, target, plan.is_met)


def _loadpoint_view(work: Work, index: int) -> LoadpointView:
    loadpoint = work.state.loadpoints[index]
    layout = work.layout.loadpoints[index]
    settings, charger = loadpoint.settings, loadpoint.charger
    chargers = work.readings.chargers
    reading = chargers[index] if index < len(chargers) else ChargerReading(status=Missing())
    is_charging = loadpoint.status is ChargerStatus.C
    is_connected = is_charging or loadpoint.status is ChargerStatus.B
    vehicle = None if loadpoint.vehicle is None else work.layout.vehicles[loadpoint.vehicle]
    answers = VehicleReading() if vehicle is None else work.readings.vehicles.get(vehicle.config.name, VehicleReading())
    power_w = _power(work, index, reading, is_charging=is_charging)
    vehicle_limit_pct = range_km = None
    if vehicle is not None and vehicle.config.has_soc_limit:
        vehicle_limit_pct = _plausible(answers.soc_limit_pct, plausible.is_sure_soc)
    if vehicle is not None and vehicle.config.has_range:
        range_km = _plausible(answers.range_km, plausible.is_distance)
    estimator = work.layout.estimator(index, loadpoint.vehicle)
    limit_pct = soc.shown_limit_pct(settings.soc_target_pct, vehicle_limit_pct)
    left = None
    if is_charging and power_w is not None:
        left = soc.remaining_duration(loadpoint.soc, limit_pct, power_w, estimator)
    is_timed = layout.charger.has_duration and _fresh(work, reading.charge_duration) is not None
    return LoadpointView(
        loadpoint=index,
        title=layout.config.title,
        settings=settings,
        status=loadpoint.status,
        is_enabled=charger.is_enabled,
        is_connected=is_connected,
        is_charging=is_charging,
        charge_power_w=power_w,
        current_offered_a=(charger.current_a or 0.0) if charger.is_enabled else 0.0,
        currents_a=_fresh(work, reading.currents_a),
        voltages_v=_fresh(work, reading.voltages_v),
        energy_charged_kwh=loadpoint.ledger.session_kwh,
        charge_duration=meter_ledger.charge_duration(
            loadpoint.timer, reading.charge_duration if is_timed else ABSENT, work.instant
        ),
        energy_total_kwh=meter_total_kwh(layout, reading, loadpoint.ledger),
        remaining_duration=left,
        remaining_energy_kwh=soc.remaining_energy_kwh(loadpoint.soc, limit_pct, estimator),
        connected_duration=None
        if loadpoint.connected_at is None
        else whole_seconds(age(work.instant, loadpoint.connected_at)),
        can_switch_phases=layout.is_switchable,
        phases_enabled=charger.phases,
        phases_active=active_phases(
            vehicle=0 if vehicle is None else vehicle.config.phases,
            physical=charger.phases,
            measured=loadpoint.measured_phases,
        ),
        phase_action=loadpoint.scaling.action,
        phase_remaining=_phase_remaining(loadpoint, work.instant),
        pv_action=loadpoint.pv_action,
        pv_remaining=_pv_remaining(loadpoint, work.instant),
        plan_is_active=loadpoint.plan.is_active,
        plan_projected_start=loadpoint.plan.projected_start,
        plan_overrun=plan_follow.overrun(loadpoint.plan, settings.target_time, work.utc),
        remote_demand=loadpoint.remote_demand,
        remote_source=loadpoint.remote_source,
        charger_is_integrated=layout.charger.is_integrated,
        charger_icon=layout.charger.icon,
        vehicle=loadpoint.vehicle,
        vehicle_title=title_of(work, loadpoint.vehicle),
        vehicle_icon="" if vehicle is None else vehicle.config.icon,
        vehicle_capacity_kwh=0.0 if vehicle is None else vehicle.config.capacity_kwh,
        vehicle_soc_pct=loadpoint.soc.soc_pct,
        vehicle_range_km=range_km,
        vehicle_soc_limit_pct=vehicle_limit_pct,
        vehicle_odometer_km=loadpoint.odometer_km,
        vehicle_identity=loadpoint.identity or None,
        vehicle_detection_is_active=loadpoint.detection.started_at is not None,
        vehicle_is_offline=vehicle is not None and vehicle.is_offline,
        is_climating=_value(answers.is_climating) if vehicle is not None and vehicle.config.has_climate else None,
        reason=loadpoint.reason,
        commands_pending=() if charger.pending is None else charger.pending.batch.commands,
        charger_age=_age(work, reading.status if isinstance(reading.status, Measured) else None),
        session_solar_pct=None if loadpoint.session is None else session.solar_pct(loadpoint.session),
        session_price=None
        if loadpoint.session is None or loadpoint.session.priced_kwh <= 0
        else loadpoint.session.price,
    )


def _power(work: Work, index: int, reading: ChargerReading, *, is_charging: bool) -> float | None:
    if work.layout.loadpoints[index].charger.has_power:
        return _known(work, work.state.loadpoints[index].power)
    currents_a = _fresh(work, reading.currents_a)
    if currents_a is not None and is_charging and plausible.are_numbers(currents_a):
        return sum(currents_a) * work.layout.voltage_v
    return estimate(work, index, is_charging=is_charging).likely_w


def _pv_remaining(loadpoint: LoadpointState, instant: timedelta) -> timedelta:
    if loadpoint.pv_action is PvAction.INACTIVE:
        return ZERO
    settings = loadpoint.settings
    delay = settings.enable_delay if loadpoint.pv_action is PvAction.ENABLE else settings.disable_delay
    return remaining(loadpoint.pv_timer, delay, instant)


def _phase_remaining(loadpoint: LoadpointState, instant: timedelta) -> timedelta:
    if loadpoint.scaling.action is PhaseAction.INACTIVE:
        return ZERO
    settings = loadpoint.settings
    is_up = loadpoint.scaling.action is PhaseAction.SCALE_3P
    wait = patience(
        settings.enable_delay if is_up else settings.disable_delay,
        is_charging=loadpoint.status is ChargerStatus.C,
        idle_switches=loadpoint.idle_switches,
    )
    return remaining(loadpoint.scaling.since, wait, instant)


def _value(reading: Reading[T]) -> T | None:
    return reading.value if isinstance(reading, Measured) else None


def _plausible(reading: Reading[float], is_one: Callable[[object], bool]) -> float | None:
    value = _value(reading)
    return value if is_one(value) else None


def _fresh(work: Work, reading: Reading[T]) -> T | None:
    """The value, unless it is too old to be what is there now [DEF-48]."""
    return reading.value if isinstance(reading, Measured) and reading.sampled_at >= work.oldest else None


def _known(work: Work, meter: Measured[float] | None) -> float | None:
    return meter.value if meter is not None and meter.sampled_at >= work.oldest else None


def _at(meters: tuple[Measured[float] | None, ...], position: int) -> Measured[float] | None:
    return meters[position] if position < len(meters) else None


def _age(work: Work, meter: Measured[T] | None) -> timedelta | None:
    return None if meter is None else age(work.instant, meter.sampled_at)
