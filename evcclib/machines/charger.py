"""From a current to commands, and from outcomes back to what is known of the charger [LIM-1..LIM-8, SYN-1..SYN-4, DEF-6, DEF-7].

    wanted ----------> plan ------> Batch (in flight) --- Outcome ---> confirm -----> ChargerState
                        ^ guard                                                         |
                        +-- disagreements <--- sync <--- what the charger reports <-----+

Commanded and confirmed are different things: a batch in flight has changed nothing yet, except that its current counts as
drawn wherever limits are added up. Guard and delays count from the instant at which a batch was issued.

What was commanded and confirmed last is believed. A report that says otherwise is a disagreement
(`evcclib.machines.readback`): the charger is told again what was wanted, which starts no guard and clears no timer, and nothing
is decided from the report.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any, NamedTuple

from evcclib.commands import Batch, Command, Disable, Enable, Outcome, Result, SetCurrent, SwitchPhases
from evcclib.machines import readback
from evcclib.machines.hold import Timer, first_after
from evcclib.machines.readback import WAIT_MAX, Disagreement, agreed, contradicted, doubled, is_due, overtaken, told
from evcclib.machines.replaced import often_replaced
from evcclib.machines.rounding import UNKNOWN, Rounding
from evcclib.readings import Measured
from evcclib.units import SECOND, TICK, Instant

SYNC_GRACE = timedelta(seconds=60)
"""A charger may take so long to report what it was told [DEF-6]."""
OFFER_TOLERANCE_A = 0.5
"""A charger that rounds its report may show so much more than it was told."""
DRAWN_TOLERANCE_A = 1.0
"""A vehicle at its limit may be measured to draw so much more: meter and vehicle are good to a few per cent."""
DRAWING_W = 230.0
"""More than this flows into a vehicle that charges (1 A on one phase), not into a station at rest."""
PHASES_GRACE = timedelta(minutes=5)
"""Connecting other phases again interrupts the vehicle, so a wrong report of them must last so long."""
SWITCH_RETRY = timedelta(minutes=5)
"""A charger that could not switch phases is left on those it has for so long, twice as long each time, and charges on them ..."""
SWITCH_TRIES = 3
"""... after so many failures in a row; before, the next tick tries again [PH-7]."""
COMMAND_RETRY = timedelta(seconds=10)
"""A command that was refused is said again after so long, then after twice as long each time, but ..."""
RAISE_RETRY_MAX = timedelta(minutes=5)
"""... at least so often where the vehicle is to take more, and ..."""
LOWER_RETRY_MAX = timedelta(seconds=30)
"""... so often where it is to take less."""
UNHEARD_RETRY = timedelta(seconds=10)
"""A charger that is silent may hear all the same: what a limit leaves is said again after so long, twice as long ..."""
UNHEARD_RETRY_MAX = timedelta(seconds=60)
"""... but at least so often."""
COARSE_STEP_A = 1.0
"""A charger is set in steps of this at most, and for a vehicle that takes whole amperes only in steps of this."""


class Pending(NamedTuple):
    """A batch in flight. ``starts_guard`` and ``clears_pv_timer`` say what its enable change will do when confirmed."""

    batch: Batch
    issued_at: Instant
    starts_guard: bool
    clears_pv_timer: bool


class CurrentRange(NamedTuple):
    """The lowest and the highest current that may stand at a charger [A]."""

    least_a: float
    most_a: float


@often_replaced
class ChargerState(NamedTuple):
    """What is confirmed of a charger. ``current_a`` None: not known, or forgotten by disabling [DEF-7].

    ``is_certain`` False: nobody knows whether it is enabled, so the next decision says it explicitly. ``current_range_a`` is what
    may stand while ``current_a`` is in doubt, None where nobody knows; ``wanted_a`` what was decided last, whether or not it has
    arrived (0: off; None: nothing yet). ``unknown_a`` is the most that could be offered at any time since nobody knows what
    stands: a maximum that is lowered has not arrived yet. ``rounding`` is what its read-backs tell of its step.
    """

    is_enabled: bool = False
    is_certain: bool = False
    is_adopted: bool = False  # its own state has been taken over once [LP-3]
    current_a: float | None = None
    current_range_a: CurrentRange | None = None
    wanted_a: float | None = None
    unknown_a: float = 0.0
    doubted_at: Timer = None  # last Enable or Disable that got no answer
    guard: Timer = None  # since when the contactor rests
    enable_changed_at: Timer = None  # last Enable or Disable that was sent
    current_changed_at: Timer = None  # last SetCurrent that was sent
    phases: int = 0  # 0 unknown [PH-1]
    phases_switched_at: Timer = None
    phases_refused_at: Timer = None  # last switch of phases that failed, and none has worked since
    phases_refusals: int = 0  # how many in a row
    enabled_disagreement: Disagreement | None = None
    current_disagreement: Disagreement | None = None
    phases_disagreement: Disagreement | None = None
    wake_timer: Timer = None
    pending: Pending | None = None
    number: int = 0  # of the last batch
    has_failed: bool = False
    refused_at: Timer = None  # last command that was refused, or got no answer again, and none has worked since
    refusals: int = 0  # how many in a row
    is_lowering_refused: bool = False  # the last of them would have made the vehicle take less
    unheard_at: Timer = None  # last lowering that was sent although it is silent
    unheard_tries: int = 0  # how many since it fell silent
    rounding: Rounding = UNKNOWN

    @property
    def disagreements(self) -> tuple[Disagreement | None, Disagreement | None, Disagreement | None]:
        """Of the reports of being enabled, of the phases and of the current: what matters most comes first."""
        return self.enabled_disagreement, self.phases_disagreement, self.current_disagreement

    @property
    def seems_off(self) -> bool:
        """Whether it was told to charge, says that it is disabled, and nothing is known to flow."""
        report = self.enabled_disagreement
        return self.is_enabled and report is not None and report.is_open and not report.is_refuted

    @property
    def runs_unasked(self) -> bool:
        """Whether it was told to stop and power flows all the same."""
        report = self.enabled_disagreement
        return not self.is_enabled and report is not None and report.is_open and report.is_resisted

    @property
    def resists_current(self) -> bool:
        """Whether more is measured to flow than it was told."""
        report = self.current_disagreement
        return self.is_enabled and report is not None and report.is_open and report.is_resisted

    @property
    def may_be_on(self) -> bool:
        """Whether power may flow: enabled, perhaps enabled, or said to be so."""
        report = self.enabled_disagreement
        return self.may_be_enabled or (report is not None and report.is_open)

    @property
    def may_be_enabled(self) -> bool:
        """Whether it is enabled as far as anybody knows who has told it."""
        return self.is_enabled or not self.is_certain

    @property
    def standing_a(self) -> CurrentRange | None:
        """The currents that may stand, confirmed or in doubt, enabled or not; None: nobody knows."""
        return self.current_range_a if self.current_a is None else CurrentRange(self.current_a, self.current_a)

    @property
    def sure_a(self) -> float:
        """What is offered at least [A], 0 = off or nobody knows."""
        if not self.is_enabled or not self.is_certain:
            return 0.0
        if self.current_a is not None:
            return self.current_a
        return 0.0 if self.current_range_a is None else self.current_range_a.least_a

    def committed_a(self, unknown_a: float) -> float:
        """What the vehicle may be drawing at most: offered, or already on its way [A]; ``unknown_a`` where nobody knows."""
        committed_a = 0.0
        if self.may_be_enabled:
            standing_a = self.standing_a
            committed_a = max(unknown_a, self.unknown_a) if standing_a is None else standing_a.most_a
        if self.pending is not None:
            for command in self.pending.batch.commands:
                if isinstance(command, SetCurrent):
                    committed_a = max(committed_a, command.current_a)
        return committed_a


def floor_to_step(current_a: float, step_a: float) -> float:
    """The largest current the device can be set to that is not above ``current_a`` [LIM-2, DEF-7]."""
    if step_a == 1.0:
        return float(math.floor(current_a))
    count = math.floor(current_a / step_a) + 1
    while count > 0 and round(count * step_a, 6) > current_a:
        count -= 1
    return round(count * step_a, 6)


def ceil_to_step(current_a: float, step_a: float) -> float:
    """The smallest current the device can be set to that is not below ``current_a`` [DEF-7]."""
    if step_a == 1.0:
        return float(math.ceil(current_a))
    floor = floor_to_step(current_a, step_a)
    return floor if floor >= current_a else round(floor + step_a, 6)


def guard_remaining(guard: Timer, guard_duration: timedelta, instant: Instant) -> timedelta:
    """How long the contactor must still rest, in whole seconds cut off [LIM-5]."""
    if guard is None:
        return timedelta(0)
    left = guard + guard_duration - instant
    return timedelta(seconds=left // timedelta(seconds=1)) if left > timedelta(0) else timedelta(0)


def _guard_ends_at(guard: Timer, guard_duration: timedelta) -> Timer:
    """From when on `guard_remaining` is nothing."""
    return None if guard is None else guard + guard_duration - SECOND + TICK


def may_switch(state: ChargerState, instant: Instant) -> bool:
    """Whether it makes sense to ask for other phases now: not soon after the charger could not do it time and again.

    Nor soon after it has reported others than it was told to connect, and been told again.
    """
    report = state.phases_disagreement
    if report is not None and report.repeats and instant < report.next_at:
        return False
    retry_at = switch_retry_at(state)
    return retry_at is None or instant >= retry_at


def switch_retry_at(state: ChargerState) -> Timer:
    """From when on a charger that could not switch phases may be asked again; None: at once. Each try ends a charge."""
    if state.phases_refused_at is None or state.phases_refusals < SWITCH_TRIES:
        return None
    return state.phases_refused_at + doubled(SWITCH_RETRY, WAIT_MAX, times=state.phases_refusals - SWITCH_TRIES)


def may_switch_again(state: ChargerState, instant: Instant) -> bool:
    """Whether the phases that were wanted last are to be connected again, as long since others are reported."""
    report = state.phases_disagreement
    if report is None or report.is_refuted or not is_due(report, instant):
        return False
    return instant - report.since >= PHASES_GRACE


def lowers(state: ChargerState, commands: tuple[Command, ...]) -> bool:
    """Whether the vehicle is to take less, as far as anybody knows."""
    for command in commands:
        if isinstance(command, Disable):
            return True
        if isinstance(command, Enable):
            return False
    currents = [command.current_a for command in commands if isinstance(command, SetCurrent)]
    return bool(currents) and (state.current_a is None or currents[0] < state.current_a)


def retried_at(state: ChargerState, commands: tuple[Command, ...], *, is_urgent: bool = False) -> Timer:
    """Before when ``commands`` are not worth sending, as the charger has refused the like; None: send them now [LIM-9].

    ``is_urgent``: what may stand is above a limit; then the wait does not grow.
    """
    if state.refused_at is None:
        return None
    is_lowering = lowers(state, commands)
    if is_lowering and not state.is_lowering_refused:
        return None
    if is_urgent:
        return state.refused_at + COMMAND_RETRY
    wait = COMMAND_RETRY * (1 << min(max(state.refusals - 1, 0), 10))
    return state.refused_at + min(wait, LOWER_RETRY_MAX if is_lowering else RAISE_RETRY_MAX)


def unheard_retry_at(state: ChargerState) -> Timer:
    """From when on a charger that is silent may be told once more what a limit leaves; None: now."""
    if state.unheard_at is None:
        return None
    return state.unheard_at + doubled(UNHEARD_RETRY, UNHEARD_RETRY_MAX, times=max(state.unheard_tries - 1, 0))


class Wish(NamedTuple):
    """What a loadpoint is to do: ``current_a`` is quantised and within all limits, 0 = off; ``phases`` 0 = as they are.

    ``may_start``: it could be started now. A current that is only kept until a delay is over does not mean that.
    """

    current_a: float
    phases: int
    is_forced: bool  # the guard is no reason to wait
    may_start: bool = True


class Planned(NamedTuple):
    """The commands, whether the guard holds an enable change back, and whether they only say again what was said before."""

    commands: tuple[Command, ...]
    is_guarded: bool
    is_repeated: bool = False


def plan(
    state: ChargerState, wish: Wish, *, instant: Instant, current_min_a: float, guard_duration: timedelta
) -> Planned:
    """The commands that lead from the confirmed state to the wish [LIM-1..LIM-8].

    While the guard keeps the contactor closed, the current falls to ``current_min_a``. Who may be off already is not switched on
    by something that is only kept: it waits for the start or the stop that the law decides.
    """
    is_wanted = wish.current_a > 0
    if wish.phases and wish.phases != state.phases:
        return Planned(_switch(state, wish.phases, wish.current_a), False)
    current: tuple[Command, ...] = ()
    if is_wanted and wish.current_a != state.current_a:
        current = (SetCurrent(wish.current_a),)
    if is_wanted and state.seems_off and not wish.may_start:
        return Planned((), False)  # a station that pauses by its current would be started by a current, too
    if is_wanted is state.is_enabled:
        if not state.is_certain:
            is_held = is_wanted and not wish.may_start
            return Planned(current if is_held else (*current, Enable() if is_wanted else Disable()), False)
        repeated = _repeat(state, wish, instant=instant)
        return Planned(repeated or current, False, is_repeated=bool(repeated))
    is_guarded = (
        state.is_certain and not wish.is_forced and guard_remaining(state.guard, guard_duration, instant) > timedelta(0)
    )
    if not is_guarded:
        return Planned((*current, Enable() if is_wanted else Disable()), False)
    if not is_wanted and (state.current_a is None or state.current_a > current_min_a):
        current = (SetCurrent(current_min_a),)
    return Planned(current, True)


def _switch(state: ChargerState, phases: int, current_a: float) -> tuple[Command, ...]:
    """Connect ``phases``, without current, and offer ``current_a`` afterwards; 0: stay off."""
    commands: tuple[Command, ...] = (SwitchPhases(phases),)
    if state.may_be_on:
        commands = (Disable(), *commands)
    return (*commands, SetCurrent(current_a), Enable()) if current_a > 0 else commands


def _repeat(state: ChargerState, wish: Wish, *, instant: Instant) -> tuple[Command, ...]:
    """What is to be said again because the charger reports otherwise; the wish is what was wanted before [SYN-2]."""
    is_wanted = wish.current_a > 0
    if is_due(state.enabled_disagreement, instant):
        if not is_wanted:
            return (Disable(),)
        if wish.may_start:
            is_told_current = wish.current_a == state.current_a and not state.seems_off
            return (Enable(),) if is_told_current else (SetCurrent(wish.current_a), Enable())
    if may_switch_again(state, instant) and (wish.may_start or not is_wanted):
        return _switch(state, state.phases, wish.current_a)
    if is_wanted and is_due(state.current_disagreement, instant):
        return (SetCurrent(wish.current_a),)
    return ()


def _note_repeated(state: ChargerState, commands: tuple[Command, ...], *, instant: Instant) -> ChargerState:
    """Count what is said again, so that it is said ever less often."""
    kinds = {type(command) for command in commands}
    later = state
    if SetCurrent in kinds:
        later = later._replace(current_disagreement=told(later.current_disagreement, instant=instant))
    if SwitchPhases in kinds:
        later = later._replace(phases_disagreement=told(state.phases_disagreement, instant=instant))
    if Enable in kinds or Disable in kinds:
        later = later._replace(enabled_disagreement=told(state.enabled_disagreement, instant=instant))
    return later


def issue(
    state: ChargerState,
    commands: tuple[Command, ...],
    *,
    instant: Instant,
    starts_guard: bool,
    clears_pv_timer: bool,
    is_repeated: bool = False,
) -> tuple[ChargerState, Batch]:
    """Put ``commands`` in flight; there must be none in flight. What is only repeated starts no guard and clears no timer."""
    assert state.pending is None
    if is_repeated:
        state = _note_repeated(state, commands, instant=instant)
        starts_guard = clears_pv_timer = False
    batch = Batch(state.number + 1, commands)
    pending = Pending(batch, instant, starts_guard, clears_pv_timer)
    return state._replace(number=batch.number, pending=pending), batch


class Confirmed(NamedTuple):
    """The state after an outcome and what it means for the timers; what was only said again means nothing for them."""

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
        later = state._replace(pending=None, has_failed=False, refused_at=None, refusals=0)
    else:
        applied = min(outcome.applied, len(pending.batch.commands))
        later = state._replace(pending=None, has_failed=True)
    switches = SwitchPhases in map(type, pending.batch.commands)
    is_phase_switched = is_cleared = False
    for command in pending.batch.commands[:applied]:
        if isinstance(command, SetCurrent):
            disagreement = later.current_disagreement
            if command.current_a != later.current_a:
                disagreement = agreed(disagreement, instant=pending.issued_at)
            later = later._replace(
                current_a=command.current_a,
                current_range_a=None,
                current_changed_at=pending.issued_at,
                current_disagreement=disagreement,
            )
        elif isinstance(command, SwitchPhases):
            is_other = command.phases != later.phases
            is_phase_switched = is_phase_switched or is_other
            later = later._replace(
                phases=command.phases,
                phases_switched_at=pending.issued_at,
                phases_refused_at=None,
                phases_refusals=0,
                guard=None if is_other else later.guard,
            )
            if is_other:
                was_wrong = later.phases_disagreement
                later = later._replace(phases_disagreement=overtaken(was_wrong, instant=pending.issued_at))
        elif isinstance(command, Enable | Disable):
            is_on = isinstance(command, Enable)
            # a pause for switching phases is not to be followed by a guard [DEF-2]
            guard = pending.issued_at if pending.starts_guard and not (switches and not is_on) else later.guard
            wake_timer = None
            if is_on:
                wake_timer = pending.issued_at if later.wake_timer is None else later.wake_timer
            later = later._replace(
                is_enabled=is_on,
                is_certain=True,
                current_a=later.current_a if is_on else None,
                current_range_a=later.current_range_a if is_on else None,
                guard=guard,
                enable_changed_at=pending.issued_at,
                wake_timer=wake_timer,
            )
            is_cleared = is_cleared or (pending.clears_pv_timer and not switches and is_on is not state.is_enabled)
    if later.is_enabled is not state.is_enabled:
        was_wrong = later.enabled_disagreement
        later = later._replace(enabled_disagreement=overtaken(was_wrong, instant=pending.issued_at))
    if applied < len(pending.batch.commands) and isinstance(pending.batch.commands[applied], SwitchPhases):
        later = later._replace(phases_refused_at=pending.issued_at, phases_refusals=later.phases_refusals + 1)
    elif outcome.result is Result.FAILED and applied < len(pending.batch.commands):
        later = later._replace(
            refused_at=pending.issued_at,
            refusals=state.refusals + 1,
            is_lowering_refused=lowers(state, pending.batch.commands[applied:]),
        )
    elif state.has_failed and outcome.result is Result.UNKNOWN and applied < len(pending.batch.commands):
        # once it is said again at once, then only as often as needs be
        later = later._replace(
            refused_at=pending.issued_at,
            refusals=max(state.refusals, 1),
            is_lowering_refused=lowers(state, pending.batch.commands[applied:]),
        )
    if outcome.result is Result.UNKNOWN and applied < len(pending.batch.commands):
        later = doubt(later, pending.batch.commands[applied:], issued_at=pending.issued_at)
    return Confirmed(later, is_phase_switched, is_cleared)


def doubt(state: ChargerState, commands: tuple[Command, ...], *, issued_at: Instant) -> ChargerState:
    """Nobody knows whether ``commands`` took effect: forget what they would have changed, so that it is sent again.

    The currents that may stand instead are remembered as a range.
    """
    standing_a = state.standing_a
    is_unset = (
        standing_a is None and not state.may_be_enabled
    )  # then it is enabled with the current that is sent, or not at all
    for command in commands:
        if isinstance(command, SetCurrent):
            if standing_a is not None:
                least_a, most_a = standing_a
                standing_a = CurrentRange(min(least_a, command.current_a), max(most_a, command.current_a))
            elif is_unset:
                standing_a = CurrentRange(command.current_a, command.current_a)
            state = state._replace(current_a=None, current_range_a=standing_a)
        elif isinstance(command, SwitchPhases):
            state = state._replace(phases=0, phases_switched_at=issued_at)
        elif isinstance(command, Enable | Disable):
            state = state._replace(is_certain=False, doubted_at=issued_at, current_a=None, current_range_a=standing_a)
    return state


def forget_current(state: ChargerState) -> ChargerState:
    """Nobody has looked after the charger for a while: it may offer anything, and is told again what was wanted."""
    standing_a = state.standing_a
    unknown_a = state.unknown_a if standing_a is None else standing_a.most_a
    return state._replace(current_a=None, current_range_a=None, unknown_a=unknown_a)


def answers_again(state: ChargerState, report: Report) -> ChargerState:
    """A charger has been silent: one that offers less than it was told has begun anew meanwhile, and is told again [SYN-4]."""
    offered, told_a = report.offered_a, state.current_a
    if state.pending is not None or offered is None or told_a is None or offered.value >= told_a - OFFER_TOLERANCE_A:
        return state
    return forget_current(state)


def see_unknown(state: ChargerState, possible_a: float) -> ChargerState:
    """Keep what could be offered, now ``possible_a``, for as long as nobody knows what is."""
    is_unknown = state.may_be_enabled and state.standing_a is None
    unknown_a = max(state.unknown_a, possible_a) if is_unknown else 0.0
    return state if unknown_a == state.unknown_a else state._replace(unknown_a=unknown_a)


class Report(NamedTuple):
    """What a charger and its meter say, as far as it is new enough; None: nothing.

    ``is_charging`` is its status; ``is_drawing`` and ``drawn_a`` (the busiest phase) are measured, and tell more than any flag.
    """

    is_charging: bool
    is_enabled: Measured[bool] | None = None
    is_drawing: Measured[bool] | None = None
    offered_a: Measured[float] | None = None
    drawn_a: Measured[float] | None = None


def sync(state: ChargerState, report: Report, *, instant: Instant) -> ChargerState:
    """Compare what was wanted last with what is reported [SYN-1..SYN-4, DEF-6].

    The first report of being enabled is adopted [LP-3]; a charger that says disabled while its vehicle charges is told explicitly
    what to be then, as there is no command of ours that it could still be working on. It counts as enabled if power is measured.
    """
    if state.pending is not None:
        return state
    if not state.is_adopted:
        return state if report.is_enabled is None else _adopt(state, report, report.is_enabled.value, instant=instant)
    return _sync_current(_sync_enabled(state, report, instant=instant), report, instant=instant)


def _adopt(state: ChargerState, report: Report, is_enabled: bool, *, instant: Instant) -> ChargerState:
    draws = report.is_drawing is not None and report.is_drawing.value
    is_contradicting = not is_enabled and (draws or report.is_charging)
    return state._replace(
        is_adopted=True,
        is_certain=not is_contradicting,
        is_enabled=is_enabled or (is_contradicting and draws),
        guard=instant if is_enabled else state.guard,
        enable_changed_at=instant,
    )


def contradicts_enabled(state: ChargerState, report: Report) -> bool:
    """Whether anything reported does not fit what was wanted last; whose end nobody knows is told explicitly anyway."""
    if not state.is_certain:
        return False
    if state.is_enabled:
        return report.is_enabled is not None and not report.is_enabled.value
    return (
        report.is_charging
        or (report.is_enabled is not None and report.is_enabled.value)
        or (report.is_drawing is not None and report.is_drawing.value)
    )


def _settled_off(state: ChargerState, report: Report) -> bool:
    """Whether a stop that got no answer has arrived: the charger says so, and its meter too."""
    since = state.doubted_at
    return (
        not state.is_certain
        and since is not None
        and state.wanted_a == 0
        and not report.is_charging
        and report.is_enabled is not None
        and not report.is_enabled.value
        and report.is_enabled.sampled_at > since
        and report.is_drawing is not None
        and not report.is_drawing.value
        and report.is_drawing.sampled_at > since
    )


def _sync_enabled(state: ChargerState, report: Report, *, instant: Instant) -> ChargerState:
    if _settled_off(state, report):
        sent_at = state.doubted_at
        return state._replace(is_enabled=False, is_certain=True, enable_changed_at=sent_at, guard=sent_at)
    since = state.enable_changed_at
    if _is_older(report.is_enabled, since) or _is_older(report.is_drawing, since):
        return state
    before = state.enabled_disagreement
    if not contradicts_enabled(state, report):
        later = agreed(before, instant=instant)
        return state if later is before else state._replace(enabled_disagreement=later)
    if since is not None and instant - since < SYNC_GRACE:
        return state
    says_enabled = report.is_enabled is not None and report.is_enabled.value
    draws = report.is_charging if report.is_drawing is None else report.is_drawing.value
    later = contradicted(
        before,
        instant=instant,
        is_refuted=state.is_enabled and draws,
        is_resisted=not state.is_enabled and draws,
        is_urgent=not state.is_enabled and draws and says_enabled,
    )
    if later is not before:
        state = state._replace(enabled_disagreement=later)
    if state.seems_off and state.wake_timer is not None:
        state = state._replace(wake_timer=None)
    return state


def _is_older(sample: Measured[Any] | None, since: Timer) -> bool:
    """Whether a sample does not show what was sent at ``since`` yet."""
    return sample is not None and since is not None and sample.sampled_at <= since


def contradicts_current(state: ChargerState, report: Report) -> bool:
    """Whether more is offered or drawn than was told.

    Less is none of our business: a switch inside or its own protection may hold it down.
    """
    return (
        state.is_enabled
        and state.current_a is not None
        and (
            (report.offered_a is not None and report.offered_a.value > state.current_a + OFFER_TOLERANCE_A)
            or _draws_more(report, state.current_a)
        )
    )


def _draws_more(report: Report, current_a: float) -> bool:
    return report.drawn_a is not None and report.drawn_a.value > current_a + DRAWN_TOLERANCE_A


def _sync_current(state: ChargerState, report: Report, *, instant: Instant) -> ChargerState:
    since, before = state.current_changed_at, state.current_disagreement
    if _is_older(report.offered_a, since) or _is_older(report.drawn_a, since):
        return state
    later: Disagreement | None
    if state.current_a is None or not contradicts_current(state, report):
        later = agreed(before, instant=instant)
    elif since is not None and instant - since < SYNC_GRACE:
        return state
    else:
        resists = _draws_more(report, state.current_a)
        later = contradicted(before, instant=instant, is_resisted=resists, is_urgent=resists)
    return state if later is before else state._replace(current_disagreement=later)


def see_phases(state: ChargerState, reported: int | None, *, measured: int, instant: Instant) -> ChargerState:
    """Compare the phases that were connected last with those reported, 1, 3 or None; ``measured`` carry current, or 0 [PH-9].

    Currents tell more than the report: on more phases than are believed to be connected they prove that it is three, and on as
    many as are believed that no switch is needed. What was never switched is as reported, until currents have said otherwise.
    """
    before = state.phases_disagreement
    has_switched = state.phases_switched_at is not None
    later: Disagreement | None
    if 0 < state.phases < measured:
        if has_switched:
            later = told(contradicted(before, instant=instant, is_resisted=True), instant=instant)
        else:
            later = contradicted(before, instant=instant, is_refuted=True) if reported == 1 else before
        return state._replace(phases=3, phases_disagreement=later)
    if reported is None:
        return state
    if reported == state.phases:
        later = agreed(before, instant=instant)
    elif state.phases == 0 or (not has_switched and before is None):
        return state._replace(phases=reported)
    else:
        is_refuted = measured > reported or 0 < measured == state.phases
        later = contradicted(before, instant=instant, is_refuted=is_refuted)
    return state if later is before else state._replace(phases_disagreement=later)


def next_change(
    state: ChargerState, report: Report, *, instant: Instant, guard_duration: timedelta, limited_at: Timer
) -> Instant | None:
    """When the same wish could lead to other commands, or the same report to another state.

    A report that agrees changes nothing, however old. ``limited_at``: when a limit has stopped it last, from when on it rests,
    too.
    """
    enabled_at, changed_at, phases = state.enable_changed_at, state.current_changed_at, state.phases_disagreement
    return first_after(
        instant,
        _guard_ends_at(state.guard, guard_duration),
        None if state.is_enabled else _guard_ends_at(limited_at, guard_duration),
        switch_retry_at(state),
        unheard_retry_at(state),
        enabled_at + SYNC_GRACE if enabled_at is not None and contradicts_enabled(state, report) else None,
        changed_at + SYNC_GRACE if changed_at is not None and contradicts_current(state, report) else None,
        readback.next_change(state.enabled_disagreement, instant),
        readback.next_change(state.current_disagreement, instant),
        None if phases is None else phases.next_at,
        None if phases is None else phases.since + PHASES_GRACE,
    )
