"""The server as a process of its own, started, killed and stopped as its owner does it."""

from __future__ import annotations

import resource
import signal
import socket
import sqlite3
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from modbus_by_hand import ByHand
from mqtt_by_hand import Client, connected, publish_packet
from server_process import ServerProcess, finished, server_process
from trio_test import in_real_time
from watched_home import held

from evcc_server.keeping import schema
from evcc_sim.devices.modbus_server import Wrapping
from evcc_sim.devices.site_devices import Extras, evcc_yaml
from evcc_sim.runs.wire import World, running_world
from evcc_sim.worlds import scenario

pytestmark = pytest.mark.wire

NOON = time(12)

SITE = """
interval: 1s
network: {{port: {port}}}
mqtt: {{port: {mqtt}}}
database: {{path: evcc.db}}
site: {{title: Home, meters: {{grid: grid}}}}
meters:
- {{name: grid, type: template, template: eastron, usage: grid, modbus: rs485tcpip, host: 127.0.0.1, port: {grid}}}
chargers:
- {{name: box, type: template, template: keba-modbus, host: 127.0.0.1, port: {box}}}
loadpoints:
- {{title: Carport, charger: box, mode: pv}}
"""

HOUSE = """
title = "A car that charges as fast as it can"
description = "It stays until somebody pulls the plug."

[site]
interval_s = 1
residual_power_w = 0

[[pv]]
name = "roof"

[[charger]]
box = { name = "garage", current_max_a = 32 }
loadpoint = { title = "Garage", mode = "now", current_max_a = 32, vehicle = "blue" }

[[car]]
name = "blue"
title = "Blue car"
capacity_kwh = 77
current_max_a = 32
visits = [{ charger = "garage", arrive = "11:00", depart = "23:00", soc_pct = 30 }]
"""


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports: list[int] = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@asynccontextmanager
async def guarded_port(called: Callable[[], None]) -> AsyncIterator[int]:
    """A port that says whenever somebody connects, and closes the connection."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")

    async def note(stream: trio.SocketStream) -> None:
        called()
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, note, [listener])
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


@in_real_time
async def test_a_server_whose_devices_are_all_away_serves_and_stops_in_time(tmp_path: Path) -> None:
    port, mqtt, grid, box = free_ports(4)
    (tmp_path / "evcc.yaml").write_text(SITE.format(port=port, mqtt=mqtt, grid=grid, box=box), encoding="utf-8")
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client,
        server_process(tmp_path) as server,
    ):
        await server.up()
        await server.says("cannot connect", 10)
        (loadpoint,) = (await client.get("/api/state")).json()["result"]["loadpoints"]
        assert loadpoint["reason"]["code"] == "charger_silent"
        assert (await client.post("/api/loadpoints/1/mode/now")).json() == {"result": "now"}
        began = trio.current_time()
        assert await server.end_by(signal.SIGTERM, 10) == 0
        assert trio.current_time() - began < 2
        assert "Traceback" not in server.said
    assert (await _setting_after_restart(tmp_path, port, "mode")) == "now"


async def _setting_after_restart(folder: Path, port: int, key: str) -> object:
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client,
        server_process(folder) as server,
    ):
        await server.up()
        return (await client.get("/api/state")).json()["result"]["loadpoints"][0][key]


@in_real_time
async def test_a_second_server_finds_its_port_taken_and_leaves_the_devices_alone(tmp_path: Path) -> None:
    calls: list[str] = []
    async with guarded_port(lambda: calls.append("grid")) as grid, guarded_port(lambda: calls.append("box")) as box:
        for taken, place in (("port", "network.port or --port"), ("mqtt", "mqtt.port")):
            ports = dict(zip(("port", "mqtt"), free_ports(2), strict=True))
            (tmp_path / "evcc.yaml").write_text(SITE.format(**ports, grid=grid, box=box), encoding="utf-8")
            with socket.create_server(("127.0.0.1", ports[taken])):
                status, said = await finished(tmp_path)
            assert status == 1
            assert said == (
                f"evcc-server: cannot listen on 127.0.0.1:{ports[taken]}: the port is already in use ({place})\n"
            )
        assert calls == []
        assert not (tmp_path / "evcc.db").exists()


@in_real_time
async def test_a_wrong_key_is_file_line_and_key_and_nothing_starts(tmp_path: Path) -> None:
    text = SITE.format(port=0, mqtt=0, grid=1, box=1).replace("mode: pv", "mood: pv").lstrip("\n")
    (tmp_path / "evcc.yaml").write_text(text, encoding="utf-8")
    for command in ([], ["check"]):
        status, said = await finished(tmp_path, *command)
        assert status == 2
        assert said == "evcc.yaml:11: loadpoints[0].mood: unknown key, did you mean mode?\n"


@in_real_time
async def test_a_session_that_is_open_when_the_server_is_killed_is_continued_and_equals_the_meter(
    tmp_path: Path,
) -> None:
    port, mqtt = free_ports(2)
    async with (
        running_world(scenario.parse(HOUSE, name="house"), seed=1, at=NOON) as world,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client,
    ):
        sections = {"network": {"port": port}, "mqtt": {"port": mqtt}, "database": {"path": "evcc.db"}}
        config = evcc_yaml(world.house.scenario, world.addresses, Extras(sections=sections))
        (tmp_path / "evcc.yaml").write_text(config, encoding="utf-8")
        begun_kwh = await _register_kwh(world)

        async with server_process(tmp_path) as server:
            await server.up()
            await _until(client, lambda lp: bool(lp["charging"]) and lp["chargedEnergy"] > 20, 30)
            assert (await client.post("/api/loadpoints/1/maxcurrent/30")).json() == {"result": 30}
            assert await server.end_by(signal.SIGKILL, 5) == -signal.SIGKILL

        async with server_process(tmp_path) as server:
            await server.up()
            charging = await _until(client, lambda lp: bool(lp["charging"]) and lp["chargedEnergy"] > 60, 30)
            assert (charging["mode"], charging["maxCurrent"]) == ("now", 30)
            world.clock.sync()
            world.house.wallboxes[0].unplug()
            await _until(client, lambda lp: not lp["connected"], 10)
            drawn_kwh = await _register_kwh(world) - begun_kwh
            (session,) = (await client.get("/api/sessions")).json()["result"]
            assert await server.end_by(signal.SIGTERM, 10) == 0
            assert "Traceback" not in server.said

        assert drawn_kwh > 0.06
        assert session["chargedEnergy"] == pytest.approx(drawn_kwh, abs=1e-6)
        assert session["meterStop"] - session["meterStart"] == pytest.approx(drawn_kwh, abs=1e-6)
        assert (session["loadpoint"], session["vehicle"]) == ("Garage", "Blue car")


async def _register_kwh(world: World) -> float:
    """The station's energy register, read by hand: four words at 374, a float64 in Wh."""
    address = world.addresses["garage"]
    async with await trio.open_tcp_stream(address.host, address.port) as stream:
        words = await ByHand(_Bytes(stream), Wrapping.TCP, 1).words(3, 374, 4)
    (energy_wh,) = struct.unpack(">d", struct.pack(">4H", *words))
    return float(energy_wh) / 1000


