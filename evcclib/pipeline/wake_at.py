"""When to come back: the earliest time at which a decision could differ while readings stay as they are [SITE-24].

The classic law decides on the grid of interval ticks, so the answer is a tick; the next one while anything still moves. Every
delay that runs, every sample that will be too old, every price that will change is one candidate.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from evcclib.laws.classic import Sun
from evcclib.ledger.savings import HELD_MAX
from evcclib.machines import asking
from evcclib.machines.charger import (
    PHASES_GRACE,
    SYNC_GRACE,
    ChargerState,
    Report,
    contradicts_current,
    contradicts_enabled,
    switch_retry_at,
    unheard_retry_at,
)
from evcclib.machines.hold import ELAPSED
from evcclib.machines.phases import SETTLING, patience, widening_wait
from evcclib.machines.rousing import WAKE_DELAY
from evcclib.machines.surplus import IDLE_REST
from evcclib.model import ChargeMode, PvAction
from evcclib.pipeline.circuit_loads import METER_LAG, VOLTAGE_HELD
from evcclib.pipeline.desk import LoadpointDesk, SiteDesk
from evcclib.pipeline.sharing import OBEDIENCE, RAMP, is_ramping
from evcclib.pipeline.state import LoadpointState, SiteState
from evcclib.planning import plan_follow
from evcclib.readings import Measured
from evcclib.tariff import Rates

TICK = timedelta(microseconds=1)
NOT_DRAWING_AFTER = timedelta(seconds=60)
"""A vehicle that has been enabled for so long and does not draw is full, or does not want to."""


class Wakes(NamedTuple):
    """The tick at which to come back if samples stay as they are, and if new ones are taken at every interval; None: never."""

    as_they_age: timedelta | None
    renewed: timedelta | None


def next_wake(site: SiteDesk, before: SiteState, sun: Sun, *, decided: bool) -> Wakes:
    """The tick at which to come back; the very next one while anything still moves."""
    instant, state = site.instant, site.state
    anchor = instant if state.tick_at is None else state.tick_at
    interval = site.layout.interval
    next_tick = anchor + ((instant - anchor) // interval + 1) * interval
    if not decided or site.batches or site.events or site.reads:
        return Wakes(next_tick, next_tick)
    candidates: list[timedelta] = []
    for lp in site.desks:
        if _moves(before.loadpoints[lp.index], lp):
            return Wakes(next_tick, next_tick)
        _loadpoint_candidates(lp, candidates)
        _report_candidates(lp.state.charger, lp.facts.report, candidates)
    _price_candidates(site, candidates)
    held = state.savings
    if held.power_w > 0 and held.updated_at is not None:
        candidates.append(held.updated_at + HELD_MAX)  # what is held must be counted now and then
    if state.voltage is not None:
        candidates.append(state.voltage.sampled_at + VOLTAGE_HELD)
    if site.readings.operator_limit is not None:
        candidates.append(site.readings.operator_limit.expires_at)
    renewed = min([each for each in candidates if each > instant], default=None)
    soonest = _soonest_reading(site, sun)
    if renewed is not None:
        soonest = renewed if soonest is None else min(soonest, renewed)

    def tick(at: timedelta | None) -> timedelta | None:
        return None if at is None else max(next_tick, anchor - (anchor - at) // interval * interval)

    return Wakes(tick(soonest), tick(renewed))


def _moves(before: LoadpointState, lp: LoadpointDesk) -> bool:
    """Whether the next tick could find something else than this one did, without any delay being over."""
    after = lp.state
    return (
        after.charger.pending is not None
        or after.charger.has_failed
        or after.charger is not before.charger
        or after.pv_timer != before.pv_timer
        or after.scaling.is_due
        or after.scaling.since != before.scaling.since
        or after.plan is not before.plan
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


def _loadpoint_candidates(lp: LoadpointDesk, out: list[timedelta]) -> None:
    loadpoint, facts = lp.state, lp.facts
    settings, charger, config = loadpoint.settings, loadpoint.charger, lp.layout.config
    if loadpoint.pv_timer is not None and loadpoint.pv_timer != ELAPSED:
        is_enabling = loadpoint.pv_action is PvAction.ENABLE
        out.append(loadpoint.pv_timer + (settings.enable_delay if is_enabling else settings.disable_delay))
    if loadpoint.scaling.since is not None:
        for delay in (settings.enable_delay, settings.disable_delay):
            wait = patience(delay, is_charging=facts.is_charging, idle_switches=loadpoint.idle_switches)
            out.append(loadpoint.scaling.since + wait)
    if charger.phases_switched_at is not None:
        out.append(charger.phases_switched_at + SETTLING)
    retry_at = switch_retry_at(charger)
    if retry_at is not None:
        out.append(retry_at)
    unheard_at = unheard_retry_at(charger)
    if unheard_at is not None:
        out.append(unheard_at)
    if charger.guard is not None:
        out.append(charger.guard + config.guard_duration - timedelta(seconds=1) + TICK)
    if charger.current_changed_at is not None and charger.is_enabled and not facts.is_charging:
        out.append(charger.current_changed_at + IDLE_REST)
    if charger.wake_timer is not None:
        out.append(charger.wake_timer + WAKE_DELAY)
    if charger.enable_changed_at is not None:
        if charger.is_enabled and not facts.is_charging:
            out.append(charger.enable_changed_at + NOT_DRAWING_AFTER)
        if is_ramping(loadpoint, lp.instant):
            out.append(charger.enable_changed_at + RAMP)
    if loadpoint.effect_at is not None:
        out.append(loadpoint.effect_at + OBEDIENCE)
    if loadpoint.effect_at is not None and lp.site_layout.config.circuits:
        out.append(loadpoint.effect_at + OBEDIENCE + METER_LAG)
    if loadpoint.watch.offered != loadpoint.watch.before:
        out.append(loadpoint.watch.settles_at)
    if loadpoint.limited_at is not None and not charger.is_enabled:
        out.append(loadpoint.limited_at + config.guard_duration - timedelta(seconds=1) + TICK)
    if loadpoint.narrowed is not None and loadpoint.narrowed.fits_since is not None:
        wait = widening_wait(settings.enable_delay, settings.disable_delay)
        out.append(loadpoint.narrowed.fits_since + wait)
    if loadpoint.offer.raised_at is not None:
        out.append(loadpoint.offer.raised_at + RAMP)
    if loadpoint.vehicle_since is not None:
        out.append(loadpoint.vehicle_since + config.unknown_soc_grace)
    if loadpoint.vehicle is not None:
        _poll_candidates(lp, out)
        climate = lp.vehicle_reading.is_climating
        if isinstance(climate, Measured):
            out.append(climate.sampled_at + max(config.poll.interval, asking.CACHE) + TICK)
    if settings.target_time is not None and facts.is_connected and settings.mode is not ChargeMode.OFF:
        _plan_candidates(lp, out)


def _report_candidates(charger: ChargerState, report: Report, out: list[timedelta]) -> None:
    """When a report that contradicts us counts, and when we say it again; one that agrees changes nothing however old."""
    if charger.enable_changed_at is not None and contradicts_enabled(charger, report):
        out.append(charger.enable_changed_at + SYNC_GRACE)
    if charger.current_changed_at is not None and contradicts_current(charger, report):
        out.append(charger.current_changed_at + SYNC_GRACE)
    found = (charger.enabled_disagreement, charger.current_disagreement)
    out += [each.next_at for each in found if each is not None and each.is_open]
    phases = charger.phases_disagreement
    if phases is not None:
        out.append(phases.next_at)
        out.append(phases.since + PHASES_GRACE)


def _poll_candidates(lp: LoadpointDesk, out: list[timedelta]) -> None:
    """When the vehicle may be asked again [SOC-8]."""
    config = lp.layout.config.poll
    interval = config.interval if config.interval > timedelta(0) else asking.DEFAULT_INTERVAL
    refill = min(interval, asking.CACHE)
    for poll in (lp.state.poll, lp.state.climate_poll):
        if poll.asked_at is not None:
            out.append(poll.asked_at + interval)
            out.append(poll.asked_at + refill)
            out.append(poll.asked_at + min(asking.RETRY * (1 << min(poll.retries, 16)), interval))
        if poll.paid_until is not None:
            out.append(poll.paid_until - (asking.BURST - 1) * refill)


def _plan_candidates(lp: LoadpointDesk, out: list[timedelta]) -> None:
    """When a plan begins, ends, or comes close; while it is active every tick counts."""
    plan = lp.state.plan
    if plan.is_active:
        out.append(lp.instant + TICK)
        return
    for time in (lp.settings.target_time, plan.projected_start, plan.slot_end):
        if time is not None:
            out.append(_instant_of(lp, time))
            out.append(_instant_of(lp, time - plan_follow.SLOT_LENGTH))


def _instant_of(desk: LoadpointDesk | SiteDesk, time: datetime) -> timedelta:
    return desk.instant + (time - desk.utc)


def _soonest_reading(site: SiteDesk, sun: Sun) -> timedelta | None:
    """When the next sample becomes too old, or the grid counts as lost."""
    state, instant, oldest = site.state, site.instant, site.oldest
    soonest = sun.lost_at if sun.lost_at > instant else None
    if state.grid is None or None in (*state.pv, *state.batteries, *state.aux, *[lp.status for lp in state.loadpoints]):
        all_seen_at = state.started_at + site.layout.age_max  # until then what was not seen yet is not silent
        if all_seen_at > instant and (soonest is None or all_seen_at < soonest):
            soonest = all_seen_at
    samples: list[object] = [state.grid, *state.pv, *state.batteries, *state.aux]
    for reading in site.readings.chargers:
        samples += (reading.status, reading.power_w, reading.currents_a, reading.is_enabled, reading.phases)
    for meter in state.meters.values():
        samples += (meter.currents_a, meter.powers_w, meter.power_w, meter.voltages_v)
    taken = [each.sampled_at for each in samples if type(each) is Measured and each.sampled_at >= oldest]
    if taken:
        too_old_at = min(taken) + site.layout.age_max + TICK
        if soonest is None or too_old_at < soonest:
            soonest = too_old_at
    return soonest


def _price_candidates(site: SiteDesk, out: list[timedelta]) -> None:
    """When a price changes that anybody looks at."""
    if not site.readings.tariffs:
        return
    for rates in site.readings.tariffs.values():
        edge = _next_edge(rates, site.utc)
        if edge is not None:
            out.append(_instant_of(site, edge))


def _next_edge(rates: Rates, utc: datetime) -> datetime | None:
    rate = rates.at(utc)
    if rate is not None:
        return rate.end
    return next((each.start for each in rates.rates if each.start > utc), None)
