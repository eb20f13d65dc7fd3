"""Limits of station, loadpoint, circuit and grid operator."""

from __future__ import annotations

from evcc_sim.judge.invariants.evidence import (
    REACTION_S,
    Operator,
    bounds,
    car_of,
    circuit_members,
    counted_phases,
    current_max_a,
    faults_of,
    is_excused,
    is_hungry,
    patience_s,
    takes_offence,
)
from evcc_sim.judge.invariants.room import Rooms
from evcc_sim.judge.invariants.violation import Found, Violation
from evcc_sim.judge.trace import Instant, Trace
from evcc_sim.plants.faults import CONTROL, SILENT, FaultKind
from evcc_sim.worlds.scenario import CircuitSpec, Scenario
from evcclib.commands import SetCurrent
from evcclib.model import ChargeMode

DISOBEDIENT = SILENT | {
    FaultKind.IGNORED_WRITES,
    FaultKind.REFUSED_WRITES,
    FaultKind.LOST_REQUESTS,
    FaultKind.STUCK_CONTACTOR,
}


def current_within_bounds(trace: Trace) -> Found:
    """A commanded current is within the loadpoint's [min, max], the station's own maximum, and on the station's steps.

    What is offered follows a maximum that is lowered within two intervals, unless station or control cannot.
    """
    for loadpoint, charger in enumerate(trace.scenario.charger):
        yield from _offers_too_much(trace, loadpoint)
        step_a = charger.box.current_step_a
        for sent in trace.sent:
            if sent.loadpoint != loadpoint or not isinstance(sent.command, SetCurrent):
                continue
            present = bounds(trace, loadpoint, sent.second)
            current_a = sent.command.current_a
            high_a = min(present.high_a, charger.box.current_max_a)
            low_a = min(present.low_a, high_a)
            if not low_a - 1e-6 <= current_a <= high_a + 1e-6:
                message = f"loadpoint {loadpoint + 1}: {current_a:g} A commanded, allowed {low_a:g}..{high_a:g} A"
                yield Violation("current_within_bounds", sent.second, message)
            if abs(current_a / step_a - round(current_a / step_a)) > 1e-6:
                message = f"loadpoint {loadpoint + 1}: {current_a:g} A is not a multiple of {step_a:g} A"
                yield Violation("current_within_bounds", sent.second, message)


def _offers_too_much(trace: Trace, loadpoint: int) -> Found:
    patience_s = 2 * trace.scenario.site.interval_s + REACTION_S
    name = trace.scenario.charger[loadpoint].box.name
    excuses = [*faults_of(trace, name, DISOBEDIENT), *faults_of(trace, "site", CONTROL)]
    for instant in trace.instants:
        offered_a = instant.loadpoints[loadpoint].pilot_a
        if offered_a == 0 or instant.second < patience_s:
            continue
        wishes = trace.in_force_between(instant.second - patience_s, instant.second)
        high_a = max(wish.loadpoints[loadpoint].current_max_a for wish in wishes)
        if offered_a <= high_a + 1e-6 or is_excused(excuses, instant.second):
            continue
        message = f"loadpoint {loadpoint + 1}: {offered_a:g} A offered, allowed {high_a:g} A"
        yield Violation("current_within_bounds", instant.second, message)
        return


def circuit_limits_hold(trace: Trace) -> Found:
    """What is offered below a circuit never exceeds its current on any phase, nor its power, beyond the time of reaction.

    A circuit at the grid meter counts what really flows; there only the excess that the cars cause is a violation. A meter that
    lies, or shows what was, is believed; a station that does not obey cannot be lowered.
    """
    scenario = trace.scenario
    for circuit in scenario.circuit:
        members = circuit_members(scenario, circuit.name)
        since: float | None = None
        guard = "grid" if circuit.uses_grid_meter else circuit.name
        excuses = faults_of(trace, guard, frozenset({FaultKind.LYING, FaultKind.FROZEN}))
        for member in members:
            excuses += faults_of(trace, scenario.charger[member].box.name, DISOBEDIENT)
        excuses += faults_of(trace, "site", CONTROL)
        patience_s = scenario.site.interval_s + REACTION_S
        if circuit.uses_grid_meter or circuit.has_meter:
            patience_s += scenario.site.interval_s + scenario.grid.meter.refresh_s + scenario.grid.meter.lag_s
        for instant in trace.instants:
            message = _circuit_excess(circuit, members, instant, scenario)
            if message is None or any(f.start_s <= instant.second < f.end_s + patience_s for f in excuses):
                since = None
            elif since is None:
                since = instant.second
            elif instant.second - since > patience_s:
                yield Violation("circuit_limits_hold", instant.second, message)
                since = instant.second


def _circuit_excess(circuit: CircuitSpec, members: list[int], instant: Instant, scenario: Scenario) -> str | None:
    """How a circuit is overloaded by cars at this instant, in words."""
    voltage_v = scenario.site.true_voltage_v or scenario.site.voltage_v
    cars_w = [sum(instant.loadpoints[index].powers_w[phase] for index in members) for phase in range(3)]
    flowing_w = list(instant.grid_powers_w) if circuit.uses_grid_meter else cars_w
    if circuit.current_max_a is not None:
        for phase in range(3):
            current_a = flowing_w[phase] / voltage_v
            if current_a > circuit.current_max_a + 0.1 and cars_w[phase] / voltage_v > 0.1:
                return f"circuit {circuit.name}: {current_a:.1f} A on L{phase + 1}, allowed {circuit.current_max_a:g} A"
    power_max_w = None if circuit.power_max_w is None else circuit.power_max_w * 1.005 + 10
    if power_max_w is not None and sum(flowing_w) > power_max_w and sum(cars_w) > 10:
        return f"circuit {circuit.name}: {sum(flowing_w):.0f} W, allowed {circuit.power_max_w:g} W"
    return None


