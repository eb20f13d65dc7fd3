"""A scenario's faults at the bytes: what the stream server of a device is to do wrong now."""

from __future__ import annotations

from evcc_sim.devices.modbus_server import (
    Asked,
    Close,
    Delay,
    Duplicate,
    FaultHook,
    FlipByte,
    LoseAnswer,
    Refuse,
    Swallow,
    Truncate,
    WireFault,
    no_faults,
)
from evcc_sim.plants.faults import DELAY_S, Fault, FaultKind
from evcc_sim.timebase import stream
from evcc_sim.worlds.house import House

DEVICE_FAILURE = 4


class WireFaults:
    """The `FaultHook` of one device, and whether it takes connections. Random, but the same for the same seed."""

    def __init__(self, house: House, device: str) -> None:
        self._house = house
        self._device = device
        self._faults = house.faults.of(device)
        self._rng = stream(house.seed, "wire", device)

    def __call__(self, asked: Asked) -> tuple[WireFault, ...]:
        """What goes wrong with this request."""
        if not self._faults:
            return ()
        now_s = self._house.now_s
        wrong: list[WireFault] = []
        for fault in self._faults:
            if fault.start_s <= now_s < fault.end_s and fault.concerns(is_write=asked.is_write):
                happens = self._happens(fault)
                if happens is not None:
                    wrong.append(happens)
        return tuple(wrong)

    @property
    def hook(self) -> FaultHook:
        """This, or `no_faults` when there will never be any: such a line is quicker."""
        return self if self._faults else no_faults

    @property
    def refuses_connections(self) -> bool:
        """Whether the device cannot be connected to at all now."""
        if not self._faults:
            return False
        now_s = self._house.now_s
        return any(f.kind is FaultKind.REFUSE and f.start_s <= now_s < f.end_s for f in self._faults)

    def _happens(self, fault: Fault) -> WireFault | None:
        rate = fault.params.get("rate", 1.0)
        match fault.kind:
            case FaultKind.SILENCE | FaultKind.REBOOT | FaultKind.HALF_OPEN:
                return Swallow()
            case FaultKind.REFUSE:
                return Close()
            case FaultKind.EXCEPTION:
                return Refuse(int(fault.params.get("code", DEVICE_FAILURE))) if self._hits(rate) else None
            case FaultKind.DELAY:
                return Delay(fault.params.get("delay_s", DELAY_S)) if self._hits(rate) else None
            case FaultKind.LOSS:
                return LoseAnswer() if self._hits(rate) else None
            case FaultKind.LOST_REQUESTS:
                return Swallow() if self._hits(rate) else None
            case FaultKind.DUPLICATE:
                return Duplicate() if self._hits(rate) else None
            case FaultKind.TRUNCATE:
                return Truncate(self._rng.randrange(1, 9)) if self._hits(rate) else None
            case FaultKind.GARBLE:
                return FlipByte(self._rng.randrange(256)) if self._hits(rate) else None
            case _:
                return None

    def _hits(self, rate: float) -> bool:
        return rate >= 1.0 or self._rng.random() < rate
