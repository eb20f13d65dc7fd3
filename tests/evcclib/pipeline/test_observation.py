"""The site's meters with their ages."""

from __future__ import annotations

import pytest
from bench import NOON, Bench, S, loadpoint, run, site_config

from evcclib import Site
from evcclib.config import BatteryConfig
from evcclib.events import Warned, WarningCode
from evcclib.model import Cause, ChargeMode, ChargerStatus, Now, TariffKind
from evcclib.readings import BatteryReading, Measured, MeterReading, Missing, Readings
from evcclib.tariff import Rate, Rates
from evcclib.view import SiteView


def view(bench: Bench) -> SiteView:
    return bench.site.view(now=bench.now)


def off(**values: object) -> Bench:
    return Bench(site_config(loadpoint(mode=ChargeMode.OFF), **values))


@pytest.mark.rule("SITE-5", "SITE-6", "DEF-48", "U-2")
def test_failed_inverter_keeps_its_value_then_the_sum_is_unknown_and_said_so() -> None:
    bench = off(pv_count=2)
    bench.pv_w = [3000.0, -20.0]
    bench.at(0)
    assert (view(bench).pv_power_w, view(bench).pv_powers_w) == (3000, (3000, -20))
    bench.pv_w = [None, 1000.0]
    bench.at(30)
    assert view(bench).pv_power_w == 4000
    bench.at(31)
    assert (view(bench).pv_power_w, view(bench).pv_powers_w) == (None, (None, 1000))
    assert (view(bench).home_power_w, view(bench).green_share) == (None, None)
    assert view(bench).pv_ages == (31 * S, 0 * S)
    assert Warned(WarningCode.METER_STALE, None, {"meter": "pv1"}) in bench.events
    bench.pv_w = [2000.0, 1000.0]
    bench.at(40)
    assert Warned(WarningCode.RECOVERED, None, {"meter": "pv1"}) in bench.events
    assert (view(bench).pv_power_w, view(bench).home_power_w) == (3000, 3000)


@pytest.mark.rule("SITE-8")
def test_counters_are_shown_of_each_meter_that_counts_and_stay() -> None:
    batteries = (BatteryConfig(capacity_kwh=10.0), BatteryConfig(capacity_kwh=5.0))
    config = site_config(loadpoint(mode=ChargeMode.OFF), pv_count=2, batteries=batteries)
    site = Site(config, now=Now(0 * S, NOON))
    assert site.view(now=Now(0 * S, NOON)).pv_energies_kwh == (None, None)
    power, at = Measured(1000.0, 0 * S), 0 * S
    readings = Readings(
        grid=MeterReading(power_w=power, energy_export_kwh=Measured(3.5, at)),
        pv=(MeterReading(power_w=power, energy_import_kwh=Measured(12345.678, at)), MeterReading(power_w=power)),
        batteries=(
            BatteryReading(power_w=power),
            BatteryReading(
                power_w=power, energy_discharged_kwh=Measured(18.25, at), energy_charged_kwh=Measured(21.5, at)
            ),
        ),
    )
    for second in (0, 3600):
        now = Now(second * S, NOON + second * S)
        site.step(readings, now=now, cause=Cause.INTERVAL)
        found = site.view(now=now)
        assert (found.grid_energy_export_kwh, found.pv_energies_kwh) == (3.5, (12345.678, None))
        counted = [(battery.energy_discharged_kwh, battery.energy_charged_kwh) for battery in found.batteries]
        assert counted == [(None, None), (18.25, 21.5)]


@pytest.mark.rule("SITE-6")
def test_inverter_with_the_wrong_sign_is_warned_about() -> None:
    bench = off(pv_count=1)
    bench.pv_w = [-501.0]
    bench.at(0)
    assert bench.events[-1] == Warned(WarningCode.PV_SIGN, None, {"meter": "pv_sign1"})


