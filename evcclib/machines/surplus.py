"""When charging from surplus starts and stops, and with what current [PV-1..PV-11].

    effective = what the vehicle draws now, with a little slack
    target    = effective - site power / (phases * voltage)

    disabled --- enough for the enable delay ------> Imin        (never more at once)
    enabled  --- too little for the disable delay -> 0           (Imin while it waits)
    enabled  --- else -----------------------------> min(target, Imax)

The one timer has no direction: what it waits for follows from the row of the table [PV-4]. It is cleared by the enable change
it led to [DEF-4], which happens where that change is confirmed (`evcclib.machines.charger`).
"""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import NamedTuple

from evcclib.machines.hold import Timer, first_after
from evcclib.model import PhaseTriple, PvAction
from evcclib.units import Instant

CURRENT_SLACK_A = 2.0
"""A vehicle that draws less than offered is followed at this distance, so that it may come back [PV-2]."""


DEAD_BAND_A = 0.1
"""What the sun gives more or less, or a limit leaves more, is not worth a command: 23 W a phase, less than meters and houses
wander by themselves."""
IDLE_BAND_A = 2.0
"""To a vehicle that does not draw an offer is a promise only: it need not be exact, and ..."""
IDLE_REST = timedelta(minutes=5)
"""... it is taken back no sooner: should the vehicle begin, the next decision follows what it draws."""


class Row(Enum):
    """Rows of the table PV-4; they say why the current is what it is."""

    KEPT_ALIVE = "1"  # minpv, or the home battery buffers
    DISABLE_DUE = "2a"
    DISABLE_WAIT = "2b"
    ENABLED_LOW = "2c"
    ENABLE_DUE = "3a"
    ENABLE_WAIT = "3b"
    DISABLED = "3c"
    FOLLOWING = "4"


class SurplusStep(NamedTuple):
    """The current to offer [A], 0 = stop, the timer afterwards, and the row that said so."""

    current_a: float
    timer: Timer
    row: Row

    @property
    def action(self) -> PvAction:
        """What the running timer will do [PV-6]."""
        if self.row is Row.DISABLE_DUE or self.row is Row.DISABLE_WAIT:
            return PvAction.DISABLE
        if self.row is Row.ENABLE_DUE or self.row is Row.ENABLE_WAIT:
            return PvAction.ENABLE
        return PvAction.INACTIVE


def busiest(currents_a: PhaseTriple) -> float:
    """The highest current that is known [A]; at least one is."""
    return max(current for current in currents_a if current == current)


def effective_current(*, is_charging: bool, currents_a: PhaseTriple | None, current_offered_a: float | None) -> float:
    """What the vehicle draws in its busiest phase plus slack, at most what it is offered [PV-2, DEF-8].

    ``current_offered_a`` None: nothing is, so only what is measured counts; else a wrong status would start it without sun.
    """
    if not is_charging:
        return 0.0
    if current_offered_a is None:
        return 0.0 if currents_a is None else max(0.0, busiest(currents_a))
    if currents_a is None:
        return current_offered_a
    return min(busiest(currents_a) + CURRENT_SLACK_A, current_offered_a)


def target_current(*, effective_a: float, site_power_w: float, phases: int, voltage_v: float) -> float:
    """The current that would bring the site power to zero [PV-3]."""
    return max(0.0, effective_a - site_power_w / (phases * voltage_v))


def decide(
    timer: Timer,
    *,
    instant: Instant,
    target_a: float,
    site_power_w: float,
    current_min_a: float,
    current_max_a: float,
    is_enabled: bool,
    is_minpv: bool,
    is_buffered: bool,
    is_scaling_phases: bool,
    enable_threshold_w: float,
    enable_delay: timedelta,
    disable_threshold_w: float,
    disable_delay: timedelta,
) -> SurplusStep:
    """One decision by table PV-4. ``is_buffered``: the home battery keeps the charging alive [PV-11]."""
    if target_a < current_min_a and (is_minpv or is_buffered):
        return SurplusStep(current_min_a, None, Row.KEPT_ALIVE)  # [DEF-5]
    if target_a >= current_min_a and (is_enabled or is_minpv):
        return SurplusStep(min(target_a, current_max_a), None, Row.FOLLOWING)
    if is_enabled:
        if site_power_w < disable_threshold_w or is_scaling_phases:  # [PV-8]
            return SurplusStep(current_min_a, None, Row.ENABLED_LOW)
        since = instant if timer is None else timer
        if instant - since >= disable_delay:
            return SurplusStep(0.0, since, Row.DISABLE_DUE)
        return SurplusStep(current_min_a, since, Row.DISABLE_WAIT)
    if not can_enable(
        target_a=target_a,
        site_power_w=site_power_w,
        current_min_a=current_min_a,
        enable_threshold_w=enable_threshold_w,
    ):
        return SurplusStep(0.0, None, Row.DISABLED)
    since = instant if timer is None else timer
    if instant - since >= enable_delay:
        return SurplusStep(current_min_a, since, Row.ENABLE_DUE)  # [PV-7]
    return SurplusStep(0.0, since, Row.ENABLE_WAIT)


def steady(
    target_a: float,
    *,
    offered_a: float | None,
    unchanged_for: timedelta,
    is_charging: bool,
    is_exporting: bool,
    current_min_a: float,
    current_max_a: float,
) -> float:
    """``target_a``, or what is ``offered_a`` already if that is as good [PV-12].

    Power that is bought, and the way down to a bound, are always worth a command. The distance is to what was sent last, so
    that small changes add up.
    """
    if offered_a is None or not current_min_a <= offered_a <= current_max_a:
        return target_a
    if not is_charging:
        is_soon = target_a < offered_a and unchanged_for < IDLE_REST
        return offered_a if is_soon or abs(target_a - offered_a) < IDLE_BAND_A else target_a
    if target_a < offered_a and (target_a <= current_min_a or not is_exporting):
        return target_a
    return offered_a if abs(target_a - offered_a) < DEAD_BAND_A else target_a


def next_change(
    timer: Timer,
    action: PvAction,
    *,
    instant: Instant,
    enable_delay: timedelta,
    disable_delay: timedelta,
    idle_since: Timer,
) -> Instant | None:
    """When `decide` or `steady` could make something else of the same values.

    ``idle_since``: from when on a vehicle that does not charge has been offered the same, None if it charges.
    """
    delay = enable_delay if action is PvAction.ENABLE else disable_delay
    return first_after(
        instant, None if timer is None else timer + delay, None if idle_since is None else idle_since + IDLE_REST
    )


def can_enable(*, target_a: float, site_power_w: float, current_min_a: float, enable_threshold_w: float) -> bool:
    """Whether there is enough to start [PV-5]."""
    if enable_threshold_w == 0:
        return target_a >= current_min_a
    return site_power_w <= enable_threshold_w
