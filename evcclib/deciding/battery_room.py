"""Whether the circuits that a home battery hangs below leave it room to charge from the grid [CIR-3].

It gives way before a limit holds a car down, or only when there is no car left to give way: its owner's order. It begins where it
fits beside all that cars may draw, and beside the minimum of those that would charge if they could.
"""

from __future__ import annotations

from itertools import permutations

from evcclib.laws.law import SiteSeen
from evcclib.machines.limits.circuits import NO_LOAD, Limit, Load
from evcclib.pipeline.circuit_loads import battery_load, drawable_a, limits_in_force, may_draw, plus, reserved_w
from evcclib.pipeline.desk import LoadpointDesk, SiteDesk


def no_room(site: SiteDesk, seen: SiteSeen, battery: int, *, is_charging: bool) -> str | None:
    """The limit that leaves a home battery no room to charge from the grid, or to begin with it, by name; None: none does."""
    config = site.layout.config.batteries[battery]
    if config.circuit is None:
        return None

    def offered_a(lp: LoadpointDesk) -> float:
        asked = seen.loadpoints[lp.index].demand
        waiting_a = lp.facts.bounds.minimum_a if asked.wanted_a > 0 and asked.floor_a > 0 else 0.0
        return max(drawable_a(lp), lp.state.charger.wanted_a or 0.0, waiting_a)

    own = battery_load(site, battery, max((config.charge_power_w or 0.0) - reserved_w(site, battery), 0.0))
    for limit in limits_in_force(site):
        if battery not in site.layout.batteries_of.get(limit.circuit, ()):
            continue
        is_held = any(site.desks[index].state.reason.limit == limit.name for index in limit.members)
        if limit.safe_current_a is not None or (is_held and not config.charges_before_cars):
            return limit.name
        if is_charging:
            excess = _is_exceeded(limit, limit.other, limit.other_most, NO_LOAD, makes_difference=config.phases != 3)
        else:
            more = plus(own, may_draw(site, limit.members, offered_a))
            excess = _is_exceeded(limit, limit.other_most, limit.other, more, makes_difference=config.phases != 3)
        if excess:
            return limit.name
    return None


def _is_exceeded(limit: Limit, other: Load, facing: Load, more: Load, *, makes_difference: bool) -> bool:
    """Whether ``other`` loads with some ``more`` are beyond ``limit``; ``facing``: what other loads are where they even out."""
    total = plus(other, more)
    if limit.current_max_a is not None and max(total.currents_a) > limit.current_max_a:
        return True
    if limit.power_max_w is not None and total.power_w > limit.power_max_w:
        return True
    if limit.unbalance_max_a is None or not makes_difference:
        return False
    pairs = permutations(range(3), 2)
    return any(total.currents_a[one] - facing.currents_a[two] > limit.unbalance_max_a for one, two in pairs)
