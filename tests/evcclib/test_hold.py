"""Timers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from evcclib.hold import ELAPSED, is_over, remaining

S = timedelta(seconds=1)


@pytest.mark.rule("N-2")
def test_timer_that_never_ran_is_never_over_and_an_elapsed_one_always() -> None:
    assert not is_over(None, 0 * S, 10 * S)
    assert is_over(ELAPSED, timedelta(days=3650), 0 * S)
    assert remaining(None, 60 * S, 0 * S) == remaining(ELAPSED, 60 * S, 0 * S) == 0 * S


@pytest.mark.rule("N-2", "N-3", "PV-6")
def test_delay_is_over_at_its_end() -> None:
    assert not is_over(5 * S, 10 * S, 15 * S - timedelta(microseconds=1))
    assert is_over(5 * S, 10 * S, 15 * S)
    assert remaining(5 * S, 10 * S, 8 * S) == 7 * S
    assert remaining(5 * S, 10 * S, 20 * S) == 0 * S
