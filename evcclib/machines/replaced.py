"""Named tuples that are replaced at nearly every step."""

from __future__ import annotations

from typing import Any, TypeVar

Kind = TypeVar("Kind", bound=type[tuple[Any, ...]])


def often_replaced(kind: Kind) -> Kind:
    """Give a named tuple of many fields a ``_replace`` that takes less than half the time of its own, which asks every field
    whether it changes."""
    places = {name: place for place, name in enumerate(kind._fields)}  # type: ignore[attr-defined]  # of a named tuple

    def _replace(self: tuple[Any, ...], /, **changes: Any) -> tuple[Any, ...]:
        values = [*self]
        for name in changes:
            values[places[name]] = changes[name]
        return tuple.__new__(kind, values)

    kind._replace = _replace  # type: ignore[attr-defined]
    return kind
