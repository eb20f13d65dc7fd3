"""How a loadpoint's reason has changed: the last spells, one reason each, without a gap. Two that swing are one spell.

A spell ends where the next one begins; the last one still goes on. A command that waits for its confirmation is no change: it
says nothing of why, and is over at once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from evcclib.reasons import Reason, ReasonCode
from evcclib.units import Instant

SPELLS_MAX = 50
"""An afternoon of broken clouds has about as many once what swings is one, other days have a dozen: today can be seen whole."""
SWING_MAX = timedelta(minutes=5)
"""A reason that holds for longer is told by itself, however often it comes again: one cloud, a delay or the guard takes less."""


class Spell(NamedTuple):
    """While one reason held, or two in turn.

    ``reason`` and what was offered, on how many phases, and drawn are as they last were; unknown power is None. Of a swing
    ``reason`` is the one that it began with, ``other`` the one that took turns with it, ``turns`` how often one of them has held.
    """

    since: Instant
    reason: Reason
    offered_a: float
    phases: int
    power_w: float | None
    other: Reason | None = None
    turns: int = 1


History = tuple[Spell, ...]
"""At most `SPELLS_MAX`, oldest first."""


def noted(history: History, now: Spell) -> History:
    """``history`` with what there is ``now``. A clock that has gone back makes no spell begin before the one that it follows."""
    if now.reason.code is ReasonCode.COMMAND_PENDING:
        return history
    if not history:
        return (now,)
    last = history[-1]
    if is_same(last.reason, now.reason):  # the last one is never a swing
        return (*history[:-1], now._replace(since=last.since))
    now = now._replace(since=max(now.since, last.since))
    return (*_merged(history, now.since), now)[-SPELLS_MAX:]


def is_same(one: Reason, other: Reason) -> bool:
    """Whether they are one reason: numbers in it and the time until when it holds may differ, names may not."""
    return one is other or (one.code, one.limit, _names(one)) == (other.code, other.limit, _names(other))


def _names(reason: Reason) -> dict[str, str]:
    return {name: value for name, value in reason.params.items() if isinstance(value, str)}


def _merged(history: History, ended: Instant) -> History:
    """``history``, whose last spell has ``ended``, with that one as part of the swing that it belongs to, if there is one."""
    last = history[-1]
    if len(history) < 2 or ended - last.since >= SWING_MAX:
        return history
    before = history[-2]
    if before.other is not None:
        returns = before.other if before.turns % 2 else before.reason
        if not is_same(returns, last.reason):
            return history
        grown = last._replace(since=before.since, reason=before.reason, other=before.other, turns=before.turns + 1)
        return (*history[:-2], grown)
    if len(history) < 3 or last.since - before.since >= SWING_MAX:
        return history
    first = history[-3]
    if first.other is not None or before.since - first.since >= SWING_MAX or not is_same(first.reason, last.reason):
        return history
    return (*history[:-3], last._replace(since=first.since, other=before.reason, turns=3))
