"""A broker that nobody listens to."""

from __future__ import annotations

import hashlib

import trio

from evcc_server.mqtt.contract import Connected, LinkEvent, Publication


class HashedLink:
    """An MQTT link (`evcc_server.mqtt.contract.Link`) to a broker that nobody listens to: it keeps a hash and the last words."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.retained_topics: dict[str, bytes] = {}
        self._is_connected = False

    def publish(self, publication: Publication) -> None:
        """See `Link`."""
        self.digest.update(publication.topic.encode() + b"=" + publication.payload + b"\n")
        self.retained_topics[publication.topic] = publication.payload

    async def receive(self) -> LinkEvent:
        """See `Link`: connected, and then silence."""
        if self._is_connected:
            await trio.sleep_forever()
        self._is_connected = True
        await trio.lowlevel.checkpoint()
        return Connected()

    async def flush(self) -> None:
        """See `Link`."""
        await trio.lowlevel.checkpoint()

    async def retained(self, filters: tuple[str, ...]) -> frozenset[str]:  # noqa: ARG002  the Link's signature
        """See `Link`."""
        await trio.lowlevel.checkpoint()
        return frozenset()

    def reconnect(self) -> None:
        """The next `receive` says that the link works again."""
        self._is_connected = False
