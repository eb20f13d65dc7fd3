"""What was measured. Absence is a type, never a zero [DEF-47, DEF-48].

A `Reading` is either `Measured` (a value and when it was sampled, on the caller's monotonic clock) or `Missing`.
The caller hands over the newest it has; how old a value may be is decided here, in evcclib. A sample from the future is new.

Every class here looks at its fields when it is made, and raises `evcclib.errors.InvalidReadings` when they are not what they say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from evcclib.allowed import (
    INSTANT,
    TEXT,
    TRUTH,
    Table,
    check_fields,
    duration,
    each,
    instance,
    named,
    number,
    one_of,
    optional,
)
from evcclib.commands import BatteryOutcome, Outcome
from evcclib.errors import InvalidReadings
from evcclib.measured import ABSENT as ABSENT  # told here, for all who know it from here
from evcclib.measured import NUMBER, NUMBER_MAX, SOC, TRIPLE, is_a, is_number, is_triple, look_at
from evcclib.measured import Measured as Measured
from evcclib.measured import Missing as Missing
from evcclib.measured import Reading as Reading
from evcclib.model import ChargerStatus, PhaseTriple, TariffKind
from evcclib.tariff import Rates
from evcclib.units import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReading:
    """One meter. Powers [W] and currents [A] carry the sign of `evcclib.units`; energies are counters [kWh]."""

    power_w: Reading[float]
    powers_w: Reading[PhaseTriple] = ABSENT
    currents_a: Reading[PhaseTriple] = ABSENT
    voltages_v: Reading[PhaseTriple] = ABSENT
    energy_import_kwh: Reading[float] = ABSENT
    energy_export_kwh: Reading[float] = ABSENT

    def __post_init__(self) -> None:
        if not (
            is_number(self.power_w)
            and (self.powers_w is ABSENT or is_triple(self.powers_w))
            and (self.currents_a is ABSENT or is_triple(self.currents_a))
            and (self.voltages_v is ABSENT or is_triple(self.voltages_v))
            and (self.energy_import_kwh is ABSENT or is_number(self.energy_import_kwh))
            and (self.energy_export_kwh is ABSENT or is_number(self.energy_export_kwh))
        ):
            look_at(self, _METER)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryReading:
    """One home battery: power [W], + discharging; SoC [%]; counters [kWh]. Its capacity is configuration."""

    power_w: Reading[float]
    soc_pct: Reading[float] = ABSENT
    energy_discharged_kwh: Reading[float] = ABSENT
    energy_charged_kwh: Reading[float] = ABSENT

    def __post_init__(self) -> None:
        if not (
            is_number(self.power_w)
            and is_number(self.soc_pct)
            and (self.energy_discharged_kwh is ABSENT or is_number(self.energy_discharged_kwh))
            and (self.energy_charged_kwh is ABSENT or is_number(self.energy_charged_kwh))
        ):
            look_at(self, _BATTERY)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargerReading:
    """One charger together with its charge meter, if it has one.

    ``power_w``, ``currents_a``, ``voltages_v`` and ``energy_total_kwh`` come from the separate charge meter when one is
    configured, else from the charger; ABSENT power means the virtual meter is used [MEA-2].
    """

    status: Reading[ChargerStatus]
    is_enabled: Reading[bool] = ABSENT
    power_w: Reading[float] = ABSENT
    currents_a: Reading[PhaseTriple] = ABSENT
    voltages_v: Reading[PhaseTriple] = ABSENT
    energy_total_kwh: Reading[float] = ABSENT
    energy_session_kwh: Reading[float] = ABSENT  # the charger's own rater [MET-1]
    charge_duration: Reading[timedelta] = ABSENT  # the charger's own timer [MET-5]
    identity: Reading[str] = ABSENT  # RFID or vehicle id, "" = none presented
    soc_pct: Reading[float] = ABSENT
    current_offered_a: Reading[float] = ABSENT  # limit read back from the charger
    phases: Reading[int] = ABSENT  # phases the contactor connects, read back

    def __post_init__(self) -> None:
        if not (
            is_a(self.status, ChargerStatus)
            and (self.is_enabled is ABSENT or is_a(self.is_enabled, bool))
            and (self.power_w is ABSENT or is_number(self.power_w))
            and (self.currents_a is ABSENT or is_triple(self.currents_a))
            and (self.voltages_v is ABSENT or is_triple(self.voltages_v))
            and (self.energy_total_kwh is ABSENT or is_number(self.energy_total_kwh))
            and (self.energy_session_kwh is ABSENT or is_number(self.energy_session_kwh))
            and self.charge_duration is ABSENT
            and (self.identity is ABSENT or is_a(self.identity, str))
            and (self.soc_pct is ABSENT or is_number(self.soc_pct))
            and (self.current_offered_a is ABSENT or is_number(self.current_offered_a))
            and (self.phases is ABSENT or is_a(self.phases, int))
        ):
            look_at(self, _CHARGER)


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleReading:
    """Newest answers of a vehicle's own interface; see `evcclib.commands.VehicleRead` for who asks and when."""

    soc_pct: Reading[float] = ABSENT
    soc_limit_pct: Reading[float] = ABSENT
    range_km: Reading[float] = ABSENT
    odometer_km: Reading[float] = ABSENT
    status: Reading[ChargerStatus] = ABSENT
    is_climating: Reading[bool] = ABSENT
    must_retry: bool = False  # the vehicle's interface asked to be tried again soon [SOC-9]

    def __post_init__(self) -> None:
        TRUTH.check("VehicleReading.must_retry", self.must_retry, InvalidReadings)
        look_at(self, _VEHICLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLimit:
    """A limit of the grid operator on import power [W] for all loadpoints together, and until when it holds."""

    power_w: float
    expires_at: Instant

    def __post_init__(self) -> None:
        _LIMIT.check("OperatorLimit.power_w", self.power_w, InvalidReadings)
        INSTANT.check("OperatorLimit.expires_at", self.expires_at, InvalidReadings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Everything a step looks at. Positions follow the configuration; vehicles go by their configured names."""

    grid: MeterReading | None = None
    pv: tuple[MeterReading, ...] = ()
    batteries: tuple[BatteryReading, ...] = ()
    aux: tuple[MeterReading, ...] = ()
    chargers: tuple[ChargerReading, ...] = ()
    vehicles: Mapping[str, VehicleReading] = field(default_factory=dict)
    circuits: Mapping[str, MeterReading] = field(default_factory=dict)  # circuits with a meter of their own
    tariffs: Mapping[TariffKind, Rates] = field(default_factory=dict)
    outcomes: tuple[Outcome, ...] = ()  # of command batches, each delivered exactly once
    operator_limit: OperatorLimit | None = None
    battery_outcomes: tuple[BatteryOutcome, ...] = ()  # likewise

    def __post_init__(self) -> None:
        if not (
            (self.grid is None or type(self.grid) is MeterReading)
            and _are(self.pv, MeterReading)
            and _are(self.batteries, BatteryReading)
            and _are(self.aux, MeterReading)
            and _are(self.chargers, ChargerReading)
            and _are_named(self.vehicles, VehicleReading)
            and _are_named(self.circuits, MeterReading)
            and type(self.tariffs) is dict
            and not self.tariffs
            and _are(self.outcomes, Outcome)
            and (self.operator_limit is None or type(self.operator_limit) is OperatorLimit)
            and _are(self.battery_outcomes, BatteryOutcome)
        ):
            check_fields(self, _READINGS, "Readings.", InvalidReadings)


def _are(readings: object, kind: type) -> bool:
    """Whether ``readings`` is a tuple of nothing else than this very class."""
    if type(readings) is not tuple:
        return False
    for reading in readings:  # noqa: SIM110  # a generator costs more than all the rest
        if type(reading) is not kind:
            return False
    return True


def _are_named(readings: object, kind: type) -> bool:
    """Whether ``readings`` is a dict from names to nothing else than this very class."""
    if type(readings) is not dict:
        return False
    for name, reading in readings.items():  # noqa: SIM110  # as above
        if type(name) is not str or type(reading) is not kind:
            return False
    return True


_READINGS: Table = {
    Readings: {
        "grid": optional(instance(MeterReading)),
        "pv": each(instance(MeterReading)),
        "batteries": each(instance(BatteryReading)),
        "aux": each(instance(MeterReading)),
        "chargers": each(instance(ChargerReading)),
        "vehicles": named(TEXT, instance(VehicleReading)),
        "circuits": named(TEXT, instance(MeterReading)),
        "tariffs": named(one_of(TariffKind), instance(Rates)),
        "outcomes": each(instance(Outcome)),
        "operator_limit": optional(instance(OperatorLimit)),
        "battery_outcomes": each(instance(BatteryOutcome)),
    }
}
_METER = {
    "power_w": NUMBER,
    "powers_w": TRIPLE,
    "currents_a": TRIPLE,
    "voltages_v": TRIPLE,
    "energy_import_kwh": NUMBER,
    "energy_export_kwh": NUMBER,
}
_LIMIT = number(0, NUMBER_MAX, "W")
_BATTERY = {"power_w": NUMBER, "soc_pct": SOC, "energy_discharged_kwh": NUMBER, "energy_charged_kwh": NUMBER}
_CHARGER = {
    "status": one_of(ChargerStatus),
    "is_enabled": TRUTH,
    "power_w": NUMBER,
    "currents_a": TRIPLE,
    "voltages_v": TRIPLE,
    "energy_total_kwh": NUMBER,
    "energy_session_kwh": NUMBER,
    "charge_duration": duration(0, 1e9),
    "identity": TEXT,
    "soc_pct": SOC,
    "current_offered_a": NUMBER,
    "phases": instance(int, "an integer"),
}
_VEHICLE = {
    "soc_pct": SOC,
    "soc_limit_pct": NUMBER,
    "range_km": NUMBER,
    "odometer_km": NUMBER,
    "status": one_of(ChargerStatus),
    "is_climating": TRUTH,
}
