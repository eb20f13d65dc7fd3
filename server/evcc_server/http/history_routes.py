"""What powers, states of charge and prices have been, minute by minute up to day by day, as JSON and CSV."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from evcc_server.http.home import Home
from evcc_server.http.route import Answer, Body, Call, Enveloped, Parameter, Refused, Route, Schema
from evcc_server.keeping.history import Span
from evcc_server.keeping.history_columns import DAY, PRICE_DIGITS, STEPS, Column, columns, spans, stored_width
from evcc_server.quoting import short
from evcc_server.settings import parse_time
from evcc_server.state.encode import Json, number, time_text
from evcc_server.state.sheet import Sheet
from evcclib.errors import InvalidSetting

SPANS_MAX = 10_080
"""A week of minutes; of days more than the history has."""
FORMATS = ("json", "csv")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ALLOWED = "a date as 2026-03-29, or an RFC 3339 time from 1970 to 9998"
_USUAL_STEP = "15m"

HEADINGS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "start": "Start",
        "known": "Known",
        "gridImport": "Grid import",
        "gridExport": "Grid export",
        "pv": "PV",
        "home": "Home",
        "batteryCharge": "Battery charging",
        "batteryDischarge": "Battery discharging",
        "batterySoc": "Battery charge level",
        "tariffGrid": "Grid price",
        "tariffFeedIn": "Feed-in price",
        "tariffCo2": "Emissions",
        "gridImportEnergy": "Bought",
        "gridExportEnergy": "Sold",
        "pvEnergy": "PV",
        "homeEnergy": "Home",
        "batteryChargeEnergy": "Battery charged",
        "batteryDischargeEnergy": "Battery discharged",
        "ownConsumption": "Own consumption",
        "autarky": "Self-sufficiency",
        "chargePower": "Charging",
        "chargeEnergy": "Charged",
        "vehicleSoc": "Vehicle charge level",
    },
    "de": {
        "start": "Beginn",
        "known": "Bekannt",
        "gridImport": "Netzbezug",
        "gridExport": "Einspeisung",
        "pv": "PV",
        "home": "Haus",
        "batteryCharge": "Batterie lädt",
        "batteryDischarge": "Batterie entlädt",
        "batterySoc": "Ladestand Batterie",
        "tariffGrid": "Netzpreis",
        "tariffFeedIn": "Einspeisevergütung",
        "tariffCo2": "Emissionen",
        "gridImportEnergy": "Bezogen",
        "gridExportEnergy": "Eingespeist",
        "pvEnergy": "PV",
        "homeEnergy": "Haus",
        "batteryChargeEnergy": "Batterie geladen",
        "batteryDischargeEnergy": "Batterie entladen",
        "ownConsumption": "Eigenverbrauch",
        "autarky": "Autarkie",
        "chargePower": "Laden",
        "chargeEnergy": "Geladen",
        "vehicleSoc": "Ladestand Fahrzeug",
    },
}

_COLUMN: Schema = {
    "type": "object",
    "properties": {
        "key": {"type": "string", "enum": [key for key in HEADINGS["en"] if key != "start"]},
        "unit": {"type": "string"},
        "values": {"type": "array", "items": {"type": ["number", "null"]}},
        "charger": {"type": "string", "description": "the device by which a loadpoint is known"},
        "title": {"type": "string", "description": "the loadpoint's; its charger's name if there is none any more"},
    },
    "required": ["key", "unit", "values"],
}
_RESULT: Schema = {
    "type": "object",
    "properties": {
        "step": {"type": "string", "enum": [*STEPS]},
        "start": {"type": "array", "items": {"type": "string", "format": "date-time"}, "maxItems": SPANS_MAX},
        "columns": {"type": "array", "items": _COLUMN},
    },
    "required": ["step", "start", "columns"],
}
_EXAMPLE: Json = {
    "step": "15m",
    "start": ["2023-03-06T12:00:00+01:00", "2023-03-06T12:15:00+01:00"],
    "columns": [
        {"key": "gridImport", "unit": "W", "values": [0, 12.5]},
        {"key": "chargePower", "unit": "W", "values": [4140.2, None], "charger": "wallbox", "title": "Carport"},
    ],
}


def history_routes(home: Home) -> Iterator[Route]:
    """The routes of this module."""

    async def history(call: Call) -> Answer:
        step = _chosen(call.query, "step", (*STEPS,), _USUAL_STEP)
        form = _chosen(call.query, "format", FORMATS, "json")
        wanted = _spans(home, call.query, step)
        found = await home.store.history(stored_width(STEPS[step]), wanted)
        shown = [*columns(found, STEPS[step], home.chargers, home.hub.labels.currency)]
        if form == "json":
            return Enveloped(_json(home, step, wanted, shown))
        language = call.query.get("lang") or next(iter(call.languages), home.options.language)
        return Body(
            _csv(home, language, wanted, shown),
            "text/csv",
            headers={"Content-Disposition": f'attachment; filename="history-{step}.csv"'},
        )

    time: Schema = {"type": "string"}
    yield Route(
        method="GET",
        path="/api/history",
        group="site",
        summary="What powers, states of charge and prices have been: means, of days energies; in columns, null is unknown",
        handler=history,
        query=(
            Parameter(name="from", summary="Date or time; else today", schema=time, example="2023-03-06"),
            Parameter(
                name="to", summary="Date or time before which it ends; else now", schema=time, example="2023-03-07"
            ),
            Parameter(
                name="step",
                summary=f"Of what length; hours and days are the home's; at most {SPANS_MAX} in one answer",
                schema={"type": "string", "enum": [*STEPS], "default": _USUAL_STEP},
                example="1h",
            ),
            Parameter(
                name="format",
                summary="json, or csv: a file",
                schema={"type": "string"},
                example="json",
            ),
            Parameter(name="lang", summary="Language of the CSV", schema={"type": "string"}, example="en"),
        ),
        result=_RESULT,
        result_example=_EXAMPLE,
        errors={
            400: "from, to, step or format is not what is described here, or that would be too much for one answer"
        },
    )


def _chosen(query: Mapping[str, str], name: str, allowed: Sequence[str], usual: str) -> str:
    text = query.get(name) or usual
    if text not in allowed:
        raise Refused(400, f"invalid {name}: {short(text)} (allowed: {', '.join(allowed)})")
    return text


def _spans(home: Home, query: Mapping[str, str], step: str) -> Sequence[Span]:
    now, width = home.now().utc.astimezone(home.site.time_zone), STEPS[step]
    start = _time(home, query, "from") or now.replace(hour=0, minute=0, second=0, microsecond=0)
    end = _time(home, query, "to") or now
    if end <= start:
        raise Refused(400, f"invalid to: {_local(home, end)} (allowed: after from, {_local(home, start)})")
    if end - start > SPANS_MAX * width:
        raise Refused(
            400,
            f"invalid step: {step} from {_local(home, start)} to {_local(home, end)} is too much for one answer"
            f" (allowed: {SPANS_MAX} times the step, that is {_days(SPANS_MAX * width)} days)",
        )
    return [*spans(start, end, width, home.site.time_zone)]


def _time(home: Home, query: Mapping[str, str], name: str) -> datetime | None:
    text = query.get(name)
    if not text:
        return None
    try:
        time = parse_time(name, f"{text}T00:00" if _DATE.fullmatch(text) else text, home.site.time_zone)
    except InvalidSetting:
        time = None
    if time is None:
        raise Refused(400, f"invalid {name}: {short(text)} (allowed: {_ALLOWED})")
    return time


def _days(duration: timedelta) -> int:
    return duration // DAY


def _local(home: Home, time: datetime) -> str:
    return time_text(time.astimezone(home.site.time_zone).replace(microsecond=0))


def _json(home: Home, step: str, wanted: Sequence[Span], shown: Sequence[Column]) -> Json:
    titles = _titles(home)
    told: list[Json] = []
    for column in shown:
        values: list[Json] = [None if value is None else number(value) for value in column.values]
        whose: dict[str, Json] = {"charger": column.charger, "title": titles.get(column.charger, column.charger)}
        told.append({"key": column.key, "unit": column.unit, "values": values, **(whose if column.charger else {})})
    return {"step": step, "start": [_local(home, start) for start, _ in wanted], "columns": told}


def _csv(home: Home, language: str, wanted: Sequence[Span], shown: Sequence[Column]) -> bytes:
    sheet, titles = Sheet(language, home.site.time_zone), _titles(home)
    words = HEADINGS.get(sheet.language, HEADINGS["en"])
    headings = [words["start"]]
    for column in shown:
        whose = titles.get(column.charger, column.charger)
        headings.append(sheet.text(" ".join(filter(None, (whose, words[column.key], f"({column.unit})")))))
    rows = (
        [sheet.time(start), *("" if value is None else sheet.decimal(value, digits=PRICE_DIGITS) for value in values)]
        for (start, _), *values in zip(wanted, *(column.values for column in shown), strict=True)
    )
    return sheet.file(headings, rows)


def _titles(home: Home) -> Mapping[str, str]:
    named = zip(home.chargers, home.site.loadpoints, strict=True)
    return {charger: loadpoint.title or charger for charger, loadpoint in named}
