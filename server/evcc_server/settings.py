"""Every value that a client can write, once: REST routes, MQTT topics, OpenAPI and persistence are loops over `TABLE`.

Types and ranges come from `evcclib.settings`; this table adds how each channel spells the setting, how its text is read
[R-4] and what the answer looks like. What depends on other values (minimum above maximum current, a time in the past, the
phases of a fixed charger) is checked by evcclib when the request is submitted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from types import MappingProxyType

from evcc_server.quoting import short
from evcclib.config import SiteConfig
from evcclib.errors import InvalidSetting
from evcclib.model import ChargeMode
from evcclib.requests import (
    AssignVehicle,
    ChangeLoadpointSetting,
    ChangeSiteSetting,
    ChangeVehicleSetting,
    Request,
)
from evcclib.settings import SPECS, Kind, Scope, SettingSpec, SettingValue

NO_VALUE_WORDS = frozenset({"null", "none", "nil", "-"})
"""How a text channel says "unset" [API-39]."""

Parsed = SettingValue | str
Owner = int | str | None
"""Whose setting: the 0-based loadpoint, the vehicle's configured name, or None for the site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One writable value and its spellings.

    ``paths`` are below ``/api``, ``/api/loadpoints/<id>`` or ``/api/vehicles/<name>``; the value follows as one more
    segment. ``clear_paths`` take DELETE. ``topics`` are below ``<root>/site`` or ``<root>/loadpoints/<id>``; ``/set``
    follows [M-1]. ``value_topics`` also take ``<spelling>/<value>/set`` [M-2]. ``state_topics`` are those of the
    topics on which the value is published besides ``key``. ``quantity`` begins the sentence of a range error.
    """

    name: str
    scope: Scope
    key: str
    spec: SettingSpec | None
    quantity: str
    summary: str
    example: str
    paths: tuple[str, ...] = ()
    clear_paths: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    value_topics: tuple[str, ...] = ()
    state_topics: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """What is accepted, in words."""
        if self.spec is None:
            return "a vehicle's number, name or title"
        match self.spec.kind:
            case Kind.MODE:
                return ", ".join(ChargeMode)
            case Kind.PHASES:
                return "0 (automatic), 1 or 3"
            case Kind.TIME:
                return "an RFC 3339 time in the future"
            case _:
                unit = f" {self.spec.unit}" if self.spec.unit else ""
                return f"{_number_text(self.spec.low)}..{_number_text(self.spec.high)}{unit}"


def _site(name: str, key: str, quantity: str, summary: str, example: str, path: str) -> Setting:
    return Setting(
        name=name,
        scope=Scope.SITE,
        key=key,
        spec=SPECS[Scope.SITE, name],
        quantity=quantity,
        summary=summary,
        example=example,
        paths=(path,),
        topics=(key,),
    )


def _loadpoint(
    name: str,
    key: str,
    quantity: str,
    summary: str,
    example: str,
    *paths: str,
    clear_paths: tuple[str, ...] = (),
    slashed: str | None = None,
    takes_value_in_topic: bool = False,
    aliases: tuple[str, ...] = (),
) -> Setting:
    slashed_topics = (slashed,) if slashed else ()
    return Setting(
        name=name,
        scope=Scope.LOADPOINT,
        key=key,
        spec=SPECS[Scope.LOADPOINT, name],
        quantity=quantity,
        summary=summary,
        example=example,
        paths=paths,
        clear_paths=clear_paths,
        topics=(key, *slashed_topics, *aliases),
        value_topics=(key, *slashed_topics) if takes_value_in_topic else (),
        state_topics=slashed_topics,
    )


def _vehicle(name: str, key: str, summary: str, path: str) -> Setting:
    return Setting(
        name=name,
        scope=Scope.VEHICLE,
        key=key,
        spec=SPECS[Scope.VEHICLE, name],
        quantity="soc",
        summary=summary,
        example="80",
        paths=(path,),
        topics=(key,),
    )


TABLE: tuple[Setting, ...] = (
    _site(
        "buffer_soc_pct", "bufferSoc", "soc", "Home battery may be used for charging above this SoC", "80", "buffersoc"
    ),
    _site(
        "buffer_start_soc_pct",
        "bufferStartSoc",
        "soc",
        "Home battery may start charging above this SoC",
        "95",
        "bufferstartsoc",
    ),
    _site("priority_soc_pct", "prioritySoc", "soc", "Home battery has priority below this SoC", "40", "prioritysoc"),
    _site(
        "residual_power_w",
        "residualPower",
        "power",
        "Grid set point: positive aims at that much export, negative tolerates import",
        "100",
        "residualpower",
    ),
    _loadpoint("mode", "mode", "mode", "Charge mode", "pv", "mode"),
    _loadpoint(
        "soc_min_pct",
        "minSoc",
        "soc",
        "Charge at full power below this vehicle SoC; 0 turns it off",
        "20",
        "minsoc",
    ),
    _loadpoint(
        "soc_target_pct",
        "targetSoc",
        "soc",
        "Stop at this vehicle SoC; 0 and 100 mean no limit",
        "80",
        "target/soc",
        "limitsoc",
        slashed="target/soc",
        takes_value_in_topic=True,
        aliases=("limitSoc",),
    ),
    _loadpoint(
        "energy_target_kwh",
        "targetEnergy",
        "energy",
        "Stop after this energy; 0 means none; acts without a vehicle or with one whose SoC is unknown",
        "10.5",
        "target/energy",
        "limitenergy",
        slashed="target/energy",
        takes_value_in_topic=True,
        aliases=("limitEnergy",),
    ),
    _loadpoint(
        "target_time",
        "targetTime",
        "time",
        "Time by which the goal is to be reached",
        "2035-03-07T06:00:00Z",
        "target/time",
        clear_paths=("target/time",),
        slashed="target/time",
        takes_value_in_topic=True,
    ),
    _loadpoint(
        "phases_configured",
        "phasesConfigured",
        "phases",
        "Phases to charge with; 0 lets the server choose (switchable charger only)",
        "3",
        "phases",
        aliases=("phases",),
    ),
    _loadpoint("current_min_a", "minCurrent", "current", "Lowest charge current per phase", "6", "mincurrent"),
    _loadpoint("current_max_a", "maxCurrent", "current", "Highest charge current per phase", "16", "maxcurrent"),
    _loadpoint(
        "enable_threshold_w",
        "enableThreshold",
        "threshold",
        "Grid power at which charging from surplus starts; negative is export",
        "-1300",
        "enable/threshold",
        slashed="enable/threshold",
        takes_value_in_topic=True,
    ),
    _loadpoint(
        "disable_threshold_w",
        "disableThreshold",
        "threshold",
        "Grid power at which charging from surplus stops",
        "200",
        "disable/threshold",
        slashed="disable/threshold",
        takes_value_in_topic=True,
    ),
    _loadpoint(
        "enable_delay",
        "enableDelay",
        "delay",
        "How long the enable threshold must hold",
        "60",
        "enable/delay",
        slashed="enable/delay",
    ),
    _loadpoint(
        "disable_delay",
        "disableDelay",
        "delay",
        "How long the disable threshold must hold",
        "180",
        "disable/delay",
        slashed="disable/delay",
    ),
    _loadpoint("priority", "priority", "priority", "Share of the surplus: higher is served first", "1", "priority"),
    _loadpoint(
        "smart_cost_limit",
        "smartCostLimit",
        "cost",
        "Charge at full power while the planner tariff is at or below this price",
        "0.15",
        "smartcostlimit",
        clear_paths=("smartcostlimit",),
    ),
    Setting(
        name="vehicle",
        scope=Scope.LOADPOINT,
        key="vehicle",
        spec=None,
        quantity="vehicle",
        summary="Vehicle at this loadpoint",
        example="1",
        paths=("vehicle",),
        clear_paths=("vehicle",),
        topics=("vehicle",),
    ),
    _vehicle("soc_min_pct", "minSoc", "Charge at full power below this SoC whenever this vehicle is active", "minsoc"),
    _vehicle("soc_target_pct", "limitSoc", "Stop at this SoC whenever this vehicle is active", "limitsoc"),
)

BY_NAME: Mapping[tuple[Scope, str], Setting] = MappingProxyType({(row.scope, row.name): row for row in TABLE})
BY_TOPIC: Mapping[tuple[Scope, str], Setting] = MappingProxyType(
    {(row.scope, topic): row for row in TABLE for topic in row.topics}
)
"""Every spelling below ``site`` or ``loadpoints/<id>`` (without ``/set``) to its setting [M-1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What reading a text needs to know. ``has_unset_words``: this channel (MQTT) also takes Unix seconds for times and
    clears by ``null``, ``none``, ``nil`` or ``-``; REST has DELETE for that."""

    site: SiteConfig
    has_unset_words: bool = False


def parse(setting: Setting, text: str, context: Context) -> Parsed:
    """Read ``text`` as a value of ``setting``, in range; raises `InvalidSetting` with a sentence for the client."""
    text = text.strip()
    if setting.spec is None:
        return find_vehicle(text, context)
    if setting.spec.needs == "battery" and not context.site.batteries:
        raise InvalidSetting(setting.key, text, setting.allowed, "battery not configured")
    match setting.spec.kind:
        case Kind.MODE:
            return _parse_mode(setting, text)
        case Kind.PHASES:
            return _parse_phases(setting, text)
        case Kind.TIME:
            return _parse_time(setting, text, context)
        case Kind.INTEGER:
            number = _in_range(setting, text)
            if number != int(number):
                raise _not_accepted(setting, text)
            return int(number)
        case Kind.DURATION:
            return timedelta(seconds=_in_range(setting, text))
        case Kind.OPTIONAL_NUMBER if context.has_unset_words and text.lower() in NO_VALUE_WORDS:
            return None
        case Kind.NUMBER | Kind.OPTIONAL_NUMBER:
            return _in_range(setting, text)


def request(setting: Setting, owner: Owner, value: Parsed) -> Request:
    """What to submit for a parsed ``value``; ``owner`` as in `Owner`."""
    match setting.scope:
        case Scope.SITE:
            return ChangeSiteSetting(setting.name, _plain(value))
        case Scope.LOADPOINT:
            if not isinstance(owner, int):
                raise TypeError("a loadpoint's setting needs its number")
            if setting.spec is None:
                return AssignVehicle(owner, value if isinstance(value, str) else None)
            return ChangeLoadpointSetting(owner, setting.name, _plain(value))
        case Scope.VEHICLE:
            if not isinstance(owner, str):
                raise TypeError("a vehicle's setting needs its name")
            return ChangeVehicleSetting(owner, setting.name, _plain(value))


def parse_flag(name: str, text: str) -> bool:
    """A truth value [API-11]; raises `InvalidSetting`."""
    match text.strip().lower():
        case "true" | "t" | "1":
            return True
        case "false" | "f" | "0":
            return False
        case _:
            raise InvalidSetting(name, text, "true or false", f"invalid value: {short(text)} (allowed: true, false)")


def find_vehicle(text: str, context: Context) -> str | None:
    """The configured name behind a number (from 1), a name or a title; None: remove, where the channel can say so."""
    vehicles = context.site.vehicles
    if context.has_unset_words and (text.lower() in NO_VALUE_WORDS or re.fullmatch(r"-\d+|0+", text)):
        return None
    if re.fullmatch(r"[0-9]{1,6}", text) and 1 <= int(text) <= len(vehicles):
        return vehicles[int(text) - 1].name
    for vehicle in vehicles:
        if text == vehicle.name:
            return vehicle.name
    for vehicle in vehicles:
        if text and text.lower() in (vehicle.title.lower(), vehicle.name.lower()):
            return vehicle.name
    raise InvalidSetting("vehicle", text, "a configured vehicle", f"vehicle not found: {short(text)}")


def parse_number(name: str, text: str) -> float:
    """A finite decimal number, with a point and an exponent if need be; raises `InvalidSetting`."""
    number = float(text) if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text) else math.nan
    if not math.isfinite(number):
        raise InvalidSetting(name, text, "a number", f"invalid value: {short(text)} (not a number)")
    return number + 0.0  # -0 is 0


_TIME = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})"
    r"(:(?P<second>[0-9]{2})([.,](?P<fraction>[0-9]{1,18}))?)?"
    r"(?P<zone>[Zz]|[ +-][0-9]{2}:?[0-9]{2})?"
)


def parse_time(name: str, text: str, zone: tzinfo) -> datetime:
    """A time in one of the forms of api 2.3, in UTC; local to ``zone`` when it names none. Raises `InvalidSetting`.

    A blank before the offset is what a ``+`` in a query string decodes to.
    """
    invalid = InvalidSetting(name, text, "an RFC 3339 time", f"invalid time: {short(text)} (expected RFC 3339)")
    found = _TIME.fullmatch(text)
    if found is None:
        raise invalid
    fraction = (found["fraction"] or "").ljust(6, "0")[:6]
    try:
        naive = datetime.fromisoformat(
            f"{found['date']}T{int(found['hour']):02}:{found['minute']}:{found['second'] or '00'}.{fraction}"
        )
        time = naive.replace(tzinfo=_offset(found["zone"], zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise invalid from None
    if not 1970 <= time.year <= 9998:
        raise invalid
    return time


def _offset(text: str | None, zone: tzinfo) -> tzinfo:
    if text is None:
        return zone
    if text in "Zz":
        return UTC
    digits = text[1:].replace(":", "")
    minutes = int(digits[2:])
    if minutes > 59:
        raise ValueError(text)
    offset = timedelta(hours=int(digits[:2]), minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)


def _parse_time(setting: Setting, text: str, context: Context) -> datetime | None:
    if context.has_unset_words:
        if text.lower() in NO_VALUE_WORDS:
            return None
        if re.fullmatch(r"[0-9]{1,11}", text):
            return datetime.fromtimestamp(int(text), UTC)
    return parse_time(setting.key, text, context.site.time_zone)


def _parse_mode(setting: Setting, text: str) -> ChargeMode:
    word = text.lower()
    if word == "smart":  # what `pv` is called since evcc 0.316
        return ChargeMode.PV
    try:
        return ChargeMode(word)
    except ValueError:
        raise _not_accepted(setting, text) from None


def _parse_phases(setting: Setting, text: str) -> int:
    number = parse_number(setting.key, text)
    if number not in (0, 1, 3):
        raise InvalidSetting(
            setting.key, text, setting.allowed, f"invalid number of phases: {short(text)} (allowed: {setting.allowed})"
        )
    return int(number)


def _in_range(setting: Setting, text: str) -> float:
    number = parse_number(setting.key, text)
    spec = setting.spec
    assert spec is not None
    if (spec.low is not None and number < spec.low) or (spec.high is not None and number > spec.high):
        raise InvalidSetting(
            setting.key,
            text,
            setting.allowed,
            f"{setting.quantity} out of range: {short(text)} (allowed: {setting.allowed})",
        )
    return number


def _not_accepted(setting: Setting, text: str) -> InvalidSetting:
    return InvalidSetting(
        setting.key, text, setting.allowed, f"invalid value: {short(text)} (allowed: {setting.allowed})"
    )


def _number_text(value: float | None) -> str:
    return "" if value is None else f"{value:.12g}"


def _plain(value: Parsed) -> SettingValue:
    if isinstance(value, str) and not isinstance(value, ChargeMode):
        raise TypeError(f"not a setting's value: {value!r}")
    return value
