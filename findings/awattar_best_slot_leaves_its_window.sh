#!/usr/bin/env bash
# awattar: best_slot(duration, start, end) offers a slot that ends after `end`, or one that began before `start`.
#
# One would guess: the cheapest slot that lies between the two times, and None if there is none; so a car is full by the time given.
# What happens: the last slot of the list is taken without a look at `end`. With the prices of today (until midnight) and a deadline
#   after 23:00, the slot until midnight is offered if it is cheap, for any duration. Minutes of `start` are cut off, so at
#   18:45 the slot since 18:00 is offered, of which three quarters are over.
# What helps: hand over only prices within the window (request(start, end)), or look at the slot's end and start.
# Versions: awattar 0.8.1, Python 3.11. Date: 2026-12-01. Source: read in a comparison of tariff clients, then run with a server of our own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check awattar==0.8.1
"$folder/venv/bin/python" - <<'PY'
import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version

from awattar.client import AwattarClient

DAY = datetime(2026, 12, 1, tzinfo=UTC)
HOUR = 3600_000  # [ms]
PRICES = [90] * 18 + [40, 80, 70, 80, 60, 30]  # [EUR/MWh] of the hours of the day


class Market(BaseHTTPRequestHandler):
    def do_GET(self):
        first = int(DAY.timestamp() * 1000)
        starts = [first + HOUR * hour for hour in range(24)]
        data = [
            {"start_timestamp": start, "end_timestamp": start + HOUR, "marketprice": price, "unit": "Eur/MWh"}
            for start, price in zip(starts, PRICES, strict=True)
        ]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"object": "list", "data": data}).encode())

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Market)
threading.Thread(target=server.serve_forever, daemon=True).start()


class Client(AwattarClient):
    def _make_url(self, *_):
        return f"http://127.0.0.1:{server.server_port}/v1/marketdata"


client = Client("DE")
client.request()


def slot(hours, start, end):
    """The slot for a start and an end given as (hour, minute), and what it is told to be."""
    found = client.best_slot(
        hours, DAY.replace(hour=start[0], minute=start[1]), DAY.replace(hour=end[0], minute=end[1])
    )
    times = (time.astimezone(UTC).strftime("%H:%M") for time in (found.start_datetime, found.end_datetime))
    return (*times, found.marketprice)


print(f"awattar {version('awattar')}: hours from 18:00 to midnight cost {PRICES[18:]}")
wanted = [(1, (19, 0), (22, 0)), (1, (19, 0), (23, 0)), (2, (19, 0), (23, 30)), (1, (18, 45), (22, 0))]
found = [slot(*window) for window in wanted]
for (hours, start, end), (begins, ends, price) in zip(wanted, found, strict=True):
    print(f"{hours} h between {start[0]}:{start[1]:02} and {end[0]}:{end[1]:02}: {begins} to {ends} at {price}")
assert found == [
    ("20:00", "21:00", 70.0),
    ("23:00", "00:00", 30.0),
    ("22:00", "00:00", 45.0),
    ("18:00", "19:00", 40.0),
], found
PY
