"""What a file of an owner's stands for in a scenario: the fields of household, PV plants and price lists that it fills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from evcc_sim.recorded.csv_file import OwnFile, Recorded, WrongFile, read_powers, read_prices
from evcc_sim.timebase import Timebase

PHASES = ("l1", "l2", "l3")
PRICE_LISTS = ("grid", "feed_in", "planner")

Filled: TypeAlias = "tuple[dict[str, Any], OwnFile]"
"""Fields, and where they are from."""


def household(path: str, base: Timebase) -> Filled:
    """A total, or a power for each phase. Raises `WrongFile`."""
    found = read_powers(path, base)
    names = found.names if len(found.names) == 1 else ("household",) if "household" in found.names else PHASES
    return _course(found, names, "one column, household_watt, or l1_watt, l2_watt and l3_watt")


def plant(path: str, base: Timebase, name: str, *, is_only: bool = True) -> Filled:
    """What the PV plant called ``name`` could deliver; a column without a name is for an only one. Raises `WrongFile`."""
    found = read_powers(path, base)
    return _course(found, ("",) if found.names == ("",) and is_only else (name,), f"{name}_watt")


def prices(path: str, base: Timebase, *, unit: str) -> Filled:
    """A price list. Raises `WrongFile`."""
    found = read_prices(path, base, unit=unit)
    return {"series": found.rows, "slot_minutes": round(found.file.apart_s / 60)}, found.file


def filled(table: Mapping[str, Any], base: Timebase) -> tuple[dict[str, Any], dict[str, OwnFile]]:
    """A scenario's table with what is in the files that it names, and these, by place. Raises `WrongFile`."""
    whole, files = dict(table), dict[str, OwnFile]()
    if path := _file_in(table.get("household")):
        fields, files["household"] = household(path, base)
        whole["household"] = {**table["household"], **fields}
    plants = table.get("pv")
    if isinstance(plants, list):
        whole["pv"] = list(plants)
        for index, spec in enumerate(plants):
            if path := _file_in(spec):
                fields, files[f"pv[{index}]"] = plant(path, base, str(spec.get("name", "pv")))
                whole["pv"][index] = {**spec, **fields}
    tariff = table.get("tariff")
    if isinstance(tariff, Mapping):
        whole["tariff"] = dict(tariff)
        for kind in PRICE_LISTS:
            if path := _file_in(tariff.get(kind)):
                is_co2 = kind == "planner" and tariff.get("planner_is_co2") is True
                unit = "g" if is_co2 else str(tariff.get("currency", "EUR"))
                fields, files[f"tariff.{kind}"] = prices(path, base, unit=unit)
                whole["tariff"][kind] = {**tariff[kind], **fields}
    return whole, files


def anchored(value: Any, folder: Path) -> Any:
    """A table of a file in ``folder``, in which the names of other files go by the folder."""
    if isinstance(value, list):
        return [anchored(each, folder) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: str(folder / each) if key == "series" and isinstance(each, str) else anchored(each, folder)
        for key, each in value.items()
    }


def _file_in(table: Any) -> str:
    series = table.get("series") if isinstance(table, Mapping) else None
    return series if isinstance(series, str) else ""


def _course(found: Recorded, names: Sequence[str], expected: str) -> Filled:
    if not set(names) <= set(found.names):
        has = ", ".join(f"{name}_watt" if name else "watt" for name in found.names)
        raise WrongFile(f"{found.file.path}:1: has {has}, expected {expected}")
    places = [1 + found.names.index(name) for name in names]
    rows = tuple((row[0], *(row[place] for place in places)) for row in found.rows)
    return {"series": rows, "is_smooth": found.is_smooth}, found.file
