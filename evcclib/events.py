"""What happened, for those who log, notify, publish and store. ``loadpoint`` is 0-based."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from evcclib.commands import BatteryMode
from evcclib.settings import Scope, SettingValue


@dataclass(frozen=True, slots=True)
class VehicleConnected:
    """Status went from A to B or C [EV-10]; ``is_startup``: found so at start, not to be announced [EV-5]."""

    loadpoint: int
    is_startup: bool


@dataclass(frozen=True, slots=True)
class VehicleDisconnected:
    """Status went to A [EV-13]."""

    loadpoint: int
    is_startup: bool


@dataclass(frozen=True, slots=True)
class ChargeStarted:
    """Status went to C [EV-11]."""

    loadpoint: int


@dataclass(frozen=True, slots=True)
class ChargeStopped:
    """Status left C [EV-12]."""

    loadpoint: int


@dataclass(frozen=True, slots=True)
class SocProgressed:
    """The SoC passed the next ten percent [SOC-12]."""

    loadpoint: int
    soc_pct: float


@dataclass(frozen=True, slots=True)
class GuestFound:
    """No known vehicle could be made out in time [VEH-13]."""

    loadpoint: int


@dataclass(frozen=True, slots=True)
class VehicleAssigned:
    """The active vehicle changed; None: a guest [VEH-3]."""

    loadpoint: int
    vehicle: str | None


@dataclass(frozen=True, slots=True)
class SettingChanged:
    """A setting has a new value, whoever changed it; to be stored and published.

    ``owner`` is the 0-based loadpoint, the vehicle's name, or None for the site.
    """

    scope: Scope
    owner: int | str | None
    name: str
    value: SettingValue


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """A charging session as it is stored [SES-6]; ``key`` is unique per site and stable across restarts.

    Energies in kWh, odometer in km. ``finished`` is None while the first segment runs.
    """

    key: str
    created: datetime
    finished: datetime | None
    loadpoint: str
    identifier: str
    vehicle: str
    odometer_km: float | None
    meter_start_kwh: float | None
    meter_stop_kwh: float | None
    energy_charged_kwh: float
    solar_pct: float | None = None
    price: float | None = None
    price_per_kwh: float | None = None
    co2_g_per_kwh: float | None = None


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """Store this session: new, or the new state of the one with the same key [SES-2..SES-4]."""

    loadpoint: int
    session: SessionRecord


@dataclass(frozen=True, slots=True)
class BatteryModeChanged:
    """Home battery ``battery`` (0-based) is to do something else from now on [BAT-2]."""

    battery: int
    mode: BatteryMode


class WarningCode(StrEnum):
    """What an owner should hear of; the sentence is made at the edge."""

    CHARGER_SILENT = "charger_silent"
    CHARGER_FAULT = "charger_fault"
    CHARGER_OUT_OF_SYNC = "charger_out_of_sync"
    COMMAND_FAILED = "command_failed"
    OUTCOME_MISSING = "outcome_missing"  # nobody has said what became of a batch
    GRID_STALE = "grid_stale"
    GRID_LOST = "grid_lost"
    METER_STALE = "meter_stale"
    NEGATIVE_CHARGE_POWER = "negative_charge_power"
    PV_SIGN = "pv_sign"
    PLAN_UNREACHABLE = "plan_unreachable"
    PRIORITY_ABOVE_BUFFER = "priority_above_buffer"
    THRESHOLDS_CROSSED = "thresholds_crossed"
    LIMIT_EXCEEDED = "limit_exceeded"
    VEHICLE_ASLEEP = "vehicle_asleep"
    BATTERY_FAILED = "battery_failed"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True)
class Warned:
    """Something is not as it should be; raised once when it begins, and RECOVERED when it ends."""

    code: WarningCode
    loadpoint: int | None = None
    params: Mapping[str, float | str] = field(default_factory=dict)


Event = (
    VehicleConnected
    | VehicleDisconnected
    | ChargeStarted
    | ChargeStopped
    | SocProgressed
    | GuestFound
    | VehicleAssigned
    | SettingChanged
    | SessionChanged
    | BatteryModeChanged
    | Warned
)
