"""``evcc-sim kills``: the server killed at its await points, one run for each kill; what `make nightly` does at every step.

A first run counts the steps and shows how the world ends without a kill. Then the server is killed before a step, started again
on the same database, and must bring the world to the same end: same settings, same sessions, the stations doing the same.
"""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from time import perf_counter

from evcc_sim.quiet import quiet
from evcc_sim.runs.await_points import AwaitPoint, Killer, Survey
from evcc_sim.runs.days import first, say_at_once
from evcc_sim.runs.fullstack import FullStackResult, run_scenario
from evcc_sim.runs.promises import Values, values_of, words
from evcc_sim.runs.replay import command
from evcc_sim.timebase import stream
from evcc_sim.worlds.scenario import Scenario
from evcc_sim.worlds.variants import resolve
from evcclib.events import SessionRecord

SCENARIO = "short-visit"
SHOWN_MAX = 20
"""So many failed kills are shown in full."""
ENERGY_KWH = 0.15
"""How much the energy of a session may differ from that of the run without a kill: nobody controls while the server is down."""
CURRENT_A = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """How it went. ``problems`` is empty when nothing was lost."""

    scenario: Scenario
    seed: int
    step: int
    point: str
    problems: tuple[str, ...]

    @property
    def is_ok(self) -> bool:
        return not self.problems

    @property
    def replay(self) -> str:
        """The one command that kills exactly so again."""
        return command(self.scenario, self.seed, verb="kills", options=["--step", str(self.step)])


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a world ends: what all runs of it must have in common."""

    settings: Values
    sessions: tuple[SessionRecord, ...]
    stations: tuple[tuple[bool, float, int], ...]

    def differences(self, other: End) -> list[str]:
        """What is otherwise in ``other``, a run with a kill."""
        found = []
        for key, value in self.settings.items():
            if other.settings.get(key) != value:
                found.append(
                    f"ends_alike: {words(key)} ends as {other.settings.get(key)!r}, without the kill as {value!r}"
                )
        ours, theirs = [_names(s) for s in self.sessions], [_names(s) for s in other.sessions]
        if ours != theirs:
            found.append(f"ends_alike: sessions {theirs}, without the kill {ours}")
        else:
            for mine, its in zip(self.sessions, other.sessions, strict=True):
                if abs(mine.energy_charged_kwh - its.energy_charged_kwh) > ENERGY_KWH:
                    found.append(
                        f"ends_alike: session {its.key} has {its.energy_charged_kwh:.3f} kWh, without the kill"
                        f" {mine.energy_charged_kwh:.3f} kWh"
                    )
        for index, (mine_now, its_now) in enumerate(zip(self.stations, other.stations, strict=True)):
            same = mine_now[0] == its_now[0] and mine_now[2] == its_now[2]
            if not same or (mine_now[0] and abs(mine_now[1] - its_now[1]) > CURRENT_A):
                found.append(f"ends_alike: station {index + 1} ends as {its_now}, without the kill as {mine_now}")
        return found


def _names(session: SessionRecord) -> tuple[str, str]:
    return (session.loadpoint, session.vehicle)


def end_of(result: FullStackResult) -> End:
    """How a run ends."""
    assert result.trace.stored_sessions is not None
    return End(
        settings=values_of(result.last),
        sessions=result.trace.stored_sessions,
        stations=tuple(result.stations),
    )


def survey(scenario: Scenario, seed: int | None = None) -> tuple[tuple[AwaitPoint, ...], FullStackResult]:
    """The await point of every step at which somebody may be killed, and the run in which nobody is."""
    steps = Survey()
    result = run_scenario(scenario, seed, steps=steps)
    return tuple(steps.points), result


def one_of_each(points: Sequence[AwaitPoint], *, seed: int, more: int = 0) -> list[int]:
    """A step for every await point of the server, chosen by chance among its steps, and ``more`` at any other moments."""
    rng: random.Random = stream(seed, "kills")
    steps_at: dict[AwaitPoint, list[int]] = {}
    for step, point in enumerate(points, 1):
        if point.is_servers:
            steps_at.setdefault(point, []).append(step)
    chosen = {rng.choice(steps) for steps in steps_at.values()}
    others = [step for step in range(1, len(points) + 1) if step not in chosen]
    return sorted(chosen | set(rng.sample(others, min(more, len(others)))))


def kill(scenario: Scenario, step: int, usual: End, *, seed: int | None = None) -> Kill:
    """Kill before ``step`` and judge what comes of it. An error of the server is a problem of this kill."""
    killer = Killer(step)
    try:
        result = run_scenario(scenario, seed, steps=killer)
    except Exception as error:  # noqa: BLE001  whatever it is, it is this kill's failure and is shown
        problems = [f"{type(first(error)).__name__}: {first(error)}"]
    else:
        problems = [str(violation) for violation in result.violations]
        problems += usual.differences(end_of(result))
        if killer.point is None:
            problems.append(f"there is no step {step}: the run has {killer.count}")
    return Kill(
        scenario=scenario,
        seed=scenario.seed if seed is None else seed,
        step=step,
        point=str(killer.point),
        problems=tuple(problems),
    )


@quiet()
def run_kills(
    name: str = SCENARIO,
    *,
    steps: Iterable[int] = (),
    every: bool = False,
    more: int = 0,
    seed: int | None = None,
    workers: int | None = None,
    say: Callable[[str], None] = say_at_once,
) -> int:
    """Kill in the world called ``name`` before each of ``steps``, or at every step; by default once at every await point.

    ``more``: and at so many other steps. Returns the exit status: 1 if anything was lost. Raises
    `evcc_sim.worlds.scenario.InvalidScenario`.
    """
    scenario = resolve(name, seed=seed)
    started = perf_counter()
    points, usual = survey(scenario, seed)
    if usual.violations:
        for violation in usual.violations:
            say(f"without a kill: {violation}")
        say(f"again: {usual.replay}")
        return 1
    chosen = list(steps)
    if every:
        chosen = list(range(1, len(points) + 1))
    elif not chosen:
        chosen = one_of_each(points, seed=usual.trace.seed, more=more)
    places = {point for point in points if point.is_servers}
    say(f"{scenario.name}: {len(points)} steps, {len(places)} await points of the server; {len(chosen)} kills")
    failed = _kill_all(scenario, chosen, end_of(usual), seed, workers or os.cpu_count() or 1, say)
    say(f"{len(chosen) - failed} of {len(chosen)} kills lost nothing, in {perf_counter() - started:.0f} s")
    return 1 if failed else 0


def _kill_all(
    scenario: Scenario, steps: Sequence[int], usual: End, seed: int | None, workers: int, say: Callable[[str], None]
) -> int:
    """How many failed."""
    failed = 0
    for number, outcome in enumerate(_outcomes(scenario, steps, usual, seed, workers), 1):
        if not outcome.is_ok:
            failed += 1
            if failed <= SHOWN_MAX:
                say(f"FAILED step {outcome.step}, {outcome.point}")
                for problem in outcome.problems:
                    say(f"         {problem}")
                say(f"         again: {outcome.replay}")
        if number % 500 == 0:
            say(f"{number} kills, {failed} failed")
    return failed


def _outcomes(scenario: Scenario, steps: Sequence[int], usual: End, seed: int | None, workers: int) -> Iterable[Kill]:
    if workers == 1 or len(steps) == 1:
        for step in steps:
            yield kill(scenario, step, usual, seed=seed)
        return
    with ProcessPoolExecutor(
        min(workers, len(steps)),
        mp_context=get_context("spawn"),
        initializer=logging.disable,
        initargs=(logging.CRITICAL,),
    ) as pool:
        runs: list[Future[Kill]] = [pool.submit(kill, scenario, step, usual, seed=seed) for step in steps]
        for run in as_completed(runs):
            yield run.result()
