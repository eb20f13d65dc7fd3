"""Price lists and forecasts kept fresh: fetch hourly, say so when a provider has been silent for more than two hours [TAR-8].

One task for each, so that a provider that hangs does not age the others' lists. A tariff that has never answered has no list at
all. Who refuses (a wrong key, asked too often) is asked ever more rarely, up to once an hour, or when it wants to be; who is only
out of reach every five minutes. Lists of providers who count requests are on the disk, and count after a restart.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean

import anyio

from evcc_server.blocking import RunBlocking, in_thread
from evcc_server.clock import Clock
from evcc_server.config.model import Config
from evcc_server.errors import DeviceError, DeviceRefused, StoreError
from evcc_server.keeping.store import Snapshot, Store
from evcc_server.secrets import redact
from evcc_server.tariffs.kept import from_document, to_document
from evcc_server.tariffs.price_list import HOUR, PriceListError
from evcc_server.tariffs.roof_past import HourMeans, RoofPast
from evcc_server.tariffs.source import Fetched, Lists, Source, Surroundings, explained
from evcc_server.tariffs.sources import sources_of
from evcc_server.tariffs.sun_sources import clear_power, clear_sky_roofs
from evcc_server.wiring.factory import Devices
from evcc_server.wiring.site import time_zone
from evcclib.errors import InvalidReadings
from evcclib.model import TariffKind
from evcclib.tariff import Rates
from evcclib.units import Instant

_log = logging.getLogger(__name__)

RETRY = timedelta(minutes=5)
RETRY_AFTER_REFUSAL_MAX = timedelta(hours=1)
RETRY_AFTER_MAX = timedelta(hours=24)
"""Whatever a provider asks for."""
JITTER = 0.2
"""Share of a pause after a failure that chance may take away, so that not all homes come back at once."""
LOOK_AT_THE_ROOF = timedelta(minutes=1)
ROOF_SNAPSHOT = "roof"

FAILURES = (DeviceError, PriceListError, InvalidReadings)
"""What fetching raises on an ordinary bad day."""
Sink = Callable[[Lists], None]


@dataclass(frozen=True, slots=True)
class _Known:
    lists: Lists
    fetched_at: Instant
    lasts: timedelta


class TariffService:
    """Keeps the configured lists of ``config``, fetched by the plugins of ``devices``.

    ``store``: where lists outlive a restart. ``chance``: a number from 0 to 1, anew each time. ``pv_power_w``: what all roofs
    give now, for a forecast of our own.
    """

    def __init__(
        self,
        config: Config,
        devices: Devices,
        *,
        clock: Clock,
        store: Store | None = None,
        run_blocking: RunBlocking | None = None,
        chance: Callable[[], float] = lambda: 0.0,
        pv_power_w: Callable[[], float | None] | None = None,
    ) -> None:
        self._clock, self._store, self._chance, self._pv_power_w = clock, store, chance, pv_power_w
        self._known: dict[TariffKind, _Known] = {}
        self._told: dict[TariffKind, frozenset[str]] = {}
        self._past = RoofPast()
        self._roofs = clear_sky_roofs(config.tariffs.solar)
        around = Surroundings(
            currency=config.tariffs.currency,
            zone=time_zone(config),
            plugins=devices.plugins,
            run_blocking=run_blocking or in_thread(),
            past=lambda: self._past,
        )
        self._sources = sources_of(config.tariffs, around)

    async def run(self, sink: Sink) -> None:
        """Fetch for ever; ``sink`` gets all lists after each try. Provider failures are logged, never raised."""
        if self._roofs:
            await self._restore_past()
        async with anyio.create_task_group() as group:
            for kind, source in self._sources.items():
                group.start_soon(self._keep, kind, source, sink)
            if self._roofs and self._pv_power_w is not None:
                group.start_soon(self._watch_the_roof, self._pv_power_w)

    @property
    def kinds(self) -> tuple[TariffKind, ...]:
        """What is configured."""
        return tuple(self._sources)

    def rates(self) -> Lists:
        """The lists as they are now, each marked when it is outdated."""
        now = self._clock.instant()
        return {kind: _aged(rates, known, now) for known in self._known.values() for kind, rates in known.lists.items()}

    async def fetch(self, kind: TariffKind) -> Fetched:
        """One try, as `run` does it, of one of `kinds`. Raises `FAILURES`."""
        return await self._sources[kind].fetch(self._clock.utc())

    async def _keep(self, kind: TariffKind, source: Source, sink: Sink) -> None:
        failures = 0
        pause = await self._restore(kind, source)
        if pause:
            sink(self.rates())
            await anyio.sleep(pause.total_seconds())
        while True:
            try:
                fetched = await source.fetch(self._clock.utc())
            except FAILURES as error:
                if not failures:
                    _log.warning("tariff %s: %s", kind, redact(explained(error)))
                failures += 1
                pause = self._pause_after(error, failures, kind)
                sink(self.rates())
            else:
                if failures:
                    _log.warning("tariff %s: answers again", kind)
                failures = 0
                self._known[kind] = _Known(fetched.lists, self._clock.instant(), source.lasts)
                self._tell(kind, fetched)
                pause = source.refresh
                sink(self.rates())
                if source.keep_as:
                    await self._save(kind, to_document(fetched.lists, keep_as=source.keep_as))
            await anyio.sleep(pause.total_seconds())

    def _tell(self, kind: TariffKind, fetched: Fetched) -> None:
        """What is odd about a list is said once, until it is so no more."""
        found = frozenset(fetched.oddities)
        for text in fetched.oddities:
            if text not in self._told.get(kind, frozenset()):
                _log.warning("tariff %s: %s", kind, text)
        self._told[kind] = found

    def _pause_after(self, error: Exception, failures: int, kind: TariffKind) -> timedelta:
        """Until the next try, or until just after the list becomes outdated, so that this is seen at once."""
        pause = pause_after(error, failures) * (1 - JITTER * self._chance())
        known = self._known.get(kind)
        if known is None:
            return pause
        remaining = known.fetched_at + known.lasts - self._clock.instant() + timedelta(milliseconds=1)
        return min(pause, remaining) if remaining > timedelta(0) else pause

    # -- on the disk ---------------------------------------------------------------------------------------------------

    async def _restore(self, kind: TariffKind, source: Source) -> timedelta:
        """Take in the list that was kept, if it is this tariff's and still counts; how long until the next is due."""
        kept = await self._load(_snapshot(kind)) if source.keep_as else None
        if kept is None:
            return timedelta(0)
        document, saved = kept
        age = self._clock.utc() - saved
        try:
            lists = from_document(document, keep_as=source.keep_as)
        except ValueError as error:
            _log.warning("tariff %s: what was kept of it is dropped: %s", kind, error)
            return timedelta(0)
        if lists is None or not timedelta(0) <= age < source.lasts:
            return timedelta(0)
        self._known[kind] = _Known(lists, Instant(self._clock.instant() - age), source.lasts)
        return max(timedelta(0), source.refresh - age)

    async def _load(self, name: str) -> tuple[dict[str, object], datetime] | None:
        if self._store is None:
            return None
        try:
            return await self._store.load_snapshot(name)
        except StoreError as error:
            _log.warning("%s cannot be read from the disk: %s", name, error)
            return None

    async def _save(self, kind: TariffKind | str, document: dict[str, object]) -> None:
        if self._store is None:
            return
        try:
            await self._store.save(snapshots=[Snapshot(_snapshot(kind), document, self._clock.utc())])
        except StoreError as error:
            _log.warning("%s cannot be kept: %s", _snapshot(kind), error)

    # -- the roof ------------------------------------------------------------------------------------------------------

    async def _restore_past(self) -> None:
        kept = await self._load(_snapshot(ROOF_SNAPSHOT))
        if kept is not None:
            try:
                self._past = RoofPast.restored(kept[0])
            except ValueError as error:
                _log.warning("the past of the roof is dropped: %s", error)

    async def _watch_the_roof(self, pv_power_w: Callable[[], float | None]) -> None:
        means = HourMeans()
        while True:
            over = means.look(self._clock.utc(), pv_power_w())
            if over is not None:
                hour, measured_w = over
                clear_w = fmean(rate.price for rate in clear_power(self._roofs, hour, hour + HOUR))
                self._past = self._past.noted(hour, measured_w, clear_w)
                await self._save(ROOF_SNAPSHOT, dict(self._past.export()))
            await anyio.sleep(LOOK_AT_THE_ROOF.total_seconds())


def pause_after(error: Exception, failures: int) -> timedelta:
    """How long to leave a source alone that has failed so many times in a row, the last time with ``error``."""
    if not isinstance(error, DeviceRefused) or error.status is None or error.status >= 500:
        return RETRY
    longer = RETRY * (1 << min(failures - 1, 10))
    asked_for = min(error.retry_after or timedelta(0), RETRY_AFTER_MAX)
    return max(min(longer, RETRY_AFTER_REFUSAL_MAX), asked_for)


def _snapshot(what: TariffKind | str) -> str:
    return f"tariff {what}"


def _aged(rates: Rates, known: _Known, now: timedelta) -> Rates:
    if now - known.fetched_at <= known.lasts:
        return rates
    return Rates(rates.rates, rates.unit, is_outdated=True)
