"""The configuration of evcclib that fits a scenario: what an owner of this house would have written down."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from evcc_server.profiles.profile import load
from evcc_sim.plants.battery import BatterySpec
from evcc_sim.plants.car import CarSpec
from evcc_sim.worlds.scenario import ChargerSpec, Scenario
from evcclib.commands import BatteryMode
from evcclib.config import (
    BatteryConfig,
    ChargerConfig,
    CircuitConfig,
    CurvePoint,
    LoadpointConfig,
    PollConfig,
    SiteConfig,
    VehicleConfig,
)
from evcclib.laws.by_name import LAWS
from evcclib.model import PollMode, VehicleFeature
from evcclib.settings import values_of

NOMINAL_V = 230.0
CURVE_STEP_PCT = 2.0
"""Owners know their car's curve in steps of that."""


def site_config(scenario: Scenario) -> SiteConfig:
    """The site with its meters, vehicles (by name), loadpoints and circuits."""
    site = scenario.site
    return SiteConfig(
        title=scenario.title or scenario.name,
        law=site.law if site.law in LAWS else "classic",  # anybody's is handed to the site itself
        sharing=site.sharing,
        planner=site.planner,
        voltage_v=site.voltage_v,
        interval=timedelta(seconds=site.interval_s),
        time_zone=scenario.base.zone,
        has_grid=site.has_grid_meter,
        pv_count=len(scenario.pv) if site.sees_pv else 0,
        has_zero_feed_in=site.has_zero_feed_in,
        batteries=tuple(map(battery_config, scenario.battery)),
        vehicles=tuple(
            vehicle_config(car) for car in sorted(scenario.car, key=lambda car: car.name) if not is_guest(car)
        ),
        loadpoints=tuple(loadpoint_config(charger, scenario) for charger in scenario.charger),
        circuits=tuple(
            CircuitConfig(
                name=spec.name,
                parent=spec.parent,
                current_max_a=spec.current_max_a,
                power_max_w=spec.power_max_w,
                unbalance_max_a=spec.unbalance_max_a,
                mean_power_max_w=spec.mean_power_max_w,
                mean_window=timedelta(minutes=spec.mean_window_minutes),
                has_meter=spec.has_meter,
                uses_grid_meter=spec.uses_grid_meter,
                safe_current_a=spec.safe_current_a,
            )
            for spec in scenario.circuit
        ),
        grid_supply_max_while_battery_charges_w=site.grid_supply_max_while_battery_charges_w,
        **values_of(site),
    )


def battery_config(spec: BatterySpec) -> BatteryConfig:
    """The battery, and what its device can be told."""
    control = load(spec.profile).battery
    modes = [] if control is None else [mode for mode in BatteryMode if mode in control.modes]
    battery = BatteryConfig(capacity_kwh=spec.capacity_kwh, modes=frozenset(modes))
    if spec.circuit is None:
        return battery
    return replace(
        battery,
        circuit=spec.circuit,
        phases=3,
        charge_power_w=spec.charge_max_w,
        charges_before_cars=spec.charges_before_cars,
    )


def is_guest(car: CarSpec) -> bool:
    """Cars whose name begins with ``guest`` are not configured at the site."""
    return car.name.startswith("guest")


def charging_curve(car: CarSpec) -> tuple[CurvePoint, ...]:
    """In steps of 2 %, each with what is taken at its end."""
    full_w = car.current_max_a * NOMINAL_V * car.phases
    band_pct = 100.0 - car.taper_from_pct
    steps = max(1, round(band_pct / CURVE_STEP_PCT))
    return tuple(
        CurvePoint(
            car.taper_from_pct + band_pct * step / steps,
            car.taper_end_w + (full_w - car.taper_end_w) * (1 - (step + 1) / steps),
        )
        for step in range(steps)
    )


def vehicle_config(car: CarSpec) -> VehicleConfig:
    """The vehicle as its owner knows it."""
    return VehicleConfig(
        name=car.name,
        title=car.title or car.name,
        capacity_kwh=car.capacity_kwh,
        phases=car.phases,
        charging_curve=charging_curve(car) if car.has_known_curve else (),
        identifiers=(car.rfid,) if car.rfid else (),
        features=frozenset() if car.has_api else frozenset({VehicleFeature.OFFLINE}),
        has_soc=car.has_api and car.has_soc,
        has_soc_limit=car.has_api and car.has_soc_limit,
        has_range=car.has_api and car.has_soc,
        has_odometer=car.has_api,
        has_status=car.has_api and car.has_status,
        has_climate=car.has_api and car.has_climate,
        has_wakeup=car.has_api and car.has_wakeup,
    )


def loadpoint_config(charger: ChargerSpec, scenario: Scenario) -> LoadpointConfig:
    """The loadpoint; phases of a fixed station follow its wiring."""
    box, spec = charger.box, charger.loadpoint
    return LoadpointConfig(
        title=spec.title or box.name,
        charger=ChargerConfig(
            current_step_a=box.current_step_a,
            current_max_a=box.current_max_a,
            can_switch_phases=box.can_switch_phases,
            has_power=box.has_meter,
            has_energy_total=box.has_meter,
            has_identity=any(car.rfid for car in scenario.car),
            has_wakeup=box.has_wakeup,
        ),
        vehicle=spec.vehicle,
        circuit=spec.circuit,
        phases=spec.phases if box.can_switch_phases else (spec.phases or box.phases),
        phase_rotation=box.phase_rotation,
        guard_duration=timedelta(seconds=spec.guard_duration_s),
        reset_on_disconnect=spec.reset_on_disconnect,
        poll=PollConfig(mode=PollMode(spec.poll_mode), interval=timedelta(seconds=spec.poll_interval_s)),
        estimates_soc=spec.estimates_soc,
        **values_of(spec),
    )
