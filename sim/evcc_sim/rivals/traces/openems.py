"""A trace of OpenEMS, lived through by its model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evcc_sim.rivals.models.openems import CAR_W, ChargePoint, OpenEms, Station
from evcc_sim.rivals.traces.pair import Pair


def replayed(trace: dict[str, Any]) -> Iterator[Pair]:
    """Each cycle: what is sent and decided for all charge points, and where they are after."""
    law = OpenEms(
        [_charge_point(each) for each in trace["chargers"]], by_priority=trace.get("strategy") == "BY_PRIORITY"
    )
    for now, grid_w, battery_w, chargers, *outputs in trace["ticks"]:
        stations = [
            Station(is_connected=bool(is_connected), is_ready=bool(is_ready), power_w=power_w)
            for is_connected, is_ready, power_w in chargers
        ]
        got = [
            [output.sent, output.power_w, str(memory.step), str(memory.history.hysteresis)]
            for output, memory in zip(
                law.cycle(grid_w=grid_w or 0, battery_w=battery_w or 0, stations=stations, now=now),
                law.memories,
                strict=True,
            )
        ]
        wanted = outputs[0]
        yield Pair(wanted, [each[: len(recorded)] for each, recorded in zip(got, wanted, strict=True)])


def _charge_point(charger: dict[str, Any]) -> ChargePoint:
    phases = charger.get("phases", 3)
    of_cars = charger.get("ev_w", {str(each): list(powers) for each, powers in CAR_W.items()})
    unit_a = 0.001 if charger.get("unit", "A") == "mA" else 1.0
    is_one = phases == 1 or charger.get("ev_phases", phases) == 1
    low_w, high_w = of_cars["1" if is_one else "3"]
    return ChargePoint(
        phases=phases,
        unit_a=unit_a,
        low=charger.get("min", round(6 / unit_a)),
        high=charger.get("max", round(16 / unit_a)),
        car_w=(low_w, high_w),
    )
