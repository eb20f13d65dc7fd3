"""What the parsers of JSON answers have in common: walking down, numbers, times, units. Pure.

Everything raises `PriceListError` with the key of what it cannot read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from evcc_server.json_path import JsonValue
from evcc_server.quoting import quoted
from evcc_server.tariffs.price_list import RATES_MAX, PriceListError


def parsed(text: str) -> JsonValue:
    """The JSON of an answer."""
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PriceListError(f"no JSON: {quoted(text.strip()[:60])}") from error
    return value


def table_in(value: JsonValue, key: str) -> dict[str, JsonValue]:
    """The object under ``key``."""
    inner = value.get(key) if isinstance(value, dict) else None
    if not isinstance(inner, dict):
        raise PriceListError(f"no {key}")
    return inner


def list_in(value: JsonValue, key: str) -> list[dict[str, JsonValue]]:
    """The list of objects under ``key``."""
    inner = value.get(key) if isinstance(value, dict) else None
    if not isinstance(inner, list):
        raise PriceListError(f"no list {key}")
    if len(inner) > RATES_MAX:
        raise PriceListError(f"{key} has {len(inner)} entries")
    tables = [item for item in inner if isinstance(item, dict)]
    if len(tables) != len(inner):
        raise PriceListError(f"{key} has an entry that is no object")
    return tables


def columns_in(value: JsonValue, *keys: str) -> list[dict[str, JsonValue]]:
    """The rows of lists of the same length, one under each of ``keys``."""
    columns: list[list[JsonValue]] = []
    for key in keys:
        column = value.get(key) if isinstance(value, dict) else None
        if not isinstance(column, list):
            raise PriceListError(f"no list {key}")
        if len(column) > RATES_MAX:
            raise PriceListError(f"{key} has {len(column)} entries")
        columns.append(column)
    if len({len(column) for column in columns}) > 1:
        raise PriceListError(f"{' and '.join(keys)} are not lists of the same length")
    return [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]


def check_unit(value: JsonValue, key: str, *allowed: str) -> None:
    """Refuse what says under ``key`` that it is in another unit; one that says nothing passes."""
    unit = value.get(key) if isinstance(value, dict) else None
    if unit is not None and str(unit).replace(" ", "").casefold() not in {each.casefold() for each in allowed}:
        raise PriceListError(f"{key}: {quoted(unit)} is not expected, only {' or '.join(allowed)}")


def number_in(item: Mapping[str, JsonValue], key: str) -> float:
    """The number under ``key``."""
    value = item.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        raise PriceListError(f"{key}: {quoted(value)} is no number")
    return float(value)


def value_in(item: Mapping[str, JsonValue], key: str, *, per_unit: float = 1.0) -> float | None:
    """What stands under ``key``, for so many units, for one of them; None: it is null."""
    if key in item and item[key] is None:
        return None
    return number_in(item, key) / per_unit


def time_in(item: Mapping[str, JsonValue], key: str) -> datetime:
    """The time under ``key`` in UTC: ISO 8601 with its zone, or seconds or milliseconds since 1970."""
    value = item.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = number_in(item, key)
        return instant(seconds / 1000 if seconds > 1e11 else seconds)
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise PriceListError(f"{key}: {quoted(value)} is no time") from error
    if time.tzinfo is None:
        raise PriceListError(f"{key}: {quoted(value)} has no time zone")
    return time.astimezone(UTC)


def instant(seconds: float) -> datetime:
    """So many seconds since 1970."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise PriceListError(f"{quoted(seconds)} is no time") from error
