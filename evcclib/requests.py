"""What a client may ask of a site between two steps [CUT-6]."""

from __future__ import annotations

from dataclasses import dataclass

from evcclib.commands import BatteryMode
from evcclib.model import RemoteDemand
from evcclib.settings import SettingValue


@dataclass(frozen=True, slots=True)
class ChangeSiteSetting:
    """Set one of `evcclib.settings.SiteSettings`."""

    name: str
    value: SettingValue


@dataclass(frozen=True, slots=True)
class ChangeLoadpointSetting:
    """Set one of `evcclib.settings.LoadpointSettings` at ``loadpoint`` (0-based)."""

    loadpoint: int
    name: str
    value: SettingValue


@dataclass(frozen=True, slots=True)
class ChangeVehicleSetting:
    """Set one of `evcclib.settings.VehicleSettings` for the vehicle with this configured name."""

    vehicle: str
    name: str
    value: SettingValue


@dataclass(frozen=True, slots=True)
class AssignVehicle:
    """Make ``vehicle`` (configured name) the active one at ``loadpoint``; None: a guest [VEH-4]."""

    loadpoint: int
    vehicle: str | None


@dataclass(frozen=True, slots=True)
class DetectVehicle:
    """Forget the active vehicle and look for it by status [VEH-5]."""

    loadpoint: int


@dataclass(frozen=True, slots=True)
class DemandRemotely:
    """An external energy manager's demand [RC-1]."""

    loadpoint: int
    demand: RemoteDemand
    source: str


@dataclass(frozen=True, slots=True)
class CommandBatteries:
    """An external energy manager's word for what home batteries do, until it is silent for a minute [BAT-9]; None: nothing."""

    mode: BatteryMode | None


Request = (
    ChangeSiteSetting
    | ChangeLoadpointSetting
    | ChangeVehicleSetting
    | AssignVehicle
    | DetectVehicle
    | DemandRemotely
    | CommandBatteries
)


def is_lasting(request: Request) -> bool:
    """Whether what ``request`` changes outlives a restart. What others demand does not: it has to be raised again."""
    return not isinstance(request, DemandRemotely | CommandBatteries)
