"""Which settings a server owes its clients after a restart, whatever ended it.

What a client was told is stored before the answer. What the control changed by itself (a mode reset when a car leaves) is stored
behind its back, within `STORED_AFTER_S`, and shown only then (`evcc_sim.runs.clients.Seen`). What was still under way at the end
may have been stored or not, but is nothing third.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

from evcclib.events import Event, SettingChanged
from evcclib.settings import LoadpointSettings, Scope, SettingValue, SiteSettings, VehicleSettings
from evcclib.view import SiteView

STORED_AFTER_S = 2.0

Key = tuple[Scope, int | str | None, str]
"""Which setting, of whom."""
Values = dict[Key, object]


class Promises:
    """What must be there after the next start; `check` says what is not."""

    def __init__(self) -> None:
        self._owed: Values | None = None  # None: nothing has ever run
        self._in_memory: Values = {}
        self._changed: dict[Key, tuple[float, SettingValue]] = {}
        self._asked: Values = {}

    def answered(self, events: Iterable[Event]) -> None:
        """A client has been told that its change is made, with these changes."""
        assert self._owed is not None
        for event in events:
            if isinstance(event, SettingChanged):
                key = (event.scope, event.owner, event.name)
                self._changed.pop(key, None)
                self._owed[key] = event.value

    def changed(self, second: float, events: Iterable[Event]) -> None:
        """The control has changed settings by itself."""
        for event in events:
            if isinstance(event, SettingChanged):
                self._changed[(event.scope, event.owner, event.name)] = (second, event.value)

    def ended(self, second: float, last: SiteView, asked: SiteView, *, in_order: bool) -> None:
        """A server is gone; ``last`` is what it had in memory, ``asked`` what it was just being asked to make of it.
        One that ends in order has stored all that it had."""
        assert self._owed is not None
        self._in_memory, self._asked = values_of(last), values_of(asked)
        if in_order:
            self._owed = dict(self._in_memory)
        for key, (changed_s, value) in self._changed.items():
            if second - changed_s > STORED_AFTER_S:
                self._owed[key] = value
        self._changed.clear()

    def check(self, found: SiteView) -> list[str]:
        """What a server that has just started has got wrong; from now on it owes what it has."""
        owed, self._owed = self._owed, values_of(found)
        if owed is None:
            return []
        lost = []
        for key, value in self._owed.items():
            was = owed.get(key)
            if value not in (was, self._in_memory.get(key, was), self._asked.get(key, was)):
                lost.append(f"{words(key)} is {value!r}, was {was!r}")
        return lost


def words(key: Key) -> str:
    """A setting, for a person."""
    scope, owner, name = key
    whose = "" if owner is None else f" {owner + 1 if isinstance(owner, int) else owner}"
    return f"{scope.value}{whose}: {name}"


def values_of(view: SiteView) -> Values:
    """Every setting of a site."""
    found: Values = {}
    _add(found, Scope.SITE, None, view.settings)
    for loadpoint in view.loadpoints:
        _add(found, Scope.LOADPOINT, loadpoint.loadpoint, loadpoint.settings)
    for name, settings in view.vehicle_settings.items():
        _add(found, Scope.VEHICLE, name, settings)
    return found


def _add(
    found: Values, scope: Scope, owner: int | str | None, settings: SiteSettings | LoadpointSettings | VehicleSettings
) -> None:
    for field in fields(settings):
        found[(scope, owner, field.name)] = getattr(settings, field.name)
