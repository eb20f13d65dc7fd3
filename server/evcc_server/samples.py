"""The latest-value table: what each device said last and when, ready as `evcclib.readings.Readings`.

Conversion happens when a sample arrives, once, so that a step finds its readings made. A value that a poll could not read
keeps its last sample, whose age evcclib judges; a value that was never read is `Missing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeVar

from evcc_server.devices.contract import ChargerValues, MeterValues, VehicleValues
from evcclib.commands import Outcome
from evcclib.model import TariffKind
from evcclib.readings import (
    ABSENT,
    BatteryReading,
    ChargerReading,
    Measured,
    MeterReading,
    Missing,
    OperatorLimit,
    Reading,
    Readings,
    VehicleReading,
)
from evcclib.tariff import Rates

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadpointWiring:
    """The device names behind one loadpoint."""

    charger: str
    meter: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """Which configured device plays which part; positions follow `evcclib.config.SiteConfig`."""

    grid: str | None = None
    pv: tuple[str, ...] = ()
    batteries: tuple[str, ...] = ()
    aux: tuple[str, ...] = ()
    loadpoints: tuple[LoadpointWiring, ...] = ()
    circuits: Mapping[str, str] = field(default_factory=dict)


class Samples:
    """Newest readings of every device of a site."""

    def __init__(self, wiring: Wiring, started: timedelta) -> None:
        self._wiring = wiring
        self._never = Missing(started)
        self._meters: dict[str, MeterReading] = {}
        self._batteries: dict[str, BatteryReading] = {}
        self._chargers: dict[str, ChargerReading] = {}
        self._vehicles: dict[str, VehicleReading] = {}
        self._rates: dict[TariffKind, Rates] = {}
        self._operator_limit: OperatorLimit | None = None
        self._readings: Readings | None = None

    def meter(self, name: str, values: MeterValues, at: timedelta) -> None:
        """Take in one poll of meter ``name``."""
        old = self._meters.get(name) or MeterReading(power_w=self._never)
        self._meters[name] = MeterReading(
            power_w=_newer(values.power_w, at, old.power_w),
            powers_w=_newer(values.powers_w, at, old.powers_w),
            currents_a=_newer(values.currents_a, at, old.currents_a),
            voltages_v=_newer(values.voltages_v, at, old.voltages_v),
            energy_import_kwh=_newer(values.energy_import_kwh, at, old.energy_import_kwh),
            energy_export_kwh=_newer(values.energy_export_kwh, at, old.energy_export_kwh),
        )
        if name in self._wiring.batteries:
            battery = self._batteries.get(name) or BatteryReading(power_w=self._never, soc_pct=self._never)
            self._batteries[name] = BatteryReading(
                power_w=_newer(values.power_w, at, battery.power_w),
                soc_pct=_newer(values.soc_pct, at, battery.soc_pct),
            )
        self._readings = None

    def charger(self, name: str, values: ChargerValues, at: timedelta) -> None:
        """Take in one poll of charger ``name``."""
        old = self._chargers.get(name) or ChargerReading(status=self._never)
        self._chargers[name] = ChargerReading(
            status=_newer(values.status, at, old.status),
            is_enabled=_newer(values.is_enabled, at, old.is_enabled),
            power_w=_newer(values.power_w, at, old.power_w),
            currents_a=_newer(values.currents_a, at, old.currents_a),
            voltages_v=_newer(values.voltages_v, at, old.voltages_v),
            energy_total_kwh=_newer(values.energy_total_kwh, at, old.energy_total_kwh),
            energy_session_kwh=_newer(values.energy_session_kwh, at, old.energy_session_kwh),
            charge_duration=_newer(values.charge_duration, at, old.charge_duration),
            identity=_newer(values.identity, at, old.identity),
            soc_pct=_newer(values.soc_pct, at, old.soc_pct),
            current_offered_a=_newer(values.current_offered_a, at, old.current_offered_a),
            phases=_newer(values.phases, at, old.phases),
        )
        self._readings = None

    def vehicle(self, name: str, values: VehicleValues, at: timedelta) -> None:
        """Take in one read of vehicle ``name``'s interface."""
        old = self._vehicles.get(name) or VehicleReading()
        self._vehicles[name] = VehicleReading(
            soc_pct=_newer(values.soc_pct, at, old.soc_pct),
            soc_limit_pct=_newer(values.soc_limit_pct, at, old.soc_limit_pct),
            range_km=_newer(values.range_km, at, old.range_km),
            odometer_km=_newer(values.odometer_km, at, old.odometer_km),
            status=_newer(values.status, at, old.status),
            is_climating=_newer(values.is_climating, at, old.is_climating),
            must_retry=values.must_retry,
        )
        self._readings = None

    def rates(self, rates: Mapping[TariffKind, Rates]) -> None:
        """Take in the price lists as they are known now."""
        if rates != self._rates:
            self._rates = dict(rates)
            self._readings = None

    def operator_limit(self, limit: OperatorLimit | None) -> None:
        """Take in the grid operator's limit, or its end."""
        self._operator_limit = limit
        self._readings = None

    def current_rates(self) -> Mapping[TariffKind, Rates]:
        """The price lists as taken in last."""
        return self._rates

    def readings(self, outcomes: tuple[Outcome, ...] = ()) -> Readings:
        """Everything known now; ``outcomes`` are handed over with it."""
        if self._readings is None:
            self._readings = self._assemble()
        return replace(self._readings, outcomes=outcomes) if outcomes else self._readings

    def _assemble(self) -> Readings:
        wiring = self._wiring
        no_meter = MeterReading(power_w=self._never)
        no_battery = BatteryReading(power_w=self._never, soc_pct=self._never)
        return Readings(
            grid=None if wiring.grid is None else self._meters.get(wiring.grid, no_meter),
            pv=tuple(self._meters.get(name, no_meter) for name in wiring.pv),
            batteries=tuple(self._batteries.get(name, no_battery) for name in wiring.batteries),
            aux=tuple(self._meters.get(name, no_meter) for name in wiring.aux),
            chargers=tuple(self._charger_reading(loadpoint) for loadpoint in wiring.loadpoints),
            vehicles=dict(self._vehicles),
            circuits={circuit: self._meters.get(name, no_meter) for circuit, name in wiring.circuits.items()},
            tariffs=dict(self._rates),
            operator_limit=self._operator_limit,
        )

    def _charger_reading(self, loadpoint: LoadpointWiring) -> ChargerReading:
        charger = self._chargers.get(loadpoint.charger) or ChargerReading(status=self._never)
        if loadpoint.meter is None:
            return charger
        # A separate meter overrides the charger's own metering [control.md 2.1].
        meter = self._meters.get(loadpoint.meter) or MeterReading(power_w=self._never)
        return replace(
            charger,
            power_w=meter.power_w,
            currents_a=meter.currents_a,
            voltages_v=meter.voltages_v,
            energy_total_kwh=meter.energy_import_kwh,
            energy_session_kwh=ABSENT,
        )


def _newer(value: T | None, at: timedelta, old: Reading[T]) -> Reading[T]:
    return old if value is None else Measured(value, at)
