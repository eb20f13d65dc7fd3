"""Why a loadpoint does what it does: the law's reason, and what limits, guard and read-backs make of it."""

from __future__ import annotations

from dataclasses import replace

from evcclib.laws.demand import because
from evcclib.laws.law import Target
from evcclib.machines.charger import ChargerState
from evcclib.machines.limits.safety import Clamped
from evcclib.machines.phases import widening_wait
from evcclib.machines.rousing import seems_full
from evcclib.pipeline.desk import LoadpointDesk
from evcclib.pipeline.observe_loadpoint import disagreeing
from evcclib.reasons import MEAN_POWER, Reason, ReasonCode


def reason_of(lp: LoadpointDesk, target: Target, clamped: Clamped, *, is_guarded: bool) -> Reason:
    """Why the loadpoint does what it will do now."""
    loadpoint = lp.state
    charger = loadpoint.charger
    if is_guarded and charger.guard is not None:
        return Reason(ReasonCode.GUARD, until=charger.guard + lp.layout.config.guard_duration)
    if clamped.limit is not None and (clamped.current_a < target.current_a or clamped.current_a == 0):
        return with_limit(lp, target.reason, clamped.limit, is_paused=clamped.current_a == 0)
    if loadpoint.narrowed is not None and clamped.current_a > 0 and target.current_a >= lp.facts.bounds.maximum_a:
        limit, since = loadpoint.narrowed
        wait = widening_wait(loadpoint.settings.enable_delay, loadpoint.settings.disable_delay)
        return replace(target.reason, limit=limit, until=target.reason.until if since is None else since + wait)
    if (
        clamped.current_a > 0
        and charger.is_enabled
        and not charger.seems_off
        and not lp.facts.is_charging
        and seems_full(charger.enable_changed_at, lp.instant)
    ):
        return because(ReasonCode.VEHICLE_FULL)
    return target.reason


def with_limit(lp: LoadpointDesk, reason: Reason, limit: str, *, is_paused: bool) -> Reason:
    """``reason`` with the limit that holds the current down, and when that begins anew; a pause is due to the limit alone."""
    terms = lp.site_layout.means.get(limit.removesuffix(MEAN_POWER)) if limit.endswith(MEAN_POWER) else None
    ends = None if terms is None else terms.ends(lp.utc)
    if is_paused:
        return Reason(ReasonCode.LIMITED, {"wanted": reason.code.value}, limit=limit, until_utc=ends)
    if reason.until is not None or reason.until_utc is not None:
        return replace(reason, limit=limit)
    return replace(reason, limit=limit, until_utc=ends)


def with_disagreement(reason: Reason, charger: ChargerState) -> Reason:
    """``reason`` with the read-back that contradicts; it becomes the reason itself where not happens what was wanted."""
    name = disagreeing(charger)
    if name is None:
        return reason
    params = {**reason.params, "read_back": name}
    if charger.seems_off or charger.runs_unasked:
        if reason.code is not ReasonCode.READ_BACK_DISAGREES:
            params["wanted"] = reason.code.value
        return replace(reason, code=ReasonCode.READ_BACK_DISAGREES, params=params)
    return replace(reason, params=params)
