"""MQTT for plugins: the newest message of each topic, and publishing, at one outside broker.

The connection is paho's, with a thread of its own; messages are handed to the event loop, which alone touches the table.
A message counts as sent when the broker has acknowledged it. One that it has not is never sent again: on the next connection paho
would send it before anything newer, minutes late.
"""

from __future__ import annotations

import logging
import secrets
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import anyio
import paho.mqtt.client as paho
import trio
from paho.mqtt.enums import CallbackAPIVersion

from evcc_server.config.read_address import split_host_port
from evcc_server.errors import DeviceDown, DeviceSilent
from evcc_server.mqtt.contract import MqttOptions

_log = logging.getLogger(__name__)

PAYLOAD_BYTES_MAX = 1_000_000
KEEPALIVE_S = 30
ACKNOWLEDGED_S = 5.0
"""How long a broker may take to acknowledge a message."""
_UNSENT = frozenset({paho.MQTT_ERR_NO_CONN, paho.MQTT_ERR_QUEUE_SIZE})


@dataclass(frozen=True, slots=True)
class Message:
    """A payload and when it arrived, on the clock of `anyio.current_time`. ``is_retained``: it had been there before us."""

    payload: bytes
    at_s: float
    is_retained: bool = False


class Topics(Protocol):
    """What plugins need of MQTT."""

    def watch(self, topic: str) -> None:
        """Keep the newest message of ``topic`` from now on."""

    def latest(self, topic: str) -> Message | None:
        """The newest message of a watched topic."""

    async def publish(self, topic: str, payload: str, *, is_retained: bool) -> None:
        """Send, and wait for the broker's acknowledgement. Raises `DeviceDown` when there is no connection or it was lost,
        `DeviceSilent` when the broker does not answer."""

    @property
    def is_connected(self) -> bool:
        """Whether the broker is there just now."""

    async def run(self) -> None:
        """Keep the connection until cancelled."""


class NoTopics:
    """There is no broker: nothing arrives, nothing can be sent."""

    def watch(self, topic: str) -> None:
        """Nothing will come."""

    def latest(self, topic: str) -> Message | None:  # noqa: ARG002  # the Protocol's signature
        """Nothing has come."""
        return None

    async def publish(self, topic: str, payload: str, *, is_retained: bool) -> None:  # noqa: ARG002  # as above
        """Raises `DeviceDown`."""
        await anyio.lowlevel.checkpoint()
        raise DeviceDown(f"mqtt {topic}: no broker is configured", left_unchanged=True)

    @property
    def is_connected(self) -> bool:
        """Never."""
        return False

    async def run(self) -> None:
        """Wait for ever."""
        await anyio.sleep_forever()


class BrokerTopics:
    """`Topics` at the broker of the section ``mqtt``."""

    def __init__(self, options: MqttOptions) -> None:
        self._host, self._port, self._uses_tls = _broker(options.broker)
        self._options = options
        self._topics: set[str] = set()
        self._latest: dict[str, Message] = {}
        self._client: paho.Client | None = None
        self._is_connected = False
        self._unacknowledged: dict[int, trio.Event] = {}  # by paho's number of the message

    def watch(self, topic: str) -> None:
        """See `Topics.watch`."""
        if topic not in self._topics:
            self._topics.add(topic)
            if self._client is not None and self._is_connected:
                self._client.subscribe(topic, qos=1)

    def latest(self, topic: str) -> Message | None:
        """See `Topics.latest`."""
        return self._latest.get(topic)

    async def publish(self, topic: str, payload: str, *, is_retained: bool) -> None:
        """See `Topics.publish`."""
        await anyio.lowlevel.checkpoint()
        place = f"mqtt {self._host}:{self._port}"
        if self._client is None or not self._is_connected:
            raise DeviceDown(f"{place}: not connected", left_unchanged=True)
        info = self._client.publish(topic, payload.encode(), qos=1, retain=is_retained)
        if info.rc != paho.MQTT_ERR_SUCCESS:
            raise DeviceDown(f"{place}: {paho.error_string(info.rc)}", left_unchanged=info.rc in _UNSENT)
        is_over = self._unacknowledged[info.mid] = trio.Event()
        try:
            with trio.fail_after(ACKNOWLEDGED_S):
                await is_over.wait()
        except trio.TooSlowError:
            raise DeviceSilent(f"{place}: no acknowledgement within {ACKNOWLEDGED_S:g} s") from None
        finally:
            was_lost = self._unacknowledged.pop(info.mid, None) is not None
        if was_lost:
            raise DeviceDown(f"{place}: connection lost before the acknowledgement")

    @property
    def is_connected(self) -> bool:
        """See `Topics.is_connected`."""
        return self._is_connected

    async def run(self) -> None:
        """See `Topics.run`. The first connection is tried until it works, like every later one."""
        token = trio.lowlevel.current_trio_token()
        client = self._new_client(lambda function: token.run_sync_soon(function))
        self._client = client
        client.connect_async(self._host, self._port, keepalive=KEEPALIVE_S)
        client.loop_start()
        try:
            await anyio.sleep_forever()
        finally:
            client.disconnect()
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(client.loop_stop)
            self._client, self._is_connected = None, False

    def _new_client(self, in_loop: Callable[[Callable[[], None]], None]) -> paho.Client:
        name = f"{self._options.client_id or 'evcc'}-devices-{secrets.token_hex(4)}"
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, reconnect_on_failure=True)
        client.reconnect_delay_set(min_delay=1, max_delay=30)
        if self._options.user:
            client.username_pw_set(self._options.user, self._options.password)
        if self._uses_tls:
            context = ssl.create_default_context()
            if self._options.is_insecure:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            client.tls_set_context(context)

        def on_connect(client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            client.drop_out_messages()  # here, in paho's thread: right after this it would send them again
            in_loop(lambda: self._connected(not reason.is_failure, str(reason)))

        def on_disconnect(_client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            in_loop(lambda: self._connected(False, str(reason)))

        def on_message(_client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
            topic, payload, is_retained = message.topic, bytes(message.payload), message.retain
            in_loop(lambda: self._received(topic, payload, is_retained))

        def on_publish(_client: paho.Client, _data: Any, number: int, _reason: Any, _properties: Any) -> None:
            in_loop(lambda: self._acknowledged(number))

        client.on_connect = on_connect
        client.on_publish = on_publish
        client.on_disconnect = on_disconnect
        client.on_message = on_message
        return client

    def _connected(self, is_connected: bool, reason: str) -> None:
        if is_connected != self._is_connected:
            _log.info("mqtt %s:%d: %s", self._host, self._port, "connected" if is_connected else reason)
        self._is_connected = is_connected
        if not is_connected:
            for waiting in self._unacknowledged.values():
                waiting.set()
        if is_connected and self._client is not None and self._topics:
            self._client.subscribe([(topic, 1) for topic in sorted(self._topics)])

    def _acknowledged(self, number: int) -> None:
        waiting = self._unacknowledged.pop(number, None)
        if waiting is not None:
            waiting.set()

    def _received(self, topic: str, payload: bytes, is_retained: bool) -> None:
        if topic in self._topics and len(payload) <= PAYLOAD_BYTES_MAX:
            self._latest[topic] = Message(payload, trio.current_time(), is_retained)


def _broker(text: str) -> tuple[str, int, bool]:
    uses_tls = text.startswith("tls://")
    host, port = split_host_port(text, 8883 if uses_tls else 1883)
    return host, port, uses_tls
