"""Nobody can take all the room there is for connections, and one whose client has gone is closed."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import ModuleType

import pytest
import trio
from api_home import Served, served
from trio_test import in_real_time

from evcc_server.http.serving import connection, serve
from evcc_server.places import Places

PATIENCE_S = 10.0
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
BEGUN = b"POST /api/loadpoints/1/mode/now HTTP/1.1\r\nHost"
BEGUN_BODY = b"POST /api/loadpoints/1/mode/now HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"
BEGUN_HTTP_2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
WHOLE = b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass(eq=False)
class Guest:
    waits: tuple[bool, float] | None
    is_closed: bool = False

    def give_up(self) -> None:
        self.is_closed = True


def test_the_place_of_who_is_waited_for_longest_is_taken_and_of_strangers_first() -> None:
    places = Places("test", each=3, all_together=5)
    known, answered, stranger, newer = Guest((True, 1)), Guest(None), Guest((False, 2)), Guest((False, 3))
    assert all(places.take(guest, "a") for guest in (known, answered, stranger, newer))
    assert [guest.is_closed for guest in (known, answered, stranger, newer)] == [False, False, True, False]
    assert places.take(Guest(None), "a") and newer.is_closed
    assert places.take(Guest(None), "a") and known.is_closed
    assert not places.take(Guest(None), "a")
    assert places.take(Guest((False, 9)), "b") and places.take(Guest(None), "c")
    late = Guest(None)
    assert places.take(late, "d")  # all places are taken: b gives way
    assert not places.take(Guest(None), "e")
    places.leave(late)
    places.leave(late)
    assert places.take(Guest(None), "e") and not places.take(Guest(None), "f")


def test_a_crowd_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    places = Places("test", each=4, all_together=9)
    guests = [Guest((False, number)) for number in range(20)]
    with caplog.at_level(logging.WARNING):
        assert all(places.take(guest, "a") for guest in guests)
        assert [record.getMessage() for record in caplog.records] == [
            "test: a has 4 connections, the limit; those that ask for nothing are closed"
        ]
        for guest in guests:
            places.leave(guest)
        assert all(places.take(guest, "a") for guest in guests)
    assert len(caplog.records) == 2


async def ends(stream: trio.SocketStream) -> bytes:
    """What is still said until the server closes."""
    heard = b""
    with trio.fail_after(PATIENCE_S):
        while chunk := await stream.receive_some():
            heard += chunk
    return heard


async def begun(api: Served, stack: AsyncExitStack, data: bytes, *, says: bytes = b"") -> trio.SocketStream:
    stream = await stack.enter_async_context(await trio.open_tcp_stream("127.0.0.1", api.port))
    await stream.send_all(data)
    heard = b""
    with trio.fail_after(PATIENCE_S):
        while says not in heard:
            heard += await stream.receive_some()
    return stream


@pytest.mark.wire
@pytest.mark.api("http-places")
@pytest.mark.parametrize("begin", [b"", BEGUN, BEGUN_BODY, BEGUN_HTTP_2])
@in_real_time
async def test_half_requests_lock_nobody_out(begin: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "PEER_CONNECTIONS_MAX", 5)
    async with served() as api, AsyncExitStack() as stack:
        socket = await begun(api, stack, HANDSHAKE, says=b"siteTitle")
        kept = await begun(api, stack, WHOLE, says=b"OK\n")
        half = [await begun(api, stack, begin) for _ in range(8)]
        assert (await api.post("/api/loadpoints/1/mode/off")).status_code == 200
        for stream in half[:6]:
            await ends(stream)
        await kept.send_all(WHOLE)
        assert b"200 OK" in await kept.receive_some()
        await api.post("/api/loadpoints/1/mode/pv")
        assert b'"loadpoints.0.mode":"' in await socket.receive_some()


@pytest.mark.wire
@pytest.mark.api("http-places")
@in_real_time
async def test_connections_that_are_over_hold_no_place(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(serve, "PEER_CONNECTIONS_MAX", 2)
    async with served() as api:
        for _ in range(6):
            async with AsyncExitStack() as stack:
                stream = await begun(api, stack, WHOLE, says=b"OK\n")
                await stream.send_eof()
                await ends(stream)
    assert "the limit" not in caplog.text


@pytest.mark.wire
@pytest.mark.api("http-places")
@pytest.mark.parametrize(
    ("where", "limit", "says"),
    [(serve, "IDLE_MAX_S", WHOLE), (serve, "IDLE_MAX_S", b""), (connection, "READ_MAX_S", BEGUN)],
)
@in_real_time
async def test_a_connection_that_does_not_go_on_is_closed(
    where: ModuleType, limit: str, says: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, limit, 0.1)
    async with served() as api, AsyncExitStack() as stack:
        await ends(await begun(api, stack, says))


@pytest.mark.wire
@pytest.mark.api("http-places")
@in_real_time
async def test_many_together_lock_nobody_out_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "CONNECTIONS_MAX", 3)
    async with served() as api, AsyncExitStack() as stack:
        half = [await begun(api, stack, BEGUN) for _ in range(5)]
        assert (await api.get("/api/health")).status_code == 200
        for stream in half[:3]:
            await ends(stream)


@pytest.mark.wire
@pytest.mark.api("http-places")
@pytest.mark.parametrize(("says", "answer"), [(WHOLE, b"OK\n"), (HANDSHAKE, b"siteTitle"), (b"", b"")])
@in_real_time
async def test_a_connection_that_its_client_has_closed_is_closed(says: bytes, answer: bytes) -> None:
    async with served() as api, AsyncExitStack() as stack:
        stream = await begun(api, stack, says, says=answer)
        await stream.send_eof()
        await ends(stream)
