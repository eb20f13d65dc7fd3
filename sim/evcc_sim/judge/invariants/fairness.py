"""What circuits may do to a car: hold it down as far as needed, and no further."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise

from evcc_sim.judge.invariants.evidence import car_of, faults_between, is_excused, is_hungry, takes_offence
from evcc_sim.judge.invariants.room import Rooms
from evcc_sim.judge.invariants.violation import Found, Violation
from evcc_sim.judge.trace import Instant, Sent, Trace
from evcc_sim.worlds.scenario import Scenario
from evcclib.commands import Disable
from evcclib.model import ChargeMode

FAULT_S = 180.0
"""A fault excuses what happens up to so long after it."""
STARVES_AFTER_S = 600.0
SHARE = 0.5
"""Of its minimum a car must at least have got on average."""


def nobody_is_stopped_without_need(trace: Trace) -> Found:
    """A limit stops a car only when its minimum did not fit beside the house and the minimums of the others.

    So it must not be taken for an overload by the house what a car has begun to draw within its offer.
    """
    scenario = trace.scenario
    if not scenario.circuit:
        return
    rooms = Rooms(trace)
    for sent in trace.sent:
        room_a = room_at_stop_a(trace, rooms, sent)
        if room_a is None or room_a < _needed_a(trace, sent):
            continue
        if is_of_a_torn_round(trace, sent.second):
            continue
        start_s = sent.second - unseen_s(scenario) - FAULT_S
        if not faults_between(trace, start_s, sent.second) and not _is_restarted(trace, start_s, sent.second):
            message = f"loadpoint {sent.loadpoint + 1} is stopped although {room_a:.1f} A are left for it"
            yield Violation("nobody_is_stopped_without_need", sent.second, message)


def room_at_stop_a(trace: Trace, rooms: Rooms, sent: Sent) -> float | None:
    """The least that was left for a car when a limit stopped it, as far as a control could know; None: no such stop [A]."""
    if not isinstance(sent.command, Disable) or not sent.accepted or not sent.was_enabled:
        return None
    end = bisect_right(trace.instants, sent.second, key=lambda instant: instant.second)
    start_s = sent.second - unseen_s(trace.scenario)
    start = bisect_left(trace.instants, start_s, key=lambda instant: instant.second)
    window = trace.instants[start:end]
    if not window or window[-1].loadpoints[sent.loadpoint].reason != "limited":
        return None
    if not window[-1].loadpoints[sent.loadpoint].car:
        return None
    return min(rooms.beside_minimums_a(sent.loadpoint, instant) for instant in window)


def needed_stops(trace: Trace, loadpoint: int) -> set[float]:
    """The seconds at which a limit, of a circuit or of the grid operator, had to stop a loadpoint."""
    if not _is_limited(trace.scenario):
        return set()
    rooms = Rooms(trace)
    stops = [(sent, room_at_stop_a(trace, rooms, sent)) for sent in trace.sent if sent.loadpoint == loadpoint]
    return {sent.second for sent, room_a in stops if room_a is not None and room_a < _needed_a(trace, sent)}


def _needed_a(trace: Trace, sent: Sent) -> float:
    """What a car must have left to go on: its minimum when it was stopped, and a step of its station [A]."""
    low_a = trace.in_force(sent.second).loadpoints[sent.loadpoint].current_min_a
    return low_a + trace.scenario.charger[sent.loadpoint].box.coarsest_step_a


def nobody_starves(trace: Trace) -> Found:
    """A hungry car in mode now whose minimum fits beside the house and the minimums of the others charges.

    Judged by energy: a car that is stopped as often as it starts has starved too.
    """
    scenario = trace.scenario
    if not scenario.circuit:
        return
    rooms = Rooms(trace)
    for index in range(len(scenario.charger)):
        first: Instant | None = None
        for instant in trace.instants:
            loadpoint = instant.loadpoints[index]
            car = car_of(scenario, loadpoint.car)
            wish = trace.in_force(instant.second)
            low_a = wish.loadpoints[index].current_min_a
            if (
                car is None
                or loadpoint.mode is not ChargeMode.NOW
                or takes_offence(car)
                or not is_hungry(trace, instant, index, wish)
                or is_excused(trace.faults, instant.second)
                or car.current_min_a > low_a
                or rooms.beside_minimums_a(index, instant) < low_a + 1.0
            ):
                first = None
                continue
            if first is None or first.loadpoints[index].car != loadpoint.car:
                first = instant
            waits_s = 60.0 + 2 * scenario.site.interval_s + car.start_delay_s
            if instant.second - first.second < STARVES_AFTER_S + waits_s:
                continue
            got_kwh = loadpoint.energy_kwh - first.loadpoints[index].energy_kwh
            phases = min(car.phases, loadpoint.phases)
            due_kwh = STARVES_AFTER_S / 3600.0 * low_a * phases * scenario.site.voltage_v / 1000.0 * SHARE
            if got_kwh < due_kwh:
                minutes = (instant.second - first.second) / 60
                message = f"loadpoint {index + 1} got {got_kwh:.2f} kWh in {minutes:.0f} min although there was room"
                yield Violation("nobody_starves", instant.second, message)
            first = instant


def raises_fit(trace: Trace) -> Found:
    """Whoever is offered more still fits in all limits, if every car takes what it is offered.

    The house may have risen since its last sample.
    """
    scenario = trace.scenario
    rooms, window_s = Rooms(trace), unseen_s(scenario)
    if not _is_limited(scenario):
        return
    recent: list[Instant] = []
    for before, now in pairwise(trace.instants):
        recent = [instant for instant in recent if instant.second >= now.second - window_s]
        recent.append(before)
        raised = [
            index
            for index, (old, new) in enumerate(zip(before.loadpoints, now.loadpoints, strict=True))
            if new.pilot_a > old.pilot_a + 1e-6 and new.car
        ]
        if not raised or faults_between(trace, now.second - window_s - FAULT_S, now.second):
            continue
        if _is_restarted(trace, now.second - FAULT_S, now.second):
            continue
        if is_of_a_torn_round(trace, now.second):
            continue
        seen = [*recent, now]
        others_w = {
            ceiling.name: [min(rooms.others_w(ceiling, i)[phase] for i in seen) for phase in range(3)]
            for ceiling in rooms.ceilings(now.second)
        }
        for index in raised:
            excess = rooms.excess(index, now, others_w)
            if excess is not None:
                message = f"loadpoint {index + 1} is raised to {now.loadpoints[index].pilot_a:g} A: {excess}"
                yield Violation("raises_fit", now.second, message)


def is_of_a_torn_round(trace: Trace, second: float) -> bool:
    """Whether a car began or ended to draw while a round of samples was being taken, or so lately that the meter of its station
    does not show it yet: then nobody can tell it from the house."""
    site = trace.scenario.site
    late_s = max((c.box.meter.lag_s + c.box.meter.refresh_s for c in trace.scenario.charger), default=0.0)
    is_in_round = site.skew_s > 0 and second % site.interval_s <= site.skew_s + 0.001
    position = bisect_right(trace.instants, second, key=lambda instant: instant.second)
    if position < 2 or not (late_s or is_in_round):
        return False
    first = position - 2
    if late_s:
        start_s = second - late_s - site.skew_s - 0.5
        first = min(first, max(0, bisect_right(trace.instants, start_s, key=lambda instant: instant.second) - 1))
    return any(
        old.powers_w != new.powers_w
        for before, now in pairwise(trace.instants[first:position])
        for old, new in zip(before.loadpoints, now.loadpoints, strict=True)
    )


def unseen_s(scenario: Scenario) -> float:
    """How old what a control knows of the house may be [s]."""
    meter, site = scenario.grid.meter, scenario.site
    return site.interval_s + meter.refresh_s + meter.lag_s + site.skew_s + 2.0


def _is_limited(scenario: Scenario) -> bool:
    return bool(scenario.circuit) or any(action.operator_limit_w is not None for action in scenario.action)


def _is_restarted(trace: Trace, start_s: float, end_s: float) -> bool:
    return any(start_s <= second <= end_s for second in trace.restarts)
