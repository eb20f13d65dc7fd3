"""The step: readings in, decision out; and `Site`, which holds the state for people who like objects.

    outcomes -> observe loadpoints -> site power -> [ demand -> law -> safety -> quantise -> guard ] -> commands
                                                     for each loadpoint in order, on ticks and requests;
                                                     on any other cause the limits alone act

Errors: `InvalidConfig` for a configuration that cannot be run, `InvalidSetting` and `UnknownTarget` for a request that cannot be
fulfilled (nothing has changed then), `IncompatibleState` for a state that cannot be restored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from evcclib.allowed import instance
from evcclib.commands import Command, Disable, SetCurrent, SwitchPhases
from evcclib.config import SiteConfig
from evcclib.decision import Decision, PlanPreview
from evcclib.errors import InvalidSetting, UnknownTarget, shown
from evcclib.events import Event, SettingChanged, WarningCode
from evcclib.lasting import Lasting, lasting
from evcclib.laws.classic import Sun, Target, law, with_disagreement, with_limit
from evcclib.laws.demand import Demand, because
from evcclib.ledger.savings import SavingsState
from evcclib.machines.charger import (
    ChargerState,
    Planned,
    Wish,
    forget_current,
    guard_remaining,
    issue,
    may_switch,
    plan,
    retried_at,
    unheard_retry_at,
)
from evcclib.machines.circuits import Allotment
from evcclib.machines.hold import ELAPSED, Timer
from evcclib.machines.phases import narrow, widening_wait
from evcclib.machines.rousing import is_due, seems_full, wake_commands
from evcclib.machines.safety import Clamped, clamp, lowered
from evcclib.machines.surplus import busiest
from evcclib.model import Cause, ChargeMode, ChargerStatus, Now, TariffKind
from evcclib.pipeline import booking, changes, snapshot, viewing, witness
from evcclib.pipeline.admission import admit, admit_config, admit_now, admit_state
from evcclib.pipeline.assignment import assign
from evcclib.pipeline.check_config import check
from evcclib.pipeline.circuit_loads import allotment, committed_a, drawable_a, see_voltage, take_in
from evcclib.pipeline.desk import LoadpointDesk, SiteDesk, begin, elapse
from evcclib.pipeline.goals import demand
from evcclib.pipeline.lookup import LoadpointLayout, SiteLayout
from evcclib.pipeline.observe_loadpoint import give_up_waiting, observe, take_outcome
from evcclib.pipeline.observe_site import look
from evcclib.pipeline.sharing import effect_of, flexible_for, flexible_power, is_ramping, order, outstanding
from evcclib.pipeline.state import LoadpointState, SiteState
from evcclib.pipeline.wake_at import next_wake
from evcclib.readings import Readings
from evcclib.reasons import Reason, ReasonCode
from evcclib.requests import Request
from evcclib.settings import SPECS, LoadpointSettings, SiteSettings, values_of
from evcclib.tariff import Rates
from evcclib.units import ZERO
from evcclib.view import SiteView

DECIDING = frozenset((Cause.START, Cause.INTERVAL, Cause.REQUEST, Cause.WAKE))


def initial(config: SiteConfig, *, now: Now) -> SiteState:
    """The state of a site that has never run. Raises `InvalidConfig`."""
    check(config)
    admit_now(now)
    layout = SiteLayout(config)
    state = SiteState(
        settings=SiteSettings(**values_of(config)),
        vehicle_settings={},
        loadpoints=tuple(_initial_loadpoint(each) for each in layout.loadpoints),
        savings=SavingsState(since=now.utc),
        started_at=now.instant,
        layout=layout,
    )
    site = begin(layout, state, Readings(), now)
    for lp in site.desks:
        name = lp.layout.config.vehicle
        if name is not None:
            assign(site, lp, name)  # [LP-2]
    return site.state


def step(
    config: SiteConfig, state: SiteState, readings: Readings, *, now: Now, cause: Cause
) -> tuple[SiteState, Decision]:
    """Decide. ``state`` is left as it is; the new one goes with the decision.

    ``readings.outcomes`` must hold every outcome since the last step. On START, INTERVAL, REQUEST and WAKE the law decides; on
    every other cause measurements and status are taken in, and a limit that is exceeded is enforced at once; unless a vehicle
    that was found brings a mode or goals, which is a request [SITE-4].
    """
    layout = layout_of(config, state)
    admit(layout, state, readings, now, cause)
    before = state
    site = begin(layout, before, readings, now)
    state = site.state
    decides = cause in DECIDING and not (cause is Cause.WAKE and state.tick_at == site.instant)
    if cause is Cause.START or cause is Cause.INTERVAL or state.tick_at is None:
        state.tick_at = site.instant
    for outcome in readings.outcomes:
        take_outcome(site.desks[outcome.loadpoint], outcome)
    give_up_waiting(site)
    for lp in site.desks:
        observe(site, lp)
    sun = look(site)
    witness.take_in(site)
    if layout.config.circuits or readings.operator_limit is not None:
        see_voltage(site)
    if layout.config.circuits:
        take_in(site)
    if not decides and site.events:
        decides = _is_requested(site)
    if decides:
        _decide(site, sun)
        if sun.power_w is not None:
            # a value that is only kept is no reading: what counts is when the meter was last read [SITE-18]
            read_at = min(sun.sampled_at, site.instant) if layout.config.has_grid else site.instant
            state.last_success, state.last_success_at = site.utc - (site.instant - read_at), read_at
    else:
        _enforce(site, retries=cause is not Cause.OUTCOME)
    booking.settle(site)
    wakes = next_wake(site, before, sun, decided=decides)
    state.readings = readings
    reasons = tuple([loadpoint.reason for loadpoint in state.loadpoints])
    decision = Decision(site.batches, tuple(site.events), reasons, frozenset(site.reads), *wakes)
    return state, decision


def _is_requested(site: SiteDesk) -> bool:
    """Whether the step itself has changed a setting that asks for a decision, as a vehicle that was found may do [SITE-4]."""
    return any(type(each) is SettingChanged and SPECS[each.scope, each.name].wakes_loop for each in site.events)


def apply(config: SiteConfig, state: SiteState, *requests: Request, now: Now) -> tuple[SiteState, tuple[Event, ...]]:
    """Fulfil a client's requests, all or none. Raises `InvalidSetting` or `UnknownTarget`; then nothing has changed."""
    admit_now(now)
    site = begin(layout_of(config, state), state, state.readings, now)
    for request in requests:
        changes.fulfil(site, request)
    return site.state, tuple(site.events)


