"""A Modbus client written down from the specification: no codec of ours, none of pymodbus's."""

import struct
from dataclasses import dataclass, field

from evcc_sim.devices.modbus_server import Wrapping


def crc16(data: bytes) -> bytes:
    """The checksum of serial Modbus, low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")


def lrc(data: bytes) -> int:
    """The checksum of Modbus ASCII."""
    return -sum(data) & 0xFF


class Refused(Exception):
    """The device answered with an exception code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code}")
        self.code = code


def frame(framing: Wrapping, unit: int, pdu: bytes) -> bytes:
    match framing:
        case Wrapping.TCP:
            return struct.pack(">HHHB", 1, 0, len(pdu) + 1, unit) + pdu
        case Wrapping.RTU:
            body = bytes([unit]) + pdu
            return body + crc16(body)
        case Wrapping.ASCII:
            body = bytes([unit]) + pdu
            return b":" + (body + bytes([lrc(body)])).hex().upper().encode() + b"\r\n"


def unframe(framing: Wrapping, unit: int, answer: bytes) -> bytes:
    match framing:
        case Wrapping.TCP:
            assert answer[:7] == struct.pack(">HHHB", 1, 0, len(answer) - 6, unit)
            return answer[7:]
        case Wrapping.RTU:
            assert answer[-2:] == crc16(answer[:-2])
            assert answer[0] == unit
            return answer[1:-2]
        case Wrapping.ASCII:
            assert answer[:1] == b":"
            body = bytes.fromhex(answer[1:-2].decode())
            assert sum(body) & 0xFF == 0
            assert body[0] == unit
            return body[1:-1]


@dataclass
class ByHand:
    """Asks over a byte stream of anyio; one answer must come in one piece."""

    stream: "object"
    framing: Wrapping
    unit: int
    asked: int = field(default=0)

    async def pdu(self, pdu: bytes) -> bytes:
        await self.stream.send(frame(self.framing, self.unit, pdu))  # type: ignore[attr-defined]
        answer = unframe(self.framing, self.unit, await self.stream.receive())  # type: ignore[attr-defined]
        self.asked += 1
        if answer[0] & 0x80:
            raise Refused(answer[1])
        assert answer[0] == pdu[0]
        return answer

    async def words(self, function: int, address: int, count: int) -> tuple[int, ...]:
        answer = await self.pdu(struct.pack(">BHH", function, address, count))
        assert answer[1] == 2 * count == len(answer) - 2
        return struct.unpack(f">{count}H", answer[2:])

    async def bits(self, function: int, address: int, count: int) -> tuple[bool, ...]:
        answer = await self.pdu(struct.pack(">BHH", function, address, count))
        return tuple(bool(answer[2 + i // 8] >> i % 8 & 1) for i in range(count))

    async def f32(self, function: int, address: int) -> float:
        return float(struct.unpack(">f", struct.pack(">HH", *await self.words(function, address, 2)))[0])

    async def write(self, function: int, address: int, *words: int) -> None:
        if function in (5, 6):
            (word,) = words
            word = (0xFF00 if word else 0) if function == 5 else word
            sent = struct.pack(">BHH", function, address, word)
            assert await self.pdu(sent) == sent
            return
        data = struct.pack(f">{len(words)}H", *words)
        answer = await self.pdu(struct.pack(">BHHB", 16, address, len(words), len(data)) + data)
        assert answer == struct.pack(">BHH", 16, address, len(words))
