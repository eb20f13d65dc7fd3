"""From a ``/set`` topic and its payload to a value of the settings table [M-1..M-7]; pure.

::

    <root>/site/<spelling>/set
    <root>/loadpoints/<id>/<spelling>/set              spelling: targetSoc, target/soc, limitSoc      [M-1]
    <root>/loadpoints/<id>/<spelling>/<value>/set      the payload wins, else the level is the value  [M-2]
    <root>/loadpoints/<id>/planEnergy/set              energy and time at once, in JSON
    <root>/vehicles/<name>/<spelling>/set              today's names
    <root>/site/operatorLimit/set                      no setting, it ends by itself
    <root>/site/batteryMode/set                        nor this
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from types import EllipsisType

from evcc_server.quoting import short
from evcc_server.settings import (
    BATTERY_MODE,
    BY_TOPIC,
    NO_VALUE_WORDS,
    OPERATOR_LIMIT,
    PLAN_ENERGY,
    Context,
    Owner,
    Parsed,
    Setting,
    energy_plan_in,
    parse,
    parse_battery_mode,
    parse_operator_limit,
)
from evcclib.commands import BatteryMode
from evcclib.errors import InvalidSetting, UnknownTarget
from evcclib.requests import Request
from evcclib.settings import FLAWS, Scope

SET = "set"
TEXT_LENGTH_MAX = 200
JSON_LENGTH_MAX = 4096


class UnknownTopic(LookupError):
    """A ``/set`` topic that names no setting; ``str(error)`` says what was wrong with it."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What a ``/set`` topic points at; ``level`` is the value in the topic, if there is one."""

    setting: Setting
    owner: Owner
    level: str | None = None


def command_filters(root: str) -> tuple[str, ...]:
    """The filters under which commands arrive [M-5]."""
    return (
        f"{root}/site/+/set",
        f"{root}/loadpoints/+/+/set",
        f"{root}/loadpoints/+/+/+/set",
        f"{root}/loadpoints/+/+/+/+/set",
        f"{root}/vehicles/+/+/set",
    )


def matches(topic: str, topic_filter: str) -> bool:
    """Whether ``topic`` falls under ``topic_filter`` by the rules of MQTT 3.1.1 [4.7]."""
    if topic.startswith("$") and topic_filter[:1] in ("+", "#"):
        return False
    levels = topic.split("/")
    wanted = topic_filter.split("/")
    for index, level in enumerate(wanted):
        if level == "#":
            return True
        if index >= len(levels) or level not in ("+", levels[index]):
            return False
    return len(wanted) == len(levels)


def is_filter(text: str) -> bool:
    """Whether ``text`` is a legal filter: wildcards fill whole levels, ``#`` comes last."""
    levels = text.split("/")
    return (
        bool(text)
        and "\0" not in text
        and all(level == "+" or "+" not in level for level in levels)
        and all("#" not in level or (level == "#" and index == len(levels) - 1) for index, level in enumerate(levels))
    )


def is_topic(text: str) -> bool:
    """Whether a client may use ``text`` as the topic of a message."""
    return bool(text) and not text.startswith("$") and not set("+#\0") & set(text)


def is_command(root: str, topic: str) -> bool:
    """Whether ``topic`` is one of those under which commands arrive."""
    return is_topic(topic) and any(matches(topic, wanted) for wanted in command_filters(root))


def aim(root: str, topic: str, context: Context) -> Aim:
    """What ``topic`` points at. Raises `UnknownTopic`, or `UnknownTarget` for a loadpoint or vehicle that is not there."""
    levels = topic.removeprefix(f"{root}/").split("/")
    if not topic.startswith(f"{root}/") or levels[-1] != SET:
        raise UnknownTopic("not a topic for settings")
    match levels[:-1]:
        case ["site", *spelling]:
            return _find(Scope.SITE, None, spelling)
        case ["loadpoints", number, *spelling]:
            return _find(Scope.LOADPOINT, _loadpoint(number, context), spelling)
        case ["vehicles", name, *spelling]:
            return _find(Scope.VEHICLE, _vehicle(name, context), spelling)
        case _:
            raise UnknownTopic("not a topic for settings")


