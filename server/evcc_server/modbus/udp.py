"""UDP as a byte stream: each datagram carries one RTU frame. What is lost is lost, and the request times out."""

from __future__ import annotations

import anyio
from anyio.abc import ByteStream, ConnectedUDPSocket


class DatagramStream(ByteStream):
    """A connected UDP socket seen as a stream. Made by `open_udp`."""

    def __init__(self, udp: ConnectedUDPSocket) -> None:
        self._udp = udp

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """The next datagram, whole."""
        del max_bytes
        return await self._udp.receive()

    async def send(self, item: bytes) -> None:
        """Send ``item`` as one datagram."""
        await self._udp.send(item)

    async def send_eof(self) -> None:
        """UDP has no end of stream."""
        await anyio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Give the socket back."""
        await self._udp.aclose()


async def open_udp(host: str, port: int) -> DatagramStream:
    """A socket that talks to ``host`` and ``port`` only. Raises OSError."""
    return DatagramStream(await anyio.create_connected_udp_socket(host, port))
