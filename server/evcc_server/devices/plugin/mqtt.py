"""MQTT for plugins: the newest message of each topic, and publishing, at one outside broker.

A message counts as sent when the broker has acknowledged it; one that it has not is never sent again.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from typing import Protocol

import anyio
import paho.mqtt.client as paho
import trio

from evcc_server.errors import DeviceDown, DeviceSilent
from evcc_server.mqtt.broker_connection import BrokerConnection
from evcc_server.mqtt.broker_link import BrokerAddress, MqttOptions, Publication

_log = logging.getLogger(__name__)

PAYLOAD_BYTES_MAX = 1_000_000
ACKNOWLEDGED_S = 5.0
"""How long a broker may take to acknowledge a message."""
_UNSENT = frozenset({paho.MQTT_ERR_NO_CONN, paho.MQTT_ERR_QUEUE_SIZE})


@dataclass(frozen=True, slots=True)
class TopicMessage:
    """A payload and when it arrived, on the clock of `anyio.current_time`. ``is_retained``: it had been there before us."""

    payload: bytes
    at_s: float
    is_retained: bool = False


class Topics(Protocol):
    """What plugins need of MQTT."""

    def watch(self, topic: str) -> None:
        """Keep the newest message of ``topic`` from now on."""

    def latest(self, topic: str) -> TopicMessage | None:
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

    def latest(self, topic: str) -> TopicMessage | None:  # noqa: ARG002  # the Protocol's signature
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
    """`Topics` at the outside broker of the section ``mqtt``."""

    def __init__(self, address: BrokerAddress, options: MqttOptions) -> None:
        self._address = address
        self._topics: set[str] = set()
        self._latest: dict[str, TopicMessage] = {}
        client_id = f"{options.client_id or 'evcc'}-devices-{secrets.token_hex(4)}"
        self._connection = BrokerConnection(address, options, self, client_id=client_id)
        self._is_connected = False
        self._unacknowledged: dict[int, trio.Event] = {}  # by paho's number of the message

    def watch(self, topic: str) -> None:
        """See `Topics.watch`."""
        if topic not in self._topics:
            self._topics.add(topic)
            if self._is_connected:
                self._connection.subscribe(topic)

    def latest(self, topic: str) -> TopicMessage | None:
        """See `Topics.latest`."""
        return self._latest.get(topic)

    async def publish(self, topic: str, payload: str, *, is_retained: bool) -> None:
        """See `Topics.publish`."""
        await anyio.lowlevel.checkpoint()
        place = f"mqtt {self._address}"
        if not self._is_connected:
            raise DeviceDown(f"{place}: not connected", left_unchanged=True)
        info = self._connection.publish(Publication(topic, payload.encode(), is_retained))
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
        try:
            await self._connection.run()
        finally:
            self._is_connected = False

    def connected(self) -> None:
        """See `Listener`."""
        _log.info("mqtt %s: connected", self._address)
        self._is_connected = True
        if self._topics:
            self._connection.subscribe(*sorted(self._topics))

    def failed(self, why: str) -> None:
        """See `Listener`: it was not connected before either."""

    def disconnected(self, why: str) -> None:
        """See `Listener`."""
        if self._is_connected:
            _log.info("mqtt %s: %s", self._address, why)
        self._is_connected = False
        for waiting in self._unacknowledged.values():
            waiting.set()

    def subscribed(self) -> None:
        """See `Listener`."""

    def acknowledged(self, number: int) -> None:
        """See `Listener`."""
        waiting = self._unacknowledged.pop(number, None)
        if waiting is not None:
            waiting.set()

    def received(self, topic: str, payload: bytes, *, is_retained: bool) -> None:
        """See `Listener`."""
        if topic in self._topics and len(payload) <= PAYLOAD_BYTES_MAX:
            self._latest[topic] = TopicMessage(payload, trio.current_time(), is_retained)
