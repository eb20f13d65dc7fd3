"""What a home battery is told to do, how long that lasts, and when it is said again [BAT-2..BAT-7].

    calls --- choose ---> mode --- say ---> BatteryCommand (in flight) --- BatteryOutcome ---> take ---> what it does
                                    ^                                                                    |
                                    +---- not what it is to do, or it would expire soon <----------------+

A mode other than normal is a dead man's switch: it ends by itself unless it is renewed, and who does not know what a battery does
brings it to normal before anything else.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import NamedTuple

from evcclib.commands import BatteryCommand, BatteryMode, BatteryOutcome, Result
from evcclib.machines.hold import Timer, first_after
from evcclib.machines.readback import doubled
from evcclib.reasons import BatteryCode, BatteryReason
from evcclib.units import Instant

REST = timedelta(minutes=3)
"""A battery stays in a mode so long at least, and held so long after nothing calls for it any more: a car that pauses, or swings
around its end, must not make battery and car change places each time."""
EXPIRY = timedelta(minutes=5)
"""A mode that is not renewed ends by itself after so long, ..."""
EXPIRY_TICKS = 6
"""... or after so many intervals, if these take longer: it is renewed after a third of that time."""
RETRY = timedelta(seconds=10)
"""A command that has failed is said again after so long, then after twice as long each time, but ..."""
FREE_RETRY_MAX = timedelta(minutes=1)
"""... at least so often where it brings the battery back to normal, and ..."""
RETRY_MAX = timedelta(minutes=5)
"""... so often where it does not."""
OVERRIDE_LASTS = timedelta(seconds=60)
"""What somebody else says of the batteries holds so long, unless it is said again."""
OUTCOME_DUE = timedelta(seconds=60)
"""A command of which nobody has said by now what became of it has been forgotten."""

FREE = BatteryReason(BatteryCode.FREE)


class Call(NamedTuple):
    """Something calls for ``mode``."""

    mode: BatteryMode
    reason: BatteryReason


class Override(NamedTuple):
    """What somebody else wants them to do, and until when."""

    mode: BatteryMode
    until: Instant


class Telling(NamedTuple):
    """A command in flight; ``before``: what the battery was known to do, None: nobody knew."""

    command: BatteryCommand
    issued_at: Instant
    before: BatteryMode | None


class BatteryControl(NamedTuple):
    """One home battery under control. ``mode`` is what it is to do, ``known`` what it does: None where nobody knows, as while a
    command is in flight. ``uncalled_at`` is since when nothing calls for ``mode``, ``renewed_at`` when it was told it last."""

    mode: BatteryMode = BatteryMode.NORMAL
    known: BatteryMode | None = BatteryMode.NORMAL
    changed_at: Timer = None
    uncalled_at: Timer = None
    renewed_at: Timer = None
    pending: Telling | None = None
    number: int = 0  # of the last command
    failed_at: Timer = None  # last command that has failed, and none has worked since
    failures: int = 0  # how many in a row
    reason: BatteryReason = FREE

    @property
    def shown(self) -> BatteryMode | None:
        """What it does as far as anybody knows: a command that is only on its way has changed nothing."""
        return self.known if self.pending is None else self.pending.before


AT_REST = BatteryControl()


def override(mode: BatteryMode | None, instant: Instant) -> Override | None:
    """What somebody else has just said."""
    return None if mode is None else Override(mode, instant + OVERRIDE_LASTS)


def choose(
    control: BatteryControl, calls: Sequence[Call], *, ended: Collection[BatteryMode] = (), instant: Instant
) -> BatteryControl:
    """Decide what it is to do: the first of ``calls``, else normal, but no sooner than `REST` allows. Modes that have ``ended``
    are over at once: their owner has switched them off, or a limit forbids them."""
    if control.mode is BatteryMode.NORMAL is not control.known:
        return control._replace(reason=_failed(control) or BatteryReason(BatteryCode.FREEING))
    wanted = calls[0] if calls else Call(BatteryMode.NORMAL, FREE)
    is_called = any(call.mode is control.mode for call in calls)
    since = instant if control.uncalled_at is None else control.uncalled_at
    control = control._replace(uncalled_at=None if is_called else since)
    if wanted.mode is control.mode:
        return control._replace(reason=_failed(control) or wanted.reason)
    until = _rests_until(control)
    if until is not None and instant < until and control.mode not in ended:
        return control._replace(reason=BatteryReason(BatteryCode.RESTS, {"wanted": wanted.mode.value}, until=until))
    return control._replace(
        mode=wanted.mode, changed_at=instant, uncalled_at=None, failed_at=None, reason=wanted.reason
    )


def say(
    control: BatteryControl, *, expiry: timedelta, instant: Instant
) -> tuple[BatteryControl, BatteryCommand | None]:
    """The command that is due: what it is not known to do, or would not do much longer."""
    due_at = _due_at(control, expiry, instant)
    if due_at is None or instant < due_at:
        return control, None
    is_normal = control.mode is BatteryMode.NORMAL
    command = BatteryCommand(control.number + 1, control.mode, None if is_normal else instant + expiry)
    telling = Telling(command, instant, control.known)
    return control._replace(pending=telling, known=None, number=command.number), command


def take(control: BatteryControl, outcome: BatteryOutcome, *, instant: Instant) -> BatteryControl:
    """What is known after ``outcome``; one that is not awaited changes nothing."""
    pending = control.pending
    if pending is None or pending.command.number != outcome.number:
        return control
    if outcome.result is Result.DONE:
        return control._replace(
            pending=None,
            known=pending.command.mode,
            renewed_at=pending.issued_at,
            failed_at=None,
            failures=0,
            reason=FREE if control.reason.code is BatteryCode.FREEING else control.reason,
        )
    known = pending.before if outcome.result is Result.FAILED else None
    return control._replace(pending=None, known=known, failed_at=instant, failures=control.failures + 1)


def forgotten(control: BatteryControl, battery: int, instant: Instant) -> BatteryOutcome | None:
    """The outcome to assume of a command that nobody has reported one of."""
    pending = control.pending
    if pending is None or instant - pending.issued_at < OUTCOME_DUE:
        return None
    return BatteryOutcome(battery, pending.command.number, Result.UNKNOWN, "nobody knows what became of it")


def doubted(control: BatteryControl) -> BatteryControl:
    """After a time in which nobody has looked after it: what was not certainly in normal mode is to be brought there first."""
    is_free = control.known is BatteryMode.NORMAL and control.mode is BatteryMode.NORMAL
    return BatteryControl(known=BatteryMode.NORMAL if is_free else None, number=control.number)


def expiry_of(interval: timedelta) -> timedelta:
    """How long a mode lasts that is not renewed, where it could be at every ``interval``."""
    return max(EXPIRY, EXPIRY_TICKS * interval)


def next_change(control: BatteryControl, *, expiry: timedelta, instant: Instant) -> Instant | None:
    """When something is said again, or another mode may begin; now while a command is in flight, None: nothing is waited for."""
    if control.pending is not None:
        return instant
    return first_after(instant, _rests_until(control), _due_at(control, expiry, instant))


def _rests_until(control: BatteryControl) -> Timer:
    since = control.changed_at
    if control.mode is BatteryMode.HOLD and control.uncalled_at is not None:
        since = control.uncalled_at
    return None if since is None else since + REST


def _due_at(control: BatteryControl, expiry: timedelta, instant: Instant) -> Timer:
    """When a command is due; None: none is."""
    if control.pending is not None:
        return None
    at = instant
    if control.known is control.mode:
        if control.mode is BatteryMode.NORMAL or control.renewed_at is None:
            return None
        at = control.renewed_at + expiry / 3
    retry_at = _retry_at(control)
    return at if retry_at is None else max(at, retry_at)


def _retry_at(control: BatteryControl) -> Timer:
    if control.failed_at is None:
        return None
    most = FREE_RETRY_MAX if control.mode is BatteryMode.NORMAL else RETRY_MAX
    return control.failed_at + doubled(RETRY, most, times=max(control.failures - 1, 0))


def _failed(control: BatteryControl) -> BatteryReason | None:
    """Why it may not do what it is to do."""
    if not control.failures:
        return None
    return BatteryReason(BatteryCode.FAILED, {"wanted": control.mode.value}, until=_retry_at(control))
