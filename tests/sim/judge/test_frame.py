"""How an invariant joins the others, and how long something lasts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time

import pytest

from evcc_sim.judge.excuses import Grace
from evcc_sim.judge.invariants import INVARIANTS, Violation, check
from evcc_sim.judge.invariants.frame import Found, invariant
from evcc_sim.judge.invariants.judged import Judged, lasting
from evcc_sim.judge.trace import InForce, Instant, Trace
from evcc_sim.plants.faults import Fault, FaultKind
from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds.scenario import ActionSpec
from evcc_sim.worlds.variants import resolve

WISHED_S = 1800.0


@pytest.fixture(scope="module")
def trace() -> Trace:
    """An hour; after half of it somebody wishes something else."""
    wish = ActionSpec(at=time(0, 30), setting="residual_power_w", value=1.0)
    trace = simulate(resolve("clear-day,hours=1").with_changes(action=(wish,)), 1).trace
    first = trace.instants[0]
    trace.instants = [first._replace(second=float(second)) for second in range(0, 3601, 60)]
    return trace


@pytest.fixture
def never_at_noon() -> Iterator[str]:
    """An invariant that somebody adds."""

    @invariant
    def never_at_noon(run: Judged) -> Found:
        for instant in run.instants:
            yield instant.second, "again"

    yield never_at_noon.__name__
    del INVARIANTS["never_at_noon"]


def test_a_decorated_function_judges_under_its_name(trace: Trace, never_at_noon: str) -> None:
    found = check(trace, only=[never_at_noon])
    assert found[0] == Violation("never_at_noon", 0.0, "again")
    assert len(found) == 10


def test_what_is_allowed_is_not_judged(trace: Trace, never_at_noon: str) -> None:
    trace.scenario, usual = trace.scenario.with_changes(allowed=(never_at_noon,)), trace.scenario
    assert check(trace, only=[never_at_noon]) == ()
    trace.scenario = usual


def seconds_of(trace: Trace, *, whatever_is_wished: bool, but: float = -1.0) -> list[tuple[float, float]]:
    """When something has lasted longer than ten minutes that always is but at one second, and since when."""

    def may_last_s(instant: Instant, _wish: InForce) -> float | None:
        return None if instant.second == but else 600.0

    found = lasting(Judged(trace), may_last_s, whatever_is_wished=whatever_is_wished)
    return [(instant.second, since_s) for instant, _wish, since_s in found]


def test_what_lasts_too_long_is_found_once_for_each_time(trace: Trace) -> None:
    whole = [(660.0, 0.0), (1320.0, 660.0), (1980.0, 1320.0), (2640.0, 1980.0), (3300.0, 2640.0)]
    assert seconds_of(trace, whatever_is_wished=True) == whole
    assert seconds_of(trace, whatever_is_wished=True, but=1200.0)[:2] == [(660.0, 0.0), (1920.0, 1260.0)]


def test_a_new_wish_gives_new_time(trace: Trace) -> None:
    assert seconds_of(trace, whatever_is_wished=False)[2] == (WISHED_S + 660.0, 1320.0)


def test_a_fault_excuses_before_and_after_it() -> None:
    fault = Fault(kind=FaultKind.SILENCE, device="grid", start_s=100.0, duration_s=50.0)
    grace = Grace(before_s=10.0, after_s=20.0)
    assert [grace.excuses([fault], second) for second in (89.9, 90.0, 169.9, 170.0)] == [False, True, True, False]
    assert not grace.excuses([], 120.0)
