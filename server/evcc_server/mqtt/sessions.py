"""What the embedded broker remembers of its clients, and what one client may cost."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


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
    filters: int = 5000
    all_filters: int = 50_000
    commands: int = 500  # at once
    commands_per_s: float = 20.0
    dropped_commands: int = 1000  # whoever sends more than that too fast is closed
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


class Allowance:
    """How many commands a client may send: `Limits.commands` at once, and so many a second."""

    def __init__(self, limits: Limits, now_s: float) -> None:
        self._most = limits.commands
        self._per_s = limits.commands_per_s
        self._left = float(limits.commands)
        self._at_s = now_s
        self.dropped = 0

    def allows(self, now_s: float) -> bool:
        """Whether one more may pass now; those that may not are counted."""
        self._left = min(self._most, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left < 1:
            self.dropped += 1
            return False
        self._left -= 1
        return True


@dataclass(slots=True, eq=False, kw_only=True)
class Session:
    """What the broker knows of a client; kept while it is away when it asked for that and has credentials."""

    client_id: str
    is_kept: bool
    allowance: Allowance
    will: Message | None = None
    filters: dict[str, int] = field(default_factory=dict)
    waiting: deque[Message] = field(default_factory=deque)
    held: dict[int, Message] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)  # refusals that the log has already
    left_s: float = 0.0
