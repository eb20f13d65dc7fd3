"""The mean of what is bought in each window of the clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from evcc_sim.judge.excuses import Grace
from evcc_sim.judge.invariants.frame import Found, invariant
from evcc_sim.judge.invariants.judged import REACTION_S, Judged
from evcc_sim.judge.invariants.limits import DISOBEDIENT
from evcc_sim.judge.invariants.room import circuit_members
from evcc_sim.judge.trace import Instant
from evcc_sim.plants.faults import CONTROL, SILENT, FaultKind
from evcc_sim.worlds.scenario import CircuitSpec

BLIND = frozenset({FaultKind.LYING, FaultKind.FROZEN})
INEXACT = 1.005
"""Meters of this class are this exact."""


@invariant
def mean_power_holds(run: Judged) -> Found:
    """What is bought in a window of the clock is no more than the limit of the mean, as far as cars could help it: none draws,
    beyond the time of reaction, while what was bought and what flows does not fit in the window any more."""
    for circuit in run.scenario.circuit:
        if circuit.mean_power_max_w is None:
            continue
        members = circuit_members(run.scenario, circuit.name)
        patience_s = 2 * run.interval_s + run.scenario.grid.meter.refresh_s + run.scenario.grid.meter.lag_s + REACTION_S
        excuses = [*run.faults_of("site", CONTROL)]
        blind = BLIND | SILENT | {FaultKind.NAN} if circuit.safe_current_a else BLIND  # the owner's word for that time
        excuses += run.faults_of("grid" if circuit.uses_grid_meter else circuit.name, blind)
        for member in members:
            excuses += run.faults_of(run.scenario.charger[member].box.name, DISOBEDIENT)
        for start_s, end_s in _windows(run, circuit):
            seen = run.between(start_s, end_s)
            bought_kwh = _bought_kwh(circuit, members, seen[-1], end_s) - _bought_kwh(
                circuit, members, seen[0], start_s
            )
            mean_w = bought_kwh * 3.6e6 / (end_s - start_s)
            if mean_w <= circuit.mean_power_max_w * INEXACT + 10:
                continue
            if any(Grace(end_s - start_s, patience_s).excuses(excuses, second) for second in (start_s, end_s)):
                continue
            careless_s = _careless_s(circuit, members, seen, start_s, end_s)
            if careless_s > patience_s:
                allowed = f"allowed {circuit.mean_power_max_w:g} W, and cars drew on for {careless_s:.0f} s"
                yield end_s, f"circuit {circuit.name}: {mean_w:.0f} W in the mean, {allowed}"


def _windows(run: Judged, circuit: CircuitSpec) -> Iterator[tuple[float, float]]:
    """The whole windows of a run, in its seconds."""
    window_s = circuit.mean_window_minutes * 60.0
    base, end_s = run.scenario.base, run.instants[-1].second
    offset_s = (base.now(0.0).utc.astimezone(base.zone).utcoffset() or timedelta()).total_seconds()
    start_s = -((base.now(0.0).utc.timestamp() + offset_s) % window_s) % window_s
    while start_s + window_s <= end_s:
        yield start_s, start_s + window_s
        start_s += window_s


def _bought_kwh(circuit: CircuitSpec, members: list[int], instant: Instant, second: float) -> float:
    """What has been bought up to ``second``, when things still are as at ``instant``."""
    since_h = (second - instant.second) / 3600
    if circuit.uses_grid_meter:
        return instant.grid_in_kwh + max(instant.grid_w, 0.0) / 1000 * since_h
    return (
        sum(instant.loadpoints[each].energy_kwh for each in members)
        + _flows_w(circuit, members, instant) / 1000 * since_h
    )


def _flows_w(circuit: CircuitSpec, members: list[int], instant: Instant) -> float:
    return instant.grid_w if circuit.uses_grid_meter else sum(instant.loadpoints[each].power_w for each in members)


def _careless_s(circuit: CircuitSpec, members: list[int], seen: list[Instant], start_s: float, end_s: float) -> float:
    """How long cars drew while what flowed would have been too much if it had gone on [s]."""
    assert circuit.mean_power_max_w is not None
    budget_kwh = circuit.mean_power_max_w * INEXACT * (end_s - start_s) / 3.6e6
    first_kwh = _bought_kwh(circuit, members, seen[0], start_s)
    careless_s = 0.0
    for instant, later in zip(seen, [*seen[1:], seen[-1]], strict=True):
        second = max(instant.second, start_s)
        bought_kwh = _bought_kwh(circuit, members, instant, second) - first_kwh
        rest_kwh = max(_flows_w(circuit, members, instant), 0.0) * (end_s - second) / 3.6e6
        draws = any(instant.loadpoints[each].power_w > 10 for each in members)
        if draws and bought_kwh + rest_kwh > budget_kwh:
            careless_s += min(later.second, end_s) - second
    return careless_s
