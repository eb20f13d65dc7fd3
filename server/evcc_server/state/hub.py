"""The one store of published values, and the fan-out to those who watch them.

`Hub.publish` compares each new document with the last and puts what changed into one slot per key and watcher: a newer value
replaces one that has not been taken yet. So a slow watcher costs nothing and holds up nobody [R-5], and memory is bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import trio

from evcc_server.state.document import Document, Keys, Labels, LimitInForce
from evcc_server.state.reason_log import ReasonLog
from evcc_server.state.shown import Shown, Total
from evcc_server.state.values import Phases, Value
from evcc_server.state.vocabulary import OF_2023, VOCABULARIES, Vocabulary
from evcclib.model import Now, TariffKind
from evcclib.tariff import Rates
from evcclib.view import SiteView

Place = int | str | None
"""The 0-based loadpoint, the configured name of a vehicle, or None for the site."""
Key = tuple[Place, str]
"""A value's place, and its key there."""

MESSAGES_MAX = 100
NO_RATES: Final[Mapping[TariffKind, Rates]] = {}


class Level(StrEnum):
    """Kinds of log messages that clients are shown."""

    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Notice:
    """A log message for clients; not a value, so it is never part of a document [S-3]."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class News:
    """What a watcher has not seen yet. A value of None may also mean that its key is gone."""

    values: Mapping[Key, Value]
    messages: tuple[Notice, ...]


class Subscription:
    """One watcher's slots. The first `wait` returns the whole document at once; later ones what came since."""

    def __init__(self, snapshot: Document | None, *, repeats_measurements: bool) -> None:
        self._values: dict[Key, Value] = dict(_flat(snapshot))
        self._messages: deque[Notice] = deque(maxlen=MESSAGES_MAX)
        self._arrived = trio.Event()
        self._has_ended = False
        self.repeats_measurements = repeats_measurements
        if self._values:
            self._arrived.set()

    async def wait(self) -> News:
        """The next news; waits until there is some. Raises `trio.EndOfChannel` after `end`."""
        while not self._arrived.is_set():
            await self._arrived.wait()
        if self._has_ended:
            raise trio.EndOfChannel
        return self.take()

    def end(self) -> None:
        """There will be no more news: whoever waits need not."""
        self._has_ended = True
        self._arrived.set()

    def take(self) -> News:
        """Whatever there is, at once; maybe nothing."""
        news = News(self._values, tuple(self._messages))
        self._values = {}
        self._messages.clear()
        taken, self._arrived = self._arrived, trio.Event()
        taken.set()  # whoever waits on it looks again, and waits on the new one
        return news

    def offer(self, values: Mapping[Key, Value], messages: tuple[Notice, ...] = ()) -> None:
        """Called by the hub: never waits."""
        self._values.update(values)
        self._messages.extend(messages)
        if self._values or self._messages:
            self._arrived.set()


