"""HTTP for plugins: one request at a time for each address, short answers, every failure a `DeviceError`.

The values of one device often come from one answer. GET answers are therefore shared for half a second (`SHARE_S`), or for as
long as the plugin's ``cache`` says.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

import anyio
import httpx

from evcc_server.config.sources import HttpSource
from evcc_server.errors import DeviceDown, DeviceImplausible, DeviceRefused, DeviceSilent
from evcc_server.secrets import redact

_UNSENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
    UnicodeError,
)
"""Failures before anything of the request could have reached its device."""
REQUEST_TIMEOUT = 408
SHARE_S = 0.5
TIMEOUT_S = 10.0
ANSWER_BYTES_MAX = 2_000_000
_CACHED_MAX = 500


@dataclass(frozen=True, slots=True)
class _Answer:
    text: str
    at_s: float


class HttpClient:
    """Fetches what plugins ask for. ``transport`` replaces the network, for tests and virtual time."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._transport = transport
        self._clients: dict[bool, httpx.AsyncClient] = {}
        self._answers: dict[object, _Answer] = {}
        self._locks: dict[object, anyio.Lock] = {}

    async def fetch(self, source: HttpSource) -> str:
        """The text of the answer, perhaps a shared one.

        Raises `DeviceDown`, `DeviceSilent`, `DeviceRefused`, `DeviceImplausible`.
        """
        if source.method != "GET":
            return await self._request(source, source.uri, source.body)
        key = (source.uri, tuple(sorted(source.headers.items())), source.user, source.password, source.token)
        lock = self._locks.setdefault(key, anyio.Lock())
        async with lock:
            known = self._answers.get(key)
            now = anyio.current_time()
            if known is not None and now - known.at_s <= max(SHARE_S, source.cache.total_seconds()):
                return known.text
            text = await self._request(source, source.uri, source.body)
            self._remember(key, _Answer(text, anyio.current_time()))
            return text

    async def send(self, source: HttpSource, *, uri: str, body: str | None) -> None:
        """A command: always sent, with its placeholders filled in. What was read before it counts no longer.

        Raises as `fetch`.
        """
        self._answers.clear()
        try:
            await self._request(source, uri, body)
        finally:
            self._answers.clear()  # also what was read meanwhile

    async def aclose(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    def _remember(self, key: object, answer: _Answer) -> None:
        if len(self._answers) >= _CACHED_MAX:
            self._answers.clear()
            self._locks = {known: lock for known, lock in self._locks.items() if lock.locked()}
        self._answers[key] = answer

    async def _request(self, source: HttpSource, uri: str, body: str | None) -> str:
        place = redact(uri.split("?")[0])
        timeout_s = TIMEOUT_S if source.timeout is None else source.timeout.total_seconds()
        headers = dict(source.headers)
        if source.token:
            headers["Authorization"] = f"Bearer {source.token}"
        auth = (source.user, source.password or "") if source.user else None
        client = self._client(is_insecure=source.is_insecure)
        try:
            with anyio.fail_after(timeout_s):
                content = None if body is None else body.encode()
                async with client.stream(
                    source.method,
                    uri,
                    headers=headers,
                    content=content,
                    auth=auth,
                    follow_redirects=not headers and auth is None,  # credentials go where the owner sent them only
                ) as response:
                    data = await _body(response, place)
        except TimeoutError:
            raise DeviceSilent(f"{place}: no answer within {timeout_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            text = f"{place}: {redact(str(error)) or type(error).__name__}"
            raise DeviceDown(text, left_unchanged=_is_unsent(error, uri)) from error
        code = response.status_code
        if response.is_redirect:  # many a device answers so to a form that it has taken
            place_now = redact(response.headers.get("location", "?").split("?")[0])
            raise DeviceRefused(f"{place}: HTTP {code}, moved to {place_now}", left_unchanged=False)
        if code >= 400:
            is_certain = (
                code < 500 and code != REQUEST_TIMEOUT
            )  # else it failed in the midst of it, or somebody in between did
            raise DeviceRefused(
                f"{place}: HTTP {code} {response.reason_phrase}",
                left_unchanged=is_certain,
                status=code,
                retry_after=_wait(response.headers.get("retry-after", "")),
            )
        return data.decode("utf-8", errors="replace")

    def _client(self, *, is_insecure: bool) -> httpx.AsyncClient:
        client = self._clients.get(is_insecure)
        if client is None:
            verify: bool | ssl.SSLContext = not is_insecure
            client = httpx.AsyncClient(
                transport=self._transport,
                verify=verify,
                max_redirects=3,
                timeout=None,  # the deadline above covers everything
                trust_env=False,
            )
            self._clients[is_insecure] = client
        return client


def _is_unsent(error: Exception, uri: str) -> bool:
    """Whether nothing can have reached the device; what fails after a redirection was heard at the first address."""
    is_first = not isinstance(error, httpx.RequestError) or error.request.url == httpx.URL(uri)
    return isinstance(error, _UNSENT) and is_first


def _wait(text: str) -> timedelta | None:
    """So many seconds; a date, which it may also be, says nothing to a monotonic clock."""
    return timedelta(seconds=int(text)) if text.isascii() and text.isdigit() and len(text) <= 6 else None


async def _body(response: httpx.Response, place: str) -> bytes:
    data = bytearray()
    stream = cast(AsyncGenerator[bytes, None], response.aiter_bytes())  # httpx promises less than it gives
    async with aclosing(stream) as chunks:
        async for chunk in chunks:
            data += chunk
            if len(data) > ANSWER_BYTES_MAX:
                raise DeviceImplausible(f"{place}: the answer is larger than {ANSWER_BYTES_MAX} bytes")
    return bytes(data)