def layout_of(config: SiteConfig, state: SiteState) -> SiteLayout:
    """What was looked up of ``config``, if it is the same one as in the step before; another one is checked.

    Raises `InvalidConfig`, or `IncompatibleState` for a state that does not fit.
    """
    admit_state(state)
    layout = state.layout
    if layout is None or layout.config is not config:
        admit_config(config, state)
        layout = state.layout = SiteLayout(config)
        state.readings = Readings()  # those of another site tell nothing
    return layout


def _initial_loadpoint(loadpoint: LoadpointLayout) -> LoadpointState:
    config = loadpoint.config
    phases_configured = config.phases if loadpoint.is_switchable else config.phases or 3
    settings = LoadpointSettings(phases_configured=phases_configured, **values_of(config))
    phases = 0 if loadpoint.is_switchable else settings.phases_configured
    return LoadpointState(settings=settings, charger=ChargerState(phases=phases))  # [LP-1]


def priority_of(loadpoint: LoadpointState) -> int:
    """The vehicle's priority if it has one, else the loadpoint's [DEF-20]."""
    own = loadpoint.priority_of_vehicle
    return loadpoint.settings.priority if own is None else own


def _decide(site: SiteDesk, sun: Sun) -> None:
    """Decide every loadpoint, in order [DEF-49]."""
    desks = site.desks
    priorities = [priority_of(lp.state) for lp in desks]
    demands = [demand(lp) for lp in desks]
    limits = allotment(site, lambda lp: _claims(lp, demands[lp.index]))
    turns = order(priorities)
    if limits is not None:
        limits.waive(turns)
        _grant_held(site, limits)

    def flexible_w(index: int) -> float:
        return _flexible(desks[index], demands[index])

    instant, sampled_at = site.instant, sun.sampled_at
    unseen_w = [outstanding(lp.state, sampled_at=sampled_at, instant=instant) for lp in desks]
    for index in turns:
        lp = desks[index]
        others_w = sum(unseen_w) - unseen_w[index]
        if lp.state.settings.mode is ChargeMode.PV:
            others_w -= flexible_for(index, priorities, flexible_w)
        _decide_one(lp, demands[index], sun.shifted(others_w), limits)
        unseen_w[index] = outstanding(lp.state, sampled_at=sampled_at, instant=instant)


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


