"""The history of reasons: whatever the reasons do, it is short, without a gap and true."""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby, pairwise

from hypothesis import given
from hypothesis import strategies as st

from evcclib.reason_history import History, Spell, is_same, noted
from evcclib.reasons import Reason, ReasonCode
from evcclib.units import Instant

SUN, CLOUD = Reason(ReasonCode.SURPLUS), Reason(ReasonCode.SURPLUS_WAIT_DISABLE)
DARK, PENDING = Reason(ReasonCode.SURPLUS_MISSING), Reason(ReasonCode.COMMAND_PENDING)
CIRCUIT, OPERATOR = (Reason(ReasonCode.SURPLUS, limit=name) for name in ("main", "operator"))
REASONS = (SUN, CLOUD, DARK, CIRCUIT, OPERATOR, Reason(ReasonCode.SMART_COST, {"price": 0.1}))


def at(minutes: float) -> Instant:
    return Instant(timedelta(minutes=minutes))


def spell(minutes: float, reason: Reason, offered_a: float = 6.0) -> Spell:
    return Spell(at(minutes), reason, offered_a, 3, None)


def history(*seen: tuple[float, Reason]) -> History:
    found: History = ()
    for minutes, reason in seen:
        found = noted(found, spell(minutes, reason))
    return found


def told(found: History) -> list[tuple[float, Reason, Reason | None, int]]:
    return [(each.since / timedelta(minutes=1), each.reason, each.other, each.turns) for each in found]


SHORT, LONG = st.floats(0.1, 4.9), st.floats(5.0, 300.0)


@given(
    steps=st.lists(
        st.tuples(SHORT | LONG, st.sampled_from(REASONS[:2]) | st.sampled_from(REASONS)), min_size=1, max_size=150
    )
)
def test_it_is_short_ordered_without_a_gap_and_true(steps: list[tuple[float, Reason]]) -> None:
    """Every spell is held against what the reasons have really done, run by run."""
    minute, seen = 0.0, []
    for lasts, reason in steps:
        seen.append((at(minute), reason))
        minute += lasts
    found: History = ()
    for since, reason in seen:
        found = noted(found, Spell(since, reason, 6.0, 3, None))
        assert len(found) <= 50
    runs = [next(group) for _reason, group in groupby(seen, key=lambda each: each[1])]
    starts = [since for since, _reason in runs]
    ends = [*(each.since for each in found[1:]), None]
    place = starts.index(found[0].since)
    for each, end in zip(found, ends, strict=True):
        own = runs[place : place + each.turns]
        place += each.turns
        assert own[0] == (each.since, each.reason)
        assert end == (starts[place] if place < len(runs) else None)
        assert [reason for _since, reason in own[1::2]] == [each.other] * (each.turns // 2)
        assert [reason for _since, reason in own[::2]] == [each.reason] * (each.turns - each.turns // 2)
        if each.other is not None:
            lasted = [later - since for since, later in pairwise(starts[place - each.turns : place + 1])]
            assert len(lasted) == each.turns >= 3 and max(lasted) < timedelta(minutes=5)
    assert place == len(runs), "the last spell is the present one"
    assert found[-1].other is None
    assert all(one != other for one, other in pairwise(each[1:] for each in found))


def test_clouds_that_come_and_go_are_one_spell_and_the_present_is_told_by_itself() -> None:
    clouds = [(0, SUN), (60, CLOUD), (61, SUN), (63, CLOUD), (64, SUN), (66, CLOUD)]
    assert told(history(*clouds)) == [(0, SUN, None, 1), (60, CLOUD, SUN, 4), (66, CLOUD, None, 1)]
    assert told(history(*clouds, (67, SUN), (80, CLOUD))) == [
        (0, SUN, None, 1),
        (60, CLOUD, SUN, 5),
        (67, SUN, None, 1),
        (80, CLOUD, None, 1),
    ]


def test_a_third_reason_ends_a_swing() -> None:
    assert told(history((0, SUN), (1, CLOUD), (2, SUN), (3, DARK), (4, SUN), (5, CLOUD))) == [
        (0, SUN, CLOUD, 3),
        (3, DARK, None, 1),
        (4, SUN, None, 1),
        (5, CLOUD, None, 1),
    ]


def test_what_a_person_switches_once_an_hour_is_no_swing() -> None:
    hours = [(60.0 * hour, (SUN, CLOUD)[hour % 2]) for hour in range(8)]
    assert told(history(*hours)) == [(minutes, reason, None, 1) for minutes, reason in hours]


def test_numbers_are_no_change_but_the_newest_are_told() -> None:
    cheap = [Reason(ReasonCode.SMART_COST, {"price": price}, until=at(price)) for price in (1.0, 2.0)]
    (only,) = history((0, cheap[0]), (15, cheap[1]))
    assert (only.since, only.reason) == (at(0), cheap[1])
    remote = [Reason(ReasonCode.REMOTE_HARD, {"source": source}) for source in ("one", "other")]
    assert len(history((0, remote[0]), (15, remote[1]))) == 2
    assert not is_same(SUN, CIRCUIT) and not is_same(CIRCUIT, OPERATOR)


def test_what_is_offered_is_told_as_it_last_was() -> None:
    first = noted((), spell(0, SUN, 6.0))
    assert [each.offered_a for each in noted(noted(first, spell(1, SUN, 9.5)), spell(2, CLOUD, 7.0))] == [9.5, 7.0]


def test_waiting_for_a_confirmation_is_no_change() -> None:
    assert told(history((0, SUN), (1, PENDING), (2, SUN), (3, PENDING))) == [(0, SUN, None, 1)]


def test_a_clock_that_has_gone_back_puts_nothing_before_what_it_follows() -> None:
    assert told(history((10, SUN), (4, CLOUD), (12, SUN))) == [
        (10, SUN, None, 1),
        (10, CLOUD, None, 1),
        (12, SUN, None, 1),
    ]
