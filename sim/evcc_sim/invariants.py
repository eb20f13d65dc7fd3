"""What must hold in every world, written once: pure functions over a trace. Tests, Hypothesis and all runners call `check`.

Each function is an `Invariant` with a name; a scenario may list the names of those that its world breaks by design or that the
present law does not keep yet (`allowed`), and docs/scenarios.md says which and why.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import isnan

from evcc_sim.actions import next_occurrence, operator_spans
from evcc_sim.faults import SILENT, Fault, FaultKind
from evcc_sim.scenario import CircuitSpec, Scenario
from evcc_sim.trace import Instant, Trace
from evcclib.commands import Disable, Enable, SetCurrent, SwitchPhases
from evcclib.events import ChargeStarted, SessionChanged, SettingChanged, VehicleConnected
from evcclib.model import ChargeMode
from evcclib.settings import Scope

POWER_TOLERANCE_W = 1e-3
ENERGY_TOLERANCE_KWH = 1e-6
REACTION_S = 15.0
"""Beyond the interval, what station and car need to follow a command (IEC 61851-1: 5 s) and the measurement to show it."""


@dataclass(frozen=True, slots=True)
class Violation:
    """``invariant`` does not hold at ``second``."""

    invariant: str
    second: float
    message: str

    def __str__(self) -> str:
        hours, rest = divmod(int(self.second), 3600)
        return f"{self.invariant} at {hours:02d}:{rest // 60:02d}:{rest % 60:02d}: {self.message}"


Found = Iterator[Violation]
Invariant = Callable[[Trace], Found]


def check(trace: Trace, only: Iterable[str] | None = None) -> tuple[Violation, ...]:
    """All violations but those that the scenario allows, by time; at most ten of each kind."""
    wanted = set(INVARIANTS if only is None else only) - set(trace.scenario.allowed)
    found: list[Violation] = []
    for name in INVARIANTS:
        if name in wanted:
            for count, violation in enumerate(INVARIANTS[name](trace)):
                if count == 10:
                    break
                found.append(violation)
    return tuple(sorted(found, key=lambda violation: (violation.second, violation.invariant)))


# -- physics ------------------------------------------------------------------------------------------------------------


def power_balance(trace: Trace) -> Found:
    """Grid power is the sum of all that is drawn and delivered, on each phase at every instant; no energy from nowhere."""
    end_s = trace.instants[-1].second
    if trace.unbalance_w > POWER_TOLERANCE_W:
        yield Violation("power_balance", end_s, f"{trace.unbalance_w:.6f} W are missing")
    if trace.energy_error_kwh > ENERGY_TOLERANCE_KWH:
        yield Violation("power_balance", end_s, f"{trace.energy_error_kwh:.9f} kWh came from nowhere")


def energy_runs_forward(trace: Trace) -> Found:
    """Counters never run backwards."""
    for before, now in zip(trace.instants, trace.instants[1:], strict=False):
        if now.grid_in_kwh < before.grid_in_kwh - 1e-9 or now.grid_out_kwh < before.grid_out_kwh - 1e-9:
            yield Violation("energy_runs_forward", now.second, "the grid counter ran backwards")
        for index, (old, new) in enumerate(zip(before.loadpoints, now.loadpoints, strict=True)):
            if new.energy_kwh < old.energy_kwh - 1e-9:
                yield Violation("energy_runs_forward", now.second, f"counter of loadpoint {index + 1} ran backwards")


def fuse_never_trips(trace: Trace) -> Found:
    """The main fuse stays in."""
    for second, phase in trace.fuse_trips:
        yield Violation("fuse_never_trips", second, f"the fuse of L{phase + 1} has tripped")


# -- limits -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Minimum and maximum current of a loadpoint from a second on."""

    second: float
    low_a: float
    high_a: float


def _bounds(trace: Trace, loadpoint: int) -> list[_Bounds]:
    spec = trace.scenario.charger[loadpoint]
    low_a, high_a = spec.loadpoint.current_min_a, spec.loadpoint.current_max_a
    found = [_Bounds(-1.0, low_a, high_a)]
    for second, event in trace.events:
        if isinstance(event, SettingChanged) and event.scope is Scope.LOADPOINT and event.owner == loadpoint:
            if event.name == "current_min_a" and isinstance(event.value, (int, float)):
                low_a = float(event.value)
            elif event.name == "current_max_a" and isinstance(event.value, (int, float)):
                high_a = float(event.value)
            else:
                continue
            found.append(_Bounds(second, low_a, high_a))
    return found


