"""One Modbus unit as a `SimDevice`: registers with live values behind some of them, plain memory behind the rest.

A read asks only the values that it covers; a write is checked (whole values only, writable, in range), and then handed to
whoever owns the register. What a device of the kind would refuse is refused with the code that it would use.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pymodbus.constants import ExcCodes
from pymodbus.simulator import DataType, SimData, SimDevice
from pymodbus.simulator.simcore import SimCore

from evcc_server.profiles.profile import Function, Register, WordOrder
from evcc_sim.devices.images import Encoder, Value, Words, absent, encoder, image, number

Source = Callable[[], Value]
"""The present value of a register, in its unit."""

Sink = Callable[[float], ExcCodes | None]
"""Takes what a client has written, in the register's unit; may refuse it."""

READS: Mapping[int, Function] = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
WRITES: Mapping[int, Function] = {5: "coil", 6: "holding", 15: "coil", 16: "holding", 22: "holding", 23: "holding"}
SPACES: tuple[Function, ...] = ("coil", "discrete", "holding", "input")

UNUSED = 0xFFFF
"""pymodbus wants none of the four spaces empty; this address fills those that the device does not have."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A register at its absolute ``address``. ``key`` names its value; ``exponent`` is SunSpec's scale factor."""

    key: str
    register: Register
    address: int
    function: Function
    exponent: int = 0

    @property
    def is_bit(self) -> bool:
        return self.function in ("coil", "discrete")

    @property
    def size(self) -> int:
        return 1 if self.is_bit else self.register.count

    def covers(self, address: int, count: int) -> bool:
        """Whether a part of it lies in the range."""
        return self.address < address + count and address < self.address + self.size


@dataclass(frozen=True, slots=True)
class Filler:
    """Words that a read may cover although no value is known there."""

    function: Function
    address: int
    words: Words


@dataclass(slots=True)
class _Live:
    """A value behind a register: where to get it, how to show it, where it goes in memory."""

    placed: Placed
    source: Source
    encode: Encoder
    keep: Words | None  # bits of the words that belong to others
    shown: Value = None
    words: Words = ()  # of `shown`


@dataclass(slots=True)
class Unit:
    """Everything behind one unit id."""

    unit_id: int
    order: WordOrder
    placed: tuple[Placed, ...]
    fillers: tuple[Filler, ...] = ()
    reads_single: bool = False
    read_max: int = 125
    sources: dict[str, Source] = field(default_factory=dict)
    sinks: dict[str, Sink] = field(default_factory=dict)
    before: Callable[[], None] = lambda: None  # brings the world up to now
    heard: Callable[[int], None] = lambda _function: None  # called for each request that is not refused
    _at: dict[tuple[Function, int, int], tuple[Placed, ...]] = field(default_factory=dict)
    _live: dict[tuple[int, int, int], tuple[_Live, ...]] = field(default_factory=dict)

    def sim_device(self) -> SimDevice:
        """The unit for pymodbus's simulator core, its memory filled with the defaults."""
        return SimDevice(
            id=self.unit_id,
            simdata=(
                self._bits("coil"),
                self._bits("discrete"),
                self._words("holding"),
                self._words("input"),
            ),
            action=functools.partial(_act, self),
        )

    def covered(self, function: Function, address: int, count: int) -> tuple[Placed, ...]:
        """The values that a request touches."""
        key = (function, address, count)
        found = self._at.get(key)
        if found is None:
            found = tuple(p for p in self.placed if p.function == function and p.covers(address, count))
            self._at[key] = found
        return found

    def live(self, function_code: int, address: int, count: int) -> tuple[_Live, ...] | ExcCodes:
        """The live values that a read touches, or why it is refused. Bindings are final once a unit is being read."""
        key = (function_code, address, count)
        found = self._live.get(key)
        if found is None:
            covered = self.covered(READS[function_code], address, count)
            refusal = _refuses_read(self, covered, address, count)
            if refusal is not None:
                return refusal
            found = tuple(self._live_value(p, self.sources[p.key]) for p in covered if p.key in self.sources)
            self._live[key] = found
        return found

    def _live_value(self, placed: Placed, source: Source) -> _Live:
        register = placed.register
        keep = None
        if register.mask is not None:
            width = (1 << 16 * register.count) - 1
            keep = pattern(~(register.mask << register.shift) & width, register, self.order)
        return _Live(placed, source, encoder(register, order=self.order, exponent=placed.exponent), keep)

    # -- memory -------------------------------------------------------------------------------------------------------

    def _words(self, function: Function) -> list[SimData]:
        memory: dict[int, int] = {}
        for filler in self.fillers:
            if filler.function == function:
                memory.update(enumerate(filler.words, filler.address))
        for placed in self.placed:
            if placed.function == function:
                for address, word in enumerate(self._initial(placed), placed.address):
                    shared = memory.get(address, 0) if placed.register.mask is not None else 0
                    memory[address] = shared | word
        return [SimData(start, values=words, datatype=DataType.REGISTERS) for start, words in _runs(memory)] or [
            SimData(UNUSED, values=[0], datatype=DataType.REGISTERS)
        ]

    def _bits(self, function: Function) -> list[SimData]:
        memory = {p.address: bool(p.register.default) for p in self.placed if p.function == function}
        return [SimData(start, values=bits, datatype=DataType.BITS) for start, bits in _runs(memory)] or [
            SimData(UNUSED - 15, values=[False] * 16, datatype=DataType.BITS)
        ]

    def _initial(self, placed: Placed) -> Words:
        register = placed.register
        if register.type == "string":
            return image(register, register.default or "", order=self.order)
        if register.default is None:
            bits = absent(register) if register.model is not None else 0
        else:
            bits = int(register.default) << register.shift
        return pattern(bits, register, self.order)


