"""Prices over time: zones by the wall clock, a day-ahead market with seeded noise, and when its prices become known.

Sources of the defaults: the European day-ahead auction publishes tomorrow's prices shortly after 13:00 local time; the German
feed-in tariff of small roofs is near 0.08 EUR/kWh.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import time, timedelta

from evcc_sim.timebase import Timebase, stream
from evcclib.model import TariffKind
from evcclib.tariff import CO2_UNIT, POWER_UNIT, Rate, Rates
from evcclib.units import HOUR

PUBLISHED_AT = time(13, 15)
STEP_MINUTES = 15
"""The edges of a fixed tariff's zones lie on quarters of an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSpec:
    """``zones``: price from each time of day on. ``noise``: relative standard deviation of each slot's price.

    ``series``: recorded, in place of both; the last price holds for ``slot_minutes``. With ``day_ahead`` tomorrow's prices are
    known from 13:15 on; with noise or recorded ones alone two days ahead. Without any of them it is a fixed tariff, known for
    seven days.
    """

    zones: tuple[tuple[time, float], ...] = ((time(0), 0.30),)
    slot_minutes: int = 60
    noise: float = 0.0
    series: tuple[tuple[float, float], ...] = ()  # price from each second of the run on
    day_ahead: bool = False

    @property
    def is_fixed(self) -> bool:
        """Whether an owner can write it down once and for all."""
        return not self.day_ahead and self.noise == 0 and not self.series

    def days_known(self, *, is_published: bool) -> int:
        """How many days a client knows, today included, when tomorrow's prices have or have not been published."""
        if self.is_fixed:
            return 7
        return 3 if not self.day_ahead else 2 if is_published else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffSpec:
    """The price lists of a site; None: not configured."""

    currency: str = "EUR"
    grid: PriceSpec | None = None
    feed_in: PriceSpec | None = None
    planner: PriceSpec | None = None
    planner_is_co2: bool = False

    @property
    def lists(self) -> tuple[tuple[TariffKind, PriceSpec], ...]:
        """What is configured."""
        specs = ((TariffKind.GRID, self.grid), (TariffKind.FEED_IN, self.feed_in), (TariffKind.PLANNER, self.planner))
        return tuple((kind, spec) for kind, spec in specs if spec is not None)

    @property
    def is_fixed(self) -> bool:
        """Whether all of them are."""
        return all(spec.is_fixed for _kind, spec in self.lists)


class Tariffs:
    """The lists as a client would get them at a given second."""

    def __init__(
        self, spec: TariffSpec, base: Timebase, seed: int, *, sun_w: Callable[[int], Sequence[float]] | None = None
    ) -> None:
        """``sun_w``: what is forecast for each hour of a day [W]; None: nobody asks for that."""
        self._sun_w = sun_w
        self.spec = spec
        self._base = base
        self._seed = seed
        self._valid_s = (0.0, 0.0)  # from, until
        self._lists: Mapping[TariffKind, Rates] = {}

    def at(self, second: float) -> Mapping[TariffKind, Rates]:
        """What is known at ``second``; the same object until something new becomes known."""
        start_s, end_s = self._valid_s
        if not start_s <= second < end_s:
            base = self._base
            day = (base.utc(second).astimezone(base.zone).date() - base.start).days
            published_s = base.second(day, PUBLISHED_AT)
            is_published = second >= published_s
            self._valid_s = (
                (published_s, base.day_second(day + 1)) if is_published else (base.day_second(day), published_s)
            )
            self._lists = self._build(day, is_published)
        return self._lists

    def changes_at(self, second: float) -> float:
        """Until when `at` gives what it gives at ``second``."""
        self.at(second)
        return self._valid_s[1]

    def price(self, kind: TariffKind, second: float) -> float | None:
        """The price in force [currency/kWh]."""
        rates = self.at(second).get(kind)
        rate = rates.at(self._base.utc(second)) if rates is not None else None
        return None if rate is None else rate.price

    def _build(self, day: int, is_published: bool) -> Mapping[TariffKind, Rates]:
        lists: dict[TariffKind, Rates] = {}
        for kind, spec in self.spec.lists:
            days = spec.days_known(is_published=is_published)
            unit = CO2_UNIT if kind is TariffKind.PLANNER and self.spec.planner_is_co2 else self.spec.currency
            rates = (rate for known in range(day, day + days) for rate in self._day(kind, spec, known))
            lists[kind] = Rates.of(rates, unit=unit)
        if self._sun_w is not None:
            forecast = (rate for known in (day, day + 1) for rate in self._sunny(known, self._sun_w(known)))
            lists[TariffKind.SOLAR] = Rates.of(forecast, unit=POWER_UNIT)
        return lists

    def _sunny(self, day: int, sun_w: Sequence[float]) -> Iterator[Rate]:
        start = self._base.utc(self._base.day_second(day))
        for number, power_w in enumerate(sun_w):
            yield Rate(start + number * HOUR, start + (number + 1) * HOUR, power_w)

    def _day(self, kind: TariffKind, spec: PriceSpec, day: int) -> list[Rate]:
        if spec.series:
            return self._recorded(spec, day)
        rng = stream(self._seed, "prices", kind, day)
        start, end = (self._base.utc(self._base.day_second(d)) for d in (day, day + 1))
        zones = sorted(spec.zones)
        length = timedelta(minutes=STEP_MINUTES if spec.is_fixed else spec.slot_minutes)
        rates: list[Rate] = []
        while start < end:
            wall = start.astimezone(self._base.zone).time()
            price = next((price for begin, price in reversed(zones) if begin <= wall), zones[-1][1])
            if spec.noise > 0:
                price = round(price * (1 + rng.gauss(0, spec.noise)), 4)
            until = min(end, start + length)
            if spec.is_fixed and rates and rates[-1].price == price:
                rates[-1] = Rate(rates[-1].start, until, price)  # one rate for each zone
            else:
                rates.append(Rate(start, until, price))
            start = until
        return rates

    def _recorded(self, spec: PriceSpec, day: int) -> list[Rate]:
        start_s, end_s = self._base.day_second(day), self._base.day_second(day + 1)
        known_until_s = spec.series[-1][0] + 60.0 * spec.slot_minutes
        ends_s = (*(second for second, _price in spec.series[1:]), known_until_s)
        spans = ((max(a, start_s), min(b, end_s), price) for (a, price), b in zip(spec.series, ends_s, strict=True))
        return [Rate(self._base.utc(a), self._base.utc(b), price) for a, b, price in spans if a < b]
