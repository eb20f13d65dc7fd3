"""What no world may break: power and energy are conserved, counters run forward, the fuse stays in."""

from __future__ import annotations

from evcc_sim.judge.invariants.frame import Found, invariant
from evcc_sim.judge.invariants.judged import Judged

POWER_TOLERANCE_W = 1e-3


ENERGY_TOLERANCE_KWH = 1e-6


@invariant
def power_balance(run: Judged) -> Found:
    """Grid power is the sum of all that is drawn and delivered, on each phase at every instant; no energy from nowhere."""
    end_s = run.instants[-1].second
    if run.trace.unbalance_w > POWER_TOLERANCE_W:
        yield end_s, f"{run.trace.unbalance_w:.6f} W are missing"
    if run.trace.energy_error_kwh > ENERGY_TOLERANCE_KWH:
        yield end_s, f"{run.trace.energy_error_kwh:.9f} kWh came from nowhere"


@invariant
def energy_runs_forward(run: Judged) -> Found:
    """Counters never run backwards."""
    for before, now in zip(run.instants, run.instants[1:], strict=False):
        if now.grid_in_kwh < before.grid_in_kwh - 1e-9 or now.grid_out_kwh < before.grid_out_kwh - 1e-9:
            yield now.second, "the grid counter ran backwards"
        for index, (old, new) in enumerate(zip(before.loadpoints, now.loadpoints, strict=True)):
            if new.energy_kwh < old.energy_kwh - 1e-9:
                yield now.second, f"counter of loadpoint {index + 1} ran backwards"


@invariant
def fuse_never_trips(run: Judged) -> Found:
    """The main fuse stays in, unless the house alone is more than it carries."""
    for trip in run.trace.fuse_trips:
        if not trip.is_houses:
            yield trip.second, f"the fuse of L{trip.phase + 1} has tripped"
