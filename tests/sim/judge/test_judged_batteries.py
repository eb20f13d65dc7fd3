"""Home batteries that are told what to do: what the judge must notice, what it must not, and what our control does."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta

import pytest
from broken_controls import fickle, jailer, spendthrift

from evcc_sim.judge.invariants import check
from evcc_sim.judge.trace import BatteryTurn
from evcc_sim.plants.battery import BatterySpec
from evcc_sim.plants.car import CarSpec, Visit
from evcc_sim.plants.faults import FaultKind
from evcc_sim.plants.household import HouseholdSpec
from evcc_sim.plants.prices import PriceSpec, TariffSpec
from evcc_sim.plants.sunshine import PvSpec
from evcc_sim.plants.wallbox import WallboxSpec
from evcc_sim.runs.controls import ControlFactory
from evcc_sim.runs.fullstack import run_scenario
from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds.scenario import ActionSpec, ChargerSpec, CircuitSpec, FaultSpec, LoadpointSpec, Scenario, load
from evcclib.model import ChargeMode

CONTROL_ON = ActionSpec(at=time(0, 1), setting="battery_discharge_control", value=True)
BY_PRICE = TariffSpec(grid=PriceSpec(zones=((time(0), 0.10), (time(0, 30), 0.40))))


def home(*actions: ActionSpec, mode: ChargeMode = ChargeMode.NOW, **more: object) -> Scenario:
    """A car from 0:05 to 0:40 beside a battery, and no sun."""
    visit = Visit(charger="bay", arrive=time(0, 5), depart=time(0, 40), soc_pct=20)
    scenario = Scenario(
        name="home",
        hours=1.0,
        household=HouseholdSpec(constant_w=300.0),
        pv=(PvSpec(name="roof", constant_w=0.0),),
        battery=(BatterySpec(name="cellar", soc_pct=90),),
        charger=(ChargerSpec(box=WallboxSpec(name="bay"), loadpoint=LoadpointSpec(mode=mode, vehicle="car")),),
        car=(CarSpec(name="car", capacity_kwh=60.0, visits=(visit,)),),
        action=actions,
    )
    return scenario.with_changes(**more)


def fault(kind: FaultKind, at: time, lasts_s: float, device: str = "site") -> tuple[FaultSpec, ...]:
    return (FaultSpec(kind=kind, device=device, at=at, lasts=timedelta(seconds=lasts_s)),)


def modes(turns: list[BatteryTurn]) -> list[tuple[int, str]]:
    """Each mode with the minute at which it has begun."""
    return [(int(turn.second // 60), turn.mode) for turn in turns]


@pytest.mark.parametrize(
    ("control", "invariant"),
    [
        (jailer, "battery_is_freed"),
        (spendthrift, "battery_does_not_charge_the_car"),
        (fickle, "battery_mode_writes_are_few"),
    ],
)
def test_what_goes_wrong_is_noticed(control: ControlFactory, invariant: str) -> None:
    assert invariant in {each.invariant for each in simulate(home(CONTROL_ON), control=control).violations}


def test_without_discharge_control_the_battery_charges_the_car_and_nobody_minds() -> None:
    result = simulate(home(), control=spendthrift)
    assert result.ok
    assert max(instant.battery_w for instant in result.trace.instants) == 5000.0
    assert result.trace.battery_turns == []


def test_a_battery_is_held_for_the_car_and_free_three_minutes_later() -> None:
    result = simulate(home(CONTROL_ON))
    assert result.violations == ()
    assert modes(result.trace.battery_turns) == [(5, "hold"), (43, "normal")]


def test_cheap_hours_fill_the_battery_until_the_operator_objects() -> None:
    limit = ActionSpec(at=time(0, 2), setting="battery_grid_charge_limit", value=0.1)
    operator = ActionSpec(at=time(0, 10), operator_limit_w=4200.0, lasts=timedelta(minutes=5))
    result = simulate(home(limit, operator, mode=ChargeMode.OFF, tariff=BY_PRICE))
    assert result.violations == ()
    assert modes(result.trace.battery_turns) == [(2, "charge"), (10, "normal"), (15, "charge"), (30, "normal")]


@pytest.mark.parametrize("run", [simulate, run_scenario], ids=["in process", "full stack"])
@pytest.mark.parametrize(
    ("world", "expected"),
    [
        (home(CONTROL_ON), [(5, "hold"), (43, "normal")]),
        (
            home(CONTROL_ON, fault=fault(FaultKind.KILL, time(0, 35), 600.0)),
            [(5, "hold"), (45, "normal")],
        ),
        (
            home(CONTROL_ON, fault=fault(FaultKind.RESTART, time(0, 35), 600.0)),
            [(5, "hold"), (35, "normal")],
        ),
    ],
    ids=["as usual", "kill -9 while the car leaves", "left in order"],
)
def test_the_battery_is_freed_whatever_ends_the_control(run: object, world: Scenario, expected: object) -> None:
    assert callable(run)
    result = run(world)
    assert result.violations == ()
    assert modes(result.trace.battery_turns) == expected


def test_a_battery_that_is_silent_when_it_is_to_be_freed_is_freed_when_it_answers() -> None:
    result = simulate(home(CONTROL_ON, fault=fault(FaultKind.SILENCE, time(0, 40), 600.0, "cellar")))
    assert result.violations == ()
    assert modes(result.trace.battery_turns) == [(5, "hold"), (50, "normal")]


@pytest.mark.parametrize(("first", "turns"), [(False, 6), (True, 4)])
def test_a_battery_below_a_fuse_gives_way_in_its_owners_order(first: bool, turns: int) -> None:
    world = load("battery-under-a-fuse")
    result = simulate(world.with_changes(hours=6.0, battery=(replace(world.battery[0], charges_before_cars=first),)))
    assert result.violations == ()
    assert len(result.trace.battery_turns) == turns
    assert modes(result.trace.battery_turns)[-3:] == [(180, "normal"), (200, "charge"), (300, "normal")]


def test_a_battery_that_charges_beyond_the_limit_of_its_circuit_is_noticed() -> None:
    world = load("battery-under-a-fuse").with_changes(hours=4.0)
    free = simulate(world.with_changes(battery=(replace(world.battery[0], circuit=None),))).trace
    assert {each.invariant for each in check(replace(free, scenario=world))} == {"battery_leaves_room"}


def test_the_meter_of_a_circuit_sees_the_battery_below_it() -> None:
    """10 kW for a battery that gives 5 kW and a car that takes all: what the battery gives does not hold the car down."""
    circuit = CircuitSpec(name="annex", power_max_w=10_000.0, has_meter=True)
    world = home()
    charger = replace(world.charger[0], loadpoint=replace(world.charger[0].loadpoint, circuit="annex"))
    world = replace(
        world, battery=(replace(world.battery[0], circuit="annex"),), charger=(charger,), circuit=(circuit,)
    )
    run = simulate(world, 1)
    assert run.violations == ()
    assert run.summary.contactor_switches == 2 and run.summary.charged_kwh == pytest.approx(9.9 * 34 / 60, abs=0.2)


@pytest.mark.parametrize("meter", ["uses_grid_meter", "has_meter"])
def test_nobody_is_raised_by_what_a_silent_battery_gives(meter: str) -> None:
    """The battery gives 5 kW, and nobody sees it from 0:02 on: the car has what it would have without it."""
    circuit = replace(CircuitSpec(name="annex", power_max_w=10_000.0), **{meter: True})  # type: ignore[arg-type]
    world = home()
    charger = replace(world.charger[0], loadpoint=replace(world.charger[0].loadpoint, circuit="annex"))
    world = replace(
        world, battery=(replace(world.battery[0], circuit="annex"),), charger=(charger,), circuit=(circuit,)
    )
    run = simulate(replace(world, fault=fault(FaultKind.SILENCE, time(0, 2), 3600, "cellar")), 1)
    assert run.violations == ()
    pilots_a = [instant.loadpoints[0].pilot_a for instant in run.trace.instants]
    assert 14.0 < max(pilots_a) < 14.5