def current_within_bounds(trace: Trace) -> Found:
    """A commanded current is within the loadpoint's [min, max], the station's own maximum, and on the station's steps."""
    for loadpoint, charger in enumerate(trace.scenario.charger):
        bounds = _bounds(trace, loadpoint)
        step_a = charger.box.current_step_a
        for sent in trace.sent:
            if sent.loadpoint != loadpoint or not isinstance(sent.command, SetCurrent):
                continue
            present = next(b for b in reversed(bounds) if b.second <= sent.second)
            current_a = sent.command.current_a
            high_a = min(present.high_a, charger.box.current_max_a)
            low_a = min(present.low_a, high_a)
            if not low_a - 1e-6 <= current_a <= high_a + 1e-6:
                message = f"loadpoint {loadpoint + 1}: {current_a:g} A commanded, allowed {low_a:g}..{high_a:g} A"
                yield Violation("current_within_bounds", sent.second, message)
            if abs(current_a / step_a - round(current_a / step_a)) > 1e-6:
                message = f"loadpoint {loadpoint + 1}: {current_a:g} A is not a multiple of {step_a:g} A"
                yield Violation("current_within_bounds", sent.second, message)


def _circuit_members(scenario: Scenario, name: str) -> list[int]:
    below = {name}
    grown = True
    while grown:
        more = {circuit.name for circuit in scenario.circuit if circuit.parent in below} - below
        below |= more
        grown = bool(more)
    return [index for index, charger in enumerate(scenario.charger) if charger.loadpoint.circuit in below]


def circuit_limits_hold(trace: Trace) -> Found:
    """What is offered below a circuit never exceeds its current on any phase, nor its power, beyond the time of reaction.

    A circuit at the grid meter counts what really flows; there only the excess that the cars cause is a violation.
    """
    scenario = trace.scenario
    for circuit in scenario.circuit:
        members = _circuit_members(scenario, circuit.name)
        since: float | None = None
        patience_s = scenario.site.interval_s + REACTION_S
        if circuit.uses_grid_meter or circuit.has_meter:
            patience_s += scenario.site.interval_s + scenario.grid.meter.refresh_s + scenario.grid.meter.lag_s
        for instant in trace.instants:
            message = _circuit_excess(circuit, members, instant, scenario)
            if message is None:
                since = None
            elif since is None:
                since = instant.second
            elif instant.second - since > patience_s:
                yield Violation("circuit_limits_hold", instant.second, message)
                since = instant.second


def _circuit_excess(circuit: CircuitSpec, members: list[int], instant: Instant, scenario: Scenario) -> str | None:
    """How a circuit is overloaded by cars at this instant, in words."""
    voltage_v = scenario.site.true_voltage_v or scenario.site.voltage_v
    cars_w = [sum(instant.loadpoints[index].powers_w[phase] for index in members) for phase in range(3)]
    flowing_w = list(instant.grid_powers_w) if circuit.uses_grid_meter else cars_w
    if circuit.current_max_a is not None:
        for phase in range(3):
            current_a = flowing_w[phase] / voltage_v
            if current_a > circuit.current_max_a + 0.1 and cars_w[phase] / voltage_v > 0.1:
                return f"circuit {circuit.name}: {current_a:.1f} A on L{phase + 1}, allowed {circuit.current_max_a:g} A"
    if circuit.power_max_w is not None and sum(flowing_w) > circuit.power_max_w * 1.005 + 10 and sum(cars_w) > 10:
        return f"circuit {circuit.name}: {sum(flowing_w):.0f} W, allowed {circuit.power_max_w:.0f} W"
    return None


def operator_limit_holds(trace: Trace) -> Found:
    """While the grid operator limits, all cars together stay below the limit, two intervals after it has begun."""
    spans = operator_spans(trace.scenario, trace.scenario.days)
    patience_s = 2 * trace.scenario.site.interval_s + REACTION_S
    for span in spans:
        for instant in trace.instants:
            if span.start_s + patience_s <= instant.second < min(span.end_s, span.expires_s):
                charge_w = sum(loadpoint.power_w for loadpoint in instant.loadpoints)
                if charge_w > span.power_w * 1.02 + 10:
                    message = f"{charge_w:.0f} W drawn, the operator allows {span.power_w:.0f} W"
                    yield Violation("operator_limit_holds", instant.second, message)


def operator_limit_expires(trace: Trace) -> Found:
    """A limit ends by itself: a car in mode now has its full current again within a minute after the limit's expiry."""
    scenario = trace.scenario
    spans = operator_spans(scenario, scenario.days)
    for span in spans:
        free_s = min(span.end_s, span.expires_s) + 60 + 2 * scenario.site.interval_s + REACTION_S
        if any(other.start_s <= free_s < min(other.end_s, other.expires_s) for other in spans):
            continue
        instant = next((i for i in trace.instants if i.second >= free_s), None)
        if instant is None or scenario.circuit:
            continue
        for index, loadpoint in enumerate(instant.loadpoints):
            high_a = min(
                next(b for b in reversed(_bounds(trace, index)) if b.second <= instant.second).high_a,
                scenario.charger[index].box.current_max_a,
            )
            if loadpoint.mode is ChargeMode.NOW and loadpoint.status == "C" and loadpoint.pilot_a < high_a - 1.0:
                message = f"loadpoint {index + 1} still at {loadpoint.pilot_a:g} A after the limit has ended"
                yield Violation("operator_limit_expires", instant.second, message)


