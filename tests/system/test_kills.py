"""The server is killed at each of its await points, started again on the same database, and nothing is lost.

`make test` does it at a third of them, `make days` at the others too, `make nightly` before every step of the scheduler.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evcc_server.keeping.persistence import Persistence
from evcc_server.keeping.store import Store
from evcc_sim.commands import kills
from evcc_sim.quiet import quiet
from evcc_sim.runs.await_points import AwaitPoint, Survey
from evcc_sim.runs.fullstack import run_scenario
from evcc_sim.worlds import scenario
from evcclib import Prepared

WORLD = scenario.load(kills.SCENARIO)


@pytest.fixture(scope="module", autouse=True)
def without_complaints() -> Iterator[None]:
    """A killed server complains."""
    with quiet():
        yield


@pytest.fixture(scope="module")
def points() -> tuple[AwaitPoint, ...]:
    return kills.survey(WORLD)[0]


@pytest.fixture(scope="module")
def usual() -> kills.End:
    return kills.end_of(run_scenario(WORLD))


def steps_at(points: tuple[AwaitPoint, ...], task: str, line: str = "") -> list[int]:
    """The steps before which such a task waits at a line of such a file."""
    return [n for n, point in enumerate(points, 1) if task in point.task and any(line in at for at in point.lines)]


def test_the_stretch_holds_every_kind_of_moment(points: tuple[AwaitPoint, ...]) -> None:
    """The start with its database, devices being met, polls, commands, a car being asked, commits, the end in order."""
    for task, line in (
        ("FullStack.main", "restore"),
        ("_meet_chargers", "link"),
        ("Poller.run", "modbus_meter"),
        ("ControlLoop._apply", "link"),
        ("ControlLoop._ask", "vehicle"),
        ("FullStack._act", "store"),
        ("Bridge._follow_link", "store"),
        ("Persistence.run", "store"),
        ("Persistence.close", "store"),
        ("_release", "link"),
        ("Bridge._follow_hub", "hub"),
        ("keep_alive", "modbus_charger"),
    ):
        assert steps_at(points, task, line), (task, line)


def test_the_same_world_has_the_same_steps(points: tuple[AwaitPoint, ...]) -> None:
    again = Survey()
    run_scenario(WORLD, steps=again)
    assert tuple(again.points) == points


def test_every_await_point_of_the_server_is_chosen_once(points: tuple[AwaitPoint, ...]) -> None:
    places = {point for point in points if point.is_servers}
    chosen = kills.one_of_each(points, seed=1)
    assert len(chosen) == len(places) > 80
    assert {points[step - 1] for step in chosen} == places
    assert kills.one_of_each(points, seed=2) != chosen
    assert len(kills.one_of_each(points, seed=1, more=5)) == len(chosen) + 5


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "share",
    [
        pytest.param(0, id="some"),
        pytest.param(1, id="more", marks=pytest.mark.day),
        pytest.param(2, id="rest", marks=pytest.mark.day),
    ],
)
def test_a_kill_at_any_await_point_loses_nothing(share: int, points: tuple[AwaitPoint, ...], usual: kills.End) -> None:
    """At every third of the places, and on longer runs at the others."""
    steps = kills.one_of_each(points, seed=1)[share::3]
    outcomes = [kills.kill(WORLD, step, usual) for step in steps]
    failed = [
        f"{outcome.point}: {', '.join(outcome.problems)}; again: {outcome.replay}"
        for outcome in outcomes
        if not outcome.is_ok
    ]
    assert not failed, "\n".join(failed)


# -- a judge must be able to convict ------------------------------------------------------------------------------------------


def problems_of(step: int, usual: kills.End) -> str:
    return "\n".join(kills.kill(WORLD, step, usual).problems)


def test_an_answer_before_the_commit_is_found(usual: kills.End, monkeypatch: pytest.MonkeyPatch) -> None:
    async def commit_nothing(self: Persistence, prepare: Callable[[], Prepared]) -> Prepared:
        prepared = prepare()
        self._kept = prepared.lasting
        return prepared

    monkeypatch.setattr(Persistence, "commit", commit_nothing)
    broken = Survey()
    run_scenario(WORLD, steps=broken)
    writes = steps_at(tuple(broken.points), "Persistence.run", "store")
    assert any("settings_survive" in problems_of(step, usual) for step in writes)


def test_what_is_seen_before_it_is_written_is_found(usual: kills.End, monkeypatch: pytest.MonkeyPatch) -> None:
    """The car that leaves puts the currents of the file back: nobody has asked for that, but everybody sees it."""
    monkeypatch.setattr(Persistence, "shown", lambda _self, view, _before: view)
    broken = Survey()
    run_scenario(WORLD, steps=broken)
    writes = steps_at(tuple(broken.points), "Persistence.run", "store")
    lost = "MQTT: evcc/loadpoints/1/maxCurrent is '13', '16' was seen"
    assert any(lost in problems_of(step, usual) for step in reversed(writes))


def test_sessions_that_are_not_stored_are_found(
    points: tuple[AwaitPoint, ...], usual: kills.End, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Store.save

    async def forget(self: Store, **written: Any) -> None:
        await save(self, **{**written, "sessions": ()})

    monkeypatch.setattr(Store, "save", forget)
    assert "ends_alike: sessions []" in problems_of(len(points) - 5, usual)


def test_a_setting_stored_wrongly_is_found(
    points: tuple[AwaitPoint, ...], usual: kills.End, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Store.save

    async def save_wrongly(self: Store, **written: Any) -> None:
        settings = [change for change in written.get("settings", ()) if change.name != "current_max_a"]
        await save(self, **{**written, "settings": settings})

    monkeypatch.setattr(Store, "save", save_wrongly)
    after = steps_at(points, "FullStack._act", "store")[4]
    found = problems_of(after, usual)
    assert "settings_survive" in found or "ends_alike" in found


def test_a_step_that_does_not_exist_is_a_failure(usual: kills.End) -> None:
    assert "there is no step" in problems_of(10**6, usual)


def test_a_failed_kill_says_how_to_repeat_it() -> None:
    said: list[str] = []
    assert kills.run_kills(steps=[10**6], workers=1, say=said.append) == 1
    assert "         again: evcc-sim kills short-visit --seed 1 --step 1000000" in said
    assert kills.run_kills(steps=[1], workers=1, say=said.append) == 0


def test_a_world_with_changes_and_a_file_of_ones_own_can_be_named_again(tmp_path: Path) -> None:
    said: list[str] = []
    own = tmp_path / "own.toml"
    own.write_text('[[charger]]\nbox = { name = "garage" }\n', encoding="utf-8")
    for name in (f"{own},hours=0.05", "short-visit,hours=0.05"):
        assert kills.run_kills(name, steps=[10**6], workers=1, say=said.append) == 1
        assert f"         again: evcc-sim kills {name} --seed 1 --step 1000000" in said
