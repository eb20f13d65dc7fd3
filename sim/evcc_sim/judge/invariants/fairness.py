"""What circuits may do to a car: hold it down as far as needed, and no further."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import pairwise

from evcc_sim.judge.excuses import SETTLING, SHARING_S
from evcc_sim.judge.invariants.evidence import is_hungry, takes_offence
from evcc_sim.judge.invariants.frame import Found, invariant
from evcc_sim.judge.invariants.judged import Judged
from evcc_sim.judge.trace import Instant, Sent
from evcc_sim.worlds.scenario import Scenario
from evcclib.commands import Disable, SwitchPhases, WakeCharger
from evcclib.model import ChargeMode

STARVES_AFTER_S = 600.0
SHARE = 0.5
"""Of its minimum a car must at least have got on average."""


@invariant
def nobody_is_stopped_without_need(run: Judged) -> Found:
    """A limit stops a car only when its minimum did not fit beside the house and the minimums of the others.

    So it must not be taken for an overload by the house what a car has begun to draw within its offer.
    """
    if not run.scenario.circuit:
        return
    for sent in run.trace.sent:
        room_a = room_at_stop_a(run, sent)
        if room_a is None or room_a < _needed_a(run, sent) or not _is_a_limits(run, sent):
            continue
        if is_of_a_torn_round(run, sent.second):
            continue
        start_s = sent.second - unseen_s(run.scenario) - SHARING_S
        if not run.faults_between(start_s, sent.second) and not run.is_restarted(start_s, sent.second):
            message = f"loadpoint {sent.loadpoint + 1} is stopped although {room_a:.1f} A are left for it"
            yield sent.second, message


def room_at_stop_a(run: Judged, sent: Sent) -> float | None:
    """The least that limits left for a car when it was stopped, as far as a control could know; None: no such stop [A]."""
    if not isinstance(sent.command, Disable) or not sent.accepted or not sent.was_enabled:
        return None
    window = run.within(sent.second - unseen_s(run.scenario), sent.second)
    if not window or not window[-1].loadpoints[sent.loadpoint].car:
        return None
    return min(run.rooms.beside_minimums_a(sent.loadpoint, instant) for instant in window)


def _is_a_limits(run: Judged, sent: Sent) -> bool:
    """Whether nothing but a limit can have stopped a car: people want it charged, and no phases are switched."""
    index, instant, wish = sent.loadpoint, run.at(sent.second), run.trace.in_force(sent.second)
    if instant.loadpoints[index].mode not in (ChargeMode.NOW, ChargeMode.MINPV):
        return False  # for want of sun, maybe
    if not is_hungry(run, instant, index, wish) or wish.second >= sent.second - run.interval_s:
        return False
    around = run.sent_between(index, sent.second - run.patience_s, sent.second + run.patience_s)
    return not any(isinstance(each.command, SwitchPhases | WakeCharger) for each in around)


def needed_stops(run: Judged, loadpoint: int) -> set[float]:
    """The seconds at which a limit, of a circuit or of the grid operator, had to stop a loadpoint."""
    if not _is_limited(run.scenario):
        return set()
    stops = [(sent, room_at_stop_a(run, sent)) for sent in run.sent_to(loadpoint)]
    return {sent.second for sent, room_a in stops if room_a is not None and room_a < _needed_a(run, sent)}


def _needed_a(run: Judged, sent: Sent) -> float:
    """What a car must have left to go on: its minimum when it was stopped, and a step of its station [A]."""
    low_a = run.trace.in_force(sent.second).loadpoints[sent.loadpoint].current_min_a
    return low_a + run.scenario.charger[sent.loadpoint].box.coarsest_step_a


@invariant
def nobody_starves(run: Judged) -> Found:
    """A hungry car in mode now whose minimum fits beside the house and the minimums of the others charges.

    Judged by energy: a car that is stopped as often as it starts has starved too. After a stop that had to be its contactor
    rests.
    """
    if not run.scenario.circuit:
        return
    for index, charger in run.loadpoints:
        first: Instant | None = None
        stops = sorted(needed_stops(run, index))
        for instant, wish in run.moments:
            loadpoint = instant.loadpoints[index]
            car = run.cars.get(loadpoint.car)
            number = bisect_right(stops, instant.second)
            rests_s = instant.second - stops[number - 1] if number else math.inf
            low_a = wish.loadpoints[index].current_min_a
            if (
                car is None
                or loadpoint.mode is not ChargeMode.NOW
                or takes_offence(car)
                or not is_hungry(run, instant, index, wish)
                or SETTLING.excuses(run.faults, instant.second)
                or car.current_min_a > low_a
                or rests_s <= charger.loadpoint.guard_duration_s
                or run.rooms.beside_minimums_a(index, instant) < low_a + 1.0
            ):
                first = None
                continue
            if first is None or first.loadpoints[index].car != loadpoint.car:
                first = instant
            waits_s = 60.0 + 2 * run.interval_s + car.start_delay_s
            if instant.second - first.second < STARVES_AFTER_S + waits_s:
                continue
            got_kwh = loadpoint.energy_kwh - first.loadpoints[index].energy_kwh
            phases = min(car.phases, loadpoint.phases)
            due_kwh = STARVES_AFTER_S / 3600.0 * low_a * phases * run.scenario.site.voltage_v / 1000.0 * SHARE
            if got_kwh < due_kwh:
                minutes = (instant.second - first.second) / 60
                message = f"loadpoint {index + 1} got {got_kwh:.2f} kWh in {minutes:.0f} min although there was room"
                yield instant.second, message
            first = instant


@invariant
def raises_fit(run: Judged) -> Found:
    """Whoever is offered more still fits in all limits, if every car takes what it is offered.

    The house may have risen since its last sample.
    """
    rooms, window_s = run.rooms, unseen_s(run.scenario)
    if not _is_limited(run.scenario):
        return
    recent: list[Instant] = []
    for before, now in pairwise(run.instants):
        recent = [instant for instant in recent if instant.second >= now.second - window_s]
        recent.append(before)
        raised = [
            index
            for index, (old, new) in enumerate(zip(before.loadpoints, now.loadpoints, strict=True))
            if new.pilot_a > old.pilot_a + 1e-6 and new.car
        ]
        if not raised or run.faults_between(now.second - window_s - SHARING_S, now.second):
            continue
        if run.is_restarted(now.second - SHARING_S, now.second):
            continue
        if is_of_a_torn_round(run, now.second):
            continue
        seen = [*recent, now]
        others_w = {
            ceiling.name: list(map(min, zip(*(rooms.others_w(ceiling, each) for each in seen), strict=True)))
            for ceiling in rooms.ceilings(now.second)
        }
        for index in raised:
            excess = rooms.excess(index, now, others_w)
            if excess is not None:
                message = f"loadpoint {index + 1} is raised to {now.loadpoints[index].pilot_a:g} A: {excess}"
                yield now.second, message


def is_of_a_torn_round(run: Judged, second: float) -> bool:
    """Whether a car began or ended to draw while a round of samples was being taken, or so lately that the meter of its station
    does not show it yet: then nobody can tell it from the house."""
    site = run.scenario.site
    late_s = max((c.box.meter.lag_s + c.box.meter.refresh_s for c in run.scenario.charger), default=0.0)
    is_in_round = site.skew_s > 0 and second % site.interval_s <= site.skew_s + 0.001
    position = bisect_right(run.instants, second, key=lambda instant: instant.second)
    if position < 2 or not (late_s or is_in_round):
        return False
    first = position - 2
    if late_s:
        start_s = second - late_s - site.skew_s - 0.5
        first = min(first, max(0, bisect_right(run.instants, start_s, key=lambda instant: instant.second) - 1))
    return any(
        old.powers_w != new.powers_w
        for before, now in pairwise(run.instants[first:position])
        for old, new in zip(before.loadpoints, now.loadpoints, strict=True)
    )


def unseen_s(scenario: Scenario) -> float:
    """How old what a control knows of the house may be [s]."""
    meter, site = scenario.grid.meter, scenario.site
    return site.interval_s + meter.refresh_s + meter.lag_s + site.skew_s + 2.0


def _is_limited(scenario: Scenario) -> bool:
    return bool(scenario.circuit) or any(action.operator_limit_w is not None for action in scenario.action)