def pattern(bits: int, register: Register, order: WordOrder) -> Words:
    """The words of a raw bit pattern, in the register's word order."""
    words = tuple(bits >> 16 * place & 0xFFFF for place in reversed(range(register.count)))
    return words if (register.word_order or order) == "high_first" else tuple(reversed(words))


def _runs(memory: Mapping[int, int] | Mapping[int, bool]) -> Iterable[tuple[int, list[int]]]:
    start = 0
    run: list[int] = []
    for address in sorted(memory):
        if run and address != start + len(run):
            yield start, run
            run = []
        if not run:
            start = address
        run.append(memory[address])
    if run:
        yield start, run


async def _act(
    unit: Unit,
    function_code: int,
    start_address: int,
    address: int,
    count: int,
    registers: list[int],
    set_values: list[int] | list[bool] | None,
) -> ExcCodes | None:
    """pymodbus's hook: called for each request whose addresses exist, before memory is read or changed."""
    function = READS.get(function_code) or WRITES[function_code]
    unit.before()
    if function in ("coil", "discrete"):
        if set_values is not None:
            return _write_bits(unit, function, address, set_values)
        if function_code not in READS:
            return None
        return _read_bits(unit, function, start_address, address, count, registers)
    if set_values is not None:
        return _write(unit, function_code, address, [int(value) for value in set_values])
    if function_code not in READS:
        return None  # the echo of a write shows what was written
    return _read_words(unit, function_code, start_address, address, count, registers)


def _read_words(
    unit: Unit, function_code: int, start_address: int, address: int, count: int, registers: list[int]
) -> ExcCodes | None:
    """Bring the part of ``registers`` that is being read up to date."""
    live = unit.live(function_code, address, count)
    if isinstance(live, ExcCodes):
        return live
    unit.heard(function_code)
    for value in live:
        present = value.source()
        shown = value.shown
        if value.words and (present is shown or (type(present) is type(shown) and present == shown)):
            words = value.words
        else:
            words = value.encode(present)
            value.shown, value.words = present, words
        at = value.placed.address - start_address
        if value.keep is None:
            registers[at : at + len(words)] = words
        else:
            for index, word in enumerate(words):
                registers[at + index] = registers[at + index] & value.keep[index] | word
    return None


def _refuses_read(unit: Unit, covered: Sequence[Placed], address: int, count: int) -> ExcCodes | None:
    if any(p.register.access == "w" for p in covered):
        asked = set(range(address, address + count))
        if asked & _addresses(covered) - _addresses(p for p in covered if p.register.access != "w"):
            return ExcCodes.ILLEGAL_ADDRESS
    is_text = any(p.register.type == "string" for p in covered)
    if count > unit.read_max and not is_text:
        return ExcCodes.ILLEGAL_VALUE
    if unit.reads_single and (len({p.address for p in covered}) > 1 or not _is_whole(covered, address, count)):
        return ExcCodes.ILLEGAL_ADDRESS
    return None


def _addresses(placed: Iterable[Placed]) -> set[int]:
    return {address for p in placed for address in range(p.address, p.address + p.size)}


def _is_whole(covered: Sequence[Placed], address: int, count: int) -> bool:
    return all(address <= p.address and p.address + p.size <= address + count for p in covered)


