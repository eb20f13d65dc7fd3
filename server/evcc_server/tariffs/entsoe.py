"""Day-ahead prices of the ENTSO-E Transparency Platform (document type A44). Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from evcc_server.quoting import quoted
from evcc_server.tariffs.price_list import RATES_MAX, PriceListError, Slot, iso_duration, rates_of
from evcclib.tariff import Rate, Rates

ADDRESS = "https://web-api.tp.entsoe.eu/api"
_DAY_AHEAD = "1"
"""The auction whose prices contracts go by; a document may have those of an earlier one (2) beside them."""
_REPEATING = "A03"
"""The curve on which a position that is left out has the price of the one before."""


def request_address(address: str, *, token: str, domain: str, now: datetime) -> str:
    """Where the prices of today and tomorrow are, ``now`` being local time."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    start, end = (f"{(today + timedelta(days=days)).astimezone(UTC):%Y%m%d%H%M}" for days in (0, 2))
    asked = {"securityToken": token, "documentType": "A44", "in_Domain": domain, "out_Domain": domain}
    return f"{address}?{urlencode({**asked, 'periodStart': start, 'periodEnd': end}, quote_via=quote)}"


def parse_entsoe(text: str) -> tuple[Rate, ...]:
    """The prices [EUR/MWh] of the day-ahead auction; of two resolutions for the same time the finer one holds."""
    series = [each for each in _document(text).iterfind("{*}TimeSeries") if _auction(each) == _DAY_AHEAD]
    if not series:
        raise PriceListError("no prices of the day-ahead auction")
    periods = [(each, period) for each in series for period in each.iterfind("{*}Period")]
    periods.sort(key=lambda pair: _resolution(pair[1]), reverse=True)
    slots: list[Slot] = []
    for each, period in periods:
        currency = _text(each, "currency_Unit.name")
        if currency != "EUR":
            raise PriceListError(f"prices in {quoted(currency)}, expected EUR")
        measure = _text(each, "price_Measure_Unit.name")
        if measure != "MWH":
            raise PriceListError(f"prices per {quoted(measure)}, expected MWH")
        slots += _slots(period, repeats=each.findtext("{*}curveType", "") == _REPEATING)
        if len(slots) > RATES_MAX:
            raise PriceListError(f"more than {RATES_MAX} prices")
    return Rates(rates_of(slots)).rates


def _document(text: str) -> Element:
    if "<!DOCTYPE" in text:  # no document of theirs has one, and what it could define is not wanted
        raise PriceListError("no price list: it defines a document type")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise PriceListError(f"no XML: {quoted(text.strip()[:60])}") from error
    reason = root.findtext("{*}Reason/{*}text")
    if reason is not None:
        raise PriceListError(reason.strip()[:200])
    return root


def _auction(series: Element) -> str:
    return series.findtext("{*}classificationSequence_AttributeInstanceComponent.position", _DAY_AHEAD).strip()


def _slots(period: Element, *, repeats: bool) -> Iterator[Slot]:
    start, end = (_time(_text(period, f"timeInterval/{{*}}{which}")) for which in ("start", "end"))
    step = _resolution(period)
    count = (end - start) // step
    if not 0 < count <= RATES_MAX:
        raise PriceListError(f"a period from {start.isoformat()} to {end.isoformat()}")
    prices = {_position(point, count): _price(point) for point in period.iterfind("{*}Point")}
    last: float | None = None
    for position in range(1, count + 1):
        last = prices.get(position, last if repeats else None)
        begin = start + (position - 1) * step
        yield Slot(begin, begin + step, last)


def _position(point: Element, count: int) -> int:
    text = _text(point, "position")
    if not (text.isdecimal() and len(text) < 6 and 1 <= int(text) <= count):
        raise PriceListError(f"position: {quoted(text)} is not from 1 to {count}")
    return int(text)


def _price(point: Element) -> float:
    text = _text(point, "price.amount")
    try:
        price = float(text)
    except ValueError:
        price = math.nan
    if not abs(price) < 1e15:
        raise PriceListError(f"price.amount: {quoted(text)} is no number")
    return price / 1000


def _resolution(period: Element) -> timedelta:
    text = _text(period, "resolution")
    step = iso_duration(text)
    if step is None:
        raise PriceListError(f"resolution: {quoted(text)} is not known")
    return step


def _time(text: str) -> datetime:
    """Such as ``2026-11-29T23:00Z``: there are no seconds."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise PriceListError(f"{quoted(text)} is no time") from None
    if time.tzinfo is None:
        raise PriceListError(f"{quoted(text)} has no time zone")
    return time.astimezone(UTC)


def _text(element: Element, name: str) -> str:
    found = element.findtext(f"{{*}}{name}")
    if found is None:
        raise PriceListError(f"no {name.replace('{*}', '')}")
    return found.strip()
