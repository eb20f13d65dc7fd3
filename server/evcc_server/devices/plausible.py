"""What a value of a home can be. Outside of it a reading is not a reading [DEF-48]."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evcclib.machines import plausible
from evcclib.model import PhaseTriple

POWER_W = (-1e6, 1e6)
CURRENT_A = (-1000.0, 1000.0)
VOLTAGE_V = (0.0, 500.0)
ENERGY_KWH = (0.0, 1e8)
SOC_PCT = plausible.SOC_PCT
DURATION_S = (0.0, 1e8)


def within(value: float | None, bounds: tuple[float, float]) -> float | None:
    """``value`` if it is one and within ``bounds``."""
    return value if value is not None and bounds[0] <= value <= bounds[1] else None


def triple(values: Sequence[float | None], bounds: tuple[float, float]) -> PhaseTriple | None:
    """Three values, NaN where one is not known or not within ``bounds``; None if no value is."""
    low, high = bounds
    l1, l2, l3 = [value if value is not None and low <= value <= high else math.nan for value in values]
    return None if l1 != l1 and l2 != l2 and l3 != l3 else (l1, l2, l3)


class BlankAnswers:
    """Tells a meter at rest from one that has nothing to say and answers zeros instead, in its counters too.

    A counter that has counted does not stand at 0 while voltages, currents and power are 0 as well. If it has really started
    again, what it measures tells, or what it counts next.
    """

    def __init__(self) -> None:
        self._has_counted = False

    def is_one(self, counters: Sequence[float | None], measured: Sequence[float | PhaseTriple | None]) -> bool:
        """Whether an answer with these values is no reading."""
        known = [counter for counter in counters if counter is not None]
        if any(known):
            self._has_counted = True
            return False
        if not known or not self._has_counted:
            return False
        if any(_is_something(value) for value in measured):
            self._has_counted = False
            return False
        return True


def _is_something(value: float | PhaseTriple | None) -> bool:
    if isinstance(value, tuple):
        return any(each != 0 and not math.isnan(each) for each in value)
    return value is not None and value != 0
