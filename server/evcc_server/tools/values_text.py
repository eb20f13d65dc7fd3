"""What a device said, as lines for people: name, value with unit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import timedelta
from enum import Enum

from evcc_server.config.durations import format_duration
from evcc_server.devices.contract import ChargerValues, MeterValues, VehicleValues

_UNITS = {"_w": "W", "_a": "A", "_v": "V", "_kwh": "kWh", "_pct": "%", "_km": "km"}
MISSING = "-"


def value_rows(
    values: MeterValues | ChargerValues | VehicleValues, offered: frozenset[str] | None = None
) -> list[tuple[str, str]]:
    """Name and value of each field; with ``offered`` only of those the device says it has."""
    rows: list[tuple[str, str]] = []
    for each in fields(values):
        value = getattr(values, each.name)
        if each.name == "must_retry" or (value is None and (offered is None or each.name not in offered)):
            continue
        name, unit = split_unit(each.name)
        rows.append((name, shown(value, unit)))
    return rows


def split_unit(name: str) -> tuple[str, str]:
    """``energy_import_kwh`` is ``energy import`` in kWh."""
    for suffix, unit in _UNITS.items():
        if name.endswith(suffix):
            return name.removesuffix(suffix).replace("_", " "), unit
    return name.replace("_", " ").removeprefix("is "), ""


def shown(value: object, unit: str = "") -> str:
    """One value for people; None is a dash."""
    match value:
        case None:
            return MISSING
        case bool():
            return "yes" if value else "no"
        case Enum():
            return str(value.value)
        case timedelta():
            return format_duration(value)
        case tuple():
            return f"{' / '.join(shown(each) for each in value)} {unit}".rstrip()
        case float():
            return f"{_number(value)} {unit}".rstrip()
        case _:
            return f"{value} {unit}".rstrip() or '""'


def _number(value: float) -> str:
    if value != value:
        return MISSING
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Aligned columns, without frames, so that they can be cut and sorted by other programs."""
    lines = [tuple(headings), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
