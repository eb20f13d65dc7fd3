"""What a loadpoint asks for: goals and mode, ranked, make one `Demand` [STR-1..STR-10, GOAL-1..GOAL-5, DEF-25].

The first of these that holds decides:

    not connected | phase lock | remote hard | off | min SoC | plan | goal reached | now | smart cost | remote soft |
    feed-in priority | surplus
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from evcclib.machines.hold import Timer, first_after
from evcclib.reasons import Reason, ReasonCode
from evcclib.units import Instant


class Demand(NamedTuple):
    """What a loadpoint wants [A].

    ``wanted_a`` is the most it would take (0: it shall not charge), ``floor_a`` what it is to get whatever the sun does, so a
    running plan is a floor; between the two it follows the surplus if ``follows_sun``. ``phases`` are to be connected first,
    0 leaves them. ``is_forced``: the contactor guard is no reason to wait. ``elapses_timers``: the next decision on surplus
    is immediate [STR-8].
    """

    wanted_a: float
    floor_a: float
    minimum_a: float
    reason: Reason
    follows_sun: bool = False
    is_forced: bool = True
    phases: int = 0
    elapses_timers: bool = False

    @classmethod
    def stop(cls, reason: Reason) -> Demand:
        """No charging."""
        return cls(0.0, 0.0, 0.0, reason)


_PLAIN = {code: Reason(code) for code in ReasonCode}


def because(code: ReasonCode) -> Reason:
    """A reason without numbers."""
    return _PLAIN[code]


def is_soc_goal_reached(*, soc_pct: float | None, soc_target_pct: int) -> bool:
    """Whether the vehicle has what it shall have; at 100 the vehicle decides, unknown is not reached [GOAL-3, DEF-24]."""
    return soc_pct is not None and 0 < soc_target_pct < 100 and soc_pct >= soc_target_pct


def energy_goal_remaining_kwh(*, energy_target_kwh: float, energy_kwh: float, counts: bool) -> float | None:
    """What is missing to the energy goal; None without one. ``counts``: a guest, or a vehicle without SoC [GOAL-1]."""
    return energy_target_kwh - energy_kwh if counts and energy_target_kwh > 0 else None


def is_below_min_soc(
    *,
    soc_min_pct: int,
    soc_pct: float | None,
    capacity_kwh: float,
    energy_kwh: float,
    efficiency: float,
    is_soc_awaited: bool,
) -> bool:
    """Whether the vehicle is below its minimum [GOAL-4]; ask only with an active vehicle.

    While the SoC is not known, energy counts instead, but nothing is forced while an answer can still be hoped for
    (``is_soc_awaited``) [DEF-1].
    """
    if soc_min_pct <= 0:
        return False
    if soc_pct is not None:
        return soc_pct < soc_min_pct
    if is_soc_awaited:
        return False
    return energy_kwh < capacity_kwh * soc_min_pct / 100.0 / efficiency


def is_cheap(price: float | None, limit: float | None) -> bool:
    """Whether energy is cheap enough to charge at full power [STR-12]; an unknown price is not."""
    return limit is not None and price is not None and price <= limit


def is_worth_selling(price: float | None, limit: float | None) -> bool:
    """Whether feed-in pays enough to sell the sun rather than charge with it [STR-13]; an unknown price does not."""
    return limit is not None and price is not None and price >= limit


def awaits_soc(*, can_tell_soc: bool, vehicle_since: Timer, instant: Instant, grace: timedelta) -> bool:
    """Whether a vehicle with a SoC source still has time to answer [DEF-1]."""
    return can_tell_soc and vehicle_since is not None and instant - vehicle_since < grace


def next_change(vehicle_since: Timer, *, instant: Instant, grace: timedelta) -> Instant | None:
    """When `awaits_soc` could say something else."""
    return None if vehicle_since is None else first_after(instant, vehicle_since + grace)
