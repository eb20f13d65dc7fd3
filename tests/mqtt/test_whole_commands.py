"""A command that has arrived whole is carried out, however its client leaves: over TCP and over a WebSocket."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

import pytest
import trio
from mqtt_by_hand import DISCONNECT, PATIENCE_S, connect_packet, publish_packet
from trio_test import in_real_time
from websockets.sync.client import connect as websocket
from websockets.typing import Subprotocol

from evcc_server.mqtt.broker_link import Connected, LinkEvent, MqttOptions, Received
from evcc_server.mqtt.embedded import EmbeddedBroker

pytestmark = pytest.mark.wire

SET = "evcc/site/residualPower/set"
TRIES = range(20)


def close(peer: socket.socket) -> None:
    peer.close()


def reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def over_tcp(link: EmbeddedBroker, said: bytes, leave: Callable[[socket.socket], None]) -> None:
    peer = socket.create_connection(("127.0.0.1", link.ports["tcp"]))
    peer.sendall(said)
    leave(peer)


def over_websocket(link: EmbeddedBroker, said: bytes, leave: Callable[[socket.socket], None]) -> None:
    client = websocket(f"ws://127.0.0.1:{link.ports['websocket']}", subprotocols=[Subprotocol("mqtt")])
    client.send(said)
    leave(client.socket)


@pytest.mark.parametrize("goodbye", [b"", DISCONNECT])
@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("leave", [close, reset])
@pytest.mark.parametrize("say", [over_tcp, over_websocket])
@in_real_time
async def test_who_has_commanded_may_leave_at_once(
    say: Callable[[EmbeddedBroker, bytes, Callable[[socket.socket], None]], None],
    leave: Callable[[socket.socket], None],
    qos: int,
    goodbye: bytes,
) -> None:
    link = EmbeddedBroker(MqttOptions(port=0, websocket_port=0))
    received: list[LinkEvent] = []
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        assert await link.receive() == Connected()
        for number in TRIES:
            payload = str(number).encode()
            say(link, connect_packet(f"c{number}") + publish_packet(SET, payload, qos=qos) + goodbye, leave)
        with trio.fail_after(PATIENCE_S):
            received = [await link.receive() for _ in TRIES]
        nursery.cancel_scope.cancel()
    assert {each.payload for each in received if isinstance(each, Received)} == {str(n).encode() for n in TRIES}
