"""Real MQTT programs: mosquitto as an outside broker, mosquitto_sub and mosquitto_pub as clients."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/sbin:/bin")
SUBSCRIBE = shutil.which("mosquitto_sub")
PUBLISH = shutil.which("mosquitto_pub")

needs_broker = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
needs_clients = pytest.mark.skipif(SUBSCRIBE is None or PUBLISH is None, reason="mosquitto-clients are not installed")

PATIENCE_S = 10.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def broker(folder: Path, port: int, *extra: str) -> AsyncIterator[None]:
    """mosquitto on ``port`` until the block ends; ``extra`` are lines of its configuration."""
    assert MOSQUITTO is not None
    config = folder / f"mosquitto-{port}.conf"
    anonymous = () if any(line.startswith("password_file") for line in extra) else ("allow_anonymous true",)
    config.write_text("\n".join((f"listener {port} 127.0.0.1", *anonymous, *extra)) + "\n")
    process = await trio.lowlevel.open_process(
        [MOSQUITTO, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        await _until_it_listens(port)
        yield
    finally:
        process.terminate()
        with trio.CancelScope(shield=True), trio.fail_after(PATIENCE_S):
            await process.wait()


async def _until_it_listens(port: int) -> None:
    with trio.fail_after(PATIENCE_S):
        while True:
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", port)
            except OSError:
                await trio.sleep(0.01)
            else:
                await stream.aclose()
                return


async def publish(port: int, topic: str, payload: str, *options: str) -> None:
    """``mosquitto_pub -t topic -m payload``."""
    assert PUBLISH is not None
    message = ["-m", payload] if payload else ["-n"]
    with trio.fail_after(PATIENCE_S):
        await trio.run_process(
            [PUBLISH, "-h", "127.0.0.1", "-p", str(port), "-t", topic, *message, *options], capture_stderr=True
        )


async def retained(port: int, *filters: str, options: tuple[str, ...] = ()) -> dict[str, str]:
    """Everything that lies retained under ``filters``, as ``mosquitto_sub --retained-only`` shows it."""
    async with subscriber(port, *filters, options=("--retained-only", *options)) as lines:
        found: dict[str, str] = {}
        with trio.move_on_after(0.4) as scope:
            async for topic, payload in lines:
                found[topic] = payload
                scope.deadline = trio.current_time() + 0.2
        return found


@asynccontextmanager
async def subscriber(
    port: int, *filters: str, options: tuple[str, ...] = ()
) -> AsyncIterator[trio.MemoryReceiveChannel[tuple[str, str]]]:
    """``mosquitto_sub -v``: topics and payloads as they arrive; subscribed when the block begins."""
    assert SUBSCRIBE is not None
    arguments = [SUBSCRIBE, "-h", "127.0.0.1", "-p", str(port), "-F", "%t\t%p", *options]
    for each in filters:
        arguments += ["-t", each]
    send, receive = trio.open_memory_channel[tuple[str, str]](10_000)
    process = await trio.lowlevel.open_process(
        ["stdbuf", "-oL", *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    output = process.stdout

    async def read() -> None:
        rest = b""
        async for chunk in output:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                topic, _, payload = line.decode().partition("\t")
                send.send_nowait((topic, payload))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        try:
            yield receive
        finally:
            process.terminate()
            with trio.CancelScope(shield=True), trio.fail_after(PATIENCE_S):
                await process.wait()
            nursery.cancel_scope.cancel()
    await output.aclose()


async def wait_for(lines: trio.MemoryReceiveChannel[tuple[str, str]], topic: str, payload: str) -> None:
    """Read on until ``payload`` comes on ``topic``."""
    with trio.fail_after(PATIENCE_S):
        async for line in lines:
            if line == (topic, payload):
                return
