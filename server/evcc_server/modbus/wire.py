"""Modbus frames without I/O: bytes out for a request, an answer or an error in for bytes. The only user of pymodbus.

An answer is taken only if it is whole, its checksum is right, and unit, function, address and length are those of the request;
with the TCP framing also its transaction id. Anything else is an error, so no answer can be mistaken for another. On serial lines
zeros before and after a frame are none of it (a driver that is being switched), and the request itself may come back first (an
adapter that hears what it sends). Some stations begin their ASCII answers with ``>``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from pymodbus.exceptions import ModbusException
from pymodbus.framer import FRAMER_NAME_TO_CLASS, FramerType
from pymodbus.framer.base import FramerBase
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadCoilsResponse,
    ReadDiscreteInputsRequest,
    ReadDiscreteInputsResponse,
    WriteMultipleCoilsRequest,
    WriteMultipleCoilsResponse,
    WriteSingleCoilRequest,
    WriteSingleCoilResponse,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
    ReadInputRegistersResponse,
    WriteMultipleRegistersRequest,
    WriteMultipleRegistersResponse,
    WriteSingleRegisterRequest,
    WriteSingleRegisterResponse,
)

from evcc_server.modbus import fast_read

FRAME_BYTES_MAX = 600
"""No frame is longer, not even in ASCII."""

READ_COILS, READ_DISCRETE, READ_HOLDING, READ_INPUT = 1, 2, 3, 4
WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS = 5, 6, 15, 16

EXCEPTIONS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway got no response from the device",
}


class Framing(StrEnum):
    """How a request is wrapped: with a TCP header, or for a serial line (there also inside TCP or UDP)."""

    SOCKET = "socket"
    RTU = "rtu"
    ASCII = "ascii"


_FRAMERS: dict[Framing, FramerBase] = {
    framing: FRAMER_NAME_TO_CLASS[FramerType(framing.value)](DecodePDU(False)) for framing in Framing
}
"""pymodbus's framers keep nothing between calls, so one of each kind serves every exchange."""


_FAST = {Framing.SOCKET: fast_read.over_tcp, Framing.RTU: fast_read.over_rtu}


class WireError(Exception):
    """The bytes received are no answer to the request; the stream is out of step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. ``values`` are registers (0..65535) or bits (0, 1) to write, empty when reading ``count`` of them."""

    unit: int
    function: int
    address: int
    count: int = 1
    values: tuple[int, ...] = ()

    def __str__(self) -> str:
        what = f"write {list(self.values)} to" if self.values else f"read {self.count} from"
        return f"unit {self.unit}: {what} {self.address} (function {self.function})"


class Answer(NamedTuple):
    """What came back: ``values`` read (registers, or bits as 0 and 1), or the exception code of a refusal."""

    values: tuple[int, ...] = ()
    exception: int | None = None


def exception_text(code: int) -> str:
    """A Modbus exception in words."""
    return f"exception {code} ({EXCEPTIONS.get(code, 'unknown')})"


def _pdu(request: Request, transaction: int) -> ModbusPDU:
    unit, address, count, values = request.unit, request.address, request.count, list(request.values)
    bits = [bool(value) for value in values]
    pdu: ModbusPDU
    match request.function:
        case 1:
            pdu = ReadCoilsRequest(dev_id=unit, address=address, count=count)
        case 2:
            pdu = ReadDiscreteInputsRequest(dev_id=unit, address=address, count=count)
        case 3:
            pdu = ReadHoldingRegistersRequest(dev_id=unit, address=address, count=count)
        case 4:
            pdu = ReadInputRegistersRequest(dev_id=unit, address=address, count=count)
        case 5:
            pdu = WriteSingleCoilRequest(dev_id=unit, address=address, bits=bits)
        case 6:
            pdu = WriteSingleRegisterRequest(dev_id=unit, address=address, registers=values)
        case 15:
            pdu = WriteMultipleCoilsRequest(dev_id=unit, address=address, bits=bits)
        case 16:
            pdu = WriteMultipleRegistersRequest(dev_id=unit, address=address, registers=values)
        case _:
            raise ValueError(f"function {request.function} is not supported")
    pdu.transaction_id = transaction
    return pdu


