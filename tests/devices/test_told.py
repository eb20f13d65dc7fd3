"""What a driver repeats is never more than what the station was told and may have heard."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evcc_server.devices.template.told import Told

AMPERES = st.integers(6, 32).map(float)
FATES = st.sampled_from(["answered", "arrived", "lost"])


@given(st.lists(st.tuples(AMPERES, FATES), min_size=1, max_size=12))
def test_the_current_to_repeat_is_never_above_what_stands(history: list[tuple[float, str]]) -> None:
    standing_a = 6.0
    told = Told(current_a=6.0, current_most_a=6.0)
    for current_a, fate in history:
        told = told.asking_current(current_a)
        if fate != "lost":
            standing_a = current_a
        if fate == "answered":
            told = told.with_current(current_a)
            assert told.current_a == told.current_most_a == standing_a
        assert told.current_a <= standing_a <= told.current_most_a
        assert told.current_a <= current_a, "nor above what was wanted last"


@given(st.lists(st.tuples(st.booleans(), FATES), min_size=1, max_size=12))
def test_on_is_never_repeated_to_a_station_that_may_be_off(history: list[tuple[bool, str]]) -> None:
    standing = False
    told = Told(current_a=6.0, current_most_a=6.0)
    for is_on, fate in history:
        told = told.asking_to_enable() if is_on else told.asking_to_disable()
        if fate != "lost":
            standing = is_on
        if fate == "answered":
            told = told.with_enabled(is_on)
        if told.is_enabled:
            assert standing
        if told.is_enabled is False:
            assert not is_on, "off is only repeated while it is wanted"
        if told.is_certain and told.is_enabled is not None:
            assert told.is_enabled is standing
        assert told.may_be_enabled or not standing


@given(st.lists(st.tuples(st.sampled_from([1, 3]), FATES), min_size=1, max_size=12))
def test_no_more_phases_are_reckoned_with_than_may_be_connected(history: list[tuple[int, str]]) -> None:
    standing = 3
    told = Told(current_a=6.0, current_most_a=6.0)
    for phases, fate in history:
        told = told.asking_phases(phases)
        if fate != "lost":
            standing = phases
        if fate == "answered":
            told = told.with_phases(phases)
        assert told.phases <= standing