def _flexible(lp: LoadpointDesk, asked: Demand) -> float:
    loadpoint = lp.state
    return flexible_power(
        mode=loadpoint.settings.mode,
        is_charging=lp.facts.is_charging,
        has_floor=asked.wanted_a > 0 and not asked.follows_sun,
        power_w=None if lp.facts.taken is None else lp.facts.taken.least_w,
        current_min_a=lp.facts.bounds.minimum_a,
        phases=lp.facts.active,
        voltage_v=lp.voltage_v,
    )


def _decide_one(lp: LoadpointDesk, asked: Demand, sun: Sun, limits: Allotment | None) -> None:
    """Law, safety, quantise, guard, for one loadpoint."""
    loadpoint = lp.state
    if _is_held(lp):
        _lower_unheard(lp, limits)
        return
    phases_max = _phases_max(lp, asked, limits)
    target = law(lp, asked, sun, phases_max=phases_max)
    charger = loadpoint.charger
    phases = 1 if phases_max == 1 and target.current_a > 0 else target.phases
    offered_a = charger.sure_a if phases in (0, charger.phases) else 0.0
    counted = _limited(lp, phases)
    clamped = _clamp(lp, target.current_a, limits, phases=counted, offered_a=offered_a)
    if clamped.current_a == 0 < target.current_a and phases:  # too much for these, too: stay on those there are
        phases = 0
        clamped = _clamp(lp, target.current_a, limits, offered_a=charger.sure_a)
    is_narrowing = phases == 1 != charger.phases  # that gives way to the limit which the contactor rests from
    rests_until = _rests_until(lp) if clamped.current_a > 0 and not is_narrowing else None
    if rests_until is not None:
        phases, clamped = 0, clamped._replace(current_a=0.0)
    is_paused = clamped.current_a == 0 < target.current_a and rests_until is None
    wish = Wish(clamped.current_a, phases, target.is_forced or is_paused, target.may_start)
    is_pausing = charger.seems_off and not target.may_start
    if is_pausing and _lowered(lp, committed_a(lp), 0.0, limits) is not None:
        wish = Wish(0.0, 0, True)  # it cannot be offered less without being started
    planned = _plan(lp, wish)
    kept_a = 0.0
    if planned.is_guarded and charger.is_enabled:
        kept_a = min(lp.facts.bounds.minimum_a, charger.current_a or lp.facts.bounds.minimum_a)
        broken = _lowered(lp, kept_a, kept_a, limits)
        if broken is not None:  # the last word is the limit's, not the guard's
            clamped, is_paused, kept_a = broken, True, 0.0
            planned = _plan(lp, wish._replace(is_forced=True))
    if is_paused and charger.is_enabled:
        loadpoint.limited_at = lp.instant
    _want(loadpoint, max(wish.current_a, kept_a))
    loadpoint.reason = _reason(lp, target, clamped, is_guarded=planned.is_guarded)
    if rests_until is not None:
        loadpoint.reason = Reason(ReasonCode.GUARD, until=rests_until)
    if planned.is_guarded or (wish.current_a > 0) is charger.is_enabled:  # else something else is wanted from now on
        loadpoint.reason = with_disagreement(loadpoint.reason, charger)
    if clamped.limit is None:
        lp.warn(WarningCode.LIMIT_EXCEEDED, False)
    commands = planned.commands
    retry_at = None
    if charger.refused_at is not None:
        kept_most_a = committed_a(lp)
        is_exceeding = kept_most_a > 0 and _lowered(lp, kept_most_a, kept_most_a, limits) is not None
        retry_at = retried_at(charger, commands, is_urgent=is_exceeding)
    is_refused = retry_at is not None and lp.instant < retry_at and bool(commands)
    if is_refused:
        commands = ()
        loadpoint.reason = Reason(ReasonCode.COMMAND_FAILED, until=retry_at)
    elif not commands:
        commands = _wake(lp)
    if commands:
        _send(
            lp,
            commands,
            clears_pv_timer=asked.follows_sun,
            elapses=asked.elapses_timers,
            is_repeated=planned.is_repeated,
        )
    elif asked.elapses_timers:
        elapse(lp)
    if limits is not None:
        is_kept = planned.is_guarded or charger.seems_off or is_refused or charger.resists_current
        granted_a = max(clamped.current_a, drawable_a(lp) if is_kept else 0.0)
        limits.grant(lp.index, granted_a, _limited(lp, phases))


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


