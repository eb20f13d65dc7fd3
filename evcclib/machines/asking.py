"""Machine: when a vehicle may be asked for its SoC [SOC-6..SOC-9].

Vehicle interfaces ban those who ask too often, and asking wakes the car. So every wish passes a budget that no sequence of
events or errors can overdraw: a burst of `BURST` reads, refilled with one for each interval (15 minutes at most).
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from evcclib.commands import Read, VehicleRead
from evcclib.config import PollConfig
from evcclib.machines.hold import Timer, first_after
from evcclib.machines.plausible import tells_soc
from evcclib.model import PollMode
from evcclib.readings import ABSENT, Measured, Reading, VehicleReading
from evcclib.units import SECOND, TICK, ZERO, Instant

CACHE = timedelta(minutes=15)
"""How old an answer to a wish that isn't fresh may be, and how often a charging vehicle is asked [VEH-20]."""
RETRY = 5 * SECOND
"""The first pause after an answer of "try again soon"; it doubles each time [VEH-20]."""
BURST = 6
DEFAULT_INTERVAL = timedelta(minutes=60)


class PollState(NamedTuple):
    """``asked_at`` None: ask at the next opportunity. ``accepts_from``: samples before it belong to an earlier connection.

    ``answered_from``: a sample from then on answers the last wish. ``paid_until`` is the budget: the instant at which it will
    be full again.
    """

    asked_at: Instant | None = None
    wants_fresh: bool = False
    retries: int = 0
    accepts_from: Instant | None = None
    answered_from: Instant | None = None
    paid_until: Instant | None = None


NEVER_ASKED = PollState()


def connected(state: PollState) -> PollState:
    """After a vehicle was connected, assigned or disconnected: forget what was known, keep the budget [SOC-9]."""
    return PollState(paid_until=state.paid_until)


def charge_started(state: PollState) -> PollState:
    """After charging started: ask again."""
    return state._replace(asked_at=None)


def charge_stopped(state: PollState) -> PollState:
    """After charging stopped: ask once more, and not the cache [DEF-27]."""
    return state._replace(asked_at=None, wants_fresh=True)


def step(
    state: PollState,
    *,
    vehicle: str,
    reading: VehicleReading,
    now: Instant,
    config: PollConfig,
    is_connected: bool,
    is_charging: bool,
) -> tuple[PollState, Read | None]:
    """The wish to read the SoC of ``vehicle`` now, if it is due and the budget allows it.

    Not to be called for a vehicle without a SoC source. The same state comes back when there is nothing to ask.
    """
    interval = _interval(config)
    if not _is_due(state, reading, now, interval, config.mode, is_connected=is_connected, is_charging=is_charging):
        return state, None
    refill = min(interval, CACHE)
    paid_until = now if state.paid_until is None else max(state.paid_until, now)
    if paid_until - now > (BURST - 1) * refill:
        return state, None
    answered_from = now if state.wants_fresh else now - CACHE
    asked = PollState(
        asked_at=now,
        retries=state.retries + 1 if reading.must_retry else 0,
        accepts_from=answered_from if state.accepts_from is None else state.accepts_from,
        answered_from=answered_from,
        paid_until=paid_until + refill,
    )
    return asked, Read(vehicle, VehicleRead.SOC, state.wants_fresh)


def next_change(state: PollState, *, instant: Instant, config: PollConfig, answered_at: Timer = None) -> Instant | None:
    """When `step` could wish something else of the same reading; ``answered_at``: from when an answer is of `is_current`."""
    interval = _interval(config)
    refill = min(interval, CACHE)
    times: list[Timer] = []
    if state.asked_at is not None:
        times += [state.asked_at + interval, state.asked_at + refill, state.asked_at + _retry_pause(state, interval)]
    if state.paid_until is not None:
        times.append(state.paid_until - (BURST - 1) * refill)
    if answered_at is not None:
        times.append(answered_at + _current_for(config) + TICK)
    return first_after(instant, *times)


def is_current(sampled_at: Instant, now: Instant, config: PollConfig) -> bool:
    """Whether an answer of ``sampled_at`` still tells how it is: not once it ought to have been asked for again."""
    return now - sampled_at <= _current_for(config)


def accepted(state: PollState, reading: Reading[float]) -> Reading[float]:
    """``reading`` unless it is a sample from before this connection."""
    if isinstance(reading, Measured) and (state.accepts_from is None or reading.sampled_at < state.accepts_from):
        return ABSENT
    return reading


def _interval(config: PollConfig) -> timedelta:
    return config.interval if config.interval > ZERO else DEFAULT_INTERVAL


def _current_for(config: PollConfig) -> timedelta:
    return max(config.interval, CACHE)


def _retry_pause(state: PollState, interval: timedelta) -> timedelta:
    return min(RETRY * (1 << min(state.retries, 16)), interval)


def _is_due(
    state: PollState,
    reading: VehicleReading,
    now: Instant,
    interval: timedelta,
    mode: PollMode,
    *,
    is_connected: bool,
    is_charging: bool,
) -> bool:
    if not is_connected and mode is not PollMode.ALWAYS:
        return False
    if state.asked_at is None:
        return True
    age = now - state.asked_at
    if reading.must_retry and is_connected:
        return age >= _retry_pause(state, interval)
    if is_charging:
        return age >= min(interval, CACHE)
    if age < interval:
        return False
    return mode is not PollMode.CHARGING or not _is_answered(state, reading.soc_pct)


def _is_answered(state: PollState, soc: Reading[float]) -> bool:
    """Whether the last wish has brought a SoC; one of 0 % may be none, and is asked for again as if the read had failed."""
    return (
        isinstance(soc, Measured)
        and tells_soc(soc)
        and state.answered_from is not None
        and soc.sampled_at >= state.answered_from
    )
