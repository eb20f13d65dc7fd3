"""The whole server over plugins: surplus in a web server's JSON becomes a charging current at another."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx
import trio
from trio_test import in_virtual_time

from evcc_server.app import open_server
from evcc_server.blocking import inline
from evcc_server.clock import Clock
from evcc_server.config.load import parse_config
from evcc_server.devices.plugin.http import HttpClient
from evcclib.model import ChargeMode
from evcclib.requests import ChangeLoadpointSetting

SITE = """
interval: 10s
timezone: Europe/Berlin
database: {dsn: ":memory:"}
mqtt: {topic: ""}
site: {meters: {grid: grid}}
meters:
- name: grid
  type: custom
  power: {source: http, uri: "http://home.test/state", jq: .grid}
chargers:
- name: box
  type: custom
  status: {source: http, uri: "http://home.test/state", jq: .status}
  enabled: {source: http, uri: "http://home.test/state", jq: .enabled}
  enable: {source: http, uri: "http://home.test/set?enabled=${enable}"}
  maxcurrent: {source: http, uri: "http://home.test/set?amps=${maxcurrent:%d}"}
  power: {source: http, uri: "http://home.test/state", jq: .charge}
vehicles:
- name: car
  type: custom
  capacity: 50
  soc: {source: http, uri: "http://home.test/state", jq: .soc}
loadpoints:
- {charger: box, vehicle: car, mode: pv, phases: 1}
tariffs: {grid: {type: fixed, price: 0.3}}
"""


class House:
    """A web server that is a house: so much sun, one car on one phase."""

    def __init__(self, surplus_w: float) -> None:
        self.surplus_w = surplus_w
        self.is_enabled = False
        self.amps = 6
        self.commands: list[str] = []
        self.is_down = False
        self.grid: str | None = None  # in place of its power

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        if self.is_down:
            raise httpx.ConnectError("gone")
        if request.url.path == "/set":
            self.commands.append(request.url.query.decode())
            self.amps = int(request.url.params.get("amps", self.amps))
            self.is_enabled = json.loads(request.url.params.get("enabled", json.dumps(self.is_enabled)))
        charge_w = self.amps * 230 if self.is_enabled else 0
        status = "C" if self.is_enabled else "B"
        grid = charge_w - self.surplus_w if self.grid is None else self.grid
        state = {"grid": grid, "charge": charge_w, "status": status, "soc": 40}
        return httpx.Response(200, json=state | {"enabled": self.is_enabled})


@in_virtual_time
async def test_a_car_follows_the_sun_through_plugins_and_stops_on_request() -> None:
    house = House(surplus_w=2500)
    config = parse_config(SITE, environment={})
    clock = Clock(epoch=datetime(2023, 6, 1, 10, tzinfo=UTC))
    http = HttpClient(httpx.MockTransport(house))
    async with (
        open_server(config, clock=clock, run_blocking=inline, http=http) as server,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(server.run)
        await trio.sleep(600)
        assert house.is_enabled
        assert house.amps == 10  # 2500 W / 230 V is 10.87 A; never more than the sun gives
        assert server.loop.view().loadpoints[0].vehicle is not None
        house.surplus_w = 1700
        await trio.sleep(60)
        assert house.amps == 7
        await server.loop.submit(ChangeLoadpointSetting(0, "mode", ChargeMode.OFF))
        await trio.sleep(5)
        assert not house.is_enabled
        await server.loop.submit(ChangeLoadpointSetting(0, "mode", ChargeMode.NOW))
        await trio.sleep(400)
        assert (house.is_enabled, house.amps) == (True, 16)
        house.is_down = True
        steps = server.loop.steps
        await trio.sleep(600)
        assert server.loop.steps >= steps + 60  # dead plugins do not slow the loop
        house.is_down = False
        await server.loop.submit(ChangeLoadpointSetting(0, "mode", ChargeMode.PV))
        await trio.sleep(600)
        assert (house.is_enabled, house.amps) == (True, 7)
        nursery.cancel_scope.cancel()


@in_virtual_time
async def test_what_the_grid_meter_says_in_place_of_a_power_is_what_ails_the_site() -> None:
    house = House(surplus_w=2500)
    async with (
        open_server(
            parse_config(SITE, environment={}),
            clock=Clock(epoch=datetime(2023, 6, 1, 10, tzinfo=UTC)),
            run_blocking=inline,
            http=HttpClient(httpx.MockTransport(house)),
        ) as server,
        trio.open_nursery() as nursery,
    ):
        assert server.loop.ailment() == "no reading of the grid is known"
        await nursery.start(server.run)
        await trio.sleep(30)
        assert server.loop.view().is_healthy
        house.grid = "unavailable"
        steps = server.loop.steps
        await trio.sleep(120)
        assert server.loop.steps > steps
        assert not server.loop.view().is_healthy
        assert server.loop.ailment() == "the grid meter cannot be read: grid: 'unavailable' is no number"
        house.grid = None
        await trio.sleep(30)
        assert server.loop.view().is_healthy
        nursery.cancel_scope.cancel()
