"""When charging from surplus starts and stops, and with what current [PV-1..PV-11].

    effective = what the vehicle draws now, with a little slack
    target    = effective - site power / (phases * voltage)

    disabled --- enough for the enable delay ------> Imin        (never more at once)
    enabled  --- too little for the disable delay -> 0           (Imin while it waits)
    enabled  --- else -----------------------------> min(target, Imax)

    Resting --- a delay begins -----> Waiting --- the row asks for nothing --> Resting
    any     --- connect, plan ... --> Elapsed --- the same ------------------> Resting

The one timer has no direction: what it waits for follows from the row of the table [PV-4], and a row of the other direction goes
on with it. It rests after the enable change that it led to [DEF-4], once that change is confirmed (`evcclib.machines.charger`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from typing import ClassVar, NamedTuple

from evcclib.machines.hold import Timer, first_after
from evcclib.machines.plausible import are_numbers
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


@dataclass(frozen=True, slots=True)
class Resting:
    """Nothing is waited for."""

    kind: ClassVar[str] = "resting"
    action: ClassVar[PvAction] = PvAction.INACTIVE


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delay runs ``since`` then; ``action`` is what it leads to [PV-6]."""

    action: PvAction
    since: Instant
    kind: ClassVar[str] = "waiting"


@dataclass(frozen=True, slots=True)
class Elapsed:
    """Every delay is over, of whatever row; ``action`` is what that has led to by now, but is not confirmed."""

    action: PvAction = PvAction.INACTIVE
    kind: ClassVar[str] = "elapsed"


SunTimer = Resting | Waiting | Elapsed
RESTING, ELAPSED = Resting(), Elapsed()


def rest(timer: SunTimer) -> SunTimer:
    """Nothing is waited for any more; what has elapsed stays so."""
    return timer if isinstance(timer, Elapsed) else RESTING


def elapse(timer: SunTimer) -> SunTimer:
    """The next decision waits for nothing [PVT-3]."""
    return timer if isinstance(timer, Elapsed) else ELAPSED


def is_moved(before: SunTimer, after: SunTimer) -> bool:
    """Whether another delay runs; what it leads to follows from the row anyway."""
    if isinstance(before, Waiting) and isinstance(after, Waiting):
        return before.since != after.since
    return type(before) is not type(after)


def due_at(timer: SunTimer, *, enable_delay: timedelta, disable_delay: timedelta) -> Timer:
    """When a delay that runs is over."""
    if not isinstance(timer, Waiting):
        return None
    return timer.since + (enable_delay if timer.action is PvAction.ENABLE else disable_delay)


class SurplusStep(NamedTuple):
    """The current to offer [A], 0 = stop, the timer afterwards, and the row that said so."""

    current_a: float
    timer: SunTimer
    row: Row


def busiest(currents_a: PhaseTriple) -> float:
    """The highest current that is known [A]; at least one is."""
    return max(currents_a) if are_numbers(currents_a) else max(each for each in currents_a if each == each)


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
    timer: SunTimer,
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
        return SurplusStep(current_min_a, RESTING, Row.KEPT_ALIVE)  # [DEF-5]
    if target_a >= current_min_a and (is_enabled or is_minpv):
        return SurplusStep(min(target_a, current_max_a), RESTING, Row.FOLLOWING)
    if is_enabled:
        if site_power_w < disable_threshold_w or is_scaling_phases:  # [PV-8]
            return SurplusStep(current_min_a, RESTING, Row.ENABLED_LOW)
        running = _running(timer, PvAction.DISABLE, instant)
        if _is_over(running, disable_delay, instant):
            return SurplusStep(0.0, running, Row.DISABLE_DUE)
        return SurplusStep(current_min_a, running, Row.DISABLE_WAIT)
    if not can_enable(
        target_a=target_a,
        site_power_w=site_power_w,
        current_min_a=current_min_a,
        enable_threshold_w=enable_threshold_w,
    ):
        return SurplusStep(0.0, RESTING, Row.DISABLED)
    running = _running(timer, PvAction.ENABLE, instant)
    if _is_over(running, enable_delay, instant):
        return SurplusStep(current_min_a, running, Row.ENABLE_DUE)  # [PV-7]
    return SurplusStep(0.0, running, Row.ENABLE_WAIT)


def _running(timer: SunTimer, action: PvAction, instant: Instant) -> Waiting | Elapsed:
    """``timer`` in a row that waits for ``action``: it begins, or goes on."""
    if isinstance(timer, Resting):
        return Waiting(action, instant)
    return timer if timer.action is action else replace(timer, action=action)


def _is_over(timer: Waiting | Elapsed, delay: timedelta, instant: Instant) -> bool:
    return isinstance(timer, Elapsed) or instant - timer.since >= delay


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
    timer: SunTimer,
    *,
    instant: Instant,
    enable_delay: timedelta,
    disable_delay: timedelta,
    idle_since: Timer,
) -> Instant | None:
    """When `decide` or `steady` could make something else of the same values.

    ``idle_since``: from when on a vehicle that does not charge has been offered the same, None if it charges.
    """
    due = due_at(timer, enable_delay=enable_delay, disable_delay=disable_delay)
    return first_after(instant, due, None if idle_since is None else idle_since + IDLE_REST)


def can_enable(*, target_a: float, site_power_w: float, current_min_a: float, enable_threshold_w: float) -> bool:
    """Whether there is enough to start [PV-5]."""
    if enable_threshold_w == 0:
        return target_a >= current_min_a
    return site_power_w <= enable_threshold_w
