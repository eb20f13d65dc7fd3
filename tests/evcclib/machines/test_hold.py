"""Timers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from evcclib.machines.hold import elapsed, remaining

S: Any = timedelta(seconds=1)


@pytest.mark.rule("N-2")
def test_nothing_is_left_of_a_timer_that_does_not_run() -> None:
    assert remaining(None, 0 * S) == 0 * S
    assert elapsed(None, 0 * S) > timedelta(days=365_000)


@pytest.mark.rule("N-2", "N-3", "PV-6")
def test_delay_is_over_at_its_end() -> None:
    tick = timedelta(microseconds=1)
    assert remaining(15 * S, 8 * S) == 7 * S
    assert remaining(15 * S, 15 * S - tick) == tick
    assert remaining(15 * S, 15 * S) == remaining(15 * S, 20 * S) == 0 * S
