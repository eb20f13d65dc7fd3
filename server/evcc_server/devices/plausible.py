"""What a value of a home can be. Outside of it a reading is not a reading [DEF-48]."""

from __future__ import annotations

from collections.abc import Sequence

from evcclib.model import PhaseTriple

POWER_W = (-1e6, 1e6)
CURRENT_A = (-1000.0, 1000.0)
VOLTAGE_V = (0.0, 500.0)
ENERGY_KWH = (0.0, 1e8)
SOC_PCT = (0.0, 100.0)
DURATION_S = (0.0, 1e8)


def within(value: float | None, bounds: tuple[float, float]) -> float | None:
    """``value`` if it is one and within ``bounds``."""
    return value if value is not None and bounds[0] <= value <= bounds[1] else None


def triple(values: Sequence[float | None], bounds: tuple[float, float]) -> PhaseTriple | None:
    """Three values, or None unless each of them is known and within ``bounds``."""
    l1, l2, l3 = values
    if l1 is None or l2 is None or l3 is None:
        return None
    low, high = bounds
    return (l1, l2, l3) if low <= l1 <= high and low <= l2 <= high and low <= l3 <= high else None
