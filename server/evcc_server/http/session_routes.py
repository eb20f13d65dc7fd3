"""Charging sessions: the list as JSON and CSV, and corrections by hand [API-9, row-26, row-27]."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from evcc_server.http.home import Home
from evcc_server.http.route import Answer, Body, Call, Enveloped, Parameter, Refused, Route, Schema
from evcc_server.keeping.session_csv import csv_name, sessions_csv
from evcc_server.keeping.store import EDITABLE, StoredSession
from evcc_server.quoting import short
from evcc_server.state.encode import Compat, Json, rest
from evcc_server.state.values import UNSET_TIME
from evcclib.events import SessionRecord

_SESSION: Schema = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "created": {"type": "string", "format": "date-time"},
        "finished": {"type": ["string", "null"], "format": "date-time"},
        "loadpoint": {"type": "string"},
        "identifier": {"type": "string"},
        "vehicle": {"type": "string"},
        "odometer": {"type": "number", "description": "km"},
        "meterStart": {"type": "number", "description": "kWh"},
        "meterStop": {"type": "number", "description": "kWh"},
        "chargedEnergy": {"type": "number", "description": "kWh"},
    },
    "required": ["id", "created", "finished", "loadpoint", "identifier", "vehicle", "odometer", "chargedEnergy"],
}
_SESSION_EXAMPLE: Json = {
    "id": 3,
    "created": "2023-03-05T22:04:11.5+01:00",
    "finished": "2023-03-06T04:30:02.25+01:00",
    "loadpoint": "Carport",
    "identifier": "",
    "vehicle": "blauer e-Golf",
    "odometer": 12345.6,
    "meterStart": 4190.2,
    "meterStop": 4202.25,
    "chargedEnergy": 12.05,
}
_ID = Parameter(
    name="session",
    summary="Number of the session",
    schema={"type": "integer", "minimum": 1, "maximum": 10**15},
    example="1",
)
TEXT_LENGTH_MAX = 200
TEXT_PATTERN = "^[^\\u0000-\\u001f\\u007f-\\u009f\\ud800-\\udfff]*$"
"""No control characters, no halves of characters."""
_TEXT: Schema = {"type": ["string", "null"], "maxLength": TEXT_LENGTH_MAX, "pattern": TEXT_PATTERN}
ODOMETER_MAX_KM = 1e7


def session_routes(home: Home) -> Iterator[Route]:
    """The routes of this module."""

    async def listed(call: Call) -> Answer:
        store = home.store
        year, month = _whole(call.query, "year", 1, 9999), _whole(call.query, "month", 1, 12)
        sessions = await store.sessions(zone=home.site.time_zone, year=year, month=month)
        if call.query.get("format") != "csv":
            return Enveloped([session_json(home, stored) for stored in sessions])
        language = call.query.get("lang") or next(iter(call.languages), home.options.language)
        return Body(
            sessions_csv(sessions, language, home.site.time_zone),
            "text/csv",
            headers={"Content-Disposition": f'attachment; filename="{csv_name(year, month)}.csv"'},
        )

    async def changed(call: Call) -> Answer:
        store, session_id = home.store, _session_id(call)
        columns = _columns(await call.json_object())
        if not await store.update_session(session_id, columns):
            raise Refused(404, f"session not found: {session_id}")
        return Body(b"")

    async def deleted(call: Call) -> Answer:
        store, session_id = home.store, _session_id(call)
        if not await store.delete_session(session_id):
            raise Refused(404, f"session not found: {session_id}")
        return Enveloped(None)

    yield Route(
        method="GET",
        path="/api/sessions",
        group="sessions",
        summary="Charging sessions, newest first",
        handler=listed,
        query=(
            Parameter(name="format", summary="csv, else JSON", schema={"type": "string"}, example="json"),
            Parameter(name="lang", summary="Language of the CSV", schema={"type": "string"}, example="en"),
            Parameter(
                name="year",
                summary="Only those created in this year, local time",
                schema={"type": "integer", "minimum": 1, "maximum": 9999},
                example="2023",
            ),
            Parameter(
                name="month",
                summary="Together with year: only those of this month",
                schema={"type": "integer", "minimum": 1, "maximum": 12},
                example="3",
            ),
        ),
        result={"type": "array", "items": _SESSION},
        result_example=[_SESSION_EXAMPLE],
        errors={400: "year or month is not a number, or there is no database"},
    )
    yield Route(
        method="PUT",
        path="/api/session/{session}",
        group="sessions",
        summary="Correct a session; null clears",
        handler=changed,
        parameters=(_ID,),
        body={
            "type": "object",
            "properties": {
                "vehicle": _TEXT,
                "loadpoint": _TEXT,
                "odometer": {"type": ["number", "null"], "minimum": 0, "maximum": ODOMETER_MAX_KM},
            },
            "additionalProperties": False,
            "minProperties": 1,
        },
        body_example={"vehicle": "weißes Model 3"},
        has_no_content=True,
        errors={400: "the body is not what is described here", 404: "no such session", 413: "the body is too large"},
    )
    yield Route(
        method="DELETE",
        path="/api/session/{session}",
        group="sessions",
        summary="Delete a session",
        handler=deleted,
        parameters=(_ID,),
        result={"type": "null"},
        errors={400: "not a number, or there is no database", 404: "no such session"},
    )


def session_json(home: Home, stored: StoredSession) -> Json:
    """One element of the list; fields in the order clients know, unknown numbers 0."""
    session, zone, words = stored.session, home.site.time_zone, home.words
    finished = UNSET_TIME if session.finished is None else session.finished.astimezone(zone)
    shown: dict[str, Json] = {
        "id": stored.session_id,
        "created": rest(session.created.astimezone(zone)),
        "finished": rest(finished, words.nested_times),
        "loadpoint": session.loadpoint,
        "identifier": session.identifier,
        "vehicle": session.vehicle,
        "odometer": rest(round(session.odometer_km or 0.0, 1)),
        "meterStart": rest(session.meter_start_kwh or 0.0, Compat.V0_114),
        "meterStop": rest(session.meter_stop_kwh or 0.0, Compat.V0_114),
        "chargedEnergy": rest(session.energy_charged_kwh, Compat.V0_114),
    }
    return shown | _costs(session) if words.has_session_costs else shown


def _costs(session: SessionRecord) -> dict[str, Json]:
    """What it was made of, and null for what is not kept."""
    known = {
        "solarPercentage": session.solar_pct,
        "price": session.price,
        "pricePerKWh": session.price_per_kwh,
        "co2PerKWh": session.co2_g_per_kwh,
    }
    return {key: rest(value, Compat.V0_127) for key, value in known.items()} | dict.fromkeys(_NOT_KEPT)


_NOT_KEPT = ("chargeDuration", "socStart", "socEnd", "addedRange", "referencePricePerKWh", "referenceCo2PerKWh")


def _session_id(call: Call) -> int:
    text = call.path["session"]
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise Refused(400, f"invalid session: {short(text)} (expected a number)")
    return int(text)


def _whole(query: Mapping[str, str], name: str, low: int, high: int) -> int | None:
    text = query.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and low <= int(text) <= high):
        raise Refused(400, f"invalid {name}: {short(text)} (allowed: {low}..{high})")
    return int(text)


def _columns(body: Mapping[str, object]) -> Mapping[str, object]:
    if not body:
        raise Refused(400, f"nothing to change (allowed: {', '.join(sorted(EDITABLE))})")
    columns: dict[str, object] = {}
    for key, value in body.items():
        if key not in EDITABLE:
            raise Refused(400, f"invalid column: {short(key)} (allowed: {', '.join(sorted(EDITABLE))})")
        columns[key] = _odometer(value) if key == "odometer" else _text(key, value)
    return columns


def _text(key: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > TEXT_LENGTH_MAX or not re.fullmatch(TEXT_PATTERN, value):
        raise Refused(400, f"invalid {key} (expected one line of at most {TEXT_LENGTH_MAX} characters, or null)")
    return value


def _odometer(value: object) -> float | None:
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not isinstance(value, int | float) or not 0 <= value <= ODOMETER_MAX_KM or math.isnan(value):
        raise Refused(400, f"invalid odometer (expected 0..{ODOMETER_MAX_KM:.0f} km, or null)")
    return float(value)
