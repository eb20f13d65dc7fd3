"""What cars are shown of the sun at a site whose inverters export nothing [SITE-25]."""

from __future__ import annotations

from collections.abc import Sequence

from evcclib.laws.law import Seen, Sun
from evcclib.machines.hidden_sun import Look, hidden_w, looked
from evcclib.pipeline.desk import SiteDesk


def uncovered(site: SiteDesk, loadpoints: Sequence[Seen], sun: Sun) -> Sun:
    """``sun`` with what the inverters are hoped to hold back.

    While the battery has priority, or a meter is silent, only what is seen counts. Who exports nothing can keep no export: a
    residual power above zero means nothing.
    """
    pv_w, battery = site.balance.pv_w, site.balance.battery.power_w
    is_known = pv_w is not None and (battery is not None or not site.layout.battery_count)
    if not site.layout.config.has_zero_feed_in or sun.power_w is None or sun.has_battery_priority or not is_known:
        return sun
    assert pv_w is not None
    started = [each for each in loadpoints if each.demand.follows_sun and each.charger.is_enabled]
    beyond_w = sun.power_w - sun.residual_w
    voltage_v = site.layout.voltage_v
    look = Look(
        at=sun.sampled_at,
        pv_w=pv_w,
        beyond_w=beyond_w,
        room_w=sum([_room_w(each, voltage_v) for each in started]) if started else None,
        start_w=min([_start_w(each, voltage_v) for each in loadpoints if _waits(each)], default=None),
    )
    site.state.hidden_sun = looked(site.state.hidden_sun, look)
    tolerated_w = min(0.0, sun.residual_w)
    return sun._replace(power_w=beyond_w + tolerated_w - hidden_w(site.state.hidden_sun, pv_w), residual_w=tolerated_w)


def _room_w(seen: Seen, voltage_v: float) -> float:
    """By how much a car could take more [W]; one that does not take what it is offered could not."""
    if not seen.is_charging:
        return 0.0
    phases = seen.active
    if seen.is_switchable and seen.settings.phases_configured == 0:
        phases = seen.vehicle_phases or 3
    return max(0.0, seen.demand.wanted_a * phases - (seen.charger.current_a or 0.0) * seen.active) * voltage_v


def _waits(seen: Seen) -> bool:
    return seen.demand.follows_sun and seen.is_told and not seen.charger.is_enabled


def _start_w(seen: Seen, voltage_v: float) -> float:
    """The sun with which a car starts [W]."""
    phases = 1 if seen.is_switchable and seen.settings.phases_configured in (0, 1) else seen.active
    return max(seen.demand.minimum_a * phases * voltage_v, -seen.settings.enable_threshold_w)
