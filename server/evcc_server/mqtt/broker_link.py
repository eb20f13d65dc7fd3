"""What the bridge needs of any MQTT link, be it the embedded broker, a client of an outside one, or the twin in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple, Protocol

from evcc_server.state.encode import Compat


class MqttError(Exception):
    """MQTT cannot be served as configured; the owner must act. ``str(error)`` is one line for the log."""


class Qos(IntEnum):
    """Quality of service of MQTT 3.1.1."""

    AT_MOST_ONCE = 0
    AT_LEAST_ONCE = 1
    EXACTLY_ONCE = 2


class Publication(NamedTuple):
    """One message to be sent; an empty retained payload deletes the topic."""

    topic: str
    payload: bytes
    is_retained: bool = True
    qos: Qos = Qos.AT_LEAST_ONCE


@dataclass(frozen=True, slots=True)
class Connected:
    """The link works (again) and the broker may know nothing: everything has to be published."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message on one of the link's filters. ``is_retained``: it lay on the broker before we subscribed."""

    topic: str
    payload: bytes
    is_retained: bool = False


LinkEvent = Connected | Received


class BrokerLink(Protocol):
    """A connection to one broker, kept alive by its own task."""

    def publish(self, publication: Publication) -> None:
        """Hand over for sending; never waits. Of several retained messages on one topic that have not been sent yet only the
        newest is; while there is no connection nothing is kept, because `Connected` asks for everything anyway [R-5]."""

    async def receive(self) -> LinkEvent:
        """The next event, in order of arrival."""

    async def flush(self) -> None:
        """Wait until what was published has been handed to the network, at most a fraction of a second."""

    async def retained(self, filters: tuple[str, ...]) -> frozenset[str]:
        """The topics under ``filters`` on which something lay retained when we connected."""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where an outside broker is."""

    host: str
    port: int = 1883
    has_tls: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls://' if self.has_tls else ''}{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttOptions:
    """The ``mqtt`` section of evcc.yaml.

    ``broker`` is an outside one; None: the embedded one listens on ``host:port``, and on
    ``host:websocket_port`` when that is not None. Port 0 takes any free one. An empty ``topic`` turns MQTT off [API-26].
    ``user`` and ``password`` are sent to an outside broker and demanded by the embedded one. ``allowed_origins`` are the web
    pages that may use the embedded broker's WebSocket without credentials. ``has_json`` publishes the JSON documents, in the
    encoding of ``compat``.
    """

    broker: BrokerAddress | None = None
    topic: str = "evcc"
    user: str = ""
    password: str = field(default="", repr=False)
    client_id: str = ""
    is_insecure: bool = False
    has_json: bool = True
    host: str = "127.0.0.1"
    port: int = 1883
    websocket_port: int | None = None
    allowed_origins: tuple[str, ...] = ()
    compat: Compat = Compat.V0_114

    @property
    def root(self) -> str:
        """``topic`` without slashes at its ends; empty: MQTT is off."""
        return self.topic.strip().strip("/")
