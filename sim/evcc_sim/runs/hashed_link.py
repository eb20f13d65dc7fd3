"""A broker with one client, who may command."""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Callable

import trio

from evcc_server.mqtt.broker_link import Connected, LinkEvent, Publication, Received


class HashedLink:
    """An `evcc_server.mqtt.broker_link.BrokerLink` to a broker in memory: a hash of everything is kept and shown to ``seen``.

    It outlives the servers that use it, one after the other.
    """

    def __init__(self, seen: Callable[[str, bytes], None] | None = None) -> None:
        self.digest = hashlib.sha256()
        self._seen = seen
        self._taken: dict[str, deque[trio.Event]] = {}
        self._send, self._receive = trio.open_memory_channel[LinkEvent](math.inf)

    def publish(self, publication: Publication) -> None:
        """See `BrokerLink`."""
        topic, payload, _, _ = publication
        self.digest.update(topic.encode() + b"=" + payload + b"\n")
        if self._seen is not None:
            self._seen(topic, payload)
        if not payload and self._taken.get(topic):
            self._taken[topic].popleft().set()

    async def command(self, topic: str, payload: str) -> None:
        """Send a command and wait until the server has dealt with it, whatever came of it: it then clears the topic.

        Of several on one topic it takes the first first.
        """
        taken = trio.Event()
        self._taken.setdefault(topic, deque()).append(taken)
        self._send.send_nowait(Received(topic, payload.encode()))
        await taken.wait()

    async def receive(self) -> LinkEvent:
        """See `BrokerLink`."""
        return await self._receive.receive()

    async def flush(self) -> None:
        """See `BrokerLink`."""
        await trio.lowlevel.checkpoint()

    async def retained(self, filters: tuple[str, ...]) -> frozenset[str]:  # noqa: ARG002  the Link's signature
        """See `BrokerLink`."""
        await trio.lowlevel.checkpoint()
        return frozenset()

    def reconnect(self) -> None:
        """Another server connects; what its predecessor has not heard is lost."""
        self._taken.clear()
        self._send, self._receive = trio.open_memory_channel[LinkEvent](math.inf)
        self._send.send_nowait(Connected())
