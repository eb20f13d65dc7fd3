"""What can go wrong, named by who must act: one root, `EvccError`.

Whatever enters the library is checked once, where it enters, and refused in one kind of sentence: where it stands, what it is,
what would be allowed (``loadpoints[1].mode: 'quick' is not allowed, expected a ChargeMode: one of off, now, minpv, pv``).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

_SHOWN_MAX = 60
_SAID_MAX = 80


class EvccError(Exception):
    """Root of all errors raised by evcclib."""


class Refused(EvccError):
    """Something that came in is not allowed; nothing has changed.

    ``where`` is the path to it as in Python (``loadpoints[1].mode``), ``value`` what was given, ``allowed`` what would be
    accepted, in words (``"0..100 %"``). ``str(error)`` is one sentence fit for an API answer.
    """

    def __init__(self, where: str, value: object, allowed: str, message: str | None = None) -> None:
        self.where = where
        self.value = value
        self.allowed = allowed
        super().__init__(message or f"{where}: {shown(value)} is not allowed, expected {allowed}")


class InvalidSetting(Refused):
    """A caller sent a value that a setting does not accept; ``setting`` is the setting's name.

    With a ``problem`` the sentence is, over every channel: what is wrong, the value as the caller has said it, what is allowed
    (``soc out of range: 140 (allowed: 0..100 %)``).
    """

    def __init__(self, where: str, value: object, allowed: str, problem: str | None = None) -> None:
        self.problem = problem
        sentence = None if problem is None else f"{problem}: {_said(value)} (allowed: {allowed})"
        super().__init__(where, value, allowed, sentence)

    @property
    def setting(self) -> str:
        """The setting's name."""
        return self.where


class InvalidConfig(Refused):
    """A site cannot be built from this configuration; the owner must edit it."""


class InvalidReadings(Refused):
    """What the caller hands to a step (readings, time, cause) is not what they are made of; the caller's program is wrong.

    A device that is silent or shows nonsense is none: that is `evcclib.readings.Missing`, or a float that is no number.
    """


class IncompatibleState(Refused):
    """A state has a version or a shape that this library cannot go on with."""


class UnknownTarget(EvccError):
    """A request names a loadpoint, vehicle or setting that the site does not have; nothing has changed."""


def shown(value: object) -> str:
    """``value`` for a sentence: short, whatever it is, and without asking a stranger's ``__repr__``."""
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    kind = type(value)
    if kind is int and isinstance(value, int) and value.bit_length() > 150:
        return f"an integer of {value.bit_length()} bits"
    if value is None or kind in (bool, int, float):
        return repr(value)
    if isinstance(value, str) and kind is str:
        return repr(value) if len(value) <= _SHOWN_MAX else f"{value[:_SHOWN_MAX]!r}..."
    if isinstance(value, timedelta) and kind is timedelta:
        return f"{value.total_seconds():g} s"
    if kind is datetime:
        return str(value)
    if isinstance(value, tuple) and kind is tuple and len(value) <= 3:
        return f"({', '.join(map(shown, value))})"
    return f"{'an' if kind.__name__[:1] in 'aeiouAEIOU' else 'a'} {kind.__name__}"


def _said(value: object) -> str:
    """What a client has sent, as it reads."""
    if isinstance(value, str):
        return value if len(value) <= _SAID_MAX else f"{value[:_SAID_MAX]}..."
    return f"{value:.12g}" if isinstance(value, float) else shown(value)
