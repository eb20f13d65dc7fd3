"""The database's shape and its history: one statement list for each version, applied in order inside one transaction.

``sessions`` has the column names of evcc's own table, so that a history can be carried over [P-1]; ``key`` and what follows
``charged_kwh`` are ours. Never edit a step that has been released; add one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from evcc_server.errors import ForeignDatabase, NewerDatabase

STEPS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE IF NOT EXISTS settings (key TEXT PRIMARY KEY, value TEXT)",
        """CREATE TABLE IF NOT EXISTS sessions (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            created DATETIME,
            finished DATETIME,
            loadpoint TEXT,
            identifier TEXT,
            vehicle TEXT,
            odometer REAL,
            meter_start_kwh REAL,
            meter_end_kwh REAL,
            charged_kwh REAL
        )""",
        "ALTER TABLE sessions ADD COLUMN key TEXT",
        "ALTER TABLE sessions ADD COLUMN solar_percentage REAL",
        "ALTER TABLE sessions ADD COLUMN price REAL",
        "ALTER TABLE sessions ADD COLUMN price_per_kwh REAL",
        "ALTER TABLE sessions ADD COLUMN co2_per_kwh REAL",
        "CREATE UNIQUE INDEX IF NOT EXISTS sessions_key ON sessions (key)",
        "CREATE INDEX IF NOT EXISTS sessions_created ON sessions (created)",
        "CREATE TABLE snapshots (name TEXT PRIMARY KEY, saved TEXT NOT NULL, document TEXT NOT NULL) STRICT",
    ),
    (  # what a person has corrected or deleted is not written over by a session that still goes on
        "ALTER TABLE sessions ADD COLUMN corrected TEXT",
        "CREATE TABLE deleted_sessions (key TEXT PRIMARY KEY) STRICT",
    ),
    (  # means of what was measured; ``start`` in seconds since 1970
        "CREATE TABLE history_series (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT",
        """CREATE TABLE history (
            width_s INTEGER NOT NULL,
            start INTEGER NOT NULL,
            series INTEGER NOT NULL REFERENCES history_series (id),
            mean REAL NOT NULL,
            seconds REAL NOT NULL,
            PRIMARY KEY (width_s, start, series)
        ) STRICT, WITHOUT ROWID""",
    ),
)
VERSION = len(STEPS)
NEEDED: Mapping[str, frozenset[str]] = {
    "settings": frozenset({"key", "value"}),
    "sessions": frozenset({"created", "loadpoint", "charged_kwh"}),
    "snapshots": frozenset({"name", "document"}),
}
"""By these a database is known as ours; evcc's has the first two, or one of them."""
_NAMED_MAX = 3


def recognise(connection: sqlite3.Connection) -> int:
    """The version of a database that is ours, evcc's or empty (0). Only reads.

    Raises `NewerDatabase`, `ForeignDatabase` for what another program has made, and `sqlite3.Error`.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION and _is_ours(connection, every=False):
        raise NewerDatabase(f"the database has version {version}, this program knows up to {VERSION}")
    if 0 <= version <= VERSION and _is_ours(connection, every=version > 0):
        return int(version)
    tables = _tables(connection)
    named = ", ".join(sorted(tables)[:_NAMED_MAX]) + (" ..." if len(tables) > _NAMED_MAX else "")
    raise ForeignDatabase(f"this is no database of evcc-server or evcc (version {version}, tables: {named or 'none'})")


def _tables(connection: sqlite3.Connection) -> set[str]:
    found = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {str(name) for (name,) in found}


def _is_ours(connection: sqlite3.Connection, *, every: bool) -> bool:
    """Whether the tables are there by which we know a database: every one of them, or at least one if there are any at all."""
    tables = _tables(connection)
    known = tables & NEEDED.keys()
    if any(not NEEDED[table] <= _columns(connection, table) for table in known):
        return False
    return len(known) == len(NEEDED) if every else bool(known) or not tables


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")}


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to `VERSION`, all or nothing. Raises what `recognise` does.

    The first step also adopts a database that evcc has made: its tables are kept, our columns added.
    """
    version = recognise(connection)
    if version == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in STEPS[version:]:
            for statement in step:
                _run(connection, statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _run(connection: sqlite3.Connection, statement: str) -> None:
    words = statement.split()
    if words[:2] == ["ALTER", "TABLE"] and words[5] in _columns(connection, words[2]):
        return  # a column that an adopted table already has
    connection.execute(statement)
