"""The registers of one device as values: which requests to make for them, and what the answers mean.

Reads are planned once: values that touch are read together where the device allows it, SunSpec points of a model in one
request, blocks that the profile names as a whole. A block that is refused is split; a value that is refused by itself is not
there on this device and None for a quarter of an hour, unless it is needed for the device to make sense.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import anyio

from evcc_server.devices.template.plan import READ_FUNCTION, Chunk, Spot, alone, merge
from evcc_server.devices.template.polled import Decoders, Polled, find_register, keys_of
from evcc_server.devices.template.sunspec import Layout, discover, is_still
from evcc_server.errors import DeviceError, DeviceImplausible, DeviceRefused
from evcc_server.modbus.link import ModbusRefused, Port
from evcc_server.modbus.turns import Priority
from evcc_server.modbus.wire import WRITE_COIL, WRITE_COILS, WRITE_REGISTER, WRITE_REGISTERS
from evcc_server.profiles.formula import names_in
from evcc_server.profiles.profile import Profile, Step
from evcc_server.profiles.registers import Unwritable, encode, encode_raw

ABSENT_CODES = (1, 2, 3)
"""Exceptions that say "I have no such register" rather than "not now"."""
ABSENT_S = 900.0
"""How long such an answer is believed."""


class DeviceRegisters:
    """Reads and writes the registers of ``profile`` through ``port``.

    ``units`` replaces unit ids of single registers (a grid meter behind a gateway has the number its owner gave it);
    ``params`` are the owner's numbers for ``$name`` in formulas.
    """

    def __init__(
        self,
        profile: Profile,
        port: Port,
        *,
        connector: int | None = None,
        params: Mapping[str, float] | None = None,
        units: Mapping[int, int] | None = None,
    ) -> None:
        self.profile = profile
        self.port = port
        self._offset = 0
        if connector is not None and profile.connectors is not None:
            self._offset = (connector - profile.connectors.first) * profile.connectors.stride
        self._given = dict(params or {})
        self._params: dict[str, float] | None = None
        self._units = dict(units or {})
        self._layouts: dict[int, Layout] = {}
        self._openings = 0
        self._absent: set[str] = set()
        self._absent_until = 0.0
        self._split: set[str] = set()  # keys that must be read by themselves
        self._plans: dict[frozenset[str], tuple[Chunk, ...]] = {}
        self._decoders = Decoders(profile)
        self._arrivals = 0  # writes that may have arrived

    @contextmanager
    def command(self) -> Iterator[None]:
        """Reads and writes that are one command: what fails within says whether all of it together has left the device unchanged.

        What others write meanwhile counts as part of it.
        """
        before = self._arrivals
        try:
            yield
        except DeviceError as error:
            error.left_unchanged = self._arrivals == before
            raise

    async def read(
        self,
        keys: frozenset[str],
        *,
        needed: frozenset[str] = frozenset(),
        must_have_any: bool = False,
        priority: Priority = Priority.POLL,
    ) -> Polled:
        """Read ``keys`` once. Raises `DeviceError`; also when one of ``needed``, or with ``must_have_any`` all of them, is not
        on this device.
        """
        words: dict[str, Sequence[int]] = {}
        self._ask_again_for_absent()
        await self._read_chunks(self._plans.get(keys) or await self._plan(keys), words, priority)
        if self._layouts:
            await self._check_layouts()
        if must_have_any and not words:
            self.forget()
            raise DeviceRefused(f"{self.profile.id}: the device has nothing of what was asked for: is it another one?")
        for key in needed:
            if key not in words:
                raise DeviceImplausible(f"{self.profile.id}: the device has no {key}")
        return Polled(self.profile, words, self._params or {}, self._decoders)

    def _ask_again_for_absent(self) -> None:
        """A device that was just starting may have refused what it has."""
        if self._absent and anyio.current_time() >= self._absent_until:
            self._absent.clear()
            self._plans.clear()

    async def _read_chunks(self, chunks: Sequence[Chunk], words: dict[str, Sequence[int]], priority: Priority) -> None:
        while chunks:
            answers = await self.port.read_all([chunk.request for chunk in chunks], priority=priority)
            for chunk, answer in zip(chunks, answers, strict=False):
                if isinstance(answer, ModbusRefused):
                    if answer.code not in ABSENT_CODES:
                        raise answer
                    await self._after_refusal(chunk, words, priority)
                else:
                    for key, start, end in chunk.cuts:
                        words[key] = answer[start:end]
            chunks = chunks[len(answers) :]

    async def _after_refusal(self, chunk: Chunk, words: dict[str, Sequence[int]], priority: Priority) -> None:
        self._plans.clear()
        if len(chunk.spots) == 1 and chunk.request.count == chunk.spots[0].register.count:
            self._absent.add(chunk.spots[0].key)
            self._absent_until = anyio.current_time() + ABSENT_S
            return
        self._split.update(spot.key for spot in chunk.spots)
        await self._read_chunks([alone(spot) for spot in chunk.spots], words, priority)

    async def write(self, key: str, value: float, *, priority: Priority = Priority.CONTROL) -> None:
        """Write ``value``, in the register's unit, and wait for the confirmation. Raises `DeviceError`."""
        register, _ = find_register(self.profile, key)
        exponent = 0
        if register.sf is not None:
            sf_key = f"{register.model}.{register.sf}"
            raw = (await self.read(frozenset({sf_key}), priority=priority)).raw(sf_key)
            if not isinstance(raw, int) or not -10 <= raw <= 10:
                raise DeviceImplausible(f"{self.profile.id}: {key} has no scale factor")
            exponent = raw
        word_order = self.profile.connection.word_order
        try:
            if register.type in ("enum", "bitfield", "bool"):
                words = encode_raw(register, int(value), word_order)
            else:
                words = encode(register, value, word_order, sf=exponent)
        except Unwritable as error:
            raise DeviceImplausible(f"{self.profile.id}: {error}") from error
        await self._write_words(await self._spot(key), words, priority)

    async def write_raw(self, key: str, raw: int, *, priority: Priority = Priority.CONTROL) -> None:
        """Write a raw number."""
        register, _ = find_register(self.profile, key)
        try:
            words = encode_raw(register, raw, self.profile.connection.word_order)
        except Unwritable as error:
            raise DeviceImplausible(f"{self.profile.id}: {error}") from error
        await self._write_words(await self._spot(key), words, priority)

    async def _write_words(self, spot: Spot | None, words: tuple[int, ...], priority: Priority) -> None:
        if spot is None:
            raise DeviceImplausible(f"{self.profile.id}: the device does not have what should be written")
        allowed = self.profile.connection.write_functions
        register = spot.register
        if register.function in ("coil", "discrete"):
            function = register.write_function or (WRITE_COIL if WRITE_COIL in allowed else WRITE_COILS)
            await self._send(function, spot.address, words, spot.unit, priority)
            return
        one_by_one = WRITE_REGISTER in allowed and (len(words) == 1 or WRITE_REGISTERS not in allowed)
        function = register.write_function or (WRITE_REGISTER if one_by_one else WRITE_REGISTERS)
        if function == WRITE_REGISTERS:
            await self._send(function, spot.address, words, spot.unit, priority)
            return
        for place, word in enumerate(words):
            await self._send(function, spot.address + place, (word,), spot.unit, priority)

    async def _send(self, function: int, address: int, words: tuple[int, ...], unit: int, priority: Priority) -> None:
        try:
            await self.port.write(function, address, words, unit=unit, priority=priority)
        except DeviceError as error:
            self._arrivals += not error.left_unchanged
            raise
        self._arrivals += 1

    async def run(self, steps: Sequence[Step], **numbers: float) -> None:
        """Write and wait, in order. All values are worked out before the first write. Raises `DeviceError`.

        ``numbers`` are what formulas call ``$name``, besides the profile's parameters.
        """
        if not steps:
            return
        formulas = [step.value if isinstance(step.value, str) else None for step in steps]
        conditions = [condition for step in steps for condition in step.when]
        keys = keys_of(self.profile, formulas, conditions)
        await self.resolve_params(name for formula in formulas if formula for name in names_in(formula))
        now = await self.read(keys, priority=Priority.CONTROL)
        now = now.knowing(numbers)
        todo = [(step, self._step_value(step, now)) for step in steps if now.holds(step.when)]
        for step, value in todo:
            if step.write is not None and value is not None:
                await self.write(step.write, value)
            if step.wait_s is not None:
                await anyio.sleep(step.wait_s)

    def _step_value(self, step: Step, now: Polled) -> float | None:
        if step.write is None or step.value is None or not isinstance(step.value, str):
            return None if step.value is None or isinstance(step.value, str) else float(step.value)
        value = now.source(step.value)
        if value is None:
            raise DeviceImplausible(f"{self.profile.id}: {step.value} is not known, {step.write} stays as it is")
        return value

    async def resolve_params(self, names: Iterable[str]) -> None:
        """Make sure that each ``$name`` has a value: the owner's, else the device's own, else the default."""
        known = dict(self._params or {})
        for name in (name[1:] for name in names if name.startswith("$")):
            parameter = self.profile.params.get(name)
            if parameter is None or name in known:
                continue
            value = self._given.get(name)
            if value is None:
                value = await self._parameter_of_device(parameter.register)
                if value in self.profile.left_by_modes.get(str(parameter.register), ()):
                    value = await self._parameter_of_device(parameter.otherwise)
            if value is None:
                value = parameter.default
            if value is None:
                raise DeviceImplausible(f"{self.profile.id}: {name} is neither given nor known to the device")
            limit = await self._parameter_of_device(parameter.limit)
            known[name] = value if limit is None else min(value, limit)
        self._params = known

    async def _parameter_of_device(self, key: str | None) -> float | None:
        if key is None:
            return None
        return (await self.read(keys_of(self.profile, [key]), priority=Priority.CONTROL)).value(key)

    async def _plan(self, keys: frozenset[str]) -> tuple[Chunk, ...]:
        plan = self._plans.get(keys)
        if plan is None:
            spots = [spot for key in sorted(keys - self._absent) if (spot := await self._spot(key)) is not None]
            plan = merge(self.profile, spots, self._split)
            self._plans[keys] = plan
        return plan

    async def _spot(self, key: str) -> Spot | None:
        register, block = find_register(self.profile, key)
        unit = self.port.unit
        if register.unit_id is not None:
            if register.example_unit and register.unit_id not in self._units:
                return None
            unit = self._units.get(register.unit_id, register.unit_id)
        address: int | None = register.address + (self._offset if register.per_connector else 0)
        if register.model is not None and not register.absolute:
            layout = await self._layout(unit)
            address = layout.address(
                register.model, register.address, register.count, subdevice=register.subdevice, block=block
            )
        if address is None:
            return None
        function = READ_FUNCTION[register.function]
        if function not in self.profile.connection.read_functions and register.also is not None:
            function = READ_FUNCTION[register.also]
        return Spot(key=key, register=register, unit=unit, function=function, address=address)

    async def _layout(self, unit: int) -> Layout:
        layout = self._layouts.get(unit)
        if layout is None:
            assert self.profile.sunspec is not None
            layout = await discover(self.port, self.profile.sunspec, unit=unit)
            self._layouts[unit] = layout
            self._openings = self.port.link.openings
        return layout

    async def _check_layouts(self) -> None:
        """After a new connection, make sure that the models are where they were. Raises `DeviceImplausible`."""
        if self._openings == self.port.link.openings:
            return
        for unit, layout in tuple(self._layouts.items()):
            if not await is_still(self.port, layout, unit=unit):
                self.forget()
                raise DeviceImplausible(f"{self.profile.id}: the SunSpec models of unit {unit} are not where they were")
        self._openings = self.port.link.openings

    def forget(self) -> None:
        """Look at everything afresh, as after an exchange of the device."""
        self._layouts.clear()
        self._plans.clear()
        self._absent.clear()
        self._split.clear()
