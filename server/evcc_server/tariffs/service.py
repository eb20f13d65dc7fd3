"""Price lists kept fresh: fetch hourly, say so when a provider has been silent for more than two hours [TAR-8].

One task for each tariff, so that a provider that hangs does not age the others' lists. A tariff that has never answered
has no list at all.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

import anyio

from evcc_server.clock import Clock
from evcc_server.config.model import Config, CustomTariff, FixedTariff, ProviderTariff, Tariff
from evcc_server.devices.plugin.sources import Plugins, Read
from evcc_server.errors import DeviceError
from evcc_server.quoting import quoted
from evcc_server.secrets import redact
from evcc_server.tariffs.price_list import PriceListError
from evcc_server.tariffs.providers import parse_list, provider_of
from evcc_server.texts.values import as_number
from evcc_server.wiring.factory import Devices
from evcc_server.wiring.site import time_zone
from evcclib.errors import InvalidReadings
from evcclib.fixed_tariff import fixed_tariff
from evcclib.model import TariffKind
from evcclib.tariff import Rate, Rates

_log = logging.getLogger(__name__)

REFRESH = timedelta(hours=1)
RETRY = timedelta(minutes=5)
OUTDATED_AFTER = timedelta(hours=2)
PRESENT_PRICE_REFRESH = timedelta(minutes=1)

Sink = Callable[[Mapping[TariffKind, Rates]], None]


@dataclass(frozen=True, slots=True)
class _Source:
    """How to get a list, given the present UTC time, and how often."""

    fetch: Callable[[datetime], Awaitable[Rates]]
    refresh: timedelta = REFRESH


@dataclass(frozen=True, slots=True)
class _Known:
    rates: Rates
    fetched_at: timedelta


class TariffService:
    """Keeps the configured price lists of ``config``, fetched by the plugins of ``devices``."""

    def __init__(self, config: Config, devices: Devices, *, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[TariffKind, _Known] = {}
        tariffs, zone = config.tariffs, time_zone(config)
        configured = {
            TariffKind.GRID: tariffs.grid,
            TariffKind.FEED_IN: tariffs.feed_in,
            TariffKind.PLANNER: tariffs.planner,
        }
        self._sources = {
            kind: _source(tariff, tariffs.currency, devices.plugins, zone)
            for kind, tariff in configured.items()
            if tariff is not None
        }

    async def run(self, sink: Sink) -> None:
        """Fetch for ever; ``sink`` gets all lists after each try. Provider failures are logged, never raised."""
        async with anyio.create_task_group() as group:
            for kind, source in self._sources.items():
                group.start_soon(self._keep, kind, source, sink)

    @property
    def kinds(self) -> tuple[TariffKind, ...]:
        """What is configured."""
        return tuple(self._sources)

    def rates(self) -> Mapping[TariffKind, Rates]:
        """The lists as they are now, each marked when it is outdated."""
        now = self._clock.instant()
        return {kind: _aged(known, now) for kind, known in self._known.items()}

    async def _keep(self, kind: TariffKind, source: _Source, sink: Sink) -> None:
        was_ok = True
        while True:
            try:
                rates = await source.fetch(self._clock.utc())
            except (DeviceError, PriceListError, InvalidReadings) as error:
                if was_ok:
                    _log.warning("tariff %s: %s", kind, redact(str(error)))
                was_ok = False
                pause = self._pause_after_failure(kind)
            else:
                if not was_ok:
                    _log.warning("tariff %s: answers again", kind)
                was_ok = True
                self._known[kind] = _Known(rates, self._clock.instant())
                pause = source.refresh
            sink(self.rates())
            await anyio.sleep(pause.total_seconds())

    def _pause_after_failure(self, kind: TariffKind) -> timedelta:
        """Until the next try, or until just after the list becomes outdated, so that this is seen at once."""
        known = self._known.get(kind)
        if known is None:
            return RETRY
        remaining = known.fetched_at + OUTDATED_AFTER - self._clock.instant() + timedelta(milliseconds=1)
        return min(RETRY, remaining) if remaining > timedelta(0) else RETRY


def _aged(known: _Known, now: timedelta) -> Rates:
    if now - known.fetched_at <= OUTDATED_AFTER:
        return known.rates
    return Rates(known.rates.rates, known.rates.unit, is_outdated=True)


def _source(tariff: Tariff, currency: str, plugins: Plugins, zone: tzinfo) -> _Source:
    match tariff:
        case FixedTariff():
            return _fixed(tariff, currency, zone)
        case ProviderTariff():
            return _provider(tariff, currency, plugins, zone)
        case CustomTariff(price=price, forecast=forecast):
            if forecast is not None:
                return _list(plugins.reader(forecast), currency)
            assert price is not None  # the configuration demands one of them
            return _present_price(plugins.reader(price), currency)


def _fixed(tariff: FixedTariff, currency: str, zone: tzinfo) -> _Source:
    zones = [(z.price, z.days, z.hours) for z in tariff.zones]
    fixed = fixed_tariff(tariff.price, zones, unit=tariff.currency or currency)

    async def fetch(now: datetime) -> Rates:
        await anyio.lowlevel.checkpoint()
        return fixed.rates(now, zone)

    return _Source(fetch)


def _provider(tariff: ProviderTariff, currency: str, plugins: Plugins, zone: tzinfo) -> _Source:
    async def fetch(now: datetime) -> Rates:
        provider = provider_of(tariff, now.astimezone(zone))
        listed = provider.parse(await plugins.http.fetch(provider.request))
        rates = (Rate(r.start, r.end, (r.price + tariff.charges) * (1 + tariff.tax)) for r in listed)
        return Rates(tuple(rates), provider.unit or currency)

    return _Source(fetch)


def _list(read: Read, currency: str) -> _Source:
    async def fetch(_now: datetime) -> Rates:
        return Rates(parse_list(await read()), currency)

    return _Source(fetch)


def _present_price(read: Read, currency: str) -> _Source:
    """Only the price of this moment is known; it counts until it is outdated."""

    async def fetch(now: datetime) -> Rates:
        value = await read()
        price = as_number(value)
        if price is None:
            raise PriceListError(f"{quoted(value)} is no price")
        start = now.astimezone(UTC)
        return Rates((Rate(start, start + OUTDATED_AFTER, price),), currency)

    return _Source(fetch, refresh=PRESENT_PRICE_REFRESH)
