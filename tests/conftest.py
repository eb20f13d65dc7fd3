"""Hypothesis under load: an example may take its time on a busy machine; how many there are is fixed by the tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("evcclib", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("evcclib")
