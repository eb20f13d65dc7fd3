"""Results as text: the table after a run, the comparison of two controls, the summary of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from statistics import fmean

from evcc_sim.bound.regret import Regret
from evcc_sim.runs.result import RunResult, Summary
from evcc_sim.runs.sweep import JobOutcome

LABELS: tuple[tuple[str, str, str], ...] = (
    ("charged_kwh", "charged into cars", "{:.2f} kWh"),
    ("household_kwh", "used by the household", "{:.2f} kWh"),
    ("pv_kwh", "delivered by the sun", "{:.2f} kWh"),
    ("pv_unused_kwh", "sun not used", "{:.2f} kWh"),
    ("import_kwh", "bought", "{:.2f} kWh"),
    ("export_kwh", "sold", "{:.2f} kWh"),
    ("self_consumption_pct", "self-consumption", "{:.1f} %"),
    ("autarky_pct", "autarky", "{:.1f} %"),
    ("cost", "cost", "{:.2f}"),
    ("import_in_pv_mode_kwh", "bought while following the sun", "{:.3f} kWh"),
    ("settling_s", "settling time", "{:.0f} s"),
    ("contactor_switches", "contactor switches", "{:.0f}"),
    ("phase_switches", "phase switches", "{:.0f}"),
    ("starts", "charging starts", "{:.0f}"),
    ("commands", "commands", "{:.0f}"),
    ("vehicle_reads", "reads of vehicles", "{:.0f}"),
    ("fuse_heat_pct", "hottest fuse (100 % is rated)", "{:.0f} %"),
)
"""Field of `Summary`, its words, its format."""
REGRETS: tuple[tuple[str, str, str], ...] = (
    ("day_cost_eur", "day cost", "{:.3f} EUR"),
    ("least_cost_eur", "day cost with perfect foresight", "{:.3f} EUR"),
    ("regret_eur", "regret", "{:.3f} EUR"),
)
"""The same of `Regret`."""


def rows(summary: Summary, regret: Regret) -> list[tuple[str, str]]:
    """Labels and values for people."""
    values = summary.as_dict()
    missing = "n/a" if regret.missing else ""
    return [
        *((label, _text(values[name], pattern)) for name, label, pattern in LABELS),
        *((label, missing or _text(regret.as_dict()[name], pattern)) for name, label, pattern in REGRETS),
    ]


def remarks(result: RunResult) -> list[str]:
    """What the numbers and the verdict leave out, and why."""
    found = []
    if result.regret.missing:
        found.append(f"No regret: {result.regret.missing}.")
    if result.trace.scenario.allowed:
        found.append(f"Not judged in this world: {', '.join(result.trace.scenario.allowed)}.")
    if result.not_judged:
        who = "another law" if result.trace.is_ours else "the library's own control"
        found.append(f"Not judged, as only {who} promises it: {', '.join(result.not_judged)}.")
    return found


def _text(value: float | None, pattern: str) -> str:
    return "–" if value is None else pattern.format(value)


HIDES_S = 2.0


def hidden(apart_s: float) -> str:
    """What a record does not tell whose rows are so far apart; "" if they are near enough."""
    if not HIDES_S <= apart_s < inf:
        return ""
    return (
        f"what sun and household did between two looks, {apart_s:g} s apart, is not in it: of 2.4 kWh that were bought under "
        "twelve hours of strong cumulus, measured once a second, looks 10 s apart show 1.1 and looks a minute apart 0.7"
    )


def compare_rows(first: Sequence[JobOutcome], second: Sequence[JobOutcome]) -> list[tuple[str, str, str, str]]:
    """Label, mean of the first, mean of the second, difference."""
    found: list[tuple[str, str, str, str]] = []
    for name, label, pattern in (*LABELS, *REGRETS):
        one, two = mean_of(first, name), mean_of(second, name)
        difference = "–" if one is None or two is None else _signed(two - one, pattern)
        found.append((label, _text(one, pattern), _text(two, pattern), difference))
    violations = (sum(len(result.violations) for result in results) for results in (first, second))
    one_count, two_count = violations
    found.append(("violations", str(one_count), str(two_count), f"{two_count - one_count:+d}"))
    return found


def _signed(value: float, pattern: str) -> str:
    return pattern.replace("{:", "{:+").format(value)


def mean_of(outcomes: Sequence[JobOutcome], name: str) -> float | None:
    """The mean of a field of `Summary` or `Regret` over all runs that have it."""
    parts = [part.as_dict() for outcome in outcomes for part in (outcome.summary, outcome.regret) if part is not None]
    values = [value for part in parts if (value := part.get(name)) is not None]
    return fmean(values) if values else None
