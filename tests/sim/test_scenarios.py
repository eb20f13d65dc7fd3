"""The library of scenarios: each is well-formed and none violates an invariant; the files say what is wrong with them."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from evcc_sim.judge.invariants import INVARIANTS
from evcc_sim.plants.battery import BatterySpec
from evcc_sim.plants.car import CarSpec, Visit
from evcc_sim.plants.household import HouseholdSpec
from evcc_sim.plants.meter import MeterSpec
from evcc_sim.plants.prices import PriceSpec, TariffSpec
from evcc_sim.plants.sunshine import PvSpec
from evcc_sim.plants.wallbox import WallboxSpec
from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds import scenario
from evcc_sim.worlds.actions import operator_limit_at, operator_spans, requests_of
from evcc_sim.worlds.allowed_values import ALLOWED, problems
from evcc_sim.worlds.generators import PACKS
from evcc_sim.worlds.scenario import InvalidScenario
from evcc_sim.worlds.site_config import site_config
from evcc_sim.worlds.variants import resolve

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


def fault(kind: str, more: str = "") -> str:
    """A fault at the grid meter at ten o'clock, unless ``more`` says otherwise."""
    device = "" if more.startswith("device") else "device = 'grid'\n"
    at = "" if more.startswith("at") else "at = '10:00'\n"
    return f"[[fault]]\nkind = '{kind}'\n{device}{at}{more}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("days = 'two'", "wrong.days: expected int"),
        ("colour = 1", "unknown key 'colour'"),
        (
            "[[charger]]\nloadpoint = { soc_target_pct = 80 }",
            "wrong.charger[0].loadpoint: unknown key 'soc_target_pct'",
        ),
        ("[[charger]]\nloadpoint = { soc_min_pct = 20 }", "wrong.charger[0].loadpoint: unknown key 'soc_min_pct'"),
        ("[site]\nbuffer_start_soc_pct = 90", "wrong.site: unknown key 'buffer_start_soc_pct'"),
        ("[site]\nlatitud = 3", "wrong.site: unknown key 'latitud'"),
        ("[[fault]]\nkind = 'melting'\ndevice = 'grid'\nat = '10:00'", "melting"),
        ("[[fault]]\nkind = 'silence'\ndevice = 'nobody'\nat = '10:00'", "unknown device 'nobody'"),
        (
            "[[car]]\nname = 'a'\nvisits = [{ charger = 'x', arrive = '10:00', depart = '11:00' }]",
            "unknown charger 'x'",
        ),
        ("[[car]]\nname = 'a'\n[[car]]\nname = 'a'", "must be unique"),
        ("days = ", "wrong: "),
        ("[[action]]\nat = '10:00'\nsetting = 'colour'\nvalue = 1", "unknown site setting 'colour'; known: "),
        ("[[action]]\nat = '10:00'\nloadpoint = 1\nsetting = 'mode'", "action[0].loadpoint: 1 is not allowed"),
        ("[[action]]\nat = '10:00'\nvehicle = 'x'\nsetting = 'soc_min_pct'", "there is no car 'x'"),
        (
            "[[car]]\ncapacity_kwh = -5",
            "wrong.car[0].capacity_kwh: -5.0 is not allowed, only more than 0, at most 100000",
        ),
        ("[[car]]\ncapacity_kwh = 0", "wrong.car[0].capacity_kwh: 0.0 is not allowed"),
        ("[[car]]\nsoc_pct = 140", "wrong.car[0].soc_pct: 140.0 is not allowed, only 0 to 100"),
        ("[[car]]\nsoc_pct = nan", "wrong.car[0].soc_pct: nan is not allowed"),
        ("[[car]]\nphases = 7", "wrong.car[0].phases: 7 is not allowed, only 1, 2 or 3"),
        ("[[car]]\ncurrent_min_a = 20", "wrong.car[0]: current_min_a 20 is above current_max_a 16"),
        ("[[car]]\nvisits = [{charger = 'x', arrive = '25:00', depart = '11:00'}]", "wrong.car[0].visits[0].arrive"),
        ("[site]\ninterval_s = 0", "wrong.site.interval_s: 0.0 is not allowed, only 1 to 3600"),
        ("[site]\ntime_zone = 'Mars/Olympus'", "wrong.site.time_zone: 'Mars/Olympus' is no time zone"),
        ("[site]\nstart = 9999-12-31", "wrong.site.start: 9999-12-31 is not allowed, only 1980 to 2100"),
        ("[[pv]]\npeak_w = -3", "wrong.pv[0].peak_w: -3.0 is not allowed"),
        ("[[pv]]\nsteps = [['10:00', 5.0], ['11:00', -1.0]]", "wrong.pv[0].steps[1][1]: -1.0 is not allowed"),
        (
            "[[pv]]\nprofile = 'sungrow'",
            "wrong.pv[0].profile: there is no device 'sungrow', but for example sungrow-sh",
        ),
        ("[[pv]]\nprofile = 'keba-p30'", "wrong.pv[0].profile: 'keba-p30' cannot be a pv, only charger"),
        ("[[charger]]\nbox = { profile = 'e3dc' }", "'e3dc' cannot be a charger, only battery, grid, pv"),
        ("[[charger]]\nbox = { phase_rotation = [1, 1, 3] }", "[1, 1, 3] is not 1, 2 and 3 in some order"),
        ("[[charger]]\nloadpoint = { mode = 'fast' }", "mode: 'fast' is not allowed, only off, now, minpv or pv"),
        ("[[charger]]\nloadpoint = { vehicle = 'x' }", "charger[0].loadpoint.vehicle: there is no car 'x'"),
        ("[[charger]]\nloadpoint = { circuit = 'x' }", "charger[0].loadpoint.circuit: there is no circuit 'x'"),
        ("[[charger]]\nrepeat = -1", "wrong.charger.repeat: -1 is not allowed, only 1 to 1000"),
        ("[[circuit]]\nname = 'a'\nparent = 'b'", "wrong.circuit[0].parent: there is no circuit 'b'"),
        ("[[circuit]]\nname = 'a'\nparent = 'a'", "wrong.circuit[0].parent: 'a' is below itself"),
        ("[[circuit]]\nname = 'grid'", "must be unique, 'grid' is not"),
        ("[[battery]]\nsoc_min_pct = 60\nsoc_max_pct = 50", "soc_min_pct 60 is above soc_max_pct 50"),
        ("[household]\nsplit = [1, 1, 1]", "wrong.household.split: (1.0, 1.0, 1.0) must add up to 1"),
        ("[[fault]]\nkind = 'silence'\ndevice = 'grid'\nat = '10:00'\nlasts = -5", "expected a length of time from 0"),
        (
            fault("read_back_lag", "params = { lag_s = -3 }"),
            "fault[0].params.lag_s: -3.0 is not allowed, only 0 to 86400",
        ),
        (fault("read_back_lag", "params = { lag = 3 }"), "fault[0].params: unknown 'lag'; read_back_lag knows lag_s"),
        (fault("read_back_lag", "params = { lag_s = 'x' }"), "fault[0].params.lag_s: expected float, got 'x'"),
        (fault("read_back_lag", "params = { lag_s = nan }"), "fault[0].params.lag_s: nan is not allowed"),
        (fault("silence", "params = { rate = 1 }"), "fault[0].params: unknown 'rate'; silence knows none"),
        (fault("loss", "params = { delay_s = 1 }"), "unknown 'delay_s'; loss knows rate, writes_only"),
        (fault("loss", "params = { rate = 1.5 }"), "fault[0].params.rate: 1.5 is not allowed, only 0 to 1"),
        (
            fault("exception", "params = { code = 0 }"),
            "params.code: 0.0 is not allowed, only 1, 2, 3, 4, 5, 6, 8, 10 or 11",
        ),
        (fault("lying", "params = { offset_pct = 5 }"), "unknown 'offset_pct'; lying knows factor, offset_w"),
        (fault("silence", "at = '10:00+02:00'"), "without a time zone"),
        (fault("restart"), "fault[0].device: restart is a fault of the device 'site' alone, got 'grid'"),
        (fault("silence", "device = 'site'"), "fault[0].device: silence is a fault of no device 'site', got 'site'"),
        ("hours = 0", "wrong.hours: 0.0 is not allowed, only more than 0"),
    ],
)
def test_a_wrong_file_names_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(InvalidScenario, match="wrong") as caught:
        scenario.parse(text, name="wrong")
    assert words in str(caught.value)


