"""Contactors and phase relays are spared, and stations are not written to without need."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from itertools import pairwise

from evcc_sim.judge.invariants.evidence import delays_s, faults_between, is_calm, is_disturbed, patience_s
from evcc_sim.judge.invariants.fairness import needed_stops
from evcc_sim.judge.invariants.violation import Found, Violation
from evcc_sim.judge.trace import Instant, Trace
from evcc_sim.worlds.actions import operator_spans
from evcclib.commands import Disable, Enable, SetCurrent, SwitchPhases
from evcclib.events import SettingChanged, VehicleConnected
from evcclib.model import ChargeMode


def no_phase_switch_under_load(trace: Trace) -> Found:
    """The phase relay moves without current, and the control takes the pilot away before it asks for a switch."""
    for second, loadpoint in trace.switched_under_load:
        yield Violation("no_phase_switch_under_load", second, f"relay of loadpoint {loadpoint + 1} moved under load")
    for sent in trace.sent:
        if isinstance(sent.command, SwitchPhases) and sent.was_enabled and sent.accepted:
            message = f"loadpoint {sent.loadpoint + 1} was told to switch while enabled"
            yield Violation("no_phase_switch_under_load", sent.second, message)


def phases_fit(trace: Trace) -> Found:
    """Only 1 and 3 are ever sent as phases, and only to stations that can switch [INV-1]."""
    for sent in trace.sent:
        if isinstance(sent.command, SwitchPhases):
            box = trace.scenario.charger[sent.loadpoint].box
            if sent.command.phases not in (1, 3) or not box.can_switch_phases:
                yield Violation("phases_fit", sent.second, f"loadpoint {sent.loadpoint + 1}: {sent.command}")


def guard_holds(trace: Trace) -> Found:
    """Following the sun, the contactor rests for the guard time between two changes [INV-4].

    Requests, arrivals, goals, faults and phase switches in between are excuses.
    """
    for loadpoint, charger in enumerate(trace.scenario.charger):
        guard_s = charger.loadpoint.guard_duration_s - 1.0
        changes = [
            sent
            for sent in trace.sent
            if sent.loadpoint == loadpoint and sent.accepted and isinstance(sent.command, (Enable, Disable))
        ]
        reasons = [(i.second, i.loadpoints[loadpoint]) for i in trace.instants]
        for before, now in pairwise(changes):
            if now.second - before.second >= guard_s or type(before.command) is type(now.command):
                continue
            window = [lp for second, lp in reasons if before.second - 1 <= second <= now.second + 1]
            if all(is_calm(lp.reason) and lp.mode is ChargeMode.PV and lp.car for lp in window) and not is_disturbed(
                trace, loadpoint, before.second - 1, now.second + 1
            ):
                waited_s = now.second - before.second
                message = f"loadpoint {loadpoint + 1}: {now.command} only {waited_s:.0f} s after {before.command}"
                yield Violation("guard_holds", now.second, message)


def switching_budget(trace: Trace) -> Found:
    """Contactors and phase relays switch no more often in any hour than delays and guard allow.

    A stop for which a limit has left no room is not counted: the house or the grid operator has made it. The start after it is,
    for which the guard must have rested.
    """
    for loadpoint, charger in enumerate(trace.scenario.charger):
        spec = charger.loadpoint
        cycle_s = max(60.0, min(delays_s(wish.loadpoints[loadpoint]) for wish in trace.wishes))
        budget = 2 * 3600 / cycle_s + 2
        moments = [
            s.second
            for s in trace.sent
            if s.loadpoint == loadpoint and s.accepted and isinstance(s.command, SwitchPhases)
        ]
        yield from _over_budget("phase switches", moments, budget, loadpoint)
        guard_s = max(60.0, spec.guard_duration_s)
        budget = 3600 / guard_s + 4
        moments = _moments_by_choice(trace, loadpoint)
        budget += 2 * len(
            [s for s in trace.sent if s.loadpoint == loadpoint and isinstance(s.command, SwitchPhases)]
        ) + 2 * len(trace.notes)
        yield from _over_budget("enable changes", moments, budget, loadpoint)


def _moments_by_choice(trace: Trace, loadpoint: int) -> list[float]:
    """When a loadpoint was enabled, or disabled without need."""
    needed = needed_stops(trace, loadpoint)
    return [
        sent.second
        for sent in trace.sent
        if sent.loadpoint == loadpoint
        and sent.accepted
        and isinstance(sent.command, (Enable, Disable))
        and not (isinstance(sent.command, Disable) and sent.second in needed)
    ]


def _over_budget(what: str, moments: list[float], budget: float, loadpoint: int) -> Found:
    for index, second in enumerate(moments):
        count = sum(1 for other in moments[: index + 1] if other > second - 3600)
        if count > budget:
            yield Violation("switching_budget", second, f"loadpoint {loadpoint + 1}: {count} {what} in an hour")
            return


def no_needless_writes(trace: Trace) -> Found:
    """A current that the station has acknowledged is not written again while it stays enabled.

    Stations that lose or ignore writes must be written again; windows with faults are left out.
    """
    last: dict[int, tuple[float, float]] = {}
    for sent in trace.sent:
        if isinstance(sent.command, Disable) or not sent.accepted:
            last.pop(sent.loadpoint, None)  # before the next start it may be made sure of
        elif isinstance(sent.command, SetCurrent):
            before = last.get(sent.loadpoint)
            last[sent.loadpoint] = (sent.second, sent.command.current_a)
            if before is None or before[1] != sent.command.current_a:
                continue
            if not is_disturbed(trace, sent.loadpoint, before[0], sent.second):
                message = f"loadpoint {sent.loadpoint + 1}: {sent.command.current_a:g} A was written again"
                yield Violation("no_needless_writes", sent.second, message)


SMALL_A = 0.09
"""A smaller step upwards is not worth a command to a station that is to follow the sun."""


def small_steps_are_not_sent(trace: Trace) -> Found:
    """Following the sun, a station is not written to for a few watts more [PV-12].

    Downwards every step may be needed: not to buy, or for a limit. What limits leave may grow by little.
    """
    scenario = trace.scenario
    if scenario.circuit or operator_spans(scenario, scenario.days):
        return
    last: dict[int, float] = {}
    seen = _Reasons(trace)
    restarts = sorted(trace.restarts, reverse=True)
    for sent in trace.sent:
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
            lowest_a = trace.in_force(sent.second).loadpoints[sent.loadpoint].current_min_a
            if seen.at(sent.loadpoint, sent.second) == "surplus" and before_a >= lowest_a:
                message = f"loadpoint {sent.loadpoint + 1}: {now_a:g} A after {before_a:g} A"
                yield Violation("small_steps_are_not_sent", sent.second, message)


class _Reasons:
    """Reasons by time."""

    def __init__(self, trace: Trace) -> None:
        self._instants = trace.instants
        self._seconds = [instant.second for instant in trace.instants]

    def at(self, loadpoint: int, second: float) -> str:
        position = bisect_right(self._seconds, second) - 1
        return self._instants[max(position, 0)].loadpoints[loadpoint].reason


IDLE_SWITCHES = 6


def switches_without_charging(trace: Trace) -> Found:
    """While a car takes nothing, its phases are switched a few times at most, then less and less often [PH-7].

    A request, an arrival or a fault begins anew.
    """
    for loadpoint in range(len(trace.scenario.charger)):
        in_vain: list[float] = []
        energy_kwh = -1.0
        position = 0
        for sent in trace.sent:
            if sent.loadpoint != loadpoint or not sent.accepted or not isinstance(sent.command, SwitchPhases):
                continue
            while position + 1 < len(trace.instants) and trace.instants[position + 1].second <= sent.second:
                position += 1
            now_kwh = trace.instants[position].loadpoints[loadpoint].energy_kwh
            since = in_vain[0] if in_vain else sent.second
            if now_kwh > energy_kwh + 1e-3 or _is_new(trace, since, sent.second):
                in_vain = []
            energy_kwh = now_kwh
            in_vain = [*in_vain, sent.second]
            if len([each for each in in_vain if each > sent.second - 3600]) > IDLE_SWITCHES:
                message = f"loadpoint {loadpoint + 1}: {len(in_vain)} switches of phases and no energy since"
                yield Violation("switches_without_charging", sent.second, message)
                break


def _is_new(trace: Trace, start_s: float, end_s: float) -> bool:
    """Whether somebody came, asked for something or failed meanwhile."""
    if any(start_s < note.second <= end_s for note in trace.notes):
        return True
    if any(
        start_s < second <= end_s and isinstance(event, VehicleConnected | SettingChanged)
        for second, event in trace.events
    ):
        return True
    return faults_between(trace, start_s, end_s) and start_s < end_s


NEEDLESS_SWITCHES = 3


def three_phases_have_sun(trace: Trace) -> Found:
    """A car that follows the sun is given three phases only when the sun feeds them; now and then a house may deceive [PH-6].

    Judged by the true sun and house over the delay before the switch, for a single station without a home battery.
    """
    scenario = trace.scenario
    if len(scenario.charger) != 1 or scenario.battery or scenario.fault or any(pv.zero_feed_in for pv in scenario.pv):
        return
    if not scenario.site.has_grid_meter:
        return
    car_phases = {car.name: car.phases for car in scenario.car}
    seconds = [instant.second for instant in trace.instants]
    needless: list[float] = []
    for sent in trace.sent:
        if not sent.accepted or sent.command != SwitchPhases(3):
            continue
        enable_s = trace.in_force(sent.second).loadpoints[0].enable_delay.total_seconds()
        start_s = sent.second - enable_s - patience_s(scenario) - scenario.grid.meter.refresh_s
        window = trace.instants[max(bisect_right(seconds, start_s) - 1, 0) : bisect_right(seconds, sent.second)]
        if not window or window[-1].loadpoints[0].mode is not ChargeMode.PV or not _is_the_suns(window):
            continue
        wishes = trace.in_force_between(start_s, sent.second)
        phases = min(car_phases.get(wish.vehicles[0] or "", 3) for wish in wishes)
        needed_w = phases * scenario.site.voltage_v * min(wish.loadpoints[0].current_min_a for wish in wishes)
        residual_w = min(wish.site.residual_power_w for wish in wishes)
        most_w = max(each.pv_available_w - each.household_w for each in window) - residual_w
        noise_w = 3 * scenario.grid.meter.noise_w + scenario.grid.meter.resolution_w
        if most_w < needed_w - 20.0 - noise_w:
            needless = [second for second in needless if second > sent.second - 6 * 3600] + [sent.second]
            if len(needless) > NEEDLESS_SWITCHES:
                message = f"three phases for {most_w:.0f} W of sun, {needed_w:.0f} W are needed"
                yield Violation("three_phases_have_sun", sent.second, message)
                return


def _is_the_suns(window: list[Instant]) -> bool:
    """Whether nothing but the sun decided all the time."""
    return all(is_calm(each.loadpoints[0].reason) or each.loadpoints[0].reason == "phase_switch" for each in window)


REFUSED_PER_HOUR = 150


def refusals_are_taken_for_an_answer(trace: Trace) -> Found:
    """What a station has refused time and again is not said at every tick [LIM-9]."""
    for loadpoint in range(len(trace.scenario.charger)):
        refused: deque[float] = deque()
        for sent in trace.sent:
            if sent.loadpoint != loadpoint:
                continue
            if sent.accepted:
                refused.clear()
                continue
            refused.append(sent.second)
            while refused[0] <= sent.second - 3600:
                refused.popleft()
            if len(refused) > REFUSED_PER_HOUR:
                message = f"loadpoint {loadpoint + 1}: {len(refused)} commands refused within an hour"
                yield Violation("refusals_are_taken_for_an_answer", sent.second, message)
                break
