"""Goals, from numbers alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from evcclib.laws.demand import (
    Demand,
    awaits_soc,
    because,
    energy_goal_remaining_kwh,
    is_below_min_soc,
    is_cheap,
    is_soc_goal_reached,
    is_worth_selling,
)
from evcclib.reasons import ReasonCode
from evcclib.units import Instant

S: Any = timedelta(seconds=1)


@pytest.mark.rule("GOAL-3", "DEF-44")
@pytest.mark.parametrize(
    ("soc", "target", "reached"),
    [(80, 80, True), (79.9, 80, False), (100, 100, False), (90, 0, False), (None, 80, False), (0, 80, False)],
)
def test_soc_goal(soc: float | None, target: int, reached: bool) -> None:
    assert is_soc_goal_reached(soc_pct=soc, soc_target_pct=target) is reached


@pytest.mark.rule("GOAL-1", "GOAL-2")
def test_energy_goal_counts_for_guests_and_offline_vehicles() -> None:
    assert energy_goal_remaining_kwh(energy_target_kwh=10, energy_kwh=4, counts=True) == 6
    assert energy_goal_remaining_kwh(energy_target_kwh=10, energy_kwh=11, counts=True) == -1
    assert energy_goal_remaining_kwh(energy_target_kwh=10, energy_kwh=4, counts=False) is None
    assert energy_goal_remaining_kwh(energy_target_kwh=0, energy_kwh=4, counts=True) is None


def below(
    minimum: int, soc: float | None, *, energy: float = 0.0, awaited: bool = False, capacity: float = 54.0
) -> bool:
    return is_below_min_soc(
        soc_min_pct=minimum,
        soc_pct=soc,
        capacity_kwh=capacity,
        energy_kwh=energy,
        efficiency=0.9,
        is_soc_awaited=awaited,
    )


@pytest.mark.rule("GOAL-4")
def test_min_soc_with_a_known_soc() -> None:
    assert below(20, 19.9)
    assert not below(20, 20)
    assert not below(0, 10)
    assert below(20, 0.0)


@pytest.mark.rule("GOAL-4", "DEF-1")
def test_min_soc_without_a_soc_is_energy_in_kwh_and_waits_for_an_answer() -> None:
    assert below(20, None, energy=11.99)
    assert not below(20, None, energy=12.0)
    assert not below(20, None, awaited=True)
    assert not below(20, None, capacity=0.0)


@pytest.mark.rule("DEF-1")
def test_answer_is_awaited_for_ten_minutes() -> None:
    def awaits(at: float, *, tells: bool = True, since: Instant | None = 0 * S) -> bool:
        return awaits_soc(can_tell_soc=tells, vehicle_since=since, instant=at * S, grace=600 * S)

    assert awaits(599.999999)
    assert not awaits(600)
    assert not awaits(0, tells=False)
    assert not awaits(0, since=None)


@pytest.mark.rule("TAR-1", "STR-12")
def test_cheap_includes_the_limit_and_unknown_is_not_cheap() -> None:
    assert is_cheap(0.1, 0.1)
    assert is_cheap(-0.05, 0.0)
    assert not is_cheap(0.11, 0.1)
    assert not is_cheap(None, 0.1)
    assert not is_cheap(0.1, None)


@pytest.mark.rule("TAR-1", "STR-13")
def test_what_pays_the_limit_is_sold_and_what_nobody_knows_is_not() -> None:
    assert is_worth_selling(0.1, 0.1)
    assert is_worth_selling(0.0, -0.05)
    assert not is_worth_selling(0.09, 0.1)
    assert not is_worth_selling(None, 0.1)
    assert not is_worth_selling(0.1, None)


@pytest.mark.rule("STR-1")
def test_stop_wants_nothing_and_does_not_wait_for_the_guard() -> None:
    stop = Demand.stop(because(ReasonCode.NOT_CONNECTED))
    assert (stop.wanted_a, stop.floor_a, stop.is_forced, stop.follows_sun) == (0, 0, True, False)
