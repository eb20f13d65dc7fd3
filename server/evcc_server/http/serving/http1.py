"""Hypercorn's HTTP/1.1 in the form that scripts know: ``HTTP/1.1 200 OK``, ``Content-Type``, and errors as JSON [DEV-7].

Hypercorn leaves the words of the status line out, sends header names in lower case, and answers what is no valid request
with an empty body; such is for it a path with letters beyond ASCII, which curl sends as they were typed.
"""

from __future__ import annotations

import re
from http import HTTPStatus

import h11
from hypercorn.events import Event, RawData
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.typing import H11SendableEvent

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")


class Http1(H11Protocol):
    """Made by `speak_http1`."""

    async def handle(self, event: Event) -> None:
        if isinstance(event, RawData) and self.stream is None:  # a request begins
            line, end, rest = event.data.partition(b"\n")
            event = RawData(_BEYOND_ASCII.sub(_quoted, line) + end + rest)
        await super().handle(event)

    async def _send_h11_event(self, event: H11SendableEvent) -> None:
        if isinstance(event, h11.Response | h11.InformationalResponse):
            event = type(event)(
                status_code=event.status_code,
                headers=[(name.title(), value) for name, value in event.headers],
                reason=_phrase(event.status_code).encode(),
            )
        await super()._send_h11_event(event)

    async def _send_error_response(self, status_code: int) -> None:
        body = f'{{"error":"{_phrase(status_code).lower()}"}}\n'.encode()
        headers = [
            (b"content-type", b"application/json; charset=UTF-8"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            *self.config.response_headers("h11"),
        ]
        await self._send_h11_event(h11.Response(status_code=status_code, headers=headers))
        await self._send_h11_event(h11.Data(data=body))
        await self._send_h11_event(h11.EndOfMessage())


def speak_http1(wrapper: ProtocolWrapper) -> None:
    """Let a connection that has not read anything yet speak as described above."""
    plain = wrapper.protocol
    if isinstance(plain, H11Protocol):
        wrapper.protocol = Http1(
            plain.app,
            plain.config,
            plain.context,
            plain.task_group,
            plain.connection_state,
            plain.ssl,
            plain.client,
            plain.server,
            plain.send,
        )


def _quoted(byte: re.Match[bytes]) -> bytes:
    return b"%%%02X" % ord(byte[0])


def _phrase(status_code: int) -> str:
    return _PHRASES.get(status_code, "Error" if status_code >= 400 else "")
