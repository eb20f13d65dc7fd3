"""The step that a station really has, learned from the current it says it offers [LIM-2].

    told 8.43 -> shown 8 | told 8.86 -> shown 8 | told 9.29 -> shown 9     it rounds to 1 A: told 9, 8, ... from now on

A station that rounds to whole amperes while it is believed to take thousandths would be told something new at every tick: what is
asked of it never flows. Once its step is known, it is told nothing but what it can do, always below what is wanted, whichever way
it rounds itself. A read-back that is no multiple of the step says that it was none.
"""

from __future__ import annotations

from typing import NamedTuple

from evcclib.machines.hold import Timer
from evcclib.units import Instant

STEPS_A = (2.0, 1.0, 0.6, 0.5, 0.2, 0.1)
"""Steps that stations have: amperes and their parts, a per cent of the pilot's duty cycle (0.6 A); the coarsest first."""
EXACT_A = 0.01
"""Registers and floats are as exact as that."""
HEARD_MAX = 8
"""So many commands are remembered with what was shown after them, and ..."""
HEARD_MIN = 3
"""... so many tell a step."""


class Heard(NamedTuple):
    """A current that a station was told, and the one that it showed then [A]."""

    told_a: float
    shown_a: float


class Rounding(NamedTuple):
    """``step_a`` 0: nothing coarser than configured is known. ``heard`` are the last commands, ``told_at`` the newest of them."""

    step_a: float = 0.0
    heard: tuple[Heard, ...] = ()
    told_at: Timer = None


UNKNOWN = Rounding()


def hear(
    state: Rounding, *, told_a: float, shown_a: float, told_at: Instant, is_settled: bool, configured_a: float
) -> Rounding:
    """What is known after a station that was told ``told_a`` at ``told_at`` shows ``shown_a``; the same object if nothing is new.

    Only multiples of the step ``configured_a`` are learned, as only these can be told. What differs by more than any step does is
    no rounding: less is held down by something else, more is a lie, if it ``is_settled``: the station has had the time to show
    what it was told.
    """
    if abs(shown_a - told_a) >= STEPS_A[0]:
        return UNKNOWN if shown_a > told_a and is_settled else state
    now = Heard(told_a, shown_a)
    if state.told_at != told_at:
        heard = (*state.heard, now)[-HEARD_MAX:]
    elif state.heard[-1] != now:
        heard = (*state.heard[:-1], now)
    else:
        return state
    step_a = _step(heard, configured_a)
    if state.step_a and _explains(state.step_a, now):
        step_a = max(step_a, state.step_a)
    return Rounding(step_a=step_a, heard=heard, told_at=told_at)


def _step(heard: tuple[Heard, ...], configured_a: float) -> float:
    """A step that explains all that was ``heard``, 0: none.

    Once more is offered than was told, the finest is taken at once, for a limit may stand behind that, and coarser ones as need
    be. Else it takes several commands, and the coarsest: but currents that all happen to be even do not make a step of 2 A,
    unless about as much was rounded off.
    """
    over_a = [0.0, *(each.shown_a - each.told_a for each in heard)]
    fitting = [
        step_a
        for step_a in STEPS_A
        if _is_finer(configured_a, step_a) and all(_explains(step_a, each) for each in heard)
    ]
    if not fitting:
        return 0.0
    if len(heard) >= HEARD_MIN and len({each.shown_a for each in heard}) > 1:
        spread_a = max(over_a) - min(over_a) + EXACT_A
        likely = [step_a for step_a in fitting if spread_a > step_a / 2]
        if likely:
            return likely[0]
    return fitting[-1] if max(over_a) > EXACT_A else 0.0


def _explains(step_a: float, heard: Heard) -> bool:
    is_multiple = abs(heard.shown_a - round(heard.shown_a / step_a) * step_a) <= EXACT_A
    return is_multiple and abs(heard.shown_a - heard.told_a) < step_a - 1e-6


def _is_finer(configured_a: float, step_a: float) -> bool:
    """Whether ``step_a`` is a whole number of configured steps, and more than one."""
    steps = step_a / configured_a
    return steps > 1.5 and abs(steps - round(steps)) < 1e-6
