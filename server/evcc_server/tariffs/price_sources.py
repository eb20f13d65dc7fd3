"""Where prices and emissions come from, as something to be awaited."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

import anyio

from evcc_server.config.model import NO_FEES, CsvTariff, CustomTariff, FixedTariff, ProviderTariff, Tariff
from evcc_server.config.sources import HttpSource
from evcc_server.devices.plugin.sources import Plugins
from evcc_server.errors import DeviceRefused
from evcc_server.quoting import quoted
from evcc_server.tariffs.fees import with_fees
from evcc_server.tariffs.oddities import oddities
from evcc_server.tariffs.price_list import PriceListError
from evcc_server.tariffs.providers import parse_list, provider_of
from evcc_server.tariffs.source import (
    FILE_REFRESH,
    OUTDATED_AFTER,
    PRESENT_PRICE_REFRESH,
    Fetched,
    Source,
    Surroundings,
    kept_name,
    multiplied,
    own_refresh,
    read_csv,
    scale_of,
)
from evcc_server.texts.measures import EMISSION_MEASURES, GRAMS, Measure, price_measures
from evcc_server.texts.values import as_number
from evcclib.fixed_tariff import fixed_tariff
from evcclib.model import TariffKind
from evcclib.tariff import Rate, Rates


def price_source(tariff: Tariff, kinds: tuple[TariffKind, ...], measure: Measure, around: Surroundings) -> Source:
    """A list that is one of each of ``kinds``, in ``measure`` where nobody says otherwise."""

    def fetched(rates: tuple[Rate, ...], unit: str, now: datetime) -> Fetched:
        if tariff.fees is not NO_FEES:
            rates = with_fees(rates, tariff.fees, now=now, zone=around.zone)
        lists = Rates(rates, unit)
        return Fetched(dict.fromkeys(kinds, lists), tuple(oddities(rates, unit, around.zone)))

    match tariff:
        case FixedTariff():
            return _fixed(tariff, measure, around.zone, fetched)
        case ProviderTariff():
            return _provider(tariff, measure, around, fetched)
        case CsvTariff(path=path):
            allowed = EMISSION_MEASURES if measure is GRAMS else price_measures(around.currency) | EMISSION_MEASURES
            read = functools.partial(read_csv, path, allowed, around)

            async def from_file(now: datetime) -> Fetched:
                return fetched(*await read(), now)

            return Source(from_file, FILE_REFRESH)
        case CustomTariff():
            return _custom(tariff, tariff.measure or measure, around.plugins, fetched)


_Fetched = Callable[[tuple[Rate, ...], str, datetime], Fetched]


def _fixed(tariff: FixedTariff, measure: Measure, zone: tzinfo, fetched: _Fetched) -> Source:
    unit = tariff.currency or measure.unit if measure is not GRAMS else measure.unit
    zones = [(z.price, z.days, z.hours, z.months) for z in tariff.zones]
    fixed = fixed_tariff(tariff.price, zones, unit=unit)

    async def fetch(now: datetime) -> Fetched:
        await anyio.lowlevel.checkpoint()
        return fetched(fixed.rates(now, zone).rates, unit, now)

    return Source(fetch)


def _provider(tariff: ProviderTariff, measure: Measure, around: Surroundings, fetched: _Fetched) -> Source:
    async def fetch(now: datetime) -> Fetched:
        provider = provider_of(tariff, now.astimezone(around.zone))
        rates = provider.parse(await around.plugins.http.fetch(provider.request))
        if provider.later is not None:
            later = await _if_known(around.plugins, provider.later)
            rates += provider.parse(later) if later.strip() else ()
        return fetched(rates, provider.unit or measure.unit, now)

    return Source(fetch, tariff.interval, kept_name(tariff, around.currency))


async def _if_known(plugins: Plugins, request: HttpSource) -> str:
    """The answer, empty while there is none yet."""
    try:
        return await plugins.http.fetch(request)
    except DeviceRefused as error:
        if error.status == 404:
            return ""
        raise


def _custom(tariff: CustomTariff, measure: Measure, plugins: Plugins, fetched: _Fetched) -> Source:
    if tariff.forecast is not None:
        read_list, factor = plugins.reader(tariff.forecast), measure.factor * scale_of(tariff.forecast)

        async def listed(now: datetime) -> Fetched:
            return fetched(multiplied(factor, parse_list(await read_list())), measure.unit, now)

        return Source(listed, own_refresh(tariff))
    assert tariff.price is not None  # the configuration demands one of them
    read_price = plugins.reader(tariff.price)

    async def present(now: datetime) -> Fetched:
        """Only the price of this moment is known; it counts until it is outdated."""
        value = await read_price()
        price = as_number(value)
        if price is None:
            raise PriceListError(f"{quoted(value)} is no price")
        start = now.astimezone(UTC)
        return fetched((Rate(start, start + OUTDATED_AFTER, price * measure.factor),), measure.unit, now)

    return Source(present, tariff.interval or PRESENT_PRICE_REFRESH)
