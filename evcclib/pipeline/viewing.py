"""The state, for those who look on: every value the API shows, computed for the time of the view [LP-18]."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from evcclib.config import CircuitConfig
from evcclib.decision import PlanPreview
from evcclib.laws.demand import is_cheap, is_worth_selling
from evcclib.ledger import meter_ledger, savings, session
from evcclib.ledger.green import home_share
from evcclib.machines import plausible, soc
from evcclib.machines.hold import remaining
from evcclib.machines.phases import active_phases
from evcclib.model import ChargerStatus, TariffKind
from evcclib.pipeline.assignment import title_of
from evcclib.pipeline.circuit_loads import signed_currents
from evcclib.pipeline.desk import NOTHING_SET, LoadpointDesk, SiteDesk
from evcclib.pipeline.goals import (
    due_of,
    make_plan,
    planner_rates,
    power_max_w,
    soc_goal_pct,
    strategy_of,
)
from evcclib.pipeline.observe_loadpoint import estimate, meter_total_kwh
from evcclib.pipeline.samples import age, fresh, fresh_value
from evcclib.pipeline.state import Balance
from evcclib.planning import plan_follow
from evcclib.planning.dues import Due
from evcclib.readings import ABSENT, BatteryReading, Measured, MeterReading, Reading
from evcclib.tariff import Rates, effective_co2, effective_price, price_at
from evcclib.units import ZERO, Instant, whole_seconds
from evcclib.view import BatteryView, CircuitView, LoadpointView, PlanView, SideView, SiteView

T = TypeVar("T")

_NO_METER, _NO_BATTERY = MeterReading(power_w=ABSENT), BatteryReading(power_w=ABSENT)

HEALTHY_FOR = timedelta(seconds=60)
"""On top of the interval: how long ago the last good step may be [SITE-18]."""


def site_view(site: SiteDesk) -> SiteView:
    """The whole site at the time of ``site``."""
    state, readings, layout, oldest = site.state, site.readings, site.layout, site.oldest
    figures, config = state.figures, layout.config
    balance = figures.balance
    grid = readings.grid
    whole = _side(site, figures.green_share)
    last_at = state.last_success_at
    powers = None if grid is None else fresh_value(grid.powers_w, oldest)
    currents = None if grid is None else fresh_value(grid.currents_a, oldest)
    if powers is not None and currents is not None:
        currents = signed_currents(currents, powers)
    return SiteView(
        title=config.title,
        settings=state.settings,
        vehicle_settings={name: state.vehicle_settings.get(name, NOTHING_SET) for name in layout.vehicles},
        has_grid=config.has_grid,
        has_pv=config.pv_count > 0,
        has_battery=layout.battery_count > 0,
        grid_power_w=balance.grid_w if config.has_grid else None,
        grid_powers_w=powers,
        grid_currents_a=currents,
        grid_energy_kwh=None if grid is None else _value(grid.energy_import_kwh),
        grid_energy_export_kwh=None if grid is None else _value(grid.energy_export_kwh),
        grid_age=_age(state.grid, site.instant),
        pv_power_w=balance.pv_w,
        pv_powers_w=tuple(fresh_value(meter, oldest) for meter in state.pv),
        pv_energies_kwh=tuple(
            _value(meter.energy_import_kwh) for meter in _padded(readings.pv, config.pv_count, _NO_METER)
        ),
        pv_ages=tuple(_age(meter, site.instant) for meter in state.pv),
        battery_power_w=balance.battery.power_w,
        battery_soc_pct=balance.battery.soc_pct,
        battery_capacity_kwh=balance.battery.capacity_kwh,
        batteries=_batteries(site),
        aux_power_w=balance.aux_w,
        home_power_w=balance.home_w,
        site_power_w=balance.site_w,
        green_share=whole.green_share,
        tariff_grid=figures.price_grid,
        tariff_feed_in=figures.price_feed_in,
        tariff_co2=figures.co2_g_per_kwh,
        tariff_effective_price=whole.price,
        tariff_effective_co2=whole.co2_g,
        savings=savings.view(state.savings, now=site.now, grid_price=figures.price_grid),
        last_success=state.last_success,
        is_healthy=last_at is not None and site.instant - last_at < HEALTHY_FOR + layout.interval,
        vehicles=tuple(title_of(vehicle) for vehicle in layout.vehicles.values()),
        loadpoints=tuple(_loadpoint_view(lp) for lp in site.desks),
        home=_side(site, _home_share(balance)),
        cars=_side(site, figures.green_share_cars),
        battery_override=None
        if state.battery_override is None or site.instant >= state.battery_override.until
        else state.battery_override.mode,
        circuits={circuit.name: _circuit_view(site, circuit) for circuit in config.circuits},
    )


def _home_share(balance: Balance) -> float | None:
    if balance.home_w is None:
        return None
    return home_share(pv_w=balance.pv_w or 0.0, battery_w=balance.battery.power_w or 0.0, home_w=balance.home_w)


def _side(site: SiteDesk, share: float | None) -> SideView:
    """What is used by those of whose energy ``share`` is own."""
    figures = site.state.figures
    if share is None:
        return SideView()
    has_feed_in = TariffKind.FEED_IN in site.readings.tariffs
    price = effective_price(figures.price_grid, figures.price_feed_in, share, has_feed_in=has_feed_in)
    return SideView(share, price, effective_co2(figures.co2_g_per_kwh, share))


def _circuit_view(site: SiteDesk, circuit: CircuitConfig) -> CircuitView:
    """What its meter shows; without one, what is known to be drawn below it."""
    if circuit.name in site.layout.metered:
        readings = site.readings
        meter = readings.grid if circuit.uses_grid_meter else readings.circuits.get(circuit.name)
        powers = [None if meter is None else fresh_value(meter.power_w, site.oldest)]
        currents = [None if meter is None else fresh_value(meter.currents_a, site.oldest)]
    else:
        below = [lp for lp in site.desks if circuit.name in lp.layout.circuits]
        powers = [_power(lp, is_charging=lp.state.status is ChargerStatus.C) for lp in below]
        currents = [fresh_value(lp.reading.currents_a, site.oldest) for lp in below]
    known = [each for each in currents if each is not None]
    return CircuitView(
        power_w=None if None in powers else math.fsum(power for power in powers if power is not None),
        current_a=max(map(math.fsum, zip(*known, strict=True))) if known and len(known) == len(currents) else None,
    )


def _batteries(site: SiteDesk) -> tuple[BatteryView, ...]:
    state, oldest, configured = site.state, site.oldest, site.layout.config.batteries
    return tuple(
        BatteryView(
            power_w=fresh_value(_at(state.batteries, position), oldest),
            soc_pct=fresh_value(_at(state.battery_socs, position), oldest),
            capacity_kwh=battery.capacity_kwh,
            energy_discharged_kwh=_value(reading.energy_discharged_kwh),
            energy_charged_kwh=_value(reading.energy_charged_kwh),
            modes=battery.modes,
            mode=control.shown,
            mode_reason=control.reason,
        )
        for position, (battery, reading, control) in enumerate(
            zip(
                configured,
                _padded(site.readings.batteries, len(configured), _NO_BATTERY),
                state.battery_controls,
                strict=True,
            )
        )
    )


def plan_preview(lp: LoadpointDesk, due: Due | None) -> PlanPreview:
    """The plan for ``due``, as it would be made now; None: nothing is [PLAN-10, PLAN-17]."""
    power_w = power_max_w(lp)
    rates = planner_rates(lp.readings)
    unit = "" if rates is None else rates.unit
    if due is None or not plan_follow.applies(lp.state.plan, due.time, lp.utc):
        return PlanPreview(ZERO, None, unit, power_w, lp.settings.target_time if due is None else due.time, True)
    required, plan = make_plan(lp, due, power_w)
    if required is None or required <= ZERO:
        return PlanPreview(ZERO, None, unit, power_w, due.time, required is not None, number=due.number)
    return PlanPreview(required, plan.slots or None, unit, power_w, due.time, plan.is_met, number=due.number)


def _plan_view(lp: LoadpointDesk) -> PlanView:
    """What is due at a loadpoint, and how that is planned for."""
    state, due = lp.state, due_of(lp)
    is_planned = state.plan.is_active or state.plan.projected_start is not None
    slots = state.plan_slots if is_planned else ()
    settings = lp.settings
    is_for_energy = settings.target_time is not None and settings.energy_target_kwh > 0
    return PlanView(
        number=0 if due is None else due.number,
        soc_pct=None if due is None else soc_goal_pct(lp, due),
        time=None if due is None else due.time,
        energy_kwh=settings.energy_target_kwh if is_for_energy else 0.0,
        energy_time=settings.target_time if is_for_energy else None,
        strategy=settings.plan_strategy if due is None else strategy_of(lp, due),
        slots=slots,
        projected_end=slots[-1].end if slots else None,
    )


def _loadpoint_view(lp: LoadpointDesk) -> LoadpointView:
    state, layout, reading, oldest = lp.state, lp.layout, lp.reading, lp.oldest
    settings, charger = state.settings, state.charger
    is_charging = state.status is ChargerStatus.C
    is_connected = is_charging or state.status is ChargerStatus.B
    vehicle, answers = lp.vehicle, lp.vehicle_reading
    power_w = _power(lp, is_charging=is_charging)
    vehicle_limit_pct = range_km = None
    if vehicle is not None and vehicle.config.has_soc_limit:
        vehicle_limit_pct = _plausible(answers.soc_limit_pct, plausible.is_sure_soc)
    if vehicle is not None and vehicle.config.has_range:
        range_km = _plausible(answers.range_km, plausible.is_distance)
    estimator = lp.estimator
    limit_pct = soc.shown_limit_pct(settings.soc_target_pct, vehicle_limit_pct)
    left = None
    if is_charging and power_w is not None:
        left = soc.remaining_duration(state.soc, limit_pct, power_w, estimator)
    waits = lp.site_layout.law.outlook(
        state.memory, settings=settings, is_charging=is_charging, idle_switches=state.idle_switches
    )
    feed_in, feed_in_limit = lp.readings.tariffs.get(TariffKind.FEED_IN), settings.feed_in_priority_limit
    bounds, record = lp.bounds(), None if state.session is None else session.record(state.session)
    prices = None if settings.smart_cost_limit is None else planner_rates(lp.readings)
    plan = _plan_view(lp)
    is_timed = layout.charger.has_duration and fresh(reading.charge_duration, oldest) is not None
    return LoadpointView(
        loadpoint=lp.index,
        title=layout.config.title,
        settings=settings,
        status=state.status,
        is_enabled=charger.is_enabled,
        is_connected=is_connected,
        is_charging=is_charging,
        charge_power_w=power_w,
        current_offered_a=(charger.current_a or 0.0) if charger.is_enabled else 0.0,
        currents_a=fresh_value(reading.currents_a, oldest),
        voltages_v=fresh_value(reading.voltages_v, oldest),
        energy_charged_kwh=state.ledger.session_kwh,
        charge_duration=meter_ledger.charge_duration(
            state.timer, reading.charge_duration if is_timed else ABSENT, lp.instant
        ),
        energy_total_kwh=meter_total_kwh(lp),
        remaining_duration=left,
        remaining_energy_kwh=soc.remaining_energy_kwh(state.soc, limit_pct, estimator),
        connected_duration=None if state.connected_at is None else whole_seconds(age(lp.instant, state.connected_at)),
        can_switch_phases=layout.is_switchable,
        phases_enabled=charger.phases,
        phases_active=active_phases(vehicle=lp.vehicle_phases, physical=charger.phases, measured=state.measured_phases),
        phase_action=waits.phase_action,
        phase_remaining=remaining(waits.phase_at, lp.instant),
        pv_action=waits.pv_action,
        pv_remaining=remaining(waits.pv_at, lp.instant),
        plan_is_active=state.plan.is_active,
        plan_projected_start=state.plan.projected_start,
        plan_overrun=plan_follow.overrun(state.plan, plan.time, lp.utc),
        feed_in_priority_is_active=is_worth_selling(price_at(feed_in, lp.utc), feed_in_limit),
        feed_in_priority_next_start=_sold_from(feed_in, feed_in_limit, lp.utc),
        plan_shortfall=None if state.power_plan is None else state.power_plan.plan.shortfall,
        remote_demand=state.remote_demand,
        remote_source=state.remote_source,
        charger_is_integrated=layout.charger.is_integrated,
        charger_icon=layout.charger.icon,
        vehicle=state.vehicle,
        vehicle_title=title_of(vehicle),
        vehicle_icon="" if vehicle is None else vehicle.config.icon,
        vehicle_capacity_kwh=0.0 if vehicle is None else vehicle.config.capacity_kwh,
        vehicle_soc_pct=state.soc.soc_pct,
        vehicle_range_km=range_km,
        vehicle_soc_limit_pct=vehicle_limit_pct,
        vehicle_odometer_km=state.odometer_km,
        vehicle_identity=state.identity or None,
        vehicle_detection_is_active=state.detection.started_at is not None,
        vehicle_is_offline=vehicle is not None and vehicle.is_offline,
        is_climating=_value(answers.is_climating) if vehicle is not None and vehicle.config.has_climate else None,
        reason=state.reason,
        commands_pending=() if charger.pending is None else charger.pending.batch.commands,
        charger_age=_age(reading.status, lp.instant),
        session_solar_pct=None if state.session is None else session.solar_pct(state.session),
        session_price=None if state.session is None or state.session.priced_kwh <= 0 else state.session.price,
        current_low_a=bounds.minimum_a,
        current_high_a=bounds.maximum_a,
        priority=settings.priority if state.priority_of_vehicle is None else state.priority_of_vehicle,
        smart_cost_is_active=is_cheap(price_at(prices, lp.utc), settings.smart_cost_limit),
        smart_cost_next_start=_cheap_from(lp, settings.smart_cost_limit),
        session_price_per_kwh=None if record is None else record.price_per_kwh,
        session_co2_g_per_kwh=None if record is None else record.co2_g_per_kwh,
        plan=plan,
    )


def _sold_from(feed_in: Rates | None, limit: float | None, now: datetime) -> datetime | None:
    """When feed-in next pays enough that does not now."""
    if feed_in is None or feed_in.is_outdated or is_worth_selling(price_at(feed_in, now), limit):
        return None
    return next(
        (each.start for each in feed_in.rates if each.start > now and is_worth_selling(each.price, limit)), None
    )


def _cheap_from(lp: LoadpointDesk, limit: float | None) -> datetime | None:
    """When energy is next cheap that is not now."""
    rates = None if limit is None else planner_rates(lp.readings)
    if rates is None or rates.is_outdated or is_cheap(price_at(rates, lp.utc), limit):
        return None
    return next((rate.start for rate in rates.rates if rate.start > lp.utc and is_cheap(rate.price, limit)), None)


def _power(lp: LoadpointDesk, *, is_charging: bool) -> float | None:
    if lp.layout.charger.has_power:
        return fresh_value(lp.state.power, lp.oldest)
    currents_a = fresh_value(lp.reading.currents_a, lp.oldest)
    if currents_a is not None and is_charging and plausible.are_numbers(currents_a):
        return sum(currents_a) * lp.voltage_v
    return estimate(lp, is_charging=is_charging).likely_w


def _value(reading: Reading[T]) -> T | None:
    return reading.value if isinstance(reading, Measured) else None


def _plausible(reading: Reading[float], is_one: Callable[[object], bool]) -> float | None:
    value = _value(reading)
    return value if is_one(value) else None


def _padded(readings: tuple[T, ...], count: int, missing: T) -> tuple[T, ...]:
    """One for each of ``count`` devices, ``missing`` for those that have said nothing yet."""
    return (readings + (missing,) * count)[:count]


def _at(meters: tuple[Measured[float] | None, ...], position: int) -> Measured[float] | None:
    return meters[position] if position < len(meters) else None


def _age(sample: Reading[T] | None, instant: Instant) -> timedelta | None:
    return age(instant, sample.sampled_at) if isinstance(sample, Measured) else None
