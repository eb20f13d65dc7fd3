"""What the embedded broker remembers of its clients, and what one client may cost."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from evcc_server.mqtt.topics import matches


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client may cost; times in seconds."""

    connections: int = 300
    peer_connections: int = 200  # from one address, which may be that of a whole home
    packet_bytes: int = 64 * 1024
    connect_s: float = 5.0
    stall_s: float = 10.0
    acknowledge_s: float = 20.0
    takeover_s: float = 4.0
    client_id_length: int = 256
    filters: int = 200
    topic_length: int = 512
    queued_messages: int = 2000
    unacknowledged: int = 32
    held_messages: int = 32  # QoS 2 messages that wait for their release
    stored_sessions: int = 20
    stored_messages: int = 500
    session_expiry_s: float = 86_400.0


@dataclass(frozen=True, slots=True)
class Message:
    """A publication on its way."""

    topic: str
    data: bytes
    qos: int
    is_retained: bool = False


@dataclass(slots=True, eq=False, kw_only=True)
class Session:
    """What the broker knows of a client; kept while it is away when it asked for that and has credentials."""

    client_id: str
    is_kept: bool
    will: Message | None = None
    filters: dict[str, int] = field(default_factory=dict)
    waiting: deque[Message] = field(default_factory=deque)
    held: dict[int, Message] = field(default_factory=dict)
    left_s: float = 0.0

    def granted_qos(self, topic: str) -> int | None:
        """The highest quality of service among this client's filters for ``topic``; None: not subscribed."""
        return max((qos for wanted, qos in self.filters.items() if matches(topic, wanted)), default=None)
