"""A Modbus device made of bytes, for tests: its own little encoder, and every fault a line can have.

Independent of the server's codec on purpose; the CRC is computed bit by bit.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
from anyio.abc import ByteStream
from anyio.streams.stapled import StapledObjectStream

from evcc_server.modbus.link import Link
from evcc_server.modbus.wire import Framing

SPACE = {1: "coil", 2: "discrete", 3: "holding", 4: "input", 5: "coil", 6: "holding", 15: "coil", 16: "holding"}


def crc16(data: bytes) -> bytes:
    """Modbus CRC, low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return struct.pack("<H", crc)


def rtu(unit: int, pdu: bytes) -> bytes:
    """An RTU frame."""
    return bytes([unit]) + pdu + crc16(bytes([unit]) + pdu)


def mbap(transaction: int, unit: int, pdu: bytes) -> bytes:
    """A Modbus TCP frame."""
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu


def ascii_frame(unit: int, pdu: bytes) -> bytes:
    """A Modbus ASCII frame."""
    body = bytes([unit]) + pdu
    return b":" + (body + bytes([-sum(body) & 0xFF])).hex().upper().encode() + b"\r\n"


@dataclass
class Fault:
    """What goes wrong with one answer."""

    lost: bool = False
    late_s: float = 0.0
    repeated: bool = False
    cut_to: int | None = None
    flipped: int | None = None  # index of a byte
    exception: int | None = None
    unit: int | None = None
    transaction: int | None = None
    function: int | None = None
    extra_words: int = 0
    closes: bool = False
    noise_before: bytes = b""
    noise_after: bytes = b""


class Pipe(StapledObjectStream[bytes]):
    """One end of a cable that looks like a `ByteStream`."""

    async def receive(self, max_bytes: int = 65536) -> bytes:
        return await self.receive_stream.receive()


def pipe_pair() -> tuple[Pipe, Pipe]:
    """Two ends of one cable."""
    there, there_end = anyio.create_memory_object_stream[bytes](32)
    back, back_end = anyio.create_memory_object_stream[bytes](32)
    return Pipe(there, back_end), Pipe(back, there_end)


