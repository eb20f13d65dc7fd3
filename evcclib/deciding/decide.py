"""Every loadpoint's demand, the law, and what becomes of its targets, one after the other [DEF-49].

    demands -> the law sees the site -> [ its target -> safety -> quantise -> guard -> commands ] for each in turn

Each turn sees the sun after what those before it have been told, so that no surplus is given out twice.
"""

from __future__ import annotations

from evcclib.commands import Command
from evcclib.deciding.bounding import can_be_told, clamped, grant_held, leave_alone, lowered_to
from evcclib.deciding.enforce import lower_unheard
from evcclib.deciding.explain import reason_of, with_disagreement
from evcclib.deciding.power_plans import plan_ahead
from evcclib.deciding.probing import uncovered
from evcclib.deciding.sending import planned, send, wake_up, want
from evcclib.events import WarningCode
from evcclib.laws.demand import Demand, because
from evcclib.laws.law import Ask, Seen, SiteSeen, Sun, Target, Turn
from evcclib.machines.charger import Planned, Wish, guard_remaining, may_switch, retried_at
from evcclib.machines.hold import Timer
from evcclib.machines.limits.circuits import Allotment
from evcclib.machines.limits.safety import Clamped
from evcclib.machines.phases import narrow, widening_wait
from evcclib.pipeline.assignment import end_plans
from evcclib.pipeline.circuit_loads import allotment, committed_a, drawable_a
from evcclib.pipeline.desk import LoadpointDesk, SiteDesk, elapse
from evcclib.pipeline.goals import demand, is_climating
from evcclib.pipeline.sharing import is_ramping, is_shown, order, outstanding, priority_of
from evcclib.reasons import Reason, ReasonCode
from evcclib.units import ZERO

_BESIDE_A_PLAN = (ReasonCode.SURPLUS, ReasonCode.MINIMUM_POWER)
"""What a law says of a floor: the plan is why there is one."""


def decide(site: SiteDesk, sun: Sun) -> SiteSeen:
    """Decide every loadpoint, in order; returns what the law has seen."""
    desks, instant = site.desks, site.instant
    end_plans(site)
    if site.layout.plans_power:
        plan_ahead(site)
    demands = [demand(lp) for lp in desks]
    limits = allotment(site, lambda lp: _claims(lp, demands[lp.index]))
    loadpoints = [_seen(lp, asked, sun) for lp, asked in zip(desks, demands, strict=True)]
    sun = uncovered(site, loadpoints, sun)
    turns = order([each.priority for each in loadpoints])
    if limits is not None:
        limits.waive(turns)
        grant_held(site, limits)
    sharing = site.layout.config.sharing
    seen = SiteSeen(instant, site.utc, site.layout.voltage_v, sun, limits, loadpoints, site.state.memory, sharing)
    site.state.memory, ask = site.layout.law.decide(seen)
    unseen_w = [each.unseen_w for each in loadpoints]
    all_w = sum(unseen_w)
    for index in turns:
        _decide_one(desks[index], loadpoints[index], ask, sun.shifted(all_w - unseen_w[index]), limits)
        own_w = outstanding(desks[index].state, sampled_at=sun.sampled_at, instant=instant)
        if own_w != unseen_w[index]:
            unseen_w[index] = own_w
            all_w = sum(unseen_w)
    return seen


def _seen(lp: LoadpointDesk, asked: Demand, sun: Sun) -> Seen:
    state, facts = lp.state, lp.facts
    shown = is_shown(state, sun.sampled_at)
    return Seen(
        asked,
        state.settings,
        priority_of(state),
        state.charger,
        *facts.bounds,
        lp.layout.is_switchable,
        can_be_told(lp),
        facts.is_charging,
        facts.taken,
        facts.currents_a,
        facts.active,
        lp.vehicle_phases,
        state.measured_phases,
        state.idle_switches,
        state.plan.projected_start,
        shown,
        0.0 if shown and not is_ramping(state, lp.instant) else state.effect.most_w,
        lp.layout.config.guard_duration,
        state.reason,
        state.memory,
    )


def _claims(lp: LoadpointDesk, asked: Demand) -> bool:
    """Whether a loadpoint counts on its minimum current when a limit is divided."""
    is_enabled = lp.state.charger.is_enabled
    return asked.wanted_a > 0 and (asked.floor_a > 0 or is_enabled) and _rests_until(lp) is None


def _rests_until(lp: LoadpointDesk) -> Timer:
    """Until when a loadpoint rests that a limit has stopped: a house that swings around it must not wear the contactor out.

    Stops by a limit wait for nothing, so it is the start after one that the guard holds back, in every mode.
    """
    loadpoint = lp.state
    guard_duration = lp.layout.config.guard_duration
    if loadpoint.limited_at is None or loadpoint.charger.is_enabled:
        return None
    is_over = guard_remaining(loadpoint.limited_at, guard_duration, lp.instant) == ZERO
    return None if is_over else loadpoint.limited_at + guard_duration


