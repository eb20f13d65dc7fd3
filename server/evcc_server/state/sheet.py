"""CSV for the spreadsheet of a reader's language: separator, decimal sign, local times; no cell is taken for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_COMMA_LANGUAGES = frozenset(
    {"da", "de", "es", "fi", "fr", "hr", "it", "lb", "lt", "nb", "nl", "pl", "pt", "ro", "ru", "sl", "sv", "uk"}
)
_FORMULA_SIGNS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the latter four as wide as a kanji
_POINT_TAGS = frozenset({"de-ch", "es-mx"})


class Sheet:
    """How values look to readers of a language tag, one of them in ``zone``. ``language`` is the tag without its region."""

    def __init__(self, tag: str, zone: tzinfo) -> None:
        tag = tag.strip().replace("_", "-").lower()
        self.language = tag.split("-")[0]
        self._separator = ";" if self.language == "de" else ","
        self._point = "," if self.language in _COMMA_LANGUAGES and tag not in _POINT_TAGS else "."
        self._zone = zone

    def file(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
        """The file's content."""
        text = io.StringIO(newline=None)  # every end of line becomes a plain "\n", also within a cell
        writer = csv.writer(text, delimiter=self._separator)
        writer.writerow(headings)
        writer.writerows(rows)
        return BYTE_ORDER_MARK + text.getvalue().encode()

    def text(self, text: str) -> str:
        """``text`` for a cell; what a spreadsheet would take for a formula and calculate is marked as text."""
        return f"'{text}" if text.lstrip()[:1] in _FORMULA_SIGNS else text

    def time(self, time: datetime | None) -> str:
        """By the home's clock."""
        return "" if time is None else time.astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S")

    def decimal(self, value: float, *, digits: int = 3) -> str:
        """At most so many decimals, halves of the exact binary value to even, no trailing zeros."""
        text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
        return ("0" if text == "-0" else text).replace(".", self._point)
