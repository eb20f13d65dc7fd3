"""A client of an outside broker, on paho-mqtt with its own network thread; callbacks enter trio one by one.

Only the trio thread publishes: paho holds its locks while it calls back. At most `UNACKNOWLEDGED_MAX` messages are in paho's
hands, the rest waits in the outbox, where a newer value replaces an older one.
"""

from __future__ import annotations

import logging
import math
import secrets
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import trio
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from evcc_server.mqtt.contract import Connected, LinkEvent, MqttError, MqttOptions, Publication, Received
from evcc_server.mqtt.outbox import Outbox
from evcc_server.mqtt.topics import command_filters, matches
from evcc_server.mqtt.tree import status
from evcc_server.quoting import quoted

log = logging.getLogger("evcc_server.mqtt")

UNACKNOWLEDGED_MAX = 100
KEEP_ALIVE_S = 30
CONNECT_TIMEOUT_S = 2.0
RECONNECT_MIN_S = 1
RECONNECT_MAX_S = 30
FLUSH_S = 0.4
STOP_S = 0.3
RETAINED_QUIET_S = 0.5
RETAINED_MAX_S = 5.0
COMMANDS_WAITING_MAX = 500


@dataclass(frozen=True, slots=True)
class Address:
    """Where an outside broker is."""

    host: str
    port: int
    has_tls: bool

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls://' if self.has_tls else ''}{host}:{self.port}"


def address(text: str) -> Address:
    """Read ``[tls://]host[:port]``; the port is 1883, with TLS 8883. Raises `MqttError`."""
    scheme, separator, rest = text.strip().rpartition("://")
    if separator and scheme not in ("tls", "ssl", "mqtts", "mqtt", "tcp"):
        raise MqttError(f"mqtt broker {quoted(text)}: unknown scheme {quoted(scheme)}, expected [tls://]host[:port]")
    has_tls = scheme in ("tls", "ssl", "mqtts")
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise MqttError(f"mqtt broker {quoted(text)}: {error}") from None
    if not host or parts.path not in ("", "/") or parts.username is not None:
        raise MqttError(f"mqtt broker {quoted(text)}: expected [tls://]host[:port]")
    return Address(host, port or (8883 if has_tls else 1883), has_tls)


