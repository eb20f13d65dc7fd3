"""Dividing a limit."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcclib.machines.limits.circuits import Allotment, Ceiling, Draw, Limit, Load

BOTH = frozenset({0, 1})


def draw(
    *, committed: float = 0.0, claims: bool = True, active: int = 3, rotation: tuple[int, ...] = (0, 1, 2)
) -> Draw:
    return Draw(
        rotation=rotation,
        active=active,
        minimum_a=6.0,
        committed_a=committed,
        sure_a=committed,
        claims_minimum=claims,
    )


def load(currents: tuple[float, float, float] = (0, 0, 0), power: float = 0.0) -> dict[str, Any]:
    return {"other": Load(currents, power), "other_most": Load(currents, power)}


def limit(amps: float | None = None, watts: float | None = None, **values: Any) -> Limit:
    return Limit(name="house", members=BOTH, current_max_a=amps, power_max_w=watts, **values)


def allotted(*draws: Draw, limits: tuple[Limit, ...]) -> Allotment:
    present = frozenset(range(len(draws)))
    limits = tuple(each._replace(members=each.members & present) for each in limits)
    return Allotment(limits, draws, voltage_v=230.0)


@pytest.mark.rule("INV-2")
def test_other_loads_leave_the_rest() -> None:
    house = allotted(
        draw(),
        limits=(
            limit(
                32,
                **load((10, 20, 5)),
            ),
        ),
    )
    assert house.ceiling(0, 3) == Ceiling(12, "house")
    assert house.ceiling(0, 1) == Ceiling(22, "house")


@pytest.mark.rule("INV-2")
def test_load_on_another_phase_does_not_matter() -> None:
    rotated = allotted(draw(active=1, rotation=(2, 0, 1)), limits=(limit(32, **load((31, 31, 5))),))
    assert rotated.ceiling(0, 1) == Ceiling(27, "house")


@pytest.mark.rule("DEF-49")
def test_minimum_of_the_second_comes_before_more_for_the_first() -> None:
    house = allotted(draw(), draw(), limits=(limit(20),))
    assert house.ceiling(0, 3) == Ceiling(14, "house")
    house.grant(0, 14)
    assert house.ceiling(1, 3) == Ceiling(6, "house")


@pytest.mark.rule("DEF-49")
def test_minimum_of_the_first_comes_before_that_of_the_second() -> None:
    house = allotted(draw(), draw(), limits=(limit(10),))
    assert house.ceiling(0, 3) == Ceiling(6, "house")
    house.grant(0, 6)
    second = house.ceiling(1, 3)
    assert second is not None and second.current_a == 4


@pytest.mark.rule("DEF-49")
def test_who_waits_keeps_its_claim_so_that_another_is_lowered() -> None:
    house = allotted(draw(), draw(committed=16), limits=(limit(20),))
    house.grant(0, 0)
    assert house.ceiling(1, 3) == Ceiling(14, "house")


@pytest.mark.rule("DEF-49")
def test_claim_in_vain_holds_nobody_down() -> None:
    house = allotted(draw(committed=11), draw(), limits=(limit(11),))
    assert house.ceiling(0, 3) == Ceiling(6, "house")
    house.waive([0, 1])
    assert house.ceiling(0, 3) == Ceiling(11, "house")
    house = allotted(draw(committed=14), draw(), limits=(limit(14),))
    house.waive([0, 1])
    assert house.ceiling(0, 3) == Ceiling(8, "house")


@pytest.mark.rule("DEF-49")
def test_doubt_is_not_kept_at_the_cost_of_who_waits() -> None:
    doubtful = limit(20, other=Load((1, 1, 1), 0), other_most=Load((3, 3, 3), 0))
    assert allotted(draw(committed=19), draw(claims=False), limits=(doubtful,)).ceiling(0, 3) == Ceiling(19, "house")
    assert allotted(draw(committed=16), draw(), limits=(doubtful,)).ceiling(0, 3) == Ceiling(11, "house")


@pytest.mark.rule("INV-2")
def test_nobody_is_raised_before_another_has_been_lowered() -> None:
    house = allotted(draw(), draw(committed=16, claims=True), limits=(limit(20),))
    assert house.ceiling(0, 3) == Ceiling(4, "house")  # 16 A may still flow at the other
    house = allotted(draw(committed=16), draw(committed=16), limits=(limit(20),))
    assert house.ceiling(0, 3) == Ceiling(14, "house")


@pytest.mark.rule("INV-2")
def test_power_limits_the_sum_of_phases() -> None:
    three = allotted(draw(), limits=(limit(watts=4200),)).ceiling(0, 3)
    one = allotted(draw(), limits=(limit(watts=4200, **load(power=900)),)).ceiling(0, 1)
    assert three is not None and three.current_a == pytest.approx(4200 / 690)
    assert one is not None and one.current_a == pytest.approx(3300 / 230)


@pytest.mark.rule("DEF-47")
def test_limit_that_cannot_be_proven_leaves_the_safe_current() -> None:
    assert allotted(draw(), limits=(limit(63, safe_current_a=8.0),)).ceiling(0, 3) == Ceiling(8, "house")


@pytest.mark.rule("INV-2")
def test_tightest_limit_wins_and_others_do_not_concern() -> None:
    inner = Limit(name="garage", members=frozenset({0}), current_max_a=16)
    both = allotted(draw(), draw(), limits=(limit(63), inner))
    assert both.ceiling(0, 3) == Ceiling(16, "garage")
    assert both.ceiling(1, 3) == Ceiling(57, "house")
    assert allotted(draw(), limits=()).ceiling(0, 3) is None


@pytest.mark.rule("INV-2")
@given(
    amps=st.floats(0, 100),
    others=st.tuples(*[st.floats(-20, 60)] * 3),
    draws=st.lists(
        st.builds(
            draw,
            committed=st.sampled_from([0.0, 6.0, 16.0, 32.0]),
            claims=st.booleans(),
            active=st.sampled_from([1, 2, 3]),
            rotation=st.permutations([0, 1, 2]).map(tuple),
        ),
        min_size=1,
        max_size=5,
    ),
    wants=st.lists(st.floats(6, 32), min_size=5, max_size=5),
)
def test_grants_keep_the_limit_where_it_can_be_kept(
    amps: float, others: tuple[float, float, float], draws: list[Draw], wants: list[float]
) -> None:
    everyone = frozenset(range(len(draws)))
    only = Limit(name="house", members=everyone, current_max_a=amps, **load(others))
    house = Allotment((only,), tuple(draws), voltage_v=230.0)
    granted: list[float] = []
    for index, each in enumerate(draws):
        ceiling = house.ceiling(index, each.active)
        assert ceiling is not None
        current = min(wants[index], ceiling.current_a)
        granted.append(current if current >= each.minimum_a else 0.0)
        house.grant(index, granted[-1], each.active)
    for phase in range(3):
        used = [current for current, each in zip(granted, draws, strict=True) if phase in each.rotation[: each.active]]
        assert not any(used) or sum(used) + others[phase] <= amps + 1e-6


@pytest.mark.rule("INV-2")
def test_doubt_lowers_nobody_and_raises_nobody() -> None:
    doubtful = limit(32, other=Load((4, 4, 4), 0), other_most=Load((20, 20, 20), 0))
    assert allotted(draw(committed=16), limits=(doubtful,)).ceiling(0, 3) == Ceiling(16, "house")
    assert allotted(draw(committed=10), limits=(doubtful,)).ceiling(0, 3) == Ceiling(12, "house")
    assert allotted(draw(), limits=(doubtful,)).ceiling(0, 3) == Ceiling(12, "house")
    assert allotted(draw(committed=30), limits=(doubtful,)).ceiling(0, 3) == Ceiling(28, "house")


@pytest.mark.rule("INV-2")
def test_grant_on_more_phases_than_now_counts_on_all_of_them() -> None:
    house = allotted(draw(active=1, committed=16), draw(), limits=(limit(20),))
    house.grant(0, 10, 3)
    assert house.ceiling(1, 3) == Ceiling(4, "house")  # the first may still be drawing 16 A


@pytest.mark.rule("INV-2")
def test_who_takes_less_than_it_is_offered_is_lowered_from_what_it_takes() -> None:
    over = limit(20, other=Load((5.2, 5.2, 5.2), 0), other_most=Load((21.2, 21.2, 21.2), 0))
    small = draw(committed=16)._replace(drawable_a=16.0)
    assert allotted(small, limits=(over,)).ceiling(0, 3) == Ceiling(14.8, "house")  # it may take all of it
    assert allotted(small._replace(taken_a=9.5), limits=(over,)).ceiling(0, 3) == Ceiling(8.3, "house")
    assert allotted(small._replace(taken_a=2.0), limits=(over,)).ceiling(0, 3) == Ceiling(6.0, "house")
    # of a limit that is not measured only what is offered counts
    told = limit(14, other=Load((0, 0, 0), 0), other_most=Load((0, 0, 0), 0))
    assert allotted(small._replace(taken_a=9.5), limits=(told,)).ceiling(0, 3) == Ceiling(14.0, "house")


def uneven(amps: float, *draws: Draw, others: tuple[float, float, float] = (0, 0, 0)) -> Allotment:
    return allotted(*draws, limits=(Limit("house", BOTH, unbalance_max_a=amps, **load(others)),))


ON_L3 = (2, 0, 1)


@pytest.mark.rule("CIR-1", "INV-2")
def test_phase_may_carry_only_so_much_more_than_each_other_one() -> None:
    one = draw(active=1)._replace(proven=1)
    assert uneven(20, one).ceiling(0, 1) == Ceiling(20, "house")
    assert uneven(20, one, others=(5, 3, 9)).ceiling(0, 1) == Ceiling(18, "house")  # of 20 + 3 A two are the house's
    assert uneven(20, one._replace(rotation=ON_L3), others=(5, 3, 9)).ceiling(0, 1) == Ceiling(14, "house")
    two = draw(active=2)._replace(proven=2)
    assert uneven(20, two, others=(5, 3, 9)).ceiling(0, 2) == Ceiling(24, "house")  # L2 is in use, too
    assert uneven(20, one, others=(30, 0, 0)).ceiling(0, 1) == Ceiling(-10, "house")


@pytest.mark.rule("CIR-1", "INV-2")
def test_who_loads_all_phases_alike_makes_no_difference() -> None:
    three = draw(committed=16)._replace(proven=3)
    assert uneven(20, three, others=(40, 0, 0)).ceiling(0, 3) is None
    one = draw(active=1)._replace(proven=1)
    assert uneven(20, one, three).ceiling(0, 1) == Ceiling(20, "house")
    silent = Limit("house", BOTH, unbalance_max_a=20, safe_current_a=8.0)
    assert allotted(three, one, limits=(silent,)).ceiling(0, 3) is None
    assert allotted(three, one, limits=(silent,)).ceiling(1, 1) == Ceiling(8, "house")


@pytest.mark.rule("CIR-1", "DEF-47")
def test_who_may_use_fewer_phases_than_are_connected_counts_with_the_fewest() -> None:
    assert uneven(20, draw(), others=(5, 0, 0)).ceiling(0, 3) == Ceiling(15, "house")
    switched = draw(committed=16)._replace(proven=3)
    assert uneven(20, switched, others=(5, 0, 0)).ceiling(0, 1) == Ceiling(15, "house")
    house = uneven(20, switched, draw(active=1), others=(5, 0, 0))
    house.grant(0, 10, 1)  # it draws on three phases still, or on one already
    second = house.ceiling(1, 1)
    assert second is not None and second.current_a < 6


@pytest.mark.rule("CIR-1", "INV-2")
def test_what_others_draw_on_the_other_phases_is_nothing_to_count_on() -> None:
    first, second = draw(active=1)._replace(proven=1), draw(active=1, rotation=ON_L3)._replace(proven=1)
    assert uneven(20, first, second._replace(committed_a=16, sure_a=16)).ceiling(0, 1) == Ceiling(20, "house")
    same = uneven(20, first, draw(active=1, committed=16)._replace(proven=1))
    assert same.ceiling(0, 1) == Ceiling(4, "house")  # on the same phase they share the difference


@pytest.mark.rule("CIR-1", "INV-2")
def test_doubt_about_other_loads_counts_for_the_one_phase_and_against_the_other() -> None:
    doubtful = Limit("house", BOTH, unbalance_max_a=20, other=Load((4, 4, 4), 0), other_most=Load((6, 7, 7), 0))
    one = draw(active=1)._replace(proven=1)
    assert allotted(one, limits=(doubtful,)).ceiling(0, 1) == Ceiling(18, "house")
    sure = one._replace(committed_a=30, sure_a=30)
    assert allotted(sure, limits=(doubtful,)).ceiling(0, 1) == Ceiling(23, "house")  # benefit of the doubt


def drawn_at_most(draw: Draw, current_a: float, phases: int, pair: tuple[int, int]) -> float:
    """The most that it can make of a difference, by trying all it may do."""
    counts = [phases] if phases == draw.proven else range(1, phases + 1)
    used = [[current_a * (phase in draw.rotation[:count]) for phase in range(3)] for count in counts]
    return max(0.0, *(each[pair[0]] - each[pair[1]] for each in used))


rotated = st.permutations([0, 1, 2]).map(tuple)
amounts = st.none() | st.floats(0, 100)


@st.composite
def trees(draw_: st.DrawFn, members: int) -> list[Limit]:
    """Limits of any kind over a tree: each circuit has some of those below its parent."""
    below = [frozenset(range(members))]
    for _ in range(draw_(st.integers(0, 3))):
        parent = draw_(st.sampled_from(below))
        below.append(frozenset(draw_(st.sets(st.sampled_from(sorted(parent)), min_size=1))))
    limits = []
    for position, own in enumerate(below):
        others = load(draw_(st.tuples(*[st.floats(-20, 40)] * 3)), draw_(st.floats(-9000, 9000)))
        name = f"circuit {position}"
        limits.append(Limit(name, own, draw_(amounts), draw_(st.none() | st.floats(0, 50_000)), **others))
        limits.append(Limit(name, own, unbalance_max_a=draw_(amounts), **others))
    return limits


@pytest.mark.rule("INV-2")
@given(data=st.data())
def test_no_grant_leads_beyond_any_limit_of_a_tree_for_whatever_cars_take_of_it(data: st.DataObject) -> None:
    draws = []
    for _ in range(data.draw(st.integers(1, 4))):
        active, committed = data.draw(st.integers(1, 3)), data.draw(st.sampled_from([0.0, 6.0, 16.0, 32.0]))
        each = draw(committed=committed, claims=data.draw(st.booleans()), active=active, rotation=data.draw(rotated))
        draws.append(each._replace(proven=data.draw(st.sampled_from([0, active]))))
    limits = data.draw(trees(len(draws)))
    house, granted = Allotment(tuple(limits), tuple(draws), voltage_v=230.0), []
    for index, each in enumerate(draws):
        phases = data.draw(st.sampled_from([1, each.active]))
        ceiling = house.ceiling(index, phases)
        wanted = data.draw(st.floats(6, 32))
        current = wanted if ceiling is None else min(wanted, ceiling.current_a)
        granted.append((current if current >= each.minimum_a else 0.0, phases))
        house.grant(index, *granted[-1])
    taken = list(enumerate(zip(draws, granted, strict=True)))
    for only in limits:
        most_a, most_w, apart_a = (
            float("inf") if each is None else each
            for each in (only.current_max_a, only.power_max_w, only.unbalance_max_a)
        )
        own = [(one, amps, count) for index, (one, (amps, count)) in taken if index in only.members]
        for phase in range(3):
            used = sum(amps for one, amps, count in own if phase in one.rotation[:count])
            assert not used or used + only.other.currents_a[phase] <= most_a + 1e-6
        watts = sum(amps * count * 230.0 for _one, amps, count in own)
        assert not watts or watts + only.other.power_w <= most_w + 1e-3
        for pair in permutations(range(3), 2):
            theirs = sum(drawn_at_most(one, amps, count, pair) for one, amps, count in own)
            houses = only.other.currents_a[pair[0]] - only.other.currents_a[pair[1]]
            assert not theirs or theirs + houses <= apart_a + 1e-6
