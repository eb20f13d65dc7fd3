"""Lists through the service: what is done when a source refuses, what outlives a restart, what is said of a list."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import httpx
import pytest
from plugin_site import MemoryTopics, Web
from test_tariff_providers import NINE_S, NORD_POOL
from test_tariff_service import HOUR_S, NOON, SITE
from trio_test import in_virtual_time

from evcc_server.blocking import inline
from evcc_server.clock import Clock
from evcc_server.config.load import parse_config
from evcc_server.errors import DeviceDown, DeviceRefused
from evcc_server.keeping.store import Snapshot, Store
from evcc_server.tariffs.clear_sky import clear_sky
from evcc_server.tariffs.service import TariffService, pause_after
from evcc_server.tariffs.sun_sources import clear_sky_roofs
from evcc_server.wiring.factory import build
from evcclib.model import TariffKind
from evcclib.tariff import price_at

AWATTAR = (
    '{"data": [{"start_timestamp": 1678188000000, "end_timestamp": 1678201200000, "marketprice": 100}]}'  # 11 to 15
)
MINUTE_S = 60


@asynccontextmanager
async def running(
    tariffs: str,
    web: Web,
    *,
    store: Store | None = None,
    topics: MemoryTopics | None = None,
    chance: Callable[[], float] = lambda: 0.0,
    pv_power_w: Callable[[], float | None] | None = None,
    epoch: datetime = NOON,
) -> AsyncIterator[TariffService]:
    broker = "mqtt: {broker: broker.test}\n" if topics else ""
    config = parse_config(broker + SITE.format(tariffs=f"{{{tariffs}}}"), environment={})
    clock = Clock(epoch=epoch)
    devices = build(config, http=web.client(), utc=clock.utc, topics=topics)
    service = TariffService(
        config, devices, clock=clock, store=store, run_blocking=inline, chance=chance, pv_power_w=pv_power_w
    )
    async with anyio.create_task_group() as group:
        group.start_soon(service.run, lambda _lists: None)
        await anyio.sleep(1)
        yield service
        group.cancel_scope.cancel()
    await devices.aclose()


def now_of(service: TariffService, kind: TariffKind = TariffKind.GRID, at: datetime = NOON) -> float | None:
    value = price_at(service.rates().get(kind), at)
    return None if value is None else round(value, 6)


# -- failures -----------------------------------------------------------------------------------------------------------------


def refused(status: int, wait_s: int | None = None) -> DeviceRefused:
    return DeviceRefused("", status=status, retry_after=None if wait_s is None else timedelta(seconds=wait_s))


@pytest.mark.parametrize(
    ("error", "minutes"),
    [
        (refused(401), [5, 10, 20, 40, 60, 60]),
        (refused(429, 1800), [30, 30, 30, 40, 60, 60]),
        (refused(429, 7200), [120] * 6),
        (refused(429, 999_999), [1440] * 6),
        (refused(503), [5] * 6),
        (DeviceDown(), [5] * 6),
    ],
)
def test_who_refuses_is_asked_ever_more_rarely(error: Exception, minutes: list[int]) -> None:
    assert [pause_after(error, failures) / timedelta(minutes=1) for failures in range(1, 7)] == minutes
    assert pause_after(error, 10**6) <= timedelta(days=1)


@in_virtual_time
async def test_a_wrong_key_is_told_once_and_not_asked_for_all_day(caplog: pytest.LogCaptureFixture) -> None:
    web = Web({"GET /v1/marketdata": httpx.Response(401)})
    async with running("grid: {type: awattar}", web) as service:
        await anyio.sleep(75 * MINUTE_S)
        assert len(web.asked) == 5  # at 0, 5, 15, 35 and 75 minutes
        (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert "HTTP 401" in said and "the token or key is missing or not accepted" in said
        web.answers["GET /v1/marketdata"] = AWATTAR
        await anyio.sleep(60 * MINUTE_S)
        assert now_of(service) == 0.1


@in_virtual_time
async def test_who_asks_to_be_left_alone_is() -> None:
    web = Web({"GET /v1/marketdata": httpx.Response(429, headers={"Retry-After": "3600"})})
    async with running("grid: {type: awattar}", web):
        await anyio.sleep(59 * MINUTE_S)
        assert len(web.asked) == 1
        await anyio.sleep(2 * MINUTE_S)
        assert len(web.asked) == 2


@in_virtual_time
async def test_chance_takes_up_to_a_fifth_of_a_pause_after_a_failure() -> None:
    web = Web({"GET /v1/marketdata": httpx.Response(500)})
    async with running("grid: {type: awattar}", web, chance=lambda: 0.5):  # 4.5 minutes
        await anyio.sleep(269 - 1)
        assert len(web.asked) == 1
        await anyio.sleep(2)
        assert len(web.asked) == 2


# -- what outlives a restart --------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_list_of_a_provider_counts_after_a_restart_until_the_next_is_due() -> None:
    web = Web({"GET /v1/marketdata": AWATTAR})
    async with Store.open(None, inline) as store:
        async with running("grid: {type: awattar}", web, store=store) as service:
            assert now_of(service) == 0.1
        later = NOON + timedelta(minutes=40)
        async with running("grid: {type: awattar}", web, store=store, epoch=later) as service:
            assert now_of(service) == 0.1
            assert len(web.asked) == 1
            await anyio.sleep(20 * MINUTE_S)
            assert len(web.asked) == 2
        web.answers["GET /v1/marketdata"] = httpx.Response(500)
        async with running("grid: {type: awattar}", web, store=store, epoch=NOON + timedelta(hours=2)) as service:
            assert now_of(service) == 0.1  # an hour old, and the provider does not answer
            await anyio.sleep(61 * MINUTE_S)
            assert now_of(service) is None


@in_virtual_time
async def test_what_was_kept_of_another_tariff_or_is_too_old_or_damaged_does_not_count() -> None:
    down = Web({"GET /v1/marketdata": httpx.Response(500)})
    async with Store.open(None, inline) as store:
        async with running("grid: {type: awattar}", Web({"GET /v1/marketdata": AWATTAR}), store=store):
            pass
        for tariffs, epoch in (
            ("grid: {type: awattar, charges: 0.1}", NOON),
            ("currency: CHF, grid: {type: awattar}", NOON),
            ("grid: {type: awattar}", NOON + timedelta(hours=3)),
            ("grid: {type: awattar}", NOON - timedelta(hours=1)),
        ):
            async with running(tariffs, down, store=store, epoch=epoch) as service:
                assert service.rates() == {}
        async with running("grid: {type: awattar}", down, store=store) as service:
            assert now_of(service) == 0.1
        document, _ = await store.load_snapshot("tariff grid") or ({}, NOON)
        await store.save(snapshots=[Snapshot("tariff grid", {**document, "lists": {"grid": {"rates": [7]}}}, NOON)])
        async with running("grid: {type: awattar}", down, store=store) as service:
            assert service.rates() == {}


@in_virtual_time
async def test_ones_own_lists_are_read_anew() -> None:
    web = Web({"GET /prices": json.dumps([{"start": NINE_S, "end": NINE_S + 36_000, "price": 0.3}])})
    async with Store.open(None, inline) as store:
        for asked in (1, 2):
            forecast = "grid: {type: custom, forecast: {source: http, uri: 'http://p.test/prices'}}"
            async with running(forecast, web, store=store) as service:
                assert now_of(service) == 0.3
                assert len(web.asked) == asked


# -- kinds of sources ---------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_emissions_are_what_plans_are_made_by_unless_there_is_a_planners_list() -> None:
    co2 = "co2: {type: fixed, price: 400}"
    async with running(f"grid: {{type: fixed, price: 0.3}}, {co2}", Web()) as service:
        rates = service.rates()
        assert (now_of(service, TariffKind.CO2), rates[TariffKind.CO2].unit) == (400, "gCO2eq")
        assert rates[TariffKind.PLANNER] == rates[TariffKind.CO2]
    async with running(f"planner: {{type: fixed, price: 0.2}}, {co2}", Web()) as service:
        assert (now_of(service, TariffKind.PLANNER), now_of(service, TariffKind.CO2)) == (0.2, 400)


@in_virtual_time
async def test_nord_pools_tomorrow_may_not_be_known_yet() -> None:
    class Auction(Web):
        tomorrow = httpx.Response(204)

        async def __call__(self, request: httpx.Request) -> httpx.Response:
            is_today = request.url.params["date"] == "2023-03-07"
            return httpx.Response(200, text=NORD_POOL) if is_today else self.tomorrow

    known = httpx.Response(200, text=NORD_POOL.replace("2023-03-07T", "2023-03-08T"))
    for tomorrow, count in ((httpx.Response(204), 1), (httpx.Response(404), 1), (known, 2)):
        web = Auction()
        web.tomorrow = tomorrow
        async with running("grid: {type: nordpool, region: SE3}", web) as service:
            rates = service.rates()[TariffKind.GRID]
            assert len(rates.rates) == count
            assert price_at(rates, datetime(2023, 3, 7, 9, tzinfo=UTC)) == 0.0455
    async with running("grid: {type: nordpool, region: NO1}", Auction()) as service:
        assert service.rates() == {}


@in_virtual_time
async def test_a_list_comes_over_mqtt_in_cents() -> None:
    topics = MemoryTopics()
    topics.say("prices", json.dumps([{"start": NINE_S, "end": NINE_S + 36_000, "value": 28.5}]))
    async with running(
        "grid: {type: custom, unit: ct/kWh, forecast: {source: mqtt, topic: prices}}", Web(), topics=topics
    ) as service:
        assert now_of(service) == 0.285
        topics.say("prices", json.dumps([{"start": NINE_S, "end": NINE_S + 36_000, "value": 30}]))
        await anyio.sleep(MINUTE_S)
        assert now_of(service) == 0.3


@in_virtual_time
async def test_the_scale_of_a_plugin_counts_for_the_values_of_its_list() -> None:
    web = Web({"GET /p": json.dumps({"a": [{"start": NINE_S, "end": NINE_S + 36_000, "value": 285}]})})
    forecast = "{source: http, uri: 'http://p.test/p', jq: .a, scale: 0.001}"
    async with running(f"grid: {{type: custom, forecast: {forecast}}}", web) as service:
        assert now_of(service) == 0.285


@in_virtual_time
async def test_a_file_is_read_again_and_what_is_wrong_with_it_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "prices.csv"
    async with running(f"grid: {{type: csv, file: '{file}', charges: 0.1}}", Web()) as service:
        assert service.rates() == {}
        assert f"tariff grid: {file}: No such file or directory" in caplog.text
        file.write_text("start,ct_per_kwh\n2023-03-07T13:00,20\n", encoding="utf-8")  # in Berlin
        await anyio.sleep(5 * MINUTE_S)
        assert now_of(service) == 0.3
        file.write_text("start,ct_per_kwh\n2023-03-07T13:00,zwanzig\n", encoding="utf-8")
        await anyio.sleep(5 * MINUTE_S)
        assert f"tariff grid: {file}: line 2: 'zwanzig' is no number" in caplog.text
        assert now_of(service) == 0.3


@in_virtual_time
async def test_what_is_odd_about_a_list_is_told_once_until_it_is_so_no_more(caplog: pytest.LogCaptureFixture) -> None:
    odd = json.dumps([{"start": NINE_S, "price": 30}, {"start": NINE_S + 7200, "price": 31}])
    web = Web({"GET /prices": odd})
    async with running("grid: {type: custom, forecast: {source: http, uri: 'http://p.test/prices'}}", web):
        await anyio.sleep(3 * HOUR_S)
        said = [
            "tariff grid: no value from 2023-03-07 11:00 to 2023-03-07 12:00",  # in Berlin
            "tariff grid: a price of 31 EUR/kWh: is it in another unit?",
        ]
        assert [record.getMessage() for record in caplog.records] == said
        web.answers["GET /prices"] = json.dumps([{"start": NINE_S, "price": 0.3}])
        await anyio.sleep(HOUR_S)
        web.answers["GET /prices"] = odd
        await anyio.sleep(HOUR_S)
        assert [record.getMessage() for record in caplog.records] == said * 2


# -- the sun ------------------------------------------------------------------------------------------------------------------


def solcast(kilowatts: float) -> str:
    ends = [NOON + timedelta(minutes=30 * n) for n in (1, 2)]
    forecasts = [
        {"period_end": end.isoformat(), "period": "PT30M", "pv_estimate": kilowatts, "pv_estimate10": kilowatts / 2}
        for end in ends
    ]
    return json.dumps({"forecasts": forecasts})


@in_virtual_time
async def test_of_two_roofs_the_sum_counts_and_the_one_that_answers_is_not_asked_more_often_for_the_others_sake() -> (
    None
):
    web = Web({"GET /a/forecasts": solcast(2.0), "GET /b/forecasts": httpx.Response(500)})
    roof = "{{type: solcast, site: {}, uri: 'http://s.test', token: t}}"
    roofs = f"solar: [{roof.format('a')}, {roof.format('b')}]"
    async with running(roofs, web) as service:
        await anyio.sleep(11 * MINUTE_S)
        assert service.rates() == {}
        assert [request.url.path for request in web.asked] == ["/a/forecasts", *["/b/forecasts"] * 3]
        web.answers["GET /b/forecasts"] = solcast(3.0)
        await anyio.sleep(5 * MINUTE_S)
        assert (now_of(service, TariffKind.SOLAR), now_of(service, TariffKind.SOLAR_P10)) == (5000, 2500)
        assert TariffKind.SOLAR_P90 not in service.rates()
        assert service.rates()[TariffKind.SOLAR].unit == "W"


@in_virtual_time
async def test_energies_of_slots_become_their_mean_powers(tmp_path: Path) -> None:
    """A quarter of a kWh in a quarter of an hour is a kW; from the file, 500 Wh in half an hour is one more."""
    quarters = [{"start": "2023-03-07T12:00:00Z", "end": "2023-03-07T12:15:00Z", "value": 0.25, "p10": 0.125}]
    web = Web({"GET /sun": json.dumps(quarters)})
    file = tmp_path / "sun.csv"
    file.write_text("start,end,wh\n2023-03-07T12:00Z,2023-03-07T12:30Z,500\n", encoding="utf-8")
    own = "{type: custom, unit: kWh, interval: 10m, forecast: {source: http, uri: 'http://s.test/sun'}}"
    async with running(f"solar: {own}", web) as service:
        assert (now_of(service, TariffKind.SOLAR), now_of(service, TariffKind.SOLAR_P10)) == (1000, 500)
        await anyio.sleep(10 * MINUTE_S)
        assert len(web.asked) == 2
    async with running(f"solar: [{own}, {{type: csv, file: '{file}'}}]", web) as service:
        assert now_of(service, TariffKind.SOLAR) == 2000
        assert TariffKind.SOLAR_P10 not in service.rates()


@in_virtual_time
async def test_forecasts_without_a_common_time_have_no_sum(caplog: pytest.LogCaptureFixture) -> None:
    web = Web({"GET /a": '[{"start": 1678190400, "value": 1}]', "GET /b": '[{"start": 1678240000, "value": 1}]'})
    parts = (f"{{type: custom, forecast: {{source: http, uri: 'http://s.test/{name}'}}}}" for name in "ab")
    async with running(f"solar: [{', '.join(parts)}]", web) as service:
        assert service.rates() == {}
        assert "tariff solar: there is no time for which all parts have a forecast" in caplog.text


CLEAR_SKY = "solar: {type: clearsky, lat: 52.5, lon: 13.4, dec: 30, az: 0, kwp: 10}"


@in_virtual_time
async def test_a_roof_that_gives_half_of_a_clear_sky_is_expected_to_go_on_so_and_that_outlives_a_restart() -> None:
    (roof,) = clear_sky_roofs(parse_config(SITE.format(tariffs=f"{{{CLEAR_SKY}}}"), environment={}).tariffs.solar)
    clock: list[Clock] = []

    def half() -> float | None:
        now = clock[0].utc()
        hour = now.replace(minute=0, second=0, microsecond=0)
        quarters = clear_sky(roof, hour, hour + timedelta(hours=1))
        return sum(rate.price for rate in quarters) / len(quarters) / 2

    async with Store.open(None, inline) as store:
        clock.append(Clock(epoch=NOON))
        async with running(CLEAR_SKY, Web(), store=store, pv_power_w=half) as service:
            (clear,) = (rate for rate in clear_sky(roof, NOON, NOON + timedelta(minutes=15)))
            assert service.rates()[TariffKind.SOLAR].at(NOON) == clear
            assert TariffKind.SOLAR_P10 not in service.rates()
            await anyio.sleep(6 * 24 * HOUR_S)
        noon = NOON + timedelta(days=6)
        async with running(CLEAR_SKY, Web(), store=store, epoch=noon) as service:
            (clear,) = clear_sky(roof, noon, noon + timedelta(minutes=15))
            for kind in (TariffKind.SOLAR, TariffKind.SOLAR_P10, TariffKind.SOLAR_P90):
                expected = service.rates()[kind].at(noon)
                assert expected is not None
                assert (expected.start, expected.price) == (clear.start, pytest.approx(clear.price / 2))
            days = {rate.start.date() for rate in service.rates()[TariffKind.SOLAR].rates}
            assert len(days) == 4  # three days of Berlin
