"""The grid operator's limits, whoever gives them: the lowest counts.

    given   over REST or MQTT: stands until it expires, and is on the disk before anybody is told
    heard   from a source of the configuration: an answer stands for the source's ``expiry``; a source that has been silent
            for longer, or has not spoken since the start, has its fall-back, until it speaks

Each limit is one for all loadpoints together, as `evcclib.readings.OperatorLimit` is.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self

import trio

from evcc_server.keeping.store import Snapshot, Store
from evcc_server.settings import OPERATOR_LIMIT_LASTS_MAX, OPERATOR_LIMIT_MAX_W
from evcc_server.state.document import LimitInForce, LimitReason
from evcclib.model import Now
from evcclib.readings import OperatorLimit
from evcclib.units import Instant

_log = logging.getLogger(__name__)

SNAPSHOT = "operator limits"
"""Name of what is stored."""
FALLBACK_HOLDS = timedelta(hours=1)
"""What the library is told of a fall-back: it is said again at every step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What the owner has said of a configured source; ``fallback_w`` None: no limit while it is silent."""

    expiry: timedelta
    fallback_w: float | None


class _Given(NamedTuple):
    power_w: float
    lasts: timedelta
    expires_at: Instant
    expires_utc: datetime


class _Heard(NamedTuple):
    power_w: float | None
    at: Instant


class OperatorLimits:
    """All limits there are; made by `restored`."""

    def __init__(self, store: Store, sources: Mapping[str, Source], given: Mapping[str, _Given]) -> None:
        self._store = store
        self._sources = sources
        self._given = given
        self._heard: dict[str, _Heard] = {}
        self._writing = trio.Lock()

    @classmethod
    async def restored(cls, store: Store, sources: Mapping[str, Source], now: Now) -> Self:
        """Those that were given before the server went, as far as they have not expired meanwhile. Raises `StoreError`."""
        stored = await store.load_snapshot(SNAPSHOT)
        given = {}
        for giver, kept in ({} if stored is None else stored[0]).items():
            try:
                given[giver] = _read(kept, now)
            except (KeyError, TypeError, ValueError) as error:
                _log.warning("a stored limit of the grid operator is dropped: %s: %r", giver, error)
        return cls(store, sources, given)

    async def give(self, giver: str, power_w: float, lasts: timedelta, now: Now) -> None:
        """Take in a limit in place of the giver's last one. Raises `StoreError`, and then it is not given."""
        await self._write(giver, _Given(power_w, lasts, now.instant + lasts, now.utc + lasts), now)

    async def withdraw(self, giver: str, now: Now) -> None:
        """Forget the giver's limit. Raises `StoreError`, and then it stands."""
        await self._write(giver, None, now)

    def hear(self, source: str, power_w: float | None, at: Instant) -> bool:
        """Take in an answer of a source, None if it gives no limit; whether it says another thing than before."""
        before = self._heard.get(source)
        self._heard[source] = _Heard(power_w, at)
        return before is None or before.power_w != power_w

    def in_force(self, instant: Instant) -> LimitInForce | None:
        """The lowest; of equal ones that which stands longest."""
        return min(self._standing(instant), key=_lowest_longest, default=None)

    def reading(self, instant: Instant) -> OperatorLimit | None:
        """What the library is told."""
        limit = self.in_force(instant)
        if limit is None:
            return None
        return OperatorLimit(power_w=limit.power_w, expires_at=limit.expires_at or instant + FALLBACK_HOLDS)

    def _standing(self, instant: Instant) -> Iterator[LimitInForce]:
        for giver, given in self._given.items():
            if instant < given.expires_at:
                yield LimitInForce(given.power_w, giver, LimitReason.GIVEN, given.expires_at)
        for name, source in self._sources.items():
            heard = self._heard.get(name)
            if heard is not None and instant < heard.at + source.expiry:
                if heard.power_w is not None:
                    yield LimitInForce(heard.power_w, name, LimitReason.GIVEN, heard.at + source.expiry)
            elif source.fallback_w is not None:
                yield LimitInForce(source.fallback_w, name, LimitReason.SILENT, None)

    async def _write(self, giver: str, given: _Given | None, now: Now) -> None:
        async with self._writing:
            wanted = {name: each for name, each in self._given.items() if now.instant < each.expires_at}
            wanted.pop(giver, None)
            if given is not None:
                wanted[giver] = given
            if wanted != self._given:
                document = {name: _written(each) for name, each in wanted.items()}
                await self._store.save(snapshots=[Snapshot(SNAPSHOT, document, now.utc)])
                self._given = wanted


def _lowest_longest(limit: LimitInForce) -> tuple[float, bool, timedelta]:
    expires_at = limit.expires_at
    return (limit.power_w, expires_at is not None, timedelta(0) if expires_at is None else -expires_at)


def _written(given: _Given) -> dict[str, object]:
    return {
        "power_w": given.power_w,
        "lasts_s": given.lasts.total_seconds(),
        "expires": given.expires_utc.astimezone(UTC).isoformat(),
    }


def _read(kept: object, now: Now) -> _Given:
    """Raises KeyError, TypeError or ValueError."""
    if not isinstance(kept, dict):
        raise TypeError(kept)
    power_w, lasts = float(kept["power_w"]), timedelta(seconds=float(kept["lasts_s"]))
    expires_utc = datetime.fromisoformat(kept["expires"])
    if not (0 <= power_w <= OPERATOR_LIMIT_MAX_W and timedelta(0) < lasts <= OPERATOR_LIMIT_LASTS_MAX):
        raise ValueError(kept)
    # a clock that has been set back makes it no longer than it was given for
    left = min(expires_utc - now.utc, lasts)
    return _Given(power_w, lasts, now.instant + left, now.utc + left)
