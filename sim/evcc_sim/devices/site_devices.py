"""A house as devices on a network, and the ``evcc.yaml`` of a site that uses them.

Every device answers at an address of its own; a car's maker answers for the cars that have an interface, as a few registers
that the configuration reads with plugins.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pymodbus.constants import ExcCodes

from evcc_server.profiles.profile import Connection, Profile, Register, load
from evcc_server.settings import BY_NAME
from evcc_sim.devices.emulator import Emulator, Sync, emulator, part_emulator
from evcc_sim.devices.emulator_charger import charger_emulator
from evcc_sim.devices.register_map import Placed, Source, Unit
from evcc_sim.devices.wire_faults import WireFaults
from evcc_sim.plants.battery import Battery
from evcc_sim.plants.car import Car
from evcc_sim.plants.meter import Meter
from evcc_sim.worlds.house import House
from evcc_sim.worlds.scenario import ChargerSpec, LoadpointSpec, Scenario, SiteSpec
from evcc_sim.worlds.site_config import charging_curve, is_guest
from evcclib.laws.by_name import LAWS
from evcclib.model import ChargerStatus, TariffKind
from evcclib.settings import Scope, values_of

CARS = "cars"
"""The device that stands for the car makers' clouds."""


@dataclass(frozen=True, slots=True)
class Device:
    """One emulated device. ``name`` is what faults and the configuration call it."""

    name: str
    emulator: Emulator
    faults: WireFaults


@dataclass(frozen=True, slots=True)
class Address:
    """Where a device listens: a host and a TCP port."""

    host: str
    port: int = 502


def devices(house: House, sync: Sync) -> dict[str, Device]:
    """Every device of the house that a control could talk to, by name."""
    scenario = house.scenario
    found: dict[str, Emulator] = {}
    if scenario.site.has_grid_meter:
        found["grid"] = part_emulator(scenario.grid.profile, "grid", sync, meter=house.grid_meter)
    for pv, meter in zip(scenario.pv, house.pv_meters, strict=True):
        found[pv.name] = part_emulator(pv.profile, "pv", sync, meter=meter)
    for battery, plant, meter in zip(scenario.battery, house.batteries, house.battery_meters, strict=True):
        found[battery.name] = part_emulator(
            battery.profile, "battery", sync, meter=meter, battery=_MeteredBattery(plant, meter)
        )
    for circuit, meter in house.circuit_meters.items():
        found[circuit] = part_emulator(CIRCUIT_PROFILE, "grid", sync, meter=meter)
    for charger, box in zip(scenario.charger, house.wallboxes, strict=True):
        found[charger.box.name] = charger_emulator(charger.box.profile, box, sync)
    cars = [car for car in house.cars.values() if car.spec.has_api]
    if cars:
        found[CARS] = car_emulator(cars, sync)
    return {name: Device(name, device, WireFaults(house, name)) for name, device in found.items()}


CIRCUIT_PROFILE = "eastron-sdm630"


class _MeteredBattery:
    """A battery whose power is what its own meter shows, faults included."""

    def __init__(self, battery: Battery, meter: Meter) -> None:
        self._battery = battery
        self._meter = meter

    @property
    def power_w(self) -> float:
        return self._meter.power_w

    @property
    def soc_pct(self) -> float:
        return self._battery.soc_pct

    @property
    def energy_charged_kwh(self) -> float:
        return self._meter.energy_export_kwh

    @property
    def energy_discharged_kwh(self) -> float:
        return self._meter.energy_import_kwh

    def set_mode(self, mode: str) -> None:
        self._battery.set_mode(mode)


# -- cars ---------------------------------------------------------------------------------------------------------------

SOC, SOC_LIMIT, RANGE, ODOMETER, CLIMATE, WAKE, PLUGGED, CHARGING = 0, 1, 2, 3, 5, 6, 7, 8


CAR_REGISTERS = (
    Register(name="soc", address=SOC, function="holding", type="uint16", scale=0.1, unit="%", nan=(0xFFFF,)),
    Register(name="soc_limit", address=SOC_LIMIT, function="holding", type="uint16", unit="%", nan=(0xFFFF,)),
    Register(name="range", address=RANGE, function="holding", type="uint16", unit="km", nan=(0xFFFF,)),
    Register(name="odometer", address=ODOMETER, function="holding", type="uint32", count=2, scale=0.1, unit="km"),
    Register(name="climate", address=CLIMATE, function="holding", type="enum"),
    Register(name="wake", address=WAKE, function="holding", type="enum", access="w"),
    Register(name="plugged", address=PLUGGED, function="holding", type="enum"),
    Register(name="charging", address=CHARGING, function="holding", type="enum"),
)


def car_emulator(cars: Iterable[Car], sync: Sync) -> Emulator:
    """The cars' interfaces, one unit for each, in order from 1."""
    units = tuple(_car_unit(number, car) for number, car in enumerate(cars, 1))
    profile = Profile(
        id="cars",
        kind="meter",
        vendor="evcclib",
        connection=Connection(transports=("tcp",), read_functions=(3,), write_functions=(6,)),
        registers=CAR_REGISTERS,
    )
    return emulator(profile, units, sync)


