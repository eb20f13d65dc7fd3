"""What was measured. Absence is a type, never a zero [DEF-47, DEF-48].

A `Reading` is either `Measured` (a value and when it was sampled, on the caller's monotonic clock) or `Missing`.
The caller hands over the newest it has; how old a value may be is decided here, in evcclib.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Generic, TypeVar

from evcclib.commands import Outcome
from evcclib.model import ChargerStatus, PhaseTriple, TariffKind
from evcclib.tariff import Rates

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Measured(Generic[T]):
    """``value`` as sampled at the instant ``sampled_at``."""

    value: T
    sampled_at: timedelta


@dataclass(frozen=True, slots=True)
class Missing:
    """No value. ``since`` is the instant from which on it could not be read; None: the device has no such value."""

    since: timedelta | None = None


Reading = Measured[T] | Missing
ABSENT = Missing()
"""The device does not offer this value at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReading:
    """One meter. Powers [W] and currents [A] carry the sign of `evcclib.units`; energies are counters [kWh]."""

    power_w: Reading[float]
    powers_w: Reading[PhaseTriple] = ABSENT
    currents_a: Reading[PhaseTriple] = ABSENT
    voltages_v: Reading[PhaseTriple] = ABSENT
    energy_import_kwh: Reading[float] = ABSENT
    energy_export_kwh: Reading[float] = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryReading:
    """One home battery: power [W], + discharging; SoC [%]. Its capacity is configuration."""

    power_w: Reading[float]
    soc_pct: Reading[float] = ABSENT


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLimit:
    """A limit of the grid operator on import power [W] for all loadpoints together, and until when it holds."""

    power_w: float
    expires_at: timedelta


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
