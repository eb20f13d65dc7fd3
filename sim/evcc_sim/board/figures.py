"""What a run is measured by: names, words and digits of the figures, and how they are had from a result."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from evcc_sim.bound.cost import DayCost, Weights
from evcc_sim.bound.together import scored_together
from evcc_sim.judge.invariants import OWN_PROMISES
from evcc_sim.judge.trace import Trace
from evcc_sim.runs.result import RunResult
from evcclib.commands import SetCurrent

Values = Mapping[str, float | None]

FUSE = "fuse_never_trips"
LIMITS = frozenset({"circuit_limits_hold", "current_within_bounds", "operator_limit_expires", "operator_limit_holds"})
"""Invariants whose violations are limits exceeded; all others are rules broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """``heading`` with its unit; ``meaning`` is a sentence of the page."""

    name: str
    heading: str
    digits: int
    meaning: str
    is_sum: bool = False  # over all runs, in place of mean and spread
    has_spread: bool = True
    words: str = ""  # of whoever is best by it
    unit: str = ""
    more_is_better: bool = False


REGRET = Figure(
    name="regret_eur",
    heading="regret EUR",
    digits=2,
    meaning="day cost less the clairvoyant's of the same day: what perfect foresight would have saved",
    words="the least regret",
    unit="EUR a day",
)
DAY_COST = Figure(
    name="day_cost_eur",
    heading="day cost EUR",
    digits=2,
    meaning="where cars share the sun and no exact bound is known: the day cost itself, of the house",
    words="the least day cost",
    unit="EUR a day",
)
PAID = Figure(
    name="paid_eur_per_kwh",
    heading="paid EUR/kWh",
    digits=3,
    meaning="what one kilowatt-hour has cost that a car took from the grid, at the price of its hour",
    words="the cheapest energy",
    unit="EUR/kWh",
)
CHARGED = Figure(
    name="charged_kwh",
    heading="charged kWh",
    digits=1,
    meaning="into all cars, at the socket",
    words="the most energy",
    unit="kWh",
    more_is_better=True,
)
FIGURES = (
    CHARGED,
    Figure(
        name="bought_kwh",
        heading="bought kWh",
        digits=2,
        meaning="bought while following the sun: taken from the grid by cars in mode pv at times that are not theirs to buy in",
    ),
    Figure(
        name="not_taken_kwh",
        heading="not taken kWh",
        digits=2,
        meaning="usable sun not taken: exported (or stored) although a car was there that could have used it and had room",
    ),
    Figure(name="contactor", heading="contactor", digits=0, meaning="closings and openings of the contactors"),
    Figure(name="phases", heading="phases", digits=0, meaning="moves of the phase relays"),
    Figure(
        name="settling_s",
        heading="settling s",
        digits=0,
        meaning="mean time from the start of a charge until the grid power first comes near its aim",
        has_spread=False,
    ),
    Figure(
        name="writes",
        heading="writes",
        digits=0,
        meaning="currents written to stations",
        has_spread=False,
    ),
    Figure(
        name="limits",
        heading="limits",
        digits=0,
        meaning=(
            f"limits exceeded, times in all runs ({', '.join(sorted(LIMITS))}), beyond the time of reaction that an interval "
            "of 10 s allows (2 s and 1 s at the paces of SmartEVSE and OpenEMS)"
        ),
        is_sum=True,
    ),
    Figure(
        name="trips",
        heading="trips",
        digits=0,
        meaning="trips of the main fuse that the house alone would not have caused, in all runs",
        is_sum=True,
    ),
)
"""Of every world, beside the one by which it is decided."""

TERMS = {
    "bought_eur": "energy bought",
    "not_taken_eur": "sun not taken",
    "contactor_eur": "switchings of the contactor",
    "phases_eur": "phase changes",
}
"""What a day cost is made of."""


def measured(result: RunResult, weights: Weights) -> dict[str, float | None]:
    """The figures of a run, and the terms of its day cost."""
    summary, trace = result.summary, result.trace
    done = result.regret.done or scored_together(trace)
    broken = Counter(violation.invariant for violation in result.violations)
    return {
        REGRET.name: result.regret.regret_eur,
        DAY_COST.name: done.eur(weights),
        PAID.name: _paid_eur_per_kwh(trace),
        CHARGED.name: summary.charged_kwh,
        "bought_kwh": summary.import_in_pv_mode_kwh,
        "not_taken_kwh": done.not_taken_kwh,
        "contactor": summary.contactor_switches,
        "phases": summary.phase_switches,
        "settling_s": summary.settling_s,
        "writes": sum(isinstance(sent.command, SetCurrent) for sent in trace.sent),
        "limits": sum(broken[name] for name in LIMITS),
        "trips": broken[FUSE],
        **_terms(done, weights),
    }


def of_the_clairvoyant(result: RunResult, weights: Weights) -> dict[str, float | None]:
    """The same of the best day that the clairvoyant was seen to have; nothing where there is no bound."""
    best = result.regret.best
    if best is None:
        return {}
    return {
        REGRET.name: 0.0,
        DAY_COST.name: result.regret.least_cost_eur,
        CHARGED.name: best.charged_kwh,
        "bought_kwh": best.bought_kwh,
        "not_taken_kwh": best.not_taken_kwh,
        "contactor": best.switchings,
        "phases": best.phase_changes,
        **_terms(best, weights),
    }


def rules_broken(result: RunResult) -> dict[str, int]:
    """How often each other rule that binds every control was broken, by name."""
    names = [violation.invariant for violation in result.violations]
    return dict(sorted(Counter(name for name in names if name not in LIMITS | OWN_PROMISES | {FUSE}).items()))


def _terms(done: DayCost, weights: Weights) -> dict[str, float]:
    return {
        "bought_eur": done.bought_kwh * weights.bought_per_kwh,
        "not_taken_eur": done.not_taken_kwh * weights.not_taken_per_kwh,
        "contactor_eur": done.switchings * weights.switching,
        "phases_eur": done.phase_changes * weights.phase_change,
    }


def _paid_eur_per_kwh(trace: Trace) -> float | None:
    """None if no car has taken anything from the grid, or without prices."""
    taken_kwh = paid_eur = 0.0
    for now, later in itertools.pairwise(trace.instants):
        charged_kwh = sum(loadpoint.energy_kwh for loadpoint in later.loadpoints)
        charged_kwh -= sum(loadpoint.energy_kwh for loadpoint in now.loadpoints)
        own_kwh = max(0.0, min(charged_kwh, later.grid_in_kwh - now.grid_in_kwh))
        taken_kwh += own_kwh
        paid_eur += own_kwh * now.price
    return (
        paid_eur / taken_kwh if taken_kwh > 0 and paid_eur == paid_eur else None
    )  # a price that is no number: no tariff
