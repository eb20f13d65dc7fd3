"""``evcc-server plan``: what a goal would cost with today's lists, and when it would be charged, as a table and drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo

from evcc_server.config.durations import format_duration
from evcc_server.settings import parse_time
from evcc_server.tools.values_text import table
from evcclib.config import SiteConfig
from evcclib.decision import PlanPreview
from evcclib.errors import InvalidSetting
from evcclib.model import Cause, ChargerStatus, Now, Planner, TariffKind
from evcclib.planning.power_plan import Piece, Shortfall
from evcclib.readings import ChargerReading, Measured, Readings
from evcclib.requests import ChangeLoadpointSetting
from evcclib.site import Site
from evcclib.tariff import Rates, price_at
from evcclib.units import HOUR

BAR = 40
"""Characters of a bar for all that the station gives."""


def next_time(text: str, now: datetime, zone: tzinfo) -> datetime:
    """``07:00`` by the clock of the house, tomorrow's if today's is over, or any time that the API takes.

    Raises `InvalidSetting`.
    """
    try:
        wall = datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007  a time of day, whose zone is the house's
    except ValueError:
        found = parse_time("by", text, zone)
        if found is None or found <= now:
            raise InvalidSetting("by", text, "a time in the future", "timestamp is in the past") from None
        return found
    day = now.astimezone(zone).date()
    found = datetime.combine(day, wall, zone)
    return found if found > now else datetime.combine(day + timedelta(days=1), wall, zone)


def planned(
    config: SiteConfig,
    tariffs: Mapping[TariffKind, Rates],
    *,
    loadpoint: int,
    energy_kwh: float,
    by: datetime,
    now: Now,
) -> PlanPreview:
    """The plan for so much energy, for any car at this loadpoint and nobody at the others. Raises `InvalidSetting`."""
    loadpoints = tuple(replace(each, vehicle=None) for each in config.loadpoints)
    config = replace(config, planner=Planner.OPTIMAL, vehicles=(), loadpoints=loadpoints)
    site = Site(config, now=now)
    status = [ChargerStatus.A] * len(loadpoints)
    status[loadpoint] = ChargerStatus.B
    chargers = tuple(ChargerReading(status=Measured(each, now.instant)) for each in status)
    site.step(Readings(chargers=chargers, tariffs=tariffs), now=now, cause=Cause.START)
    site.submit(ChangeLoadpointSetting(loadpoint, "energy_target_kwh", energy_kwh), now=now)
    return site.plan(loadpoint, now=now, target_time=by)


def lines(preview: PlanPreview, rates: Rates | None, now: datetime, zone: tzinfo) -> list[str]:
    """What is charged when, what that costs, whether it is enough, and all of it hour by hour, drawn."""
    rows = [
        (*(_clock(time, zone) for time in (start, end)), f"{power_w / 1000:.2f}", _price(rates, start), _kwh([piece]))
        for piece in _cut(preview.pieces, rates)
        for start, end, power_w in [piece]
    ]
    unit = preview.unit or "-"
    found = table(("start", "end", "kW", f"{unit}/kWh", "kWh"), rows) if rows else ["nothing is charged yet"]
    found += ["", *_promise(preview, zone)]
    return found + (["", *_drawing(preview, rates, now, zone)] if preview.pieces else [])


def _promise(preview: PlanPreview, zone: tzinfo) -> list[str]:
    cost = "" if preview.cost is None else f", {preview.cost:.2f} {preview.unit}"
    by = "" if preview.target_time is None else f" by {_clock(preview.target_time, zone)}"
    if preview.shortfall is not None:
        return [f"{_kwh(preview.pieces)} kWh{by}{cost}, which is not enough: {_help(preview.shortfall)}"]
    rest = "" if preview.pieces else ": all of it fits into the time whose prices are not known yet"
    return [f"{_kwh(preview.pieces)} kWh{by}{cost}{rest}"]


def _help(lacks: Shortfall) -> str:
    text = f"{lacks.short_kwh:.2f} kWh are missing; {format_duration(_whole_minutes(lacks.later))} more would do"
    return text + (f"; limits withhold {lacks.lifted_kwh:.2f} kWh" if lacks.lifted_kwh > 0 else "")


def _whole_minutes(duration: timedelta) -> timedelta:
    return timedelta(minutes=math.ceil(duration / timedelta(minutes=1)))


def _drawing(preview: PlanPreview, rates: Rates | None, now: datetime, zone: tzinfo) -> list[str]:
    """A bar for each hour: the mean power in it."""
    start = now.astimezone(zone).replace(minute=0, second=0, microsecond=0)
    hour, end = start.astimezone(now.tzinfo), preview.pieces[-1].end
    rows: list[str] = []
    while hour < end:
        mean_w = sum(
            max(0.0, (min(until, hour + HOUR) - max(begin, hour)) / HOUR) * power_w
            for begin, until, power_w in preview.pieces
        )
        bar = "#" * round(BAR * mean_w / preview.power_w)
        rows.append(f"{_clock(hour, zone)}  {_price(rates, max(hour, now)):>8}  {bar}".rstrip())
        hour += HOUR
    return rows


def _cut(pieces: Sequence[Piece], rates: Rates | None) -> Iterable[Piece]:
    """Pieces in parts of one price."""
    edges = [] if rates is None else sorted({time for rate in rates.rates for time in (rate.start, rate.end)})
    for start, end, power_w in pieces:
        begin = start
        for until in [*(time for time in edges if start < time < end), end]:
            if until == end or _price(rates, begin) != _price(rates, until):
                yield Piece(begin, until, power_w)
                begin = until


def _kwh(pieces: Iterable[Piece]) -> str:
    return f"{sum(power_w * ((end - start) / HOUR) for start, end, power_w in pieces) / 1000:.2f}"


def _price(rates: Rates | None, time: datetime) -> str:
    price = price_at(rates, time)
    return "-" if price is None else f"{price:.4f}"


def _clock(time: datetime, zone: tzinfo) -> str:
    return f"{time.astimezone(zone):%a %H:%M}"
