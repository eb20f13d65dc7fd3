"""What is to come, as today's clients draw it: prices and emissions as ``[start, end, value]``, the sun as ``[time, W]``.

Times are Unix seconds. Energies are Wh; that of today is what is still to come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, time, timedelta, tzinfo

from evcc_server.state.values import Json, Ready, Tree, Value
from evcclib.model import TariffKind
from evcclib.tariff import CO2_UNIT, Rate, Rates
from evcclib.units import HOUR

QUARTER = timedelta(minutes=15)
_PARTS = {
    "grid": (TariffKind.GRID,),
    "feedin": (TariffKind.FEED_IN,),
    "planner": (TariffKind.PLANNER, TariffKind.GRID),
    "co2": (TariffKind.CO2,),
}
"""Of each part, the lists that may be it, the first that there is."""
_DAYS = ("today", "tomorrow", "dayAfterTomorrow")


def in_quarters(rates: Rates) -> Iterator[Rate]:
    """``rates`` in slots of a quarter of an hour, whose ends are those of the clock; shorter ones as they are."""
    for rate in rates.rates:
        start = rate.start
        while start < rate.end:
            past = timedelta(minutes=start.minute % 15, seconds=start.second, microseconds=start.microsecond)
            end = min(start + QUARTER - past, rate.end)
            yield Rate(start, end, rate.price)
            start = end


def planner_list(rates: Mapping[TariffKind, Rates]) -> Rates | None:
    """What is planned by."""
    return rates.get(TariffKind.PLANNER) or rates.get(TariffKind.GRID)


def smart_cost_type(rates: Mapping[TariffKind, Rates]) -> str | None:
    """Today's word for the kind of list that is planned by."""
    planned = planner_list(rates)
    if planned is None:
        return None
    if planned.unit == CO2_UNIT:
        return "co2"
    return "priceforecast" if is_changing(planned) else "pricestatic"


def is_changing(rates: Rates | None) -> bool:
    """Whether a list has more than one price."""
    return rates is not None and len({rate.price for rate in rates.rates}) > 1


class Forecast:
    """Remembers what it has made of each list: they change by the hour and are shown with every step."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[Rates, object, Ready]] = {}

    def shown(self, rates: Mapping[TariffKind, Rates], utc: datetime, zone: tzinfo) -> Tree:
        """Every part of which there is a list."""
        parts: dict[str, Value] = {}
        for part, kinds in _PARTS.items():
            found = next((rates[kind] for kind in kinds if kind in rates), None)
            if found is not None:
                parts[part] = self._part(part, found, None, _triples)
        sun = rates.get(TariffKind.SOLAR)
        if sun is not None:
            quarter = utc.replace(minute=utc.minute // 15 * 15, second=0, microsecond=0)
            parts["solar"] = self._part("solar", sun, (quarter, zone), lambda each: _solar(each, quarter, zone))
        return Tree(parts)

    def _part(self, part: str, rates: Rates, basis: object, make: Callable[[Rates], Json]) -> Ready:
        made = self._made.get(part)
        if made is None or made[0] is not rates or made[1] != basis:
            made = self._made[part] = rates, basis, Ready(make(rates))
        return made[2]


FORECAST = Forecast()


def _triples(rates: Rates) -> Json:
    return [[_unix(rate.start), _unix(rate.end), _plain(rate.price)] for rate in in_quarters(rates)]


def _solar(rates: Rates, now: datetime, zone: tzinfo) -> Json:
    shown: dict[str, Json] = {}
    first = now.astimezone(zone).date()
    for ahead, word in enumerate(_DAYS):
        start = datetime.combine(first + timedelta(days=ahead), time(), zone).astimezone(UTC)
        end = datetime.combine(first + timedelta(days=ahead + 1), time(), zone).astimezone(UTC)
        is_covered = bool(rates.rates) and rates.rates[0].start <= max(start, now) and rates.rates[-1].end >= end
        shown[word] = {"energy": _plain(_energy_wh(rates, max(start, now), end)), "complete": is_covered}
    shown["timeseries"] = [[_unix(rate.start), _plain(rate.price)] for rate in in_quarters(rates)]
    return shown


def _energy_wh(rates: Rates, start: datetime, end: datetime) -> float:
    return sum(
        rate.price * ((min(rate.end, end) - max(rate.start, start)) / HOUR)
        for rate in rates.rates
        if rate.start < end and rate.end > start
    )


def _unix(instant: datetime) -> int:
    return int(instant.timestamp())


def _plain(value: float) -> float:
    rounded = round(value, 4)
    return int(rounded) if rounded == int(rounded) else rounded
