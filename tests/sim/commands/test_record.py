"""A recording is written and read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evcc_sim.commands import record
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
    named = [replace(each, loadpoints=(record.Loadpoint(title, True, 0.0, 41.0, "pv"),)) for each in looks(0.1)]
    record.write(named, file)
    assert f",'{title}," in file.read_text(encoding="utf-8")
    assert record.read(file) == named
    record.write(
        [replace(each, loadpoints=(record.Loadpoint("Garage", True, 0.0, 41.0, title),)) for each in named], file
    )
    assert f",'{title}" in file.read_text(encoding="utf-8")  # whatever it calls a mode


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
        "2026-06-15T08:00:00+00:00,,,-300,,,Garage,1,,,pv,,,,",
        "2026-06-15T08:01:00+00:00,400,0,-300,,,Garage,1,,,pv,,,,",
    ]
    assert record.read(file) == found


def test_what_a_loadpoint_is_and_has_charged(tmp_path: Path) -> None:
    garage = {"title": "Garage", "connected": True, "chargePower": 4100, "vehicleSoc": 41.5, "mode": "pv"}
    more = {"phasesActive": 3, "phasesConfigured": 0, "chargedEnergy": 1234.5, "vehicleCapacity": 58}
    fixed = {**garage, "phasesActive": 1, "phasesConfigured": None}
    look = record.look_at({"homePower": 400, "loadpoints": [{**garage, **more}, fixed, garage]}, START)
    switching, one, old = look.loadpoints
    assert (switching.phases, switching.can_switch, switching.energy_kwh, switching.capacity_kwh) == (
        3,
        True,
        1.2345,
        58,
    )
    assert (one.phases, one.can_switch, old.phases, old.can_switch) == (1, False, None, None)
    record.write([look, look], tmp_path / "site.csv")
    assert record.read(tmp_path / "site.csv") == [look, look]


def test_an_older_recording_knows_less(tmp_path: Path) -> None:
    head = [*record.COLUMNS, *(f"lp1_{name}" for name in record.FIRST_COLUMNS)]
    row = "2026-06-15T08:00:00+00:00,400,0,-300,,,Garage,1,4100,41,pv"
    (tmp_path / "site.csv").write_text("\n".join([",".join(head), row, row]), encoding="utf-8")
    assert record.read(tmp_path / "site.csv")[0].loadpoints == (record.Loadpoint("Garage", True, 4100.0, 41.0, "pv"),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n", ":1: not a recording, expected time,home_w,pv_w,grid_w,battery_w,battery_soc_pct,lp1_title"),
        (",".join(record.COLUMNS) + "\n2026-06-15T08:00:00+00:00,1,2,3,4,x\n", ":2: "),
        (
            ",".join(record.COLUMNS) + "\n0001-01-01T00:00+23:59,1,2,3,4,5\n",
            ":2: 0001-01-01T00:00+23:59: the year 1 is not",
        ),
        (",".join(record.COLUMNS) + "\n", "at least two rows"),
    ],
)
def test_a_wrong_recording_names_its_line(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "site.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidScenario) as caught:
        record.read(file)
    assert words in str(caught.value)
