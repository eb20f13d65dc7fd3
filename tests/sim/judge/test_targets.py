"""Targets are kept, and what the judge must notice (row 26 of docs/scenarios.md)."""

from __future__ import annotations

from typing import Any

import pytest

from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds.variants import resolve
from evcclib.pipeline import goals


def test_the_judge_notices_a_car_that_is_charged_past_its_target(monkeypatch: pytest.MonkeyPatch) -> None:
    world = resolve("unknown-soc", changes=["charger.0.loadpoint.mode=minpv", "action.1.value=60", "hours=19"])
    assert simulate(world).violations == ()

    def never(**_known: Any) -> bool:
        return False

    monkeypatch.setattr(goals, "is_soc_goal_reached", never)
    assert "targets_are_kept" in {each.invariant for each in simulate(world).violations}
