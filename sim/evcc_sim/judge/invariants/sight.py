"""What cannot be seen is not guessed: a silent meter, an unknown state of charge."""

from __future__ import annotations

from functools import partial
from math import ceil

from evcc_sim.judge.excuses import SETTLED_AFTER_S, SETTLING
from evcc_sim.judge.invariants.frame import Found, invariant, own_promise
from evcc_sim.judge.invariants.judged import REACTION_S, Judged, lasting
from evcc_sim.judge.invariants.room import circuit_members
from evcc_sim.judge.trace import InForce, Instant, Look
from evcc_sim.plants.faults import SILENT, Fault, FaultKind
from evcclib.model import ChargeMode


@invariant
def stale_grid_is_safe(run: Judged) -> Found:
    """Without a grid reading, surplus charging falls to the minimum current in the stated time, and pauses 3 min later.

    A loadpoint under a circuit that depends on the grid meter goes to the circuit's safe current [DEF-47].
    """
    scenario = run.scenario
    if not scenario.site.has_grid_meter:
        return
    age_max_s = max(3 * run.interval_s, 30.0)
    metered = [circuit for circuit in scenario.circuit if circuit.uses_grid_meter]
    at_station = [run.faults_of(charger.box.name, frozenset(FaultKind)) for _index, charger in run.loadpoints]
    for fault in run.faults_of("grid", SILENT | {FaultKind.NAN}):
        late_s = fault.start_s + age_max_s + 2 * run.interval_s + REACTION_S
        lost_s = late_s + 180.0
        for instant in run.instants:
            if not late_s <= instant.second < fault.end_s:
                continue
            wish = run.trace.in_force(instant.second)
            for index, loadpoint in enumerate(instant.loadpoints):
                low_a = _minimum_a(run, index, instant.second)
                for circuit in metered:
                    if (
                        index in circuit_members(scenario, circuit.name)
                        and loadpoint.pilot_a > circuit.safe_current_a + 1e-6
                    ):
                        message = f"loadpoint {index + 1} at {loadpoint.pilot_a:g} A under a circuit nobody can see"
                        yield instant.second, message
                if loadpoint.mode not in (ChargeMode.PV, ChargeMode.MINPV) or run.meant.may_buy(index, instant, wish):
                    continue
                if SETTLING.excuses(at_station[index], instant.second):
                    continue
                if loadpoint.pilot_a > low_a + 1e-6:
                    message = f"loadpoint {index + 1} at {loadpoint.pilot_a:g} A, grid unseen for too long"
                    yield instant.second, message
                elif instant.second >= lost_s and loadpoint.pilot_a > 0 and loadpoint.mode is ChargeMode.PV:
                    message = f"loadpoint {index + 1} still charges, grid lost"
                    yield instant.second, message


def _minimum_a(run: Judged, loadpoint: int, second: float) -> float:
    """The least current that the station can be told, by what was in force up to a moment ago [A]."""
    wishes = run.trace.in_force_between(second - run.interval_s - REACTION_S, second)
    step_a = run.scenario.charger[loadpoint].box.coarsest_step_a
    return max(ceil(wish.loadpoints[loadpoint].current_min_a / step_a - 1e-6) for wish in wishes) * step_a


@own_promise
def recovers(run: Judged) -> Found:
    """Ten minutes after a device answers again, its loadpoints no longer complain about it: what is said is the promise."""
    for device in ("grid", *(charger.box.name for _index, charger in run.loadpoints)):
        for fault in run.faults_of(device, SILENT | {FaultKind.NAN}):
            instant = run.first_from(fault.end_s + SETTLED_AFTER_S)
            if instant is None or any(
                other.start_s <= instant.second and other.end_s + SETTLED_AFTER_S > fault.end_s
                for other in run.faults_of(device, SILENT | {FaultKind.NAN})
                if other is not fault
            ):
                continue
            bad = {"grid_stale", "grid_lost"} if device == "grid" else {"charger_silent"}
            for index, loadpoint in enumerate(instant.loadpoints):
                is_concerned = device == "grid" or run.scenario.charger[index].box.name == device
                if is_concerned and loadpoint.reason in bad:
                    message = f"loadpoint {index + 1} still says {loadpoint.reason}"
                    yield instant.second, message


