"""Regret: of each stay, added up, where every report says it, and never a number where the bound does not apply."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import time
from pathlib import Path

import pytest

from evcc_sim.bound.cost import Weights, scored
from evcc_sim.bound.one_car import least_cost
from evcc_sim.bound.regret import regret
from evcc_sim.bound.stay import stays
from evcc_sim.commands import cli
from evcc_sim.judge.trace import Trace
from evcc_sim.plants.car import Visit
from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds.variants import resolve

FIGURES = ("day_cost_eur", "least_cost_eur", "regret_eur")


@pytest.fixture(scope="module")
def visited() -> Trace:
    """A day with two stays, under sun and clouds."""
    world = resolve("april-clouds,hours=15")
    visits = tuple(
        Visit(charger=world.charger[0].box.name, arrive=time(hour), depart=time(hour + 2), soc_pct=30)
        for hour in (9, 12)
    )
    return simulate(world.with_changes(car=(replace(world.car[0], visits=visits),)), 1).trace


def test_it_is_the_day_cost_less_what_was_possible_in_each_stay(visited: Trace) -> None:
    there, weights = stays(visited), Weights(bought_per_kwh=0.5)
    assert len(there) == 2
    for found, by in ((regret(visited), Weights()), (regret(visited, weights), weights)):
        assert found.day_cost_eur == pytest.approx(scored(visited).eur(by))
        assert found.least_cost_eur == pytest.approx(sum(least_cost(stay, by).least for stay in there))
        assert found.regret_eur == pytest.approx(scored(visited).eur(by) - sum(least_cost(s, by).least for s in there))
        assert found.regret_eur is not None and found.regret_eur > 0
        assert found.done == scored(visited)
        assert found.best is not None and found.best.eur(by) == pytest.approx(found.least_cost_eur)
        assert found.missing == ""


def test_cars_that_share_the_sun_have_none() -> None:
    found = regret(simulate(resolve("two-cars-one-roof,hours=12"), 1).trace)
    assert found.missing == "the cars at stations 1 and 2 share the sun, and the bound is for one car at a time"
    assert set(found.as_dict().values()) == {None}


def test_cars_that_come_one_after_the_other_are_added_up() -> None:
    world = resolve("two-cars-one-roof,hours=12")
    alone = tuple(
        replace(car, visits=(replace(car.visits[0], arrive=time(hour), depart=time(hour + 1)),))
        for car, hour in zip(world.car, (9, 11), strict=True)
    )
    trace = simulate(world.with_changes(car=alone), 1).trace
    assert {stay.loadpoint for stay in stays(trace)} == {0, 1}
    done = sum(scored(trace, loadpoint).eur(Weights()) for loadpoint in (0, 1))
    assert regret(trace).day_cost_eur == pytest.approx(done)


@pytest.mark.day
def test_every_report_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world, page = ["april-clouds", "--set", "hours=11"], tmp_path / "day.html"
    cli.main(["run", *world, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["regret_eur"] == pytest.approx(told["day_cost_eur"] - told["least_cost_eur"])
    assert told["regret_missing"] == "" and told["least_cost_eur"] > 0
    words = f"{told['regret_eur']:.3f} EUR"
    cli.main(["run", *world, "--html", str(page)])
    assert words in capsys.readouterr().out
    assert words in page.read_text("utf-8")
    cli.main(["compare", "april-clouds,hours=11", "--seeds", "1", "--workers", "1"])
    assert words in capsys.readouterr().out
    outcomes = tmp_path / "all.json"
    few = ["sweep", "april-clouds,hours=11", "--seeds", "1", "--workers", "1", "--json", str(outcomes)]
    cli.main(few)
    assert json.loads(outcomes.read_text("utf-8"))[0]["regret"] is None and "regret" not in capsys.readouterr().out
    cli.main([*few, "--regret"])
    (outcome,) = json.loads(outcomes.read_text("utf-8"))
    assert [outcome["regret"][name] for name in FIGURES] == [told[name] for name in FIGURES]
    assert "regret EUR" in capsys.readouterr().out


@pytest.mark.day
def test_every_report_says_why_there_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "day.html"
    cli.main(["run", "two-cars-one-roof", "--set", "hours=10.5", "--html", str(page)])
    printed = capsys.readouterr().out
    for text in (printed, page.read_text("utf-8")):
        assert "n/a" in text and "No regret: the cars at stations 1 and 2 share the sun" in text
    cli.main(["run", "two-cars-one-roof", "--set", "hours=10.5", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert [told[name] for name in FIGURES] == [None, None, None] and "share the sun" in told["regret_missing"]
    worlds = ["sweep", "two-cars-one-roof,hours=10.5", "april-clouds,hours=10"]
    cli.main([*worlds, "--seeds", "1", "--workers", "1", "--regret"])
    assert "no regret in 1 of 2 runs: the cars at stations 1 and 2 share the sun" in capsys.readouterr().out
