"""The link to an outside broker, against mosquitto."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import mosquitto
import pytest
import trio
from mqtt_by_hand import CONNACK, PUBLISH, SUBACK, Client, connected, packet, publish_packet
from trio_test import in_real_time

from evcc_server.mqtt import broker_connection
from evcc_server.mqtt.broker_link import BrokerAddress, Connected, MqttOptions, Publication, Received
from evcc_server.mqtt.client import BrokerClient

pytestmark = [pytest.mark.wire, mosquitto.needs_broker]

SET = "evcc/loadpoints/1/mode/set"
CONNECT, SUBSCRIBE = 1, 8


OPENSSL = shutil.which("openssl")


def linked(port: int, **options: str) -> AbstractAsyncContextManager[BrokerClient]:
    return running(BrokerClient(BrokerAddress("127.0.0.1", port), MqttOptions(**options)))  # type: ignore[arg-type]  # text options only


@asynccontextmanager
async def running(link: BrokerClient) -> AsyncIterator[BrokerClient]:
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        yield link
        nursery.cancel_scope.cancel()


async def next_event(link: BrokerClient) -> object:
    with trio.fail_after(mosquitto.PATIENCE_S):
        return await link.receive()


@in_real_time
async def test_it_publishes_retained_and_hears_commands(tmp_path: Path) -> None:
    port = mosquitto.free_port()
    async with mosquitto.broker(tmp_path, port), linked(port) as link, connected(port, "hand") as client:
        assert await next_event(link) == Connected()
        link.publish(Publication("evcc/site/pvPower", b"12"))
        await link.flush()
        await client.subscribe("evcc/#", 1)
        delivered = await client.next_delivered()
        assert (delivered.topic, delivered.payload, delivered.qos, delivered.is_retained) == (
            "evcc/site/pvPower",
            b"12",
            1,
            True,
        )
        await client.publish(SET, b"pv")
        await client.publish("evcc/loadpoints/1/mode", b"now")  # not a command
        await client.publish("evcc/loadpoints/1/target/soc/80/set", b"")
        assert await next_event(link) == Received(SET, b"pv")
        assert await next_event(link) == Received("evcc/loadpoints/1/target/soc/80/set", b"")


@in_real_time
async def test_a_command_that_lay_retained_comes_once(tmp_path: Path) -> None:
    port = mosquitto.free_port()
    async with mosquitto.broker(tmp_path, port), connected(port, "hand") as client:
        await client.publish(SET, b"pv", is_retained=True)
        async with linked(port) as link:
            events = [await next_event(link), await next_event(link)]
            assert Connected() in events
            assert Received(SET, b"pv", is_retained=True) in events
            await client.publish("evcc/site/pv/7/power", b"1", is_retained=True)
            assert await link.retained(("evcc/site/#", "evcc/loadpoints/#")) == {"evcc/site/pv/7/power"}
            await client.publish(SET, b"off")
            assert await next_event(link) == Received(SET, b"off")


@in_real_time
async def test_a_retained_command_may_come_before_the_subscription_is_confirmed() -> None:
    """The standard lets a broker send what is retained first; only once we may publish can such a command be cleared."""

    async def hasty(stream: trio.SocketStream) -> None:
        server = Client(stream)
        await server.expect(CONNECT)
        await server.send(packet(CONNACK, 0, b"\0\0"))
        number = (await server.expect(SUBSCRIBE))[:2]
        await server.send(publish_packet(SET, b"pv", qos=1, is_retained=True))
        await server.send(packet(SUBACK, 0, number + b"\1" * 5))
        await server.wait_closed()

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, hasty, listeners)
        async with linked(listeners[0].socket.getsockname()[1]) as link:
            assert await next_event(link) == Connected()
            assert await next_event(link) == Received(SET, b"pv", is_retained=True)
        nursery.cancel_scope.cancel()


@in_real_time
async def test_it_comes_back_after_the_broker_was_away(tmp_path: Path) -> None:
    port = mosquitto.free_port()
    async with linked(port) as link:
        async with mosquitto.broker(tmp_path, port):
            assert await next_event(link) == Connected()
        link.publish(Publication("evcc/site/lost", b"1"))  # nobody keeps it: everything is published again anyway
        async with mosquitto.broker(tmp_path, port), connected(port, "hand") as client:
            assert await next_event(link) == Connected()
            await client.publish(SET, b"pv")
            assert await next_event(link) == Received(SET, b"pv")


@in_real_time
async def test_what_was_not_acknowledged_is_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is published again on the next connection: an old value must not come first."""
    monkeypatch.setattr(broker_connection, "RECONNECT_MIN_S", 0.1)
    heard: list[bytes] = []

    async def forgetful(stream: trio.SocketStream) -> None:
        server = Client(stream)
        await server.expect(CONNECT)
        await server.send(packet(CONNACK, 0, b"\0\0"))
        number = (await server.expect(SUBSCRIBE))[:2]
        heard.extend(each.payload for each in server.inbox)
        await server.send(packet(SUBACK, 0, number + b"\1" * 5))
        if len(heard) == 2:
            await server.wait_closed()
        else:
            heard.append((await server.expect(PUBLISH))[5:])

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, forgetful, listeners)
        async with linked(listeners[0].socket.getsockname()[1]) as link:
            for payload in (b"old", b"new"):
                assert await next_event(link) == Connected()
                link.publish(Publication("t", payload))
            assert await next_event(link) == Connected()
        nursery.cancel_scope.cancel()
    assert heard == [b"old", b"new"]


