"""The embedded broker as a link: start, stop, death, WebSocket."""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import paho.mqtt.client as paho
import pytest
import trio
from mqtt_by_hand import PATIENCE_S, Closed, connected
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from trio_test import in_real_time
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect as websocket
from websockets.typing import Origin, Subprotocol

from evcc_server.mqtt import embedded
from evcc_server.mqtt.broker_link import Connected, MqttError, MqttOptions, Publication, Received
from evcc_server.mqtt.embedded import EmbeddedBroker

pytestmark = pytest.mark.wire

SET = "evcc/loadpoints/1/mode/set"


@asynccontextmanager
async def serving(options: MqttOptions) -> AsyncIterator[EmbeddedBroker]:
    link = EmbeddedBroker(options)
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        assert await link.receive() == Connected()
        yield link
        nursery.cancel_scope.cancel()


@in_real_time
async def test_a_port_in_use_is_one_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MqttError, match=rf"^MQTT broker can't listen on 127\.0\.0\.1:{port}: .*in use"):
            await EmbeddedBroker(MqttOptions(port=port)).run()
        with pytest.raises(MqttError, match=str(port)):
            await EmbeddedBroker(MqttOptions(port=0, websocket_port=port)).run()
    assert not any(thread.name.startswith("asyncio") for thread in threading.enumerate())


@in_real_time
async def test_it_starts_again_on_the_same_port_after_a_stop() -> None:
    async with serving(MqttOptions(port=0)) as link:
        port = link.ports["tcp"]
        async with connected(port) as client:
            await client.subscribe("evcc/#")
    async with serving(MqttOptions(port=port)), connected(port) as client:
        assert client.code == 0


@in_real_time
async def test_stopping_with_clients_takes_less_than_a_second_and_delivers_the_last_word() -> None:
    async with trio.open_nursery() as nursery:
        async with serving(MqttOptions(port=0)) as link:
            client = await nursery.start(_stay, link.ports["tcp"])
            start_s = trio.current_time()
            link.publish(Publication("evcc/status", b"offline"))
        assert trio.current_time() - start_s < 1
        assert (await client.next_delivered()).payload == b"offline"
        with pytest.raises(Closed):
            await client.settle()
        nursery.cancel_scope.cancel()


async def _stay(port: int, *, task_status: trio.TaskStatus[object]) -> None:
    async with connected(port) as client:
        await client.subscribe("evcc/#")
        task_status.started(client)
        await trio.sleep_forever()


@in_real_time
async def test_a_stalled_client_does_not_hold_up_the_stop() -> None:
    async with serving(MqttOptions(port=0)) as link, connected(link.ports["tcp"], receive_buffer=4096) as stalled:
        await stalled.subscribe("evcc/#", 1)
        for index in range(500):
            link.publish(Publication(f"evcc/site/{index}", b"x" * 10_000))
        await link.flush()
        start_s = trio.current_time()
        async with serving(MqttOptions(port=0)):
            pass
    assert trio.current_time() - start_s < 1


@in_real_time
async def test_a_broker_that_died_is_started_again_and_asks_for_everything(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(embedded, "RESTART_PAUSE_S", 0.05)
    async with serving(MqttOptions(port=0)) as link:
        assert link._loop is not None and link._broker is not None
        link._loop.call_soon_threadsafe(link._broker._broadcast_task.cancel)  # as a defect would end it
        with trio.fail_after(PATIENCE_S):
            assert await link.receive() == Connected()
        async with connected(link.ports["tcp"]) as client:
            link.publish(Publication("evcc/site/pvPower", b"12"))
            await client.subscribe("evcc/#")
            assert (await client.next_delivered()).payload == b"12"
    assert "ended unexpectedly" in caplog.text


@in_real_time
async def test_websocket_clients_are_served() -> None:
    async with serving(MqttOptions(port=0, websocket_port=0)) as link:
        link.publish(Publication("evcc/site/pvPower", b"12"))
        arrived: list[bytes] = []
        is_there = threading.Event()

        def keep(_client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
            arrived.append(bytes(message.payload))
            is_there.set()

        def subscribe(client: paho.Client, *_: object) -> None:
            client.subscribe("evcc/site/#", 1)
            client.publish(SET, "pv", 2)

        client = paho.Client(CallbackAPIVersion.VERSION2, transport="websockets", protocol=MQTTProtocolVersion.MQTTv311)
        client.on_message, client.on_connect = keep, subscribe
        client.connect_async("127.0.0.1", link.ports["websocket"])
        client.loop_start()
        try:
            with trio.fail_after(PATIENCE_S):
                assert await link.receive() == Received(SET, b"pv")
                await trio.to_thread.run_sync(is_there.wait, PATIENCE_S)
        finally:
            client.disconnect()
            await trio.to_thread.run_sync(client.loop_stop)
        assert arrived == [b"12"]


@pytest.mark.parametrize(
    ("origin", "login", "is_welcome"),
    [
        (None, {}, True),
        ("http://127.0.0.1:7070", {}, True),
        ("http://evil.example", {}, False),
        ("http://{here}", {}, True),
        ("http://evil.example", {"user": "home", "password": "secret"}, True),  # the password protects
    ],
)
@in_real_time
async def test_web_pages_need_to_be_allowed(origin: str | None, login: dict[str, str], is_welcome: bool) -> None:
    options = MqttOptions(port=0, websocket_port=0, allowed_origins=("http://127.0.0.1:7070",), **login)  # type: ignore[arg-type]  # only text
    async with serving(options) as link:

        def knock() -> bool:
            try:
                with websocket(
                    f"ws://127.0.0.1:{link.ports['websocket']}",
                    origin=None
                    if origin is None
                    else Origin(origin.format(here=f"127.0.0.1:{link.ports['websocket']}")),
                    subprotocols=[Subprotocol("mqtt")],
                ):
                    return True
            except InvalidStatus:
                return False

        assert await trio.to_thread.run_sync(knock) is is_welcome


@in_real_time
async def test_a_page_that_does_not_answer_does_not_hold_up_the_stop() -> None:
    async with serving(MqttOptions(port=0, websocket_port=0)) as link:
        port = link.ports["websocket"]
        streams = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(2)]
        await streams[0].send_all(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        assert b"101 Switching" in await streams[0].receive_some()
        start_s = trio.current_time()
    assert trio.current_time() - start_s < 1
    for stream in streams:
        await stream.aclose()


@in_real_time
async def test_a_flood_of_commands_is_cut_and_the_server_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(MqttOptions(port=0)) as link, connected(link.ports["tcp"]) as client:
        for index in range(embedded.COMMANDS_WAITING_MAX + 100):
            await client.publish(SET, str(index).encode())
        for index in range(embedded.COMMANDS_WAITING_MAX):
            assert await link.receive() == Received(SET, str(index).encode())
    assert "too many commands" in caplog.text


@in_real_time
async def test_commands_that_the_server_has_no_time_for_are_dropped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(embedded, "COMMANDS_WAITING_MAX", 3)
    async with serving(MqttOptions(port=0)) as link, connected(link.ports["tcp"]) as client:
        for index in range(5):
            await client.publish(SET, str(index).encode())
        with trio.fail_after(10):
            while caplog.text.count("is dropped") < 2:
                await trio.lowlevel.checkpoint()
        assert [await link.receive() for _ in range(3)] == [Received(SET, word) for word in (b"0", b"1", b"2")]
        await client.publish(SET, b"5")
        assert await link.receive() == Received(SET, b"5")
