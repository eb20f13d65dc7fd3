"""One server for one database, by the operating system's lock."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from evcc_server.errors import DatabaseInUse, StoreError
from evcc_server.keeping.lock import claimed, lock_path

HOLDER = """
import sys
from pathlib import Path
from evcc_server.keeping.lock import claimed
with claimed(Path(sys.argv[1])):
    print("mine", flush=True)
    sys.stdin.read()
"""


def holder(database: Path) -> subprocess.Popen[bytes]:
    """Another process that has claimed ``database``."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"mine\n"
    return process


@pytest.mark.api("P-7")
def test_a_database_has_one_server_and_the_second_hears_which(tmp_path: Path) -> None:
    database = tmp_path / "evcc.db"
    with holder(database) as process:
        with (
            pytest.raises(
                DatabaseInUse, match=rf"evcc\.db: another server \(process {process.pid}\) works with this database"
            ),
            claimed(database),
        ):
            raise AssertionError
        process.kill()
    with claimed(database):  # its number still stands in the file
        assert lock_path(database).read_text(encoding="utf-8") == f"{os.getpid()}\n"
        with pytest.raises(DatabaseInUse, match=f"process {os.getpid()}"), claimed(database):
            raise AssertionError
    with claimed(database):
        pass


def test_a_database_has_one_lock_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "by-folder").symlink_to(tmp_path / "real")
    (tmp_path / "by-file.db").symlink_to(tmp_path / "real" / "evcc.db")
    names = (tmp_path / "real" / "evcc.db", tmp_path / "by-folder" / "evcc.db", tmp_path / "by-file.db")
    assert {lock_path(name) for name in names} == {tmp_path / "real" / "evcc.db.lock"}


@pytest.mark.api("P-7")
def test_a_hard_link_is_the_same_database(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    database, linked = tmp_path / "evcc.db", tmp_path / "other" / "home.db"
    with holder(database) as process:
        linked.hardlink_to(database)
        with (
            pytest.raises(DatabaseInUse, match=r"home\.db: another server works with this database under another name"),
            claimed(linked),
        ):
            raise AssertionError
        process.kill()
    with claimed(linked), pytest.raises(DatabaseInUse), claimed(database):
        raise AssertionError
    with claimed(database):
        pass


def test_whoever_reads_or_writes_the_database_besides_meets_no_lock(tmp_path: Path) -> None:
    database = tmp_path / "evcc.db"
    with claimed(database):
        for _ in range(2):
            with closing(sqlite3.connect(database, isolation_level=None, timeout=0)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("CREATE TABLE IF NOT EXISTS seen (at TEXT)")
                connection.execute("INSERT INTO seen VALUES ('now')")
        with pytest.raises(DatabaseInUse), claimed(database):  # it still holds
            raise AssertionError
    assert database.stat().st_size < 100_000


@pytest.mark.parametrize("left", [b"", b"nonsense\n", b"99999999999999999999\n"])
def test_what_lies_in_the_file_keeps_nobody_out(left: bytes, tmp_path: Path) -> None:
    database = tmp_path / "evcc.db"
    lock_path(database).write_bytes(left)
    with claimed(database), pytest.raises(DatabaseInUse), claimed(database):
        raise AssertionError


def test_a_database_in_memory_is_nobody_elses() -> None:
    with claimed(None), claimed(None):
        pass


def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match=r"file"), claimed(tmp_path / "file" / "evcc.db"):
        raise AssertionError