class Exchange:
    """One request and the bytes that come back for it.

    ``echoes``: the line is known to bring back what is sent. A function 5 or 6 is confirmed by the same bytes: there the first of
    them are no answer then. ``heard_echo``: whether it did so this time, None where nobody can tell.
    ``strayed``: the transaction id of the newest answer that was passed over for it.
    """

    def __init__(self, framing: Framing, request: Request, transaction: int = 0, *, echoes: bool = False) -> None:
        self._framing = framing
        self._framer = _FRAMERS[framing]
        self._request = request
        self._transaction = transaction if framing is Framing.SOCKET else 0
        self._received = b""
        self._sent = b""
        self._echoes = echoes
        self._is_behind_echo = framing is Framing.SOCKET
        self.heard_echo: bool | None = None
        self.strayed: int | None = None
        known = _FAST.get(framing)
        self._fast = known and known(request.unit, request.function, request.address, request.count)

    def frame(self) -> bytes:
        """The bytes to send. Raises `ValueError` for an address, count or value that no frame can carry."""
        request = self._request
        if self._fast is not None:
            self._sent = self._fast.question(self._transaction)
            return self._sent
        if any(not 0 <= value <= 0xFFFF for value in request.values):
            raise ValueError(f"{request}: a register holds 0 to 65535")
        self._sent = self._framer.buildFrame(_pdu(request, self._transaction))
        return self._sent

    def feed(self, received: bytes) -> Answer | None:
        """Take more bytes; the answer once it is whole, None while it is not. Raises `WireError`."""
        if self._fast is not None and not self._received:
            values = self._fast.answer(received, self._transaction)
            if values is not None:
                if not self._is_behind_echo:
                    self.heard_echo = False
                return Answer(values=values)
        self._received += received
        if len(self._received) > FRAME_BYTES_MAX:
            raise WireError(f"{self._request}: more bytes than any answer has")
        if not self._is_behind_echo and not self._skip_echo():
            return None
        match self._framing:
            case Framing.SOCKET:
                return self._feed_socket()
            case Framing.RTU:
                return self._feed_rtu()
            case Framing.ASCII:
                return self._feed_ascii()

    def _skip_echo(self) -> bool:
        """Whether what has been received is of the answer; the echo is thrown away."""
        received, sent = self._received, self._sent
        if self._request.unit:
            self._received = received = received.lstrip(b"\0")
        is_confirmed_by_the_same = self._request.function in (WRITE_COIL, WRITE_REGISTER)
        if sent and received.startswith(sent):
            rest = received[len(sent) :].lstrip(b"\0")
            if not is_confirmed_by_the_same or rest or self._echoes:
                self._received = rest
                self.heard_echo = None if is_confirmed_by_the_same else True
                self._is_behind_echo = True
                return bool(rest)
        elif sent.startswith(received) and not self._is_whole_frame(received):
            return False
        elif not is_confirmed_by_the_same:
            self.heard_echo = False
        self._is_behind_echo = True
        return True

    def _is_whole_frame(self, received: bytes) -> bool:
        """The confirmation of a write of several registers may be what the request begins with."""
        return self._framing is Framing.RTU and len(received) > 4 and fast_read.crc16(received[:-2]) == received[-2:]

    def _feed_socket(self) -> Answer | None:
        while len(self._received) >= 8:
            if self._received[2:4] != b"\0\0":
                raise WireError(f"{self._request}: not a Modbus TCP answer")
            length = int.from_bytes(self._received[4:6], "big") + 6
            if not 9 <= length <= 260:
                raise WireError(f"{self._request}: answer with an impossible length")
            if len(self._received) < length:
                return None
            frame, self._received = self._received[:length], self._received[length:]
            if (transaction := int.from_bytes(frame[0:2], "big")) != self._transaction:
                self.strayed = transaction
                continue  # a late or repeated answer to a former request
            return self._whole(frame[6], frame[7:])
        return None

    def _feed_rtu(self) -> Answer | None:
        start = self._start_of_rtu()
        if start is None:
            if len(self._received) >= 5:
                raise WireError(f"{self._request}: answer of another unit or to another function, or noise")
            return None
        used, unit, _, pdu = self._framer.decode(self._received[start:])
        if not used:
            return None
        if not pdu:
            raise WireError(f"{self._request}: checksum error")
        surplus = self._received[start + 1 + len(pdu) + 2 :].strip(b"\0")
        if surplus:
            raise WireError(f"{self._request}: {len(surplus)} bytes too many")
        self._received = b""
        return self._whole(unit, pdu)

    def _start_of_rtu(self) -> int | None:
        """Where the answer begins: line noise may precede it, and the checksum has the last word."""
        unit, function = self._request.unit, self._request.function
        for start in range(len(self._received) - 1):
            if self._received[start] == unit and self._received[start + 1] & 0x7F == function:
                return start
        return None

    def _feed_ascii(self) -> Answer | None:
        end = self._received.find(b"\r\n")
        if end < 0:
            return None
        line, surplus = self._received[:end], self._received[end + 2 :].strip(b"\0")
        start = max(line.rfind(b":"), line.rfind(b">"))
        line = b":" + line[start + 1 :] if start >= 0 else b""
        if surplus:
            raise WireError(f"{self._request}: {len(surplus)} bytes too many")
        self._received = b""
        try:
            used, unit, _, pdu = self._framer.decode(line + b"\r\n")
        except ValueError as error:
            raise WireError(f"{self._request}: not hexadecimal") from error
        if not used or not pdu:
            raise WireError(f"{self._request}: checksum error")
        return self._whole(unit, pdu)

    def _whole(self, unit: int, frame: bytes) -> Answer:
        request = self._request
        if unit != request.unit:
            raise WireError(f"{request}: answer of unit {unit}")
        if not frame or frame[0] & 0x7F != request.function:
            raise WireError(f"{request}: answer to another function")
        try:
            pdu = self._framer.decoder.decode(frame)
        except ModbusException as error:
            raise WireError(f"{request}: {error}") from error
        if pdu is None:
            raise WireError(f"{request}: answer that cannot be decoded")
        if isinstance(pdu, ExceptionResponse):
            return Answer(exception=pdu.exception_code)
        match request.function:
            case 1 | 2:
                return Answer(values=self._bits(frame, pdu))
            case 3 | 4:
                return Answer(values=self._registers(frame, pdu))
            case _:
                self._check_echo(frame)
                return Answer()

    def _bits(self, frame: bytes, pdu: ModbusPDU) -> tuple[int, ...]:
        if len(frame) != 2 + frame[1] or frame[1] != (self._request.count + 7) // 8:
            raise WireError(f"{self._request}: answer of another length")
        return tuple(int(bit) for bit in pdu.bits[: self._request.count])

    def _registers(self, frame: bytes, pdu: ModbusPDU) -> tuple[int, ...]:
        if len(frame) != 2 + frame[1] or frame[1] != 2 * self._request.count:
            raise WireError(f"{self._request}: answer of another length")
        return tuple(pdu.registers)

    def _check_echo(self, frame: bytes) -> None:
        request = self._request
        if len(frame) != 5 or int.from_bytes(frame[1:3], "big") != request.address:
            raise WireError(f"{request}: answer to another address")
        echoed = int.from_bytes(frame[3:5], "big")
        match request.function:
            case 5:
                expected = 0xFF00 if request.values[0] else 0
            case 6:
                expected = request.values[0]
            case _:
                expected = len(request.values)
        if echoed != expected:
            raise WireError(f"{request}: the device wrote something else ({echoed})")


