"""Contactors and phase relays are spared, and stations are not written to without need."""

from __future__ import annotations

from itertools import pairwise

from evcc_sim.invariants.evidence import delays_s, is_calm, is_disturbed
from evcc_sim.invariants.fairness import needed_stops
from evcc_sim.invariants.violation import Found, Violation
from evcc_sim.trace import Trace
from evcclib.commands import Disable, Enable, SetCurrent, SwitchPhases
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

    A stop for which a circuit has left no room is not counted: the house has made it. The start after it is.
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
