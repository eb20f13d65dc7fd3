"""What several invariants ask of a trace: bounds in force, faults around a moment, how patient to be."""

from __future__ import annotations

from dataclasses import dataclass

from evcc_sim.faults import Fault, FaultKind
from evcc_sim.scenario import Scenario
from evcc_sim.trace import Trace
from evcclib.commands import SwitchPhases
from evcclib.events import SettingChanged, VehicleConnected
from evcclib.settings import Scope

REACTION_S = 15.0
"""Beyond the interval, what station and car need to follow a command (IEC 61851-1: 5 s) and the measurement to show it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Minimum and maximum current of a loadpoint from a second on."""

    second: float
    low_a: float
    high_a: float


def bounds(trace: Trace, loadpoint: int) -> list[Bounds]:
    spec = trace.scenario.charger[loadpoint]
    low_a, high_a = spec.loadpoint.current_min_a, spec.loadpoint.current_max_a
    found = [Bounds(-1.0, low_a, high_a)]
    for second, event in trace.events:
        if isinstance(event, SettingChanged) and event.scope is Scope.LOADPOINT and event.owner == loadpoint:
            if event.name == "current_min_a" and isinstance(event.value, (int, float)):
                low_a = float(event.value)
            elif event.name == "current_max_a" and isinstance(event.value, (int, float)):
                high_a = float(event.value)
            else:
                continue
            found.append(Bounds(second, low_a, high_a))
    return found


def circuit_members(scenario: Scenario, name: str) -> list[int]:
    below = {name}
    grown = True
    while grown:
        more = {circuit.name for circuit in scenario.circuit if circuit.parent in below} - below
        below |= more
        grown = bool(more)
    return [index for index, charger in enumerate(scenario.charger) if charger.loadpoint.circuit in below]


def is_calm(reason: str) -> bool:
    return reason.startswith("surplus") or reason in {"guard", "battery_buffer", "battery_priority", "command_pending"}


def is_disturbed(trace: Trace, loadpoint: int, start_s: float, end_s: float) -> bool:
    """Whether something other than the sun explains a change."""
    for second, event in trace.events:
        if start_s <= second <= end_s and isinstance(event, (VehicleConnected, SettingChanged)):
            return True
    if any(start_s <= note.second <= end_s for note in trace.notes):
        return True
    if any(
        start_s <= sent.second <= end_s
        and sent.loadpoint == loadpoint
        and (isinstance(sent.command, SwitchPhases) or not sent.accepted)
        for sent in trace.sent
    ):
        return True
    return any(fault.start_s <= end_s and fault.end_s + 120 >= start_s for fault in trace.scenario.faults())


def faults_of(trace: Trace, device: str, kinds: frozenset[FaultKind]) -> list[Fault]:
    days = round(trace.instants[-1].second / 86_400) or 1
    return [fault for fault in trace.scenario.faults(days) if fault.device == device and fault.kind in kinds]


def is_tapering(trace: Trace, soc_pct: float, name: str) -> bool:
    car = next((car for car in trace.scenario.car if car.name == name), None)
    return car is not None and soc_pct > min(car.taper_from_pct, car.soc_limit_pct) - 1.0


def patience_s(scenario: Scenario) -> float:
    """How long control needs to see and follow a change [s]."""
    meter = scenario.grid.meter
    slowest_s = max((car.dead_time_s + car.start_delay_s + 16 / car.ramp_a_per_s for car in scenario.car), default=10.0)
    return 3 * scenario.site.interval_s + meter.refresh_s + meter.lag_s + slowest_s + REACTION_S


def faults_between(trace: Trace, start_s: float, end_s: float) -> bool:
    """Whether any fault rages between the two seconds."""
    days = round(trace.instants[-1].second / 86_400) or 1
    return any(fault.start_s <= end_s and fault.end_s >= start_s for fault in trace.scenario.faults(days))
