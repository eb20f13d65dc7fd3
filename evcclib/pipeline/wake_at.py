"""When to come back: the earliest time at which a decision could differ while readings stay as they are [SITE-24].

Whatever waits for anything says itself when that is over, in a ``next_change`` beside its step; the least of these counts. The
law decides on the grid of interval ticks, so the answer is a tick; the next one while anything still moves.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from evcclib.laws import demand
from evcclib.laws.law import SiteSeen, Sun
from evcclib.ledger import savings
from evcclib.machines import asking, battery, charger, phases, rousing, soc, unmetered
from evcclib.machines.hold import first_after
from evcclib.model import ChargeMode
from evcclib.pipeline import circuit_loads, observe_site, sharing
from evcclib.pipeline.desk import NOTHING_SET, LoadpointDesk, SiteDesk
from evcclib.pipeline.goals import due_of
from evcclib.pipeline.state import LoadpointState, SiteState
from evcclib.planning import plan_follow, power_follow
from evcclib.readings import Measured
from evcclib.units import TICK, Instant


class Wakes(NamedTuple):
    """The tick at which to come back if samples stay as they are, and if new ones are taken at every interval; None: never."""

    as_they_age: Instant | None
    renewed: Instant | None


def next_wake(site: SiteDesk, before: SiteState, sun: Sun, seen: SiteSeen | None) -> Wakes:
    """The tick at which to come back; the very next one while anything still moves. ``seen`` None: no law has decided."""
    instant, state = site.instant, site.state
    anchor = instant if state.tick_at is None else state.tick_at
    interval = site.layout.interval
    next_tick = anchor + ((instant - anchor) // interval + 1) * interval
    if (
        seen is None
        or site.batches
        or site.battery_commands
        or site.events
        or site.reads
        or site.layout.means
        or any(map(_moves, before.loadpoints, site.desks))
    ):
        return Wakes(next_tick, next_tick)
    memories = [loadpoint.memory for loadpoint in state.loadpoints]
    law_at = site.layout.law.next_change(seen, state.memory, memories)
    batteries_at = _battery_changes(site)
    is_probing = site.layout.config.has_zero_feed_in and any(each.demand.follows_sun for each in seen.loadpoints)
    if is_probing or instant in (law_at, *batteries_at):
        return Wakes(next_tick, next_tick)
    renewed = first_after(
        instant,
        law_at,
        savings.next_change(state.savings, instant),
        circuit_loads.next_change(site),
        *[_instant_of(site, rates.next_change(site.utc)) for rates in site.readings.tariffs.values()],
        *[_next_change(lp) for lp in site.desks],
        *batteries_at,
        *_plans_end(site),
    )
    soonest = first_after(instant, renewed, observe_site.next_change(site, sun))

    def tick(at: Instant | None) -> Instant | None:
        return None if at is None else max(next_tick, anchor - (anchor - at) // interval * interval)

    return Wakes(tick(soonest), tick(renewed))


def _plans_end(site: SiteDesk) -> list[Instant | None]:
    """When plans of vehicles are over, wherever these are."""
    plans = [own.plan for own in site.state.vehicle_settings.values() if own.plan is not None]
    return [_instant_of(site, plan.time + TICK) for plan in plans]


def _battery_changes(site: SiteDesk) -> list[Instant | None]:
    controls, expiry = site.state.battery_controls, battery.expiry_of(site.layout.interval)
    override = site.state.battery_override
    ends_at = None if override is None else override.until
    return [ends_at] + [
        battery.next_change(controls[index], expiry=expiry, instant=site.instant) for index in site.layout.commanded
    ]


def _moves(before: LoadpointState, lp: LoadpointDesk) -> bool:
    """Whether the next tick could find something else than this one did, without any delay being over."""
    after = lp.state
    return (
        after.charger.pending is not None
        or after.charger.has_failed
        or after.charger is not before.charger
        or after.plan is not before.plan
        or after.due != before.due
        or after.power_plan is not before.power_plan
        or after.poll is not before.poll
        or after.climate_poll is not before.climate_poll
        or after.status is not before.status
        or after.settings is not before.settings
        or after.measured_phases != before.measured_phases
        or after.proven_phases != before.proven_phases
        or after.doubts != before.doubts
        or after.watch != before.watch
        or after.detection.started_at is not None
        or (lp.facts.is_charging and _watches_energy(after))
    )


def _watches_energy(loadpoint: LoadpointState) -> bool:
    """Whether charged energy decides about anything."""
    settings = loadpoint.settings
    return (
        loadpoint.vehicle is not None
        or loadpoint.soc.soc_pct is not None
        or settings.energy_target_kwh > 0
        or settings.target_time is not None
    )


def _next_change(lp: LoadpointDesk) -> Instant | None:
    """The least of what the machines of a loadpoint say."""
    instant, state, settings, config = lp.instant, lp.state, lp.state.settings, lp.layout.config
    is_charging, charger_state = lp.facts.is_charging, state.charger
    is_idle = charger_state.is_enabled and not is_charging
    return first_after(
        instant,
        charger.next_change(
            charger_state,
            lp.facts.report,
            instant=instant,
            guard_duration=config.guard_duration,
            limited_at=state.limited_at,
        ),
        phases.next_change(
            phases.AT_REST,
            state.narrowed,
            instant=instant,
            switched_at=charger_state.phases_switched_at,
            enable_delay=settings.enable_delay,
            disable_delay=settings.disable_delay,
            is_charging=is_charging,
            idle_switches=state.idle_switches,
        ),
        rousing.next_change(
            charger_state.wake_timer, instant=instant, idle_since=charger_state.enable_changed_at if is_idle else None
        ),
        sharing.next_change(state, instant),
        unmetered.next_change(state.watch, instant),
        soc.next_change(state.soc, instant),
        demand.next_change(state.vehicle_since, instant=instant, grace=config.unknown_soc_grace),
        _next_question(lp),
        _next_plan(lp),
    )


def _next_question(lp: LoadpointDesk) -> Instant | None:
    """When the vehicle may be asked again, or an answer is not current any more."""
    instant, state, config = lp.instant, lp.state, lp.layout.config.poll
    if state.vehicle is None:
        return None
    climate = lp.vehicle_reading.is_climating
    answered_at = climate.sampled_at if isinstance(climate, Measured) else None
    return first_after(
        instant,
        asking.next_change(state.poll, instant=instant, config=config),
        asking.next_change(state.climate_poll, instant=instant, config=config, answered_at=answered_at),
    )


def _next_plan(lp: LoadpointDesk) -> Instant | None:
    """When a plan that somebody follows could begin, or comes close, or the next one is due."""
    if not lp.facts.is_connected or lp.settings.mode is ChargeMode.OFF:
        return None
    due = due_of(lp)
    if due is None:
        return None
    if lp.site_layout.plans_power:
        at = power_follow.next_change(lp.state.plan, lp.state.power_plan, target=due.time, now=lp.utc)
    else:
        at = plan_follow.next_change(lp.state.plan, target=due.time, now=lp.utc)
    if at is None and lp.vehicle_settings is not NOTHING_SET:
        at = lp.utc + TICK  # its time is now: then another may be due
    return _instant_of(lp, at)


def _instant_of(desk: LoadpointDesk | SiteDesk, time: datetime | None) -> Instant | None:
    return None if time is None else desk.instant + (time - desk.utc)
