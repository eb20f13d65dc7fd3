"""The door for configurations: every field's type and range, then what fields say of one another [DEF-7].

The first thing found is told. What a client may change later has the range of its row in `evcclib.settings`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import timedelta

from evcclib.allowed import (
    NAME,
    TEXT,
    TIME,
    TRUTH,
    ZONE,
    Allowed,
    Table,
    among,
    check_fields,
    duration,
    each,
    instance,
    number,
    one_of,
    optional,
    whole,
)
from evcclib.commands import BatteryMode
from evcclib.config import (
    Actions,
    BatteryConfig,
    ChargerConfig,
    CircuitConfig,
    CurvePoint,
    LoadpointConfig,
    PollConfig,
    SiteConfig,
    VehicleConfig,
)
from evcclib.errors import InvalidConfig
from evcclib.laws.by_name import LAWS
from evcclib.model import ChargeMode, Planner, PollMode, Sharing, VehicleFeature
from evcclib.settings import FLAWS, SPECS, Kind, LoadpointDefaults, Scope, SiteDefaults

DAY_S = 86_400


def check(config: SiteConfig) -> None:
    """Raises `evcclib.errors.InvalidConfig` if a site cannot be run as configured."""
    if not isinstance(config, SiteConfig):
        raise InvalidConfig("config", config, "a SiteConfig")
    check_fields(config, TABLE, "", InvalidConfig)
    if not config.has_grid and not config.pv_count:
        raise InvalidConfig("has_grid", False, "True, or a pv_count above 0: either grid or pv meter")
    if config.has_zero_feed_in and not (config.has_grid and config.pv_count):
        raise InvalidConfig("has_zero_feed_in", True, "False at a site without grid meter or without pv meter")
    for position, vehicle in enumerate(config.vehicles):
        _check_vehicle(f"vehicles[{position}].", vehicle)
    _check_names("vehicles", [vehicle.name for vehicle in config.vehicles])
    for position, circuit in enumerate(config.circuits):
        _check_circuit(f"circuits[{position}].", circuit, has_grid=config.has_grid)
    _check_names("circuits", [circuit.name for circuit in config.circuits])
    _check_parents(config.circuits)
    for position, battery in enumerate(config.batteries):
        _check_battery(f"batteries[{position}].", battery, config)
    for position, loadpoint in enumerate(config.loadpoints):
        _check_loadpoint(f"loadpoints[{position}].", loadpoint, config)


def _check_battery(where: str, battery: BatteryConfig, config: SiteConfig) -> None:
    check_fields(battery, TABLE, where, InvalidConfig)
    _check_known(f"{where}circuit", battery.circuit, [circuit.name for circuit in config.circuits])
    if battery.circuit is not None and BatteryMode.CHARGE in battery.modes and battery.charge_power_w is None:
        raise InvalidConfig(
            f"{where}charge_power_w", None, "a number where a battery below a circuit can be told to charge"
        )


def _check_vehicle(where: str, vehicle: VehicleConfig) -> None:
    check_fields(vehicle, TABLE, where, InvalidConfig)
    for position, point in enumerate(vehicle.charging_curve):
        check_fields(point, TABLE, f"{where}charging_curve[{position}].", InvalidConfig)
        before = vehicle.charging_curve[position - 1] if position else None
        if before is not None and point.from_soc_pct <= before.from_soc_pct:
            words = f"more than that of the point before, {before.from_soc_pct:g} %"
            raise InvalidConfig(f"{where}charging_curve[{position}].from_soc_pct", point.from_soc_pct, words)
    actions = vehicle.on_identify
    check_fields(actions, TABLE, f"{where}on_identify.", InvalidConfig)
    low, high = actions.current_min_a, actions.current_max_a
    if low is not None and high is not None and low > high:
        raise InvalidConfig(f"{where}on_identify.current_min_a", low, f"at most its current_max_a, {high:g} A")


def _check_circuit(where: str, circuit: CircuitConfig, *, has_grid: bool) -> None:
    check_fields(circuit, TABLE, where, InvalidConfig)
    if circuit.uses_grid_meter and not has_grid:
        raise InvalidConfig(f"{where}uses_grid_meter", True, "False at a site without grid meter")
    if circuit.uses_grid_meter and circuit.has_meter:
        raise InvalidConfig(f"{where}has_meter", True, "False where the grid meter is used")
    if circuit.mean_power_max_w is not None and not (circuit.has_meter or circuit.uses_grid_meter):
        raise InvalidConfig(f"{where}mean_power_max_w", circuit.mean_power_max_w, "None where there is no meter")


def _check_names(where: str, names: Sequence[str]) -> None:
    for position, name in enumerate(names):
        if name in names[:position]:
            raise InvalidConfig(f"{where}[{position}].name", name, "a name that is not used twice")


def _check_parents(circuits: Sequence[CircuitConfig]) -> None:
    parents = {circuit.name: circuit.parent for circuit in circuits}
    for position, circuit in enumerate(circuits):
        _check_known(f"circuits[{position}].parent", circuit.parent, parents)
        above, seen = circuit.parent, {circuit.name}
        while above is not None and above not in seen:
            seen.add(above)
            above = parents.get(above)
        if above is not None:
            raise InvalidConfig(
                f"circuits[{position}].parent", circuit.parent, "a circuit that is not below its own parent"
            )


def _check_known(where: str, name: str | None, names: Iterable[str]) -> None:
    known = sorted(names)
    if name is not None and name not in known:
        raise InvalidConfig(where, name, f"one of {', '.join(known)}" if known else "None: there is none")


def _check_loadpoint(where: str, loadpoint: LoadpointConfig, config: SiteConfig) -> None:
    check_fields(loadpoint, TABLE, where, InvalidConfig)
    check_fields(loadpoint.charger, TABLE, f"{where}charger.", InvalidConfig)
    check_fields(loadpoint.poll, TABLE, f"{where}poll.", InvalidConfig)
    _check_known(f"{where}vehicle", loadpoint.vehicle, [vehicle.name for vehicle in config.vehicles])
    _check_known(f"{where}circuit", loadpoint.circuit, [circuit.name for circuit in config.circuits])
    step_a = loadpoint.charger.current_step_a
    low, high = loadpoint.current_min_a, loadpoint.current_max_a
    if loadpoint.charger.current_max_a is not None:
        high = min(high, loadpoint.charger.current_max_a)
    if low > high or math.ceil(low / step_a - 1e-9) > math.floor(high / step_a + 1e-9):
        words = f"a step of {step_a:g} A from there to {high:g} A"
        raise InvalidConfig(f"{where}current_min_a", low, words)


def of_setting(scope: Scope, name: str) -> Allowed:
    """What the row of a setting allows."""
    spec = SPECS[scope, name]
    if spec.kind is Kind.MODE:
        return one_of(ChargeMode)
    if spec.kind is Kind.TIME:
        return optional(TIME)
    if spec.kind is Kind.FLAG:
        return TRUTH
    if spec.kind is Kind.PHASES:
        return among(0, 1, 3)
    if spec.kind in FLAWS:
        return Allowed(spec.allowed, lambda value: FLAWS[spec.kind](value) is None)
    if spec.kind is Kind.DURATION:
        return duration(spec.low, spec.high)
    if spec.kind is Kind.INTEGER:
        return whole(int(spec.low), int(spec.high), spec.unit)
    within = number(spec.low, spec.high, spec.unit)
    return optional(within) if spec.kind is Kind.OPTIONAL_NUMBER else within


def _of_settings(scope: Scope, of: type) -> dict[str, Allowed]:
    """What is allowed in the fields of a class that are settings of ``scope``."""
    return {each.name: of_setting(scope, each.name) for each in fields(of)}


_LAW = Allowed(f"one of {', '.join(LAWS)}", lambda value: isinstance(value, str) and value in LAWS)
_ROTATION = Allowed(
    "the three phases in some order, such as (1, 2, 3)",
    lambda value: isinstance(value, tuple) and all(type(each) is int for each in value) and sorted(value) == [1, 2, 3],
)
_FEATURES = Allowed(
    "a frozenset, each a VehicleFeature",
    lambda value: isinstance(value, frozenset) and all(isinstance(each, VehicleFeature) for each in value),
)
_MODES = Allowed(
    "a frozenset, each a BatteryMode, with normal among them unless it is empty",
    lambda value: (
        isinstance(value, frozenset)
        and all(isinstance(each, BatteryMode) for each in value)
        and (not value or BatteryMode.NORMAL in value)
    ),
)
_WINDOW = Allowed(
    "15, 30 or 60 minutes",
    lambda value: isinstance(value, timedelta) and value in [timedelta(minutes=each) for each in (15, 30, 60)],
)
TABLE: Table = {
    SiteConfig: {
        "title": TEXT,
        "law": _LAW,
        "sharing": one_of(Sharing),
        "planner": one_of(Planner),
        "voltage_v": number(50, 500, "V"),
        "interval": duration(0.1, DAY_S),
        "time_zone": ZONE,
        "has_grid": TRUTH,
        "pv_count": whole(0, 100),
        "has_zero_feed_in": TRUTH,
        "batteries": each(instance(BatteryConfig)),
        "aux_count": whole(0, 100),
        "vehicles": each(instance(VehicleConfig)),
        "loadpoints": each(instance(LoadpointConfig)),
        "circuits": each(instance(CircuitConfig)),
        **_of_settings(Scope.SITE, SiteDefaults),
        "grid_supply_max_while_battery_charges_w": number(0, 1e6, "W"),
        "grid_stale_pause": duration(0, DAY_S),
    },
    BatteryConfig: {
        "capacity_kwh": optional(number(0, 10_000, "kWh")),
        "modes": _MODES,
        "circuit": optional(TEXT),
        "phases": among(0, 3),
        "charge_power_w": optional(number(0, 1e6, "W")),
        "charges_before_cars": TRUTH,
    },
    CurvePoint: {"from_soc_pct": number(0, 100, "%"), "most_w": number(100, 1e6, "W")},
    VehicleConfig: {
        "name": NAME,
        "title": TEXT,
        "icon": TEXT,
        "capacity_kwh": number(0, 2000, "kWh"),
        "phases": among(0, 1, 2, 3),
        "charging_curve": each(instance(CurvePoint)),
        "identifiers": each(TEXT),
        "features": _FEATURES,
        "on_identify": instance(Actions),
        "has_soc": TRUTH,
        "has_soc_limit": TRUTH,
        "has_range": TRUTH,
        "has_odometer": TRUTH,
        "has_status": TRUTH,
        "has_climate": TRUTH,
        "has_wakeup": TRUTH,
    },
    Actions: {name: optional(allowed) for name, allowed in _of_settings(Scope.LOADPOINT, Actions).items()},
    CircuitConfig: {
        "name": NAME,
        "parent": optional(TEXT),
        "current_max_a": optional(number(0, 10_000, "A")),
        "power_max_w": optional(number(0, 1e7, "W")),
        "unbalance_max_a": optional(number(0, 10_000, "A")),
        "mean_power_max_w": optional(number(0, 1e7, "W")),
        "mean_window": _WINDOW,
        "has_meter": TRUTH,
        "uses_grid_meter": TRUTH,
        "safe_current_a": number(0, 80, "A"),
    },
    LoadpointConfig: {
        "title": TEXT,
        "charger": instance(ChargerConfig),
        "vehicle": optional(TEXT),
        "circuit": optional(TEXT),
        **_of_settings(Scope.LOADPOINT, LoadpointDefaults),
        "phases": among(0, 1, 3),
        "phase_rotation": _ROTATION,
        "guard_duration": duration(0, DAY_S),
        "reset_on_disconnect": TRUTH,
        "poll": instance(PollConfig),
        "estimates_soc": TRUTH,
        "unknown_soc_grace": duration(0, DAY_S),
    },
    ChargerConfig: {
        "current_step_a": number(0.001, 1, "A"),
        "current_max_a": optional(number(0, 1000, "A")),
        "can_switch_phases": TRUTH,
        "has_power": TRUTH,
        "has_energy_total": TRUTH,
        "has_energy_session": TRUTH,
        "has_duration": TRUTH,
        "has_identity": TRUTH,
        "has_soc": TRUTH,
        "has_wakeup": TRUTH,
        "is_integrated": TRUTH,
        "icon": optional(TEXT),
    },
    PollConfig: {"mode": one_of(PollMode), "interval": duration(0, 366 * DAY_S)},
}
