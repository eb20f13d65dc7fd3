"""One server for one database: two of them would steer the same stations against each other.

The lock is the operating system's (``flock``), on a file beside the database, so it ends with the process that holds it, however
that dies; what is left then is a file without a lock. Whoever holds it writes its process number there, for the next one to
tell. The database itself is not locked: whoever only reads it needs no lock. SQLite would lose its own locks if anybody else
opened and closed its file, so the lock is not on that.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evcc_server.store.errors import DatabaseInUse, StoreError


@contextmanager
def claimed(database: Path | None) -> Iterator[None]:
    """Be the one server of ``database``; one in memory is nobody else's. Raises `DatabaseInUse` and `StoreError`."""
    if database is None:
        yield
        return
    descriptor = _opened(lock_path(database))
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatabaseInUse(f"{database}: another server{_holder(descriptor)} works with this database") from None
        except OSError as error:
            raise StoreError(f"{database}: cannot be locked: {error.strerror}") from error
        _sign(descriptor)
        yield
    finally:
        os.close(descriptor)  # and the lock is gone; the file stays, else two could hold locks on different files


def lock_path(database: Path) -> Path:
    """The file that is locked: the same one by whatever name the database is called."""
    path = database.resolve()
    return path.with_name(f"{path.name}.lock")


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error


def _sign(descriptor: int) -> None:
    """Write whose lock it is. That is only told to people: a full disk must not keep the server from starting."""
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError:
        return


def _holder(descriptor: int) -> str:
    found = re.match(rb"[0-9]{1,10}\b", os.pread(descriptor, 20, 0))
    return "" if found is None else f" (process {found[0].decode()})"
