"""The history's rows in SQLite: every minute is added to its own row and to its quarter of an hour in one transaction.

So a kill loses the minute that was not over, and both widths always tell the same energy. What is too old goes a few spans at a
time: a clock that is years ahead for a moment costs a few old spans, not the history.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from evcc_server.keeping.means import MINUTE, QUARTER, Mean, merged

Span = tuple[datetime, datetime]
"""From the first until before the second."""
Sums = Mapping[str, tuple[float, float]]

RETENTION = {MINUTE: timedelta(weeks=5), QUARTER: timedelta(days=5 * 366)}
"""How long the means of each width are kept."""
DROPPED_MAX = 3
"""Spans of a width that one write may drop: more than it adds, so that a backlog melts."""


def add_means(connection: sqlite3.Connection, means: Sequence[Mean], now: datetime) -> None:
    """Add minutes that are over; one that is there already is added to. The caller's transaction makes it all or nothing."""
    connection.executemany("INSERT OR IGNORE INTO history_series (name) VALUES (?)", {(mean.series,) for mean in means})
    for width, kept in RETENTION.items():
        rows = [
            (_seconds(width), int(mean.start.timestamp()), mean.series, mean.mean, mean.seconds)
            for mean in merged(means, width)
        ]
        connection.executemany(_ADD, rows)
        connection.execute(_DROP, (_seconds(width), _seconds(width), int((now - kept).timestamp()), DROPPED_MAX))


def read_sums(connection: sqlite3.Connection, width: timedelta, spans: Iterable[Span]) -> list[Sums]:
    """Of each of ``spans``, by series, what rows of ``width`` know of it: seconds, and the mean times them."""
    return [
        {
            name: (weighted, seconds)
            for name, weighted, seconds in connection.execute(
                _SUM, (_seconds(width), span[0].timestamp(), span[1].timestamp())
            )
        }
        for span in spans
    ]


def read_means(connection: sqlite3.Connection, width: timedelta, start: datetime, end: datetime) -> tuple[Mean, ...]:
    """The means of ``width``, one of `RETENTION`, whose spans begin from ``start`` until before ``end``, by start and series."""
    rows = connection.execute(_READ, (_seconds(width), start.timestamp(), end.timestamp()))
    return tuple(Mean(datetime.fromtimestamp(at, UTC), name, mean, seconds) for at, name, mean, seconds in rows)


def _seconds(width: timedelta) -> int:
    return width // timedelta(seconds=1)


_ADD = """INSERT INTO history (width_s, start, series, mean, seconds)
    VALUES (?, ?, (SELECT id FROM history_series WHERE name = ?), ?, ?)
    ON CONFLICT DO UPDATE SET
        mean = (mean * seconds + excluded.mean * excluded.seconds) / (seconds + excluded.seconds),
        seconds = seconds + excluded.seconds"""
_DROP = """DELETE FROM history WHERE width_s = ? AND start IN
    (SELECT DISTINCT start FROM history WHERE width_s = ? AND start < ? ORDER BY start LIMIT ?)"""
_READ = """SELECT start, name, mean, seconds FROM history JOIN history_series ON id = series
    WHERE width_s = ? AND start >= ? AND start < ? ORDER BY start, name"""
_SUM = """SELECT name, sum(mean * seconds), sum(seconds) FROM history JOIN history_series ON id = series
    WHERE width_s = ? AND start >= ? AND start < ? GROUP BY series"""
