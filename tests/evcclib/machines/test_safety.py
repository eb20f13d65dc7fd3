"""The last word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcclib.machines.charger import ceil_to_step, floor_to_step
from evcclib.machines.limits.circuits import Ceiling
from evcclib.machines.limits.safety import Clamped, clamp, lowered


def clamped(
    wanted: float,
    ceiling: Ceiling | None = None,
    *,
    low: float = 6,
    high: float = 16,
    step: float = 1,
    offered: float = 0,
) -> Clamped:
    return clamp(wanted, minimum_a=low, maximum_a=high, step_a=step, ceiling=ceiling, offered_a=offered)


@pytest.mark.rule("INV-2", "LIM-8", "U-8", "DEF-7")
def test_wishes_are_cut_to_maximum_and_step() -> None:
    assert clamped(20) == Clamped(16, None)
    assert clamped(7.9) == Clamped(7, None)
    assert clamped(7.98, step=0.1) == Clamped(7.9, None)
    assert clamped(0) == Clamped(0, None)
    assert clamped(-1) == Clamped(0, None)


@pytest.mark.rule("INV-2")
def test_limit_lowers_and_pauses_below_the_minimum() -> None:
    assert clamped(16, Ceiling(10.9, "house")) == Clamped(10, "house")
    assert clamped(16, Ceiling(6, "house")) == Clamped(6, "house")
    assert clamped(16, Ceiling(5.99, "house")) == Clamped(0, "house")
    assert clamped(6, Ceiling(-3, "house")) == Clamped(0, "house")
    assert clamped(8, Ceiling(20, "house")) == Clamped(8, None)


@pytest.mark.rule("PV-12", "INV-2")
def test_what_is_offered_stays_where_a_limit_leaves_hardly_more() -> None:
    assert clamped(16, Ceiling(10.09, "house"), step=0.001, offered=10) == Clamped(10, "house")
    assert clamped(16, Ceiling(10.11, "house"), step=0.001, offered=10) == Clamped(10.11, "house")
    assert clamped(16, Ceiling(9.99, "house"), step=0.001, offered=10) == Clamped(9.99, "house")  # less is less
    assert clamped(16, Ceiling(11.05, "house"), offered=10) == Clamped(10, "house")
    assert clamped(16, Ceiling(11.1, "house"), offered=10) == Clamped(11, "house")
    assert clamped(16, Ceiling(12.05, "house"), offered=10) == Clamped(12, "house")
    assert clamped(16, Ceiling(16.05, "house"), offered=15) == Clamped(15, "house")
    assert clamped(16, Ceiling(16.1, "house"), offered=15) == Clamped(16, None)
    assert clamped(10.05, Ceiling(30, "house"), step=0.001, offered=10) == Clamped(10.05, None)  # no limit's doing
    assert clamped(16, Ceiling(10.05, "house"), step=0.5, offered=9.9) == Clamped(
        10, "house"
    )  # that is none of its steps
    assert clamped(16, Ceiling(7.05, "house"), low=7, step=0.5, offered=6.5) == Clamped(7, "house")


@pytest.mark.rule("DEF-7")
def test_minimum_that_no_step_reaches_is_a_pause() -> None:
    assert clamped(6.8, low=7, high=6) == Clamped(0, "loadpoint")


@pytest.mark.rule("INV-2")
@given(
    wanted=st.floats(-5, 100),
    low=st.floats(0.1, 40),
    high=st.floats(0.1, 80),
    step=st.sampled_from([1.0, 0.1, 0.5, 0.001]),
    room=st.none() | st.floats(-50, 100),
    offered=st.just(0.0) | st.floats(0, 80),
)
def test_no_command_is_above_any_limit(
    wanted: float, low: float, high: float, step: float, room: float | None, offered: float
) -> None:
    minimum, maximum = ceil_to_step(low, step), floor_to_step(high, step)
    ceiling = None if room is None else Ceiling(room, "house")
    found = clamp(
        wanted,
        minimum_a=minimum,
        maximum_a=maximum,
        step_a=step,
        ceiling=ceiling,
        offered_a=floor_to_step(offered, step),
    )
    if found.current_a == 0:
        return
    assert minimum <= found.current_a <= maximum
    assert low <= found.current_a <= high
    assert found.current_a <= max(wanted, minimum) or wanted >= found.current_a
    assert room is None or found.current_a <= room
    assert found.current_a == pytest.approx(round(found.current_a / step) * step)


def less(most: float, wanted: float, ceiling: Ceiling | None = None) -> Clamped | None:
    return lowered(most, wanted, minimum_a=6, maximum_a=16, step_a=1, ceiling=ceiling)


@pytest.mark.rule("INV-2")
def test_what_is_within_all_limits_is_left_alone() -> None:
    assert less(16, 10) is None
    assert less(10, 10, Ceiling(10, "house")) is None
    assert less(3, 3, Ceiling(4, "house")) is None  # a minimum is no limit


@pytest.mark.rule("INV-2")
def test_what_exceeds_a_limit_falls_to_it_but_never_above_what_was_wanted() -> None:
    assert less(16, 16, Ceiling(10.9, "house")) == Clamped(10, "house")
    assert less(16, 8, Ceiling(10.9, "house")) == Clamped(8, "house")
    assert less(16, 0, Ceiling(10.9, "house")) == Clamped(0, "house")
    assert less(16, 16, Ceiling(5, "house")) == Clamped(0, "house")
    assert less(20, 20) == Clamped(16, "loadpoint")


@pytest.mark.rule("INV-2")
@given(most=st.floats(0, 100), wanted=st.floats(0, 100), room=st.none() | st.floats(-50, 100))
def test_lowering_never_raises(most: float, wanted: float, room: float | None) -> None:
    found = less(most, wanted, None if room is None else Ceiling(room, "house"))
    assert found is None or found.current_a <= min(most, wanted, 16)
    assert found is not None or most <= min(16, 100 if room is None else room)
