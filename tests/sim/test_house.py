"""The house as a whole: in balance at every instant, and the same however often it is advanced."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evcc_sim.worlds.house import House
from evcc_sim.worlds.scenario import load

START_S, END_S = 9 * 3600.0, 12 * 3600.0
"""The part of the day that is looked at: sun beyond the inverter's limit, batteries at work, cars that charge."""

moments = st.floats(START_S, END_S)
offers = st.lists(st.tuples(moments, st.floats(6.0, 16.0)), min_size=1, max_size=20)


def charging(name: str) -> House:
    house = House(load(name), seed=1)
    house.run(START_S)
    for box in house.wallboxes:
        box.enable()
    return house


def is_balanced(house: House) -> bool:
    return house.bus.sum_of_taps() == pytest.approx(house.bus.grid.powers_w, abs=1e-6)


def fate(house: House) -> list[object]:
    flows = [house.bus.grid, *house.bus.taps]
    return [
        [(flow.powers_w, flow.energies_kwh()) for flow in flows],
        [(battery.soc_pct, battery.losses_kwh) for battery in house.batteries],
        [(car.soc_pct, car.starts) for car in house.cars.values()],
        [(box.true_status, box.pilot_a, box.phases, box.switches) for box in house.wallboxes],
        (house.fuse.hottest, house.fuse.trips),
    ]


@pytest.mark.parametrize("name", ["hybrid-battery", "zero-feed-in", "two-cars-one-fuse"])
@settings(max_examples=15)
@given(offers=offers, looks=st.lists(moments, max_size=60))
def test_it_does_not_matter_when_and_how_often_the_house_is_advanced(
    name: str, offers: list[tuple[float, float]], looks: list[float]
) -> None:
    seldom, often = charging(name), charging(name)
    looks.sort()
    for second, current_a in [*sorted(offers), (END_S, 6.0)]:
        while looks and looks[0] < second:
            often.run(looks.pop(0))
            assert is_balanced(often)
        for house in (seldom, often):
            house.run(second)
            assert is_balanced(house)
            for box in house.wallboxes:
                box.set_current(current_a)
    assert fate(seldom) == fate(often)
