"""Why several cars cannot all be served: too little passes through one place until some time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from evcclib.planning.joint.home import Car, Home
from evcclib.units import energy_kwh

ENOUGH_KWH = 1e-3
"""What is short by less is not short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowded:
    """Until ``time`` the cars that load ``circuit`` (None: the grid connection) need more than passes through it."""

    circuit: int | None
    time: datetime
    need_kwh: float
    available_kwh: float

    @property
    def short_kwh(self) -> float:
        """By how much the goals would have to be lower, or what more would have to pass."""
        return self.need_kwh - self.available_kwh


def crowded(home: Home) -> Crowded | None:
    """The place and time at which most is short; None if this explains nothing."""
    found = [each for each in _places(home) if each.short_kwh > ENOUGH_KWH]
    return max(found, key=lambda each: each.short_kwh, default=None)


def is_proof(found: Crowded, home: Home) -> bool:
    """Whether it is so."""
    cars = _loading(home, found.circuit)
    need = sum(max((goal.need_kwh for goal in car.goals if goal.time <= found.time), default=0.0) for car in cars)
    passes = 0.0
    for number, slot in enumerate(home.slots):
        if slot.end <= found.time:
            most_w = sum(_most_w(car) for car in cars if car.arrives is None or car.arrives <= slot.start)
            passes += energy_kwh(min(most_w, _cap_w(home, found.circuit, number)), slot.end - slot.start)
    return abs(need - found.need_kwh) < 1e-6 and abs(passes - found.available_kwh) < 1e-6 and need > passes


def _places(home: Home) -> Iterator[Crowded]:
    times = sorted({goal.time for car in home.cars for goal in car.goals})
    for circuit in (None, *range(len(home.circuits))):
        cars = _loading(home, circuit)
        passed, number = 0.0, 0
        for time in times:
            while number < len(home.slots) and home.slots[number].end <= time:
                slot = home.slots[number]
                most_w = sum(_most_w(car) for car in cars if car.arrives is None or car.arrives <= slot.start)
                passed += energy_kwh(min(most_w, _cap_w(home, circuit, number)), slot.end - slot.start)
                number += 1
            need = sum(max((goal.need_kwh for goal in car.goals if goal.time <= time), default=0.0) for car in cars)
            yield Crowded(circuit=circuit, time=time, need_kwh=need, available_kwh=passed)


def _loading(home: Home, circuit: int | None) -> list[Car]:
    return [car for car in home.cars if circuit is None or circuit in home.hangs_on(car)]


def _cap_w(home: Home, circuit: int | None, number: int) -> float:
    """What may pass in a slot: of the grid connection with all that the home has of its own."""
    if circuit is not None:
        return home.circuits[circuit].cap_w
    slot = home.slots[number]
    battery_w = home.battery.discharge_max_w if home.battery is not None else 0.0
    return max(0.0, slot.buy_max_w + max(0.0, slot.sun_w) + battery_w - slot.house_w)


def _most_w(car: Car) -> float:
    return max(high for _low, high in car.ranges_w)
