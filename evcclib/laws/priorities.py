"""What a loadpoint may count on from those of lower priority [PRIO-1, PRIO-2, DEF-20]."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evcclib.laws.law import Seen, SiteSeen, Sun, Turn
from evcclib.model import ChargeMode


def flexible_power(
    *,
    mode: ChargeMode,
    is_charging: bool,
    has_floor: bool,
    power_w: float | None,
    current_min_a: float,
    phases: int,
    voltage_v: float,
) -> float:
    """What a loadpoint would give up for one of higher priority [W], never negative [PRIO-1, DEF-20].

    ``power_w`` is what it surely draws: nobody can have what was only offered. ``has_floor``: it charges for a plan, a minimum
    SoC or a low price, and gives up nothing.
    """
    if mode is ChargeMode.NOW or not is_charging or has_floor or power_w is None:
        return 0.0
    kept_w = 0.0 if mode is ChargeMode.PV else voltage_v * current_min_a * phases
    return max(0.0, power_w - kept_w)


def flexible_for(index: int, priorities: Sequence[int], flexible_w: Callable[[int], float]) -> float:
    """What loadpoint ``index`` may count on from those of lower priority [W] [PRIO-2]; ``flexible_w``: what each gives up."""
    mine, all_w = priorities[index], 0.0
    for other, priority in enumerate(priorities):
        if priority < mine:
            all_w += flexible_w(other)
    return all_w


def sun_by_turn(site: SiteSeen) -> Callable[[Turn], Sun]:
    """What a loadpoint that is asked for sees of the sun: in mode pv with what those of lower priority would give up."""
    priorities = [each.priority for each in site.loadpoints]
    lowest = min(priorities, default=0)

    def sun_for(turn: Turn) -> Sun:
        own = site.loadpoints[turn.loadpoint]
        if own.settings.mode is not ChargeMode.PV or own.priority <= lowest:
            return turn.sun
        seen, voltage_v = site.loadpoints, site.voltage_v
        gives_w = flexible_for(turn.loadpoint, priorities, lambda other: _gives_up(seen[other], voltage_v))
        return turn.sun.shifted(-gives_w)

    return sun_for


def _gives_up(seen: Seen, voltage_v: float) -> float:
    demand = seen.demand
    return flexible_power(
        mode=seen.settings.mode,
        is_charging=seen.is_charging,
        has_floor=demand.wanted_a > 0 and not demand.follows_sun,
        power_w=None if seen.taken is None else seen.taken.least_w,
        current_min_a=seen.minimum_a,
        phases=seen.active,
        voltage_v=voltage_v,
    )
