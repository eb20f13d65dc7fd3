"""What can be wrong with the database. ``str(error)`` is one line for the owner."""

from __future__ import annotations


class StoreError(Exception):
    """The disk or the database file failed; nothing has been changed."""


class NewerDatabase(StoreError):
    """The database was written by a newer version of this program."""


class ForeignDatabase(StoreError):
    """The file is a database of another program."""


class DatabaseInUse(StoreError):
    """Another server works with this database."""