# -- switching ----------------------------------------------------------------------------------------------------------


def no_phase_switch_under_load(trace: Trace) -> Found:
    """The phase relay moves without current, and the control takes the pilot away before it asks for a switch."""
    for second, loadpoint in trace.switched_under_load:
        yield Violation("no_phase_switch_under_load", second, f"relay of loadpoint {loadpoint + 1} moved under load")
    for sent in trace.sent:
        if isinstance(sent.command, SwitchPhases) and sent.was_enabled and sent.accepted:
            message = f"loadpoint {sent.loadpoint + 1} was told to switch while enabled"
            yield Violation("no_phase_switch_under_load", sent.second, message)


def phases_fit(trace: Trace) -> Found:
    """Only 1 and 3 are ever sent as phases, and only to stations that can switch [INV-1]."""
    for sent in trace.sent:
        if isinstance(sent.command, SwitchPhases):
            box = trace.scenario.charger[sent.loadpoint].box
            if sent.command.phases not in (1, 3) or not box.can_switch_phases:
                yield Violation("phases_fit", sent.second, f"loadpoint {sent.loadpoint + 1}: {sent.command}")


def guard_holds(trace: Trace) -> Found:
    """Following the sun, the contactor rests for the guard time between two changes [INV-4].

    Requests, arrivals, goals, faults and phase switches in between are excuses.
    """
    for loadpoint, charger in enumerate(trace.scenario.charger):
        guard_s = charger.loadpoint.guard_duration_s - 1.0
        changes = [
            sent
            for sent in trace.sent
            if sent.loadpoint == loadpoint and sent.accepted and isinstance(sent.command, (Enable, Disable))
        ]
        reasons = [(i.second, i.loadpoints[loadpoint]) for i in trace.instants]
        for before, now in itertools.pairwise(changes):
            if now.second - before.second >= guard_s or type(before.command) is type(now.command):
                continue
            window = [lp for second, lp in reasons if before.second - 1 <= second <= now.second + 1]
            if all(_is_calm(lp.reason) and lp.mode is ChargeMode.PV and lp.car for lp in window) and not _disturbed(
                trace, loadpoint, before.second - 1, now.second + 1
            ):
                waited_s = now.second - before.second
                message = f"loadpoint {loadpoint + 1}: {now.command} only {waited_s:.0f} s after {before.command}"
                yield Violation("guard_holds", now.second, message)


def _is_calm(reason: str) -> bool:
    return reason.startswith("surplus") or reason in {"guard", "battery_buffer", "battery_priority", "command_pending"}


def _disturbed(trace: Trace, loadpoint: int, start_s: float, end_s: float) -> bool:
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


def switching_budget(trace: Trace) -> Found:
    """Contactors and phase relays switch no more often in any hour than delays and guard allow."""
    for loadpoint, charger in enumerate(trace.scenario.charger):
        spec = charger.loadpoint
        cycle_s = max(60.0, spec.enable_delay_s + spec.disable_delay_s)
        budget = 2 * 3600 / cycle_s + 2
        moments = [
            s.second
            for s in trace.sent
            if s.loadpoint == loadpoint and s.accepted and isinstance(s.command, SwitchPhases)
        ]
        yield from _over_budget("phase switches", moments, budget, loadpoint)
        guard_s = max(60.0, spec.guard_duration_s)
        budget = 3600 / guard_s + 4
        moments = [
            s.second
            for s in trace.sent
            if s.loadpoint == loadpoint and s.accepted and isinstance(s.command, (Enable, Disable))
        ]
        budget += 2 * len(
            [s for s in trace.sent if s.loadpoint == loadpoint and isinstance(s.command, SwitchPhases)]
        ) + 2 * len(trace.notes)
        yield from _over_budget("enable changes", moments, budget, loadpoint)


def _over_budget(what: str, moments: list[float], budget: float, loadpoint: int) -> Found:
    for index, second in enumerate(moments):
        count = sum(1 for other in moments[: index + 1] if other > second - 3600)
        if count > budget:
            yield Violation("switching_budget", second, f"loadpoint {loadpoint + 1}: {count} {what} in an hour")
            return


