"""An owner's files in a scenario file and on the command line, and what runs by them."""

from __future__ import annotations

import itertools
import json
import shlex
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evcc_sim.commands import cli
from evcc_sim.plants.series import course
from evcc_sim.runs.fullstack import run_scenario
from evcc_sim.runs.inprocess import simulate
from evcc_sim.runs.result import RunResult
from evcc_sim.worlds.scenario import InvalidScenario, load, parse
from evcc_sim.worlds.variants import Files, resolve, with_files

HOME = """
hours = 3
[site]
start = "2025-05-11"
[household]
series = "data/load.csv"
[[pv]]
name = "roof"
series = "data/sun.csv"
[[pv]]
name = "barn"
series = "data/sun.csv"
[tariff]
grid = { series = "data/price.csv" }
feed_in = { zones = [["00:00", 0.05], ["01:00", 0.10]] }
[[charger]]
box = { name = "bay" }
[[car]]
name = "car"
visits = [{ charger = "bay", arrive = "00:05", depart = "23:00" }]
"""
PRICES = [0.25, -0.10, 0.05]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A scenario beside a folder with its files: three hours, of which the second has a negative price."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "load.csv").write_text("second,l1_watt,l2_watt,l3_watt\n0,100,200,300\n5400,0,0,900\n")
    (tmp_path / "data" / "sun.csv").write_text("second,roof_watt,barn_watt\n0,3000,1000\n3600,0,5000\n")
    hours = [f"2025-05-11T{hour:02}:00,{PRICES[hour % 3]}" for hour in range(24)]
    (tmp_path / "data" / "price.csv").write_text("\n".join(["start,eur_per_kwh", *hours]))
    (tmp_path / "home.toml").write_text(HOME)
    return tmp_path / "home.toml"


def test_files_that_a_scenario_names_go_by_its_folder(home: Path) -> None:
    world = load(home)
    assert world.household.series == ((0, 100, 200, 300), (5400, 0, 0, 900))
    assert [spec.series for spec in world.pv] == [((0, 3000), (3600, 0)), ((0, 1000), (3600, 5000))]
    assert world.tariff.grid is not None and world.tariff.grid.series[:3] == tuple(
        zip((0, 3600, 7200), PRICES, strict=True)
    )
    assert resolve(f"{home},site.interval_s=30").pv == world.pv


def check(result: RunResult) -> None:
    """The household on each phase, both plants, each kWh at its price."""
    instants = result.trace.instants
    at = [[each for each in instants if each.second <= 3600 * hour + 60][-1] for hour in (0, 1, 2)]
    assert [at[hour].pv_w for hour in (0, 1, 2)] == [4000, 5000, 5000]
    assert at[2].household_w == 900 and at[2].grid_powers_w[2] - at[2].grid_powers_w[0] == pytest.approx(900)
    assert [at[hour].price for hour in (0, 1, 2)] == PRICES


def test_a_run_by_files(home: Path) -> None:
    result = simulate(load(home))
    check(result)
    summary = result.summary
    by_hour = [next(each for each in result.trace.instants if each.second >= 3600 * hour) for hour in range(4)]
    bought = [later.grid_in_kwh - now.grid_in_kwh for now, later in itertools.pairwise(by_hour)]
    sold = [later.grid_out_kwh - now.grid_out_kwh for now, later in itertools.pairwise(by_hour)]
    paid = sum(map(float.__mul__, bought, PRICES)) - sum(map(float.__mul__, sold, [0.05, 0.10, 0.10]))
    assert summary.cost == pytest.approx(paid, abs=1e-9)
    assert sold[0] > 1 and sold[1] > 0


@pytest.mark.day
def test_the_whole_server_by_files(home: Path) -> None:
    check(run_scenario(load(home)))


def files_of(folder: Path) -> list[str]:
    (folder / "my data").mkdir()
    (folder / "my data" / "sun.csv").write_text("start,kw\n" + "\n".join(rows(60, lambda n: f"{n % 5}")))
    (folder / "my data" / "load.csv").write_text("time,watt\n" + "\n".join(rows(30, lambda n: f"{200 + n % 7}")))
    (folder / "my data" / "price.csv").write_text("start,eur_per_mwh\n" + "\n".join(rows(900, lambda n: f"{n - 40}")))
    return [
        word for name in ("sun", "load", "price") for word in (f"--{name}", str(folder / "my data" / f"{name}.csv"))
    ]


