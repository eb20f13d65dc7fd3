"""Charging sessions as CSV, in the reader's language [API-9]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo

from evcc_server.keeping.store import StoredSession
from evcc_server.state.sheet import Sheet

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


def csv_name(year: int | None, month: int | None) -> str:
    """The file's name without its ending."""
    if year is None:
        return "session"
    return f"session-{year}" if month is None else f"session-{year}.{month:02}"


def sessions_csv(sessions: Sequence[StoredSession], language: str, zone: tzinfo) -> bytes:
    """The file's content; an unknown ``language`` gets English [DEV-12]."""
    sheet = Sheet(language, zone)
    return sheet.file(HEADINGS.get(sheet.language, HEADINGS["en"]), (_cells(stored, sheet) for stored in sessions))


def _cells(stored: StoredSession, sheet: Sheet) -> tuple[str, ...]:
    session = stored.session
    return (
        sheet.time(session.created),
        sheet.time(session.finished),
        sheet.text(session.loadpoint),
        sheet.text(session.identifier),
        sheet.text(session.vehicle),
        f"{session.odometer_km or 0.0:.0f}",
        sheet.decimal(session.meter_start_kwh or 0.0),
        sheet.decimal(session.meter_stop_kwh or 0.0),
        sheet.decimal(session.energy_charged_kwh),
    )
