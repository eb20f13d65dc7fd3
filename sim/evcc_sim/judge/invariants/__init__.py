"""What must hold in every world, written once: pure functions over a trace. Tests, Hypothesis and all runners call `check`.

Each function is an `Invariant` with a name; a scenario may list the names of those that its world breaks by design or that the
present law does not keep yet (`allowed`), and docs/scenarios.md says which and why.
"""

from __future__ import annotations

from collections.abc import Iterable

from evcc_sim.judge.invariants.calm import (
    constant_inputs_settle,
    nothing_is_bought_for_the_sun,
    settles_on_its_aim,
    sun_is_used,
)
from evcc_sim.judge.invariants.fairness import nobody_is_stopped_without_need, nobody_starves, raises_fit
from evcc_sim.judge.invariants.goals import (
    feasible_plans_are_met,
    min_soc_comes_first,
    mode_now_charges,
    mode_off_is_off,
)
from evcc_sim.judge.invariants.ledger import (
    sessions_equal_the_meter,
    settings_survive,
    starts_have_sessions,
    vehicle_is_asked_rarely,
)
from evcc_sim.judge.invariants.limits import (
    circuit_limits_hold,
    current_within_bounds,
    limits_are_used,
    operator_limit_expires,
    operator_limit_holds,
)
from evcc_sim.judge.invariants.physics import energy_runs_forward, fuse_never_trips, power_balance
from evcc_sim.judge.invariants.readback import little_is_said_again, starts_need_sun, stops_come
from evcc_sim.judge.invariants.sight import recovers, stale_grid_is_safe, unknown_soc_forces_nothing, what_flows_is_seen
from evcc_sim.judge.invariants.stillness import still_worlds_stay_still
from evcc_sim.judge.invariants.switching import (
    guard_holds,
    no_needless_writes,
    no_phase_switch_under_load,
    phases_fit,
    refusals_are_taken_for_an_answer,
    small_steps_are_not_sent,
    switches_without_charging,
    switching_budget,
    three_phases_have_sun,
)
from evcc_sim.judge.invariants.violation import Invariant, Violation
from evcc_sim.judge.trace import Trace


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


INVARIANTS: dict[str, Invariant] = {
    function.__name__: function
    for function in (
        power_balance,
        energy_runs_forward,
        fuse_never_trips,
        current_within_bounds,
        circuit_limits_hold,
        limits_are_used,
        raises_fit,
        nobody_is_stopped_without_need,
        nobody_starves,
        operator_limit_holds,
        operator_limit_expires,
        no_phase_switch_under_load,
        phases_fit,
        guard_holds,
        switching_budget,
        no_needless_writes,
        small_steps_are_not_sent,
        switches_without_charging,
        three_phases_have_sun,
        refusals_are_taken_for_an_answer,
        stale_grid_is_safe,
        recovers,
        what_flows_is_seen,
        unknown_soc_forces_nothing,
        mode_off_is_off,
        mode_now_charges,
        min_soc_comes_first,
        feasible_plans_are_met,
        constant_inputs_settle,
        sun_is_used,
        nothing_is_bought_for_the_sun,
        settles_on_its_aim,
        still_worlds_stay_still,
        starts_need_sun,
        stops_come,
        little_is_said_again,
        sessions_equal_the_meter,
        settings_survive,
        vehicle_is_asked_rarely,
        starts_have_sessions,
    )
}
"""All of them by name."""

__all__ = ["INVARIANTS", "Invariant", "Violation", "check"]
