"""``evcc-sim``: what it prints, writes and returns."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from evcc_sim.commands import cli

pytestmark = pytest.mark.day
SHORT = ("--set", "hours=11")


def test_run_prints_the_numbers_and_writes_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture, report = tmp_path / "day.png", tmp_path / "report.html"
    assert cli.main(["run", "dead-bus", "--seed", "3", *SHORT, "--plot", str(picture), "--html", str(report)]) == cli.OK
    printed = capsys.readouterr().out
    assert "charged into cars" in printed and "Every invariant holds." in printed
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    page = report.read_text(encoding="utf-8")
    assert "Meters that die" in page and "data:image/png;base64" in page and "following the sun" in page
    assert not re.search(r'(src|href)="http', page), "a report must be self-contained"


def test_run_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "clear-day", *SHORT, "--json"]) == cli.OK
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["charged_kwh"] > 5 and numbers["violations"] == []


def test_reasons_of_a_run_are_told_by_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "two-cars-one-fuse", "--set", "hours=18", "--reasons"]) == cli.OK
    table = capsys.readouterr().out.partition("reasons")[2]
    assert re.search("2026-10-20 17:10:00.02:00 . Left .*as fast as possible", table)
    assert re.search("17:40:.* Right .*limited by main", table)
    assert cli.main(["run", "clear-day", *SHORT, "--reasons", "--json"]) == cli.OK
    first, second, *_more = json.loads(capsys.readouterr().out)["reasons"]
    assert first["text"] == "No vehicle is connected."
    assert first["loadpoint"] == second["loadpoint"] and first["time"] < second["time"]


def test_compare_shows_both_and_their_difference(capsys: pytest.CaptureFixture[str]) -> None:
    worlds = ["clear-day,hours=10", "clear-day,hours=10,pv.0.peak_w=5000"]
    assert cli.main(["compare", *worlds, "--seeds", "2", "--workers", "1"]) == cli.OK
    printed = capsys.readouterr().out
    assert "mean of 2 seeds" in printed and "difference" in printed


def test_sweep_over_seeds_and_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "all.json"
    arguments = ["sweep", "clear-day,hours=9", "--seeds", "2-3", "--set", "pv.0.peak_w=5000|9000", "--workers", "1"]
    assert cli.main([*arguments, "--json", str(file)]) == cli.OK
    outcomes = json.loads(file.read_text(encoding="utf-8"))
    assert len(outcomes) == 4 and {outcome["seed"] for outcome in outcomes} == {2, 3}
    assert "4 runs" in capsys.readouterr().out


def test_a_failing_run_says_how_to_run_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    control = ["--control", "broken_controls:overloading"]
    assert cli.main(["run", "clear-day", "--seed", "4", *SHORT, *control]) == cli.FAILED
    printed = capsys.readouterr().out
    assert (
        "VIOLATED" in printed
        and "again: evcc-sim run clear-day --set hours=11 --seed 4 --control" in printed.replace("\n", "")
    )
    assert cli.main(["sweep", "clear-day,hours=11", "--seeds", "1", "--workers", "1", *control]) == cli.FAILED
    printed = capsys.readouterr().out
    assert "again: evcc-sim run clear-day,hours=11 --seed 1 --control broken_controls:overloading" in printed
    crashing = ["--control", "broken_controls:crashing"]
    assert cli.main(["sweep", "clear-day,hours=11", "--seeds", "1", "--workers", "1", *crashing]) == cli.FAILED
    assert "ZeroDivisionError" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "no-such-day"], "unknown scenario 'no-such-day'"),
        (["run", "clear-day", "--set", "site.colour=1"], "unknown key 'colour'"),
        (["run", "./missing.toml"], "No such file"),
        (["run", "@bad_car:wheels=3"], "unknown parameter 'wheels'"),
        (["run", "clear-day", "--control", "nowhere:nothing"], "expected module:factory"),
        (["replay", "missing.csv"], "No such file"),
    ],
)
def test_wrong_use_is_one_line_and_status_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == cli.WRONG_USE
    said = capsys.readouterr().err.strip()
    assert words in said and "\n" not in said and said.startswith("evcc-sim: ")


def test_scenarios_lists_library_and_generators(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scenarios"]) == cli.OK
    printed = capsys.readouterr().out
    assert "april-clouds" in printed and "@clouds_at_phase_gap" in printed
