"""Faults as data: what goes wrong at which device, from when, for how long.

The same list serves all three ways to run. Kinds in `BYTES` are applied where frames are (the stream server of the wire and
full-stack runners); run in process, a device with one of the `SILENT` kinds simply does not answer, and of the `UNHEARD` ones the
commands are carried out, or not, with an unknown outcome. All others change what the plant does or shows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from evcc_sim.timebase import stream

DELAY_S = 2.0
"""How late an answer is, unless a fault says something else."""


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
    READ_BACK_LAG = "read_back_lag"  # status and settings, or only what ``of`` says, are shown ``lag_s`` late
    READ_BACK_STUCK = "read_back_stuck"  # what ``of`` says always reads ``shows``
    READ_BACK_WRONG = "read_back_wrong"  # what ``of`` says never reads what is true
    REBOOT = "reboot"  # silent and without pilot, then back with its power-on settings
    COUNTER_RESET = "counter_reset"  # energy counters start again from zero
    CHARGER_ERROR = "charger_error"  # status F
    # what happens to frames
    EXCEPTION = "exception"  # answers with exception ``code``
    DELAY = "delay"  # done at once, answered ``delay_s`` late
    LOSS = "loss"  # done, but each answer is lost with probability ``rate``
    LOST_REQUESTS = "lost_requests"  # each request is lost with probability ``rate``: not done, not answered
    DUPLICATE = "duplicate"
    TRUNCATE = "truncate"
    GARBLE = "garble"
    REFUSE = "refuse"  # connections are refused
    HALF_OPEN = "half_open"  # connections open, nothing answers
    # what happens to the control itself
    RESTART = "restart"  # exported, stopped for ``duration_s``, restored
    KILL = "kill"  # like restart, from the export of the last minute
    CLOCK_JUMP = "clock_jump"  # UTC jumps by ``seconds``


class ReadBack(StrEnum):
    """What a station tells of itself. As a number, where ``shows`` needs one: status 0 A, 1 B, 2 C; enabled 0 or 1; A; W."""

    STATUS = "status"
    ENABLED = "enabled"
    CURRENT = "current"
    PHASES = "phases"
    POWER = "power"  # of its meter, with the currents that belong to it; counters stay true


READ_BACKS = frozenset({FaultKind.READ_BACK_LAG, FaultKind.READ_BACK_STUCK, FaultKind.READ_BACK_WRONG})
"""Nothing is wrong with the station but what it shows."""
BYTES = frozenset(
    {
        FaultKind.EXCEPTION,
        FaultKind.DELAY,
        FaultKind.LOSS,
        FaultKind.LOST_REQUESTS,
        FaultKind.DUPLICATE,
        FaultKind.TRUNCATE,
        FaultKind.GARBLE,
        FaultKind.REFUSE,
        FaultKind.HALF_OPEN,
    }
)
SILENT = frozenset({FaultKind.SILENCE, FaultKind.REBOOT, FaultKind.REFUSE, FaultKind.HALF_OPEN, FaultKind.EXCEPTION})
UNHEARD = frozenset({FaultKind.LOSS, FaultKind.LOST_REQUESTS, FaultKind.DELAY})
"""Kinds after which nobody knows whether a command was carried out. With ``writes_only`` set, reads are answered."""
PATIENCE_S = 1.0
"""Run in process, an answer that is so late comes too late."""
CONTROL = frozenset({FaultKind.RESTART, FaultKind.KILL, FaultKind.CLOCK_JUMP})
"""Faults of the control, not of a device; their ``device`` is ``site``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """``kind`` at ``device`` from second ``start_s`` (of the environment) for ``duration_s``.

    ``of``: the value concerned, for faults of read-backs; None: status and settings.
    """

    kind: FaultKind
    device: str
    start_s: float
    duration_s: float
    of: ReadBack | None = None
    params: Mapping[str, float] = field(default_factory=dict)

    @property
    def end_s(self) -> float:
        return self.start_s + self.duration_s

    @property
    def lag_s(self) -> float:
        """How late what lags is shown [s]; 0 for any other kind."""
        return self.params.get("lag_s", 5.0) if self.kind is FaultKind.READ_BACK_LAG else 0.0

    def concerns(self, *, is_write: bool) -> bool:
        """Whether it is a fault of such requests."""
        return is_write or not self.params.get("writes_only", 0.0)


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

    def reads_back(self, device: str, of: ReadBack, now_s: float) -> Fault | None:
        """The fault that falsifies this value of a device at ``now_s``; of several the one listed first."""
        for fault in self._by_device.get(device, ()):
            if fault.kind in READ_BACKS and fault.start_s <= now_s < fault.end_s:
                is_setting = fault.of is None and of is not ReadBack.POWER
                if fault.of is of or is_setting:
                    return fault
        return None

    def is_silent(self, device: str, now_s: float) -> bool:
        """Whether nobody who asks at ``now_s`` what the device shows gets a usable answer."""
        return self.is_mute(device, now_s) or self.unheard(device, now_s, is_write=False) is not None

    def is_mute(self, device: str, now_s: float) -> bool:
        """Whether the device neither does nor answers anything at ``now_s``."""
        faults = self._by_device.get(device)
        if not faults:
            return False
        return any(fault.kind in SILENT and fault.start_s <= now_s < fault.end_s for fault in faults)

    def hears(self, device: str, now_s: float) -> bool:
        """Whether questions reach the device at ``now_s``, even if its answers should not reach anybody."""
        is_lost = self.unheard(device, now_s, is_write=False) is FaultKind.LOST_REQUESTS
        return not is_lost and not self.is_mute(device, now_s)

    def unheard(self, device: str, now_s: float, *, is_write: bool) -> FaultKind | None:
        """What keeps a request of ``now_s``, or its answer, from arriving; at one instant the same, whoever asks."""
        for fault in self._by_device.get(device, ()):
            if fault.kind in UNHEARD and fault.start_s <= now_s < fault.end_s and fault.concerns(is_write=is_write):
                is_late = fault.kind is not FaultKind.DELAY or fault.params.get("delay_s", DELAY_S) >= PATIENCE_S
                if is_late and _hits(fault, now_s):
                    return fault.kind
        return None


def _hits(fault: Fault, now_s: float) -> bool:
    rate = fault.params.get("rate", 1.0)
    return rate >= 1.0 or stream(0, fault.device, fault.kind, fault.start_s, now_s).random() < rate
