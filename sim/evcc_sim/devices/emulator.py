"""Devices for clients to talk to: a profile's registers with a plant behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from evcc_server.profiles.profile import Profile, load
from evcc_sim.devices import register_places
from evcc_sim.devices.conditions import meeting
from evcc_sim.devices.emulator_battery import listen_to_battery
from evcc_sim.devices.images import Value
from evcc_sim.devices.modbus_server import Wrapping
from evcc_sim.devices.quantities import BatteryPlant, MeterPlant, Quantities, of_battery, of_inverter, of_meter, of_pv
from evcc_sim.devices.register_map import DeviceCore, Placed, Source, Unit

Sync = Callable[[], None]
"""Brings the simulated world up to the present; called before each access."""

GRID_MODELS = frozenset({201, 202, 203, 204, 211, 212, 213, 214})
BATTERY_MODELS = frozenset({124, 713, 802, 803})
INVERTER_MODELS = frozenset({101, 102, 103, 111, 112, 113})
TEXTS = {"manufacturer": "evcclib", "model": "simulated", "firmware": "1.0", "serial": "SIM-0001"}
UNSIGNED = frozenset({"uint16", "uint32", "uint64"})


@dataclass(frozen=True, slots=True)
class Emulator:
    """One device as a client sees it. ``core`` answers requests; ``unit_id`` is the unit to address."""

    profile: Profile
    core: DeviceCore
    units: tuple[Unit, ...]
    framing: Wrapping

    @property
    def unit_id(self) -> int:
        return self.units[0].unit_id


def emulator(profile: Profile, units: tuple[Unit, ...], sync: Sync) -> Emulator:
    """Put bound ``units`` behind a core."""
    for unit in units:
        unit.before = sync
    functions = {*profile.connection.read_functions, *profile.connection.write_functions}
    return Emulator(profile, DeviceCore(units, functions), units, framing_of(profile))


def framing_of(profile: Profile) -> Wrapping:
    """The framing the device has when it is reached over TCP."""
    transports = profile.connection.transports
    if "tcp" in transports:
        return Wrapping.TCP
    return Wrapping.ASCII if any(t.startswith("ascii") for t in transports) else Wrapping.RTU


def bind(
    units: Iterable[Unit],
    quantities: Quantities,
    *,
    by_model: Mapping[int, Quantities] | None = None,
    magnitudes: frozenset[str] = frozenset(),
) -> None:
    """Put a live value behind every register whose meaning is known; SunSpec points look under their model first.

    Registers among ``magnitudes`` show no direction.
    """
    for unit in units:
        for placed in unit.placed:
            source = _source(placed, quantities, by_model or {})
            if source is not None:
                unit.sources[placed.key] = _absolute(source) if placed.key in magnitudes else source


def _source(placed: Placed, quantities: Quantities, by_model: Mapping[int, Quantities]) -> Source | None:
    register = placed.register
    meaning = register.meaning or register.name
    if register.type == "sunssf":
        exponent = register_places.EXPONENTS.get(register.name, 0)
        return lambda: exponent
    if register.type == "string" and meaning in TEXTS:
        text = TEXTS[meaning]
        return lambda: text
    if register.access == "w":
        return None
    source = quantities.get(placed.key)
    if source is None and register.model is not None and not register.absolute:
        source = by_model.get(int(placed.key.split(".")[0]), {}).get(meaning)
    elif source is None:
        source = quantities.get(meaning)
    is_unsigned = register.type in UNSIGNED and register.sign == 1
    if source is not None and is_unsigned and (meaning == "power" or "current" in meaning):
        return _absolute(source)
    return source


def _absolute(source: Source) -> Source:
    """An unsigned current or power shows no direction."""

    def value() -> float | None:
        present = source()
        return abs(present) if isinstance(present, (int, float)) else None

    return value


# -- meters, inverters, batteries ---------------------------------------------------------------------------------------

PLANT_WIDE = frozenset({"sma-data-manager", "solaredge-inverter", "sungrow-sg"})
"""Called meter or inverter, but they show the grid connection too."""

MAGNITUDES: Mapping[str, frozenset[str]] = {
    "sma-hybrid": frozenset({"grid_current_l1", "grid_current_l2", "grid_current_l3"}),
    "solaredge-hybrid": frozenset({"203.AphA", "203.AphB", "203.AphC"}),
    "solaredge-inverter": frozenset({"203.AphA", "203.AphB", "203.AphC"}),
}
"""Signed registers in which the device shows a current without its direction, says its documentation."""


def part_emulator(
    name: str,
    usage: str,
    sync: Sync,
    *,
    meter: MeterPlant | None = None,
    battery: BatteryPlant | None = None,
    unit_id: int | None = None,
) -> Emulator:
    """The device of profile ``name`` in one of its usages, with what it is there for behind it: a battery, else a meter.

    Raises `ValueError` for a device that cannot be that.
    """
    profile = load(name)
    if usage not in map(str, profile.usages):
        raise ValueError(f"{name} cannot be a {usage}, only {', '.join(map(str, profile.usages))}")
    if meter is not None and profile.kind in ("meter", "inverter") and name not in PLANT_WIDE:
        return meter_emulator(name, meter, usage, sync, unit_id=unit_id)
    return hybrid_emulator(
        name,
        sync,
        grid=meter if usage == "grid" else None,
        pv=meter if usage == "pv" else None,
        battery=battery if usage == "battery" else None,
        load_meter=meter if usage in ("charge", "aux") else None,
        unit_id=unit_id,
    )


COUNTS_BACKWARDS = frozenset({"sunspec-meter"})
"""Meters in front of an inverter that show generation as positive power, but count it as export."""

PV_MODULES = {"kostal-plenticore": (1, 2, 3), "sunspec-mppt": (1, 2, 3, 4)}
"""Modules of SunSpec model 160 that are strings; elsewhere the third is the battery charging and the fourth discharging."""


def meter_emulator(name: str, meter: MeterPlant, role: str, sync: Sync, *, unit_id: int | None = None) -> Emulator:
    """A meter or inverter of profile ``name`` in the part of ``grid``, ``pv``, ``battery``, ``charge`` or ``aux``.

    The plant's power has the sign of its part: a pv plant is + when it generates.
    """
    profile = load(name)
    units = register_places.units(profile, unit_id=unit_id)
    if profile.kind == "inverter":
        values = of_inverter(meter)
        by_model = dict.fromkeys(INVERTER_MODELS, values)
        bind(units, values | of_pv(meter) | _modules(profile, meter, None), by_model=by_model)
    else:
        is_mirrored = role in ("pv", "battery")
        values = of_meter(meter, sign=-1 if is_mirrored else 1)
        if is_mirrored and name in COUNTS_BACKWARDS:
            values["power"] = lambda: meter.power_w
            values |= {
                name: source for name, source in of_meter(meter).items() if name.startswith(("power_l", "current"))
            }
        bind(units, values, by_model=dict.fromkeys(GRID_MODELS, values))
    return emulator(profile, units, sync)


def hybrid_emulator(
    name: str,
    sync: Sync,
    *,
    grid: MeterPlant | None = None,
    pv: MeterPlant | None = None,
    battery: BatteryPlant | None = None,
    load_meter: MeterPlant | None = None,
    unit_id: int | None = None,
) -> Emulator:
    """A hybrid inverter or battery of profile ``name`` with what the house has of the three behind it."""
    profile = load(name)
    units = register_places.units(profile, unit_id=unit_id)
    values: dict[str, Source] = {}
    by_model: dict[int, Quantities] = {}
    if pv is not None:
        values |= of_inverter(pv) | of_pv(pv)
        behind = battery if "battery" in profile.usages else None
        by_model |= dict.fromkeys(INVERTER_MODELS, of_inverter(pv) | _behind_battery(pv, behind))
    if battery is not None:
        values |= of_battery(battery) | of_battery(battery, "battery1_")
        by_model |= dict.fromkeys(BATTERY_MODELS, of_battery(battery, ""))
        if profile.kind == "battery":
            values |= of_battery(battery, "") | {"energy_total": lambda: battery.energy_discharged_kwh}
    if grid is not None:
        values |= of_meter(grid, "grid_")
        by_model |= dict.fromkeys(GRID_MODELS, of_meter(grid))
    if load_meter is not None:
        values |= of_meter(load_meter, "load_")
    magnitudes = MAGNITUDES.get(name, frozenset())
    bind(units, values | _modules(profile, pv, battery), by_model=by_model, magnitudes=magnitudes)
    if battery is not None:
        listen_to_battery(profile, units, battery)
        for condition in profile.battery.requires if profile.battery is not None else ():
            bind(units, {condition.register: _constant(meeting(condition))})
        for parameter in profile.params.values():
            if parameter.register is not None:
                bind(units, {parameter.register: _constant(RATED.get(parameter.unit, 100.0))})
    return emulator(profile, units, sync)


def _behind_battery(pv: MeterPlant, battery: BatteryPlant | None) -> dict[str, Source]:
    """What leaves a hybrid inverter: the sun's power without what charges the battery, plus what the battery gives."""
    if battery is None:
        return {}
    both: Source = lambda: pv.power_w + battery.power_w  # noqa: E731  one formula, two registers
    return {"power": both, "power_dc": both}


