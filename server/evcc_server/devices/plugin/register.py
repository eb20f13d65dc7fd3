"""Registers of plugins in the shape that profiles have, so that one codec serves both."""

from __future__ import annotations

from typing import cast

from evcc_server.config.sources import RegisterAccess, RegisterSource
from evcc_server.modbus import wire
from evcc_server.profiles.profile import DataType, Function, Register

_SENTINELS: dict[str, tuple[int, ...]] = {
    "uint16": (0xFFFF,),
    "int16": (0x7FFF, 0x8000),
    "uint32": (0xFFFFFFFF,),
    "int32": (0x7FFFFFFF, 0x80000000),
    "uint64": (0xFFFFFFFFFFFFFFFF,),
    "int64": (0x7FFFFFFFFFFFFFFF, 0x8000000000000000),
}
_READ = {
    RegisterAccess.HOLDING: wire.READ_HOLDING,
    RegisterAccess.INPUT: wire.READ_INPUT,
    RegisterAccess.COIL: wire.READ_COILS,
    RegisterAccess.DISCRETE: wire.READ_DISCRETE,
}
_SPACES: dict[RegisterAccess, Function] = {
    RegisterAccess.HOLDING: "holding",
    RegisterAccess.INPUT: "input",
    RegisterAccess.COIL: "coil",
    RegisterAccess.DISCRETE: "discrete",
    RegisterAccess.WRITE_SINGLE: "holding",
    RegisterAccess.WRITE_MULTIPLE: "holding",
    RegisterAccess.WRITE_COIL: "coil",
}
_WRITTEN = frozenset({RegisterAccess.WRITE_SINGLE, RegisterAccess.WRITE_MULTIPLE, RegisterAccess.WRITE_COIL})


def read_function(access: RegisterAccess) -> int:
    """The function code that reads such a register."""
    return _READ[access]


def write_function(access: RegisterAccess, count: int) -> int:
    """The function code that writes such a register of ``count`` words."""
    if access is RegisterAccess.WRITE_COIL:
        return wire.WRITE_COIL
    return wire.WRITE_REGISTER if access is RegisterAccess.WRITE_SINGLE and count == 1 else wire.WRITE_REGISTERS


def register_of(source: RegisterSource, scale: float) -> Register:
    """The register of a plugin; ``scale`` multiplies what is read, and what is written."""
    shift = 0 if source.mask is None else (source.mask & -source.mask).bit_length() - 1
    is_written = source.access in _WRITTEN
    return Register(
        name=str(source.address),
        address=source.address,
        function=_SPACES[source.access],
        type=cast(DataType, source.data_type),  # the configuration lets only these through
        count=source.count,
        scale=1 / scale if is_written else scale,
        nan=_SENTINELS.get(source.data_type, ()) if source.has_sentinel else (),
        word_order="low_first" if source.is_low_word_first else "high_first",
        mask=None if source.mask is None else source.mask >> shift,
        shift=shift,
        access="rw" if is_written else "r",
    )
