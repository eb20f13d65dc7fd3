"""What cannot be seen is not guessed: a silent meter, an unknown state of charge."""

from __future__ import annotations

from bisect import bisect_right
from math import ceil

from evcc_sim.judge.invariants.evidence import REACTION_S, circuit_members, faults_of, fits
from evcc_sim.judge.invariants.violation import Found, Violation
from evcc_sim.judge.trace import Instant, Look, Trace
from evcc_sim.plants.faults import SILENT, FaultKind
from evcclib.events import VehicleConnected
from evcclib.model import ChargeMode


def stale_grid_is_safe(trace: Trace) -> Found:
    """Without a grid reading, surplus charging falls to the minimum current in the stated time, and pauses 3 min later.

    A loadpoint under a circuit that depends on the grid meter goes to the circuit's safe current [DEF-47].
    """
    scenario = trace.scenario
    if not scenario.site.has_grid_meter:
        return
    interval_s = scenario.site.interval_s
    age_max_s = max(3 * interval_s, 30.0)
    metered = [circuit for circuit in scenario.circuit if circuit.uses_grid_meter]
    for fault in faults_of(trace, "grid", SILENT | {FaultKind.NAN}):
        late_s = fault.start_s + age_max_s + 2 * interval_s + REACTION_S
        lost_s = late_s + 180.0
        for instant in trace.instants:
            if not late_s <= instant.second < fault.end_s:
                continue
            for index, loadpoint in enumerate(instant.loadpoints):
                low_a = _minimum_a(trace, index, instant.second)
                for circuit in metered:
                    if (
                        index in circuit_members(scenario, circuit.name)
                        and loadpoint.pilot_a > circuit.safe_current_a + 1e-6
                    ):
                        message = f"loadpoint {index + 1} at {loadpoint.pilot_a:g} A under a circuit nobody can see"
                        yield Violation("stale_grid_is_safe", instant.second, message)
                settings = trace.in_force(instant.second).loadpoints[index]
                is_forced = _is_forced(loadpoint.reason) and fits(loadpoint.reason, settings)
                if loadpoint.mode not in (ChargeMode.PV, ChargeMode.MINPV) or is_forced:
                    continue
                if loadpoint.pilot_a > low_a + 1e-6:
                    message = f"loadpoint {index + 1} at {loadpoint.pilot_a:g} A, grid unseen for too long"
                    yield Violation("stale_grid_is_safe", instant.second, message)
                elif instant.second >= lost_s and loadpoint.pilot_a > 0 and loadpoint.mode is ChargeMode.PV:
                    message = f"loadpoint {index + 1} still charges, grid lost"
                    yield Violation("stale_grid_is_safe", instant.second, message)


def _minimum_a(trace: Trace, loadpoint: int, second: float) -> float:
    """The least current that the station can be told, by what was in force up to a moment ago [A]."""
    wishes = trace.in_force_between(second - trace.scenario.site.interval_s - REACTION_S, second)
    step_a = trace.scenario.charger[loadpoint].box.coarsest_step_a
    return max(ceil(wish.loadpoints[loadpoint].current_min_a / step_a - 1e-6) for wish in wishes) * step_a


def _is_forced(reason: str) -> bool:
    return reason in {"min_soc", "plan_active", "smart_cost", "climate", "charger_silent", "charger_fault"}


def recovers(trace: Trace) -> Found:
    """Ten minutes after a device answers again, its loadpoints no longer complain about it."""
    for device in ("grid", *(charger.box.name for charger in trace.scenario.charger)):
        for fault in faults_of(trace, device, SILENT | {FaultKind.NAN}):
            instant = next((i for i in trace.instants if i.second >= fault.end_s + 600), None)
            if instant is None or any(
                other.start_s <= instant.second and other.end_s + 600 > fault.end_s
                for other in faults_of(trace, device, SILENT | {FaultKind.NAN})
                if other is not fault
            ):
                continue
            bad = {"grid_stale", "grid_lost"} if device == "grid" else {"charger_silent"}
            for index, loadpoint in enumerate(instant.loadpoints):
                is_concerned = device == "grid" or trace.scenario.charger[index].box.name == device
                if is_concerned and loadpoint.reason in bad:
                    message = f"loadpoint {index + 1} still says {loadpoint.reason}"
                    yield Violation("recovers", instant.second, message)


