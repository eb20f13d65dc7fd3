"""The latest-value table: what each device said last and when, ready as `evcclib.readings.Readings`.

Conversion happens when a sample arrives, once, so that a step finds its readings made. A value that a poll could not read
keeps its last sample, whose age evcclib judges; a value that was never read is `Missing`. A station that answers without a SoC
has none (few know that of every vehicle), so the vehicle is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeVar

from evcc_server.devices.contract import ChargerValues, MeterValues, VehicleValues
from evcclib.commands import BatteryOutcome, Outcome
from evcclib.model import ChargerStatus, TariffKind
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
from evcclib.units import Instant

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


class _Part(StrEnum):
    """Parts of `Readings` that are put together from several devices."""

    PV = "pv"
    BATTERIES = "batteries"
    AUX = "aux"
    CHARGERS = "chargers"
    CIRCUITS = "circuits"


class Samples:
    """Newest readings of every device of a site."""

    def __init__(self, wiring: Wiring, started: Instant) -> None:
        self._wiring = wiring
        self._never = Missing(started)
        self._no_meter = MeterReading(power_w=self._never)
        self._no_battery = BatteryReading(power_w=self._never, soc_pct=self._never)
        self._no_charger = ChargerReading(status=self._never)
        self._meters: dict[str, MeterReading] = {}
        self._batteries: dict[str, BatteryReading] = {}
        self._chargers: dict[str, ChargerReading] = {}
        self._vehicles: Mapping[str, VehicleReading] = {}
        self._rates: Mapping[TariffKind, Rates] = {}
        self._operator_limit: OperatorLimit | None = None
        self._readings: Readings | None = None
        self._uses = _uses(wiring)
        # Parts of `Readings` as made last, and those that have become stale since.
        self._pv: tuple[MeterReading, ...] = ()
        self._site_batteries: tuple[BatteryReading, ...] = ()
        self._aux: tuple[MeterReading, ...] = ()
        self._loadpoints: tuple[ChargerReading, ...] = ()
        self._circuits: Mapping[str, MeterReading] = {}
        self._stale = set(_Part)

    def meter(self, name: str, values: MeterValues, at: Instant) -> None:
        """Take in one poll of meter ``name``."""
        old = self._meters.get(name, self._no_meter)
        self._meters[name] = MeterReading(
            power_w=_newer(values.power_w, at, old.power_w),
            powers_w=_newer(values.powers_w, at, old.powers_w),
            currents_a=_newer(values.currents_a, at, old.currents_a),
            voltages_v=_newer(values.voltages_v, at, old.voltages_v),
            energy_import_kwh=_newer(values.energy_import_kwh, at, old.energy_import_kwh),
            energy_export_kwh=_newer(values.energy_export_kwh, at, old.energy_export_kwh),
        )
        uses = self._uses.get(name, frozenset())
        if _Part.BATTERIES in uses:
            battery = self._batteries.get(name, self._no_battery)
            self._batteries[name] = BatteryReading(
                power_w=_newer(values.power_w, at, battery.power_w),
                soc_pct=_newer(values.soc_pct, at, battery.soc_pct),
                energy_discharged_kwh=_newer(values.energy_import_kwh, at, battery.energy_discharged_kwh),
                energy_charged_kwh=_newer(values.energy_export_kwh, at, battery.energy_charged_kwh),
            )
        self._stale |= uses
        self._readings = None

    def charger(self, name: str, values: ChargerValues, at: Instant) -> None:
        """Take in one poll of charger ``name``."""
        old = self._chargers.get(name, self._no_charger)
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
            soc_pct=ABSENT if values.soc_pct is None else Measured(values.soc_pct, at),
            current_offered_a=_newer(values.current_offered_a, at, old.current_offered_a),
            phases=_newer(values.phases, at, old.phases),
        )
        self._stale.add(_Part.CHARGERS)
        self._readings = None

    def charger_status(self, name: str) -> ChargerStatus | None:
        """The status that charger ``name`` had last; None: never known."""
        status = self._chargers.get(name, self._no_charger).status
        return status.value if isinstance(status, Measured) else None

    def vehicle(self, name: str, values: VehicleValues, at: Instant) -> None:
        """Take in one read of vehicle ``name``'s interface."""
        old = self._vehicles.get(name) or VehicleReading()
        newest = VehicleReading(
            soc_pct=_newer(values.soc_pct, at, old.soc_pct),
            soc_limit_pct=_newer(values.soc_limit_pct, at, old.soc_limit_pct),
            range_km=_newer(values.range_km, at, old.range_km),
            odometer_km=_newer(values.odometer_km, at, old.odometer_km),
            status=_newer(values.status, at, old.status),
            is_climating=_newer(values.is_climating, at, old.is_climating),
            must_retry=values.must_retry,
        )
        self._vehicles = {**self._vehicles, name: newest}
        self._readings = None

    def rates(self, rates: Mapping[TariffKind, Rates]) -> None:
        """Take in the price lists as they are known now."""
        if rates != self._rates:
            self._rates = dict(rates)
            self._readings = None

    def operator_limit(self, limit: OperatorLimit | None) -> None:
        """Take in the grid operator's limit, or its end."""
        if limit != self._operator_limit:
            self._operator_limit = limit
            self._readings = None

    def current_rates(self) -> Mapping[TariffKind, Rates]:
        """The price lists as taken in last."""
        return self._rates

    def readings(
        self, outcomes: tuple[Outcome, ...] = (), battery_outcomes: tuple[BatteryOutcome, ...] = ()
    ) -> Readings:
        """Everything known now; outcomes are handed over with it."""
        if self._readings is None:
            self._readings = self._assemble()
        if not outcomes and not battery_outcomes:
            return self._readings
        return replace(self._readings, outcomes=outcomes, battery_outcomes=battery_outcomes)

    def _assemble(self) -> Readings:
        wiring, meters, stale = self._wiring, self._meters, self._stale
        if stale:
            if _Part.PV in stale:
                self._pv = tuple(meters.get(name, self._no_meter) for name in wiring.pv)
            if _Part.BATTERIES in stale:
                self._site_batteries = tuple(self._batteries.get(name, self._no_battery) for name in wiring.batteries)
            if _Part.AUX in stale:
                self._aux = tuple(meters.get(name, self._no_meter) for name in wiring.aux)
            if _Part.CHARGERS in stale:
                self._loadpoints = tuple(self._charger_reading(loadpoint) for loadpoint in wiring.loadpoints)
            if _Part.CIRCUITS in stale:
                found = {circuit: meters.get(name, self._no_meter) for circuit, name in wiring.circuits.items()}
                self._circuits = found
            stale.clear()
        return Readings(
            grid=None if wiring.grid is None else meters.get(wiring.grid, self._no_meter),
            pv=self._pv,
            batteries=self._site_batteries,
            aux=self._aux,
            chargers=self._loadpoints,
            vehicles=self._vehicles,
            circuits=self._circuits,
            tariffs=self._rates,
            operator_limit=self._operator_limit,
        )

    def _charger_reading(self, loadpoint: LoadpointWiring) -> ChargerReading:
        charger = self._chargers.get(loadpoint.charger, self._no_charger)
        if loadpoint.meter is None:
            return charger
        # A separate meter overrides the charger's own metering [MET-1].
        meter = self._meters.get(loadpoint.meter, self._no_meter)
        return replace(
            charger,
            power_w=meter.power_w,
            currents_a=meter.currents_a,
            voltages_v=meter.voltages_v,
            energy_total_kwh=meter.energy_import_kwh,
            energy_session_kwh=ABSENT,
        )


def _uses(wiring: Wiring) -> Mapping[str, frozenset[_Part]]:
    """Which parts of `Readings` each meter is in; the grid's is looked up each time."""
    found: dict[str, set[_Part]] = {}
    loadpoint_meters = [loadpoint.meter for loadpoint in wiring.loadpoints if loadpoint.meter is not None]
    for part, names in (
        (_Part.PV, wiring.pv),
        (_Part.BATTERIES, wiring.batteries),
        (_Part.AUX, wiring.aux),
        (_Part.CHARGERS, loadpoint_meters),
        (_Part.CIRCUITS, wiring.circuits.values()),
    ):
        for name in names:
            found.setdefault(name, set()).add(part)
    return {name: frozenset(parts) for name, parts in found.items()}


def _newer(value: T | None, at: Instant, old: Reading[T]) -> Reading[T]:
    return old if value is None else Measured(value, at)
