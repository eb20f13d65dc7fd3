"""One loadpoint in the step: which reason to charge wins, and plans."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from bench import NOON
from loadpoint_bench import CAR, HOUR, MINPV, NOW, OFF, PV, A, S, bench, reason, with_soc

from evcclib.commands import (
    Disable,
    Enable,
    Read,
    SetCurrent,
    SwitchPhases,
    VehicleRead,
)
from evcclib.config import Actions, PollConfig, VehicleConfig
from evcclib.errors import UnknownTarget
from evcclib.events import (
    Warned,
    WarningCode,
)
from evcclib.laws.by_name import LAWS
from evcclib.machines.surplus import ELAPSED
from evcclib.model import Cause, ChargeMode, PollMode, RemoteDemand, TariffKind, VehicleFeature
from evcclib.readings import Measured
from evcclib.reasons import ReasonCode
from evcclib.requests import AssignVehicle, ChangeVehicleSetting, DemandRemotely
from evcclib.site import Site
from evcclib.tariff import Rate, Rates

# --- which reason wins ----------------------------------------------------------------------------------------------


@pytest.mark.rule("STR-1", "DEF-6", "INV-3")
def test_not_connected_is_off_without_guard() -> None:
    site = bench(NOW)
    site.at(0)
    site.box.status = A
    assert site.at(10) == (Disable(),)
    assert reason(site) is ReasonCode.NOT_CONNECTED


@pytest.mark.rule("STR-2", "PH-11")
@pytest.mark.parametrize("mode", [OFF, NOW])
def test_locked_phases_are_switched_to_first(mode: ChargeMode) -> None:
    site = bench(mode, can_switch_phases=True, phases=1)
    assert site.at(0) == (SwitchPhases(1),)
    assert reason(site) is ReasonCode.PHASE_LOCK
    assert site.at(10) == ((SetCurrent(16.0), Enable()) if mode is NOW else ())


@pytest.mark.rule("STR-5", "RC-2", "DEF-25")
@pytest.mark.parametrize("mode", [NOW, MINPV])
def test_remote_hard_beats_every_mode_and_min_soc(mode: ChargeMode) -> None:
    site = bench(mode, cars=(CAR,), vehicle="car")
    site.submit(ChangeVehicleSetting("car", "soc_min_pct", 50))
    site.at(0)
    with_soc(site, 10.0)
    site.at(10)
    site.submit(DemandRemotely(0, RemoteDemand.HARD, "hems"))
    assert site.at(20, Cause.REQUEST) == (Disable(),)
    assert reason(site) is ReasonCode.REMOTE_HARD
    assert site.lp.reason.params == {"source": "hems"}


@pytest.mark.rule("STR-6", "DEF-25", "INV-5")
def test_off_beats_a_reached_goal_with_climate() -> None:
    car = replace(CAR, has_climate=True)
    site = bench(OFF, cars=(car,), vehicle="car")
    site.at(0)
    with_soc(site, 90.0, is_climating=Measured(True, 0 * S))
    site.submit(ChangeVehicleSetting("car", "soc_target_pct", 80))
    assert site.at(10) == ()
    assert reason(site) is ReasonCode.MODE_OFF


@pytest.mark.rule("STR-7", "STR-10")
def test_now_switches_to_three_phases_and_charges_in_one_batch() -> None:
    site = bench(NOW, can_switch_phases=True, phases=0)
    site.box.extra = {"phases": Measured(1, 0 * S)}
    assert site.at(0) == (SwitchPhases(3), SetCurrent(16.0), Enable())
    assert site.lp.charger.phases == 3
    assert site.lp.charger.guard is None


@pytest.mark.rule("STR-8", "GOAL-4", "PVT-3", "PH-10")
def test_below_min_soc_it_charges_fast_and_the_next_surplus_decision_is_immediate() -> None:
    site = bench(PV, cars=(CAR,), vehicle="car", guard_duration=timedelta(minutes=5))
    site.submit(ChangeVehicleSetting("car", "soc_min_pct", 20))
    site.at(0)
    with_soc(site, 10.0)
    assert site.at(10) == (SetCurrent(16.0), Enable())
    assert reason(site) is ReasonCode.MIN_SOC
    site.at(20)
    assert (site.lp.memory.timer, site.lp.charger.guard) == (ELAPSED, None)
    site.t = 30 * S
    with_soc(site, 20.0)
    site.grid_w = 11000.0
    assert site.at(40) == (Disable(),)


@pytest.mark.rule("PVT-3", "STR-8")
def test_enable_while_the_timer_has_elapsed_keeps_its_guard() -> None:
    site = bench(PV, cars=(replace(CAR, has_soc=False),), vehicle="car")
    site.submit(ChangeVehicleSetting("car", "soc_min_pct", 20))
    assert site.at(0) == (SetCurrent(16.0), Enable())  # connected in this very step: the timer had elapsed already
    assert site.lp.charger.guard == 0 * S


@pytest.mark.rule("GOAL-4", "DEF-1")
def test_unknown_soc_forces_nothing_for_ten_minutes_and_then_a_bounded_energy() -> None:
    site = bench(PV, cars=(CAR,), vehicle="car", has_energy_total=True)
    site.submit(ChangeVehicleSetting("car", "soc_min_pct", 20))
    site.box.extra = {"energy_total_kwh": Measured(0.0, 0 * S)}
    site.grid_w = 500.0
    for second in range(0, 600, 10):
        assert site.at(second) == ()
    assert site.at(600) == (SetCurrent(16.0), Enable())
    site.box.extra = {"energy_total_kwh": Measured(11.99, 4510 * S)}
    assert site.at(4510) == ()
    site.box.extra = {"energy_total_kwh": Measured(12.0, 4520 * S)}
    site.grid_w = 11540.0
    assert site.at(4520) == (Disable(),)


@pytest.mark.rule("STR-3", "GOAL-1", "GOAL-2", "GOAL-5")
def test_energy_goal_of_a_guest_ends_charging() -> None:
    site = bench(NOW)
    site.at(0)
    site.set("energy_target_kwh", 10)
    site.at(1000)
    assert site.lp.charger.is_enabled
    assert site.at(10 / 11.04 * 3600 + 1) == (Disable(),)
    assert reason(site) is ReasonCode.TARGET_ENERGY_REACHED


@pytest.mark.rule("GOAL-1", "DEF-42")
def test_energy_goal_does_not_count_for_a_vehicle_with_soc() -> None:
    site = bench(NOW, cars=(CAR, VehicleConfig(name="old", features=frozenset({VehicleFeature.OFFLINE}))))
    site.at(0)
    site.submit(AssignVehicle(0, "car"))
    site.set("energy_target_kwh", 1)
    site.at(3600)
    assert site.lp.charger.is_enabled
    site.submit(AssignVehicle(0, "old"))
    site.set("energy_target_kwh", 1)
    assert site.at(3610) == (Disable(),)


@pytest.mark.rule("STR-4", "GOAL-3", "GOAL-5", "DEF-7")
def test_reached_soc_goal_switches_off_and_a_higher_goal_says_the_current_again() -> None:
    site = bench(NOW, cars=(CAR,), vehicle="car")
    site.at(0)
    with_soc(site, 80.0)
    site.set("soc_target_pct", 80)
    assert site.at(10) == (Disable(),)
    assert reason(site) is ReasonCode.TARGET_SOC_REACHED
    site.set("soc_target_pct", 90)
    assert site.at(20) == (SetCurrent(16.0), Enable())


@pytest.mark.rule("DEF-24", "SOC-6", "GOAL-3")
def test_soc_of_the_charger_counts_for_a_guest() -> None:
    site = bench(NOW, has_soc=True)
    site.box.extra = {"soc_pct": Measured(80.0, 0 * S)}
    site.set("soc_target_pct", 80)
    assert site.at(0) == ()
    assert reason(site) is ReasonCode.TARGET_SOC_REACHED


@pytest.mark.rule("GOAL-5", "CLI", "STR-9")
def test_climate_keeps_the_minimum_after_the_goal_and_without_sun() -> None:
    car = replace(CAR, has_climate=True)
    site = bench(PV, cars=(car,), vehicle="car", poll=PollConfig(mode=PollMode.ALWAYS))
    site.grid_w = 500.0
    site.at(0)
    assert Read("car", VehicleRead.CLIMATE) in site.reads
    with_soc(site, 50.0, is_climating=Measured(True, 0 * S))
    assert site.at(10) == (SetCurrent(6.0), Enable())
    assert reason(site) is ReasonCode.CLIMATE
    site.set("soc_target_pct", 40)
    assert site.at(20) == ()
    assert reason(site) is ReasonCode.CLIMATE
    with_soc(site, 50.0, is_climating=Measured(False, 20 * S))
    assert site.at(30) == (Disable(),)
    assert reason(site) is ReasonCode.TARGET_SOC_REACHED


@pytest.mark.rule("CLI", "DEF-25")
def test_climate_is_asked_for_as_polling_allows() -> None:
    car = replace(CAR, has_climate=True)
    site = bench(PV, cars=(car,), vehicle="car")
    site.grid_w = 500.0
    asked = []
    for second in range(0, 3600, 10):
        with_soc(site, 50.0, is_climating=Measured(False, 0 * S))
        site.at(second)
        asked += [second for read in site.reads if read.what is VehicleRead.CLIMATE]
    assert asked == [0]


@pytest.mark.rule("STR-9", "RC-2", "RC-3", "LP-24")
def test_remote_soft_pauses_the_sun_only() -> None:
    site = bench(PV)
    site.grid_w = -8000.0
    site.at(0)
    site.submit(DemandRemotely(0, RemoteDemand.SOFT, "shm"))
    assert site.at(10) == (Disable(),)
    view = site.site.view(now=site.now).loadpoints[0]
    assert (reason(site), view.remote_demand, view.remote_source) == (ReasonCode.REMOTE_SOFT, RemoteDemand.SOFT, "shm")
    site.set("mode", NOW)
    assert site.at(20) == (SetCurrent(16.0), Enable())


@pytest.mark.rule("LP-11", "LP-25", "DEF-26", "ACT-1", "SITE-4")
def test_mode_that_comes_with_the_vehicle_acts_in_the_same_step() -> None:
    car = VehicleConfig(name="car", identifiers=("abc",), on_identify=Actions(mode=NOW, current_max_a=10.0))
    site = bench(OFF, cars=(car,), has_identity=True)
    site.at(0)
    site.box.extra = {"identity": Measured("ABC", 0 * S)}
    assert site.at(10) == (SetCurrent(10.0), Enable())


@pytest.mark.rule("TAR-10", "STR-9", "STR-12")
def test_cheap_energy_is_taken_at_full_power() -> None:
    site = bench(PV)
    site.grid_w = 500.0
    cheap = Rates((Rate(NOON, NOON + HOUR, 0.10), Rate(NOON + HOUR, NOON + 2 * HOUR, 0.30)))
    site.tariffs = {TariffKind.GRID: cheap}
    site.at(0)
    site.set("smart_cost_limit", 0.10)
    assert site.at(10) == (SetCurrent(16.0), Enable())
    assert (reason(site), site.lp.reason.params) == (ReasonCode.SMART_COST, {"price": 0.10, "limit": 0.10})
    site.grid_w = 11500.0
    assert site.at(3600) == (Disable(),)
    site.tariffs[TariffKind.PLANNER] = cheap
    site.set("target_time", NOON + 5 * HOUR)
    site.at(3610)
    assert reason(site) is ReasonCode.SURPLUS_MISSING
    assert site.site.rates(TariffKind.PLANNER) is cheap
    assert site.site.rates(TariffKind.FEED_IN) is None


@pytest.mark.rule("STR-13", "STR-9", "TAR-1", "TAR-8")
@pytest.mark.parametrize("law", LAWS)
def test_sun_is_sold_while_feed_in_pays_the_limit(law: str) -> None:
    site = bench(PV)
    site.site = Site(replace(site.config, law=law), now=site.now)
    site.grid_w = -12000.0
    dear = Rates((Rate(NOON + HOUR, NOON + 2 * HOUR, 0.20), Rate(NOON + 2 * HOUR, NOON + 3 * HOUR, 0.19)))
    site.tariffs = {TariffKind.FEED_IN: dear, TariffKind.GRID: Rates((Rate(NOON, NOON + 9 * HOUR, 0.30),))}
    site.set("feed_in_priority_limit", 0.20)
    offered = {}
    for second in range(0, 3 * 3600, 10):
        site.at(second)
        view = site.site.view(now=site.now).loadpoints[0]
        offered[second] = view.current_offered_a
        assert view.feed_in_priority_is_active is (3600 <= second < 7200)
        assert view.feed_in_priority_next_start == (NOON + HOUR if second < 3600 else None)
        if 3600 <= second < 7200:
            assert view.reason.code in (ReasonCode.FEED_IN_PRIORITY, ReasonCode.GUARD)
    assert offered[3590] == offered[3 * 3600 - 10] == 16.0
    assert {offered[second] for second in range(3660, 7200, 10)} == {0.0}

    site.set("feed_in_priority_limit", 0.19)
    site.at(10000)
    assert (reason(site), site.lp.reason.params) == (ReasonCode.FEED_IN_PRIORITY, {"price": 0.19, "limit": 0.19})
    site.tariffs[TariffKind.FEED_IN] = replace(dear, is_outdated=True)
    site.at(10010)
    assert reason(site) is not ReasonCode.FEED_IN_PRIORITY  # nobody waits for a price that nobody knows


@pytest.mark.rule("STR-13", "STR-7", "STR-8", "STR-12")
def test_only_who_follows_the_sun_waits_for_it_to_be_sold() -> None:
    site = bench(MINPV, cars=(CAR,), vehicle="car")
    site.grid_w = -12000.0
    every = (Rate(NOON, NOON + 9 * HOUR, 0.20),)
    site.tariffs = {TariffKind.FEED_IN: Rates(every), TariffKind.GRID: Rates(every)}
    site.set("feed_in_priority_limit", 0.20)
    assert site.at(0) == (SetCurrent(6.0), Enable())
    assert reason(site) is ReasonCode.FEED_IN_PRIORITY
    site.set("smart_cost_limit", 0.20)
    site.at(10)
    assert reason(site) is ReasonCode.SMART_COST
    site.set("smart_cost_limit", None)
    site.set("mode", NOW)
    site.at(20)
    assert reason(site) is ReasonCode.MODE_NOW
    site.set("mode", PV)
    site.submit(ChangeVehicleSetting("car", "soc_min_pct", 50))
    with_soc(site, 10.0)
    site.at(30)
    assert reason(site) is ReasonCode.MIN_SOC


# --- plans ----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("PLAN-1", "STR-8", "STR-11", "PLAN-17")
def test_plan_charges_in_its_slots_and_is_previewed_without_being_stored() -> None:
    site = bench(PV, cars=(CAR,), vehicle="car")
    site.grid_w = 500.0
    site.tariffs = {
        TariffKind.GRID: Rates(
            tuple(Rate(NOON + n * HOUR, NOON + (n + 1) * HOUR, price) for n, price in enumerate((0.3, 0.1, 0.4)))
        )
    }
    site.at(0)
    with_soc(site, 62.0)
    site.at(10)
    preview = site.site.plan(0, now=site.now, target_time=NOON + 3 * HOUR)
    assert preview.power_w == 11040
    assert preview.duration == pytest.approx(timedelta(hours=22.8 / 11.04), abs=S)
    assert preview.slots is not None and preview.unit == "EUR" and preview.is_met
    assert site.lp.settings.target_time is None
    site.set("soc_target_pct", 80)
    site.set("target_time", NOON + 3 * HOUR)
    site.at(20)
    assert reason(site) is not ReasonCode.PLAN_ACTIVE
    assert site.lp.plan.projected_start is not None
    assert site.lp.plan.projected_start - NOON == pytest.approx(
        HOUR + 78 * S, abs=S
    )  # 10.8 kWh fit into the cheap hour
    with_soc(site, 62.0)
    assert site.at(3680) == (SetCurrent(16.0), Enable())
    assert (reason(site), site.lp.reason.until_utc) == (ReasonCode.PLAN_ACTIVE, NOON + 2 * HOUR)
    site.set("mode", NOW)
    site.at(3690)
    assert not site.lp.plan.is_active


@pytest.mark.rule("PLAN-17", "PLAN-10", "PLAN-22")
def test_preview_without_a_goal_or_a_time_is_empty() -> None:
    site = bench(PV, cars=(CAR,), vehicle="car")
    site.at(0)
    assert site.site.plan(0, now=site.now).slots is None
    unknown = site.site.plan(0, now=site.now, target_time=NOON + HOUR)
    assert (unknown.slots, unknown.is_met, unknown.unit) == (None, False, "")
    assert site.site.plan(0, now=site.now, target_time=NOON - HOUR).slots is None
    with pytest.raises(UnknownTarget):
        site.site.plan(1, now=site.now)


@pytest.mark.rule("PLAN-2", "PLAN-17")
def test_plan_for_an_energy_goal_and_its_warning() -> None:
    site = bench(PV)
    site.at(0)
    site.set("energy_target_kwh", 22.08)
    site.set("target_time", NOON + HOUR)
    site.at(10)
    assert reason(site) is ReasonCode.PLAN_ACTIVE
    assert Warned(WarningCode.PLAN_UNREACHABLE, 0) in site.events
    assert not site.site.plan(0, now=site.now).is_met


@pytest.mark.rule("GOAL-5", "STR-11")
def test_reached_goal_ends_the_plan() -> None:
    site = bench(PV, cars=(CAR,), vehicle="car")
    site.at(0)
    with_soc(site, 50.0)
    site.set("soc_target_pct", 80)
    site.set("target_time", NOON + HOUR)
    site.at(10)
    assert site.lp.plan.is_active
    with_soc(site, 80.0)
    assert site.at(20) == (Disable(),)
    assert not site.lp.plan.is_active
