"""The classic law: the rules of the reference, as they were meant [PV-1..PV-11, PH-6, DEF-47].

It turns one demand and the site power into one current, and keeps the two timers on the way. It decides on interval ticks and
requests only; a sample that is older than the loadpoint's last command is no reason to move again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from evcclib.laws.demand import Demand, because
from evcclib.machines.charger import ChargerState, may_switch
from evcclib.machines.hold import ELAPSED, elapsed
from evcclib.machines.phases import AT_REST, active_phases_max, is_settling, scale
from evcclib.machines.surplus import Row, SurplusStep, can_enable, decide, effective_current, steady, target_current
from evcclib.machines.unmetered import measured
from evcclib.model import PvAction
from evcclib.pipeline.desk import LoadpointDesk
from evcclib.pipeline.goals import is_climating
from evcclib.pipeline.observe_loadpoint import disagreeing
from evcclib.pipeline.sharing import is_shown
from evcclib.pipeline.state import LoadpointState
from evcclib.reasons import Reason, ReasonCode
from evcclib.units import Instant


class Sun(NamedTuple):
    """The site power as one loadpoint sees it [W]; None: the grid meter is silent, and counts as lost at ``lost_at``."""

    power_w: float | None
    sampled_at: Instant
    lost_at: Instant
    is_buffered: bool
    is_buffer_start: bool
    has_battery_priority: bool

    def shifted(self, power_w: float) -> Sun:
        """The sun with so much more site power."""
        if self.power_w is None or power_w == 0.0:
            return self
        return self._replace(power_w=self.power_w + power_w)


class Target(NamedTuple):
    """What the law wants of a loadpoint: a current [A], 0 = stop, before any limit; ``phases`` 0: as they are.

    ``may_start``: it would be started for it, too; a current that is only kept until a delay is over is no reason for that.
    """

    current_a: float
    phases: int
    is_forced: bool
    reason: Reason
    may_start: bool = True


def law(lp: LoadpointDesk, demand: Demand, sun: Sun, *, phases_max: int) -> Target:
    """Decide for one loadpoint; limits leave room for ``phases_max`` phases [PH-7]."""
    loadpoint = lp.state
    if not demand.follows_sun:
        _rest(loadpoint)
        return Target(demand.wanted_a, demand.phases, demand.is_forced, demand.reason)
    if sun.power_w is None:
        target = _without_grid(lp, demand, sun.lost_at)
    elif not is_shown(loadpoint, sun.sampled_at):
        charger = loadpoint.charger
        current_a = demand.minimum_a if charger.current_a is None else max(charger.current_a, demand.minimum_a)
        return Target(current_a if charger.is_enabled else 0.0, 0, False, loadpoint.reason, may_start=False)
    else:
        target = _follow(lp, demand, sun, sun.power_w, phases_max)
    if target.current_a == 0 and not target.phases and is_climating(lp):
        return Target(demand.minimum_a, 0, True, because(ReasonCode.CLIMATE))  # [STR-9]
    return target


def _rest(loadpoint: LoadpointState) -> None:
    """While something else than the sun decides, nothing is waited for; what has elapsed stays so [PH-10, STR-8, DEF-4]."""
    loadpoint.scaling = AT_REST
    if loadpoint.pv_timer is not None and loadpoint.pv_timer != ELAPSED:
        loadpoint.pv_timer = None
        loadpoint.pv_action = PvAction.INACTIVE


def _without_grid(lp: LoadpointDesk, demand: Demand, lost_at: Instant) -> Target:
    """The minimum for a while, then a pause; a guaranteed minimum needs no meter [DEF-47]."""
    loadpoint = lp.state
    loadpoint.pv_timer = None
    loadpoint.pv_action = PvAction.INACTIVE
    loadpoint.scaling = AT_REST
    is_lost = lp.instant >= lost_at
    reason = because(ReasonCode.GRID_LOST) if is_lost else Reason(ReasonCode.GRID_STALE, until=lost_at)
    if demand.floor_a > 0:
        return Target(demand.floor_a, 0, False, because(ReasonCode.GRID_STALE))
    if loadpoint.charger.is_enabled and not is_lost:
        return Target(demand.minimum_a, 0, False, reason, may_start=False)
    return Target(0.0, 0, is_lost, reason)


def _follow(lp: LoadpointDesk, demand: Demand, sun: Sun, site_power_w: float, phases_max: int) -> Target:
    loadpoint, facts = lp.state, lp.facts
    settings = loadpoint.settings
    charger = loadpoint.charger
    voltage_v = lp.voltage_v
    if lp.layout.is_switchable:
        _scale(lp, demand, site_power_w, phases_max)
        if loadpoint.scaling.is_due:
            return Target(0.0, loadpoint.scaling.phases, True, because(ReasonCode.PHASE_SWITCH))
    effective_a = effective_current(
        is_charging=facts.is_charging,
        currents_a=facts.currents_a,
        current_offered_a=_offered(charger, demand),
    )
    is_minpv = demand.floor_a > 0
    target_a = target_current(
        effective_a=effective_a, site_power_w=site_power_w, phases=facts.active, voltage_v=voltage_v
    )
    step = decide(
        loadpoint.pv_timer,
        instant=lp.instant,
        target_a=target_a,
        site_power_w=site_power_w,
        current_min_a=demand.minimum_a,
        current_max_a=demand.wanted_a,
        is_enabled=charger.is_enabled,
        is_minpv=is_minpv,
        is_buffered=(sun.is_buffered and facts.is_charging) or sun.is_buffer_start,
        is_scaling_phases=loadpoint.scaling.since is not None,
        enable_threshold_w=settings.enable_threshold_w,
        enable_delay=settings.enable_delay,
        disable_threshold_w=settings.disable_threshold_w,
        disable_delay=settings.disable_delay,
    )
    loadpoint.pv_timer = step.timer
    loadpoint.pv_action = step.action
    has_enough = facts.is_charging or can_enable(
        target_a=target_a,
        site_power_w=site_power_w,
        current_min_a=demand.minimum_a,
        enable_threshold_w=settings.enable_threshold_w,
    )
    may_start = step.row is not Row.DISABLE_WAIT and step.row is not Row.ENABLED_LOW
    if step.row is Row.FOLLOWING and not is_minpv:
        may_start = has_enough
    reason = _reason(lp, step, sun, is_minpv=is_minpv)
    current_a = step.current_a
    if step.row is Row.FOLLOWING and charger.is_enabled:
        current_a = steady(
            current_a,
            offered_a=charger.current_a,
            unchanged_for=elapsed(charger.current_changed_at, lp.instant),
            is_charging=facts.is_charging,
            is_exporting=site_power_w <= 0,
            current_min_a=demand.minimum_a,
            current_max_a=demand.wanted_a,
        )
    return Target(current_a, 0, False, reason, may_start=may_start)


def _offered(charger: ChargerState, demand: Demand) -> float | None:
    """What the vehicle is offered, the minimum if nobody knows; None: nothing [A]."""
    if not charger.is_enabled:
        return None
    return demand.minimum_a if charger.current_a is None else charger.current_a


def _scale(lp: LoadpointDesk, demand: Demand, site_power_w: float, phases_max: int) -> None:
    """Move the phase timer; at rest while a switch settles, and while nobody knows what the vehicle draws [PH-6, DEF-3]."""
    loadpoint, facts = lp.state, lp.facts
    charger = loadpoint.charger
    settles = is_settling(charger.phases_switched_at, lp.instant)
    if facts.taken is None or settles or not may_switch(charger, lp.instant):
        loadpoint.scaling = AT_REST
        return
    settings = loadpoint.settings
    drawn = facts.taken if charger.is_enabled or facts.is_charging else measured(0.0)  # else it is not the vehicle's
    loadpoint.scaling = scale(
        loadpoint.scaling,
        instant=lp.instant,
        available_least_w=drawn.least_w - site_power_w,
        available_most_w=drawn.most_w - site_power_w,
        site_power_w=site_power_w,
        voltage_v=lp.voltage_v,
        active=facts.active,
        active_max=min(
            phases_max,
            active_phases_max(
                vehicle=lp.vehicle_phases,
                physical=charger.phases,
                measured=loadpoint.measured_phases,
                configured=settings.phases_configured,
                is_switchable=True,
            ),
        ),
        physical=charger.phases,
        configured=settings.phases_configured,
        current_min_a=demand.minimum_a,
        current_max_a=demand.wanted_a,
        enable_delay=settings.enable_delay,
        disable_delay=settings.disable_delay,
        is_enabled=charger.is_enabled,
        is_charging=facts.is_charging,
        idle_switches=loadpoint.idle_switches,
    )


def _reason(lp: LoadpointDesk, step: SurplusStep, sun: Sun, *, is_minpv: bool) -> Reason:
    row = step.row
    if row is Row.FOLLOWING or row is Row.ENABLED_LOW or row is Row.ENABLE_DUE:
        return because(ReasonCode.SURPLUS)
    if row is Row.KEPT_ALIVE:
        return because(ReasonCode.MINIMUM_POWER if is_minpv else ReasonCode.BATTERY_BUFFER)
    loadpoint = lp.state
    settings = loadpoint.settings
    if row is Row.DISABLE_WAIT:
        assert step.timer is not None
        return Reason(ReasonCode.SURPLUS_WAIT_DISABLE, until=step.timer + settings.disable_delay)
    if row is Row.ENABLE_WAIT:
        assert step.timer is not None
        return Reason(ReasonCode.SURPLUS_WAIT_ENABLE, until=step.timer + settings.enable_delay)
    plan_start = loadpoint.plan.projected_start
    if plan_start is not None and plan_start > lp.utc:
        return Reason(ReasonCode.PLAN_WAITING, until_utc=plan_start)
    if sun.has_battery_priority:
        return because(ReasonCode.BATTERY_PRIORITY)
    return because(ReasonCode.SURPLUS_MISSING)


def with_limit(reason: Reason, limit: str | None, *, is_paused: bool) -> Reason:
    """``reason`` with the limit that holds the current down; a pause is due to the limit alone."""
    if limit is None:
        return reason
    if is_paused:
        return Reason(ReasonCode.LIMITED, {"wanted": reason.code.value}, limit=limit)
    return replace(reason, limit=limit)


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
