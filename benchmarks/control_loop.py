"""Control-loop latency over Modbus TCP on loopback: from the grid meter's answer to the charger's write.

The home is a process of its own (`benchmarks.lab_home`), the server is the real one in this process. The absolute time says much
about the machine; the ratio to one raw socket round trip between the same two processes says more about us.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping

import trio

from benchmarks.timing import percentile
from evcc_server.app import open_server
from evcc_server.config.load import parse_config
from evcc_server.config.options import Options

SECONDS = 25.0
ROUND_TRIPS = 2000
REQUEST = bytes(12)  # a Modbus TCP read request has as many bytes


async def _round_trips_s(port: int) -> list[float]:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    times = []
    async with stream:
        for _ in range(ROUND_TRIPS):
            began = time.perf_counter()
            await stream.send_all(REQUEST)
            await stream.receive_some(64)
            times.append(time.perf_counter() - began)
    return times


async def _run_server(config_text: str) -> int:
    config = parse_config(config_text, "lab.yaml")
    async with open_server(config, options=Options(database=":memory:")) as server, trio.open_nursery() as nursery:
        await nursery.start(server.run)
        await trio.sleep(SECONDS)
        steps = server.loop.steps
        nursery.cancel_scope.cancel()
    return steps


def run() -> Mapping[str, float]:
    """Latencies [ms], the raw round trip [ms] and the ratio of the medians."""
    home = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.lab_home"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert home.stdin is not None
    assert home.stdout is not None
    try:
        first = json.loads(home.stdout.readline())
        raw_s = trio.run(_round_trips_s, first["echo"])
        steps = trio.run(_run_server, first["config"])
        home.stdin.close()
        latencies_s: list[float] = json.loads(home.stdout.readline())
    finally:
        home.kill()
        home.wait()
    # The first writes belong to start-up: connections are opened, the charger is brought under control.
    latencies_s = latencies_s[5:]
    if not latencies_s:
        raise RuntimeError("the server never wrote a current to the charger")
    raw_ms = percentile(raw_s, 0.5) * 1e3
    return {
        "writes": len(latencies_s),
        "steps": steps,
        "latency_p50_ms": percentile(latencies_s, 0.5) * 1e3,
        "latency_p99_ms": percentile(latencies_s, 0.99) * 1e3,
        "raw_round_trip_p50_ms": raw_ms,
        "raw_round_trip_p99_ms": percentile(raw_s, 0.99) * 1e3,
        "ratio_p50": percentile(latencies_s, 0.5) * 1e3 / raw_ms,
    }
