"""Vehicles read by plugins are asked rarely, and after errors more rarely still [VEH-20]."""

from __future__ import annotations

import anyio
import httpx
import pytest
from plugin_site import Web, error_of, plugin_site
from trio_test import in_virtual_time

from evcc_server.errors import DeviceImplausible, DeviceRefused
from evcclib.model import ChargerStatus

CAR = """
cache: 10m
soc: {source: http, uri: "http://car.test/", jq: .soc}
range: {source: http, uri: "http://car.test/", jq: .range}
odometer: {source: http, uri: "http://car.test/", jq: .odo}
limitsoc: {source: http, uri: "http://car.test/", jq: .limit}
status: {source: http, uri: "http://car.test/", jq: .status}
climater: {source: http, uri: "http://car.test/", jq: .ac}
wakeup: {source: http, uri: "http://car.test/wake", method: POST}
"""
STATE = '{"soc": 63.5, "range": 210, "odo": 40123.4, "limit": 80, "status": "B", "ac": false}'


@in_virtual_time
async def test_everything_a_vehicle_tells() -> None:
    web = Web({"GET /": STATE, "POST /wake": "ok"})
    async with plugin_site(vehicle=CAR, web=web) as devices:
        car = devices.vehicles["car"]
        values = await car.read()
        assert (values.soc_pct, values.range_km, values.odometer_km) == (63.5, 210, 40123.4)
        assert (values.soc_limit_pct, values.status, values.is_climating) == (80, ChargerStatus.B, False)
        await car.wake()
        assert web.asked[-1].url.path == "/wake"


@in_virtual_time
async def test_an_answer_is_kept_for_the_cache_time_unless_a_fresh_one_is_asked_for() -> None:
    web = Web({"GET /": STATE})
    async with plugin_site(vehicle=CAR, web=web) as devices:
        car = devices.vehicles["car"]
        for _ in range(10):
            await car.read()
            await anyio.sleep(59)
        assert len(web.asked) == 1
        await car.read(is_fresh=True)
        assert len(web.asked) == 2
        await anyio.sleep(600)
        await car.read()
        assert len(web.asked) == 3


@in_virtual_time
async def test_errors_are_followed_by_growing_pauses_even_if_asked_every_second() -> None:
    web = Web({"GET /": httpx.Response(429)})
    asked_at: list[float] = []
    async with plugin_site(vehicle=CAR, web=web) as devices:
        car = devices.vehicles["car"]
        for second in range(400):
            before = len(web.asked)
            await error_of(lambda: car.read(is_fresh=True), DeviceRefused)
            if len(web.asked) > before:
                asked_at.append(second)
            await anyio.sleep(1)
        assert asked_at == [0, 5, 15, 35, 75, 155, 315]  # 5 s, 10 s, 20 s, ...
        web.answers["GET /"] = STATE
        await anyio.sleep(3600)
        assert (await car.read()).soc_pct == 63.5


@pytest.mark.parametrize("soc", ["-1", "101", "1e6"])
def test_an_impossible_soc_is_a_read_error(soc: str) -> None:
    @in_virtual_time
    async def run() -> None:
        async with plugin_site(vehicle=f"soc: {soc}") as devices:
            assert "cannot be" in await error_of(devices.vehicles["car"].read, DeviceImplausible)

    run()


@in_virtual_time
async def test_an_offline_vehicle_is_never_asked() -> None:
    async with plugin_site(vehicle="soc: 50") as devices:
        assert set(devices.vehicles) == {"car"}
        assert (await devices.vehicles["car"].read()).soc_pct == 50