def _write(unit: Unit, function_code: int, address: int, words: Sequence[int]) -> ExcCodes | None:
    covered = unit.covered(WRITES[function_code], address, len(words))
    covered = tuple(p for p in covered if p.register.access != "r" and _is_whole((p,), address, len(words)))
    if _addresses(covered) != set(range(address, address + len(words))):  # half a number, or nothing to write to
        return ExcCodes.ILLEGAL_ADDRESS
    values = []
    for placed in covered:
        register = placed.register
        own = words[placed.address - address : placed.address - address + placed.size]
        if register.type == "string":
            continue
        raw = number_raw(register, own, unit.order)
        if (register.min is not None and raw < register.min) or (register.max is not None and raw > register.max):
            return ExcCodes.ILLEGAL_VALUE
        values.append((placed, number(register, own, order=unit.order, exponent=placed.exponent)))
    unit.heard(function_code)
    for placed, value in values:
        sink = unit.sinks.get(placed.key)
        refusal = None if sink is None else sink(value)
        if refusal is not None:
            return refusal
    return None


def number_raw(register: Register, words: Sequence[int], order: WordOrder) -> float:
    """The raw number in ``words``, before scaling."""
    plain = number(register, words, order=order)
    return plain if register.type.startswith("float") else round(plain * register.sign / register.scale)


def _write_bits(unit: Unit, function: Function, address: int, values: Sequence[int]) -> ExcCodes | None:
    covered = unit.covered(function, address, len(values))
    if len(covered) != len(values) or any(p.register.access == "r" for p in covered):
        return ExcCodes.ILLEGAL_ADDRESS
    unit.heard(5)
    for placed, value in zip(sorted(covered, key=lambda p: p.address), values, strict=True):
        sink = unit.sinks.get(placed.key)
        refusal = None if sink is None else sink(float(value))
        if refusal is not None:
            return refusal
    return None


def _read_bits(
    unit: Unit, function: Function, start_address: int, address: int, count: int, registers: list[int]
) -> ExcCodes | None:
    """Sixteen to a word: ``count`` and ``start_address`` count words, ``address`` bits."""
    if not unit.covered(function, address, 1):
        return ExcCodes.ILLEGAL_ADDRESS
    unit.heard(1)
    for placed in unit.covered(function, address // 16 * 16, 16 * count):
        source = unit.sources.get(placed.key)
        if source is not None:
            word, bit = placed.address // 16 - start_address, 1 << placed.address % 16
            registers[word] = registers[word] | bit if source() else registers[word] & ~bit
    return None


class DeviceCore(SimCore):
    """pymodbus's core, refusing the functions that a device does not know before it looks at addresses.

    Memory does not move, so what pymodbus has once found readable is looked up only once.
    """

    def __init__(self, units: Iterable[Unit], functions: Iterable[int]) -> None:
        units = tuple(units)
        super().__init__([unit.sim_device() for unit in units])
        self._functions = frozenset(functions)
        self._units = {unit.unit_id: unit for unit in units}
        self._readable: dict[tuple[int, int, int, int], tuple[Unit, int, list[int]]] = {}

    async def async_getValues(
        self, device_id: int, func_code: int, address: int, count: int = 1
    ) -> list[int] | list[bool] | ExcCodes:
        """Read; pymodbus's name."""
        if self.has_read(device_id, func_code, address, count):
            return self.read_again(device_id, func_code, address, count)
        if func_code not in self._functions:
            return ExcCodes.ILLEGAL_FUNCTION
        values = await super().async_getValues(device_id, func_code, address, count)
        if func_code in (3, 4) and not isinstance(values, ExcCodes) and device_id in self._units:
            start, _, registers, _ = self.devices[device_id].block["h" if func_code == 3 else "i"]
            self._readable[device_id, func_code, address, count] = (self._units[device_id], start, registers)
        return values

    def has_read(self, device_id: int, func_code: int, address: int, count: int) -> bool:
        """Whether such a read of registers has gone well before."""
        return (device_id, func_code, address, count) in self._readable

    def read_again(self, device_id: int, func_code: int, address: int, count: int) -> list[int] | ExcCodes:
        """What a read of registers brings that has gone well before."""
        unit, start, registers = self._readable[device_id, func_code, address, count]
        unit.before()
        refusal = _read_words(unit, func_code, start, address, count, registers)
        return registers[address - start : address - start + count] if refusal is None else refusal

    async def async_setValues(
        self, device_id: int, func_code: int, address: int, values: list[int] | list[bool]
    ) -> ExcCodes | None:
        """Write; pymodbus's name."""
        if func_code not in self._functions:
            return ExcCodes.ILLEGAL_FUNCTION
        return await super().async_setValues(device_id, func_code, address, values)
