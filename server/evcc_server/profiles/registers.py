"""Registers to numbers and back.

A number is ``((word >> shift) & mask) * scale * 10**sf * sign``. What a device marks as not available is None, or what the
profile says that it stands for; what is not a number, and what no house can have (a power of a megawatt, 700 V, 130 %), is
None. Writing divides and truncates towards zero, so a limit is never exceeded by rounding; only a hair below a whole number
counts as that number.
"""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Callable, Sequence

from evcc_server.profiles.profile import Register, WordOrder

PLAUSIBLE: dict[str, tuple[float, float]] = {
    "W": (-1e6, 1e6),
    "VA": (-1e6, 1e6),
    "var": (-1e6, 1e6),
    "A": (-2000.0, 2000.0),
    "V": (-1500.0, 1500.0),
    "%": (-1000.0, 1000.0),
    "kWh": (-1e9, 1e9),
    "Hz": (0.0, 1000.0),
    "°C": (-100.0, 300.0),
}
"""Range of any register of this unit; `evcc_server.devices.plausible` is stricter about what a value is used for."""

SUNSPEC_NAN: dict[str, tuple[int, ...]] = {
    "int16": (0x8000,),
    "uint16": (0xFFFF,),
    "enum": (0xFFFF,),
    "sunssf": (0x8000,),
    "int32": (0x80000000,),
    "uint32": (0xFFFFFFFF,),
    "int64": (0x8000000000000000,),
    "uint64": (0xFFFFFFFFFFFFFFFF,),
    "float32": (0x7FC00000,),
}
"""SunSpec's sentinels; a bitfield has the all-ones of its width."""

_FLOATS = {"float32": ">f", "float64": ">d"}
_FLOAT, _TWO_WORDS = struct.Struct(">f"), struct.Struct(">HH")
_SIGNED = {"int16", "int32", "int64", "sunssf"}
_LARGEST = sys.float_info.max
_HAIR = 1e-9
"""Binary fractions such as 16 / 0.1 may end a hair below the whole number that is meant."""

Words = Sequence[int]


class Unwritable(ValueError):
    """The value cannot be put into this register."""


def raw_number(register: Register, words: Words, word_order: WordOrder = "high_first") -> int:
    """The words as one unsigned number, in order, before mask and shift."""
    ordered = words if (register.word_order or word_order) == "high_first" else words[::-1]
    number = 0
    for word in ordered:
        number = number << 16 | word
    return number


def _signed(number: int, bits: int) -> int:
    return number - (1 << bits) if number >> (bits - 1) else number


def is_not_available(register: Register, number: int) -> bool:
    """Whether ``number`` is the register's way of saying that there is no value."""
    if number in register.nan:
        return True
    if register.model is None:
        return False
    if register.type == "bitfield":
        return number == (1 << 16 * register.count) - 1
    return number in SUNSPEC_NAN.get(register.type, ())


def decode_raw(register: Register, words: Words, word_order: WordOrder = "high_first") -> int | None:
    """The raw integer (after mask and shift), as enums, conditions and status maps use it; None: not available."""
    number = raw_number(register, words, word_order)
    if is_not_available(register, number):
        return None
    if register.mask is not None:
        return number >> register.shift & register.mask
    number >>= register.shift
    return _signed(number, 16 * register.count) if register.type in _SIGNED else number


def decode(
    register: Register, words: Words, word_order: WordOrder = "high_first", *, sf: int | None = 0
) -> float | None:
    """The value in the register's unit, or None. ``sf``: exponent of ten; None: the scale itself is not available."""
    if register.type in _FLOATS:
        number = raw_number(register, words, word_order)
        (value,) = struct.unpack(_FLOATS[register.type], number.to_bytes(2 * register.count, "big"))
        if is_not_available(register, number) or math.isnan(value):
            return register.nan_is
    else:
        raw = decode_raw(register, words, word_order)
        if raw is None:
            return register.nan_is
        value = float(raw)
    if sf is None:
        return None
    return plausible(value * register.scale * register.sign * 10.0**sf, register.unit)


