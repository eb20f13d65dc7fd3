"""ACN-Sim, a simulator of charging sites from elsewhere, on the same days: it must come to the same energy.

It needs an older numpy than we do, so it has an environment of its own: `make second-opinion`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from evcc_sim.runs.inprocess import simulate
from evcc_sim.worlds.variants import resolve

acnsim: Any = pytest.importorskip("acnportal.acnsim", reason="make second-opinion brings it")
algorithms: Any = pytest.importorskip("acnportal.algorithms")

CURRENT_MAX_A = 16.0
WATTS_A = 690.0  # three phases
ARRIVE_MIN, DEPART_MIN = 450, 1410
PLAIN_CAR = ["car.0.taper_from_pct=100", "car.0.efficiency=1.0", "car.0.capacity_kwh=100"]
PROMPT_CAR = [
    "car.0.start_delay_s=0",
    "car.0.dead_time_s=0",
    "car.0.dead_time_down_s=0",
    "car.0.stop_delay_s=0",
    "car.0.ramp_a_per_s=1000",
    "charger.0.box.contactor_s=0",
]


def delivered_kwh(offer_a: Any) -> float:
    """What ACN-Sim delivers to one car when ``offer_a(minute)`` is what it is offered [A]."""

    class Offer(algorithms.BaseAlgorithm):  # type: ignore[misc]  # the base is not typed
        def __init__(self) -> None:
            super().__init__()
            self.max_recompute = 1

        def schedule(self, active: Any) -> dict[str, list[float]]:
            return {each.station_id: [offer_a(self.interface.current_time)] for each in active}

    network = acnsim.network.ChargingNetwork()
    network.register_evse(acnsim.models.EVSE("garage", max_rate=CURRENT_MAX_A, min_rate=0), WATTS_A, 0)
    battery = acnsim.models.Battery(100, 30, CURRENT_MAX_A * WATTS_A / 1000)
    car = acnsim.models.EV(ARRIVE_MIN, DEPART_MIN, 70, "garage", "s1", battery)
    events = acnsim.events.EventQueue([acnsim.events.PluginEvent(ARRIVE_MIN, car)])
    acnsim.Simulator(network, Offer(), events, datetime(2026, 6, 15), period=1, verbose=False).run()  # noqa: DTZ001  # naive there
    return float(car.energy_delivered)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_offers_deliver_the_same_energy(seed: int) -> None:
    result = simulate(resolve("clear-day", changes=["site.interval_s=60", *PROMPT_CAR, *PLAIN_CAR]), seed)
    last_in_minute = {int(each.second // 60): each.loadpoints[0].pilot_a for each in result.trace.instants}
    offers, offer_a = [], 0.0
    for minute in range(1440):
        offer_a = last_in_minute.get(minute, offer_a)
        offers.append(offer_a)
    assert delivered_kwh(offers.__getitem__) == pytest.approx(result.summary.charged_kwh, abs=0.001)


def test_a_surplus_rule_of_its_own_comes_to_the_same_day() -> None:
    """5 kW of surplus for six hours; there, a rule in a few lines: start after a minute, hold the minimum for three."""
    changes = [
        "site.interval_s=10",
        "site.residual_power_w=0",
        "household={ constant_w = 300, has_appliances = false }",
        'pv=[{ name = "roof", steps = [["09:00", 5300], ["15:00", 300]] }]',
        *PLAIN_CAR,
    ]
    result = simulate(resolve("clear-day", changes=changes), 1)
    charging = [minute for minute in range(1440) if 9 * 60 + 1 <= minute < 15 * 60]
    holding = [minute for minute in range(1440) if 15 * 60 <= minute < 15 * 60 + 3]

    def offer_a(minute: int) -> float:
        if minute in charging:
            return min(CURRENT_MAX_A, 5000 / WATTS_A)
        return 6.0 if minute in holding else 0.0

    assert result.ok
    assert delivered_kwh(offer_a) == pytest.approx(result.summary.charged_kwh, abs=0.05)
