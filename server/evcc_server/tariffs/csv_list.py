"""A list of values in a file of the owner's. Pure.

A header; the first column is ``start``, a second one may be ``end``, the last one is named for what its values are:
``eur_per_kwh``, ``ct_per_kwh``, ``eur_per_mwh``, ``g_per_kwh``, ``w``, ``kw``, ``wh``, ``kwh`` (or ``watt`` ...). Commas and
points, or semicolons and decimal commas. Times are ISO 8601; without an offset they are the wall clock's, and of an hour that
comes twice the rows that stand later are the second time.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo

from evcc_server.quoting import quoted
from evcc_server.tariffs.price_list import RATES_MAX, PriceListError, Slot, rates_of
from evcc_server.texts.measures import Measure, measure_of
from evcclib.tariff import Rate

_OTHER_NAMES = {"watt": "W", "kilowatt": "kW", "watt_hours": "Wh", "kilowatt_hours": "kWh"}


def parse_csv(text: str, *, allowed: Mapping[str, Measure], zone: tzinfo) -> tuple[tuple[Rate, ...], str]:
    """The rates and their unit. Raises `PriceListError` with the line."""
    text = text.removeprefix("\ufeff")
    is_german = ";" in text.partition("\n")[0]
    rows = csv.reader(io.StringIO(text), delimiter=";" if is_german else ",")
    slots: list[Slot] = []
    try:
        header = [cell.strip() for cell in next(rows, [])]
        measure = _measure(header, allowed)
        for row in rows:
            if any(cell.strip() for cell in row):
                cells = [cell.strip() for cell in row]
                slots.append(_slot(cells, header, slots, measure, zone, is_german=is_german))
            if len(slots) > RATES_MAX:
                raise PriceListError(f"more than {RATES_MAX} rows")
    except (PriceListError, csv.Error) as error:
        raise PriceListError(f"line {max(1, rows.line_num)}: {error}") from None
    return rates_of(slots), measure.unit


def _measure(header: Sequence[str], allowed: Mapping[str, Measure]) -> Measure:
    names = [name.casefold() for name in header]
    wanted = f"expected start, perhaps end, and one of {', '.join(map(_column, allowed))}"
    if len(names) not in (2, 3) or names[0] != "start" or names[1:-1] not in ([], ["end"]):
        raise PriceListError(f"the columns are {', '.join(header)[:80] or 'missing'}, {wanted}")
    last = names[-1]
    measure = measure_of(_OTHER_NAMES.get(last, last).replace("_per_", "/"), allowed)
    if measure is None:
        raise PriceListError(f"{quoted(header[-1])} is not known, {wanted}")
    return measure


def _column(name: str) -> str:
    return name.casefold().replace("/", "_per_")


def _slot(
    cells: Sequence[str],
    header: Sequence[str],
    before: Sequence[Slot],
    measure: Measure,
    zone: tzinfo,
    *,
    is_german: bool,
) -> Slot:
    if len(cells) != len(header):
        raise PriceListError(f"{len(cells)} cells, expected {len(header)}")
    start = _moment(cells[0], before[-1].start if before else None, zone)
    end = _moment(cells[1], start, zone) if len(cells) == 3 and cells[1] else None
    if before and start <= before[-1].start:
        raise PriceListError(f"{cells[0]} is not later than the row above")
    return Slot(start, end, _value(cells[-1], measure, is_german=is_german))


def _moment(text: str, after: datetime | None, zone: tzinfo) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise PriceListError(f"{quoted(text)} is no time, expected such as 2026-06-15T10:00") from None
    if time.tzinfo is not None:
        return time.astimezone(UTC)
    first, second = (time.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first.astimezone(zone).replace(tzinfo=None) != time:
        raise PriceListError(f"{text} is not there, as the clocks change")
    return second if after is not None and first <= after else first


def _value(text: str, measure: Measure, *, is_german: bool) -> float | None:
    if not text:
        return None
    try:
        value = float(text.replace(",", ".") if is_german else text)
    except ValueError:
        value = math.nan
    if not abs(value) < 1e15:
        raise PriceListError(f"{quoted(text)} is no number")
    return value * measure.factor