def no_needless_writes(trace: Trace) -> Found:
    """A current that the station has acknowledged is not written again while it stays enabled.

    Stations that lose or ignore writes must be written again; windows with faults are left out.
    """
    last: dict[int, tuple[float, float]] = {}
    for sent in trace.sent:
        if isinstance(sent.command, Disable) or not sent.accepted:
            last.pop(sent.loadpoint, None)  # before the next start it may be made sure of
        elif isinstance(sent.command, SetCurrent):
            before = last.get(sent.loadpoint)
            last[sent.loadpoint] = (sent.second, sent.command.current_a)
            if before is None or before[1] != sent.command.current_a:
                continue
            if not _disturbed(trace, sent.loadpoint, before[0], sent.second):
                message = f"loadpoint {sent.loadpoint + 1}: {sent.command.current_a:g} A was written again"
                yield Violation("no_needless_writes", sent.second, message)


# -- what cannot be seen ------------------------------------------------------------------------------------------------


def _faults_of(trace: Trace, device: str, kinds: frozenset[FaultKind]) -> list[Fault]:
    days = round(trace.instants[-1].second / 86_400) or 1
    return [fault for fault in trace.scenario.faults(days) if fault.device == device and fault.kind in kinds]


def stale_grid_is_safe(trace: Trace) -> Found:
    """Without a grid reading, surplus charging falls to the minimum current in the stated time, and pauses 3 min later.

    A loadpoint under a circuit that depends on the grid meter goes to the circuit's safe current [DEF-47].
    """
    scenario = trace.scenario
    interval_s = scenario.site.interval_s
    age_max_s = max(3 * interval_s, 30.0)
    metered = [circuit for circuit in scenario.circuit if circuit.uses_grid_meter]
    for fault in _faults_of(trace, "grid", SILENT | {FaultKind.NAN}):
        late_s = fault.start_s + age_max_s + 2 * interval_s + REACTION_S
        lost_s = late_s + 180.0
        for instant in trace.instants:
            if not late_s <= instant.second < fault.end_s:
                continue
            for index, loadpoint in enumerate(instant.loadpoints):
                low_a = next(b for b in reversed(_bounds(trace, index)) if b.second <= instant.second).low_a
                for circuit in metered:
                    if (
                        index in _circuit_members(scenario, circuit.name)
                        and loadpoint.pilot_a > circuit.safe_current_a + 1e-6
                    ):
                        message = f"loadpoint {index + 1} at {loadpoint.pilot_a:g} A under a circuit nobody can see"
                        yield Violation("stale_grid_is_safe", instant.second, message)
                if loadpoint.mode not in (ChargeMode.PV, ChargeMode.MINPV) or _is_forced(loadpoint.reason):
                    continue
                if loadpoint.pilot_a > low_a + 1e-6:
                    message = f"loadpoint {index + 1} at {loadpoint.pilot_a:g} A, grid unseen for too long"
                    yield Violation("stale_grid_is_safe", instant.second, message)
                elif instant.second >= lost_s and loadpoint.pilot_a > 0 and loadpoint.mode is ChargeMode.PV:
                    message = f"loadpoint {index + 1} still charges, grid lost"
                    yield Violation("stale_grid_is_safe", instant.second, message)


def _is_forced(reason: str) -> bool:
    return reason in {"min_soc", "plan_active", "smart_cost", "climate", "charger_silent", "charger_fault"}


def recovers(trace: Trace) -> Found:
    """Ten minutes after a device answers again, its loadpoints no longer complain about it."""
    for device in ("grid", *(charger.box.name for charger in trace.scenario.charger)):
        for fault in _faults_of(trace, device, SILENT | {FaultKind.NAN}):
            instant = next((i for i in trace.instants if i.second >= fault.end_s + 600), None)
            if instant is None or any(
                other.start_s <= instant.second and other.end_s + 600 > fault.end_s
                for other in _faults_of(trace, device, SILENT | {FaultKind.NAN})
                if other is not fault
            ):
                continue
            bad = {"grid_stale", "grid_lost"} if device == "grid" else {"charger_silent"}
            for index, loadpoint in enumerate(instant.loadpoints):
                is_concerned = device == "grid" or trace.scenario.charger[index].box.name == device
                if is_concerned and loadpoint.reason in bad:
                    message = f"loadpoint {index + 1} still says {loadpoint.reason}"
                    yield Violation("recovers", instant.second, message)


def unknown_soc_forces_nothing(trace: Trace) -> Found:
    """An unknown SoC is not 0 %: no forced charge for a minimum SoC before the grace time is over [DEF-1]."""
    for car in trace.scenario.car:
        for fault in _faults_of(trace, car.name, SILENT | {FaultKind.NAN}):
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


# -- goals --------------------------------------------------------------------------------------------------------------


