"""A recording is lived through again: what it tells is taken, what it does not is assumed and told."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import pi, sin
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcc_sim.commands import cli, record
from evcc_sim.commands.record import Loadpoint, Row
from evcc_sim.commands.replayed import Replayed, replayed
from evcc_sim.runs.inprocess import simulate
from evcc_sim.runs.result import RunResult
from evcc_sim.worlds.scenario import InvalidScenario

START = datetime(2026, 6, 15, 8, 0, tzinfo=UTC)
START_S = 10 * 3600.0
"""The same by the clock of Berlin."""
GARAGE = Loadpoint("Garage", True, 0.0, 41.0, "pv")


def look(second: float, *loadpoints: Loadpoint, **values: float | None) -> Row:
    known: dict[str, Any] = {
        "home_w": 400.0,
        "pv_w": 5000.0,
        "grid_w": None,
        "battery_w": None,
        "battery_soc_pct": None,
        **values,
    }
    return Row(time=START + timedelta(seconds=second), loadpoints=loadpoints, **known)


def looks(*seen: Loadpoint, apart_s: float = 600.0) -> list[Row]:
    """One after the other."""
    return [look(number * apart_s, each) for number, each in enumerate(seen)]


def points(series: Sequence[tuple[float, ...]]) -> list[tuple[float, ...]]:
    return [(second - START_S, *watts) for second, *watts in series]


# -- sun and household --------------------------------------------------------------------------------------------------


def test_what_stays_is_two_points_and_what_is_unknown_is_none() -> None:
    home = [400.0, 400.0, 400.0, None, 500.0, 500.0]
    found = [look(10.0 * number, home_w=home_w, pv_w=-3.0) for number, home_w in enumerate(home)]
    world = replayed(found, name="site").scenario
    assert points(world.household.series) == [(0, 400), (20, 400), (40, 500), (50, 500)]
    assert points(world.pv[0].series) == [(0, 0), (50, 0)]
    assert world.household.is_smooth and world.pv[0].is_smooth
    with pytest.raises(InvalidScenario, match="the home power is not known in any row"):
        replayed([look(0, home_w=None), look(10, home_w=None)], name="site")


def test_over_a_gap_all_goes_on_as_it_was() -> None:
    found = [look(second, home_w=watts) for second, watts in ((0, 400.0), (10, 500.0), (20, 600.0), (90, 800.0))]
    world = replayed(found, name="site").scenario
    assert points(world.household.series) == [(0, 400), (10, 500), (20, 600), (89, 600), (90, 800)]
    assert points(world.pv[0].series) == [(0, 5000), (90, 5000)]


def bought_kwh(begin_s: float) -> float:
    """By a replay of a smooth sun, looked at every ten seconds from then on."""
    suns_w = [5500.0 * (0.8 + 0.2 * sin(2 * pi * (begin_s + 10 * number) / 300)) for number in range(540)]
    found = [look(begin_s + 10.0 * number, GARAGE, pv_w=watts) for number, watts in enumerate(suns_w)]
    return simulate(replayed(found, name="site").scenario).summary.import_in_pv_mode_kwh


def test_the_second_of_the_look_does_not_matter() -> None:
    kwh = [bought_kwh(begin_s) for begin_s in (0, 3, 6, 9)]
    assert min(kwh) > 0.1 and max(kwh) < 1.03 * min(kwh)


@pytest.mark.day
def test_a_replay_has_the_recorded_sun_and_charges_anew(tmp_path: Path) -> None:
    found = [
        look(60.0 * minute, GARAGE._replace(connected=minute >= 60), pv_w=3000.0 + 1000.0 * (minute // 30))
        for minute in range(180)
    ]
    record.write(found, tmp_path / "site.csv")
    result = simulate(replayed(record.read(tmp_path / "site.csv"), name="site").scenario)
    assert result.ok
    trace = result.trace
    at_eleven = next(i for i in trace.instants if i.second >= 11.2 * 3600)
    assert at_eleven.pv_w == 5000.0 and at_eleven.household_w == 400.0
    assert [i.loadpoints[0].car for i in trace.instants][-1] == "car1-1"
    assert result.summary.charged_kwh > 5


# -- stations and cars --------------------------------------------------------------------------------------------------


def station(*seen: Loadpoint) -> tuple[int, bool, float, int, bool]:
    """Wired phases, whether they can be switched, the largest current, the car's phases, whether something was assumed."""
    world = replayed(looks(*seen, *seen[-1:]), name="site")
    box, car = world.scenario.charger[0].box, world.scenario.car[0]
    is_assumed = any("phases" in text for text in world.assumed)
    assert car.current_max_a == box.current_max_a == world.scenario.charger[0].loadpoint.current_max_a
    return box.phases, box.can_switch_phases, box.current_max_a, car.phases, is_assumed


