"""How often the contactor may move: spared moves, and the rest between two of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcclib.laws.ration import FULL, SPARED_MAX, Ration, rest, saved, spent
from evcclib.units import Instant

S: Any = timedelta(seconds=1)
GUARD = 300 * S


def test_nothing_has_moved_yet_and_so_all_moves_are_spared() -> None:
    assert saved(FULL, GUARD, 10_000 * S) is FULL
    assert FULL.spared == SPARED_MAX


def test_each_move_is_one_less_and_each_guard_time_one_more() -> None:
    ration = spent(FULL, 0 * S)
    assert ration == Ration(SPARED_MAX - 1, 0 * S)
    assert saved(ration, GUARD, 150 * S).spared == pytest.approx(SPARED_MAX - 0.5)
    assert saved(ration, GUARD, 300 * S) == FULL
    assert saved(ration, GUARD, 90_000 * S) == FULL


def test_what_has_passed_counts_once() -> None:
    ration = spent(spent(spent(FULL, 0 * S), 0 * S), 0 * S)
    often = ration
    for second in range(0, 451, 10):
        often = saved(often, GUARD, second * S)
    assert often.spared == pytest.approx(saved(ration, GUARD, 450 * S).spared)
    assert saved(often, GUARD, 450 * S) == often


def test_moves_that_wait_for_nothing_leave_no_debt() -> None:
    ration = FULL
    for _ in range(20):
        ration = spent(ration, 0 * S)
    assert ration == Ration(0.0, 0 * S)
    assert saved(ration, GUARD, -1000 * S) == Ration(0.0, -1000 * S)  # a clock that was set back


def test_without_a_guard_nothing_is_rationed() -> None:
    ration = spent(FULL, 0 * S)
    for second in range(1, 100):
        ration = spent(saved(ration, 0 * S, second * S), second * S)
    assert saved(ration, 0 * S, 100 * S) == FULL
    assert rest(0 * S) == 0 * S


def test_contactor_rests_for_a_fifth_of_the_guard_time() -> None:
    assert rest(GUARD) == 60 * S


@given(st.lists(st.integers(0, 900), min_size=1, max_size=60), st.integers(1, 900))
def test_never_more_moves_than_were_spared_and_guard_times_have_passed(waits: list[int], guard_s: int) -> None:
    """Whoever moves when a whole move is spared, and has rested, moves so often at most in any span of time."""
    guard, instant = guard_s * S, 0 * S
    ration = FULL
    moves: list[Instant] = []
    for wait in waits:
        instant += wait * S
        ration = saved(ration, guard, instant)
        assert 0 <= ration.spared <= SPARED_MAX
        if ration.spared >= 1 and (not moves or instant - moves[-1] >= rest(guard)):
            ration = spent(ration, instant)
            moves.append(instant)
    for first, since in enumerate(moves):
        for count, last in enumerate(moves[first:], start=1):
            assert count <= SPARED_MAX + (last - since) / guard + 1e-6
