"""Price and emission lists of providers: the request for one, and the list in the answer. Pure.

The formats are written from what the providers publish about their interfaces, those of Nord Pool and of Energy-Charts'
emissions from how public programs read them; nothing here was tried with an account. Every parser refuses what it does not
understand with `PriceListError` rather than guess. Prices come out per kWh, emissions in g/kWh [TAR-7].
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from evcc_server.config.model import ProviderTariff
from evcc_server.config.sources import HttpSource
from evcc_server.json_path import JsonValue
from evcc_server.tariffs.answers import (
    check_unit,
    columns_in,
    instant,
    list_in,
    number_in,
    parsed,
    table_in,
    time_in,
    value_in,
)
from evcc_server.tariffs.entsoe import ADDRESS, parse_entsoe, request_address
from evcc_server.tariffs.price_list import Power, PriceListError, Slot, rates_of
from evcclib.tariff import CO2_UNIT, Rate

Parse = Callable[[str], tuple[Rate, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """How to ask, how to read the answer, and in what unit it is; ``unit`` None: the site's currency.

    ``later``: what is to be asked, too; its answer is empty, or says so, while the provider does not know yet.
    """

    request: HttpSource
    parse: Parse
    unit: str | None = None
    later: HttpSource | None = None


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
    for item in list_in(parsed(text), "data"):
        check_unit(item, "unit", "Eur/MWh")
        start, end = (instant(number_in(item, key) / 1000) for key in ("start_timestamp", "end_timestamp"))
        slots.append(Slot(start, end, value_in(item, "marketprice", per_unit=1000)))
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
        return parse_tibber(text, home=tariff.home, currency=tariff.currency)

    return Provider(request=request, parse=parse)


_FURTHER_NOTICE = timedelta(days=7)
_TIBBER_QUERY = (
    "{ viewer { homes { id currentSubscription { priceInfo(resolution: QUARTER_HOURLY) {"
    " today { total currency startsAt } tomorrow { total currency startsAt } } } } } }"
)


def parse_tibber(text: str, *, home: str = "", currency: str = "EUR") -> tuple[Rate, ...]:
    """Totals of today and tomorrow, of the home with this id, else of the first with a subscription."""
    document = parsed(text)
    errors = document.get("errors") if isinstance(document, dict) else None
    if isinstance(errors, list) and errors:
        first = errors[0]
        raise PriceListError(str(first.get("message") if isinstance(first, dict) else first)[:200])
    homes = list_in(table_in(table_in(document, "data"), "viewer"), "homes")
    for candidate in homes:
        if (home and candidate.get("id") != home) or not isinstance(candidate.get("currentSubscription"), dict):
            continue
        prices = table_in(table_in(candidate, "currentSubscription"), "priceInfo")
        days = [list_in(prices, day) for day in ("today", "tomorrow") if prices.get(day) is not None]
        items = [item for day in days for item in day]
        for item in items:
            check_unit(item, "currency", currency)
        return rates_of(Slot(time_in(item, "startsAt"), None, value_in(item, "total")) for item in items)
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
    items = list_in(parsed(text), "results")
    mine = [item for item in items if item.get("payment_method") in (None, wanted)]
    if items and not mine:
        others = ", ".join(sorted({str(item.get("payment_method")) for item in items}))
        raise PriceListError(f"no price for the payment method {wanted}, only for {others[:80]}; see directDebit")
    slots: list[Slot] = []
    for item in mine:
        start = time_in(item, "valid_from")
        end = max(start, now.astimezone(UTC)) + _FURTHER_NOTICE
        slots.append(Slot(start, end if item.get("valid_to") is None else time_in(item, "valid_to"), _pence(item)))
    return rates_of(slots)


def _pence(item: Mapping[str, JsonValue]) -> float | None:
    return value_in(item, "value_inc_vat", per_unit=100)


def _energy_charts(tariff: ProviderTariff, now: datetime) -> Provider:
    tomorrow = now.date() + timedelta(days=1)
    base = tariff.uri or "https://api.energy-charts.info/price"
    uri = f"{base}?bzn={quote(tariff.region or 'DE-LU')}&start={now.date()}&end={tomorrow}"
    return Provider(request=HttpSource(uri=uri), parse=parse_energy_charts, unit="EUR")


def parse_energy_charts(text: str) -> tuple[Rate, ...]:
    """Parallel lists ``unix_seconds`` and ``price`` [EUR/MWh, null: none]; a slot lasts until the next begins."""
    document = parsed(text)
    check_unit(document, "unit", "EUR/MWh")
    return rates_of(
        Slot(instant(number_in(row, "unix_seconds")), None, value_in(row, "price", per_unit=1000))
        for row in columns_in(document, "unix_seconds", "price")
    )


_AUCTION_DAY = ZoneInfo("Europe/Berlin")
"""Where the days of the European auction begin and end."""


def _nord_pool(tariff: ProviderTariff, now: datetime) -> Provider:
    today = now.astimezone(_AUCTION_DAY).date()
    base = tariff.uri or "https://dataportal-api.nordpoolgroup.com/api/DayAheadPrices"

    def request(days: int) -> HttpSource:
        asked = {"date": today + timedelta(days=days), "market": "DayAhead", "deliveryArea": tariff.region}
        return HttpSource(uri=f"{base}?{urlencode({**asked, 'currency': tariff.currency})}")

    def parse(text: str) -> tuple[Rate, ...]:
        return parse_nord_pool(text, area=tariff.region, currency=tariff.currency)

    return Provider(request=request(0), parse=parse, unit=tariff.currency, later=request(1))


def parse_nord_pool(text: str, *, area: str, currency: str = "EUR") -> tuple[Rate, ...]:
    """``multiAreaEntries[]`` with ``deliveryStart``, ``deliveryEnd`` and ``entryPerArea`` by area [currency/MWh]."""
    document = parsed(text)
    check_unit(document, "currency", currency)
    slots: list[Slot] = []
    for item in list_in(document, "multiAreaEntries"):
        prices = table_in(item, "entryPerArea")
        key = next((key for key in prices if key.casefold() == area.casefold()), None)
        if key is None:
            raise PriceListError(f"no price for the area {area}, only for {', '.join(prices)[:80]}")
        start, end = time_in(item, "deliveryStart"), time_in(item, "deliveryEnd")
        slots.append(Slot(start, end, value_in(prices, key, per_unit=1000)))
    return rates_of(slots)


def _energy_charts_co2(tariff: ProviderTariff, _now: datetime) -> Provider:
    base = tariff.uri or "https://api.energy-charts.info/co2eq"
    uri = f"{base}?country={quote((tariff.region or 'de').casefold())}"
    return Provider(request=HttpSource(uri=uri), parse=parse_energy_charts_co2, unit=CO2_UNIT)


def parse_energy_charts_co2(text: str) -> tuple[Rate, ...]:
    """Parallel lists ``unix_seconds``, ``co2eq`` [g/kWh, null: not measured yet] and ``co2eq_forecast``."""

    def slots() -> Iterator[Slot]:
        for row in columns_in(parsed(text), "unix_seconds", "co2eq", "co2eq_forecast"):
            measured = value_in(row, "co2eq")
            expected = value_in(row, "co2eq_forecast")
            yield Slot(instant(number_in(row, "unix_seconds")), None, expected if measured is None else measured)

    return rates_of(slots())


def _gruenstromindex(tariff: ProviderTariff, _now: datetime) -> Provider:
    uri = tariff.uri or f"https://api.corrently.io/v2.0/gsi/prediction?zip={quote(tariff.region)}"
    return Provider(request=HttpSource(uri=uri, token=tariff.token), parse=parse_gruenstromindex, unit=CO2_UNIT)


def parse_gruenstromindex(text: str) -> tuple[Rate, ...]:
    """``forecast[]`` with ``timeframe`` (``start``, ``end`` [ms]) and ``co2_avg`` or ``co2_g_standard`` [g/kWh]."""
    slots: list[Slot] = []
    for item in list_in(parsed(text), "forecast"):
        frame = table_in(item, "timeframe")
        start, end = (instant(number_in(frame, key) / 1000) for key in ("start", "end"))
        slots.append(Slot(start, end, value_in(item, "co2_avg" if "co2_avg" in item else "co2_g_standard")))
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
        Slot(time_in(item, "datetime"), None, value_in(item, "carbonIntensity"))
        for item in list_in(parsed(text), "forecast")
    )


def parse_list(value: JsonValue, *keys: str) -> tuple[Rate, ...]:
    """The list of a ``custom`` tariff: ``[{start, end, price}]`` or ``{rates: [...]}``; ``value`` counts as price.

    ``end`` may be missing, and a price may be null: a gap. ``keys`` in place of ``price`` and ``value``.
    """
    slots: list[Slot] = []
    for item in _items(value):
        key = next((key for key in keys or ("price", "value") if key in item), (keys or ("value",))[-1])
        end = None if item.get("end") is None else time_in(item, "end")
        slots.append(Slot(time_in(item, "start"), end, value_in(item, key)))
    return rates_of(slots)


def parse_power_list(value: JsonValue) -> Power:
    """As `parse_list`, with a ``p10`` and a ``p90`` beside the value if the first item has them."""
    items: JsonValue = list(_items(value))
    first = next(iter(_items(items)), {})
    quantiles = (parse_list(items, key) if key in first else () for key in ("p10", "p90"))
    return Power(parse_list(items), *quantiles)


def _items(value: JsonValue) -> Iterator[dict[str, JsonValue]]:
    if isinstance(value, str):
        value = parsed(value)
    if isinstance(value, dict):
        value = value.get("rates", value.get("result"))
        if isinstance(value, dict):
            value = value.get("rates")
    if not isinstance(value, list):
        raise PriceListError("expected a list of {start, end, price}")
    for item in value:
        if not isinstance(item, dict):
            raise PriceListError("expected a list of {start, end, price}")
        yield item


def _entsoe(tariff: ProviderTariff, now: datetime) -> Provider:
    uri = request_address(tariff.uri or ADDRESS, token=tariff.token or "", domain=tariff.region, now=now)
    return Provider(request=HttpSource(uri=uri), parse=parse_entsoe, unit="EUR")


_PROVIDERS: dict[str, Callable[[ProviderTariff, datetime], Provider]] = {
    "awattar": _awattar,
    "tibber": _tibber,
    "octopusenergy": _octopus,
    "energycharts": _energy_charts,
    "nordpool": _nord_pool,
    "gruenstromindex": _gruenstromindex,
    "electricitymaps": _electricitymaps,
    "energychartsco2": _energy_charts_co2,
    "entsoe": _entsoe,
}
