"""The database's shape and its history: one statement list for each version, applied in order inside one transaction.

``sessions`` has the column names of evcc's own table, so that a history can be carried over [P-1]; ``key`` and what follows
``charged_kwh`` are ours. Never edit a step that has been released; add one.
"""

from __future__ import annotations

import sqlite3

from evcc_server.store.errors import NewerDatabase

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
)
VERSION = len(STEPS)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to `VERSION`, all or nothing. Raises `NewerDatabase`, `sqlite3.Error`.

    The first step also adopts a database that evcc has made: its tables are kept, our columns added.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise NewerDatabase(f"the database has version {version}, this program knows up to {VERSION}")
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
    if words[:2] == ["ALTER", "TABLE"]:  # a column that an adopted table already has
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info({words[2]})")}
        if words[5] in columns:
            return
    connection.execute(statement)
