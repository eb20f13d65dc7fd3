"""What can go wrong, named by who must act: one root, `EvccError`."""

from __future__ import annotations


class EvccError(Exception):
    """Root of all errors raised by evcclib."""


class InvalidSetting(EvccError):
    """A caller sent a value that a setting does not accept; nothing has changed.

    ``setting`` is the setting's name, ``value`` what was sent, ``allowed`` what would be accepted,
    in words (``"0..100 %"``). ``str(error)`` is one sentence fit for an API answer.
    """

    def __init__(self, setting: str, value: object, allowed: str, message: str | None = None) -> None:
        self.setting = setting
        self.value = value
        self.allowed = allowed
        super().__init__(message or f"{setting}: {value!r} is not allowed, expected {allowed}")


class UnknownTarget(EvccError):
    """A request names a loadpoint or vehicle that the site does not have; nothing has changed."""


class InvalidConfig(EvccError):
    """A site cannot be built from this configuration; the owner must edit it."""


class IncompatibleState(EvccError):
    """An exported state has a version or a shape that this library cannot restore."""