def mode_off_is_off(trace: Trace) -> Found:
    """In mode off nothing is offered, two intervals after the change, unless the station does not obey."""
    patience_s = 2 * trace.scenario.site.interval_s + REACTION_S
    for index, charger in enumerate(trace.scenario.charger):
        if any(fault.device in (charger.box.name, "site") for fault in trace.scenario.fault):
            continue
        since: float | None = None
        for instant in trace.instants:
            loadpoint = instant.loadpoints[index]
            if loadpoint.mode is ChargeMode.OFF and loadpoint.pilot_a > 0:
                since = instant.second if since is None else since
                if instant.second - since > patience_s:
                    yield Violation("mode_off_is_off", instant.second, f"loadpoint {index + 1} is on in mode off")
                    break
            else:
                since = None


def min_soc_comes_first(trace: Trace) -> Found:
    """A car below its minimum SoC charges with all that is allowed, in modes pv and minpv, once its SoC is known."""
    patience_s = 180.0
    for index, charger in enumerate(trace.scenario.charger):
        names = [car.name for car in trace.scenario.car if _min_soc(trace, index, car.name) > 0]
        if not names or trace.scenario.circuit:
            continue
        since: float | None = None
        for instant in trace.instants:
            loadpoint = instant.loadpoints[index]
            wanted = (
                loadpoint.car in names
                and loadpoint.mode in (ChargeMode.PV, ChargeMode.MINPV)
                and not isnan(loadpoint.soc_pct)
                and loadpoint.soc_pct < _min_soc(trace, index, loadpoint.car) - 2.0
                and not _any_fault(trace, (loadpoint.car, charger.box.name, "site"), instant.second)
            )
            high_a = min(charger.loadpoint.current_max_a, charger.box.current_max_a)
            if wanted and loadpoint.pilot_a < high_a - charger.box.current_step_a:
                since = instant.second if since is None else since
                if instant.second - since > patience_s:
                    message = f"loadpoint {index + 1}: {loadpoint.soc_pct:.0f} % and only {loadpoint.pilot_a:g} A"
                    yield Violation("min_soc_comes_first", instant.second, message)
                    break
            else:
                since = None


def _any_fault(trace: Trace, devices: tuple[str, ...], second: float) -> bool:
    faults = trace.scenario.faults(round(trace.instants[-1].second / 86_400) or 1)
    return any(f.device in devices and f.start_s - 60 <= second < f.end_s + 600 for f in faults)


def _min_soc(trace: Trace, loadpoint: int, car: str) -> float:
    """The minimum SoC that the scenario's actions set for this car or loadpoint before it matters; 0 without."""
    for action in trace.scenario.action:
        is_concerned = action.vehicle == car or action.loadpoint == loadpoint
        if (
            is_concerned
            and action.setting == "soc_min_pct"
            and (action.at.hour, action.at.minute, action.day) == (0, 0, 0)
        ):
            return float(action.value or 0)
    return 0.0


def feasible_plans_are_met(trace: Trace) -> Found:
    """A plan that could be met is met: the car has its target SoC at the target time."""
    scenario, base = trace.scenario, trace.scenario.base
    for action in scenario.action:
        if action.setting != "target_time" or action.loadpoint is None or action.value is None:
            continue
        set_s = base.second(action.day, action.at)
        wall = action.at.fromisoformat(str(action.value))
        target_s = (next_occurrence(wall, base, set_s) - base.epoch).total_seconds()
        start = next((i for i in trace.instants if i.second >= set_s), None)
        end = next((i for i in trace.instants if i.second >= target_s - 1), None)
        if start is None or end is None:
            continue
        before, after = start.loadpoints[action.loadpoint], end.loadpoints[action.loadpoint]
        if not before.car or before.car != after.car:
            continue
        car = next(c for c in scenario.car if c.name == before.car)
        charger = scenario.charger[action.loadpoint]
        target_pct = min(_target_soc(trace, target_s), car.soc_limit_pct)
        phases = min(car.phases, charger.box.phases)
        high_a = min(charger.loadpoint.current_max_a, charger.box.current_max_a, car.current_max_a)
        power_w = (scenario.site.true_voltage_v or scenario.site.voltage_v) * high_a * phases
        needed_s = (target_pct - before.soc_pct) / 100 * car.capacity_kwh * 3.6e6 / (power_w * car.efficiency)
        taper_s = 3600.0 if target_pct > car.taper_from_pct else 0.0
        if needed_s * 1.1 + taper_s + 900 > target_s - set_s or scenario.circuit:
            continue
        if after.soc_pct < target_pct - 1.5:
            message = (
                f"loadpoint {action.loadpoint + 1}: {after.soc_pct:.1f} % at the target time, planned {target_pct:g} %"
            )
            yield Violation("feasible_plans_are_met", target_s, message)


