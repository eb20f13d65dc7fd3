"""Why a loadpoint or a home battery does what it does, as data; sentences are made at the edge, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from evcclib.units import Instant


class ReasonCode(StrEnum):
    """One word for each thing that can decide a loadpoint's current."""

    STARTING = "starting"  # nothing is known yet
    NOT_CONNECTED = "not_connected"
    CHARGER_SILENT = "charger_silent"  # the charger does not answer
    CHARGER_FAULT = "charger_fault"  # status E or F
    COMMAND_PENDING = "command_pending"
    COMMAND_FAILED = "command_failed"
    MODE_OFF = "mode_off"
    MODE_NOW = "mode_now"
    REMOTE_HARD = "remote_hard"
    REMOTE_SOFT = "remote_soft"
    PHASE_SWITCH = "phase_switch"
    PHASE_LOCK = "phase_lock"
    MIN_SOC = "min_soc"
    PLAN_ACTIVE = "plan_active"
    PLAN_WAITING = "plan_waiting"
    SMART_COST = "smart_cost"
    FEED_IN_PRIORITY = "feed_in_priority"  # the sun is sold: feed-in pays well
    TARGET_SOC_REACHED = "target_soc_reached"
    TARGET_ENERGY_REACHED = "target_energy_reached"
    CLIMATE = "climate"
    SURPLUS = "surplus"  # following the sun
    SURPLUS_WAIT_ENABLE = "surplus_wait_enable"  # enough sun, waiting for the enable delay
    SURPLUS_WAIT_DISABLE = "surplus_wait_disable"  # too little sun, waiting for the disable delay
    SURPLUS_MISSING = "surplus_missing"
    MINIMUM_POWER = "minimum_power"  # minpv: at least the minimum
    BATTERY_BUFFER = "battery_buffer"  # the home battery keeps it alive
    BATTERY_PRIORITY = "battery_priority"  # the home battery charges first
    GUARD = "guard"  # the contactor rests
    GRID_STALE = "grid_stale"  # the grid meter is silent: minimum current
    GRID_LOST = "grid_lost"  # the grid meter stays silent: paused
    VEHICLE_FULL = "vehicle_full"  # offered, but the vehicle does not draw
    LIMITED = "limited"  # a limit holds the current down, see `limit`
    READ_BACK_DISAGREES = "read_back_disagrees"  # the charger is told again what it says, or is seen, not to do


UNBALANCE = " (unbalance)"
"""Ends the name of a limit that is a circuit's of the difference between its phases."""
MEAN_POWER = " (mean power)"
"""Ends the name of one that is a circuit's of the mean of its power."""


@dataclass(frozen=True, slots=True)
class Reason:
    """``code`` with its numbers; ``until`` (instant) or ``until_utc`` when it ends by itself; ``limit`` names the limit
    (charger, vehicle, circuit, operator, ...) that holds the current below what was wanted.

    The parameter ``read_back`` names what the charger reports (enabled, phases, current) that contradicts what it was told.
    """

    code: ReasonCode
    params: Mapping[str, float | str] = field(default_factory=dict)
    until: Instant | None = None
    until_utc: datetime | None = None
    limit: str | None = None


class BatteryCode(StrEnum):
    """One word for each thing that can decide a home battery's mode."""

    FREE = "free"  # nothing calls for another mode than normal
    HELD_FAST = "held_fast"  # a vehicle charges as fast as it can
    HELD_PLAN = "held_plan"  # a vehicle charges for its plan
    CHARGES = "charges"  # energy is cheap
    RESTS = "rests"  # another mode is due, but not so soon
    FREEING = "freeing"  # nobody knows what it does: normal first of all
    LIMITED = "limited"  # energy is cheap, but a limit of a circuit leaves no room, see the parameter `limit`
    EXTERNAL = "external"  # somebody else has said so, and does again before it ends
    FAILED = "failed"  # it has not taken the last command, which will be said again


@dataclass(frozen=True, slots=True)
class BatteryReason:
    """``code`` with its numbers; the parameter ``wanted`` names the mode that is to come. ``until`` as in `Reason`."""

    code: BatteryCode
    params: Mapping[str, float | str] = field(default_factory=dict)
    until: Instant | None = None
    until_utc: datetime | None = None