def _plan(lp: LoadpointDesk, wish: Wish) -> Planned:
    return plan(
        lp.state.charger,
        wish,
        instant=lp.instant,
        current_min_a=lp.facts.bounds.minimum_a,
        guard_duration=lp.layout.config.guard_duration,
    )


def _want(loadpoint: LoadpointState, current_a: float) -> None:
    """Remember what has been decided, which may take a while to arrive or never do."""
    if loadpoint.charger.wanted_a != current_a:
        loadpoint.charger = replace(loadpoint.charger, wanted_a=current_a)


def _can_be_told(lp: LoadpointDesk) -> bool:
    """False while a charger is silent, or a batch has not been answered yet."""
    return lp.facts.is_usable and lp.state.charger.pending is None


def _grant_held(site: SiteDesk, limits: Allotment) -> None:
    """Before anything is divided: who cannot be told, or does not obey, keeps all it may be drawing; who has been told and has
    not answered yet is taken at its word."""
    for lp in site.desks:
        charger = lp.state.charger
        if not lp.facts.is_usable or charger.has_failed or charger.runs_unasked or charger.resists_current:
            limits.grant(lp.index, drawable_a(lp))
        elif charger.pending is not None:
            limits.grant(lp.index, charger.wanted_a or 0.0)


def _is_held(lp: LoadpointDesk) -> bool:
    """Whether a loadpoint must be left alone; the reason says why."""
    loadpoint = lp.state
    if _can_be_told(lp):
        return False
    if loadpoint.is_faulty:
        loadpoint.reason = because(ReasonCode.CHARGER_FAULT)
    elif not lp.facts.is_usable:
        loadpoint.reason = because(ReasonCode.CHARGER_SILENT)
    else:
        loadpoint.reason = because(ReasonCode.COMMAND_PENDING)
    return True


def _clamp(
    lp: LoadpointDesk, current_a: float, limits: Allotment | None, *, phases: int = 0, offered_a: float
) -> Clamped:
    """``current_a`` within all limits; ``phases`` are those it may be drawn on, 0 the present ones.

    ``offered_a`` is what surely stands on these phases, 0 nothing.
    """
    bounds = lp.facts.bounds
    return clamp(
        current_a,
        minimum_a=bounds.minimum_a,
        maximum_a=bounds.maximum_a,
        step_a=bounds.step_a,
        ceiling=None if limits is None or current_a <= 0 else limits.ceiling(lp.index, phases or lp.facts.limited),
        offered_a=offered_a,
    )


def _lowered(
    lp: LoadpointDesk, most_a: float, wanted_a: float, limits: Allotment | None, *, is_known: bool = True
) -> Clamped | None:
    """What to offer in place of up to ``most_a``, at most ``wanted_a``; None while that is within all limits.

    That a charger of which nothing is known (``is_known``) could offer more than the loadpoint's maximum does not mean it does.
    """
    bounds = lp.facts.bounds
    return lowered(
        most_a,
        min(wanted_a, bounds.maximum_a),
        minimum_a=bounds.minimum_a,
        maximum_a=bounds.maximum_a if is_known else max(most_a, bounds.maximum_a),
        step_a=bounds.step_a,
        ceiling=None if limits is None else limits.ceiling(lp.index, lp.facts.limited),
    )


def _enforce(site: SiteDesk, *, retries: bool) -> None:
    """Lower at once what is or may be above a limit; nothing is ever raised here: above what may stand, or was wanted last.

    A charger that has just refused a command is not told again before the next sample or tick (``retries``).
    """
    desks, limits = site.desks, None
    if site.layout.config.circuits or site.readings.operator_limit is not None:
        limits = allotment(site, lambda lp: lp.state.charger.may_be_enabled)
    if limits is not None:
        _grant_held(site, limits)
    for index in order([priority_of(lp.state) for lp in desks]):
        lp = desks[index]
        loadpoint = lp.state
        if not lp.facts.is_usable:
            loadpoint.reason = because(ReasonCode.CHARGER_FAULT if loadpoint.is_faulty else ReasonCode.CHARGER_SILENT)
        elif loadpoint.charger.has_failed and site.readings.outcomes:
            loadpoint.reason = because(ReasonCode.COMMAND_FAILED)
        charger = loadpoint.charger
        if not _can_be_told(lp) or (charger.has_failed and not retries):
            _lower_unheard(lp, limits)
            continue
        granted_a = committed_a(lp)
        wanted_a, is_known = _least(lp), charger.standing_a is not None
        broken = _lowered(lp, granted_a, wanted_a, limits, is_known=is_known) if granted_a > 0 else None
        if broken is not None and _lower(lp, broken) and not charger.runs_unasked:
            granted_a = broken.current_a
        if limits is not None:
            limits.grant(lp.index, drawable_a(lp) if charger.resists_current else granted_a)