def _target_soc(trace: Trace, until_s: float) -> float:
    value = 100.0
    for second, event in trace.events:
        is_target = isinstance(event, SettingChanged) and event.name == "soc_target_pct" and second <= until_s
        if is_target and isinstance(event, SettingChanged) and isinstance(event.value, (int, float)):
            value = float(event.value) or 100.0
    return value


# -- calm ---------------------------------------------------------------------------------------------------------------


def constant_inputs_settle(trace: Trace) -> Found:
    """With constant sun and household the set-point of a car that follows the sun becomes constant within ten minutes."""
    settle_s, watch_s = 600.0, 300.0
    faults = trace.scenario.faults(round(trace.instants[-1].second / 86_400) or 1)
    for index in range(len(trace.scenario.charger)):
        start_s = -1.0
        before: tuple[object, ...] | None = None
        limits: list[tuple[float, float]] = []
        for instant in trace.instants:
            loadpoint = instant.loadpoints[index]
            others = tuple((lp.status, lp.mode, lp.phases) for lp in instant.loadpoints)
            inputs = (instant.household_w, instant.pv_available_w, others, loadpoint.car)
            if (
                inputs != before
                or loadpoint.status != "C"
                or not (_is_calm(loadpoint.reason) or loadpoint.reason in {"minimum_power", "limited"})
                or any(_is_tapering(trace, lp.soc_pct, lp.car) for lp in instant.loadpoints)
                or any(fault.start_s - 10 <= instant.second < fault.end_s + 60 for fault in faults)
            ):
                before, start_s, limits = inputs, instant.second, []
                continue
            if instant.second - start_s >= settle_s:
                limits.append((instant.second, loadpoint.pilot_a))
                values = {limit for second, limit in limits if second >= instant.second - watch_s}
                if len(values) > 1 and max(values) - min(values) > 0.05:
                    message = f"loadpoint {index + 1} still moves between {min(values):g} and {max(values):g} A"
                    yield Violation("constant_inputs_settle", instant.second, message)
                    return


def _is_tapering(trace: Trace, soc_pct: float, name: str) -> bool:
    car = next((car for car in trace.scenario.car if car.name == name), None)
    return car is not None and soc_pct > min(car.taper_from_pct, car.soc_limit_pct) - 1.0


def _patience_s(scenario: Scenario) -> float:
    """How long control needs to see and follow a change [s]."""
    meter = scenario.grid.meter
    slowest_s = max((car.dead_time_s + car.start_delay_s + 16 / car.ramp_a_per_s for car in scenario.car), default=10.0)
    return 3 * scenario.site.interval_s + meter.refresh_s + meter.lag_s + slowest_s + REACTION_S


def sun_is_used(trace: Trace) -> Found:
    """Surplus that a waiting car could take is taken: it starts after its delays, and what charges follows upwards [INV-7].

    Charging of the home battery counts as surplus once the battery is past its priority [SITE-10].
    """
    scenario = trace.scenario
    if any(pv.zero_feed_in for pv in scenario.pv) or not scenario.site.has_grid_meter:
        return
    residual_w = max(scenario.site.residual_power_w, 0.0)
    faults = scenario.faults(round(trace.instants[-1].second / 86_400) or 1)
    for index, charger in enumerate(scenario.charger):
        spec, box = charger.loadpoint, charger.box
        wait_s = spec.enable_delay_s + spec.guard_duration_s + _patience_s(scenario) + 2 * scenario.site.interval_s
        if box.can_switch_phases:
            wait_s += spec.disable_delay_s + spec.enable_delay_s + 2 * box.phase_switch_s
        since: float | None = None
        for instant in trace.instants:
            loadpoint = instant.loadpoints[index]
            car = next((car for car in scenario.car if car.name == loadpoint.car), None)
            surplus_w = -instant.grid_w - residual_w
            if not isnan(instant.battery_soc_pct) and instant.battery_soc_pct > scenario.site.priority_soc_pct + 1:
                surplus_w += max(0.0, -instant.battery_w)
            usable = (
                car is not None
                and loadpoint.mode in (ChargeMode.PV, ChargeMode.MINPV)
                and loadpoint.reason not in NOT_FOR_THE_SUN
                and loadpoint.soc_pct < min(car.soc_limit_pct, car.taper_from_pct) - 1
                and not any(fault.start_s - 60 <= instant.second < fault.end_s + 900 for fault in faults)
            )
            if not usable or car is None:
                since = None
                continue
            phases = min(car.phases, loadpoint.phases)
            watts_a = scenario.site.voltage_v * phases
            high_a = min(spec.current_max_a, box.current_max_a, car.current_max_a)
            if loadpoint.pilot_a == 0:
                least_w = max(car.current_min_a, spec.current_min_a) * watts_a
                wanted = (
                    surplus_w > max(least_w, -spec.enable_threshold_w) + max(box.current_step_a, 1.0) * watts_a + 150
                )
                needed_s = wait_s
            else:
                is_taken = loadpoint.status == "C" and loadpoint.power_w > 0
                wanted = (
                    is_taken
                    and loadpoint.pilot_a < high_a - 1
                    and surplus_w > (box.current_step_a + 2.0) * watts_a + 150
                )
                needed_s = wait_s if box.can_switch_phases else 2 * _patience_s(scenario)
            if not wanted:
                since = None
            elif since is None:
                since = instant.second
            elif instant.second - since > needed_s:
                message = f"loadpoint {index + 1} leaves {surplus_w:.0f} W unused for {instant.second - since:.0f} s"
                yield Violation("sun_is_used", instant.second, message)
                since = instant.second


