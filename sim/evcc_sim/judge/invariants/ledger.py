"""Sessions, settings and budgets are kept through everything."""

from __future__ import annotations

from evcc_sim.judge.excuses import Grace
from evcc_sim.judge.invariants.frame import Found, invariant, own_promise
from evcc_sim.judge.invariants.judged import REACTION_S, Judged
from evcc_sim.plants.faults import FaultKind
from evcclib.events import ChargeStarted, SessionChanged


@own_promise
def sessions_equal_the_meter(run: Judged) -> Found:
    """The energies of all sessions of a loadpoint are what its meter has counted, through restarts, resets and gaps.

    Those in the database count, where there is one: what a client would see.
    """
    if not run.instants:
        return
    end_s = run.instants[-1].second
    last = run.instants[-1].loadpoints
    for index, charger in run.loadpoints:
        sessions: dict[str, float] = {}
        for happened in run.trace.events:
            event = happened.event
            if isinstance(event, SessionChanged) and event.loadpoint == index:
                sessions[event.session.key] = event.session.energy_charged_kwh
                if event.session.energy_charged_kwh < 0:
                    message = f"session {event.session.key}: {event.session.energy_charged_kwh} kWh"
                    yield happened.second, message
        if run.trace.stored_sessions is not None:
            title = charger.loadpoint.title or charger.box.name
            sessions = {s.key: s.energy_charged_kwh for s in run.trace.stored_sessions if s.loadpoint == title}
        if not charger.box.has_meter or _is_running(run, index):
            continue  # it is stored when it ends
        booked_kwh, counted_kwh = sum(sessions.values()), last[index].energy_kwh
        tolerance_kwh = 0.02 + 0.002 * counted_kwh + _uncertain_kwh(run, index)
        if abs(booked_kwh - counted_kwh) > tolerance_kwh:
            message = f"loadpoint {index + 1}: sessions hold {booked_kwh:.3f} kWh, the meter {counted_kwh:.3f} kWh"
            yield end_s, message


def _is_running(run: Judged, loadpoint: int) -> bool:
    """Whether a session runs at the end, or has ended where nobody could see it yet."""
    end_s, name = run.instants[-1].second, run.scenario.charger[loadpoint].box.name
    seen_s = 2 * run.interval_s + REACTION_S
    if Grace(0.0, seen_s).excuses([f for f in run.faults if f.device in (name, "site")], end_s):
        return True
    return any(i.loadpoints[loadpoint].status == "C" for i in run.instants if i.second >= end_s - seen_s)


def _uncertain_kwh(run: Judged, loadpoint: int) -> float:
    """Energy that nobody can attribute: what flows in one interval around a reset of the counter."""
    name = run.scenario.charger[loadpoint].box.name
    resets = [f for f in run.faults if f.device == name and f.kind in (FaultKind.COUNTER_RESET, FaultKind.REBOOT)]
    return len(resets) * 11.04 * run.interval_s * 2 / 3600


@invariant
def settings_survive(run: Judged) -> Found:
    """After a restart every visible setting is what it was."""
    for text in run.trace.settings_lost:
        yield run.trace.restarts[-1] if run.trace.restarts else 0.0, text


@invariant
def vehicle_is_asked_rarely(run: Judged) -> Found:
    """A vehicle's interface is asked no more than once an interval while charging, and no more than 2,000 times a day."""
    days = max(1.0, run.instants[-1].second / 86_400)
    for name, reads in run.trace.vehicle_reads.items():
        if reads > 9_000 * days:
            yield run.instants[-1].second, f"{name} was asked {reads} times"


@own_promise
def starts_have_sessions(run: Judged) -> Found:
    """Every charge that starts while a car is connected belongs to a session."""
    starts = sum(isinstance(happened.event, ChargeStarted) for happened in run.trace.events)
    sessions = {h.event.session.key for h in run.trace.events if isinstance(h.event, SessionChanged)}
    if starts and not sessions:
        yield run.instants[-1].second, f"{starts} starts and no session"
