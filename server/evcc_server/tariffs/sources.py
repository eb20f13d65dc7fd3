"""Where each configured list comes from, as something to be awaited."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from pathlib import Path

import anyio

from evcc_server.blocking import RunBlocking
from evcc_server.config.model import (
    NO_FEES,
    CsvTariff,
    CustomTariff,
    FixedTariff,
    ProviderTariff,
    Roof,
    SolarSource,
    SolarTariff,
    Tariff,
    Tariffs,
)
from evcc_server.config.sources import HttpSource, MqttSource
from evcc_server.config.sources import Source as PluginSource
from evcc_server.devices.plugin.sources import Plugins
from evcc_server.errors import DeviceRefused
from evcc_server.quoting import quoted
from evcc_server.tariffs.clear_sky import clear_sky
from evcc_server.tariffs.csv_list import parse_csv
from evcc_server.tariffs.fees import with_fees
from evcc_server.tariffs.oddities import oddities
from evcc_server.tariffs.price_list import HOUR, Power, PriceListError, summed
from evcc_server.tariffs.providers import parse_list, parse_power_list, provider_of
from evcc_server.tariffs.roof_past import RoofPast
from evcc_server.tariffs.solar_providers import solar_provider_of
from evcc_server.texts.measures import (
    EMISSION_MEASURES,
    ENERGY_UNIT,
    GRAMS,
    SUN_MEASURES,
    WATTS,
    Measure,
    price_measures,
)
from evcc_server.texts.values import as_number
from evcclib.fixed_tariff import fixed_tariff
from evcclib.model import TariffKind
from evcclib.tariff import POWER_UNIT, Rate, Rates

REFRESH = timedelta(hours=1)
OUTDATED_AFTER = timedelta(hours=2)
PRESENT_PRICE_REFRESH = timedelta(minutes=1)
FILE_REFRESH = timedelta(minutes=5)
CLEAR_SKY_DAYS = 3

Lists = Mapping[TariffKind, Rates]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one try has brought, and what is odd about it, in words for the owner."""

    lists: Lists
    oddities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """How to get the lists of one part of the section, given the present UTC time, and how often.

    Fetching raises `evcc_server.errors.DeviceError`, `PriceListError` and `evcclib.errors.InvalidReadings`. ``keep_as``: what is
    fetched is kept on the disk, for whoever has the same name for it: somebody else's requests are counted. "": it is not.
    """

    fetch: Callable[[datetime], Awaitable[Fetched]]
    refresh: timedelta = REFRESH
    keep_as: str = ""

    @property
    def lasts(self) -> timedelta:
        """How old a list may become [TAR-8]."""
        return max(OUTDATED_AFTER, 2 * self.refresh)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What sources are made with. ``past``: of the roof, as it is known when it is asked."""

    currency: str
    zone: tzinfo
    plugins: Plugins
    run_blocking: RunBlocking
    past: Callable[[], RoofPast]


def sources_of(tariffs: Tariffs, around: Surroundings) -> dict[TariffKind, Source]:
    """What is configured. Emissions are what plans are made by, too, where there is no planner's list."""
    price = Measure(around.currency)
    co2_kinds = (TariffKind.CO2,) if tariffs.planner is not None else (TariffKind.CO2, TariffKind.PLANNER)
    rows: tuple[tuple[tuple[TariffKind, ...], Tariff | None, Measure], ...] = (
        ((TariffKind.GRID,), tariffs.grid, price),
        ((TariffKind.FEED_IN,), tariffs.feed_in, price),
        ((TariffKind.PLANNER,), tariffs.planner, price),
        (co2_kinds, tariffs.co2, GRAMS),
    )
    found = {kinds[0]: _source(tariff, kinds, measure, around) for kinds, tariff, measure in rows if tariff is not None}
    return found | ({TariffKind.SOLAR: _solar(tariffs.solar, around)} if tariffs.solar else {})


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


def explained(error: Exception) -> str:
    """``error`` in a line, with what to look at first."""
    if isinstance(error, DeviceRefused) and error.status in (401, 403):
        return f"{error}: the token or key is missing or not accepted"
    if isinstance(error, DeviceRefused) and error.status == 429:
        return f"{error}: asked too often"
    return str(error)


# -- prices and emissions -----------------------------------------------------------------------------------------------------