UNSEEN_W = 500.0
"""So much must flow before it counts as unseen ..."""
SEEN_SHARE = 0.1
"""... while less than this part of it is shown."""
LOOK_BACK_S = 1800.0


@own_promise
def what_flows_is_seen(run: Judged) -> Found:
    """What flows through a meter is shown to clients: the same meter is not found blind at two looks in a row."""
    scenario = run.scenario
    devices = {
        "grid": ["grid"],
        "pv": [spec.name for spec in scenario.pv],
        "battery": [spec.name for spec in scenario.battery],
    }
    if scenario.grid.meter.refresh_s or scenario.grid.meter.lag_s:
        del devices["grid"]  # a slow meter shows another moment, and what swings is another thing then
    for meter, names in devices.items():
        faults = [fault for name in (*names, "site") for fault in run.faults_of(name, frozenset(FaultKind))]
        was_blind = False
        for look in run.trace.looks:
            if look.meter != meter:
                continue
            is_blind = abs(look.flows_w) >= UNSEEN_W and (
                look.shown_w is None or abs(look.shown_w) < SEEN_SHARE * abs(look.flows_w)
            )
            if any(fault.start_s <= look.second and look.second - LOOK_BACK_S < fault.end_s for fault in faults):
                is_blind = False
            is_blind = is_blind and _flows_steadily(run, look)
            if is_blind and was_blind:
                shown = "nothing" if look.shown_w is None else f"{look.shown_w:.0f} W"
                yield look.second, f"{meter}: {look.flows_w:.0f} W flow, {shown} shown"
            was_blind = is_blind


def _flows_steadily(run: Judged, look: Look) -> bool:
    """Whether so much has flowed the same way since two intervals ago: what has just begun is in no sample yet."""
    start_s = look.second - 2 * run.interval_s
    way = 1.0 if look.flows_w > 0 else -1.0
    for instant in run.between(start_s, look.second):
        flows_w = {"grid": instant.grid_w, "pv": instant.pv_w, "battery": instant.battery_w}[look.meter]
        if way * flows_w < UNSEEN_W:
            return False
    return True


UNKNOWN_S = 590.0
"""So long after its arrival a car whose SoC nobody tells is not charged for its minimum SoC."""


@invariant
def unknown_soc_forces_nothing(run: Judged) -> Found:
    """An unknown SoC is not 0 %: no forced charge for a minimum SoC before the grace time is over [DEF-1]."""
    for car in run.scenario.car:
        unknown = run.faults_of(car.name, SILENT | {FaultKind.NAN})
        for index, _charger in run.loadpoints if unknown else ():
            for instant, _wish, _since_s in lasting(run, partial(_may_be_forced_s, run, index, car.name, unknown)):
                pilot_a = instant.loadpoints[index].pilot_a
                yield instant.second, f"loadpoint {index + 1} is forced to {pilot_a:g} A although nobody knows the SoC"


def _may_be_forced_s(
    run: Judged, index: int, car: str, unknown: list[Fault], instant: Instant, wish: InForce
) -> float | None:
    """How long a car may buy at more than its minimum; None: it does not, or it may [s]."""
    loadpoint, settings = instant.loadpoints[index], wish.loadpoints[index]
    arrived_s = run.meant.arrived_s(index, instant.second)
    is_hidden = any(
        fault.start_s <= arrived_s and instant.second < min(fault.end_s, arrived_s + UNKNOWN_S) for fault in unknown
    )
    is_above = loadpoint.pilot_a > settings.current_min_a + 0.5 and loadpoint.power_w > 0
    is_for_it = loadpoint.mode in (ChargeMode.PV, ChargeMode.MINPV) and settings.soc_min_pct > 0
    wants_more = wish.is_planned(index) or settings.smart_cost_limit is not None
    bought_w = instant.grid_w + min(wish.site.residual_power_w, 0.0)
    if loadpoint.car != car or not is_hidden or not is_above or not is_for_it or wants_more:
        return None
    return 2 * run.patience_s if bought_w > 2 * 3 * run.voltage_v + run.noise_w else None
