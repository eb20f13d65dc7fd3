"""How errors and log lines quote what somebody has sent or written: enough to recognise it, however long it is."""

from __future__ import annotations

QUOTED_MAX = 80
"""Characters of a value that are quoted."""


def short(text: str) -> str:
    """``text`` as it reads, its beginning if it is long."""
    return text if len(text) <= QUOTED_MAX else f"{text[:QUOTED_MAX]}..."


def quoted(value: object) -> str:
    """``value`` as Python writes it, its beginning if it is long."""
    if isinstance(value, str):
        return repr(value) if len(value) <= QUOTED_MAX else f"{value[:QUOTED_MAX]!r}..."
    if isinstance(value, int) and value.bit_length() > 4 * QUOTED_MAX:  # nor does Python write out the longest
        return f"an integer of {value.bit_length()} bits"
    return short(repr(value))
