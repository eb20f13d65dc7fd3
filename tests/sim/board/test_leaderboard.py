"""``evcc-sim leaderboard``: whom and what it takes, what it remembers, and that the same seeds give the same page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from evcc_sim.board.entrants import LOOKS_S, USUAL, entrants
from evcc_sim.board.kept import Kept
from evcc_sim.board.pack import chosen
from evcc_sim.board.runs import Day, Outcome, days, lived
from evcc_sim.commands import cli
from evcc_sim.runs.controls import NAMED
from evcc_sim.runs.result import RunResult
from evcc_sim.runs.sweep import Job
from evcc_sim.worlds.variants import resolve
from evcclib.laws.by_name import LAWS


def test_it_takes_laws_rivals_and_anybodys() -> None:
    found = {
        each.name: each
        for each in entrants([*USUAL, "law:law_of_halves:Halves", "law:classic", "broken_controls:timid"])
    }
    assert [*found] == [*LAWS, *NAMED, "law_of_halves:Halves", "broken_controls:timid"]
    assert {name for name, each in found.items() if each.is_rival} == set(NAMED)
    assert {name for name, each in found.items() if each.is_foreign} == {
        "law_of_halves:Halves",
        "broken_controls:timid",
    }
    assert found["classic"].law == "classic" and found["broken_controls:timid"].control == "broken_controls:timid"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--controls", "tesla"], "--controls 'tesla': expected some of classic"),
        (["--controls", "law:tesla"], "law 'tesla': expected classic"),
        (["--controls", "no:such"], "expected module:factory"),
        (["--worlds", "moon"], "--worlds 'moon': expected some of clear, broken, rough"),
        (["--controls", "classic,"], "'classic,': expected names with commas between them"),
        (["--out", "no-such-folder/page.md"], "there is no folder 'no-such-folder'"),
        (["--seeds", "0"], "'0': expected a number of seeds"),
        (["--kept", "no-such-folder/runs"], "there is no folder 'no-such-folder'"),
    ],
)
def test_what_cannot_be_is_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = [] if "--out" in arguments else ["--out", str(tmp_path / "page.md")]
    try:
        status = cli.main(["leaderboard", *out, *arguments])
    except SystemExit as stopped:
        status = int(stopped.code or 0)
    assert status == cli.WRONG_USE
    assert words in capsys.readouterr().err.strip().splitlines()[-1]
    assert not [*tmp_path.iterdir()]


def test_every_world_of_the_pack_is_one_and_is_asked_at_everybodys_pace() -> None:
    found = days(chosen([]), entrants(USUAL), [1])
    intervals = {(day.entrant.name, day.job.scenario.site.interval_s) for day in found}
    assert intervals == {(name, float(LOOKS_S.get(name, 10))) for name in USUAL}
    assert {day.job.replay.partition(" ")[0] for day in found} == {"evcc-sim"}


def a_day(name: str, world: str = "clear-day", *changes: str) -> Day:
    (entrant,) = entrants([name])
    job = Job(scenario=resolve(world, changes=changes), seed=3, control=entrant.control)
    return Day(world="yard", entrant=entrant, job=job)


def test_a_refusal_and_a_crash_are_outcomes() -> None:
    found = lived(a_day("smartevse", "two-cars-one-roof", "site.interval_s=2"))
    assert found.refused == "--control smartevse: 2 chargers is more than its model covers, expected one"
    assert found.figures == {} and found.error == ""
    broken = lived(a_day("broken_controls:crashing"))
    assert broken.error and broken.refused == "" and broken.figures == {}


def test_figures_are_those_of_the_run(again: Callable[[str], RunResult]) -> None:
    day = a_day("evcc", "april-clouds", "hours=11")
    found = lived(day)
    result = again(found.replay)
    assert found.figures["regret_eur"] == result.regret.regret_eur
    assert found.figures["charged_kwh"] == result.summary.charged_kwh
    assert found.best["day_cost_eur"] == result.regret.least_cost_eur
    terms = [found.figures[name] or 0.0 for name in ("bought_eur", "not_taken_eur", "contactor_eur", "phases_eur")]
    assert sum(terms) == pytest.approx(result.regret.day_cost_eur)
    assert found.figures["writes"] and found.figures["limits"] == found.figures["trips"] == 0


def test_cars_that_share_the_sun_have_a_day_cost() -> None:
    found = lived(a_day("classic", "two-cars-one-roof", "hours=12"))
    assert found.figures["regret_eur"] is None and found.best == {} and "share the sun" in found.no_bound
    assert (found.figures["day_cost_eur"] or 0.0) > 0


@pytest.mark.day
def test_limits_and_rules_are_told_apart() -> None:
    found = lived(a_day("broken_controls:generous", "two-cars-one-fuse"))
    assert found.figures["limits"] and "circuit_limits_hold" not in found.broken


def test_outcomes_are_remembered_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    one = Outcome(
        world="yard", entrant="evcc", seed=1, replay="run one", figures={"regret_eur": 1 / 3, "settling_s": None}
    )
    two = Outcome(world="yard", entrant="evcc", seed=2, replay="run two", refused="no")
    failed = Outcome(world="yard", entrant="evcc", seed=3, replay="run three", error="broken")
    kept = Kept(file)
    assert kept.known() == {}
    kept.keep(one)
    file.write_text(file.read_text("utf-8") + '\n{"code": "x', encoding="utf-8")  # killed while it wrote
    kept.keep(two)
    kept.keep(failed)
    assert Kept(file).known() == {"run one": one, "run two": two}
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.endswith("}")]
    file.write_text("\n".join(json.dumps({**row, "code": "older"}) for row in rows), encoding="utf-8")
    assert Kept(file).known() == {}
    assert Kept(None).known() == {}


def test_a_file_that_holds_no_outcomes_is_one_line_and_stays_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(b"\x89PNG")
    assert cli.main(["leaderboard", "--kept", str(file), "--out", str(tmp_path / "page.md")]) == cli.WRONG_USE
    assert capsys.readouterr().err == f"evcc-sim: --kept {file}: not UTF-8 text: invalid start byte\n"
    assert file.read_bytes() == b"\x89PNG"


@pytest.mark.day
def test_the_same_seeds_give_the_same_page_in_any_number_of_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["leaderboard", "--seeds", "1", "--controls", "classic,evcc", "--worlds", "overcast,full"]
    pages = [tmp_path / f"{number}.md" for number in range(3)]
    kept = ["--kept", str(tmp_path / "runs.jsonl")]
    assert cli.main([*few, "--workers", "1", "--out", str(pages[0])]) == cli.OK
    assert cli.main([*few, "--workers", "2", "--out", str(pages[1]), *kept]) == cli.OK
    assert "4 runs, 0 of them known, 0 failed" in capsys.readouterr().out
    assert cli.main([*few, "--workers", "1", "--out", str(pages[2]), *kept]) == cli.OK
    assert "4 runs, 4 of them known, 0 failed" in capsys.readouterr().out
    one, two, three = (page.read_bytes() for page in pages)
    assert one == two == three
    text = one.decode()
    assert "Made by `evcc-sim leaderboard --seeds 1 --controls classic,evcc --worlds overcast,full`" in text
    assert "--set weather.sky=overcast --seed 1 --control evcc`" in text
    assert text.count("*What this says.*") == 2 and "0 of 4 runs failed, 0 were refused" in text


@pytest.mark.day
def test_a_run_that_fails_is_counted_told_and_tried_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    few = ["leaderboard", "--seeds", "2", "--worlds", "plan", "--workers", "1", "--out", str(page)]
    assert cli.main([*few, "--controls", "classic,broken_controls:crashing"]) == cli.FAILED
    assert "4 runs, 0 of them known, 2 failed" in capsys.readouterr().out
    assert "2 of 4 runs failed" in page.read_text("utf-8")
    assert "broken_controls:crashing: 2 runs have [failed]" in page.read_text("utf-8")


@pytest.mark.day
def test_what_is_somebodys_is_never_taken_from_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["leaderboard", "--seeds", "1", "--worlds", "plan", "--workers", "1", "--out", str(tmp_path / "page.md")]
    few += ["--controls", "broken_controls:crashing,law:law_of_halves:Halves", "--kept", str(tmp_path / "runs.jsonl")]
    for _time in range(2):
        cli.main(few)
        assert "2 runs, 0 of them known" in capsys.readouterr().out
