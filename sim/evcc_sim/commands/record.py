"""A real site as a scenario: record what its API says, and live through it again.

A recording is a CSV file with one row for each look at ``/api/state``: the site's own time, its powers, its cars; a cell stays
empty where the site did not know. Replayed, sun and household follow the recording, and go on as they were where it has no
value; cars come and go as they did; the charging is decided anew.
"""

from __future__ import annotations

import csv
import re
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from math import isfinite
from pathlib import Path
from zoneinfo import ZoneInfo

from evcc_sim.plants.battery import BatterySpec
from evcc_sim.plants.car import CarSpec, Visit
from evcc_sim.plants.household import HouseholdSpec
from evcc_sim.plants.sunshine import PvSpec
from evcc_sim.plants.wallbox import WallboxSpec
from evcc_sim.worlds.scenario import ChargerSpec, InvalidScenario, LoadpointSpec, Scenario, SiteSpec, checked
from evcclib.model import ChargeMode

COLUMNS = ("time", "home_w", "pv_w", "grid_w", "battery_w", "battery_soc_pct")
LOADPOINT_COLUMNS = ("title", "connected", "charge_w", "soc_pct", "mode")
MODES = tuple(mode.value for mode in ChargeMode)
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row; None: not known. ``loadpoints``: title, connected, power [W], SoC [%] (0: unknown, as the API says it), mode."""

    time: datetime
    home_w: float | None
    pv_w: float | None
    grid_w: float | None
    battery_w: float | None
    battery_soc_pct: float | None
    loadpoints: tuple[tuple[str, bool, float | None, float | None, str], ...]


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
            (
                str(loadpoint.get("title") or f"loadpoint {number}"),
                bool(loadpoint.get("connected")),
                _known(loadpoint.get("chargePower")),
                _known(loadpoint.get("vehicleSoc")),
                str(loadpoint.get("mode") or "off"),
            )
            for number, loadpoint in enumerate(document.get("loadpoints") or (), 1)
        ),
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


def _header(loadpoints: int) -> list[str]:
    return [*COLUMNS, *(f"lp{number}_{name}" for number in range(1, loadpoints + 1) for name in LOADPOINT_COLUMNS)]


def _row(look: Row) -> list[str]:
    fixed = [look.home_w, look.pv_w, look.grid_w, look.battery_w, look.battery_soc_pct]
    cells = [look.time.astimezone(UTC).isoformat(), *(_cell(value) for value in fixed)]
    for title, connected, charge_w, soc_pct, mode in look.loadpoints:
        cells += [_text(title), str(int(connected)), _cell(charge_w), _cell(soc_pct), _text(mode)]
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
            is_whole = (len(header) - len(COLUMNS)) % len(LOADPOINT_COLUMNS) == 0
            if tuple(header[: len(COLUMNS)]) != COLUMNS or not is_whole:
                raise InvalidScenario(f"{path}:1: not a recording")
            for line, row in enumerate(rows, 2):
                try:
                    look = _parse(row, len(header))
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


def _parse(row: Sequence[str], columns: int) -> Row:
    """One row. Raises ValueError."""
    if len(row) != columns:
        raise ValueError(f"{len(row)} values, expected {columns}")
    when = datetime.fromisoformat(row[0])
    if when.tzinfo is None:
        raise ValueError(
            f"{row[0]!r}: the time lacks its offset from UTC, expected for example 2026-06-15T10:00:00+00:00"
        )
    size = len(LOADPOINT_COLUMNS)
    loadpoints = []
    for start in range(len(COLUMNS), len(row), size):
        title, connected, charge_w, soc_pct, mode = row[start : start + size]
        if mode not in MODES:
            raise ValueError(f"mode {mode!r} is not allowed, only {', '.join(MODES)}")
        loadpoints.append((_plain(title), connected == "1", _number(charge_w), _number(soc_pct), mode))
    return Row(
        time=when,
        home_w=_number(row[1]),
        pv_w=_number(row[2]),
        grid_w=_number(row[3]),
        battery_w=_number(row[4]),
        battery_soc_pct=_number(row[5]),
        loadpoints=tuple(loadpoints),
    )


def replayed(looks: Sequence[Row], *, name: str, time_zone: str = "Europe/Berlin") -> Scenario:
    """The recorded site as a world: sun and household as they were, cars that come and go as they did.

    Raises `InvalidScenario` for a recording that never knew the home power, or with values that cannot be.
    """
    zone = ZoneInfo(time_zone)
    start: date = looks[0].time.astimezone(zone).date()
    epoch = datetime.combine(start, time(0), zone).astimezone(UTC)
    seconds = [(look.time - epoch).total_seconds() for look in looks]
    count = len(looks[0].loadpoints)
    chargers = tuple(
        ChargerSpec(
            box=WallboxSpec(name=f"station{index + 1}"),
            loadpoint=LoadpointSpec(
                title=looks[0].loadpoints[index][0], mode=ChargeMode(looks[0].loadpoints[index][4] or "pv")
            ),
        )
        for index in range(count)
    )
    home = _series(seconds, [look.home_w for look in looks])
    sun = _series(seconds, [look.pv_w for look in looks])
    if not home:
        raise InvalidScenario(f"{name}: the home power is not known in any row")
    has_battery = any(look.battery_w for look in looks)
    battery_soc_pct = next((look.battery_soc_pct for look in looks if look.battery_soc_pct is not None), 50.0)
    spec = Scenario(
        name=name,
        title=f"Recording {name}",
        hours=(seconds[-1] - 0.0) / 3600.0,
        site=SiteSpec(start=start, time_zone=time_zone),
        household=HouseholdSpec(series=home, has_appliances=False),
        pv=(PvSpec(name="recorded", series=sun),) if sun else (),
        battery=(BatterySpec(name="battery", soc_pct=battery_soc_pct),) if has_battery else (),
        charger=chargers,
        car=tuple(car for index in range(count) for car in _cars(looks, index, zone, start)),
    )
    return checked(replace(spec, days=max(1, round(seconds[-1] / 86_400))))


def _series(seconds: Sequence[float], values: Sequence[float | None]) -> tuple[tuple[float, float], ...]:
    """Only the changes; what is not known is none, and the first value known holds from the beginning."""
    series: list[tuple[float, float]] = []
    for second, value in zip(seconds, values, strict=True):
        if value is not None and (not series or series[-1][1] != max(0.0, value)):
            series.append((max(0.0, second if series else seconds[0]), max(0.0, value)))
    return tuple(series)


def _cars(looks: Sequence[Row], index: int, zone: ZoneInfo, start: date) -> list[CarSpec]:
    """A car for each time that something was plugged in."""
    cars: list[CarSpec] = []
    since: Row | None = None
    for look in [*looks, None]:
        connected = look is not None and look.loadpoints[index][1]
        if connected and since is None:
            since = look
        elif since is not None and not connected:
            until = look.time if look is not None else looks[-1].time + timedelta(minutes=1)
            arrive, depart = since.time.astimezone(zone), until.astimezone(zone)
            visit = Visit(
                charger=f"station{index + 1}",
                arrive=arrive.time().replace(microsecond=0),
                depart=depart.time().replace(microsecond=0),
                soc_pct=since.loadpoints[index][3] or 50.0,
                days=((arrive.date() - start).days,),
            )
            cars.append(
                CarSpec(
                    name=f"car{index + 1}-{len(cars) + 1}", visits=(visit,), has_api=bool(since.loadpoints[index][3])
                )
            )
            since = None
    return cars
