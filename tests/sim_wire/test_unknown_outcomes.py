"""What the library is told of a command that failed: FAILED is certain, UNKNOWN may have been done."""

from collections.abc import Callable

import pytest

from evcc_sim.runs.fullstack import run_scenario
from evcc_sim.runs.inprocess import simulate
from evcc_sim.runs.result import RunResult as Run
from evcc_sim.worlds import scenario
from evcclib import Site
from evcclib.commands import Outcome, Result
from evcclib.decision import Decision
from evcclib.model import Cause, Now
from evcclib.readings import Readings

WORLD = """
title = "A limit changes while something is wrong with the station"
hours = 0.1

[site]
start = "2026-06-20"

[[charger]]
box = { name = "garage" }
loadpoint = { mode = "now", vehicle = "blue" }

[[car]]
name = "blue"
visits = [{ charger = "garage", arrive = "00:01", depart = "23:00", soc_pct = 30 }]

[[action]]
at = "00:04"
loadpoint = 0
setting = "current_max_a"
value = 10.0

[[fault]]
device = "garage"
at = "00:03:55"
lasts = "20s"
"""

UNKNOWN, FAILED, DONE = Result.UNKNOWN, Result.FAILED, Result.DONE


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Outcome]:
    """The outcomes of all batches, as they enter a step."""
    outcomes: list[Outcome] = []
    step = Site.step

    def listen(site: Site, readings: Readings, *, now: Now, cause: Cause) -> Decision:
        outcomes.extend(readings.outcomes)
        return step(site, readings, now=now, cause=cause)

    monkeypatch.setattr(Site, "step", listen)
    return outcomes


def run(way: Callable[..., Run], fault: str) -> Run:
    return way(scenario.parse(WORLD + fault, name="outcomes"))


FAULTS = [
    ('kind = "refused_writes"', FAILED),
    ('kind = "exception"\nparams = { code = 6, writes_only = 1 }', FAILED),  # busy
    ('kind = "exception"\nparams = { code = 11, writes_only = 1 }', UNKNOWN),  # a gateway that has got no answer
    ('kind = "loss"', UNKNOWN),
    ('kind = "loss"\nparams = { writes_only = 1 }', UNKNOWN),
    ('kind = "lost_requests"\nparams = { writes_only = 1 }', UNKNOWN),
    ('kind = "delay"\nparams = { delay_s = 4, writes_only = 1 }', UNKNOWN),
    ('kind = "delay"\nparams = { delay_s = 0.5, writes_only = 1 }', DONE),
    ('kind = "garble"\nparams = { writes_only = 1 }', UNKNOWN),
    ('kind = "half_open"', UNKNOWN),
]


@pytest.mark.parametrize(("fault", "result"), FAULTS)
def test_only_what_is_certain_is_called_failed(fault: str, result: Result, heard: list[Outcome]) -> None:
    run(run_scenario, fault)
    troubled = [outcome for outcome in heard if outcome.result is not DONE]
    assert {outcome.result for outcome in troubled} == ({result} if result is not DONE else set())
    assert heard[-1].result is DONE
    assert {outcome.applied for outcome in troubled} <= {0}


@pytest.mark.parametrize(
    ("fault", "result"), [each for each in FAULTS if "exception" not in each[0] and "garble" not in each[0]]
)
def test_and_so_it_is_in_process(fault: str, result: Result, heard: list[Outcome]) -> None:
    run(simulate, fault)
    troubled = {outcome.result for outcome in heard if outcome.result is not DONE}
    assert troubled == ({result} if result is not DONE else set())
    assert heard[-1].result is DONE


@pytest.mark.parametrize("way", [run_scenario, simulate])
@pytest.mark.parametrize(
    ("fault", "is_done"),
    [
        ('kind = "loss"\nparams = { writes_only = 1 }', True),
        ('kind = "delay"\nparams = { delay_s = 4, writes_only = 1 }', True),
        ('kind = "lost_requests"\nparams = { writes_only = 1 }', False),
    ],
)
def test_answers_are_lost_after_it_was_done_and_requests_before(
    way: Callable[..., Run], fault: str, is_done: bool
) -> None:
    result = run(way, fault)
    offered = [i.loadpoints[0].pilot_a for i in result.trace.instants if 248 <= i.second < 255]
    assert set(offered) == ({10.0} if is_done else {16.0})
    assert result.trace.instants[-1].loadpoints[0].pilot_a == 10.0


def test_a_station_that_cannot_be_connected_to_was_told_nothing(heard: list[Outcome]) -> None:
    """What was under way when the line broke may have been heard; what came after was never sent."""
    run(run_scenario, 'kind = "refuse"')
    troubled = [outcome.result for outcome in heard if outcome.result is not DONE]
    assert troubled
    assert set(troubled[1:]) <= {FAILED}
    assert heard[-1].result is DONE
