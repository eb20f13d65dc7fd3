"""Which topics exist and what is on them [API-25..API-44]; pure.

::

    <root>/status  <root>/updated  <root>/loadpoints
    <root>/site                    JSON document     <root>/site/<key>[/...]
    <root>/loadpoints/<id>         JSON document     <root>/loadpoints/<id>/<key>[/...]
                                                     and 2023's other spelling, <id>/target/soc
    <root>/vehicles                                  <root>/vehicles/<name>/<key>[/...]
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from evcc_server.mqtt.topics import SET
from evcc_server.settings import BATTERY_MODE, OPERATOR_LIMIT, Owner, Setting
from evcc_server.state.document import Document, Keys
from evcc_server.state.encode import Compat, dumps, mqtt, mqtt_extra, rest_keys
from evcc_server.state.hub import Key, Place
from evcc_server.state.values import Listing, Names, Records, Value
from evcc_server.state.vocabulary import OF_2023, Vocabulary

Entry = tuple[str, str]
"""A topic and its payload; an empty payload deletes the topic."""

RETIRED_KEYS = frozenset(
    {
        "activePhases", "range", "socCharge", "vehicleSoC", "batterySoC", "bufferSoC", "minSoC", "prioritySoC",
        "targetSoC", "vehicleTargetSoC",
    }
)  # fmt: skip
"""Names from before 2023 that may still lie retained on an outside broker [M-11]."""


def status(root: str, *, word: str) -> Entry:
    """Whether the server is there: ``online`` or ``offline``."""
    return f"{root}/status", word


def updated(root: str, utc: datetime) -> Entry:
    """When values were published last: Unix seconds."""
    return f"{root}/updated", str(int(utc.timestamp()))


def loadpoint_count(root: str, count: int) -> Entry:
    """How many loadpoints there are."""
    return f"{root}/loadpoints", str(count)


def vehicle_count(root: str, count: int) -> Entry:
    """How many vehicles there are."""
    return f"{root}/vehicles", str(count)


def place(root: str, where: Place) -> str:
    """The topic below which the values of a place are; loadpoints count from 0 and show from 1."""
    match where:
        case None:
            return f"{root}/site"
        case int():
            return f"{root}/loadpoints/{where + 1}"
        case str():
            return f"{root}/vehicles/{where}"


_NO_LEVEL = frozenset("/+#\0")
"""What a vehicle whose name is to be a level of a topic has not got in it."""


def value_entries(root: str, key: Key, value: Value, words: Vocabulary = OF_2023) -> Iterator[Entry]:
    """The topics of one value, the same under every spelling."""
    owner, name = key
    if (owner is None and name in words.off_mqtt) or (isinstance(owner, str) and _NO_LEVEL & set(owner)):
        return
    where = place(root, owner)
    for topic, payload in mqtt(name, value):
        yield f"{where}/{topic}", payload
    if isinstance(owner, int):
        for topic, payload in mqtt_extra(words.also_on.get(name, ()), name, value):
            yield f"{where}/{topic}", payload


def document_entries(root: str, document: Document, compat: Compat) -> Iterator[Entry]:
    """The JSON documents, in REST's encoding."""
    yield place(root, None), dumps(rest_keys(document.site, compat))
    for loadpoint, keys in enumerate(document.loadpoints):
        yield place(root, loadpoint), dumps(rest_keys(keys, compat))


def keys(document: Document) -> Iterator[tuple[Key, Value]]:
    """Every value with its place."""
    for name, value in document.site.items():
        yield (None, name), value
    for loadpoint, names in enumerate(document.loadpoints):
        for name, value in names.items():
            yield (loadpoint, name), value
    for vehicle, names in document.vehicles.items():
        for name, value in names.items():
            yield (vehicle, name), value


def setting_keys(setting: Setting, owner: Owner, words: Vocabulary = OF_2023) -> frozenset[Key]:
    """Where a setting's present value is shown, to be shown again after a refused command [M-10]."""
    return frozenset((owner, key) for key in words.keys_of(setting))


OPERATOR_LIMIT_KEYS: frozenset[Key] = frozenset(
    (None, f"{OPERATOR_LIMIT}{each}") for each in ("", "Source", "Reason", "Until")
)
"""Where the grid operator's limit is shown while there is one."""


BATTERY_MODE_KEYS: frozenset[Key] = frozenset({(None, BATTERY_MODE)})


def topics(root: str, document: Document, words: Vocabulary) -> frozenset[str]:
    """All that a generation's values and documents are published on."""
    found = {topic for key, value in keys(document) for topic, _ in value_entries(root, key, value, words)}
    if words.has_documents:
        found |= {place(root, loadpoint) for loadpoint in (None, *range(len(document.loadpoints)))}
    return frozenset(found)


def stale(
    root: str, document: Document, found: Iterable[str], passing: frozenset[str] = OF_2023.passing
) -> Iterator[str]:
    """Those of the retained topics ``found`` that an earlier configuration or version of ours has left behind [M-11]."""
    cars = {key: value for key, value in keys(document) if isinstance(key[0], str)}
    shown = {topic for key, value in cars.items() for topic, payload in value_entries(root, key, value) if payload}
    for topic in found:
        match topic.removeprefix(f"{root}/").split("/"):
            case ["loadpoints", number, *rest] if re.fullmatch(r"[1-9][0-9]*", number):
                if int(number) > len(document.loadpoints) or _is_gone(
                    document.loadpoints[int(number) - 1], rest, passing
                ):
                    yield topic
            case ["vehicles", name, key, *rest] if [key, *rest][-1] != SET:
                keys_there = document.vehicles.get(name)
                if keys_there is None or (key in keys_there and topic not in shown):
                    yield topic
            case ["site", *rest] if _is_gone(document.site, rest, passing):
                yield topic
            case ["site", ("pv" | "battery" | "vehicles") as name, number, *_] if re.fullmatch(r"[0-9]+", number):
                if not 1 <= int(number) <= _length(document.site.get(name)):
                    yield topic


def _is_gone(keys: Keys, levels: list[str], passing: frozenset[str]) -> bool:
    """Whether the topic ``levels`` was a key's that is retired, or that is not among ``keys`` now."""
    if not levels or levels[-1] == SET:  # a command that waits for us
        return False
    return levels[0] in RETIRED_KEYS or levels[0] in passing - keys.keys()


def _length(value: Value) -> int:
    return len(value.items) if isinstance(value, Records | Names | Listing) else 0
