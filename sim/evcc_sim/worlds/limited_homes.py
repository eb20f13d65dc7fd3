"""Generated worlds about limits: circuits, and what the grid operator allows (rows 9-14, 37)."""

from __future__ import annotations

from datetime import time, timedelta

from evcc_sim.plants.household import HouseholdSpec
from evcc_sim.plants.meter import MeterSpec
from evcc_sim.plants.sunshine import PvSpec
from evcc_sim.plants.wallbox import WallboxSpec
from evcc_sim.worlds.packs import QUIET, Choice, Pack, Span, one_car, wall_time
from evcc_sim.worlds.scenario import (
    ActionSpec,
    ChargerSpec,
    CircuitSpec,
    GridMeterSpec,
    LoadpointSpec,
    Scenario,
    SiteSpec,
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


PACKS = (
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
