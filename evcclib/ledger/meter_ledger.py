"""Charged energy and charging time of a loadpoint, from whatever its meter offers [MET-1..MET-6, DEF-23].

```
   counter:      |<- last good read ->|   missing   |<- next good read ->|
   ledger:        counted_kwh           + bridge_kwh                      counted again, bridge dropped
```
The ledger never runs backwards and never invents energy: a counter that starts again goes on from its new value, a step of
more than can have been charged meanwhile is a misread, or a new meter if it stays, and while a counter is silent (or missing
altogether) power is integrated instead. One ledger runs for the life of the loadpoint; a session is the difference between two
of its readings, so that the sum of all sessions is what the meter counted, whatever happened in between.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import NamedTuple

from evcclib.machines.hold import Timer
from evcclib.machines.plausible import CHARGE_POWER_MAX_W, charged_at_most, is_counter_step
from evcclib.machines.replaced import often_replaced
from evcclib.readings import Measured, Reading
from evcclib.units import HOUR, ORIGIN, ZERO, Instant, energy_kwh, whole_seconds

JITTER_KWH = 0.01
"""A counter that falls by no more than this has not started again; it waits until it is passed."""
COUNTER_AGE_MAX = timedelta(minutes=5)
"""A counter that has not been sampled for longer is silent; some are polled slowly, so this is more than for other readings."""
IDLE_STRIDE = timedelta(minutes=5)
"""So often it is noted that a counter stands still while nothing is charged."""
HELD_MAX = HOUR
"""Power is not held for longer without a step: nobody knows what was charged while the server was down."""
REPLACED_AFTER = timedelta(minutes=1)
"""A counter that keeps showing a value out of reach for so long is a new meter."""


@often_replaced
class LedgerState(NamedTuple):
    """``total_kwh`` is all that was ever counted, bridged gaps included; ``session_start_kwh`` its value at the connect.

    What the counter gains takes time: ``reach_duration`` and what has passed since ``reach_at`` (None: ``counter_at``). Time in
    which it was seen to stand still and nothing was charged, as ``is_idle`` says of the present, is none of it.
    """

    total_kwh: float = 0.0
    session_start_kwh: float = 0.0
    counter_kwh: float | None = None  # the counter at its last change
    counter_at: Instant = ORIGIN
    reach_duration: timedelta = ZERO
    reach_at: Timer = None
    is_idle: bool = False
    counted_kwh: float = 0.0
    bridge_kwh: float = 0.0
    doubt_kwh: float | None = None  # a value out of reach, and since when it is shown
    doubt_at: Instant = ORIGIN
    power_w: float = 0.0  # held since power_at while charging
    power_at: Instant | None = None

    @property
    def session_kwh(self) -> float:
        """Energy charged since the vehicle was connected [MET-4]."""
        return self.total_kwh - self.session_start_kwh


EMPTY = LedgerState()


def connected(state: LedgerState) -> LedgerState:
    """A new session starts here [EV-10, MET-2]."""
    return state if state.session_start_kwh == state.total_kwh else state._replace(session_start_kwh=state.total_kwh)


def step(
    state: LedgerState,
    *,
    counter: Reading[float],
    power_w: float | None,
    is_charging: bool,
    now: Instant,
    power_max_w: float = CHARGE_POWER_MAX_W,
) -> LedgerState:
    """The ledger after one look at the ``counter`` [kWh] and the power [W]; either may be unknown.

    ``counter`` is the charge meter's total, or the charger's own session counter where that counts [MET-1]. Power counts only
    while charging, and is held until the next step [MET-3]. ``power_max_w`` is the most that can flow there. The same state comes
    back when nothing has changed.
    """
    power_w = max(power_w, 0.0) if is_charging and power_w is not None else 0.0
    read = counter if isinstance(counter, Measured) and _is_usable(state, counter, now) else None
    power_max_w = max(power_max_w, state.power_w)
    is_believed = read is not None and _is_in_reach(state, read, power_max_w)
    is_bridging = not is_believed or state.counter_kwh is None
    if is_bridging and state.power_w > 0 and state.power_at is not None and now > state.power_at:
        state = _bridged(state, state.power_at, power_w, now)
    elif power_w != state.power_w or (power_w > 0 and now != state.power_at):
        last = state.counter_kwh
        if read is not None and is_believed and last is not None and read.value > last:  # the usual case, in one go
            return _counted(state, read, read.value - last, (power_w, now))
        state = state._replace(power_w=power_w, power_at=now)
    if read is None:
        return state
    if not is_believed:
        return _doubted(state, read, power_max_w)
    return _read(_idle(state, read, is_charging=is_charging), read)


def believes(state: LedgerState, counter_kwh: float) -> bool:
    """Whether the counter may be shown as ``counter_kwh``: not a 0 that only says that it cannot be read, nor a misread."""
    last = state.counter_kwh
    return last is not None and last - JITTER_KWH <= counter_kwh <= last + JITTER_KWH


def _is_usable(state: LedgerState, read: Measured[float], now: Instant) -> bool:
    if not math.isfinite(read.value) or read.value < 0:
        return False
    if state.counter_kwh is None:
        return True
    # Counters that cannot be read often say 0; one that did start again is believed from its first energy on [MET-6].
    return now - read.sampled_at <= COUNTER_AGE_MAX and (read.value > 0 or state.counter_kwh == 0)


def _is_in_reach(state: LedgerState, read: Measured[float], power_max_w: float) -> bool:
    """Whether the counter can have come to show this since it last moved."""
    last = state.counter_kwh
    if last is None:
        return True
    meanwhile = _meanwhile(state, read)
    if last > 0 and read.value >= last - JITTER_KWH:  # a 0 may have stood for a counter that could not be read yet
        return is_counter_step(read.value - last, meanwhile, power_max_w)
    return read.value <= charged_at_most(meanwhile, power_max_w)


def _meanwhile(state: LedgerState, read: Measured[float]) -> timedelta:
    since = state.counter_at if state.reach_at is None else state.reach_at
    return state.reach_duration + max(read.sampled_at - since, ZERO)


def _idle(state: LedgerState, read: Measured[float], *, is_charging: bool) -> LedgerState:
    """Let no time count in which the counter stands where it stood, while nothing is charged."""
    last = state.counter_kwh
    if is_charging:
        return state._replace(is_idle=False) if state.is_idle else state
    if last is None or abs(read.value - last) > JITTER_KWH:
        return state
    if not state.is_idle:  # it may still show what was charged until now, however late
        return state._replace(reach_duration=_meanwhile(state, read), reach_at=read.sampled_at, is_idle=True)
    if state.reach_at is not None and read.sampled_at - state.reach_at >= IDLE_STRIDE:
        return state._replace(reach_at=read.sampled_at)
    return state


def _bridged(state: LedgerState, since: Instant, power_w: float, now: Instant) -> LedgerState:
    """Count the power that was held ``since``, and hold ``power_w`` from ``now`` on."""
    held = now - since
    bridge_kwh = state.bridge_kwh + (energy_kwh(state.power_w, held) if held <= HELD_MAX else 0.0)
    total_kwh = max(state.total_kwh, state.counted_kwh + bridge_kwh)
    return state._replace(total_kwh=total_kwh, bridge_kwh=bridge_kwh, power_w=power_w, power_at=now)


def _read(state: LedgerState, read: Measured[float]) -> LedgerState:
    last = state.counter_kwh
    if last is None:
        # What was bridged so far was charged before the counter was first seen; it stays counted.
        return _counted(state, read, state.bridge_kwh)
    if read.value > last:
        return _counted(state, read, read.value - last)
    if read.value >= last - JITTER_KWH:
        is_settled = state.doubt_kwh is None and state.bridge_kwh == 0.0
        return state if is_settled else state._replace(doubt_kwh=None, bridge_kwh=0.0)
    return _counted(state, read, max(read.value, state.bridge_kwh))


def _counted(
    state: LedgerState, read: Measured[float], charged_kwh: float, held: tuple[float, Timer] | None = None
) -> LedgerState:
    """Count ``charged_kwh``; ``held`` is the power from now on, with its time, if it changes too."""
    counted_kwh = state.counted_kwh + charged_kwh
    power_w, power_at = (state.power_w, state.power_at) if held is None else held
    return state._replace(
        power_w=power_w,
        power_at=power_at,
        counter_kwh=read.value,
        counter_at=read.sampled_at,
        reach_duration=ZERO,
        reach_at=read.sampled_at,
        is_idle=False,
        counted_kwh=counted_kwh,
        bridge_kwh=0.0,
        doubt_kwh=None,
        total_kwh=max(state.total_kwh, counted_kwh),
    )


def _doubted(state: LedgerState, read: Measured[float], power_max_w: float) -> LedgerState:
    """A value out of reach: a misread unless it stays."""
    meanwhile = max(read.sampled_at - state.doubt_at, ZERO)
    if state.doubt_kwh is None or not (
        read.value >= state.doubt_kwh and is_counter_step(read.value - state.doubt_kwh, meanwhile, power_max_w)
    ):
        return state._replace(doubt_kwh=read.value, doubt_at=read.sampled_at)
    if read.sampled_at - state.doubt_at < REPLACED_AFTER:
        return state
    return _counted(state, read, state.bridge_kwh)


class TimerState(NamedTuple):
    """Charging time of the session: ``duration`` up to ``since``, from which on it has been running; None: it stands."""

    duration: timedelta = ZERO
    since: Instant | None = None


STANDING = TimerState()


def timer_started(state: TimerState, now: Instant) -> TimerState:
    """Charging began, or goes on [MET-5]."""
    return state if state.since is not None else TimerState(duration=state.duration, since=now)


def timer_stopped(state: TimerState, now: Instant) -> TimerState:
    """Charging ended [MET-5]."""
    return state if state.since is None else TimerState(duration=state.duration + max(now - state.since, ZERO))


def charge_duration(state: TimerState, own: Reading[timedelta], now: Instant) -> timedelta:
    """Charging time in whole seconds: the charger's own if it keeps one, else ours [MET-5, MET-6]."""
    if isinstance(own, Measured):
        return whole_seconds(own.value)
    running = ZERO if state.since is None else max(now - state.since, ZERO)
    return whole_seconds(state.duration + running)
