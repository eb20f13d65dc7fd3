"""What a source of lists is, and what all kinds of them have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from evcc_server.blocking import RunBlocking
from evcc_server.config.model import CustomTariff, ProviderTariff, SolarTariff
from evcc_server.config.sources import MqttSource
from evcc_server.config.sources import Source as PluginSource
from evcc_server.devices.plugin.sources import Plugins
from evcc_server.errors import DeviceRefused
from evcc_server.tariffs.csv_list import parse_csv
from evcc_server.tariffs.price_list import PriceListError
from evcc_server.tariffs.roof_past import RoofPast
from evcc_server.texts.measures import Measure
from evcclib.model import TariffKind
from evcclib.tariff import Rate, Rates

REFRESH = timedelta(hours=1)
OUTDATED_AFTER = timedelta(hours=2)
PRESENT_PRICE_REFRESH = timedelta(minutes=1)
FILE_REFRESH = timedelta(minutes=5)

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


def explained(error: Exception) -> str:
    """``error`` in a line, with what to look at first."""
    if isinstance(error, DeviceRefused) and error.status in (401, 403):
        return f"{error}: the token or key is missing or not accepted"
    if isinstance(error, DeviceRefused) and error.status == 429:
        return f"{error}: asked too often"
    return str(error)


def own_refresh(tariff: CustomTariff) -> timedelta:
    """How often a list of the owner's is read: what comes by itself is looked at each minute."""
    default = PRESENT_PRICE_REFRESH if isinstance(tariff.forecast, MqttSource) else REFRESH
    return tariff.interval or default


def scale_of(source: PluginSource) -> float:
    """``scale`` of a plugin: it is for numbers, and a list is none."""
    return float(getattr(source, "scale", 1.0))


def multiplied(factor: float, rates: tuple[Rate, ...]) -> tuple[Rate, ...]:
    """Each value so many times."""
    return rates if factor == 1 else tuple(Rate(rate.start, rate.end, rate.price * factor) for rate in rates)


async def read_csv(path: str, allowed: Mapping[str, Measure], around: Surroundings) -> tuple[tuple[Rate, ...], str]:
    """The rates in a file and their unit. Raises `PriceListError`."""

    def read() -> tuple[tuple[Rate, ...], str]:
        text = Path(path).expanduser().read_text(encoding="utf-8")
        return parse_csv(text, allowed=allowed, zone=around.zone)

    try:
        return await around.run_blocking(read)
    except OSError as error:
        raise PriceListError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # of the text, or of what it is encoded in
        raise PriceListError(f"{path}: {error}") from error


def kept_name(tariff: ProviderTariff | SolarTariff, currency: str) -> str:
    """Another one for another tariff; so short that nobody learns a token from it."""
    return hashlib.sha256(repr((currency, type(tariff).__name__, astuple(tariff))).encode()).hexdigest()[:8]
