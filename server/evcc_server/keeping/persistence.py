"""What is written when, and what may be shown before it is: nothing that a restart would take back.

    a request           written before it is in force or seen [P-2]; if that fails it leaves no trace
    the control's own   in force at once, because charging does not wait for a disk; seen when it has been written
    sessions            told by the database itself, so that what is told is there
    all other state     follows each event that matters; between events a checkpoint is written at most once a minute, so that a
                        kill loses at most a minute of energy and no session; with it the histories of reasons that have changed,
                        and the minutes of the history that are over

What is on the disk is known. What differs from it in the site is still to be written, and `Persistence.shown` hides it
meanwhile. So nothing is queued that could be written in the wrong order: what is written is always what is so.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from datetime import timedelta
from typing import TypeVar

import trio

from evcc_server.clock import Clock
from evcc_server.errors import StoreError
from evcc_server.keeping.kept_reasons import Changed, KeptReasons
from evcc_server.keeping.means import Mean
from evcc_server.keeping.site_history import SiteHistory
from evcc_server.keeping.store import Snapshot, Store
from evcc_server.state.reason_log import ReasonLog
from evcclib import Prepared, Site
from evcclib.errors import EvccError
from evcclib.events import Event, SessionChanged, SessionRecord, SocProgressed, Warned
from evcclib.lasting import Lasting
from evcclib.settings import LoadpointSettings, SiteSettings, VehicleSettings
from evcclib.view import LoadpointView, SiteView

_log = logging.getLogger(__name__)
CHECKPOINT = timedelta(minutes=1)
RETRY_S = 5.0
TURN_MAX_S = 15.0
"""How long a request waits for what came before it; each write may wait for another process that holds the database."""
SNAPSHOT = "site"
"""Name of the stored state."""

_VEHICLE_FIELDS = tuple(name for name in LoadpointView._fields if name.startswith("vehicle"))
_UNSET = VehicleSettings()
_Settings = TypeVar("_Settings", SiteSettings, LoadpointSettings, VehicleSettings)


class Persistence:
    """Writes what becomes of ``site`` through to ``store``; ``run`` is the task that writes what the loop only noted.

    The site is one that a restart would bring back as it is now: fresh, or just restored from this very store.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        site: Site,
        reasons: ReasonLog,
        history: SiteHistory,
        *,
        keeps_settings: bool = True,
    ) -> None:
        self._store = store
        self._clock = clock
        self._site = site
        self._keeps_settings = keeps_settings
        self._kept = site.lasting
        self._reasons = KeptReasons(site.config, reasons)
        self._history = history
        self._sessions: dict[str, SessionRecord] = {}
        self._is_state_due = False
        self._last_state = timedelta.min
        self._wakeup = trio.Event()
        self._writing = trio.Lock()

    async def commit(self, prepare: Callable[[], Prepared]) -> Prepared:
        """Write down what ``prepare`` would make of the site, and return it, to be taken before anything else happens.

        Whoever comes later is served later. The site may go on during a write: then it is prepared once more for what the site
        has become, and written again if anything comes out otherwise; or it is refused because it does not fit any more, and what
        was written is taken back. Raises what ``prepare`` does, and `StoreError`: then nothing has changed.
        """
        async with self._turn():
            prepared = prepare()
            try:
                while prepared.lasting != self._kept:
                    await self._write_prepared(prepared)
                    prepared = prepare()
            except EvccError:
                await self._write_site()
                raise
            finally:
                self._wakeup.set()  # whatever the disk has that the site has not, or will not have
            return prepared

    def note(self, events: Iterable[Event]) -> None:
        """Take in that the site has changed; never waits."""
        events = tuple(events)
        self._sessions.update(_sessions(events))
        matters = any(not isinstance(event, SocProgressed | Warned) for event in events)
        if matters or self._clock.instant() - self._last_state >= CHECKPOINT:
            self._is_state_due = True
            self._wakeup.set()

    def shown(self, view: SiteView, before: SiteView) -> SiteView:
        """``view`` of the site, with what is not on the disk yet as it was in ``before``, the last view that was shown."""
        kept = self._kept
        if self._site.lasting == kept:
            return view
        loadpoints = tuple(
            [
                self._shown_loadpoint(now, was, settings, vehicle)
                for now, was, settings, vehicle in zip(
                    view.loadpoints, before.loadpoints, kept.loadpoints, kept.vehicles, strict=True
                )
            ]
        )
        if not self._keeps_settings:
            return view._replace(loadpoints=loadpoints)
        vehicles = {
            name: _held(now, kept.vehicle_settings.get(name, _UNSET), before.vehicle_settings[name])
            for name, now in view.vehicle_settings.items()
        }
        return view._replace(
            loadpoints=loadpoints,
            settings=_held(view.settings, kept.settings, before.settings),
            vehicle_settings=vehicles,
        )

    def _shown_loadpoint(
        self, now: LoadpointView, was: LoadpointView, settings: LoadpointSettings, vehicle: str | None
    ) -> LoadpointView:
        held = _held(now.settings, settings, was.settings) if self._keeps_settings else now.settings
        if now.vehicle != vehicle:
            return now._replace(settings=held, **{name: getattr(was, name) for name in _VEHICLE_FIELDS})
        return now if held is now.settings else now._replace(settings=held)

    async def run(self, when_kept: Callable[[], None]) -> None:
        """Write what was noted, for ever; a failing disk is retried, nothing is dropped. ``when_kept``: more can be shown."""
        while True:
            await self._wakeup.wait()
            self._wakeup = trio.Event()
            before = self._kept
            if not await self.write():
                await trio.sleep(RETRY_S)
                self._wakeup.set()
            elif self._kept != before:
                when_kept()

    async def close(self) -> None:
        """Write everything that is still open, and the site's state."""
        self._history.end(self._clock.now())
        self._is_state_due = True
        await self.write()

    async def write(self) -> bool:
        """Bring the disk to what the site is now; False if it cannot be written to."""
        async with self._writing:
            return await self._write_site()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            with trio.fail_after(TURN_MAX_S):
                await self._writing.acquire()
        except trio.TooSlowError:
            raise StoreError("what was to be written before is still waiting for the database") from None
        try:
            yield
        finally:
            self._writing.release()

    async def _write_prepared(self, prepared: Prepared) -> None:
        wanted, sessions = prepared.lasting, _sessions(prepared.events)
        snapshots = []
        if sessions or wanted.vehicles != self._kept.vehicles:
            now = self._clock.now()
            snapshots = [Snapshot(SNAPSHOT, prepared.export(now=now), now.utc)]
        await self._save(wanted, tuple(sessions.values()), snapshots)

    async def _write_site(self) -> bool:
        wanted, sessions = self._site.lasting, dict(self._sessions)
        snapshots: list[Snapshot] = []
        changed: Changed = {}
        means: Sequence[Mean] = ()
        if self._is_state_due or wanted.vehicles != self._kept.vehicles:
            now = self._clock.now()
            self._is_state_due = False
            self._last_state = now.instant
            changed = self._reasons.changed()
            means = self._history.take_over()
            snapshots = [
                Snapshot(SNAPSHOT, self._site.export(now=now), now.utc),
                *self._reasons.snapshots(changed, now),
            ]
        try:
            await self._save(wanted, tuple(sessions.values()), snapshots, means)
        except trio.Cancelled:  # before it began: a write that has begun is waited for
            self._history.give_back(means)
            raise
        except StoreError as error:
            self._history.give_back(means)
            _log.error("cannot write to the database: %s", error)
            self._is_state_due = True
            return False
        self._reasons.kept(changed)
        for key, session in sessions.items():
            if self._sessions[key] is session:  # not renewed meanwhile
                del self._sessions[key]
        return True

    async def _save(
        self,
        wanted: Lasting,
        sessions: Sequence[SessionRecord],
        snapshots: Sequence[Snapshot],
        means: Sequence[Mean] = (),
    ) -> None:
        changes = self._kept.changes_to(wanted) if self._keeps_settings else ()
        await self._store.save(settings=changes, sessions=sessions, snapshots=snapshots, means=means)
        self._kept = wanted


def _sessions(events: Iterable[Event]) -> dict[str, SessionRecord]:
    """The newest state of each session, by its key."""
    return {event.session.key: event.session for event in events if isinstance(event, SessionChanged)}


def _held(now: _Settings, kept: _Settings, was: _Settings) -> _Settings:
    """``now`` where it is ``kept``, else as it ``was``."""
    if now is kept or now == kept:
        return now
    names = [each.name for each in fields(now) if getattr(now, each.name) != getattr(kept, each.name)]
    return replace(now, **{name: getattr(was, name) for name in names})
