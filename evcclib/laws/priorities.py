"""What a loadpoint may count on from those of lower priority [PRIO-1, PRIO-2, DEF-20]."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
