"""An MQTT 3.1.1 client written down from the standard: no codec of amqtt's, none of paho's. Every wait has an end."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

PATIENCE_S = 5.0

CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, PINGRESP = 2, 3, 4, 5, 6, 7, 9, 11, 13


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(data)) + data


def packet(kind: int, flags: int, body: bytes) -> bytes:
    length, digits = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (0x80 if length else 0))
        if not length:
            return bytes([kind << 4 | flags]) + bytes(digits) + body


@dataclass(frozen=True, slots=True)
class Will:
    topic: str
    payload: bytes
    qos: int = 0
    is_retained: bool = False


def connect_packet(
    client_id: str = "",
    *,
    is_clean: bool = True,
    keep_alive_s: int = 60,
    user: str | None = None,
    password: str | None = None,
    will: Will | None = None,
    level: int = 4,
) -> bytes:
    flags = 0x02 if is_clean else 0
    payload = text(client_id)
    if will is not None:
        flags |= 0x04 | will.qos << 3 | (0x20 if will.is_retained else 0)
        payload += text(will.topic) + text(will.payload)
    if user is not None:
        flags |= 0x80
        payload += text(user)
    if password is not None:
        flags |= 0x40
        payload += text(password)
    return packet(1, 0, text("MQTT") + bytes([level, flags]) + struct.pack(">H", keep_alive_s) + payload)


def publish_packet(topic: str, payload: bytes, *, qos: int = 0, is_retained: bool = False, number: int = 1) -> bytes:
    body = text(topic) + (struct.pack(">H", number) if qos else b"") + payload
    return packet(PUBLISH, qos << 1 | is_retained, body)


DISCONNECT = packet(14, 0, b"")
PINGREQ = packet(12, 0, b"")


@dataclass(frozen=True, slots=True)
class Delivered:
    topic: str
    payload: bytes
    qos: int
    is_retained: bool


class Closed(Exception):
    """The broker closed the connection."""


@dataclass(eq=False)
class Client:
    """One connection; `inbox` collects what was delivered."""

    stream: trio.SocketStream
    buffer: bytearray = field(default_factory=bytearray)
    inbox: list[Delivered] = field(default_factory=list)
    code: int | None = None
    is_session_present: bool = False
    number: int = 0

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def read_packet(self) -> tuple[int, int, bytes]:
        """The next packet: kind, flags, body. Raises `Closed`."""
        with trio.fail_after(PATIENCE_S):
            while True:
                found = self._cut()
                if found is not None:
                    return found
                try:
                    data = await self.stream.receive_some()
                except trio.BrokenResourceError:
                    raise Closed from None
                if not data:
                    raise Closed
                self.buffer += data

    def _cut(self) -> tuple[int, int, bytes] | None:
        length = 0
        for index in range(1, 5):
            if len(self.buffer) <= index:
                return None
            length |= (self.buffer[index] & 0x7F) << 7 * (index - 1)
            if not self.buffer[index] & 0x80:
                break
        if len(self.buffer) < index + 1 + length:
            return None
        first, body = self.buffer[0], bytes(self.buffer[index + 1 : index + 1 + length])
        del self.buffer[: index + 1 + length]
        return first >> 4, first & 0x0F, body

    async def expect(self, kind: int) -> bytes:
        """The body of the next packet of this kind; deliveries before it go to the inbox and are acknowledged."""
        while True:
            found, flags, body = await self.read_packet()
            if found == PUBLISH and kind != PUBLISH:
                await self._take(flags, body)
            elif found == PUBREL and kind != PUBREL:
                await self.send(packet(PUBCOMP, 0, body))
            else:
                assert found == kind, f"packet {found} instead of {kind}"
                return body

    async def _take(self, flags: int, body: bytes) -> Delivered:
        length = struct.unpack(">H", body[:2])[0]
        topic, rest, qos = body[2 : 2 + length].decode(), body[2 + length :], flags >> 1 & 3
        if qos:
            await self.send(packet(PUBACK if qos == 1 else PUBREC, 0, rest[:2]))
            rest = rest[2:]
        delivered = Delivered(topic, rest, qos, bool(flags & 1))
        self.inbox.append(delivered)
        return delivered

    async def next_delivered(self) -> Delivered:
        """The next delivery that the inbox has not seen yet."""
        while True:
            kind, flags, body = await self.read_packet()
            if kind == PUBLISH:
                return await self._take(flags, body)
            if kind == PUBREL:
                await self.send(packet(PUBCOMP, 0, body))

    async def subscribe(self, topic_filter: str, qos: int = 0) -> int:
        """The code in SUBACK; retained messages that follow go to the inbox at the next `settle`."""
        self.number += 1
        await self.send(packet(8, 2, struct.pack(">H", self.number) + text(topic_filter) + bytes([qos])))
        return (await self.expect(SUBACK))[2]

    async def unsubscribe(self, topic_filter: str) -> None:
        self.number += 1
        await self.send(packet(10, 2, struct.pack(">H", self.number) + text(topic_filter)))
        await self.expect(UNSUBACK)

    async def publish(self, topic: str, payload: bytes, *, qos: int = 1, is_retained: bool = False) -> None:
        """Publish and wait until the broker has taken it (QoS 0: until it answers a ping)."""
        self.number += 1
        await self.send(publish_packet(topic, payload, qos=qos, is_retained=is_retained, number=self.number))
        match qos:
            case 0:
                await self.settle()
            case 1:
                await self.expect(PUBACK)
            case 2:
                await self.expect(PUBREC)
                await self.send(packet(PUBREL, 2, struct.pack(">H", self.number)))
                await self.expect(PUBCOMP)

    async def settle(self) -> list[Delivered]:
        """Ping; whatever was sent to us before the answer is in the inbox then."""
        await self.send(PINGREQ)
        await self.expect(PINGRESP)
        return self.inbox

    async def wait_closed(self) -> float:
        """How long it takes until the broker closes the connection [s]."""
        start_s = trio.current_time()
        try:
            while True:
                await self.read_packet()
        except Closed:
            await self.stream.aclose()
            return trio.current_time() - start_s

    async def say_goodbye(self) -> None:
        await self.send(DISCONNECT)
        await self.stream.aclose()

    def vanish(self) -> None:
        """Reset the connection without a word."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stream.socket.close()


async def dial(port: int, *, receive_buffer: int | None = None) -> Client:
    """A bare connection."""
    connection = trio.socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    with trio.fail_after(PATIENCE_S):
        await connection.connect(("127.0.0.1", port))
    return Client(trio.SocketStream(connection))


@asynccontextmanager
async def connected(
    port: int,
    client_id: str = "",
    *,
    is_clean: bool = True,
    keep_alive_s: int = 60,
    user: str | None = None,
    password: str | None = None,
    will: Will | None = None,
    receive_buffer: int | None = None,
) -> AsyncIterator[Client]:
    """A client that has been answered; ``code`` says how. Leaving closes the connection without DISCONNECT."""
    client = await dial(port, receive_buffer=receive_buffer)
    try:
        await client.send(
            connect_packet(
                client_id, is_clean=is_clean, keep_alive_s=keep_alive_s, user=user, password=password, will=will
            )
        )
        answer = await client.expect(CONNACK)
        client.is_session_present, client.code = bool(answer[0]), answer[1]
        yield client
    finally:
        with trio.move_on_after(1) as scope:
            scope.shield = True
            await client.stream.aclose()
