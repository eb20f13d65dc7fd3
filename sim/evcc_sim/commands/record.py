"""Record what a real site's API says.

A recording is a CSV file with one row for each look at ``/api/state``: the site's own time, its powers, its cars; a cell stays
empty where the site did not know. `evcc_sim.commands.replayed` makes a world of it.
"""

from __future__ import annotations

import csv
import re
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from pathlib import Path

from evcc_sim.recorded.csv_file import FIRST_YEAR, LAST_YEAR
from evcc_sim.worlds.scenario import InvalidScenario
from evcclib.model import ChargeMode

COLUMNS = ("time", "home_w", "pv_w", "grid_w", "battery_w", "battery_soc_pct")
LOADPOINT_COLUMNS = (
    "title",
    "connected",
    "charge_w",
    "soc_pct",
    "mode",
    "phases",
    "can_switch",
    "energy_kwh",
    "capacity_kwh",
)
FIRST_COLUMNS = LOADPOINT_COLUMNS[:5]
"""All that older recordings know of a loadpoint."""
MODES = tuple(mode.value for mode in ChargeMode)
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")


class Loadpoint(typing.NamedTuple):
    """What is seen of one; None: not known. ``soc_pct``: 0 is unknown, too, as the API says it."""

    title: str
    connected: bool
    charge_w: float | None
    soc_pct: float | None
    mode: str
    phases: float | None = None  # on which it charges
    can_switch: bool | None = None
    energy_kwh: float | None = None  # since the car was connected
    capacity_kwh: float | None = None  # of the vehicle, as it is configured


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row; None: not known."""

    time: datetime
    home_w: float | None
    pv_w: float | None
    grid_w: float | None
    battery_w: float | None
    battery_soc_pct: float | None
    loadpoints: tuple[Loadpoint, ...]


def look_at(state: typing.Mapping[str, typing.Any], when: datetime) -> Row:
    """A row from the API's state document."""
    document = state.get("result", state)
    return Row(
        time=when,
        home_w=_known(document.get("homePower")),
        pv_w=_known(document.get("pvPower")),
        grid_w=_known(document.get("gridPower")),
        battery_w=_known(document.get("batteryPower")),
        battery_soc_pct=_known(document.get("batterySoc")),
        loadpoints=tuple(
            _loadpoint(loadpoint, number) for number, loadpoint in enumerate(document.get("loadpoints") or (), 1)
        ),
    )


def _loadpoint(document: typing.Mapping[str, typing.Any], number: int) -> Loadpoint:
    energy_wh = _known(document.get("chargedEnergy"))
    return Loadpoint(
        title=str(document.get("title") or f"loadpoint {number}"),
        connected=bool(document.get("connected")),
        charge_w=_known(document.get("chargePower")),
        soc_pct=_known(document.get("vehicleSoc")),
        mode=str(document.get("mode") or "off"),
        phases=_known(document.get("phasesActive")),
        can_switch=document["phasesConfigured"] is not None if "phasesConfigured" in document else None,
        energy_kwh=None if energy_wh is None else energy_wh / 1000,
        capacity_kwh=_known(document.get("vehicleCapacity")),
    )


