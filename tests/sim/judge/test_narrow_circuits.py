"""Narrow circuits that once went wrong: what a car began to draw was taken for the house's, or a claim held others down."""

from __future__ import annotations

import pytest

from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds.generators import generate


@pytest.mark.day
@pytest.mark.parametrize(
    "world",
    [
        "start_delay_s=90",  # never charged: stopped each time it began
        "habit=preheat",  # stopped once, when it began by itself
        "habit=pulses,slack_a=1",  # stopped at each pulse
        "habit=pulses,climate_w=7000,slack_a=8,meter_lag_s=2",  # raised by what a late meter did not show yet
        "cars=2,slack_a=9,arrivals=falling,phases=three",  # the first loadpoint's car came last and never charged
        "cars=3,slack_a=11,phases=three",  # two were held down by a third that could not start
    ],
)
def test_a_narrow_circuit_is_shared(world: str) -> None:
    assert simulate(generate(f"@narrow_circuit:{world}", seed=1)).violations == ()
