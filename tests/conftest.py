"""Hypothesis under load, and databases that nobody has closed.

An example may take its time on a busy machine; how many there are is fixed by the tests. The same commit draws the same examples
every time; EVCC_EXAMPLES (the nightly) draws new ones, so many that no time is too long.

From 3.13 on SQLite warns of a connection that was not closed, and a warning fails its test; here every Python does.
"""

from __future__ import annotations

import functools
import os
import sqlite3
import sys
import warnings

import pytest
from hypothesis import HealthCheck, settings

EXAMPLES = os.environ.get("EVCC_EXAMPLES")

settings.register_profile(
    "evcclib",
    deadline=None,
    derandomize=not EXAMPLES,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("evcclib")


@pytest.hookimpl(trylast=True)  # Hypothesis marks its tests first
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A hundred times the examples take a hundred times as long, which is no hang."""
    for item in items:
        if EXAMPLES and item.get_closest_marker("hypothesis") is not None:
            item.add_marker(pytest.mark.timeout(0))


class _Connection(sqlite3.Connection):
    _is_open = False

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]  # whatever `sqlite3.connect` was given
        self._is_open = True

    def close(self) -> None:
        super().close()
        self._is_open = False

    def __del__(self) -> None:
        if self._is_open:
            warnings.warn(f"unclosed database in {self!r}", ResourceWarning, source=self, stacklevel=1)


if sys.version_info < (3, 13):
    sqlite3.connect = functools.partial(sqlite3.connect, factory=_Connection)  # type: ignore[assignment]  # the same, and it tells
