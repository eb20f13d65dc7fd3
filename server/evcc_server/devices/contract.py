"""What a driver promises: one `read` that returns what the device has, commands, and errors that say who must act.

A driver never invents a number: a value it cannot read, or that is a sentinel, or out of any physical range, is None. Silence
or refusal of the whole device is a `DeviceError` of `evcc_server.errors`. Every call is made under a deadline by its caller and
may be cancelled at any point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from evcclib.config import ChargerConfig
from evcclib.model import ChargerStatus, PhaseTriple


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterValues:
    """One poll of a meter, inverter or battery; signs as in `evcclib.units`. None: not available this time.

    In a value of three phases NaN is a phase that is not available; at least one is.
    """

    power_w: float | None
    powers_w: PhaseTriple | None = None
    currents_a: PhaseTriple | None = None
    voltages_v: PhaseTriple | None = None
    energy_import_kwh: float | None = None
    energy_export_kwh: float | None = None
    soc_pct: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargerValues:
    """One poll of a charger; None and NaN as in `MeterValues`."""

    status: ChargerStatus | None
    is_enabled: bool | None = None
    power_w: float | None = None
    currents_a: PhaseTriple | None = None
    voltages_v: PhaseTriple | None = None
    energy_total_kwh: float | None = None
    energy_session_kwh: float | None = None
    charge_duration: timedelta | None = None
    identity: str | None = None
    soc_pct: float | None = None
    current_offered_a: float | None = None
    phases: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleValues:
    """One read of a vehicle's interface."""

    soc_pct: float | None = None
    soc_limit_pct: float | None = None
    range_km: float | None = None
    odometer_km: float | None = None
    status: ChargerStatus | None = None
    is_climating: bool | None = None
    must_retry: bool = False


class Meter(Protocol):
    """A meter, an inverter or a battery seen as a meter."""

    @property
    def quantities(self) -> frozenset[str]:
        """Names of the fields of `MeterValues` that this device can fill."""

    async def read(self) -> MeterValues:
        """Read everything once. Raises `DeviceError`."""


class BatteryControl(Protocol):
    """A battery that can be told what to do, if it has `modes`."""

    @property
    def modes(self) -> tuple[str, ...]:
        """Of ``normal``, ``hold``, ``charge``, ``holdcharge``."""

    async def set_mode(self, mode: str) -> None:
        """Write one of `modes`. Raises `DeviceError`."""

    async def release(self) -> None:
        """Give the battery back to itself when the server ends."""

    @property
    def keepalive(self) -> timedelta | None:
        """How often `kick` must be called now, so that it keeps its mode; None: it does so by itself."""

    async def kick(self) -> None: ...


class Charger(Protocol):
    """An EVSE. Commands return when the device has confirmed them; a `DeviceError` says whether one may have been done.

    What a driver repeats by itself, to keep a watchdog calm or after a loss, must not undo a command whose answer was lost: it
    is the newest that may have arrived, of two currents the lower one, of on and off whichever was wanted last or nothing.
    """

    @property
    def config(self) -> ChargerConfig:
        """What it can do."""

    async def start(self) -> None:
        """Bring the device under control: watchdog armed with a safe current, standby off. Raises `DeviceError`."""

    async def read(self) -> ChargerValues:
        """Read everything once. Raises `DeviceError`."""

    async def enable(self) -> None: ...

    async def disable(self) -> None: ...

    async def set_current(self, current_a: float) -> None: ...

    async def switch_phases(self, phases: int) -> None: ...

    async def wake(self) -> None: ...

    async def release(self) -> None:
        """Leave the device safe when the server ends (documented per device)."""

    @property
    def keepalive(self) -> timedelta | None:
        """How often `kick` must be called so that the device's watchdog stays quiet; None: reading is enough."""

    async def kick(self) -> None: ...


class Vehicle(Protocol):
    """A vehicle's own interface."""

    async def read(self, *, is_fresh: bool = False) -> VehicleValues:
        """The newest answer; cached (VEH-20) unless ``is_fresh`` asks for a new one. Raises `DeviceError`."""

    async def wake(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a configuration entry became: the device, how often to poll it, and what it will cost to ask."""

    name: str
    device: Meter | Charger
    period: timedelta
    deadline: timedelta
    open_points: tuple[str, ...] = ()  # facts about this device that nobody has confirmed
    details: Mapping[str, str] = field(default_factory=dict)