NOT_FOR_THE_SUN = frozenset(
    {
        "target_soc_reached",
        "target_energy_reached",
        "battery_priority",
        "remote_hard",
        "remote_soft",
        "limited",
        "phase_switch",
        "phase_lock",
    }
)


def nothing_is_bought_for_the_sun(trace: Trace) -> Found:
    """A car in mode pv that is above its minimum follows downwards; at its minimum it stops after the delays [INV-8]."""
    scenario = trace.scenario
    faults = scenario.faults(round(trace.instants[-1].second / 86_400) or 1)
    residual_w = min(scenario.site.residual_power_w, 0.0)
    for index, charger in enumerate(scenario.charger):
        spec = charger.loadpoint
        stop_s = spec.disable_delay_s + spec.guard_duration_s + _patience_s(scenario) + 2 * scenario.site.interval_s
        if charger.box.can_switch_phases:
            stop_s += spec.disable_delay_s + 2 * charger.box.phase_switch_s
        since: float | None = None
        low_since: float | None = None
        for instant in trace.instants:
            loadpoint = instant.loadpoints[index]
            follows = (
                loadpoint.mode is ChargeMode.PV
                and loadpoint.power_w > 0
                and _is_calm(loadpoint.reason)
                and loadpoint.reason != "battery_buffer"
                and scenario.site.has_grid_meter
                and not any(fault.start_s - 60 <= instant.second < fault.end_s + 600 for fault in faults)
            )
            bought_w = instant.grid_w + residual_w
            car = next((car for car in scenario.car if car.name == loadpoint.car), None)
            watts_a = scenario.site.voltage_v * min(car.phases if car is not None else 3, loadpoint.phases)
            if follows and bought_w > 2 * watts_a + 150 and loadpoint.pilot_a > spec.current_min_a + 0.5:
                since = instant.second if since is None else since
                if instant.second - since > 2 * _patience_s(scenario):
                    message = (
                        f"loadpoint {index + 1} charges with {loadpoint.pilot_a:g} A while {bought_w:.0f} W are bought"
                    )
                    yield Violation("nothing_is_bought_for_the_sun", instant.second, message)
                    since = instant.second
            else:
                since = None
            if follows and bought_w > max(spec.disable_threshold_w, 0.0) + 150:
                low_since = instant.second if low_since is None else low_since
                if instant.second - low_since > stop_s:
                    message = f"loadpoint {index + 1} does not stop while {bought_w:.0f} W are bought"
                    yield Violation("nothing_is_bought_for_the_sun", instant.second, message)
                    low_since = instant.second
            else:
                low_since = None


def settles_on_its_aim(trace: Trace) -> Found:
    """While sun and household hardly move, a single car that follows the sun holds the grid power at minus the residual
    power, to its step and the speed of the sun."""
    scenario = trace.scenario
    meter = scenario.grid.meter
    if scenario.battery or len(scenario.charger) != 1 or meter.noise_w or meter.resolution_w > 1 or scenario.fault:
        return
    if not scenario.site.sees_pv or not scenario.site.has_grid_meter or any(pv.zero_feed_in for pv in scenario.pv):
        return
    spec, box = scenario.charger[0].loadpoint, scenario.charger[0].box
    window_s = 2 * _patience_s(scenario)
    quiet_since = 0.0
    recent: list[Instant] = []
    for instant in trace.instants:
        loadpoint = instant.loadpoints[0]
        balance_w = instant.pv_available_w - instant.household_w
        recent = [i for i in recent if i.second >= instant.second - window_s]
        recent.append(instant)
        balances = [i.pv_available_w - i.household_w for i in recent]
        is_still = max(balances) - min(balances) < 80.0 and all(
            i.loadpoints[0].status == "C" and i.loadpoints[0].phases == loadpoint.phases for i in recent
        )
        if not is_still or _is_tapering(trace, loadpoint.soc_pct, loadpoint.car):
            quiet_since = instant.second
            continue
        free = spec.current_min_a + 0.2 < loadpoint.pilot_a < min(spec.current_max_a, box.current_max_a) - 0.2
        car = next((car for car in scenario.car if car.name == loadpoint.car), None)
        if instant.second - quiet_since < 60 or not free or loadpoint.reason != "surplus" or car is None:
            continue
        if loadpoint.pilot_a > car.current_max_a - 0.2:
            continue
        step_w = box.current_step_a * scenario.site.voltage_v * min(car.phases, loadpoint.phases)
        error_w = instant.grid_w + scenario.site.residual_power_w
        if not -step_w - 110.0 <= error_w <= 110.0:
            message = f"grid at {instant.grid_w:.0f} W, aim {-scenario.site.residual_power_w:.0f} W, balance {balance_w:.0f} W"
            yield Violation("settles_on_its_aim", instant.second, message)
            quiet_since = instant.second


