"""The site's meters: sums, ages, silence, and what goes on without them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bench import NOON, Bench, loadpoint, site_config

from evcclib.commands import Command, Disable, Enable, SetCurrent
from evcclib.config import BatteryConfig
from evcclib.events import Warned, WarningCode
from evcclib.machines.surplus import RESTING, Waiting
from evcclib.machines.unmetered import measured
from evcclib.model import Cause, ChargeMode, ChargerStatus, PvAction, TariffKind
from evcclib.pipeline.sharing import effect_of
from evcclib.readings import Measured, MeterReading, Missing, Readings
from evcclib.reasons import ReasonCode
from evcclib.tariff import CO2_UNIT, Rate, Rates
from evcclib.units import ORIGIN
from evcclib.view import SiteView

A, B, C = ChargerStatus.A, ChargerStatus.B, ChargerStatus.C
SECOND: Any = timedelta(seconds=1)
HOUR: Any = timedelta(hours=1)
TICK = timedelta(microseconds=1)


def shown(bench: Bench) -> SiteView:
    return bench.site.view(now=bench.now)


def warnings(bench: Bench) -> list[tuple[WarningCode, object]]:
    return [(event.code, event.params.get("meter")) for event in bench.events if isinstance(event, Warned)]


@pytest.mark.rule("SITE-6", "U-2", "SITE-5")
def test_inverters_add_up_and_what_they_draw_at_night_counts_as_nothing() -> None:
    bench = Bench(site_config(pv_count=3))
    bench.pv_w = [3000.0, -20.0, 500.0]
    bench.at(0)
    assert shown(bench).pv_power_w == 3500.0
    assert shown(bench).pv_powers_w == (3000.0, -20.0, 500.0)


@pytest.mark.rule("SITE-6", "DEF-48", "SITE-5")
def test_inverter_that_fails_keeps_its_value_until_that_is_too_old_and_leaves_no_sum() -> None:
    bench = Bench(site_config(pv_count=2))
    bench.pv_w = [3000.0, 500.0]
    bench.at(0)
    bench.pv_w = [None, 600.0]
    bench.at(30)
    assert shown(bench).pv_power_w == 3600.0
    bench.at(30.000001)
    assert shown(bench).pv_power_w is None
    assert shown(bench).pv_powers_w == (None, 600.0)
    bench.at(40)
    bench.pv_w = [3100.0, 600.0]
    bench.at(50)
    assert shown(bench).pv_power_w == 3700.0
    assert warnings(bench) == [(WarningCode.METER_STALE, "pv1"), (WarningCode.RECOVERED, "pv1")]


@pytest.mark.rule("SITE-6")
def test_inverter_with_the_wrong_sign_is_told() -> None:
    bench = Bench(site_config(pv_count=1))
    bench.pv_w = [-500.0]
    bench.at(0)
    assert not warnings(bench)
    bench.pv_w = [-500.1]
    bench.at(10)
    bench.at(20)
    assert warnings(bench) == [(WarningCode.PV_SIGN, "pv_sign1")]


@pytest.mark.rule("SITE-14", "U-5", "SITE-13", "DEF-48")
def test_aux_meters_make_room_for_the_car() -> None:
    bench = Bench(site_config(aux_count=2), grid_w=-1000.0)
    assert shown(Bench(site_config())).aux_power_w == 0
    bench.aux_w = [300.0, 200.0]
    bench.at(0)
    assert shown(bench).aux_power_w == 500.0
    assert shown(bench).site_power_w == -1500.0
    bench.aux_w = [None, 200.0]
    bench.at(60)
    assert shown(bench).aux_power_w is None
    assert shown(bench).site_power_w == -1200.0


@pytest.mark.rule("SITE-7", "DEF-18", "DEF-48")
def test_battery_that_fails_is_unknown_and_keeps_its_soc() -> None:
    bench = Bench(site_config(batteries=(BatteryConfig(capacity_kwh=10.0),), priority_soc_pct=50.0), grid_w=-1000.0)
    bench.battery = [(-2000.0, 60.0)]
    bench.at(0)
    assert shown(bench).battery_power_w == -2000.0
    assert shown(bench).site_power_w == -3000.0
    bench.battery = [(None, None)]
    bench.at(60)
    assert shown(bench).battery_power_w is None
    assert shown(bench).battery_soc_pct == 60.0
    assert shown(bench).site_power_w == -1000.0
    assert shown(bench).home_power_w is None


@pytest.mark.rule("SITE-7", "DEF-18", "DEF-48")
def test_mean_soc_is_of_the_batteries_that_answer_and_stands_when_none_does() -> None:
    batteries = (BatteryConfig(capacity_kwh=10.0), BatteryConfig(capacity_kwh=10.0))
    bench = Bench(site_config(batteries=batteries))
    bench.battery = [(0.0, 20.0), (0.0, 90.0)]
    bench.at(0)
    bench.battery = [(None, None), (0.0, 96.0)]
    bench.at(30)
    assert shown(bench).battery_soc_pct == 58.0
    bench.at(40)
    assert (shown(bench).battery_soc_pct, shown(bench).battery_capacity_kwh) == (96.0, 10.0)
    bench.battery = [(None, None), (None, None)]
    bench.at(800)
    assert shown(bench).battery_soc_pct == 96.0


@pytest.mark.rule("DEF-43", "SITE-7")
@pytest.mark.parametrize("bad", [-1.0, 101.0, float("nan")])
def test_implausible_battery_soc_is_not_believed(bad: float) -> None:
    bench = Bench(site_config(batteries=(BatteryConfig(),)))
    bench.battery = [(0.0, 60.0)]
    bench.at(0)
    bench.battery = [(0.0, bad)]
    bench.at(10)
    assert shown(bench).battery_soc_pct == 60.0


@pytest.mark.rule("SITE-8", "DEF-19")
def test_phase_values_of_the_grid_are_optional_and_currents_take_the_sign_of_their_power() -> None:
    bench = Bench(site_config(loadpoint(phases=3)), grid_w=-5000.0)
    bench.box.status = B
    sample = Measured((-2000.0, 500.0, -3500.0), ORIGIN)
    bench.grid = MeterReading(
        power_w=Measured(-5000.0, ORIGIN), powers_w=sample, currents_a=Measured((8.7, 2.2, 15.2), ORIGIN)
    )
    assert bench.at(0) == (SetCurrent(6.0), Enable())
    assert shown(bench).grid_powers_w == (-2000.0, 500.0, -3500.0)
    assert shown(bench).grid_currents_a == (-8.7, 2.2, -15.2)
    bench.grid = MeterReading(
        power_w=Measured(-900.0, 10 * SECOND), powers_w=Missing(10 * SECOND), currents_a=Missing(10 * SECOND)
    )
    assert bench.at(10) == (SetCurrent(7.0),)
    assert shown(bench).grid_powers_w is None
    assert shown(bench).grid_power_w == -900.0


@pytest.mark.rule("SITE-9")
def test_without_a_grid_meter_the_grid_gives_what_the_sun_does_not() -> None:
    bench = Bench(site_config(loadpoint(phases=1), has_grid=False, pv_count=1))
    bench.box.phases = 1
    bench.box.status = B
    bench.pv_w = [2000.0]
    assert bench.at(0) == (SetCurrent(6.0), Enable())
    assert shown(bench).site_power_w == 6 * 230 - 2000.0
    assert shown(bench).grid_power_w is None
    assert bench.at(10) == (SetCurrent(8.0),)


@pytest.mark.rule("SITE-9", "U-6")
def test_without_inverters_the_sun_gives_what_charging_and_export_show() -> None:
    bench = Bench(site_config(residual_power_w=100.0), grid_w=-500.0)
    bench.box.power_w = 3000.0
    bench.at(0)
    assert shown(bench).pv_power_w == 3600.0
    bench.grid_w = 9000.0
    bench.at(10)
    assert shown(bench).pv_power_w == 0


@pytest.mark.rule("SITE-16")
def test_home_power_is_what_does_not_go_into_cars() -> None:
    bench = Bench(site_config(pv_count=1, batteries=(BatteryConfig(),)), grid_w=500.0)
    bench.pv_w = [4000.0]
    bench.battery = [(1000.0, 50.0)]
    bench.box.power_w = 3500.0
    bench.at(0)
    assert shown(bench).home_power_w == 2000.0
    bench.grid_w = -2000.0
    bench.at(10)
    assert shown(bench).home_power_w == 0


@pytest.mark.rule("SITE-18", "SITE-19")
def test_site_is_healthy_while_its_last_good_step_is_young() -> None:
    bench = Bench(site_config())
    assert not shown(bench).is_healthy
    assert shown(bench).last_success is None
    bench.at(0)
    assert shown(bench).is_healthy
    assert shown(bench).last_success == NOON
    bench.grid_w = None
    for seconds in range(10, 71, 10):
        bench.at(seconds)
    assert shown(bench).last_success == NOON
    bench.t = 70 * SECOND - TICK
    assert shown(bench).is_healthy
    bench.t = 70 * SECOND
    assert not shown(bench).is_healthy


@pytest.mark.rule("SITE-18")
def test_charger_that_is_silent_does_not_make_the_site_ill() -> None:
    bench = Bench(site_config())
    bench.box.status = None
    for seconds in range(0, 200, 10):
        bench.at(seconds)
    assert shown(bench).is_healthy


@pytest.mark.rule("DEF-47", "SITE-19", "SITE-5")
def test_silent_grid_meter_lowers_surplus_charging_then_pauses_it_and_recovers_by_itself() -> None:
    bench = Bench(site_config(loadpoint(phases=3)), grid_w=-9000.0)
    bench.box.status = B
    bench.at(0)
    bench.at(10)
    assert bench.lp.charger.current_a == 16.0
    bench.grid_w = None
    assert bench.at(20) == ()
    assert bench.at(40) == ()
    assert bench.at(50) == (SetCurrent(6.0),)
    assert bench.lp.reason.code is ReasonCode.GRID_STALE
    sent = {seconds: commands for seconds in range(60, 400, 10) if (commands := bench.at(seconds))}
    assert sent == {220: (Disable(),)}
    assert bench.lp.reason.code is ReasonCode.GRID_LOST
    assert warnings(bench) == [(WarningCode.GRID_STALE, "grid"), (WarningCode.GRID_LOST, "grid_lost")]
    bench.grid_w = -9000.0
    sent = {seconds: commands for seconds in range(400, 900, 10) if (commands := bench.at(seconds))}
    # the enable delay, then the guard since 220 s; after that the current follows the sun again
    assert sent == {460: (SetCurrent(6.0),), 520: (Enable(),), 530: (SetCurrent(16.0),)}
    assert [code for code, _ in warnings(bench)].count(WarningCode.RECOVERED) == 2


@pytest.mark.rule("DEF-47", "SITE-19")
@pytest.mark.parametrize("mode", [ChargeMode.NOW, ChargeMode.MINPV])
def test_what_needs_no_meter_goes_on_without_it(mode: ChargeMode) -> None:
    bench = Bench(site_config(loadpoint(phases=3, mode=mode)), grid_w=-9000.0)
    bench.box.status = B
    for seconds in range(0, 50, 10):
        bench.at(seconds)
    bench.grid_w = None
    for seconds in range(50, 1000, 10):
        bench.at(seconds)
    assert bench.lp.charger.is_enabled
    assert bench.lp.charger.current_a == (16.0 if mode is ChargeMode.NOW else 6.0)


@pytest.mark.rule("DEF-47")
def test_nothing_starts_from_surplus_that_cannot_be_seen() -> None:
    bench = Bench(site_config(loadpoint(phases=3)), grid_w=None)
    bench.box.status = B
    assert {bench.at(seconds) for seconds in range(0, 600, 10)} == {()}
    assert bench.lp.reason.code in (ReasonCode.GRID_STALE, ReasonCode.GRID_LOST)


@pytest.mark.rule("DEF-47", "DEF-48")
def test_frozen_meter_is_a_silent_meter() -> None:
    bench = Bench(site_config(loadpoint(phases=3)), grid_w=-9000.0)
    bench.box.status = B
    bench.at(0)
    bench.at(10)
    bench.grid = MeterReading(power_w=Measured(-9000.0, 10 * SECOND))
    bench.at(40)
    assert bench.lp.charger.current_a == 16.0
    bench.at(50)
    assert bench.lp.charger.current_a == 6.0


@pytest.mark.rule("SITE-2", "SITE-1", "DEF-37")
def test_request_is_decided_at_once_and_leaves_the_interval_alone() -> None:
    bench = Bench(site_config(loadpoint(mode=ChargeMode.OFF), loadpoint(mode=ChargeMode.OFF)))
    for box in bench.boxes:
        box.status = B
    bench.at(0)
    bench.at(10)
    bench.set("mode", ChargeMode.NOW, 0)
    bench.set("mode", ChargeMode.NOW, 1)
    bench.at(13, Cause.REQUEST)
    assert all(each.charger.is_enabled for each in bench.site.state.loadpoints)
    assert bench.site.state.tick_at == 10 * SECOND


@pytest.mark.rule("SITE-1")
def test_new_sample_alone_is_no_reason_to_decide() -> None:
    bench = Bench(site_config(loadpoint(phases=3)))
    bench.box.status = B
    bench.at(0)
    bench.grid_w = -9000.0
    assert bench.at(3, Cause.SAMPLE) == ()
    assert shown(bench).grid_power_w == -9000.0
    assert bench.lp.memory.timer == RESTING
    bench.at(10)
    assert bench.lp.memory.timer == Waiting(PvAction.ENABLE, 10 * SECOND)


@pytest.mark.rule("TAR-9", "U-12", "GRN-1")
def test_prices_and_emissions_are_shown_as_they_are_and_as_they_mix() -> None:
    bench = Bench(site_config(pv_count=1), grid_w=1000.0)
    bench.pv_w = [1000.0]
    bench.at(0)
    assert shown(bench).tariff_grid is None
    assert shown(bench).tariff_effective_price is None
    assert shown(bench).green_share == 0.5
    bench.tariffs = {
        TariffKind.GRID: Rates.of([Rate(NOON, NOON + HOUR, 0.30)]),
        TariffKind.FEED_IN: Rates.of([Rate(NOON, NOON + HOUR, 0.08)]),
        TariffKind.PLANNER: Rates((Rate(NOON, NOON + HOUR, 400.0),), unit=CO2_UNIT),
    }
    bench.at(10)
    view = shown(bench)
    assert (view.tariff_grid, view.tariff_feed_in, view.tariff_co2) == (0.30, 0.08, 400.0)
    assert view.tariff_effective_price == pytest.approx(0.19)
    assert view.tariff_effective_co2 == 200.0


@pytest.mark.rule("SAV-2", "SAV-4", "DEF-40")
def test_savings_follow_the_cars_share() -> None:
    bench = Bench(site_config(loadpoint(mode=ChargeMode.NOW, phases=1), pv_count=1), grid_w=2180.0)
    bench.box.phases = 1
    bench.box.status = B
    bench.pv_w = [2000.0]
    for seconds in range(0, 3630, 10):
        bench.grid_w = 500.0 + bench.power(bench.box) - 2000.0
        bench.at(seconds)
    savings = shown(bench).savings
    assert savings.total_charged_kwh == pytest.approx(3.68, abs=0.03)
    assert savings.self_consumption_pct == pytest.approx(100 * 1500 / 3680, abs=1)
    assert savings.amount == pytest.approx(1.5 * 0.22, abs=0.01)
    assert savings.since == NOON


@pytest.mark.rule("DEF-48", "SITE-5", "SITE-6")
def test_readings_without_any_meter_are_unknown_and_not_zero() -> None:
    bench = Bench(site_config(pv_count=2, batteries=(BatteryConfig(),), aux_count=1))
    bench.box.status = B
    bench.step(readings=Readings())
    view = shown(bench)
    assert (view.pv_power_w, view.battery_power_w, view.grid_power_w, view.home_power_w) == (None, None, None, None)
    assert view.pv_powers_w == (None, None)
    assert view.loadpoints[0].reason.code is ReasonCode.CHARGER_SILENT
    assert not warnings(bench)  # just started: what was not asked yet is not silent
    bench.t = bench.config.reading_age_max
    bench.step(readings=Readings())
    codes = [code for code, _ in warnings(bench)]
    assert codes.count(WarningCode.METER_STALE) >= 4
    assert WarningCode.CHARGER_SILENT in codes


@pytest.mark.rule("DEF-49", "PRIO-2")
@pytest.mark.parametrize(
    ("commands", "about", "effect_w"),
    [
        ((SetCurrent(10.0),), {"is_ramping": True, "power_w": 500.0}, 10 * 690 - 500),
        ((SetCurrent(10.0),), {"current_a": 10.0, "drawn_a": 12.0}, 0),
        ((SetCurrent(10.0),), {"current_a": 16.0, "drawn_a": 12.0}, -2 * 690),
        ((SetCurrent(10.0),), {"current_a": 16.0, "drawn_a": 8.0}, 0),
        ((SetCurrent(16.0),), {"current_a": 10.0, "drawn_a": 8.0}, 6 * 690),
        ((SetCurrent(16.0),), {"current_a": 10.0, "drawn_a": 7.9}, 0),
        ((SetCurrent(16.0),), {"is_charging": False}, 0),
        ((Disable(),), {"power_w": 4140.0}, -4140),
        ((SetCurrent(6.0), Enable()), {"is_enabled": False, "power_w": 0.0}, 6 * 690),
    ],
)
def test_what_a_command_will_change_is_known_before_it_shows(
    commands: tuple[Command, ...], about: dict[str, float | bool], effect_w: float
) -> None:
    known: dict[str, float | bool] = {
        "is_enabled": True,
        "is_charging": True,
        "is_ramping": False,
        "current_a": 6.0,
        "drawn_a": 6.0,
        "power_w": 4140.0,
    }
    known |= about
    drawn = measured(known.pop("power_w"))
    effect = effect_of(commands, drawn=drawn, phases=3, voltage_v=230.0, **known)  # type: ignore[arg-type]  # by name
    assert effect == (pytest.approx(effect_w), pytest.approx(effect_w))
