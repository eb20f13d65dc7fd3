"""Price and emission lists of providers: the request for one, and the list in the answer. Pure.

The formats are written from what the providers publish about their interfaces; nothing here was tried with an account. Every
parser refuses what it does not understand with `PriceListError` rather than guess. Prices come out per kWh, emissions in
g/kWh [TAR-7].
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from evcc_server.config.model import ProviderTariff
from evcc_server.config.sources import HttpSource
from evcc_server.json_path import JsonValue
from evcc_server.quoting import quoted
from evcclib.tariff import CO2_UNIT, Rate

HOUR = timedelta(hours=1)
_RATES_MAX = 5000


class PriceListError(ValueError):
    """The answer is no price list of this provider."""


Parse = Callable[[str], tuple[Rate, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """How to ask, how to read the answer, and in what unit it is; ``unit`` None: the site's currency."""

    request: HttpSource
    parse: Parse
    unit: str | None = None


def provider_of(tariff: ProviderTariff) -> Provider:
    """The provider of a configured tariff."""
    return _PROVIDERS[tariff.kind](tariff)


def _awattar(tariff: ProviderTariff) -> Provider:
    country = (tariff.region or "de").casefold()
    uri = tariff.uri or f"https://api.awattar.{quote(country)}/v1/marketdata"
    return Provider(request=HttpSource(uri=uri), parse=parse_awattar, unit="EUR")


def parse_awattar(text: str) -> tuple[Rate, ...]:
    """``data[]`` with ``start_timestamp``, ``end_timestamp`` [ms] and ``marketprice`` [EUR/MWh]; no tax."""
    rates: list[Rate] = []
    for item in _list(_json(text), "data"):
        start, end = (_number(item, key) / 1000 for key in ("start_timestamp", "end_timestamp"))
        rates.append(_rate(_instant(start), _instant(end), _number(item, "marketprice") / 1000))
    return _complete(rates)


def _tibber(tariff: ProviderTariff) -> Provider:
    body = json.dumps({"query": _TIBBER_QUERY})
    request = HttpSource(
        uri=tariff.uri or "https://api.tibber.com/v1-beta/gql",
        method="POST",
        headers={"Content-Type": "application/json"},
        token=tariff.token,
        body=body,
    )

    def parse(text: str) -> tuple[Rate, ...]:
        return parse_tibber(text, home=tariff.home)

    return Provider(request=request, parse=parse)


_TIBBER_QUERY = (
    "{ viewer { homes { id currentSubscription { priceInfo {"
    " today { total startsAt } tomorrow { total startsAt } } } } } }"
)


def parse_tibber(text: str, *, home: str = "") -> tuple[Rate, ...]:
    """Hourly totals of today and tomorrow, of the home with this id, else of the first with a subscription."""
    document = _json(text)
    errors = document.get("errors") if isinstance(document, dict) else None
    if isinstance(errors, list) and errors:
        first = errors[0]
        raise PriceListError(str(first.get("message") if isinstance(first, dict) else first)[:200])
    homes = _list(_table(_table(document, "data"), "viewer"), "homes")
    for candidate in homes:
        if (home and candidate.get("id") != home) or not isinstance(candidate.get("currentSubscription"), dict):
            continue
        prices = _table(_table(candidate, "currentSubscription"), "priceInfo")
        rates: list[Rate] = []
        for day in ("today", "tomorrow"):
            for item in _list(prices, day) if prices.get(day) is not None else ():
                start = _time(item, "startsAt")
                rates.append(_rate(start, start + HOUR, _number(item, "total")))
        return _complete(_until_next(rates))
    raise PriceListError("no home with a subscription" + (f" and the id {home}" if home else ""))


def _octopus(tariff: ProviderTariff) -> Provider:
    code = f"E-1R-{tariff.product}-{tariff.region}".upper()
    uri = tariff.uri or (
        f"https://api.octopus.energy/v1/products/{quote(tariff.product)}"
        f"/electricity-tariffs/{quote(code)}/standard-unit-rates/"
    )
    return Provider(request=HttpSource(uri=uri, user=tariff.token, password=""), parse=parse_octopus, unit="GBP")


def parse_octopus(text: str) -> tuple[Rate, ...]:
    """``results[]`` with ``value_inc_vat`` [p/kWh], ``valid_from``, ``valid_to`` (null: until further notice)."""
    rates: list[Rate] = []
    for item in _list(_json(text), "results"):
        start = _time(item, "valid_from")
        end = start + timedelta(days=7) if item.get("valid_to") is None else _time(item, "valid_to")
        rates.append(_rate(start, end, _number(item, "value_inc_vat") / 100))
    return _complete(rates)


def _energy_charts(tariff: ProviderTariff) -> Provider:
    uri = tariff.uri or f"https://api.energy-charts.info/price?bzn={quote(tariff.region or 'DE-LU')}"
    return Provider(request=HttpSource(uri=uri), parse=parse_energy_charts, unit="EUR")


def parse_energy_charts(text: str) -> tuple[Rate, ...]:
    """Parallel lists ``unix_seconds`` and ``price`` [EUR/MWh]; a slot lasts until the next begins."""
    document = _json(text)
    if not isinstance(document, dict):
        raise PriceListError("no price list")
    seconds, prices = document.get("unix_seconds"), document.get("price")
    if not isinstance(seconds, list) or not isinstance(prices, list) or len(seconds) != len(prices):
        raise PriceListError("unix_seconds and price are not two lists of the same length")
    rates: list[Rate] = []
    for second, price in zip(seconds, prices, strict=True):
        if price is None:
            continue  # not known yet
        item: dict[str, JsonValue] = {"unix_seconds": second, "price": price}
        start = _instant(_number(item, "unix_seconds"))
        rates.append(_rate(start, start + HOUR, _number(item, "price") / 1000))
    return _complete(_until_next(rates))


