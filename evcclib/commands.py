"""What shall be done. Commands are data; the caller applies them and reports each batch's `Outcome` [CUT-3, CUT-4]."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import NamedTuple

from evcclib.allowed import TEXT, Table, check_fields, one_of, whole
from evcclib.errors import InvalidReadings
from evcclib.units import Instant


@dataclass(frozen=True, slots=True)
class Enable:
    """Let the vehicle charge."""


@dataclass(frozen=True, slots=True)
class Disable:
    """Stop the vehicle from charging."""


@dataclass(frozen=True, slots=True)
class SetCurrent:
    """Offer ``current_a`` [A per phase]; an integer unless the charger takes fractions [LIM-2]."""

    current_a: float


@dataclass(frozen=True, slots=True)
class SwitchPhases:
    """Connect ``phases`` phases, 1 or 3 [PH-8]."""

    phases: int


@dataclass(frozen=True, slots=True)
class WakeCharger:
    """Wake the vehicle by the charger's own means [WAKE-3]."""


@dataclass(frozen=True, slots=True)
class WakeVehicle:
    """Wake the vehicle by its own interface [WAKE-3]."""

    vehicle: str


Command = Enable | Disable | SetCurrent | SwitchPhases | WakeCharger | WakeVehicle


class Batch(NamedTuple):
    """The commands for one loadpoint, in the order they are to be applied; the first failure ends the batch.

    ``number`` counts up for each loadpoint and identifies the batch in its `Outcome`.
    """

    number: int
    commands: tuple[Command, ...]


class Result(Enum):
    """How a batch ended: every command applied, a command refused, or nobody knows (time-out, restart)."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of batch ``number`` of ``loadpoint`` (0-based): the first ``applied`` commands took effect."""

    loadpoint: int
    number: int
    result: Result
    applied: int
    error: str = ""

    def __post_init__(self) -> None:
        check_fields(self, _OUTCOME, "Outcome.", InvalidReadings)


_COUNT = whole(0, 10**9)
_NUMBER = whole(0, 2 * 10**9)  # a site that was restored with the highest number of a snapshot goes on from there
_OUTCOME: Table = {
    Outcome: {"loadpoint": _COUNT, "number": _NUMBER, "result": one_of(Result), "applied": _COUNT, "error": TEXT}
}


class BatteryMode(StrEnum):
    """What a home battery may be told to do [BAT-1]."""

    NORMAL = "normal"  # whatever its own controller does
    HOLD = "hold"  # it may charge, it does not discharge
    CHARGE = "charge"  # from the grid


class BatteryCommand(NamedTuple):
    """Put a home battery into ``mode`` until ``expires_at`` and no longer, if nothing renews it; None: it stays so [BAT-5].

    The same mode with a later expiry only renews it. ``number`` counts up for each battery and identifies the command in its
    `BatteryOutcome`.
    """

    number: int
    mode: BatteryMode
    expires_at: Instant | None


@dataclass(frozen=True, slots=True)
class BatteryOutcome:
    """The end of command ``number`` to ``battery`` (0-based)."""

    battery: int
    number: int
    result: Result
    error: str = ""

    def __post_init__(self) -> None:
        check_fields(self, _BATTERY_OUTCOME, "BatteryOutcome.", InvalidReadings)


_BATTERY_OUTCOME: Table = {
    BatteryOutcome: {"battery": _COUNT, "number": _NUMBER, "result": one_of(Result), "error": TEXT}
}


class VehicleRead(StrEnum):
    """What a decision would like to know of a vehicle; reads cost budget, so they are asked for [CUT-2, SOC-8]."""

    SOC = "soc"  # SoC, SoC limit and range
    STATUS = "status"  # charge state, for detection [VEH-14]
    ODOMETER = "odometer"
    CLIMATE = "climate"


class Read(NamedTuple):
    """Please read ``what`` of ``vehicle``; ``is_fresh`` asks to bypass the cache [VEH-12, DEF-27]."""

    vehicle: str
    what: VehicleRead
    is_fresh: bool = False
