"""The sun that an inverter holds back because nothing may be exported, found by probing [SITE-25].

Such an inverter follows the load: the grid meter stays at zero, whatever the modules could deliver. So what they could is hoped
for, and the law is shown the hope in place of what is delivered::

    site power = grid + battery - (hope - pv)                                        the sun that is shown is no less than hope

    grid about zero        nobody knows: the hope may grow, a little at first, then twice as much at each time
    grid power is bought   the modules deliver all they have: the hope is what they deliver, and a little more

The little more keeps a trickle of import where the car takes all: more sun shows at once, since the trickle ends. A hope that was
too high buys until that is seen. It is given up when the inverter has had its time to follow, at once when it delivers less than
before (a cloud). After a hope that has failed the next one waits, twice as long each time, and what hopes have bought is an
account that is worked off slowly: above its limit none is raised.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from evcclib.machines.hold import Timer, elapsed
from evcclib.units import HOUR, Instant

TRICKLE_W = 60.0
"""So much may be bought all the time while a car takes all the sun there is ..."""
ABOUT_ZERO_W = 40.0
"""... and so much is no import yet: an inverter does not hold the grid at zero to the watt."""
PRODUCES_W = 100.0
"""An inverter that delivers less holds nothing back: it is night."""
MOVES_W = 50.0
"""A load or a sun that has changed by less has not."""
FOLLOWS = timedelta(seconds=10)
"""An inverter has followed the load by then, and the meter shows it."""
STEP_MAX_W = 1920.0
"""No hope is further above what is delivered, but that of a start."""
STEP_WAIT = timedelta(seconds=15)
START_WAIT = timedelta(seconds=150)
"""So long after all the sun was seen one hopes for more, and that it is enough for a start, which wears the contactor ..."""
PATIENCE_MAX = 8.0
"""... and twice as long after each hope that fails, up to so many times."""
BOUGHT_MAX_WH = 100.0
"""So much may hopes have bought at once, and within an hour as much again."""
RESUMED_PART = 0.5
"""When so much of it is left, hopes are raised again."""
SWITCHES = timedelta(minutes=1)
"""A hope outlives a contactor that opens for a change of phases."""
FORGOTTEN = timedelta(minutes=2)
"""A hope is not that old: nobody has looked meanwhile."""


class Look(NamedTuple):
    """What is seen of the site: what inverters deliver; what is taken beyond it, from grid and batteries; by how much cars that
    have been started could take more, None: none has; what a car that waits would start with, None: none does [W]."""

    at: Instant
    pv_w: float
    beyond_w: float
    room_w: float | None
    start_w: float | None


class HiddenSun(NamedTuple):
    """``hope_w``: what the inverters could deliver, as far as one hopes, by ``step_w`` more than they did, since ``hoped_at``; a
    hope without a step is that of a start. ``pv_w`` and ``load_w`` are those of the last look, ``rose_at`` is when the load has
    last risen, ``seen_at`` when all the sun was last seen. ``is_trying``: nobody knows yet whether the hope was right;
    ``is_paying``: it was not, and is still paid for. ``patience``, ``start_patience``: how much longer than at first the next
    step or start waits. ``bought_wh``: what hopes have bought and is not worked off; ``is_spent``: it was too much."""

    hope_w: float = 0.0
    step_w: float = 0.0
    hoped_at: Timer = None
    at: Timer = None
    pv_w: float = 0.0
    load_w: float = 0.0
    rose_at: Timer = None
    is_trying: bool = False
    is_paying: bool = False
    seen_at: Timer = None
    patience: float = 1.0
    start_patience: float = 1.0
    bought_wh: float = 0.0
    is_spent: bool = False


NOTHING_HIDDEN = HiddenSun()


def hidden_w(state: HiddenSun, pv_w: float) -> float:
    """What is held back, as far as one hopes [W]."""
    return max(0.0, state.hope_w - pv_w)


def looked(before: HiddenSun, look: Look) -> HiddenSun:
    """With one more look; the same state if the meters have not been read since."""
    if before.at is not None and look.at <= before.at:
        return before
    state = _counted(before, look)
    is_followed = state.rose_at is None or look.at - state.rose_at >= FOLLOWS
    has_fallen = look.pv_w < before.pv_w - MOVES_W
    if look.beyond_w < -ABOUT_ZERO_W or look.pv_w < PRODUCES_W or (look.room_w is None and look.start_w is None):
        return state._replace(hope_w=look.pv_w, step_w=0.0, is_trying=False)
    if look.beyond_w > ABOUT_ZERO_W:
        return _seen(state, look, has_fallen=has_fallen) if is_followed or has_fallen else state
    return _hoped(state, look) if is_followed else state


def _counted(before: HiddenSun, look: Look) -> HiddenSun:
    """What time and meters say: the load, and what was bought since."""
    load_w = look.pv_w + look.beyond_w
    if before.at is None or look.at - before.at > FORGOTTEN:
        before = before._replace(hope_w=look.pv_w, step_w=0.0, is_trying=False, pv_w=look.pv_w, load_w=load_w)
        hours = 0.0
    else:
        hours = (look.at - before.at) / HOUR
    bought_wh = max(0.0, before.bought_wh - BOUGHT_MAX_WH * hours)
    is_paying = (before.is_trying or before.is_paying) and look.beyond_w > TRICKLE_W + ABOUT_ZERO_W
    if is_paying:
        bought_wh += look.beyond_w * hours
    limit_wh = BOUGHT_MAX_WH * (RESUMED_PART if before.is_spent else 1.0)
    return before._replace(
        at=look.at,
        pv_w=look.pv_w,
        load_w=load_w,
        rose_at=look.at if load_w > before.load_w + MOVES_W else before.rose_at,
        is_paying=is_paying,
        bought_wh=bought_wh,
        is_spent=bought_wh > limit_wh,
    )


def _seen(state: HiddenSun, look: Look, *, has_fallen: bool) -> HiddenSun:
    """Nothing is held back: the inverters deliver what they can."""
    patience = state.patience
    start_patience, is_paying = state.start_patience, state.is_paying
    if state.is_trying and state.step_w == 0.0:
        start_patience = min(2 * start_patience, PATIENCE_MAX)
    elif has_fallen:
        patience, is_paying = 1.0, False  # a cloud: what was tried before tells nothing of what comes after it
    elif state.is_trying:
        patience = min(2 * patience, PATIENCE_MAX)
    return state._replace(
        hope_w=look.pv_w + TRICKLE_W,
        step_w=TRICKLE_W,
        hoped_at=look.at,
        is_trying=False,
        is_paying=is_paying,
        seen_at=look.at,
        patience=patience,
        start_patience=start_patience,
    )


def _hoped(state: HiddenSun, look: Look) -> HiddenSun:
    """Nobody knows how much is held back."""
    if look.room_w is not None:
        return _raised(state, look, look.room_w)
    if elapsed(state.hoped_at, look.at) < SWITCHES and not state.is_spent:
        return state
    is_due = elapsed(state.seen_at, look.at) >= START_WAIT * state.start_patience
    if look.start_w is None or state.is_spent or not is_due:
        return state._replace(hope_w=look.pv_w, step_w=0.0, is_trying=False)
    return state._replace(hope_w=look.pv_w + look.start_w + TRICKLE_W, step_w=0.0, hoped_at=look.at, is_trying=True)


def _raised(state: HiddenSun, look: Look, room_w: float) -> HiddenSun:
    """While a car may take it."""
    if state.is_trying and state.rose_at is not None and state.hoped_at is not None and state.rose_at > state.hoped_at:
        is_start = state.step_w == 0.0
        start_patience = 1.0 if is_start else state.start_patience
        state = state._replace(is_trying=False, patience=1.0, start_patience=start_patience)  # it has delivered more
    since = min(elapsed(state.hoped_at, look.at), elapsed(state.seen_at, look.at) / state.patience)
    if room_w <= 0 or since < STEP_WAIT:
        return state
    step_w = TRICKLE_W if state.is_spent else min(max(2 * state.step_w, TRICKLE_W), STEP_MAX_W)
    return state._replace(hope_w=look.pv_w + step_w, step_w=step_w, hoped_at=look.at, is_trying=True)
