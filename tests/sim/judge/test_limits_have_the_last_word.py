"""Small worlds about limits: one phase where three are too many, no raise without a decision, no guard above a limit."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evcc_sim.plants.car import CarSpec, Visit
from evcc_sim.plants.faults import FaultKind
from evcc_sim.plants.household import HouseholdSpec
from evcc_sim.plants.sunshine import PvSpec
from evcc_sim.plants.wallbox import WallboxSpec
from evcc_sim.runs.inprocess import simulate
from evcc_sim.runs.result import RunResult
from evcc_sim.worlds.generators import PACKS
from evcc_sim.worlds.scenario import (
    ActionSpec,
    ChargerSpec,
    CircuitSpec,
    FaultSpec,
    LoadpointSpec,
    Scenario,
    SiteSpec,
)
from evcclib.commands import Disable, SetCurrent, SwitchPhases
from evcclib.model import ChargeMode

CAR = CarSpec(
    name="car",
    capacity_kwh=80.0,
    soc_pct=20.0,
    visits=(Visit(charger="bay", arrive=time(0, 5), depart=time(23), soc_pct=20.0),),
)


def world(loadpoint: LoadpointSpec, *, box: WallboxSpec | None = None, house_w: float = 300.0) -> Scenario:
    return Scenario(
        name="",
        title="A limit and a car",
        hours=2.0,
        site=SiteSpec(fuse_a=63.0),
        household=HouseholdSpec(series=((0.0, house_w),)),
        charger=(ChargerSpec(box=box or WallboxSpec(name="bay", can_switch_phases=True), loadpoint=loadpoint),),
        car=(CAR,),
    )


def switches(result: RunResult) -> list[int]:
    return [sent.command.phases for sent in result.trace.sent if isinstance(sent.command, SwitchPhases)]


def operator(power_w: float, *, at: time = time(0, 0), lasts: timedelta = timedelta(hours=2)) -> tuple[ActionSpec, ...]:
    return (ActionSpec(at=at, operator_limit_w=power_w, lasts=lasts),)


FORCED = {
    "now": LoadpointSpec(mode=ChargeMode.NOW, vehicle="car"),
    "min_soc": LoadpointSpec(mode=ChargeMode.PV, vehicle="car"),
    "plan": LoadpointSpec(mode=ChargeMode.PV, vehicle="car"),
}
REQUESTS = {
    "now": (),
    "min_soc": (ActionSpec(at=time(0, 1), vehicle="car", setting="soc_min_pct", value=80),),
    "plan": (
        ActionSpec(at=time(0, 6), vehicle="car", setting="soc_target_pct", value=90),
        ActionSpec(at=time(0, 6), loadpoint=0, setting="target_time", value="02:30"),
    ),
}


@pytest.mark.day
@pytest.mark.parametrize("limit", ["operator", "circuit"])
@pytest.mark.parametrize("why", sorted(FORCED))
def test_forced_charging_does_with_one_phase_where_the_limit_is_too_small_for_three(why: str, limit: str) -> None:
    base = world(FORCED[why])
    if limit == "operator":
        spec = replace(base, action=(*operator(4000.0), *REQUESTS[why]))
    else:
        bound = replace(FORCED[why], circuit="branch")
        spec = replace(
            base,
            action=REQUESTS[why],
            circuit=(CircuitSpec(name="branch", power_max_w=4000.0),),
            charger=(replace(base.charger[0], loadpoint=bound),),
        )
    result = simulate(spec)
    assert result.violations == ()
    assert result.summary.charged_kwh > 3.6 * 1.7  # 16 A on one phase
    assert switches(result)[:1] == [1]


@pytest.mark.day
def test_operator_that_comes_and_goes_wears_no_relay_out() -> None:
    spans = tuple(
        span
        for minute in range(10, 110, 5)
        for span in operator(4000.0, at=time(minute // 60, minute % 60), lasts=timedelta(minutes=2))
    )
    result = simulate(replace(world(LoadpointSpec(mode=ChargeMode.NOW)), action=spans))
    assert result.violations == ()
    assert 2 <= len(switches(result)) <= 4
    assert result.summary.charged_kwh > 3.6 * 1.6


@pytest.mark.day
@pytest.mark.parametrize("limit", ["house", "operator"])
def test_guard_keeps_nothing_above_a_limit(limit: str) -> None:
    loadpoint = LoadpointSpec(
        mode=ChargeMode.PV,
        phases=3,
        circuit="house",
        enable_delay=timedelta(seconds=0.0),
        disable_delay=timedelta(seconds=0.0),
    )
    base = world(loadpoint, box=WallboxSpec(name="bay"))
    spec = replace(
        base,
        hours=1.0,
        household=HouseholdSpec(series=((0.0, 0.0), (420.0, 15.9 * 690 if limit == "house" else 0.0))),
        pv=(PvSpec(name="roof", steps=((time(0, 0), 8000.0), (time(0, 6, 40), 0.0))),),
        circuit=(CircuitSpec(name="house", current_max_a=16.0, uses_grid_meter=True),),
        action=operator(600.0, at=time(0, 7)) if limit == "operator" else (),
    )
    result = simulate(spec)
    assert result.violations == ()
    stops = [sent.second for sent in result.trace.sent if isinstance(sent.command, Disable)]
    assert stops
    assert 420 <= stops[0] <= 435


@pytest.mark.day
@pytest.mark.parametrize("lasts_s", [3, 5, 25])
def test_lost_write_is_no_reason_to_raise(lasts_s: int) -> None:
    """The sun weakens while a write is lost; a branch of 14 A is enforced whenever the house moves by ten watts."""
    wobble = tuple((3590.0 + 0.9 * step, 310.0 if step % 2 else 300.0) for step in range(60))
    base = world(LoadpointSpec(mode=ChargeMode.PV, vehicle="car", circuit="branch"), box=WallboxSpec(name="bay"))
    spec = replace(
        base,
        hours=1.2,
        household=HouseholdSpec(series=((0.0, 300.0), *wobble)),
        pv=(PvSpec(name="roof", steps=((time(0, 0), 6000.0), (time(0, 59, 55), 4800.0))),),
        circuit=(
            CircuitSpec(name="main", current_max_a=63.0, uses_grid_meter=True),
            CircuitSpec(name="branch", parent="main", current_max_a=14.0),
        ),
        fault=(FaultSpec(kind=FaultKind.SILENCE, device="bay", at=time(0, 59, 58), lasts=timedelta(seconds=lasts_s)),),
    )
    result = simulate(spec)
    assert result.violations == ()
    written = [
        sent.command.current_a
        for sent in result.trace.sent
        if isinstance(sent.command, SetCurrent) and sent.second >= 3600
    ]
    assert written
    assert max(written) < 8.0
    assert max(instant.grid_w for instant in result.trace.instants if instant.second >= 3600) < 1500


def wrong_vehicle(*circuits: CircuitSpec, action: tuple[ActionSpec, ...] = ()) -> Scenario:
    """A one-phase car is said to be where one with three charges; beside it a third."""
    circuit = circuits[0].name if circuits else None
    places = (
        ChargerSpec(
            box=WallboxSpec(name="bay"), loadpoint=LoadpointSpec(mode=ChargeMode.NOW, vehicle="small", circuit=circuit)
        ),
        ChargerSpec(box=WallboxSpec(name="next"), loadpoint=LoadpointSpec(mode=ChargeMode.NOW, circuit=circuit)),
    )
    beside = Visit(charger="next", arrive=time(0, 6), depart=time(23), soc_pct=20.0)
    cars = (CarSpec(name="small", phases=1), CAR, replace(CAR, name="other", visits=(beside,)))
    scenario = replace(world(LoadpointSpec()), hours=1.0, charger=places, car=cars)
    return replace(scenario, circuit=circuits, action=action)


WRONG_VEHICLE = {
    "operator": wrong_vehicle(action=operator(7000.0, at=time(0, 30), lasts=timedelta(minutes=20))),
    "power": wrong_vehicle(CircuitSpec(name="main", power_max_w=7000.0, has_meter=True)),
    "current": wrong_vehicle(CircuitSpec(name="main", current_max_a=20.0, has_meter=True)),
}


@pytest.mark.parametrize("limit", WRONG_VEHICLE)
def test_vehicle_that_is_not_there_lends_no_limit_its_phases(limit: str) -> None:
    result = simulate(WRONG_VEHICLE[limit])
    assert result.violations == ()
    if limit != "current":
        limited = [i for i in result.trace.instants if 1900 <= i.second < 3000]
        assert 4000 < max(sum(each.power_w for each in i.loadpoints) for i in limited) <= 7000


@pytest.mark.parametrize("has_meter", [True, False])
def test_power_is_limited_at_the_voltage_that_is_measured(has_meter: bool) -> None:
    """By the station's meter, or only by that of the grid."""
    scenario = world(LoadpointSpec(mode=ChargeMode.NOW), box=WallboxSpec(name="bay", has_meter=has_meter))
    scenario = replace(scenario, site=replace(scenario.site, true_voltage_v=240.0), action=operator(7000.0))
    result = simulate(scenario)
    assert result.violations == ()
    assert 6900 < max(i.loadpoints[0].power_w for i in result.trace.instants) <= 7000


