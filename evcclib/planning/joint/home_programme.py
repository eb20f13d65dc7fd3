"""The home as a programme for a solver: kilowatts, kilowatt-hours, and no whole number that is not needed.

A car's state between two slots is *standing* 0 or *charging* 1: c. In a slot, w says that it charges throughout; then

    begun = c_after - w,  ended = c_before - w,  both 0 or 1;   `least` w <= p <= `most`,  p <= `most` (c_before + c_after - w)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from evcclib.planning.joint.home import Car, Home
from evcclib.planning.joint.programme import Programme
from evcclib.units import HOUR

Terms = list[tuple[int, float]]
SHORT_TIMES = 100.0
"""What is missing at a goal costs so many times the dearest energy."""


class Choice(NamedTuple):
    """Numbers of variables."""

    whole: int
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class HomeModel:
    """The programme, and which variable is what; None where there is none.

    ``choices`` are the whole numbers of a slot that are no car's: each 1 says that the first of two others may be more than 0,
    0 that the second may.
    """

    programme: Programme
    powers: tuple[tuple[int | None, ...], ...]
    charging: tuple[tuple[int | None, ...], ...]
    short: tuple[tuple[int, ...], ...]
    charge: tuple[int, ...]
    discharge: tuple[int, ...]
    choices: tuple[Choice, ...]


def home_model(home: Home) -> HomeModel:
    """The programme of a home that has slots."""
    programme = Programme()
    hours = [(slot.end - slot.start) / HOUR for slot in home.slots]
    dearest = max(0.1, *map(abs, home.prices()))
    cars = [_Car(programme, home, car, hours, dearest * SHORT_TIMES) for car in home.cars]
    balance: list[Terms] = [
        [(power, -1.0) for car in cars if (power := car.powers[slot]) is not None] for slot in range(len(hours))
    ]
    choices: list[Choice] = []
    charge, discharge = _battery(programme, home, hours, balance, choices)
    _grid(programme, home, hours, balance, choices)
    for number, circuit in enumerate(home.circuits):
        below = [car for car in cars if number in home.hangs_on(car.car)]
        _circuit(programme, circuit.cap_w / 1000, below, len(hours))
    return HomeModel(
        programme,
        tuple(tuple(car.powers) for car in cars),
        tuple(tuple(car.charging) for car in cars),
        tuple(tuple(car.short) for car in cars),
        charge,
        discharge,
        tuple(choices),
    )


def _either(programme: Programme, first: int, second: int) -> Choice:
    """Not both."""
    whole = programme.variable(0.0, 1.0, is_whole=True)
    most = programme.variables[second].high
    programme.row(-inf, 0.0, (first, 1.0), (whole, -programme.variables[first].high))
    programme.row(-inf, most, (second, 1.0), (whole, most))
    return Choice(whole, first, second)


class _Car:
    def __init__(self, programme: Programme, home: Home, car: Car, hours: Sequence[float], short_cost: float) -> None:
        self.car = car
        self.powers: list[int | None] = [None] * len(hours)
        self.charging: list[int | None] = [None] * len(hours)
        self.short: list[int] = []
        self._least = min(low for low, _high in car.ranges_w) / 1000
        self.most = max(high for _low, high in car.ranges_w) / 1000
        end = max((goal.time for goal in car.goals), default=None)
        before: int | None = None
        for slot, each in enumerate(home.slots):
            if end is not None and each.end <= end and (car.arrives is None or car.arrives <= each.start):
                is_begun = car.is_charging and slot == 0
                before = self.charging[slot] = self._slot(programme, slot, before, is_begun=is_begun)
        most_kwh = max((goal.need_kwh for goal in car.goals), default=0.0)
        for goal in car.goals:
            taken: Terms = [
                (power, hours[slot])
                for slot, power in enumerate(self.powers)
                if power is not None and home.slots[slot].end <= goal.time
            ]
            is_last = goal.time == end
            self.short.append(programme.variable(0.0, goal.need_kwh, cost=short_cost))
            programme.row(goal.need_kwh, most_kwh if is_last else inf, *taken, (self.short[-1], 1.0))

    def _slot(self, programme: Programme, slot: int, before: int | None, *, is_begun: bool) -> int:
        power = self.powers[slot] = programme.variable(0.0, self.most)
        after = programme.variable(0.0, 1.0, cost=self.car.start_cost, is_whole=True)
        was: Terms = [] if before is None else [(before, 1.0)]
        begun = 1.0 if is_begun else 0.0
        if before is None and not is_begun:
            programme.row(-inf, 0.0, (power, 1.0), (after, -self.most))
            return after
        whole = programme.variable(0.0, 1.0, cost=-self.car.start_cost, is_whole=True)
        programme.row(-inf, begun, (whole, 1.0), *((number, -factor) for number, factor in was))
        programme.row(-inf, 0.0, (whole, 1.0), (after, -1.0))
        programme.row(0.0, inf, (power, 1.0), (whole, -self._least))
        ended = [(number, -self.most * factor) for number, factor in was]
        programme.row(-inf, self.most * begun, (power, 1.0), (after, -self.most), (whole, self.most), *ended)
        return after


def _battery(
    programme: Programme, home: Home, hours: Sequence[float], balance: Sequence[Terms], choices: list[Choice]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    battery = home.battery
    if battery is None:
        return (), ()
    charges: list[int] = []
    discharges: list[int] = []
    before: int | None = None
    for slot, (each, price) in enumerate(zip(home.slots, home.prices(), strict=True)):
        charge = programme.variable(0.0, battery.charge_max_w / 1000)
        discharge = programme.variable(0.0, battery.discharge_max_w / 1000, cost=battery.wear_per_kwh * hours[slot])
        is_last = slot == len(hours) - 1
        level = programme.variable(0.0, battery.capacity_kwh, cost=-battery.level_value if is_last else 0.0)
        stored = [(charge, hours[slot] * battery.efficiency), (discharge, -hours[slot] / battery.efficiency)]
        held = [] if before is None else [(before, 1.0)]
        begin = battery.level_kwh if before is None else 0.0
        programme.row(-begin, -begin, *held, *stored, (level, -1.0))
        if min(price, each.feed_in) < 0:  # else losses keep it from doing both
            choices.append(_either(programme, charge, discharge))
        balance[slot].extend(((charge, -1.0), (discharge, 1.0)))
        charges.append(charge)
        discharges.append(discharge)
        before = level
    return tuple(charges), tuple(discharges)


def _grid(
    programme: Programme, home: Home, hours: Sequence[float], balance: Sequence[Terms], choices: list[Choice]
) -> None:
    for slot, (each, price) in enumerate(zip(home.slots, home.prices(), strict=True)):
        net = (each.house_w - each.sun_w) / 1000
        # no more than can be used (at a negative price own sun is held back): a solver's bound is the better for it
        taken = sum(programme.variables[number].high for number, factor in balance[slot] if factor < 0)
        given = sum(programme.variables[number].high for number, factor in balance[slot] if factor > 0)
        most_buy = min(each.buy_max_w / 1000, max(0.0, (each.house_w / 1000 if price < 0 else net) + taken))
        most_sell = min(each.sell_max_w / 1000, max(0.0, given - net))
        buy = programme.variable(0.0, most_buy, cost=price * hours[slot])
        sell = programme.variable(0.0, most_sell, cost=-each.feed_in * hours[slot])
        held_back = programme.variable(0.0, max(0.0, each.sun_w) / 1000)
        if price < each.feed_in and most_buy > 0 and most_sell > 0:  # else nobody buys in order to sell
            choices.append(_either(programme, buy, sell))
        programme.row(net, net, (buy, 1.0), (sell, -1.0), (held_back, -1.0), *balance[slot])


def _circuit(programme: Programme, cap: float, below: Sequence[_Car], slots: int) -> None:
    for slot in range(slots):
        loads = [(power, 1.0) for car in below if (power := car.powers[slot]) is not None]
        if sum(car.most for car in below if car.powers[slot] is not None) > cap:
            programme.row(-inf, cap, *loads)
