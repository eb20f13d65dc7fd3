"""Register reads without pymodbus: most of what polls are made of.

With TCP and serial lines taken together, 5 % of the CPU of a day through the whole server (``python -m benchmarks day``).
`evcc_server.modbus.wire` can do without it, and has what is not the very answer expected.
"""

from __future__ import annotations

import functools
import struct
from typing import Protocol

COUNT_MAX = 125
_FUNCTIONS = frozenset({3, 4})  # holding and input registers


class FastRead(Protocol):
    """One read of registers."""

    def question(self, transaction: int) -> bytes:
        """The frame that asks."""

    def answer(self, received: bytes, transaction: int) -> tuple[int, ...] | None:
        """The registers, when ``received`` is nothing but the very answer expected; None: look more closely."""


def is_possible(unit: int, function: int, address: int, count: int) -> bool:
    """Whether it is a read of registers that fits into a frame; pymodbus says what is wrong with one that does not."""
    return function in _FUNCTIONS and 0 <= unit <= 0xFF and 0 <= address <= 0xFFFF and 1 <= count <= COUNT_MAX


@functools.lru_cache(maxsize=4096)
def over_tcp(unit: int, function: int, address: int, count: int) -> FastRead | None:
    """With a TCP header; None if it is not possible. Polls ask the same again and again."""
    return _OverTcp(unit, function, address, count) if is_possible(unit, function, address, count) else None


@functools.lru_cache(maxsize=4096)
def over_rtu(unit: int, function: int, address: int, count: int) -> FastRead | None:
    """With a checksum, as on a serial line; None if it is not possible."""
    return _OverRtu(unit, function, address, count) if is_possible(unit, function, address, count) else None


class _OverTcp:
    def __init__(self, unit: int, function: int, address: int, count: int) -> None:
        size = 2 * count
        self._asks = struct.pack(">HHBBHH", 0, 6, unit, function, address, count)  # behind the transaction
        self._head = struct.pack(">HHBBB", 0, size + 3, unit, function, size)
        self._length = 9 + size
        self._words = struct.Struct(f">{count}H")

    def question(self, transaction: int) -> bytes:
        return transaction.to_bytes(2, "big") + self._asks

    def answer(self, received: bytes, transaction: int) -> tuple[int, ...] | None:
        if len(received) != self._length or received[:9] != transaction.to_bytes(2, "big") + self._head:
            return None
        return self._words.unpack_from(received, 9)


class _OverRtu:
    def __init__(self, unit: int, function: int, address: int, count: int) -> None:
        size = 2 * count
        asks = struct.pack(">BBHH", unit, function, address, count)
        self._asks = asks + crc16(asks)
        self._head = bytes((unit, function, size))
        self._length = 5 + size
        self._words = struct.Struct(f">{count}H")

    def question(self, transaction: int) -> bytes:  # noqa: ARG002  a serial line has none
        return self._asks

    def answer(self, received: bytes, transaction: int) -> tuple[int, ...] | None:  # noqa: ARG002  as above
        if len(received) != self._length or received[:3] != self._head or _remainder(received):
            return None
        return self._words.unpack_from(received, 3)


def crc16(frame: bytes) -> bytes:
    """Modbus's checksum of a serial frame, as it stands at its end."""
    return _remainder(frame).to_bytes(2, "little")


def _remainder(frame: bytes) -> int:
    """0 for a frame with its checksum."""
    remainder = 0xFFFF
    for byte in frame:
        remainder = remainder >> 8 ^ _REMAINDERS[(remainder ^ byte) & 0xFF]
    return remainder


def _of_byte(remainder: int) -> int:
    for _ in range(8):
        remainder = remainder >> 1 ^ (0xA001 if remainder & 1 else 0)
    return remainder


_REMAINDERS = [_of_byte(byte) for byte in range(256)]
