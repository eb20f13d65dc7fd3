"""The embedded broker: a hardened subclass of amqtt's, for MQTT 3.1.1 over TCP and WebSocket.

amqtt gives the packets, the life cycle and the store of retained messages. Conversations, sessions, subscriptions and delivery
are ours, because the stock ones can be emptied, filled up and silenced from outside; `tests/mqtt/test_broker_defects.py` has
one test for each way. What holds here:

* Nothing is touched before a client is authenticated; an older connection of the same client id ends first.
* A client is sent only what it subscribed to and may read, once, with min(publisher's, subscriber's) quality of service.
* Every wait has an end: CONNECT, keep-alive, a stalled reader, an acknowledgement. Every store has a size.
* A client writes what `WriteRules` lets it write, also by its last will; the rest is dropped.

Everything runs in one asyncio loop (see `evcc_server.mqtt.embedded` for the thread it lives in).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from amqtt.adapters import BufferReader
from amqtt.broker import Broker, RetainedApplicationMessage, Server
from amqtt.contexts import BrokerConfig, ListenerConfig
from amqtt.errors import BrokerError
from amqtt.mqtt import packet_class
from amqtt.mqtt.connack import (
    BAD_USERNAME_PASSWORD,
    CONNECTION_ACCEPTED,
    IDENTIFIER_REJECTED,
    NOT_AUTHORIZED,
    SERVER_UNAVAILABLE,
    UNACCEPTABLE_PROTOCOL_VERSION,
    ConnackPacket,
)
from amqtt.mqtt.connect import ConnectPacket
from amqtt.mqtt.disconnect import DisconnectPacket
from amqtt.mqtt.packet import CONNECT, MQTTFixedHeader
from amqtt.mqtt.pingreq import PingReqPacket
from amqtt.mqtt.pingresp import PingRespPacket
from amqtt.mqtt.puback import PubackPacket
from amqtt.mqtt.pubcomp import PubcompPacket
from amqtt.mqtt.publish import PublishPacket
from amqtt.mqtt.pubrec import PubrecPacket
from amqtt.mqtt.pubrel import PubrelPacket
from amqtt.mqtt.suback import SubackPacket
from amqtt.mqtt.subscribe import SubscribePacket
from amqtt.mqtt.unsuback import UnsubackPacket
from amqtt.mqtt.unsubscribe import UnsubscribePacket
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from evcc_server.mqtt.connection import Connection
from evcc_server.mqtt.filters import Filters
from evcc_server.mqtt.sessions import Allowance, Limits, Message, Session
from evcc_server.mqtt.topics import is_filter, is_topic, matches
from evcc_server.mqtt.who_may_write import WriteRules
from evcc_server.mqtt.wires import TcpWire, WebSocketWire, WholeReader, Wire
from evcc_server.places import Places

log = logging.getLogger("evcc_server.mqtt")
_amqtt_log = logging.getLogger("evcc_server.mqtt.amqtt")
_websocket_log = logging.getLogger("evcc_server.mqtt.websocket")

REFUSED = 0x80
"""What SUBACK answers to a filter that is not granted."""
SHUTDOWN_STEP_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where to listen; port 0 takes any free one."""

    host: str
    port: int
    websocket_port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """How much of everything the broker holds."""

    wires: int = 0
    clients: int = 0
    away: int = 0
    filters: int = 0
    retained: int = 0
    queued: int = 0


class ProtocolViolation(Exception):
    """A client broke the protocol or a limit; its connection is closed."""


class OtherVersion(ProtocolViolation):
    """A client speaks another version of MQTT; it is told so."""


@dataclass(slots=True, eq=False)
class _Knock:
    """A connection's place: `evcc_server.places.Holder`. Waited for is CONNECT; a client that is in may be silent."""

    wire: Wire
    waits: tuple[bool, float] | None

    def give_up(self) -> None:
        self.wire.abort()


class _Listener(Server):  # type: ignore[misc]  # amqtt is untyped
    """A listener that does not wait for those who connected and say nothing."""

    async def close_instance(self) -> None:
        self.instance.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(SHUTDOWN_STEP_S):
                await self.instance.wait_closed()


