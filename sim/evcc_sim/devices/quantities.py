"""What a device shows, under the names that register tables use: ``power_l1``, ``grid_energy_import``, ``battery_soc``.

A name is bound to a plant once; each read asks the plant anew. Powers have the site's sign (`evcclib.units`) unless the device is
mounted the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from evcc_sim.devices.images import Value
from evcc_sim.devices.register_map import Source
from evcclib.model import PhaseTriple

FREQUENCY_HZ = 50.0


class MeterPlant(Protocol):
    """What `evcc_sim.plants.meter.Meter` shows."""

    @property
    def power_w(self) -> float: ...
    @property
    def powers_w(self) -> PhaseTriple: ...
    @property
    def currents_a(self) -> PhaseTriple: ...
    @property
    def voltages_v(self) -> PhaseTriple: ...
    @property
    def energy_import_kwh(self) -> float: ...
    @property
    def energy_export_kwh(self) -> float: ...


Quantities = Mapping[str, Source]


def of_meter(meter: MeterPlant, prefix: str = "", *, sign: int = 1) -> dict[str, Source]:
    """Everything a three-phase meter can show. ``sign`` -1: mounted so that what it measures counts the other way."""

    def power() -> float:
        return sign * meter.power_w

    def energy_in() -> float:
        return meter.energy_import_kwh if sign > 0 else meter.energy_export_kwh

    def energy_out() -> float:
        return meter.energy_export_kwh if sign > 0 else meter.energy_import_kwh

    names: dict[str, Source] = {
        "power": power,
        "power_import": lambda: max(0.0, power()),
        "power_export": lambda: max(0.0, -power()),
        "apparent_power": lambda: abs(power()),
        "power_factor": lambda: 1.0,
        "frequency": lambda: FREQUENCY_HZ,
        "energy_import": energy_in,
        "energy_export": energy_out,
        "energy_sum": lambda: energy_in() + energy_out(),
        "current": lambda: sign * sum(meter.currents_a),
        "voltage": lambda: meter.voltages_v[0],
    }
    for phase in (1, 2, 3):
        names |= _of_phase(meter, phase, sign)
    return {prefix + name: source for name, source in names.items()}


def _of_phase(meter: MeterPlant, phase: int, sign: int) -> dict[str, Source]:
    index = phase - 1
    return {
        f"power_l{phase}": lambda: sign * meter.powers_w[index],
        f"import_l{phase}": lambda: max(0.0, sign * meter.powers_w[index]),
        f"export_l{phase}": lambda: max(0.0, -sign * meter.powers_w[index]),
        f"apparent_power_l{phase}": lambda: abs(meter.powers_w[index]),
        f"power_factor_l{phase}": lambda: 1.0,
        f"current_l{phase}": lambda: sign * meter.currents_a[index],
        f"voltage_l{phase}": lambda: meter.voltages_v[index],
        f"energy_l{phase}": lambda: meter.energy_import_kwh / 3,  # the plant counts all three together
    }


class BatteryPlant(Protocol):
    """What `evcc_sim.plants.battery.Battery` offers to its emulator."""

    @property
    def power_w(self) -> float: ...
    @property
    def soc_pct(self) -> float: ...
    @property
    def energy_charged_kwh(self) -> float: ...
    @property
    def energy_discharged_kwh(self) -> float: ...

    def set_mode(self, mode: str) -> None: ...


def of_battery(battery: BatteryPlant, prefix: str = "battery_") -> dict[str, Source]:
    """Power (+ discharge), its two halves, counters and SoC."""

    def charge_power() -> float:
        return max(0.0, -battery.power_w)

    def discharge_power() -> float:
        return max(0.0, battery.power_w)

    return {
        f"{prefix}power": lambda: battery.power_w,
        f"{prefix}power_mirror": lambda: battery.power_w,
        f"{prefix}charge_power": charge_power,
        f"{prefix}discharge_power": discharge_power,
        f"{prefix}soc": lambda: battery.soc_pct,
        f"{prefix}soc_float": lambda: battery.soc_pct,
        f"{prefix}soc_mirror": lambda: battery.soc_pct,
        f"{prefix}energy_charged": lambda: battery.energy_charged_kwh,
        f"{prefix}energy_discharged": lambda: battery.energy_discharged_kwh,
    }


def of_pv(pv: MeterPlant) -> dict[str, Source]:
    """Generation, all of it from the first string; ``pv``'s power is + when it generates."""
    names: dict[str, Source] = {
        "pv_power": lambda: pv.power_w,
        "pv_dc_power": lambda: pv.power_w,
        "pv_power_1": lambda: pv.power_w,
        "pv_energy_total": lambda: pv.energy_import_kwh,
        "solar_energy_total": lambda: pv.energy_import_kwh,
        "power_dc": lambda: pv.power_w,
        "energy_dc_total": lambda: pv.energy_import_kwh,
    }
    for string in (2, 3, 4):
        names[f"pv_power_{string}"] = _nothing
    return names


def of_inverter(pv: MeterPlant) -> dict[str, Source]:
    """The AC side of an inverter: + delivers."""
    names = of_meter(pv)
    names["energy_total"] = lambda: pv.energy_import_kwh
    names["energy_export"] = lambda: pv.energy_import_kwh  # an inverter's own counter of what it has delivered
    names["power_dc"] = lambda: pv.power_w
    return names


def _nothing() -> Value:
    return 0.0
