"""Generated worlds about limits: circuits, and what the grid operator and a tariff allow (rows 9-15, 37)."""

from __future__ import annotations

from datetime import time, timedelta

from evcc_sim.plants.car import CarSpec
from evcc_sim.plants.faults import FaultKind
from evcc_sim.plants.household import HouseholdSpec
from evcc_sim.plants.meter import MeterSpec
from evcc_sim.plants.sky import Sky
from evcc_sim.plants.sunshine import PvSpec
from evcc_sim.plants.wallbox import WallboxSpec
from evcc_sim.worlds.packs import LIMIT_CYCLES, QUIET, Choice, Pack, Span, one_car, wall_time
from evcc_sim.worlds.scenario import (
    ActionSpec,
    ChargerSpec,
    CircuitSpec,
    FaultSpec,
    GridMeterSpec,
    LoadpointSpec,
    Scenario,
    SiteSpec,
    WeatherSpec,
)
from evcclib.model import ChargeMode


def breaker_tree(
    *,
    cars: int = 3,
    main_a: float = 32.0,
    branch_a: float = 20.0,
    house_w: float = 3000.0,
    split: str = "even",
    rotated: str = "no",
    mode: str = "now",
    meter_lag_s: float = 0.0,
) -> Scenario:
    """A circuit at the grid meter with a branch below it; the house steps up and down (rows 9-14)."""
    rotations = ((1, 2, 3), (2, 3, 1), (3, 1, 2)) if rotated == "yes" else ((1, 2, 3),)
    chargers = tuple(
        ChargerSpec(
            box=WallboxSpec(name=f"bay{n}", phase_rotation=rotations[n % len(rotations)]),
            loadpoint=LoadpointSpec(mode=ChargeMode(mode), circuit="branch" if n % 2 == 0 else "main"),
        )
        for n in range(cars)
    )
    steps = tuple((time(hour), house_w * (1.0 if hour % 2 else 0.4)) for hour in range(24))
    return Scenario(
        name="",
        title="A tree of breakers",
        hours=6,
        site=SiteSpec(fuse_a=main_a * 1.05),
        grid=GridMeterSpec(meter=MeterSpec(lag_s=meter_lag_s)),
        household=HouseholdSpec(steps=steps, split={"even": (0.34, 0.33, 0.33), "one": (1.0, 0.0, 0.0)}[split]),
        pv=(PvSpec(name="roof", constant_w=2000.0),),
        circuit=(
            CircuitSpec(name="main", current_max_a=main_a, uses_grid_meter=True, safe_current_a=6.0),
            CircuitSpec(name="branch", parent="main", current_max_a=branch_a),
        ),
        charger=chargers,
        car=tuple(
            one_car(
                f"car{n}",
                f"bay{n}",
                0.2 + 0.4 * n,
                23.0,
                capacity_kwh=80.0,
                soc_pct=20.0,
                phases=1 if n % 3 == 2 else 3,
            )
            for n in range(cars)
        ),
    )


def grid_operator(
    *, limit_w: float = 4200.0, at_h: float = 9.0, lasts_s: float = 3600.0, lost: str = "no", cars: int = 1
) -> Scenario:
    """The grid operator limits; sometimes nobody withdraws the limit (row 37)."""
    lasts = timedelta(seconds=lasts_s)
    return Scenario(
        name="",
        title="The grid operator",
        hours=14,
        site=SiteSpec(fuse_a=63),
        household=QUIET,
        charger=tuple(
            ChargerSpec(box=WallboxSpec(name=f"bay{n}"), loadpoint=LoadpointSpec(mode=ChargeMode.NOW))
            for n in range(cars)
        ),
        car=tuple(one_car(f"car{n}", f"bay{n}", 7.5, 23.0, capacity_kwh=100.0, soc_pct=5.0) for n in range(cars)),
        action=(
            ActionSpec(
                at=wall_time(at_h), operator_limit_w=limit_w, lasts=lasts, lost_after=lasts if lost == "yes" else None
            ),
        ),
    )