@in_real_time
async def test_the_broker_says_offline_when_we_are_cut_off_and_not_when_we_leave(tmp_path: Path) -> None:
    port = mosquitto.free_port()
    async with mosquitto.broker(tmp_path, port), connected(port, "hand") as client:
        await client.subscribe("evcc/status")
        async with linked(port, client_id="server") as link:
            assert await next_event(link) == Connected()
            async with connected(port, "server"):  # takes its place: the broker cuts the old connection
                delivered = await client.next_delivered()
                assert (delivered.topic, delivered.payload) == ("evcc/status", b"offline")
            assert await next_event(link) == Connected()
        assert len(await client.settle()) == 1


@in_real_time
async def test_credentials_are_sent(tmp_path: Path) -> None:
    port = mosquitto.free_port()
    passwords = tmp_path / "passwords"
    passwords.touch()
    passwords.chmod(0o600)
    tool = "mosquitto_passwd"
    await trio.run_process([tool, "-b", str(passwords), "home", "secret"])
    async with mosquitto.broker(tmp_path, port, f"password_file {passwords}", "user root"):
        async with linked(port, user="home", password="secret") as link:
            assert await next_event(link) == Connected()
        async with linked(port, user="home", password="guess") as link:
            with trio.move_on_after(0.5):
                raise AssertionError(f"got in: {await link.receive()}")


@in_real_time
async def test_stopping_takes_less_than_a_second_with_the_broker_there_or_not(tmp_path: Path) -> None:
    port = mosquitto.free_port()
    for is_there in (False, True):
        async with trio.open_nursery() as nursery:
            if is_there:
                await nursery.start(_keep_broker, tmp_path, port)
            async with linked(port) as link:
                if is_there:
                    assert await next_event(link) == Connected()
                start_s = trio.current_time()
            assert trio.current_time() - start_s < 1
            nursery.cancel_scope.cancel()


async def _keep_broker(folder: Path, port: int, *, task_status: trio.TaskStatus[None]) -> None:
    async with mosquitto.broker(folder, port):
        task_status.started()
        await trio.sleep_forever()


@in_real_time
async def test_tls_with_a_certificate_that_nobody_vouches_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    if OPENSSL is None:
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    await trio.run_process(
        [*command, "-subj", "/CN=other", "-keyout", str(key), "-out", str(certificate)], capture_stderr=True
    )
    key.chmod(0o644)  # mosquitto gives up root before it reads it
    tmp_path.chmod(0o755)
    port = mosquitto.free_port()
    async with mosquitto.broker(tmp_path, port, f"certfile {certificate}", f"keyfile {key}", "user root"):
        address, options = BrokerAddress("127.0.0.1", port, has_tls=True), MqttOptions(is_insecure=True)
        async with running(BrokerClient(address, options)) as link:
            assert await next_event(link) == Connected()
        async with running(BrokerClient(address, replace(options, is_insecure=False))) as link:
            with trio.fail_after(mosquitto.PATIENCE_S):
                while "can't connect" not in caplog.text:
                    await trio.sleep(0.01)


@in_real_time
async def test_what_closes_without_an_answer_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async def close(stream: trio.SocketStream) -> None:
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, close, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        async with linked(port):
            with trio.fail_after(mosquitto.PATIENCE_S):
                while f"can't connect to 127.0.0.1:{port} (not answered as a broker would" not in caplog.text:
                    await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert caplog.text.count("can't connect") == 1


PUBLISHES_AND_WAITS = """
import sys, trio
from evcc_server.mqtt import broker_connection
from evcc_server.mqtt.client import BrokerClient
from evcc_server.mqtt.broker_link import BrokerAddress, MqttOptions, Publication

async def main():
    link = BrokerClient(BrokerAddress("127.0.0.1", int(sys.argv[1])), MqttOptions())
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        await link.receive()
        link.publish(Publication("evcc/status", b"online"))
        await trio.sleep_forever()

trio.run(main)
"""


@pytest.mark.api("API-27")
@in_real_time
async def test_a_killed_server_is_offline(tmp_path: Path) -> None:
    port = mosquitto.free_port()
    async with mosquitto.broker(tmp_path, port), connected(port, "hand") as client:
        await client.subscribe("evcc/status", 1)
        server = await trio.lowlevel.open_process([sys.executable, "-c", PUBLISHES_AND_WAITS, str(port)])
        assert (await client.next_delivered()).payload == b"online"
        server.kill()
        await server.wait()
        delivered = await client.next_delivered()
        assert (delivered.topic, delivered.payload, delivered.qos) == ("evcc/status", b"offline", 1)
