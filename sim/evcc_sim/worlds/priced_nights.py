"""Generated worlds about plans on changing prices (rows 16-21, 38)."""

from __future__ import annotations

from datetime import date, time

from evcc_sim.plants.prices import PriceSpec, TariffSpec
from evcc_sim.plants.wallbox import WallboxSpec
from evcc_sim.worlds.packs import Choice, Pack, Span, one_car, wall_time
from evcc_sim.worlds.scenario import ActionSpec, ChargerSpec, LoadpointSpec, Scenario, SiteSpec


def night_plan(
    *,
    night: str = "plain",
    slot_minutes: int = 60,
    noise: float = 0.1,
    cheap: float = 0.18,
    soc_pct: float = 40.0,
    target_pct: int = 80,
    voltage_v: float = 230.0,
    arrive_h: float = 18.0,
) -> Scenario:
    """A plan over the night on changing prices, also when the clocks change (rows 16-21, 38)."""
    start = {"plain": date(2026, 2, 10), "spring": date(2026, 3, 28), "autumn": date(2026, 10, 24)}[night]
    zones = ((time(0), 0.30), (time(1), cheap), (time(5), 0.30), (time(17), 0.40), (time(21), 0.30))
    minutes = int(arrive_h * 60)
    return Scenario(
        name="",
        title="A plan over the night",
        hours=34,
        site=SiteSpec(start=start, true_voltage_v=voltage_v),
        tariff=TariffSpec(grid=PriceSpec(zones=zones, noise=noise, slot_minutes=slot_minutes)),
        charger=(ChargerSpec(box=WallboxSpec(name="garage"), loadpoint=LoadpointSpec(vehicle="blue")),),
        car=(one_car("blue", "garage", arrive_h, 8.0, capacity_kwh=60.0, soc_pct=soc_pct),),
        action=(
            ActionSpec(at=wall_time((minutes + 2) / 60), loadpoint=0, setting="soc_target_pct", value=target_pct),
            ActionSpec(at=wall_time((minutes + 3) / 60), loadpoint=0, setting="target_time", value="07:00"),
        ),
    )


PACKS = (
    Pack(
        "night_plan",
        (16, 17, 18, 19, 20, 21, 38),
        night_plan,
        {
            "night": Choice(("plain", "spring", "autumn")),
            "slot_minutes": Choice((15, 60)),
            "noise": Choice((0, 0.05, 0.3)),
            "cheap": Choice((-0.05, 0.0, 0.18, 0.30)),
            "soc_pct": Span(10, 85),
            "target_pct": Span(50, 100, whole=True),
            "voltage_v": Span(210, 245),
            "arrive_h": Span(17, 23.5),
        },
    ),
)