def _known(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


async def record(
    url: str, path: Path, *, interval_s: float = 10.0, duration_s: float, said: Callable[[str], None] = print
) -> int:
    """Look at the site at ``url`` for ``duration_s`` and write the file; returns the number of rows.

    Times are those of the site's own clock (the ``Date`` of its answers). A failed look is told and left out.
    """
    import httpx
    import trio

    rows = 0
    end_s = trio.current_time() + duration_s
    async with httpx.AsyncClient(base_url=url, timeout=10.0) as client:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            while True:
                next_s = trio.current_time() + interval_s
                try:
                    answer = await client.get("/api/state")
                    answer.raise_for_status()
                    look = look_at(answer.json(), parsedate_to_datetime(answer.headers["date"]))
                except (httpx.HTTPError, KeyError, ValueError) as error:
                    said(f"no answer: {error!r}")
                else:
                    if rows == 0:
                        writer.writerow(_header(len(look.loadpoints)))
                    writer.writerow(_row(look))
                    file.flush()
                    rows += 1
                if next_s >= end_s:
                    return rows
                await trio.sleep_until(next_s)


def _header(loadpoints: int, columns: Sequence[str] = LOADPOINT_COLUMNS) -> list[str]:
    return [*COLUMNS, *(f"lp{number}_{name}" for number in range(1, loadpoints + 1) for name in columns)]


def _row(look: Row) -> list[str]:
    fixed = [look.home_w, look.pv_w, look.grid_w, look.battery_w, look.battery_soc_pct]
    cells = [look.time.astimezone(UTC).isoformat(), *(_cell(value) for value in fixed)]
    for each in look.loadpoints:
        cells += [
            _text(each.title),
            str(int(each.connected)),
            _cell(each.charge_w),
            _cell(each.soc_pct),
            _text(each.mode),
        ]
        cells += [_cell(value) for value in (each.phases, each.can_switch, each.energy_kwh, each.capacity_kwh)]
    return cells


def _text(text: str) -> str:
    """Whatever the site calls itself: what a spreadsheet would take for a formula and calculate is marked as text."""
    return f"'{text}" if _FORMULA.match(text) else text


def _plain(cell: str) -> str:
    """What `_text` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _number(cell: str) -> float | None:
    """Raises ValueError."""
    if not cell:
        return None
    number = float(cell)
    if not isfinite(number):
        raise ValueError(f"{cell!r} is no number")
    return number


def write(looks: Iterable[Row], path: Path) -> None:
    """Write a recording."""
    looks = list(looks)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_header(len(looks[0].loadpoints) if looks else 0))
        writer.writerows(_row(look) for look in looks)


def read(path: Path) -> list[Row]:
    """A recording. Raises `InvalidScenario`, naming file and line."""
    looks: list[Row] = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            size = _columns_of_a_loadpoint(header)
            if size is None:
                raise InvalidScenario(f"{path}:1: not a recording, expected {','.join(_header(1))} and so on")
            for line, row in enumerate(rows, 2):
                try:
                    look = _parse(row, len(header), size)
                    if looks and look.time < looks[-1].time:
                        raise ValueError(f"{row[0]} is before the row above it")
                except ValueError as error:
                    raise InvalidScenario(f"{path}:{line}: {error}") from error
                looks.append(look)
    except OSError as error:
        raise InvalidScenario(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidScenario(f"{path}: not a recording: {error}") from error
    if len(looks) < 2:
        raise InvalidScenario(f"{path}: a recording needs at least two rows")
    return looks


def _columns_of_a_loadpoint(header: Sequence[str]) -> int | None:
    """How many columns each loadpoint has; None: this is no recording."""
    for columns in (LOADPOINT_COLUMNS, FIRST_COLUMNS):
        count = (len(header) - len(COLUMNS)) // len(columns)
        if list(header) == _header(count, columns):
            return len(columns)
    return None


def _parse(row: Sequence[str], columns: int, size: int) -> Row:
    """One row. Raises ValueError."""
    if len(row) != columns:
        raise ValueError(f"{len(row)} values, expected {columns}")
    when = datetime.fromisoformat(row[0])
    if not FIRST_YEAR <= when.year <= LAST_YEAR:
        raise ValueError(f"{row[0]}: the year {when.year} is not allowed, only {FIRST_YEAR} to {LAST_YEAR}")
    if when.tzinfo is None:
        raise ValueError(
            f"{row[0]!r}: the time lacks its offset from UTC, expected for example 2026-06-15T10:00:00+00:00"
        )
    loadpoints = []
    for start in range(len(COLUMNS), len(row), size):
        title, connected, charge_w, soc_pct, mode, *more = row[start : start + size]
        if mode not in MODES:
            raise ValueError(f"mode {mode!r} is not allowed, only {', '.join(MODES)}")
        phases, can_switch, energy_kwh, capacity_kwh = map(_number, more or [""] * 4)
        loadpoints.append(
            Loadpoint(
                title=_plain(title),
                connected=connected == "1",
                charge_w=_number(charge_w),
                soc_pct=_number(soc_pct),
                mode=mode,
                phases=phases,
                can_switch=None if can_switch is None else bool(can_switch),
                energy_kwh=energy_kwh,
                capacity_kwh=capacity_kwh,
            )
        )
    return Row(
        time=when,
        home_w=_number(row[1]),
        pv_w=_number(row[2]),
        grid_w=_number(row[3]),
        battery_w=_number(row[4]),
        battery_soc_pct=_number(row[5]),
        loadpoints=tuple(loadpoints),
    )
