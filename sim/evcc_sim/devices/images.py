"""Physical values as register contents: the simulator's own encoder.

It shares the register tables with the server's drivers, but no code: a mistake in one codec shows up against the other, and
both are checked against numbers worked out by hand.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence

from evcc_server.profiles.profile import Register, WordOrder

Value = float | int | str | None
"""A number in the register's unit, a raw number where it has none, a text, or None: not available."""

Words = tuple[int, ...]

Encoder = Callable[[Value], Words]
"""One register's `image`, worked out beforehand."""

INTEGERS = {
    "uint16": (0, 0xFFFF), "int16": (-0x8000, 0x7FFF), "sunssf": (-0x8000, 0x7FFF), "enum": (0, None), "bitfield": (0, None),
    "uint32": (0, 0xFFFF_FFFF), "int32": (-0x8000_0000, 0x7FFF_FFFF), "bool": (0, 1),
    "uint64": (0, 0xFFFF_FFFF_FFFF_FFFF), "int64": (-0x8000_0000_0000_0000, 0x7FFF_FFFF_FFFF_FFFF),
}  # fmt: skip
FLOATS = {"float32": (">f", ">I", 2), "float64": (">d", ">Q", 4)}
SUNSPEC_ABSENT = {
    "int16": 0x8000, "sunssf": 0x8000, "uint16": 0xFFFF, "enum": 0xFFFF, "int32": 0x8000_0000, "uint32": 0xFFFF_FFFF,
    "int64": 0x8000_0000_0000_0000, "uint64": 0xFFFF_FFFF_FFFF_FFFF, "float32": 0x7FC0_0000,
    "float64": 0x7FF8_0000_0000_0000,
}  # fmt: skip
"""What SunSpec devices show where they have no value; bitfields are all ones, texts all zeros."""


def image(register: Register, value: Value, *, order: WordOrder, exponent: int = 0) -> Words:
    """The words that show ``value``; SunSpec's scale factor is ``exponent``. Too large numbers show the largest there is."""
    if register.type == "string":
        return _in_order(_text(register, "" if value is None else str(value)), register, order)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return _in_order(_split(absent(register), register.count), register, order)
    if isinstance(value, str):
        raise TypeError(f"{register.key} shows numbers, not {value!r}")
    return _in_order(_split(raw_number(register, value, exponent), register.count), register, order)


def encoder(register: Register, *, order: WordOrder, exponent: int = 0) -> Encoder:
    """`image` of one register, quicker for the plain numbers that polls are made of."""
    straight = (register.word_order or order) == "high_first"
    divisor = register.scale * 10.0**exponent * register.sign

    def any_value(value: Value) -> Words:
        return image(register, value, order=order, exponent=exponent)

    def floats(value: Value) -> Words:
        if type(value) is not float or value != value:
            return any_value(value)
        high, low = _TWO_WORDS.unpack(_FLOAT.pack(value / divisor))
        return (high, low) if straight else (low, high)

    low_most, high_most = INTEGERS.get(register.type, (0, None))

    def single_word(value: Value) -> Words:
        if type(value) is not float or value != value:
            return any_value(value)
        raw = math.floor(value / divisor + 0.5)
        if high_most is None or not low_most <= raw <= high_most:
            return any_value(value)
        return (raw & 0xFFFF,)

    if register.mask is not None or register.shift or register.type == "string":
        return any_value
    if register.type == "float32":
        return floats
    return single_word if register.count == 1 and register.type in ("uint16", "int16") else any_value


_FLOAT, _TWO_WORDS = struct.Struct(">f"), struct.Struct(">HH")


def raw_number(register: Register, value: float, exponent: int = 0) -> int:
    """The unsigned bit pattern of ``value``, mask and shift applied."""
    if register.type in FLOATS:
        as_float, as_bits, _ = FLOATS[register.type]
        scaled = value * register.sign / (register.scale * 10.0**exponent)
        bits: int = struct.unpack(as_bits, struct.pack(as_float, scaled))[0]
        return bits
    raw = math.floor(value / (register.scale * 10.0**exponent) * register.sign + 0.5)
    low, high = INTEGERS[register.type]
    width = 16 * register.count
    if high is None or high >= 1 << width:
        high = (1 << width) - 1
    if register.mask is not None and low == 0:
        high = min(high, register.mask)
    raw = min(max(raw, low), high)
    pattern = (raw << register.shift) & ((1 << width) - 1)
    return pattern if register.mask is None else pattern & (register.mask << register.shift)


def absent(register: Register) -> int:
    """The bit pattern that means "not available"; zero for a device that has no such pattern."""
    width = 16 * register.count
    if register.nan:
        return register.nan[0] & ((1 << width) - 1)
    if register.type == "float32":
        return SUNSPEC_ABSENT["float32"]
    if register.type == "float64":
        return SUNSPEC_ABSENT["float64"]
    if register.model is not None:
        return SUNSPEC_ABSENT.get(register.type, (1 << width) - 1)
    return 0


def number(register: Register, words: Sequence[int], *, order: WordOrder, exponent: int = 0) -> float:
    """What a client means by writing ``words``: the value in the register's unit, or the raw number where it has none."""
    straight = words if (register.word_order or order) == "high_first" else tuple(reversed(words))
    bits = 0
    for word in straight:
        bits = bits << 16 | word
    if register.type in FLOATS:
        as_float, as_bits, _ = FLOATS[register.type]
        raw: float = struct.unpack(as_float, struct.pack(as_bits, bits))[0]
        return raw * register.scale * 10.0**exponent * register.sign
    bits >>= register.shift
    if register.mask is not None:
        bits &= register.mask
    signed = register.type in ("int16", "int32", "int64", "sunssf")
    width = 16 * register.count
    if signed and bits >= 1 << (width - 1):
        bits -= 1 << width
    scale = register.scale * 10.0**exponent
    return (bits * scale if scale >= 1 else bits / (1 / scale)) * register.sign


def _split(bits: int, count: int) -> Words:
    return tuple(bits >> 16 * place & 0xFFFF for place in reversed(range(count)))


def _in_order(words: Words, register: Register, order: WordOrder) -> Words:
    if register.type == "string" or (register.word_order or order) == "high_first":
        return words
    return tuple(reversed(words))


def _text(register: Register, text: str) -> Words:
    count = register.count
    match register.encoding:
        case "utf16be":
            units = text.encode("utf-16-be")[: 2 * count].ljust(2 * count, b"\0")
        case "hex":
            units = bytes.fromhex(text)[: 2 * count].ljust(2 * count, b"\0")
        case _:
            units = text.encode("ascii", "replace")[: 2 * count].ljust(2 * count, b"\0")
    words = struct.unpack(f">{count}H", units)
    if register.encoding == "ascii_low_first":
        return tuple((word & 0xFF) << 8 | word >> 8 for word in words)
    return words
