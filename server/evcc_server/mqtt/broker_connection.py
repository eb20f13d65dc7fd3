"""A connection to an outside broker: paho-mqtt with its own network thread; what it tells enters trio one by one.

Only the trio thread publishes: paho holds its locks while it calls back. What the broker has not acknowledged when the connection
ends is never sent again: paho would send it on the next one before anything newer, minutes late.
"""

from __future__ import annotations

import logging
import ssl
from typing import Any, Protocol

import paho.mqtt.client as paho
import trio
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from evcc_server.mqtt.broker_link import BrokerAddress, MqttOptions, Publication

log = logging.getLogger("evcc_server.mqtt")

KEEP_ALIVE_S = 30
CONNECT_TIMEOUT_S = 2.0
RECONNECT_MIN_S = 1
RECONNECT_MAX_S = 30
STOP_S = 0.3


class Listener(Protocol):
    """Who is told what becomes of the connection, in the trio thread."""

    def connected(self) -> None:
        """The broker has let us in; nothing is subscribed to yet."""

    def failed(self, why: str) -> None:
        """A try to connect has failed; others follow."""

    def disconnected(self, why: str) -> None:
        """The connection has ended, or was refused; others follow."""

    def subscribed(self) -> None:
        """The broker has taken a subscription."""

    def acknowledged(self, number: int) -> None:
        """The broker has message ``number``, or if it asks for no acknowledgement: it was sent."""

    def received(self, topic: str, payload: bytes, *, is_retained: bool) -> None:
        """A message; ``is_retained``: it had been there before us."""


class BrokerConnection:
    """Kept alive by `run`, for ever: it is tried again after 1 s and then ever later, up to 30 s.

    ``will`` is what the broker says when we are gone.
    """

    def __init__(
        self,
        address: BrokerAddress,
        options: MqttOptions,
        listener: Listener,
        *,
        client_id: str,
        will: Publication | None = None,
    ) -> None:
        self._address = address
        self._listener = listener
        self._token: trio.lowlevel.TrioToken | None = None
        self._is_let_in = False  # paho's thread alone asks
        self._client = client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True, protocol=MQTTProtocolVersion.MQTTv311
        )
        if will is not None:
            client.will_set(will.topic, will.payload, int(will.qos), will.is_retained)
        if options.user or options.password:
            client.username_pw_set(options.user, options.password)
        if address.has_tls:
            client.tls_set_context(_tls(options))
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.reconnect_delay_set(RECONNECT_MIN_S, RECONNECT_MAX_S)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message

    async def run(self) -> None:
        """Stay connected until cancelled."""
        self._token = trio.lowlevel.current_trio_token()
        client = self._client
        client.connect_async(self._address.host, self._address.port, KEEP_ALIVE_S)
        client.loop_start()
        try:
            await trio.sleep_forever()
        finally:
            client.disconnect()
            # A thread that is just opening a connection can't be hurried; it is a daemon and ends by itself.
            with trio.move_on_after(STOP_S, shield=True):
                await trio.to_thread.run_sync(client.loop_stop, abandon_on_cancel=True)
                if (connection := client.socket()) is not None:  # one that was just being opened
                    connection.close()

    def subscribe(self, *filters: str) -> None:
        """Ask for what is published under ``filters``."""
        self._client.subscribe([(each, 1) for each in filters])

    def unsubscribe(self, *filters: str) -> None:
        """Ask for no more of it."""
        self._client.unsubscribe(list(filters))

    def publish(self, publication: Publication) -> paho.MQTTMessageInfo:
        """Hand over for sending: the number under which it will be acknowledged, and an error code."""
        return self._client.publish(
            publication.topic, publication.payload, int(publication.qos), publication.is_retained
        )

    # Called by paho in its own thread

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        if code.is_failure:
            self._enter(self._listener.failed, f"refused: {code}")
        else:
            self._is_let_in = True
            client.drop_out_messages()  # here, in paho's thread: right after this it would send them again
            self._enter(self._listener.connected)

    def _on_connect_fail(self, _client: paho.Client, _data: Any) -> None:
        self._enter(self._listener.failed, "no answer")

    def _on_disconnect(self, _client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        if not self._is_let_in and code.is_failure:
            self._enter(self._listener.failed, f"not answered as a broker would: {code}")
        self._is_let_in = False
        self._enter(self._listener.disconnected, str(code))

    def _on_subscribe(self, _client: paho.Client, _data: Any, _mid: int, _codes: Any, _properties: Any) -> None:
        self._enter(self._listener.subscribed)

    def _on_publish(self, _client: paho.Client, _data: Any, mid: int, _code: Any, _properties: Any) -> None:
        self._enter(self._listener.acknowledged, mid)

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        topic, payload, is_retained = message.topic, bytes(message.payload), message.retain
        self._enter(lambda: self._listener.received(topic, payload, is_retained=is_retained))

    def _enter(self, function: Any, *arguments: Any) -> None:
        assert self._token is not None
        try:
            self._token.run_sync_soon(function, *arguments)
        except trio.RunFinishedError:
            log.debug("MQTT client outlived the server for a moment")


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