def test_station_that_is_silent_and_hears_is_lowered_however_long_it_has_been_silent() -> None:
    """Its watchdog is kept calm by polls that nobody hears the answers to."""
    result = simulate(PACKS["lost_answers"].build({"before_s": 45.0, "kind": "delay", "delay_s": 4.0}))
    assert result.violations == ()
    lowered = [i.loadpoints[0].pilot_a for i in result.trace.instants if 645 <= i.second < 1150]
    assert 6.0 <= min(lowered) <= max(lowered) <= 10.0


def small_car(
    takes_a: float, *, offers_a: float, phases: int = 1, excess_a: float, arrive: time, interval_s: float = 10.0
) -> Scenario:
    """A car that takes less than it is offered, nobody measures it, and the house takes the circuit above its 35 A."""
    house_w = (35.0 - takes_a + excess_a) * 230.0
    car = CarSpec(
        name="car",
        phases=phases,
        current_max_a=takes_a,
        capacity_kwh=90.0,
        soc_pct=20.0,
        visits=(Visit(charger="bay", arrive=arrive, depart=time(23), soc_pct=20.0),),
    )
    spec = world(
        LoadpointSpec(mode=ChargeMode.NOW, circuit="main", current_max_a=offers_a),
        box=WallboxSpec(name="bay", has_meter=False, current_max_a=offers_a),
    )
    return replace(
        spec,
        hours=0.75,
        site=replace(spec.site, interval_s=interval_s),
        household=HouseholdSpec(series=((0.0, 500.0), (1200.0, house_w)), split=(1.0, 0.0, 0.0)),
        circuit=(CircuitSpec(name="main", current_max_a=35.0, uses_grid_meter=True),),
        car=(car,),
    )


