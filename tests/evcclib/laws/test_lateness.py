"""How old the grid meter's values are, learned from what the car does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcclib.laws.lateness import AGES, Lateness, heard

S: Any = timedelta(seconds=1)


def steps(second: int) -> float:
    """A car that is told something else every 50 s [W]."""
    return 4140.0 + 1500.0 * (second // 50 % 3)


def seen(
    late_s: int, sun: Callable[[int], float], *, every_s: int = 10, until_s: int = 900, hold_s: int = 1
) -> Lateness:
    """What is known after a meter has been read that is so late, and measures every ``hold_s`` only."""
    lateness = Lateness()
    for second in range(100, until_s, every_s):
        then = second // hold_s * hold_s - late_s
        lateness = heard(lateness, drawn_w=steps(second), grid_w=steps(then) - sun(then), at=second * S)
    return lateness


@pytest.mark.parametrize("late_s", [0, 5, 10, 20, 30, 60])
@pytest.mark.parametrize("every_s", [1, 5, 10])
def test_age_is_learned_while_the_car_moves(late_s: int, every_s: int) -> None:
    known = seen(late_s, lambda second: 6000.0 + second % 7, every_s=every_s)
    assert abs(AGES[known.believed] - late_s * S) <= every_s * S
    assert known.sun_w == pytest.approx(6003.0, abs=5.0)


@given(st.lists(st.floats(0.0, 9000.0), min_size=100, max_size=100))
def test_clouds_do_not_make_a_good_meter_late(powers_w: list[float]) -> None:
    assert seen(0, lambda second: powers_w[second // 10]).believed == 0 or max(powers_w) - min(powers_w) > 1000.0


def test_a_value_that_has_not_changed_is_none_of_its_own() -> None:
    known = seen(0, lambda second: 6000.0 + second, hold_s=30)
    assert known.believed == 0
    again = heard(known, drawn_w=9999.0, grid_w=known.grid_w, at=known.shown_at + 59 * S)
    assert (again.sun_w, again.shown_at) == (known.sun_w, known.shown_at)
    late = heard(known, drawn_w=9999.0, grid_w=known.grid_w, at=known.shown_at + 60 * S)
    assert late.suns_w[0] == 9999.0 - known.grid_w


def test_a_car_that_stands_still_says_nothing() -> None:
    lateness = Lateness()
    for second in range(0, 600, 10):
        lateness = heard(lateness, drawn_w=4140.0, grid_w=-500.0 * (second % 3), at=second * S)
    assert lateness.doubts_w == Lateness().doubts_w


def test_no_more_is_remembered_than_can_be_asked_for() -> None:
    lateness = Lateness()
    for second in range(600):
        lateness = heard(lateness, drawn_w=10.0 * second, grid_w=0.1 * second, at=second * S)
    assert len(lateness.drawn) == AGES[-1] / S + 1
