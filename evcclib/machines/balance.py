"""Where the power goes: site power, home power, batteries [SITE-6..SITE-16].

    site power = grid + battery + residual - aux - what lower priorities would give up          (< 0: surplus)
    home power = grid + pv + battery - charging

What is not known is None and stays out of the sums; it is never taken for zero [DEF-48].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

RESIDUAL_WHILE_BATTERY_FIRST_W = 100.0
"""Below the priority SoC at least this much export is left for the battery to see [DEF-45]."""


class BatterySum(NamedTuple):
    """All home batteries as one: power [W], None when no power is known; SoC [%]; capacity [kWh]."""

    power_w: float | None
    soc_pct: float | None
    capacity_kwh: float | None


def sum_batteries(
    powers_w: Sequence[float | None],
    socs_pct: Sequence[float | None],
    capacities_kwh: Sequence[float | None],
) -> BatterySum:
    """Sum of the known powers and mean SoC, weighted by capacity when all of them are known [SITE-7, DEF-18]."""
    if len(powers_w) == 1:
        return BatterySum(powers_w[0], socs_pct[0], None if socs_pct[0] is None else capacities_kwh[0])
    powers = [power for power in powers_w if power is not None]
    known = [(soc, capacity) for soc, capacity in zip(socs_pct, capacities_kwh, strict=True) if soc is not None]
    capacities = [capacity for _, capacity in known if capacity is not None]
    capacity = sum(capacities) if capacities else None
    soc: float | None = None
    if known:
        if capacity is not None and capacity > 0 and len(capacities) == len(known):
            soc = sum(soc * (size or 0.0) for soc, size in known) / capacity
        else:
            soc = sum(soc for soc, _ in known) / len(known)
    return BatterySum(sum(powers) if powers else None, soc, capacity)


NO_BATTERY = BatterySum(None, None, None)


class SitePower(NamedTuple):
    """The control error [W], and how far the home battery has a say in it."""

    power_w: float
    has_battery_priority: bool  # the battery charges first [SITE-10]
    is_buffered: bool  # the battery may keep charging alive [SITE-11]
    is_buffer_start: bool  # ... and may start it [SITE-23]


def site_power(
    *,
    grid_w: float,
    battery_w: float | None,
    battery_soc_pct: float | None,
    aux_w: float,
    residual_power_w: float,
    priority_soc_pct: float,
    buffer_soc_pct: float,
    buffer_start_soc_pct: float,
    grid_supply_max_w: float,
) -> SitePower:
    """The site power before priorities [SITE-10..SITE-13]; ``battery_w`` None: no battery, or not known."""
    battery = battery_w or 0.0
    has_priority = battery_soc_pct is not None and battery_soc_pct < priority_soc_pct
    if has_priority:
        battery = max(battery, 0.0)
        residual_power_w = max(residual_power_w, RESIDUAL_WHILE_BATTERY_FIRST_W)
    is_buffered = (
        battery_soc_pct is not None and not has_priority and buffer_soc_pct > 0 and battery_soc_pct > buffer_soc_pct
    )
    is_buffer_start = (
        battery_soc_pct is not None
        and not has_priority
        and buffer_start_soc_pct > 0
        and battery_soc_pct >= buffer_start_soc_pct
    )
    if grid_supply_max_w > 0 and grid_w > grid_supply_max_w and battery < 0:
        battery = 0.0  # [SITE-12]
    return SitePower(grid_w + battery + residual_power_w - aux_w, has_priority, is_buffered, is_buffer_start)


def within_sun(power: SitePower, beyond_sun_w: float) -> SitePower:
    """``power`` while nobody knows what a battery does: what is taken beyond the sun may be out of it, so that the chargers get
    no more than the sun surely gives [SITE-15]."""
    return power._replace(power_w=max(power.power_w, beyond_sun_w))


def home_power(*, grid_w: float, pv_w: float, battery_w: float, charge_w: float) -> float:
    """What the house takes without its chargers, aux loads included [SITE-16]."""
    return max(0.0, grid_w + max(0.0, pv_w) + battery_w - charge_w)
