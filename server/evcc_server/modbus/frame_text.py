"""Modbus frames in words, for people who compare them with a manual. Pure; anything unknown stays hex."""

from __future__ import annotations

from evcc_server.modbus.fast_read import crc16
from evcc_server.modbus.wire import EXCEPTIONS, Framing

_FUNCTIONS = {
    1: "read coils",
    2: "read discrete inputs",
    3: "read holding registers",
    4: "read input registers",
    5: "write coil",
    6: "write register",
    15: "write coils",
    16: "write registers",
}


def describe_frame(data: bytes, framing: Framing, *, is_sent: bool) -> str:
    """``data`` as hex, and what it says. A part of a frame, or several at once, is hex only."""
    hexes = data.hex(" ")
    message = _message(data, framing)
    if message is None or len(message) < 2:
        return hexes
    unit, pdu = message[0], message[1:]
    return f"{hexes}  unit {unit}: {_request(pdu) if is_sent else _answer(pdu)}"


def _message(data: bytes, framing: Framing) -> bytes | None:
    """Unit and PDU, without what the framing adds."""
    if framing is Framing.SOCKET:
        is_whole = len(data) >= 8 and int.from_bytes(data[4:6], "big") == len(data) - 6
        return data[6:] if is_whole else None
    if framing is Framing.RTU:
        return data[:-2] if len(data) >= 4 and crc16(data[:-2]) == data[-2:] else None
    text = data.strip()
    if not text.startswith((b":", b">")):
        return None
    try:
        binary = bytes.fromhex(text[1:].decode("ascii"))
    except ValueError:
        return None
    return binary[:-1] if len(binary) >= 3 and sum(binary) % 256 == 0 else None


def _request(pdu: bytes) -> str:
    function = pdu[0]
    name = _FUNCTIONS.get(function, f"function {function}")
    if len(pdu) < 5 or function not in _FUNCTIONS:
        return name
    address, value = int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big")
    if function <= 4:
        return f"{name} {address}{_to(address, value)}"
    if function in (5, 6):
        return f"{name} {address} = {value if function == 6 else int(value == 0xFF00)}"
    if function == 16:
        return f"{name} {address}{_to(address, value)} = {_registers(pdu[6:])}"
    return f"{name} {address}{_to(address, value)} = {pdu[6:].hex(' ')}"


def _answer(pdu: bytes) -> str:
    function = pdu[0]
    if function & 0x80:
        code = pdu[1] if len(pdu) > 1 else 0
        name = _FUNCTIONS.get(function & 0x7F, "?")
        return f"refused ({name}): exception {code}, {EXCEPTIONS.get(code, 'unknown')}"
    name = _FUNCTIONS.get(function, f"function {function}")
    if function in (3, 4):
        return f"{name}: {_registers(pdu[2:])}"
    if function in (1, 2):
        return f"{name}: {pdu[2:].hex(' ')}"
    if len(pdu) >= 5:
        return f"{name} {int.from_bytes(pdu[1:3], 'big')}: confirmed"
    return name


def _to(address: int, count: int) -> str:
    return f" to {address + count - 1}" if count > 1 else ""


def _registers(data: bytes) -> str:
    words = [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data) - 1, 2)]
    return "[" + ", ".join(map(str, words)) + "]"