class HardenedBroker(Broker):  # type: ignore[misc]  # amqtt is untyped
    """See the module. ``on_command`` is called in the broker's loop with each message that a client may write."""

    def __init__(
        self, listen: Listen, access: WriteRules, on_command: Callable[[str, bytes], None], limits: Limits | None = None
    ) -> None:
        super().__init__(BrokerConfig(listeners={"default": ListenerConfig(bind=None)}, plugins={}))
        self.logger = _amqtt_log
        self._listen = listen
        self._access = access
        self._on_command = on_command
        self._limits = limits or Limits()
        self._wires: set[Wire] = set()
        self._places = Places("MQTT", each=self._limits.peer_connections, all_together=self._limits.connections)
        self._here: dict[str, Connection] = {}
        self._away: dict[str, Session] = {}
        self._filters: Filters[Session] = Filters()
        self._outgoing: asyncio.Queue[Message] = asyncio.Queue()
        self._is_stopping = False

    # Life cycle

    async def start(self) -> None:
        """Listen. Raises `OSError` when an address can't be had."""
        try:
            await super().start()
        except BrokerError as error:
            for server in self._servers.values():
                server.instance.close()
            if isinstance(error.__cause__, OSError):
                raise error.__cause__ from None
            raise

    async def shutdown(self) -> None:
        """Send what is on its way, close all connections and stop listening; wills are not sent."""
        self._is_stopping = True
        await self.flush(within_s=SHUTDOWN_STEP_S)
        for wire in self._wires:
            wire.close()
        await _eventually(lambda: not self._wires, within_s=SHUTDOWN_STEP_S)
        for wire in self._wires:
            wire.abort()
        await super().shutdown()

    async def wait_dead(self) -> None:
        """Return when a task without which the broker is of no use has ended."""
        await asyncio.wait([self._broadcast_task, self._session_monitor_task], return_when=asyncio.FIRST_COMPLETED)

    @property
    def ports(self) -> dict[str, int]:
        """The port of each listener (``tcp``, ``websocket``)."""
        return {name: next(iter(server.instance.sockets)).getsockname()[1] for name, server in self._servers.items()}

    def census(self) -> Census:
        """Safe to be called from any thread."""
        here = list(self._here.values())
        return Census(
            wires=len(self._wires),
            clients=len(here),
            away=len(self._away),
            filters=len(self._filters),
            retained=len(self._retained_messages),
            queued=sum(client.queued for client in here),
        )

    async def _start_listeners(self) -> None:
        listen = self._listen
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: asyncio.StreamReaderProtocol(WholeReader(), self._on_tcp), listen.host, listen.port
        )
        self._servers["tcp"] = _Listener("tcp", server)
        if listen.websocket_port is not None:
            websocket_server = await serve(
                self._on_websocket,
                listen.host,
                listen.websocket_port,
                process_request=self._check_origin,
                subprotocols=[Subprotocol("mqtt")],
                max_size=self._limits.packet_bytes,
                open_timeout=self._limits.connect_s,
                close_timeout=0.5,
                compression=None,
                logger=_websocket_log,
            )
            self._servers["websocket"] = _Listener("websocket", websocket_server)

    def _check_origin(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse web pages of others, which could switch the charger from any browser in the house."""
        if self._access.may_use_page(request.headers.get("Origin"), request.headers.get("Host")):
            return None
        return connection.respond(HTTPStatus.FORBIDDEN, "this origin is not allowed\n")

    async def _session_monitor(self) -> None:
        """Forget clients that stayed away too long."""
        while True:
            await asyncio.sleep(60)
            oldest_s = asyncio.get_running_loop().time() - self._limits.session_expiry_s
            for session in [session for session in self._away.values() if session.left_s < oldest_s]:
                self._forget(self._away.pop(session.client_id))

    # Publishing from inside

    def publish(self, message: Message) -> None:
        """Send to everybody who subscribed, and retain if so marked."""
        self._outgoing.put_nowait(message)

    async def flush(self, *, within_s: float) -> None:
        """Wait until all that was published is on the network."""
        await _eventually(
            lambda: self._outgoing.empty() and all(client.is_idle for client in self._here.values()), within_s=within_s
        )

    async def _broadcast_loop(self) -> None:
        while True:
            self._distribute(await self._outgoing.get())

    async def _shutdown_broadcast_loop(self) -> None:
        self._broadcast_task.cancel()
        await asyncio.gather(self._broadcast_task, return_exceptions=True)

    def _distribute(self, message: Message) -> None:
        """Retain and deliver, once to each client, with the lower quality of service of the two sides."""
        if message.is_retained:
            self._retained_messages.pop(message.topic, None)
            if message.data:
                self._retained_messages[message.topic] = RetainedApplicationMessage(
                    None, message.topic, message.data, message.qos
                )
        if not self._access.may_read(message.topic):
            return
        for session, granted in self._filters.holders(message.topic).items():
            qos = min(granted, message.qos)
            if (connection := self._here.get(session.client_id)) is not None:
                connection.offer(Message(message.topic, message.data, qos))
            elif qos and len(session.waiting) < self._limits.stored_messages:
                session.waiting.append(Message(message.topic, message.data, qos))

    # Conversations

    async def _on_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._serve(TcpWire(reader, writer, stall_s=self._limits.stall_s))

    async def _on_websocket(self, connection: ServerConnection) -> None:
        await self._serve(WebSocketWire(connection, stall_s=self._limits.stall_s))

    async def _serve(self, wire: Wire) -> None:
        knock = _Knock(wire, (False, asyncio.get_running_loop().time()))
        if self._is_stopping or not self._places.take(knock, wire.peer.rpartition(":")[0]):
            wire.abort()
            return
        self._wires.add(wire)
        try:
            await self._welcome(wire, knock)
        except (ProtocolViolation, ConnectionError, EOFError, TimeoutError) as error:
            log.debug("MQTT connection from %s ended: %s", wire.peer, error or type(error).__name__)
        finally:
            self._wires.discard(wire)
            self._places.leave(knock)
            wire.close()

    async def _welcome(self, wire: Wire, knock: _Knock) -> None:
        """CONNECT: read it in time, authenticate, and only then look at sessions."""
        limits = self._limits
        try:
            async with asyncio.timeout(limits.connect_s):
                packet = await _read_packet(wire, limits, is_first=True)
        except OtherVersion:
            await wire.send(ConnackPacket.build(0, UNACCEPTABLE_PROTOCOL_VERSION).to_bytes())
            raise
        code = _refusal(packet, limits)
        if code == CONNECTION_ACCEPTED and not self._access.admits(packet.username, packet.password):
            log.warning("MQTT client %.80r at %s was refused: wrong credentials", packet.client_id, wire.peer)
            code = NOT_AUTHORIZED
        if code == CONNECTION_ACCEPTED:
            try:
                await self._end_earlier_connection(packet.client_id)
            except TimeoutError:
                code = SERVER_UNAVAILABLE
        if code != CONNECTION_ACCEPTED:
            await wire.send(ConnackPacket.build(0, code).to_bytes())
            return
        knock.waits = None
        session, is_present = self._session(packet)
        connection = self._here[session.client_id] = Connection(wire, session, limits, _publish)
        is_leaving = False
        try:
            await wire.send(ConnackPacket.build(is_present, CONNECTION_ACCEPTED).to_bytes())
            while session.waiting:
                connection.offer(session.waiting.popleft())
            await self._converse(connection, idle_s=packet.keep_alive * 1.5 or None)
            is_leaving = True
        finally:
            await connection.end()
            del self._here[session.client_id]
            self._leave(session)
            connection.ended.set()
            if session.will is not None and not is_leaving and not self._is_stopping:
                self._accept(session, session.will)

    async def _end_earlier_connection(self, client_id: str) -> None:
        """Take over: close an older connection of this client and wait until it is over. Raises `TimeoutError`."""
        async with asyncio.timeout(self._limits.takeover_s):
            while (earlier := self._here.get(client_id)) is not None:
                earlier.wire.abort()
                await earlier.ended.wait()

    def _session(self, connect: ConnectPacket) -> tuple[Session, bool]:
        """The client's session, and whether it is an old one; only who has the credentials can have left one."""
        will = None
        if connect.will_flag:
            will = Message(connect.will_topic, bytes(connect.will_message), connect.will_qos, connect.will_retain_flag)
            if not self._access.may_publish(will.topic):
                log.info("MQTT client %.80r: its last will on %.200r won't be sent", connect.client_id, will.topic)
                will = None
        earlier = self._away.pop(connect.client_id, None)
        if earlier is not None and not connect.clean_session_flag:
            earlier.will = will
            return earlier, True
        if earlier is not None:
            self._forget(earlier)
        is_kept = self._access.has_credentials and not connect.clean_session_flag
        allowance = Allowance(self._limits, asyncio.get_running_loop().time())
        return Session(client_id=connect.client_id, is_kept=is_kept, allowance=allowance, will=will), False

    def _leave(self, session: Session) -> None:
        if not session.is_kept:
            self._forget(session)
            return
        session.left_s = asyncio.get_running_loop().time()
        self._away[session.client_id] = session
        if len(self._away) > self._limits.stored_sessions:
            self._forget(self._away.pop(next(iter(self._away))))

    def _forget(self, session: Session) -> None:
        for text in session.filters:
            self._filters.drop(text, session)

    async def _converse(self, connection: Connection, *, idle_s: float | None) -> None:
        """Answer packets until the client says goodbye; anything else that ends it is an exception."""
        wire = connection.wire
        while True:
            async with asyncio.timeout(idle_s):
                packet = await _read_packet(wire, self._limits)
            match packet:
                case PublishPacket():
                    await self._on_publish(connection, packet)
                case PubrelPacket():
                    message = connection.session.held.pop(packet.variable_header.packet_id, None)
                    if message is not None:
                        self._accept(connection.session, message)
                    await wire.send(PubcompPacket.build(packet.variable_header.packet_id).to_bytes())
                case PubrecPacket():
                    await wire.send(PubrelPacket.build(packet.variable_header.packet_id).to_bytes())
                case PubackPacket() | PubcompPacket():
                    connection.settle(packet.variable_header.packet_id)
                case SubscribePacket():
                    await self._on_subscribe(connection, packet)
                case UnsubscribePacket():
                    for wanted in packet.payload.topics:
                        connection.session.filters.pop(wanted, None)
                        self._filters.drop(wanted, connection.session)
                    await wire.send(UnsubackPacket.build(packet.variable_header.packet_id).to_bytes())
                case PingReqPacket():
                    await wire.send(PingRespPacket.build().to_bytes())
                case DisconnectPacket():
                    return
                case _:
                    raise ProtocolViolation(f"{type(packet).__name__} is not for a client to send")
            await asyncio.sleep(0)  # one client's flood must not starve the others

    async def _on_publish(self, connection: Connection, packet: PublishPacket) -> None:
        session = connection.session
        message = Message(packet.topic_name, packet.data or b"", packet.qos, packet.retain_flag)
        if not is_topic(message.topic) or len(message.topic) > self._limits.topic_length:
            raise ProtocolViolation(f"publishes to {message.topic[:80]!r}")
        match message.qos:
            case 0:
                self._accept(session, message)
            case 1:
                self._accept(session, message)
                await connection.wire.send(PubackPacket.build(packet.packet_id).to_bytes())
            case 2:
                if len(session.held) >= self._limits.held_messages and packet.packet_id not in session.held:
                    raise ProtocolViolation("too many messages wait for their release")
                session.held.setdefault(packet.packet_id, message)
                await connection.wire.send(PubrecPacket.build(packet.packet_id).to_bytes())
            case _:
                raise ProtocolViolation("quality of service 3")

    def _accept(self, session: Session, message: Message) -> None:
        """Pass on a client's message, if it may write there [M-4]; a command is never retained, it is carried out at once."""
        if not self._access.may_publish(message.topic):
            self._tell(
                session, "not its topic", f"it may not write {message.topic[:200]!r}, this and the like are ignored"
            )
            return
        if not session.allowance.allows(asyncio.get_running_loop().time()):
            self._tell(
                session, "too many commands", f"too many commands at once, {message.topic[:200]!r} and more are dropped"
            )
            if session.allowance.dropped > self._limits.dropped_commands:
                raise ProtocolViolation("too many commands")
            return
        self._distribute(replace(message, is_retained=False))
        self._on_command(message.topic, message.data)

    async def _on_subscribe(self, connection: Connection, packet: SubscribePacket) -> None:
        session = connection.session
        wanted = [(text, qos) for text, qos in packet.payload.topics]
        if not wanted or any(qos > 2 for _, qos in wanted):
            raise ProtocolViolation("malformed SUBSCRIBE")
        answers = [self._subscribe(session, text, qos) for text, qos in wanted]
        await connection.wire.send(SubackPacket.build(packet.variable_header.packet_id, answers).to_bytes())
        for (text, qos), answer in zip(wanted, answers, strict=True):
            if answer == REFUSED:
                continue
            for topic, retained in self._retained(text):
                connection.offer(Message(topic, bytes(retained.data), min(qos, retained.qos), is_retained=True))
            await asyncio.sleep(0)  # thousands of filters must not starve the others

    def _retained(self, text: str) -> list[tuple[str, RetainedApplicationMessage]]:
        """What is retained under a filter and may be read."""
        if "+" in text or "#" in text:
            topics = [topic for topic in self._retained_messages if matches(topic, text)]
        else:
            topics = [text] if text in self._retained_messages else []
        return [(topic, self._retained_messages[topic]) for topic in topics if self._access.may_read(topic)]

    def _subscribe(self, session: Session, text: str, qos: int) -> int:
        """Any legal filter is granted; what is delivered through it is what may be read."""
        limits = self._limits
        if not is_filter(text) or len(text) > limits.topic_length:
            self._tell(session, "filters that are none", f"the filter {text[:80]!r} is refused")
            return REFUSED
        is_full = len(session.filters) >= limits.filters or len(self._filters) >= limits.all_filters
        if is_full and text not in session.filters:
            self._tell(session, "too many filters", f"the filter {text[:80]!r} and more are refused: too many")
            return REFUSED
        session.filters[text] = qos
        self._filters.put(text, session, qos)
        return qos

    def _tell(self, session: Session, kind: str, text: str) -> None:
        """Say in the log that a client is refused something; once for each kind."""
        if kind not in session.told:
            session.told.add(kind)
            log.warning("MQTT client %.80r: %s", session.client_id, text)


def quieten_libraries() -> None:
    """Keep what amqtt and its state machine say about their own workings out of the log; we log what matters."""
    for name in ("amqtt", "transitions", _amqtt_log.name, _websocket_log.name):
        logging.getLogger(name).setLevel(logging.CRITICAL)


async def _read_packet(wire: Wire, limits: Limits, *, is_first: bool = False) -> Any:
    """One packet, read whole before it is decoded, so that a decoder can't run past its end.

    Raises `ProtocolViolation` when it is too long or makes no sense.
    """
    first = (await wire.read(1))[0]
    length = 0
    for shift in (0, 7, 14, 21):
        digit = (await wire.read(1))[0]
        length |= (digit & 0x7F) << shift
        if not digit & 0x80:
            break
    else:
        raise ProtocolViolation("malformed length")
    if length > limits.packet_bytes:
        raise ProtocolViolation(f"packet of {length} bytes")
    header = MQTTFixedHeader(first >> 4, first & 0x0F, length)
    if (header.packet_type == CONNECT) is not is_first:
        raise ProtocolViolation("CONNECT must come first, and once")
    body = await wire.read(length) if length else b""
    if is_first and body[:7] != b"\0\4MQTT\4":
        raise OtherVersion(f"wants {body[2:9]!r}")
    try:
        return await packet_class(header).from_stream(BufferReader(body), fixed_header=header)
    except Exception as error:  # on malformed bytes amqtt's decoders raise anything
        raise ProtocolViolation(f"malformed packet: {error!r}") from error


def _refusal(packet: ConnectPacket, limits: Limits) -> int:
    """The return code for a CONNECT, as far as it does not depend on who it is. Raises `ProtocolViolation`."""
    if packet.reserved_flag or packet.will_qos > 2:
        raise ProtocolViolation("malformed CONNECT flags")
    if packet.will_flag and (packet.will_topic is None or packet.will_message is None):
        raise ProtocolViolation("will without topic or message")
    if (packet.username_flag and packet.username is None) or (
        packet.password_flag and (packet.password is None or not packet.username_flag)
    ):
        return int(BAD_USERNAME_PASSWORD)
    if len(packet.client_id) > limits.client_id_length:
        return int(IDENTIFIER_REJECTED)
    if packet.client_id_is_random and not packet.clean_session_flag:
        return int(IDENTIFIER_REJECTED)
    return int(CONNECTION_ACCEPTED)


def _publish(message: Message, packet_id: int | None) -> bytes:
    packet = PublishPacket.build(message.topic, message.data, packet_id, False, message.qos, message.is_retained)
    return bytes(packet.to_bytes())


async def _eventually(is_reached: Callable[[], bool], *, within_s: float) -> None:
    """Wait for a condition without an event of its own, at most ``within_s``."""
    deadline_s = asyncio.get_running_loop().time() + within_s
    while not is_reached() and asyncio.get_running_loop().time() < deadline_s:
        await asyncio.sleep(0.005)