def is_read(function: int) -> bool:
    """Whether ``function`` changes nothing."""
    return function in (READ_COILS, READ_DISCRETE, READ_HOLDING, READ_INPUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A request that another program sent to us; ``request`` is None when it is none we know."""

    transaction: int
    unit: int
    function: int
    request: Request | None


class Inbox:
    """Modbus TCP requests out of the bytes of one client."""

    def __init__(self) -> None:
        self._received = b""
        self._decoder = DecodePDU(True)

    def feed(self, received: bytes) -> list[Incoming]:
        """All requests that are whole by now. Raises `WireError` for bytes that are no Modbus TCP: close the connection."""
        self._received += received
        found: list[Incoming] = []
        while len(self._received) >= 8:
            length = int.from_bytes(self._received[4:6], "big") + 6
            if self._received[2:4] != b"\0\0" or not 8 <= length <= 260:
                raise WireError("not a Modbus TCP request")
            if len(self._received) < length:
                break
            frame, self._received = self._received[:length], self._received[length:]
            found.append(self._incoming(frame))
        return found

    def _incoming(self, frame: bytes) -> Incoming:
        transaction, unit, pdu = int.from_bytes(frame[:2], "big"), frame[6], frame[7:]
        try:
            decoded = self._decoder.decode(pdu)
        except ModbusException:
            decoded = None
        request: Request | None = None
        match decoded:
            case None:
                pass
            case WriteSingleCoilRequest():
                request = Request(unit=unit, function=5, address=decoded.address, values=(int(decoded.bits[0]),))
            case WriteSingleRegisterRequest():
                request = Request(unit=unit, function=6, address=decoded.address, values=tuple(decoded.registers))
            case WriteMultipleCoilsRequest():
                bits = tuple(int(bit) for bit in decoded.bits[: decoded.count])
                request = Request(unit=unit, function=15, address=decoded.address, values=bits)
            case WriteMultipleRegistersRequest():
                request = Request(unit=unit, function=16, address=decoded.address, values=tuple(decoded.registers))
            case ReadCoilsRequest() | ReadHoldingRegistersRequest():  # and the other two reads, which derive from them
                request = Request(unit=unit, function=pdu[0], address=decoded.address, count=decoded.count)
        return Incoming(transaction=transaction, unit=unit, function=pdu[0], request=request)


def answer_frame(incoming: Incoming, answer: Answer) -> bytes:
    """The Modbus TCP frame that answers ``incoming``."""
    pdu: ModbusPDU
    request = incoming.request
    values, bits = list(answer.values), [bool(value) for value in answer.values]
    if answer.exception is not None or request is None:
        pdu = ExceptionResponse(incoming.function, 1 if answer.exception is None else answer.exception)
    else:
        match request.function:
            case 1:
                pdu = ReadCoilsResponse(bits=bits)
            case 2:
                pdu = ReadDiscreteInputsResponse(bits=bits)
            case 3:
                pdu = ReadHoldingRegistersResponse(registers=values)
            case 4:
                pdu = ReadInputRegistersResponse(registers=values)
            case 5:
                pdu = WriteSingleCoilResponse(address=request.address, bits=[bool(request.values[0])])
            case 6:
                pdu = WriteSingleRegisterResponse(address=request.address, registers=list(request.values))
            case 15:
                pdu = WriteMultipleCoilsResponse(address=request.address, count=len(request.values))
            case _:
                pdu = WriteMultipleRegistersResponse(address=request.address, count=len(request.values))
    pdu.dev_id, pdu.transaction_id = incoming.unit, incoming.transaction
    frame: bytes = FRAMER_NAME_TO_CLASS[FramerType.SOCKET](DecodePDU(True)).buildFrame(pdu)
    return frame