@pytest.mark.parametrize(
    ("powers_w", "phases", "can_switch", "expected"),
    [
        ([0, 0], [0, 0], None, (3, False, 16, 3, True)),  # nothing seen
        ([4200, 6000], [3, 3], None, (3, False, 16, 3, True)),
        ([4200, 6000], [3, 3], False, (3, False, 16, 3, False)),
        ([2000, 6000], [1, 3], None, (3, True, 16, 3, False)),
        ([2000, 6000], [None, None], None, (3, True, 16, 3, False)),  # by the powers alone
        ([2000, 3600], [None, None], None, (1, False, 16, 1, True)),
        ([2000, 3600], [1, 1], False, (1, False, 16, 1, False)),
        ([2000, 3600], [1, 1], True, (3, True, 16, 3, False)),
        ([5000, 7300], [2, 2], False, (3, False, 16, 2, False)),
        ([5000, 7300], [1, 1], False, (1, False, 32, 1, False)),
        ([5000, 22000], [3, 3], False, (3, False, 32, 3, False)),
    ],
)
def test_a_station_is_what_was_seen_of_it(
    powers_w: list[float], phases: list[float | None], can_switch: bool | None, expected: object
) -> None:
    seen = [
        GARAGE._replace(charge_w=float(watts), phases=number, can_switch=can_switch)
        for watts, number in zip(powers_w, phases, strict=True)
    ]
    assert station(*seen) == expected


def car_of(*seen: Loadpoint, changes: Sequence[str] = ()) -> tuple[float, float | None, bool, str]:
    """Capacity, SoC on arrival, whether its SoC can be asked for, and what was assumed of it."""
    world = replayed(looks(*seen), name="site", changes=changes)
    car = world.scenario.car[0]
    return (
        car.capacity_kwh,
        car.visits[0].soc_pct,
        car.has_api,
        " ".join(text for text in world.assumed if "car1-1" in text),
    )


def test_a_car_is_what_was_seen_of_it() -> None:
    unknown = GARAGE._replace(soc_pct=None)
    capacity, soc = (
        "car1-1 holds 60 kWh (--set car.0.capacity_kwh=...)",
        "car1-1 arrives with 50 % (--set car.0.visits.0.soc_pct=...)",
    )
    assert car_of(unknown, unknown) == (60, 50, False, f"{capacity} {soc}")
    assert car_of(GARAGE, GARAGE) == (60, 41, True, capacity)
    told = GARAGE._replace(capacity_kwh=77.0)
    assert car_of(told, told) == (77, 41, True, "")
    charged = (GARAGE._replace(energy_kwh=2.0), GARAGE._replace(energy_kwh=12.0, soc_pct=61.0))
    assert car_of(*charged) == (45, 41, True, "")
    by_power = (GARAGE._replace(charge_w=11_000.0), GARAGE._replace(charge_w=11_000.0, soc_pct=61.0))
    assert car_of(*by_power)[0] == pytest.approx(11 * 660 / 3600 * 0.9 / 0.2, abs=0.1)
    much = (unknown._replace(energy_kwh=0.0), unknown._replace(energy_kwh=50.0))
    assert car_of(*much)[0] == 90  # else it would not have gone in


def test_what_the_owner_says_is_not_assumed() -> None:
    unknown = GARAGE._replace(soc_pct=None)
    for change in ("car.0.visits.0.soc_pct=30", "car.*.visits.*.soc_pct=30"):
        said = car_of(unknown, unknown, changes=["car.0.capacity_kwh=40", change])
        assert said == (40, 30, False, "")
    with pytest.raises(InvalidScenario, match=r"there are entries 0\.\.0, not '7'"):
        car_of(unknown, unknown, changes=["car.7.capacity_kwh=40"])


def test_modes_change_when_they_did() -> None:
    world = replayed(looks(GARAGE, GARAGE._replace(mode="now"), GARAGE._replace(mode="now")), name="site").scenario
    assert world.charger[0].loadpoint.mode.value == "pv"
    assert [(each.at.isoformat(), each.day, each.value) for each in world.action] == [("10:10:00", 0, "now")]


