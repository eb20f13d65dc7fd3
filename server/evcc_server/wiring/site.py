"""From what the owner wrote and what was built to what evcclib runs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from evcc_server.config.model import Config, Loadpoint, MeterEntry, VehicleEntry
from evcc_server.config.problems import ConfigError, Problem
from evcc_server.devices.contract import Built
from evcc_server.devices.template.modbus_meter import ModbusMeter
from evcclib.commands import BatteryMode
from evcclib.config import (
    BatteryConfig,
    ChargerConfig,
    CircuitConfig,
    LoadpointConfig,
    SiteConfig,
    VehicleConfig,
)
from evcclib.errors import InvalidConfig
from evcclib.pipeline.check_config import check
from evcclib.settings import values_of


class BuiltDevices(Protocol):
    """The part of `evcc_server.wiring.factory.Devices` that a site is made of."""

    @property
    def meters(self) -> Mapping[str, Built]: ...

    @property
    def chargers(self) -> Mapping[str, Built]: ...


def local_time_zone() -> tzinfo:
    """The machine's time zone, from TZ or /etc/localtime; UTC when neither says."""
    candidates = [os.environ.get("TZ", "").removeprefix(":")]
    try:
        candidates.append(str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2])
    except (OSError, RuntimeError):
        candidates.append("")
    for name in candidates:
        if name:
            try:
                return ZoneInfo(name)
            except (KeyError, ValueError, OSError):
                continue
    return UTC


def time_zone(config: Config) -> tzinfo:
    """The configured time zone, else the machine's."""
    return ZoneInfo(config.time_zone) if config.time_zone else local_time_zone()


def to_site_config(config: Config, devices: BuiltDevices) -> SiteConfig:
    """The site for evcclib. Raises `ConfigError` when evcclib cannot run it."""
    site = SiteConfig(
        title=config.site.title,
        law=config.site.law,
        sharing=config.site.sharing,
        planner=config.site.planner,
        voltage_v=config.site.voltage_v,
        interval=config.interval,
        time_zone=time_zone(config),
        has_grid=config.site.grid is not None,
        pv_count=len(config.site.pv),
        has_zero_feed_in=config.site.has_zero_feed_in,
        batteries=tuple(_battery(config.meter(name), devices) for name in config.site.battery),
        aux_count=len(config.site.aux),
        vehicles=tuple(_vehicle(vehicle) for vehicle in config.vehicles),
        loadpoints=tuple(_loadpoint(loadpoint, devices) for loadpoint in config.loadpoints),
        circuits=tuple(
            CircuitConfig(
                name=circuit.name,
                parent=circuit.parent,
                current_max_a=circuit.current_max_a,
                power_max_w=circuit.power_max_w,
                unbalance_max_a=circuit.unbalance_max_a,
                mean_power_max_w=circuit.mean_power_max_w,
                mean_window=circuit.mean_window,
                has_meter=circuit.meter is not None and circuit.meter != config.site.grid,
                uses_grid_meter=circuit.meter is not None and circuit.meter == config.site.grid,
                safe_current_a=circuit.safe_current_a,
            )
            for circuit in config.circuits
        ),
        grid_supply_max_while_battery_charges_w=config.site.grid_supply_max_while_battery_charges_w,
        **values_of(config.site),
    )
    try:
        check(site)
    except InvalidConfig as error:
        raise ConfigError([_located(config, error)]) from error
    return site


def _battery(entry: MeterEntry, devices: BuiltDevices) -> BatteryConfig:
    return BatteryConfig(
        capacity_kwh=entry.capacity_kwh,
        modes=_battery_modes(devices, entry.name),
        circuit=entry.circuit,
        phases=entry.phases,
        charge_power_w=entry.charge_power_w,
        charges_before_cars=entry.charges_before_cars,
    )


def _battery_modes(devices: BuiltDevices, name: str) -> frozenset[BatteryMode]:
    """What the battery called ``name`` can be told; its driver may have modes of which the site has no use."""
    device = devices.meters[name].device
    modes = device.modes if isinstance(device, ModbusMeter) else ()
    return frozenset([mode for mode in BatteryMode if mode in modes])


def _located(config: Config, error: InvalidConfig) -> Problem:
    """Where in the file evcclib's objection belongs."""
    match = re.match(r"loadpoints\[(\d+)\]", error.where)
    if match is None or int(match[1]) >= len(config.loadpoints):
        return Problem(config.file, 1, "", str(error))
    loadpoint = config.loadpoints[int(match[1])]
    return Problem(config.file, loadpoint.line, loadpoint.place, str(error).removeprefix(f"{match[0]}."))


def _loadpoint(loadpoint: Loadpoint, devices: BuiltDevices) -> LoadpointConfig:
    return LoadpointConfig(
        title=loadpoint.title,
        charger=_charger(loadpoint, devices),
        vehicle=loadpoint.vehicle,
        circuit=loadpoint.circuit,
        phases=loadpoint.phases,
        phase_rotation=loadpoint.phase_rotation,
        guard_duration=loadpoint.guard_duration,
        reset_on_disconnect=loadpoint.reset_on_disconnect,
        poll=loadpoint.poll,
        estimates_soc=loadpoint.estimates_soc,
        unknown_soc_grace=loadpoint.unknown_soc_grace,
        **values_of(loadpoint),
    )


def _charger(loadpoint: Loadpoint, devices: BuiltDevices) -> ChargerConfig:
    charger = devices.chargers[loadpoint.charger].device
    config = charger.config if hasattr(charger, "config") else ChargerConfig()
    if loadpoint.meter is None:
        return config
    # A separate meter overrides the charger's own metering, its rater included [MET-1].
    meter = devices.meters[loadpoint.meter].device
    quantities = meter.quantities if hasattr(meter, "quantities") else frozenset()
    return replace(config, has_power=True, has_energy_total="energy_import_kwh" in quantities, has_energy_session=False)


def _vehicle(vehicle: VehicleEntry) -> VehicleConfig:
    return VehicleConfig(
        name=vehicle.name,
        title=vehicle.title,
        icon=vehicle.icon,
        capacity_kwh=vehicle.capacity_kwh,
        phases=vehicle.phases,
        charging_curve=vehicle.charging_curve,
        identifiers=vehicle.identifiers,
        features=vehicle.features,
        on_identify=vehicle.on_identify,
        has_soc=vehicle.soc is not None,
        has_soc_limit=vehicle.soc_limit is not None,
        has_range=vehicle.range_km is not None,
        has_odometer=vehicle.odometer is not None,
        has_status=vehicle.status is not None,
        has_climate=vehicle.climater is not None,
        has_wakeup=vehicle.wakeup is not None,
    )
