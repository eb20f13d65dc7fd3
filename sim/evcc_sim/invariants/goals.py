"""Modes, minimum SoC and plans get what they are promised."""

from __future__ import annotations

from math import isnan

from evcc_sim.actions import next_occurrence
from evcc_sim.invariants.evidence import REACTION_S
from evcc_sim.invariants.violation import Found, Violation
from evcc_sim.trace import Trace
from evcclib.events import SettingChanged
from evcclib.model import ChargeMode


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
        if needed_s < 660.0:
            continue  # too short a slot is not started for [PLAN-14]
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
