"""Readings as a server comes by them: every device asked at its own moment, and what guards a circuit every second.

At an interval all devices are asked in one round. They answer within the scenario's skew, each in its own time, so that a sample
shows the house a little later than it says. Meters on which a circuit depends are asked again every second, a charger once more
after it has answered a batch; in between its last sample stands. Ways 2 and 3 do the same by running the server.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from math import ceil
from typing import TypeVar

from evcc_sim.plants.meter import Meter
from evcc_sim.plants.wallbox import Wallbox
from evcc_sim.runs.readings_from import Poller
from evcc_sim.timebase import stream
from evcc_sim.worlds.actions import OperatorSpan, operator_limit_at
from evcc_sim.worlds.house import House
from evcc_sim.worlds.scenario import Scenario
from evcclib.commands import BatteryOutcome, Outcome
from evcclib.readings import BatteryReading, ChargerReading, Measured, MeterReading, Reading, Readings
from evcclib.units import Instant

T = TypeVar("T")

PERIOD_S = 1.0
"""How often a meter that guards a circuit is asked."""
AFTERMATH_S = 120.0
"""After a fault the ages of samples may still decide: so long every sample counts as news."""


def guards(house: House) -> dict[str, Meter]:
    """The meters on which circuits depend, by device."""
    found = dict(house.circuit_meters)
    if house.scenario.site.has_grid_meter and any(circuit.uses_grid_meter for circuit in house.scenario.circuit):
        found["grid"] = house.grid_meter
    return found


def are_needed(scenario: Scenario) -> bool:
    """Whether the moments of the samples make a difference: a meter guards a circuit, or answers come late."""
    return scenario.site.skew_s > 0 or any(circuit.has_meter or circuit.uses_grid_meter for circuit in scenario.circuit)


class Rounds:
    """The newest sample of every device. Asking takes time: `ask_all` and `next_news` advance the house."""

    def __init__(self, house: House, poller: Poller, spans: list[OperatorSpan]) -> None:
        site = house.scenario.site
        self._house = house
        self._poller = poller
        self._spans = spans
        self._skew_s = min(site.skew_s, site.interval_s / 4)
        self._delays = stream(house.seed, "skew")
        self._guards = guards(house)
        self._due: list[tuple[float, float, str]] = []  # when a guard will have answered, when it is asked, its name
        self._are_plain = not house.faults.all and all(meter.is_plain for meter in self._guards.values())
        self._is_news = False  # something has changed since the last readings were handed out
        self._meters: dict[str, MeterReading] = {}
        self._batteries: dict[str, BatteryReading] = {}
        self._chargers: dict[str, ChargerReading] = {}
        self._asks: dict[str, Callable[[float], None]] = {}
        if site.has_grid_meter:
            self._asks["grid"] = partial(self._ask_meter, house.grid_meter)
        for meter in house.pv_meters if site.sees_pv else ():
            self._asks[meter.name] = partial(self._ask_meter, meter, is_guard=False)
        for index, meter in enumerate(house.battery_meters):
            self._asks[meter.name] = partial(self._ask_battery, index, meter)
        for box in house.wallboxes:
            self._asks[box.name] = partial(self._ask_charger, box)
        for name, meter in house.circuit_meters.items():
            self._asks[name] = partial(self._ask_meter, meter)

    def ask_all(self) -> None:
        """One round: every device is asked now."""
        asked_s = self._house.now_s
        if self._skew_s == 0:
            for ask in self._asks.values():
                ask(asked_s)
            self._due = [(asked_s + PERIOD_S, asked_s + PERIOD_S, name) for name in self._guards]
            return
        self._due.clear()
        for answered_s, name in sorted((asked_s + self._delay_s(), name) for name in self._asks):
            self._house.run(answered_s)
            self._asks[name](asked_s)
            if name in self._guards:
                self._plan(name, answered_s)

    def ask_again(self, loadpoints: Iterable[int]) -> bool:
        """The chargers of ``loadpoints`` are asked; whether the status of any of them has changed."""
        house = self._house
        has_changed = False
        for loadpoint in loadpoints:
            box = house.wallboxes[loadpoint]
            before = self._chargers[box.name]
            asked_s = house.now_s
            if self._skew_s > 0:
                house.run(asked_s + self._delay_s())
            self._ask_charger(box, asked_s)
            after = self._chargers[box.name]
            has_changed |= _value(before.status) != _value(after.status)
            self._is_news |= _value(before.currents_a) != _value(after.currents_a)
        return has_changed

    def next_news(self, until_s: float) -> bool:
        """Advance to the next sample of a guard before ``until_s`` that tells something new; False: there is none."""
        house, due = self._house, self._due
        while due and due[0][0] < until_s:
            answered_s, asked_s, name = due[0]
            if self._are_plain and not self._is_news and not self._has_moved():
                event_s = house.env.peek()
                if event_s >= until_s:
                    return False
                if answered_s < event_s:  # until then it shows what it shows now
                    periods = ceil(event_s - answered_s)
                    self._asks[name](asked_s + (periods - 1) * PERIOD_S)
                    heapq.heapreplace(due, (answered_s + periods * PERIOD_S, asked_s + periods * PERIOD_S, name))
                    continue
            heapq.heappop(due)
            if answered_s > house.now_s:
                house.run(answered_s)
            self._plan(name, answered_s)
            if house.silence(name):
                continue
            before = _value(self._meters[name].powers_w)
            self._asks[name](asked_s)
            if self._is_news or self._is_aftermath() or before != _value(self._meters[name].powers_w):
                return True
        return False

    def readings(self, outcomes: tuple[Outcome, ...], battery_outcomes: tuple[BatteryOutcome, ...]) -> Readings:
        """The newest samples; from now on they are no news any more."""
        house = self._house
        self._is_news = False
        return Readings(
            grid=self._meters.get("grid"),
            pv=tuple([self._meters[meter.name] for meter in house.pv_meters if meter.name in self._asks]),
            batteries=tuple(self._batteries.values()),
            chargers=tuple([self._chargers[box.name] for box in house.wallboxes]),
            circuits={name: self._meters[name] for name in house.circuit_meters},
            vehicles=self._poller.vehicles,
            tariffs=house.tariffs.at(house.now_s),
            outcomes=outcomes,
            operator_limit=operator_limit_at(self._spans, house.now_s) if self._spans else None,
            battery_outcomes=battery_outcomes,
        )

    # -- inside ------------------------------------------------------------------------------------------------------

    def _ask_meter(self, meter: Meter, asked_s: float, *, is_guard: bool = True) -> None:
        self._meters[meter.name] = self._poller.meter(meter, Instant(timedelta(seconds=asked_s)), is_grid=is_guard)

    def _ask_battery(self, index: int, meter: Meter, asked_s: float) -> None:
        self._batteries[meter.name] = self._poller.battery(index, meter, Instant(timedelta(seconds=asked_s)))

    def _ask_charger(self, box: Wallbox, asked_s: float) -> None:
        self._chargers[box.name] = self._poller.charger(box, Instant(timedelta(seconds=asked_s)))

    def _plan(self, name: str, answered_s: float) -> None:
        """A guard is asked again a period after it has answered."""
        asked_s = answered_s + PERIOD_S
        heapq.heappush(self._due, (asked_s + self._delay_s(), asked_s, name))

    def _delay_s(self) -> float:
        return self._delays.uniform(0.0, self._skew_s) if self._skew_s > 0 else 0.0

    def _has_moved(self) -> bool:
        """Whether a guard would show something else than at its last sample, were it asked now."""
        return any(meter.powers_w != _value(self._meters[name].powers_w) for name, meter in self._guards.items())

    def _is_aftermath(self) -> bool:
        now_s = self._house.now_s
        return any(fault.start_s <= now_s < fault.end_s + AFTERMATH_S for fault in self._house.faults.all)


def _value(reading: Reading[T]) -> T | None:
    return reading.value if isinstance(reading, Measured) else None
