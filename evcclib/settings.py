"""What a client may change, and what it may change it to: one table for every outlet [SET-5].

The library checks against this table; the server adds paths and topics to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from evcclib.model import ChargeMode


class Scope(StrEnum):
    """Whom a setting belongs to."""

    SITE = "site"
    LOADPOINT = "loadpoint"
    VEHICLE = "vehicle"


class Kind(StrEnum):
    """What kind of value a setting takes."""

    MODE = "mode"
    INTEGER = "integer"
    NUMBER = "number"
    PHASES = "phases"
    TIME = "time"  # timezone-aware datetime, or None
    DURATION = "duration"
    OPTIONAL_NUMBER = "optional_number"


SettingValue = ChargeMode | float | int | datetime | timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingSpec:
    """One writable value: its field in the settings class of its scope, kind, inclusive range and unit."""

    name: str
    scope: Scope
    kind: Kind
    low: float | None = None
    high: float | None = None
    unit: str = ""
    needs: str = ""  # capability without which it is refused: "battery"
    wakes_loop: bool = False  # a change asks for an immediate step [SITE-3]


SETTINGS: tuple[SettingSpec, ...] = (
    SettingSpec(name="buffer_soc_pct", scope=Scope.SITE, kind=Kind.NUMBER, low=0, high=100, unit="%", needs="battery"),
    SettingSpec(
        name="buffer_start_soc_pct",
        scope=Scope.SITE,
        kind=Kind.NUMBER,
        low=0,
        high=100,
        unit="%",
        needs="battery",
    ),
    SettingSpec(
        name="priority_soc_pct",
        scope=Scope.SITE,
        kind=Kind.NUMBER,
        low=0,
        high=100,
        unit="%",
        needs="battery",
    ),
    SettingSpec(name="residual_power_w", scope=Scope.SITE, kind=Kind.NUMBER, low=-100_000, high=100_000, unit="W"),
    SettingSpec(name="mode", scope=Scope.LOADPOINT, kind=Kind.MODE, wakes_loop=True),
    SettingSpec(name="phases_configured", scope=Scope.LOADPOINT, kind=Kind.PHASES, wakes_loop=True),
    SettingSpec(name="current_min_a", scope=Scope.LOADPOINT, kind=Kind.NUMBER, low=0.1, high=80, unit="A"),
    SettingSpec(name="current_max_a", scope=Scope.LOADPOINT, kind=Kind.NUMBER, low=0.1, high=80, unit="A"),
    SettingSpec(
        name="enable_threshold_w",
        scope=Scope.LOADPOINT,
        kind=Kind.NUMBER,
        low=-100_000,
        high=100_000,
        unit="W",
    ),
    SettingSpec(
        name="disable_threshold_w",
        scope=Scope.LOADPOINT,
        kind=Kind.NUMBER,
        low=-100_000,
        high=100_000,
        unit="W",
    ),
    SettingSpec(name="enable_delay", scope=Scope.LOADPOINT, kind=Kind.DURATION, low=0, high=86_400, unit="s"),
    SettingSpec(name="disable_delay", scope=Scope.LOADPOINT, kind=Kind.DURATION, low=0, high=86_400, unit="s"),
    SettingSpec(name="priority", scope=Scope.LOADPOINT, kind=Kind.INTEGER, low=0, high=10),
    SettingSpec(
        name="soc_min_pct",
        scope=Scope.LOADPOINT,
        kind=Kind.INTEGER,
        low=0,
        high=100,
        unit="%",
        wakes_loop=True,
    ),
    SettingSpec(
        name="soc_target_pct",
        scope=Scope.LOADPOINT,
        kind=Kind.INTEGER,
        low=0,
        high=100,
        unit="%",
        wakes_loop=True,
    ),
    SettingSpec(
        name="energy_target_kwh",
        scope=Scope.LOADPOINT,
        kind=Kind.NUMBER,
        low=0,
        high=1000,
        unit="kWh",
        wakes_loop=True,
    ),
    SettingSpec(name="target_time", scope=Scope.LOADPOINT, kind=Kind.TIME),
    SettingSpec(
        name="smart_cost_limit",
        scope=Scope.LOADPOINT,
        kind=Kind.OPTIONAL_NUMBER,
        low=-1000,
        high=1000,
        unit="/kWh",
        wakes_loop=True,
    ),
    SettingSpec(name="soc_min_pct", scope=Scope.VEHICLE, kind=Kind.INTEGER, low=0, high=100, unit="%", wakes_loop=True),
    SettingSpec(
        name="soc_target_pct",
        scope=Scope.VEHICLE,
        kind=Kind.INTEGER,
        low=0,
        high=100,
        unit="%",
        wakes_loop=True,
    ),
)
"""Every writable value. Limits that depend on others (min <= max current, the charger's own limit, a time in the past,
phases of a fixed charger) are checked in `evcclib.site` where both values are known."""

SPECS = {(spec.scope, spec.name): spec for spec in SETTINGS}


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings:
    """The site's present values."""

    buffer_soc_pct: float = 0.0
    buffer_start_soc_pct: float = 0.0
    priority_soc_pct: float = 0.0
    residual_power_w: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadpointSettings:
    """A loadpoint's present values. SoC goals shown here are those in force: the active vehicle's own, if it has some."""

    mode: ChargeMode = ChargeMode.OFF
    phases_configured: int = 0
    current_min_a: float = 6.0
    current_max_a: float = 16.0
    enable_threshold_w: float = 0.0
    disable_threshold_w: float = 0.0
    enable_delay: timedelta = timedelta(minutes=1)
    disable_delay: timedelta = timedelta(minutes=3)
    priority: int = 0
    soc_min_pct: int = 0
    soc_target_pct: int = 100
    energy_target_kwh: float = 0.0
    target_time: datetime | None = None
    smart_cost_limit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleSettings:
    """What an owner has set for a vehicle; None: never set, its onIdentify values hold. Survives disconnecting."""

    soc_min_pct: int | None = None
    soc_target_pct: int | None = None