def energy_planned_at(root: str, topic: str, context: Context) -> int | None:
    """The loadpoint whose energy and time ``topic`` sets at once; None: it is another topic. Raises `UnknownTarget`."""
    found = re.fullmatch(f"{re.escape(root)}/loadpoints/([^/]*)/{PLAN_ENERGY}/{SET}", topic)
    return None if found is None else _loadpoint(found[1], context)


def energy_plan(loadpoint: int, payload: bytes, context: Context) -> tuple[Request, ...] | EllipsisType:
    """What a command on such a topic asks for; ``...`` when it is none. Raises `InvalidSetting`."""
    text = _text(payload)
    return energy_plan_in(loadpoint, text, context) if text else ...


def is_operator_limit(root: str, topic: str) -> bool:
    """Whether ``topic`` is that of the grid operator's limit."""
    return topic == f"{root}/site/{OPERATOR_LIMIT}/{SET}"


def is_battery_mode(root: str, topic: str) -> bool:
    """Whether ``topic`` is where another energy manager says what home batteries do."""
    return topic == f"{root}/site/{BATTERY_MODE}/{SET}"


def battery_mode(payload: bytes) -> BatteryMode | EllipsisType | None:
    """What they are to do; None: nothing in particular, ``...`` when it is no command. Raises `InvalidSetting`."""
    text = _text(payload)
    return parse_battery_mode(text) if text else ...


def operator_limit(payload: bytes) -> tuple[float, timedelta] | EllipsisType | None:
    """The limit [W] that a command gives, and how long it stands; None: withdrawn, ``...`` when it is no command.

    Raises `InvalidSetting`.
    """
    text = _text(payload)
    if text.lower() in NO_VALUE_WORDS:
        return None
    return parse_operator_limit(text) if text else ...


def value(target: Aim, payload: bytes, context: Context) -> Parsed | EllipsisType:
    """The value that a command sets; ``...`` when it is none [M-7]. Raises `InvalidSetting` with a sentence."""
    spec = target.setting.spec
    text = _text(payload, JSON_LENGTH_MAX if spec is not None and spec.kind in FLAWS else TEXT_LENGTH_MAX)
    if target.level is None:
        return parse(target.setting, text, context) if text else ...
    try:
        return parse(target.setting, text, context)
    except InvalidSetting:
        return parse(target.setting, target.level, context)


def _find(scope: Scope, owner: Owner, spelling: list[str]) -> Aim:
    setting = BY_TOPIC.get((scope, "/".join(spelling)))
    if setting is not None:
        return Aim(setting, owner)
    setting = BY_TOPIC.get((scope, "/".join(spelling[:-1])))
    if setting is not None and "/".join(spelling[:-1]) in setting.value_topics:
        return Aim(setting, owner, spelling[-1])
    raise UnknownTopic("no such setting")


def _loadpoint(number: str, context: Context) -> int:
    if re.fullmatch(r"[1-9][0-9]{0,3}", number) and int(number) <= len(context.site.loadpoints):
        return int(number) - 1
    raise UnknownTarget(f"loadpoint not found: {short(number)}")


def _vehicle(name: str, context: Context) -> str:
    if any(vehicle.name == name for vehicle in context.site.vehicles):
        return name
    raise UnknownTarget(f"vehicle not found: {short(name)}")


def _text(payload: bytes, length_max: int = TEXT_LENGTH_MAX) -> str:
    """Trimmed, without one pair of surrounding quotes [M-6]; bytes that are no UTF-8 can't be a value and stay visible."""
    text = payload[:length_max].decode(errors="replace").strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1].strip()
    return text