def _modules(profile: Profile, pv: MeterPlant | None, battery: BatteryPlant | None) -> dict[str, Source]:
    """SunSpec model 160: DC power of strings and battery, each unsigned; the sun is all on the first string."""
    values: dict[str, Source] = {"160.N": lambda: register_places.REPEATS}
    strings = PV_MODULES.get(profile.id, (1, 2))
    for module in range(1, register_places.REPEATS + 1):
        values[f"160.{module}.DCW"] = lambda: 0.0
        values[f"160.{module}.ID"] = _constant(module)
    if pv is not None:
        values["160.1.DCW"] = lambda: max(0.0, pv.power_w)
        values["160.1.DCWH"] = lambda: pv.energy_import_kwh
    if battery is not None and 3 not in strings:
        values["160.3.DCW"] = lambda: max(0.0, -battery.power_w)
        values["160.4.DCW"] = lambda: max(0.0, battery.power_w)
        values["160.3.DCWH"] = lambda: battery.energy_charged_kwh
        values["160.4.DCWH"] = lambda: battery.energy_discharged_kwh
    return values


RATED = {"W": 5000.0, "A": 25.0, "%": 100.0}
"""What a device says about itself where its drivers ask it for a limit."""


def _constant(value: Value) -> Source:
    return lambda: value