def _lower_unheard(lp: LoadpointDesk, limits: Allotment | None) -> None:
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
    broken = _lowered(lp, most_a, wanted_a, limits, is_known=is_known) if most_a > 0 else None
    if broken is None or not _lower(lp, broken):
        return
    loadpoint.charger = replace(loadpoint.charger, unheard_at=lp.instant, unheard_tries=charger.unheard_tries + 1)
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
        commands = _plan(lp, Wish(0.0, 0, True)).commands
    _want(loadpoint, broken.current_a)
    retry_at = retried_at(charger, commands, is_urgent=True)
    if retry_at is not None and lp.instant < retry_at:
        return False
    limit = broken.limit or "loadpoint"
    loadpoint.reason = with_limit(loadpoint.reason, limit, is_paused=is_paused)
    if is_paused:
        loadpoint.limited_at = lp.instant
    lp.warn(WarningCode.LIMIT_EXCEEDED, True, limit=limit)
    if commands:
        is_repeated = charger.runs_unasked
        _send(lp, commands, clears_pv_timer=True, elapses=False, is_repeated=is_repeated)
    return True


def _send(
    lp: LoadpointDesk,
    commands: tuple[Command, ...],
    *,
    clears_pv_timer: bool,
    elapses: bool,
    is_repeated: bool,
) -> None:
    """Put commands in flight and note what they will change."""
    loadpoint = lp.state
    charger = loadpoint.charger
    starts_guard = True
    if elapses:
        starts_guard = loadpoint.pv_timer == ELAPSED  # [PVT-3]
        elapse(lp)
        charger = loadpoint.charger
    switches = any(type(command) is SwitchPhases for command in commands)
    if switches:
        starts_guard = False  # [DEF-2]
    loadpoint.effect = effect_of(
        commands,
        is_enabled=charger.is_enabled and not charger.seems_off,
        is_charging=lp.facts.is_charging,
        is_ramping=is_ramping(loadpoint, lp.instant),
        current_a=charger.current_a,
        drawn=lp.facts.taken,
        drawn_a=None if lp.facts.currents_a is None else busiest(lp.facts.currents_a),
        phases=lp.facts.active,
        voltage_v=lp.voltage_v,
    )
    loadpoint.effect_at = lp.instant
    loadpoint.charger, lp.batches[lp.index] = issue(
        charger,
        commands,
        instant=lp.instant,
        starts_guard=starts_guard,
        clears_pv_timer=clears_pv_timer,
        is_repeated=is_repeated,
    )


def _wake(lp: LoadpointDesk) -> tuple[Command, ...]:
    """Wake a vehicle that does not take what it is offered [WAKE-2]."""
    loadpoint = lp.state
    charger = loadpoint.charger
    if charger.seems_off or lp.facts.is_charging:
        return ()  # there is nothing to wake, whatever the status says
    if not is_due(
        charger.wake_timer,
        lp.instant,
        is_enabled=charger.is_enabled,
        is_waiting=loadpoint.status is ChargerStatus.B,
        soc_pct=loadpoint.soc.soc_pct,
        soc_target_pct=loadpoint.settings.soc_target_pct,
    ):
        return ()
    loadpoint.charger = replace(charger, wake_timer=None)
    vehicle = lp.vehicle
    commands = wake_commands(
        charger_has_wakeup=lp.layout.charger.has_wakeup,
        vehicle=loadpoint.vehicle,
        vehicle_has_wakeup=vehicle is not None and vehicle.config.has_wakeup,
    )
    if commands:
        lp.warn(WarningCode.VEHICLE_ASLEEP, True)
    return commands


def _reason(lp: LoadpointDesk, target: Target, clamped: Clamped, *, is_guarded: bool) -> Reason:
    """Why the loadpoint does what it will do now."""
    loadpoint = lp.state
    charger = loadpoint.charger
    if is_guarded and charger.guard is not None:
        return Reason(ReasonCode.GUARD, until=charger.guard + lp.layout.config.guard_duration)
    if clamped.limit is not None and (clamped.current_a < target.current_a or clamped.current_a == 0):
        return with_limit(target.reason, clamped.limit, is_paused=clamped.current_a == 0)
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