@pytest.mark.rule("SITE-7", "DEF-18", "DEF-43", "DEF-48")
def test_battery_power_is_forgotten_its_soc_is_not() -> None:
    bench = off(batteries=(BatteryConfig(capacity_kwh=10.0),))
    bench.battery = [(-500.0, 55.0)]
    bench.at(0)
    bench.battery = [(None, 140.0)]
    bench.at(31)
    found = view(bench)
    assert (found.battery_power_w, found.battery_soc_pct, found.battery_capacity_kwh) == (None, 55, 10)
    assert found.home_power_w is None
    assert bench.site.state.figures.balance.site_w == 0


@pytest.mark.rule("SITE-8", "DEF-19")
def test_phase_values_of_the_grid_are_shown_with_sign_and_may_fail() -> None:
    bench = off()
    bench.grid = MeterReading(
        power_w=Measured(-1000.0, 0 * S),
        powers_w=Measured((-700.0, -500.0, 200.0), 0 * S),
        currents_a=Measured((3.0, 2.2, 0.9), 0 * S),
        energy_import_kwh=Measured(1234.5, 0 * S),
    )
    bench.at(0)
    found = view(bench)
    assert (found.grid_powers_w, found.grid_currents_a) == ((-700, -500, 200), (-3.0, -2.2, 0.9))
    assert (found.grid_energy_kwh, found.grid_age) == (1234.5, 0 * S)
    bench.grid = MeterReading(power_w=Measured(-1000.0, 10 * S), powers_w=Missing(10 * S))
    bench.at(10)
    found = view(bench)
    assert (found.grid_power_w, found.grid_powers_w, found.is_healthy) == (-1000, None, True)


@pytest.mark.rule("SITE-9", "SITE-13")
def test_without_a_grid_meter_charging_beyond_the_sun_is_import() -> None:
    bench = Bench(site_config(loadpoint(phases=3), has_grid=False, pv_count=1, residual_power_w=300.0))
    bench.box.status = ChargerStatus.B
    bench.pv_w = [6000.0]
    for second in range(0, 100, 10):
        bench.at(second)
    assert bench.box.offered_a == 8  # 6000 W less the house of 300 W
    assert view(bench).grid_power_w is None
    bench.pv_w = [None]
    for second in range(100, 150, 10):
        bench.at(second)
    assert bench.box.offered_a == 6


@pytest.mark.rule("SITE-9")
def test_without_inverters_the_sun_is_what_charging_and_export_show() -> None:
    bench = Bench(site_config(loadpoint(phases=3, mode=ChargeMode.NOW), residual_power_w=100.0))
    bench.box.status = ChargerStatus.B
    run(bench, [0, 10], sun_w=15000)
    assert view(bench).pv_power_w == 15100
    bench.grid_w = 20000.0
    bench.at(20)
    assert view(bench).pv_power_w == 0


@pytest.mark.rule("SITE-14", "SITE-16", "U-5")
def test_aux_loads_make_room_as_far_as_they_are_known() -> None:
    bench = off(aux_count=2)
    bench.aux_w = [300.0, 200.0]
    bench.grid_w = -100.0
    bench.at(0)
    assert (view(bench).aux_power_w, view(bench).site_power_w) == (500, -600)
    bench.aux_w = [300.0, None]
    bench.at(40)
    assert (view(bench).aux_power_w, view(bench).site_power_w) == (None, -400)
    assert Warned(WarningCode.METER_STALE, None, {"meter": "aux2"}) in bench.events


@pytest.mark.rule("TAR-9", "TAR-10")
def test_emissions_have_a_list_of_their_own_beside_a_planners_of_prices() -> None:
    bench = Bench(site_config(loadpoint(phases=3, mode=ChargeMode.NOW)))
    prices = Rates((Rate(NOON, NOON + 3600 * S, 0.25),))
    grams = Rates((Rate(NOON, NOON + 3600 * S, 400.0),), unit="gCO2eq")
    bench.tariffs = {TariffKind.PLANNER: prices, TariffKind.CO2: grams}
    run(bench, [0], house_w=960)
    assert view(bench).tariff_co2 == 400
    assert bench.site.rates(TariffKind.PLANNER) == prices
    assert bench.site.rates(TariffKind.CO2) == grams


