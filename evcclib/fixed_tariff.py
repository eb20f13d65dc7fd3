"""A price that depends on weekday and hour: zones over a base price [TAR-2..TAR-6, DEF-39].

Zones follow the wall clock of the owner's time zone: on a night with a change of the clocks a zone from 2 to 5 lasts two or
four hours, and the hour that comes twice has the price of its wall time both times.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from evcclib.allowed import TEXT, TIME, ZONE, Table, among, check_fields, each, instance, number, whole
from evcclib.errors import InvalidConfig, InvalidReadings
from evcclib.tariff import PRICE_MAX, Rate, Rates

DAYS_AHEAD = 7
END_OF_DAY = 24 * 60
WHOLE_WEEK = (0, 1, 2, 3, 4, 5, 6)
"""Weekdays as `datetime.weekday` counts them: Monday is 0."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """``price`` on ``weekdays`` from ``start_minute`` to ``end_minute`` (exclusive, 1440 is midnight) after local midnight.

    Raises `evcclib.errors.InvalidConfig`.
    """

    price: float
    weekdays: tuple[int, ...] = WHOLE_WEEK
    start_minute: int = 0
    end_minute: int = END_OF_DAY

    def __post_init__(self) -> None:
        check_fields(self, _TABLE, "Zone.", InvalidConfig)
        if self.start_minute >= self.end_minute:
            raise InvalidConfig("Zone.start_minute", self.start_minute, f"less than its end_minute, {self.end_minute}")

    def holds(self, weekday: int, minute: int) -> bool:
        """Whether the zone covers this minute of this weekday."""
        return self.start_minute <= minute < self.end_minute and weekday in self.weekdays


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
            if zone.holds(weekday, minute):
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


def fixed_tariff(price: float, zones: Iterable[tuple[float, str, str]] = (), *, unit: str = "EUR") -> FixedTariff:
    """A tariff from (price, days, hours) as an owner writes them, like ``(0.1, "Mo-Fr", "0-5:30,21-0")`` [TAR-2, TAR-5].

    Raises `InvalidConfig` when days or hours cannot be read.
    """
    parsed = [
        Zone(price=zone_price, weekdays=parse_days(days), start_minute=start, end_minute=end)
        for zone_price, days, hours in zones
        for start, end in parse_hours(hours)
    ]
    parsed.sort(key=lambda zone: (zone.start_minute, -zone.end_minute))
    return FixedTariff(price=price, zones=tuple(parsed), unit=unit)


def parse_days(text: str) -> tuple[int, ...]:
    """Weekdays (Monday 0) from ``"Mo-Fr,Sun"``, in the order written; an empty segment is the whole week [TAR-3].

    Raises `InvalidConfig`.
    """
    TEXT.check("days", text, InvalidConfig)
    days: list[int] = []
    for segment in text.replace(" ", "").split(","):
        if not segment:
            days.extend(WHOLE_WEEK)
            continue
        names = segment.split("-")
        if len(names) > 2:
            raise _no_days(segment, f"invalid day: {segment}")
        first, last = _weekday(names[0]), _weekday(names[-1])
        days.extend((first + step) % 7 for step in range((last - first) % 7 + 1))
    if len(days) > 7:
        raise _no_days(text, "too many days")
    if len(set(days)) < len(days):
        raise _no_days(text, "duplicate days")
    return tuple(days)


def parse_hours(text: str) -> tuple[tuple[int, int], ...]:
    """Ranges in minutes after midnight from ``"0-5:30,21-0"``; no text is the whole day, an end at 0:00 its end [TAR-4].

    Raises `InvalidConfig`.
    """
    TEXT.check("hours", text, InvalidConfig)
    if not text.strip():
        return ((0, END_OF_DAY),)
    return tuple(_range(part.strip()) for part in text.split(","))


def _no_days(text: str, message: str) -> InvalidConfig:
    return InvalidConfig("days", text, "weekdays such as Mo-Fr,Sun", message)


def _no_hours(text: str, message: str) -> InvalidConfig:
    return InvalidConfig("hours", text, "ranges such as 0-5:30,21-0", message)


def _weekday(name: str) -> int:
    try:
        return _WEEKDAY_BY_NAME[name.lower()]
    except KeyError:
        raise _no_days(name, f"invalid day: {name}") from None


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
    },
    FixedTariff: {"price": _PRICE, "zones": each(instance(Zone)), "unit": TEXT},
}
