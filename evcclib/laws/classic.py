"""The classic law: the rules of the reference, as they were meant [PV-1..PV-11, PH-6, DEF-47].

It turns one demand and the site power into one current, each loadpoint's when it is asked for it, and keeps the two timers on the
way. It decides on interval ticks and requests only; a sample that is older than the loadpoint's last command is no reason to move
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from evcclib.laws.demand import because
from evcclib.laws.law import Ask, Law, News, Outlook, Seen, SiteSeen, Sun, Target, Turn
from evcclib.laws.priorities import sun_by_turn
from evcclib.laws.without_sun import too_little, without_grid
from evcclib.machines import phases, surplus
from evcclib.machines.charger import may_switch
from evcclib.machines.hold import elapsed, first_after
from evcclib.machines.phases import AT_REST, Scaling, active_phases_max, is_settling, scale
from evcclib.machines.surplus import (
    ELAPSED,
    RESTING,
    Row,
    SunTimer,
    SurplusStep,
    Waiting,
    can_enable,
    decide,
    effective_current,
    steady,
    target_current,
)
from evcclib.machines.unmetered import measured
from evcclib.reasons import Reason, ReasonCode
from evcclib.settings import LoadpointSettings
from evcclib.units import Instant


class Memory(NamedTuple):
    """What is waited for at a loadpoint: to start or stop, and to switch phases."""

    timer: SunTimer = RESTING
    scaling: Scaling = AT_REST


class Classic(Law):
    """One loadpoint after the other, each for itself."""

    name = "classic"
    fresh = Memory()

    def decide(self, seen: SiteSeen) -> tuple[None, Ask]:
        """Nothing is worked out before it is asked for."""
        sun_for = sun_by_turn(seen)

        def ask(memory: Memory, turn: Turn) -> tuple[Target, Memory]:
            each = seen.loadpoints[turn.loadpoint]
            return _target(seen, each, memory, sun_for(turn), turn.phases_max)

        return None, ask

    def hear(self, memory: Memory, news: News) -> Memory:
        """The timers go on, rest, or have elapsed."""
        timer, scaling = memory.timer, memory.scaling
        match news:
            case News.HURRY:
                timer = surplus.elapse(timer)
            case News.ENABLE_CHANGED | News.PV_LEFT:
                timer = RESTING
            case News.SUN_LEFT:
                timer, scaling = RESTING, AT_REST
            case News.CHARGE_STOPPED:
                timer = surplus.rest(timer)
            case News.PHASES_SWITCHED:
                timer, scaling = ELAPSED, AT_REST
            case News.PHASES_BECAME:
                scaling = AT_REST
        return _remembered(memory, timer, scaling)

    def outlook(self, memory: Memory, *, settings: LoadpointSettings, is_charging: bool, idle_switches: int) -> Outlook:
        """Both timers."""
        timer, scaling = memory.timer, memory.scaling
        delays = {"enable_delay": settings.enable_delay, "disable_delay": settings.disable_delay}
        return Outlook(
            timer.action,
            surplus.due_at(timer, **delays),
            scaling.action,
            phases.due_at(scaling, **delays, is_charging=is_charging, idle_switches=idle_switches),
        )

    def next_change(self, seen: SiteSeen, memory: None, memories: Sequence[Memory]) -> Instant | None:  # noqa: ARG002
        """The least of what its timers say; the next tick while one of them still moves."""
        changes: list[Instant | None] = []
        for each, after in zip(seen.loadpoints, memories, strict=True):
            if after.scaling.is_due or (after is not each.memory and _has_moved(each.memory, after)):
                return seen.instant
            settings, charger = each.settings, each.charger
            is_idle = charger.is_enabled and not each.is_charging
            if is_idle or isinstance(after.timer, Waiting):
                changes.append(
                    surplus.next_change(
                        after.timer,
                        instant=seen.instant,
                        enable_delay=settings.enable_delay,
                        disable_delay=settings.disable_delay,
                        idle_since=charger.current_changed_at if is_idle else None,
                    )
                )
            if after.scaling.since is not None:
                changes.append(
                    phases.next_change(
                        after.scaling,
                        None,
                        instant=seen.instant,
                        switched_at=None,
                        enable_delay=settings.enable_delay,
                        disable_delay=settings.disable_delay,
                        is_charging=each.is_charging,
                        idle_switches=each.idle_switches,
                    )
                )
        return first_after(seen.instant, *changes) if changes else None


def _has_moved(before: Memory, after: Memory) -> bool:
    """Whether another delay runs than before."""
    return after.scaling.since != before.scaling.since or surplus.is_moved(before.timer, after.timer)


def _remembered(before: Memory, timer: SunTimer, scaling: Scaling) -> Memory:
    """The same object while nothing changes."""
    if timer is before.timer and scaling is before.scaling:
        return before
    return Memory(timer, scaling)


def _target(site: SiteSeen, seen: Seen, memory: Memory, sun: Sun, phases_max: int) -> tuple[Target, Memory]:
    """Decide for one loadpoint, which sees ``sun``."""
    demand = seen.demand
    if not demand.follows_sun:  # while something else decides, nothing is waited for [PH-10, STR-8, DEF-4]
        target = Target(demand.wanted_a, demand.phases, demand.is_forced, demand.reason)
        return target, _remembered(memory, surplus.rest(memory.timer), AT_REST)
    if sun.power_w is None:
        return without_grid(seen, sun.lost_at, site.instant), _remembered(memory, RESTING, AT_REST)
    if not seen.is_shown:
        charger = seen.charger
        current_a = demand.minimum_a if charger.current_a is None else max(charger.current_a, demand.minimum_a)
        return Target(current_a if charger.is_enabled else 0.0, 0, False, seen.reason, may_start=False), memory
    return _follow(site, seen, memory, sun, sun.power_w, phases_max)


def _follow(
    site: SiteSeen, seen: Seen, memory: Memory, sun: Sun, site_power_w: float, phases_max: int
) -> tuple[Target, Memory]:
    demand, settings, charger = seen.demand, seen.settings, seen.charger
    scaling = AT_REST
    if seen.is_switchable:
        scaling = _scale(site, seen, memory.scaling, site_power_w, phases_max)
        if scaling.is_due:
            target = Target(0.0, scaling.phases, True, because(ReasonCode.PHASE_SWITCH))
            return target, _remembered(memory, memory.timer, scaling)
    effective_a = effective_current(
        is_charging=seen.is_charging,
        currents_a=seen.currents_a,
        current_offered_a=_offered(seen),
    )
    is_minpv = demand.floor_a > 0
    target_a = target_current(
        effective_a=effective_a, site_power_w=site_power_w, phases=seen.active, voltage_v=site.voltage_v
    )
    step = decide(
        memory.timer,
        instant=site.instant,
        target_a=target_a,
        site_power_w=site_power_w,
        current_min_a=demand.minimum_a,
        current_max_a=demand.wanted_a,
        is_enabled=charger.is_enabled,
        is_minpv=is_minpv,
        is_buffered=(sun.is_buffered and seen.is_charging) or sun.is_buffer_start,
        is_scaling_phases=scaling.since is not None,
        enable_threshold_w=settings.enable_threshold_w,
        enable_delay=settings.enable_delay,
        disable_threshold_w=settings.disable_threshold_w,
        disable_delay=settings.disable_delay,
    )
    has_enough = seen.is_charging or can_enable(
        target_a=target_a,
        site_power_w=site_power_w,
        current_min_a=demand.minimum_a,
        enable_threshold_w=settings.enable_threshold_w,
    )
    may_start = step.row is not Row.DISABLE_WAIT and step.row is not Row.ENABLED_LOW
    if step.row is Row.FOLLOWING and not is_minpv:
        may_start = has_enough
    current_a = step.current_a
    if step.row is Row.FOLLOWING and charger.is_enabled:
        current_a = steady(
            current_a,
            offered_a=charger.current_a,
            unchanged_for=elapsed(charger.current_changed_at, site.instant),
            is_charging=seen.is_charging,
            is_exporting=site_power_w <= 0,
            current_min_a=demand.minimum_a,
            current_max_a=demand.wanted_a,
        )
    reason = _reason(site, seen, step, sun)
    return Target(current_a, 0, False, reason, may_start=may_start), _remembered(memory, step.timer, scaling)


def _offered(seen: Seen) -> float | None:
    """What the vehicle is offered, the minimum if nobody knows; None: nothing [A]."""
    charger = seen.charger
    if not charger.is_enabled:
        return None
    return seen.demand.minimum_a if charger.current_a is None else charger.current_a


def _scale(site: SiteSeen, seen: Seen, before: Scaling, site_power_w: float, phases_max: int) -> Scaling:
    """The phase timer; at rest while a switch settles, and while nobody knows what the vehicle draws [PH-6, DEF-3]."""
    demand, settings, charger = seen.demand, seen.settings, seen.charger
    settles = is_settling(charger.phases_switched_at, site.instant)
    if seen.taken is None or settles or not may_switch(charger, site.instant):
        return AT_REST
    drawn = seen.taken if charger.is_enabled or seen.is_charging else measured(0.0)  # else it is not the vehicle's
    return scale(
        before,
        instant=site.instant,
        available_least_w=drawn.least_w - site_power_w,
        available_most_w=drawn.most_w - site_power_w,
        site_power_w=site_power_w,
        voltage_v=site.voltage_v,
        active=seen.active,
        active_max=min(
            phases_max,
            active_phases_max(
                vehicle=seen.vehicle_phases,
                physical=charger.phases,
                measured=seen.measured_phases,
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
        is_charging=seen.is_charging,
        idle_switches=seen.idle_switches,
    )


def _reason(site: SiteSeen, seen: Seen, step: SurplusStep, sun: Sun) -> Reason:
    row, settings = step.row, seen.settings
    if row is Row.FOLLOWING or row is Row.ENABLED_LOW or row is Row.ENABLE_DUE:
        return because(ReasonCode.SURPLUS)
    if row is Row.KEPT_ALIVE:
        return because(ReasonCode.MINIMUM_POWER if seen.demand.floor_a > 0 else ReasonCode.BATTERY_BUFFER)
    if row is Row.DISABLE_WAIT or row is Row.ENABLE_WAIT:
        until = surplus.due_at(step.timer, enable_delay=settings.enable_delay, disable_delay=settings.disable_delay)
        is_stop = row is Row.DISABLE_WAIT
        return Reason(ReasonCode.SURPLUS_WAIT_DISABLE if is_stop else ReasonCode.SURPLUS_WAIT_ENABLE, until=until)
    return too_little(site, seen, sun)
