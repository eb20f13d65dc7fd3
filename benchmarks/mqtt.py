"""How long a published value takes to reach a subscriber of the embedded broker, and how many it carries.

``run()`` returns milliseconds and rates; the subscriber is a bare socket on loopback in the same process.
"""

from __future__ import annotations

import json
import statistics
import struct
import time

import trio

from evcc_server.mqtt.broker_link import Connected, MqttOptions, Publication
from evcc_server.mqtt.embedded import EmbeddedBroker

SAMPLES = 500
BURST = 10
TREE = 250
TOPIC = "evcc/site/benchmark"


def run() -> dict[str, float]:
    """Latencies of single messages, of bursts of ten, and of a tree of retained topics for a new subscriber [ms]."""
    return trio.run(_run)


async def _run() -> dict[str, float]:
    link = EmbeddedBroker(MqttOptions(port=0))
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        assert await link.receive() == Connected()
        stream = await _subscribed(link.ports["tcp"], TOPIC)
        single = await _latencies(link, stream, burst=1)
        burst = await _latencies(link, stream, burst=BURST)
        tree_ms = await _retained(link)
        await stream.aclose()
        nursery.cancel_scope.cancel()
    return {
        "single_p50_ms": statistics.median(single),
        "single_p99_ms": statistics.quantiles(single, n=100)[98],
        "burst_of_10_p50_ms": statistics.median(burst),
        "burst_of_10_p99_ms": statistics.quantiles(burst, n=100)[98],
        f"{TREE}_retained_to_new_subscriber_ms": tree_ms,
    }


async def _latencies(link: EmbeddedBroker, stream: trio.SocketStream, *, burst: int) -> list[float]:
    taken: list[float] = []
    for _ in range(SAMPLES // burst):
        for _ in range(burst):
            sent_s = struct.pack(">d", time.perf_counter())
            link.publish(Publication(TOPIC, sent_s, is_retained=False))
        size = (2 + 2 + len(TOPIC) + 8) * burst
        received = bytearray()
        while len(received) < size:
            received += await stream.receive_some()
            now_s = time.perf_counter()
        for index in range(burst):
            (start_s,) = struct.unpack(">d", received[(index + 1) * size // burst - 8 : (index + 1) * size // burst])
            taken.append((now_s - start_s) * 1e3)
    return taken


async def _retained(link: EmbeddedBroker) -> float:
    for index in range(TREE):
        link.publish(Publication(f"evcc/tree/{index:04}", b"12345678"))
    await link.flush()
    start_s = time.perf_counter()
    stream = await _subscribed(link.ports["tcp"], "evcc/tree/#")
    size = (2 + 2 + len("evcc/tree/0000") + 8) * TREE
    received = 0
    while received < size:
        received += len(await stream.receive_some())
    await stream.aclose()
    return (time.perf_counter() - start_s) * 1e3


async def _subscribed(port: int, topic: str) -> trio.SocketStream:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    await stream.send_all(bytes([0x10, 12]) + b"\0\4MQTT\4\2\0\x3c\0\0")
    await _exactly(stream, 4)
    body = b"\0\1" + struct.pack(">H", len(topic)) + topic.encode() + b"\0"
    await stream.send_all(bytes([0x82, len(body)]) + body)
    await _exactly(stream, 5)
    return stream


async def _exactly(stream: trio.SocketStream, count: int) -> None:
    while count:
        count -= len(await stream.receive_some(count))


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
