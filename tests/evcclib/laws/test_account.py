"""The account of the adaptive law: what moves cost, what a second costs, and that it never pays much more than foresight."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evcclib.laws.account import (
    ALL,
    NEVER_EUR,
    NOTHING_PAID,
    ONE,
    ONLY_SWITCHING_EUR,
    OPEN_ALL,
    OPEN_ONE,
    POSITIONS,
    RELAY_EUR,
    SWITCHING_EUR,
    Account,
    Prices,
    Span,
    accrue,
    best,
    price,
    prices,
    rates,
)

ONE_SPAN, ALL_SPAN = Span(1380.0, 3680.0), Span(4140.0, 11040.0)
EVEN = prices(is_switchable=True)
PATIENCES = st.floats(0.0, 1440.0)
SUNS = st.lists(st.tuples(st.floats(-3000.0, 15_000.0), st.integers(1, 300)), min_size=1, max_size=12)
"""Power [W] and for how many seconds."""


def dearest(moves: Prices) -> float:
    return max(price(moves, before, after) for before, after in product(POSITIONS, POSITIONS))


def paid_for(sun: list[tuple[float, int]], moves: Prices) -> Account:
    account = NOTHING_PAID
    for surplus_w, seconds in sun:
        account = accrue(account, rates(surplus_w, ONE_SPAN, ALL_SPAN), seconds, moves)
    return account


# prices


@given(PATIENCES, PATIENCES, st.booleans())
def test_prices_are_a_metric(switching: float, relay: float, is_switchable: bool) -> None:
    moves = prices(is_switchable=is_switchable, switching=switching, relay=relay)
    for here, there in product(POSITIONS, POSITIONS):
        assert price(moves, here, there) >= 0
        assert (here == there) <= (price(moves, here, there) == 0)
        assert price(moves, here, there) == price(moves, there, here)
        for between in POSITIONS:
            way = price(moves, here, between) + price(moves, between, there)
            assert price(moves, here, there) <= way * (1 + 1e-12)


def test_moves_cost_the_switchings_that_they_take_and_the_relay() -> None:
    assert price(EVEN, OPEN_ONE, ONE) == price(EVEN, ALL, OPEN_ALL) == SWITCHING_EUR
    assert price(EVEN, OPEN_ONE, OPEN_ALL) == RELAY_EUR
    assert price(EVEN, OPEN_ONE, ALL) == pytest.approx(RELAY_EUR + SWITCHING_EUR)
    assert price(EVEN, ONE, OPEN_ALL) == pytest.approx(RELAY_EUR + SWITCHING_EUR)
    assert price(EVEN, ONE, ALL) == price(EVEN, ALL, ONE) == pytest.approx(RELAY_EUR + 2 * SWITCHING_EUR)


def test_station_of_fixed_phases_pays_more_for_a_switching() -> None:
    fixed = prices(is_switchable=False)
    assert price(fixed, OPEN_ALL, ALL) == price(fixed, ALL, OPEN_ALL) == ONLY_SWITCHING_EUR > SWITCHING_EUR


def test_patience_scales_what_moves_cost() -> None:
    moves = prices(is_switchable=True, switching=3.0, relay=0.5)
    assert price(moves, OPEN_ONE, ONE) == pytest.approx(3.0 * SWITCHING_EUR)
    assert price(moves, OPEN_ONE, OPEN_ALL) == pytest.approx(0.5 * RELAY_EUR)
    assert price(moves, ONE, ALL) == pytest.approx(6.0 * SWITCHING_EUR + 0.5 * RELAY_EUR)
    assert dearest(prices(is_switchable=True, switching=0.0, relay=0.0)) == 0.0


# rates


@pytest.mark.parametrize(
    ("surplus_w", "bought_w", "left_w"),
    [
        (-500.0, (0, 0, 1880, 4640), (0, 0, 0, 0)),
        (0.0, (0, 0, 1380, 4140), (0, 0, 0, 0)),
        (1379.0, (0, 0, 1, 2761), (0, 0, 0, 0)),  # less than any minimum is of no use
        (2000.0, (0, 0, 0, 2140), (2000, 2000, 0, 0)),
        (4000.0, (0, 0, 0, 140), (4000, 4000, 320, 0)),
        (9000.0, (0, 0, 0, 0), (9000, 9000, 5320, 0)),
        (15_000.0, (0, 0, 0, 0), (11_040, 11_040, 7360, 0)),  # nobody could take more
    ],
)
def test_a_second_costs_what_is_bought_and_what_of_the_usable_sun_is_left(
    surplus_w: float, bought_w: Account, left_w: Account
) -> None:
    expected = [(0.30 * bought + 0.22 * left) / 3.6e6 for bought, left in zip(bought_w, left_w, strict=True)]
    assert rates(surplus_w, ONE_SPAN, ALL_SPAN) == pytest.approx(expected)


def test_where_the_relay_cannot_be_nothing_is_worth_it() -> None:
    one = rates(5000.0, ONE_SPAN, None)
    every = rates(5000.0, None, ALL_SPAN)
    assert (one[OPEN_ALL], one[ALL], every[OPEN_ONE], every[ONE]) == (NEVER_EUR,) * 4
    assert one[ONE] == every[ALL] == 0.0


@given(st.floats(-3000.0, 15_000.0), st.floats(0.0, 5000.0))
def test_what_is_tolerated_costs_nothing(surplus_w: float, tolerated_w: float) -> None:
    strict = rates(surplus_w, ONE_SPAN, ALL_SPAN)
    lenient = rates(surplus_w, ONE_SPAN, ALL_SPAN, tolerated_w=tolerated_w)
    assert all(less <= more for less, more in zip(lenient, strict, strict=True))
    assert lenient[:2] == strict[:2]
    if surplus_w <= 0:
        bought_w = ONE_SPAN.min_w - surplus_w
        assert lenient[ONE] == pytest.approx(0.30 * max(0.0, bought_w - tolerated_w) / 3.6e6)


# the account


@given(SUNS, PATIENCES, PATIENCES)
def test_accounts_differ_at_most_by_a_move_and_the_least_is_nothing(
    sun: list[tuple[float, int]], switching: float, relay: float
) -> None:
    moves = prices(is_switchable=True, switching=switching, relay=relay)
    account = paid_for(sun, moves)
    assert min(account) == 0.0
    for here, there in product(POSITIONS, POSITIONS):
        assert account[there] <= account[here] + price(moves, here, there) + 1e-12
    assert max(account) <= dearest(moves) + 1e-12


@given(SUNS, st.floats(-3000.0, 15_000.0), st.integers(1, 300), PATIENCES, PATIENCES, st.booleans())
def test_account_of_a_position_is_that_of_the_cheapest_way_to_it(
    sun: list[tuple[float, int]], surplus_w: float, seconds: int, switching: float, relay: float, is_switchable: bool
) -> None:
    moves = prices(is_switchable=is_switchable, switching=switching, relay=relay)
    before, rate = paid_for(sun, moves), rates(surplus_w, ONE_SPAN, ALL_SPAN)
    paid = [before[each] + rate[each] * seconds for each in POSITIONS]
    ways = [min(paid[here] + price(moves, here, there) for here in POSITIONS) for there in POSITIONS]
    assert accrue(before, rate, seconds, moves) == tuple(way - min(paid) for way in ways)


@given(SUNS, st.floats(-3000.0, 15_000.0), st.lists(st.integers(1, 60), min_size=1, max_size=6), PATIENCES)
def test_rates_that_stay_may_be_entered_at_once_or_in_parts(
    before: list[tuple[float, int]], surplus_w: float, parts: list[int], relay: float
) -> None:
    moves = prices(is_switchable=True, relay=relay)
    rate = rates(surplus_w, ONE_SPAN, ALL_SPAN)
    start = paid_for(before, moves)
    at_once, in_parts = accrue(start, rate, sum(parts), moves), start
    for seconds in parts:
        in_parts = accrue(in_parts, rate, seconds, moves)
    assert in_parts == pytest.approx(at_once, abs=1e-12)


# moves


def test_it_moves_when_staying_has_cost_as_much_as_the_move() -> None:
    rate = rates(5000.0, ONE_SPAN, ALL_SPAN)
    account = accrue(NOTHING_PAID, rate, 5.0, EVEN)
    goal = best(account, OPEN_ALL, EVEN, POSITIONS)
    lost_eur = 5000.0 * 0.22 / 3.6e6
    assert goal.position == ALL
    assert goal.missing == pytest.approx(SWITCHING_EUR - 5.0 * lost_eur)
    due = accrue(NOTHING_PAID, rate, SWITCHING_EUR / lost_eur, EVEN)
    assert best(due, OPEN_ALL, EVEN, POSITIONS).missing == pytest.approx(0.0, abs=1e-12)


def test_it_moves_only_where_it_may() -> None:
    account = accrue(NOTHING_PAID, rates(9000.0, ONE_SPAN, ALL_SPAN), 3600.0, EVEN)
    assert best(account, ONE, EVEN, POSITIONS).position == ALL
    assert best(account, ONE, EVEN, (ONE, OPEN_ONE)).position == OPEN_ONE
    assert best(account, ONE, EVEN, (ONE,)) == (ONE, NEVER_EUR)


def test_of_two_moves_that_are_due_it_is_the_one_that_lasts() -> None:
    account = accrue(NOTHING_PAID, rates(9000.0, ONE_SPAN, ALL_SPAN), 3600.0, EVEN)
    for position in (OPEN_ONE, OPEN_ALL, ONE):
        assert best(account, position, EVEN, POSITIONS) == (ALL, pytest.approx(0.0, abs=1e-12))


@pytest.mark.parametrize("patience", [0.1, 1.0, 30.0])
def test_every_move_that_is_worth_it_comes_due_however_dear_it_is(patience: float) -> None:
    for moves in (prices(is_switchable=True, switching=patience), prices(is_switchable=True, relay=patience)):
        for surplus_w, end, starts in ((9000.0, ALL, POSITIONS), (2000.0, ONE, (OPEN_ONE, OPEN_ALL, ALL))):
            account = accrue(NOTHING_PAID, rates(surplus_w, ONE_SPAN, ALL_SPAN), 10 * 86_400.0, moves)
            for position in starts:
                if position != end:
                    assert best(account, position, moves, POSITIONS) == (end, pytest.approx(0.0, abs=1e-9))


def moved(sun: list[tuple[float, int]], moves: Prices, position: int) -> float:
    """What it pays that moves as soon as a move is due, second by second [EUR]."""
    account, paid = NOTHING_PAID, 0.0
    for surplus_w, seconds in sun:
        rate = rates(surplus_w, ONE_SPAN, ALL_SPAN)
        for _ in range(seconds):
            account = accrue(account, rate, 1.0, moves)
            paid += rate[position]
            goal = best(account, position, moves, POSITIONS)
            if goal.missing <= 0:
                paid += price(moves, position, goal.position)
                position = goal.position
    return paid


def foreseen(sun: list[tuple[float, int]], moves: Prices, position: int) -> float:
    """The least that any way costs, by going all of them from one change of the sun to the next [EUR]."""
    least = {position: 0.0}
    for surplus_w, seconds in sun:
        rate = rates(surplus_w, ONE_SPAN, ALL_SPAN)
        least = {
            after: min(paid + price(moves, before, after) for before, paid in least.items()) + rate[after] * seconds
            for after in POSITIONS
        }
    return min(least.values())


@settings(deadline=None)
@given(SUNS, st.sampled_from(POSITIONS), st.sampled_from([0.25, 1.0, 5.0]))
def test_it_pays_a_fixed_multiple_of_what_foresight_pays_at_most(
    sun: list[tuple[float, int]], position: int, patience: float
) -> None:
    moves = prices(is_switchable=True, switching=patience, relay=patience)
    multiple = 2 * len(POSITIONS) - 1
    assert moved(sun, moves, position) <= multiple * foreseen(sun, moves, position) + 2 * dearest(moves)


def test_what_comes_and_goes_moves_nothing_and_what_lasts_moves_once() -> None:
    """A cloud of ten seconds in each minute costs less than two moves: foresight and account stay where they are."""
    fickle = [(9000.0, 50), (3000.0, 10)] * 30
    assert moved(fickle, EVEN, ALL) == pytest.approx(foreseen(fickle, EVEN, ALL))
    lasting = [(9000.0, 600), (0.0, 3600)]
    assert foreseen(lasting, EVEN, ALL) == pytest.approx(SWITCHING_EUR)
    assert 2 * SWITCHING_EUR < moved(lasting, EVEN, ALL) < 3 * SWITCHING_EUR + 0.001
