"""How old a sample is, and whether it still counts [DEF-48]."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

from evcclib.readings import Measured, Reading
from evcclib.units import Instant

T = TypeVar("T")


def fresh(sample: Reading[T] | None, oldest: Instant) -> Measured[T] | None:
    """``sample``, if there is one, and it was taken at ``oldest`` or later."""
    return sample if isinstance(sample, Measured) and sample.sampled_at >= oldest else None


def fresh_value(sample: Reading[T] | None, oldest: Instant) -> T | None:
    """What it shows, if it is `fresh`."""
    return sample.value if isinstance(sample, Measured) and sample.sampled_at >= oldest else None


def age(instant: Instant, sampled_at: Instant) -> timedelta:
    """How old a sample is; one from the future is new."""
    return max(instant - sampled_at, timedelta(0))
