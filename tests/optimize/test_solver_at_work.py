"""The solver of a running site is the one that the file names, and says once that it has no plan."""

from __future__ import annotations

from contextlib import suppress

import pytest

from evcc_server.optimize.at_work import named, telling
from evcclib.planning.joint.programme import NotSolved, Programme, Solution


def test_without_a_solver_there_is_none() -> None:
    assert named("none") is None


def test_highs_solves() -> None:
    pytest.importorskip("highspy", reason="needs the extra `optimize`")
    programme = Programme()
    programme.variable(1.0, 2.0, cost=1.0)
    solver = named("highs")
    assert solver is not None and solver(programme).values == pytest.approx((1.0,))


def test_no_plan_is_said_once_until_there_is_one_again() -> None:
    said: list[str] = []
    is_solved = iter([False, False, True, False])

    def solve(programme: Programme) -> Solution:
        if next(is_solved):
            return Solution((), 0.0)
        raise NotSolved("Time limit reached, without a solution")

    solver = telling(solve, warn=said.append)
    counts: list[int] = []
    for _call in range(4):
        with suppress(NotSolved):
            solver(Programme())
        counts.append(len(said))
    assert counts == [1, 1, 1, 2]
    assert said[0] == "the solver has no plan, so plans are made without it: Time limit reached, without a solution"
