"""Limits on any cause: whatever is or may be above one is lowered at once, without a law and without waiting for anybody."""

from __future__ import annotations

from evcclib.commands import Command, Disable, SetCurrent
from evcclib.deciding.bounding import can_be_told, grant_held, lowered_to
from evcclib.deciding.explain import with_limit
from evcclib.deciding.sending import planned, send, want
from evcclib.events import WarningCode
from evcclib.laws.demand import because
from evcclib.machines.charger import Wish, retried_at, unheard_retry_at
from evcclib.machines.limits.circuits import Allotment
from evcclib.machines.limits.safety import Clamped
from evcclib.pipeline.circuit_loads import allotment, committed_a, drawable_a
from evcclib.pipeline.desk import LoadpointDesk, SiteDesk
from evcclib.pipeline.sharing import order, priority_of
from evcclib.reasons import ReasonCode


def enforce(site: SiteDesk, *, retries: bool) -> None:
    """Lower at once what is or may be above a limit; nothing is ever raised here: above what may stand, or was wanted last.

    A charger that has just refused a command is not told again before the next sample or tick (``retries``).
    """
    desks, limits = site.desks, None
    is_limited = site.layout.config.circuits or site.readings.operator_limit is not None
    if is_limited and any(committed_a(lp) > 0 for lp in desks):  # else there is nothing to lower
        limits = allotment(site, lambda lp: lp.state.charger.may_be_enabled, calmly=False)
    if limits is not None:
        grant_held(site, limits)
    for index in order([priority_of(lp.state) for lp in desks]):
        lp = desks[index]
        loadpoint = lp.state
        if not lp.facts.is_usable:
            loadpoint.reason = because(ReasonCode.CHARGER_FAULT if loadpoint.is_faulty else ReasonCode.CHARGER_SILENT)
        elif loadpoint.charger.has_failed and site.readings.outcomes:
            loadpoint.reason = because(ReasonCode.COMMAND_FAILED)
        charger = loadpoint.charger
        if not can_be_told(lp) or (charger.has_failed and not retries):
            lower_unheard(lp, limits)
            continue
        granted_a = committed_a(lp)
        wanted_a, is_known = _least(lp), charger.standing_a is not None
        broken = lowered_to(lp, granted_a, wanted_a, limits, is_known=is_known) if granted_a > 0 else None
        if broken is not None and _lower(lp, broken) and not charger.runs_unasked:
            granted_a = broken.current_a
        if limits is not None:
            limits.grant(lp.index, drawable_a(lp) if charger.resists_current else granted_a)


def lower_unheard(lp: LoadpointDesk, limits: Allotment | None) -> None:
    """Tell a charger that is silent what a limit leaves, once and then ever less often: it may hear [DEF-47].

    Nobody knows whether it does, so that others give way as if it did not.
    """
    loadpoint = lp.state
    charger, reason = loadpoint.charger, loadpoint.reason
    retry_at = unheard_retry_at(charger)
    if not loadpoint.is_silent or charger.pending is not None or (retry_at is not None and lp.instant < retry_at):
        return
    most_a = committed_a(lp)
    is_known = charger.standing_a is not None
    wanted_a = _least(lp)
    broken = lowered_to(lp, most_a, wanted_a, limits, is_known=is_known) if most_a > 0 else None
    if broken is None or not _lower(lp, broken):
        return
    loadpoint.charger = loadpoint.charger._replace(unheard_at=lp.instant, unheard_tries=charger.unheard_tries + 1)
    loadpoint.reason = reason


def _least(lp: LoadpointDesk) -> float:
    """The most that raises nothing: what surely stands and was wanted last, 0 where a current would only start it [A].

    What is found enabled gets the minimum [LP-3].
    """
    charger = lp.state.charger
    if charger.seems_off or charger.runs_unasked:
        return 0.0
    standing_a = charger.standing_a
    if standing_a is None:
        least_a = lp.facts.bounds.minimum_a if charger.is_enabled else 0.0
    else:
        least_a = standing_a.least_a
    return least_a if charger.wanted_a is None else min(charger.wanted_a, least_a)


def _lower(lp: LoadpointDesk, broken: Clamped) -> bool:
    """Send what a limit leaves, and say which; False: it has just been refused, and is said again a little later."""
    loadpoint = lp.state
    charger = loadpoint.charger
    is_paused = broken.current_a == 0
    commands: tuple[Command, ...] = (Disable(),) if is_paused else (SetCurrent(broken.current_a),)
    if charger.runs_unasked:  # it has been told, and is told again ever less often
        commands = planned(lp, Wish(0.0, 0, True)).commands
    want(loadpoint, broken.current_a)
    retry_at = retried_at(charger, commands, is_urgent=True)
    if retry_at is not None and lp.instant < retry_at:
        return False
    limit = broken.limit or "loadpoint"
    loadpoint.reason = with_limit(lp, loadpoint.reason, limit, is_paused=is_paused)
    if is_paused:
        loadpoint.limited_at = lp.instant
    lp.warn(WarningCode.LIMIT_EXCEEDED, True, limit=limit)
    if commands:
        is_repeated = charger.runs_unasked
        send(lp, commands, clears_pv_timer=True, elapses=False, is_repeated=is_repeated)
    return True
