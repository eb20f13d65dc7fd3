#!/usr/bin/env bash
# python-openevse-http: charging_power, "Watts" by its description, is a thousand times too large, and usage_total, "Wh", is Wh or kWh.
#
# One would guess: the units that the properties' descriptions give; usage_session and usage_total are alike, both "in Wh".
# What happens: OpenEVSE's status has `amp` in mA and `total_energy` in kWh (the firmware's own description says so). They are handed on as they
#   are: a car at 230 V and 16 A is said to charge with 3680000 W. usage_total is the firmware's kWh where it has total_energy, and Wh of
#   the older firmware's `watthour` where it has not, so with an update of the charger the counter falls to a thousandth.
#   usage_session is in Wh with both.
# What helps: charging_power / 1000; for usage_total a look at which firmware it is.
# Versions: python-openevse-http 0.2.5, the last one for Python 3.11 (in 1.9.1, for newer ones, these lines read the same). Date: 2026-12-01.
# Source: read beside models/Status.yaml of OpenEVSE's firmware, then run with a charger of our own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  python-openevse-http==0.2.5 awesomeversion==25.8.0 aiohttp==3.13.2
"$folder/venv/bin/python" - <<'PY'
import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version

import aiohttp
from openevsehttp.__main__ import OpenEVSE

STATUS = {  # one and the same charge as two firmwares tell it; [mA], [V]; [Ws] and [Wh], then [Wh] and [kWh]
    "3.3.1": {"amp": 16000, "voltage": 230, "state": 3, "wattsec": 26640000, "watthour": 1500500},
    "4.1.5": {"amp": 16000, "voltage": 230, "state": 3, "session_energy": 7400, "total_energy": 1500.5},
}


def charger(firmware):
    class Charger(BaseHTTPRequestHandler):
        def do_GET(self):
            answer = STATUS[firmware] if self.path == "/status" else {"version": firmware}
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Charger)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"127.0.0.1:{server.server_port}"


async def read(firmware):
    async with aiohttp.ClientSession() as session:
        evse = OpenEVSE(charger(firmware), session=session)
        await evse.update()
    return evse.charging_power, evse.usage_session, evse.usage_total


def told(name):
    """The words that describe a property, on one line."""
    return " ".join(getattr(OpenEVSE, name).__doc__.split())


NAMES = "charging_power", "usage_session", "usage_total"
print(f"python-openevse-http {version('python-openevse-http')}: 16 A at 230 V, 7.4 kWh so far, 1500.5 kWh in the charger's life")
found = {firmware: asyncio.run(read(firmware)) for firmware in STATUS}
for firmware, values in found.items():
    print(f"firmware {firmware}: {dict(zip(NAMES, values, strict=True))}")
for name in NAMES:
    print(f"{name}: {told(name)}")
assert "Watts" in told("charging_power") and "in Wh" in told("usage_session") and "in Wh" in told("usage_total")
assert found == {"3.3.1": (3680000, 7400, 1500500), "4.1.5": (3680000, 7400, 1500.5)}
PY
