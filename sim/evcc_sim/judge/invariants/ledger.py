"""Sessions, settings and budgets are kept through everything."""

from __future__ import annotations

from evcc_sim.judge.invariants.evidence import REACTION_S
from evcc_sim.judge.invariants.violation import Found, Violation
from evcc_sim.judge.trace import Trace
from evcc_sim.plants.faults import FaultKind
from evcclib.events import ChargeStarted, SessionChanged


def sessions_equal_the_meter(trace: Trace) -> Found:
    """The energies of all sessions of a loadpoint are what its meter has counted, through restarts, resets and gaps.

    Those in the database count, where there is one: what a client would see.
    """
    if not trace.instants:
        return
    end_s = trace.instants[-1].second
    last = trace.instants[-1].loadpoints
    for index, charger in enumerate(trace.scenario.charger):
        sessions: dict[str, float] = {}
        for happened in trace.events:
            event = happened.event
            if isinstance(event, SessionChanged) and event.loadpoint == index:
                sessions[event.session.key] = event.session.energy_charged_kwh
                if event.session.energy_charged_kwh < 0:
                    message = f"session {event.session.key}: {event.session.energy_charged_kwh} kWh"
                    yield Violation("sessions_equal_the_meter", happened.second, message)
        if trace.stored_sessions is not None:
            title = charger.loadpoint.title or charger.box.name
            sessions = {s.key: s.energy_charged_kwh for s in trace.stored_sessions if s.loadpoint == title}
        if not charger.box.has_meter or _is_running(trace, index):
            continue  # it is stored when it ends
        booked_kwh, counted_kwh = sum(sessions.values()), last[index].energy_kwh
        tolerance_kwh = 0.02 + 0.002 * counted_kwh + _uncertain_kwh(trace, index)
        if abs(booked_kwh - counted_kwh) > tolerance_kwh:
            message = f"loadpoint {index + 1}: sessions hold {booked_kwh:.3f} kWh, the meter {counted_kwh:.3f} kWh"
            yield Violation("sessions_equal_the_meter", end_s, message)


def _is_running(trace: Trace, loadpoint: int) -> bool:
    """Whether a session runs at the end, or has ended where nobody could see it yet."""
    end_s, name = trace.instants[-1].second, trace.scenario.charger[loadpoint].box.name
    seen_s = 2 * trace.scenario.site.interval_s + REACTION_S
    if any(f.device in (name, "site") and f.start_s <= end_s < f.end_s + seen_s for f in trace.faults):
        return True
    return any(i.loadpoints[loadpoint].status == "C" for i in trace.instants if i.second >= end_s - seen_s)


def _uncertain_kwh(trace: Trace, loadpoint: int) -> float:
    """Energy that nobody can attribute: what flows in one interval around a reset of the counter."""
    name = trace.scenario.charger[loadpoint].box.name
    resets = [f for f in trace.faults if f.device == name and f.kind in (FaultKind.COUNTER_RESET, FaultKind.REBOOT)]
    return len(resets) * 11.04 * trace.scenario.site.interval_s * 2 / 3600


def settings_survive(trace: Trace) -> Found:
    """After a restart every visible setting is what it was."""
    for text in trace.settings_lost:
        yield Violation("settings_survive", trace.restarts[-1] if trace.restarts else 0.0, text)


def vehicle_is_asked_rarely(trace: Trace) -> Found:
    """A vehicle's interface is asked no more than once an interval while charging, and no more than 2,000 times a day."""
    days = max(1.0, trace.instants[-1].second / 86_400)
    for name, reads in trace.vehicle_reads.items():
        if reads > 9_000 * days:
            yield Violation("vehicle_is_asked_rarely", trace.instants[-1].second, f"{name} was asked {reads} times")


def starts_have_sessions(trace: Trace) -> Found:
    """Every charge that starts while a car is connected belongs to a session."""
    starts = sum(isinstance(happened.event, ChargeStarted) for happened in trace.events)
    sessions = {h.event.session.key for h in trace.events if isinstance(h.event, SessionChanged)}
    if starts and not sessions:
        yield Violation("starts_have_sessions", trace.instants[-1].second, f"{starts} starts and no session")
