"""What no world may break: power and energy are conserved, counters run forward, the fuse stays in."""

from __future__ import annotations

from evcc_sim.judge.invariants.violation import Found, Violation
from evcc_sim.judge.trace import Trace

POWER_TOLERANCE_W = 1e-3


ENERGY_TOLERANCE_KWH = 1e-6


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