class _Bytes:
    """A trio stream with the two calls that the client by hand uses."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream

    async def send(self, data: bytes) -> None:
        await self._stream.send_all(data)

    async def receive(self) -> bytes:
        return bytes(await self._stream.receive_some())


async def _until(
    client: httpx.AsyncClient, holds: Callable[[dict[str, Any]], bool], patience_s: float
) -> dict[str, Any]:
    """The first loadpoint, as soon as ``holds`` is true of it."""
    with trio.fail_after(patience_s):
        while True:
            loadpoint: dict[str, Any] = (await client.get("/api/state")).json()["result"]["loadpoints"][0]
            if holds(loadpoint):
                return loadpoint
            await trio.sleep(0.2)


# -- one server for one database ----------------------------------------------------------------------------------------------


@pytest.mark.api("P-7")
@in_real_time
async def test_a_second_server_on_the_same_database_says_whose_it_is_and_leaves_the_devices_alone(
    tmp_path: Path,
) -> None:
    calls: list[str] = []
    first, second = tmp_path / "first", tmp_path / "second"
    async with guarded_port(lambda: calls.append("grid")) as grid, guarded_port(lambda: calls.append("box")) as box:
        for folder in (first, second):
            folder.mkdir()
            port, mqtt, *away = free_ports(4)
            devices = (grid, box) if folder is second else away
            text = SITE.format(port=port, mqtt=mqtt, grid=devices[0], box=devices[1])
            (folder / "evcc.yaml").write_text(text, encoding="utf-8")
        (second / "evcc.db").symlink_to(first / "evcc.db")

        async with server_process(first) as server:
            await server.up()
            status, said = await finished(second)
            assert (status, calls) == (1, [])
            assert said == (
                f"evcc-server: evcc.db: another server (process {server.number}) works with this database\n"
            )
            status, said = await finished(second, "check")  # whoever only reads may
            assert calls != []
            assert "another server" not in said
            with closing(sqlite3.connect(first / "evcc.db")) as reader:
                assert reader.execute("SELECT count(*) FROM sessions").fetchone() == (0,)
            assert await server.end_by(signal.SIGKILL, 5) == -signal.SIGKILL
        async with server_process(second) as server:  # what the dead one has left behind is no lock
            await server.up()
            assert await server.end_by(signal.SIGTERM, 10) == 0
        async with server_process(first) as server:
            await server.up()


@in_real_time
async def test_a_newer_database_is_one_line_and_stays_as_it_is(tmp_path: Path) -> None:
    calls: list[str] = []
    async with guarded_port(lambda: calls.append("grid")) as grid, guarded_port(lambda: calls.append("box")) as box:
        port, mqtt = free_ports(2)
        text = SITE.format(port=port, mqtt=mqtt, grid=grid, box=box)
        (tmp_path / "evcc.yaml").write_text(text, encoding="utf-8")
        with closing(sqlite3.connect(tmp_path / "evcc.db")) as connection:
            connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
        status, said = await finished(tmp_path)
    assert (status, calls) == (1, [])
    assert said == (
        f"evcc-server: evcc.db: the database has version {schema.VERSION + 1},"
        f" this program knows up to {schema.VERSION}\n"
    )


@pytest.mark.parametrize(
    ("theirs", "said_of_it"),
    [
        ("PRAGMA user_version = -1", "(version -1, tables: none)"),
        ("CREATE TABLE places (id)", "(version 0, tables: places)"),
    ],
)
@in_real_time
async def test_a_database_of_another_program_is_one_line_and_stays_as_it_is(
    tmp_path: Path, theirs: str, said_of_it: str
) -> None:
    calls: list[str] = []
    async with guarded_port(lambda: calls.append("grid")) as grid, guarded_port(lambda: calls.append("box")) as box:
        port, mqtt = free_ports(2)
        text = SITE.format(port=port, mqtt=mqtt, grid=grid, box=box)
        (tmp_path / "evcc.yaml").write_text(text, encoding="utf-8")
        with closing(sqlite3.connect(tmp_path / "evcc.db")) as connection:
            connection.execute(theirs)
        before = (tmp_path / "evcc.db").read_bytes()
        status, said = await finished(tmp_path)
    assert (status, calls) == (1, [])
    assert said == f"evcc-server: evcc.db: this is no database of evcc-server or evcc {said_of_it}\n"
    assert (tmp_path / "evcc.db").read_bytes() == before


@pytest.mark.api("P-7")
@in_real_time
async def test_a_second_server_on_a_hard_link_of_the_database_does_not_start(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        port, mqtt, grid, box = free_ports(4)
        text = SITE.format(port=port, mqtt=mqtt, grid=grid, box=box)
        (folder / "evcc.yaml").write_text(text, encoding="utf-8")
    async with server_process(first) as server:
        await server.up()
        (second / "evcc.db").hardlink_to(first / "evcc.db")
        status, said = await finished(second)
        assert (status, said) == (
            1,
            "evcc-server: evcc.db: another server works with this database under another name (a hard link)\n",
        )
        assert await server.end_by(signal.SIGTERM, 10) == 0


# -- told when it is true -----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _idle_server(folder: Path) -> AsyncIterator[tuple[ServerProcess, httpx.AsyncClient, int]]:
    """A server whose devices are away, a client, and the port of its broker."""
    port, mqtt, grid, box = free_ports(4)
    text = SITE.format(port=port, mqtt=mqtt, grid=grid, box=box)
    (folder / "evcc.yaml").write_text(text, encoding="utf-8")
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
        server_process(folder) as server,
    ):
        await server.up()
        yield server, client, mqtt


async def _state(client: httpx.AsyncClient) -> dict[str, Any]:
    loadpoint: dict[str, Any] = (await client.get("/api/state")).json()["result"]["loadpoints"][0]
    return loadpoint


@in_real_time
async def test_while_another_program_holds_the_database_nothing_is_said_to_be_so_and_nothing_comes_to_be(
    tmp_path: Path,
) -> None:
    async with _idle_server(tmp_path) as (_, client, _), trio.open_nursery() as nursery:
        shown: set[str] = set()

        async def look() -> None:
            while True:
                shown.add((await _state(client))["mode"])
                await trio.sleep(0.1)

        nursery.start_soon(look)
        with held(tmp_path / "evcc.db"):
            for _ in range(2):
                answer = await client.post("/api/loadpoints/1/mode/now")
                assert (answer.status_code, answer.json()) == (
                    503,
                    {"error": "the database failed; nothing has changed"},
                )
        await trio.sleep(3)
        assert shown == {"pv"}
        assert (await client.post("/api/loadpoints/1/mode/now")).json() == {"result": "now"}
        assert (await _state(client))["mode"] == "now"
        nursery.cancel_scope.cancel()
    assert _stored(tmp_path) == {"loadpoint.1.mode": "now"}


@in_real_time
async def test_twenty_requests_at_once_on_a_disk_that_takes_no_more_leave_what_was(tmp_path: Path) -> None:
    async with _idle_server(tmp_path) as (server, client, _):
        assert (await client.post("/api/loadpoints/1/minsoc/70")).status_code == 200
        before = resource.prlimit(server.number, resource.RLIMIT_FSIZE)
        resource.prlimit(server.number, resource.RLIMIT_FSIZE, (0, before[1]))  # no file may be written to
        statuses: list[int] = []

        async def ask(soc_pct: int) -> None:
            statuses.append((await client.post(f"/api/loadpoints/1/minsoc/{soc_pct}")).status_code)

        async with trio.open_nursery() as nursery:
            for soc_pct in range(71, 91):
                nursery.start_soon(ask, soc_pct)
        assert statuses == [503] * 20
        assert (await _state(client))["minSoc"] == 70
        resource.prlimit(server.number, resource.RLIMIT_FSIZE, before)
        await trio.sleep(2)
        assert (await _state(client))["minSoc"] == 70
        assert (await client.post("/api/loadpoints/1/minsoc/71")).status_code == 200
        assert await server.end_by(signal.SIGKILL, 5) == -signal.SIGKILL
    assert _stored(tmp_path)["loadpoint.1.soc_min_pct"] == "71"


def _stored(folder: Path) -> dict[str, str]:
    with closing(sqlite3.connect(folder / "evcc.db")) as reader:
        return dict(reader.execute("SELECT key, value FROM settings WHERE key <> 'telemetry'"))


@in_real_time
async def test_a_command_over_mqtt_that_waits_for_the_disk_is_on_no_topic_and_gone_after_kill_9(tmp_path: Path) -> None:
    async with (
        _idle_server(tmp_path) as (server, client, mqtt),
        connected(mqtt, "watcher") as watcher,
        connected(mqtt, "commander") as commander,
    ):
        await watcher.subscribe("evcc/loadpoints/1/mode")
        with held(tmp_path / "evcc.db"):
            await commander.publish("evcc/loadpoints/1/mode/set", b"now")
            await trio.sleep(2.5)  # two cycles, each of which publishes the mode
            assert {each.payload for each in await watcher.settle()} == {b"pv"}
            assert (await _state(client))["mode"] == "pv"
            assert await server.end_by(signal.SIGKILL, 5) == -signal.SIGKILL
    assert _stored(tmp_path) == {}


@pytest.mark.api("P-2")
@in_real_time
async def test_what_was_seen_on_a_state_topic_is_there_after_kill_9(tmp_path: Path) -> None:
    """Commands come as fast as they are taken; the server is killed as soon as the watcher has seen the next one's value."""
    currents_a = 16
    for _ in range(4):
        async with (
            _idle_server(tmp_path) as (server, client, mqtt),
            connected(mqtt, "watcher") as watcher,
            connected(mqtt, "commander") as commander,
        ):
            assert (await _state(client))["maxCurrent"] >= currents_a
            await watcher.subscribe("evcc/loadpoints/1/maxCurrent")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_count_up, commander, 17)
                seen: list[int] = []
                while len(seen) < 4:
                    seen.append(int((await watcher.next_delivered()).payload))
                assert await server.end_by(signal.SIGKILL, 5) == -signal.SIGKILL
                nursery.cancel_scope.cancel()
        stored_a = float(_stored(tmp_path)["loadpoint.1.current_max_a"])
        assert stored_a >= seen[-1] > 16
        currents_a = seen[-1]


async def _count_up(commander: Client, low: int) -> None:
    for current_a in range(low, 60):
        await commander.send(publish_packet("evcc/loadpoints/1/maxCurrent/set", str(current_a).encode()))
        await trio.sleep(0.02)
