"""Several cars and one cable."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from planned_homes import BATTERY, at, car, check, home, homes

from evcclib.planning.joint.crowded import Crowded, crowded, is_proof
from evcclib.planning.joint.home import Circuit, Home
from evcclib.planning.joint.together import plan_home


def test_two_cars_need_more_than_their_cable_gives() -> None:
    both = home([0.1, 0.1, 0.1], car((2, 8), circuit=0), car((2, 6), (3, 9), circuit=0), circuits=(Circuit(6000),))
    assert crowded(both) == Crowded(circuit=0, time=at(2), need_kwh=14, available_kwh=12)
    assert plan_home(both).short_kwh == pytest.approx(2)


def test_a_car_counts_from_its_arrival() -> None:
    late = home([0.1, 0.1, 0.1], car((3, 15), arrives=at(1), circuit=0), circuits=(Circuit(9000),))
    assert crowded(late) == Crowded(circuit=None, time=at(3), need_kwh=15, available_kwh=12)


def test_own_energy_passes_beside_the_grid() -> None:
    weak = home([0.1], car((1, 6)))
    slots = (weak.slots[0]._replace(buy_max_w=2000, sun_w=1000, house_w=500),)
    assert crowded(replace(weak, slots=slots)) == Crowded(circuit=None, time=at(1), need_kwh=6, available_kwh=2.5)
    with_battery = crowded(replace(weak, slots=slots, battery=BATTERY))
    assert with_battery is not None
    assert with_battery.available_kwh == 5.5


def test_a_certificate_that_is_wrong_proves_nothing() -> None:
    both = home([0.1, 0.1], car((2, 8), circuit=0), car((2, 6), circuit=0), circuits=(Circuit(6000),))
    found = crowded(both)
    assert found is not None and is_proof(found, both)
    assert not is_proof(replace(found, need_kwh=15), both)
    assert not is_proof(replace(found, available_kwh=11), both)
    assert not is_proof(found, replace(both, circuits=(Circuit(6100),)))


@given(home=homes(battery=False))
@settings(deadline=None)
def test_what_is_proven_is_so(home: Home) -> None:
    found, plan = crowded(home), plan_home(home)
    check(home, plan)
    if found is not None:
        assert is_proof(found, home)
        assert plan.short_kwh >= found.short_kwh - 0.02
