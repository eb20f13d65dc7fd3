"""Inverters that hold sun back: what our control finds of it, and what the judge must notice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from evcc_sim.runs.inprocess import simulate
from evcc_sim.runs.result import RunResult
from evcc_sim.worlds.scenario import Scenario
from evcc_sim.worlds.variants import resolve
from evcclib.machines import hidden_sun


def world(*changes: str, law: str = "adaptive", is_told: bool = True) -> Scenario:
    told = f"site.has_zero_feed_in={'true' if is_told else 'false'}"
    return resolve("curtailed-sun", changes=[f"site.law={law}", told, *changes])


def found(result: RunResult) -> set[str]:
    return {each.invariant for each in result.violations}


@pytest.mark.rule("SITE-25")
@pytest.mark.day
@pytest.mark.parametrize("law", ["classic", "adaptive"])
@pytest.mark.parametrize("switches", ["true", "false"])
def test_nearly_all_the_sun_of_a_clear_day_is_found(law: str, switches: str) -> None:
    clear = world("weather.sky=clear", f"charger.0.box.can_switch_phases={switches}", law=law)
    seen = replace(
        clear,
        pv=tuple(replace(each, zero_feed_in=False) for each in clear.pv),
        site=replace(clear.site, has_zero_feed_in=False),
    )
    hidden, in_sight = simulate(clear, 2), simulate(seen, 2)
    assert hidden.violations == ()
    assert hidden.summary.charged_kwh > 0.85 * in_sight.summary.charged_kwh


def test_who_is_not_told_finds_none() -> None:
    assert simulate(world("hours=13", is_told=False), 2).summary.charged_kwh < 0.1


@pytest.mark.day
@pytest.mark.parametrize("law", ["classic", "adaptive"])
@pytest.mark.parametrize("sky", ["clear", "cumulus", "april", "overcast"])
def test_no_invariant_is_violated_under(sky: str, law: str) -> None:
    for switches in ("true", "false"):
        changes = (f"weather.sky={sky}", f"charger.0.box.can_switch_phases={switches}", "site.residual_power_w=100")
        assert simulate(world(*changes, law=law), 3).violations == ()


def test_the_judge_notices_sun_that_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hidden_sun, "STEP_MAX_W", 0.0)
    monkeypatch.setattr(hidden_sun, "TRICKLE_W", 0.0)
    assert "hidden_sun_is_found" in found(simulate(world("weather.sky=clear", "hours=14"), 2))


def test_the_judge_notices_starts_without_end_under_a_dark_sky(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hidden_sun, "START_WAIT", timedelta(0))
    monkeypatch.setattr(hidden_sun, "BOUGHT_MAX_WH", 1e9)
    dark = world("weather.sky=overcast", "charger.0.box.can_switch_phases=false", "pv.0.peak_w=2000", "hours=13")
    assert "probing_buys_little" in found(simulate(dark, 2))
    monkeypatch.undo()
    assert simulate(dark, 2).violations == ()


def test_what_a_cloud_makes_a_car_buy_is_not_bought_by_looking() -> None:
    result = simulate(world("weather.sky=april", "hours=14"), 2)
    assert result.summary.import_in_pv_mode_kwh > 0.3
    assert result.violations == ()
