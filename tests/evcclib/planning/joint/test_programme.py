"""A solution from outside is believed when it is one."""

from __future__ import annotations

import math

import pytest

from evcclib.planning.joint.programme import Programme, flaw


def programme() -> Programme:
    """At most three of a whole number and a part, for their price."""
    found = Programme()
    whole = found.variable(0.0, 5.0, cost=2.0, is_whole=True)
    part = found.variable(-1.0, 5.0, cost=1.0)
    found.row(1.0, 3.0, (whole, 1.0), (part, 1.0))
    return found


def test_cost_is_the_sum_of_all() -> None:
    assert programme().cost((1.0, 1.5)) == 3.5


def test_a_solution_has_no_flaw() -> None:
    assert flaw(programme(), (1.0, 1.5)) is None
    assert flaw(programme(), (1.000001, 1.999992)) is None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((1.0,), "1 values for 2 variables"),
        ((math.nan, 0.0), "variable 0 is nan"),
        ((0.0, math.inf), "variable 1 is inf"),
        ((1.0, -1.001), "variable 1 is -1.001, not from -1.0 to 5.0"),
        ((0.5, 1.0), "variable 0 is 0.5, and not whole"),
        ((2.0, 1.1), "row 0 is 3.1, not from 1.0 to 3.0"),
        ((0.0, 0.0), "row 0 is 0.0, not from 1.0 to 3.0"),
    ],
)
def test_what_is_wrong_is_named(values: tuple[float, ...], said: str) -> None:
    assert flaw(programme(), values) == said
