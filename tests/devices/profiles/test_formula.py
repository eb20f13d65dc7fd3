"""The little language of profiles."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evcc_server.profiles.formula import compiled, names_in

KNOWN = {"a": 7.0, "b": -2.0, "160.3.DCW": 150.0, "$limit": 95.0, "flags": 6.0}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a", 7.0),
        ("-a", -7.0),
        ("a + b", 5.0),
        ("a - b - b", 11.0),
        ("-160.3.DCW + a", -143.0),
        ("230 * (a + b)", 1150.0),
        ("0.5 * a", 3.5),
        ("min(a, b)", -2.0),
        ("min(100, max($limit, a))", 95.0),
        ("abs(b) * (1 - 2 * bit(flags, 1))", -2.0),
        ("bit(flags, 0)", 0.0),
        ("negative(b) + negative(a)", 1.0),
        ("a * direction(b)", -7.0),
        ("nothing", None),
        ("a + nothing", None),
        ("a * nothing", None),
        ("max(a, nothing)", None),
        ("a + nothing?", 7.0),
        ("a - nothing?", 7.0),
        ("nothing? + nothing?", None),
        ("nothing?", None),
        ("nothing? + 0", 0.0),
        ("nothing | a", 7.0),
        ("a | b", 7.0),
        ("nothing + a | b", -2.0),
        ("0", 0.0),
    ],
)
def test_values(source: str, expected: float | None) -> None:
    assert compiled(source)(KNOWN.get) == expected


@pytest.mark.parametrize("source", ["", "a +", "+ a", "a b", "min(a", "(a", "a)", "a ! b", "min a", "a | ", "%"])
def test_what_cannot_be_read_is_an_error(source: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        compiled(source)(KNOWN.get)


def test_names() -> None:
    assert names_in("-160.3.DCW? + a * $limit | max(b, 12)") == ("160.3.DCW", "a", "$limit", "b")


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6))
def test_a_sum_is_a_sum(values: list[float]) -> None:
    names = {f"x{place}": value for place, value in enumerate(values)}
    assert compiled(" + ".join(names))(names.get) == pytest.approx(sum(values))
