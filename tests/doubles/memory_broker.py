"""A broker in memory and a link to it, for virtual time: no thread, no socket, same behaviour as seen by the bridge."""

from __future__ import annotations

import math

import trio

from evcc_server.mqtt.broker_link import Connected, LinkEvent, Publication, Received
from evcc_server.mqtt.topics import command_filters, matches


class MemoryBroker:
    """Keeps retained messages and a log of everything published, in order."""

    def __init__(self) -> None:
        self.retained: dict[str, bytes] = {}
        self.log: list[Publication] = []
        self._links: list[MemoryLink] = []

    def connect(self, root: str) -> MemoryLink:
        """A link that hears the commands below ``root``, those that lie retained first."""
        link = MemoryLink(self, command_filters(root))
        self._links.append(link)
        link.connect()
        return link

    def publish(self, publication: Publication) -> None:
        """A message from anybody."""
        self.log.append(publication)
        if publication.is_retained:
            self.retained.pop(publication.topic, None)
            if publication.payload:
                self.retained[publication.topic] = publication.payload
        for link in self._links:
            link.hear(Received(publication.topic, publication.payload))

    def payload(self, topic: str) -> str | None:
        """What lies on ``topic`` as text; None: nothing."""
        data = self.retained.get(topic)
        return None if data is None else data.decode()


class MemoryLink:
    """A `evcc_server.mqtt.broker_link.Link`."""

    def __init__(self, broker: MemoryBroker, filters: tuple[str, ...]) -> None:
        self._broker = broker
        self._filters = filters
        self._is_connected = False
        self._send, self._receive = trio.open_memory_channel[LinkEvent](math.inf)

    def connect(self) -> None:
        """Connect, for the first time or again."""
        self._is_connected = True
        for topic, payload in self._broker.retained.items():
            if any(matches(topic, wanted) for wanted in self._filters):
                self._send.send_nowait(Received(topic, payload, is_retained=True))
        self._send.send_nowait(Connected())

    def disconnect(self) -> None:
        """Lose the connection."""
        self._is_connected = False

    def hear(self, message: Received) -> None:
        """A message on the broker, our own included."""
        if self._is_connected and any(matches(message.topic, wanted) for wanted in self._filters):
            self._send.send_nowait(message)

    def publish(self, publication: Publication) -> None:
        """See `BrokerLink`."""
        if self._is_connected:
            self._broker.publish(publication)

    async def receive(self) -> LinkEvent:
        """See `BrokerLink`."""
        return await self._receive.receive()

    async def flush(self) -> None:
        """See `BrokerLink`."""
        await trio.lowlevel.checkpoint()

    async def retained(self, filters: tuple[str, ...]) -> frozenset[str]:
        """See `BrokerLink`."""
        await trio.lowlevel.checkpoint()
        return frozenset(topic for topic in self._broker.retained if any(matches(topic, each) for each in filters))