def _gruenstromindex(tariff: ProviderTariff) -> Provider:
    uri = tariff.uri or f"https://api.corrently.io/v2.0/gsi/prediction?zip={quote(tariff.region)}"
    return Provider(request=HttpSource(uri=uri, token=tariff.token), parse=parse_gruenstromindex, unit=CO2_UNIT)


def parse_gruenstromindex(text: str) -> tuple[Rate, ...]:
    """``forecast[]`` with ``timeframe`` (``start``, ``end`` [ms]) and ``co2_avg`` or ``co2_g_standard`` [g/kWh]."""
    rates: list[Rate] = []
    for item in _list(_json(text), "forecast"):
        frame = _table(item, "timeframe")
        start, end = (_instant(_number(frame, key) / 1000) for key in ("start", "end"))
        rates.append(_rate(start, end, _number(item, "co2_avg" if "co2_avg" in item else "co2_g_standard")))
    return _complete(rates)


def _electricitymaps(tariff: ProviderTariff) -> Provider:
    base = (tariff.uri or "https://api.electricitymap.org/v3").rstrip("/")
    request = HttpSource(
        uri=f"{base}/carbon-intensity/forecast?zone={quote(tariff.region)}",
        headers={"auth-token": tariff.token or ""},
    )
    return Provider(request=request, parse=parse_electricitymaps, unit=CO2_UNIT)


def parse_electricitymaps(text: str) -> tuple[Rate, ...]:
    """``forecast[]`` with ``datetime`` and ``carbonIntensity`` [g/kWh], one for each hour."""
    rates: list[Rate] = []
    for item in _list(_json(text), "forecast"):
        start = _time(item, "datetime")
        rates.append(_rate(start, start + HOUR, _number(item, "carbonIntensity")))
    return _complete(_until_next(rates))


def parse_list(value: JsonValue) -> tuple[Rate, ...]:
    """The list of a ``custom`` tariff: ``[{start, end, price}]`` or ``{rates: [...]}``; ``value`` counts as price."""
    if isinstance(value, str):
        value = _json(value)
    if isinstance(value, dict):
        value = value.get("rates", value.get("result"))
        if isinstance(value, dict):
            value = value.get("rates")
    if not isinstance(value, list):
        raise PriceListError("expected a list of {start, end, price}")
    rates: list[Rate] = []
    for item in value:
        if not isinstance(item, dict):
            raise PriceListError("expected a list of {start, end, price}")
        start = _time(item, "start")
        end = start + HOUR if item.get("end") is None else _time(item, "end")
        rates.append(_rate(start, end, _number(item, "price" if "price" in item else "value")))
    return _complete(rates)


_PROVIDERS: dict[str, Callable[[ProviderTariff], Provider]] = {
    "awattar": _awattar,
    "tibber": _tibber,
    "octopusenergy": _octopus,
    "energycharts": _energy_charts,
    "gruenstromindex": _gruenstromindex,
    "electricitymaps": _electricitymaps,
}


def _json(text: str) -> JsonValue:
    try:
        parsed: JsonValue = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PriceListError(f"no JSON: {quoted(text.strip()[:60])}") from error
    return parsed


def _table(value: JsonValue, key: str) -> dict[str, JsonValue]:
    inner = value.get(key) if isinstance(value, dict) else None
    if not isinstance(inner, dict):
        raise PriceListError(f"no {key}")
    return inner


def _list(value: JsonValue, key: str) -> list[dict[str, JsonValue]]:
    inner = value.get(key) if isinstance(value, dict) else None
    if not isinstance(inner, list):
        raise PriceListError(f"no list {key}")
    if len(inner) > _RATES_MAX:
        raise PriceListError(f"{key} has {len(inner)} entries")
    tables = [item for item in inner if isinstance(item, dict)]
    if len(tables) != len(inner):
        raise PriceListError(f"{key} has an entry that is no object")
    return tables


def _number(item: Mapping[str, JsonValue], key: str) -> float:
    value = item.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        raise PriceListError(f"{key}: {quoted(value)} is no number")
    return float(value)


def _time(item: Mapping[str, JsonValue], key: str) -> datetime:
    value = item.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = _number(item, key)
        return _instant(seconds / 1000 if seconds > 1e11 else seconds)
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise PriceListError(f"{key}: {quoted(value)} is no time") from error
    if time.tzinfo is None:
        raise PriceListError(f"{key}: {quoted(value)} has no time zone")
    return time.astimezone(UTC)


def _instant(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise PriceListError(f"{quoted(seconds)} is no time") from error


def _rate(start: datetime, end: datetime, price: float) -> Rate:
    if end <= start:
        raise PriceListError(f"a price ends at {end.isoformat()} before it begins")
    return Rate(start, end, price)


def _until_next(rates: list[Rate]) -> list[Rate]:
    """Slots shorter than an hour end where the next begins."""
    ordered = sorted(rates, key=lambda rate: rate.start)
    trimmed: list[Rate] = []
    for rate, following in zip(ordered, [*ordered[1:], None], strict=True):
        gap = timedelta(0) if following is None else following.start - rate.start
        if following is None and trimmed:
            gap = trimmed[-1].end - trimmed[-1].start
        trimmed.append(Rate(rate.start, rate.start + gap, rate.price) if timedelta(0) < gap < HOUR else rate)
    return trimmed


def _complete(rates: list[Rate]) -> tuple[Rate, ...]:
    if not rates:
        raise PriceListError("the list is empty")
    return tuple(rates)
