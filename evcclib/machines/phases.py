"""How many phases a vehicle charges on, and when one phase becomes three or three become one [PH-1..PH-13].

    P = charge power - site power: what the vehicle could have; a range where nobody measures the charge power
    down:  most P / (n V) < Imin,  n > 1                          after the disable delay -> 1
    up:    least P / V > Imax  and  least P / (m V) >= Imin       after the enable delay  -> 3

    a limit leaves no Imin on all:  1 at once;  3 again after it has left it for both delays   [PH-7]

Each direction has its own delay and a change of direction starts it anew [DEF-9]. No lowering happens for a vehicle that merely
draws less than offered [DEF-3]. While the vehicle does not charge, nothing is waited for, down and up again; but every further
switch without any charging since waits, for its delay and then twice as long each time (`patience`): a house that swings around a
car that will not charge must not wear the relay out.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import NamedTuple

from evcclib.machines.hold import Timer, first_after
from evcclib.machines.plausible import are_numbers
from evcclib.model import PhaseAction, PhaseTriple
from evcclib.units import Instant

UNKNOWN_PHASES = 3
"""Assumed while the number of phases is not known [PH-2]."""
ACTIVE_CURRENT_A = 1.0
"""More than this flows in a phase that is in use [MEA-4]."""
ACTIVE_VOLTAGE_V = 207.0
"""A phase with at least this is connected: 230 V - 10 % [MEA-6, DEF-31]."""
POWER_TOLERANCE = 1.15
"""A voltage may be so much above the assumed one, or a vehicle below what it is offered."""
REST_SHARE = 0.1
"""A rest of the power below this is the tolerance of voltages and power factor, and no current in another phase."""
SETTLING = timedelta(seconds=60)
"""After a switch nothing is measured and nothing switched automatically for so long [DEF-3]."""


def is_settling(switched_at: Timer, instant: Instant) -> bool:
    """Whether phases have been switched a moment ago."""
    return switched_at is not None and instant - switched_at < SETTLING


def active_phases(*, vehicle: int, physical: int, measured: int) -> int:
    """Phases that the vehicle uses; 0 stands for unknown in each argument [PH-3]."""
    return min(vehicle or UNKNOWN_PHASES, physical or UNKNOWN_PHASES, measured or UNKNOWN_PHASES)


def limited_phases(*, physical: int, proven: int) -> int:
    """Phases that limits count on; 0 stands for unknown in each argument [PH-3, DEF-47].

    Those that what flows has proven, whatever vehicle is said to be there; before, all that are connected.
    """
    return proven or physical or UNKNOWN_PHASES


def phases_of_power(power_w: float, offered_a: float, voltage_v: float) -> int:
    """The fewest phases, of three, on which a vehicle that is offered ``offered_a`` can draw ``power_w``."""
    most_w = (offered_a * POWER_TOLERANCE + ACTIVE_CURRENT_A) * voltage_v
    return min(max(math.ceil(power_w / most_w), 1), UNKNOWN_PHASES)


def confirms_phases(power_w: float, offered_a: float, voltage_v: float, *, phases: int) -> bool:
    """Whether a vehicle that is offered ``offered_a`` draws what it can on so many phases, and no more."""
    is_enough = power_w * POWER_TOLERANCE >= offered_a * phases * voltage_v
    return is_enough and phases_of_power(power_w, offered_a, voltage_v) <= phases


def active_phases_max(*, vehicle: int, physical: int, measured: int, configured: int, is_switchable: bool) -> int:
    """Phases that the vehicle could use at most [PH-4]."""
    known_measured = 0 if physical <= 1 or vehicle == 1 else measured
    possible = configured if is_switchable else physical
    return min(vehicle or UNKNOWN_PHASES, possible or UNKNOWN_PHASES, known_measured or UNKNOWN_PHASES)


def with_rest(currents_a: PhaseTriple, power_w: float | None, voltage_v: float) -> PhaseTriple | None:
    """``currents_a`` [A] with what ``power_w`` leaves for the phases that are not known, spread evenly [MEA-3].

    A meter with one phase says NaN for those it has not. Without a power they stay unknown; None if no phase is known.
    """
    known = [current for current in currents_a if math.isfinite(current)]
    if not known or len(known) == len(currents_a):
        return currents_a if known else None
    rest_a = math.nan
    if power_w is not None:
        rest_w = power_w - sum(known) * voltage_v
        rest_a = rest_w / voltage_v / (len(currents_a) - len(known)) if rest_w > REST_SHARE * power_w else 0.0
    first, second, third = (current if math.isfinite(current) else rest_a for current in currents_a)
    return (first, second, third)


def phases_in_use(currents_a: PhaseTriple) -> int:
    """How many phases carry current; 0 says nothing about the vehicle, nor do phases of which one is not known [MEA-4]."""
    if not are_numbers(currents_a):
        return 0
    first, second, third = currents_a
    return (first > ACTIVE_CURRENT_A) + (second > ACTIVE_CURRENT_A) + (third > ACTIVE_CURRENT_A)


def phases_with_voltage(voltages_v: PhaseTriple) -> int:
    """1 or 3 phases connected to a charger without phase switch, 0 when the voltages do not tell [MEA-6]."""
    first, *others = (voltage >= ACTIVE_VOLTAGE_V for voltage in voltages_v)
    if any(others):
        return 3
    return 1 if first and are_numbers(voltages_v) else 0


class Narrowed(NamedTuple):
    """A limit leaves one phase only, or did a moment ago: its name, if known, and since when it would leave all of them."""

    limit: str | None
    fits_since: Timer


def narrow(
    previous: Narrowed | None, limit: str | None, *, instant: Instant, fits: bool, physical: int, wait: timedelta
) -> Narrowed | None:
    """Whether a limit leaves one phase only [PH-7]: from three at once, from one for ``wait`` after all have fitted again."""
    if not fits:
        return Narrowed(limit, None)
    if previous is None or physical != 1:
        return None
    since = instant if previous.fits_since is None else previous.fits_since
    return None if instant - since >= wait else Narrowed(previous.limit, since)


def widening_wait(enable_delay: timedelta, disable_delay: timedelta) -> timedelta:
    """How long all phases must fit within the limits before one becomes three: the relay wears as little as under the sun."""
    return max(SETTLING, enable_delay + disable_delay)


IDLE_DELAY_MIN = timedelta(seconds=60)
"""A switch after one that brought nothing waits at least so long, whatever its delay is."""
IDLE_FREE = 2
"""So many switches of a vehicle that does not charge wait for nothing: it may be about to begin."""
IDLE_DOUBLINGS = 5


def patience(delay: timedelta, *, is_charging: bool, idle_switches: int) -> timedelta:
    """How long a switch waits [PH-7]; ``idle_switches``: how many there were since the vehicle has charged."""
    if is_charging:
        return delay
    if idle_switches < IDLE_FREE:
        return timedelta(0)
    return max(delay, IDLE_DELAY_MIN) * (1 << min(idle_switches - IDLE_FREE, IDLE_DOUBLINGS))


class Scaling(NamedTuple):
    """What the phase timer does next: since when it runs, for what; ``is_due`` says that the delay is over."""

    since: Timer
    action: PhaseAction
    is_due: bool

    @property
    def phases(self) -> int:
        """The number of phases to switch to."""
        return 1 if self.action is PhaseAction.SCALE_1P else 3


AT_REST = Scaling(None, PhaseAction.INACTIVE, False)


def scale(
    previous: Scaling,
    *,
    instant: Instant,
    available_least_w: float,
    available_most_w: float,
    site_power_w: float,
    voltage_v: float,
    active: int,
    active_max: int,
    physical: int,
    configured: int,
    current_min_a: float,
    current_max_a: float,
    enable_delay: timedelta,
    disable_delay: timedelta,
    is_enabled: bool,
    is_charging: bool,
    idle_switches: int,
) -> Scaling:
    """The phase timer one decision later [PH-6, PH-7]. ``physical`` 0 is unknown."""
    if (
        active > 1
        and configured < 3
        and available_most_w / (active * voltage_v) < current_min_a
        and (site_power_w > 0 or not is_enabled)
    ):
        action, delay = PhaseAction.SCALE_1P, disable_delay
    elif (
        active_max > 1
        and physical < active_max
        and available_least_w / voltage_v > current_max_a
        and available_least_w / (active_max * voltage_v) >= current_min_a
    ):
        action, delay = PhaseAction.SCALE_3P, enable_delay
    else:
        return AT_REST
    since = previous.since if previous.action is action and previous.since is not None else instant
    wait = patience(delay, is_charging=is_charging, idle_switches=idle_switches)
    return Scaling(since, action, instant - since >= wait)


def due_at(
    scaling: Scaling, *, enable_delay: timedelta, disable_delay: timedelta, is_charging: bool, idle_switches: int
) -> Timer:
    """When the delay that runs is over."""
    if scaling.since is None:
        return None
    delay = enable_delay if scaling.action is PhaseAction.SCALE_3P else disable_delay
    return scaling.since + patience(delay, is_charging=is_charging, idle_switches=idle_switches)


def next_change(
    scaling: Scaling,
    narrowed: Narrowed | None,
    *,
    instant: Instant,
    switched_at: Timer,
    enable_delay: timedelta,
    disable_delay: timedelta,
    is_charging: bool,
    idle_switches: int,
) -> Instant | None:
    """When `is_settling`, `scale` or `narrow` could make something else of the same values."""
    times = [] if switched_at is None else [switched_at + SETTLING]
    if scaling.since is not None:
        waits = [
            patience(delay, is_charging=is_charging, idle_switches=idle_switches)
            for delay in (enable_delay, disable_delay)
        ]
        times += [scaling.since + wait for wait in waits]
    if narrowed is not None and narrowed.fits_since is not None:
        times.append(narrowed.fits_since + widening_wait(enable_delay, disable_delay))
    return first_after(instant, *times)
