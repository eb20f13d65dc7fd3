"""The profile's conditions, seen from the device: does a raw number meet one, and which number would."""

from __future__ import annotations

from collections.abc import Mapping

from evcc_server.profiles.profile import Condition, Register

CANDIDATES = (0, 1, 2, 3, 255)
DIGITS_TRIED = 1000
"""Product codes tell by their last three digits how a station was built."""


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


def fitting(register: Register, wanted: Mapping[Condition, bool]) -> int | str:
    """A raw number (or text) of ``register`` for which each condition holds or not as wanted; its default if that will do.

    Raises `LookupError`.
    """
    named = [raw for condition in wanted for raw in (meeting(condition), failing(condition)) if raw is not None]
    first = [] if register.default is None else [register.default]
    for raw in (*first, *named, *range(DIGITS_TRIED)):
        value = raw if isinstance(raw, str) else int(raw)
        if value not in register.nan and all(holds(condition, value) is is_met for condition, is_met in wanted.items()):
            return value
    raise LookupError(f"no value of {register.name} fits {wanted}")


def _first(condition: Condition, *, is_met: bool) -> int | str | None:
    named = (*(condition.among or ()), *(condition.not_among or ()))
    if condition.at_least is not None:
        named = (*named, int(condition.at_least) + 1)
    for raw in (*named, *CANDIDATES):
        if holds(condition, raw) == is_met:
            return raw
    return None