def capacity_tariff(
    *,
    limit_w: float = 5000.0,
    window_minutes: int = 15,
    cars: int = 1,
    phases: str = "three",
    mode: str = "now",
    roof_w: float = 5000.0,
    annual_kwh: float = 4500.0,
    interval_s: float = 10.0,
    meter_lag_s: float = 0.0,
    safe_a: float = 0.0,
    fault: str = "none",
    lasts_s: float = 300.0,
) -> Scenario:
    """A mean of what is bought that no window may exceed; a house that cooks, and a sky of April (row 15)."""
    limit = CircuitSpec(
        name="connection",
        mean_power_max_w=limit_w,
        mean_window_minutes=window_minutes,
        uses_grid_meter=True,
        safe_current_a=safe_a,
    )
    device = {"silence": "grid", "ignored_writes": "bay0"}.get(fault, "site")
    loadpoint = LoadpointSpec(mode=ChargeMode(mode), circuit=limit.name)
    return Scenario(
        name="",
        title="A capacity tariff",
        hours=14,
        site=SiteSpec(fuse_a=80, interval_s=interval_s),
        grid=GridMeterSpec(meter=MeterSpec(lag_s=meter_lag_s)),
        household=HouseholdSpec(annual_kwh=annual_kwh),
        weather=WeatherSpec(sky=Sky.APRIL),
        pv=(PvSpec(name="roof", peak_w=roof_w),),
        circuit=(limit,),
        charger=tuple(ChargerSpec(box=WallboxSpec(name=f"bay{n}"), loadpoint=loadpoint) for n in range(cars)),
        car=tuple(_hungry(n, {"one": 1, "three": 3, "mixed": (3, 1)[n % 2]}[phases]) for n in range(cars)),
        fault=()
        if fault == "none"
        else (FaultSpec(kind=FaultKind(fault), device=device, at=time(11, 7), lasts=timedelta(seconds=lasts_s)),),
        allowed=LIMIT_CYCLES if meter_lag_s else (),
    )


def _hungry(number: int, phases: int) -> CarSpec:
    arrive_h = 6.3 + 0.7 * number
    return one_car(f"car{number}", f"bay{number}", arrive_h, 23.0, capacity_kwh=90.0, soc_pct=10.0, phases=phases)


PACKS = (
    Pack(
        "capacity_tariff",
        (15,),
        capacity_tariff,
        {
            "limit_w": Span(2500, 9000),
            "window_minutes": Choice((15, 15, 30, 60)),
            "cars": Span(1, 3, whole=True),
            "phases": Choice(("one", "three", "mixed")),
            "mode": Choice(("now", "now", "minpv", "pv")),
            "roof_w": Span(0, 9000),
            "annual_kwh": Span(1500, 8000),
            "interval_s": Choice((10, 10, 5, 30)),
            "meter_lag_s": Choice((0, 0, 2)),
            "safe_a": Choice((0, 6)),
            "fault": Choice(("none", "none", "silence", "restart", "ignored_writes")),
            "lasts_s": Span(20, 1200),
        },
    ),
    Pack(
        "breaker_tree",
        (9, 10, 11, 12, 13, 14),
        breaker_tree,
        {
            "cars": Span(1, 5, whole=True),
            "main_a": Span(20, 63),
            "branch_a": Span(10, 40),
            "house_w": Span(0, 8000),
            "split": Choice(("even", "one")),
            "rotated": Choice(("no", "yes")),
            "mode": Choice(("now", "minpv", "pv")),
            "meter_lag_s": Choice((0, 0, 2)),
        },
    ),
    Pack(
        "grid_operator",
        (37,),
        grid_operator,
        {
            "limit_w": Span(1500, 15000),
            "at_h": Span(7, 11),
            "lasts_s": Span(60, 7200),
            "lost": Choice(("no", "yes")),
            "cars": Span(1, 4, whole=True),
        },
    ),
)
