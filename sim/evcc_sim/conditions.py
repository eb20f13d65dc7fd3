"""The profile's conditions, seen from the device: does a raw number meet one, and which number would."""

from __future__ import annotations

from evcc_server.devices.profile import Condition

CANDIDATES = (0, 1, 2, 3, 255)


def holds(condition: Condition, raw: float | str) -> bool:
    """Whether a raw number (or text) meets ``condition``."""
    value: float | str = raw
    if not isinstance(value, str):
        number = int(value)
        if condition.mask is not None:
            number &= condition.mask
        number //= condition.divide
        if condition.modulo is not None:
            number %= condition.modulo
        value = number
        if condition.at_least is not None and value < condition.at_least:
            return False
        if condition.below is not None and value >= condition.below:
            return False
    if condition.among is not None and value not in condition.among:
        return False
    return condition.not_among is None or value not in condition.not_among


def meeting(condition: Condition) -> int | str | None:
    """A raw number (or text) that meets ``condition``; None when none of the plain ones does."""
    return _first(condition, is_met=True)


def failing(condition: Condition) -> int | str | None:
    """A raw number (or text) that does not meet ``condition``."""
    return _first(condition, is_met=False)


def _first(condition: Condition, *, is_met: bool) -> int | str | None:
    named = (*(condition.among or ()), *(condition.not_among or ()))
    if condition.at_least is not None:
        named = (*named, int(condition.at_least) + 1)
    for raw in (*named, *CANDIDATES):
        if holds(condition, raw) == is_met:
            return raw
    return None
