"""Way 1 asks devices as a server does: what guards a circuit every second, chargers at ticks and after their batches."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from evcc_sim.runs.controls import Control, classic
from evcc_sim.runs.inprocess import Run, simulate
from evcc_sim.worlds.generators import PACKS
from evcc_sim.worlds.scenario import Scenario, load
from evcclib.config import SiteConfig
from evcclib.decision import Decision
from evcclib.events import Event
from evcclib.model import Cause, Now
from evcclib.readings import Measured, Readings
from evcclib.requests import Request
from evcclib.view import SiteView


class Spy:
    """The library's site, which notes what it is asked."""

    def __init__(self, config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> None:
        self._site = classic(config, restored, now=now)
        self.asked: list[tuple[float, Cause, float, float]] = []  # when, why, when grid and first charger were asked

    def step(self, readings: Readings, *, now: Now, cause: Cause) -> Decision:
        grid, charger = readings.grid, readings.chargers[0].status
        assert grid is not None and isinstance(grid.power_w, Measured) and isinstance(charger, Measured)
        stamps = (grid.power_w.sampled_at.total_seconds(), charger.sampled_at.total_seconds())
        self.asked.append((now.instant.total_seconds(), cause, *stamps))
        return self._site.step(readings, now=now, cause=cause)

    def submit(self, request: Request, *, now: Now) -> tuple[Event, ...]:
        return self._site.submit(request, now=now)

    def view(self, *, now: Now) -> SiteView:
        return self._site.view(now=now)

    def export(self, *, now: Now) -> dict[str, object]:
        return self._site.export(now=now)


def asked(scenario: Scenario) -> list[tuple[float, Cause, float, float]]:
    spies: list[Spy] = []

    def make(config: SiteConfig, restored: dict[str, object] | None, *, now: Now) -> Control:
        spies.append(Spy(config, restored, now=now))
        return spies[-1]

    Run(scenario, control=make).to_end()
    return spies[0].asked


def narrow(**values: float | str) -> Scenario:
    return replace(PACKS["narrow_circuit"].build(values), hours=0.3)


def test_between_ticks_the_meter_is_new_and_the_charger_is_as_of_the_last_tick() -> None:
    samples = [each for each in asked(narrow(start_delay_s=20)) if each[1] is Cause.SAMPLE]
    assert samples
    for second, _, grid_s, charger_s in samples:
        assert second % 10 != 0
        assert grid_s == second
        assert charger_s <= second - second % 10 + 0.2  # the last tick, or its batch's answer


def test_a_charger_is_asked_again_after_its_batch() -> None:
    steps = asked(narrow(start_delay_s=2))
    outcome_s = next(second for second, cause, _, _ in steps if cause is Cause.OUTCOME)
    assert any(charger_s == outcome_s for _, cause, _, charger_s in steps if cause is Cause.SAMPLE)


def test_nothing_is_asked_between_ticks_while_nothing_happens() -> None:
    quiet = replace(PACKS["narrow_circuit"].build({}), hours=0.09)  # before the car comes
    # the household begins to draw just after the start
    assert {cause for second, cause, _, _ in asked(quiet) if second > 1.0} == {Cause.INTERVAL}


def test_without_circuits_there_are_no_samples_between_ticks() -> None:
    assert Cause.SAMPLE not in {cause for _, cause, _, _ in asked(replace(load("clear-day"), hours=10.0))}


def test_devices_answer_within_the_skew_and_the_step_waits_for_them() -> None:
    ticks = [each for each in asked(narrow(skew_s=0.8)) if each[1] is Cause.INTERVAL]
    late_s = [second % 10 for second, _, _, _ in ticks]
    assert 0.3 < max(late_s) <= 0.8
    assert all(grid_s == charger_s == second - second % 10 for second, _, grid_s, charger_s in ticks)


def test_skew_is_drawn_from_the_seed() -> None:
    scenario = narrow(skew_s=0.5, cars=2)
    assert simulate(scenario, 3).digest() == simulate(scenario, 3).digest()
    assert simulate(scenario, 3).digest() != simulate(scenario, 4).digest()


def test_a_silent_guard_keeps_its_old_sample() -> None:
    scenario = replace(PACKS["narrow_circuit"].build({"fault": "silence", "lasts_s": 600}), hours=1.25)
    last = asked(scenario)[-1]
    assert timedelta(seconds=last[2]) <= timedelta(hours=1, minutes=10) < timedelta(seconds=last[3])
