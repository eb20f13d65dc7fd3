"""What goes wrong outside the program: at a device, at the database. ``str(error)`` is one line for the owner."""

from __future__ import annotations

from datetime import timedelta


class DeviceError(Exception):
    """A device did not do what was asked; the caller retries, and until then its values are missing.

    ``left_unchanged``: whether what was asked for has certainly changed nothing at the device, because nothing of it was sent, or
    all that was sent was refused. Otherwise it may have been done, wholly or in part: an answer that was lost says nothing.
    """

    left_unchanged = False

    def __init__(self, message: str = "", *, left_unchanged: bool | None = None) -> None:
        super().__init__(message)
        if left_unchanged is not None:
            self.left_unchanged = left_unchanged


class DeviceSilent(DeviceError):
    """No answer within the deadline."""


class DeviceDown(DeviceError):
    """The connection cannot be opened or was lost."""


class DeviceRefused(DeviceError):
    """The device answered with an error (Modbus exception, HTTP status): unless it says otherwise, it has changed nothing.

    ``status`` is HTTP's, ``retry_after`` what it asks to wait.
    """

    left_unchanged = True

    def __init__(
        self,
        message: str = "",
        *,
        left_unchanged: bool | None = None,
        status: int | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message, left_unchanged=left_unchanged)
        self.status = status
        self.retry_after = retry_after


class DeviceImplausible(DeviceError):
    """The device answered something that cannot be true: wrong unit, wrong word order, out of physical range."""


class StoreError(Exception):
    """The disk or the database file failed; nothing has been changed."""


class NewerDatabase(StoreError):
    """The database was written by a newer version of this program."""


class ForeignDatabase(StoreError):
    """The file is a database of another program."""


class DatabaseInUse(StoreError):
    """Another server works with this database."""
