"""Hypothesis under load: an example may take its time on a busy machine; how many there are is fixed by the tests.

The same commit draws the same examples every time; EVCC_EXAMPLES (the nightly) draws new ones.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "evcclib",
    deadline=None,
    derandomize=not os.environ.get("EVCC_EXAMPLES"),
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("evcclib")
