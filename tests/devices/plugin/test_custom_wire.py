"""Plugins over real sockets: a real MQTT broker that comes and goes, a real web server."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from mosquitto import broker, free_port, needs_broker
from mqtt_by_hand import CONNACK, PUBACK, PUBLISH
from plugin_site import error_of
from trio_test import in_real_time

from evcc_server.config.sources import HttpSource
from evcc_server.devices.plugin.http import HttpClient
from evcc_server.devices.plugin.mqtt import BrokerTopics
from evcc_server.errors import DeviceDown, DeviceRefused
from evcc_server.mqtt.broker_link import BrokerAddress, MqttOptions

pytestmark = pytest.mark.wire


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(10):
        while not condition():
            await trio.sleep(0.02)


@needs_broker
def test_topics_survive_a_broker_that_goes_and_comes_back(tmp_path: Path) -> None:
    @in_real_time
    async def run() -> None:
        port = free_port()
        topics = BrokerTopics(BrokerAddress("127.0.0.1", port), MqttOptions())
        other = BrokerTopics(BrokerAddress("127.0.0.1", port), MqttOptions())
        topics.watch("meter/power")

        def power() -> bytes | None:
            message = topics.latest("meter/power")
            return None if message is None else message.payload

        async def say(topic: str, payload: str) -> None:
            with trio.fail_after(10):
                while True:
                    try:
                        await other.publish(topic, payload, is_retained=True)
                    except DeviceDown:
                        await trio.sleep(0.05)
                    else:
                        return

        async with trio.open_nursery() as nursery:
            nursery.start_soon(topics.run)
            nursery.start_soon(other.run)
            assert "not connected" in await error_of(
                lambda: topics.publish("a", "b", is_retained=False), DeviceDown
            )  # there is no broker yet
            async with broker(tmp_path, port):
                await say("meter/power", "1")
                await until(lambda: power() == b"1")
                topics.watch("meter/soc")  # while connected
                await say("meter/soc", "55")
                await until(lambda: topics.latest("meter/soc") is not None)
                await say("meter/other", "7")
                await say("meter/power", "2")
                await until(lambda: power() == b"2")
                assert topics.latest("meter/other") is None
            async with broker(tmp_path, port):
                await say("meter/power", "3")
                await until(lambda: power() == b"3")
            nursery.cancel_scope.cancel()

    run()


class Forgetful:
    """A broker that acknowledges nothing before ``is_diligent`` and hangs up instead: payloads by connection."""

    def __init__(self) -> None:
        self.heard: list[list[bytes]] = []
        self.is_diligent = False

    async def serve(self, stream: trio.SocketStream) -> None:
        heard: list[bytes] = []
        self.heard.append(heard)
        data = bytearray()
        while True:
            while len(data) >= 2 and len(data) >= 2 + data[1]:  # all packets are short
                kind, body = data[0] >> 4, bytes(data[2 : 2 + data[1]])
                del data[: 2 + data[1]]
                if kind == 1:
                    await stream.send_all(bytes([CONNACK << 4, 2, 0, 0]))
                if kind == PUBLISH:
                    number, payload = body[3:5], body[5:]  # the topic has one character
                    heard.append(payload)
                    if not self.is_diligent:
                        return
                    await stream.send_all(bytes([PUBACK << 4, 2]) + number)
            received = await stream.receive_some(1000)
            if not received:
                return
            data += received


def test_a_command_that_was_not_acknowledged_is_not_sent_again() -> None:
    """Else the next connection would begin with it, however much later, and before anything newer.

    So it does with paho-mqtt 2.2.0 alone: findings/paho_delivers_old_commands_first.sh.
    """

    @in_real_time
    async def run() -> None:
        broker = Forgetful()
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(trio.serve_tcp, broker.serve, 0)
            port = listeners[0].socket.getsockname()[1]
            topics = BrokerTopics(BrokerAddress("127.0.0.1", port), MqttOptions())
            nursery.start_soon(topics.run)
            await until(lambda: topics.is_connected)
            with pytest.raises(DeviceDown) as error:
                await topics.publish("t", "16", is_retained=False)
            assert not error.value.left_unchanged
            with pytest.raises(DeviceDown) as error:
                await topics.publish("t", "8", is_retained=False)
            assert error.value.left_unchanged  # there is no connection
            broker.is_diligent = True
            await until(lambda: topics.is_connected)
            await topics.publish("t", "6", is_retained=False)
            assert broker.heard == [[b"16"], [b"6"]]
            nursery.cancel_scope.cancel()

    run()


class Answers(http.server.BaseHTTPRequestHandler):
    """A web server of few words."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/power" else 404)
        self.end_headers()
        self.wfile.write(b'{"w": 42}')

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_http_over_a_real_socket() -> None:
    @in_real_time
    async def run() -> None:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        client = HttpClient()
        base = f"http://127.0.0.1:{server.server_port}"
        try:
            assert await client.fetch(HttpSource(uri=f"{base}/power")) == '{"w": 42}'
            assert "HTTP 404" in await error_of(lambda: client.fetch(HttpSource(uri=f"{base}/x")), DeviceRefused)
        finally:
            await client.aclose()
            await trio.to_thread.run_sync(server.shutdown)
            server.server_close()
            thread.join()
        text = await error_of(
            lambda: HttpClient().fetch(HttpSource(uri=f"http://u:pw@127.0.0.1:{free_port()}/")), DeviceDown
        )
        assert text.startswith("http://***@127.0.0.1:")

    run()