def decoder(
    register: Register, word_order: WordOrder = "high_first", *, sf: int = 0
) -> Callable[[Words], float | None]:
    """`decode` of one register, worked out beforehand; quicker for the kinds that polls are made of."""
    straight = (register.word_order or word_order) == "high_first"
    scale, power = register.scale * register.sign, 10.0**sf
    signed = register.type in _SIGNED
    unavailable = frozenset(register.nan)
    if register.model is not None:
        unavailable |= frozenset(SUNSPEC_NAN.get(register.type, ()))
    nan_is = register.nan_is
    low, high = PLAUSIBLE.get(register.unit, (-_LARGEST, _LARGEST))

    def any_kind(words: Words) -> float | None:
        return decode(register, words, word_order, sf=sf)

    def single(words: Words) -> float | None:
        number = words[0]
        if number in unavailable:
            return nan_is
        value = float(number - 0x1_0000 if signed and number & 0x8000 else number) * scale * power
        return value + 0.0 if low <= value <= high else None

    def double(words: Words) -> float | None:
        number = words[0] << 16 | words[1] if straight else words[1] << 16 | words[0]
        if number in unavailable:
            return nan_is
        value = float(number - 0x1_0000_0000 if signed and number & 0x8000_0000 else number) * scale * power
        return value + 0.0 if low <= value <= high else None

    def floats(words: Words) -> float | None:
        data = _TWO_WORDS.pack(*words) if straight else _TWO_WORDS.pack(*reversed(words))
        value: float = _FLOAT.unpack(data)[0] * scale * power
        if data in absent or value != value:
            return nan_is
        return value + 0.0 if low <= value <= high else None  # infinity is not between

    absent = frozenset(number.to_bytes(4, "big") for number in unavailable if number < 1 << 32)
    if register.mask is not None or register.shift:
        return any_kind
    match register.type, register.count:
        case "float32", 2:
            return floats
        case (("uint16" | "int16"), 1):
            return single
        case (("uint32" | "int32"), 2):
            return double
        case _:
            return any_kind


def raw_decoder(register: Register, word_order: WordOrder = "high_first") -> Callable[[Words], int | str | None]:
    """The text of a string, else `decode_raw`, worked out beforehand. Texts seldom change from one poll to the next."""
    last: tuple[Words, str] = ((), "")

    def text(words: Words) -> str:
        nonlocal last
        if words != last[0]:
            last = words, decode_text(register, words)
        return last[1]

    def any_number(words: Words) -> int | None:
        return decode_raw(register, words, word_order)

    return text if register.type == "string" else any_number


def plausible(value: float, unit: str) -> float | None:
    """``value``, or None when nothing in a house has it."""
    if not math.isfinite(value):
        return None
    low, high = PLAUSIBLE.get(unit, (-math.inf, math.inf))
    return value + 0.0 if low <= value <= high else None  # no negative zero


def decode_text(register: Register, words: Words) -> str:
    """A text without trailing zeros and spaces; unreadable characters are replaced."""
    data = b"".join(word.to_bytes(2, "big") for word in words)
    match register.encoding:
        case "hex":
            return data.rstrip(b"\0").hex()
        case "utf16be":
            text = data.decode("utf-16-be", "replace")
        case "ascii_low_first":
            text = b"".join(word.to_bytes(2, "little") for word in words).decode("ascii", "replace")
        case "ascii":
            text = data.decode("ascii", "replace")
    return text.split("\0", 1)[0].strip()


def encode(register: Register, value: float, word_order: WordOrder = "high_first", *, sf: int = 0) -> tuple[int, ...]:
    """Words for ``value`` in the register's unit, truncated. Raises `Unwritable` when it does not fit."""
    if not math.isfinite(value):
        raise Unwritable(f"{register.name}: {value} is not a number")
    scaled = value / (register.scale * register.sign * 10.0**sf)
    if register.type in _FLOATS:
        try:
            data = struct.pack(_FLOATS[register.type], scaled)
        except OverflowError:
            raise Unwritable(f"{register.name}: {value} does not fit") from None
        return _words(register, int.from_bytes(data, "big"), word_order)
    return encode_raw(register, truncate(scaled), word_order)


def encode_raw(register: Register, raw: int, word_order: WordOrder = "high_first") -> tuple[int, ...]:
    """Words for a raw number. Raises `Unwritable` outside the register's width or its own range."""
    if (register.min is not None and raw < register.min) or (register.max is not None and raw > register.max):
        raise Unwritable(f"{register.name}: {raw} is outside {register.min} to {register.max}")
    bits = 16 * register.count
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if register.type in _SIGNED else (0, (1 << bits) - 1)
    if register.type == "bool":
        high = 1
    if not low <= raw <= high:
        raise Unwritable(f"{register.name}: {raw} does not fit into {register.type}")
    return _words(register, raw % (1 << bits), word_order)


def truncate(value: float) -> int:
    """Towards zero, except for a hair."""
    nearest = round(value)
    return nearest if abs(value - nearest) < _HAIR * max(1.0, abs(value)) else math.trunc(value)


def _words(register: Register, number: int, word_order: WordOrder) -> tuple[int, ...]:
    words = tuple(number >> 16 * place & 0xFFFF for place in reversed(range(register.count)))
    return words if (register.word_order or word_order) == "high_first" else words[::-1]
