"""Generated worlds that follow the sun: clouds, several cars, a battery, surplus at a threshold (rows 1-8, 22, 23, 35, 36)."""

from __future__ import annotations

from datetime import date, time

from evcc_sim.plants.battery import BatterySpec
from evcc_sim.plants.household import HouseholdSpec
from evcc_sim.plants.meter import MeterSpec
from evcc_sim.plants.prices import PriceSpec, TariffSpec
from evcc_sim.plants.sky import Sky
from evcc_sim.plants.sunshine import PvSpec
from evcc_sim.plants.wallbox import WallboxSpec
from evcc_sim.worlds.packs import LIMIT_CYCLES, QUIET, Choice, Pack, Span, one_car
from evcc_sim.worlds.scenario import ChargerSpec, GridMeterSpec, LoadpointSpec, Scenario, SiteSpec, WeatherSpec
from evcclib.model import ChargeMode


def clouds_at_phase_gap(
    *,
    low_w: float = 3700.0,
    high_w: float = 4600.0,
    period_s: float = 240.0,
    sky: str = "square",
    meter_lag_s: float = 0.0,
    car_delay_s: float = 3.0,
    residual_w: float = 0.0,
    metered: str = "yes",
    car_max_a: float = 16.0,
) -> Scenario:
    """Surplus around the gap between 16 A on one phase and 6 A on three (rows 1-5)."""
    roof = PvSpec(name="roof", wave=(low_w, max(low_w, high_w), period_s)) if sky == "square" else PvSpec(name="roof")
    return Scenario(
        name="",
        title="Clouds at the phase gap",
        hours=14,
        site=SiteSpec(start=date(2026, 5, 20), residual_power_w=residual_w),
        grid=GridMeterSpec(meter=MeterSpec(lag_s=meter_lag_s)),
        household=QUIET,
        weather=WeatherSpec(sky=Sky.CLEAR if sky == "square" else Sky(sky)),
        pv=(roof,),
        charger=(
            ChargerSpec(
                box=WallboxSpec(name="garage", can_switch_phases=True, has_meter=metered == "yes"),
                loadpoint=LoadpointSpec(),
            ),
        ),
        car=(
            one_car(
                "blue",
                "garage",
                7.5,
                23.0,
                capacity_kwh=80.0,
                soc_pct=20.0,
                dead_time_s=car_delay_s,
                current_max_a=car_max_a,
            ),
        ),
        allowed=LIMIT_CYCLES if meter_lag_s > 0 or car_delay_s > 5 else (),
    )


def n_cars_one_roof(
    *,
    cars: int = 2,
    peak_w: float = 12_000.0,
    current_min_a: float = 6.0,
    priorities: str = "equal",
    spread_h: float = 1.0,
    sky: str = "clear",
    steps_a: float = 0.1,
    metered: str = "yes",
) -> Scenario:
    """Several cars in mode pv under one roof, arriving one after another (rows 6-8)."""
    chargers = tuple(
        ChargerSpec(
            box=WallboxSpec(
                name=f"bay{n}", current_step_a=steps_a, has_meter=metered == "yes" or (metered == "some" and n % 2 == 0)
            ),
            loadpoint=LoadpointSpec(
                priority={"equal": 0, "rising": n, "falling": cars - n}[priorities], current_min_a=current_min_a
            ),
        )
        for n in range(cars)
    )
    return Scenario(
        name="",
        title="Several cars, one roof",
        hours=18,
        site=SiteSpec(fuse_a=63),
        household=HouseholdSpec(),
        weather=WeatherSpec(sky=Sky(sky)),
        pv=(PvSpec(name="roof", peak_w=peak_w),),
        charger=chargers,
        car=tuple(
            one_car(f"car{n}", f"bay{n}", 7.0 + n * spread_h % 6, 23.0, capacity_kwh=60.0, soc_pct=30.0)
            for n in range(cars)
        ),
        # the classic law lends a lower priority's power out while that one still waits for its delays
        allowed=("nothing_is_bought_for_the_sun",) if priorities != "equal" else (),
    )


