"""SQLite behind one door: settings, sessions, flags, the history, the site's exported state and what else is to be found again.

One connection, WAL, ``synchronous=FULL``: what a call has returned from is on the disk, whatever happens to the process [P-2].
Every call goes through the `RunBlocking` it was given, which must not run two at a time. Another process may read along; if one
writes, we wait for it a little (`BUSY_S`).
"""

from __future__ import annotations

import functools
import json
import logging
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self, TypeVar

import anyio
import msgspec.json

from evcc_server.blocking import RunBlocking
from evcc_server.errors import ForeignDatabase, NewerDatabase, StoreError
from evcc_server.keeping.history import Span, Sums, add_means, read_sums
from evcc_server.keeping.means import Mean
from evcc_server.keeping.schema import migrate, recognise
from evcc_server.keeping.setting_rows import SettingRow, decode, encode, row_key
from evcclib.config import SiteConfig
from evcclib.events import SessionRecord, SettingChanged

T = TypeVar("T")


log = logging.getLogger(__name__)

BUSY_S = 5.0
"""How long a call waits for another process that is writing."""

CLOSE_S = 1.0
"""How long closing waits for a call that is under way."""

SPANS_AT_ONCE = 10
"""Of the history, that are read without letting anybody else at the database."""

SESSION_ENERGY_MIN_KWH = 0.05
"""Sessions with less are not shown [API-9]."""

EDITABLE = frozenset({"vehicle", "loadpoint", "odometer"})
"""Columns of a session that a client may change [row-26]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """A session as it lies in the database; ``session_id`` counts from 1."""

    session_id: int
    session: SessionRecord


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An exported state, to be stored in place of the last one of its name."""

    name: str
    document: Mapping[str, object]
    saved: datetime


