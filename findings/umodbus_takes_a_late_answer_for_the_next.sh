#!/usr/bin/env bash
# uModbus and async_modbus: an answer that came after its timeout is taken for the answer to the next request, and from then on each for the next.
#
# One would guess: the transaction identifier that every request carries is looked for in the answer (that is what the Modbus/TCP
#   implementation guide has it for), so a late answer is skipped or raises, and the values after it are right.
# What happens: neither library looks at it. One answer that took too long shifts all that follow on this connection by one: the power of the grid
#   is read as solar power, and a write that the device refused is reported as done (with the value of the write before it). It goes on
#   until answers of different kinds meet, or the connection ends.
# What helps: closing the connection after every timeout. (pymodbus and pyModbusTCP look at the identifier.)
# Versions: uModbus 1.0.4, async_modbus 0.2.3, Python 3.11. Date: 2026-12-01.
# Source: read in a comparison of Modbus libraries, then run with an inverter of our own that is late once.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check uModbus==1.0.4 async_modbus==0.2.3 numpy==2.2.6
"$folder/venv/bin/python" - <<'PY'
import asyncio
import contextlib
import socket
import socketserver
import struct
import threading
import time
from importlib.metadata import version

import async_modbus
from umodbus.client import tcp

GRID, SOLAR, CHARGE, LIMIT = range(4)  # registers: [W], [W], [%], [%]
HOLDS = {GRID: 7400, SOLAR: 3100, CHARGE: 55}
PATIENCE = 0.5  # [s]


class Inverter(socketserver.StreamRequestHandler):
    """Answers every request in order and under its identifier, the first one late; takes a limit up to 50 %."""

    def handle(self):
        is_late = True
        with contextlib.suppress(ConnectionError):
            while head := self.rfile.read(7):
                transaction, _, size, unit = struct.unpack(">HHHB", head)
                code, address, value = struct.unpack(">BHH", pdu := self.rfile.read(size - 1))
                if is_late:
                    time.sleep(2 * PATIENCE)
                    is_late = False
                if code == 3:
                    answer = struct.pack(">BBH", 3, 2, HOLDS[address])
                else:
                    answer = pdu if value <= 50 else bytes((code | 0x80, 3))
                self.wfile.write(struct.pack(">HHHB", transaction, 0, len(answer) + 1, unit) + answer)


server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Inverter)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
WHERE = server.server_address
READS = [tcp.read_holding_registers(1, register, 1) for register in (GRID, SOLAR, CHARGE)]
WRITES = [tcp.write_single_register(1, LIMIT, limit) for limit in (40, 60)]


def with_umodbus(requests):
    found = []
    with socket.create_connection(WHERE) as line:
        line.settimeout(PATIENCE)
        for request in requests:
            try:
                answer = tcp.send_message(request, line)
                found.append(int(answer[0]) if request in READS else int(answer))
            except Exception as error:
                found.append(type(error).__name__)
            time.sleep(2 * PATIENCE)  # until the next round; what was late has come by then
    return found


async def with_async_modbus(requests):
    reader, writer = await asyncio.open_connection(*WHERE)
    client = async_modbus.AsyncTCPClient((reader, writer))
    found = []
    for request in requests:
        _, _, _, unit, code, address, value = struct.unpack(">HHHBBHH", request)
        do = client.read_holding_registers if code == 3 else client.write_register
        try:
            answer = await asyncio.wait_for(do(unit, address, value), PATIENCE)
            found.append(int(answer[0]) if code == 3 else int(answer))
        except Exception as error:
            found.append(type(error).__name__)
        await asyncio.sleep(2 * PATIENCE)
    writer.close()
    return found


print(f"an inverter that holds {list(HOLDS.values())} (grid [W], solar power [W], charge [%]), takes limits up to 50 %, is late once")
for name, do in (("uModbus", with_umodbus), ("async_modbus", lambda asked: asyncio.run(with_async_modbus(asked)))):
    reads, writes = do(READS), do(WRITES)
    print(f"{name} {version(name)}: reads {reads}; a limit of 40, then one of 60, which is refused: {writes}")
    assert reads == ["TimeoutError", 7400, 3100], reads
    assert writes == ["TimeoutError", 40], writes
PY
