"""A recorded course of values: in steps, or in straight lines from one value to the next."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TypeAlias

Course: TypeAlias = Iterator[tuple[float, tuple[float, ...]]]
"""Seconds, and the values from each on."""
LINE_STEP_S = 1.0
"""A straight line is drawn in steps of so many seconds."""


def course(series: Sequence[tuple[float, ...]], *, is_smooth: bool) -> Course:
    """Each second at which something changes, and the values from then on.

    ``series``: a second and its values in each row. A step of a line has the value of its middle: energy stays what it is.
    """
    for (second, *values), (next_s, *later) in itertools.pairwise(series):
        if not is_smooth or values == later:
            yield second, tuple(values)
            continue
        length_s = next_s - second
        for number in range(int(-(-length_s // LINE_STEP_S))):
            begin_s = number * LINE_STEP_S
            part = (begin_s + min(length_s, begin_s + LINE_STEP_S)) / 2 / length_s
            yield second + begin_s, tuple(a + (b - a) * part for a, b in zip(values, later, strict=True))
    for second, *values in series[-1:]:
        yield second, tuple(values)
