"""What is to be planned for a whole home, as data.

**Terms.** In each slot of length h the means of all powers balance [kW]:

    buy - sell + sun - held_back + discharge - charge = house + sum of p over the cars
    level after the slot = level before it + h x (charge x `efficiency` - discharge / `efficiency`)      [kWh]

    cost = sum of h x (price x buy - feed_in x sell + `wear_per_kwh` x discharge) + starts - `level_value` x last level

`buy` and `sell` stay below the limits of the grid connection, the cars below each circuit of theirs below the circuits above
it, p within what the car's charger can give. A run of a car is what it is in `evcclib.planning.problem`: in its first and last
slot, and where it makes a break, the mean power may be anything up to the greatest, between them it is at least the least.
Nobody buys and sells at once, and the battery does not charge and discharge at once.

A car has *goals*: so many kilowatt-hours since the first slot, by a time. Several in a row each hold: a minimum by tonight, the
rest by Friday. It takes nothing before `arrives`, nor after its last goal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from evcclib.errors import InvalidReadings
from evcclib.planning.curve import Step
from evcclib.planning.goals import Goal
from evcclib.planning.problem import Sun
from evcclib.timetable.plans import CHEAPEST, PlanStrategy
from evcclib.units import HOUR


class HomeSlot(NamedTuple):
    """Prices [unit/kWh] with all fees, and means of power [W]. ``price`` None: not known, and dearer than all that is.

    ``suns``: what else the sun might be than its mean ``sun_w``, each with its share. A solver plans with the mean.
    """

    start: datetime
    end: datetime
    price: float | None
    feed_in: float = 0.0
    sun_w: float = 0.0
    house_w: float = 0.0
    buy_max_w: float = 1e5
    sell_max_w: float = 1e5
    suns: tuple[Sun, ...] = ()


class Circuit(NamedTuple):
    """``parent``: the number of the circuit that it hangs on."""

    cap_w: float
    parent: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Car:
    """``circuit``: the number of the circuit that its charger hangs on, None: only the grid connection limits it.

    ``strategy``, ``has_begun`` and ``curve`` as in `evcclib.planning.strategy`; a solver does not know of them.
    """

    goals: tuple[Goal, ...]
    ranges_w: tuple[tuple[float, float], ...]
    start_cost: float = 0.0
    is_charging: bool = False
    arrives: datetime | None = None
    circuit: int | None = None
    strategy: PlanStrategy = CHEAPEST
    has_begun: bool = False
    curve: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeBattery:
    """``efficiency`` of each way. ``level_value``: what a kWh that is left at the end is worth."""

    capacity_kwh: float
    level_kwh: float
    charge_max_w: float
    discharge_max_w: float
    efficiency: float = 0.95
    wear_per_kwh: float = 0.0
    level_value: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """``slots`` follow one another. Raises `InvalidReadings` for what is no number: none of it ever reaches a solver."""

    slots: tuple[HomeSlot, ...]
    cars: tuple[Car, ...]
    battery: HomeBattery | None = None
    circuits: tuple[Circuit, ...] = ()

    def __post_init__(self) -> None:
        before = None
        for number, slot in enumerate(self.slots):
            if not slot.start < slot.end or before not in (None, slot.start):
                raise InvalidReadings(f"Home.slots[{number}]", slot, "a slot that begins where the last one ends")
            before = slot.end
            if not all(map(math.isfinite, (*slot[3:8], *(number for sun in slot.suns for number in sun)))):
                raise InvalidReadings(f"Home.slots[{number}]", slot, "finite numbers")
        for number, circuit in enumerate(self.circuits):
            if not circuit.cap_w >= 0 or not (circuit.parent is None or 0 <= circuit.parent < number):
                raise InvalidReadings(f"Home.circuits[{number}]", circuit, "a cap, and a parent that comes before it")
        for number, car in enumerate(self.cars):
            if not all(0 <= goal.need_kwh < math.inf for goal in car.goals):
                raise InvalidReadings(f"Home.cars[{number}].goals", car.goals, "needs of 0 kWh or more")
            if not car.ranges_w or not all(0 <= low <= high < math.inf for low, high in car.ranges_w):
                raise InvalidReadings(f"Home.cars[{number}].ranges_w", car.ranges_w, "ranges that go up [W]")
            if car.circuit is not None and not 0 <= car.circuit < len(self.circuits):
                raise InvalidReadings(f"Home.cars[{number}].circuit", car.circuit, "the number of a circuit")

    def prices(self) -> tuple[float, ...]:
        """One for each slot; where none is known it is dearer than all that are."""
        known = [slot.price for slot in self.slots if slot.price is not None and math.isfinite(slot.price)]
        dearer = 1.0 + 2.0 * max(map(abs, known), default=0.0)
        return tuple(
            slot.price if slot.price is not None and math.isfinite(slot.price) else dearer for slot in self.slots
        )

    def hangs_on(self, car: Car) -> tuple[int, ...]:
        """All circuits that a car loads."""
        found: list[int] = []
        number = car.circuit
        while number is not None:
            found.append(number)
            number = self.circuits[number].parent
        return tuple(found)


def paid(slot: HomeSlot, used_kwh: float, price: float) -> float:
    """For all that is used in a slot; sun is held back where it may not or should not be sold, or where buying is paid for."""
    if not slot.suns:
        return _paid(slot, slot.sun_w, used_kwh, price)
    return sum(sun.share * _paid(slot, sun.power_w, used_kwh, price) for sun in slot.suns)


def _paid(slot: HomeSlot, sun_w: float, used_kwh: float, price: float) -> float:
    kwh_per_w = (slot.end - slot.start) / HOUR / 1000
    grid_kwh = used_kwh - max(0.0, sun_w) * kwh_per_w
    sold_kwh = min(-grid_kwh, slot.sell_max_w * kwh_per_w)
    cost = grid_kwh * price if grid_kwh > 0 else -sold_kwh * max(0.0, slot.feed_in)
    if price >= 0:
        return cost
    return min(cost, max(grid_kwh, min(used_kwh, slot.buy_max_w * kwh_per_w), 0.0) * price)