def limits_are_used(trace: Trace) -> Found:
    """A car in mode now gets what its circuits leave over on its own phases: reduced, never stopped, never held down by a
    phase that it does not use. A car that is not seen to charge yet waits for room on all phases."""
    scenario = trace.scenario
    parents = {circuit.name: circuit for circuit in scenario.circuit}
    operator = Operator(trace)
    wait_s = 2 * patience_s(scenario) + 60.0
    rooms = Rooms(trace)
    flows = {
        ceiling.name: [rooms.flows_if_taken_w(ceiling, instant) for instant in trace.instants]
        for ceiling in rooms.circuits
    }
    for index, charger in enumerate(scenario.charger):
        chain: list[CircuitSpec] = []
        name = charger.loadpoint.circuit
        while name is not None:
            chain.append(parents[name])
            name = parents[name].parent
        if not chain:
            continue
        since: float | None = None
        for moment, instant in enumerate(trace.instants):
            loadpoint, wish = instant.loadpoints[index], trace.in_force(instant.second)
            settings = wish.loadpoints[index]
            car = car_of(scenario, loadpoint.car)
            wanted = (
                car is not None
                and loadpoint.mode is ChargeMode.NOW
                and is_hungry(trace, instant, index, wish)
                and not is_excused(trace.faults, instant.second)
                and not operator.is_limiting(instant.second, after_s=wait_s)
            )
            if car is not None and wanted:
                phases = counted_phases(scenario, index, loadpoint)
                room_a = min(
                    _room_a(circuit, flows[circuit.name][moment], index, phases, instant, scenario) for circuit in chain
                )
                needed_a = settings.current_min_a if loadpoint.pilot_a == 0 else charger.box.coarsest_step_a
                is_low = loadpoint.pilot_a < current_max_a(trace, index, settings, car) - 1.0
                wanted = is_low and room_a > needed_a + 3.0
            if not wanted:
                since = None
            elif since is None:
                since = instant.second
            elif instant.second - max(since, wish.second) > wait_s:
                message = f"loadpoint {index + 1} at {loadpoint.pilot_a:g} A although its circuits have room"
                yield Violation("limits_are_used", instant.second, message)
                since = instant.second


def _room_a(
    circuit: CircuitSpec, flowing_w: list[float], index: int, phases: int, instant: Instant, scenario: Scenario
) -> float:
    """What a circuit leaves over on the grid phases of a station [A]."""
    voltage_v = scenario.site.true_voltage_v or scenario.site.voltage_v
    used = min(phases, instant.loadpoints[index].phases)
    own = [phase - 1 for phase in scenario.charger[index].box.phase_rotation[:used]]
    room_a = float("inf")
    if circuit.current_max_a is not None:
        room_a = min(circuit.current_max_a - flowing_w[phase] / voltage_v for phase in own)
    if circuit.power_max_w is not None:
        room_a = min(room_a, (circuit.power_max_w - sum(flowing_w)) / (voltage_v * max(1, used)))
    return room_a


def operator_limit_holds(trace: Trace) -> Found:
    """While the grid operator limits, all cars together stay below its newest word, two intervals after that has come.

    A station that does not obey cannot be lowered, nor does a control that is gone.
    """
    operator = Operator(trace)
    patience_s = 2 * trace.scenario.site.interval_s + REACTION_S
    excuses = faults_of(trace, "site", CONTROL)
    for charger in trace.scenario.charger:
        excuses += faults_of(trace, charger.box.name, DISOBEDIENT)
    for instant in trace.instants:
        limit_w = operator.limit_w(instant.second)
        if limit_w is None or instant.second - operator.unchanged_since(instant.second) < patience_s:
            continue
        charge_w = sum(loadpoint.power_w for loadpoint in instant.loadpoints)
        if charge_w <= limit_w * 1.02 + 10:
            continue
        if not any(fault.start_s <= instant.second < fault.end_s + patience_s for fault in excuses):
            message = f"{charge_w:.0f} W drawn, the operator allows {limit_w:.0f} W"
            yield Violation("operator_limit_holds", instant.second, message)


def operator_limit_expires(trace: Trace) -> Found:
    """A limit ends by itself: a hungry car in mode now has its full current again within a minute after the limit's end."""
    scenario = trace.scenario
    operator = Operator(trace)
    if scenario.circuit:
        return
    for end_s in operator.ends:
        free_s = end_s + 60 + 2 * scenario.site.interval_s + REACTION_S
        instant = next((i for i in trace.instants if i.second >= free_s), None)
        if instant is None or operator.is_limiting(instant.second, after_s=instant.second - end_s - 1.0):
            continue
        wish = trace.in_force(instant.second)
        if wish.second > end_s or is_excused(trace.faults, instant.second):
            continue
        for index, loadpoint in enumerate(instant.loadpoints):
            car = car_of(scenario, loadpoint.car)
            if car is None or takes_offence(car) or not is_hungry(trace, instant, index, wish):
                continue
            high_a = current_max_a(trace, index, wish.loadpoints[index])
            if loadpoint.mode is ChargeMode.NOW and loadpoint.status == "C" and loadpoint.pilot_a < high_a - 1.0:
                message = f"loadpoint {index + 1} still at {loadpoint.pilot_a:g} A after the limit has ended"
                yield Violation("operator_limit_expires", instant.second, message)
