"""Modbus devices behind byte streams: pymodbus's simulator core and PDUs, our own serving loop.

The loop answers one request after the other, so an `action` of a simulated device may wait (pymodbus's own server mixes up
transaction ids then). It runs on any anyio byte stream: sockets in real time, memory streams in virtual time. Faults are
injected here, at the bytes, where real lines break.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import anyio
from anyio.abc import ByteStream
from pymodbus.constants import ExcCodes
from pymodbus.exceptions import ModbusIOException
from pymodbus.framer import FRAMER_NAME_TO_CLASS, FramerType
from pymodbus.framer.base import FramerBase
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest
from pymodbus.simulator.simcore import SimCore

from evcc_sim.devices.memory_stream import MemoryStream
from evcc_sim.devices.register_map import DeviceCore

log = logging.getLogger(__name__)

BUFFER_MAX = 1024
"""More unread bytes than two of the longest frames (ASCII: 513) can only be garbage."""

MBAP_HEADER = 7

DATA_FUNCTIONS = frozenset({1, 2, 3, 4, 5, 6, 15, 16, 22, 23})
"""Functions that read or write registers and coils; all others are refused."""

REGISTER_READS = frozenset({ReadHoldingRegistersRequest, ReadInputRegistersRequest})


class Wrapping(StrEnum):
    """How a PDU is wrapped on the line."""

    TCP = "tcp"
    RTU = "rtu"
    ASCII = "ascii"


FRAMER_TYPE = {Wrapping.TCP: FramerType.SOCKET, Wrapping.RTU: FramerType.RTU, Wrapping.ASCII: FramerType.ASCII}


@dataclass(frozen=True, slots=True)
class Delay:
    """The device does at once what was asked, and answers ``seconds`` late."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with this exception code; the device does nothing."""

    code: int


@dataclass(frozen=True, slots=True)
class Swallow:
    """The request never arrives: nothing is done, nothing is answered."""


@dataclass(frozen=True, slots=True)
class LoseAnswer:
    """The device does what was asked, but its answer is lost."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection instead of answering."""


@dataclass(frozen=True, slots=True)
class Truncate:
    """Send only the first ``keep`` bytes of the answer."""

    keep: int


