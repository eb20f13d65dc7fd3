"""What a loadpoint's next change waits for: the timer that ends first, else what its reason says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum

from evcclib.model import Now, PhaseAction, PvAction
from evcclib.reasons import BatteryReason, Reason, ReasonCode
from evcclib.units import SECOND
from evcclib.view import LoadpointView


class Awaited(StrEnum):
    """One word for each; `evcc_server.state.reasons_text` has the sentences."""

    START = "start"
    STOP = "stop"
    ONE_PHASE = "one_phase"
    THREE_PHASES = "three_phases"
    PHASES = "phases"  # the change that is being made
    CONTACTOR = "contactor"
    CHARGER = "charger"
    ARRIVAL = "arrival"
    VEHICLE = "vehicle"  # that it draws, is full or leaves
    OWNER = "owner"  # another mode or goal
    GOAL = "goal"
    PLAN_START = "plan_start"
    PLAN_END = "plan_end"
    PRICE = "price"
    SURPLUS = "surplus"
    MORE_SURPLUS = "more_surplus"
    BATTERY = "battery"
    LIMIT = "limit"
    GRID_METER = "grid_meter"
    ENERGY_MANAGER = "energy_manager"
    READINGS = "readings"


OF_CODE: Mapping[ReasonCode, Awaited] = {
    ReasonCode.STARTING: Awaited.READINGS,
    ReasonCode.NOT_CONNECTED: Awaited.ARRIVAL,
    ReasonCode.CHARGER_SILENT: Awaited.CHARGER,
    ReasonCode.CHARGER_FAULT: Awaited.CHARGER,
    ReasonCode.COMMAND_PENDING: Awaited.CHARGER,
    ReasonCode.COMMAND_FAILED: Awaited.CHARGER,
    ReasonCode.MODE_OFF: Awaited.OWNER,
    ReasonCode.MODE_NOW: Awaited.VEHICLE,
    ReasonCode.REMOTE_HARD: Awaited.ENERGY_MANAGER,
    ReasonCode.REMOTE_SOFT: Awaited.ENERGY_MANAGER,
    ReasonCode.PHASE_SWITCH: Awaited.PHASES,
    ReasonCode.PHASE_LOCK: Awaited.PHASES,
    ReasonCode.MIN_SOC: Awaited.GOAL,
    ReasonCode.PLAN_ACTIVE: Awaited.PLAN_END,
    ReasonCode.PLAN_WAITING: Awaited.PLAN_START,
    ReasonCode.SMART_COST: Awaited.PRICE,
    ReasonCode.FEED_IN_PRIORITY: Awaited.PRICE,
    ReasonCode.TARGET_SOC_REACHED: Awaited.OWNER,
    ReasonCode.TARGET_ENERGY_REACHED: Awaited.OWNER,
    ReasonCode.CLIMATE: Awaited.VEHICLE,
    ReasonCode.SURPLUS: Awaited.SURPLUS,
    ReasonCode.SURPLUS_WAIT_ENABLE: Awaited.START,
    ReasonCode.SURPLUS_WAIT_DISABLE: Awaited.STOP,
    ReasonCode.SURPLUS_MISSING: Awaited.MORE_SURPLUS,
    ReasonCode.MINIMUM_POWER: Awaited.MORE_SURPLUS,
    ReasonCode.BATTERY_BUFFER: Awaited.SURPLUS,
    ReasonCode.BATTERY_PRIORITY: Awaited.BATTERY,
    ReasonCode.GUARD: Awaited.CONTACTOR,
    ReasonCode.GRID_STALE: Awaited.GRID_METER,
    ReasonCode.GRID_LOST: Awaited.GRID_METER,
    ReasonCode.VEHICLE_FULL: Awaited.VEHICLE,
    ReasonCode.LIMITED: Awaited.LIMIT,
    ReasonCode.READ_BACK_DISAGREES: Awaited.CHARGER,
}
_OF_SURPLUS = {PvAction.ENABLE: Awaited.START, PvAction.DISABLE: Awaited.STOP}
_OF_PHASES = {PhaseAction.SCALE_1P: Awaited.ONE_PHASE, PhaseAction.SCALE_3P: Awaited.THREE_PHASES}


def ends_at(reason: Reason | BatteryReason, now: Now) -> datetime | None:
    """When ``reason`` ends by itself, to the second."""
    until = reason.until_utc
    if until is None and reason.until is not None:
        until = now.utc + (reason.until - now.instant)
    return None if until is None else to_second(until)


def to_second(time: datetime) -> datetime:
    """Rounded: two readings of the clocks differ by a little."""
    return (time + SECOND / 2).replace(microsecond=0)


def awaited(view: LoadpointView, now: Now) -> tuple[Awaited, datetime | None]:
    """What ``view`` of ``now`` waits for, and until when at the latest; None where no timer runs."""
    of_reason = Awaited.LIMIT if view.reason.limit is not None else OF_CODE[view.reason.code]
    timers = [(until, what) for until, what in _timers(view, of_reason, now) if until > to_second(now.utc)]
    until, what = min(timers, key=lambda timer: timer[0], default=(None, of_reason))
    return what, until


def _timers(view: LoadpointView, of_reason: Awaited, now: Now) -> Iterator[tuple[datetime, Awaited]]:
    """When they end, also those that have."""
    until = ends_at(view.reason, now)
    if until is not None:
        yield until, of_reason
    if view.pv_action in _OF_SURPLUS:
        yield to_second(now.utc + view.pv_remaining), _OF_SURPLUS[view.pv_action]
    if view.phase_action in _OF_PHASES:
        yield to_second(now.utc + view.phase_remaining), _OF_PHASES[view.phase_action]
    if view.plan_projected_start is not None and not view.plan_is_active:
        yield view.plan_projected_start, Awaited.PLAN_START
