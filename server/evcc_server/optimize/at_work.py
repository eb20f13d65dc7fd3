"""The solver of a running site: it has little time, and says once when it is not enough.

The step waits for it, so it is bound: two programmes for each plan that is made, a handful of plans in a day.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from evcclib.planning.joint.programme import NotSolved, Programme, Solution, Solver

TIME_LIMIT_S = 0.5
"""For each programme: nothing is commanded meanwhile."""

_log = logging.getLogger(__name__)


def named(name: str) -> Solver | None:
    """The solver that the file names; None: none. Raises ImportError without the extra ``optimize``."""
    if name == "none":
        return None
    from evcc_server.optimize import highs

    return telling(lambda programme: highs.solve(programme, time_limit_s=TIME_LIMIT_S))


def telling(solver: Solver, *, warn: Callable[[str], None] = _log.warning) -> Solver:
    """``solver``, which says why it has no solution, unless the time before it had none either."""
    has_failed = False

    def solve(programme: Programme) -> Solution:
        nonlocal has_failed
        try:
            solution = solver(programme)
        except NotSolved as error:
            if not has_failed:
                warn(f"the solver has no plan, so plans are made without it: {error}")
            has_failed = True
            raise
        has_failed = False
        return solution

    return solve
