"""Dividing among cars, against all divisions that there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcclib.laws.shares import Bound, Claim, divide
from evcclib.model import Sharing

RULES = st.sampled_from(Sharing)
SUN = "sun"


def sun(room: float, *weights: float) -> Bound:
    return Bound(SUN, room, dict(enumerate(weights)))


def granted(claims: Sequence[Claim], *bounds: Bound, sharing: Sharing = Sharing.FAIR) -> list[float]:
    return [round(share.granted, 6) for share in divide(claims, bounds, sharing)]


def car(**values: Any) -> Claim:
    return Claim(**{"minimum": 6.0, "maximum": 16.0, "step": 1.0, **values})


# the oracle: everything that is possible, and the best of it


def amounts(claim: Claim) -> list[float]:
    """All that a claim may get."""
    steps = int((claim.maximum - claim.minimum) / claim.step + 1e-9)
    some = [claim.minimum + number * claim.step for number in range(steps + 1)]
    return [*([] if claim.is_held else [0.0]), *some, *([claim.maximum] if some[-1] < claim.maximum else [])]


def wishes(claims: Sequence[Claim], sharing: Sharing) -> list[tuple[int, float]]:
    """Every amount of every claim, those that come first before the others."""
    found = []
    for index, claim in enumerate(claims):
        for amount in amounts(claim):
            if amount == 0.0:
                continue
            if amount == claim.minimum:
                rank: tuple[float, ...] = (0 if claim.is_held else 1, -claim.priority, index)
            else:
                above = amount - (claim.minimum if sharing is Sharing.EQUAL else 0.0)
                height = (index, amount) if sharing is Sharing.ORDER else (above * claim.unit, index)
                rank = (2 if amount <= claim.used else 3, -claim.priority, *height)
            found.append((rank, index, amount))
    return [(index, amount) for _rank, index, amount in sorted(found)]


def worth(claims: Sequence[Claim], sharing: Sharing, division: Sequence[float]) -> tuple[bool, ...]:
    """What is compared: who gets what, by rank."""
    return tuple(division[index] >= amount for index, amount in wishes(claims, sharing))


def fits(bounds: Sequence[Bound], division: Sequence[float], least: Sequence[float]) -> bool:
    """Whether a division exceeds no bound further than what is held does anyway."""
    for bound in bounds:
        taken, held = (sum(each * bound.weights.get(i, 0.0) for i, each in enumerate(d)) for d in (division, least))
        if taken > max(bound.room, held) + 1e-9:
            return False
    return True


def possible(claims: Sequence[Claim], bounds: Sequence[Bound]) -> Iterator[tuple[float, ...]]:
    least = [claim.minimum if claim.is_held else 0.0 for claim in claims]
    for division in product(*(amounts(claim) for claim in claims)):
        if fits(bounds, division, least):
            yield division


CLAIMS = st.builds(
    lambda minimum, span, step, priority, used, unit, is_held: Claim(
        minimum, minimum + span, step, priority, minimum + used, unit, is_held
    ),
    minimum=st.sampled_from([1.0, 2.0, 3.0]),
    span=st.sampled_from([0.0, 1.0, 2.0, 5.0]),
    step=st.sampled_from([1.0, 2.0]),
    priority=st.integers(0, 1),
    used=st.sampled_from([0.0, 1.0, 9.0, 9.0]),
    unit=st.sampled_from([1.0, 1.0, 3.0]),
    is_held=st.sampled_from([False, False, True]),
)


@st.composite
def homes(draw: st.DrawFn) -> tuple[list[Claim], list[Bound]]:
    """Two to four cars below a bound on the power of all, three of the phases, and branches with bounds of their own."""
    claims = draw(st.lists(CLAIMS, min_size=2, max_size=4))
    phases = [draw(st.sampled_from([(0,), (1,), (2,), (0, 1), (0, 1, 2)])) for _ in claims]
    everyone = range(len(claims))
    rooms = st.integers(0, 20).map(float)
    bounds = [Bound("sun", draw(rooms), {index: float(len(phases[index])) for index in everyone})]
    for branch in draw(st.lists(st.sets(st.sampled_from(everyone), min_size=1), max_size=2)):
        members = sorted(branch)
        for phase in range(3):
            weights = {index: 1.0 for index in members if phase in phases[index]}
            if weights:
                bounds.append(Bound(f"branch {phase}", draw(rooms), weights))
    return claims, bounds


@given(home=homes(), sharing=RULES)
def test_nothing_that_is_possible_is_better(home: tuple[list[Claim], list[Bound]], sharing: Sharing) -> None:
    claims, bounds = home
    best = max(possible(claims, bounds), key=lambda division: worth(claims, sharing, division))
    assert tuple(granted(claims, *bounds, sharing=sharing)) == best


@given(home=homes(), sharing=RULES)
def test_nobody_could_have_more_without_another_having_less(
    home: tuple[list[Claim], list[Bound]], sharing: Sharing
) -> None:
    claims, bounds = home
    got = granted(claims, *bounds, sharing=sharing)
    for index, share in enumerate(got):
        for more in (amount for amount in amounts(claims[index]) if amount > share):
            least = [claim.minimum if claim.is_held else 0.0 for claim in claims]
            assert not fits(bounds, [*got[:index], more, *got[index + 1 :]], least)


@given(home=homes(), sharing=RULES, number=st.integers(0, 20), more=st.integers(1, 5))
def test_a_bound_that_is_raised_worsens_nothing(
    home: tuple[list[Claim], list[Bound]], sharing: Sharing, number: int, more: int
) -> None:
    claims, bounds = home
    raised = list(bounds)
    number %= len(raised)
    raised[number] = raised[number]._replace(room=raised[number].room + more)
    before, after = (worth(claims, sharing, granted(claims, *each, sharing=sharing)) for each in (bounds, raised))
    assert after >= before


AMPERES = st.floats(0.0, 40.0)


@given(
    rooms=st.lists(AMPERES, min_size=1, max_size=4),
    cars=st.lists(
        st.tuples(st.sampled_from([6.0, 8.0]), st.floats(0, 26), st.sampled_from([0.001, 0.1, 1.0])),
        min_size=2,
        max_size=12,
    ),
    sharing=RULES,
)
def test_fine_steps_exceed_no_bound_and_leave_less_than_one(
    rooms: list[float], cars: list[tuple[float, float, float]], sharing: Sharing
) -> None:
    claims = [Claim(minimum, minimum + span, step) for minimum, span, step in cars]
    bounds = [
        Bound(str(n), room, {index: 1.0 for index in range(len(claims)) if n == 0 or index % len(rooms) == n})
        for n, room in enumerate(rooms)
    ]
    got = [share.granted for share in divide(claims, bounds, sharing)]
    lefts = [bound.room - sum(got[index] for index in bound.weights) for bound in bounds]
    assert min(lefts) >= -1e-5
    for index, claim in enumerate(claims):
        if 0 < got[index] < claim.maximum - 1e-9:
            step = min(claim.step, claim.maximum - got[index])
            assert min(lefts[n] for n, bound in enumerate(bounds) if index in bound.weights) < step + 1e-5


# by example


def test_equals_get_the_same() -> None:
    assert granted([car(), car()], sun(19.0, 1, 1)) == [10, 9]
    assert granted([car(), car(), car()], sun(30.0, 1, 1, 1)) == [10, 10, 10]


def test_those_who_come_first_take_all_where_there_is_an_order() -> None:
    assert granted([car(), car()], sun(20.0, 1, 1), sharing=Sharing.ORDER) == [14, 6]


def test_equal_parts_are_those_beyond_the_minimum() -> None:
    both = [car(), car(minimum=8.0)]
    assert granted(both, sun(20.0, 1, 1), sharing=Sharing.FAIR) == [10, 10]
    assert granted(both, sun(20.0, 1, 1), sharing=Sharing.EQUAL) == [9, 11]


def test_minimums_come_before_priorities() -> None:
    assert granted([car(), car(priority=1)], sun(20.0, 1, 1)) == [6, 14]
    assert granted([car(), car(priority=1)], sun(11.0, 1, 1)) == [0, 11]


def test_what_is_held_comes_before_priorities() -> None:
    assert granted([car(is_held=True), car(priority=1)], sun(11.0, 1, 1)) == [11, 0]
    assert granted([car(is_held=True), car(is_held=True)], sun(9.0, 1, 1)) == [6, 6]


def test_what_one_does_not_use_goes_to_the_others_and_what_nobody_uses_back() -> None:
    assert granted([car(priority=1, used=7.0), car()], sun(20.0, 1, 1)) == [7, 13]
    assert granted([car(priority=1, used=7.0), car()], sun(40.0, 1, 1)) == [16, 16]


def test_a_large_step_that_does_not_fit_leaves_room_for_a_small_one() -> None:
    assert granted([car(step=5.0), car()], sun(15.0, 1, 1)) == [6, 9]


def test_single_phase_cars_on_three_phases_do_not_hold_each_other_down() -> None:
    phases = [Bound("", 10.0, {phase: 1.0}) for phase in range(3)]
    assert granted([car(), car(), car()], *phases) == [10, 10, 10]


def test_a_full_branch_leaves_its_part_to_the_other() -> None:
    cars = [car(maximum=32.0) for _ in range(4)]
    branch = Bound("branch", 14.0, {0: 1.0, 1: 1.0})
    assert granted(cars, sun(40.0, 1, 1, 1, 1), branch) == [7, 7, 13, 13]
    assert [share.bound for share in divide(cars, [sun(40.0, 1, 1, 1, 1), branch], Sharing.FAIR)] == [
        "branch",
        "branch",
        SUN,
        SUN,
    ]


@pytest.mark.parametrize("sharing", Sharing)
def test_nothing_to_divide(sharing: Sharing) -> None:
    assert divide([], [], sharing) == []
    assert granted([car()], sharing=sharing) == [16]
    assert granted([car()], sun(5.0, 1), sharing=sharing) == [0]
