"""``/ws``: everything in the first frame, changes after it, pings and closes answered, slow clients nobody's problem."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from api_home import Served, served
from trio_test import in_real_time
from trio_websocket import WebSocketConnection, open_websocket_url

from evcc_server.http.home import ApiOptions
from evcc_server.http.live_socket import frames, picture
from evcc_server.http.serving import connection, serve
from evcc_server.state.hub import Key, Level, News, Notice
from evcc_server.state.values import Value

pytestmark = pytest.mark.wire

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@asynccontextmanager
async def watching(
    api: Served, path: str = "/ws", headers: list[tuple[bytes, bytes]] | None = None
) -> AsyncIterator[WebSocketConnection]:
    async with open_websocket_url(f"ws://127.0.0.1:{api.port}{path}", extra_headers=headers) as socket:
        yield socket
        with trio.move_on_after(1):
            # The client library fails on a server's ping that meets its own close; ours comes right after the handshake.
            await socket.ping(b"last")


async def frame(socket: WebSocketConnection) -> dict[str, Any]:
    with trio.fail_after(5):
        content = json.loads(await socket.get_message())
    assert isinstance(content, dict)
    return content


@pytest.mark.api("WS-first", "row-32")
@pytest.mark.parametrize("path", ["/ws", "/api/ws"])
@in_real_time
async def test_the_first_frame_is_the_whole_state(path: str) -> None:
    async with served() as api, watching(api, path) as socket:
        first = await frame(socket)
        state = await api.state()
        loadpoints = state.pop("loadpoints")
        keys = set(state) | {f"loadpoints.{index}.{key}" for index, keys in enumerate(loadpoints) for key in keys}
        assert set(first) == keys
        assert first["gridEnergy"] == 9120.573
        assert first["pv"] == [{"power": 4120}, {"power": 2120}]
        assert first["loadpoints.0.mode"] == "pv"
        assert first["loadpoints.0.targetTime"] is None
        assert first["loadpoints.0.enableDelay"] == 60


@pytest.mark.api("WS-update", "R-2")
@in_real_time
async def test_a_change_comes_once_and_alone() -> None:
    async with served() as api, watching(api) as socket:
        await frame(socket)
        await api.post("/api/loadpoints/2/mincurrent/8")
        assert await frame(socket) == {"loadpoints.1.minCurrent": 8}
        await api.post("/api/loadpoints/2/mincurrent/8")
        await api.post("/api/residualpower/123456.789e-2")
        assert await frame(socket) == {"residualPower": 1234.6}
        await api.post("/api/loadpoints/1/target/time/2023-03-07T06:00:00.9Z")
        assert (await frame(socket))["loadpoints.0.targetTime"] == "2023-03-07T07:00:00+01:00"


@pytest.mark.api("WS-first", "WS-update")
@in_real_time
async def test_after_the_first_frame_each_key_has_one_of_its_own() -> None:
    """A Domoticz plugin and a client of openHAB take any frame with several keys for a new picture of everything."""
    async with served() as api, watching(api) as socket:
        shown = await frame(socket)
        api.home.grid_is_silent = True
        api.home.cycle()
        api.home.hub.tell(Level.WARN, "the last word")
        changed: dict[str, Any] = {}
        while "warn" not in changed:
            later = await frame(socket)
            assert len(later) == 1
            changed |= later
        assert len(changed) > 3
        assert (shown | changed)["gridPower"] == (await api.state())["gridPower"]


@pytest.mark.api("WS-first")
def test_what_is_told_before_the_first_state_does_not_stand_for_it() -> None:
    news = News({}, (Notice(Level.WARN, "x"),))
    assert list(picture(news)) == [{"warn": "x"}]
    values: dict[Key, Value] = {(None, "a"): 1, (0, "b"): 2, ("golf", "c"): 3}  # a vehicle has no place here
    assert list(picture(News(values, news.messages))) == [{"a": 1, "loadpoints.0.b": 2}, {"warn": "x"}]


@pytest.mark.api("WS-messages")
@in_real_time
async def test_messages_come_as_frames_of_their_own() -> None:
    async with served() as api, watching(api) as socket:
        await frame(socket)
        api.home.hub.tell(Level.WARN, 'the "grid" meter is silent')
        api.home.hub.tell(Level.ERROR, "worse")
        assert await frame(socket) == {"warn": 'the "grid" meter is silent'}
        assert await frame(socket) == {"error": "worse"}
    news = News({(None, "a"): 1}, (Notice(Level.WARN, "x"), Notice(Level.WARN, "y")))
    assert list(frames(news)) == [{"a": 1}, {"warn": "x"}, {"warn": "y"}]


@pytest.mark.api("WS-client", "DEV-13")
@in_real_time
async def test_what_a_client_sends_is_discarded_and_its_pings_are_answered() -> None:
    async with served() as api, watching(api) as socket:
        await frame(socket)
        for _ in range(50):
            await socket.send_message("{not json")
            await socket.send_message(b"\x00\xff")
        with trio.fail_after(5):
            await socket.ping(b"are you there")
        await api.post("/api/residualpower/7")
        assert await frame(socket) == {"residualPower": 7}


@pytest.mark.api("WS-origin", "http-origin")
@in_real_time
async def test_a_page_of_a_foreign_origin_is_not_let_in() -> None:
    async with served() as api:
        async with await trio.open_tcp_stream("127.0.0.1", api.port) as stream:
            await stream.send_all(HANDSHAKE.replace(b"\r\n\r\n", b"\r\nOrigin: https://evil.example\r\n\r\n"))
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 403")
        own = [(b"Origin", f"http://127.0.0.1:{api.port}".encode())]
        async with watching(api, headers=own) as socket:
            assert await frame(socket)


@pytest.mark.api("WS-origin")
@in_real_time
async def test_our_page_is_let_in_by_whatever_name_it_was_opened_and_others_are_told_the_cure() -> None:
    def asked(origin: str, host: str) -> bytes:
        return HANDSHAKE.replace(b"Host: x", f"Host: {host}\r\nOrigin: {origin}".encode())

    async with served(options=ApiOptions(is_local_only=True)) as api:
        async with await trio.open_tcp_stream("127.0.0.1", api.port) as stream:
            await stream.send_all(asked("http://evcc.local:7070", "evcc.local:7070"))
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 101")
        async with await trio.open_tcp_stream("127.0.0.1", api.port) as stream:
            await stream.send_all(asked("http://evil.example", "evcc.local:7070"))
            heard = b""
            while not heard.endswith(b"}\n"):
                heard += await stream.receive_some()
            assert heard.startswith(b"HTTP/1.1 403")
            assert b"network: allowedOrigins" in heard


@pytest.mark.api("row-32")
@in_real_time
async def test_a_plain_request_is_a_bad_one() -> None:
    async with served() as api:
        response = await api.get("/ws")
        assert (response.status_code, response.text) == (400, "Bad Request\n")
        assert response.headers["content-type"].startswith("text/plain")


@pytest.mark.api("WS-close")
@in_real_time
async def test_the_server_says_that_it_goes() -> None:
    async with served() as api, await trio.open_tcp_stream("127.0.0.1", api.port) as stream:
        await stream.send_all(HANDSHAKE)
        heard = b""
        while b"siteTitle" not in heard:
            heard += await stream.receive_some()
        began = time.perf_counter()
        api.stop.set()
        with trio.fail_after(3):
            while chunk := await stream.receive_some():
                heard += chunk
        assert heard.endswith(b"\x88\x02" + (1001).to_bytes(2, "big"))
        assert time.perf_counter() - began < 1.5


@pytest.mark.api("WS-slow", "R-5", "DEV-14")
@in_real_time
async def test_a_client_that_does_not_read_delays_nobody_and_not_the_end() -> None:
    async with served() as api, await trio.open_tcp_stream("127.0.0.1", api.port) as stalled:
        await stalled.send_all(HANDSHAKE)
        async with watching(api) as socket:
            await frame(socket)
            for number in range(300):
                api.home.hub.tell(Level.WARN, f"{number} " + "x" * 50_000)
                if number % 10 == 9:
                    for _ in range(10):
                        await frame(socket)
            assert (await api.get("/api/state")).status_code == 200
        began = trio.current_time()
        api.stop.set()
        with trio.fail_after(10):
            await api.ended.wait()
        assert trio.current_time() - began < 3


@pytest.mark.api("WS-slow", "DEV-14")
@in_real_time
async def test_a_client_that_takes_nothing_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SEND_MAX_S", 0.3)
    async with served() as api, await trio.open_tcp_stream("127.0.0.1", api.port) as stalled:
        await stalled.send_all(HANDSHAKE)
        with trio.fail_after(20):
            while not api.home.hub._subscriptions:
                await trio.lowlevel.checkpoint()
            while api.home.hub._subscriptions:
                api.home.hub.tell(Level.WARN, "x" * 100_000)
                await trio.lowlevel.checkpoint()
        async with watching(api) as socket:
            assert await frame(socket)


@pytest.mark.api("WS-client", "DEV-13")
@in_real_time
async def test_a_client_that_answers_no_ping_is_dropped_and_an_idle_one_that_does_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serve, "PING_INTERVAL_S", 0.3)
    monkeypatch.setattr(connection, "SILENCE_MAX_S", 0.8)
    async with served() as api, await trio.open_tcp_stream("127.0.0.1", api.port) as dead, watching(api) as alive:
        await frame(alive)
        await dead.send_all(HANDSHAKE)
        heard = b""
        with trio.fail_after(20):
            while chunk := await dead.receive_some():
                heard += chunk
        assert heard.count(b"\x89\x00") >= 2
        await api.post("/api/residualpower/8")
        assert await frame(alive) == {"residualPower": 8}