class BrokerClient:
    """A `Link` to an outside broker; reconnects for ever, after 1 s and then ever later, up to 30 s."""

    def __init__(self, options: MqttOptions) -> None:
        self._options = options
        self._address = address(options.broker)
        self._filters = command_filters(options.root)
        self._outbox = Outbox()
        self._unacknowledged: set[int] = set()
        self._is_connected = False
        self._has_failed = False
        self._found: set[str] | None = None
        self._last_found_s = 0.0
        self._retained_seen: set[tuple[str, bytes]] = set()
        self._early: list[Received] = []
        self._token: trio.lowlevel.TrioToken | None = None
        self._send, self._receive = trio.open_memory_channel[LinkEvent](math.inf)
        self._client = self._paho()

    async def run(self, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        """Stay connected until cancelled; started at once, whether the broker is there or not."""
        self._token = trio.lowlevel.current_trio_token()
        client = self._client
        client.connect_async(self._address.host, self._address.port, KEEP_ALIVE_S)
        client.loop_start()
        task_status.started(f"MQTT goes to {self._address}")
        try:
            await trio.sleep_forever()
        finally:
            self._is_connected = False
            client.disconnect()
            # A thread that is just opening a connection can't be hurried; it is a daemon and ends by itself.
            with trio.move_on_after(STOP_S, shield=True):
                await trio.to_thread.run_sync(client.loop_stop, abandon_on_cancel=True)
                if (connection := client.socket()) is not None:  # one that was just being opened
                    connection.close()

    def publish(self, publication: Publication) -> None:
        """See `Link`."""
        if self._is_connected:
            self._outbox.put(publication)
            self._pump()

    async def receive(self) -> LinkEvent:
        """See `Link`."""
        return await self._receive.receive()

    async def flush(self) -> None:
        """See `Link`."""
        with trio.move_on_after(FLUSH_S):
            while self._is_connected and (self._outbox or self._unacknowledged):
                await trio.sleep(0.005)

    async def retained(self, filters: tuple[str, ...]) -> frozenset[str]:
        """See `Link`. A broker does not say which retained message is the last; half a second of silence does."""
        found = self._found = set[str]()
        self._last_found_s = trio.current_time()
        self._client.subscribe([(each, 1) for each in filters])
        with trio.move_on_after(RETAINED_MAX_S):
            while (quiet_s := trio.current_time() - self._last_found_s) < RETAINED_QUIET_S:
                await trio.sleep(RETAINED_QUIET_S - quiet_s)
        self._client.unsubscribe(list(filters))
        if self._found is found:  # and not those of a later connection
            self._found = None
        return frozenset(found)

    def _paho(self) -> paho.Client:
        options = self._options
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=options.client_id or f"evcc-{secrets.randbelow(2**31)}",
            clean_session=True,
            protocol=MQTTProtocolVersion.MQTTv311,
        )
        topic, word = status(options.root, word="offline")
        client.will_set(topic, word, qos=1, retain=True)
        if options.user or options.password:
            client.username_pw_set(options.user, options.password)
        if self._address.has_tls:
            client.tls_set_context(_tls(options))
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.reconnect_delay_set(RECONNECT_MIN_S, RECONNECT_MAX_S)
        client.on_connect = self._paho_connected
        client.on_connect_fail = self._paho_failed
        client.on_disconnect = self._paho_disconnected
        client.on_subscribe = self._paho_subscribed
        client.on_publish = self._paho_published
        client.on_message = self._paho_message
        return client

    def _pump(self) -> None:
        """Hand over to paho as much as may be unacknowledged."""
        while self._is_connected and len(self._unacknowledged) < UNACKNOWLEDGED_MAX:
            publication = self._outbox.take()
            if publication is None:
                return
            info = self._client.publish(
                publication.topic, publication.payload, int(publication.qos), publication.is_retained
            )
            if info.rc == paho.MQTT_ERR_SUCCESS and publication.qos:
                self._unacknowledged.add(info.mid)

    # Called by paho in its own thread

    def _paho_connected(self, client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        if code.is_failure:
            self._enter(self._on_failed, f"refused: {code}")
        else:
            self._enter(self._on_connected)
            client.subscribe([(each, 1) for each in self._filters])

    def _paho_failed(self, _client: paho.Client, _data: Any) -> None:
        self._enter(self._on_failed, "no answer")

    def _paho_disconnected(
        self, _client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any
    ) -> None:
        self._enter(self._on_disconnected, str(code))

    def _paho_subscribed(self, _client: paho.Client, _data: Any, _mid: int, _codes: Any, _properties: Any) -> None:
        self._enter(self._on_subscribed)

    def _paho_published(self, _client: paho.Client, _data: Any, mid: int, _code: Any, _properties: Any) -> None:
        self._enter(self._on_published, mid)

    def _paho_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        self._enter(self._on_message, message.topic, bytes(message.payload), message.retain)

    def _enter(self, function: Any, *arguments: Any) -> None:
        assert self._token is not None
        try:
            self._token.run_sync_soon(function, *arguments)
        except trio.RunFinishedError:
            log.debug("MQTT client outlived the server for a moment")

    # The same in trio

    def _on_connected(self) -> None:
        self._has_failed = False
        self._retained_seen.clear()
        self._early.clear()
        self._unacknowledged.clear()
        self._outbox.clear()
        log.info("MQTT: connected to %s", self._address)

    def _on_subscribed(self) -> None:
        """The command filters are in place: the bridge may publish everything. Later subscriptions don't matter."""
        if not self._is_connected:
            self._is_connected = True
            self._send.send_nowait(Connected())
            for received in self._early:
                self._send.send_nowait(received)
            self._early.clear()

    def _on_failed(self, why: str) -> None:
        if not self._has_failed:
            self._has_failed = True
            log.error("MQTT: can't connect to %s (%s), trying again", self._address, why)

    def _on_disconnected(self, why: str) -> None:
        if self._is_connected:
            log.warning("MQTT: connection to %s lost (%s), trying again", self._address, why)
        self._is_connected = False
        self._outbox.clear()
        self._unacknowledged.clear()

    def _on_published(self, mid: int) -> None:
        self._unacknowledged.discard(mid)
        self._pump()

    def _on_message(self, topic: str, payload: bytes, is_retained: bool) -> None:
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


class _TlsSocket(ssl.SSLSocket):
    """Closes itself when the handshake fails, which paho would leave to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _tls(options: MqttOptions) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.sslsocket_class = _TlsSocket
    if options.is_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
