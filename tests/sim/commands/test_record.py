"""A recording is written, read and lived through again."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evcc_sim.commands import record
from evcc_sim.runs.inprocess import simulate
from evcc_sim.runs.result import RunResult
from evcc_sim.worlds.scenario import InvalidScenario

START = datetime(2026, 6, 15, 8, 0, tzinfo=UTC)


def looks(hours: float = 3.0) -> list[record.Row]:
    """Sun that rises in steps; a car from the second hour on."""
    found = []
    for minute in range(int(hours * 60)):
        document = {
            "homePower": 400.0,
            "pvPower": 3000.0 + 1000.0 * (minute // 30),
            "gridPower": -500.0,
            "batteryPower": 0,
            "loadpoints": [
                {"title": "Garage", "connected": minute >= 60, "chargePower": 0, "vehicleSoc": 41, "mode": "pv"}
            ],
        }
        found.append(record.look_at({"result": document}, START + timedelta(minutes=minute)))
    return found


def test_a_recording_survives_its_file(tmp_path: Path) -> None:
    file = tmp_path / "site.csv"
    record.write(looks(), file)
    assert record.read(file) == looks()


@pytest.mark.parametrize("title", ["=1+1", "\uff1d1+1"])
def test_a_title_in_a_recording_is_no_formula(title: str, tmp_path: Path) -> None:
    file = tmp_path / "site.csv"
    named = [replace(each, loadpoints=((title, True, 0.0, 41.0, "pv"),)) for each in looks(0.1)]
    record.write(named, file)
    assert f",'{title}," in file.read_text(encoding="utf-8")
    assert record.read(file) == named


def test_what_the_site_did_not_know_is_an_empty_cell_and_no_value(tmp_path: Path) -> None:
    document: dict[str, object] = {
        "homePower": None,
        "pvPower": None,
        "gridPower": -300,
        "batteryPower": None,
        "loadpoints": [{"title": "Garage", "connected": True, "chargePower": None, "vehicleSoc": None, "mode": "pv"}],
    }
    known, later = ({**document, "homePower": home_w, "pvPower": 0} for home_w in (400.0, 500.0))
    found = [
        record.look_at(each, START + timedelta(minutes=minute))
        for minute, each in enumerate((document, known, document, later))
    ]
    file = tmp_path / "site.csv"
    record.write(found, file)
    assert file.read_text(encoding="utf-8").splitlines()[1:3] == [
        "2026-06-15T08:00:00+00:00,,,-300,,,Garage,1,,,pv",
        "2026-06-15T08:01:00+00:00,400,0,-300,,,Garage,1,,,pv",
    ]
    assert record.read(file) == found
    world = record.replayed(found, name="site")
    begins = world.household.series[0][0]
    assert [(second - begins, *watts) for second, *watts in world.household.series] == [(0, 400), (180, 500)]
    assert [power_w for _, power_w in world.pv[0].series] == [0]
    assert (world.battery, world.car[0].has_api) == ((), False)
    with pytest.raises(InvalidScenario, match="the home power is not known"):
        record.replayed([found[0], found[2]], name="site")


@pytest.mark.day
def test_a_replay_has_the_recorded_sun_and_charges_anew(tmp_path: Path) -> None:
    file = tmp_path / "site.csv"
    record.write(looks(), file)
    result = simulate(record.replayed(record.read(file), name="site"))
    assert result.ok
    trace = result.trace
    at_eleven = next(i for i in trace.instants if i.second >= 11.2 * 3600)
    assert at_eleven.pv_w == 5000.0 and at_eleven.household_w == 400.0
    assert [i.loadpoints[0].car for i in trace.instants][-1] == "car1-1"
    assert result.summary.charged_kwh > 5


@pytest.mark.day
@pytest.mark.parametrize("control", ["", "evcc"])
def test_what_a_replay_prints_replays_it(control: str, tmp_path: Path, again: Callable[[str], RunResult]) -> None:
    record.write(looks(), tmp_path / "site.csv")
    options = ["--control", control] if control else []
    first = again(
        shlex.join(["evcc-sim", "replay", str(tmp_path / "site.csv"), "--time-zone", "Europe/Lisbon", *options])
    )
    second = again(first.replay)
    assert second.trace.scenario == first.trace.scenario and second.digest() == first.digest()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n", ":1: not a recording"),
        (",".join(record.COLUMNS) + "\n2026-06-15T08:00:00+00:00,1,2,3,4,x\n", ":2: "),
        (",".join(record.COLUMNS) + "\n", "at least two rows"),
    ],
)
def test_a_wrong_recording_names_its_line(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "site.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidScenario) as caught:
        record.read(file)
    assert words in str(caught.value)
