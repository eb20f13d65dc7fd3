"""Conversions and the sign rule.

Power into the house is positive: grid import, generation and battery discharge. Negative *site power* is surplus
[U-1..U-7]. Inside the library every quantity has one unit, which ends its name: ``power_w current_a voltage_v
energy_kwh soc_pct``; prices are per kWh, emissions ``co2_g_per_kwh``.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, NewType, overload

if TYPE_CHECKING:

    class Instant(timedelta):
        """When something is: the time since the origin of a monotonic clock. Any other timedelta is how long something takes."""

        def __new__(cls, since_origin: timedelta) -> Instant: ...
        def __add__(self, other: timedelta) -> Instant: ...
        def __radd__(self, other: timedelta) -> Instant: ...
        @overload
        def __sub__(self, other: Instant) -> timedelta: ...  # type: ignore[overload-overlap]  # that is what it is for
        @overload
        def __sub__(self, other: timedelta) -> Instant: ...
        def __sub__(self, other: timedelta) -> timedelta: ...

else:
    Instant = NewType("Instant", timedelta)  # a mere name, which annotations tell from timedelta

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
ZERO = timedelta(0)
ORIGIN = Instant(ZERO)
"""The instant from which a clock counts."""
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
