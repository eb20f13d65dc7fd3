"""What of a site must outlive a restart before anybody may see it: its settings, and which vehicle is at which loadpoint.

A value to compare: what is on the disk, what a request would make of it, what the control has made of it by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import NamedTuple, TypeVar

from evcclib.events import SettingChanged
from evcclib.pipeline.state import SiteState
from evcclib.settings import LoadpointSettings, Scope, SiteSettings, VehicleSettings

_Settings = TypeVar("_Settings", SiteSettings, LoadpointSettings, VehicleSettings)


class Lasting(NamedTuple):
    """``vehicle_settings`` holds the vehicles for which something has been set, ``vehicles`` the configured name of the one at
    each loadpoint; None: a guest, or nobody."""

    settings: SiteSettings
    loadpoints: tuple[LoadpointSettings, ...]
    vehicle_settings: Mapping[str, VehicleSettings]
    vehicles: tuple[str | None, ...]

    def changes_to(self, other: Lasting) -> tuple[SettingChanged, ...]:
        """Every setting that is otherwise in ``other``, a value of the same site, with the value it has there."""
        found = list(_changes(Scope.SITE, None, self.settings, other.settings))
        for index, (ours, theirs) in enumerate(zip(self.loadpoints, other.loadpoints, strict=True)):
            found += _changes(Scope.LOADPOINT, index, ours, theirs)
        if self.vehicle_settings is not other.vehicle_settings:
            for name in sorted({*self.vehicle_settings, *other.vehicle_settings}):
                ours_, theirs_ = (each.get(name, _UNSET) for each in (self.vehicle_settings, other.vehicle_settings))
                found += _changes(Scope.VEHICLE, name, ours_, theirs_)
        return tuple(found)


_UNSET = VehicleSettings()


def lasting(state: SiteState) -> Lasting:
    """That of ``state``."""
    return Lasting(
        state.settings,
        tuple([loadpoint.settings for loadpoint in state.loadpoints]),
        state.vehicle_settings,
        tuple([loadpoint.vehicle for loadpoint in state.loadpoints]),
    )


def _changes(scope: Scope, owner: int | str | None, old: _Settings, new: _Settings) -> Iterator[SettingChanged]:
    if old is new:  # almost always: nobody has touched them
        return
    for field in fields(new):
        value = getattr(new, field.name)
        if getattr(old, field.name) != value:
            yield SettingChanged(scope, owner, field.name, value)