UNSEEN_W = 500.0
"""So much must flow before it counts as unseen ..."""
SEEN_SHARE = 0.1
"""... while less than this part of it is shown."""
LOOK_BACK_S = 1800.0


def what_flows_is_seen(trace: Trace) -> Found:
    """What flows through a meter is shown to clients: the same meter is not found blind at two looks in a row."""
    scenario = trace.scenario
    devices = {
        "grid": ["grid"],
        "pv": [spec.name for spec in scenario.pv],
        "battery": [spec.name for spec in scenario.battery],
    }
    if scenario.grid.meter.refresh_s or scenario.grid.meter.lag_s:
        del devices["grid"]  # a slow meter shows another moment, and what swings is another thing then
    for meter, names in devices.items():
        faults = [fault for name in (*names, "site") for fault in faults_of(trace, name, frozenset(FaultKind))]
        was_blind = False
        for look in trace.looks:
            if look.meter != meter:
                continue
            is_blind = abs(look.flows_w) >= UNSEEN_W and (
                look.shown_w is None or abs(look.shown_w) < SEEN_SHARE * abs(look.flows_w)
            )
            if any(fault.start_s <= look.second and look.second - LOOK_BACK_S < fault.end_s for fault in faults):
                is_blind = False
            is_blind = is_blind and _flows_steadily(trace, look)
            if is_blind and was_blind:
                shown = "nothing" if look.shown_w is None else f"{look.shown_w:.0f} W"
                yield Violation("what_flows_is_seen", look.second, f"{meter}: {look.flows_w:.0f} W flow, {shown} shown")
            was_blind = is_blind


def _flows_steadily(trace: Trace, look: Look) -> bool:
    """Whether so much has flowed the same way since two intervals ago: what has just begun is in no sample yet."""
    start_s = look.second - 2 * trace.scenario.site.interval_s
    first = max(0, bisect_right(trace.instants, start_s, key=lambda instant: instant.second) - 1)
    last = bisect_right(trace.instants, look.second, key=lambda instant: instant.second)
    way = 1.0 if look.flows_w > 0 else -1.0
    for instant in trace.instants[first:last]:
        flows_w = {"grid": instant.grid_w, "pv": instant.pv_w, "battery": instant.battery_w}[look.meter]
        if way * flows_w < UNSEEN_W:
            return False
    return True


def unknown_soc_forces_nothing(trace: Trace) -> Found:
    """An unknown SoC is not 0 %: no forced charge for a minimum SoC before the grace time is over [DEF-1]."""
    for car in trace.scenario.car:
        for fault in faults_of(trace, car.name, SILENT | {FaultKind.NAN}):
            for instant in trace.instants:
                for index, loadpoint in enumerate(instant.loadpoints):
                    in_grace = (
                        fault.start_s <= instant.second < min(fault.end_s, _connected_at(trace, index, instant) + 590)
                    )
                    if loadpoint.car == car.name and loadpoint.reason == "min_soc" and in_grace:
                        if _connected_at(trace, index, instant) < fault.start_s:
                            continue  # it had been known before
                        message = f"loadpoint {index + 1} is forced although nobody knows the SoC"
                        yield Violation("unknown_soc_forces_nothing", instant.second, message)


def _connected_at(trace: Trace, loadpoint: int, instant: Instant) -> float:
    second = 0.0
    for happened in trace.events:
        if happened.second > instant.second:
            break
        if isinstance(happened.event, VehicleConnected) and happened.event.loadpoint == loadpoint:
            second = happened.second
    return second
