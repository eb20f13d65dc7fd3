"""The control, broken on purpose: a limit, a guard, a stale check, a sign, a unit. The simulator must find each of them.

Each test changes one line in a copy of the library and runs one short scenario with it. When a line is not found any more, the
library has moved on: point the test at what does its work now.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import evcclib

LIBRARY = Path(evcclib.__file__).parent


@dataclass(frozen=True, slots=True)
class Break:
    """``right`` in ``module`` (its path in the library) becomes ``wrong``; ``world`` (seed 1) must then violate ``invariant``."""

    name: str
    module: str
    right: str
    wrong: str
    world: str
    invariant: str


BREAKS = (
    Break(
        "a car that begins to draw is taken for the house",
        "pipeline/circuit_loads",
        "    if is_ramping or newest.sampled_at < metered_at - ROUND:\n",
        "    if False:\n",
        "unbalance,hours=9",
        "switching_budget",
    ),
    Break(
        "a car that begins late is taken for the house",
        "pipeline/circuit_loads",
        "    if is_ramping or newest.sampled_at < metered_at - ROUND:\n",
        "    if is_ramping:\n",
        "@narrow_circuit:start_delay_s=90",
        "nobody_starves",
    ),
    Break(
        "a limit is dropped",
        "machines/limits/safety",
        "if ceiling is not None and ceiling.current_a < current_a:",
        "if ceiling is not None and ceiling.current_a < 0:",
        "meter-lost-under-a-limit,hours=8.8",
        "circuit_limits_hold",
    ),
    Break(
        "the guard is dropped",
        "machines/charger",
        "    left = guard + guard_duration - instant\n",
        "    left = guard - instant\n",
        "bad-meter,hours=11.2",
        "guard_holds",
    ),
    Break(
        "a stale grid reading is believed",
        "pipeline/observe_site",
        "grid_w = fresh_value(grid, oldest)",
        "grid_w = grid.value if grid is not None else None",
        "dead-bus,hours=12.1",
        "stale_grid_is_safe",
    ),
    Break(
        "what is offered is taken for drawn",
        "laws/classic",
        "available_least_w=drawn.least_w - site_power_w",
        "available_least_w=drawn.most_w - site_power_w",
        "no-meter",
        "three_phases_have_sun",
    ),
    Break(
        "a car that does not charge wears the relay out",
        "machines/phases",
        "    if idle_switches < IDLE_FREE:\n",
        "    if True:\n",
        "restless-house",
        "switches_without_charging",
    ),
    Break(
        "every watt is worth a command",
        "machines/surplus",
        "abs(target_a - offered_a) < DEAD_BAND_A else",
        "abs(target_a - offered_a) < 0.0 else",
        "clear-day,hours=10",
        "small_steps_are_not_sent",
    ),
    Break(
        "what was refused is said at every tick",
        "machines/charger",
        "    wait = COMMAND_RETRY * (1 << min(max(state.refusals - 1, 0), 10))\n",
        "    wait = timedelta(0)\n",
        "@bad_bus:kind=refused_writes,device=garage,at_h=9.5,lasts_s=1800,mode=pv,under_limit=no",
        "refusals_are_taken_for_an_answer",
    ),
    Break(
        "a sign is wrong",
        "machines/surplus",
        "effective_a - site_power_w / (phases * voltage_v)",
        "effective_a + site_power_w / (phases * voltage_v)",
        "clear-day,hours=10",
        "sun_is_used",
    ),
    Break(
        "a unit is wrong: power of all phases taken for one",
        "machines/surplus",
        "site_power_w / (phases * voltage_v)",
        "site_power_w / voltage_v",
        "clear-day,hours=10",
        "settles_on_its_aim",
    ),
    Break(
        "a car in mode now is forgotten",
        "pipeline/goals",
        "return Demand(maximum_a, maximum_a, minimum_a, because(ReasonCode.MODE_NOW), phases=phases)",
        "return Demand.stop(because(ReasonCode.MODE_NOW))",
        "clear-day,hours=9,charger.0.loadpoint.mode=now",
        "mode_now_charges",
    ),
    Break(
        "what a station reports is believed",
        "machines/charger",
        "        state = state._replace(enabled_disagreement=later)\n",
        "        state = state._replace(is_enabled=not state.is_enabled, current_a=None, enable_changed_at=instant)\n",
        "@lying_read_back:of=enabled,how=never",
        "no_pilot_while_phases_switch",
    ),
    Break(
        "what a station reports is contradicted without a pause",
        "machines/readback",
        "    return disagreement is not None and disagreement.is_open and instant >= disagreement.next_at\n",
        "    return disagreement is not None and disagreement.is_open\n",
        "@lying_read_back:of=enabled,how=never",
        "little_is_said_again",
    ),
    Break(
        "a status is taken for current that flows",
        "machines/surplus",
        "        return 0.0 if currents_a is None else max(0.0, busiest(currents_a))\n",
        "        return 6.0\n",
        "@lying_read_back:of=status,how=always,meter=no",
        "starts_need_sun",
    ),
    Break(
        "a unit is wrong: Wh taken for kWh",
        "units",
        "return power_w * (duration / HOUR) / 1000.0",
        "return power_w * (duration / HOUR)",
        "rebooting-charger",
        "sessions_equal_the_meter",
    ),
)


@pytest.mark.day
@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.name)
def test_it_is_found_that(broken: Break, tmp_path: Path) -> None:
    copy = tmp_path / "evcclib"
    shutil.copytree(LIBRARY, copy, ignore=shutil.ignore_patterns("__pycache__"))
    module = copy / f"{broken.module}.py"
    text = module.read_text(encoding="utf-8")
    assert text.count(broken.right) == 1, f"{broken.module}.py has changed, see the docstring"
    module.write_text(text.replace(broken.right, broken.wrong), encoding="utf-8")
    program = (
        "import sys, evcclib; from evcc_sim.commands.cli import main; print(evcclib.__file__, file=sys.stderr);"
        "sys.exit(main(sys.argv[1:]))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    command = [sys.executable, "-c", program, "run", broken.world, "--seed", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=tmp_path)
    assert done.stderr.strip() == str(copy / "__init__.py")
    assert done.returncode == 1, done.stdout + done.stderr
    assert any(text.startswith(broken.invariant) for text in json.loads(done.stdout)["violations"])
