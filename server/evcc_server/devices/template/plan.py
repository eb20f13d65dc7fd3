"""Which requests bring which values: as few as a device allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from evcc_server.modbus.wire import READ_COILS, READ_DISCRETE, READ_HOLDING, READ_INPUT, Request
from evcc_server.profiles.profile import Function, Profile, Register

READ_FUNCTION: Mapping[Function, int] = {
    "coil": READ_COILS,
    "discrete": READ_DISCRETE,
    "holding": READ_HOLDING,
    "input": READ_INPUT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a value is on this very device."""

    key: str
    register: Register
    unit: int
    function: int
    address: int

    @property
    def end(self) -> int:
        """The address behind its last register."""
        return self.address + self.register.count


@dataclass(frozen=True, slots=True)
class Chunk:
    """One read request and the values it brings."""

    request: Request
    spots: tuple[Spot, ...]
    cuts: tuple[tuple[str, int, int], ...]
    """Each value's key and where in the answer it begins and ends."""


def _chunk(first: Spot, address: int, count: int, spots: tuple[Spot, ...]) -> Chunk:
    request = Request(unit=first.unit, function=first.function, address=address, count=count)
    return Chunk(request, spots, tuple((spot.key, spot.address - address, spot.end - address) for spot in spots))


def alone(spot: Spot) -> Chunk:
    """A request for nothing but ``spot``."""
    return _chunk(spot, spot.address, spot.register.count, (spot,))


def merge(profile: Profile, spots: Sequence[Spot], split: Iterable[str] = ()) -> tuple[Chunk, ...]:
    """As few requests as the device allows for ``spots``."""
    connection = profile.connection
    split = set(split)
    chunks: list[Chunk] = []
    rest: list[Spot] = []
    blocks: dict[int, list[Spot]] = {}
    for spot in spots:
        number = _block_of(profile, spot)
        if number is None or spot.key in split:
            rest.append(spot)
        else:
            blocks.setdefault(number, []).append(spot)
    for number, members in sorted(blocks.items()):
        block = connection.blocks[number]
        chunks.append(_chunk(members[0], block.address, block.count, tuple(members)))
    run: list[Spot] = []
    for spot in sorted(rest, key=lambda spot: (spot.unit, spot.function, spot.address, spot.key)):
        if run and (spot.key in split or run[-1].key in split or not _can_join(profile, run, spot)):
            chunks.append(_together(run))
            run = []
        run.append(spot)
    if run:
        chunks.append(_together(run))
    return tuple(chunks)


def _block_of(profile: Profile, spot: Spot) -> int | None:
    for number, block in enumerate(profile.connection.blocks):
        if (
            READ_FUNCTION[block.function] == spot.function
            and block.address <= spot.address
            and spot.end <= block.address + block.count
            and (block.unit_id is None or block.unit_id == spot.unit)
        ):
            return number
    return None


def _can_join(profile: Profile, run: list[Spot], spot: Spot) -> bool:
    first = run[0]
    if (spot.unit, spot.function) != (first.unit, first.function):
        return False
    end = max(other.end for other in run)
    if max(end, spot.end) - first.address > profile.connection.max_read:
        return False
    if spot.register.model is not None:
        return (spot.register.model, spot.register.subdevice) == (first.register.model, first.register.subdevice)
    if profile.connection.reads == "single":
        return spot.address == first.address and spot.register.count == first.register.count
    return spot.address <= end or (profile.connection.reads == "listed" and _is_listed(profile, spot, end))


def _is_listed(profile: Profile, spot: Spot, start: int) -> bool:
    """Whether the profile knows every register from ``start`` up to ``spot`` as one that can be read at this unit.

    Registers of a unit of their own, of a connector or of a SunSpec model are not where they are listed: they don't count.
    """
    known = {
        address
        for register in profile.registers
        if READ_FUNCTION[register.function] == spot.function
        and "r" in register.access
        and register.unit_id is None
        and not register.per_connector
        and register.model is None
        for address in range(register.address, register.address + register.count)
    }
    return known.issuperset(range(start, spot.address))


def _together(run: list[Spot]) -> Chunk:
    first, end = run[0], max(spot.end for spot in run)
    return _chunk(first, first.address, end - first.address, tuple(run))
