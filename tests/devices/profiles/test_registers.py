"""The codec: what is written comes back, what is a sentinel never becomes a number."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evcc_server.profiles.profile import DataType, Register, WordOrder, load, names
from evcc_server.profiles.registers import (
    PLAUSIBLE,
    SUNSPEC_NAN,
    Unwritable,
    decode,
    decode_raw,
    decode_text,
    encode,
    encode_raw,
    truncate,
)

INTEGERS: list[tuple[DataType, int, bool]] = [
    ("uint16", 1, False),
    ("int16", 1, True),
    ("uint32", 2, False),
    ("int32", 2, True),
    ("uint64", 4, False),
    ("int64", 4, True),
]
ORDERS = st.sampled_from(["high_first", "low_first"])


def register(type_: DataType, count: int = 1, **options: object) -> Register:
    return Register(name="x", address=0, function="holding", type=type_, count=count, **options)  # type: ignore[arg-type]  # passed through


@settings(deadline=None)
@given(st.sampled_from(INTEGERS), ORDERS, st.data())
def test_integers_come_back(kind: tuple[DataType, int, bool], order: WordOrder, data: st.DataObject) -> None:
    type_, count, is_signed = kind
    bits = 16 * count
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if is_signed else (0, 2**bits - 1)
    value = data.draw(st.integers(low, high))
    words = encode_raw(register(type_, count), value, order)
    assert len(words) == count
    assert decode_raw(register(type_, count), words, order) == value
    packed = struct.pack({1: ">h", 2: ">i", 4: ">q"}[count] if is_signed else {1: ">H", 2: ">I", 4: ">Q"}[count], value)
    by_hand = struct.unpack(f">{count}H", packed)
    assert words == (by_hand if order == "high_first" else by_hand[::-1])
    with pytest.raises(Unwritable):
        encode_raw(register(type_, count), high + 1, order)
    with pytest.raises(Unwritable):
        encode_raw(register(type_, count), low - 1, order)


@settings(deadline=None)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False), ORDERS)
def test_floats_come_back(value: float, order: WordOrder) -> None:
    words = encode(register("float32", 2), value, order)
    assert decode(register("float32", 2), words, order) == value
    assert decode(register("float64", 4), encode(register("float64", 4), value, order), order) == value


@settings(deadline=None)
@given(st.floats(0, 6000), st.sampled_from([1.0, 0.1, 0.06, 0.01, 0.001, 10.0]))
def test_writing_never_exceeds_what_was_asked_for(value: float, scale: float) -> None:
    amps = register("uint32", 2, scale=scale, unit="A")
    written = decode(amps, encode(amps, value))
    if written is not None:
        assert written <= value * (1 + 2e-9) + scale * 2e-9
        assert value - written <= scale * (1 + 1e-6) + value * 1e-9


@settings(deadline=None)
@given(st.integers(0, 60_000), st.sampled_from([1.0, 0.1, 0.06, 0.01, 0.001]))
def test_whole_steps_are_written_exactly(steps: int, scale: float) -> None:
    assert encode(register("uint16", scale=scale), steps * scale) == (steps,)


@settings(deadline=None)
@given(st.integers(0, 0xFFFF), st.integers(-5, 5))
def test_scale_factors_are_powers_of_ten(raw: int, exponent: int) -> None:
    point = register("uint16", model=103)
    expected = None if raw == 0xFFFF else raw * 10.0**exponent
    assert decode(point, (raw,), sf=exponent) == (pytest.approx(expected) if expected is not None else None)
    assert decode(point, (raw,), sf=None) is None


@pytest.mark.parametrize("type_", sorted(SUNSPEC_NAN))
def test_a_sunspec_sentinel_is_missing_and_its_neighbours_are_not(type_: DataType) -> None:
    count = {"uint16": 1, "int16": 1, "enum": 1, "sunssf": 1, "uint64": 4, "int64": 4}.get(type_, 2)
    for sentinel in SUNSPEC_NAN[type_]:
        words = tuple(sentinel >> 16 * place & 0xFFFF for place in reversed(range(count)))
        assert decode(register(type_, count, model=1), words) is None
        if type_ != "float32":
            assert decode(register(type_, count), words) is not None  # only in SunSpec, or where a profile lists it
            assert decode(register(type_, count, model=1), (*words[:-1], words[-1] ^ 1)) is not None


def test_every_sentinel_that_a_profile_lists_is_missing_or_what_it_stands_for_in_its_word_order() -> None:
    seen = 0
    for name in names():
        profile = load(name)
        for point in profile.registers:
            for sentinel in point.nan:
                words = tuple(sentinel >> 16 * place & 0xFFFF for place in reversed(range(point.count)))
                if (point.word_order or profile.connection.word_order) == "low_first":
                    words = words[::-1]
                assert decode(point, words, profile.connection.word_order, sf=0) == point.nan_is
                seen += 1
    assert seen > 150


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_is_missing_and_cannot_be_written(value: float) -> None:
    (bits,) = struct.unpack(">Q", struct.pack(">d", value))
    words = tuple(bits >> 16 * place & 0xFFFF for place in (3, 2, 1, 0))
    assert decode(register("float64", 4), words) is None
    narrow: list[tuple[DataType, int]] = [("float32", 2), ("uint16", 1)]
    for type_, count in narrow:
        with pytest.raises(Unwritable):
            encode(register(type_, count), value)
    with pytest.raises(Unwritable):
        encode(register("float32", 2), 1e39)


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(sorted(PLAUSIBLE)))
def test_what_no_house_has_is_missing(value: float, unit: str) -> None:
    words = struct.unpack(">4H", struct.pack(">d", value))
    low, high = PLAUSIBLE[unit]
    assert decode(register("float64", 4, unit=unit), words) == (value if low <= value <= high else None)


def test_mask_shift_sign_and_range() -> None:
    duty = register("uint16", mask=0x0FFF)
    assert decode_raw(duty, (0x80A6,)) == 166
    flags = register("uint16", mask=0x3, shift=4)
    assert decode_raw(flags, (0b0010_0000,)) == 2
    exported = register("int32", 2, sign=-1, unit="W")
    assert decode(exported, (0xFFFF, 0xF6D7)) == 2345.0
    assert encode(exported, 2345.0) == (0xFFFF, 0xF6D7)
    bounded = register("uint16", scale=0.1, min=0, max=160)
    assert encode(bounded, 16.0) == (160,)
    with pytest.raises(Unwritable):
        encode(bounded, 16.2)
    with pytest.raises(Unwritable):
        encode(register("uint16"), -1.0)
    zero = decode(register("int16", sign=-1), (0,))
    assert zero == 0
    assert math.copysign(1, zero) == 1  # no negative zero in a display


def test_truncation_forgives_only_a_hair() -> None:
    assert truncate(159.9999999999) == 160
    assert truncate(8661.992) == 8661
    assert truncate(159.99) == 159
    assert truncate(-159.99) == -159
    assert truncate(16 / 0.1) == 160


def test_texts() -> None:
    assert decode_text(register("string", 3), (0x4142, 0x4300, 0x5A5A)) == "ABC"
    assert decode_text(register("string", 3, encoding="ascii_low_first"), (0x4241, 0x0043, 0)) == "ABC"
    assert decode_text(register("string", 3, encoding="utf16be"), (0x0041, 0x00E4, 0)) == "Aä"
    assert decode_text(register("string", 3, encoding="hex"), (0x04A1, 0xB2C3, 0)) == "04a1b2c3"
    assert decode_text(register("string", 2), (0x2020, 0x2020)) == ""
    assert decode_text(register("string", 1), (0xFFFF,)) == "\ufffd\ufffd"
