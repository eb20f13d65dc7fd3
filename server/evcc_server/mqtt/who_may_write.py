"""Who may do what on the embedded broker; pure.

One rule for everybody who is let in: read everything below the root, write nothing but ``/set`` topics [M-4]. So a client can
neither forge a state topic nor leave anything behind, and nothing outside the root exists.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from evcc_server.mqtt.topics import is_command


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRules:
    """The rules for the tree below ``root``; without ``user`` and ``password`` everybody is let in.

    ``allowed_origins`` are web pages that may open a WebSocket all the same; ``*`` is any.
    """

    root: str
    user: str = ""
    password: str = field(default="", repr=False)
    allowed_origins: tuple[str, ...] = ()

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

    def may_use_page(self, origin: str | None, host: str | None) -> bool:
        """Whether a WebSocket may be opened by a page of ``origin``; ``host`` is the address it was opened at.

        Programs name no origin, or the very address they call. For a page that is only proof when the address is a plain
        one: a foreign name can be made to point here (DNS rebinding).
        """
        if origin is None or self.has_credentials or {origin, "*"} & set(self.allowed_origins):
            return True
        try:
            page = urlsplit(origin)
        except ValueError:
            return False
        return page.netloc == host and _is_plain(page.hostname)

    def may_publish(self, topic: str) -> bool:
        """Whether a client may send to ``topic``, by itself or by its last will."""
        return is_command(self.root, topic)

    def may_read(self, topic: str) -> bool:
        """Whether a client may be sent what is on ``topic``."""
        return topic == self.root or topic.startswith(f"{self.root}/")


def _is_plain(host: str | None) -> bool:
    """Whether ``host`` is a number or this machine's own name."""
    try:
        ip_address(host or "")
    except ValueError:
        return host == "localhost"
    return True
