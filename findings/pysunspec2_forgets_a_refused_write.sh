#!/usr/bin/env bash
# pysunspec2: a write that the device refuses is forgotten; writing the model again sends nothing and raises nothing.
#
# One would guess: a point stays "changed" until its write has been answered, so model.write() once more says it again.
# What happens: Group.write_points() clears each point's `dirty` as it collects the data, before the device is asked. After an exception
#   (here "device busy", code 6) the point still shows the new value, the device holds the old one, and the next model.write() is empty.
# What helps: point.write() for one point clears the mark only afterwards; or set the value once more before each repetition.
# Versions: pysunspec2 1.3.7, Python 3.11. Date: 2026-11-30. Source: read in a comparison of SunSpec clients, then run.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pysunspec2==1.3.7
"$folder/venv/bin/python" - <<'PY'
import socketserver
import struct
import threading
from importlib.metadata import version

from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP
from sunspec2.modbus.modbus import ModbusClientError

BASE = 40000
COMMON = [1, 66] + [0x2020] * 66
CONTROLS = [123, 24] + [0] * 24  # immediate controls; WMaxLimPct [%] at 3, WMaxLimPct_SF at 21
CONTROLS[2 + 3] = 100
IMAGE = [*struct.unpack(">2H", b"SunS"), *COMMON, *CONTROLS, 0xFFFF, 0]
writes, refusals = [], [6]  # the first write is answered with "device busy"


class Device(socketserver.StreamRequestHandler):
    def handle(self):
        while head := self.rfile.read(7):
            transaction, _, size, unit = struct.unpack(">HHHB", head)
            pdu = self.rfile.read(size - 1)
            code, address, count = struct.unpack(">BHH", pdu[:5])
            if code == 3:
                words = IMAGE[address - BASE : address - BASE + count] if address >= BASE else []
                answer = struct.pack(f">BB{count}H", 3, 2 * count, *words) if len(words) == count else b"\x83\x02"
            elif refusals:
                answer = bytes((code | 0x80, refusals.pop()))
                writes.append("refused")
            else:
                assert code == 6, "one register is written alone"
                IMAGE[address - BASE] = count  # here the value
                answer = pdu
                writes.append("done")
            self.wfile.write(struct.pack(">HHHB", transaction, 0, len(answer) + 1, unit) + answer)


server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Device)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
device = SunSpecModbusClientDeviceTCP(ipaddr="127.0.0.1", ipport=server.server_address[1], timeout=2)
device.connect()
device.scan(connect=False)
model = device.models[123][0]
limit = model.WMaxLimPct
held = IMAGE.index(123) + 5
limit.value = 60
try:
    model.write()
    said = "nothing"
except ModbusClientError as error:
    said = type(error).__name__
first = (said, limit.value, IMAGE[held], list(writes))
model.write()
second = (limit.value, IMAGE[held], list(writes))
limit.value = 60
model.write()
third = (IMAGE[held], list(writes))
device.close()
print(f"pysunspec2 {version('pysunspec2')}: the limit is set from 100 to 60 %, the device is busy at first")
print(f"model.write(): raised {first[0]}; the point shows {first[1]}, the device holds {first[2]}; the device has heard {first[3]}")
print(f"model.write() again: raised nothing; the point shows {second[0]}, the device holds {second[1]}; it has heard {second[2]}")
print(f"value set again, model.write(): the device holds {third[0]}; it has heard {third[1]}")
assert first[1:] == (60, 100, ["refused"]) and first[0] != "nothing"
assert second == (60, 100, ["refused"])
assert third == (60, ["refused", "done"])
PY
