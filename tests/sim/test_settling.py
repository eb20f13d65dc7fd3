"""With constant sun and household the commands end, however old the meter's values are and however slow the car is."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evcc_sim.plants.car import CarSpec, Visit
from evcc_sim.plants.household import HouseholdSpec
from evcc_sim.plants.meter import MeterSpec
from evcc_sim.plants.sunshine import PvSpec
from evcc_sim.plants.wallbox import WallboxSpec
from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds.scenario import ChargerSpec, GridMeterSpec, Scenario, SiteSpec

SETTLES_S = 1500.0
"""Ten minutes after the car has begun, the guard time and the delays."""


def still_world(
    *,
    sun_w: float,
    interval_s: int,
    lag_s: float = 0.0,
    refresh_s: float = 0.0,
    dead_time_s: float = 3.0,
    ramp_a_per_s: float = 4.0,
    phases: int = 3,
    step_a: float = 0.1,
    residual_power_w: float = 0.0,
    voltage_v: float = 230.0,
) -> Scenario:
    """An hour of so much sun above the household; ``phases`` 0: a station that switches them; 230 V are configured."""
    return Scenario(
        name="still",
        hours=1.0,
        site=SiteSpec(
            law="adaptive", interval_s=interval_s, residual_power_w=residual_power_w, true_voltage_v=voltage_v
        ),
        grid=GridMeterSpec(meter=MeterSpec(lag_s=lag_s, refresh_s=refresh_s)),
        household=HouseholdSpec(constant_w=300.0, has_appliances=False),
        pv=(PvSpec(name="roof", constant_w=300.0 + sun_w),),
        charger=(
            ChargerSpec(
                box=WallboxSpec(name="garage", current_step_a=step_a, phases=phases or 3, can_switch_phases=phases == 0)
            ),
        ),
        car=(
            CarSpec(
                name="blue",
                capacity_kwh=200.0,
                soc_pct=10.0,
                phases=phases or 3,
                dead_time_s=dead_time_s,
                dead_time_down_s=dead_time_s / 2,
                ramp_a_per_s=ramp_a_per_s,
                visits=(Visit(charger="garage", arrive=time(0, 1), depart=time(23)),),
            ),
        ),
    )


def restless(world: Scenario) -> list[str]:
    """What is still commanded after that, and what the judge says."""
    result = simulate(world, 1)
    late = [f"{sent.second:.0f} s: {sent.command}" for sent in result.trace.sent if sent.second > SETTLES_S]
    return [*late[:3], *[str(each) for each in result.violations]]


@pytest.mark.parametrize("voltage_v", [210.0, 236.0, 250.0])
def test_nothing_is_bought_or_left_at_another_voltage_than_the_configured_one(voltage_v: float) -> None:
    result = simulate(still_world(sun_w=8000.0, interval_s=10, voltage_v=voltage_v), 1)
    assert result.violations == ()
    assert abs(result.trace.instants[-1].grid_w) < 0.1 * 3 * voltage_v + 25.0


@pytest.mark.day
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    sun_w=st.floats(500.0, 12_000.0),
    interval_s=st.sampled_from([1, 2, 5, 10, 30, 60]),
    dead_time_s=st.floats(1.0, 30.0),
    ramp_a_per_s=st.sampled_from([0.5, 1.0, 4.0, 16.0]),
    phases=st.sampled_from([0, 1, 3]),
    step_a=st.sampled_from([0.001, 0.1, 1.0]),
    residual_power_w=st.sampled_from([-200.0, 0.0, 100.0]),
    voltage_v=st.sampled_from([210.0, 230.0, 236.0, 250.0]),
)
def test_commands_end_whatever_interval_car_and_step(**world: float) -> None:
    assert restless(still_world(**world)) == []  # type: ignore[arg-type]  # by name


@pytest.mark.day
@pytest.mark.timeout(600)
@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    sun_w=st.floats(500.0, 12_000.0),
    interval_s=st.sampled_from([1, 2, 5, 10, 30, 60]),
    age_s=st.sampled_from(
        [(1, 0), (3, 0), (10, 0), (30, 0), (60, 0), (0, 5), (3, 5), (10, 5), (0, 30), (3, 30), (0, 60)]
    ),
    dead_time_s=st.floats(1.0, 30.0),
    ramp_a_per_s=st.sampled_from([0.5, 1.0, 4.0, 16.0]),
    phases=st.sampled_from([0, 1, 3]),
    step_a=st.sampled_from([0.001, 0.1, 1.0]),
)
def test_commands_end_however_late_the_meter_is(age_s: tuple[float, float], **world: float) -> None:
    lag_s, refresh_s = age_s
    assert restless(still_world(lag_s=lag_s, refresh_s=refresh_s, **world)) == []  # type: ignore[arg-type]  # by name


@pytest.mark.day
@pytest.mark.parametrize("sun_w", [2500.0, 6000.0, 9000.0])
@pytest.mark.parametrize("phases", [0, 1, 3])
def test_the_meter_of_bad_meter_lets_it_settle_to_its_noise(sun_w: float, phases: int) -> None:
    """Every 30 s, 15 s late, in steps of 10 W, with noise: the set-point moves by what the noise is worth and no more."""
    still = still_world(sun_w=sun_w, interval_s=30, phases=phases)
    bad = MeterSpec(refresh_s=30.0, lag_s=15.0, noise_w=20.0, resolution_w=10.0)
    assert simulate(replace(still, grid=GridMeterSpec(meter=bad)), 1).violations == ()
