"""A line of the REST API as data: what Quart routes, what OpenAPI shows, and what runs.

Handlers know nothing of Quart: they get a `Call` and give an `Answer`, or raise `Refused`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from evcc_server.state.encode import Json

Schema = dict[str, Json]
"""A JSON Schema of OpenAPI 3.1."""


class Refused(Exception):
    """The request cannot be answered; ``str(error)`` becomes the envelope's text."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Enveloped:
    """``{"result": value}``, or ``value`` alone to clients that expect it so."""

    value: Json


def enveloped(text: str, *, has_envelope: bool) -> str:
    """An encoded value as it goes out."""
    return f'{{"result":{text}}}' if has_envelope else text


@dataclass(frozen=True, slots=True)
class Body:
    """Any other body, as bytes that are already encoded."""

    content: bytes
    content_type: str = "application/json; charset=UTF-8"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Enveloped | Body


class Call(Protocol):
    """One request. ``path`` holds the decoded path parameters by name, ``query`` the first value of each argument."""

    @property
    def path(self) -> Mapping[str, str]: ...

    @property
    def query(self) -> Mapping[str, str]: ...

    @property
    def languages(self) -> tuple[str, ...]:
        """The tags of ``Accept-Language``, best first."""

    async def text(self) -> str:
        """The body as it is; raises `Refused`."""

    async def json_object(self) -> Mapping[str, object]:
        """The body as a JSON object; raises `Refused`."""


Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A variable part of the path, or an argument of the query. ``example`` is one that works in the demo's home."""

    name: str
    summary: str
    schema: Schema
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """``path`` is below the root, with ``{name}`` for variable parts. ``result`` describes the value of ``result``, or the
    whole body when ``content_type`` says it is something else. ``errors`` lists the statuses besides 200 and their causes."""

    method: str
    path: str
    group: str
    summary: str
    handler: Handler
    parameters: tuple[Parameter, ...] = ()
    query: tuple[Parameter, ...] = ()
    body: Schema | None = None
    body_example: Json = None
    result: Schema = field(default_factory=dict)
    result_example: Json = None
    content_type: str = "application/json"
    has_envelope: bool = True
    status: int = 200
    errors: Mapping[int, str] = field(default_factory=dict)
    has_no_content: bool = False
    other_result: str = ""  # says when the body is not what ``result`` describes

    @property
    def changes_state(self) -> bool:
        """Whether a foreign web page must not be able to send it [http-origin]."""
        return self.method != "GET"
