"""The last word: the one function every current passes before it becomes a command.

It only ever lowers: to the charger's, the loadpoint's and the vehicle's maximum, to the circuits and to the grid operator's
limit, and to the device's step below. What then lies under the minimum is a pause. Nothing is rounded up.
"""

from __future__ import annotations

from typing import NamedTuple

from evcclib.machines.charger import floor_to_step
from evcclib.machines.limits.circuits import Ceiling
from evcclib.machines.surplus import DEAD_BAND_A


class Clamped(NamedTuple):
    """A current fit to be sent [A], 0 = pause; ``limit`` names what held it below the wish, None if nothing did."""

    current_a: float
    limit: str | None


def clamp(
    wanted_a: float,
    *,
    minimum_a: float,
    maximum_a: float,
    step_a: float,
    ceiling: Ceiling | None,
    offered_a: float = 0.0,
) -> Clamped:
    """``wanted_a`` within all limits, quantised [LIM-2, DEF-7]. ``minimum_a`` and ``maximum_a`` fit the device's step.

    What is ``offered_a`` already (0: nothing) stays where a limit leaves hardly more. A meter that rounds shows another rest
    for every current, so that whoever took up all of it would be lowered and raised for ever [PV-12].
    """
    if wanted_a <= 0:
        return Clamped(0.0, None)
    limit = None
    current_a = wanted_a
    if current_a > maximum_a:
        current_a = maximum_a
    if ceiling is not None and ceiling.current_a < current_a:
        current_a, limit = ceiling
    if current_a != minimum_a and current_a != maximum_a:  # both are steps of the device
        current_a = floor_to_step(max(current_a, 0.0), step_a)
    if current_a < minimum_a:
        return Clamped(0.0, limit or "loadpoint")
    if ceiling is not None and minimum_a <= offered_a < current_a:
        is_step = offered_a in (minimum_a, floor_to_step(offered_a, step_a))
        well_within_a = min(current_a, floor_to_step(max(ceiling.current_a - DEAD_BAND_A, 0.0), step_a))
        if is_step and well_within_a <= offered_a:
            return Clamped(offered_a, ceiling.limit)
    return Clamped(current_a, limit)


def lowered(
    most_a: float, wanted_a: float, *, minimum_a: float, maximum_a: float, step_a: float, ceiling: Ceiling | None
) -> Clamped | None:
    """What to offer in place of up to ``most_a``; None while that is within all limits.

    ``wanted_a`` is what was decided last: what stands at a charger may be more than that, what it is told here never is.
    """
    limit_a, limit = maximum_a, "loadpoint"
    if ceiling is not None and ceiling.current_a < limit_a:
        limit_a, limit = ceiling
    if most_a <= limit_a:
        return None
    left = clamp(min(wanted_a, limit_a), minimum_a=minimum_a, maximum_a=maximum_a, step_a=step_a, ceiling=None)
    return Clamped(left.current_a, limit)