def sunny_tomorrow(
    *,
    sky: str = "clear",
    battery_kwh: float = 10.0,
    battery_soc_pct: float = 40.0,
    priority_soc_pct: float = 30.0,
    buffer_soc_pct: float = 80.0,
    mode: str = "pv",
    soc_pct: float = 50.0,
) -> Scenario:
    """Battery, sun and a car at home for a day: what is bought although the sun will do (rows 22, 23, 35)."""
    return Scenario(
        name="",
        title="Sunny tomorrow",
        site=SiteSpec(start=date(2026, 5, 18), priority_soc_pct=priority_soc_pct, buffer_soc_pct=buffer_soc_pct),
        weather=WeatherSpec(sky=Sky(sky)),
        pv=(PvSpec(name="roof"),),
        battery=(BatterySpec(name="cellar", capacity_kwh=battery_kwh, soc_pct=battery_soc_pct),),
        charger=(ChargerSpec(box=WallboxSpec(name="garage"), loadpoint=LoadpointSpec(mode=ChargeMode(mode))),),
        car=(one_car("blue", "garage", 6.0, 22.0, capacity_kwh=60.0, soc_pct=soc_pct),),
        tariff=TariffSpec(
            grid=PriceSpec(zones=((time(0), 0.24), (time(6), 0.34))), feed_in=PriceSpec(zones=((time(0), 0.08),))
        ),
    )


def boundary(
    *,
    surplus_a: float = 6.0,
    phases: int = 3,
    enable_threshold_w: float = 0.0,
    disable_threshold_w: float = 0.0,
    steps_a: float = 1.0,
    delta_w: float = 0.0,
) -> Scenario:
    """A constant surplus exactly at a threshold, or ``delta_w`` beside it (rows 20, 36)."""
    surplus_w = surplus_a * 230.0 * phases + delta_w
    return Scenario(
        name="",
        title="At the threshold",
        hours=4,
        household=HouseholdSpec(constant_w=300.0, has_appliances=False),
        pv=(PvSpec(name="roof", constant_w=300.0 + surplus_w),),
        charger=(
            ChargerSpec(
                box=WallboxSpec(name="garage", current_step_a=steps_a),
                loadpoint=LoadpointSpec(enable_threshold_w=enable_threshold_w, disable_threshold_w=disable_threshold_w),
            ),
        ),
        car=(one_car("blue", "garage", 0.5, 23.0, capacity_kwh=200.0, soc_pct=10.0, phases=phases),),
    )


PACKS = (
    Pack(
        "clouds_at_phase_gap",
        (1, 2, 3, 4, 5),
        clouds_at_phase_gap,
        {
            "low_w": Span(2000, 4200),
            "high_w": Span(3000, 6000),
            "period_s": Span(40, 1200),
            "sky": Choice(("square", "april", "cumulus")),
            "meter_lag_s": Choice((0, 0, 3, 10)),
            "car_delay_s": Span(2, 30),
            "residual_w": Choice((-200, 0, 100)),
            "metered": Choice(("yes", "no")),
            "car_max_a": Choice((16, 16, 13, 10)),
        },
    ),
    Pack(
        "n_cars_one_roof",
        (6, 7, 8),
        n_cars_one_roof,
        {
            "cars": Span(1, 6, whole=True),
            "peak_w": Span(6000, 30000),
            "current_min_a": Choice((6, 8, 10)),
            "priorities": Choice(("equal", "rising", "falling")),
            "spread_h": Span(0, 3),
            "sky": Choice(("clear", "april", "cumulus", "overcast")),
            "steps_a": Choice((0.001, 0.1, 1)),
            "metered": Choice(("yes", "no", "some")),
        },
    ),
    Pack(
        "sunny_tomorrow",
        (22, 23, 35),
        sunny_tomorrow,
        {
            "sky": Choice(("clear", "april", "cumulus", "overcast")),
            "battery_kwh": Span(4, 20),
            "battery_soc_pct": Span(10, 100),
            "priority_soc_pct": Choice((0, 30, 60)),
            "buffer_soc_pct": Choice((0, 70, 90)),
            "mode": Choice(("pv", "minpv")),
            "soc_pct": Span(10, 95),
        },
    ),
    Pack(
        "boundary",
        (20, 36),
        boundary,
        {
            "surplus_a": Choice((5, 6, 7, 10, 16, 17)),
            "phases": Choice((1, 2, 3)),
            "enable_threshold_w": Choice((0, -1380, -4140, 500)),
            "disable_threshold_w": Choice((0, 500, -200)),
            "steps_a": Choice((0.001, 0.1, 1)),
            "delta_w": Choice((-50, -1, -0.001, 0, 0.001, 1, 50)),
        },
    ),
)
