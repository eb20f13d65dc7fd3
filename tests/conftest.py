"""Hypothesis under load: an example may take its time on a busy machine; how many there are is fixed by the tests.

The same commit draws the same examples every time; EVCC_EXAMPLES (the nightly) draws new ones, so many that no time is too long.
"""

from __future__ import annotations

import os

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
