"""The library of scenarios: each is well-formed and none violates an invariant; the files say what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from evcc_sim import scenario
from evcc_sim.actions import operator_limit_at, operator_spans, requests_of
from evcc_sim.inprocess import simulate
from evcc_sim.invariants import INVARIANTS
from evcc_sim.scenario import InvalidScenario
from evcc_sim.site_config import site_config
from evcc_sim.variants import resolve

DOCS = Path(__file__).parents[2] / "docs" / "scenarios.md"


@pytest.mark.day
@pytest.mark.parametrize("name", [name for name in scenario.names() if name != "hundred-chargers"])
def test_no_invariant_is_violated_in(name: str) -> None:
    result = simulate(resolve(name, changes=["hours=32"] if scenario.load(name).days > 2 else []))
    assert result.violations == (), result.replay


@pytest.mark.day
def test_no_invariant_is_violated_with_a_hundred_stations() -> None:
    result = simulate(resolve("hundred-chargers", changes=["hours=0.25"]))
    assert result.violations == ()
    assert result.summary.charged_kwh > 20


def test_there_are_more_than_twenty_and_all_are_described() -> None:
    names = scenario.names()
    assert len(names) > 20
    text = DOCS.read_text(encoding="utf-8")
    for name in names:
        spec = scenario.load(name)
        assert spec.title and spec.description and spec.rows, name
        assert set(spec.allowed) <= set(INVARIANTS), name
        assert f"`{name}`" in text, f"{name} is missing in docs/scenarios.md"


def test_every_row_of_field_problems_is_covered_or_said_to_be_open() -> None:
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    rows = {int(line.split("|")[1]) for line in lines if line.startswith("| ") and line.split("|")[1].strip().isdigit()}
    assert rows == set(range(1, 41))


def test_configurations_follow_from_scenarios() -> None:
    for name in scenario.names():
        spec = scenario.load(name)
        config = site_config(spec)
        assert len(config.loadpoints) == len(spec.charger)
        assert [vehicle.name for vehicle in config.vehicles] == sorted(vehicle.name for vehicle in config.vehicles)
        requests_of(spec, spec.days)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("days = 'two'", "wrong.days: expected int"),
        ("colour = 1", "unknown key 'colour'"),
        ("[site]\nlatitud = 3", "wrong.site: unknown key 'latitud'"),
        ("[[fault]]\nkind = 'melting'\ndevice = 'grid'\nat = '10:00'", "melting"),
        ("[[fault]]\nkind = 'silence'\ndevice = 'nobody'\nat = '10:00'", "unknown device 'nobody'"),
        (
            "[[car]]\nname = 'a'\nvisits = [{ charger = 'x', arrive = '10:00', depart = '11:00' }]",
            "unknown charger 'x'",
        ),
        ("[[car]]\nname = 'a'\n[[car]]\nname = 'a'", "must be unique"),
        ("days = ", "wrong: "),
    ],
)
def test_a_wrong_file_names_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(InvalidScenario, match="wrong") as caught:
        scenario.parse(text, name="wrong")
    assert words in str(caught.value)


def test_an_unknown_setting_of_an_action_is_an_error() -> None:
    spec = scenario.parse("[[action]]\nat = '10:00'\nloadpoint = 0\nsetting = 'colour'\nvalue = 1", name="wrong")
    with pytest.raises(InvalidScenario, match="unknown loadpoint setting 'colour'"):
        requests_of(spec, 1)


def test_repeated_stations_are_numbered() -> None:
    spec = scenario.load("hundred-chargers")
    assert [charger.box.name for charger in spec.charger][::33] == ["bay1", "bay34", "bay67", "bay100"]


def test_variants_change_single_values() -> None:
    spec = resolve("clear-day,site.interval_s=30,charger.*.loadpoint.mode=minpv,pv.0.peak_w=5000")
    assert (spec.site.interval_s, spec.charger[0].loadpoint.mode, spec.pv[0].peak_w) == (30.0, "minpv", 5000.0)
    for wrong in ("clear-day,pv.7.peak_w=1", "clear-day,site", "clear-day,title.x=1", "no-such-day"):
        with pytest.raises(InvalidScenario):
            resolve(wrong)


def test_a_lost_operator_limit_expires_but_is_never_withdrawn() -> None:
    spans = operator_spans(scenario.load("operator-limit"), 1)
    first, lost = spans
    assert operator_limit_at(spans, first.start_s + 10) is not None
    assert operator_limit_at(spans, first.end_s + 10) is None
    late = operator_limit_at(spans, lost.expires_s + 3600)
    assert late is not None and late.expires_at.total_seconds() == lost.expires_s
