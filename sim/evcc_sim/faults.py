"""Faults as data: what goes wrong at which device, from when, for how long.

The same list serves all three ways to run. Kinds in `BYTES` are applied where frames are (the stream server of the wire and
full-stack runners); run in process, a device with one of the `SILENT` kinds simply does not answer. All others change what the
plant does or shows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class FaultKind(StrEnum):
    """Everything that can be made to go wrong."""

    # what the device shows or does
    SILENCE = "silence"  # no answer at all
    FROZEN = "frozen"  # shows the values it had when the fault began
    LYING = "lying"  # shows ``factor`` x the true power plus ``offset_w``
    NAN = "nan"  # shows "not available"
    STUCK_CONTACTOR = "stuck_contactor"  # the contactor keeps its position
    IGNORED_WRITES = "ignored_writes"  # commands are acknowledged, nothing happens
    REFUSED_WRITES = "refused_writes"  # commands are answered with an error
    READ_BACK_LAG = "read_back_lag"  # status and settings are shown ``lag_s`` late
    REBOOT = "reboot"  # silent and without pilot, then back with its power-on settings
    COUNTER_RESET = "counter_reset"  # energy counters start again from zero
    CHARGER_ERROR = "charger_error"  # status F
    # what happens to frames
    EXCEPTION = "exception"  # answers with exception ``code``
    DELAY = "delay"  # answers ``delay_s`` late
    LOSS = "loss"  # each answer is lost with probability ``rate``
    DUPLICATE = "duplicate"
    TRUNCATE = "truncate"
    GARBLE = "garble"
    REFUSE = "refuse"  # connections are refused
    HALF_OPEN = "half_open"  # connections open, nothing answers
    # what happens to the control itself
    RESTART = "restart"  # exported, stopped for ``duration_s``, restored
    KILL = "kill"  # like restart, from the export of the last minute
    CLOCK_JUMP = "clock_jump"  # UTC jumps by ``seconds``


BYTES = frozenset(
    {
        FaultKind.EXCEPTION,
        FaultKind.DELAY,
        FaultKind.LOSS,
        FaultKind.DUPLICATE,
        FaultKind.TRUNCATE,
        FaultKind.GARBLE,
        FaultKind.REFUSE,
        FaultKind.HALF_OPEN,
    }
)
SILENT = frozenset({FaultKind.SILENCE, FaultKind.REBOOT, FaultKind.REFUSE, FaultKind.HALF_OPEN, FaultKind.EXCEPTION})
CONTROL = frozenset({FaultKind.RESTART, FaultKind.KILL, FaultKind.CLOCK_JUMP})
"""Faults of the control, not of a device; their ``device`` is ``site``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """``kind`` at ``device`` from second ``start_s`` (of the environment) for ``duration_s``."""

    kind: FaultKind
    device: str
    start_s: float
    duration_s: float
    params: Mapping[str, float] = field(default_factory=dict)

    @property
    def end_s(self) -> float:
        return self.start_s + self.duration_s


class FaultTable:
    """All faults of a run, asked by device and kind."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.all = tuple(sorted(faults, key=lambda fault: (fault.start_s, fault.device, fault.kind)))
        self._by_device: dict[str, list[Fault]] = defaultdict(list)
        for fault in self.all:
            self._by_device[fault.device].append(fault)

    def of(self, device: str) -> list[Fault]:
        """The faults of one device, by start."""
        return self._by_device.get(device, [])

    def active(self, device: str, kind: FaultKind, now_s: float) -> Fault | None:
        """The fault of this kind that rages at ``now_s``."""
        faults = self._by_device.get(device)
        if not faults:
            return None
        for fault in faults:
            if fault.kind is kind and fault.start_s <= now_s < fault.end_s:
                return fault
        return None

    def is_silent(self, device: str, now_s: float) -> bool:
        """Whether the device gives no usable answer at ``now_s``."""
        faults = self._by_device.get(device)
        if not faults:
            return False
        return any(fault.kind in SILENT and fault.start_s <= now_s < fault.end_s for fault in faults)
