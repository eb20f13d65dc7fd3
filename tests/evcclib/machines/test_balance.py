"""Site power, home power and batteries, from numbers alone."""

from __future__ import annotations

import pytest

from evcclib.machines.balance import NO_BATTERY, BatterySum, SitePower, home_power, site_power, sum_batteries

SUM = pytest.approx


def balance(**values: float | None) -> SitePower:
    given: dict[str, float | None] = {
        "grid_w": 0.0,
        "battery_w": None,
        "battery_soc_pct": None,
        "aux_w": 0.0,
        "residual_power_w": 0.0,
        "priority_soc_pct": 0.0,
        "buffer_soc_pct": 0.0,
        "buffer_start_soc_pct": 0.0,
        "grid_supply_max_w": 0.0,
    }
    return site_power(**{**given, **values})  # type: ignore[arg-type]


@pytest.mark.rule("U-1", "U-3", "U-6", "U-7", "SITE-13")
def test_site_power_is_grid_plus_battery_plus_residual_less_aux() -> None:
    assert balance(grid_w=-1500, battery_w=-2000, battery_soc_pct=60, residual_power_w=100, aux_w=300).power_w == -3700


@pytest.mark.rule("SITE-10", "U-5")
def test_battery_below_its_priority_keeps_what_it_charges() -> None:
    first = balance(
        grid_w=-1500, battery_w=-2000, battery_soc_pct=40, priority_soc_pct=50, residual_power_w=100, aux_w=300
    )
    assert first == SitePower(-1700, True, False, False)


@pytest.mark.rule("SITE-10")
def test_battery_at_its_priority_shares() -> None:
    assert balance(grid_w=-100, battery_w=-2000, battery_soc_pct=50, priority_soc_pct=50).power_w == -2100


@pytest.mark.rule("DEF-45")
def test_battery_first_leaves_it_something_to_see() -> None:
    assert balance(battery_w=-2000, battery_soc_pct=40, priority_soc_pct=50).power_w == 100
    assert balance(battery_w=-2000, battery_soc_pct=40, priority_soc_pct=50, residual_power_w=300).power_w == 300
    assert balance(battery_w=0, battery_soc_pct=60, priority_soc_pct=50).power_w == 0


@pytest.mark.rule("SITE-12")
def test_battery_that_charges_from_the_grid_is_no_surplus() -> None:
    assert balance(grid_w=1, battery_w=-1, battery_soc_pct=50).power_w == 0
    assert balance(grid_w=1, battery_w=-1, battery_soc_pct=50, grid_supply_max_w=0.5).power_w == 1
    assert balance(grid_w=0.5, battery_w=-1, battery_soc_pct=50, grid_supply_max_w=0.5).power_w == -0.5


@pytest.mark.rule("SITE-15", "U-3")
def test_battery_discharge_is_no_surplus() -> None:
    assert balance(grid_w=0, battery_w=1500, battery_soc_pct=50).power_w == 1500


@pytest.mark.rule("SITE-11", "DEF-17")
@pytest.mark.parametrize(
    ("soc_pct", "battery_w", "is_buffered"), [(80, 0, False), (80.1, 0, True), (90, 500, True), (90, -500, True)]
)
def test_battery_above_the_buffer_keeps_charging_alive_also_at_rest(
    soc_pct: float, battery_w: float, is_buffered: bool
) -> None:
    assert balance(battery_w=battery_w, battery_soc_pct=soc_pct, buffer_soc_pct=80).is_buffered is is_buffered


@pytest.mark.rule("SITE-11", "DEF-17", "SITE-23")
def test_priority_goes_before_buffer() -> None:
    both = balance(battery_w=0, battery_soc_pct=85, buffer_soc_pct=80, buffer_start_soc_pct=80, priority_soc_pct=90)
    assert (both.has_battery_priority, both.is_buffered, both.is_buffer_start) == (True, False, False)


@pytest.mark.rule("SITE-11", "SITE-23")
@pytest.mark.parametrize(("soc_pct", "starts"), [(94.9, False), (95, True), (96, True)])
def test_buffer_start_includes_its_limit(soc_pct: float, starts: bool) -> None:
    assert balance(battery_w=0, battery_soc_pct=soc_pct, buffer_start_soc_pct=95).is_buffer_start is starts


@pytest.mark.rule("DEF-18", "DEF-48")
def test_unknown_soc_is_not_zero() -> None:
    unknown = balance(battery_w=-500, battery_soc_pct=None, priority_soc_pct=50, buffer_soc_pct=10)
    assert unknown == SitePower(-500, False, False, False)


@pytest.mark.rule("SITE-7", "DEF-18")
def test_soc_is_weighted_by_capacity_only_when_all_are_known() -> None:
    assert sum_batteries([1.0, 2.0], [20.0, 80.0], [10.0, 30.0]) == BatterySum(3.0, 65.0, 40.0)
    assert sum_batteries([1.0, 2.0], [50.0, 50.0], [10.0, None]) == BatterySum(3.0, 50.0, 10.0)
    assert sum_batteries([1.0], [50.0], [None]) == BatterySum(1.0, 50.0, None)


@pytest.mark.rule("SITE-7", "DEF-18", "DEF-48")
def test_batteries_that_cannot_be_read_are_left_out() -> None:
    assert sum_batteries([None, 2.0], [None, 80.0], [10.0, 30.0]) == BatterySum(2.0, 80.0, 30.0)
    assert sum_batteries([None], [None], [10.0]) == NO_BATTERY


@pytest.mark.rule("SITE-16")
def test_home_power_is_what_is_left_for_the_house() -> None:
    assert home_power(grid_w=-500, pv_w=4000, battery_w=-1000, charge_w=1400) == 1100
    assert home_power(grid_w=-500, pv_w=-20, battery_w=0, charge_w=0) == 0
