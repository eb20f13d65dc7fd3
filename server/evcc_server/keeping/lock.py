"""One server for one database: two of them would steer the same stations against each other.

The lock is the operating system's (``flock``), on a file beside the database, so it ends with the process that holds it, however
that dies; what is left then is a file without a lock. Whoever holds it writes its process number there, for the next one to
tell. A file may have several names, though (hard links), so the database itself is claimed too: by a lock on one byte far
behind its end and behind those bytes that SQLite locks. Whoever only reads the database needs no lock and meets none.

SQLite loses its own locks when its process closes the file elsewhere. So that descriptor is opened before SQLite's and closed
after it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from evcc_server.errors import DatabaseInUse, StoreError

CLAIM_BYTE = 0x7F000000
"""SQLite locks 512 bytes at 0x40000000, whatever the size of the database."""


@contextmanager
def claimed(database: Path | None) -> Iterator[None]:
    """Be the one server of ``database``; one in memory is nobody else's. Raises `DatabaseInUse` and `StoreError`."""
    if database is None:
        yield
        return
    with _open(lock_path(database)) as name:
        if not _is_free(database, lambda: fcntl.flock(name, fcntl.LOCK_EX | fcntl.LOCK_NB)):
            raise DatabaseInUse(f"{database}: another server{_holder(name)} works with this database")
        with _open(database) as file:
            if not _is_free(database, lambda: _lock_byte(file)):
                raise DatabaseInUse(
                    f"{database}: another server works with this database under another name (a hard link)"
                )
            _sign(name)
            yield
    # and the locks are gone; the lock's file stays, else two could hold locks on different files


def lock_path(database: Path) -> Path:
    """The file that is locked: the same one by whatever name the database is called."""
    path = database.resolve()
    return path.with_name(f"{path.name}.lock")


@contextmanager
def _open(path: Path) -> Iterator[int]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_free(database: Path, lock: Callable[[], object]) -> bool:
    """Whether ``lock`` could be had; it raises what the operating system says. Raises `StoreError`."""
    try:
        lock()
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return False
        raise StoreError(f"{database}: cannot be locked: {error.strerror}") from error
    return True


def _lock_byte(descriptor: int) -> None:
    """Lock `CLAIM_BYTE` for this descriptor or, where the system knows no such locks, for this process."""
    if hasattr(fcntl, "F_OFD_SETLK"):
        wanted = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, CLAIM_BYTE, 1, 0)  # struct flock with 64-bit offsets
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, wanted)
    else:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, CLAIM_BYTE)


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
