"""The history's rows: added once and to both widths, bounded, and safe from a clock that is ahead for a moment."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evcc_server.keeping.history import DROPPED_MAX, RETENTION, add_means, read_means
from evcc_server.keeping.means import MINUTE, QUARTER, Mean
from evcc_server.keeping.schema import migrate

START = datetime(2026, 3, 29, tzinfo=UTC)
SERIES_OF_SIX_LOADPOINTS = 10 + 2 * 6
LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "history.db", isolation_level=None)) as connection:
        migrate(connection)
        yield connection


def _minute(number: int, watts: float = 600.0, seconds: float = 60.0) -> Mean:
    return Mean(START + number * MINUTE, "grid", watts, seconds)


def test_minutes_make_the_quarter_they_are_in(database: sqlite3.Connection) -> None:
    for number in range(16):
        add_means(database, [_minute(number, 100.0 * number)], START)
    quarters = read_means(database, QUARTER, START, LATER)
    assert [(each.start, each.seconds) for each in quarters] == [(START, 900.0), (START + QUARTER, 60.0)]
    assert [each.mean for each in quarters] == pytest.approx([700.0, 1500.0])
    assert len(read_means(database, MINUTE, START + MINUTE, START + 3 * MINUTE)) == 2


def test_a_minute_that_comes_twice_is_added_to(database: sqlite3.Connection) -> None:
    add_means(database, [_minute(0, 600.0, 60.0)], START)
    add_means(database, [_minute(0, 0.0, 20.0)], START)
    for width in RETENTION:
        assert read_means(database, width, START, LATER) == (Mean(START, "grid", 450.0, 80.0),)


def test_what_is_too_old_goes_and_a_clock_ahead_takes_little(database: sqlite3.Connection) -> None:
    add_means(database, [_minute(number) for number in range(100)], START)
    add_means(database, [_minute(100)], LATER)
    assert len(read_means(database, MINUTE, START, LATER)) == 101 - DROPPED_MAX
    for _ in range(50):
        add_means(database, [], START + RETENTION[MINUTE] + timedelta(hours=3))
    assert read_means(database, MINUTE, START, LATER) == ()
    assert len(read_means(database, QUARTER, START, LATER)) == 7 - DROPPED_MAX


def test_a_year_of_a_large_home_is_less_than_a_hundred_megabytes(tmp_path: Path) -> None:
    """By the room that a row takes: a week of minutes and its quarters, written minute by minute, values as they come."""
    series, chance = [f"series {number}" for number in range(10)], random.Random(1)
    with closing(sqlite3.connect(tmp_path / "year.db", isolation_level=None)) as connection:
        migrate(connection)
        connection.execute("BEGIN")
        for number in range(7 * 24 * 60):
            start = START + number * MINUTE
            add_means(connection, [Mean(start, name, 5000 * chance.random(), 59.9) for name in series], start)
        connection.execute("COMMIT")
        (rows,) = connection.execute("SELECT count(*) FROM history").fetchone()
    assert rows == 10 * 7 * 24 * (60 + 4)
    of_a_year = RETENTION[MINUTE] / MINUTE + timedelta(days=365) / QUARTER
    size_bytes = (tmp_path / "year.db").stat().st_size
    assert size_bytes / rows * of_a_year * SERIES_OF_SIX_LOADPOINTS < 100e6
