"""Runs before the bound: whatever controls, in whatever world, has cost no less; and what a run is measured by is what flowed."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from typing import Any

import numpy as np
import pytest
from broken_controls import anarchist, impatient, jumpy, timid
from hypothesis import given, settings
from hypothesis import strategies as st

from evcc_sim.bound.cost import Weights, scored
from evcc_sim.bound.one_car import least_cost, least_purchase, most_sun
from evcc_sim.bound.stay import stays
from evcc_sim.bound.walk import Budget
from evcc_sim.judge.trace import Trace
from evcc_sim.plants.battery import BatterySpec
from evcc_sim.plants.car import CarSpec, Visit
from evcc_sim.plants.faults import FaultKind
from evcc_sim.plants.household import HouseholdSpec
from evcc_sim.plants.sky import Sky
from evcc_sim.plants.sunshine import PvSpec
from evcc_sim.plants.wallbox import WallboxSpec
from evcc_sim.runs.controls import ControlFactory, classic, control_of
from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds.scenario import ActionSpec, ChargerSpec, FaultSpec, LoadpointSpec, Scenario, SiteSpec, WeatherSpec
from evcc_sim.worlds.variants import resolve
from evcclib.model import ChargeMode


def never_better(trace: Trace) -> None:
    """No loadpoint has cost less than the clairvoyant of its stays, in any figure."""
    weights, found = Weights(), stays(trace)
    for loadpoint in range(len(trace.scenario.charger)):
        there = [stay for stay in found if stay.loadpoint == loadpoint]
        done = scored(trace, loadpoint, found=found)
        assert done.not_taken_kwh >= -1e-6
        changes = Budget(phase_changes=done.phase_changes)
        for budget in (Budget(), changes):
            least = sum(least_cost(stay, weights, budget).least for stay in there)
            assert least <= done.eur(weights) + 1e-6, trace.scenario.name
        starts = (done.switchings + 1) // 2
        same = Budget(phase_changes=done.phase_changes, starts=starts) if starts <= 8 else changes
        bought = sum(least_purchase(stay, stay.kwh(stay.drawn_w), same).least for stay in there)
        assert bought <= done.bought_kwh + 1e-6
        if done.bought_kwh < 1e-9:
            used_kwh = sum(stay.usable_kwh for stay in there) - done.not_taken_kwh
            assert sum(most_sun(stay, changes) for stay in there) >= used_kwh - 1e-6


@pytest.mark.day
@pytest.mark.parametrize(
    "world",
    [
        "april-clouds",
        "clear-day",
        "coarse-steps",
        "tapering-car",
        "zero-feed-in",
        "battery-home",
        "two-cars-one-roof",
        "restless-house",
        "rebooting-charger",
        "short-visit",
        "phase-border",
        "dst-autumn",
    ],
)
def test_no_named_day_beats_the_bound(world: str) -> None:
    never_better(simulate(resolve(world), 3).trace)


@pytest.mark.day
@pytest.mark.parametrize(
    "pack", ["clouds_at_phase_gap", "n_cars_one_roof", "boundary", "bad_car", "bad_bus", "any_world", "lying_read_back"]
)
@pytest.mark.parametrize("seed", [1, 2])
def test_no_generated_day_beats_the_bound(pack: str, seed: int) -> None:
    never_better(simulate(resolve(f"@{pack}", seed=seed), seed).trace)


@pytest.mark.day
@pytest.mark.parametrize(("name", "interval_s"), [("evcc", 10), ("openwb", 10), ("smartevse", 2), ("openems", 1)])
def test_no_rival_beats_the_bound(name: str, interval_s: int) -> None:
    switches = [] if name == "openems" else ["charger.0.box.can_switch_phases=true"]
    changes = ["hours=11", f"site.interval_s={interval_s}", *switches]
    never_better(simulate(resolve("april-clouds", changes=changes), 2, control=control_of(name)).trace)


@pytest.mark.parametrize("interval_s", [1, 2, 5])
def test_short_intervals_are_measured_as_those_of_ten_seconds(interval_s: int) -> None:
    """The sun of a day is the same whoever looks how often, and so is the bound."""
    found = []
    for each_s in (interval_s, 10):
        trace = simulate(resolve("april-clouds", changes=["hours=9.5", f"site.interval_s={each_s}"]), 3).trace
        (stay,) = stays(trace)
        found.append((stay.cell_s, stay.sun_w, least_cost(stay).least))
    (cell_s, sun_w, least_eur), (other_cell_s, other_sun_w, other_least_eur) = found
    assert cell_s == other_cell_s == 10.0
    assert sun_w == pytest.approx(other_sun_w, abs=0.01)
    assert least_eur == pytest.approx(other_least_eur, abs=1e-6)


modes = st.sampled_from((ChargeMode.PV, ChargeMode("minpv"), ChargeMode.NOW))
controls: st.SearchStrategy[ControlFactory] = st.sampled_from((classic, impatient, jumpy, anarchist, timid))


@st.composite
def homes(draw: st.DrawFn) -> Scenario:
    """Four hours of one car and one station."""
    box = WallboxSpec(
        name="bay",
        can_switch_phases=draw(st.booleans()),
        phases=draw(st.sampled_from((1, 3))),
        phase_switch_pauses=draw(st.booleans()),
        current_step_a=draw(st.sampled_from((0.001, 1.0))),
    )
    car = CarSpec(
        name="car",
        capacity_kwh=draw(st.sampled_from((20.0, 60.0))),
        phases=draw(st.integers(1, 3)),
        dead_time_s=draw(st.sampled_from((1.0, 8.0, 70.0))),
        climate=draw(st.sampled_from(((), ((time(10), time(11)),)))),
        visits=(
            Visit(
                charger="bay", arrive=time(8, 1), depart=time(11, 7), soc_pct=draw(st.sampled_from((20.0, 85.0, 97.0)))
            ),
        ),
    )
    return Scenario(
        name="home",
        hours=12.0,
        site=SiteSpec(interval_s=draw(st.sampled_from((2.0, 5.0, 7.0, 10.0, 30.0, 120.0)))),
        weather=WeatherSpec(sky=draw(st.sampled_from(tuple(Sky)))),
        household=HouseholdSpec(),
        pv=(PvSpec(peak_w=draw(st.sampled_from((4000.0, 10_000.0))), zero_feed_in=draw(st.booleans())),),
        battery=draw(st.sampled_from(((), (BatterySpec(),)))),
        charger=(ChargerSpec(box=box, loadpoint=LoadpointSpec(mode=draw(modes))),),
        car=(car,),
    )


@given(homes(), st.integers(1, 999), controls)
@settings(max_examples=15)
def test_no_control_beats_the_bound(home: Scenario, seed: int, control: ControlFactory) -> None:
    never_better(simulate(home, seed, control=control).trace)


def test_what_is_bought_is_what_the_grid_has_delivered() -> None:
    """A house that takes nothing itself, so that all import is the car's."""
    world = resolve("april-clouds").with_changes(household=HouseholdSpec(constant_w=0.0))
    trace = simulate(world, 1).trace
    done, last = scored(trace), trace.instants[-1]
    assert done.charged_kwh == pytest.approx(last.loadpoints[0].energy_kwh, abs=1e-6)
    assert done.bought_kwh == pytest.approx(last.grid_in_kwh, rel=0.1)
    assert done.bought_kwh <= last.grid_in_kwh + 1e-9  # within ten seconds of clouds both flow