def _source(tariff: Tariff, kinds: tuple[TariffKind, ...], measure: Measure, around: Surroundings) -> Source:
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
            read = functools.partial(_read_csv, path, allowed, around)

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

    return Source(fetch, tariff.interval, _name_of(tariff, around.currency))


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
        read_list, factor = plugins.reader(tariff.forecast), measure.factor * _scale(tariff.forecast)

        async def listed(now: datetime) -> Fetched:
            return fetched(_times(factor, parse_list(await read_list())), measure.unit, now)

        return Source(listed, _own_refresh(tariff))
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


def _own_refresh(tariff: CustomTariff) -> timedelta:
    """What comes by itself is looked at each minute."""
    default = PRESENT_PRICE_REFRESH if isinstance(tariff.forecast, MqttSource) else REFRESH
    return tariff.interval or default


def _scale(source: PluginSource) -> float:
    """``scale`` of a plugin: it is for numbers, and a list is none."""
    return float(getattr(source, "scale", 1.0))


def _times(factor: float, rates: tuple[Rate, ...]) -> tuple[Rate, ...]:
    return rates if factor == 1 else tuple(Rate(rate.start, rate.end, rate.price * factor) for rate in rates)


async def _read_csv(path: str, allowed: Mapping[str, Measure], around: Surroundings) -> tuple[tuple[Rate, ...], str]:
    def read() -> tuple[tuple[Rate, ...], str]:
        text = Path(path).expanduser().read_text(encoding="utf-8")
        return parse_csv(text, allowed=allowed, zone=around.zone)

    try:
        return await around.run_blocking(read)
    except OSError as error:
        raise PriceListError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # of the text, or of what it is encoded in
        raise PriceListError(f"{path}: {error}") from error


def _name_of(tariff: ProviderTariff | SolarTariff, currency: str) -> str:
    """Another one for another tariff; so short that nobody learns a token from it."""
    return hashlib.sha256(repr((currency, type(tariff).__name__, astuple(tariff))).encode()).hexdigest()[:8]


# -- the sun ------------------------------------------------------------------------------------------------------------------

_Read = Callable[[datetime], Awaitable[Power]]


def _solar(configured: Sequence[SolarSource], around: Surroundings) -> Source:
    parts = list(_solar_parts(configured, around))
    refresh = min(each for _, each in parts)
    reads = [_remembered(read, each) for read, each in parts] if len(parts) > 1 else [read for read, _ in parts]

    async def fetch(now: datetime) -> Fetched:
        powers = [await read(now) for read in reads]
        found = tuple(odd for power in powers for odd in oddities(power.expected, POWER_UNIT, around.zone))
        lists = {TariffKind.SOLAR: Rates(summed([power.expected for power in powers]), POWER_UNIT)}
        for kind, quantile in (
            (TariffKind.SOLAR_P10, [power.p10 for power in powers]),
            (TariffKind.SOLAR_P90, [power.p90 for power in powers]),
        ):
            if all(quantile):
                lists[kind] = Rates(summed(quantile), POWER_UNIT)
        return Fetched(lists, found)

    is_counted = all(isinstance(each, SolarTariff) and each.kind != "clearsky" for each in configured)
    names = [_name_of(each, POWER_UNIT) for each in configured if isinstance(each, SolarTariff)]
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
                yield _solar_custom(each, around.plugins), _own_refresh(each)


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
    return Power(_as_power(*await _read_csv(path, SUN_MEASURES, around)))


def _as_power(rates: tuple[Rate, ...], unit: str) -> tuple[Rate, ...]:
    """The mean powers of energies; powers as they are."""
    if unit != ENERGY_UNIT:
        return rates
    return tuple(Rate(rate.start, rate.end, rate.price / ((rate.end - rate.start) / HOUR)) for rate in rates)


def _solar_custom(tariff: CustomTariff, plugins: Plugins) -> _Read:
    assert tariff.forecast is not None  # the configuration demands it
    read = plugins.reader(tariff.forecast)
    measure = tariff.measure or WATTS
    factor = measure.factor * _scale(tariff.forecast)

    async def listed(_now: datetime) -> Power:
        return parse_power_list(await read()).map(lambda rates: _as_power(_times(factor, rates), measure.unit))

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
