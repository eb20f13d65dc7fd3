"""A pytest plugin: run scenarios of the simulator against a control, yours or the library's.

    @pytest.mark.evcc_scenario("april-clouds", seeds=5)
    def test_my_control_in_april(evcc_result):
        assert evcc_result.summary.import_in_pv_mode_kwh < 5

The marker runs the test once for each seed; ``evcc_result`` is the run, already judged: a violated invariant fails the test with
the one command that replays it. ``evcc_control`` may be overridden with a factory of your own. docs/simulator.md has a recipe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # loaded by every pytest run of an environment: the simulator itself is imported when it is used
    from evcc_sim.runs.controls import ControlFactory
    from evcc_sim.runs.result import RunResult
    from evcc_sim.worlds.scenario import Scenario

MARKER = "evcc_scenario"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(name, seeds=1, days=None, allow=()): run a scenario of evcc_sim; name, file or @generator",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each seed."""
    marker = metafunc.definition.get_closest_marker(MARKER)
    if marker is not None and "evcc_seed" in metafunc.fixturenames:
        seeds = marker.kwargs.get("seeds", 1)
        metafunc.parametrize("evcc_seed", range(1, seeds + 1) if isinstance(seeds, int) else list(seeds))


@pytest.fixture
def evcc_seed() -> int:
    """The seed of this test's world."""
    return 1


@pytest.fixture
def evcc_scenario(request: pytest.FixtureRequest, evcc_seed: int) -> Scenario:
    """The scenario that the marker names; override it to change the site."""
    from evcc_sim.worlds.variants import resolve

    marker = request.node.get_closest_marker(MARKER)
    if marker is None or not marker.args:
        pytest.fail(f"mark the test with @pytest.mark.{MARKER}('name')")
    scenario = resolve(str(marker.args[0]), seed=evcc_seed)
    allow = tuple(marker.kwargs.get("allow", ()))
    return replace(scenario, allowed=(*scenario.allowed, *allow)) if allow else scenario


@pytest.fixture
def evcc_control() -> ControlFactory:
    """The control under test; override it with a factory of your own."""
    from evcc_sim.runs.controls import classic

    return classic


@pytest.fixture
def evcc_simulate(evcc_control: ControlFactory) -> Callable[..., RunResult]:
    """`evcc_sim.runs.inprocess.simulate` with the control under test."""
    from evcc_sim.runs.inprocess import simulate
    from evcc_sim.worlds.variants import resolve

    def run(scenario: Scenario | str, seed: int = 1, **options: Any) -> RunResult:
        world = resolve(scenario, seed=seed) if isinstance(scenario, str) else scenario
        return simulate(world, seed, control=evcc_control, **options)

    return run


@pytest.fixture
def evcc_result(
    request: pytest.FixtureRequest,
    evcc_scenario: Scenario,
    evcc_seed: int,
    evcc_simulate: Callable[..., RunResult],
) -> RunResult:
    """The judged run. Fails the test when an invariant does not hold."""
    marker = request.node.get_closest_marker(MARKER)
    result = evcc_simulate(evcc_scenario, evcc_seed, days=marker.kwargs.get("days"))
    if not result.ok:
        lines = "\n  ".join(str(violation) for violation in result.violations)
        pytest.fail(f"{evcc_scenario.name}:\n  {lines}\nreplay: {result.replay}", pytrace=False)
    return result
