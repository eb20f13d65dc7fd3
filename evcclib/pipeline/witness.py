"""The site's meters as witnesses of what vehicles take at stations without a meter [MEA-7].

`evcclib.machines.unmetered` draws the conclusions; here is what it is told.

    settled, offered as before ----> the load is remembered              (what has changed is the house)
    settled, offered otherwise ----> the change of the load is judged, then remembered
    not settled, or not all known -> nothing
"""

from __future__ import annotations

from datetime import timedelta

from evcclib.machines.unmetered import CHANGE_MIN_W, PATIENCE, UNWATCHED, learn, most_power, possible_change, watch
from evcclib.pipeline.desk import Work
from evcclib.pipeline.observe_loadpoint import Facts, offered
from evcclib.readings import Measured


def take_in(work: Work, facts: list[Facts]) -> None:
    """Follow what unmetered vehicles are offered, and learn from the load what they take of it."""
    unmetered = [index for index, each in enumerate(facts) if not each.is_measured]
    if not unmetered and work.state.load is None:
        return
    loadpoints = work.state.loadpoints
    is_known = work.layout.config.has_grid
    for index, each in enumerate(facts):
        loadpoint = loadpoints[index]
        if each.is_measured:
            is_known = is_known and loadpoint.watch is UNWATCHED
            loadpoint.watch = UNWATCHED
            continue
        now = offered(work, index, is_charging=each.is_charging)
        if now is None:
            is_known = False
        else:
            loadpoint.watch = watch(loadpoint.watch, now, work.instant)
        is_known = is_known and each.is_usable and loadpoint.charger.pending is None
    load = _load(work, facts) if is_known else None
    if load is None:
        work.state.load = None
        return
    if any(load.sampled_at < loadpoints[index].watch.settles_at for index in unmetered):
        return
    before = work.state.load
    if before is not None and load.sampled_at - before.sampled_at <= PATIENCE:
        is_enough = _judge(work, unmetered, load.value - before.value)
        if not is_enough:
            return
    _remember(work, unmetered, load)


def _judge(work: Work, unmetered: list[int], seen_w: float) -> bool:
    """Draw conclusions for every vehicle that was offered something else; whether the load is to be remembered anew."""
    loadpoints, voltage_v = work.state.loadpoints, work.layout.voltage_v
    moved = [
        (index, before, loadpoints[index].watch.offered)
        for index in unmetered
        if (before := loadpoints[index].watch.before) is not None and before != loadpoints[index].watch.offered
    ]
    if not moved:
        for index in unmetered:
            same = loadpoints[index].watch
            drift_w = same.drift_w + seen_w if same.offered.current_a > 0 else 0.0
            loadpoints[index].watch = same._replace(drift_w=drift_w)
        return True
    if max(abs(most_power(now, voltage_v) - most_power(before, voltage_v)) for _, before, now in moved) < CHANGE_MIN_W:
        return False
    ranges = [possible_change(loadpoints[index].doubts, before, now, voltage_v) for index, before, now in moved]
    least_w, most_w = sum(least for least, _ in ranges), sum(most for _, most in ranges)
    for (index, before, now), (own_least_w, own_most_w) in zip(moved, ranges, strict=True):
        loadpoints[index].doubts = learn(
            loadpoints[index].doubts,
            before,
            now,
            seen_least_w=seen_w - (most_w - own_most_w),
            seen_most_w=seen_w - (least_w - own_least_w),
            voltage_v=voltage_v,
        )
        loadpoints[index].watch = loadpoints[index].watch._replace(drift_w=0.0)
    return True


def _remember(work: Work, unmetered: list[int], load: Measured[float]) -> None:
    work.state.load = load
    for index in unmetered:
        loadpoint = work.state.loadpoints[index]
        now = loadpoint.watch.offered
        loadpoint.watch = loadpoint.watch._replace(before=now, lowest_a=now.current_a)


def _load(work: Work, facts: list[Facts]) -> Measured[float] | None:
    """What no meter explains [W], as old as the oldest of what it is made of; None: not known."""
    state, oldest = work.state, work.oldest
    meters = [state.grid, *state.pv, *state.batteries]
    total_w, sampled_at = 0.0, work.instant
    for meter in meters:
        if meter is None or meter.sampled_at < oldest:
            return None
        total_w += meter.value
        sampled_at = min(sampled_at, meter.sampled_at)
    for index, each in enumerate(facts):
        if each.is_measured:
            if each.power_w is None:
                return None
            total_w -= each.power_w
            sampled_at = min(sampled_at, _measured_at(work, index))
    return Measured(total_w, sampled_at)


def _measured_at(work: Work, index: int) -> timedelta:
    """When the charge power was measured."""
    power = work.state.loadpoints[index].power
    if power is not None:
        return power.sampled_at
    currents = work.readings.chargers[index].currents_a
    return currents.sampled_at if isinstance(currents, Measured) else work.instant
