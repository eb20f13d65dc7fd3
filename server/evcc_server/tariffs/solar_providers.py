"""Forecasts of what the sun gives to a roof: the request for one, and the power in the answer. Pure.

Written from what the providers publish and from how public programs read their answers; nothing was tried with an account.
Powers come out in W. Every parser refuses what it does not understand with `PriceListError`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from evcc_server.config.model import Roof, SolarTariff
from evcc_server.config.sources import HttpSource
from evcc_server.json_path import JsonValue
from evcc_server.quoting import quoted
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
from evcc_server.tariffs.clear_sky import power_w
from evcc_server.tariffs.price_list import HOUR, RATES_MAX, Power, PriceListError, Slot, iso_duration, rates_of
from evcclib.tariff import Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class SolarProvider:
    """How to ask, and how to read the answer."""

    request: HttpSource
    parse: Callable[[str], Power]


def solar_provider_of(tariff: SolarTariff) -> SolarProvider:
    """The provider of a configured forecast."""
    return SOLAR_PROVIDERS[tariff.kind](tariff)


def _forecast_solar(tariff: SolarTariff) -> SolarProvider:
    roof = _roof(tariff)
    base = tariff.uri or "https://api.forecast.solar"
    key = f"/{quote(tariff.token, safe='')}" if tariff.token else ""
    place = f"{roof.latitude_deg:g}/{roof.longitude_deg:g}/{roof.tilt_deg:g}/{roof.azimuth_deg:g}/{roof.peak_kw:g}"
    asked = {"time": "utc"} | ({"horizon": tariff.horizon} if tariff.horizon else {})
    uri = f"{base}{key}/estimate/{place}?{urlencode(asked, safe=',')}"
    return SolarProvider(request=HttpSource(uri=uri), parse=parse_forecast_solar)


def parse_forecast_solar(text: str) -> Power:
    """``result.watts``: the power [W] by time, from sunrise to sunset; between two times the mean of both.

    Times without a zone are in that of ``message.info.timezone``. Between a sunset and a sunrise, both without power, there is
    none; other holes of more than an hour are gaps.
    """
    document = parsed(text)
    watts = table_in(table_in(document, "result"), "watts")
    if len(watts) > RATES_MAX:
        raise PriceListError(f"watts has {len(watts)} entries")
    zone = _zone(document)
    looks = sorted((_time(key, zone), number_in(watts, key)) for key in watts)

    def slots() -> Iterator[Slot]:
        for (since, power), (until, later) in itertools.pairwise(looks):
            if until > since:
                is_known = until - since <= HOUR or power == later == 0
                yield Slot(since, until, (power + later) / 2 if is_known else None)

    return Power(rates_of(slots()))


def _zone(document: JsonValue) -> tzinfo | None:
    message = document.get("message") if isinstance(document, dict) else None
    info = message.get("info") if isinstance(message, dict) else None
    name = info.get("timezone") if isinstance(info, dict) else None
    try:
        return None if name is None else ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError):
        raise PriceListError(f"timezone: {quoted(name)} is not known") from None


def _time(text: str, zone: tzinfo | None) -> datetime:
    try:
        is_naive = datetime.fromisoformat(text).tzinfo is None
    except ValueError:
        is_naive = False
    if is_naive and zone is not None:
        text = datetime.fromisoformat(text).replace(tzinfo=zone).isoformat()
    return time_in({"watts": text}, "watts")


def _open_meteo(tariff: SolarTariff) -> SolarProvider:
    roof = _roof(tariff)
    asked = {
        "latitude": f"{roof.latitude_deg:g}",
        "longitude": f"{roof.longitude_deg:g}",
        "minutely_15": "global_tilted_irradiance,temperature_2m",
        "tilt": f"{roof.tilt_deg:g}",
        "azimuth": f"{roof.azimuth_deg:g}",
        "timeformat": "unixtime",
        "timezone": "UTC",
        "forecast_days": "3",
    } | ({"models": tariff.model} if tariff.model else {})
    uri = f"{tariff.uri or 'https://api.open-meteo.com/v1/forecast'}?{urlencode(asked, safe=',')}"

    def parse(text: str) -> Power:
        return parse_open_meteo(text, roof=roof)

    return SolarProvider(request=HttpSource(uri=uri), parse=parse)


def parse_open_meteo(text: str, *, roof: Roof) -> Power:
    """``minutely_15``: parallel lists ``time`` [s], ``global_tilted_irradiance`` [W/m2, the mean of the quarter of an hour
    before] and ``temperature_2m`` [degrees Celsius]; the power by `clear_sky.power_w`."""
    document = parsed(text)
    units = table_in(document, "minutely_15_units")
    check_unit(units, "global_tilted_irradiance", "W/m²")
    check_unit(units, "temperature_2m", "°C")

    def slots() -> Iterator[Slot]:
        for row in columns_in(table_in(document, "minutely_15"), "time", "global_tilted_irradiance", "temperature_2m"):
            end = instant(number_in(row, "time"))
            irradiance, air = value_in(row, "global_tilted_irradiance"), value_in(row, "temperature_2m")
            yield Slot(end - timedelta(minutes=15), end, None if irradiance is None else power_w(roof, irradiance, air))

    return Power(rates_of(slots()))


def _solcast(tariff: SolarTariff) -> SolarProvider:
    base = tariff.uri or "https://api.solcast.com.au/rooftop_sites"
    uri = f"{base}/{quote(tariff.site, safe='')}/forecasts?format=json"
    return SolarProvider(request=HttpSource(uri=uri, token=tariff.token), parse=parse_solcast)


def parse_solcast(text: str) -> Power:
    """``forecasts[]`` with ``period_end``, ``period`` (PT30M), ``pv_estimate`` [kW] and, perhaps, ``pv_estimate10`` and
    ``pv_estimate90``."""
    items = list_in(parsed(text), "forecasts")

    def rates(key: str) -> tuple[Rate, ...]:
        return rates_of(_solcast_slot(item, key) for item in items)

    first: Mapping[str, JsonValue] = items[0] if items else {}
    quantiles = (rates(key) if key in first else () for key in ("pv_estimate10", "pv_estimate90"))
    return Power(rates("pv_estimate"), *quantiles)


def _solcast_slot(item: Mapping[str, JsonValue], key: str) -> Slot:
    length = iso_duration(str(item.get("period")))
    if length is None:
        raise PriceListError(f"period: {quoted(item.get('period'))} is not known")
    end = time_in(item, "period_end")
    return Slot(end - length, end, value_in(item, key, per_unit=0.001))


def _roof(tariff: SolarTariff) -> Roof:
    assert tariff.roof is not None  # the configuration demands it
    return tariff.roof


SOLAR_PROVIDERS: Mapping[str, Callable[[SolarTariff], SolarProvider]] = {
    "forecastsolar": _forecast_solar,
    "openmeteo": _open_meteo,
    "solcast": _solcast,
}
