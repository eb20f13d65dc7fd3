"""Machine: the plan in force, when it is made anew, and whether it makes the loadpoint charge now [PLAN-23..PLAN-27].

```
             within a piece of the plan, unless it can still wait for the sun of that piece
   waiting ---------------------------------------------------------------------------------> active
      ^                                                                                          |
      +------------------------------------------------------------------------------------------+
        nothing left to charge; or before the target, in no piece, or waiting for the sun
```
A plan is made for what was missing then. It is made anew when something else is to be planned, when all its pieces are over, and
when more or less is missing than it expects; but no sooner than `PATIENCE` after the last time, unless there is no time to lose.
What is left of it stays in force for as long as it is enough and a new one is not cheaper by what is `WORTH` a change.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from evcclib.planning import plan_follow
from evcclib.planning.plan_follow import IDLE, PlanState
from evcclib.planning.power_plan import Piece, PowerPlan, charged_kwh
from evcclib.units import TICK

TOLERANCE_KWH = 0.3
"""So much more or less may be missing than a plan expects."""
PATIENCE = timedelta(minutes=5)
"""What deviates is looked at no sooner than this after the plan was made."""
WAIT_MARGIN = timedelta(minutes=15)
"""Sun is waited for while this much more time is left than the goal takes at full power."""
WORTH = 0.5
"""Another plan must be cheaper by this part of a start."""


class PlanInForce(NamedTuple):
    """``plan`` for ``need_kwh``, which was missing at ``made_at``; until ``target``."""

    plan: PowerPlan
    target: datetime
    made_at: datetime
    need_kwh: float


def is_due(
    before: PlanInForce | None, *, need_kwh: float, target: datetime, required: timedelta, now: datetime
) -> bool:
    """Whether a plan must be made, or made anew, while what it was made of is the same; ``required``: at full power."""
    if before is None or before.target != target:
        return True
    pieces = before.plan.pieces
    is_over = bool(pieces) and before.made_at < pieces[-1].end <= now
    if not is_over and abs(need_kwh - _expected_kwh(before, now)) <= TOLERANCE_KWH:
        return False
    return is_over or now - before.made_at >= PATIENCE or now + required + PATIENCE >= target


def rest(plan: PowerPlan, now: datetime, end: datetime) -> tuple[Piece, ...]:
    """What is left of a plan between ``now`` and ``end``."""
    return tuple(
        Piece(max(piece.start, now), min(piece.end, end), piece.power_w)
        for piece in plan.pieces
        if now < piece.end and piece.start < end
    )


def waits_for_sun(power_w: float, *, sun_w: float, required: timedelta, target: datetime, now: datetime) -> bool:
    """Whether a piece that the expected sun alone would feed may go without it: the grid can still do it later [PLAN-26]."""
    return power_w <= sun_w and target - now >= required + WAIT_MARGIN


def step(
    state: PlanState,
    plan: PowerPlan,
    *,
    need_kwh: float | None,
    target: datetime,
    now: datetime,
    holds_full: bool,
    waits: bool,
) -> PlanState:
    """The state after looking at the plan; ``holds_full`` as for `plan_follow.step`, ``waits``: the sun is waited for."""
    if not plan_follow.applies(state, target, now) or need_kwh is None:
        return IDLE
    if need_kwh <= 0:
        return state if state.is_active and holds_full else IDLE
    ahead = rest(plan, now, target)
    start = ahead[0].start if ahead else None
    if now >= target:
        after = state._replace(projected_start=None)
    elif start is None or start > now or waits:
        after = PlanState(projected_start=start)
    else:
        after = PlanState(is_active=True, slot_end=_run_end(ahead), projected_start=start)
    return state if after == state else after


def next_change(state: PlanState, before: PlanInForce | None, *, target: datetime, now: datetime) -> datetime | None:
    """When it could say something else by itself; within a piece every moment counts."""
    if state.is_active:
        return now + TICK
    times = [target]
    if before is not None:
        times.append(before.made_at + PATIENCE)
        for start, end, _power_w in before.plan.pieces:
            if start <= now < end:
                return now + TICK
            times += [start, end]
    return min([time for time in times if time > now], default=None)


def _expected_kwh(before: PlanInForce, now: datetime) -> float:
    return before.need_kwh - charged_kwh(before.plan, now)


def _run_end(ahead: Iterable[Piece]) -> datetime | None:
    """When charging that goes on now will stop."""
    end: datetime | None = None
    for piece in ahead:
        if end not in (None, piece.start):
            break
        end = piece.end
    return end
