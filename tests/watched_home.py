"""The whole server in virtual time on a database of its own, which somebody else may hold; its three channels are watched.

The house is a web server with a car that takes what it is offered. The database is SQLite on a disk: `held` opens it a second
time and locks it, as another program may. `Patient` is the server's way to it: it waits in virtual time, as SQLite in a thread.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import httpx
import trio
from trio.testing import wait_all_tasks_blocked

from evcc_server.app import Server, open_server
from evcc_server.clock import Clock
from evcc_server.config.load import parse_config
from evcc_server.config.options import Options
from evcc_server.devices.contract import ChargerValues
from evcc_server.devices.plugin.http import HttpClient
from evcc_server.errors import StoreError
from evcc_server.mqtt.bridge import Bridge
from evcc_sim.runs.clients import MQTT, REST, SOCKET, RestClient, Seen, watch_socket
from evcc_sim.runs.hashed_link import HashedLink
from evcc_sim.runs.life import Door
from evcclib.errors import InvalidSetting
from evcclib.model import ChargerStatus

T = TypeVar("T")
EPOCH = datetime(2023, 6, 1, 10, tzinfo=UTC)
WAITS_S = 5.0
"""How long the server's database waits for who holds it."""

SITE = """
interval: 10s
timezone: Europe/Berlin
mqtt: {json: false}
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
  identify: {source: http, uri: "http://home.test/state", jq: .card}
vehicles:
- {name: golf, type: offline, title: Blue Golf, capacity: 36, identifiers: [card-1], onIdentify: {mode: now}}
- {name: zoe, type: offline, title: White Zoe, capacity: 50}
loadpoints:
- {title: Carport, charger: box, mode: pv, phases: 1, mincurrent: 6, maxcurrent: 16, resetOnDisconnect: true}
"""


@dataclass
class House:
    """A web server that is a house without sun."""

    is_enabled: bool = False
    amps: int = 6
    is_plugged_in: bool = True
    card: str = ""
    relay: str | None = "off"
    """Of the grid operator; None: it does not answer."""

    @property
    def charge_w(self) -> float:
        return self.amps * 230.0 if self.is_enabled and self.is_plugged_in else 0.0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        if request.url.path == "/relay":
            return httpx.Response(200, text=self.relay) if self.relay is not None else httpx.Response(503)
        if request.url.path == "/set":
            self.amps = int(request.url.params.get("amps", self.amps))
            self.is_enabled = json.loads(request.url.params.get("enabled", json.dumps(self.is_enabled)))
        status = "A" if not self.is_plugged_in else "C" if self.is_enabled else "B"
        state = {"grid": 300 + self.charge_w, "charge": self.charge_w, "status": status, "card": self.card}
        return httpx.Response(200, json=state | {"enabled": self.is_enabled})


class Patient(Door):
    """`evcc_server.blocking.RunBlocking` in virtual time: one call at a time, each waits for who holds the database."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = trio.Lock()
        self._under_way = trio.CancelScope()

    def shut(self) -> None:
        """See `Door`. A dead process waits for nothing."""
        super().shut()
        self._under_way.shield = False

    async def __call__(self, function: Callable[[], T], /) -> T:
        async with self._turn:
            with trio.CancelScope(shield=not self._is_shut) as self._under_way:
                return await self._patiently(function)
            raise AssertionError("a dead server waits for ever")

    async def _patiently(self, function: Callable[[], T]) -> T:
        until_s = trio.current_time() + WAITS_S
        while True:
            try:
                return await super().__call__(function)
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or trio.current_time() >= until_s:
                    raise
            await trio.sleep(0.05)


@contextmanager
def held(database: Path) -> Iterator[Callable[[], None]]:
    """Hold ``database`` as another program that writes, until what this yields is called."""
    with closing(sqlite3.connect(database, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")

        def release() -> None:
            if holder.in_transaction:
                holder.execute("ROLLBACK")

        yield release
        release()


def stored(database: Path) -> dict[str, str]:
    """The settings on the disk."""
    with closing(sqlite3.connect(database)) as reader:
        return dict(reader.execute("SELECT key, value FROM settings WHERE key <> 'telemetry'"))


@dataclass
class Watched:
    """A server whose channels are watched."""

    server: Server
    house: House
    database: Path
    broker: HashedLink
    client: RestClient
    seen: Seen

    async def ask(self, path: str, method: str = "POST") -> int:
        """The status of a REST request below /api."""
        status = 200
        try:
            await self.client.ask(method, f"/api/{path}")
        except InvalidSetting:
            status = 400
        except StoreError:
            status = 503
        return status

    def unplug(self) -> None:
        """Pull the plug, and let the server notice at once."""
        self.house.is_plugged_in = False
        self.server.loop.take_charger(
            "box", ChargerValues(status=ChargerStatus.A, is_enabled=self.house.is_enabled), self.server.clock.instant()
        )

    async def command(self, topic: str, payload: str) -> None:
        """A message below evcc, and until it is dealt with."""
        await self.broker.command(f"evcc/{topic}", payload)

    async def shows(self, key: str) -> set[object]:
        """What the channels have shown last for a key of the loadpoint, numbers and texts alike; one of it, when they agree."""
        await wait_all_tasks_blocked()  # those who have something to publish
        await self.client.look()
        channels = ((REST, f"loadpoints.0.{key}"), (SOCKET, f"loadpoints.0.{key}"), (MQTT, f"evcc/loadpoints/1/{key}"))
        return {str(self.seen.last(*place)) for place in channels}


@asynccontextmanager
async def watched(
    database: Path, *, door: Door | None = None, seen: Seen | None = None, extra: str = ""
) -> AsyncIterator[Watched]:
    """A home after its first steps."""
    house = House()
    seen = seen or Seen()
    config = parse_config(SITE + extra, environment={})
    clock = Clock(epoch=EPOCH)
    broker = HashedLink(seen.message)
    broker.reconnect()
    async with (
        open_server(
            config,
            options=Options(database=str(database)),
            clock=clock,
            run_blocking=door or Patient(),
            http=HttpClient(httpx.MockTransport(house)),
        ) as server,
        trio.open_nursery() as nursery,
    ):
        home = Watched(server, house, database, broker, RestClient(server.home, seen), seen)
        await nursery.start(server.run)
        bridge = Bridge(broker, config.mqtt, gateway=server.loop, hub=server.hub, clock=clock, site=server.site_config)
        nursery.start_soon(bridge.run)
        nursery.start_soon(watch_socket, server.home, seen)
        await trio.sleep(15)
        yield home
        nursery.cancel_scope.cancel()