@dataclass(frozen=True, slots=True)
class FlipByte:
    """Invert one byte of the answer; ``index`` is taken modulo its length."""

    index: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Send the answer twice."""


@dataclass(frozen=True, slots=True)
class StaleAnswer:
    """Send the previous answer of this connection again, with its old transaction id, in place of the right one."""


WireFault = Delay | Refuse | Swallow | LoseAnswer | Close | Truncate | FlipByte | Duplicate | StaleAnswer


@dataclass(frozen=True, slots=True)
class Asked:
    """What a fault hook may look at: the decoded request."""

    unit: int
    function: int
    address: int
    count: int

    @property
    def is_write(self) -> bool:
        """Whether the request would change something."""
        return self.function in (5, 6, 15, 16, 22, 23)


@dataclass(slots=True)
class _Repeat:
    """A read that comes again and again, and its last answer: the registers, and the frame without a transaction."""

    asked: Asked
    values: Sequence[int] = ()
    answer: bytes = b""


FaultHook = Callable[[Asked], tuple[WireFault, ...]]
"""Decides for each request what goes wrong; called once per request, in the order of the requests."""


def no_faults(_: Asked) -> tuple[WireFault, ...]:
    """A line without trouble."""
    return ()


class LineClosed(Exception):
    """The device hangs up."""


async def serve_stream(
    stream: ByteStream, core: SimCore, framing: Wrapping = Wrapping.TCP, faults: FaultHook = no_faults
) -> None:
    """Answer requests on ``stream`` until either side closes it; closes it in the end, cancelled or not."""
    try:
        await _Line(stream, core, framing, faults).run()
    except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, LineClosed):
        log.debug("connection closed")
    finally:
        await anyio.aclose_forcefully(stream)


class _Line:
    """One connection: its buffer, its framer, and the last answer it has sent."""

    def __init__(self, stream: ByteStream, core: SimCore, framing: Wrapping, faults: FaultHook) -> None:
        self._stream = stream
        self._core = core
        self._quick = core if isinstance(core, DeviceCore) else None
        self._framing = framing
        self._framer: FramerBase = FRAMER_NAME_TO_CLASS[FRAMER_TYPE[framing]](DecodePDU(True))
        self._faults = faults
        self._last_answer = b""
        if isinstance(stream, MemoryStream):
            stream.answers = self._answer_at_once
        self._repeats: dict[bytes, _Repeat] = {}  # by frame: reads of registers that have gone well before

    async def run(self) -> None:
        buffer = b""
        while True:
            buffer += await self._stream.receive(4096)
            if await self._repeat(buffer):
                buffer = b""
            while buffer:
                used, request = self._take(buffer)
                frame, buffer = buffer[:used], buffer[used:]
                if request is not None:
                    await self._serve(request)
                    self._remember(frame, request)
                elif not used:
                    break
            if len(buffer) > BUFFER_MAX:
                buffer = b""

    def _take(self, buffer: bytes) -> tuple[int, ModbusPDU | None]:
        """Cut one request off the buffer; what cannot be understood is skipped, a broken MBAP header ends the line."""
        if self._framing is Wrapping.TCP:
            if len(buffer) < MBAP_HEADER:
                return 0, None
            length = int.from_bytes(buffer[4:6], "big")
            if buffer[2:4] != b"\0\0" or not 2 <= length <= 254:
                raise LineClosed
            if len(buffer) < 6 + length:
                return 0, None
            transaction, unit = int.from_bytes(buffer[0:2], "big"), buffer[6]
            return 6 + length, decoded(buffer[MBAP_HEADER : 6 + length], unit, transaction)
        try:
            used, unit, _, pdu = self._framer.decode(buffer)
        except ValueError:  # ASCII: not hexadecimal
            return len(buffer), None
        return (used, decoded(pdu, unit)) if pdu else (used, None)

    def _answer_at_once(self, frame: bytes) -> bytes | None:
        """The answer to a read of registers that has gone well before, on a line without faults; None: it is none."""
        is_tcp = self._framing is Wrapping.TCP
        repeat = self._repeats.get(frame[2:] if is_tcp else frame)
        core = self._quick
        if repeat is None or core is None or self._faults is not no_faults:
            return None
        asked = repeat.asked
        values = core.read_again(asked.unit, asked.function, asked.address, asked.count)
        if isinstance(values, ExcCodes):
            return None
        if values != repeat.values:
            pdu = struct.pack(f">BB{asked.count}H", asked.function, 2 * asked.count, *values)
            whole = self._framer.encode(pdu, asked.unit, 0)
            repeat.values, repeat.answer = values, whole[2:] if is_tcp else whole
        answer = frame[:2] + repeat.answer if is_tcp else repeat.answer
        self._last_answer = answer
        return answer

    async def _repeat(self, frame: bytes) -> bool:
        """Answer at once what polls are made of: a read of registers that has gone well before. False: it is none."""
        is_tcp = self._framing is Wrapping.TCP
        repeat = self._repeats.get(frame[2:] if is_tcp else frame)
        if repeat is None:
            return False
        asked = repeat.asked
        transaction = int.from_bytes(frame[:2], "big") if is_tcp else 0
        core, unit, function, count = self._quick, asked.unit, asked.function, asked.count
        assert core is not None
        faults = self._faults(asked)
        if faults:
            await self._serve_badly(_again(asked, transaction), faults)
            return True
        values = core.read_again(unit, function, asked.address, count)
        if isinstance(values, ExcCodes):
            answer = self._frame(_again(asked, transaction), ExceptionResponse(function, values))
        else:
            pdu = struct.pack(f">BB{count}H", function, 2 * count, *values)
            answer = self._framer.encode(pdu, unit, transaction)
        self._last_answer = answer
        await self._stream.send(answer)
        return True

    def _remember(self, frame: bytes, request: ModbusPDU) -> None:
        """Note a read of registers that came as one whole ``frame`` and can be repeated."""
        unit, function, address, count = request.dev_id, request.function_code, request.address, request.count
        if self._quick is not None and self._quick.has_read(unit, function, address, count):
            key = frame[2:] if self._framing is Wrapping.TCP else frame  # each has its own transaction
            self._repeats[key] = _Repeat(Asked(unit, function, address, count))

    async def _serve(self, request: ModbusPDU) -> None:
        asked = Asked(request.dev_id, request.function_code, request.address, request.count)
        faults = self._faults(asked)
        if not faults:
            answer = await self._answer(request)
            if answer:
                self._last_answer = answer
                await self._stream.send(answer)
            return
        await self._serve_badly(request, faults)

    async def _serve_badly(self, request: ModbusPDU, faults: tuple[WireFault, ...]) -> None:
        previous = self._last_answer
        answer: bytes | None = None
        for fault in faults:
            match fault:
                case Delay(seconds):
                    if answer is None:
                        answer = await self._answer(request)
                    await anyio.sleep(seconds)
                case Swallow():
                    return
                case Close():
                    raise LineClosed
                case Refuse(code):
                    answer = self._frame(request, ExceptionResponse(request.function_code, code))
                case LoseAnswer():
                    if answer is None:
                        await self._answer(request)
                    return
                case Truncate() | FlipByte() | Duplicate() | StaleAnswer():
                    if answer is None:
                        answer = await self._answer(request)
                    answer = spoil(answer, fault, previous)
        if answer is None:
            answer = await self._answer(request)
        if answer:
            self._last_answer = answer
            await self._stream.send(answer)

    async def _answer(self, request: ModbusPDU) -> bytes:
        """The framed answer; empty when a device on a serial line would keep silent."""
        known = self._core.devices
        if request.dev_id not in known and 0 not in known:
            if self._framing is not Wrapping.TCP:
                return b""
            return self._frame(request, ExceptionResponse(request.function_code, ExcCodes.GATEWAY_NO_RESPONSE))
        if type(request) in REGISTER_READS:
            return await self._registers(request)
        # pymodbus names its old context here; SimCore has the two methods that are used
        response = await request.datastore_update(self._core, request.dev_id)  # type: ignore[arg-type]
        return self._frame(request, response)

    async def _registers(self, request: ModbusPDU) -> bytes:
        """The answer to the most frequent requests, without a PDU object."""
        function, count = request.function_code, request.count
        values = await self._core.async_getValues(request.dev_id, function, request.address, count)
        if isinstance(values, ExcCodes):
            return self._frame(request, ExceptionResponse(function, values))
        pdu = struct.pack(f">BB{count}H", function, 2 * count, *values)
        return self._framer.encode(pdu, request.dev_id, request.transaction_id)

    def _frame(self, request: ModbusPDU, response: ModbusPDU) -> bytes:
        response.transaction_id = request.transaction_id
        response.dev_id = request.dev_id
        return self._framer.buildFrame(response)


def decoded(pdu: bytes, unit: int, transaction: int = 0) -> ModbusPDU:
    """The request in ``pdu``; one whose function is unknown or whose fields are out of range will only be refused."""
    function = pdu[0] & 0x7F
    known = DecodePDU.pdu_table.get(pdu[0])
    request: ModbusPDU
    if known is None or pdu[0] not in DATA_FUNCTIONS:
        request = _Unanswerable(function, ExcCodes.ILLEGAL_FUNCTION)
    else:
        request = known[0]()
        try:
            request.decode(pdu[1:])
        except (ModbusIOException, ValueError, IndexError, struct.error):
            request = _Unanswerable(function, ExcCodes.ILLEGAL_VALUE)
    request.dev_id, request.transaction_id = unit, transaction
    return request


def _again(asked: Asked, transaction: int) -> ModbusPDU:
    """The request to read registers that ``asked`` stands for."""
    kind = ReadHoldingRegistersRequest if asked.function == 3 else ReadInputRegistersRequest
    request: ModbusPDU = kind(dev_id=asked.unit, address=asked.address, count=asked.count)
    request.transaction_id = transaction
    return request


class _Unanswerable(ModbusPDU):
    """A frame that can only be refused."""

    def __init__(self, function: int, code: int) -> None:
        super().__init__()
        self.function_code = function
        self._code = code

    async def datastore_update(self, context: object, device_id: int) -> ModbusPDU:  # noqa: ARG002  pymodbus's signature
        return ExceptionResponse(self.function_code, self._code)


def spoil(answer: bytes, fault: Truncate | FlipByte | Duplicate | StaleAnswer, previous: bytes) -> bytes:
    """``answer`` as it arrives after ``fault``; ``previous`` is the answer that went out before."""
    match fault:
        case Truncate(keep):
            return answer[:keep]
        case FlipByte(index):
            if not answer:
                return answer
            index %= len(answer)
            return answer[:index] + bytes([answer[index] ^ 0xFF]) + answer[index + 1 :]
        case Duplicate():
            return answer + answer
        case StaleAnswer():
            return previous
