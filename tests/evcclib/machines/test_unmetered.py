"""What a vehicle takes at a station without a meter: hypotheses, and what refutes them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcclib.machines.unmetered import (
    BEGUN_AFTER,
    BELIEVED_W,
    DOUBT_MAX_W,
    HYPOTHESES,
    NOTHING,
    NOTHING_SEEN,
    SHOWN_AFTER,
    UNWATCHED,
    Doubts,
    Offered,
    Watch,
    fallen,
    learn,
    next_change,
    possible_change,
    surely_taken,
    taken,
    taken_of,
    unknown_offer,
    watch,
)
from evcclib.units import ORIGIN

V = 230.0
S: Any = timedelta(seconds=1)
offers = st.builds(Offered, st.sampled_from([0.0, 6.0, 7.3, 10.0, 16.0, 32.0]), st.sampled_from([1, 2, 3]))


def seen(doubts: Doubts, before: Offered, after: Offered, change_w: float, *, around_w: float = 0.0) -> Doubts:
    return learn(doubts, before, after, seen_least_w=change_w - around_w, seen_most_w=change_w + around_w, voltage_v=V)


@pytest.mark.rule("MEA-2", "MEA-7")
def test_as_long_as_nothing_was_seen_all_or_nothing_may_be_taken() -> None:
    assert taken(NOTHING_SEEN, Offered(16.0, 1), V) == (0.0, 3680.0, 3680.0)
    assert taken(NOTHING_SEEN, NOTHING, V) == (0.0, 0.0, 0.0)


@pytest.mark.rule("MEA-7")
def test_step_that_ends_short_tells_the_most_that_the_vehicle_takes() -> None:
    doubts = seen(NOTHING_SEEN, NOTHING, Offered(6.0, 1), 1380.0)
    assert taken(doubts, Offered(6.0, 1), V) == (1380.0, 1380.0, 1380.0)
    doubts = seen(doubts, Offered(6.0, 1), Offered(16.0, 1), 920.0)
    assert taken(doubts, Offered(16.0, 1), V) == (2300.0, 2300.0, 3680.0)
    assert taken(doubts, Offered(16.0, 3), V) == (6900.0, 6900.0, 11040.0)  # what is learned is per phase


@pytest.mark.rule("MEA-7")
def test_vehicle_that_takes_all_is_soon_believed_to() -> None:
    doubts = seen(NOTHING_SEEN, NOTHING, Offered(16.0, 1), 3680.0)
    assert taken(doubts, Offered(16.0, 1), V).least_w == 3680.0
    assert taken(doubts, Offered(20.0, 1), V) == (3680.0, 4600.0, 4600.0)  # beyond it nobody has seen it


@pytest.mark.rule("MEA-7")
@pytest.mark.parametrize("phases", [1, 2])
def test_vehicle_on_fewer_phases_than_the_station_has_is_recognised(phases: int) -> None:
    doubts = seen(NOTHING_SEEN, NOTHING, Offered(6.0, 3), 1380.0 * phases)
    doubts = seen(doubts, Offered(6.0, 3), Offered(14.0, 3), 1840.0 * phases)
    assert taken(doubts, Offered(14.0, 3), V)[:2] == (3220.0 * phases, 3220.0 * phases)


@pytest.mark.rule("MEA-7")
def test_kettle_at_the_wrong_moment_is_put_right_by_a_few_steps() -> None:
    doubts = seen(NOTHING_SEEN, NOTHING, Offered(6.0, 1), 1380.0)
    doubts = seen(doubts, Offered(6.0, 1), Offered(16.0, 1), 920.0 + 2000.0)
    assert taken(doubts, Offered(16.0, 1), V).least_w > 2300.0
    for _ in range(2):
        doubts = seen(doubts, Offered(16.0, 1), NOTHING, -2300.0)
        doubts = seen(doubts, NOTHING, Offered(16.0, 1), 2300.0)
    assert taken(doubts, Offered(16.0, 1), V)[:2] == (2300.0, 2300.0)


@pytest.mark.rule("MEA-7")
def test_small_noise_does_not_hide_what_is_taken() -> None:
    doubts, before = NOTHING_SEEN, NOTHING
    for number, current_a in enumerate([6.0, 16.0, 8.0, 14.0, 6.0, 16.0]):
        change_w = 230.0 * (min(current_a, 10.0) - min(before.current_a, 10.0))
        doubts = seen(doubts, before, Offered(current_a, 1), change_w + (60.0 if number % 2 else -60.0))
        before = Offered(current_a, 1)
    assert taken(doubts, Offered(16.0, 1), V)[:2] == (2300.0, 2300.0)


@pytest.mark.rule("MEA-7")
def test_several_vehicles_at_once_are_judged_by_what_the_others_may_have_done() -> None:
    before, after = NOTHING, Offered(6.0, 3)
    least_w, most_w = possible_change(NOTHING_SEEN, before, after, V)
    assert (least_w, most_w) == (0.0, 4140.0)
    both = learn(NOTHING_SEEN, before, after, seen_least_w=8280 - most_w, seen_most_w=8280 - least_w, voltage_v=V)
    assert taken(both, after, V).least_w == 4140.0  # only both together make so much
    one = learn(NOTHING_SEEN, before, after, seen_least_w=4140 - most_w, seen_most_w=4140 - least_w, voltage_v=V)
    assert taken(one, after, V) == (0.0, 4140.0, 4140.0)  # one of them, nobody knows which


@pytest.mark.rule("MEA-2")
def test_charging_is_hardly_less_than_six_amperes_although_nobody_sees_it() -> None:
    doubts = seen(NOTHING_SEEN, NOTHING, Offered(16.0, 3), 0.0)
    assert taken(doubts, Offered(16.0, 3), V) == (0.0, 1380.0, 11040.0)
    assert unknown_offer(6.0, 16.0, 3, V) == (0.0, 4140.0, 11040.0)


@pytest.mark.rule("MEA-7")
@given(
    steps=st.lists(st.tuples(offers, st.floats(-15000, 15000), st.floats(0, 12000)), max_size=12),
    offered=offers,
)
def test_never_more_than_offered_whatever_was_seen(steps: list[tuple[Offered, float, float]], offered: Offered) -> None:
    doubts, before = NOTHING_SEEN, NOTHING
    for after, change_w, around_w in steps:
        doubts = seen(doubts, before, after, change_w, around_w=around_w)
        assert len(doubts) == len(HYPOTHESES)
        assert min(doubts) == 0.0 and max(doubts) <= DOUBT_MAX_W
        before = after
    found = taken(doubts, offered, V)
    assert 0.0 <= found.least_w <= found.most_w == V * offered.phases * offered.current_a
    assert found.likely_w <= found.most_w


@pytest.mark.rule("MEA-7")
@given(
    phases=st.sampled_from([1, 2, 3]),
    cap_a=st.integers(6, 32),
    currents_a=st.lists(st.sampled_from([0.0, 6.0, 8.0, 11.0, 16.0, 24.0, 32.0]), min_size=1, max_size=12),
    noises_w=st.lists(st.floats(-BELIEVED_W / 24, BELIEVED_W / 24), min_size=12, max_size=12),
)
def test_least_is_never_above_the_truth_in_a_quiet_house(
    phases: int, cap_a: int, currents_a: list[float], noises_w: list[float]
) -> None:
    """As long as the noise of all observations together is below what is believed."""
    doubts, before = NOTHING_SEEN, Offered(0.0, phases)
    for current_a, noise_w in zip(currents_a, noises_w, strict=False):
        after = Offered(current_a, phases)
        change_w = V * phases * (min(current_a, cap_a) - min(before.current_a, cap_a))
        doubts = seen(doubts, before, after, change_w + noise_w)
        before = after
        truth_w = V * phases * min(current_a, cap_a)
        found = taken(doubts, after, V)
        assert found.least_w <= truth_w + 1e-6 <= found.most_w + 2e-6


@pytest.mark.rule("MEA-7")
def test_what_is_offered_shows_after_a_while_and_a_start_later() -> None:
    started = watch(UNWATCHED, Offered(6.0, 3), 100 * S)
    assert started.settles_at == 100 * S + BEGUN_AFTER
    assert watch(started, Offered(6.0, 3), 110 * S) is started
    raised = watch(started, Offered(9.0, 3), 110 * S)
    assert raised.settles_at == 100 * S + BEGUN_AFTER
    raised = watch(raised, Offered(12.0, 3), 128 * S)
    assert raised.settles_at == 128 * S + SHOWN_AFTER
    assert watch(raised, NOTHING, 129 * S).settles_at == 129 * S + SHOWN_AFTER


@pytest.mark.rule("MEA-7")
def test_limits_count_on_the_least_that_was_offered_since_less_rounding_and_what_may_have_tapered() -> None:
    doubts = seen(NOTHING_SEEN, NOTHING, Offered(16.0, 1), 3680.0)
    known = Watch(Offered(16.0, 1), 100 * S, 6.0, Offered(16.0, 1))
    assert surely_taken(doubts, known, 100 * S, V) == 3680.0
    assert surely_taken(doubts, known, 99 * S, V) == 1380.0
    assert fallen([]) == fallen([known._replace(drift_w=500.0)]) == 0.0
    assert fallen([known._replace(drift_w=watts) for watts in (-500.0, 300.0, -800.0)]) == 800.0  # and not 1300
    assert surely_taken(doubts, known._replace(before=None), 100 * S, V) == 0.0
    short = seen(NOTHING_SEEN, NOTHING, Offered(16.0, 1), 2185.0)  # 9.5 A
    assert surely_taken(short, known, 100 * S, V) <= 2185.0


@pytest.mark.rule("MEA-7")
def test_who_clearly_takes_less_than_it_is_offered_is_known_by_what_it_takes_at_least() -> None:
    assert taken_of(NOTHING_SEEN, UNWATCHED, offered_a=16.0, voltage_v=V, instant=ORIGIN) is None
    begun = seen(NOTHING_SEEN, NOTHING, Offered(16.0, 1), 2300.0)
    assert taken_of(begun, UNWATCHED, offered_a=16.0, voltage_v=V, instant=ORIGIN) == 9.5
    assert taken_of(begun, UNWATCHED, offered_a=10.2, voltage_v=V, instant=ORIGIN) is None
    in_vain = seen(NOTHING_SEEN, Offered(16.0, 1), Offered(14.8, 1), 0.0)
    assert (
        taken_of(in_vain, UNWATCHED, offered_a=14.8, voltage_v=V, instant=ORIGIN) == 0.0
    )  # less, and who knows how much
    followed = seen(NOTHING_SEEN, Offered(16.0, 1), Offered(14.8, 1), -276.0)
    assert taken_of(followed, UNWATCHED, offered_a=14.8, voltage_v=V, instant=ORIGIN) is None


@pytest.mark.rule("MEA-7")
def test_who_may_have_tapered_is_known_by_that_although_the_house_has_made_up_for_it() -> None:
    all_of_it = seen(NOTHING_SEEN, NOTHING, Offered(16.0, 1), 3680.0)
    hidden = UNWATCHED.drifted(-1150.0).drifted(1400.0)
    assert (hidden.drift_w, hidden.dip_w) == (250.0, 1150.0)
    assert taken_of(all_of_it, hidden, offered_a=16.0, voltage_v=V, instant=ORIGIN) == 10.5
    assert (
        taken_of(all_of_it, UNWATCHED.drifted(-200.0), offered_a=16.0, voltage_v=V, instant=ORIGIN) is None
    )  # a fridge


@pytest.mark.rule("MEA-7")
def test_of_who_has_been_lowered_and_is_to_be_lowered_still_nothing_is_known() -> None:
    known = Watch(Offered(16.0, 3), 100 * S, 16.0, Offered(16.0, 3))
    lowered = watch(watch(known, Offered(15.7, 3), 200 * S), Offered(15.4, 3), 205 * S)
    assert lowered.lowered_at == 200 * S
    assert taken_of(NOTHING_SEEN, lowered, offered_a=15.4, voltage_v=V, instant=200 * S + SHOWN_AFTER - S) is None
    assert taken_of(NOTHING_SEEN, lowered, offered_a=15.4, voltage_v=V, instant=200 * S + SHOWN_AFTER) == 0.0
    assert next_change(lowered, 206 * S) == 200 * S + SHOWN_AFTER
    assert watch(lowered, Offered(16.0, 3), 207 * S).lowered_at is None
