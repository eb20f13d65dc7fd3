"""``evcc-server scan``: which Modbus units answer on a host or a bus, and what SunSpec says they are.

Each unit is asked for one register. Any answer counts, also a refusal; a gateway's "no answer from the device" does not. Nothing
is written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from evcc_server.errors import DeviceDown, DeviceError, DeviceImplausible, DeviceSilent
from evcc_server.modbus.link import Link, ModbusRefused, Port
from evcc_server.modbus.turns import Priority
from evcc_server.modbus.wire import READ_HOLDING, READ_INPUT

GATEWAY_CODES = (10, 11)
ABSENT_FUNCTION = 1
_SUNSPEC_BASES = (40000, 50000, 0)
_MARKER = (0x5375, 0x6E53)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit that answers; ``description`` is what it says of itself."""

    number: int
    description: str


def parse_units(text: str) -> tuple[int, ...]:
    """``1-10,50,200`` as numbers. Raises ValueError."""
    units: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        ends = (first, last if dash else first)
        low, high = (int(end) if end.isdecimal() else -1 for end in ends)
        if not 0 <= low <= high <= 255:
            raise ValueError(f"{part.strip()!r} is no range of unit ids, expected 0 to 255")
        units += [unit for unit in range(low, high + 1) if unit not in units]
    return tuple(units)


async def scan(link: Link, units: Sequence[int], *, timeout_s: float) -> AsyncIterator[Unit]:
    """The units that answer, as they are found. Raises `DeviceDown` when nothing can be reached at all."""
    for number in units:
        port = Port(link, number, timeout_s=timeout_s)
        try:
            answered = await _answers(port)
        except DeviceDown:
            raise
        except DeviceSilent:
            continue
        except DeviceImplausible as error:
            yield Unit(number=number, description=f"answers, but not in Modbus as expected: {error}")
            continue
        if answered is not None:
            yield Unit(number=number, description=await _sunspec(port) or answered)


async def _answers(port: Port) -> str | None:
    refusals: list[str] = []
    for function, kind in ((READ_HOLDING, "holding"), (READ_INPUT, "input")):
        try:
            values = await port.read(function, 0, 1, priority=Priority.CONTROL)
        except ModbusRefused as refusal:
            if refusal.code in GATEWAY_CODES:
                return None
            refusals.append(f"{kind} register 0: exception {refusal.code}")
            if refusal.code != ABSENT_FUNCTION:
                break
        else:
            return f"{kind} register 0 is {values[0]}"
    return ", ".join(refusals)


async def _sunspec(port: Port) -> str:
    """Manufacturer, model and version from SunSpec's common model."""
    for base in _SUNSPEC_BASES:
        try:
            words = await port.read(READ_HOLDING, base, 2, priority=Priority.CONTROL)
            if words != _MARKER:
                continue
            common = await port.read(READ_HOLDING, base + 4, 48, priority=Priority.CONTROL)
        except DeviceDown:
            raise
        except DeviceError:
            continue
        texts = [_text(common[start : start + length]) for start, length in ((0, 16), (16, 16), (40, 8))]
        return f"SunSpec: {' '.join(text for text in texts if text)}"
    return ""


def _text(words: Sequence[int]) -> str:
    data = b"".join(word.to_bytes(2, "big") for word in words)
    return "".join(c if c.isprintable() else "?" for c in data.split(b"\0")[0].decode("ascii", "replace")).strip()
