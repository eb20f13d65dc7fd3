"""What is written when: settings before a request is answered, sessions and state behind the loop's back.

A setting is committed before its response goes out [P-2]. Session records and the site's exported state follow each event that
matters; between events a checkpoint is written at most once a minute, so that a kill loses at most a minute of energy and no
session.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta

import trio

from evcc_server.clock import Clock
from evcc_server.store.store import Store, StoreError
from evcclib import Site
from evcclib.events import Event, SessionChanged, SessionRecord, SettingChanged, SocProgressed, Warned
from evcclib.model import Now
from evcclib.settings import Scope

_log = logging.getLogger(__name__)
CHECKPOINT = timedelta(minutes=1)
RETRY_S = 5.0
SNAPSHOT = "site"
"""Name of the stored state."""

_SettingKey = tuple[Scope, int | str | None, str]


class Persistence:
    """Writes through to ``store``; ``run`` is the task that writes what the loop only noted."""

    def __init__(self, store: Store, clock: Clock, *, keeps_settings: bool = True) -> None:
        self._store = store
        self._clock = clock
        self._keeps_settings = keeps_settings
        self._settings: dict[_SettingKey, SettingChanged] = {}
        self._sessions: dict[str, SessionRecord] = {}
        self._site: Site | None = None
        self._is_state_due = False
        self._last_state = timedelta.min
        self._wakeup = trio.Event()

    async def commit(self, events: Iterable[Event]) -> None:
        """Store the settings among ``events`` now; everything else soon. Raises `StoreError` if it cannot."""
        kept = tuple(events)
        if self._keeps_settings:
            settings = [event for event in kept if isinstance(event, SettingChanged)]
            for event in settings:
                # What is committed here must not be overwritten by an older note still in the queue.
                self._settings.pop(_key(event), None)
            if settings:
                await self._store.save_settings(settings)
        self._collect(event for event in kept if not isinstance(event, SettingChanged))
        self._is_state_due = True
        self._wakeup.set()

    def note(self, events: Iterable[Event], site: Site, now: Now) -> None:
        """Take in a step's events; never waits."""
        self._site = site
        matters = self._collect(events)
        if matters or now.instant - self._last_state >= CHECKPOINT:
            self._is_state_due = True
            self._wakeup.set()

    async def run(self) -> None:
        """Write what was noted, for ever; a failing disk is retried, nothing is dropped."""
        while True:
            await self._wakeup.wait()
            self._wakeup = trio.Event()
            if not await self._write_noted():
                await trio.sleep(RETRY_S)
                self._wakeup.set()

    async def close(self, site: Site) -> None:
        """Write everything that is still open, and the site's state."""
        self._site = site
        self._is_state_due = True
        await self._write_noted()

    def _collect(self, events: Iterable[Event]) -> bool:
        matters = False
        for event in events:
            match event:
                case SettingChanged():
                    if self._keeps_settings:
                        self._settings[_key(event)] = event
                case SessionChanged(_, session):
                    self._sessions[session.key] = session
                case SocProgressed() | Warned():
                    continue
            matters = True
        return matters

    async def _write_noted(self) -> bool:
        settings, self._settings = self._settings, {}
        sessions, self._sessions = self._sessions, {}
        try:
            if settings:
                await self._store.save_settings(list(settings.values()))
            for session in sessions.values():
                await self._store.save_session(session)
            if self._is_state_due and self._site is not None:
                now = self._clock.now()
                self._is_state_due = False
                self._last_state = now.instant
                await self._store.save_snapshot(SNAPSHOT, self._site.export(now=now), now.utc)
        except StoreError as error:
            _log.error("cannot write to the database: %s", error)
            self._settings = {**settings, **self._settings}
            self._sessions = {**sessions, **self._sessions}
            self._is_state_due = True
            return False
        return True


def _key(event: SettingChanged) -> _SettingKey:
    return (event.scope, event.owner, event.name)