@pytest.mark.rule("SITE-16", "TAR-9", "GRN-1", "DEF-40", "SITE-10")
def test_home_power_green_share_and_prices_are_shown() -> None:
    bench = Bench(site_config(loadpoint(phases=3, mode=ChargeMode.NOW), pv_count=1))
    bench.box.status = ChargerStatus.B
    bench.pv_w = [6000.0]
    bench.tariffs = {
        TariffKind.GRID: Rates((Rate(NOON, NOON + 3600 * S, 0.30),)),
        TariffKind.FEED_IN: Rates((Rate(NOON, NOON + 3600 * S, 0.10),)),
        TariffKind.PLANNER: Rates((Rate(NOON, NOON + 3600 * S, 400.0),), unit="gCO2eq"),
    }
    run(bench, [0, 10], sun_w=6000, house_w=960)
    found = view(bench)
    assert found.home_power_w == 960
    assert found.green_share == pytest.approx(0.5)
    assert (found.tariff_grid, found.tariff_feed_in, found.tariff_co2) == (0.30, 0.10, 400)
    assert found.tariff_effective_price == pytest.approx(0.20)
    assert found.tariff_effective_co2 == pytest.approx(200)
    run(bench, [370], sun_w=6000, house_w=960)
    savings = view(bench).savings
    assert savings.total_charged_kwh == pytest.approx(11.04 * 370 / 3600)
    share = (6000 - 960) / 11040
    assert savings.self_consumption_pct == pytest.approx(100 * share, rel=0.01)
    session = bench.lp.session
    assert session is not None and session.price == pytest.approx(
        1.1347 * (0.30 * (1 - share) + 0.10 * share), rel=0.01
    )
    loadpoint_view = view(bench).loadpoints[0]
    assert loadpoint_view.session_solar_pct == pytest.approx(100 * share, rel=0.01)
    assert loadpoint_view.session_price == pytest.approx(session.price)


@pytest.mark.rule("DEF-48", "SITE-16", "GRN-1", "SAV-2", "TAR-9")
def test_silent_inverter_leaves_home_power_green_share_and_effective_price_unknown() -> None:
    bench = Bench(site_config(loadpoint(phases=3, mode=ChargeMode.NOW), pv_count=1))
    bench.box.status = ChargerStatus.B
    bench.tariffs = {TariffKind.GRID: Rates((Rate(NOON, NOON + 3600 * S, 0.30),))}
    bench.pv_w = [0.0]
    run(bench, [0, 10])
    found = view(bench)
    assert (found.pv_power_w, found.home_power_w, found.green_share, found.tariff_effective_price) == (0, 0, 0, 0.30)
    bench.pv_w = [None]
    run(bench, range(20, 400, 10), sun_w=9000)
    found = view(bench)
    assert (found.grid_power_w, found.pv_power_w, found.home_power_w) == (2040, None, None)
    assert (found.green_share, found.tariff_effective_price, found.tariff_grid) == (None, None, 0.30)
    session = bench.lp.session
    assert session is not None and session.energy_kwh > session.shared_kwh > 0
    assert found.savings.total_charged_kwh == pytest.approx(11.04 * 390 / 3600)
    known_kwh = found.savings.grid_charged_kwh + found.savings.self_consumption_charged_kwh
    assert known_kwh == pytest.approx(11.04 * 50 / 3600)  # until the last value was too old


@pytest.mark.rule("DEF-18", "DEF-48", "SITE-7")
def test_power_of_two_batteries_is_unknown_while_one_is_silent() -> None:
    bench = off(batteries=(BatteryConfig(capacity_kwh=10.0), BatteryConfig(capacity_kwh=10.0)))
    bench.battery = [(500.0, 50.0), (300.0, 60.0)]
    bench.at(0)
    assert (view(bench).battery_power_w, view(bench).home_power_w) == (800, 800)
    bench.battery = [(None, None), (300.0, 60.0)]
    bench.at(40)
    found = view(bench)
    assert (found.battery_power_w, found.home_power_w, found.green_share) == (None, None, None)
    assert found.site_power_w == 300  # the law goes on with what it knows
    assert [battery.power_w for battery in found.batteries] == [None, 300]


