"""Which vehicle is plugged in: by the charger's id, by the vehicles' own status, and who owns it [VEH-1..VEH-16, ACT-5].

```
              start                     exactly one candidate says B or C
   idle ---------------> searching ---------------------------------------> found
                            | after more than 10 min
                            +-----------------------> guest
```
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from datetime import timedelta
from typing import NamedTuple

from evcclib.commands import Read, VehicleRead
from evcclib.config import Actions, VehicleConfig
from evcclib.model import ChargerStatus
from evcclib.readings import Measured, Reading, VehicleReading
from evcclib.units import SECOND, Instant

DETECTION_TIME = timedelta(minutes=10)
DETECTION_REFRESH = timedelta(minutes=1)
DETECTION_PATIENCE = 30 * SECOND
"""How long to wait for the answers of all candidates before deciding with those there are."""

Owners = tuple[tuple[str, int], ...]
"""(vehicle, loadpoint) for each vehicle that is assigned somewhere [VEH-1]."""


def owner_of(owners: Owners, vehicle: str) -> int | None:
    """The loadpoint that owns ``vehicle``."""
    for name, loadpoint in owners:
        if name == vehicle:
            return loadpoint
    return None


def vehicle_at(owners: Owners, loadpoint: int) -> str | None:
    """The vehicle that ``loadpoint`` owns."""
    for name, owner in owners:
        if owner == loadpoint:
            return name
    return None


def assign(owners: Owners, loadpoint: int, vehicle: str | None) -> tuple[Owners, int | None]:
    """Make ``vehicle`` (None: a guest) the one of ``loadpoint``; also says which other loadpoint has lost it [VEH-2]."""
    if vehicle_at(owners, loadpoint) == vehicle:
        return owners, None
    loser = None if vehicle is None else owner_of(owners, vehicle)
    rest = tuple((name, owner) for name, owner in owners if owner != loadpoint and name != vehicle)
    return (rest if vehicle is None else (*rest, (vehicle, loadpoint))), loser


def identity(known: str, reading: Reading[str], *, oldest: Instant) -> str:
    """The charger's id now; a failed read, or one from before ``oldest``, leaves the known one [VEH-8]."""
    return reading.value if isinstance(reading, Measured) and reading.sampled_at >= oldest else known


def vehicle_by_identity(identifier: str, vehicles: Iterable[VehicleConfig]) -> str | None:
    """The first vehicle with this id, else the first whose pattern fits; ``*`` is any text, case is ignored [VEH-10, DEF-32]."""
    if not identifier:
        return None
    folded = identifier.casefold()
    ordered = tuple(vehicles)
    for vehicle in ordered:
        if any(own.casefold() == folded for own in vehicle.identifiers):
            return vehicle.name
    for vehicle in ordered:
        if any(_matches(own.casefold(), folded) for own in vehicle.identifiers if own):
            return vehicle.name
    return None


class DetectionState(NamedTuple):
    """``started_at`` None: not searching. ``asked_at``: when all candidates were last asked for their status."""

    started_at: Instant | None = None
    asked_at: Instant | None = None


IDLE = DetectionState()


class Detection(NamedTuple):
    """One look: the next state, the vehicle found, whether the search ended without one, and what to read."""

    state: DetectionState
    vehicle: str | None = None
    is_guest: bool = False
    reads: frozenset[Read] = frozenset()


def search(state: DetectionState, now: Instant) -> DetectionState:
    """Start searching [VEH-12]; only for a loadpoint without an active vehicle [DEF-36]."""
    return state._replace(started_at=now)


def stop_searching(state: DetectionState) -> DetectionState:
    """Stop, whether it was running or not [VEH-12]."""
    return state if state.started_at is None else state._replace(started_at=None)


def candidates(vehicles: Iterable[VehicleConfig], owners: Owners, loadpoint: int) -> tuple[str, ...]:
    """Vehicles that can tell their status and that no other loadpoint owns, in order [VEH-14]."""
    return tuple(
        vehicle.name
        for vehicle in vehicles
        if vehicle.has_status and owner_of(owners, vehicle.name) in (None, loadpoint)
    )


def detect(
    state: DetectionState, names: tuple[str, ...], readings: Mapping[str, VehicleReading], *, now: Instant
) -> Detection:
    """One look at the candidates ``names`` while connected without an active vehicle [VEH-13, VEH-14].

    Statuses count only if they were sampled since the search began. Nobody is asked more than once a minute, however often
    a search is started.
    """
    if state.started_at is None:
        return Detection(state=state)
    if now - state.started_at > DETECTION_TIME:
        return Detection(state=stop_searching(state), is_guest=True)
    plugged, is_complete = _plugged(names, readings, state.started_at)
    is_patience_over = state.asked_at is not None and now - state.asked_at >= DETECTION_PATIENCE
    if len(plugged) == 1 and (is_complete or is_patience_over):
        return Detection(state=stop_searching(state), vehicle=plugged[0])
    if names and (state.asked_at is None or now - state.asked_at >= DETECTION_REFRESH):
        reads = frozenset(Read(name, VehicleRead.STATUS, True) for name in names)
        return Detection(state=state._replace(asked_at=now), reads=reads)
    return Detection(state=state)


def merged(first: Actions, second: Actions) -> Actions:
    """Both sets of actions; where the second sets a value it replaces the first's [ACT-5]."""
    changes = {field.name: getattr(second, field.name) for field in fields(Actions)}
    return replace(first, **{name: value for name, value in changes.items() if value is not None})


def admitted(actions: Actions, *, current_min_a: float, current_max_a: float) -> Actions:
    """``actions`` without currents that would widen the loadpoint's configured ones [ACT-1], nor cross each other [DEF-41]."""
    low, high = actions.current_min_a, actions.current_max_a
    if low is not None and not current_min_a <= low <= current_max_a:
        low = None
    if high is not None and not current_min_a <= high <= current_max_a:
        high = None
    if low is not None and high is not None and low > high:
        low = high = None
    return replace(actions, current_min_a=low, current_max_a=high)


def _plugged(
    names: tuple[str, ...], readings: Mapping[str, VehicleReading], since: Instant
) -> tuple[tuple[str, ...], bool]:
    """Who is plugged in, and whether everybody has answered."""
    plugged: list[str] = []
    is_complete = True
    for name in names:
        reading = readings.get(name)
        if reading is None or not isinstance(reading.status, Measured) or reading.status.sampled_at < since:
            is_complete = False
        elif reading.status.value in (ChargerStatus.B, ChargerStatus.C):
            plugged.append(name)
    return tuple(plugged), is_complete


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), text, re.DOTALL) is not None
