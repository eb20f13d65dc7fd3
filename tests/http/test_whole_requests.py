"""A request that has arrived whole is carried out whole, however its client leaves; one that has not, is not.

Quart 0.22.0 under Hypercorn 0.18.0 alone drops it: findings/quart_drops_the_work_of_a_half_closed_request.sh.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

import pytest
import trio
import trio.testing
from api_home import Served, served
from trio_test import in_real_time

from evcc_server.http.serving.callers import Callers
from evcclib.requests import ChangeLoadpointSetting

pytestmark = [pytest.mark.wire, pytest.mark.api("http-whole")]

PATIENCE_S = 10.0
TRIES = range(6, 16)


def close(peer: socket.socket) -> None:
    peer.close()


def reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def half_close_and_close(peer: socket.socket) -> None:
    peer.shutdown(socket.SHUT_WR)
    peer.close()


def post(path: str, *, announced: int = 0, body: bytes = b"", version: str = "1.1") -> bytes:
    return f"POST {path} HTTP/{version}\r\nHost: x\r\nContent-Length: {announced}\r\n\r\n".encode() + body


def say_and_leave(api: Served, said: bytes, leave: Callable[[socket.socket], None]) -> None:
    """All of it at once: the server, in this same thread, gets to see nothing before its client has gone."""
    peer = socket.create_connection(("127.0.0.1", api.port))
    peer.sendall(said)
    leave(peer)


async def carried_out(api: Served, count: int) -> list[float]:
    """The currents that were asked for, as soon as there are ``count``."""
    with trio.fail_after(PATIENCE_S):
        while len(api.home.submitted) < count:
            await trio.lowlevel.checkpoint()
    return sorted(
        request.value
        for request in api.home.submitted
        if isinstance(request, ChangeLoadpointSetting) and isinstance(request.value, float)
    )


@pytest.mark.parametrize("leave", [close, reset, half_close_and_close])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
@in_real_time
async def test_who_has_asked_may_leave_at_once(leave: Callable[[socket.socket], None], version: str) -> None:
    async with served() as api:
        for amps in TRIES:
            say_and_leave(api, post(f"/api/loadpoints/1/mincurrent/{amps}", version=version), leave)
        assert await carried_out(api, len(TRIES)) == list(TRIES)


@in_real_time
async def test_a_client_that_leaves_during_the_commit_does_not_stop_it() -> None:
    async with served() as api:
        stream = await trio.open_tcp_stream("127.0.0.1", api.port)
        async with api.home._turn:  # what came before is still being written
            await stream.send_all(post("/api/loadpoints/1/mincurrent/8"))
            await trio.testing.wait_all_tasks_blocked(0.01)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await stream.aclose()
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert api.home.submitted == []
        assert await carried_out(api, 1) == [8.0]


@in_real_time
async def test_all_requests_of_one_segment_are_carried_out() -> None:
    async with served() as api:
        both = post("/api/loadpoints/1/mincurrent/8") + post("/api/loadpoints/2/mincurrent/9")
        say_and_leave(api, both, reset)
        assert await carried_out(api, 2) == [8.0, 9.0]


@in_real_time
async def test_who_closes_its_side_only_gets_the_answer() -> None:
    async with served() as api:
        for amps in TRIES:
            async with await trio.open_tcp_stream("127.0.0.1", api.port) as stream:
                await stream.send_all(post(f"/api/loadpoints/1/mincurrent/{amps}"))
                await stream.send_eof()
                answer = b""
                with trio.fail_after(PATIENCE_S):
                    while chunk := await stream.receive_some():
                        answer += chunk
                assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
                assert answer.endswith(f'{{"result":{amps}}}\n'.encode())


@pytest.mark.parametrize("leave", [close, reset, half_close_and_close])
@in_real_time
async def test_a_request_that_has_not_arrived_whole_is_dropped(leave: Callable[[socket.socket], None]) -> None:
    async with served() as api:
        say_and_leave(api, post("/api/loadpoints/1/mincurrent/8")[:-1], leave)
        say_and_leave(api, post("/api/loadpoints/1/mincurrent/8", announced=5, body=b"he"), leave)
        say_and_leave(api, post("/api/loadpoints/1/mincurrent/9", announced=5, body=b"hello"), leave)
        assert await carried_out(api, 1) == [9.0]
        assert (await api.loadpoint())["minCurrent"] == 9


@in_real_time
async def test_who_has_left_before_it_was_let_in_has_an_address() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with Callers(listener) as callers:
        peer = socket.create_connection(("127.0.0.1", callers.port))
        address = peer.getsockname()
        reset(peer)
        async with await callers.accept() as caller:
            assert caller.address == address
            with pytest.raises(OSError):  # which is why it is kept
                caller.stream.socket.getpeername()
