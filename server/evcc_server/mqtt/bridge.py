"""Between the hub, the gateway and an MQTT link: publishes what changes, carries out what ``/set`` topics ask for.

::

    hub --news--> publish (updated, values)                     link --Received--> parse -> gateway.submit
        \\-dirty-> publish (JSON documents, once a second)            --Connected-> publish everything, then "online"

All publishing is synchronous and never waits [R-5]; so no two tasks ever interleave inside one publication.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from types import NoneType
from typing import NamedTuple

import trio

from evcc_server.clock import Clock
from evcc_server.errors import StoreError
from evcc_server.gateway import Gateway
from evcc_server.mqtt import tree
from evcc_server.mqtt.broker_link import BrokerLink, Connected, MqttOptions, Publication, Received
from evcc_server.mqtt.topics import (
    Aim,
    UnknownTopic,
    aim,
    battery_mode,
    energy_plan,
    energy_planned_at,
    is_battery_mode,
    is_operator_limit,
    operator_limit,
    value,
)
from evcc_server.quoting import quoted
from evcc_server.settings import ENERGY_PLAN_KEYS, Context, Parsed, parse, request
from evcc_server.state.encode import is_scalar, mqtt, mqtt_scalar
from evcc_server.state.hub import Hub, Key, News, Subscription
from evcc_server.state.values import Counter, Names, Phases, Slots, Unset, Value
from evcclib.config import SiteConfig
from evcclib.errors import InvalidSetting, UnknownTarget
from evcclib.requests import CommandBatteries

log = logging.getLogger("evcc_server.mqtt")

DOCUMENT_PERIOD_S = 1.0
UPDATED_PERIOD_S = 1.0
GIVER = "mqtt"
OWN_CLEAR_S = 5.0
CLEARED_MAX = 1000


class _Shown(NamedTuple):
    """A value and what was made of it; most values come again unchanged in the next cycle."""

    value: Value
    publications: tuple[Publication, ...]


_IMMUTABLE = frozenset({bool, float, int, str, datetime, timedelta, Counter, Phases, Names, Slots, Unset, NoneType})


def _looks_same(old: Value, new: Value) -> bool:
    """Whether both certainly have the same topics and payloads; what nests other values is not looked into."""
    kind = type(new)
    return old is new or (type(old) is kind and kind in _IMMUTABLE and old == new)


class Bridge:
    """Serves one link. `run` it beside the link's own task."""

    def __init__(
        self, link: BrokerLink, options: MqttOptions, *, gateway: Gateway, hub: Hub, clock: Clock, site: SiteConfig
    ) -> None:
        self._link = link
        self._root = options.root
        self._has_json = options.has_json and hub.words.has_documents
        self._compat = options.compat
        self._gateway = gateway
        self._hub = hub
        self._words = hub.words
        self._clock = clock
        self._context = Context(site=site, has_unset_words=True)
        self._is_connected = False
        self._is_announced = False
        self._shown: dict[Key, _Shown] = {}
        self._known: set[str] = set()
        self._documents: dict[str, str] = {}
        self._documents_due = trio.Event()
        self._updated_s = -math.inf
        self._cleared_s: dict[str, float] = {}

    async def run(self) -> None:
        """Serve until cancelled; then say ``offline`` and see that it gets out."""
        try:
            with self._hub.subscribe(repeats_measurements=True) as subscription:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._follow_hub, subscription)
                    nursery.start_soon(self._follow_link)
                    if self._has_json:
                        nursery.start_soon(self._publish_documents)
        finally:
            with trio.CancelScope(shield=True):
                self._publish(tree.status(self._root, word="offline"))
                await self._link.flush()

    # Values out

    async def _follow_hub(self, subscription: Subscription) -> None:
        while True:
            news = await subscription.wait()
            if self._is_connected and not self._is_announced:
                self._announce()
                self._publish_messages(news)
            elif self._is_connected:
                self._publish_news(news)

    def _announce(self) -> None:
        """Publish everything, ``online`` last; the broker may know nothing.

        Not before the first cycle: an empty payload says that a device is silent, not that it was not asked yet.
        """
        if not self._hub.cycled.is_set():
            return
        document = self._hub.snapshot
        self._publish(tree.loadpoint_count(self._root, len(document.loadpoints)))
        self._updated_s = -math.inf
        self._publish_updated()
        self._publish(tree.vehicle_count(self._root, len(document.vehicles)))
        self._shown.clear()
        for key, each in tree.keys(document):
            self._publish_value(key, each)
        present = {publication.topic for shown in self._shown.values() for publication in shown.publications}
        for topic in sorted(self._known - present):
            self._publish((topic, ""))  # gone, maybe while there was no connection
        self._documents.clear()
        self._publish_changed_documents()
        self._publish(tree.status(self._root, word="online"))
        self._is_announced = True

    def _publish_news(self, news: News) -> None:
        if news.values:
            self._publish_updated()
            shown_by_key, publish = self._shown, self._link.publish
            for key, each in news.values.items():
                shown = shown_by_key.get(key)
                if shown is None or not (shown.value is each or _looks_same(shown.value, each)):
                    self._publish_value(key, each)
                    continue
                for publication in shown.publications:
                    publish(publication)
            self._documents_due.set()
        self._publish_messages(news)

    def _publish_messages(self, news: News) -> None:
        for message in news.messages:
            topic = f"{tree.place(self._root, None)}/{message.level.value}"
            self._link.publish(Publication(topic, message.text.encode(), is_retained=False))

    def _publish_value(self, key: Key, each: Value) -> None:
        """Publish one value, and delete those of its topics that the new value no longer has."""
        shown = self._shown.get(key)
        if shown is None or not _looks_same(shown.value, each):
            shown = self._shown[key] = self._made_of(key, each, shown)
        for publication in shown.publications:
            self._link.publish(publication)

    def _made_of(self, key: Key, each: Value, before: _Shown | None) -> _Shown:
        """The publications of a value; topics that ``before`` had and it has not are deleted."""
        if before is not None and len(before.publications) == 1 and is_scalar(each) and is_scalar(before.value):
            return _Shown(each, (Publication(before.publications[0].topic, mqtt_scalar(each).encode()),))
        if before is not None and isinstance(each, Phases) and isinstance(before.value, Phases):
            texts = [text for _, text in mqtt(key[1], each)]
            if len(texts) == len(before.publications):
                pairs = zip(before.publications, texts, strict=True)
                return _Shown(each, tuple(Publication(old.topic, text.encode()) for old, text in pairs))
        entries = dict(tree.value_entries(self._root, key, each, self._words))
        if before is not None:
            for topic in sorted({old.topic for old in before.publications} - entries.keys()):
                self._publish((topic, ""))
        self._known.update(entries)
        return _Shown(each, tuple(Publication(topic, text.encode()) for topic, text in entries.items()))

    def _publish_updated(self) -> None:
        now_s = trio.current_time()
        if now_s - self._updated_s >= UPDATED_PERIOD_S:
            self._updated_s = now_s
            self._publish(tree.updated(self._root, self._clock.utc()))

    async def _publish_documents(self) -> None:
        while True:
            await self._documents_due.wait()
            self._documents_due = trio.Event()
            if self._is_announced:
                self._publish_changed_documents()
            await trio.sleep(DOCUMENT_PERIOD_S)

    def _publish_changed_documents(self) -> None:
        if not self._has_json:
            return
        for topic, payload in tree.document_entries(self._root, self._hub.snapshot, self._compat):
            if self._documents.get(topic) != payload:
                self._documents[topic] = payload
                self._publish((topic, payload))

    def _publish(self, entry: tree.Entry) -> None:
        topic, payload = entry
        self._link.publish(Publication(topic, payload.encode()))

    # Commands in

    async def _follow_link(self) -> None:
        async with trio.open_nursery() as nursery:
            while True:
                match await self._link.receive():
                    case Connected():
                        self._is_connected = True
                        self._is_announced = False
                        self._announce()
                        nursery.start_soon(self._erase_stale)
                    case Received(topic, payload):
                        await self._obey(topic, payload)

    async def _erase_stale(self) -> None:
        kinds = ("site", "loadpoints", "vehicles")
        found = await self._link.retained(tuple(f"{self._root}/{kind}/#" for kind in kinds))
        if found:
            await self._hub.cycled.wait()
            document = self._hub.snapshot
            stale = {*tree.stale(self._root, document, found, self._words.passing)}
            stale |= self._topics_of_others() & set(found)
            self._erase(sorted(stale))

    def _topics_of_others(self) -> frozenset[str]:
        """What another generation of clients would be shown, and ours is not: the owner has changed ``api: compat``."""
        others = [tree.topics(self._root, each, words) for words, each in self._hub.in_other_words()]
        return frozenset[str]().union(*others) - tree.topics(self._root, self._hub.snapshot, self._words)

    def _erase(self, topics: Iterable[str]) -> None:
        for topic in topics:
            log.info("MQTT: %s is left over from earlier and deleted", topic)
            self._publish((topic, ""))

    async def _obey(self, topic: str, payload: bytes) -> None:
        """Carry out one command; whatever comes of it, nothing of it stays on the broker [M-8, M-10]."""
        if not payload and self._was_cleared(topic):
            return
        shown: frozenset[Key] = frozenset()
        try:
            if is_operator_limit(self._root, topic):
                shown = tree.OPERATOR_LIMIT_KEYS
                is_command = await self._limit(payload)
            elif is_battery_mode(self._root, topic):
                shown = tree.BATTERY_MODE_KEYS
                is_command = await self._command_batteries(payload)
            elif (loadpoint := energy_planned_at(self._root, topic, self._context)) is not None:
                shown = frozenset((loadpoint, key) for key in ENERGY_PLAN_KEYS)
                is_command = await self._plan_energy(loadpoint, payload)
            else:
                target = aim(self._root, topic, self._context)
                shown = tree.setting_keys(target.setting, target.owner, self._words)
                is_command = await self._set(target, payload)
            if not is_command and not payload:
                return  # nothing was asked for, and nothing lies there
        except (InvalidSetting, UnknownTarget, UnknownTopic) as error:
            text = payload.decode(errors="replace")
            log.warning("MQTT: %s with %s is ignored: %s", quoted(topic), quoted(text), _on_one_line(str(error)))
            self._show_again(shown)
        except StoreError as error:
            log.error("MQTT: %s can't be stored, nothing is changed: %s", quoted(topic), error)
            self._show_again(shown)
        except Exception:  # a defect that one command meets must not end the server
            log.exception("MQTT: %s with %s failed", quoted(topic), quoted(payload.decode(errors="replace")))
            self._show_again(shown)
        self._clear(topic)

    async def _limit(self, payload: bytes) -> bool:
        """Give or withdraw the grid operator's limit; whether ``payload`` is a command."""
        match operator_limit(payload):
            case None:
                await self._gateway.unlimit(GIVER)
            case (power_w, lasts):
                await self._gateway.limit(GIVER, power_w, lasts)
            case _:
                return False
        return True

    async def _command_batteries(self, payload: bytes) -> bool:
        """Say what the home batteries do; whether ``payload`` is a command."""
        mode = battery_mode(payload)
        if mode is ...:
            return False
        await self._gateway.submit(CommandBatteries(mode))
        return True

    async def _plan_energy(self, loadpoint: int, payload: bytes) -> bool:
        """Set or take away an energy and its time; whether ``payload`` is a command."""
        requests = energy_plan(loadpoint, payload, self._context)
        if requests is ...:
            return False
        await self._gateway.submit(*requests)
        return True

    async def _set(self, target: Aim, payload: bytes) -> bool:
        """Change a setting; whether ``payload`` is a command."""
        wanted = value(target, payload, self._context)
        if wanted is ...:
            return False
        await self._submit(target, wanted)
        return True

    async def _submit(self, target: Aim, wanted: Parsed) -> None:
        try:
            await self._gateway.submit(request(target.setting, target.owner, wanted))
        except InvalidSetting:
            if target.level is None:
                raise
            # What the home refuses, such as a time past, is no value either: the topic has the word [M-2].
            named = parse(target.setting, target.level, self._context)
            await self._gateway.submit(request(target.setting, target.owner, named))

    def _show_again(self, shown: frozenset[Key]) -> None:
        """Publish the values that still hold, so that an optimistic interface falls back to them."""
        if not self._is_announced:
            return
        for key, each in tree.keys(self._hub.snapshot):
            if key in shown:
                self._publish_value(key, each)

    def _clear(self, topic: str) -> None:
        if len(self._cleared_s) >= CLEARED_MAX:
            self._cleared_s.clear()
        self._cleared_s[topic] = trio.current_time()
        self._publish((topic, ""))

    def _was_cleared(self, topic: str) -> bool:
        """Whether an empty message on ``topic`` is the echo of our own clearing."""
        cleared_s = self._cleared_s.get(topic)
        return cleared_s is not None and trio.current_time() - cleared_s < OWN_CLEAR_S


def _on_one_line(text: str) -> str:
    """A client's own words may be in it, and a log line must not be forged."""
    return "".join(character if character.isprintable() else "?" for character in text)
