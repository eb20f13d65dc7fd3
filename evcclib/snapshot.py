"""A state as plain data, and back: dicts, lists, strings, numbers, fit for JSON [decision 9].

Instants are stored relative to the time of the export in microseconds, so that a site restarted on another clock goes on
exactly; the time it was down counts for timers, as it did for the world, but not for meters, which nobody asked then. A batch in
flight at export is one whose end nobody will hear of: what it would have changed is unknown and said again.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from evcclib.charger import doubt
from evcclib.errors import IncompatibleState
from evcclib.hold import ELAPSED
from evcclib.meter_ledger import TimerState
from evcclib.model import Now
from evcclib.settings import LoadpointSettings
from evcclib.state import LoadpointState, SiteState

VERSION = 1
TRANSIENT = frozenset(
    {
        (SiteState, "readings"),
        (SiteState, "figures"),
        (SiteState, "layout"),
        (SiteState, "meters"),
        (LoadpointState, "drawn"),
        (LoadpointState, "offer"),
        (LoadpointState, "remote_demand"),
        (LoadpointState, "remote_source"),
    }
)
"""Made anew by the first step, or forgotten: a limit whose meter is silent after a restart is not proven, and a remote demand
has to be raised again (who raised it may be gone)."""
DURATIONS = frozenset(
    {(LoadpointSettings, "enable_delay"), (LoadpointSettings, "disable_delay"), (TimerState, "duration")}
)
"""Fields that hold a duration; every other timedelta of a state is an instant."""
_TICK = timedelta(microseconds=1)


def exported(state: SiteState, *, now: Now) -> dict[str, object]:
    """``state`` at ``now`` as plain data."""
    state = state.copy()
    for loadpoint in state.loadpoints:
        charger = loadpoint.charger
        if charger.pending is not None:
            loadpoint.charger = doubt(replace(charger, pending=None), charger.pending.batch.commands)
    return {
        "version": VERSION,
        "at": now.utc.isoformat(),
        "site": _encode(state, _Clock(now.instant), is_duration=False),
    }


def restored(data: Mapping[str, object], fresh: SiteState, *, now: Now) -> SiteState:
    """The state of ``exported`` on the clock of ``now``; ``fresh`` is the initial state of the same configuration.

    A loadpoint that was not there before starts fresh. Raises `IncompatibleState` if the data cannot be understood.
    """
    try:
        if data["version"] != VERSION:
            raise IncompatibleState(f"state of version {data['version']!r}, expected {VERSION}")
        down = max(now.utc - datetime.fromisoformat(str(data["at"])), timedelta(0))
        state = _decode(SiteState, data["site"], _Clock(now.instant - down), None)
        if down > timedelta(0):
            state.started_at = now.instant
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise IncompatibleState(f"not a state of this library: {error!r}") from error
    return _fitted(state, fresh)


def _fitted(state: SiteState, fresh: SiteState) -> SiteState:
    """``state`` for the present configuration: known vehicles only, as many loadpoints as there are."""
    assert fresh.layout is not None
    known = fresh.layout.vehicles
    state.layout = fresh.layout
    loadpoints = list(state.loadpoints[: len(fresh.loadpoints)])
    for loadpoint in loadpoints:
        if loadpoint.vehicle not in known:
            loadpoint.vehicle = None
    loadpoints += fresh.loadpoints[len(loadpoints) :]
    owned = {loadpoint.vehicle for loadpoint in loadpoints[: len(state.loadpoints)]}
    for loadpoint in loadpoints[len(state.loadpoints) :]:
        if loadpoint.vehicle in owned:
            loadpoint.vehicle = None
    for index, loadpoint in enumerate(loadpoints):
        layout = fresh.layout.loadpoints[index]
        if not layout.is_switchable and loadpoint.charger.phases == 0:
            loadpoint.charger = replace(loadpoint.charger, phases=fresh.loadpoints[index].charger.phases)
    state.loadpoints = tuple(loadpoints)
    state.vehicle_settings = {name: own for name, own in state.vehicle_settings.items() if name in known}
    return state


class _Clock(NamedTuple):
    """The instant that instants are stored relative to."""

    origin: timedelta


def _encode(value: object, clock: _Clock, *, is_duration: bool) -> object:
    if value is None or isinstance(value, bool | int | float) or type(value) is str:
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, timedelta):
        if value == ELAPSED:
            return "elapsed"
        return (value if is_duration else value - clock.origin) // _TICK
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        kind = type(value)
        return {
            each.name: _encode(getattr(value, each.name), clock, is_duration=(kind, each.name) in DURATIONS)
            for each in fields(value)
            if each.init and (kind, each.name) not in TRANSIENT
        }
    if isinstance(value, Mapping):
        return {str(key): _encode(item, clock, is_duration=False) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_encode(item, clock, is_duration=False) for item in value]
    if isinstance(value, frozenset):
        return sorted(str(_encode(item, clock, is_duration=False)) for item in value)
    raise TypeError(f"{type(value).__name__} cannot be exported")


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _decode(kind: Any, data: Any, clock: _Clock, owner: tuple[type, str] | None) -> Any:
    origin = get_origin(kind)
    if origin is Union or origin is types.UnionType:
        options = [option for option in get_args(kind) if option is not type(None)]
        if data is None:
            return None
        return _plain(data) if len(options) > 1 else _decode(options[0], data, clock, owner)
    if kind is timedelta:
        if data == "elapsed":
            return ELAPSED
        return data * _TICK if owner in DURATIONS else clock.origin + data * _TICK
    if kind is datetime:
        return datetime.fromisoformat(data)
    if kind is float:
        return float(data)
    if kind in (int, bool, str):
        if type(data) is not kind:
            raise TypeError(f"{data!r} is not {kind.__name__}")
        return data
    plain = origin or kind
    if isinstance(plain, type) and issubclass(plain, Enum):
        return plain(data)
    if isinstance(plain, type) and is_dataclass(plain):
        return _decode_dataclass(plain, kind, data, clock)
    if isinstance(plain, type) and issubclass(plain, tuple) and hasattr(plain, "_fields"):
        hints = _hints(plain)
        names: tuple[str, ...] = plain._fields
        return plain(*(_decode(hints[name], item, clock, None) for name, item in zip(names, data, strict=True)))
    if plain is tuple:
        item_kinds = get_args(kind)
        return tuple(_decode(item_kinds[0], item, clock, None) for item in data)
    if plain is frozenset:
        return frozenset(_decode(get_args(kind)[0], item, clock, None) for item in data)
    assert plain is not None and issubclass(plain, Mapping)
    return {key: _decode(get_args(kind)[1], item, clock, None) for key, item in data.items()}


def _plain(data: Any) -> float | str:
    """A value of a reason: a number or a word."""
    if isinstance(data, bool) or not isinstance(data, int | float | str):
        raise TypeError(f"{data!r} is not a number or a word")
    return data


def _decode_dataclass(plain: type, kind: Any, data: Any, clock: _Clock) -> Any:
    hints = _hints(plain)
    arguments = get_args(kind)
    values: dict[str, Any] = {}
    for each in fields(plain):
        if not each.init or each.name not in data:
            continue
        hint = hints[each.name]
        if isinstance(hint, TypeVar):  # the value of a Measured[...]
            hint = arguments[0]
        values[each.name] = _decode(hint, data[each.name], clock, (plain, each.name))
    make: Callable[..., Any] = plain
    return make(**values)
