"""Who may do what: foreign web pages must not write, and writing may need a token [http-origin, http-token].

A web page in any browser of the home can send simple requests to us. Browsers say in ``Origin`` where the page is from; programs
send none and are not affected.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Protocol
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Headers(Protocol):
    """A request's headers; names in any case."""

    def get(self, key: str, default: str) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRules:
    """The owner's rules: see `evcc_server.http.home.Options`."""

    token: str | None = None
    allowed_origins: frozenset[str] = frozenset()
    is_local_only: bool = False

    def trusts_peer(self, address: str | None) -> bool:
        """Whether a client at ``address`` may write at all; a name instead of an address is a client within this process."""
        if not self.is_local_only or address is None:
            return True
        try:
            peer = ip_address(address.partition("%")[0])
        except ValueError:
            return True
        return peer.is_loopback or (isinstance(peer, IPv6Address) and is_loopback_v4(peer))

    def trusts_origin(self, headers: Headers, scheme: str) -> bool:
        """No ``Origin``, our own, or one that the owner allows.

        When only this machine may write, our own is a loopback address too: any other name in ``Host`` is a page that has
        made its name point here.
        """
        origin = headers.get("Origin", "")
        if not origin or "*" in self.allowed_origins or origin in self.allowed_origins:
            return True
        try:
            theirs, ours = urlsplit(origin), urlsplit(f"{scheme}://{headers.get('Host', '')}")
            if self.is_local_only and not _is_loopback_name(ours.hostname or ""):
                return False
            if theirs.scheme not in _DEFAULT_PORTS:
                return False
            if theirs.netloc.lower() == ours.netloc.lower():  # https outside, http behind the owner's proxy
                return True
            return _place(theirs.scheme, theirs.hostname, theirs.port) == _place(scheme, ours.hostname, ours.port)
        except ValueError:
            return False

    def knows_token(self, headers: Headers) -> bool:
        """Whether a token is not needed, or is there and right."""
        if self.token is None:
            return True
        kind, _, token = headers.get("Authorization", "").partition(" ")
        return kind.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self.token.encode())


def is_loopback_v4(peer: IPv6Address) -> bool:
    """Whether ``peer`` is 127.x.x.x as a socket for both families shows it."""
    return peer.ipv4_mapped is not None and peer.ipv4_mapped.is_loopback


def _is_loopback_name(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _place(scheme: str, host: str | None, port: int | None) -> tuple[str | None, int]:
    return host, port if port is not None else _DEFAULT_PORTS[scheme]
