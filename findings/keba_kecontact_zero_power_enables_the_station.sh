#!/usr/bin/env bash
# keba_kecontact: set_charging_power(0) on a disabled station enables it, and leaves it enabled when the car does not start at once.
#
# One would guess: a power of 0 kW can only take charging away: "ena 0", or nothing where the station is disabled already.
# What happens: whenever the car is not charging, "ena 1" is sent first, whatever the power asked for, and ten seconds are waited for the car.
#   If it starts, "ena 0" follows, so it was woken to be stopped. If it does not (full, or it takes its time), the method returns
#   False and the station stays enabled, with whatever current it was last allowed: the car may start at any time.
# What helps: set_ena(False) or set_current(0) instead of a power of 0.
# Versions: keba_kecontact 4.3.1, Python 3.11 on Linux (four addresses on the loopback, UDP port 7090). Date: 2026-12-01.
# Source: read in a comparison of charger clients, then run with a station of our own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check keba_kecontact==4.3.1 asyncio-dgram==3.0.0
"$folder/venv/bin/python" - <<'PY'
import asyncio
import json
from importlib.metadata import version

from keba_kecontact.connection import KebaKeContact
from keba_kecontact.const import UDP_PORT

READY, CHARGING = 2, 3


class Station(asyncio.DatagramProtocol):
    """A P30 with a car that is plugged in, disabled at first; what it is told is kept."""

    def __init__(self, address, *, car_starts):
        self.address, self.car_starts, self.is_enabled, self.told = address, car_starts, False, []

    def connection_made(self, transport):
        self.line = transport

    def datagram_received(self, data, asker):
        command = data.decode()
        if not command.startswith("report"):
            self.told.append(command)
            if command.startswith("ena "):
                self.is_enabled = command == "ena 1"
            self.line.sendto(b"TCH-OK :done\n", asker)
        elif (number := command.removeprefix("report ")) in "123":
            self.line.sendto(json.dumps({"ID": number, "Serial": self.address} | self.report(number)).encode(), asker)

    def report(self, number):
        is_charging = self.is_enabled and self.car_starts
        if number == "1":
            return {"Product": "KC-P30-EC240422-E00", "Firmware": "P30 v 3.10.16"}
        if number == "2":
            return {"State": CHARGING if is_charging else READY, "Plug": 7, "Enable user": int(self.is_enabled)}
        current = 16000 if is_charging else 0  # [mA]
        return {f"U{phase}": 230 for phase in "123"} | {f"I{phase}": current for phase in "123"}


async def told(link, address, do, *, car_starts):
    """What a call returns, what the station hears of it, and whether it is enabled afterwards."""
    station = Station(address, car_starts=car_starts)
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: station, local_addr=(address, UDP_PORT))
    charger = await link.setup_charging_station(address)
    await asyncio.sleep(2)  # for the first reports
    returned = await do(charger)
    return returned, station.told, station.is_enabled


async def main():
    link = KebaKeContact(asyncio.get_running_loop(), timeout=5)
    await link.init_socket("127.0.0.1")
    found = await asyncio.gather(
        told(link, "127.0.0.2", lambda charger: charger.set_charging_power(0), car_starts=False),
        told(link, "127.0.0.3", lambda charger: charger.set_charging_power(0), car_starts=True),
        told(link, "127.0.0.4", lambda charger: charger.set_ena(False), car_starts=False),
    )
    link.close()
    return found


print(f"keba_kecontact {version('keba_kecontact')}: the station is disabled, a car is plugged in")
found = asyncio.run(main())
ways = ("0 kW, the car does not start", "0 kW, the car starts at once", "set_ena(False)")
for way, (returned, heard, is_enabled) in zip(ways, found, strict=True):
    print(f"{way}: returned {returned}; the station heard {heard} and is {'enabled' if is_enabled else 'disabled'}")
assert found == [(False, ["ena 1"], True), (True, ["ena 1", "ena 0"], False), (None, ["ena 0"], False)]
PY
