"""What calls for which mode of a home battery, through whole steps."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from bench import NOON, Bench, S, loadpoint, site_config

from evcclib.commands import BatteryMode, BatteryOutcome, Result
from evcclib.config import BatteryConfig, SiteConfig
from evcclib.errors import InvalidConfig, InvalidReadings, InvalidSetting
from evcclib.events import BatteryModeChanged, Warned, WarningCode
from evcclib.model import Cause, ChargeMode, ChargerStatus, TariffKind
from evcclib.readings import OperatorLimit, Readings
from evcclib.reasons import BatteryCode
from evcclib.requests import ChangeLoadpointSetting, ChangeSiteSetting, CommandBatteries, is_lasting
from evcclib.site import Site
from evcclib.tariff import Rate, Rates

NORMAL, HOLD, CHARGE = BatteryMode.NORMAL, BatteryMode.HOLD, BatteryMode.CHARGE
ALL = frozenset(BatteryMode)


def home(mode: ChargeMode = ChargeMode.NOW, *, modes: frozenset[BatteryMode] = ALL, **values: object) -> SiteConfig:
    batteries = (BatteryConfig(capacity_kwh=10, modes=modes),)
    return site_config(loadpoint(mode=mode), **{"batteries": batteries, **values})


def started(config: SiteConfig, *, control: bool = True, limit: float | None = None) -> Bench:
    bench = Bench(config)
    bench.box.status = ChargerStatus.B
    if control:
        bench.submit(ChangeSiteSetting("battery_discharge_control", True))
    if limit is not None:
        bench.submit(ChangeSiteSetting("battery_grid_charge_limit", limit))
    return bench


def cheap(price: float = 0.1, *, until_s: float = 3600) -> Rates:
    begin = NOON - timedelta(hours=1)
    change = NOON + until_s * S
    return Rates((Rate(begin, change, price), Rate(change, change + timedelta(hours=24), 0.4)), "EUR")


def mode_of(bench: Bench) -> BatteryMode | None:
    return bench.site.view(now=bench.now).batteries[0].mode


@pytest.mark.rule("BAT-3")
def test_a_car_in_mode_now_holds_the_battery_and_frees_it_afterwards() -> None:
    bench = started(home())
    bench.at(0)  # the car is started
    bench.at(10)
    assert [(each.mode, each.expires_at) for each in bench.told] == [(HOLD, 310 * S)]
    assert mode_of(bench) is HOLD
    view = bench.site.view(now=bench.now).batteries[0]
    assert (view.mode_reason.code, view.mode_reason.params) == (BatteryCode.HELD_FAST, {"loadpoint": 1.0})
    bench.box.status = ChargerStatus.A
    for second in range(20, 210, 10):
        bench.at(second)
    assert [each.mode for each in bench.told] == [HOLD, HOLD, NORMAL]  # once renewed
    assert mode_of(bench) is NORMAL
    assert bench.found(BatteryModeChanged) == [BatteryModeChanged(0, HOLD), BatteryModeChanged(0, NORMAL)]


@pytest.mark.rule("BAT-1", "BAT-3")
@pytest.mark.parametrize("control", [False, True])
def test_nothing_is_said_unless_the_owner_wants_it_or_to_a_car_that_follows_the_sun(control: bool) -> None:
    bench = started(home(ChargeMode.MINPV if control else ChargeMode.NOW), control=control)
    for second in range(0, 100, 10):
        bench.at(second)
    assert bench.box.is_enabled
    assert bench.told == []


@pytest.mark.rule("BAT-3")
def test_switching_discharge_control_off_frees_the_battery_at_once() -> None:
    bench = started(home())
    bench.at(0)
    bench.at(10)
    bench.submit(ChangeSiteSetting("battery_discharge_control", False))
    bench.at(11, Cause.REQUEST)
    assert [each.mode for each in bench.told] == [HOLD, NORMAL]


@pytest.mark.rule("BAT-3")
def test_a_charger_that_has_fallen_silent_holds_nothing() -> None:
    bench = started(home())
    bench.at(0)
    bench.at(10)
    bench.box.status = None
    for second in range(20, 300, 10):
        bench.at(second)
    assert bench.told[-1].mode is NORMAL


@pytest.mark.rule("BAT-3")
def test_a_plan_holds_the_battery_too() -> None:
    bench = started(home(ChargeMode.PV))
    bench.submit(ChangeLoadpointSetting(0, "energy_target_kwh", 50.0))
    bench.submit(ChangeLoadpointSetting(0, "target_time", NOON + timedelta(hours=1)))
    bench.at(0)
    bench.at(10)
    view = bench.site.view(now=bench.now).batteries[0]
    assert (view.mode, view.mode_reason.code) == (HOLD, BatteryCode.HELD_PLAN)


@pytest.mark.rule("BAT-2")
def test_it_charges_while_energy_is_cheap_and_not_a_moment_longer() -> None:
    bench = started(home(ChargeMode.OFF), control=False, limit=0.1)
    bench.tariffs = {TariffKind.GRID: cheap(0.1)}
    bench.at(0)
    assert [each.mode for each in bench.told] == [CHARGE]
    view = bench.site.view(now=bench.now).batteries[0]
    assert view.mode_reason.params == {"price": 0.1, "limit": 0.1}
    for second in range(10, 3600, 10):
        bench.at(second)
    assert {each.mode for each in bench.told} == {CHARGE}
    bench.at(3600)
    assert bench.told[-1].mode is NORMAL


@pytest.mark.rule("BAT-2")
def test_it_does_not_charge_above_the_limit_or_where_nobody_knows_the_price() -> None:
    bench = started(home(ChargeMode.OFF), control=False, limit=0.1)
    bench.at(0)
    bench.tariffs = {TariffKind.GRID: cheap(0.101)}
    bench.at(10)
    assert bench.told == []


@pytest.mark.rule("BAT-8")
def test_an_operators_limit_ends_charging_at_once_and_its_end_lets_it_go_on() -> None:
    bench = started(home(ChargeMode.OFF), control=False, limit=0.2)
    bench.tariffs = {TariffKind.GRID: cheap()}
    bench.at(0)
    bench.operator = OperatorLimit(power_w=4200.0, expires_at=250 * S)
    bench.at(10)
    assert [each.mode for each in bench.told] == [CHARGE, NORMAL]
    for second in range(20, 250, 10):
        bench.at(second)
    assert [each.mode for each in bench.told] == [CHARGE, NORMAL]
    bench.at(250)
    assert [each.mode for each in bench.told] == [CHARGE, NORMAL, CHARGE]


@pytest.mark.rule("BAT-1")
def test_a_battery_that_cannot_charge_from_the_grid_is_held_instead_if_that_is_called_for() -> None:
    bench = started(home(modes=frozenset({NORMAL, HOLD})), limit=0.2)
    bench.tariffs = {TariffKind.GRID: cheap()}
    bench.at(0)
    assert bench.told == []
    bench.at(10)
    assert [each.mode for each in bench.told] == [HOLD]


@pytest.mark.rule("BAT-7")
def test_a_battery_that_is_held_keeps_no_other_car_alive() -> None:
    """Above the buffer SoC it may, but not while it does not discharge: the grid would."""
    config = home(batteries=(BatteryConfig(modes=ALL),), buffer_soc_pct=50.0)
    config = site_config(*config.loadpoints, loadpoint(), batteries=config.batteries, buffer_soc_pct=50.0)
    bench = started(config)
    bench.battery = [(0.0, 90.0)]
    bench.boxes[1].status, bench.boxes[1].is_enabled, bench.boxes[1].offered_a = ChargerStatus.C, True, 6.0
    bench.grid_w = 11_000.0
    for second in range(0, 400, 10):
        bench.at(second)
    assert mode_of(bench) is HOLD
    assert not bench.boxes[1].is_enabled


@pytest.mark.rule("BAT-6")
def test_a_failure_is_told_once_and_so_is_its_end() -> None:
    bench = started(home())
    bench.battery_result = Result.FAILED
    for second in range(0, 60, 10):
        bench.at(second)
    bench.battery_result = Result.DONE
    for second in range(60, 120, 10):
        bench.at(second)
    assert [(each.code, each.params.get("code")) for each in bench.found(Warned)] == [
        (WarningCode.BATTERY_FAILED, None),
        (WarningCode.RECOVERED, "battery_failed"),
    ]
    assert mode_of(bench) is HOLD


@pytest.mark.rule("BAT-6")
def test_an_outcome_that_nobody_reports_is_unknown_and_said_again() -> None:
    bench = started(home())
    bench.battery_result = None
    for second in range(0, 80, 10):
        bench.at(second)
    assert [each.mode for each in bench.told] == [HOLD]
    bench.at(80)
    assert [each.mode for each in bench.told] == [HOLD, HOLD]
    assert mode_of(bench) is None


@pytest.mark.rule("BAT-6")
@pytest.mark.parametrize("in_flight", [False, True])
def test_whoever_is_restored_frees_the_battery_first(in_flight: bool) -> None:
    bench = started(home())
    bench.battery_result = None if in_flight else Result.DONE
    bench.at(0)
    bench.at(10)
    exported = json.loads(json.dumps(bench.site.export(now=bench.now)))
    bench.site = Site.restore(bench.config, exported, now=bench.now)
    assert mode_of(bench) is None
    bench.told.clear()
    bench.battery_result = Result.DONE
    bench.has_started = False
    bench.at(20)
    assert [each.mode for each in bench.told] == [NORMAL]
    bench.at(30)
    assert [each.mode for each in bench.told] == [NORMAL, HOLD]


@pytest.mark.rule("BAT-6")
def test_what_nobody_knows_of_is_freed_too() -> None:
    bench = Bench(home(ChargeMode.OFF))
    bench.site.doubt_batteries()
    bench.at(0)
    assert [each.mode for each in bench.told] == [NORMAL]


@pytest.mark.rule("BAT-5")
def test_a_long_interval_makes_a_long_expiry() -> None:
    bench = started(home(interval=timedelta(minutes=10)))
    bench.at(0)
    bench.at(600)
    assert [(each.mode, each.expires_at) for each in bench.told] == [(HOLD, 600 * S + timedelta(hours=1))]


@pytest.mark.rule("BAT-1")
def test_a_home_without_such_a_battery_refuses_the_settings() -> None:
    bench = Bench(home(modes=frozenset()))
    for name, value in (("battery_discharge_control", True), ("battery_grid_charge_limit", 0.1)):
        with pytest.raises(InvalidSetting, match="battery control not available"):
            bench.submit(ChangeSiteSetting(name, value))


@pytest.mark.parametrize("value", [1, 0.0, "true", None])
def test_a_switch_is_true_or_false(value: object) -> None:
    bench = Bench(home())
    with pytest.raises(InvalidSetting, match="true, false"):
        bench.submit(ChangeSiteSetting("battery_discharge_control", value))  # type: ignore[arg-type]  # on purpose


def test_modes_without_normal_are_refused() -> None:
    with pytest.raises(InvalidConfig, match=r"batteries\[0\].modes"):
        Bench(home(modes=frozenset({HOLD})))


@pytest.mark.parametrize(("battery", "number"), [(1, 1), (0, 1)])
def test_an_outcome_of_no_command_is_refused(battery: int, number: int) -> None:
    bench = Bench(home())
    outcome = BatteryOutcome(battery, number, Result.DONE)
    with pytest.raises(InvalidReadings, match="battery_outcomes"):
        bench.step(readings=Readings(battery_outcomes=(outcome,)))


def modes_told(bench: Bench) -> list[BatteryMode]:
    return [each.mode for each in bench.told]


@pytest.mark.rule("BAT-9")
def test_what_somebody_else_says_acts_at_once_and_ends_a_minute_after_it_was_said_last() -> None:
    bench = started(home(ChargeMode.OFF), control=False)
    bench.at(0)
    bench.submit(CommandBatteries(HOLD))
    bench.at(10)
    bench.at(20)
    view = bench.site.view(now=bench.now)
    assert (view.batteries[0].mode, view.battery_override) == (HOLD, HOLD)
    assert view.batteries[0].mode_reason.code is BatteryCode.EXTERNAL
    bench.submit(CommandBatteries(HOLD))  # until 80 s
    for second in (30, 40, 50, 60, 70):
        bench.at(second)
    assert modes_told(bench) == [HOLD]
    bench.at(80)
    assert modes_told(bench) == [HOLD, NORMAL]
    assert bench.site.view(now=bench.now).battery_override is None


@pytest.mark.rule("BAT-9")
def test_it_goes_before_what_the_owner_wants_and_can_be_withdrawn() -> None:
    bench = started(home(ChargeMode.OFF), control=False, limit=0.2)
    bench.tariffs = {TariffKind.GRID: cheap()}
    bench.at(0)
    bench.submit(CommandBatteries(NORMAL))
    bench.at(10)
    bench.at(20)
    assert modes_told(bench) == [CHARGE, NORMAL]
    bench.submit(CommandBatteries(None))
    for second in range(30, 200, 10):
        bench.at(second)
    assert modes_told(bench) == [CHARGE, NORMAL, CHARGE]


@pytest.mark.rule("BAT-9", "BAT-8")
def test_it_charges_from_the_grid_whatever_that_costs_but_not_against_the_operator() -> None:
    bench = started(home(ChargeMode.OFF), control=False)
    bench.at(0)
    bench.submit(CommandBatteries(CHARGE))
    bench.at(10)
    assert modes_told(bench) == [CHARGE]
    bench.operator = OperatorLimit(power_w=4200.0, expires_at=250 * S)
    bench.at(20)
    assert modes_told(bench) == [CHARGE, NORMAL]


@pytest.mark.rule("BAT-9")
def test_it_is_refused_where_no_battery_can_do_it_and_forgotten_by_a_restart() -> None:
    with pytest.raises(InvalidSetting, match="battery control not available"):
        started(home(modes=frozenset()), control=False).submit(CommandBatteries(HOLD))
    bench = started(home(modes=frozenset({NORMAL, HOLD})), control=False)
    with pytest.raises(InvalidSetting, match=r"charge is not allowed|expected normal, hold"):
        bench.submit(CommandBatteries(CHARGE))
    bench.submit(CommandBatteries(HOLD))
    assert not is_lasting(CommandBatteries(HOLD))
    restored = Site.restore(bench.config, bench.site.export(now=bench.now), now=bench.now)
    assert restored.view(now=bench.now).battery_override is None
