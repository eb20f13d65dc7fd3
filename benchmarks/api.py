"""``GET /api/state`` of a home with two loadpoints, and what one change costs until a WebSocket client has it.

The server runs in a process of its own on loopback; the client speaks HTTP/1.1 over bare sockets, so that mostly the server is
measured. ``run()`` returns requests per second and milliseconds.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trio

from benchmarks.timing import percentile

ROOT = Path(__file__).resolve().parent.parent
REQUESTS = 1000
CONNECTIONS = 8
CHANGES = 200
GET_STATE = b"GET /api/state HTTP/1.1\r\nHost: bench\r\n\r\n"
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def run() -> dict[str, float]:
    """The numbers of this subject."""
    with _home() as port:
        return trio.run(_measure, port)


@contextmanager
def _home() -> Iterator[int]:
    program = ROOT / "tests" / "http" / "serve_until_closed.py"
    path = ":".join([str(ROOT / "tests"), *sys.path])
    with subprocess.Popen(
        [sys.executable, str(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": path},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.stdin.close()


async def _measure(port: int) -> dict[str, float]:
    await _requests(port, 50)  # warm up
    alone = await _requests(port, REQUESTS // 2)
    began = time.perf_counter()
    times: list[float] = []

    async def client() -> None:
        times.extend(await _requests(port, REQUESTS // CONNECTIONS))

    async with trio.open_nursery() as nursery:
        for _ in range(CONNECTIONS):
            nursery.start_soon(client)
    took = time.perf_counter() - began
    changes = await _changes(port)
    return {
        "state_one_client_p50_ms": percentile(alone, 0.5) * 1e3,
        "state_one_client_p99_ms": percentile(alone, 0.99) * 1e3,
        f"state_{CONNECTIONS}_clients_per_s": len(times) / took,
        f"state_{CONNECTIONS}_clients_p99_ms": percentile(times, 0.99) * 1e3,
        "setting_to_websocket_p50_ms": percentile(changes, 0.5) * 1e3,
        "setting_to_websocket_p99_ms": percentile(changes, 0.99) * 1e3,
    }


async def _requests(port: int, count: int) -> list[float]:
    times = []
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        for _ in range(count):
            began = time.perf_counter()
            await stream.send_all(GET_STATE)
            await _answer(stream)
            times.append(time.perf_counter() - began)
    return times


async def _changes(port: int) -> list[float]:
    """From sending a setting to the frame that shows it; the setting is committed to the disk in between."""
    times = []
    async with (
        await trio.open_tcp_stream("127.0.0.1", port) as watcher,
        await trio.open_tcp_stream("127.0.0.1", port) as setter,
    ):
        await watcher.send_all(HANDSHAKE)
        heard = bytearray()
        while b"vehicleTitle" not in heard:
            heard += await watcher.receive_some()
        for number in range(CHANGES):
            frame = f'{{"residualPower":{number + 1}}}'.encode()
            heard.clear()
            began = time.perf_counter()
            request = f"POST /api/residualpower/{number + 1} HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n\r\n"
            await setter.send_all(request.encode())
            while frame not in heard:
                heard += await watcher.receive_some()
            times.append(time.perf_counter() - began)
            await _answer(setter)
    return times


async def _answer(stream: trio.SocketStream) -> None:
    answer = bytearray()
    while True:
        answer += await stream.receive_some()
        head, found, body = answer.partition(b"\r\n\r\n")
        if found:
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            if len(body) >= length:
                return