def _car_unit(number: int, car: Car) -> Unit:
    def wake(_value: float) -> ExcCodes | None:
        car.wake()
        return None

    sources: dict[str, Source] = {
        "soc": car.reported_soc_pct,
        "soc_limit": lambda: car.spec.soc_limit_pct,
        "range": lambda: car.soc_pct * car.spec.range_km_per_pct,
        "odometer": lambda: car.odometer_km,
        "climate": lambda: int(car.is_climating),
        "plugged": lambda: int(car.reported_status() is not ChargerStatus.A),
        "charging": lambda: int(car.reported_status() is ChargerStatus.C),
    }
    return Unit(
        unit_id=number,
        order="high_first",
        placed=tuple(Placed(r.name, r, r.address, r.function) for r in CAR_REGISTERS),
        sources=sources,
        sinks={"wake": wake},
    )


# -- the configuration ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What a configuration has besides the scenario's site. ``sections`` are top-level keys as they stand in the file."""

    title: str = "Simulated home"
    sections: Mapping[str, object] = field(default_factory=dict)
    car_cache_s: float = 60.0


def evcc_yaml(scenario: Scenario, addresses: Mapping[str, Address], extras: Extras | None = None) -> str:
    """The configuration file of the scenario's site. JSON is YAML: one line for each device keeps it readable."""
    extras = extras or Extras()
    document: dict[str, object] = {
        "interval": _seconds(scenario.site.interval_s),
        "timezone": scenario.site.time_zone,
        "site": _site(scenario, extras),
        "meters": list(_meters(scenario, addresses)),
        "chargers": [
            {"name": spec.box.name, "type": "template"} | _template(spec.box.profile, addresses[spec.box.name])
            for spec in scenario.charger
        ],
        "vehicles": list(_vehicles(scenario, addresses.get(CARS), extras)),
        "circuits": list(_circuits(scenario)),
        "loadpoints": [_loadpoint(spec) for spec in scenario.charger],
        "tariffs": _tariffs(scenario),
        **extras.sections,
    }
    return "".join(_section(key, value) for key, value in document.items() if value not in ({}, []))


def _section(key: str, value: object) -> str:
    if isinstance(value, list):
        return f"{key}:\n" + "".join(f"  - {_inline(item)}\n" for item in value)
    if isinstance(value, dict):
        return f"{key}:\n" + "".join(f"  {name}: {_inline(item)}\n" for name, item in value.items())
    return f"{key}: {_inline(value)}\n"


