"""What a value may be: a test, and the words for it. The library's doors are tables of these.

Nothing given here is trusted to be of any type, so every test begins with one. A bool is no number, a string is no member of an
enumeration, and a time without time zone is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from enum import Enum
from typing import NamedTuple

from evcclib.errors import Refused, shown
from evcclib.units import SECOND

INSTANT_MAX = timedelta(days=100_000)
"""Monotonic clocks count from anywhere, but not from that far."""
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(3000, 1, 1, tzinfo=UTC)
"""Clocks that have not been set begin at the first; with the second, sums of times and durations have room."""


class Allowed(NamedTuple):
    """``holds`` tells whether a value is allowed, ``words`` say which are.

    ``item`` is what every item of a tuple may be, or with ``key`` every value of a mapping.
    """

    words: str
    holds: Callable[[object], bool]
    item: Allowed | None = None
    key: Allowed | None = None

    def check(self, where: str, value: object, error: type[Refused]) -> None:
        """Raises ``error`` unless ``value`` is allowed."""
        if not self.holds(value):
            raise error(where, value, self.words)
        if self.item is not None and isinstance(value, tuple):
            for position, item in enumerate(value):
                self.item.check(f"{where}[{position}]", item, error)
        elif self.item is not None and self.key is not None and isinstance(value, Mapping):
            for key, item in value.items():
                self.key.check(f"a key of {where}", key, error)
                self.item.check(f"{where}[{shown(key)}]", item, error)


Table = Mapping[type, Mapping[str, Allowed]]
"""What is allowed in the fields of classes."""


def check_fields(thing: object, table: Table, where: str, error: type[Refused]) -> None:
    """Raises ``error`` with the path of the first field of ``thing`` that the row of its class does not allow.

    ``where`` is the path of ``thing`` with its dot, or nothing.
    """
    row = next(row for kind, row in table.items() if isinstance(thing, kind))
    for name, allowed in row.items():
        allowed.check(f"{where}{name}", getattr(thing, name), error)


def number(low: float, high: float, unit: str = "") -> Allowed:
    """A finite number within inclusive bounds."""
    return Allowed(
        f"a number, {low:g}..{high:g} {unit}".rstrip(),
        lambda value: isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high,
    )


def quantity(most: float) -> Allowed:
    """A number up to ``most`` in size, or a float that is none (NaN, infinite): that says that there is no value."""
    within = number(-most, most)
    return Allowed(
        within.words, lambda value: within.holds(value) or (isinstance(value, float) and not math.isfinite(value))
    )


def whole(low: int, high: int, unit: str = "") -> Allowed:
    """An integer within inclusive bounds."""
    return Allowed(
        f"an integer, {low}..{high} {unit}".rstrip(),
        lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high,
    )


def one_of(kind: type[Enum]) -> Allowed:
    """A member of an enumeration, and no string that only looks like one."""
    words = ", ".join(str(each.value) or "''" for each in kind)
    return Allowed(f"a {kind.__name__}: one of {words}", lambda value: isinstance(value, kind))


def among(*values: int) -> Allowed:
    """One of a few integers."""
    words = ", ".join(map(str, values[:-1]))
    return Allowed(
        f"{words} or {values[-1]}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and value in values,
    )


def instance(kind: type, words: str = "") -> Allowed:
    """An object of a class."""
    article = "an" if kind.__name__[0] in "AEIOU" else "a"
    return Allowed(words or f"{article} {kind.__name__}", lambda value: isinstance(value, kind))


def duration(low_s: float, high_s: float) -> Allowed:
    """A timedelta within inclusive bounds [s]."""
    low, high = low_s * SECOND, high_s * SECOND
    return Allowed(
        f"a timedelta, {low_s:g}..{high_s:g} s", lambda value: isinstance(value, timedelta) and low <= value <= high
    )


def optional(allowed: Allowed) -> Allowed:
    """The same, or None."""
    return Allowed(f"{allowed.words}, or None", lambda value: value is None or allowed.holds(value))


def each(allowed: Allowed) -> Allowed:
    """A tuple, every item of which is looked at."""
    return Allowed(f"a tuple, each {allowed.words}", lambda value: isinstance(value, tuple), allowed)


def named(key: Allowed, allowed: Allowed) -> Allowed:
    """A mapping, every key and value of which is looked at."""
    words = f"a mapping from {key.words} to {allowed.words}"
    return Allowed(words, lambda value: isinstance(value, Mapping), allowed, key)


def _is_aware(value: object) -> bool:
    if not isinstance(value, datetime) or value.utcoffset() is None:
        return False
    try:
        return EARLIEST <= value < LATEST
    except OverflowError:  # of its offset, at the ends of the calendar
        return False


TRUTH = instance(bool, "True or False")
NOTHING = Allowed("None", lambda value: value is None)
TEXT = instance(str, "a string")
NAME = Allowed("a string that is not empty", lambda value: isinstance(value, str) and value != "")
ZONE = instance(tzinfo, "a tzinfo such as datetime.UTC or ZoneInfo('Europe/Berlin')")
TIME = Allowed("a datetime with time zone, 1970..2999", _is_aware)
INSTANT = Allowed(
    f"a timedelta of at most {INSTANT_MAX.days} days since or before the clock's origin",
    lambda value: isinstance(value, timedelta) and -INSTANT_MAX <= value <= INSTANT_MAX,
)
