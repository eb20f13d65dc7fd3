"""Every MQTT line of the API over the real broker, spoken to with mosquitto_pub and mosquitto_sub."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import mosquitto
import pytest
import trio
from mqtt_by_hand import Client, connected
from mqtt_home import EPOCH, Home
from trio_test import in_real_time

from evcc_server.clock import Clock
from evcc_server.mqtt import broker_connection
from evcc_server.mqtt.broker_link import BrokerAddress, MqttError, MqttOptions
from evcc_server.mqtt.service import run_mqtt
from evcclib.requests import ChangeLoadpointSetting

pytestmark = [pytest.mark.wire, mosquitto.needs_clients]


@dataclass
class Served:
    """A home on the embedded broker; ``lines`` is a mosquitto_sub on everything."""

    home: Home
    port: int
    lines: trio.MemoryReceiveChannel[tuple[str, str]]

    async def set(self, topic: str, payload: str, *options: str) -> None:
        await mosquitto.publish(self.port, topic, payload, *options)

    async def shows(self, topic: str, payload: str) -> None:
        """Wait until ``payload`` is on ``topic``."""
        await mosquitto.wait_for(self.lines, topic, payload)


@asynccontextmanager
async def served(options: MqttOptions | None = None) -> AsyncIterator[Served]:
    port = mosquitto.free_port()
    options = options or MqttOptions(port=port)
    clock = Clock(epoch=EPOCH)
    home = Home(clock)
    async with trio.open_nursery() as nursery:
        said = await nursery.start(
            partial(run_mqtt, options, gateway=home, hub=home.hub, clock=clock, site=home.config)
        )
        assert str(options.port) in said
        async with mosquitto.subscriber(options.port, f"{options.root}/#") as lines:
            await mosquitto.wait_for(lines, f"{options.root}/status", "online")
            yield Served(home, options.port, lines)
        nursery.cancel_scope.cancel()


@pytest.mark.api("API-26", "API-27", "API-28", "API-33", "API-29", "API-34")
@in_real_time
async def test_the_retained_tree() -> None:
    async with served() as world:
        found = await mosquitto.retained(world.port, "evcc/#")
        assert found["evcc/status"] == "online"
        assert found["evcc/loadpoints"] == "2"
        assert 1678122000 <= int(found["evcc/updated"]) < 1678122100
        assert json.loads(found["evcc/site"])["siteTitle"] == "Zuhause"
        assert json.loads(found["evcc/loadpoints/2"])["title"] == "Garage"
        assert found["evcc/site/siteTitle"] == "Zuhause"
        assert found["evcc/site/vehicles/2"] == "weißes Model 3"
        assert found["evcc/loadpoints/1/title"] == "Carport"
        assert found["evcc/loadpoints/1/targetSoc"] == found["evcc/loadpoints/1/target/soc"] == "100"
        assert not any(topic.endswith("/set") for topic in found)


@pytest.mark.api("API-28")
@in_real_time
async def test_updated_increases_with_every_cycle() -> None:
    async with served() as world, trio.open_nursery() as nursery:

        async def cycle_on() -> None:
            while True:
                world.home.cycle()
                await trio.sleep(0.1)

        nursery.start_soon(cycle_on)
        for second in (1, 2):
            await world.shows("evcc/updated", str(1678122000 + second))
        nursery.cancel_scope.cancel()


SITE_LINES = [("bufferSoc", "80.5", "80.5"), ("prioritySoc", "40", "40"), ("residualPower", "-100", "-100")]


@pytest.mark.api("API-30", "API-31", "API-32", "API-45")
@in_real_time
async def test_the_settings_of_the_site() -> None:
    async with served() as world:
        for name, payload, shown in SITE_LINES:
            await world.set(f"evcc/site/{name}/set", payload)
            await world.shows(f"evcc/site/{name}", shown)


LOADPOINT_LINES = [
    ("mode", "now", {"mode": "now"}),
    ("mode", "PV", {"mode": "pv"}),
    ("mode", "off", {"mode": "off"}),
    ("mode", "minpv", {"mode": "minpv"}),
    ("minSoc", "20.0", {"minSoc": "20"}),
    ("target/soc", "80", {"target/soc": "80", "targetSoc": "80"}),
    ("targetSoc", "70", {"target/soc": "70", "targetSoc": "70"}),
    ("target/soc/60", "60", {"target/soc": "60", "targetSoc": "60"}),
    ("target/soc/50", "", {"target/soc": "50", "targetSoc": "50"}),
    ("limitSoc", "90", {"target/soc": "90", "targetSoc": "90"}),
    ("target/energy", "10.5", {"target/energy": "10.5", "targetEnergy": "10.5"}),
    ("targetEnergy", "11", {"target/energy": "11", "targetEnergy": "11"}),
    ("target/energy/12.5", "", {"target/energy": "12.5", "targetEnergy": "12.5"}),
    ("target/time", "2023-03-07T07:00:00+01:00", {"target/time": "2023-03-07T06:00:00Z", "targetTime": "1678168800"}),
    ("targetTime", "null", {"target/time": "", "targetTime": ""}),
    ("target/time/2023-03-08T06:00:00Z", "", {"target/time": "2023-03-08T06:00:00Z", "targetTime": "1678255200"}),
    ("target/time", "-", {"target/time": "", "targetTime": ""}),
    ("targetTime", "2023-03-08T06:00:00Z", {"target/time": "2023-03-08T06:00:00Z", "targetTime": "1678255200"}),
    ("targetTime", "0001-01-01T00:00:00Z", {"target/time": "", "targetTime": ""}),
    ("phases", "3", {"phases": "3", "phasesConfigured": "3"}),
    ("phasesConfigured", "1", {"phases": "1", "phasesConfigured": "1"}),
    ("maxCurrent", "20", {"maxCurrent": "20"}),
    ("minCurrent", "6.5", {"minCurrent": "6.5"}),
    ("enable/threshold", "-1300", {"enable/threshold": "-1300", "enableThreshold": "-1300"}),
    ("enableThreshold", "-1200", {"enable/threshold": "-1200", "enableThreshold": "-1200"}),
    ("disable/threshold", "200", {"disable/threshold": "200", "disableThreshold": "200"}),
    ("disableThreshold", "210", {"disable/threshold": "210", "disableThreshold": "210"}),
    ("vehicle", "2", {"vehicleTitle": "weißes Model 3"}),
    ("vehicle", "0", {"vehicleTitle": ""}),
]


@pytest.mark.api(
    "API-25",
    "API-35",
    "API-36",
    "API-37",
    "API-38",
    "API-39",
    "API-40",
    "API-41",
    "API-42",
    "API-43",
    "API-44",
    "API-45",
)
@in_real_time
async def test_the_settings_of_a_loadpoint_in_every_spelling() -> None:
    async with served() as world:
        for name, payload, shown in LOADPOINT_LINES:
            await world.set(f"evcc/loadpoints/1/{name}/set", payload)
            missing = {(f"evcc/loadpoints/1/{topic}", text) for topic, text in shown.items()}
            with trio.move_on_after(mosquitto.PATIENCE_S):
                while missing:
                    missing.discard(await world.lines.receive())
            assert not missing, f"{name} with {payload!r}"
        found = await mosquitto.retained(world.port, "evcc/#")
        assert not any(topic.endswith("/set") for topic in found)


@pytest.mark.api("API-46")
@in_real_time
async def test_the_example_of_the_documentation_literally() -> None:
    async with served() as world:
        with trio.fail_after(mosquitto.PATIENCE_S):
            await trio.run_process(
                ["mosquitto_pub", "-p", str(world.port), "-t", "evcc/loadpoints/1/phases/set", "-m", "3"]
            )
        await world.shows("evcc/loadpoints/1/phases", "3")


@pytest.mark.api("API-45")
@in_real_time
async def test_without_set_nothing_changes() -> None:
    async with served() as world:
        await world.set("evcc/loadpoints/1/mode", "now", "-r", "-q", "1")
        await world.set("evcc/loadpoints/1/target/soc/80", "80", "-q", "1")
        await world.set("evcc/loadpoints/1/mode/set", "off")
        await world.shows("evcc/loadpoints/1/mode", "off")
        assert [request.name for request in world.home.requests] == ["mode"]  # type: ignore[union-attr]  # a setting


@pytest.mark.api("API-35", "API-45")
@in_real_time
async def test_a_bad_payload_is_answered_with_the_true_value() -> None:
    async with served() as world:
        await world.set("evcc/loadpoints/1/mode/set", "fast")
        await world.shows("evcc/loadpoints/1/mode/set", "fast")
        await world.shows("evcc/loadpoints/1/mode", "pv")
        await world.shows("evcc/loadpoints/1/mode/set", "")
        assert world.home.requests == []


@pytest.mark.api("API-26")
@in_real_time
async def test_another_root() -> None:
    async with served(MqttOptions(port=mosquitto.free_port(), topic="a/b/")) as world:
        await world.set("a/b/loadpoints/2/mode/set", "pv")
        await world.shows("a/b/loadpoints/2/mode", "pv")


@pytest.mark.api("API-27")
@in_real_time
async def test_a_clean_stop_says_offline_in_less_than_a_second() -> None:
    port = mosquitto.free_port()
    async with trio.open_nursery() as clients:
        async with trio.open_nursery() as server:
            home = await server.start(_serve, MqttOptions(port=port))
            listener = await clients.start(_subscribed, port)
            assert (await listener.next_delivered()).payload == b"online"
            home.cycle()
            start_s = trio.current_time()
            server.cancel_scope.cancel()
        assert trio.current_time() - start_s < 1
        delivered = await listener.next_delivered()
        assert (delivered.topic, delivered.payload, delivered.qos) == ("evcc/status", b"offline", 1)
        clients.cancel_scope.cancel()


@pytest.mark.api("API-27")
@mosquitto.needs_broker
@in_real_time
async def test_after_a_restart_of_the_outside_broker_everything_is_there_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_connection, "RECONNECT_MIN_S", 0.1)
    port = mosquitto.free_port()
    async with trio.open_nursery() as server:
        await server.start(_serve, MqttOptions(broker=BrokerAddress("127.0.0.1", port), port=port))
        trees = []
        for _ in range(2):
            async with mosquitto.broker(tmp_path, port):
                async with mosquitto.subscriber(port, "evcc/status") as lines:
                    await mosquitto.wait_for(lines, "evcc/status", "online")
                trees.append(await mosquitto.retained(port, "evcc/#"))
        assert set(trees[0]) == set(trees[1])
        assert len(trees[0]) > 100
        server.cancel_scope.cancel()


@pytest.mark.api("API-27", "API-26")
@in_real_time
async def test_an_empty_topic_turns_mqtt_off() -> None:
    async with trio.open_nursery() as server:
        port = mosquitto.free_port()
        await server.start(_serve, MqttOptions(topic="/", port=port))
        with pytest.raises(OSError, match="127"):
            await trio.open_tcp_stream("127.0.0.1", port)
        server.cancel_scope.cancel()


@in_real_time
async def test_a_port_in_use_is_one_error_with_one_line() -> None:
    async with served() as world:
        with pytest.raises(MqttError, match=rf"^MQTT broker can't listen on 127.0.0.1:{world.port}: [^\n]*in use$"):
            await run_mqtt(
                MqttOptions(port=world.port),
                gateway=world.home,
                hub=world.home.hub,
                clock=world.home.clock,
                site=world.home.config,
            )


@pytest.mark.parametrize("delay_s", [0, 0.001, 0.01, 0.02])
@in_real_time
async def test_it_can_be_stopped_while_it_starts(delay_s: float) -> None:
    with trio.fail_after(mosquitto.PATIENCE_S):
        with trio.move_on_after(delay_s):
            async with trio.open_nursery() as server:
                await server.start(_serve, MqttOptions(port=0))
                await trio.sleep_forever()


async def _serve(options: MqttOptions, *, task_status: trio.TaskStatus[Home]) -> None:
    clock = Clock(epoch=EPOCH)
    home = Home(clock)
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(run_mqtt, options, gateway=home, hub=home.hub, clock=clock, site=home.config))
        task_status.started(home)


async def _subscribed(port: int, *, task_status: trio.TaskStatus[Client]) -> None:
    async with connected(port) as client:
        await client.subscribe("evcc/status", 1)
        task_status.started(client)
        await trio.sleep_forever()


@pytest.mark.api("API-1", "API-27")
@mosquitto.needs_broker
@in_real_time
async def test_an_outside_broker_that_comes_and_goes(tmp_path: Path) -> None:
    port = mosquitto.free_port()
    options = MqttOptions(broker=BrokerAddress("127.0.0.1", port), port=port)
    async with mosquitto.broker(tmp_path, port):
        await mosquitto.publish(port, "evcc/loadpoints/1/minSoc/set", "30", "-r")
        await mosquitto.publish(port, "evcc/loadpoints/7/mode", "pv", "-r")
        async with served(options) as world:
            await world.shows("evcc/loadpoints/7/mode", "")
            found = await mosquitto.retained(port, "evcc/#")
            assert found["evcc/loadpoints/1/minSoc"] == "30"
            assert found["evcc/loadpoints/1/title"] == "Carport"
            assert not any(topic.endswith("/set") or "/7/" in topic for topic in found)
            await world.home.submit(ChangeLoadpointSetting(0, "soc_min_pct", 35))
            await world.shows("evcc/loadpoints/1/minSoc", "35")
        assert await mosquitto.retained(port, "evcc/status") == {"evcc/status": "offline"}
