#!/usr/bin/env bash
# solax: the lifetime energy of an X3 EVC turns negative at 3276.8 kWh, and starts from zero at 6553.6 kWh.
#
# One would guess: "EQ Total" is put together from two registers of 16 bits and counts on: as an energy total it can but grow.
# What happens: the two registers make a number of 32 bits, which then passes a conversion for signed numbers of 16: 32768 tenths become
#   -3276.8 kWh, whatever is above 65535 only loses 65536. The charge during which a car passes that mark is booked with -6553.6 kWh.
#   X1 Lite LV's "Total Battery Charge" and "Total Battery Discharge" are made the same way.
# What helps: adding 6553.6 until it is not below the last reading.
# Versions: solax 3.2.4, Python 3.11. Date: 2026-12-01.
# Source: read in a comparison of charger and inverter clients, then run with a charger of our own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check solax==3.2.4
"$folder/venv/bin/python" - <<'PY'
import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version

from solax.inverters.x3_evc import X3EVC

ENERGY = 14  # register of the lifetime energy [0.1 kWh]: low word, then high word
holds = [0] * 96


class Charger(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = {"type": 1, "sn": "S", "ver": "3.014.01", "data": holds, "information": [11.0, 1, "C", *range(7)]}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Charger)
threading.Thread(target=server.serve_forever, daemon=True).start()


def read(energy_kwh):
    """What the library makes of a charger's lifetime energy."""
    tenths = round(10 * energy_kwh)
    holds[ENERGY], holds[ENERGY + 1] = tenths & 0xFFFF, tenths >> 16
    (charger,) = X3EVC.build_all_variants("127.0.0.1", server.server_port, "pin")
    return asyncio.run(charger.get_data()).data["EQ Total"]


print(f"solax {version('solax')}, X3 EVC: lifetime energy of the charger, and EQ Total [kWh]")
found = {energy_kwh: read(energy_kwh) for energy_kwh in (3276.7, 3276.8, 5000.0, 6553.6, 10000.0)}
for energy_kwh, seen in found.items():
    print(f"{energy_kwh}: {seen}")
assert found == {3276.7: 3276.7, 3276.8: -3276.8, 5000.0: -1553.6, 6553.6: 0.0, 10000.0: 3446.4}
PY
