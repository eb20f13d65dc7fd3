"""Price lists are fetched hourly, marked outdated after two hours of silence, and come back by themselves [TAR-8]."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import anyio
import httpx
from plugin_site import Web
from trio_test import in_virtual_time

from evcc_server.clock import Clock
from evcc_server.config.load import parse_config
from evcc_server.tariffs.service import TariffService
from evcc_server.wiring.factory import build
from evcclib.model import TariffKind
from evcclib.tariff import Rates

SITE = """
site: {{meters: {{grid: grid}}}}
timezone: Europe/Berlin
meters: [{{name: grid, type: custom, power: 0}}]
chargers: [{{name: box, type: template, template: keba-modbus, host: 192.0.2.2}}]
loadpoints: [{{charger: box}}]
tariffs: {tariffs}
"""
NOON = datetime(2023, 3, 7, 12, tzinfo=UTC)
LIST = '[{"start": "2023-03-07T00:00:00Z", "end": "2023-03-09T00:00:00Z", "price": 0.3}]'
HOUR_S = 3600


class Seen:
    """The lists handed over, newest last."""

    def __init__(self) -> None:
        self.lists: list[Mapping[TariffKind, Rates]] = []

    def __call__(self, rates: Mapping[TariffKind, Rates]) -> None:
        self.lists.append(rates)

    def grid(self) -> Rates | None:
        return self.lists[-1].get(TariffKind.GRID) if self.lists else None


@asynccontextmanager
async def service(tariffs: str, web: Web) -> AsyncIterator[tuple[TariffService, Seen]]:
    config = parse_config(SITE.format(tariffs=tariffs), environment={})
    clock = Clock(epoch=NOON)
    devices = build(config, http=web.client(), utc=clock.utc)
    seen = Seen()
    running = TariffService(config, devices, clock=clock)
    async with anyio.create_task_group() as group:
        group.start_soon(running.run, seen)
        yield running, seen
        group.cancel_scope.cancel()
    await devices.aclose()


@in_virtual_time
async def test_a_fixed_tariff_knows_seven_local_days() -> None:
    tariffs = "{grid: {type: fixed, price: 0.3, zones: [{price: 0.2, hours: 0-6}]}, feedin: {type: fixed, price: 0.08}}"
    async with service(tariffs, Web()) as (running, seen):
        await anyio.sleep(1)
        grid = seen.grid()
        assert grid is not None
        assert grid.rates[0].start == datetime(2023, 3, 6, 23, tzinfo=UTC)  # midnight in Berlin
        assert (grid.unit, len(grid.rates)) == ("EUR", 14)
        assert set(running.rates()) == {TariffKind.GRID, TariffKind.FEED_IN}
        await anyio.sleep(24 * HOUR_S)
        grid = seen.grid()
        assert grid is not None
        assert grid.rates[0].start == datetime(2023, 3, 7, 23, tzinfo=UTC)


@in_virtual_time
async def test_a_list_is_outdated_after_two_hours_of_silence_and_recovers() -> None:
    web = Web({"GET /prices": LIST})
    forecast = "{grid: {type: custom, forecast: {source: http, uri: 'http://p.test/prices'}}}"
    async with service(forecast, web) as (running, seen):
        await anyio.sleep(1)
        web.answers["GET /prices"] = httpx.Response(500)
        await anyio.sleep(2 * HOUR_S - 10)
        grid = seen.grid()
        assert grid is not None
        assert not grid.is_outdated
        assert len(web.asked) > 10  # after a failure it is tried again every five minutes
        await anyio.sleep(20)
        grid = seen.grid()
        assert grid is not None
        assert grid.is_outdated
        assert grid.at(NOON) is None
        web.answers["GET /prices"] = LIST
        await anyio.sleep(310)
        grid = seen.grid()
        assert grid is not None
        assert not grid.is_outdated
        assert running.rates()[TariffKind.GRID] == grid


@in_virtual_time
async def test_a_list_that_never_came_is_none_at_all() -> None:
    forecast = "{grid: {type: custom, forecast: {source: http, uri: 'http://p.test/prices'}}}"
    async with service(forecast, Web({"GET /prices": "<html>"})) as (running, seen):
        await anyio.sleep(HOUR_S)
        assert seen.lists[-1] == {}
        assert running.rates() == {}


@in_virtual_time
async def test_a_list_of_nonsense_is_told_and_tried_again() -> None:
    web = Web({"GET /prices": LIST.replace("0.3", "1e12")})
    forecast = "{grid: {type: custom, forecast: {source: http, uri: 'http://p.test/prices'}}}"
    async with service(forecast, web) as (running, _seen):
        await anyio.sleep(1)
        assert running.rates() == {}
        web.answers["GET /prices"] = LIST
        await anyio.sleep(310)
        assert [rate.price for rate in running.rates()[TariffKind.GRID].rates] == [0.3]


@in_virtual_time
async def test_healthy_providers_are_asked_once_an_hour() -> None:
    web = Web({"GET /v1/marketdata": '{"data": [{"start_timestamp": 0, "end_timestamp": 3600000, "marketprice": 1}]}'})
    async with service("{planner: {type: awattar, charges: 0.1, tax: 0.2}}", web) as (running, _seen):
        await anyio.sleep(24 * HOUR_S - 1)
        assert len(web.asked) == 24
        (rate,) = running.rates()[TariffKind.PLANNER].rates
        assert round(rate.price, 9) == round((0.001 + 0.1) * 1.2, 9)


@in_virtual_time
async def test_a_provider_that_hangs_does_not_age_the_others() -> None:
    web = Web({"GET /v1/marketdata": 1e9, "GET /price": LIST})
    tariffs = "{grid: {type: custom, forecast: {source: http, uri: 'http://p.test/price'}}, planner: {type: awattar}}"
    async with service(tariffs, web) as (running, _):
        await anyio.sleep(3 * HOUR_S)
        assert not running.rates()[TariffKind.GRID].is_outdated
        assert TariffKind.PLANNER not in running.rates()


@in_virtual_time
async def test_a_present_price_counts_while_it_is_renewed() -> None:
    web = Web({"GET /now": "0.21"})
    async with service("{grid: {type: custom, price: {source: http, uri: 'http://p.test/now'}}}", web) as (
        _running,
        seen,
    ):
        await anyio.sleep(1)
        grid = seen.grid()
        assert grid is not None
        assert [rate.price for rate in grid.rates] == [0.21]
        web.answers["GET /now"] = "0.42"
        await anyio.sleep(61)
        grid = seen.grid()
        assert grid is not None
        assert [rate.price for rate in grid.rates] == [0.42]


@in_virtual_time
async def test_a_custom_list_may_be_asked_for_by_day() -> None:
    """In the time of the house, where it is Wednesday an hour earlier."""
    web = Web({"GET /2023-03-07": LIST, "GET /2023-03-08": LIST.replace("0.3", "0.4")})
    uri = '"http://p.test/{{ now.Format `2006-01-02` }}"'
    async with service(f"{{grid: {{type: custom, forecast: {{source: http, uri: {uri}}}}}}}", web) as (_running, seen):
        await anyio.sleep(1)
        grid = seen.grid()
        assert grid is not None
        assert [rate.price for rate in grid.rates] == [0.3]
        await anyio.sleep(11 * HOUR_S)
        grid = seen.grid()
        assert grid is not None
        assert [rate.price for rate in grid.rates] == [0.4]