@dataclass(frozen=True, slots=True)
class Prepared:
    """Requests that have been checked and could be fulfilled: what would happen, while nothing has. See `Site.prepare`."""

    before: SiteState
    after: SiteState
    events: tuple[Event, ...]

    @property
    def lasting(self) -> Lasting:
        """What would have to outlive a restart."""
        return lasting(self.after)

    def export(self, *, now: Now) -> dict[str, object]:
        """The state that there would be, as `Site.export` gives it."""
        return snapshot.exported(self.after, now=now)


_PREPARED = instance(Prepared, "what Site.prepare returns")


class Site:
    """A site with its state, that after the last step or request. Not to be shared between threads.

    Whoever must write a request down before anybody sees it takes two steps::

        prepared = site.prepare(request, now=now)       # checked; nothing has changed
        while prepared.lasting != on_disk:
            on_disk = write(prepared.lasting)           # the site may go on stepping meanwhile:
            prepared = site.prepare(request, now=now)   # what was checked may come out otherwise, or not fit any more
        site.take(prepared)
    """

    def __init__(self, config: SiteConfig, *, now: Now) -> None:
        """Raises `InvalidConfig`."""
        self.config = config
        self.state = initial(config, now=now)

    @classmethod
    def restore(cls, config: SiteConfig, exported: dict[str, object], *, now: Now) -> Site:
        """A site that goes on where `export` left off, on another clock. Raises `IncompatibleState`, `InvalidConfig`."""
        site = cls(config, now=now)
        site.state = snapshot.restored(exported, site.state, now=now)
        return site

    def step(self, readings: Readings, *, now: Now, cause: Cause) -> Decision:
        """Decide; see `step`."""
        self.state, decision = step(self.config, self.state, readings, now=now, cause=cause)
        return decision

    def submit(self, *requests: Request, now: Now) -> tuple[Event, ...]:
        """Fulfil requests, all or none. Raises `InvalidSetting` or `UnknownTarget`; then nothing has changed."""
        prepared = self.prepare(*requests, now=now)
        self.take(prepared)
        return prepared.events

    def prepare(self, *requests: Request, now: Now) -> Prepared:
        """What `submit` would do now; nothing changes. Raises `InvalidSetting` or `UnknownTarget`."""
        before = self.state
        return Prepared(before, *apply(self.config, before, *requests, now=now))

    def take(self, prepared: Prepared) -> None:
        """Let happen what was prepared. Raises ValueError if the site has gone on since, `InvalidSetting` if it is nothing
        prepared."""
        _PREPARED.check("prepared", prepared, InvalidSetting)
        if self.state is not prepared.before:
            raise ValueError("the site has gone on since this was prepared; prepare it again")
        self.state = prepared.after

    @property
    def lasting(self) -> Lasting:
        """What must outlive a restart before anybody may see it."""
        return lasting(self.state)

    def view(self, *, now: Now) -> SiteView:
        """The site as it is at ``now``."""
        return viewing.site_view(self._desk(now))

    def plan(self, loadpoint: int, *, now: Now, target_time: datetime | None = None) -> PlanPreview:
        """The plan for ``target_time``, or for the stored one [PLAN-17]; nothing changes.

        Raises `UnknownTarget` or `InvalidSetting`.
        """
        admit_now(now)
        changes.known_loadpoint(loadpoint, len(self.state.loadpoints))
        if target_time is not None:
            changes.check_target(target_time)
        return viewing.plan_preview(self._desk(now).desks[loadpoint], target_time)

    def rates(self, kind: TariffKind) -> Rates | None:
        """The price list last seen, the planner's falling back to the grid's [TAR-10]. Raises `UnknownTarget`."""
        if not isinstance(kind, TariffKind):
            raise UnknownTarget(f"no tariff {shown(kind)}")
        tariffs = self.state.readings.tariffs
        return tariffs.get(kind) or (tariffs.get(TariffKind.GRID) if kind is TariffKind.PLANNER else None)

    def export(self, *, now: Now) -> dict[str, object]:
        """Everything that must survive a restart, as plain data fit for JSON."""
        admit_now(now)
        return snapshot.exported(self.state, now=now)

    def forget_offers(self) -> None:
        """Tell every station again what it is to offer: nobody has looked after them meanwhile, and they may offer anything."""
        self.state = state = self.state.copy()
        for loadpoint in state.loadpoints:
            loadpoint.charger = forget_current(loadpoint.charger)

    def _desk(self, now: Now) -> SiteDesk:
        admit_now(now)
        return begin(layout_of(self.config, self.state), self.state, self.state.readings, now)