def test_a_car_that_stays_for_days_stays() -> None:
    away = GARAGE._replace(connected=False)
    found = looks(away, *[GARAGE] * 70, away, away, apart_s=3600.0)
    world = replayed(found, name="site").scenario
    trace = simulate(world).trace
    is_there = [(each.second - START_S, bool(each.loadpoints[0].car)) for each in trace.instants]
    begin_s = next(second for second, is_so in is_there if is_so)
    without = [second for second, is_so in is_there if second > begin_s and not is_so]
    assert begin_s == pytest.approx(3600, abs=10)
    changes_s = {25 * 3600, 49 * 3600}  # of visits, which last a day
    assert {round(second) for second in without if second < 71 * 3600 - 10} <= changes_s
    assert next(second for second in without if round(second) not in changes_s) == pytest.approx(71 * 3600, abs=10)


LOADPOINTS = st.builds(
    Loadpoint,
    st.just("bay"),
    st.booleans(),
    st.none() | st.floats(-100, 25_000),
    st.none() | st.floats(0, 100),
    st.sampled_from(record.MODES),
    st.sampled_from([None, 0.0, 1.0, 2.0, 3.0]),
    st.none() | st.booleans(),
    st.none() | st.floats(0, 100),
    st.none() | st.floats(0, 200),
)


@given(
    seen=st.lists(st.tuples(LOADPOINTS, LOADPOINTS), min_size=2, max_size=12),
    apart_s=st.sampled_from([1.0, 10.0, 3600.0, 40_000.0]),
    watts=st.floats(-100, 20_000),
)
def test_whatever_was_seen_is_a_world(seen: list[tuple[Loadpoint, Loadpoint]], apart_s: float, watts: float) -> None:
    found = [look(number * apart_s, *each, pv_w=watts, battery_w=watts) for number, each in enumerate(seen)]
    world: Replayed = replayed(found, name="site")
    assert len(world.scenario.charger) == 2 and world.apart_s == apart_s
    stays = sum(
        each[place].connected and (number == 0 or not seen[number - 1][place].connected)
        for number, each in enumerate(seen)
        for place in (0, 1)
    )
    assert len(world.scenario.car) == stays


# -- the command --------------------------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> str:
    unknown = GARAGE._replace(soc_pct=None)
    record.write([replace(each, pv_w=5000.0) for each in looks(*[unknown] * 60, apart_s=30.0)], tmp_path / "site.csv")
    return str(tmp_path / "site.csv")


@pytest.mark.parametrize("more", [[], ["--control", "evcc"], ["--law", "classic", "--set", "car.0.phases=1"]])
def test_what_a_replay_prints_replays_it(more: list[str], site: str, again: Callable[[str], RunResult]) -> None:
    first = again(shlex.join(["evcc-sim", "replay", site, "--time-zone", "Europe/Lisbon", *more]))
    assert shlex.join(more[2:]) in first.replay and (not more or more[1] in first.replay)
    second = again(first.replay)
    assert second.trace.scenario == first.trace.scenario and second.digest() == first.digest()


def test_the_numbers_with_what_was_seen_assumed_and_hidden(site: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["replay", site, "--json", "--set", "car.0.capacity_kwh=40"]) == cli.OK
    told = json.loads(capsys.readouterr().out)
    assert told["charged_kwh"] > 1 and told["violations"] == [] and told["seen"] == []
    assert "car1-1 arrives with 50 % (--set car.0.visits.0.soc_pct=...)" in told["assumed"]
    assert not any("capacity" in text for text in told["assumed"])
    assert "30 s apart" in told["hidden"][0]
    assert cli.main(["replay", site]) == cli.OK
    assert "assumed: car1-1 holds 60 kWh (--set car.0.capacity_kwh=...)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("car.0.capacity=40", "site.car[0]: unknown key 'capacity'"),
        ("car.0.capacity_kwh=-1", "site.car[0].capacity_kwh: -1.0 is not allowed, only more than 0"),
        ("nonsense", "'nonsense': expected key.path=value"),
    ],
)
def test_a_wrong_change_is_one_line(change: str, words: str, site: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["replay", site, "--set", change]) == cli.WRONG_USE
    assert words in capsys.readouterr().err
