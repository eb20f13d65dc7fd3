"""Percentiles of a sample of times."""

from __future__ import annotations

from collections.abc import Sequence


def percentile(times: Sequence[float], share: float) -> float:
    """The value below which ``share`` (0..1) of ``times`` lie, by nearest rank."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]