def test_all_laws_are_measured_by_the_same_sun() -> None:
    world = resolve("april-clouds")
    one, other = (stays(simulate(world, 1, control=control).trace)[0] for control in (classic, timid))
    assert other.kwh(np.abs(one.sun_w - other.sun_w)) < 1e-3 * one.kwh(one.sun_w)
    assert least_cost(one).least == pytest.approx(least_cost(other).least, rel=0.01)


def test_two_stays_of_a_day_are_two_problems() -> None:
    world = resolve("clear-day")
    visits = tuple(
        Visit(charger=world.charger[0].box.name, arrive=time(arrive), depart=time(arrive + 2), soc_pct=30)
        for arrive in (9, 14)
    )
    trace = simulate(world.with_changes(car=(replace(world.car[0], visits=visits),)), 1).trace
    found = stays(trace)
    assert [stay.steps for stay in found] == [120, 120]
    assert [stay.first_phases for stay in found] == [world.charger[0].box.phases, None]
    assert sum(stay.kwh(stay.drawn_w) for stay in found) == pytest.approx(scored(trace).charged_kwh)
    never_better(trace)


def home(car: CarSpec, *, pv_w: float, mode: ChargeMode = ChargeMode.NOW, **more: Any) -> Scenario:
    """A car at a station of three phases, from 8:00 to 10:00, under a sun that stands still."""
    visit = Visit(charger="bay", arrive=time(8), depart=time(10), used_pct=0.0)
    return Scenario(
        name="home",
        hours=12.0,
        household=HouseholdSpec(constant_w=0.0),
        pv=(PvSpec(constant_w=pv_w),),
        charger=(ChargerSpec(box=WallboxSpec(name="bay"), loadpoint=LoadpointSpec(mode=mode)),),
        car=(replace(car, visits=(visit,)),),
        **more,
    )