def _decide_one(lp: LoadpointDesk, seen: Seen, ask: Ask, sun: Sun, limits: Allotment | None) -> None:
    """Law, safety, quantise, guard, for one loadpoint."""
    if not seen.is_told:
        leave_alone(lp)
        lower_unheard(lp, limits)
        return
    loadpoint, charger, asked = lp.state, seen.charger, seen.demand
    phases_max = _phases_max(lp, asked, limits)
    target, loadpoint.memory = ask(loadpoint.memory, Turn(lp.index, sun, phases_max))
    if asked.reason.code is ReasonCode.PLAN_ACTIVE and target.reason.code in _BESIDE_A_PLAN:
        target = target._replace(reason=asked.reason)
    is_stop = target.current_a == 0 and not target.phases and target.may_start
    if is_stop and asked.follows_sun and is_climating(lp):
        target = Target(asked.minimum_a, 0, True, because(ReasonCode.CLIMATE))  # [STR-9]
    within, phases, rests_until = _within(lp, target, phases_max, limits)
    is_paused = within.current_a == 0 < target.current_a and rests_until is None
    wish = Wish(within.current_a, phases, target.is_forced or is_paused, target.may_start)
    is_pausing = charger.seems_off and not target.may_start
    if is_pausing and lowered_to(lp, committed_a(lp), 0.0, limits) is not None:
        wish = Wish(0.0, 0, True)  # it cannot be offered less without being started
    plan = planned(lp, wish)
    kept_a = 0.0
    if plan.is_guarded and charger.is_enabled:
        kept_a = min(lp.facts.bounds.minimum_a, charger.current_a or lp.facts.bounds.minimum_a)
        broken = lowered_to(lp, kept_a, kept_a, limits)
        if broken is not None:  # the last word is the limit's, not the guard's
            within, is_paused, kept_a = broken, True, 0.0
            plan = planned(lp, wish._replace(is_forced=True))
    if is_paused and charger.is_enabled:
        loadpoint.limited_at = lp.instant
    want(loadpoint, max(wish.current_a, kept_a))
    loadpoint.reason = reason_of(lp, target, within, is_guarded=plan.is_guarded)
    if rests_until is not None:
        loadpoint.reason = Reason(ReasonCode.GUARD, until=rests_until)
    if plan.is_guarded or (wish.current_a > 0) is charger.is_enabled:  # else something else is wanted from now on
        loadpoint.reason = with_disagreement(loadpoint.reason, charger)
    if within.limit is None:
        lp.warn(WarningCode.LIMIT_EXCEEDED, False)
    is_refused = _carry_out(lp, asked, plan, limits)
    if limits is not None:
        is_kept = plan.is_guarded or charger.seems_off or is_refused or charger.resists_current
        granted_a = max(within.current_a, drawable_a(lp) if is_kept else 0.0)
        limits.grant(lp.index, granted_a, _limited(lp, phases))


def _within(lp: LoadpointDesk, target: Target, phases_max: int, limits: Allotment | None) -> tuple[Clamped, int, Timer]:
    """``target`` within all limits, in the charger's steps; the phases to offer it on, 0: as they are; until when the contactor
    rests instead."""
    phases = 1 if phases_max == 1 and target.current_a > 0 else target.phases
    charger = lp.state.charger
    offered_a = charger.sure_a if phases in (0, charger.phases) else 0.0
    within = clamped(lp, target.current_a, limits, phases=_limited(lp, phases), offered_a=offered_a)
    if within.current_a == 0 < target.current_a and phases:  # too much for these, too: stay on those there are
        phases = 0
        within = clamped(lp, target.current_a, limits, offered_a=charger.sure_a)
    is_narrowing = phases == 1 != charger.phases  # that gives way to the limit which the contactor rests from
    rests_until = _rests_until(lp) if within.current_a > 0 and not is_narrowing else None
    if rests_until is not None:
        phases, within = 0, within._replace(current_a=0.0)
    return within, phases, rests_until


def _carry_out(lp: LoadpointDesk, asked: Demand, plan: Planned, limits: Allotment | None) -> bool:
    """Send what is planned; True: it has just been refused, and is said again a little later."""
    commands: tuple[Command, ...] = plan.commands
    charger, retry_at = lp.state.charger, None
    if charger.refused_at is not None:
        kept_most_a = committed_a(lp)
        is_exceeding = kept_most_a > 0 and lowered_to(lp, kept_most_a, kept_most_a, limits) is not None
        retry_at = retried_at(charger, commands, is_urgent=is_exceeding)
    is_refused = retry_at is not None and lp.instant < retry_at and bool(commands)
    if is_refused:
        commands = ()
        lp.state.reason = Reason(ReasonCode.COMMAND_FAILED, until=retry_at)
    elif not commands:
        commands = wake_up(lp)
    if commands:
        send(
            lp,
            commands,
            clears_pv_timer=asked.follows_sun,
            elapses=asked.elapses_timers,
            is_repeated=plan.is_repeated,
        )
    elif asked.elapses_timers:
        elapse(lp)
    return is_refused


def _phases_max(lp: LoadpointDesk, asked: Demand, limits: Allotment | None) -> int:
    """How many phases the limits leave room for: 1 while the minimum does not fit on all, else 3 [PH-7].

    Who has been stopped on all of them need not rest to go on with one.
    """
    loadpoint = lp.state
    settings, charger = loadpoint.settings, loadpoint.charger
    if not lp.layout.is_switchable or settings.phases_configured or not may_switch(charger, lp.instant):
        loadpoint.narrowed = None
    elif asked.wanted_a > 0:
        phases = 3 if charger.phases == 1 else lp.facts.limited
        ceiling = None if limits is None else limits.ceiling(lp.index, phases)
        has_room = ceiling is None or ceiling.current_a >= lp.facts.bounds.minimum_a
        rests = charger.phases != 1 and _rests_until(lp) is not None
        loadpoint.narrowed = narrow(
            loadpoint.narrowed,
            None if has_room or ceiling is None else ceiling.limit,
            instant=lp.instant,
            fits=has_room and not rests,
            physical=charger.phases,
            wait=widening_wait(settings.enable_delay, settings.disable_delay),
        )
        return 3 if loadpoint.narrowed is None else 1
    return 3


def _limited(lp: LoadpointDesk, phases: int) -> int:
    """The phases that limits count on once ``phases`` are connected, 0: as now. Nobody knows how many of others it will use."""
    return lp.facts.limited if phases in (0, lp.state.charger.phases) else phases
