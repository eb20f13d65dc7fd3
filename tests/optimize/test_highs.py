"""HiGHS is believed where it is right, and not where it only says so."""

from __future__ import annotations

import math

import pytest

from evcclib.planning.joint.programme import NotSolved, Programme

pytest.importorskip("highspy", reason="needs the extra `optimize`")
from evcc_server.optimize import highs


def least(*, need: float, cost: float = 1.0) -> Programme:
    programme = Programme()
    whole = programme.variable(0.0, 5.0, cost=2.5, is_whole=True)
    part = programme.variable(0.0, 1.5, cost=cost)
    programme.row(need, math.inf, (whole, 1.0), (part, 1.0))
    return programme


def test_the_least_is_found() -> None:
    solution = highs.solve(least(need=2.0))
    assert solution.values == pytest.approx((1.0, 1.0))
    assert solution.bound == pytest.approx(3.5)


def test_a_programme_without_whole_numbers_has_its_cost_for_a_bound() -> None:
    programme = least(need=1.0)
    programme.variables = [each._replace(is_whole=False) for each in programme.variables]
    assert highs.solve(programme).bound == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("programme", "said"),
    [
        (least(need=7.0), "Infeasible"),
        (least(need=1.0, cost=math.nan), "variable 1 costs nan"),
    ],
)
def test_what_is_no_solution_is_none(programme: Programme, said: str) -> None:
    with pytest.raises(NotSolved, match=said):
        highs.solve(programme)


def test_out_of_time_without_a_solution_is_none() -> None:
    with pytest.raises(NotSolved, match="without a solution"):
        highs.solve(least(need=2.0), time_limit_s=0.0)