@pytest.mark.rule("DEF-48", "SITE-15")
@pytest.mark.parametrize(("sun_w", "site_w"), [(0.0, 6900.0), (2000.0, 4900.0), (6900.0, 0.0), (9000.0, 0.0)])
def test_a_silent_battery_is_not_taken_for_the_sun(sun_w: float, site_w: float) -> None:
    """It holds the grid at zero; what a car takes beyond the sun may be out of it."""
    bench = Bench(site_config(pv_count=1, batteries=(BatteryConfig(capacity_kwh=10.0),)))
    bench.box.status, bench.box.is_enabled, bench.box.power_w = ChargerStatus.C, True, 6900.0
    bench.pv_w, bench.battery = [sun_w], [(None, None)]
    bench.at(31)
    assert view(bench).site_power_w == site_w


@pytest.mark.rule("DEF-48", "SITE-15")
def test_charging_from_the_sun_ends_with_it_while_a_battery_is_silent() -> None:
    bench = Bench(site_config(loadpoint(enable_delay=0 * S), pv_count=1, batteries=(BatteryConfig(capacity_kwh=10.0),)))
    bench.box.status = ChargerStatus.B
    bench.pv_w, bench.battery, bench.grid_w = [9000.0], [(0.0, 90.0)], -9000.0
    bench.at(0)
    assert bench.box.is_enabled
    bench.pv_w, bench.battery, bench.grid_w = [0.0], [(None, None)], 0.0
    for second in range(10, 310, 10):
        bench.at(second)
    assert not bench.box.is_enabled


HOME = (BatteryConfig(capacity_kwh=10.0),)
LAST_WORD_S = 210
"""So long the last word of a meter stands: 30 s, and the 3 min of a grid meter that is lost [DEF-47]."""


def blind(bench: Bench, seconds: range) -> None:
    """The battery is silent, and keeps the grid at zero whatever the car takes."""
    bench.battery, bench.grid_w = [(None, None)], 0.0
    for second in seconds:
        bench.at(second)


@pytest.mark.rule("DEF-48", "SITE-15")
@pytest.mark.parametrize("pv_w", [[None], [None, 0.0], []])
def test_charging_from_the_sun_ends_while_nobody_sees_battery_and_sun(pv_w: list[float | None]) -> None:
    bench = Bench(site_config(loadpoint(enable_delay=0 * S), pv_count=len(pv_w), batteries=HOME))
    bench.box.status = ChargerStatus.B
    bench.pv_w, bench.battery, bench.grid_w = [9000.0] * len(pv_w), [(0.0, 90.0)], -9000.0
    bench.at(0)
    assert bench.box.is_enabled
    bench.pv_w = pv_w
    blind(bench, range(10, LAST_WORD_S + 10, 10))
    assert bench.box.is_enabled and view(bench).site_power_w == 0  # the sun that was there counts for a while
    blind(bench, range(LAST_WORD_S + 10, LAST_WORD_S + 20, 10))
    assert bench.box.is_enabled and view(bench).site_power_w == 4140  # and then it is as if it had set
    blind(bench, range(LAST_WORD_S + 20, LAST_WORD_S + 210, 10))
    assert not bench.box.is_enabled
    blind(bench, range(LAST_WORD_S + 210, LAST_WORD_S + 4000, 10))
    assert not bench.box.is_enabled


@pytest.mark.rule("DEF-48", "SITE-15")
def test_what_one_inverter_shows_is_followed_while_battery_and_another_one_are_silent() -> None:
    bench = Bench(site_config(pv_count=2, batteries=HOME))
    bench.box.status, bench.box.is_enabled, bench.box.power_w = ChargerStatus.C, True, 6900.0
    bench.pv_w, bench.battery = [3000.0, 4000.0], [(0.0, 50.0)]
    bench.at(0)
    bench.pv_w, bench.battery = [2000.0, None], [(None, None)]
    bench.at(LAST_WORD_S)
    assert view(bench).site_power_w == 900  # 4000 W were the last word
    bench.at(LAST_WORD_S + 1)
    assert view(bench).site_power_w == 4900


