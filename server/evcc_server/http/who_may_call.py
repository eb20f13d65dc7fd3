"""Who may do what: foreign web pages must not write, and writing may need a token [http-origin, http-token].

A web page in any browser of the home can send simple requests to us. Browsers say in ``Origin`` where the page is from; programs
send none and are not affected.

A page is ours under whatever name the browser knows us by. Behind a proxy that may be the one in ``X-Forwarded-Host`` or
``Forwarded``: no page elsewhere can make a browser send these (we allow them in no preflight), so they need no trust. But nobody
who comes through a proxy is taken to be on this machine: the proxy shows by its headers, or is one of the owner's
``trusted_proxies``.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from types import MappingProxyType
from typing import Protocol
from urllib.parse import urlsplit

Networks = tuple[IPv4Network | IPv6Network, ...]

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_PROXY_HEADERS = (
    *("Forwarded", "Via", "X-Real-IP"),
    *(f"X-Forwarded-{what}" for what in ("For", "Host", "Port", "Proto", "Server", "Ssl")),
)
_FORWARDED_HOST = re.compile(r'(?i)(?:^|[;,])\s*host="?([^";,\s]+)')
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_ALLOW = "list it under network: allowedOrigins"


class Headers(Protocol):
    """A request's headers; names in any case."""

    def get(self, key: str, default: str) -> str: ...

    def __contains__(self, key: str) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRules:
    """The owner's rules: see `evcc_server.http.home.ApiOptions`."""

    token: str | None = None
    allowed_origins: frozenset[str] = frozenset()
    is_local_only: bool = False
    name: str | None = None
    trusted_proxies: Networks = ()

    def refusal_to_write(self, address: str | None, headers: Headers, scheme: str) -> str | None:
        """Why a client at ``address`` may change nothing, and what its owner can do about it; None: but for a token it may."""
        if not self.trusts_peer(address, headers):
            return "only clients on this machine may change anything, and none through a proxy: set auth in evcc.yaml"
        if not self.trusts_origin(headers, scheme):
            cure = f"set auth, or {_ALLOW}," if self.is_local_only else _ALLOW
            return f"pages of this origin are not allowed to change anything: {cure} in evcc.yaml"
        return None

    def refusal_to_watch(self, headers: Headers, scheme: str) -> str | None:
        """As `refusal_to_write`, of a page that opens the WebSocket."""
        if self._allows(headers) or self._is_ours(headers, scheme):
            return None
        return f"pages of this origin are not allowed to open the WebSocket: {_ALLOW} in evcc.yaml"

    def trusts_peer(self, address: str | None, headers: Headers = _NO_HEADERS) -> bool:
        """Whether a client at ``address`` may write at all; a name instead of an address is a client within this process."""
        peer = None if address is None else _address(address)
        if not self.is_local_only or peer is None:
            return True
        is_proxy = self._is_trusted_proxy(peer) or any(name in headers for name in _PROXY_HEADERS)
        return peer.is_loopback and not is_proxy

    def trusts_origin(self, headers: Headers, scheme: str) -> bool:
        """No ``Origin``, our own, or one that the owner allows.

        When only this machine may write, our own is a loopback address too: any other name is a page that has made its name
        point here, or one in a browser elsewhere.
        """
        if self._allows(headers):
            return True
        if self.is_local_only and not _is_loopback_name(_name_in(headers.get("Origin", ""))):
            return False
        return self._is_ours(headers, scheme)

    def knows_token(self, headers: Headers) -> bool:
        """Whether a token is not needed, or is there and right."""
        if self.token is None:
            return True
        kind, _, token = headers.get("Authorization", "").partition(" ")
        return kind.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self.token.encode())

    def client(self, address: str | None, headers: Headers) -> str:
        """Who asks: the peer, or whom a trusted proxy says to ask for."""
        peer = None if address is None else _address(address)
        hops = headers.get("X-Forwarded-For", "").split(",")
        while peer is not None and self._is_trusted_proxy(peer) and hops and (hop := _address(hops.pop().strip())):
            peer = hop
        return str(peer or address)

    def _allows(self, headers: Headers) -> bool:
        origin = headers.get("Origin", "")
        return not origin or "*" in self.allowed_origins or origin in self.allowed_origins

    def _is_ours(self, headers: Headers, scheme: str) -> bool:
        origin = headers.get("Origin", "")
        forwarded = _FORWARDED_HOST.findall(headers.get("Forwarded", ""))
        hosts = (headers.get("Host", ""), *headers.get("X-Forwarded-Host", "").split(","), *forwarded)
        return any(_is_at(origin, scheme, host.strip()) for host in hosts) or (
            self.name is not None and _name_in(origin) == self.name
        )

    def _is_trusted_proxy(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self.trusted_proxies)


def _is_at(origin: str, scheme: str, host: str) -> bool:
    """Whether ``origin`` is that of pages from ``host``, which has been asked by ``scheme``."""
    try:
        theirs, ours = urlsplit(origin), urlsplit(f"{scheme}://{host}")
        if theirs.scheme not in _DEFAULT_PORTS or not theirs.netloc:
            return False
        if theirs.netloc.lower() == ours.netloc.lower():  # https outside, http behind the owner's proxy
            return True
        return _place(theirs.scheme, theirs.hostname, theirs.port) == _place(scheme, ours.hostname, ours.port)
    except ValueError:
        return False


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The address that ``text`` is, if it is one; an IPv4 one as such, however a socket for both families shows it."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _name_in(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""


def _is_loopback_name(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _place(scheme: str, host: str | None, port: int | None) -> tuple[str | None, int]:
    return host, port if port is not None else _DEFAULT_PORTS[scheme]
