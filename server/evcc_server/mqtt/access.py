"""Who may do what on the embedded broker; pure.

One rule for everybody who is let in: read everything below the root, write nothing but ``/set`` topics [M-4]. So a client can
neither forge a state topic nor leave anything behind, and nothing outside the root exists.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from evcc_server.mqtt.topics import is_command


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The rules for the tree below ``root``; without ``user`` and ``password`` everybody is let in."""

    root: str
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def has_credentials(self) -> bool:
        """Whether clients must name themselves."""
        return bool(self.user or self.password)

    def admits(self, user: str | None, password: str | None) -> bool:
        """Whether these credentials of a CONNECT are good."""
        if not self.has_credentials:
            return True
        is_user = hmac.compare_digest((user or "").encode(), self.user.encode())
        is_password = hmac.compare_digest((password or "").encode(), self.password.encode())
        return is_user and is_password

    def may_publish(self, topic: str) -> bool:
        """Whether a client may send to ``topic``, by itself or by its last will."""
        return is_command(self.root, topic)

    def may_read(self, topic: str) -> bool:
        """Whether a client may be sent what is on ``topic``."""
        return topic == self.root or topic.startswith(f"{self.root}/")
