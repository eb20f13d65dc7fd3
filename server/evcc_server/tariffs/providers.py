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
from evcc_server.tariffs.entsoe import ADDRESS, parse_entsoe, request_address
from evcc_server.tariffs.price_list import RATES_MAX, PriceListError, Slot, rates_of
from evcclib.tariff import CO2_UNIT, Rate

Parse = Callable[[str], tuple[Rate, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """How to ask, how to read the answer, and in what unit it is; ``unit`` None: the site's currency."""

    request: HttpSource
    parse: Parse
    unit: str | None = None


def provider_of(tariff: ProviderTariff, now: datetime) -> Provider:
    """The provider of a configured tariff, asked at ``now``, local time."""
    return _PROVIDERS[tariff.kind](tariff, now)


def _awattar(tariff: ProviderTariff, _now: datetime) -> Provider:
    country = (tariff.region or "de").casefold()
    uri = tariff.uri or f"https://api.awattar.{quote(country)}/v1/marketdata"
    return Provider(request=HttpSource(uri=uri), parse=parse_awattar, unit="EUR")


def parse_awattar(text: str) -> tuple[Rate, ...]:
    """``data[]`` with ``start_timestamp``, ``end_timestamp`` [ms] and ``marketprice`` [EUR/MWh]; no tax."""
    slots: list[Slot] = []
    for item in _list(_json(text), "data"):
        start, end = (_instant(_number(item, key) / 1000) for key in ("start_timestamp", "end_timestamp"))
        slots.append(Slot(start, end, _price(item, "marketprice", per_unit=1000)))
    return rates_of(slots)


def _tibber(tariff: ProviderTariff, _now: datetime) -> Provider:
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


_FURTHER_NOTICE = timedelta(days=7)
_TIBBER_QUERY = (
    "{ viewer { homes { id currentSubscription { priceInfo(resolution: QUARTER_HOURLY) {"
    " today { total startsAt } tomorrow { total startsAt } } } } } }"
)


def parse_tibber(text: str, *, home: str = "") -> tuple[Rate, ...]:
    """Totals of today and tomorrow, of the home with this id, else of the first with a subscription."""
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
        days = [_list(prices, day) for day in ("today", "tomorrow") if prices.get(day) is not None]
        return rates_of(Slot(_time(item, "startsAt"), None, _price(item, "total")) for day in days for item in day)
    raise PriceListError("no home with a subscription" + (f" and the id {home}" if home else ""))


def _octopus(tariff: ProviderTariff, now: datetime) -> Provider:
    code = f"E-1R-{tariff.product}-{tariff.region}".upper()
    uri = tariff.uri or (
        f"https://api.octopus.energy/v1/products/{quote(tariff.product)}"
        f"/electricity-tariffs/{quote(code)}/standard-unit-rates/"
    )

    def parse(text: str) -> tuple[Rate, ...]:
        return parse_octopus(text, now=now, by_direct_debit=tariff.by_direct_debit)

    return Provider(request=HttpSource(uri=uri, user=tariff.token, password=""), parse=parse, unit="GBP")


def parse_octopus(text: str, *, now: datetime, by_direct_debit: bool = True) -> tuple[Rate, ...]:
    """``results[]`` with ``value_inc_vat`` [p/kWh], ``valid_from``, ``valid_to`` (null: until further notice).

    Where the price depends on how one pays, ``payment_method`` says for whom it is.
    """
    wanted = "DIRECT_DEBIT" if by_direct_debit else "NON_DIRECT_DEBIT"
    items = _list(_json(text), "results")
    mine = [item for item in items if item.get("payment_method") in (None, wanted)]
    if items and not mine:
        others = ", ".join(sorted({str(item.get("payment_method")) for item in items}))
        raise PriceListError(f"no price for the payment method {wanted}, only for {others[:80]}; see directDebit")
    slots: list[Slot] = []
    for item in mine:
        start = _time(item, "valid_from")
        end = max(start, now.astimezone(UTC)) + _FURTHER_NOTICE
        slots.append(Slot(start, end if item.get("valid_to") is None else _time(item, "valid_to"), _pence(item)))
    return rates_of(slots)


def _pence(item: Mapping[str, JsonValue]) -> float | None:
    return _price(item, "value_inc_vat", per_unit=100)


def _energy_charts(tariff: ProviderTariff, now: datetime) -> Provider:
    tomorrow = now.date() + timedelta(days=1)
    base = tariff.uri or "https://api.energy-charts.info/price"
    uri = f"{base}?bzn={quote(tariff.region or 'DE-LU')}&start={now.date()}&end={tomorrow}"
    return Provider(request=HttpSource(uri=uri), parse=parse_energy_charts, unit="EUR")


def parse_energy_charts(text: str) -> tuple[Rate, ...]:
    """Parallel lists ``unix_seconds`` and ``price`` [EUR/MWh, null: none]; a slot lasts until the next begins."""
    document = _json(text)
    if not isinstance(document, dict):
        raise PriceListError("no price list")
    seconds, prices = document.get("unix_seconds"), document.get("price")
    if not isinstance(seconds, list) or not isinstance(prices, list) or len(seconds) != len(prices):
        raise PriceListError("unix_seconds and price are not two lists of the same length")
    if len(seconds) > RATES_MAX:
        raise PriceListError(f"price has {len(seconds)} entries")
    items: list[dict[str, JsonValue]] = [
        {"unix_seconds": second, "price": price} for second, price in zip(seconds, prices, strict=True)
    ]
    return rates_of(
        Slot(_instant(_number(item, "unix_seconds")), None, _price(item, "price", per_unit=1000)) for item in items
    )


def _gruenstromindex(tariff: ProviderTariff, _now: datetime) -> Provider:
    uri = tariff.uri or f"https://api.corrently.io/v2.0/gsi/prediction?zip={quote(tariff.region)}"
    return Provider(request=HttpSource(uri=uri, token=tariff.token), parse=parse_gruenstromindex, unit=CO2_UNIT)


def parse_gruenstromindex(text: str) -> tuple[Rate, ...]:
    """``forecast[]`` with ``timeframe`` (``start``, ``end`` [ms]) and ``co2_avg`` or ``co2_g_standard`` [g/kWh]."""
    slots: list[Slot] = []
    for item in _list(_json(text), "forecast"):
        frame = _table(item, "timeframe")
        start, end = (_instant(_number(frame, key) / 1000) for key in ("start", "end"))
        slots.append(Slot(start, end, _price(item, "co2_avg" if "co2_avg" in item else "co2_g_standard")))
    return rates_of(slots)


def _electricitymaps(tariff: ProviderTariff, _now: datetime) -> Provider:
    base = (tariff.uri or "https://api.electricitymap.org/v3").rstrip("/")
    request = HttpSource(
        uri=f"{base}/carbon-intensity/forecast?zone={quote(tariff.region)}",
        headers={"auth-token": tariff.token or ""},
    )
    return Provider(request=request, parse=parse_electricitymaps, unit=CO2_UNIT)


def parse_electricitymaps(text: str) -> tuple[Rate, ...]:
    """``forecast[]`` with ``datetime`` and ``carbonIntensity`` [g/kWh], one for each hour."""
    return rates_of(
        Slot(_time(item, "datetime"), None, _price(item, "carbonIntensity")) for item in _list(_json(text), "forecast")
    )


def parse_list(value: JsonValue) -> tuple[Rate, ...]:
    """The list of a ``custom`` tariff: ``[{start, end, price}]`` or ``{rates: [...]}``; ``value`` counts as price.

    ``end`` may be missing, and a price may be null: a gap.
    """
    if isinstance(value, str):
        value = _json(value)
    if isinstance(value, dict):
        value = value.get("rates", value.get("result"))
        if isinstance(value, dict):
            value = value.get("rates")
    if not isinstance(value, list):
        raise PriceListError("expected a list of {start, end, price}")
    slots: list[Slot] = []
    for item in value:
        if not isinstance(item, dict):
            raise PriceListError("expected a list of {start, end, price}")
        end = None if item.get("end") is None else _time(item, "end")
        slots.append(Slot(_time(item, "start"), end, _price(item, "price" if "price" in item else "value")))
    return rates_of(slots)


def _entsoe(tariff: ProviderTariff, now: datetime) -> Provider:
    uri = request_address(tariff.uri or ADDRESS, token=tariff.token or "", domain=tariff.region, now=now)
    return Provider(request=HttpSource(uri=uri), parse=parse_entsoe, unit="EUR")


_PROVIDERS: dict[str, Callable[[ProviderTariff, datetime], Provider]] = {
    "awattar": _awattar,
    "tibber": _tibber,
    "octopusenergy": _octopus,
    "energycharts": _energy_charts,
    "gruenstromindex": _gruenstromindex,
    "electricitymaps": _electricitymaps,
    "entsoe": _entsoe,
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
    if len(inner) > RATES_MAX:
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


def _price(item: Mapping[str, JsonValue], key: str, *, per_unit: float = 1.0) -> float | None:
    """What stands under ``key``, for so many units, for one of them; None: it is null."""
    if key in item and item[key] is None:
        return None
    return _number(item, key) / per_unit


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
