"""What a plugin's value may be taken for, and how it is written in a format. Pure."""

from __future__ import annotations

import math
import re

from evcc_server.json_path import JsonValue

_TRUE = frozenset({"true", "t", "yes", "on"})
_FALSE = frozenset({"false", "f", "no", "off"})
_NO_NUMBER = frozenset({"nan", "inf", "infinity", "null", "none"})
_HAIR = 1e-6
_DIGITS_MAX = 6
FORMAT = re.compile(r"%(?:0?\d{0,2}(?:[dxX]|(?:\.(?P<digits>\d))?f)|[svt])")
"""The formats of Go's ``printf`` that devices need."""


def as_number(value: JsonValue) -> float | None:
    """``value`` as a finite number. An empty text is none, nor is anything else: a watt is not true, and true is not 1 W."""
    if isinstance(value, str):
        try:
            value = float(value.strip())
        except ValueError:
            return None
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) > 1e300):
        return None
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def as_sent_number(value: JsonValue) -> float | None:
    """What is sent for ``value`` where the device takes a number: 1 and 0 stand for on and off."""
    return float(value) if isinstance(value, bool) else as_number(value)


def is_truth(value: JsonValue) -> bool:
    """Whether ``value`` can be nothing else than true or false."""
    return isinstance(value, bool) or (isinstance(value, str) and value.strip().casefold() in _TRUE | _FALSE)


def says_otherwise(value: JsonValue) -> bool:
    """Whether something is said in place of a number (a word, a page, an object), and not only that there is none."""
    if isinstance(value, str):
        text = value.strip().lstrip("+-").casefold()
        return any(map(str.isalnum, text)) and text not in _NO_NUMBER and as_number(value) is None
    return isinstance(value, dict | list)


def as_truth(value: JsonValue) -> bool | None:
    """``value`` as true or false; numbers are true unless 0."""
    if isinstance(value, str):
        word = value.strip().casefold()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        try:
            value = float(word)
        except ValueError:
            return None
    if isinstance(value, bool | int | float) and not (isinstance(value, float) and math.isnan(value)):
        return bool(value)
    return None


def as_text(value: JsonValue) -> str | None:
    """``value`` as a text; numbers without needless digits."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.{_DIGITS_MAX}f}".rstrip("0").rstrip(".")
    return str(value) if isinstance(value, int | float) else None


def formatted(value: JsonValue, pattern: str) -> str:
    """``value`` in a format that `FORMAT` knows.

    Digits that it has no room for are cut, not rounded: a limit is never exceeded by its spelling.
    """
    verb, number = pattern[-1], as_sent_number(value)
    if verb == "t":
        return "true" if as_truth(value) else "false"
    if verb in "sv" or number is None:
        return as_text(value) or ""
    if verb != "f":
        return pattern % int(_cut(number, 0))
    match = FORMAT.fullmatch(pattern)
    digits = match["digits"] if match else None
    return pattern % _cut(number, _DIGITS_MAX if digits is None else int(digits))


def _cut(number: float, digits: int) -> float:
    """``number`` with so many digits after the point; only a hair below the next one counts as that one."""
    factor = 10.0**digits
    return math.trunc(number * factor + math.copysign(_HAIR, number)) / factor
