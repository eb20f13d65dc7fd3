"""SunSpec: where the models of a device are.

The map begins with "SunS" at 40000, 50000 or 0. A chain of models follows, each with id and length before its data; id
0xFFFF ends it. Unknown models are skipped by their length; each further model 1 begins another logical device. What was
found before a later read fails is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evcc_server.errors import DeviceError, DeviceImplausible, DeviceRefused, DeviceSilent
from evcc_server.modbus.link import Port
from evcc_server.modbus.wire import READ_HOLDING
from evcc_server.profiles.profile import Sunspec, SunspecModel

MARKER = (0x5375, 0x6E53)
END = 0xFFFF
MODELS_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The data of one model: ``address`` behind the two header registers, ``length`` in registers."""

    model: int
    subdevice: int
    address: int
    length: int


class Layout:
    """The models of one unit."""

    def __init__(self, places: Sequence[Place], known: Sequence[SunspecModel]) -> None:
        self.places = tuple(places)
        self._known = {model.id: model for model in known}

    def find(self, model: int, subdevice: int = 0) -> Place | None:
        """The first place of ``model``, or of one with the same layout."""
        known = self._known.get(model)
        wanted = {model, *(known.same_layout if known else ())}
        return next((p for p in self.places if p.subdevice == subdevice and p.model in wanted), None)

    def address(
        self, model: int, offset: int, count: int, *, subdevice: int = 0, block: int | None = None
    ) -> int | None:
        """Absolute address of a point; ``block`` counts repeating blocks from 1. None: the device does not have it."""
        place = self.find(model, subdevice)
        if place is None:
            return None
        if block is not None:
            known = self._known.get(model)
            if known is None or known.repeat_length is None:
                return None
            offset += known.length + (block - 1) * known.repeat_length
        if offset + count > place.length:
            return None
        return place.address + offset


async def discover(port: Port, sunspec: Sunspec, *, unit: int | None = None) -> Layout:
    """Walk the chain of ``unit``. Raises `DeviceImplausible` when there is no SunSpec map, else as `Port.read`."""
    base = await _find_base(port, sunspec.base_addresses, unit)
    places: list[Place] = []
    address, subdevice = base + 2, -1
    for _ in range(MODELS_MAX):
        try:
            model, length = await port.read(READ_HOLDING, address, 2, unit=unit)
        except DeviceError:
            if not places:
                raise
            break
        if model in (END, 0) or address + 2 + length > 0xFFFF:
            break
        if model == 1 or subdevice < 0:
            subdevice += 1
        places.append(Place(model=model, subdevice=subdevice, address=address + 2, length=length))
        address += 2 + length
    return Layout(places, sunspec.models)


async def is_still(port: Port, layout: Layout, *, unit: int | None = None) -> bool:
    """Whether the last model is still where it was: an update of the device, or another device, moves it."""
    if not layout.places:
        return False
    last = layout.places[-1]
    try:
        return await port.read(READ_HOLDING, last.address - 2, 2, unit=unit) == (last.model, last.length)
    except DeviceRefused:
        return False


async def _find_base(port: Port, candidates: Sequence[int], unit: int | None) -> int:
    refusal: DeviceError | None = None
    for base in candidates:
        try:
            marker = await port.read(READ_HOLDING, base, 2, unit=unit)
        except (DeviceRefused, DeviceSilent) as error:
            if isinstance(error, DeviceSilent) and base == candidates[0]:
                raise  # nobody there at all
            refusal = error
            continue
        if marker == MARKER:
            return base
    why = f" ({refusal})" if refusal is not None else ""
    raise DeviceImplausible(f"no SunSpec map at {', '.join(map(str, candidates))}{why}") from refusal
