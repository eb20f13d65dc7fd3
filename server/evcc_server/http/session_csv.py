"""Charging sessions as CSV, in the reader's language: headings, separator, decimal sign [API-9]."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo

from evcc_server.keeping.store import StoredSession

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

HEADINGS: Mapping[str, tuple[str, ...]] = {
    "en": (
        "Created",
        "Finished",
        "Charging point",
        "Identifier",
        "Vehicle",
        "Mileage (km)",
        "Meter start (kWh)",
        "Meter stop (kWh)",
        "Energy (kWh)",
    ),
    "de": (
        "Startzeit",
        "Endzeit",
        "Ladepunkt",
        "Kennung",
        "Fahrzeug",
        "Kilometerstand (km)",
        "Anfangszählerstand (kWh)",
        "Endzählerstand (kWh)",
        "Energie (kWh)",
    ),
}
_COMMA_LANGUAGES = frozenset(
    {"da", "de", "es", "fi", "fr", "hr", "it", "lb", "lt", "nb", "nl", "pl", "pt", "ro", "ru", "sl", "sv", "uk"}
)
_FORMULA_SIGNS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the latter four as wide as a kanji
_POINT_TAGS = frozenset({"de-ch", "es-mx"})


def csv_name(year: int | None, month: int | None) -> str:
    """The file's name without its ending."""
    if year is None:
        return "session"
    return f"session-{year}" if month is None else f"session-{year}.{month:02}"


def sessions_csv(sessions: Sequence[StoredSession], language: str, zone: tzinfo) -> bytes:
    """The file's content; an unknown ``language`` gets English [DEV-12]."""
    tag = language.strip().replace("_", "-").lower()
    base = tag.split("-")[0]
    separator = ";" if base == "de" else ","
    point = "," if base in _COMMA_LANGUAGES and tag not in _POINT_TAGS else "."
    text = io.StringIO(newline=None)  # every end of line becomes a plain "\n", also within a cell
    writer = csv.writer(text, delimiter=separator)
    writer.writerow(HEADINGS.get(base, HEADINGS["en"]))
    writer.writerows(_cells(stored, zone, point) for stored in sessions)
    return BYTE_ORDER_MARK + text.getvalue().encode()


def _cells(stored: StoredSession, zone: tzinfo, point: str) -> tuple[str, ...]:
    session = stored.session
    return (
        _time(session.created, zone),
        _time(session.finished, zone),
        _text(session.loadpoint),
        _text(session.identifier),
        _text(session.vehicle),
        f"{session.odometer_km or 0.0:.0f}",
        _decimal(session.meter_start_kwh or 0.0, point),
        _decimal(session.meter_stop_kwh or 0.0, point),
        _decimal(session.energy_charged_kwh, point),
    )


def _text(text: str) -> str:
    """``text`` for a cell; what a spreadsheet would take for a formula and calculate is marked as text."""
    return f"'{text}" if text.lstrip()[:1] in _FORMULA_SIGNS else text


def _time(time: datetime | None, zone: tzinfo) -> str:
    return "" if time is None else time.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _decimal(value: float, point: str) -> str:
    """At most three decimals, halves of the exact binary value to even, no trailing zeros."""
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return ("0" if text == "-0" else text).replace(".", point)
