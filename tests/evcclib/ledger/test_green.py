"""Whose energy it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import green_energy_by_cups, home_power_w

from evcclib.ledger.green import green_shares

WATTS = st.floats(0, 20_000)


@pytest.mark.rule("GRN-1", "U-12")
def test_half_sun_half_grid_is_half_green_for_the_site() -> None:
    home = home_power_w(grid_w=2500, pv_w=2500, battery_w=0, charge_w=0)
    assert green_shares(pv_w=2500, battery_w=0, home_w=home, charge_w=0).site == 0.5


@pytest.mark.rule("GRN-1")
def test_export_while_the_battery_charges_is_all_green() -> None:
    home = home_power_w(grid_w=-2500, pv_w=10_000, battery_w=-2500, charge_w=0)
    assert green_shares(pv_w=10_000, battery_w=-2500, home_w=home, charge_w=0).site == 1.0


@pytest.mark.rule("DEF-40", "GRN-1")
def test_battery_that_charges_from_the_grid_is_not_green() -> None:
    home = home_power_w(grid_w=5000, pv_w=0, battery_w=-3000, charge_w=0)
    shares = green_shares(pv_w=0, battery_w=-3000, home_w=home, charge_w=0)
    assert shares.site == 0.0
    assert shares.cars == 0.0


@pytest.mark.rule("DEF-40")
def test_house_and_battery_come_before_the_cars() -> None:
    shares = green_shares(pv_w=5000, battery_w=-1000, home_w=1000, charge_w=6000)
    assert shares.cars == 0.5
    assert shares.site == pytest.approx(4000 / 7000)


@pytest.mark.rule("DEF-40")
def test_discharging_battery_is_green() -> None:
    shares = green_shares(pv_w=0, battery_w=3000, home_w=1000, charge_w=4000)
    assert shares.cars == 0.5
    assert shares.site == pytest.approx(0.6)


@pytest.mark.rule("GRN-1", "N-4")
def test_nothing_consumed_is_green_when_something_green_is_left() -> None:
    assert green_shares(pv_w=100, battery_w=0, home_w=0, charge_w=0).site == 1.0
    assert green_shares(pv_w=0, battery_w=0, home_w=0, charge_w=0).site == 0.0
    assert green_shares(pv_w=100, battery_w=0, home_w=100, charge_w=0).cars == 0.0
    assert green_shares(pv_w=101, battery_w=0, home_w=100, charge_w=0).cars == 1.0
    assert green_shares(pv_w=200, battery_w=-100, home_w=100, charge_w=0).cars == 0.0


def test_negative_readings_count_as_nothing() -> None:
    assert green_shares(pv_w=-50, battery_w=0, home_w=-10, charge_w=-1).site == 0.0


@given(pv=WATTS, battery=st.floats(-10_000, 10_000), home=WATTS, charge=WATTS)
@pytest.mark.rule("DEF-40", "U-12")
def test_shares_are_what_cups_would_hold(pv: float, battery: float, home: float, charge: float) -> None:
    shares = green_shares(pv_w=pv, battery_w=battery, home_w=home, charge_w=charge)
    house, cars = green_energy_by_cups(pv_w=pv, battery_w=battery, home_w=home, charge_w=charge)
    assert 0.0 <= shares.cars <= 1.0
    assert 0.0 <= shares.site <= 1.0
    assert shares.cars * charge == pytest.approx(cars, abs=1e-6)
    assert shares.site * (home + charge) == pytest.approx(house + cars, abs=1e-6)