class Store:
    """An open database. Every method raises `StoreError` when the disk or the file fails."""

    def __init__(self, connection: sqlite3.Connection, run_blocking: RunBlocking) -> None:
        self._connection = connection
        self._run_blocking = run_blocking

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path | None, run_blocking: RunBlocking) -> AsyncIterator[Self]:
        """Open or create the file and bring it up to date; None keeps everything in memory. It is closed with the context.

        Raises `StoreError`; as `evcc_server.errors.NewerDatabase` or `ForeignDatabase` nothing has been written.
        """

        def connect() -> sqlite3.Connection:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                _look_at(path)
            connection = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
            try:
                connection.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000:.0f}")
                recognise(connection)
                connection.execute("PRAGMA journal_mode = WAL")  # this writes
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA foreign_keys = ON")
                migrate(connection)
            except BaseException:
                connection.close()
                raise
            return connection

        try:
            store = cls(await run_blocking(connect), run_blocking)
        except (NewerDatabase, ForeignDatabase) as error:
            raise type(error)(f"{path}: {error}") from None
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"{path}: {error}") from error
        try:
            yield store
        finally:
            await store.close()

    async def close(self) -> None:
        """Close the file, even for a caller who is cancelled; nothing may be called afterwards."""
        with anyio.move_on_after(CLOSE_S, shield=True):
            await self._run_blocking(self._connection.close)

    async def save(
        self,
        *,
        settings: Iterable[SettingChanged] = (),
        sessions: Iterable[SessionRecord] = (),
        snapshots: Iterable[Snapshot] = (),
        means: Sequence[Mean] = (),
    ) -> None:
        """Store all of it or nothing; it is on the disk when this returns.

        A session is inserted, or replaces the one with its key, but for what a person has corrected; a deleted one stays deleted.
        """
        rows = [(row_key(change), encode(change.value)) for change in settings]
        charged = [_session_row(session) for session in sessions]
        states = [_snapshot_row(snapshot) for snapshot in snapshots]
        if not rows and not charged and not states and not means:
            return

        def change(connection: sqlite3.Connection) -> None:
            connection.executemany(_UPSERT_SETTING, rows)
            connection.executemany(_UPSERT_SESSION, charged)
            connection.executemany(_UPSERT_SNAPSHOT, states)
            if means:
                add_means(connection, means, max(mean.start for mean in means))

        await self._write(change)

    # settings and flags

    async def load_settings(self, site: SiteConfig) -> tuple[SettingRow, ...]:
        """Every stored setting that still fits ``site``; the others are dropped with a warning [P-4]."""
        stored = await self._read("SELECT key, value FROM settings ORDER BY key", ())
        rows = []
        for key, value in stored:
            if not isinstance(key, str) or not key.startswith(("site.", "loadpoint.", "vehicle.")):
                continue
            try:
                rows.append(decode(key, str(value), site))
            except ValueError as error:
                log.warning("stored setting %s = %s is dropped: %s", key, value, error)
        return tuple(rows)

    async def save_flag(self, name: str, is_on: bool) -> None:
        """Store a switch, such as ``telemetry``."""
        await self._write(lambda connection: connection.execute(_UPSERT_SETTING, (name, "true" if is_on else "false")))

    async def load_flag(self, name: str) -> bool | None:
        """A stored switch; None if it never was stored."""
        rows = await self._read("SELECT value FROM settings WHERE key = ?", (name,))
        return None if not rows else str(rows[0][0]).lower() in ("true", "1", "t")

    # the site's state

    async def load_snapshot(self, name: str) -> tuple[dict[str, object], datetime] | None:
        """The stored state and when it was saved; None if there is none or it cannot be read."""
        rows = await self._read("SELECT document, saved FROM snapshots WHERE name = ?", (name,))
        if not rows:
            return None
        try:
            document, saved = json.loads(str(rows[0][0])), datetime.fromisoformat(str(rows[0][1]))
        except ValueError as error:
            log.warning("stored state %s is dropped: %s", name, error)
            return None
        return (document, saved) if isinstance(document, dict) else None

    # sessions

    async def sessions(
        self, *, zone: tzinfo, year: int | None = None, month: int | None = None
    ) -> Sequence[StoredSession]:
        """Newest first; ``year`` and ``month`` are those of ``created`` in ``zone``; short ones are left out [row-7]."""
        rows = await self._read(_SELECT_SESSIONS, (SESSION_ENERGY_MIN_KWH,))
        sessions = [_session(row) for row in rows]
        if year is not None:
            local = [(stored, stored.session.created.astimezone(zone)) for stored in sessions]
            sessions = [
                stored for stored, time in local if time.year == year and (month is None or time.month == month)
            ]
        return sorted(sessions, key=lambda stored: (stored.session.created, stored.session_id), reverse=True)

    # the history

    async def history(self, width: timedelta, spans: Sequence[Span]) -> list[Sums]:
        """See `read_sums`. A few spans at a time: others may use the database in between."""
        found: list[Sums] = []
        for first in range(0, len(spans), SPANS_AT_ONCE):
            some = spans[first : first + SPANS_AT_ONCE]
            found += await self._blocking(functools.partial(read_sums, self._connection, width, some))
        return found

    async def update_session(self, session_id: int, columns: Mapping[str, object]) -> bool:
        """Set some of `EDITABLE`, for good; False if there is no such session."""
        assert columns.keys() <= EDITABLE
        assignments = "".join(f"{column} = ?, " for column in columns)

        def change(connection: sqlite3.Connection) -> bool:
            found = connection.execute("SELECT corrected FROM sessions WHERE id = ?", (session_id,)).fetchone()
            if found is None:
                return False
            corrected = " ".join(sorted({*(found[0] or "").split(), *columns}))
            values = (*columns.values(), corrected, session_id)
            connection.execute(f"UPDATE sessions SET {assignments}corrected = ? WHERE id = ?", values)
            return True

        return await self._write(change)

    async def delete_session(self, session_id: int) -> bool:
        """Delete it for good, even if it still goes on; False if there is no such session."""

        def change(connection: sqlite3.Connection) -> bool:
            keep_key = (
                "INSERT OR IGNORE INTO deleted_sessions SELECT key FROM sessions WHERE id = ? AND key IS NOT NULL"
            )
            connection.execute(keep_key, (session_id,))
            return connection.execute("DELETE FROM sessions WHERE id = ?", (session_id,)).rowcount > 0

        return await self._write(change)

    async def _write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        def transaction() -> T:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                result = change(self._connection)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            return result

        return await self._blocking(transaction)

    async def _read(self, query: str, values: tuple[object, ...]) -> list[tuple[object, ...]]:
        return await self._blocking(lambda: self._connection.execute(query, values).fetchall())

    async def _blocking(self, function: Callable[[], T]) -> T:
        try:
            return await self._run_blocking(function)
        except sqlite3.Error as error:
            raise StoreError(str(error)) from error


