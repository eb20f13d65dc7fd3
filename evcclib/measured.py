"""A value and when it was sampled, or that there is none; and the door through which readings come in.

A class of readings looks at its fields once, when it is made, so that nothing after has to: `is_number` and `is_triple` say in a
few comparisons that all is as it nearly always is, and only where it is not does `look_at` go through the fields. What is of the
wrong type or beyond all reason is refused. A number that is none (NaN, infinite) says that a driver has failed to read, so it is
`Missing` from there on [DEF-48]; a triple is when none of its three is a number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from evcclib.allowed import INSTANT, INSTANT_MAX, Allowed, optional, quantity
from evcclib.errors import InvalidReadings
from evcclib.units import Instant

T = TypeVar("T")

NUMBER_MAX = 1e9
"""No power, current, energy or distance of a home is larger, and sums and products of such numbers are numbers."""
_SQUARE_MAX = NUMBER_MAX**2
_FIRST, _LAST = -INSTANT_MAX, INSTANT_MAX


@dataclass(frozen=True, slots=True)
class Measured(Generic[T]):
    """``value`` as sampled at the instant ``sampled_at``."""

    value: T
    sampled_at: Instant


@dataclass(frozen=True, slots=True)
class Missing:
    """No value. ``since`` is the instant from which on it could not be read; None: the device has no such value."""

    since: Instant | None = None


Reading = Measured[T] | Missing
ABSENT = Missing()
"""The device does not offer this value at all."""


def is_number(reading: object) -> bool:
    """Whether ``reading`` is absent or a float in range; False: that is still to be seen."""
    if type(reading) is not Measured:
        return reading is ABSENT
    value, at = reading.value, reading.sampled_at
    return type(value) is float and value * value <= _SQUARE_MAX and type(at) is timedelta and _FIRST <= at <= _LAST


def is_triple(reading: object) -> bool:
    """Whether ``reading`` is absent or three floats in range; False: that is still to be seen."""
    if type(reading) is not Measured:
        return reading is ABSENT
    value, at = reading.value, reading.sampled_at
    if type(value) is not tuple or len(value) != 3 or type(at) is not timedelta:
        return False
    one, two, three = value
    return (
        type(one) is float
        and type(two) is float
        and type(three) is float
        and one * one + two * two + three * three <= _SQUARE_MAX
        and _FIRST <= at <= _LAST
    )


def is_a(reading: object, kind: type) -> bool:
    """Whether ``reading`` is absent or of exactly this type; False: that is still to be seen."""
    if type(reading) is not Measured:
        return reading is ABSENT
    at = reading.sampled_at
    return type(reading.value) is kind and type(at) is timedelta and _FIRST <= at <= _LAST


def look_at(owner: object, values: Mapping[str, Allowed]) -> None:
    """Check the readings of ``owner``, whose names are those of ``values``; what could not be read is `Missing` after.

    Raises `evcclib.errors.InvalidReadings`.
    """
    for name, allowed in values.items():
        reading = getattr(owner, name)
        where = f"{type(owner).__name__}.{name}"
        if isinstance(reading, Missing):
            _SINCE.check(f"{where}.since", reading.since, InvalidReadings)
        elif isinstance(reading, Measured):
            INSTANT.check(f"{where}.sampled_at", reading.sampled_at, InvalidReadings)
            allowed.check(f"{where}.value", reading.value, InvalidReadings)
            if allowed is not SOC and _is_no_number(reading.value):
                object.__setattr__(owner, name, Missing(reading.sampled_at))
        else:
            raise InvalidReadings(where, reading, f"Measured (with {allowed.words}) or Missing")


def _is_no_number(value: Any) -> bool:
    if isinstance(value, tuple):
        return not any(math.isfinite(each) for each in value)
    return isinstance(value, float) and not math.isfinite(value)


_SINCE = optional(INSTANT)
NUMBER = quantity(NUMBER_MAX)
SOC = quantity(NUMBER_MAX)
"""A number like any other here: what of it is a state of charge, and what may be asked then, says `machines.plausible`."""
TRIPLE = Allowed(
    f"a tuple of three of {NUMBER.words}",
    lambda value: isinstance(value, tuple) and len(value) == 3 and all(NUMBER.holds(each) for each in value),
)
