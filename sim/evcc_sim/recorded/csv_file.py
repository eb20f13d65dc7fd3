"""A CSV file of what was measured, as numbers by the second of a run: docs/simulator.md describes the format.

What is wrong is told in this order: the file as a whole, its header, its lines one after the other and each from left to right,
gaps, and what the run needs and the file does not know.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from math import inf, isfinite, nan
from pathlib import Path
from statistics import median

from evcc_sim.timebase import Timebase

Row = tuple[float, ...]
"""A second of the run, and the values."""

POWER_MAX_W = 1e7
PRICE_MIN, PRICE_MAX = -1000.0, 10_000.0
SECOND_MAX = 3660 * 86_400.0
FIRST_YEAR, LAST_YEAR = 1980, 2100
APART_MIN_S, APART_MAX_S = 1.0, 3600.0
"""Between rows that look, or have a mean."""
GAP, GAP_MIN_S = 3.0, 60.0
"""Looks so many times further apart than usual, and by more than so long, have a gap between them."""
HOLDS_S = 86_400.0
"""The last change says no more of what is later than so."""
SLOTS_MINUTES = (5, 10, 15, 20, 30, 60)


class WrongFile(ValueError):
    """A file cannot be used; the message names file, line, what is wrong and what is allowed."""


class Rows(Enum):
    """What a row is, by the first column."""

    CHANGE = auto()  # holds until the next one, the last one for a day
    MEAN = auto()  # of a slot; all slots are equally long
    LOOK = auto()  # between two of them a straight line


KINDS: Mapping[str, Rows] = {
    "second": Rows.CHANGE,
    "since": Rows.CHANGE,
    "since_utc": Rows.CHANGE,
    "start": Rows.MEAN,
    "start_utc": Rows.MEAN,
    "time": Rows.LOOK,
    "time_utc": Rows.LOOK,
}
POWER_UNITS: Mapping[str, float] = {"watt": 1.0, "w": 1.0, "kilowatt": 1000.0, "kw": 1000.0}


@dataclass(frozen=True, slots=True)
class OwnFile:
    """Where values of a world come from."""

    path: str
    ends_s: float  # as far as it is known
    apart_s: float  # its rows: usually, of changes at least; without end of one row alone


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is in a file. ``names``: of its values, an only one may have none."""

    file: OwnFile
    names: tuple[str, ...]
    rows: tuple[Row, ...]  # from second 0 on
    is_smooth: bool


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    factor: float
    low: float
    high: float
    unit: str

    def read(self, cell: str) -> float:
        """Raises ValueError."""
        value = _number(cell) * self.factor
        if not self.low <= value <= self.high:
            raise ValueError(f"{cell.strip()} is not allowed, only {self.low:g} to {self.high:g} {self.unit}")
        return value


@dataclass(frozen=True, slots=True)
class _Clock:
    """The first column."""

    kind: Rows
    word: str
    base: Timebase

    def read(self, cell: str) -> float:
        """The second of the run. Raises ValueError."""
        if self.word == "second":
            second = _number(cell)
            if not 0 <= second <= SECOND_MAX:
                raise ValueError(f"second {cell.strip()} is not allowed, only 0 to {SECOND_MAX:.0f}")
            return second
        return (self._moment(cell.strip()) - self.base.epoch).total_seconds()

    def _moment(self, text: str) -> datetime:
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{_quoted(text)} is no date and time, expected for example 2026-06-15T10:00") from None
        if not FIRST_YEAR <= found.year <= LAST_YEAR:
            raise ValueError(f"{text}: the year {found.year} is not allowed, only {FIRST_YEAR} to {LAST_YEAR}")
        if self.word.endswith("_utc"):
            if found.utcoffset():
                raise ValueError(f"{text} is not in UTC, as the column {self.word!r} says; expected no offset, or Z")
            return found.replace(tzinfo=UTC)
        return found.astimezone(UTC) if found.tzinfo is not None else self._by_the_wall(found, text)

    def _by_the_wall(self, found: datetime, text: str) -> datetime:
        zone = self.base.zone
        local = found.replace(tzinfo=zone, fold=0)
        if local.utcoffset() != local.replace(fold=1).utcoffset():
            is_there = local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == found.replace(fold=0)
            how_often = "twice" if is_there else "never"
            raise ValueError(
                f"{text} is there {how_often} in {zone.key}, as the clocks change; expected an offset, such as {text}+01:00"
            )
        return local.astimezone(UTC)