@pytest.mark.rule("DEF-48", "SITE-15")
def test_a_silent_charger_may_take_all_that_it_offers_of_a_silent_battery() -> None:
    bench = Bench(site_config(loadpoint(), loadpoint(mode=ChargeMode.NOW), pv_count=1, batteries=HOME))
    bench.pv_w, bench.battery = [12000.0], [(0.0, 50.0)]
    bench.boxes[1].status = ChargerStatus.B
    bench.at(0)
    bench.box.status, bench.box.is_enabled, bench.box.power_w = ChargerStatus.C, True, 4140.0
    bench.boxes[1].status = None
    blind(bench, range(10, 50, 10))
    assert view(bench).site_power_w == pytest.approx(4140 + 3 * 16 * 230 - 12000)


@pytest.mark.rule("DEF-48", "SITE-15")
def test_what_nobody_has_asked_yet_is_not_silent() -> None:
    bench = Bench(site_config(pv_count=1, batteries=HOME))
    bench.box.status, bench.box.is_enabled, bench.box.power_w = ChargerStatus.C, True, 6900.0
    bench.pv_w, bench.battery = [None], [(None, None)]
    bench.at(10)
    assert view(bench).site_power_w == 0
    bench.at(31)
    assert view(bench).site_power_w == 6900


@pytest.mark.rule("DEF-18", "SITE-11", "SITE-15")
def test_a_battery_that_nobody_hears_of_bridges_no_longer() -> None:
    """Its last SoC stands, but says nothing of what it still has."""
    bench = Bench(site_config(loadpoint(enable_delay=0 * S), pv_count=1, batteries=HOME, buffer_soc_pct=80.0))
    bench.box.status = ChargerStatus.B
    bench.pv_w, bench.battery, bench.grid_w = [9000.0], [(0.0, 90.0)], -9000.0
    bench.at(0)
    bench.pv_w = [0.0]
    blind(bench, range(10, LAST_WORD_S + 10, 10))
    assert bench.box.is_enabled
    blind(bench, range(LAST_WORD_S + 10, LAST_WORD_S + 210, 10))
    assert not bench.box.is_enabled
    assert view(bench).battery_soc_pct == 90


@pytest.mark.rule("SITE-7", "DEF-43")
def test_home_battery_may_be_empty() -> None:
    bench = off(batteries=(BatteryConfig(capacity_kwh=10.0),))
    bench.battery = [(-500.0, 0.0)]
    bench.at(0)
    assert view(bench).battery_soc_pct == 0
    bench.battery = [(-500.0, 255.0)]
    bench.at(10)
    assert view(bench).battery_soc_pct == 0


@pytest.mark.rule("TAR-9")
def test_feed_in_price_that_is_not_known_now_is_not_zero() -> None:
    bench = Bench(site_config(pv_count=1))
    bench.tariffs = {TariffKind.GRID: Rates((Rate(NOON, NOON + 3600 * S, 0.30),))}
    bench.pv_w = [500.0]
    run(bench, [0, 10], house_w=1000, sun_w=500)
    assert view(bench).tariff_effective_price == pytest.approx(0.15)  # no tariff: what is not sold is free
    bench.tariffs[TariffKind.FEED_IN] = Rates((Rate(NOON + 3600 * S, NOON + 7200 * S, 0.08),))
    run(bench, [20], house_w=1000, sun_w=500)
    assert view(bench).tariff_effective_price is None
    bench.pv_w = [0.0]
    run(bench, [30], house_w=1000)
    assert view(bench).tariff_effective_price == 0.30  # nothing of it could have been sold


@pytest.mark.rule("DEF-48", "SITE-16")
def test_unknown_charge_power_makes_home_power_unknown() -> None:
    bench = off()
    bench.box.extra = {"power_w": Missing(0 * S)}
    bench.at(0)
    assert view(bench).home_power_w is None
    assert view(bench).green_share is None
