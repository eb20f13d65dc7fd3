"""Modes, minimum SoC and plans get what they are promised."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import isnan

from evcc_sim.judge.invariants.evidence import (
    REACTION_S,
    SETTLED_AFTER_S,
    Operator,
    car_of,
    current_max_a,
    is_excused,
    is_hungry,
    takes_offence,
)
from evcc_sim.judge.invariants.room import Rooms
from evcc_sim.judge.invariants.violation import Found, Violation
from evcc_sim.judge.trace import InForce, Instant, Trace
from evcc_sim.plants.faults import FaultKind
from evcclib.events import SettingChanged
from evcclib.model import ChargeMode
from evcclib.settings import Scope

WAITS_S = 900.0
"""So long a car in mode now may get nothing, whatever the reason says: guards, retries, searches and settling are shorter."""
EXPLAINS = frozenset({"remote_hard", "limited"})
"""Reasons for nothing at all in mode now that are not judged here: nobody but an outside system sends the first, and limits
that leave room are `nobody_starves`."""


def mode_now_charges(trace: Trace) -> Found:
    """A hungry car in mode now gets current: whatever is commanded, offered or said, nothing flows for long only with a reason.

    Reasons are a limit that leaves no room, a goal that is reached, a car that refuses or sleeps, and a fault.
    """
    rooms = Rooms(trace)
    for index in range(len(trace.scenario.charger)):
        since: float | None = None
        for instant in trace.instants:
            loadpoint, wish = instant.loadpoints[index], trace.in_force(instant.second)
            if loadpoint.power_w > 0 or not _must_charge(trace, rooms, instant, index, wish):
                since = None
            elif since is None:
                since = instant.second
            elif instant.second - max(since, wish.second) > WAITS_S + 2 * trace.scenario.site.interval_s:
                minutes = (instant.second - since) / 60
                what = f"offered {loadpoint.pilot_a:g} A, {loadpoint.reason or 'no reason'}"
                message = f"loadpoint {index + 1} in mode now gets nothing for {minutes:.0f} min ({what})"
                yield Violation("mode_now_charges", instant.second, message)
                since = instant.second


def _must_charge(trace: Trace, rooms: Rooms, instant: Instant, index: int, wish: InForce) -> bool:
    loadpoint, settings = instant.loadpoints[index], wish.loadpoints[index]
    car = car_of(trace.scenario, loadpoint.car)
    if car is None or loadpoint.mode is not ChargeMode.NOW or takes_offence(car) or loadpoint.reason in EXPLAINS:
        return False
    least_a = max(settings.current_min_a, car.current_min_a)
    return (
        is_hungry(trace, instant, index, wish)
        and current_max_a(trace, index, settings) >= least_a
        and not is_excused(trace.faults, instant.second)
        and rooms.beside_minimums_a(index, instant) >= least_a + 1.0
    )


def mode_off_is_off(trace: Trace) -> Found:
    """In mode off nothing is offered, two intervals after the change, unless the station does not obey."""
    patience_s = 2 * trace.scenario.site.interval_s + REACTION_S
    for index, charger in enumerate(trace.scenario.charger):
        faults = [fault for fault in trace.faults if fault.device in (charger.box.name, "site")]
        since: float | None = None
        for instant in trace.instants:
            loadpoint = instant.loadpoints[index]
            is_on = loadpoint.mode is ChargeMode.OFF and loadpoint.pilot_a > 0
            if is_on and not is_excused(faults, instant.second):
                since = instant.second if since is None else since
                if instant.second - since > patience_s:
                    yield Violation("mode_off_is_off", instant.second, f"loadpoint {index + 1} is on in mode off")
                    break
            else:
                since = None


def min_soc_comes_first(trace: Trace) -> Found:
    """A car below its minimum SoC charges with all that is allowed, in modes pv and minpv, once its SoC is known."""
    patience_s = 180.0
    cars = [car.name for car in trace.scenario.car]
    rooms = Rooms(trace)
    for index, charger in enumerate(trace.scenario.charger):
        faults = [fault for fault in trace.faults if fault.device in (*cars, charger.box.name, "site")]
        since: float | None = None
        for instant in trace.instants:
            loadpoint, wish = instant.loadpoints[index], trace.in_force(instant.second)
            settings, car = wish.loadpoints[index], car_of(trace.scenario, loadpoint.car)
            high_a = current_max_a(trace, index, settings)
            wanted = (
                car is not None
                and car.has_api
                and car.has_soc
                and wish.vehicles[index] == car.name
                and loadpoint.mode in (ChargeMode.PV, ChargeMode.MINPV)
                and not isnan(loadpoint.soc_pct)
                and loadpoint.soc_pct < settings.soc_min_pct - 2.0
                and not is_excused(faults, instant.second)
                and rooms.beside_minimums_a(index, instant) >= high_a
            )
            if wanted and loadpoint.pilot_a < high_a - charger.box.coarsest_step_a:
                since = instant.second if since is None else since
                if instant.second - max(since, wish.second) > patience_s:
                    message = f"loadpoint {index + 1}: {loadpoint.soc_pct:.0f} % and only {loadpoint.pilot_a:g} A"
                    yield Violation("min_soc_comes_first", instant.second, message)
                    break
            else:
                since = None


@dataclass(frozen=True, slots=True)
class _Goal:
    """A target time of a loadpoint, by the clock of the control: when it was set and when it comes [s]."""

    loadpoint: int
    set_s: float
    target_s: float


def feasible_plans_are_met(trace: Trace) -> Found:
    """A plan that could be met is met: the car has its target SoC at the target time.

    It is judged by the wishes that stood at the target time, from the moment of their last change on.
    """
    scenario = trace.scenario
    voltage_v = scenario.site.true_voltage_v or scenario.site.voltage_v
    operator = Operator(trace)
    for goal in _goals(trace):
        wish = trace.in_force(goal.target_s - 1.0)
        settings, set_s = wish.loadpoints[goal.loadpoint], max(goal.set_s, wish.second)
        start = next((i for i in trace.instants if i.second >= set_s), None)
        end = next((i for i in trace.instants if i.second >= goal.target_s - 1), None)
        if start is None or end is None or settings.target_time is None:
            continue
        before, after = start.loadpoints[goal.loadpoint], end.loadpoints[goal.loadpoint]
        car, charger = car_of(scenario, before.car), scenario.charger[goal.loadpoint]
        if car is None or before.car != after.car or wish.vehicles[goal.loadpoint] != car.name:
            continue
        if settings.mode not in (ChargeMode.PV, ChargeMode.MINPV) or takes_offence(car):
            continue
        if not (car.has_api and car.has_soc) or _is_hindered(trace, operator, goal, set_s, car.name):
            continue
        target_pct = min(settings.soc_target_pct or 100.0, car.soc_limit_pct)
        configured = settings.phases_configured if charger.box.can_switch_phases else 0
        phases = min(car.phases, charger.box.phases, configured or 3)
        high_a = current_max_a(trace, goal.loadpoint, settings, car)
        if high_a < car.current_min_a:
            continue
        power_w = voltage_v * high_a * phases
        needed_s = (target_pct - before.soc_pct) / 100 * car.capacity_kwh * 3.6e6 / (power_w * car.efficiency)
        taper_s = 3600.0 if target_pct > car.taper_from_pct else 0.0
        lost_s = sum(
            min(fault.end_s, goal.target_s) - max(fault.start_s, set_s) + SETTLED_AFTER_S
            for fault in trace.faults
            if fault.start_s < goal.target_s and fault.end_s > set_s
        )
        if needed_s * 1.1 + taper_s + lost_s + 900 > goal.target_s - set_s or scenario.circuit:
            continue
        if needed_s < 660.0:
            continue  # too short a slot is not started for [PLAN-14]
        if after.soc_pct < target_pct - 1.5:
            message = (
                f"loadpoint {goal.loadpoint + 1}: {after.soc_pct:.1f} % at the target time, planned {target_pct:g} %"
            )
            yield Violation("feasible_plans_are_met", goal.target_s, message)


def _goals(trace: Trace) -> list[_Goal]:
    """Every target time that came while it was in force."""
    epoch = trace.scenario.base.epoch
    jumps = [fault for fault in trace.faults if fault.kind is FaultKind.CLOCK_JUMP]
    found = []
    for set_s, event in trace.events:
        if not isinstance(event, SettingChanged) or event.scope is not Scope.LOADPOINT or event.name != "target_time":
            continue
        if not isinstance(event.value, datetime) or not isinstance(event.owner, int):
            continue
        ahead_s = sum(jump.params.get("seconds", 3600.0) for jump in jumps if jump.start_s <= set_s)
        target_s = (event.value - epoch).total_seconds() - ahead_s
        if trace.in_force(target_s - 1.0).loadpoints[event.owner].target_time == event.value:
            found.append(_Goal(event.owner, set_s, target_s))
    return found


def _is_hindered(trace: Trace, operator: Operator, goal: _Goal, set_s: float, car: str) -> bool:
    """Whether somebody else decides about it: a clock that jumps, a maker's cloud that fails, the grid operator."""
    for fault in trace.faults:
        is_concerned = fault.kind is FaultKind.CLOCK_JUMP or fault.device == car
        if is_concerned and fault.start_s < goal.target_s and fault.end_s + SETTLED_AFTER_S > set_s:
            return True
    return operator.is_limiting(goal.target_s, after_s=goal.target_s - set_s)
