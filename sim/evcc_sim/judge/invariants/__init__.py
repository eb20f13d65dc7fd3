"""What must hold in every world, written once: pure functions over a run. Tests, Hypothesis and all runners call `check`.

Every module of this folder is read, and each `invariant` in it judges; a scenario may list the names of those that its world
breaks by design or that the present law does not keep yet (`allowed`), and docs/scenarios.md says which and why.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from itertools import islice
from pkgutil import iter_modules

from evcc_sim.judge.invariants.frame import INVARIANTS, LAW_PROMISES, OWN_PROMISES, Invariant, Violation
from evcc_sim.judge.invariants.judged import Judged
from evcc_sim.judge.trace import Trace

for _module in iter_modules(__path__, f"{__name__}."):
    import_module(_module.name)


def not_binding(trace: Trace) -> frozenset[str]:
    """The invariants that the control of this run has never promised."""
    if not trace.is_ours:
        return frozenset(OWN_PROMISES)
    return frozenset(name for name, law in LAW_PROMISES.items() if law != trace.scenario.site.law)


def check(trace: Trace, only: Iterable[str] | None = None) -> tuple[Violation, ...]:
    """All violations of what binds the control but those that the scenario allows, by time; at most ten of each kind.

    ``only``: of these, whomever they bind.
    """
    wanted = set(INVARIANTS.keys() - not_binding(trace) if only is None else only) - set(trace.scenario.allowed)
    run = Judged(trace)
    found = [
        Violation(name, second, message)
        for name, judge in INVARIANTS.items()
        if name in wanted
        for second, message in islice(judge(run), SHOWN_MAX)
    ]
    return tuple(sorted(found, key=lambda violation: (violation.second, violation.invariant)))


SHOWN_MAX = 10
"""So many violations of an invariant are reported."""

__all__ = ["INVARIANTS", "OWN_PROMISES", "Invariant", "Violation", "check", "not_binding"]