class Hub:
    """Holds the newest `Document`; its watchers learn of every change. How ``reasons`` have changed is told on demand only."""

    def __init__(self, labels: Labels, reasons: ReasonLog | None = None, *, words: Vocabulary = OF_2023) -> None:
        self.labels = labels
        self.words = words
        self.totals: Mapping[str, Total] = {}
        self.reasons = reasons or ReasonLog()
        self._document: Document | None = None
        self._shown: Shown | None = None
        self._version = 0
        self.cycled = trio.Event()
        """Set when the first control cycle has ended: before, what is measured is not known, though devices may be there."""
        self._subscriptions: set[Subscription] = set()

    @property
    def snapshot(self) -> Document:
        """The newest document. Raises LookupError before the first `publish`."""
        if self._document is None:
            raise LookupError("nothing has been published yet")
        return self._document

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been published yet."""
        return self._document is None

    @property
    def version(self) -> int:
        """Counts the documents; equal numbers mean the same `snapshot`."""
        return self._version

    def publish(
        self,
        view: SiteView,
        now: Now,
        *,
        limit: LimitInForce | None = None,
        rates: Mapping[TariffKind, Rates] = NO_RATES,
        is_cycle: bool = True,
    ) -> None:
        """Make ``view``, taken at ``now``, the newest state, with the grid operator's ``limit`` and price lists; returns at once.

        ``is_cycle``: a control cycle has ended, so measurements are news even when they have not moved, for those
        watchers that want to know [M-12]; else only what differs is.
        """
        self.reasons.note(view, now)
        self._shown = Shown(view, self.labels, now, limit, rates, self.totals)
        self.replace(self.words.document(self._shown), is_cycle=is_cycle)

    def in_other_words(self) -> Iterator[tuple[Vocabulary, Document]]:
        """The newest state as other generations of clients would be shown it."""
        if self._shown is not None:
            for words in VOCABULARIES.values():
                if words is not self.words:
                    yield words, words.document(self._shown)

    def replace(self, newest: Document, *, is_cycle: bool = False) -> None:
        """`publish` for a finished document."""
        changed = _changes(self._document, newest)
        if changed or self._document is None:
            self._document = newest
            self._version += 1
        if is_cycle:
            self.cycled.set()
        repeated = changed
        if is_cycle and any(subscription.repeats_measurements for subscription in self._subscriptions):
            repeated = _measurements(newest, self.words.on_change)
            repeated.update(changed)
        for subscription in self._subscriptions:
            news = repeated if subscription.repeats_measurements else changed
            if news:
                subscription.offer(news)

    def tell(self, level: Level, text: str) -> None:
        """Pass a log message to every watcher."""
        for subscription in self._subscriptions:
            subscription.offer({}, (Notice(level, text),))

    @contextmanager
    def subscribe(self, *, repeats_measurements: bool = False) -> Iterator[Subscription]:
        """Watch from now on; the whole document comes first, in one piece."""
        subscription = Subscription(self._document, repeats_measurements=repeats_measurements)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)


def _flat(snapshot: Document | None) -> Iterator[tuple[Key, Value]]:
    if snapshot is None:
        return
    for key, value in snapshot.site.items():
        yield (None, key), value
    for loadpoint, keys in enumerate(snapshot.loadpoints):
        for key, value in keys.items():
            yield (loadpoint, key), value
    for vehicle, keys in snapshot.vehicles.items():
        for key, value in keys.items():
            yield (vehicle, key), value


def _measurements(snapshot: Document, on_change: frozenset[str]) -> dict[Key, Value]:
    found: dict[Key, Value] = {(None, key): value for key, value in snapshot.site.items() if key not in on_change}
    for place, keys in enumerate(snapshot.loadpoints):
        found.update({(place, key): value for key, value in keys.items() if key not in on_change})
    return found


_GONE: Final = object()
_NOTHING: Final[Keys] = {}
_NO_VEHICLES: Final[Mapping[str, Keys]] = {}


def _changes(old: Document | None, new: Document) -> dict[Key, Value]:
    """What differs; None for keys that are gone. Most values are the same objects as before: only the rest is compared."""
    changed: dict[Key, Value] = {}
    places: list[tuple[Place, Keys, Keys]] = [(None, _NOTHING if old is None else old.site, new.site)]
    before = () if old is None else old.loadpoints
    for loadpoint in range(max(len(before), len(new.loadpoints))):
        were = before[loadpoint] if loadpoint < len(before) else _NOTHING
        are = new.loadpoints[loadpoint] if loadpoint < len(new.loadpoints) else _NOTHING
        places.append((loadpoint, were, are))
    cars = _NO_VEHICLES if old is None else old.vehicles
    places += [
        (vehicle, cars.get(vehicle, _NOTHING), new.vehicles.get(vehicle, _NOTHING))
        for vehicle in {**cars, **new.vehicles}
        if cars.get(vehicle) is not new.vehicles.get(vehicle)
    ]
    for place, were, are in places:
        before_of = were.get
        for key, value in are.items():
            was = before_of(key, _GONE)
            if was is not value and not _same(was, value):
                changed[place, key] = value
        if were.keys() != are.keys():
            changed.update({(place, key): None for key in were if key not in are})
    return changed


def _same(old: object, new: Value) -> bool:
    """Equal and of one type: 1 and True, or 0 and 0.0, look different on the wire. Two NaN are the same."""
    if type(old) is not type(new):
        return False
    if isinstance(old, Phases) and isinstance(new, Phases):
        return all(_same(one, other) for one, other in zip(old.values, new.values, strict=True))
    return old == new or (old != old and new != new)
