"""Machine: whether a plan makes the loadpoint charge now [PLAN-11..PLAN-16, PLAN-18..PLAN-20].

```
             in a slot with >= 10 min left, or one that the next slot follows at once
   waiting ---------------------------------------------------------------------------> active
      ^                                                                                   |
      +-----------------------------------------------------------------------------------+
        nothing left to charge; or in no slot, before the target, the last slot over,
        an hour or more to charge, and the next slot an hour or more away
```
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from evcclib.planning.planner import Plan
from evcclib.units import HOUR, TICK, ZERO

SMALL_SLOT = timedelta(minutes=10)
"""A rest of a slot that is not worth starting for while there are later ones [PLAN-14]."""
SLOT_LENGTH = HOUR
"""A gap or a rest shorter than this does not interrupt charging [PLAN-15, DEF-12]."""


class PlanState(NamedTuple):
    """``slot_end``: the end of the slot in which the plan was last active. ``projected_start``: when it will be, or was due."""

    is_active: bool = False
    slot_end: datetime | None = None
    projected_start: datetime | None = None


IDLE = PlanState()


def applies(state: PlanState, target: datetime | None, now: datetime) -> bool:
    """Whether there is a plan to make: a target to come, or one that passed while charging for it [PLAN-10, PLAN-19]."""
    return target is not None and (state.is_active or target >= now)


def step(
    state: PlanState,
    plan: Plan,
    *,
    required: timedelta | None,
    target: datetime | None,
    now: datetime,
    holds_full: bool,
    reserved: timedelta = ZERO,
) -> PlanState:
    """The state after looking at the newest ``plan``, made for ``required`` (None: cannot be told) until ``target``.

    ``holds_full`` says that the goal is 100 % and the vehicle is charging: it then keeps its plan for balancing [DEF-16].
    ``reserved`` of what is required is left for the departure [PLAN-35].
    """
    if target is None or not applies(state, target, now):
        return IDLE
    if required is None or (required <= ZERO and not (state.is_active and holds_full)):
        return IDLE
    is_active, slot_end = _decide(state, plan, required, reserved, target, now)
    if is_active == state.is_active and slot_end == state.slot_end and plan.start == state.projected_start:
        return state
    return PlanState(is_active=is_active, slot_end=slot_end, projected_start=plan.start)


def next_change(state: PlanState, *, target: datetime | None, now: datetime) -> datetime | None:
    """When a plan could begin, or comes close; while it is active every moment counts."""
    if state.is_active:
        return now + TICK
    times = [
        time - before for time in (target, state.projected_start) if time is not None for before in (ZERO, SLOT_LENGTH)
    ]
    return min([time for time in times if time > now], default=None)


def overrun(state: PlanState, target: datetime | None, now: datetime) -> timedelta | None:
    """How long an active plan has been charging past its target; None while it does not [PLAN-19]."""
    if not state.is_active or target is None or now <= target:
        return None
    return now - target


def _decide(
    state: PlanState, plan: Plan, required: timedelta, reserved: timedelta, target: datetime, now: datetime
) -> tuple[bool, datetime | None]:
    slot = plan.slot_at(now)
    if slot is not None:
        is_last = slot is plan.slots[-1]  # the goal needs it, however short
        is_worth_it = state.is_active or slot.end - now >= SMALL_SLOT or is_last or plan.slot_at(slot.end) is not None
        return (True, slot.end) if is_worth_it else (False, None)
    if not state.is_active:
        return False, None
    if now >= target or required <= ZERO:
        return True, state.slot_end
    if plan.start is None:
        return False, None
    is_in_last_slot = state.slot_end is not None and now < state.slot_end
    if is_in_last_slot or reserved < required < reserved + SLOT_LENGTH or plan.start - now < SLOT_LENGTH:
        return True, state.slot_end
    return False, None
