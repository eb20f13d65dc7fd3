"""Plugins over real sockets: a real MQTT broker that comes and goes, a real web server."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from mosquitto import broker, free_port, needs_broker
from plugin_site import error_of
from trio_test import in_real_time

from evcc_server.config.sources import HttpSource
from evcc_server.devices.contract import DeviceDown, DeviceRefused
from evcc_server.devices.http_source import HttpClient
from evcc_server.devices.mqtt_source import BrokerTopics
from evcc_server.mqtt.contract import MqttOptions

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
        topics = BrokerTopics(MqttOptions(broker=f"127.0.0.1:{port}"))
        other = BrokerTopics(MqttOptions(broker=f"127.0.0.1:{port}"))
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
