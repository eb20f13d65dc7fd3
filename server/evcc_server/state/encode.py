"""How a value looks on each channel: REST, WebSocket and MQTT differ in numbers, times and durations.

Nothing here produces an invalid document: NaN and infinities become null or nothing [DEV-1].
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from enum import Enum
from types import NoneType
from typing import TypeGuard

from evcc_server.state.document import Document, Keys
from evcc_server.state.values import (
    Counter,
    Listing,
    Names,
    Phases,
    Ready,
    Records,
    Slots,
    Structure,
    Tree,
    Unset,
    Value,
)
from evcc_server.state.values import (
    Json as Json,
)
from evcclib.tariff import Rate
from evcclib.units import SECOND

ZERO_TIME = "0001-01-01T00:00:00Z"
MICROSECOND = timedelta(microseconds=1)
COUNTER_DECIMALS = 3
"""Of kWh, km: an energy dashboard takes differences."""
_CERTAIN_DIGITS = sys.float_info.dig
"""What a float has beyond these comes of reckoning in binary: 5505 * 0.01 is 55.050000000000004."""


class Compat(Enum):
    """Which generation of clients is spoken to [S-5]: nanoseconds and year 1, or seconds and null; or today's."""

    V0_114 = "0.114"
    V0_127 = "0.127"
    TODAY = "today"


def rest(value: Value, compat: Compat = Compat.V0_114) -> Json:
    """``value`` as REST shows it."""
    match value:
        case bool() | str() | int() | None:
            return value
        case float():
            return number(float(f"{value:.{_CERTAIN_DIGITS}g}") if compat is Compat.V0_114 else round(value, 3))
        case Unset():
            return ZERO_TIME if compat is Compat.V0_114 else None
        case datetime():
            return time_text(value)
        case timedelta():
            return value // MICROSECOND * 1000 if compat is Compat.V0_114 else whole(value)
        case Counter(count):
            return rest(count, compat)
        case Phases(values):
            return [rest(each, compat) for each in values]
        case Records(items):
            return [{key: rest(each, compat) for key, each in item.items()} for item in items]
        case Names(names):
            return list(names)
        case Slots(slots, zone):
            return [_slot(slot, zone, compat) for slot in slots] or None
        case Structure(members) | Tree(members):
            return {key: rest(each, compat) for key, each in members.items()}
        case Listing(items):
            return [rest(each, compat) for each in items]
        case Ready(json_value):
            return json_value


def _slot(slot: Rate, zone: tzinfo, compat: Compat) -> Json:
    """A price that is not known is null."""
    return {
        "start": time_text(slot.start.astimezone(zone)),
        "end": time_text(slot.end.astimezone(zone)),
        "value": rest(slot.price, compat) if math.isfinite(slot.price) else None,
    }


def rest_keys(keys: Keys, compat: Compat = Compat.V0_114) -> dict[str, Json]:
    """A document's keys as REST shows them, sorted."""
    return {key: rest(value, compat) for key, value in sorted(keys.items())}


def rest_document(snapshot: Document, compat: Compat = Compat.V0_114) -> dict[str, Json]:
    """The value of ``result`` in ``GET /api/state`` [S-1]."""
    loadpoints: list[Json] = [rest_keys(keys, compat) for keys in snapshot.loadpoints]
    return dict(sorted({**rest_keys(snapshot.site, compat), "loadpoints": loadpoints}.items()))


def socket(value: Value) -> Json:
    """``value`` as the WebSocket shows it: five significant digits but for counters and phases, seconds, null for unset times."""
    match value:
        case bool() | str() | int() | None:
            return value
        case float():
            return number(float(f"{value:.5g}")) if math.isfinite(value) else None
        case Unset():
            return None
        case datetime():
            return time_text(value.replace(microsecond=0))
        case timedelta():
            return whole(value)
        case Counter(count):
            return number(round(count, COUNTER_DECIMALS))
        case Records(items):
            return [{key: socket(each) for key, each in item.items()} for item in items]
        case Structure(members) | Tree(members):
            return {key: socket(each) for key, each in members.items()}
        case Listing(items):
            return [socket(each) for each in items]
        case Phases() | Names() | Slots() | Ready():
            return rest(value)


def socket_key(loadpoint: int | None, key: str) -> str:
    """The key of a frame; loadpoints count from 0 here [WS-first]."""
    return key if loadpoint is None else f"loadpoints.{loadpoint}.{key}"


