"""The page of the leaderboard, from given outcomes: tables, empty cells, and sentences that follow the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from evcc_sim.board.entrants import Entrant, entrants
from evcc_sim.board.figures import DAY_COST
from evcc_sim.board.pack import Group, World
from evcc_sim.board.page import Made, page
from evcc_sim.board.runs import Outcome

WORLD = World(name="yard", title="a yard", base="clear-day")
NAMES = ("classic", "evcc", "openwb")
SEEDS = range(1, 7)


def made(world: World = WORLD, names: Sequence[str] = NAMES) -> Made:
    return Made(
        command="evcc-sim leaderboard",
        groups=[Group(title="Yards", text="Some of them.", worlds=(world,))],
        entrants=entrants(names),
        seeds=SEEDS,
        versions={"evcclib": "1.2.3"},
    )


def outcome(name: str, seed: int, regret_eur: float, **figures: float | None) -> Outcome:
    usual = {
        "charged_kwh": 20.0,
        "bought_kwh": 1.0,
        "not_taken_kwh": 2.0,
        "contactor": 8,
        "phases": 4,
        "settling_s": 60.0,
    }
    counts = {"writes": 100, "limits": 0, "trips": 0}
    terms = {"bought_eur": 0.3, "not_taken_eur": 0.44, "contactor_eur": 0.016, "phases_eur": 0.04}
    return Outcome(
        world=WORLD.name,
        entrant=name,
        seed=seed,
        replay=f"evcc-sim run clear-day --seed {seed} --control {name}",
        figures={"regret_eur": regret_eur, "day_cost_eur": regret_eur + 0.25, **usual, **counts, **terms, **figures},
        best={"regret_eur": 0.0, "day_cost_eur": 0.25, "charged_kwh": 25.0, "contactor": 6, "phases": 2},
    )


def field(**regrets_eur: float) -> list[Outcome]:
    """Six seeds of each, which differ a little from one another."""
    return [outcome(name, seed, eur + seed / 50) for name, eur in regrets_eur.items() for seed in SEEDS]


def refused(name: str, why: str) -> list[Outcome]:
    return [
        replace(outcome(name, seed, 0.0), figures={}, best={}, refused=f"--control {name}: {why}") for seed in SEEDS
    ]


def section(text: str, heading: str = "### yard") -> str:
    after = text.partition(heading)[2]
    return heading + after.partition("\n## ")[0]


def test_the_section_of_a_world() -> None:
    text = page(made(), [*field(classic=0.40, evcc=0.60), *refused("openwb", "a yard is too much")])
    again = "`evcc-sim run clear-day --seed 1 --control {}`"
    same = "20.0 (20.0–20.0) | 1.00 (1.00–1.00) | 2.00 (2.00–2.00) | 8 (8–8) | 4 (4–4) | 60 | 100 | 0 | 0"
    assert section(text).splitlines() == [
        "### yard: a yard",
        "",
        "|  | runs | regret EUR | charged kWh | bought kWh | not taken kWh | contactor | phases | settling s | writes | limits "
        "| trips | again |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| *clairvoyant* | 6 | 0 | 25.0 (25.0–25.0) | – | – | 6 (6–6) | 2 (2–2) | – | – | – | – |  |",
        f"| classic | 6 | 0.47 (0.43–0.51) | {same} | {again.format('classic')} |",
        f"| evcc | 6 | 0.67 (0.63–0.71) | {same} | {again.format('evcc')} |",
        "| openwb | 0 | n/a | n/a | n/a | n/a | n/a | n/a | n/a | n/a | n/a | n/a | " + again.format("openwb") + " |",
        "",
        "*What this says.* **classic wins** with the least regret, 0.47 EUR a day; the next, evcc, has 0.67 EUR a day and was "
        "behind in 6 of 6 seeds. The best rival, evcc, is 0.20 EUR a day behind. With perfect foresight the day costs 0.25 EUR, "
        "with classic 0.72.",
        "",
        "* openwb n/a in 6 runs: a yard is too much",
    ]
    assert "**openwb**: no mode but charging by the sun" in text and "; cannot run `yard`" in text
    assert "| classic | **0.47** |" in text and "| openwb | n/a |" in text
    assert "0 of 18 runs failed, 6 were refused" in text
    assert "Versions: evcclib 1.2.3" in text and "bought x 0.30 + usable sun not taken x 0.22" in text


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        (field(classic=0.4, evcc=0.6), "**classic wins** with the least regret, 0.47 EUR a day"),
        (field(classic=0.6, evcc=0.4), "**evcc, a rival, wins** with the least regret, 0.47 EUR a day"),
        (field(classic=0.6, evcc=0.4), "The best law of our own, classic, is 0.20 EUR a day behind"),
        (
            field(classic=0.4, evcc=0.4),
            "**Nobody wins clearly**: classic is first with 0.47 EUR a day, but not surely before evcc",
        ),
        (field(classic=0.4, evcc=0.6)[::6], "**Too few seeds to say who wins**; classic is ahead"),
        (field(classic=0.4), "Only classic can be ranked here: 0.47 EUR a day."),
        (refused("openwb", "no"), "Nobody can be ranked here."),
    ],
)
def test_sentences_follow_the_figures(outcomes: list[Outcome], words: str) -> None:
    assert words in section(page(made(), outcomes))


def test_why_somebody_is_behind_is_told_by_the_terms_of_the_day_cost() -> None:
    behind = [outcome("evcc", seed, 0.6 + seed / 50, bought_eur=0.5, not_taken_eur=0.40) for seed in SEEDS]
    said = section(page(made(), [*field(classic=0.46), *behind]))
    assert "evcc, is 0.14 EUR a day behind: +0.20 for energy bought, -0.04 for sun not taken." in said


def test_who_exceeds_a_limit_is_not_ranked() -> None:
    reckless = [outcome("evcc", seed, 0.1, limits=2, trips=int(seed == 1)) for seed in SEEDS]
    text = page(made(), [*field(classic=0.4), *reckless])
    assert "evcc is not ranked: 12 limits exceeded, 1 trips in 6 runs. Only classic can be ranked here" in section(text)
    assert "| 12 | 1 | `evcc-sim" in section(text)
    assert "| evcc | 0.10 |" in text and "| classic | **0.47** |" in text


def test_rules_that_were_broken_and_runs_that_failed_are_told() -> None:
    outcomes = field(classic=0.4, evcc=0.6)
    outcomes[1] = replace(outcomes[1], broken={"sun_is_used": 2})
    outcomes[5] = replace(outcomes[5], figures={}, best={}, error="ValueError('x')")
    text = page(made(), outcomes)
    assert "On its way classic has broken sun_is_used." in section(text)
    assert "* classic has broken `sun_is_used` 2; first seed 2" in section(text)
    assert "| classic | 5 |" in section(text) and "* classic: 1 runs have [failed](#what-failed)" in section(text)
    assert "1 of 12 runs failed" in text
    assert (
        "* classic in `yard`, 1 runs: ValueError('x'); again: `evcc-sim run clear-day --seed 6 --control classic`"
        in text
    )


def test_without_a_bound_the_clairvoyant_says_why() -> None:
    world = replace(WORLD, decided_by=DAY_COST)
    shared = [replace(each, best={}, no_bound="the cars share the sun") for each in field(classic=0.4, evcc=0.6)]
    text = section(page(made(world), shared))
    assert "| *clairvoyant* |  | n/a | n/a |" in text and "* clairvoyant n/a: the cars share the sun" in text
    assert "**classic wins** with the least day cost, 0.72 EUR a day" in text and "foresight" not in text


def test_other_lawgivers_than_ours_have_no_words_about_what_is_left_out() -> None:
    own = Entrant(name="mine:factory", control="mine:factory")
    text = page(replace(made(), entrants=(own,)), field(**{"mine:factory": 0.4}))
    assert "**mine:factory**" not in text