@dataclass
class FakeDevice:
    """Words by (unit, space, address). Unknown addresses answer with exception 2, other units not at all."""

    framing: Framing = Framing.SOCKET
    words: dict[tuple[int, str, int], int] = field(default_factory=dict)
    faults: list[Fault | None] = field(default_factory=list)  # one for each request to come
    requests: list[tuple[int, bytes]] = field(default_factory=list)  # unit, pdu
    times: list[float] = field(default_factory=list)
    is_reachable: bool = True
    connections: int = 0
    silent_units: set[int] = field(default_factory=set)
    echoes: bool = False  # the adapter hears what it sends
    ascii_start: bytes = b":"  # of answers
    on_write: Callable[[int, int, int], None] | None = None  # unit, address, word
    _group: anyio.abc.TaskGroup | None = None

    def put(self, unit: int, space: str, address: int, *words: int) -> None:
        """Set registers or bits."""
        for offset, word in enumerate(words):
            self.words[unit, space, address + offset] = word

    def put_float(self, unit: int, space: str, address: int, value: float) -> None:
        """Set a float32, high word first."""
        self.put(unit, space, address, *struct.unpack(">HH", struct.pack(">f", value)))

    def get(self, unit: int, space: str, address: int) -> int:
        """A register or bit."""
        return self.words[unit, space, address]

    def writes(self) -> list[tuple[int, int, tuple[int, ...]]]:
        """All writes so far: function, address, values."""
        found: list[tuple[int, int, tuple[int, ...]]] = []
        for _, pdu in self.requests:
            if pdu[0] in (5, 6):
                address, value = struct.unpack(">HH", pdu[1:5])
                found.append((pdu[0], address, (value,)))
            elif pdu[0] in (15, 16):
                address, count = struct.unpack(">HH", pdu[1:5])
                words = struct.unpack(f">{count}H", pdu[6:]) if pdu[0] == 16 else tuple(pdu[6:])
                found.append((pdu[0], address, words))
        return found

    def link(self, group: anyio.abc.TaskGroup, **options: object) -> Link:
        """A link to this device; its connections live in ``group``."""
        self._group = group
        return Link(self.connect, self.framing, name="fake", **options)  # type: ignore[arg-type]  # passed through

    async def connect(self) -> ByteStream:
        """Open a connection."""
        await anyio.lowlevel.checkpoint()
        if not self.is_reachable:
            raise ConnectionRefusedError("nobody there")
        self.connections += 1
        mine, theirs = pipe_pair()
        assert self._group is not None
        self._group.start_soon(self._serve, theirs)
        return mine  # type: ignore[return-value]  # close enough to a byte stream

    async def _serve(self, stream: Pipe) -> None:
        received = b""
        try:
            while True:
                received += await stream.receive()
                while (request := self._cut(received)) is not None:
                    transaction, unit, pdu, used = request
                    if self.echoes:
                        await stream.send(received[:used])
                        await anyio.sleep(0.002)
                    received = received[used:]
                    await self._answer(stream, transaction, unit, pdu)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return
        finally:
            with anyio.CancelScope(shield=True):
                await stream.aclose()

    def _cut(self, data: bytes) -> tuple[int, int, bytes, int] | None:
        if self.framing is Framing.SOCKET:
            if len(data) < 8:
                return None
            transaction, _, length, unit = struct.unpack(">HHHB", data[:7])
            return (transaction, unit, data[7 : 6 + length], 6 + length) if len(data) >= 6 + length else None
        if self.framing is Framing.ASCII:
            end = data.find(b"\r\n")
            if end < 0:
                return None
            body = bytes.fromhex(data[1:end].decode())
            assert sum(body) & 0xFF == 0
            return 0, body[0], body[1:-1], end + 2
        if len(data) < 8:
            return None
        size = 9 + data[6] if data[1] in (15, 16) else 8
        if len(data) < size:
            return None
        assert crc16(data[: size - 2]) == data[size - 2 : size], "the request's checksum is wrong"
        return 0, data[0], data[1 : size - 2], size

    async def _answer(self, stream: Pipe, transaction: int, unit: int, pdu: bytes) -> None:
        self.requests.append((unit, pdu))
        self.times.append(anyio.current_time())
        fault = (self.faults.pop(0) if self.faults else None) or Fault()
        if unit in self.silent_units or all(unit != known for known, _, _ in self.words):
            return
        answer = bytes([pdu[0] | 0x80, fault.exception]) if fault.exception else self._carry_out(unit, pdu)
        if fault.extra_words:
            answer = bytes([answer[0], answer[1] + 2 * fault.extra_words]) + answer[2:] + b"\0\7" * fault.extra_words
        if fault.function:
            answer = bytes([fault.function]) + answer[1:]
        unit = fault.unit or unit
        transaction = transaction if fault.transaction is None else fault.transaction
        frame = {
            Framing.SOCKET: lambda: mbap(transaction, unit, answer),
            Framing.RTU: lambda: rtu(unit, answer),
            Framing.ASCII: lambda: self.ascii_start + ascii_frame(unit, answer)[1:],
        }[self.framing]()
        if fault.flipped is not None:
            flipped = bytearray(frame)
            flipped[fault.flipped] ^= 0x01
            frame = bytes(flipped)
        frame = fault.noise_before + frame[: fault.cut_to] + fault.noise_after
        if fault.late_s:
            await anyio.sleep(fault.late_s)
        if fault.closes:
            await stream.aclose()
        elif not fault.lost:
            await stream.send(frame)
            if fault.repeated:
                await stream.send(frame)

    def _carry_out(self, unit: int, pdu: bytes) -> bytes:
        function = pdu[0]
        space = SPACE[function]
        address, number = struct.unpack(">HH", pdu[1:5])
        if function in (1, 2, 3, 4):
            keys = [(unit, space, address + place) for place in range(number)]
            if any(key not in self.words for key in keys):
                return bytes([function | 0x80, 2])
            values = [self.words[key] for key in keys]
            if function in (3, 4):
                return bytes([function, 2 * number]) + struct.pack(f">{number}H", *values)
            bits = sum(bool(value) << place for place, value in enumerate(values))
            size = (number + 7) // 8
            return bytes([function, size]) + bits.to_bytes(size, "little")
        if function == 5:
            self._store(unit, space, address, int(number == 0xFF00))
            return pdu
        if function == 6:
            self._store(unit, space, address, number)
            return pdu
        if function == 16:
            for place, word in enumerate(struct.unpack(f">{number}H", pdu[6:])):
                self._store(unit, space, address + place, word)
        else:
            for place in range(number):
                self._store(unit, space, address + place, pdu[6 + place // 8] >> place % 8 & 1)
        return pdu[:5]

    def _store(self, unit: int, space: str, address: int, word: int) -> None:
        self.words[unit, space, address] = word
        if self.on_write is not None:
            self.on_write(unit, address, word)
