#!/usr/bin/env bash
# solaredge_modbus: points that the inverter says it does not have come back as numbers: 0 where unsigned, -32768 where signed.
#
# One would guess: SunSpec's "not implemented" (0xFFFF for uint16, 0x8000 for int16 and scale factors) becomes None, or is left out.
# What happens: an unsigned point becomes int(False) = 0, not to be told from a measured zero; a signed one is compared after decoding
#   (-32768) with 0x8000 (32768), which never matches, so an inverter without an answer feeds in -32768 W; a scale factor likewise
#   is -32768, and whoever multiplies by 10 ** scale gets 0.0 for every value.
# What helps: take -32768 for "unknown"; for unsigned points nothing can: a zero may be either.
# Versions: solaredge_modbus 0.8.0, pymodbus 3.6.9 (it needs BinaryPayloadDecoder), Python 3.11. Date: 2026-11-30.
# Source: read beside SunSpec's data types, then run; registers of SolarEdge's SunSpec note (inverter model 103 at 40069).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check solaredge_modbus==0.8.0 pymodbus==3.6.9
"$folder/venv/bin/python" - <<'PY'
import socketserver
import struct
import threading
from importlib.metadata import version

import solaredge_modbus

BASE = 40000
IMAGE = [0] * 300
IMAGE[40071 - BASE] = 0xFFFF  # current [A], uint16
IMAGE[40075 - BASE] = 0x8000  # its scale factor
IMAGE[40083 - BASE] = 0x8000  # power [W], int16
IMAGE[40084 - BASE] = 0x8000  # its scale factor


class Device(socketserver.StreamRequestHandler):
    def handle(self):
        while head := self.rfile.read(7):
            transaction, _, size, unit = struct.unpack(">HHHB", head)
            _, address, count = struct.unpack(">BHH", self.rfile.read(size - 1))
            words = IMAGE[address - BASE : address - BASE + count]
            answer = struct.pack(f">BB{count}H", 3, 2 * count, *words)
            self.wfile.write(struct.pack(">HHHB", transaction, 0, len(answer) + 1, unit) + answer)


server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Device)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
inverter = solaredge_modbus.Inverter(host="127.0.0.1", port=server.server_address[1], timeout=2, unit=1)
seen = {key: inverter.read(key)[key] for key in ("current", "current_scale", "power_ac", "power_ac_scale")}
inverter.disconnect()
print(f"solaredge_modbus {version('solaredge_modbus')}: every point below is 'not implemented' at the inverter")
for key, value in seen.items():
    print(f"{key}: {value!r}")
print(f"power times ten to the power of its scale: {seen['power_ac'] * (10 ** seen['power_ac_scale'])!r} W")
assert seen == {"current": 0, "current_scale": -32768, "power_ac": -32768, "power_ac_scale": -32768}
assert all(type(value) is int for value in seen.values())
PY
