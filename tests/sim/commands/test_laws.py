"""``--law`` reaches the site, in process and through the whole server, and comes back in the command that runs it again."""

from __future__ import annotations

import pytest
from law_of_halves import ONE

from evcc_sim.commands.cli import main
from evcc_sim.runs.fullstack import run_scenario
from evcc_sim.runs.inprocess import simulate
from evcc_sim.runs.sweep import jobs_for, run_job
from evcc_sim.worlds.laws import law_of, with_law
from evcc_sim.worlds.scenario import InvalidScenario, load
from evcc_sim.worlds.variants import resolve
from evcclib.laws.by_name import LAWS

HALVES = "law_of_halves:Halves"


def test_a_law_is_found_by_name_or_where_it_stands() -> None:
    assert law_of("classic").name == "classic"
    assert law_of(HALVES).name == "halves"
    assert law_of("law_of_halves:ONE") is ONE


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("clasic", f"expected {', '.join(LAWS)}, or module:law"),
        ("law_of_halves:NO_LAW", "expected an `evcclib.laws.law.Law`, not a object"),
        ("law_of_halves:Quarters", "expected module:law"),
        ("no_such_module:Law", "expected module:law"),
        (":", "expected module:law"),
    ],
)
def test_what_is_no_law_is_refused_in_one_line(name: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["run", "clear-day"], ["run", "clear-day", "--full-stack"], ["compare", "clear-day"], ["sweep"]):
        assert main([*command, "--law", name]) == 2
        errors = capsys.readouterr().err
        assert words in errors and errors.count("\n") == 1
    assert main(["days", "clear-day", "--law", name]) == 2
    assert words in capsys.readouterr().err
    assert main(["run", "clear-day", "--set", f"site.law={name}"]) == 2


@pytest.mark.parametrize("command", [["run", "clear-day"], ["sweep", "clear-day"], ["compare", "clear-day"]])
def test_a_law_goes_without_a_control(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--law", "classic", "--control", "evcc_sim.runs.controls:classic"]) == 2
    assert "--law goes without --control" in capsys.readouterr().err


def test_it_decides_in_process_and_through_the_whole_server() -> None:
    world = with_law(resolve("short-visit"), HALVES)
    here = simulate(world, 1)
    assert here.exported is not None
    law = here.exported["law"]
    assert isinstance(law, dict) and law["name"] == "halves"
    there = run_scenario(world, 1)
    assert there.exported is not None
    law = there.exported["law"]
    assert isinstance(law, dict) and law["name"] == "halves"
    assert here.digest() != simulate(load("short-visit"), 1).digest()


def test_the_command_that_runs_it_again_names_the_law() -> None:
    world = with_law(resolve("short-visit"), HALVES)
    assert f"--law {HALVES}" in simulate(world, 1).replay
    (job,) = jobs_for(["short-visit"], [1], law=HALVES)
    assert f"--law {HALVES}" in run_job(job).replay
    assert "--law" not in simulate(load("short-visit"), 1).replay


def test_two_laws_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    main(["compare", "short-visit", "--second-law", HALVES, "--seeds", "1", "--workers", "1"])
    assert HALVES in capsys.readouterr().out.replace("\n", "")


def test_law_beside_a_control_of_ones_own_is_refused_by_python_too() -> None:
    with pytest.raises(InvalidScenario, match="goes without --control"):
        with_law(load("clear-day"), "classic", control="mine:factory")
