"""What laws do and say alike where there is no sun to follow: the grid meter is silent, or there is too little [DEF-47]."""

from __future__ import annotations

from evcclib.laws.demand import because
from evcclib.laws.law import Seen, SiteSeen, Sun, Target
from evcclib.reasons import Reason, ReasonCode
from evcclib.units import Instant


def without_grid(seen: Seen, lost_at: Instant, instant: Instant) -> Target:
    """The minimum for a while, then a pause; a guaranteed minimum needs no meter [DEF-47]."""
    demand = seen.demand
    is_lost = instant >= lost_at
    reason = because(ReasonCode.GRID_LOST) if is_lost else Reason(ReasonCode.GRID_STALE, until=lost_at)
    if demand.floor_a > 0:
        return Target(demand.floor_a, 0, False, because(ReasonCode.GRID_STALE))
    if seen.charger.is_enabled and not is_lost:
        return Target(demand.minimum_a, 0, False, reason, may_start=False)
    return Target(0.0, 0, is_lost, reason)


def too_little(site: SiteSeen, seen: Seen, sun: Sun) -> Reason:
    """Why a car does not charge that follows the sun and waits for nothing."""
    if seen.plan_start is not None and seen.plan_start > site.utc:
        return Reason(ReasonCode.PLAN_WAITING, until_utc=seen.plan_start)
    if sun.has_battery_priority:
        return because(ReasonCode.BATTERY_PRIORITY)
    return because(ReasonCode.SURPLUS_MISSING)