def _look_at(path: Path) -> None:
    """Recognise the database without being able to write: not even the log of a database of somebody else is tidied up.

    Raises what `recognise` does. What has to be recovered first cannot be read so; it is looked at again once that is done.
    """
    if not path.exists() or not path.stat().st_size:
        return
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        try:
            recognise(connection)
        except sqlite3.OperationalError as error:
            log.debug("%s cannot be looked at before it is opened: %s", path, error)


_UPSERT_SETTING = (
    "INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)
_UPSERT_SNAPSHOT = (
    "INSERT INTO snapshots (name, saved, document) VALUES (?, ?, ?)"
    " ON CONFLICT (name) DO UPDATE SET saved = excluded.saved, document = excluded.document"
)
_SESSION_COLUMNS = (
    "created, finished, loadpoint, identifier, vehicle, odometer, meter_start_kwh, meter_end_kwh, charged_kwh,"
    " solar_percentage, price, price_per_kwh, co2_per_kwh"
)
_UPSERT_SESSION = (
    f"INSERT INTO sessions (key, {_SESSION_COLUMNS}) SELECT {', '.join('?' * 14)}"
    " WHERE NOT EXISTS (SELECT * FROM deleted_sessions WHERE key = ?) ON CONFLICT (key) DO UPDATE SET "
    + ", ".join(
        f"{column} = CASE WHEN instr(coalesce(corrected, ''), '{column}') THEN {column} ELSE excluded.{column} END"
        if column in EDITABLE
        else f"{column} = excluded.{column}"
        for column in _SESSION_COLUMNS.split(", ")
    )
)
_SELECT_SESSIONS = f"SELECT id, key, {_SESSION_COLUMNS} FROM sessions WHERE charged_kwh >= ? AND created IS NOT NULL"


def _snapshot_row(snapshot: Snapshot) -> tuple[str, str, str]:
    return snapshot.name, snapshot.saved.astimezone(UTC).isoformat(), msgspec.json.encode(snapshot.document).decode()


def _session_row(session: SessionRecord) -> tuple[object, ...]:
    """In the order of ``key``, `_SESSION_COLUMNS` and ``key`` again: Python 3.12 warns of ``?1`` for both."""
    return (
        session.key,
        _time(session.created),
        None if session.finished is None else _time(session.finished),
        session.loadpoint,
        session.identifier,
        session.vehicle,
        session.odometer_km,
        session.meter_start_kwh,
        session.meter_stop_kwh,
        session.energy_charged_kwh,
        session.solar_pct,
        session.price,
        session.price_per_kwh,
        session.co2_g_per_kwh,
        session.key,
    )


def _time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(sep=" ")


def _session(row: tuple[object, ...]) -> StoredSession:
    session_id, key, created, finished, loadpoint, identifier, vehicle, *numbers = row
    odometer, start, stop, energy, solar, price, price_per_kwh, co2 = (_number(value) for value in numbers)
    return StoredSession(
        session_id=int(str(session_id)),
        session=SessionRecord(
            key=str(key or f"imported-{session_id}"),
            created=_parsed(created) or datetime.fromtimestamp(0, UTC),
            finished=_parsed(finished),
            loadpoint=str(loadpoint or ""),
            identifier=str(identifier or ""),
            vehicle=str(vehicle or ""),
            odometer_km=odometer,
            meter_start_kwh=start,
            meter_stop_kwh=stop,
            energy_charged_kwh=energy or 0.0,
            solar_pct=solar,
            price=price,
            price_per_kwh=price_per_kwh,
            co2_g_per_kwh=co2,
        ),
    )


_GO_ZONE = re.compile(r" ([+-][0-9]{4})( .*)?$")


def _parsed(value: object) -> datetime | None:
    """A stored time; evcc writes up to nine fractional digits, year 1 for none, and with some of its drivers the zone
    as in ``22:04:11.5 +0100 CET m=+7.5``."""
    if not isinstance(value, str) or value.startswith("0001-"):
        return None
    try:
        time = datetime.fromisoformat(_GO_ZONE.sub(r"\1", value))
    except ValueError:
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