@given(
    takes_a=st.floats(6.0, 30.0).map(lambda current_a: round(current_a, 1)),
    offers_a=st.sampled_from([16.0, 32.0]),
    phases=st.sampled_from([1, 3]),
    excess_a=st.sampled_from([0.3, 0.8, 1.2, 3.0]),
    arrive=st.sampled_from([time(0, 0), time(0, 5)]),
    interval_s=st.sampled_from([5.0, 10.0, 30.0]),
)
@example(takes_a=6.3, offers_a=32.0, phases=1, excess_a=1.2, arrive=time(0, 5), interval_s=10.0)
@example(takes_a=6.8, offers_a=32.0, phases=3, excess_a=1.2, arrive=time(0, 5), interval_s=30.0)
@example(
    takes_a=10.5, offers_a=16.0, phases=3, excess_a=0.3, arrive=time(0, 0), interval_s=5.0
)  # like all of two phases
def test_car_that_takes_less_than_it_is_offered_is_not_lowered_in_vain(
    takes_a: float, offers_a: float, phases: int, excess_a: float, arrive: time, interval_s: float
) -> None:
    result = simulate(
        small_car(
            min(takes_a, offers_a),
            offers_a=offers_a,
            phases=phases,
            excess_a=excess_a,
            arrive=arrive,
            interval_s=interval_s,
        )
    )
    assert [str(each) for each in result.violations if each.invariant == "circuit_limits_hold"] == []
    assert result.summary.charged_kwh > 0.3


@pytest.mark.parametrize("rise_a", [5.5, 6.0, 10.0])
def test_car_that_tapers_while_the_house_makes_up_for_it_is_not_lowered_in_vain(rise_a: float) -> None:
    base = PACKS["narrow_circuit"].build({"slack_a": 5.5, "phases": "one", "rotated": "no"})
    (car,), (charger,) = base.car, base.charger
    series = ((0.0, 13.5 * 230.0), (5400.0, (13.5 + rise_a) * 230.0))
    spec = replace(
        base,
        hours=2.0,
        household=HouseholdSpec(series=series, split=(1.0, 0.0, 0.0)),
        car=(
            replace(
                car,
                capacity_kwh=12.0,
                taper_from_pct=70.0,
                taper_end_w=800.0,
                visits=tuple(replace(visit, soc_pct=69.0) for visit in car.visits),
            ),
        ),
        charger=(replace(charger, box=replace(charger.box, has_meter=False)),),
    )
    result = simulate(spec)
    assert result.violations == ()
    assert result.summary.charged_kwh > 2.5