def read_powers(path: str, base: Timebase) -> Recorded:
    """Powers [W]. Raises `WrongFile`."""
    return _read(path, base, _power_column, _POWER_HEADER)


def read_prices(path: str, base: Timebase, *, unit: str) -> Recorded:
    """Prices per kWh in slots of equal length; ``unit``: the currency, or "g" for emissions. Raises `WrongFile`."""
    units = {f"{unit.lower()}_per_kwh": 1.0, f"{unit.lower()}_per_mwh": 0.001}
    units |= {} if unit == "g" else {"ct_per_kwh": 0.01}

    def column(word: str) -> _Column | None:
        factor = units.get(word.lower())
        return None if factor is None else _Column("", factor, PRICE_MIN, PRICE_MAX, f"{unit} for a kWh")

    found = _read(path, base, column, f"a time (start, start_utc or second), then {' or '.join(units)}", is_slots=True)
    if found.file.apart_s not in [60.0 * minutes for minutes in SLOTS_MINUTES]:
        allowed = ", ".join(map(str, SLOTS_MINUTES))
        raise WrongFile(f"{path}: slots of {found.file.apart_s:g} s are not allowed, only of {allowed} minutes")
    return found


_NAMED = re.compile(rf"(?:(.+)_)?({'|'.join(POWER_UNITS)})", re.IGNORECASE)
_POWER_HEADER = (
    "a time (second, since, start or time), then watt or kilowatt, or several such as l1_watt, l2_watt, l3_watt"
)


def _power_column(word: str) -> _Column | None:
    match = _NAMED.fullmatch(word)
    return match and _Column(match[1] or "", POWER_UNITS[match[2].lower()], 0.0, POWER_MAX_W, "W")


def _read(
    path: str, base: Timebase, column_of: Callable[[str], _Column | None], allowed: str, *, is_slots: bool = False
) -> Recorded:
    """``is_slots``: whatever the first column says, rows are means of slots."""
    lines = _lines(path)
    number, header = next(lines, (1, []))
    clock, columns = _header(f"{path}:{number}", header, base, column_of, allowed)
    if is_slots and clock.kind is Rows.LOOK:
        raise WrongFile(f"{path}:{number}: {clock.word!r} is not allowed here, expected {allowed}")
    kind = Rows.MEAN if is_slots else clock.kind
    numbers: list[int] = []
    rows: list[Row] = []
    for number, cells in lines:
        try:
            row = _row(cells, clock, columns)
            if rows and row[0] <= rows[-1][0]:
                raise ValueError(f"{cells[0].strip()} is not after the row above it")
        except ValueError as error:
            raise WrongFile(f"{path}:{number}: {error}") from error
        numbers.append(number)
        rows.append(row)
    apart_s = _spacing(path, numbers, rows, kind)
    file = OwnFile(path, rows[-1][0] + (HOLDS_S if kind is Rows.CHANGE else apart_s), apart_s)
    return Recorded(
        file, tuple(column.name for column in columns), _from_zero(file, rows, kind, base), kind is Rows.LOOK
    )


