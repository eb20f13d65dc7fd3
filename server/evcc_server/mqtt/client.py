"""The state and the commands at an outside broker.

At most `UNACKNOWLEDGED_MAX` messages are in the connection's hands, the rest waits in the outbox, where a newer value replaces an
older one.
"""

from __future__ import annotations

import logging
import math
import secrets

import paho.mqtt.client as paho
import trio

from evcc_server.mqtt.broker_connection import BrokerConnection
from evcc_server.mqtt.broker_link import BrokerAddress, Connected, LinkEvent, MqttOptions, Publication, Received
from evcc_server.mqtt.outbox import Outbox
from evcc_server.mqtt.topics import command_filters, matches
from evcc_server.mqtt.tree import status

log = logging.getLogger("evcc_server.mqtt")

UNACKNOWLEDGED_MAX = 100
FLUSH_S = 0.4
RETAINED_QUIET_S = 0.5
RETAINED_MAX_S = 5.0
COMMANDS_WAITING_MAX = 500


class BrokerClient:
    """A `BrokerLink` to the outside broker at ``address``."""

    def __init__(self, address: BrokerAddress, options: MqttOptions) -> None:
        self._address = address
        self._filters = command_filters(options.root)
        self._outbox = Outbox()
        self._unacknowledged: set[int] = set()
        self._is_connected = False
        self._has_failed = False
        self._found: set[str] | None = None
        self._last_found_s = 0.0
        self._retained_seen: set[tuple[str, bytes]] = set()
        self._early: list[Received] = []
        self._send, self._receive = trio.open_memory_channel[LinkEvent](math.inf)
        topic, word = status(options.root, word="offline")
        self._connection = BrokerConnection(
            address,
            options,
            self,
            client_id=options.client_id or f"evcc-{secrets.randbelow(2**31)}",
            will=Publication(topic, word.encode()),
        )

    async def run(self, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        """Stay connected until cancelled; started at once, whether the broker is there or not."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._connection.run)
            task_status.started(f"MQTT goes to {self._address}")
            try:
                await trio.sleep_forever()
            finally:
                self._is_connected = False

    def publish(self, publication: Publication) -> None:
        """See `BrokerLink`."""
        if self._is_connected:
            self._outbox.put(publication)
            self._pump()

    async def receive(self) -> LinkEvent:
        """See `BrokerLink`."""
        return await self._receive.receive()

    async def flush(self) -> None:
        """See `BrokerLink`."""
        with trio.move_on_after(FLUSH_S):
            while self._is_connected and (self._outbox or self._unacknowledged):
                await trio.sleep(0.005)

    async def retained(self, filters: tuple[str, ...]) -> frozenset[str]:
        """See `BrokerLink`. A broker does not say which retained message is the last; half a second of silence does."""
        found = self._found = set[str]()
        self._last_found_s = trio.current_time()
        self._connection.subscribe(*filters)
        with trio.move_on_after(RETAINED_MAX_S):
            while (quiet_s := trio.current_time() - self._last_found_s) < RETAINED_QUIET_S:
                await trio.sleep(RETAINED_QUIET_S - quiet_s)
        self._connection.unsubscribe(*filters)
        if self._found is found:  # and not those of a later connection
            self._found = None
        return frozenset(found)

    def _pump(self) -> None:
        """Hand over to paho as much as may be unacknowledged."""
        while self._is_connected and len(self._unacknowledged) < UNACKNOWLEDGED_MAX:
            publication = self._outbox.take()
            if publication is None:
                return
            info = self._connection.publish(publication)
            if info.rc == paho.MQTT_ERR_SUCCESS and publication.qos:
                self._unacknowledged.add(info.mid)

    # Told by the connection

    def connected(self) -> None:
        """See `Listener`."""
        self._has_failed = False
        self._retained_seen.clear()
        self._early.clear()
        self._unacknowledged.clear()
        self._outbox.clear()
        log.info("MQTT: connected to %s", self._address)
        self._connection.subscribe(*self._filters)

    def subscribed(self) -> None:
        """The command filters are in place: the bridge may publish everything. Later subscriptions don't matter."""
        if not self._is_connected:
            self._is_connected = True
            self._send.send_nowait(Connected())
            for received in self._early:
                self._send.send_nowait(received)
            self._early.clear()

    def failed(self, why: str) -> None:
        """See `Listener`."""
        if not self._has_failed:
            self._has_failed = True
            log.error("MQTT: can't connect to %s (%s), trying again", self._address, why)

    def disconnected(self, why: str) -> None:
        """See `Listener`."""
        if self._is_connected:
            log.warning("MQTT: connection to %s lost (%s), trying again", self._address, why)
        self._is_connected = False
        self._outbox.clear()
        self._unacknowledged.clear()

    def acknowledged(self, number: int) -> None:
        """See `Listener`."""
        self._unacknowledged.discard(number)
        self._pump()

    def received(self, topic: str, payload: bytes, *, is_retained: bool) -> None:
        """See `Listener`."""
        if not any(matches(topic, each) for each in self._filters):
            if is_retained and self._found is not None:
                self._found.add(topic)
                self._last_found_s = trio.current_time()
            return
        if is_retained:
            if (topic, payload) in self._retained_seen:
                return
            self._retained_seen.add((topic, payload))
        if self._send.statistics().current_buffer_used + len(self._early) >= COMMANDS_WAITING_MAX:
            log.warning("MQTT: too many commands at once, %.200r is dropped", topic)
            return
        received = Received(topic, payload, is_retained)
        if self._is_connected:
            self._send.send_nowait(received)
        else:  # what is retained may come before the subscription is confirmed, and can't be cleared yet
            self._early.append(received)
