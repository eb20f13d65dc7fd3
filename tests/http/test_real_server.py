"""The real server as a process: nothing it says is lost by ``kill -9``, and devices that don't answer hold up no answer."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trio
from trio_test import in_real_time

pytestmark = pytest.mark.wire

CONFIG = """
interval: 1s
timezone: Europe/Berlin
mqtt: {{topic: ""}}
database: {{path: {database}}}
network: {{host: 127.0.0.1, port: {port}}}
site: {{title: Home, meters: {{grid: grid}}}}
meters:
- {{name: grid, type: template, template: eastron, usage: grid, modbus: rs485tcpip, host: 127.0.0.1, port: {device}, id: 1}}
chargers:
- {{name: box, type: template, template: keba-modbus, modbus: tcpip, host: 127.0.0.1, port: {other}, id: 255}}
vehicles:
- {{name: golf, type: offline, title: Blue Golf, capacity: 36}}
loadpoints:
- {{title: Carport, charger: box, mode: pv, mincurrent: 6, maxcurrent: 16}}
"""


@asynccontextmanager
async def silent_device() -> AsyncIterator[int]:
    """The port of a device that takes connections and never says a word."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")

    async def swallow(stream: trio.SocketStream) -> None:
        with contextlib.suppress(trio.BrokenResourceError):  # whoever gives up cuts the line
            while await stream.receive_some():
                pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, swallow, listeners)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def running(config: Path) -> AsyncIterator[trio.Process]:
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "evcc_server.cli", "-c", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert process.stderr is not None
        said = b""
        with trio.fail_after(30):
            while b"API on " not in said:
                said += await process.stderr.receive_some()
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


@pytest.mark.api("R-3", "P-2", "P-3", "API-4")
@in_real_time
async def test_settings_survive_kill_9_and_win_over_the_file_while_all_devices_are_silent(tmp_path: Path) -> None:
    async with silent_device() as device, silent_device() as other:
        port = free_port()
        config = tmp_path / "evcc.yaml"

        text = CONFIG.format(device=device, other=other, port=port, database=tmp_path / "evcc.db")
        config.write_text(text, encoding="utf-8")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            async with running(config) as process:
                for path in (
                    "mode/now",
                    "maxcurrent/20",
                    "mincurrent/8",
                    "priority/3",
                    "target/soc/70",
                    "enable/delay/90",
                ):
                    began = time.perf_counter()
                    assert (await client.post(f"/api/loadpoints/1/{path}")).status_code == 200
                    assert time.perf_counter() - began < 1.5
                assert (await client.post("/api/residualpower/-150")).status_code == 200
                process.send_signal(signal.SIGKILL)
                assert await process.wait() == -signal.SIGKILL
            async with running(config) as process:
                state = (await client.get("/api/state")).json()["result"]
                loadpoint = state["loadpoints"][0]
                assert (loadpoint["mode"], loadpoint["maxCurrent"], loadpoint["minCurrent"]) == ("now", 20, 8)
                assert (loadpoint["priority"], loadpoint["targetSoc"]) == (3, 70)
                assert loadpoint["enableDelay"] == 90_000_000_000
                assert state["residualPower"] == -150
                assert (await client.get("/api/health")).status_code == 500
                began = time.perf_counter()
                process.send_signal(signal.SIGINT)
                assert await process.wait() == 0
                assert time.perf_counter() - began < 5