def mqtt(key: str, value: Value) -> Iterator[tuple[str, str]]:
    """Topics below ``site`` or ``loadpoints/<id>`` and their payloads; an empty payload deletes the retained topic."""
    match value:
        case Phases(triple):
            for name, phase in zip(("l1", "l2", "l3"), triple, strict=True):
                yield f"{key}/{name}", mqtt_number(phase)
            yield key, mqtt_number(sum(triple))
        case Records(items):
            for index, item in enumerate(items, 1):
                for name, part in item.items():
                    yield from mqtt(f"{key}/{index}/{name}", part)
            yield key, str(len(items))
        case Names(names):
            for index, each_name in enumerate(names, 1):
                yield f"{key}/{index}", str(each_name)
            yield key, str(len(names))
        case Slots():
            yield key, dumps(rest(value))
        case Structure(members, main):
            for name, member in members.items():
                if isinstance(member, Structure):
                    yield f"{key}/{name}", dumps(rest(member))
                elif name != main:
                    yield from mqtt(f"{key}/{name}", member)
            if main:
                yield from mqtt(key, members[main])
        case Tree(members):
            for name, member in members.items():
                yield from mqtt(f"{key}/{_TOPIC_OF.get(name, name)}", member)
        case Listing(values):
            for index, each in enumerate(values, 1):
                yield from mqtt(f"{key}/{index}", each)
            yield key, str(len(values))
        case Ready(json_value):
            yield key, dumps(json_value)
        case _:
            yield key, mqtt_scalar(value)


_TOPIC_OF = {"feedin": "feedIn"}
"""Members of objects that MQTT spells otherwise."""
Scalar = float | int | bool | str | datetime | timedelta | Counter | Unset | None
_SCALARS = frozenset({float, int, bool, str, datetime, timedelta, Counter, Unset, NoneType})


def is_scalar(value: Value) -> TypeGuard[Scalar]:
    """Whether `mqtt` gives one topic, the key itself, and `mqtt_scalar` its payload."""
    return type(value) in _SCALARS


def mqtt_scalar(value: Scalar) -> str:
    """One value as text."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int():
            return str(value)
        case float():
            return mqtt_number(value)
        case datetime():
            return str(math.floor(value.timestamp()))
        case timedelta():
            return str(whole(value))
        case Counter(count):
            return _decimals(count, COUNTER_DECIMALS) if math.isfinite(count) else ""
        case Unset() | None:
            return ""


def mqtt_number(value: float) -> str:
    """Five significant digits, never an exponent [DEV-3], never ``-0``; nothing for NaN and infinities."""
    if not math.isfinite(value):
        return ""
    text = f"{value:.5g}"
    if "e" in text:
        text = f"{value:.0f}" if abs(value) >= 1 else _decimals(value, 9)
    return "0" if text == "-0" else text


def _decimals(value: float, count: int) -> str:
    """At most ``count``; never an exponent, never ``-0``."""
    text = f"{value:.{count}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def mqtt_target_time(value: Value) -> str:
    """The payload of ``target/time``: RFC 3339 in UTC, whole seconds; empty when unset [API-39]."""
    return time_text(value.astimezone(UTC).replace(microsecond=0)) if isinstance(value, datetime) else ""


def mqtt_extra(topics: Iterable[str], key: str, value: Value) -> Iterator[tuple[str, str]]:
    """The ``topics`` of 2023's documentation that repeat a loadpoint's ``key`` under another spelling [API-25]."""
    for topic in topics:
        is_time = isinstance(value, datetime | Unset)
        yield topic, mqtt_target_time(value) if is_time else "".join(text for _, text in mqtt(key, value))


def number(value: float) -> Json:
    """A JSON number: integral values without ``.0``, null for NaN and infinities."""
    if not math.isfinite(value):
        return None
    return int(value) if value == int(value) and abs(value) < 1e21 else value


def whole(duration: timedelta) -> int:
    """Whole seconds, truncated towards zero."""
    return int(duration / SECOND)


def time_text(time: datetime) -> str:
    """RFC 3339; the fraction without trailing zeros, ``Z`` for UTC."""
    text = time.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    if time.microsecond:
        text += f".{time.microsecond:06}".rstrip("0")
    offset = time.utcoffset() or timedelta(0)
    if not offset:
        return text + "Z"
    sign, offset = ("-", -offset) if offset < timedelta(0) else ("+", offset)
    minutes = offset // timedelta(minutes=1)
    return f"{text}{sign}{minutes // 60:02}:{minutes % 60:02}"


def dumps(value: Json | Mapping[str, Json]) -> str:
    """Compact JSON. Raises ValueError for NaN, which no encoder above produces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
