"""From a current to commands, and from outcomes back to what is known of the charger [LIM-1..LIM-8, SYN-1..SYN-4, DEF-6, DEF-7].

    wanted ----------> plan ------> Batch (in flight) --- Outcome ---> confirm -----> ChargerState
                        ^ guard                                                         |
                        +---------------- sync <--- what the charger reports <----------+

Commanded and confirmed are different things: a batch in flight has changed nothing yet, except that its current counts as
drawn wherever limits are added up. Guard and delays count from the instant at which a batch was issued.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple

from evcclib.commands import Batch, Command, Disable, Enable, Outcome, Result, SetCurrent, SwitchPhases
from evcclib.hold import Timer
from evcclib.readings import Measured

SYNC_GRACE = timedelta(seconds=60)
"""A charger may take so long to report what it was told [DEF-6]."""
OFFER_TOLERANCE_A = 0.5
"""A charger that rounds its report may show so much more than it was told."""
SWITCH_RETRY = timedelta(minutes=5)
"""A charger that could not switch phases is left on those it has for so long, and charges on them ..."""
SWITCH_TRIES = 3
"""... after so many failures in a row; before, the next tick tries again [PH-7]."""
COARSE_STEP_A = 1.0


@dataclass(frozen=True, slots=True)
class Pending:
    """A batch in flight. ``starts_guard`` and ``clears_pv_timer`` say what its enable change will do when confirmed."""

    batch: Batch
    issued_at: timedelta
    starts_guard: bool
    clears_pv_timer: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargerState:
    """What is confirmed of a charger. ``current_a`` None: not known, or forgotten by disabling [DEF-7].

    ``is_certain`` False: nobody knows whether it is enabled, so the next decision says it explicitly.
    """

    is_enabled: bool = False
    is_certain: bool = False
    is_adopted: bool = False  # its own state has been taken over once [LP-3]
    current_a: float | None = None
    guard: Timer = None  # since when the contactor rests
    enable_changed_at: Timer = None  # last Enable or Disable that was sent
    current_changed_at: Timer = None  # last SetCurrent that was sent
    phases: int = 0  # 0 unknown [PH-1]
    phases_switched_at: Timer = None
    phases_refused_at: Timer = None  # last switch of phases that failed, and none has worked since
    phases_refusals: int = 0  # how many in a row
    wake_timer: Timer = None
    pending: Pending | None = None
    number: int = 0  # of the last batch
    has_failed: bool = False

    @property
    def current_committed_a(self) -> float:
        """What the vehicle may be drawing at most: confirmed, or already on its way [A]."""
        committed = (self.current_a or 0.0) if self.is_enabled or not self.is_certain else 0.0
        if self.pending is not None:
            for command in self.pending.batch.commands:
                if isinstance(command, SetCurrent):
                    committed = max(committed, command.current_a)
        return committed


def floor_to_step(current_a: float, step_a: float) -> float:
    """The largest current the device can be set to that is not above ``current_a`` [LIM-2, DEF-7]."""
    if step_a == COARSE_STEP_A:
        return float(math.floor(current_a))
    count = math.floor(current_a / step_a) + 1
    while count > 0 and round(count * step_a, 6) > current_a:
        count -= 1
    return round(count * step_a, 6)


def ceil_to_step(current_a: float, step_a: float) -> float:
    """The smallest current the device can be set to that is not below ``current_a`` [DEF-7]."""
    if step_a == COARSE_STEP_A:
        return float(math.ceil(current_a))
    floor = floor_to_step(current_a, step_a)
    return floor if floor >= current_a else round(floor + step_a, 6)


def guard_remaining(guard: Timer, guard_duration: timedelta, instant: timedelta) -> timedelta:
    """How long the contactor must still rest, in whole seconds cut off [LIM-5]."""
    if guard is None:
        return timedelta(0)
    left = guard + guard_duration - instant
    return timedelta(seconds=left // timedelta(seconds=1)) if left > timedelta(0) else timedelta(0)


def may_switch(state: ChargerState, instant: timedelta) -> bool:
    """Whether it makes sense to ask for other phases now: not soon after the charger could not do it time and again."""
    refused_at = state.phases_refused_at
    return refused_at is None or state.phases_refusals < SWITCH_TRIES or instant - refused_at >= SWITCH_RETRY


class Wish(NamedTuple):
    """What a loadpoint is to do: ``current_a`` is quantised and within all limits, 0 = off; ``phases`` 0 = as they are."""

    current_a: float
    phases: int
    is_forced: bool  # the guard is no reason to wait


class Planned(NamedTuple):
    """The commands, and whether the guard holds an enable change back."""

    commands: tuple[Command, ...]
    is_guarded: bool


def plan(
    state: ChargerState, wish: Wish, *, instant: timedelta, current_min_a: float, guard_duration: timedelta
) -> Planned:
    """The commands that lead from the confirmed state to the wish [LIM-1..LIM-8].

    While the guard keeps the contactor closed, the current falls to ``current_min_a``.
    """
    is_wanted = wish.current_a > 0
    if wish.phases and wish.phases != state.phases:
        commands: list[Command] = []
        if state.is_enabled or not state.is_certain:
            commands.append(Disable())
        commands.append(SwitchPhases(wish.phases))
        if is_wanted:
            commands += (SetCurrent(wish.current_a), Enable())
        return Planned(tuple(commands), False)
    current: tuple[Command, ...] = ()
    if is_wanted and wish.current_a != state.current_a:
        current = (SetCurrent(wish.current_a),)
    if is_wanted is state.is_enabled and state.is_certain:
        return Planned(current, False)
    is_guarded = (
        state.is_certain and not wish.is_forced and guard_remaining(state.guard, guard_duration, instant) > timedelta(0)
    )
    if not is_guarded:
        return Planned((*current, Enable() if is_wanted else Disable()), False)
    if not is_wanted and (state.current_a is None or state.current_a > current_min_a):
        current = (SetCurrent(current_min_a),)
    return Planned(current, True)


def issue(
    state: ChargerState,
    commands: tuple[Command, ...],
    *,
    instant: timedelta,
    starts_guard: bool,
    clears_pv_timer: bool,
) -> tuple[ChargerState, Batch]:
    """Put ``commands`` in flight; there must be none in flight."""
    assert state.pending is None
    batch = Batch(state.number + 1, commands)
    pending = Pending(batch, instant, starts_guard, clears_pv_timer)
    return replace(state, number=batch.number, pending=pending), batch


class Confirmed(NamedTuple):
    """The state after an outcome and what it means for the timers."""

    state: ChargerState
    is_phase_switched: bool = False
    is_pv_timer_cleared: bool = False


def confirm(state: ChargerState, outcome: Outcome) -> Confirmed:
    """Take the outcome of the batch in flight over; an outcome of any other batch changes nothing [CUT-4]."""
    pending = state.pending
    if pending is None or pending.batch.number != outcome.number:
        return Confirmed(state)
    if outcome.result is Result.DONE:
        applied = len(pending.batch.commands)
    else:
        applied = min(outcome.applied, len(pending.batch.commands))
    later = replace(state, pending=None, has_failed=outcome.result is not Result.DONE)
    switches = any(isinstance(command, SwitchPhases) for command in pending.batch.commands)
    is_phase_switched = is_cleared = False
    for command in pending.batch.commands[:applied]:
        if isinstance(command, SetCurrent):
            later = replace(later, current_a=command.current_a, current_changed_at=pending.issued_at)
        elif isinstance(command, SwitchPhases):
            is_phase_switched = True
            later = replace(
                later,
                phases=command.phases,
                phases_switched_at=pending.issued_at,
                phases_refused_at=None,
                phases_refusals=0,
                guard=None,
            )
        elif isinstance(command, Enable | Disable):
            is_on = isinstance(command, Enable)
            # a pause for switching phases is not to be followed by a guard [DEF-2]
            guard = pending.issued_at if pending.starts_guard and not (switches and not is_on) else later.guard
            wake_timer = None
            if is_on:
                wake_timer = pending.issued_at if later.wake_timer is None else later.wake_timer
            later = replace(
                later,
                is_enabled=is_on,
                is_certain=True,
                current_a=later.current_a if is_on else None,
                guard=guard,
                enable_changed_at=pending.issued_at,
                wake_timer=wake_timer,
            )
            is_cleared = is_cleared or (pending.clears_pv_timer and not switches)
    if switches and not is_phase_switched and isinstance(pending.batch.commands[applied], SwitchPhases):
        later = replace(later, phases_refused_at=pending.issued_at, phases_refusals=later.phases_refusals + 1)
    if outcome.result is Result.UNKNOWN and applied < len(pending.batch.commands):
        later = doubt(later, pending.batch.commands[applied:])
    return Confirmed(later, is_phase_switched, is_cleared)


def doubt(state: ChargerState, commands: tuple[Command, ...]) -> ChargerState:
    """Nobody knows whether ``commands`` took effect: forget what they would have changed, so that it is sent again."""
    for command in commands:
        if isinstance(command, SetCurrent):
            state = replace(state, current_a=None)
        elif isinstance(command, SwitchPhases):
            state = replace(state, phases=0)
        elif isinstance(command, Enable | Disable):
            state = replace(state, is_certain=False, current_a=None)
    return state


def doubt_current(state: ChargerState, report: Measured[float], *, instant: timedelta) -> ChargerState:
    """Forget the current of a charger that reports to offer more than it was told, so that it is told again [DEF-6].

    Less is none of our business: a switch inside or its own protection may hold it down.
    """
    since = state.current_changed_at
    if (
        state.pending is not None
        or state.current_a is None
        or not state.is_enabled
        or report.value <= state.current_a + OFFER_TOLERANCE_A
        or (since is not None and (instant - since < SYNC_GRACE or report.sampled_at <= since))
    ):
        return state
    return replace(state, current_a=None, current_changed_at=instant)


class Synced(NamedTuple):
    """The state after looking at what the charger reports; ``is_contradiction``: it was not what we believed."""

    state: ChargerState
    is_contradiction: bool


def sync(
    state: ChargerState, *, is_enabled: bool, sampled_at: timedelta, is_charging: bool, instant: timedelta
) -> Synced:
    """Compare with the charger's own report, sampled at ``sampled_at`` [SYN-1..SYN-4, DEF-6].

    The first report is adopted [LP-3]. Later ones are followed once 60 s have passed since the last enable command. A charger
    that says disabled while its vehicle charges counts as enabled, and is told explicitly what to be; at once if it is found so,
    as there is no command of ours that it could still be working on.
    """
    if state.pending is not None:
        return Synced(state, False)
    if not state.is_adopted:
        adopted = replace(
            state,
            is_adopted=True,
            is_certain=True,
            is_enabled=is_enabled,
            guard=instant if is_enabled else state.guard,
            enable_changed_at=instant,
        )
        if is_charging and not is_enabled:
            return Synced(replace(adopted, is_enabled=True, is_certain=False), False)
        return Synced(adopted, False)
    if is_enabled is state.is_enabled and (is_enabled or not is_charging):
        return Synced(state, False)
    since = state.enable_changed_at
    if since is not None and (instant - since < SYNC_GRACE or sampled_at <= since):
        return Synced(state, False)
    if is_charging and not is_enabled:
        return Synced(replace(state, is_enabled=True, is_certain=False), state.is_certain)
    wake_timer = state.wake_timer if is_enabled else None
    followed = replace(state, is_enabled=is_enabled, is_certain=True, current_a=None, wake_timer=wake_timer)
    return Synced(followed, True)
