"""Contactors and phase relays are spared, and stations are not written to without need."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

from evcc_sim.judge.excuses import CALMING
from evcc_sim.judge.invariants.evidence import delays_s, is_disturbed, is_hungry
from evcc_sim.judge.invariants.fairness import needed_stops
from evcc_sim.judge.invariants.frame import Found, invariant, own_promise, promise_of
from evcc_sim.judge.invariants.judged import Judged
from evcc_sim.judge.trace import Instant, Sent
from evcclib.commands import Disable, Enable, SetCurrent, SwitchPhases
from evcclib.laws.ration import REST_PART, SPARED_MAX


@invariant
def no_phase_switch_under_load(run: Judged) -> Found:
    """The phase relay moves without current."""
    for second, loadpoint in run.trace.switched_under_load:
        yield second, f"relay of loadpoint {loadpoint + 1} moved under load"


@own_promise
def no_pilot_while_phases_switch(run: Judged) -> Found:
    """The control takes the pilot away before it asks for a switch of phases, of a station that pauses by itself, too."""
    for sent in run.trace.sent:
        if isinstance(sent.command, SwitchPhases) and sent.was_enabled and sent.accepted:
            message = f"loadpoint {sent.loadpoint + 1} was told to switch while enabled"
            yield sent.second, message


@invariant
def phases_fit(run: Judged) -> Found:
    """Only 1 and 3 are ever sent as phases, and only to stations that can switch [INV-1]."""
    for sent in run.trace.sent:
        if isinstance(sent.command, SwitchPhases):
            box = run.scenario.charger[sent.loadpoint].box
            if sent.command.phases not in (1, 3) or not box.can_switch_phases:
                yield sent.second, f"loadpoint {sent.loadpoint + 1}: {sent.command}"


@promise_of("classic")
def guard_holds(run: Judged) -> Found:
    """Following the sun, the contactor rests for the guard time between two changes [INV-4].

    Requests, arrivals, goals, faults and phase switches in between are excuses.
    """
    for loadpoint, charger in run.loadpoints:
        guard_s = charger.loadpoint.guard_duration_s - 1.0
        needed = needed_stops(run, loadpoint)
        changes = [
            sent for sent in run.sent_to(loadpoint) if sent.accepted and isinstance(sent.command, (Enable, Disable))
        ]
        for before, now in pairwise(changes):
            if now.second - before.second >= guard_s or type(before.command) is type(now.command):
                continue
            if needed & {before.second, now.second}:
                continue
            start_s, end_s = before.second - 1, now.second + 1
            follows = all(_is_left_to_the_sun(run, loadpoint, each) for each in run.within(start_s, end_s))
            if follows and not is_disturbed(run, loadpoint, start_s, end_s):
                waited_s = now.second - before.second
                message = f"loadpoint {loadpoint + 1}: {now.command} only {waited_s:.0f} s after {before.command}"
                yield now.second, message


@promise_of("adaptive")
def contactor_is_rationed(run: Judged) -> Found:
    """Following the sun, the contactor rests for a fifth of the guard time between two changes, and on the average for all of it,
    a few changes aside (docs/law.md).

    Excuses are those of `guard_holds`.
    """
    for loadpoint, charger in run.loadpoints:
        guard_s = charger.loadpoint.guard_duration_s
        needed = needed_stops(run, loadpoint)
        changes: list[float] = []
        for sent in run.sent_to(loadpoint):
            if not sent.accepted or not isinstance(sent.command, (Enable, Disable)) or guard_s == 0:
                continue
            since_s = changes[-1] if changes else sent.second - guard_s
            around = run.within(since_s - 1, sent.second + 1)
            follows = all(_is_left_to_the_sun(run, loadpoint, each) for each in around)
            if sent.second in needed or not follows or is_disturbed(run, loadpoint, since_s - 1, sent.second + 1):
                changes = []
            elif changes and sent.second - since_s < guard_s / REST_PART - 1:
                yield (
                    sent.second,
                    f"loadpoint {loadpoint + 1}: {sent.command} {sent.second - since_s:.0f} s after the last change",
                )
            changes.append(sent.second)
            first_s, most = changes[0], SPARED_MAX + 1
            if len(changes) > most + (sent.second - first_s) / guard_s:
                yield sent.second, f"loadpoint {loadpoint + 1}: {len(changes)} changes in {sent.second - first_s:.0f} s"


RELAY_GUARD_S = 600.0


@promise_of("adaptive")
def phase_changes_are_rationed(run: Judged) -> Found:
    """Following the sun, phases change four times in a row at most, and beyond that once in ten minutes on the average: no more
    than 10 times in an hour and 148 times in a day (docs/law.md).

    A limit that leaves one phase only, requests, arrivals and faults are excuses.
    """
    if run.scenario.circuit or run.operator.ever_limits:
        return
    for loadpoint, _charger in run.loadpoints:
        changes: list[float] = []
        for sent in run.sent_to(loadpoint):
            if not sent.accepted or not isinstance(sent.command, SwitchPhases):
                continue
            start_s, end_s = (changes[-1] if changes else sent.second) - 1, sent.second + 1
            follows = all(_is_left_to_the_sun(run, loadpoint, each) for each in run.within(start_s, end_s))
            if not follows or run.changes_between(start_s, end_s) or CALMING.excuses(run.faults, sent.second):
                changes = []
            changes.append(sent.second)
            if len(changes) > SPARED_MAX + (sent.second - changes[0] + run.patience_s) / RELAY_GUARD_S:
                yield (
                    sent.second,
                    f"loadpoint {loadpoint + 1}: {len(changes)} changes in {sent.second - changes[0]:.0f} s",
                )


def _is_left_to_the_sun(run: Judged, loadpoint: int, instant: Instant) -> bool:
    """Whether a car follows the sun, and nothing else is near that could decide."""
    wish = run.trace.in_force(instant.second)
    follows = run.meant.follows(loadpoint, instant, wish) and not run.meant.is_at_an_edge(loadpoint, instant, wish)
    return follows and is_hungry(run, instant, loadpoint, wish)


@invariant
def switching_budget(run: Judged) -> Found:
    """Contactors and phase relays switch no more often in any hour than delays and guard allow.

    A stop for which a limit has left no room is not counted: the house or the grid operator has made it. The start after it is,
    for which the guard must have rested.
    """
    for loadpoint, charger in run.loadpoints:
        cycle_s = max(60.0, min(delays_s(wish.loadpoints[loadpoint]) for wish in run.trace.wishes))
        switches = [sent for sent in run.sent_to(loadpoint) if isinstance(sent.command, SwitchPhases)]
        moments = [sent.second for sent in switches if sent.accepted]
        yield from _over_budget("phase switches", moments, 2 * 3600 / cycle_s + 2, loadpoint)
        guard_s = max(60.0, charger.loadpoint.guard_duration_s)
        budget = 3600 / guard_s + 4 + 2 * len(switches) + 2 * len(run.trace.notes)
        yield from _over_budget("enable changes", _moments_by_choice(run, loadpoint), budget, loadpoint)


def _moments_by_choice(run: Judged, loadpoint: int) -> list[float]:
    """When a loadpoint was enabled, or disabled without need."""
    needed = needed_stops(run, loadpoint)
    return [
        sent.second
        for sent in run.sent_to(loadpoint)
        if sent.accepted
        and isinstance(sent.command, (Enable, Disable))
        and not (isinstance(sent.command, Disable) and sent.second in needed)
    ]


def _over_budget(what: str, moments: list[float], budget: float, loadpoint: int) -> Found:
    for index, second in enumerate(moments):
        count = sum(1 for other in moments[: index + 1] if other > second - 3600)
        if count > budget:
            yield second, f"loadpoint {loadpoint + 1}: {count} {what} in an hour"
            return


@own_promise
def no_needless_writes(run: Judged) -> Found:
    """A current that the station has acknowledged is not written again while it stays enabled.

    Stations that lose or ignore writes must be written again; windows with faults are left out. One that has missed in a fault
    that it is to be on, and so offers nothing, is told so again when that is due, with its current of now.
    """
    last: dict[int, tuple[float, float]] = {}
    for sent in run.trace.sent:
        if isinstance(sent.command, Disable) or not sent.accepted:
            last.pop(sent.loadpoint, None)  # before the next start it may be made sure of
        elif isinstance(sent.command, SetCurrent):
            before = last.get(sent.loadpoint)
            last[sent.loadpoint] = (sent.second, sent.command.current_a)
            if before is None or before[1] != sent.command.current_a:
                continue
            if not is_disturbed(run, sent.loadpoint, before[0], sent.second) and not _is_dead(run, sent):
                message = f"loadpoint {sent.loadpoint + 1}: {sent.command.current_a:g} A was written again"
                yield sent.second, message


def _is_dead(run: Judged, sent: Sent) -> bool:
    """Whether a station that was told to be on has offered a car nothing until this command."""
    until = run.at(sent.second - 1e-3).loadpoints[sent.loadpoint]
    return sent.was_enabled and until.car != "" and until.pilot_a == 0


SMALL_A = 0.09
"""A smaller step upwards is not worth a command to a station that is to follow the sun."""


@promise_of("classic")
def small_steps_are_not_sent(run: Judged) -> Found:
    """Following the sun, a station is not written to for a few watts more [PV-12].

    Downwards every step may be needed: not to buy, or for a limit. What limits leave may grow by little.
    """
    scenario = run.scenario
    if scenario.circuit or run.operator.ever_limits:
        return
    last: dict[int, float] = {}
    restarts = sorted(run.trace.restarts, reverse=True)
    for sent in run.trace.sent:
        while restarts and restarts[-1] <= sent.second:  # a control that is new has to say it once
            restarts.pop()
            last.clear()
        if isinstance(sent.command, Disable) or not sent.accepted:
            last.pop(sent.loadpoint, None)
        elif isinstance(sent.command, SetCurrent):
            before_a, now_a = last.get(sent.loadpoint), sent.command.current_a
            last[sent.loadpoint] = now_a
            if scenario.charger[sent.loadpoint].box.true_step_a:  # until that is known, and when it has become so
                continue
            if before_a is None or not 0.0 < now_a - before_a < SMALL_A or not sent.was_enabled:
                continue
            wish = run.trace.in_force(sent.second)
            follows = run.meant.follows(sent.loadpoint, run.at(sent.second), wish)
            if follows and before_a >= wish.loadpoints[sent.loadpoint].current_min_a:
                message = f"loadpoint {sent.loadpoint + 1}: {now_a:g} A after {before_a:g} A"
                yield sent.second, message


IDLE_SWITCHES = 6


@invariant
def switches_without_charging(run: Judged) -> Found:
    """While a car takes nothing, its phases are switched a few times at most, then less and less often [PH-7].

    A request, an arrival or a fault begins anew.
    """
    for loadpoint, _charger in run.loadpoints:
        in_vain: list[float] = []
        energy_kwh = -1.0
        for sent in run.sent_to(loadpoint):
            if not sent.accepted or not isinstance(sent.command, SwitchPhases):
                continue
            now_kwh = run.at(sent.second).loadpoints[loadpoint].energy_kwh
            since = in_vain[0] if in_vain else sent.second
            if now_kwh > energy_kwh + 1e-3 or _is_new(run, since, sent.second):
                in_vain = []
            energy_kwh = now_kwh
            in_vain = [*in_vain, sent.second]
            if len([each for each in in_vain if each > sent.second - 3600]) > IDLE_SWITCHES:
                message = f"loadpoint {loadpoint + 1}: {len(in_vain)} switches of phases and no energy since"
                yield sent.second, message
                break


def _is_new(run: Judged, start_s: float, end_s: float) -> bool:
    """Whether somebody came, asked for something or failed meanwhile."""
    if run.changes_between(start_s, end_s):
        return True
    return run.faults_between(start_s, end_s) and start_s < end_s


NEEDLESS_SWITCHES = 3


@own_promise
def three_phases_have_sun(run: Judged) -> Found:
    """A car that follows the sun is given three phases only when the sun feeds them; now and then a house may deceive [PH-6].

    Judged by the true sun and house over the delay before the switch, for a single station without a home battery.
    """
    scenario = run.scenario
    if len(scenario.charger) != 1 or scenario.battery or scenario.fault or any(pv.zero_feed_in for pv in scenario.pv):
        return
    if not scenario.site.has_grid_meter:
        return
    needless: list[float] = []
    for sent in run.trace.sent:
        if not sent.accepted or sent.command != SwitchPhases(3):
            continue
        enable_s = run.trace.in_force(sent.second).loadpoints[0].enable_delay.total_seconds()
        start_s = sent.second - enable_s - run.patience_s - scenario.grid.meter.refresh_s
        window = run.between(start_s, sent.second)
        if not window or not all(run.meant.follows(0, each, run.trace.in_force(each.second)) for each in window):
            continue
        wishes = run.trace.in_force_between(start_s, sent.second)
        cars = [run.cars.get(wish.vehicles[0] or "") for wish in wishes]
        phases = min(3 if car is None else car.phases for car in cars)
        needed_w = phases * scenario.site.voltage_v * min(wish.loadpoints[0].current_min_a for wish in wishes)
        residual_w = min(wish.site.residual_power_w for wish in wishes)
        most_w = max(each.pv_available_w - each.household_w for each in window) - residual_w
        if most_w < needed_w - 20.0 - run.noise_w:
            needless = [second for second in needless if second > sent.second - 6 * 3600] + [sent.second]
            if len(needless) > NEEDLESS_SWITCHES:
                message = f"three phases for {most_w:.0f} W of sun, {needed_w:.0f} W are needed"
                yield sent.second, message
                return


REFUSED_PER_HOUR = 150


@own_promise
def refusals_are_taken_for_an_answer(run: Judged) -> Found:
    """What a station has refused time and again is not said at every tick [LIM-9]."""
    for loadpoint, _charger in run.loadpoints:
        refused: deque[float] = deque()
        for sent in run.sent_to(loadpoint):
            if sent.accepted:
                refused.clear()
                continue
            refused.append(sent.second)
            while refused[0] <= sent.second - 3600:
                refused.popleft()
            if len(refused) > REFUSED_PER_HOUR:
                message = f"loadpoint {loadpoint + 1}: {len(refused)} commands refused within an hour"
                yield sent.second, message
                break