def _inline(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _seconds(seconds: float) -> str:
    return f"{seconds:g}s"


def _site(scenario: Scenario, extras: Extras) -> dict[str, object]:
    site = scenario.site
    meters: dict[str, object] = {}
    if site.has_grid_meter:
        meters["grid"] = "grid"
    if site.sees_pv and scenario.pv:
        meters["pv"] = [spec.name for spec in scenario.pv]
    if scenario.battery:
        meters["battery"] = [spec.name for spec in scenario.battery]
    return {
        "title": extras.title,
        "law": site.law if site.law in LAWS else "classic",
        "sharing": site.sharing.value,
        "planner": site.planner.value,
        "meters": meters,
        **_settings(site, Scope.SITE),
        "voltage": site.voltage_v,
        "zeroFeedIn": site.has_zero_feed_in,
        "maxGridSupplyWhileBatteryCharging": site.grid_supply_max_while_battery_charges_w,
    }


def _settings(spec: SiteSpec | LoadpointSpec, scope: Scope) -> dict[str, object]:
    """What the file gives of settings, each under its key."""
    document: dict[str, object] = {}
    for name, value in values_of(spec).items():
        key = BY_NAME[scope, name].file_key
        assert key is not None, f"a file cannot give {name}"
        outer, _, inner = key.rpartition(".")
        table: Any = document.setdefault(outer, {}) if outer else document
        table[inner] = _seconds(value.total_seconds()) if isinstance(value, timedelta) else value
    return document


def _meters(scenario: Scenario, addresses: Mapping[str, Address]) -> Iterator[dict[str, object]]:
    def meter(name: str, profile: str, usage: str) -> dict[str, object]:
        return {"name": name, "type": "template", "usage": usage} | _template(profile, addresses[name])

    if scenario.site.has_grid_meter:
        yield meter("grid", scenario.grid.profile, "grid")
    if scenario.site.sees_pv:
        for pv in scenario.pv:
            yield meter(pv.name, pv.profile, "pv")
    for battery in scenario.battery:
        entry: dict[str, object] = {"capacity": battery.capacity_kwh}
        if battery.circuit is not None:
            entry |= {"circuit": battery.circuit, "phases": 3, "chargePower": battery.charge_max_w}
            entry["chargesBeforeCars"] = battery.charges_before_cars
        yield meter(battery.name, battery.profile, "battery") | entry
    for circuit in scenario.circuit:
        if circuit.has_meter:
            yield meter(circuit.name, CIRCUIT_PROFILE, "grid")


def _template(profile_name: str, address: Address) -> dict[str, object]:
    profile = load(profile_name)
    transports = profile.connection.transports
    way = "tcpip" if "tcp" in transports else "rs485tcpip"
    unit = profile.connection.unit_id
    return {"template": profile.id, "modbus": way, "host": address.host, "port": address.port, "id": unit}


def _vehicles(scenario: Scenario, cloud: Address | None, extras: Extras) -> Iterator[dict[str, object]]:
    unit = 0
    for car in scenario.car:
        entry: dict[str, object] = {
            "name": car.name,
            "title": car.title or car.name,
            "capacity": car.capacity_kwh,
            "phases": car.phases,
        }
        if car.has_known_curve:
            entry["chargingCurve"] = [
                {"soc": point.from_soc_pct, "power": point.most_w} for point in charging_curve(car)
            ]
        if car.rfid:
            entry["identifiers"] = [car.rfid]
        unit += car.has_api
        if is_guest(car):
            continue
        if not car.has_api or not car.has_soc or cloud is None:
            yield {"type": "offline"} | entry
            continue

        def point(
            address: int, *, scale: float = 1.0, decode: str = "uint16nan", unit: int = unit
        ) -> dict[str, object]:
            register = {"address": address, "type": "holding", "decode": decode}
            uri = f"{cloud.host}:{cloud.port}"
            return {"source": "modbus", "uri": uri, "id": unit, "register": register, "scale": scale}

        entry |= {
            "cache": _seconds(extras.car_cache_s),
            "soc": point(SOC, scale=0.1),
            "range": point(RANGE),
            "odometer": point(ODOMETER, scale=0.1, decode="uint32"),
        }
        if car.has_soc_limit:
            entry["limitsoc"] = point(SOC_LIMIT)
        if car.has_status:
            entry["status"] = {"source": "combined", "plugged": point(PLUGGED), "charging": point(CHARGING)}
        if car.has_climate:
            entry["climater"] = point(CLIMATE)
        if car.has_wakeup:
            entry["wakeup"] = point(WAKE) | {"register": {"address": WAKE, "type": "writesingle", "decode": "uint16"}}
        yield {"type": "custom"} | entry


def _circuits(scenario: Scenario) -> Iterator[dict[str, object]]:
    for spec in scenario.circuit:
        entry: dict[str, object] = {"name": spec.name, "safeCurrent": spec.safe_current_a}
        if spec.parent is not None:
            entry["parent"] = spec.parent
        if spec.current_max_a is not None:
            entry["maxCurrent"] = spec.current_max_a
        if spec.power_max_w is not None:
            entry["maxPower"] = spec.power_max_w
        if spec.unbalance_max_a is not None:
            entry["maxUnbalance"] = spec.unbalance_max_a
        if spec.mean_power_max_w is not None:
            entry |= {"maxMeanPower": spec.mean_power_max_w, "meanWindow": f"{spec.mean_window_minutes}m"}
        if spec.has_meter:
            entry["meter"] = spec.name
        elif spec.uses_grid_meter:
            entry["meter"] = "grid"
        yield entry


def _loadpoint(spec: ChargerSpec) -> dict[str, object]:
    box, loadpoint = spec.box, spec.loadpoint
    entry: dict[str, object] = {
        "title": loadpoint.title or spec.box.name,
        "charger": spec.box.name,
        "phases": loadpoint.phases if box.can_switch_phases else (loadpoint.phases or box.phases),
        **_settings(loadpoint, Scope.LOADPOINT),
        "guardDuration": _seconds(loadpoint.guard_duration_s),
        "resetOnDisconnect": loadpoint.reset_on_disconnect,
        "soc": {
            "poll": {"mode": loadpoint.poll_mode, "interval": _seconds(loadpoint.poll_interval_s)},
            "estimate": loadpoint.estimates_soc,
        },
    }
    if box.phase_rotation != (1, 2, 3):
        entry["phaseRotation"] = " ".join(f"L{phase}" for phase in box.phase_rotation)
    if loadpoint.vehicle is not None:
        entry["vehicle"] = loadpoint.vehicle
    if loadpoint.circuit is not None:
        entry["circuit"] = loadpoint.circuit
    return entry


def _tariffs(scenario: Scenario) -> dict[str, object]:
    """Zones by the clock; prices with noise or an auction are not something a fixed tariff can say: somebody must bring them.

    Then he brings all of them, as the server takes lists in together.
    """
    spec = scenario.tariff
    document: dict[str, object] = {}
    for kind, prices in spec.lists if spec.is_fixed else ():
        key = {TariffKind.GRID: "grid", TariffKind.FEED_IN: "feedin", TariffKind.PLANNER: "planner"}[kind]
        zones = sorted(prices.zones)
        entry: dict[str, object] = {"type": "fixed", "price": zones[-1][1]}
        ends = [start for start, _ in zones[1:]]
        if len(zones) > 1:
            entry["zones"] = [
                {"hours": f"{start:%H:%M}-{end:%H:%M}", "price": price}
                for (start, price), end in zip(zones, ends, strict=False)
            ]
        document[key] = entry
    if spec.lists:
        document = {"currency": spec.currency, **document}
    return document
