"""The site's meters as witnesses of what vehicles take at stations without a meter [MEA-7].

`evcclib.machines.unmetered` draws the conclusions; here is what it is told.

    settled, offered as before ----> the load is remembered              (what has changed is the house)
    settled, offered otherwise ----> the change of the load is judged, then remembered
    not settled, not all known, or not of one time -> nothing
"""

from __future__ import annotations

from evcclib.machines.unmetered import (
    CHANGE_MIN_W,
    PATIENCE,
    UNWATCHED,
    has_followed,
    learn,
    most_power,
    possible_change,
    watch,
)
from evcclib.pipeline.desk import LoadpointDesk, SiteDesk
from evcclib.pipeline.observe_loadpoint import offered
from evcclib.pipeline.samples import fresh
from evcclib.readings import Measured
from evcclib.units import SECOND, Instant

TOGETHER = 5 * SECOND
"""What was sampled in one round is no further apart, and a meter that is asked more often than stations is heard beside their
last word for so long. A load made of older and newer parts shows what is not so: a sun that has changed between two of them, or
a vehicle that has begun after that word."""


def take_in(site: SiteDesk) -> None:
    """Follow what unmetered vehicles are offered, and learn from the load what they take of it."""
    unmetered = [lp for lp in site.desks if not lp.facts.is_measured]
    if not unmetered and site.state.load is None:
        return
    is_known = site.layout.config.has_grid
    for lp in site.desks:
        state, facts = lp.state, lp.facts
        if facts.is_measured:
            is_known = is_known and state.watch is UNWATCHED
            state.watch = UNWATCHED
            continue
        now = offered(lp, is_charging=facts.is_charging)
        if now is None:
            is_known = False
        else:
            state.watch = watch(state.watch, now, lp.instant)
        is_known = is_known and facts.is_usable and state.charger.pending is None
    parts = _parts(site) if is_known else None
    if parts is None:
        site.state.load = None
        return
    load = Measured(sum([part.value for part in parts]), min([part.sampled_at for part in parts]))
    heard_at = [load.sampled_at, *_told_at(unmetered)]
    if max([part.sampled_at for part in parts]) - min(heard_at) > TOGETHER:
        return
    if any(load.sampled_at < lp.state.watch.settles_at for lp in unmetered):
        return
    before = site.state.load
    if before is not None and load.sampled_at - before.sampled_at <= PATIENCE:
        is_enough = _judge(unmetered, load.value - before.value, site.layout.voltage_v)
        if not is_enough:
            return
    _remember(site, unmetered, load)


def _judge(unmetered: list[LoadpointDesk], seen_w: float, voltage_v: float) -> bool:
    """Draw conclusions for every vehicle that was offered something else; whether the load is to be remembered anew."""
    states = [lp.state for lp in unmetered]
    moved = [
        (state, before, state.watch.offered)
        for state in states
        if (before := state.watch.before) is not None and before != state.watch.offered
    ]
    if not moved:
        for state in states:
            same = state.watch
            same = same.drifted(seen_w) if same.offered.current_a > 0 else same._replace(drift_w=0.0, dip_w=0.0)
            state.watch = same._replace(lowered_at=None)
        return True
    if max(abs(most_power(now, voltage_v) - most_power(before, voltage_v)) for _, before, now in moved) < CHANGE_MIN_W:
        return False
    ranges = [possible_change(state.doubts, before, now, voltage_v) for state, before, now in moved]
    least_w, most_w = sum(least for least, _ in ranges), sum(most for _, most in ranges)
    for (state, before, now), (own_least_w, own_most_w) in zip(moved, ranges, strict=True):
        state.doubts = learn(
            state.doubts,
            before,
            now,
            seen_least_w=seen_w - (most_w - own_most_w),
            seen_most_w=seen_w - (least_w - own_least_w),
            voltage_v=voltage_v,
        )
        lowered_at = None if has_followed(seen_w, least_w) else state.watch.lowered_at
        state.watch = state.watch._replace(drift_w=0.0, dip_w=0.0, lowered_at=lowered_at)
    return True


def _remember(site: SiteDesk, unmetered: list[LoadpointDesk], load: Measured[float]) -> None:
    site.state.load = load
    for lp in unmetered:
        watched = lp.state.watch
        lp.state.watch = watched._replace(before=watched.offered, lowest_a=watched.offered.current_a)


def _parts(site: SiteDesk) -> list[Measured[float]] | None:
    """What adds up to the load that no meter explains [W]; None: not all is known."""
    state = site.state
    parts = []
    for each in (state.grid, *state.pv, *state.batteries):
        meter = fresh(each, site.oldest)
        if meter is None:
            return None
        parts.append(Measured(meter.value, meter.sampled_at))
    for lp in site.desks:
        if lp.facts.is_measured:
            if lp.facts.power_w is None:
                return None
            parts.append(Measured(-lp.facts.power_w, _measured_at(lp)))
    return parts


def _told_at(unmetered: list[LoadpointDesk]) -> list[Instant]:
    """When stations that may supply a vehicle have last told whether it charges."""
    statuses = [lp.reading.status for lp in unmetered if lp.state.charger.is_enabled]
    return [status.sampled_at for status in statuses if isinstance(status, Measured)]


def _measured_at(lp: LoadpointDesk) -> Instant:
    """When the charge power was measured."""
    power, currents = lp.state.power, lp.reading.currents_a
    if power is not None:
        return power.sampled_at
    return currents.sampled_at if isinstance(currents, Measured) else lp.instant