def test_a_car_that_tapers_below_its_minimum_beats_no_bound() -> None:
    """From 97.2 % on it takes less than 4,140 W on three phases, in the end 1,500 W: 3 kW of sun are enough for most of that."""
    car = CarSpec(name="car", capacity_kwh=60.0, soc_pct=98.5)
    trace = simulate(home(car, pv_w=2900.0), 1).trace
    (stay,) = stays(trace)
    assert stay.room_kwh == pytest.approx(1.0, abs=1e-3)  # 1.5 % of 60 kWh at 90 %
    assert stay.taper_kwh == 0.0
    assert scored(trace).bought_kwh < 0.01
    never_better(trace)


def test_until_a_car_tapers_its_minimum_holds() -> None:
    (stay,) = stays(simulate(home(CarSpec(name="car", capacity_kwh=60.0, soc_pct=80.0), pv_w=9000.0), 1).trace)
    assert stay.room_kwh == pytest.approx(20.0 * 0.6 / 0.9, abs=1e-3)
    low_pct = 100.0 - 10.0 * (4140.0 - 1500.0) / (11_040.0 - 1500.0)
    assert stay.taper_kwh == pytest.approx((low_pct - 80.0) * 0.6 / 0.9, abs=1e-3)


def test_a_slow_car_draws_less_than_its_minimum_for_a_while() -> None:
    """Closed at 8:00:06; it waits for a minute and a half, and draws 6 A two seconds later at the latest."""
    car = CarSpec(name="car", dead_time_s=90.0, soc_pct=20.0)
    trace = simulate(home(car, pv_w=0.0), 1).trace
    (stay,) = stays(trace)
    assert stay.lag_s >= 90.0 + 6.0 / 4.0
    drawn_w = stay.means(stay.drawn_w)
    assert drawn_w[1] < 4140.0 < drawn_w[2]
    never_better(trace)


def test_a_stuck_contactor_has_no_minimum() -> None:
    """It stays closed while the car has long stopped."""
    stuck = FaultSpec(kind=FaultKind.STUCK_CONTACTOR, device="bay", at=time(8, 30), lasts=timedelta(minutes=20))
    stop = ActionSpec(at=time(8, 40), loadpoint=0, setting="mode", value="off")
    car = CarSpec(name="car", soc_pct=20.0)
    trace = simulate(home(car, pv_w=2000.0, fault=(stuck,), action=(stop,)), 1).trace
    (stay,) = stays(trace)
    assert stay.means(stay.drawn_w)[45] == pytest.approx(0.0)
    assert stay.low_share[[29, 30, 45, 50, 51]].tolist() == [0.0, 0.0, 0.0, 0.0, 1.0]
    never_better(trace)
