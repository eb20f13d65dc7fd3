"""A price that depends on month, weekday and hour: zones over a base price [TAR-2..TAR-6, DEF-39].

Zones follow the wall clock of the owner's time zone: on a night with a change of the clocks a zone from 2 to 5 lasts two or
four hours, and the hour that comes twice has the price of its wall time both times.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from evcclib.allowed import TEXT, TIME, ZONE, Table, among, check_fields, each, instance, number, whole
from evcclib.errors import InvalidConfig, InvalidReadings
from evcclib.tariff import PRICE_MAX, Rate, Rates

DAYS_AHEAD = 7
END_OF_DAY = 24 * 60
WHOLE_WEEK = (0, 1, 2, 3, 4, 5, 6)
"""Weekdays as `datetime.weekday` counts them: Monday is 0."""
WHOLE_YEAR = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)

_NAMES = (
    ("monday", "mon", "mo", "1"),
    ("tuesday", "tue", "di", "2"),
    ("wednesday", "wed", "mi", "3"),
    ("thursday", "thu", "do", "4"),
    ("friday", "fri", "fr", "5"),
    ("saturday", "sat", "sa", "6"),
    ("sunday", "sun", "so", "0", "7"),
)
_WEEKDAY_BY_NAME = {name: weekday for weekday, names in enumerate(_NAMES) for name in names}
_MONTH_NAMES = (
    ("january", "jan", "januar"),
    ("february", "feb", "februar"),
    ("march", "mar", "mär", "mrz", "märz"),
    ("april", "apr"),
    ("may", "mai"),
    ("june", "jun", "juni"),
    ("july", "jul", "juli"),
    ("august", "aug"),
    ("september", "sep"),
    ("october", "oct", "okt", "oktober"),
    ("november", "nov"),
    ("december", "dec", "dez", "dezember"),
)
_MONTH_BY_NAME = {name: month for month, names in enumerate(_MONTH_NAMES, 1) for name in (*names, str(month))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """``price`` on ``weekdays`` from ``start_minute`` to ``end_minute`` (exclusive, 1440 is midnight) after local midnight, in
    ``months`` (1 to 12).

    Raises `evcclib.errors.InvalidConfig`.
    """

    price: float
    weekdays: tuple[int, ...] = WHOLE_WEEK
    start_minute: int = 0
    end_minute: int = END_OF_DAY
    months: tuple[int, ...] = WHOLE_YEAR

    def __post_init__(self) -> None:
        check_fields(self, _TABLE, "Zone.", InvalidConfig)
        if self.start_minute >= self.end_minute:
            raise InvalidConfig("Zone.start_minute", self.start_minute, f"less than its end_minute, {self.end_minute}")

    def holds(self, weekday: int, minute: int, month: int = 1) -> bool:
        """Whether the zone covers this minute of this weekday, in this month."""
        return self.start_minute <= minute < self.end_minute and weekday in self.weekdays and month in self.months


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedTariff:
    """A base price and the zones over it, in the order in which the last one that holds decides [TAR-5].

    Raises `evcclib.errors.InvalidConfig`.
    """

    price: float
    zones: tuple[Zone, ...] = ()
    unit: str = "EUR"

    def __post_init__(self) -> None:
        check_fields(self, _TABLE, "FixedTariff.", InvalidConfig)

    def price_at(self, local: datetime) -> float:
        """The price at a local wall time."""
        weekday, minute = local.weekday(), local.hour * 60 + local.minute
        price = self.price
        for zone in self.zones:
            if zone.holds(weekday, minute, local.month):
                price = zone.price
        return price

    def rates(self, now: datetime, time_zone: tzinfo) -> Rates:
        """Seven local days from the midnight before ``now``, without gaps [TAR-6]. Raises `evcclib.errors.InvalidReadings`."""
        TIME.check("now", now, InvalidReadings)
        ZONE.check("time_zone", time_zone, InvalidReadings)
        today = now.astimezone(time_zone).date()
        days = (today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD))
        return Rates.of((rate for day in days for rate in self._day(day, time_zone)), unit=self.unit)

    def _day(self, day: date, time_zone: tzinfo) -> list[Rate]:
        start, end = _midnight(day, time_zone), _midnight(day + timedelta(days=1), time_zone)
        edges = {start, end}
        for zone in self.zones:
            for minute in (zone.start_minute, zone.end_minute % END_OF_DAY):
                edges.update(_instants(day, minute, time_zone))
        edges.update(_clock_change(start, end, time_zone))
        ordered = sorted(edge for edge in edges if start <= edge <= end)
        rates: list[Rate] = []
        for since, until in itertools.pairwise(ordered):
            price = self.price_at(since.astimezone(time_zone))
            if rates and rates[-1].price == price:
                rates[-1] = Rate(rates[-1].start, until, price)
            else:
                rates.append(Rate(since, until, price))
        return rates


def fixed_tariff(
    price: float, zones: Iterable[tuple[float, str, str] | tuple[float, str, str, str]] = (), *, unit: str = "EUR"
) -> FixedTariff:
    """A tariff from (price, days, hours) or (price, days, hours, months) as an owner writes them, like
    ``(0.1, "Mo-Fr", "0-5:30,21-0", "Nov-Mar")`` [TAR-2, TAR-5].

    Raises `InvalidConfig` when days, hours or months cannot be read.
    """
    parsed = [
        Zone(
            price=zone_price,
            weekdays=parse_days(days),
            start_minute=start,
            end_minute=end,
            months=parse_months(*months),
        )
        for zone_price, days, hours, *months in zones
        for start, end in parse_hours(hours)
    ]
    parsed.sort(key=lambda zone: (zone.start_minute, -zone.end_minute))
    return FixedTariff(price=price, zones=tuple(parsed), unit=unit)


def parse_days(text: str) -> tuple[int, ...]:
    """Weekdays (Monday 0) from ``"Mo-Fr,Sun"``, in the order written; an empty segment is the whole week [TAR-3].

    Raises `InvalidConfig`.
    """
    TEXT.check("days", text, InvalidConfig)
    return _listed(text, "day", _WEEKDAY_BY_NAME, WHOLE_WEEK, "weekdays such as Mo-Fr,Sun")


def parse_months(text: str = "") -> tuple[int, ...]:
    """Months (January 1) from ``"Nov-Mar,Jun"``, in the order written; an empty segment is the whole year [TAR-3].

    Raises `InvalidConfig`.
    """
    TEXT.check("months", text, InvalidConfig)
    return _listed(text, "month", _MONTH_BY_NAME, WHOLE_YEAR, "months such as Nov-Mar,Jun")


def parse_hours(text: str) -> tuple[tuple[int, int], ...]:
    """Ranges in minutes after midnight from ``"0-5:30,21-0"``; no text is the whole day, an end at 0:00 its end [TAR-4].

    Raises `InvalidConfig`.
    """
    TEXT.check("hours", text, InvalidConfig)
    if not text.strip():
        return ((0, END_OF_DAY),)
    return tuple(_range(part.strip()) for part in text.split(","))


def _listed(text: str, word: str, by_name: Mapping[str, int], whole: tuple[int, ...], allowed: str) -> tuple[int, ...]:
    """Members of the circle ``whole``, by names and ranges of them."""

    def refused(wrong: str, message: str) -> InvalidConfig:
        return InvalidConfig(f"{word}s", wrong, allowed, message)

    found: list[int] = []
    for segment in text.replace(" ", "").split(","):
        if not segment:
            found.extend(whole)
            continue
        names = segment.split("-")
        if len(names) > 2:
            raise refused(segment, f"invalid {word}: {segment}")
        for name in names:
            if name.lower() not in by_name:
                raise refused(name, f"invalid {word}: {name}")
        first, last = (whole.index(by_name[name.lower()]) for name in (names[0], names[-1]))
        found.extend(whole[(first + step) % len(whole)] for step in range((last - first) % len(whole) + 1))
    if len(found) > len(whole):
        raise refused(text, f"too many {word}s")
    if len(set(found)) < len(found):
        raise refused(text, f"duplicate {word}s")
    return tuple(found)


def _no_hours(text: str, message: str) -> InvalidConfig:
    return InvalidConfig("hours", text, "ranges such as 0-5:30,21-0", message)


def _range(text: str) -> tuple[int, int]:
    start_text, dash, end_text = text.partition("-")
    if not dash:
        raise _no_hours(text, f"invalid time range: {text}")
    start, end = _minute(start_text.strip()), _minute(end_text.strip()) or END_OF_DAY
    if start >= end:
        raise _no_hours(text, f"invalid time range: {text}, {start_text.strip()} must be before {end_text.strip()}")
    return start, end


def _minute(text: str) -> int:
    hour, colon, minute = text.partition(":")
    digits = hour.isascii() and hour.isdigit() and len(hour) <= 2 and int(hour) < 24
    if colon:
        digits = digits and minute.isascii() and minute.isdigit() and len(minute) == 2 and int(minute) < 60
    if not digits:
        raise _no_hours(text, f"invalid time: {text}")
    return int(hour) * 60 + (int(minute) if colon else 0)


def _midnight(day: date, time_zone: tzinfo) -> datetime:
    return datetime.combine(day, time(0), tzinfo=time_zone).astimezone(UTC)


def _instants(day: date, minute: int, time_zone: tzinfo) -> set[datetime]:
    """When the wall clock shows this minute: twice in the hour that comes twice."""
    wall = datetime.combine(day, time(minute // 60, minute % 60), tzinfo=time_zone)
    return {wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1)}


def _clock_change(start: datetime, end: datetime, time_zone: tzinfo) -> tuple[datetime, ...]:
    """The instant, to the minute, at which the clocks change between the two, if they do."""
    offset = start.astimezone(time_zone).utcoffset()
    if end.astimezone(time_zone).utcoffset() == offset:
        return ()
    before, after = 0, int((end - start) / timedelta(minutes=1))
    while after - before > 1:
        middle = (before + after) // 2
        if (start + timedelta(minutes=middle)).astimezone(time_zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return (start + timedelta(minutes=after),)


_PRICE = number(-PRICE_MAX, PRICE_MAX)
_TABLE: Table = {
    Zone: {
        "price": _PRICE,
        "weekdays": each(among(*WHOLE_WEEK)),
        "start_minute": whole(0, END_OF_DAY),
        "end_minute": whole(0, END_OF_DAY),
        "months": each(among(*WHOLE_YEAR)),
    },
    FixedTariff: {"price": _PRICE, "zones": each(instance(Zone)), "unit": TEXT},
}