def test_every_number_of_the_format_has_its_range() -> None:
    found = {f"{spec.__name__}.{item.name}": item.type for spec in SPECIFICATIONS for item in fields(spec)}
    numbers = {key for key, kind in found.items() if re.search(r"\b(int|float)\b", str(kind))}
    assert numbers - set(ALLOWED) == {"FaultSpec.params", "ActionSpec.value"}  # the kind of fault, evcclib say which
    assert set(ALLOWED) - set(found) == set()


SPECIFICATIONS = (
    scenario.Scenario, scenario.SiteSpec, scenario.GridMeterSpec, scenario.LoadpointSpec, scenario.ChargerSpec,
    scenario.CircuitSpec, scenario.WeatherSpec, scenario.FaultSpec, scenario.ActionSpec, BatterySpec, CarSpec, Visit,
    HouseholdSpec, MeterSpec, PvSpec, PriceSpec, TariffSpec, WallboxSpec,
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(PACKS))
def test_generated_worlds_are_possible(name: str) -> None:
    for seed in range(20):
        spec = PACKS[name].draw(seed)
        assert list(problems(spec, spec.name)) == []


def test_an_action_whose_value_is_none_says_so() -> None:
    spec = scenario.parse(
        "[[charger]]\n[[action]]\nat = '10:00'\nloadpoint = 0\nsetting = 'mode'\nvalue = 'x'", name="wrong"
    )
    with pytest.raises(InvalidScenario, match="wrong: action sets mode to 'x'"):
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
