"""A mixed-integer programme as plain data, and what a solver from outside answers.

The library brings no solver: whoever has one hands in a `Solver`, a function. What comes back is looked at again (`flaw`): a
solver may be out of time, or mistaken, or say that all is well and hand over zeros.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from evcclib.errors import EvccError

Terms = Sequence[tuple[int, float]]
"""Numbers of variables, each with its factor."""
TOLERANCE = 1e-5
"""By so much a row, a bound or a whole number may be missed."""


class Variable(NamedTuple):
    """From ``low`` to ``high``; each unit of it costs ``cost``."""

    low: float
    high: float
    cost: float
    is_whole: bool


class Row(NamedTuple):
    """``low`` <= sum of variable x factor <= ``high``."""

    low: float
    high: float
    terms: tuple[tuple[int, float], ...]


@dataclass(slots=True)
class Programme:
    """To be minimised: the sum of variable x cost. No constant is part of it: it would count in a solver's relative gap."""

    variables: list[Variable] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def variable(self, low: float, high: float, *, cost: float = 0.0, is_whole: bool = False) -> int:
        """A new one; its number."""
        self.variables.append(Variable(low, high, cost, is_whole))
        return len(self.variables) - 1

    def row(self, low: float, high: float, *terms: tuple[int, float]) -> None:
        """A new one."""
        self.rows.append(Row(low, high, terms))

    def cost(self, values: Sequence[float]) -> float:
        """Of a solution."""
        return sum(value * variable.cost for value, variable in zip(values, self.variables, strict=True))


class Solution(NamedTuple):
    """One value for each variable, and what no solution costs less than."""

    values: tuple[float, ...]
    bound: float


class NotSolved(EvccError):
    """A solver has no solution, and says why."""


Solver = Callable[[Programme], Solution]
"""Raises `NotSolved`."""


def flaw(programme: Programme, values: Sequence[float]) -> str | None:
    """What is wrong with a solution; None if nothing is."""
    if len(values) != len(programme.variables):
        return f"{len(values)} values for {len(programme.variables)} variables"
    for number, (value, variable) in enumerate(zip(values, programme.variables, strict=True)):
        if not math.isfinite(value):
            return f"variable {number} is {value}"
        if not variable.low - TOLERANCE <= value <= variable.high + TOLERANCE:
            return f"variable {number} is {value}, not from {variable.low} to {variable.high}"
        if variable.is_whole and abs(value - round(value)) > TOLERANCE:
            return f"variable {number} is {value}, and not whole"
    for number, row in enumerate(programme.rows):
        total = sum(values[variable] * factor for variable, factor in row.terms)
        if not row.low - TOLERANCE <= total <= row.high + TOLERANCE:
            return f"row {number} is {total}, not from {row.low} to {row.high}"
    return None
