"""Byte streams in memory: a cable with two ends, for virtual time."""

from __future__ import annotations

import anyio
import trio
from anyio.abc import ByteStream


class MemoryStream(ByteStream):
    """One end of a cable made by `memory_pair`. Sending never blocks: Modbus has one short frame under way at a time."""

    def __init__(self) -> None:
        self._inbox = bytearray()
        self._arrived = trio.lowlevel.ParkingLot()
        self._peer: MemoryStream | None = None
        self._is_closed = False
        self._is_ended = False  # the peer has closed, or has said that nothing more will come

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """The next bytes. Raises `anyio.EndOfStream` when the other end is closed, `ClosedResourceError` when this one is."""
        if self._is_closed:
            raise anyio.ClosedResourceError
        if self._inbox or self._is_ended:
            await trio.lowlevel.checkpoint()
        while not self._inbox:
            if self._is_closed:
                raise anyio.ClosedResourceError
            if self._is_ended:
                raise anyio.EndOfStream
            await self._arrived.park()
        data = bytes(self._inbox[:max_bytes])
        del self._inbox[:max_bytes]
        return data

    async def send(self, item: bytes) -> None:
        """Put ``item`` into the other end's inbox."""
        await trio.lowlevel.checkpoint()
        if self._is_closed:
            raise anyio.ClosedResourceError
        peer = self._peer
        if peer is None or peer._is_closed:
            raise anyio.BrokenResourceError
        peer._inbox += item
        peer._arrived.unpark_all()

    async def send_eof(self) -> None:
        """Tell the other end that nothing more will come."""
        await trio.lowlevel.checkpoint()
        self._end_peer()

    async def aclose(self) -> None:
        """Close this end; what the other end has not read yet it may still read."""
        self._is_closed = True
        self._arrived.unpark_all()
        self._end_peer()
        await trio.lowlevel.checkpoint()

    def _end_peer(self) -> None:
        if self._peer is not None:
            self._peer._is_ended = True
            self._peer._arrived.unpark_all()


def memory_pair() -> tuple[MemoryStream, MemoryStream]:
    """Two connected ends."""
    one, other = MemoryStream(), MemoryStream()
    one._peer, other._peer = other, one
    return one, other
