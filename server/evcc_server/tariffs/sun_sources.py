"""Where forecasts of the sun come from, as something to be awaited."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime, time, timedelta

import anyio

from evcc_server.config.model import CsvTariff, CustomTariff, Roof, SolarSource, SolarTariff
from evcc_server.devices.plugin.sources import Plugins
from evcc_server.tariffs.clear_sky import clear_sky
from evcc_server.tariffs.oddities import oddities
from evcc_server.tariffs.price_list import HOUR, Power, PriceListError, summed
from evcc_server.tariffs.providers import parse_power_list
from evcc_server.tariffs.solar_providers import solar_provider_of
from evcc_server.tariffs.source import (
    FILE_REFRESH,
    REFRESH,
    Fetched,
    Source,
    Surroundings,
    kept_name,
    multiplied,
    own_refresh,
    read_csv,
    scale_of,
)
from evcc_server.texts.measures import ENERGY_UNIT, SUN_MEASURES, WATTS
from evcclib.model import TariffKind
from evcclib.tariff import POWER_UNIT, Rate, Rates

CLEAR_SKY_DAYS = 3

_Read = Callable[[datetime], Awaitable[Power]]


def clear_sky_roofs(configured: Sequence[SolarSource]) -> tuple[Roof, ...]:
    """The roofs of which our own clear sky is wanted."""
    return tuple(
        each.roof
        for each in configured
        if isinstance(each, SolarTariff) and each.kind == "clearsky" and each.roof is not None
    )


def clear_power(roofs: Sequence[Roof], start: datetime, end: datetime) -> tuple[Rate, ...]:
    """What all ``roofs`` together give under a clear sky."""
    return summed([clear_sky(roof, start, end) for roof in roofs])


def sun_source(configured: Sequence[SolarSource], around: Surroundings) -> Source:
    """The sum of all that is ``configured``; a quantile is that of all parts together, as if they were good or bad at once."""
    parts = list(_solar_parts(configured, around))
    refresh = min(each for _, each in parts)
    reads = [_remembered(read, each) for read, each in parts] if len(parts) > 1 else [read for read, _ in parts]

    async def fetch(now: datetime) -> Fetched:
        powers = [await read(now) for read in reads]
        found = tuple(odd for power in powers for odd in oddities(power.expected, POWER_UNIT, around.zone))
        total = summed([power.expected for power in powers])
        if not total:
            raise PriceListError("there is no time for which all parts have a forecast")
        lists = {TariffKind.SOLAR: Rates(total, POWER_UNIT)}
        for kind, quantile in (
            (TariffKind.SOLAR_P10, [power.p10 for power in powers]),
            (TariffKind.SOLAR_P90, [power.p90 for power in powers]),
        ):
            if all(quantile):
                lists[kind] = Rates(summed(quantile), POWER_UNIT)
        return Fetched(lists, found)

    is_counted = all(isinstance(each, SolarTariff) and each.kind != "clearsky" for each in configured)
    names = [kept_name(each, POWER_UNIT) for each in configured if isinstance(each, SolarTariff)]
    return Source(fetch, refresh, ".".join(names) if is_counted else "")


def _solar_parts(configured: Sequence[SolarSource], around: Surroundings) -> Iterator[tuple[_Read, timedelta]]:
    roofs = clear_sky_roofs(configured)
    if roofs:
        yield functools.partial(_clear_sky, roofs, around), REFRESH
    for each in configured:
        match each:
            case SolarTariff(kind="clearsky"):
                pass
            case SolarTariff():
                yield functools.partial(_solar_provider, each, around.plugins), each.interval
            case CsvTariff(path=path):
                yield functools.partial(_solar_csv, path, around), FILE_REFRESH
            case CustomTariff():
                yield _solar_custom(each, around.plugins), own_refresh(each)


async def _clear_sky(roofs: Sequence[Roof], around: Surroundings, now: datetime) -> Power:
    await anyio.lowlevel.checkpoint()
    today = now.astimezone(around.zone).date()
    start, end = (
        datetime.combine(today + timedelta(days=days), time(), tzinfo=around.zone) for days in (0, CLEAR_SKY_DAYS)
    )
    return around.past().expected(clear_power(roofs, start, end))


async def _solar_provider(tariff: SolarTariff, plugins: Plugins, _now: datetime) -> Power:
    provider = solar_provider_of(tariff)
    return provider.parse(await plugins.http.fetch(provider.request))


async def _solar_csv(path: str, around: Surroundings, _now: datetime) -> Power:
    return Power(_as_power(*await read_csv(path, SUN_MEASURES, around)))


def _as_power(rates: tuple[Rate, ...], unit: str) -> tuple[Rate, ...]:
    """The mean powers of energies; powers as they are."""
    if unit != ENERGY_UNIT:
        return rates
    return tuple(Rate(rate.start, rate.end, rate.price / ((rate.end - rate.start) / HOUR)) for rate in rates)


def _solar_custom(tariff: CustomTariff, plugins: Plugins) -> _Read:
    assert tariff.forecast is not None  # the configuration demands it
    read = plugins.reader(tariff.forecast)
    measure = tariff.measure or WATTS
    factor = measure.factor * scale_of(tariff.forecast)

    async def listed(_now: datetime) -> Power:
        return parse_power_list(await read()).map(lambda rates: _as_power(multiplied(factor, rates), measure.unit))

    return listed


def _remembered(read: _Read, refresh: timedelta) -> _Read:
    """Not asked again before it is due because another roof's forecast is, or has failed."""
    last: tuple[datetime, Power] | None = None

    async def remembering(now: datetime) -> Power:
        nonlocal last
        if last is None or not timedelta(0) <= now - last[0] < 0.9 * refresh:
            last = now, await read(now)
        return last[1]

    return remembering
