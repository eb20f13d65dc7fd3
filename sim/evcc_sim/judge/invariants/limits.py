"""Limits of station, loadpoint, circuit and grid operator."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import permutations
from math import inf

from evcc_sim.judge.excuses import SETTLING, Grace
from evcc_sim.judge.invariants.evidence import bounds, current_max_a, is_hungry, takes_offence, told_max_a
from evcc_sim.judge.invariants.frame import Found, invariant
from evcc_sim.judge.invariants.judged import REACTION_S, Judged, lasting
from evcc_sim.judge.invariants.room import Ceiling, circuit_members
from evcc_sim.judge.invariants.seen import counted_phases
from evcc_sim.judge.trace import InForce, Instant
from evcc_sim.plants.faults import CONTROL, SILENT, FaultKind
from evcc_sim.worlds.scenario import CircuitSpec
from evcclib.commands import Disable, SetCurrent
from evcclib.model import ChargeMode

DISOBEDIENT = SILENT | {
    FaultKind.IGNORED_WRITES,
    FaultKind.REFUSED_WRITES,
    FaultKind.LOST_REQUESTS,
    FaultKind.STUCK_CONTACTOR,
}


@invariant
def current_within_bounds(run: Judged) -> Found:
    """A commanded current is within the loadpoint's [min, max], the station's own maximum if it tells one, and on its steps.

    What is offered follows a maximum that is lowered within two intervals, unless station or control cannot.
    """
    for loadpoint, charger in run.loadpoints:
        yield from _offers_too_much(run, loadpoint)
        step_a = charger.box.current_step_a
        for sent in run.sent_to(loadpoint):
            if not isinstance(sent.command, SetCurrent):
                continue
            present = bounds(run, loadpoint, sent.second)
            current_a = sent.command.current_a
            high_a = min(present.high_a, told_max_a(run, charger))
            low_a = min(present.low_a, high_a)
            if not low_a - 1e-6 <= current_a <= high_a + 1e-6:
                message = f"loadpoint {loadpoint + 1}: {current_a:g} A commanded, allowed {low_a:g}..{high_a:g} A"
                yield sent.second, message
            if abs(current_a / step_a - round(current_a / step_a)) > 1e-6:
                message = f"loadpoint {loadpoint + 1}: {current_a:g} A is not a multiple of {step_a:g} A"
                yield sent.second, message


def _offers_too_much(run: Judged, loadpoint: int) -> Found:
    patience_s = 2 * run.interval_s + REACTION_S
    name = run.scenario.charger[loadpoint].box.name
    excuses = [*run.faults_of(name, DISOBEDIENT), *run.faults_of("site", CONTROL)]
    for instant in run.instants:
        offered_a = instant.loadpoints[loadpoint].pilot_a
        if offered_a == 0 or instant.second < patience_s:
            continue
        wishes = run.trace.in_force_between(instant.second - patience_s, instant.second)
        high_a = max(wish.loadpoints[loadpoint].current_max_a for wish in wishes)
        if offered_a <= high_a + 1e-6 or SETTLING.excuses(excuses, instant.second):
            continue
        message = f"loadpoint {loadpoint + 1}: {offered_a:g} A offered, allowed {high_a:g} A"
        yield instant.second, message
        return


@invariant
def circuit_limits_hold(run: Judged) -> Found:
    """What is offered below a circuit never exceeds its current on any phase, nor its power, beyond the time of reaction.

    A circuit at the grid meter counts what really flows; there only the excess that the cars cause is a violation. A meter that
    lies, is noisy, or shows what was, is believed; a station that does not obey cannot be lowered.
    """
    for circuit in run.scenario.circuit:
        members = circuit_members(run.scenario, circuit.name)
        excess = partial(_circuit_excess, run, circuit, members)
        for instant, _wish, _since_s in lasting(
            run, _may_exceed_s(run, circuit, members, excess), whatever_is_wished=True
        ):
            yield instant.second, excess(instant) or ""


@invariant
def unbalance_holds(run: Judged) -> Found:
    """No phase of a circuit carries more than its greatest difference beyond another one, as far as cars cause it, beyond the
    time of reaction. What counts and what excuses is as for `circuit_limits_hold`."""
    for circuit in run.scenario.circuit:
        members = circuit_members(run.scenario, circuit.name)
        excess = partial(_unbalance, run, circuit, members)
        for instant, _wish, _since_s in lasting(
            run, _may_exceed_s(run, circuit, members, excess), whatever_is_wished=True
        ):
            yield instant.second, excess(instant) or ""


def _unbalance(run: Judged, circuit: CircuitSpec, members: list[int], instant: Instant) -> str | None:
    """Between which phases of a circuit cars make too great a difference, in words."""
    if circuit.unbalance_max_a is None:
        return None
    cars_w, flowing_w = _flows_w(circuit, members, instant)
    ceiling = next(each for each in run.rooms.circuits if each.name == circuit.name)
    unsure_a = 2 * ceiling.unsure_w / run.voltage_v
    for one, other in permutations(range(3), 2):
        beyond_a = (flowing_w[one] - flowing_w[other]) / run.voltage_v
        is_theirs = (cars_w[one] - cars_w[other]) / run.voltage_v > 0.1
        if beyond_a > circuit.unbalance_max_a + unsure_a + 0.1 and is_theirs:
            allowed = f"allowed {circuit.unbalance_max_a:g} A"
            return f"circuit {circuit.name}: {beyond_a:.1f} A more on L{one + 1} than on L{other + 1}, {allowed}"
    return None


def _flows_w(circuit: CircuitSpec, members: list[int], instant: Instant) -> tuple[list[float], list[float]]:
    """What its cars draw on each phase, and what counts as flowing in a circuit [W]."""
    cars_w = [sum(instant.loadpoints[index].powers_w[phase] for index in members) for phase in range(3)]
    return cars_w, list(instant.grid_powers_w) if circuit.uses_grid_meter else cars_w


def _may_exceed_s(
    run: Judged, circuit: CircuitSpec, members: list[int], excess: Callable[[Instant], str | None]
) -> Callable[[Instant, InForce], float | None]:
    """How long a circuit may be exceeded, at each instant; None: it is not, or nobody can help it [s]."""
    meter = run.scenario.grid.meter
    guard = "grid" if circuit.uses_grid_meter else circuit.name
    excuses = run.faults_of(guard, frozenset({FaultKind.LYING, FaultKind.FROZEN}))
    for member in members:
        excuses += run.faults_of(run.scenario.charger[member].box.name, DISOBEDIENT)
    excuses += run.faults_of("site", CONTROL)
    patience_s = run.interval_s + REACTION_S
    if circuit.uses_grid_meter or circuit.has_meter:
        patience_s += run.interval_s + meter.refresh_s + meter.lag_s
    obeying = Grace(0.0, patience_s)

    def may_exceed_s(instant: Instant, _wish: InForce) -> float | None:
        is_exceeded = excess(instant) is not None
        return patience_s if is_exceeded and not obeying.excuses(excuses, instant.second) else None

    return may_exceed_s


def _circuit_excess(run: Judged, circuit: CircuitSpec, members: list[int], instant: Instant) -> str | None:
    """How a circuit is overloaded by cars at this instant, in words."""
    cars_w, flowing_w = _flows_w(circuit, members, instant)
    ceiling = next(each for each in run.rooms.circuits if each.name == circuit.name)
    for phase in range(3):
        current_a = flowing_w[phase] / run.voltage_v
        if run.rooms.is_above(ceiling, current_a=current_a) and cars_w[phase] / run.voltage_v > 0.1:
            return f"circuit {circuit.name}: {current_a:.1f} A on L{phase + 1}, allowed {circuit.current_max_a:g} A"
    if run.rooms.is_above(ceiling, power_w=sum(flowing_w)) and sum(cars_w) > 10:
        return f"circuit {circuit.name}: {sum(flowing_w):.0f} W, allowed {circuit.power_max_w:g} W"
    return None


@invariant
def limits_are_used(run: Judged) -> Found:
    """A car in mode now gets what its circuits leave over on its own phases: reduced, never stopped, never held down by a
    phase that it does not use. A car that is not seen to charge yet waits for room on all phases."""
    parents = {circuit.name: circuit.parent for circuit in run.scenario.circuit}
    for index, charger in run.loadpoints:
        chain: list[Ceiling] = []
        name = charger.loadpoint.circuit
        while name is not None:
            chain += [ceiling for ceiling in run.rooms.circuits if ceiling.name == name]
            name = parents[name]
        for instant, _wish, _since_s in lasting(run, partial(_may_be_low_s, run, index, chain)) if chain else ():
            pilot_a = instant.loadpoints[index].pilot_a
            yield instant.second, f"loadpoint {index + 1} at {pilot_a:g} A although its circuits have room"


def _may_be_low_s(run: Judged, index: int, chain: list[Ceiling], instant: Instant, wish: InForce) -> float | None:
    """How long a car may be offered less than its circuits leave; None: it is not [s]."""
    loadpoint, settings, box = instant.loadpoints[index], wish.loadpoints[index], run.scenario.charger[index].box
    car, wait_s = run.cars.get(loadpoint.car), 2 * run.patience_s + 60.0
    if car is None or loadpoint.mode is not ChargeMode.NOW or not is_hungry(run, instant, index, wish):
        return None
    if loadpoint.pilot_a >= current_max_a(run, index, settings, car) - 1.0:
        return None
    is_excused = SETTLING.excuses(run.faults, instant.second)
    if is_excused or run.operator.is_limiting(instant.second, after_s=wait_s):
        return None
    if loadpoint.pilot_a == 0 and _rests(run, index, instant.second):
        return None
    room_a = min(_room_a(run, ceiling, index, instant) for ceiling in chain)
    needed_a = settings.current_min_a if loadpoint.pilot_a == 0 else box.coarsest_step_a
    return wait_s if room_a > needed_a + 3.0 else None


def _rests(run: Judged, index: int, second: float) -> bool:
    """Whether the contactor has been opened, and rests for its guard time."""
    since_s = second - run.scenario.charger[index].loadpoint.guard_duration_s
    opened = [sent for sent in run.sent_between(index, since_s, second) if sent.was_enabled]
    return any(isinstance(sent.command, Disable) for sent in opened)


def _room_a(run: Judged, ceiling: Ceiling, index: int, instant: Instant) -> float:
    """What a circuit leaves over on the grid phases of a station [A]."""
    flowing_w, loadpoint = run.rooms.flows_if_taken_w(ceiling, instant), instant.loadpoints[index]
    box = run.scenario.charger[index].box
    used = min(counted_phases(box, run.cars.get(loadpoint.car), loadpoint), loadpoint.phases)
    own = [phase - 1 for phase in box.phase_rotation[:used]]
    room_a = inf
    if ceiling.is_of_a_mean:
        return -inf
    if ceiling.current_max_a is not None:
        room_a = min(ceiling.current_max_a - flowing_w[phase] / run.voltage_v for phase in own)
    if ceiling.power_max_w is not None:
        room_a = min(room_a, (ceiling.power_max_w - sum(flowing_w)) / (run.voltage_v * max(1, used)))
    offers_a = [each.pilot_a for each in instant.loadpoints]
    return min(room_a, run.rooms.even_a(ceiling, index, instant, offers_a) - loadpoint.pilot_a)


@invariant
def operator_limit_holds(run: Judged) -> Found:
    """While the grid operator limits, all cars together stay below its newest word, two intervals after that has come.

    A station that does not obey cannot be lowered, nor does a control that is gone.
    """
    operator, patience_s = run.operator, 2 * run.interval_s + REACTION_S
    obeying = Grace(0.0, patience_s)
    excuses = run.faults_of("site", CONTROL)
    for _index, charger in run.loadpoints:
        excuses += run.faults_of(charger.box.name, DISOBEDIENT)
    for instant in run.instants:
        limit_w = operator.limit_w(instant.second)
        if limit_w is None or instant.second - operator.unchanged_since(instant.second) < patience_s:
            continue
        if instant.charge_w > limit_w * 1.02 + 10 and not obeying.excuses(excuses, instant.second):
            yield instant.second, f"{instant.charge_w:.0f} W drawn, the operator allows {limit_w:.0f} W"


@invariant
def operator_limit_expires(run: Judged) -> Found:
    """A limit ends by itself: a hungry car in mode now has its full current again within a minute after the limit's end."""
    operator = run.operator
    if run.scenario.circuit:
        return
    for end_s in operator.ends:
        free_s = end_s + 60 + 2 * run.interval_s + REACTION_S
        instant = run.first_from(free_s)
        if instant is None or operator.is_limiting(instant.second, after_s=instant.second - end_s - 1.0):
            continue
        wish = run.trace.in_force(instant.second)
        if wish.second > end_s or SETTLING.excuses(run.faults, instant.second):
            continue
        for index, loadpoint in enumerate(instant.loadpoints):
            car = run.cars.get(loadpoint.car)
            if car is None or takes_offence(car) or not is_hungry(run, instant, index, wish):
                continue
            high_a = current_max_a(run, index, wish.loadpoints[index])
            if loadpoint.mode is ChargeMode.NOW and loadpoint.status == "C" and loadpoint.pilot_a < high_a - 1.0:
                message = f"loadpoint {index + 1} still at {loadpoint.pilot_a:g} A after the limit has ended"
                yield instant.second, message
