"""Several cars under the adaptive law: who starts, who gives way, and how they share sun and limits."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from bench import Bench, S, loadpoint, site_config
from hypothesis import given, settings
from hypothesis import strategies as st

from evcclib.config import CircuitConfig
from evcclib.model import ChargeMode, ChargerStatus, Sharing

MIN_W, MAX_W = 6.0 * 690.0, 16.0 * 690.0
INTERVAL_S = 10


class Seen(NamedTuple):
    """After a step: what each car draws, and what the grid gave before it [W]."""

    second: int
    drawn_w: tuple[float, ...]
    grid_w: float


def home(*cars: dict[str, Any], circuit_a: float | None = None, **values: Any) -> Bench:
    """Stations of fixed phases in mode pv, nobody there yet; keywords are those of their loadpoints."""
    circuit = "garage" if circuit_a is not None else None
    circuits = (CircuitConfig(name="garage", current_max_a=circuit_a),) if circuit else ()
    made = Bench(
        site_config(
            *(loadpoint(**{"phases": 3, "current_step_a": 0.1, "circuit": circuit, **each}) for each in cars),
            law="adaptive",
            circuits=circuits,
            **values,
        )
    )
    for box in made.boxes:
        box.shows_currents = True
    under(made, 0.0, 600)
    return made


def under(made: Bench, sun_w: float, seconds: int) -> list[Seen]:
    """So much sun above the household from now on."""
    start, found = int(made.t / S), []
    for second in range(start + INTERVAL_S, start + seconds + 1, INTERVAL_S):
        made.t = second * S
        made.grid_w = sum(made.power(box) for box in made.boxes) - sun_w
        grid_w = made.grid_w
        made.step()
        found.append(Seen(second, tuple(made.power(box) for box in made.boxes), grid_w))
    return found


def come(made: Bench, *indexes: int) -> None:
    for index in indexes:
        made.boxes[index].status = ChargerStatus.B


def drawn(made: Bench) -> list[float]:
    return [round(made.power(box)) for box in made.boxes]


def bought_w(found: list[Seen]) -> float:
    return max(each.grid_w for each in found)


STEP_W = pytest.approx(0, abs=150)


# the sun


def test_equals_have_the_same() -> None:
    made = home({}, {})
    come(made, 0, 1)
    assert bought_w(under(made, 12_000.0, 900)) <= 0
    first, second = drawn(made)
    assert first - second == STEP_W
    assert 12_000.0 - first - second < 690


def test_no_two_start_on_the_same_sun() -> None:
    made = home({}, {})
    come(made, 0, 1)
    assert bought_w(under(made, 6_000.0, 1800)) <= 0
    assert drawn(made) == [5934, 0]


def test_an_equal_that_comes_later_gets_its_part_once_the_first_has_reduced() -> None:
    made = home({}, {})
    come(made, 0)
    under(made, 9_500.0, 600)
    assert drawn(made) == [9453, 0]
    come(made, 1)
    assert bought_w(under(made, 9_500.0, 900)) <= 0
    first, second = drawn(made)
    assert first - second == STEP_W
    assert second > MIN_W


def test_nobody_gives_way_to_an_equal() -> None:
    made = home({}, {})
    come(made, 1)
    under(made, 6_000.0, 600)
    come(made, 0)
    under(made, 6_000.0, 3600)
    assert drawn(made) == [0, 5934]


def test_a_higher_priority_that_comes_makes_the_lower_one_stop_and_then_starts() -> None:
    made = home({"priority": 1}, {})
    come(made, 1)
    under(made, 6_000.0, 600)
    come(made, 0)
    found = under(made, 6_000.0, 600)
    assert bought_w(found) <= 0
    stopped = next(each.second for each in found if each.drawn_w[1] == 0)
    started = next(each.second for each in found if each.drawn_w[0] > 0)
    assert started - stopped == INTERVAL_S
    assert drawn(made) == [5934, 0]


def test_it_reduces_only_where_there_is_enough_for_both() -> None:
    made = home({"priority": 1}, {})
    come(made, 1)
    under(made, 12_000.0, 600)
    come(made, 0)
    found = under(made, 12_000.0, 600)
    assert bought_w(found) <= 0
    assert min(each.drawn_w[1] for each in found) >= MIN_W
    assert drawn(made) == [7797, 4140]


def test_a_guaranteed_minimum_gives_way_to_nobody() -> None:
    made = home({"priority": 1}, {"mode": ChargeMode.MINPV})
    come(made, 1)
    under(made, 6_000.0, 600)
    come(made, 0)
    under(made, 6_000.0, 1800)
    assert drawn(made) == [0, 5934]


def test_nobody_waits_for_a_car_that_has_not_taken_what_it_was_offered() -> None:
    made = home({"priority": 1, "disable_delay": 60 * S}, {})
    made.boxes[0].starts = False
    come(made, 0, 1)
    under(made, 6_000.0, 600)
    assert drawn(made) == [0, 5934]
    under(made, 0.0, 900)  # both are switched off
    assert not any(box.is_enabled for box in made.boxes)
    under(made, 6_000.0, 900)
    assert drawn(made)[1] == 5934
    found = under(made, 6_000.0, 3600)
    assert min(each.drawn_w[1] for each in found) > MIN_W


def test_what_a_car_does_not_take_goes_to_the_other_within_a_cycle() -> None:
    made = home({"priority": 1}, {})
    come(made, 0, 1)
    under(made, 15_000.0, 900)
    assert drawn(made) == [10_833, 4140]
    made.boxes[0].currents_a = (4.0, 4.0, 4.0)
    found = under(made, 15_000.0, 2 * INTERVAL_S)
    assert found[-1].drawn_w[1] == pytest.approx(MAX_W, abs=100)
    assert bought_w(found) <= 0


def test_a_car_below_its_minimum_holds_no_more_than_it_takes() -> None:
    made = home({"priority": 1}, {})
    come(made, 0, 1)
    under(made, 9_000.0, 900)
    made.boxes[0].currents_a = (2.0, 2.0, 2.0)
    under(made, 9_000.0, 60)
    assert drawn(made)[1] == pytest.approx(9_000 - 1380, abs=100)
    assert made.boxes[0].is_enabled
    under(made, 6_000.0, 900)
    assert made.boxes[0].is_enabled
    assert drawn(made)[1] == pytest.approx(6_000 - 1380, abs=100)


def test_cars_of_one_two_and_three_phases_share_in_watts() -> None:
    made = home({}, {}, {})
    for box, phases in zip(made.boxes, (1, 2, 3), strict=True):
        box.car_phases = phases
    come(made, 0, 1, 2)
    under(made, 12_900.0, 1200)
    one_w, two_w, three_w = drawn(made)
    assert one_w == 16 * 230
    assert two_w - three_w == pytest.approx(0, abs=150)
    assert 12_900 - sum(drawn(made)) < 300


@pytest.mark.parametrize(
    ("sharing", "expected"), [("fair", [6417, 6417]), ("equal", [5727, 7107]), ("order", [7314, 5520])]
)
def test_equals_share_as_their_owner_wants(sharing: str, expected: list[float]) -> None:
    made = home({}, {"current_min_a": 8.0}, sharing=Sharing(sharing))
    come(made, 0, 1)
    under(made, 12_900.0, 1200)
    assert drawn(made) == pytest.approx(expected, abs=70)


def test_a_station_that_switches_phases_goes_down_to_make_room() -> None:
    made = home({"can_switch_phases": True, "phases": 0}, {})
    come(made, 0)
    under(made, 7_000.0, 1200)
    assert drawn(made)[0] > MIN_W
    come(made, 1)
    found = under(made, 7_000.0, 2400)
    assert bought_w(found) <= 0
    assert made.boxes[0].phases == 1
    one_w, three_w = drawn(made)
    assert one_w > 0
    assert three_w >= MIN_W
    assert 7_000 - one_w - three_w < 400


def test_who_has_got_least_goes_on_when_one_must_stop() -> None:
    made = home({}, {})
    come(made, 0)
    under(made, 9_500.0, 3600)
    come(made, 1)
    under(made, 9_500.0, 900)
    assert all(power_w > MIN_W for power_w in drawn(made))
    under(made, 6_000.0, 600)
    assert drawn(made) == [0, 5934]


@settings(max_examples=30, deadline=None)
@given(
    priorities=st.lists(st.integers(0, 1), min_size=2, max_size=4),
    suns=st.lists(st.floats(0.0, 30_000.0), min_size=1, max_size=4),
    arrivals=st.lists(st.integers(0, 3), min_size=4, max_size=4),
)
def test_nobody_starts_on_what_others_have_not_left_yet(
    priorities: list[int], suns: list[float], arrivals: list[int]
) -> None:
    """Under a sun that stays for a while, nothing is bought for longer than it takes to stop what was there before."""
    made = home(*({"priority": each} for each in priorities))
    for number, sun_w in enumerate(suns):
        come(made, *(index for index in range(len(priorities)) if arrivals[index] == number))
        under(made, sun_w, 300)
        found = under(made, sun_w, 600)
        assert bought_w(found) <= 1.0
        assert max(sum(each.drawn_w) for each in found) <= sun_w + 1.0


# limits


def test_equals_have_the_same_of_a_limit() -> None:
    made = home({"mode": ChargeMode.NOW}, {"mode": ChargeMode.NOW}, {"mode": ChargeMode.NOW}, circuit_a=30.0)
    come(made, 0, 1, 2)
    under(made, 0.0, 120)
    assert [box.offered_a for box in made.boxes] == [10.0, 10.0, 10.0]


def test_priorities_come_first_but_for_minimums() -> None:
    made = home({"mode": ChargeMode.NOW}, {"mode": ChargeMode.NOW, "priority": 1}, circuit_a=20.0)
    come(made, 0, 1)
    under(made, 0.0, 120)
    assert [box.offered_a for box in made.boxes] == [6.0, 14.0]


def test_what_a_car_leaves_of_its_offer_is_lent_and_comes_back() -> None:
    made = home({"mode": ChargeMode.NOW}, {"mode": ChargeMode.NOW}, circuit_a=20.0)
    come(made, 0, 1)
    under(made, 0.0, 300)
    assert [box.offered_a for box in made.boxes] == [10.0, 10.0]
    first, second = made.boxes
    first.currents_a = (6.5, 6.5, 6.5)
    under(made, 0.0, 2 * INTERVAL_S)
    assert (first.offered_a, second.offered_a) == (7.5, 12.5)
    for taken_a in (7.5, 8.6, 10.0):  # it takes all that it is offered, again and again
        first.currents_a = (min(taken_a, first.offered_a),) * 3
        under(made, 0.0, 60)
        assert first.offered_a + second.offered_a <= 20.0
    assert first.offered_a == pytest.approx(10.0, abs=1.0)


def test_what_nobody_else_can_use_stays_with_it() -> None:
    made = home({"mode": ChargeMode.NOW}, {"mode": ChargeMode.NOW, "current_max_a": 6.0}, circuit_a=20.0)
    come(made, 0, 1)
    under(made, 0.0, 120)
    made.boxes[0].currents_a = (7.0, 7.0, 7.0)
    under(made, 0.0, 120)
    assert made.boxes[0].offered_a == 14.0


def test_the_classic_law_goes_by_order() -> None:
    made = Bench(
        site_config(
            *(loadpoint(mode=ChargeMode.NOW, phases=3, circuit="garage") for _ in range(2)),
            circuits=(CircuitConfig(name="garage", current_max_a=20.0),),
        )
    )
    come(made, 0, 1)
    under(made, 0.0, 120)
    assert [box.offered_a for box in made.boxes] == [14.0, 6.0]


def test_sun_that_a_limit_keeps_from_one_goes_to_the_other() -> None:
    made = home({}, {"circuit": None}, circuit_a=7.0)
    come(made, 0, 1)
    under(made, 14_000.0, 900)
    assert made.boxes[0].offered_a == pytest.approx(7.0)
    assert drawn(made)[1] == pytest.approx(14_000 - 7 * 690, abs=100)