# -- the ledger ---------------------------------------------------------------------------------------------------------


def sessions_equal_the_meter(trace: Trace) -> Found:
    """The energies of all sessions of a loadpoint are what its meter has counted, through restarts, resets and gaps."""
    if not trace.instants:
        return
    end_s = trace.instants[-1].second
    last = trace.instants[-1].loadpoints
    for index, charger in enumerate(trace.scenario.charger):
        sessions: dict[str, float] = {}
        for happened in trace.events:
            event = happened.event
            if isinstance(event, SessionChanged) and event.loadpoint == index:
                sessions[event.session.key] = event.session.energy_charged_kwh
                if event.session.energy_charged_kwh < 0:
                    message = f"session {event.session.key}: {event.session.energy_charged_kwh} kWh"
                    yield Violation("sessions_equal_the_meter", happened.second, message)
        if last[index].status == "C" or not charger.box.has_meter:
            continue  # the running session is stored when it ends
        booked_kwh, counted_kwh = sum(sessions.values()), last[index].energy_kwh
        tolerance_kwh = 0.02 + 0.002 * counted_kwh + _uncertain_kwh(trace, index)
        if abs(booked_kwh - counted_kwh) > tolerance_kwh:
            message = f"loadpoint {index + 1}: sessions hold {booked_kwh:.3f} kWh, the meter {counted_kwh:.3f} kWh"
            yield Violation("sessions_equal_the_meter", end_s, message)


def _uncertain_kwh(trace: Trace, loadpoint: int) -> float:
    """Energy that nobody can attribute: what flows in one interval around a reset of the counter."""
    name = trace.scenario.charger[loadpoint].box.name
    resets = [
        f for f in trace.scenario.fault if f.device == name and f.kind in (FaultKind.COUNTER_RESET, FaultKind.REBOOT)
    ]
    return len(resets) * 11.04 * trace.scenario.site.interval_s * 2 / 3600


def settings_survive(trace: Trace) -> Found:
    """After a restart every visible setting is what it was."""
    for text in trace.settings_lost:
        yield Violation("settings_survive", trace.restarts[0] if trace.restarts else 0.0, text)


def vehicle_is_asked_rarely(trace: Trace) -> Found:
    """A vehicle's interface is asked no more than once an interval while charging, and no more than 2,000 times a day."""
    days = max(1.0, trace.instants[-1].second / 86_400)
    for name, reads in trace.vehicle_reads.items():
        if reads > 9_000 * days:
            yield Violation("vehicle_is_asked_rarely", trace.instants[-1].second, f"{name} was asked {reads} times")


def starts_have_sessions(trace: Trace) -> Found:
    """Every charge that starts while a car is connected belongs to a session."""
    starts = sum(isinstance(happened.event, ChargeStarted) for happened in trace.events)
    sessions = {h.event.session.key for h in trace.events if isinstance(h.event, SessionChanged)}
    if starts and not sessions:
        yield Violation("starts_have_sessions", trace.instants[-1].second, f"{starts} starts and no session")


INVARIANTS: dict[str, Invariant] = {
    function.__name__: function
    for function in (
        power_balance,
        energy_runs_forward,
        fuse_never_trips,
        current_within_bounds,
        circuit_limits_hold,
        operator_limit_holds,
        operator_limit_expires,
        no_phase_switch_under_load,
        phases_fit,
        guard_holds,
        switching_budget,
        no_needless_writes,
        stale_grid_is_safe,
        recovers,
        unknown_soc_forces_nothing,
        mode_off_is_off,
        min_soc_comes_first,
        feasible_plans_are_met,
        constant_inputs_settle,
        sun_is_used,
        nothing_is_bought_for_the_sun,
        settles_on_its_aim,
        sessions_equal_the_meter,
        settings_survive,
        vehicle_is_asked_rarely,
        starts_have_sessions,
    )
}
"""All of them by name."""
