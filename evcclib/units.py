"""Conversions and the sign rule.

Power into the house is positive: grid import, generation and battery discharge. Negative *site power* is surplus
[U-1..U-7]. Inside the library every quantity has one unit, which ends its name: ``power_w current_a voltage_v
energy_kwh soc_pct``; prices are per kWh, emissions ``co2_g_per_kwh``.
"""

from __future__ import annotations

import math
from datetime import timedelta

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
ZERO = timedelta(0)
TICK = timedelta(microseconds=1)
"""The least by which two times can differ."""


def round_half_away(value: float) -> int:
    """Nearest integer, halves away from zero; Python's own ``round`` goes to even [N-1]."""
    return math.floor(value + 0.5) if value >= 0 else math.ceil(value - 0.5)


def whole_seconds(duration: timedelta) -> timedelta:
    """``duration`` rounded to whole seconds, halves away from zero [N-1]."""
    return timedelta(seconds=round_half_away(duration / SECOND)) if duration.microseconds else duration


def energy_kwh(power_w: float, duration: timedelta) -> float:
    """Energy [kWh] that ``power_w`` [W] moves in ``duration``."""
    return power_w * (duration / HOUR) / 1000.0
