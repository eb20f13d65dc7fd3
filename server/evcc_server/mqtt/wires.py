"""The byte stream of one client of the embedded broker (asyncio): TCP or WebSocket, with every wait bounded."""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

CLOSE_GRACE_S = 0.5
ROOM_BYTES = 64 * 1024


class Wire(Protocol):
    """Ordered bytes to and from a client."""

    @property
    def peer(self) -> str:
        """Address and port of the client, for the log."""

    @property
    def unsent_bytes(self) -> int:
        """What has been written and not yet taken by the network."""

    async def read(self, count: int) -> bytes:
        """Exactly ``count`` bytes. Raises `EOFError` or `ConnectionError`."""

    def send_now(self, data: bytes) -> bool:
        """Send one whole packet without waiting; False: there is no room, nothing was sent."""

    async def send(self, data: bytes) -> None:
        """Send one whole packet; to a client that is gone, nothing: what it said before may still have to be read.

        Raises `ConnectionError` when the client takes nothing for too long.
        """

    def close(self) -> None:
        """Close once everything is sent, or after `CLOSE_GRACE_S`."""

    def abort(self) -> None:
        """Close at once."""


class WholeReader(asyncio.StreamReader):
    """Gives what has arrived before a reset, and the end after it: a client may reset right after its last command."""

    def set_exception(self, exc: Exception) -> None:  # noqa: ARG002  # an end is an end
        """Called when the connection has failed."""
        self.feed_eof()


class TcpWire:
    """A `Wire` over a TCP connection; a peer that vanished without a word is noticed by the kernel's keep-alive."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, stall_s: float) -> None:
        self._reader = reader
        self._writer = writer
        self._stall_s = stall_s
        self._transport = writer.transport
        self._transport.set_write_buffer_limits(high=ROOM_BYTES)
        connection: socket.socket | None = writer.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    @property
    def peer(self) -> str:
        address = self._writer.get_extra_info("peername")
        return f"{address[0]}:{address[1]}" if address else "unknown"

    @property
    def unsent_bytes(self) -> int:
        return self._transport.get_write_buffer_size()

    async def read(self, count: int) -> bytes:
        return await self._reader.readexactly(count)

    def send_now(self, data: bytes) -> bool:
        if self.unsent_bytes >= ROOM_BYTES:
            return False
        if not self._transport.is_closing():
            self._writer.write(data)
        return True

    async def send(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        self._writer.write(data)
        try:
            async with asyncio.timeout(self._stall_s):
                await self._writer.drain()
        except ConnectionError:
            return
        except TimeoutError:
            self._transport.abort()
            raise ConnectionAbortedError("client takes nothing") from None

    def close(self) -> None:
        if not self._transport.is_closing():
            self._writer.close()
            asyncio.get_running_loop().call_later(CLOSE_GRACE_S, self._transport.abort)

    def abort(self) -> None:
        self._transport.abort()


class WebSocketWire:
    """A `Wire` over binary WebSocket messages, whose borders mean nothing to MQTT."""

    def __init__(self, connection: ServerConnection, *, stall_s: float) -> None:
        self._connection = connection
        self._stall_s = stall_s
        self._buffer = bytearray()
        self._closing: asyncio.Task[None] | None = None

    @property
    def peer(self) -> str:
        address = self._connection.remote_address
        return f"{address[0]}:{address[1]}" if address else "unknown"

    @property
    def unsent_bytes(self) -> int:
        return self._connection.transport.get_write_buffer_size()

    async def read(self, count: int) -> bytes:
        while len(self._buffer) < count:
            try:
                message = await self._connection.recv()
            except ConnectionClosed:
                raise EOFError("connection is closed") from None
            if isinstance(message, str):
                raise ConnectionAbortedError("text where binary is due")
            self._buffer += message
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def send_now(self, data: bytes) -> bool:  # noqa: ARG002  # a WebSocket message can't be sent without waiting
        return False

    async def send(self, data: bytes) -> None:
        try:
            async with asyncio.timeout(self._stall_s):
                await self._connection.send(data)
        except ConnectionClosed:
            return
        except TimeoutError:
            self.abort()
            raise ConnectionAbortedError("client takes nothing") from None

    def close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._connection.close())

    def abort(self) -> None:
        self._connection.transport.abort()
