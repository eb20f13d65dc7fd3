#!/usr/bin/env bash
# paho-mqtt: what was published before the line broke is delivered after it, before anything newer, although the session is clean.
#
# One would guess: with clean_session=True (the default) client and broker forget everything when a connection ends, as MQTT 3.1.1
#   section 3.1.2.4 says; a command that got no PUBACK is lost, and whoever needs it says it again.
# What happens: the client keeps QoS 1 messages without PUBACK, and those published while it was not connected, and sends them
#   first on its next connection: a charging station hears "16 A" of minutes ago before the "6 A" of now.
# What helps: client.drop_out_messages() in on_connect, before anything is published.
# Versions: paho-mqtt 2.2.0, Python 3.11. Date: 2026-11-30. Source: seen while answers of a broker were withheld from a charger driver.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check paho-mqtt==2.2.0
"$folder/venv/bin/python" - <<'PY'
import socket, struct, threading
from importlib.metadata import version

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion


def packets(line):
    """MQTT packets as (type and flags, body)."""
    data = b""
    while chunk := line.recv(4096):
        data += chunk
        while len(data) >= 2 and len(data) >= 2 + data[1]:  # all of ours are short
            head, body, data = data[0], data[2 : 2 + data[1]], data[2 + data[1] :]
            yield head, body


def published(body):
    size = struct.unpack(">H", body[:2])[0]
    return body[2 + size + 2 :].decode()


def run(*, drops):
    """A broker that never acknowledges and cuts the first connection; what it hears on the second, in order."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard, is_over = [], threading.Event()

    def broker():
        for connection in (1, 2):
            line, _ = listener.accept()
            for head, body in packets(line):
                if head >> 4 == 1:
                    flags = body[7]
                    assert flags & 0b10, "the client asks for a clean session"
                    line.sendall(b"\x20\x02\x00\x00")  # CONNACK
                elif head >> 4 == 3:
                    if connection == 1:
                        break  # no PUBACK
                    heard.append(published(body))
                    if heard[-1] == "6 A":
                        is_over.set()
                        break
            line.close()

    threading.Thread(target=broker, daemon=True).start()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="charger")
    client.reconnect_delay_set(1, 1)
    connected = [threading.Event(), threading.Event()]

    def on_connect(client, *_):
        if connected[0].is_set() and drops:
            client.drop_out_messages()
        connected[1 if connected[0].is_set() else 0].set()

    client.on_connect = on_connect
    client.connect("127.0.0.1", listener.getsockname()[1])
    client.loop_start()
    for again, value in zip(connected, ("16 A", "6 A")):
        assert again.wait(30)
        client.publish("current/set", value, qos=1)
    assert is_over.wait(30), heard
    client.disconnect()
    client.loop_stop()
    listener.close()
    return heard


print("paho-mqtt", version("paho-mqtt"))
usual, dropped = run(drops=False), run(drops=True)
print("published while connected for the first time: 16 A, not acknowledged; after the reconnection: 6 A")
print("heard on connection 2:", usual)
print("with drop_out_messages() in on_connect:", dropped)
assert "16 A" in usual, "no longer: the old message was forgotten"
assert dropped == ["6 A"], "drop_out_messages() no longer helps"
PY
