#!/usr/bin/env bash
# sdm_modbus: a setting is written to unit 0, that is to every meter on the line, not to the meter that was asked.
#
# One would guess: SDM630(..., unit=3) reads from and writes to unit 3.
# What happens: the unit is handed on when registers are read, but left out when they are written, and pymodbus then takes 0. On a serial line
#   that is the broadcast address: all meters take the new baud rate, pulse or CT setting, or one and the same address ("meter_id"),
#   and nobody answers. A gateway for TCP that serves unit 3 passes it to all or answers with an error, which write() returns and does
#   not raise. solaredge_modbus, of the same origin, writes to its unit.
# What helps: meter.client.write_registers(..., slave=meter.unit), or one meter alone on the line while it is set up.
# Versions: sdm_modbus 0.7.0, solaredge_modbus 0.8.0, pymodbus 3.6.9 (they need BinaryPayloadDecoder), Python 3.11. Date: 2026-12-01.
# Source: read in a comparison of Modbus libraries for meters, then run with a gateway of our own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  sdm_modbus==0.7.0 solaredge_modbus==0.8.0 pymodbus==3.6.9
"$folder/venv/bin/python" - <<'PY'
import socketserver
import struct
import threading
from importlib.metadata import version

import sdm_modbus
import solaredge_modbus

heard = []


class Line(socketserver.StreamRequestHandler):
    """A gateway: every unit answers, and what was asked of which unit is kept."""

    def handle(self):
        while head := self.rfile.read(7):
            transaction, _, size, unit = struct.unpack(">HHHB", head)
            code, address, count = struct.unpack(">BHH", (pdu := self.rfile.read(size - 1))[:5])
            heard.append(("reads" if code == 3 else "writes", unit))
            answer = struct.pack(f">BB{count}H", 3, 2 * count, *[0] * count) if code == 3 else pdu[:5]
            self.wfile.write(struct.pack(">HHHB", transaction, 0, len(answer) + 1, unit) + answer)


server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Line)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
where = {"host": "127.0.0.1", "port": server.server_address[1], "timeout": 2, "unit": 3}
found = {}
for name, device, key, value in (
    ("sdm_modbus", sdm_modbus.SDM630(**where), "demand_period", 15),
    ("solaredge_modbus", solaredge_modbus.Inverter(**where), "active_power_limit", 60),
):
    heard.clear()
    device.read(key)
    device.write(key, value)
    device.disconnect()
    found[name] = list(heard)
    said = ", ".join(f"{what} unit {unit}" for what, unit in heard)
    print(f"{name} {version(name)} set up for unit 3, {key} read and written: it {said}")
assert found["sdm_modbus"] == [("reads", 3), ("writes", 0)], found
assert found["solaredge_modbus"] == [("reads", 3), ("writes", 3)], found
PY
