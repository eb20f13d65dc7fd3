"""A state as plain data, and back: dicts, lists, strings, numbers, fit for JSON [SITE-22].

Instants are stored relative to the time of the export in microseconds, so that a site restarted on another clock goes on
exactly; the time it was down counts for timers, as it did for the world, but not for meters, which nobody asked then. A batch in
flight at export is one whose end nobody will hear of: what it would have changed is unknown and said again.

What the law remembers stands beside the site, under the law's name; another law begins afresh.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime, time, timedelta
from enum import Enum
from functools import cache
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from evcclib.allowed import INSTANT_MAX, TEXT, TIME, TRUTH, Allowed, Table, instance
from evcclib.errors import IncompatibleState, shown
from evcclib.laws.law import Law
from evcclib.machines.battery import BatteryControl, doubted
from evcclib.machines.charger import doubt
from evcclib.model import Now
from evcclib.pipeline.check_state import ANY_INTEGER, ANY_NUMBER, COUNT_MAX, NUMBER_MAX, check_state
from evcclib.pipeline.state import LoadpointState, SiteState, begin_afresh
from evcclib.units import TICK, Instant

Amount = TypeVar("Amount", int, float)
VERSION = 2
TRANSIENT = frozenset(
    {
        (SiteState, "readings"),
        (SiteState, "figures"),
        (SiteState, "layout"),
        (SiteState, "law"),
        (SiteState, "memory"),
        (SiteState, "meters"),
        (SiteState, "load"),
        (SiteState, "voltage"),
        (SiteState, "plan_basis"),
        (SiteState, "battery_override"),
        (BatteryControl, "pending"),
        (LoadpointState, "memory"),
        (LoadpointState, "watch"),
        (LoadpointState, "drawn"),
        (LoadpointState, "offer"),
        (LoadpointState, "plan_slots"),
        (LoadpointState, "remote_demand"),
        (LoadpointState, "remote_source"),
    }
)
"""Exported apart, made anew by the first step, or forgotten: a limit whose meter is silent after a restart is not proven, and a
remote demand has to be raised again (who raised it may be gone)."""


def exported(state: SiteState, *, now: Now) -> dict[str, object]:
    """``state`` at ``now`` as plain data."""
    state = state.copy()
    for loadpoint in state.loadpoints:
        charger = loadpoint.charger
        if charger.pending is not None:
            pending = charger.pending
            loadpoint.charger = doubt(
                charger._replace(pending=None), pending.batch.commands, issued_at=pending.issued_at
            )
            if charger.phases and not loadpoint.charger.phases:
                loadpoint.measured_phases = loadpoint.proven_phases = 0  # counted on phases that may be others now
    clock = _Clock(now.instant)
    return {
        "version": VERSION,
        "at": now.utc.isoformat(),
        "site": _encode(state, SiteState, clock),
        "law": {
            "name": state.law,
            "site": _encode(state.memory, type(state.memory), clock),
            "loadpoints": [_encode(each.memory, type(each.memory), clock) for each in state.loadpoints],
        },
    }


def restored(data: Mapping[str, object], fresh: SiteState, *, now: Now) -> SiteState:
    """The state of ``exported`` on the clock of ``now``; ``fresh`` is the initial state of the same configuration.

    A loadpoint that was not there before starts fresh. Raises `IncompatibleState` if the data cannot be understood.
    """
    _MAPPING.check("state", data, IncompatibleState)
    version = data.get("version")
    if version == 1:
        data = _from_version_1(data)
    elif version != VERSION:
        raise IncompatibleState("version", version, f"1..{VERSION}")
    down = max(now.utc - _time(data.get("at"), "at"), timedelta(0))
    clock = _Clock(now.instant - down)
    state = _decode(SiteState, data.get("site"), clock, "site")
    assert isinstance(state, SiteState)
    assert fresh.layout is not None
    _remember(state, fresh.layout.law, data.get("law"), clock)
    if down > timedelta(0):
        state.started_at = now.instant
    return _fitted(state, fresh)


def _remember(state: SiteState, law: Law, data: object, clock: _Clock) -> None:
    """Put in place what ``law`` remembered; nothing if it was another law that did."""
    stored = _checked(_MAPPING, data, "law")
    begin_afresh(state, law)
    if _checked(TEXT, stored.get("name"), "law.name") != law.name:
        return
    memories = _checked(_LIST, stored.get("loadpoints"), "law.loadpoints")
    if len(memories) != len(state.loadpoints):
        raise IncompatibleState("law.loadpoints", memories, f"a list of {len(state.loadpoints)}, as in site")
    state.memory = _memory(law, law.fresh_site, stored.get("site"), clock, "law.site")
    for index, (loadpoint, memory) in enumerate(zip(state.loadpoints, memories, strict=True)):
        loadpoint.memory = _memory(law, law.fresh, memory, clock, f"law.loadpoints[{index}]")


def _memory(law: Law, fresh: object, data: object, clock: _Clock, where: str) -> object:
    if fresh is None:
        return None
    memory = _decode(type(fresh), data, clock, where)
    _check_parts(memory, where, law.allowed)
    return memory


def _check_parts(part: object, where: str, table: Table) -> None:
    """What a law remembers, and what stands in it."""
    check_state(part, where, table)
    names = [each.name for each in fields(part)] if is_dataclass(part) else getattr(part, "_fields", ())
    for name in names:
        _check_parts(getattr(part, name), f"{where}.{name}", table)


def _from_version_1(data: Mapping[str, object]) -> dict[str, object]:
    """``data`` as it is written today: what the one law of that time remembered stood among the rest, and timers were that had
    elapsed for ever."""
    site = _checked(_MAPPING, data.get("site"), "site")
    memories: list[dict[str, object]] = []
    todays: list[dict[str, object]] = []
    for index, each in enumerate(_checked(_LIST, site.get("loadpoints"), "site.loadpoints")):
        found = _checked(_MAPPING, each, f"site.loadpoints[{index}]")
        timer, action = found.get("pv_timer"), found.get("pv_action", "inactive")
        if timer is None:
            now: dict[str, object] = {"kind": "resting"}
        elif timer == "elapsed":
            now = {"kind": "elapsed", "action": action}
        else:
            now = {"kind": "waiting", "action": action, "since": timer}
        memories.append({"timer": now} | {key: found[key] for key in ("scaling",) if key in found})
        wants = found.get("odometer_asked_at") == "elapsed"
        todays.append({**found, "wants_odometer": True, "odometer_asked_at": None} if wants else {**found})
    law = {"name": "classic", "site": None, "loadpoints": memories}
    return {**data, "version": VERSION, "site": {**site, "loadpoints": todays}, "law": law}


def _fitted(state: SiteState, fresh: SiteState) -> SiteState:
    """``state`` for the present configuration: known vehicles only, as many loadpoints as there are."""
    assert fresh.layout is not None
    known = fresh.layout.vehicles
    state.layout = fresh.layout
    loadpoints = list(state.loadpoints[: len(fresh.loadpoints)])
    seen: set[str | None] = set()
    for loadpoint in loadpoints:
        if loadpoint.vehicle not in known or loadpoint.vehicle in seen:
            loadpoint.vehicle = None
        seen.add(loadpoint.vehicle)
    loadpoints += fresh.loadpoints[len(loadpoints) :]
    owned = {loadpoint.vehicle for loadpoint in loadpoints[: len(state.loadpoints)]}
    for loadpoint in loadpoints[len(state.loadpoints) :]:
        if loadpoint.vehicle in owned:
            loadpoint.vehicle = None
    for index, loadpoint in enumerate(loadpoints):
        layout = fresh.layout.loadpoints[index]
        if not layout.is_switchable and loadpoint.charger.phases == 0:
            loadpoint.charger = loadpoint.charger._replace(phases=fresh.loadpoints[index].charger.phases)
    state.loadpoints = tuple(loadpoints)
    state.battery_controls = tuple([doubted(control) for control in state.battery_controls])
    state.vehicle_settings = {name: own for name, own in state.vehicle_settings.items() if name in known}
    state.bought = {name: own for name, own in state.bought.items() if name in fresh.layout.means}
    return state


class _Clock(NamedTuple):
    """The instant that instants are stored relative to."""

    origin: Instant


def _encode(value: object, kind: Any, clock: _Clock) -> object:
    """``value``, of which the annotation ``kind`` says whether a timedelta in it is an instant."""
    if value is None or isinstance(value, bool) or type(value) is str:
        return value
    if isinstance(value, int):
        return _within(value, COUNT_MAX)
    if isinstance(value, float):
        return _within(value, NUMBER_MAX) if math.isfinite(value) else value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, timedelta):
        return _within((value - clock.origin if Instant in _options(kind) else value) // TICK, _TICKS_MAX)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, time):
        return value.isoformat()
    plain: Any = type(value)
    if _has_names(plain):
        tag = {"kind": value.kind} if hasattr(value, "kind") else {}
        return tag | {name: _encode(getattr(value, name), hint, clock) for name, hint, _ in _exported(plain)}
    if isinstance(value, Mapping):
        inner = get_args(kind)[1]
        return {str(key): _encode(item, inner, clock) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return [_encode(item, hint, clock) for item, hint in zip(value, _hints(type(value)).values(), strict=True)]
    if isinstance(value, tuple):
        return [_encode(item, _inner(kind), clock) for item in value]
    if isinstance(value, frozenset):
        return sorted(str(_encode(item, _inner(kind), clock)) for item in value)
    raise TypeError(f"{type(value).__name__} cannot be exported")


def _within(value: Amount, most: Amount) -> Amount:
    """What has outgrown all that is allowed stays there: whatever is exported can be restored."""
    return min(max(value, -most), most)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _has_names(kind: Any) -> bool:
    """Whether its fields are exported by name: those of dataclasses, and of named tuples that have defaults and so may grow."""
    return isinstance(kind, type) and (is_dataclass(kind) or bool(getattr(kind, "_field_defaults", None)))


class _Field(NamedTuple):
    """One that is exported, with its annotation; ``is_needed``: it has no default."""

    name: str
    hint: Any
    is_needed: bool


@cache
def _exported(kind: Any) -> tuple[_Field, ...]:
    """The fields of a class that `_has_names`, as far as they are exported."""
    if is_dataclass(kind):
        needs = {
            each.name: each.default is MISSING and each.default_factory is MISSING for each in fields(kind) if each.init
        }
    else:
        needs = {name: name not in kind._field_defaults for name in kind._fields}
    hints = _hints(kind)
    return tuple([_Field(name, hints[name], needed) for name, needed in needs.items() if (kind, name) not in TRANSIENT])


def _options(kind: Any) -> tuple[Any, ...]:
    """What a value may be, None aside."""
    if get_origin(kind) is not Union and get_origin(kind) is not types.UnionType:
        return (kind,)
    return tuple([each for each in get_args(kind) if each is not type(None)])


def _inner(kind: Any) -> Any:
    """What the items of a tuple or a set are."""
    return get_args(_options(kind)[0])[0]


def _decode(kind: Any, data: Any, clock: _Clock, where: str) -> Any:
    origin = get_origin(kind)
    if origin is Union or origin is types.UnionType:
        options = _options(kind)
        if data is None and len(options) < len(get_args(kind)):
            return None
        if len(options) > 1 and all(map(is_dataclass, options)):
            return _decode_one_of(options, data, clock, where)
        if len(options) > 1:
            return _checked(_PLAIN, data, where)
        return _decode(options[0], data, clock, where)
    if kind is Instant:
        return clock.origin + _checked(_TICKS, data, where) * TICK
    if kind is timedelta:
        return _checked(_TICKS, data, where) * TICK
    if kind is datetime:
        return _time(data, where)
    if kind is time:
        return _wall(data, where)
    if kind is float:
        return float(_checked(ANY_NUMBER, data, where))
    if kind in _SIMPLE:
        return _checked(_SIMPLE[kind], data, where)
    plain = origin or kind
    if isinstance(plain, type) and issubclass(plain, Enum):
        words = {each.value: each for each in plain}
        if not isinstance(data, str) or data not in words:
            raise IncompatibleState(where, data, f"one of {', '.join(map(str, words))}")
        return words[data]
    if _has_names(plain):
        return _decode_named(plain, kind, _checked(_MAPPING, data, where), clock, where)
    if isinstance(plain, type) and issubclass(plain, tuple) and hasattr(plain, "_fields"):
        hints = _hints(plain)
        names: tuple[str, ...] = plain._fields
        if len(_checked(_LIST, data, where)) != len(names):
            raise IncompatibleState(where, data, f"a list of {', '.join(names)}")
        values = zip(names, data, strict=True)
        parts = plain(*(_decode(hints[name], item, clock, f"{where}.{name}") for name, item in values))
        check_state(parts, where)
        return parts
    if plain is tuple or plain is frozenset:
        inner = get_args(kind)[0]
        items = enumerate(_checked(_LIST, data, where))
        return plain(_decode(inner, item, clock, f"{where}[{position}]") for position, item in items)
    assert plain is not None and issubclass(plain, Mapping)
    inner = get_args(kind)[1]
    named = _checked(_MAPPING, data, where).items()
    return {str(key): _decode(inner, item, clock, f"{where}[{shown(key)}]") for key, item in named}


def _decode_one_of(kinds: tuple[Any, ...], data: object, clock: _Clock, where: str) -> Any:
    """One of several dataclasses, which one its ``kind`` tells."""
    by_kind = {each.kind: each for each in kinds}
    stored = _checked(_MAPPING, data, where)
    name = stored.get("kind")
    found = by_kind.get(name) if isinstance(name, str) else None
    if found is None:
        raise IncompatibleState(f"{where}.kind", name, f"one of {', '.join(by_kind)}")
    return _decode_named(found, found, stored, clock, where)


def _decode_named(plain: Any, kind: Any, data: Mapping[str, Any], clock: _Clock, where: str) -> Any:
    arguments = get_args(kind)
    values: dict[str, Any] = {}
    for name, hint, is_needed in _exported(plain):
        if name in data:
            inner = arguments[0] if isinstance(hint, TypeVar) else hint  # the value of a Measured[...]
            values[name] = _decode(inner, data[name], clock, f"{where}.{name}")
        elif is_needed:
            raise IncompatibleState(f"{where}.{name}", None, "not to be missing")
    made = plain(**values)
    check_state(made, where)
    return made


def _checked(allowed: Allowed, data: Any, where: str) -> Any:
    allowed.check(where, data, IncompatibleState)
    return data


def _time(data: object, where: str) -> datetime:
    try:
        time = datetime.fromisoformat(data) if isinstance(data, str) else None
    except ValueError:
        time = None
    if time is None or not TIME.holds(time):
        raise IncompatibleState(where, data, f"{TIME.words}, in ISO 8601")
    return time


def _wall(data: object, where: str) -> time:
    try:
        return time.fromisoformat(data if isinstance(data, str) else "")
    except ValueError:
        raise IncompatibleState(where, data, "a time of day, in ISO 8601") from None


_MAPPING = instance(Mapping, "a mapping")
_LIST = instance(list, "a list")
_PLAIN = Allowed("a number or a string", lambda value: isinstance(value, str) or ANY_NUMBER.holds(value))
_TICKS_MAX = INSTANT_MAX // TICK
_TICKS = Allowed(
    "a time in whole microseconds",
    lambda value: type(value) is int and -_TICKS_MAX <= value <= _TICKS_MAX,
)
_SIMPLE: Mapping[type, Allowed] = {int: ANY_INTEGER, bool: TRUTH, str: TEXT}
