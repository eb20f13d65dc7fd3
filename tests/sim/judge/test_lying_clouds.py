"""A maker's cloud that lies for a while ends no charge (row 25 of docs/scenarios.md)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from evcc_sim.plants.sunshine import PvSpec
from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds.scenario import Scenario
from evcc_sim.worlds.variants import resolve
from evcclib.machines import soc


def lied_to(law: str) -> Scenario:
    """``unknown-soc`` under a steady sun: 18 % too much at 11:00, for twenty minutes."""
    world = resolve("unknown-soc", changes=[f"site.law={law}", "hours=12"])
    return replace(world, pv=(PvSpec(name="roof", constant_w=5500.0),))


@pytest.mark.rule("EST-10")
@pytest.mark.parametrize("law", ["classic", "adaptive"])
def test_charge_goes_on_while_the_cloud_lies(law: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert simulate(lied_to(law)).violations == ()
    monkeypatch.setattr(soc, "BELIEVED_AFTER", timedelta(0))
    assert "short_lies_end_no_charge" in {each.invariant for each in simulate(lied_to(law)).violations}


@pytest.mark.rule("EST-10")
def test_car_is_full_at_the_end_of_a_day_of_lies() -> None:
    trace = simulate(resolve("unknown-soc")).trace
    assert max(each.loadpoints[0].soc_pct for each in trace.instants if each.loadpoints[0].car) == pytest.approx(
        85, abs=1
    )