def rows(step_s: int, value: Callable[[int], str]) -> list[str]:
    """A whole day of 15 June."""
    start = datetime(2026, 6, 15, tzinfo=UTC)  # written without: the wall clock of the site
    return [
        f"{start + timedelta(seconds=number * step_s):%Y-%m-%dT%H:%M:%S},{value(number)}"
        for number in range(86_400 // step_s)
    ]


def test_the_command_that_is_printed_names_the_files(tmp_path: Path, again: Callable[[str], RunResult]) -> None:
    words = files_of(tmp_path)
    first = again(shlex.join(["evcc-sim", "run", "clear-day,hours=9", "--seed", "3", *words]))
    assert shlex.join(words) in first.replay
    second = again(first.replay)
    assert (second.digest(), second.trace.scenario) == (first.digest(), first.trace.scenario)
    assert first.summary.cost is not None and first.trace.instants[0].price == -0.04


@pytest.mark.day
def test_through_the_whole_server_too(tmp_path: Path, again: Callable[[str], RunResult]) -> None:
    first = again(shlex.join(["evcc-sim", "run", "short-visit", "--full-stack", *files_of(tmp_path)]))
    assert "--full-stack" in first.replay and "--sun" in first.replay
    assert again(first.replay).digest() == first.digest()


def test_a_generated_world_and_both_of_a_comparison(
    tmp_path: Path, again: Callable[[str], RunResult], capsys: pytest.CaptureFixture[str]
) -> None:
    words = files_of(tmp_path)[:2]
    world = with_files(resolve("@n_cars_one_roof:cars=1", seed=4), Files(sun=words[1]))
    assert world.pv[0].series and again(simulate(world).replay).trace.scenario == world
    home = "short-visit,charger.0.box.current_max_a=0.5"
    assert cli.main(["compare", home, f"{home},seed=2", "--seeds", "1", "--workers", "1", *words]) in (0, 1)
    assert "delivered by the sun" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[household]\nseries = "none.csv"', "none.csv: there is no such file"),
        ("[household]\nseries = 3", "own.household.series: expected a list, got 3"),
        ('[site]\ntime_zone = "Mars"\n[household]\nseries = "none.csv"', "own.site.time_zone: 'Mars' is no time zone"),
        ("household = 3\npv = 4\ntariff = 5", "own.household: expected a table, got 3"),
        ("[[pv]]\nseries = [[10, 1], [10, 2]]", "own.pv[0].series[1]: second 10 is not after 10"),
        ("[household]\nseries = [[0, 1], [1, 2, 3, 4]]", "own.household.series[1]: 4 values after a row of 2"),
        ("[household]\nseries = [[0, 1, 2]]", "own.household.series[0]: expected 4 values, got 3"),
        ("[tariff]\ngrid = { series = [[60, 0.1], [0, 0.2]] }", "own.tariff.grid.series[1]: second 0 is not after 60"),
    ],
)
def test_a_scenario_that_names_what_is_not_there(text: str, words: str) -> None:
    with pytest.raises(InvalidScenario) as caught:
        parse(text, name="own")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "clear-day", "--sun", "none.csv"], "none.csv: there is no such file"),
        (
            ["run", "clear-day", "--load", "two.csv"],
            "two.csv:1: has a_watt, b_watt, expected one column, household_watt, or l1",
        ),
        (["run", "clear-day", "--sun", "two.csv"], "two.csv:1: has a_watt, b_watt, expected roof_watt"),
        (["run", "night-tariff", "--sun", "two.csv"], "--sun two.csv: night-tariff has no pv"),
        (["run", "clear-day", "--load", "day.csv", "--days", "2"], "day.csv: ends 47.9"),
        (["run", "clear-day", "--price", "two.csv"], "two.csv:1: 'second,a_watt,b_watt' is no header"),
        (
            ["run", "clear-day", "--sun", "short.csv"],
            "short.csv: ends 2 hours after the beginning of the run, which takes 24",
        ),
        (["compare", "clear-day", "--second-law", "classic", "--sun", "short.csv"], "short.csv: ends 2 hours after"),
        (
            ["run", "clear-day,hours=2", "--sun", "short.csv", "--days", "3"],
            "short.csv: ends 2 hours after the beginning",
        ),
    ],
)
def test_a_wrong_file_on_the_command_line_is_one_line(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("two.csv").write_text("second,a_watt,b_watt\n0,1,2\n")
    Path("day.csv").write_text("second,watt\n0,300\n86340,400\n")
    Path("short.csv").write_text("start,watt\n2026-06-15T00:00,0\n2026-06-15T01:00,0\n")
    assert cli.main(arguments) == cli.WRONG_USE
    told = capsys.readouterr().err
    assert words in told and "Traceback" not in told


def test_a_run_no_longer_than_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "short.csv"
    file.write_text("start,watt\n2026-06-15T00:00,0\n2026-06-15T01:00,0\n")
    assert cli.main(["run", "clear-day,hours=2", "--sun", str(file), "--json"]) == cli.OK
    shown = capsys.readouterr()
    assert json.loads(shown.out)["pv_kwh"] == 0
    assert "short.csv: what sun and household did between two looks, 3600 s apart, is not in it" in shown.err


def test_a_straight_line_keeps_the_energy_of_its_steps() -> None:
    line = [*course(((0.0, 100.0), (4.0, 500.0), (9.5, 500.0), (11.0, 200.0)), is_smooth=True)]
    assert line[:5] == [(0.0, (150.0,)), (1.0, (250.0,)), (2.0, (350.0,)), (3.0, (450.0,)), (4.0, (500.0,))]
    assert line[5:] == [(9.5, (400.0,)), (10.5, (250.0,)), (11.0, (200.0,))]
    assert [*course((), is_smooth=True)] == []
