"""Way 1: the same seed gives the same run, skipping gives what ticking gives, faults of the control are survived."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from math import isnan

import pytest

from evcc_sim.judge.trace import Trace
from evcc_sim.runs.inprocess import Run, simulate
from evcc_sim.worlds.house import House
from evcc_sim.worlds.scenario import load
from evcc_sim.worlds.variants import resolve
from evcclib.events import SessionChanged
from evcclib.model import ChargeMode


class Ticking(Run):
    """Asks the control at every interval, also when nothing can happen."""

    def _is_still(self, second: float) -> bool:
        return False

    def _tick(self) -> None:
        self._idle = None
        super()._tick()


def commands(trace: Trace) -> list[tuple[float, int, str]]:
    return [(sent.second, sent.loadpoint, repr(sent.command)) for sent in trace.sent]


def sessions(trace: Trace) -> dict[str, float]:
    events = [happened.event for happened in trace.events]
    return {e.session.key: round(e.session.energy_charged_kwh, 6) for e in events if isinstance(e, SessionChanged)}


@pytest.mark.day
@pytest.mark.parametrize(
    "name",
    [
        "april-clouds,hours=13",
        "battery-home,hours=13",
        "dst-spring,hours=32",
        "tapering-car,hours=13",
        "clear-day,hours=13,charger.0.box.watchdog_s=60",
        "clear-day,hours=13,charger.0.box.watchdog_s=7",  # less than an interval: a driver kicks in between
        "clear-day,hours=13,charger.0.box.meter.lag_s=25",
        "clear-day,hours=13,charger.0.box.meter.refresh_s=45",
        "@any_world:number=2,faults=none",
        "@any_world:number=5,faults=none",
        "@any_world:number=21,faults=none",
        "@any_world:number=19,faults=none",
    ],
)
def test_skipping_idle_intervals_gives_what_ticking_gives(name: str) -> None:
    runs = []
    for kind in (Run, Ticking):
        run = kind(resolve(name, seed=1))
        run.to_end()
        runs.append(run.recorder.finish())
    assert commands(runs[0]) == commands(runs[1])
    assert sessions(runs[0]) == sessions(runs[1])
    assert runs[0].instants[-1].grid_in_kwh == pytest.approx(runs[1].instants[-1].grid_in_kwh, abs=1e-6)
    assert repr(runs[0].instants[-1].loadpoints) == repr(runs[1].instants[-1].loadpoints)  # NaN equals NaN
    assert len(runs[0].instants) < len(runs[1].instants)


@pytest.mark.day
def test_the_same_seed_gives_the_same_run_and_another_seed_another() -> None:
    spec = replace(load("april-clouds"), hours=11.0)
    assert simulate(spec, 5).digest() == simulate(spec, 5).digest()
    assert simulate(spec, 5).digest() != simulate(spec, 6).digest()


@pytest.mark.day
def test_the_same_seed_gives_the_same_run_in_another_process_with_another_hash_seed() -> None:
    program = (
        "from evcc_sim.worlds.variants import resolve; from evcc_sim.runs.inprocess import simulate;"
        "print(simulate(resolve('lost-writes', changes=['hours=10']), 3).digest())"
    )
    digests = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
        )
        digests.add(done.stdout.strip())
    assert len(digests) == 1


def test_another_roof_does_not_change_what_the_household_does() -> None:
    spec = load("april-clouds")
    one, two = House(spec, seed=3), House(replace(spec, pv=(*spec.pv, replace(spec.pv[0], name="barn"))), seed=3)
    seen = []
    for house in (one, two):
        powers = []
        for second in range(0, 40_000, 500):
            house.run(second)
            powers.append((house.household.power_w, house.inverters[0].available_w))
        seen.append(powers)
    assert seen[0] == seen[1]


@pytest.mark.day
def test_killed_and_restarted_it_goes_on_where_it_was() -> None:
    result = simulate(load("kill-and-restart"))
    assert result.ok
    assert len(result.trace.restarts) == 2
    undisturbed = simulate(resolve("kill-and-restart", changes=["fault=[]"]))
    assert result.summary.charged_kwh == pytest.approx(undisturbed.summary.charged_kwh, abs=0.6)


@pytest.mark.day
def test_a_day_is_summed_up_in_numbers_that_agree() -> None:
    result = simulate(load("holiday-home"), days=1)
    summary = result.summary
    used = summary.charged_kwh + summary.household_kwh
    battery = result.trace.instants[-1].battery_soc_pct - result.trace.instants[0].battery_soc_pct
    assert not isnan(battery)
    supplied = summary.pv_kwh + summary.import_kwh - summary.export_kwh
    assert supplied - used == pytest.approx(battery / 100 * 10.0, abs=1.5)  # the rest are losses of the battery
    assert summary.self_consumption_pct is not None and 0 < summary.self_consumption_pct < 100
    assert summary.cost is not None


@pytest.mark.day
def test_a_control_of_somebody_else_can_be_judged() -> None:
    from evcc_sim.runs.controls import Control, classic

    made: list[Control] = []

    def mine(*arguments: object, **options: object) -> Control:
        made.append(classic(*arguments, **options))  # type: ignore[arg-type]  # passed through
        return made[-1]

    result = simulate(replace(load("clear-day"), hours=2.0), control=mine)
    assert result.ok and len(made) == 1


def test_progress_is_told() -> None:
    told: list[float] = []
    simulate(replace(load("clear-day"), hours=3.0), progress=told.append)
    assert told == sorted(told) and told[-1] == 1.0


@pytest.mark.day
def test_requests_are_taken_at_their_time() -> None:
    action = "action=[{ at = '10:00:05', loadpoint = 0, setting = 'mode', value = 'now' }]"
    spec = resolve("clear-day", changes=["hours=11", action])
    trace = simulate(spec).trace
    before = [i for i in trace.instants if i.second < 36_000]
    after = [i for i in trace.instants if i.second > 36_060]
    assert before[-1].loadpoints[0].mode is ChargeMode.PV
    assert after[0].loadpoints[0].pilot_a == 16.0
    assert any(sent.second == 36_005.0 for sent in trace.sent)