def _lines(path: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line that has any, with its number. Raises `WrongFile`."""
    try:
        if not Path(path).is_file():
            raise WrongFile(f"{path}: {'this is a folder' if Path(path).is_dir() else 'there is no such file'}")
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise WrongFile(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise WrongFile(f"{path}: not UTF-8 text: {error.reason}") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise WrongFile(f"{path}:{reader.line_num}: not CSV: {error}") from error


def _header(
    where: str, cells: Sequence[str], base: Timebase, column_of: Callable[[str], _Column | None], allowed: str
) -> tuple[_Clock, list[_Column]]:
    words = [cell.strip() for cell in cells]
    first = words[0].lower() if words else ""
    found = [column_of(word) for word in words[1:]]
    columns = [column for column in found if column is not None]
    if first not in KINDS or not columns or len(columns) < len(found):
        raise WrongFile(f"{where}: {_quoted(','.join(words))} is no header of such a file, expected {allowed}")
    names = [column.name for column in columns]
    if len(names) != len(set(names)) or (len(names) > 1 and "" in names):
        raise WrongFile(f"{where}: {_quoted(','.join(words))}: each column needs a name of its own, expected {allowed}")
    return _Clock(KINDS[first], first, base), columns


def _row(cells: Sequence[str], clock: _Clock, columns: Sequence[_Column]) -> Row:
    """Raises ValueError."""
    if len(cells) != 1 + len(columns):
        raise ValueError(f"{len(cells)} values, expected {1 + len(columns)}")
    return (clock.read(cells[0]), *(column.read(cell) for column, cell in zip(columns, cells[1:], strict=True)))


def _spacing(path: str, numbers: Sequence[int], rows: Sequence[Row], kind: Rows) -> float:
    """How far rows are apart [s]. Raises `WrongFile` for what is missing between them."""
    needed = 1 if kind is Rows.CHANGE else 2
    if len(rows) < needed:
        raise WrongFile(f"{path}: {len(rows)} rows are too few, expected at least {needed}")
    lengths = [later[0] - row[0] for row, later in itertools.pairwise(rows)]
    if kind is Rows.CHANGE:
        return min(lengths, default=inf)
    usual_s = lengths[0] if kind is Rows.MEAN else median(lengths)
    if not APART_MIN_S <= usual_s <= APART_MAX_S:
        raise WrongFile(f"{path}: rows {usual_s:g} s apart are not allowed, only {APART_MIN_S:g} to {APART_MAX_S:g} s")
    longest_s = max(GAP * usual_s, GAP_MIN_S)
    for number, length_s in zip(numbers[1:], lengths, strict=True):
        if kind is Rows.MEAN and length_s != usual_s:
            raise WrongFile(
                f"{path}:{number}: {length_s:g} s after the row above it, expected {usual_s:g} s as at the start"
            )
        if length_s > longest_s:
            raise WrongFile(f"{path}:{number}: a gap of {length_s:g} s, expected at most {longest_s:g} s")
    return usual_s


def _from_zero(file: OwnFile, rows: Sequence[Row], kind: Rows, base: Timebase) -> tuple[Row, ...]:
    """What a run needs, from second 0 on. Raises `WrongFile` if that is unknown, or all of it is before."""
    first_s, last_s = rows[0][0], rows[-1][0]
    slack_s = max(GAP * file.apart_s, GAP_MIN_S) if kind is Rows.LOOK else 0.0
    if first_s > slack_s or file.ends_s <= 0:
        raise WrongFile(
            f"{file.path}: is from {_said(base, first_s)} to {_said(base, last_s)}, and the run begins at {_said(base, 0.0)}; "
            f"expected a value for its first second (site.start says on which day it begins)"
        )
    after = [row for row in rows if row[0] > 0]
    before = rows[len(rows) - len(after) - 1] if len(after) < len(rows) else (0.0, *rows[0][1:])
    if kind is Rows.LOOK and after and before[0] < 0:
        part = -before[0] / (after[0][0] - before[0])
        before = (0.0, *(a + (b - a) * part for a, b in zip(before[1:], after[0][1:], strict=True)))
    return ((0.0, *before[1:]), *after)


def _said(base: Timebase, second: float) -> str:
    return f"{base.utc(second).astimezone(base.zone):%Y-%m-%d %H:%M}"


def _number(cell: str) -> float:
    """Raises ValueError."""
    try:
        number = float(cell)
    except ValueError:
        number = nan
    if not isfinite(number) or "_" in cell or not cell.isascii():  # Python reads 1_5 and digits of all scripts
        raise ValueError(f"{_quoted(cell)} is no number")
    return number


def _quoted(text: str) -> str:
    return repr(text[:80])
