"""Phases change as often as the adaptive law has promised at most, whatever the sun does (row 1 of docs/scenarios.md)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds.scenario import Scenario
from evcc_sim.worlds.variants import resolve
from evcclib.laws import adaptive


def quarter_hours(law: str = "adaptive") -> Scenario:
    """Sun for three phases, then for one, for seven and a half minutes each."""
    gap = resolve("@clouds_at_phase_gap", seed=1)
    return replace(
        gap,
        hours=13,
        site=replace(gap.site, law=law),
        pv=(replace(gap.pv[0], wave=(1700.0, 9000.0, 900.0)),),
        allowed=(),
    )


@pytest.mark.day
def test_relay_is_spared_under_a_sun_that_would_move_it_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rationed = simulate(quarter_hours())
    assert "phase_changes_are_rationed" not in {each.invariant for each in rationed.violations}
    monkeypatch.setattr(adaptive, "RELAY_GUARD", timedelta(0))
    free = simulate(quarter_hours())
    assert "phase_changes_are_rationed" in {each.invariant for each in free.violations}
    assert sum(free.trace.phase_switches) > sum(rationed.trace.phase_switches)
