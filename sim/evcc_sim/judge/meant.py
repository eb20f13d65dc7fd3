"""What people mean a loadpoint to do at a moment, by the settings in force, the car, the clock and what has flowed.

Nothing here comes from what a control says of itself. **A car may be bought for** in mode now, and in modes pv and minpv

* below its minimum SoC; while nobody can tell its SoC, until the energy for it has gone in from empty;
* with a departure ahead, one of its vehicle's plans too, until its goal is reached: whoever controls chooses the hours. It may
  finish after the departure;
* while energy costs no more than the limit for that;
* while it conditions its cabin, for all that a control can know.

**It may rest** at its goal, of SoC or, for a car that does not tell it, of energy. A control knows a SoC from a maker's cloud,
late and rounded, so that near an edge both are right, and so they are where that cloud has lied.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from itertools import pairwise

from evcc_sim.judge.trace import InForce, Instant, Trace
from evcc_sim.plants.car import CarSpec
from evcc_sim.plants.faults import SILENT, FaultKind
from evcc_sim.plants.prices import Tariffs
from evcclib.model import ChargeMode, TariffKind
from evcclib.settings import LoadpointSettings

GOAL_MARGIN_PCT = 10.0
"""So far the SoC that a control works with may be from the true one: rounded, refreshed now and then, estimated in between."""
ENERGY_MARGIN = 0.1
"""The same for energies, as a part of the goal."""
ASKED_AGAIN_S = 600.0
"""A car's maker is asked again within this time."""
CLIMATE_COUNTS_S = 900.0
"""What it has said of the climate counts for so long, or as long as the owner lets it be asked no more often."""
LIES = frozenset({FaultKind.LYING, FaultKind.FROZEN})
NOTHING_SAID = SILENT | {FaultKind.NAN}
PAUSE_S = 600.0
"""A shorter pause does not end a charge that goes on after the departure."""


class Meant:
    """Of a run, at each of its instants."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._cars = {car.name: car for car in trace.scenario.car}
        self._everyone = range(len(trace.scenario.charger))
        self._jumps = [fault for fault in trace.faults if fault.kind is FaultKind.CLOCK_JUMP]

    def may_buy(self, loadpoint: int, instant: Instant, wish: InForce) -> bool:
        """Whether people want a car to be charged, whatever the sun does."""
        settings, car = wish.loadpoints[loadpoint], self._cars.get(instant.loadpoints[loadpoint].car)
        if settings.mode in (ChargeMode.NOW, ChargeMode.OFF) or car is None:
            return settings.mode is ChargeMode.NOW
        return (
            (settings.soc_min_pct > 0 and self._is_low(loadpoint, instant, wish, car))
            or (settings.target_time is not None and self._has_departure(loadpoint, instant, wish, car))
            or self._lacks_what_is_planned(loadpoint, instant, wish, car)
            or (settings.smart_cost_limit is not None and self.is_cheap(settings.smart_cost_limit, instant.second))
            or self._may_be_conditioned(loadpoint, instant.second, wish)
        )

    def follows(self, loadpoint: int, instant: Instant, wish: InForce) -> bool:
        """Whether a car is there that is to be charged by the sun alone."""
        is_pv = wish.loadpoints[loadpoint].mode is ChargeMode.PV and instant.loadpoints[loadpoint].car != ""
        is_sold = self.is_sold(wish.loadpoints[loadpoint].feed_in_priority_limit, instant.second)
        return is_pv and not is_sold and not self.may_buy(loadpoint, instant, wish)

    def may_rest(self, loadpoint: int, instant: Instant, wish: InForce) -> bool:
        """Whether a goal that people have set is reached, for all that a control can know."""
        settings, now = wish.loadpoints[loadpoint], instant.loadpoints[loadpoint]
        car, vehicle = self._cars.get(now.car), wish.vehicles[loadpoint]
        if car is None:
            return False
        if settings.energy_target_kwh > 0 and not self._tells_soc(vehicle):
            return self._energy_kwh(loadpoint, instant) >= settings.energy_target_kwh * (1 - ENERGY_MARGIN)
        if not 0 < settings.soc_target_pct < 100 or vehicle is None:
            return False
        said_pct = [high for _low, high in self._lies_pct(loadpoint, instant.second, car)]
        return vehicle != car.name or max([now.soc_pct, *said_pct]) >= settings.soc_target_pct - GOAL_MARGIN_PCT

    def is_at_an_edge(self, loadpoint: int, instant: Instant, wish: InForce) -> bool:
        """Whether a control may change its mind though nobody does anything: a goal or a minimum is near, a plan is made, a cabin
        is conditioned."""
        if self._may_be_conditioned(loadpoint, instant.second, wish):
            return True
        settings, now = wish.loadpoints[loadpoint], instant.loadpoints[loadpoint]
        edges_pct = [each for each in (settings.soc_min_pct, settings.soc_target_pct) if 0 < each < 100]
        if any(abs(now.soc_pct - edge_pct) <= GOAL_MARGIN_PCT for edge_pct in edges_pct):
            return True
        if edges_pct and wish.vehicles[loadpoint] != now.car:
            return True
        limits = (settings.smart_cost_limit, settings.feed_in_priority_limit)
        is_planned = wish.is_planned(loadpoint) or limits != (None, None)
        return is_planned or settings.energy_target_kwh > 0

    # -- inside ------------------------------------------------------------------------------------------------------------

    def _is_low(self, loadpoint: int, instant: Instant, wish: InForce, car: CarSpec) -> bool:
        """Whether a car is below its minimum SoC, for all that a control can know."""
        settings, vehicle = wish.loadpoints[loadpoint], wish.vehicles[loadpoint]
        if vehicle is None:
            return False
        if vehicle != car.name:
            return True  # what is said of another car decides
        if self._tells_soc(vehicle) and not self._is_silent(car, instant.second):
            return self._least_pct(loadpoint, instant.second, car) < settings.soc_min_pct
        needed_kwh = settings.soc_min_pct / 100 * car.capacity_kwh / car.efficiency
        return self._energy_kwh(loadpoint, instant) < needed_kwh * (1 + ENERGY_MARGIN)

    def _may_be_conditioned(self, loadpoint: int, second: float, wish: InForce) -> bool:
        """Whether the vehicle conditions its cabin, or did so when its maker may have been asked last."""
        vehicle = self._cars.get(wish.vehicles[loadpoint] or "")
        if vehicle is None or not (vehicle.has_api and vehicle.has_climate):
            return False
        counts_s = max(CLIMATE_COUNTS_S, self._trace.scenario.charger[loadpoint].loadpoint.poll_interval_s)
        return any(start_s <= second < end_s + counts_s for start_s, end_s in self._climates[vehicle.name])

    def _has_departure(self, loadpoint: int, instant: Instant, wish: InForce, car: CarSpec) -> bool:
        settings = wish.loadpoints[loadpoint]
        if self._is_passed(settings, loadpoint, instant.second):
            return False
        if settings.energy_target_kwh > 0 and not self._tells_soc(wish.vehicles[loadpoint]):
            return self._energy_kwh(loadpoint, instant) < settings.energy_target_kwh * (1 + ENERGY_MARGIN)
        target_pct = settings.soc_target_pct or 100
        if target_pct >= 100 or wish.vehicles[loadpoint] != car.name:
            return True
        return self._least_pct(loadpoint, instant.second, car) < target_pct

    def _lacks_what_is_planned(self, loadpoint: int, instant: Instant, wish: InForce, car: CarSpec) -> bool:
        """Whether a plan of its vehicle asks for more than a car has, for all that a control can know."""
        planned_pct = max(wish.planned_pct(loadpoint), default=0)
        is_another = wish.vehicles[loadpoint] != car.name
        return planned_pct > 0 and (is_another or self._least_pct(loadpoint, instant.second, car) < planned_pct)

    def _is_passed(self, settings: LoadpointSettings, loadpoint: int, second: float) -> bool:
        """Whether the departure is over, and what charges now has begun after it."""
        assert settings.target_time is not None
        target_s = (settings.target_time - self._trace.scenario.base.epoch).total_seconds() - self._ahead_s(second)
        return second > target_s and self._charge_began_s(loadpoint, second) > target_s

    def is_cheap(self, limit: float, second: float) -> bool:
        """Whether energy costs no more than ``limit``, by the clock of the control."""
        second += self._ahead_s(second)
        kinds = (TariffKind.PLANNER, TariffKind.GRID)
        price = next((p for kind in kinds if (p := self._tariffs.price(kind, second)) is not None), None)
        return price is not None and price <= limit

    def is_sold(self, limit: float | None, second: float) -> bool:
        """Whether the sun is rather to be sold, by the clock of the control."""
        price = None if limit is None else self._tariffs.price(TariffKind.FEED_IN, second + self._ahead_s(second))
        return price is not None and limit is not None and price >= limit

    def _ahead_s(self, second: float) -> float:
        """How far the control's clock is ahead."""
        return sum(jump.params.get("seconds", 3600.0) for jump in self._jumps if jump.start_s <= second)

    def _least_pct(self, loadpoint: int, second: float, car: CarSpec) -> float:
        """The least SoC that a control may believe in [%]."""
        said_pct = [low for low, _high in self._lies_pct(loadpoint, second, car)]
        return min([self._known_soc_pct(loadpoint, second, car), *said_pct])

    def _known_soc_pct(self, loadpoint: int, second: float, car: CarSpec) -> float:
        """The SoC that a control must know: as it was when the car's maker was last asked, or when it came [%]."""
        said_s = second - 2 * car.api_refresh_s - ASKED_AGAIN_S
        return self._soc_pct(loadpoint, max(said_s, self.arrived_s(loadpoint, second)))

    def _soc_pct(self, loadpoint: int, second: float) -> float:
        position = bisect_right(self._seconds, second) - 1
        return self._trace.instants[max(0, position)].loadpoints[loadpoint].soc_pct

    @cached_property
    def _seconds(self) -> list[float]:
        return [instant.second for instant in self._trace.instants]

    def _lies_pct(self, loadpoint: int, second: float, car: CarSpec) -> list[tuple[float, float]]:
        """Between what the SoC was when the car's maker said what is not so, since the car came [%]."""
        came_s = self.arrived_s(loadpoint, second)
        found = []
        for lie in self._trace.faults:
            if lie.device != car.name or lie.kind not in LIES or lie.start_s > second or lie.end_s < came_s:
                continue
            first, last = (
                self._soc_pct(loadpoint, each) for each in (max(came_s, lie.start_s), min(second, lie.end_s))
            )
            if lie.kind is FaultKind.LYING:
                factor, offset_pct = lie.params.get("factor", 1.0), lie.params.get("offset_pct", 0.0)
                found.append((first * factor + offset_pct, last * factor + offset_pct))
            elif lie.start_s >= came_s:
                found.append((self._known_soc_pct(loadpoint, lie.start_s, car), first))
            elif self._first_seen_s[car.name] < lie.start_s:
                found.append((0.0, 100.0))  # of another stay
            else:
                found.append((first, last))  # by whoever asks first
        return found

    def _is_silent(self, car: CarSpec, second: float) -> bool:
        """Whether the car's maker says nothing, or did so until lately."""
        silences = [fault for fault in self._trace.faults if fault.device == car.name and fault.kind in NOTHING_SAID]
        return any(fault.start_s <= second < fault.end_s + ASKED_AGAIN_S for fault in silences)

    def _tells_soc(self, vehicle: str | None) -> bool:
        car = self._cars.get(vehicle or "")
        return car is not None and car.has_api and car.has_soc

    @cached_property
    def _climates(self) -> dict[str, list[tuple[float, float]]]:
        """When each car conditions its cabin [s]."""
        base, days = self._trace.scenario.base, range(self._trace.days + 1)
        return {
            name: [(base.second(day, start), base.second(day, end)) for day in days for start, end in car.climate]
            for name, car in self._cars.items()
        }

    @cached_property
    def _tariffs(self) -> Tariffs:
        scenario = self._trace.scenario
        return Tariffs(scenario.tariff, scenario.base, self._trace.seed)

    def _energy_kwh(self, loadpoint: int, instant: Instant) -> float:
        """What the car has got since it came."""
        arrivals = self._arrivals[loadpoint]
        position = bisect_right(arrivals, instant.second, key=lambda arrival: arrival[0]) - 1
        came_kwh = arrivals[position][1] if position >= 0 else 0.0
        return instant.loadpoints[loadpoint].energy_kwh - came_kwh

    @cached_property
    def _arrivals(self) -> list[list[tuple[float, float]]]:
        """When cars have come to each loadpoint, and what it had delivered until then [s, kWh]."""
        found: list[list[tuple[float, float]]] = [[] for _each in self._everyone]
        for before, now in pairwise(self._trace.instants):
            for index, (old, new) in enumerate(zip(before.loadpoints, now.loadpoints, strict=True)):
                if new.car and new.car != old.car:
                    found[index].append((now.second, old.energy_kwh))
        return found

    @cached_property
    def _first_seen_s(self) -> dict[str, float]:
        """When each car has been there for the first time."""
        found: dict[str, float] = {}
        for instant in self._trace.instants:
            for each in instant.loadpoints:
                found.setdefault(each.car, instant.second)
        return found

    def arrived_s(self, loadpoint: int, second: float) -> float:
        """When the car that is there has come; 0: it was there at the beginning."""
        arrivals = self._arrivals[loadpoint]
        position = bisect_right(arrivals, second, key=lambda arrival: arrival[0]) - 1
        return arrivals[position][0] if position >= 0 else 0.0

    def arrives_between(self, start_s: float, end_s: float) -> bool:
        """Whether a car comes to any loadpoint between the two seconds."""
        return any(start_s <= second <= end_s for arrivals in self._arrivals for second, _kwh in arrivals)

    def _charge_began_s(self, loadpoint: int, second: float) -> float:
        began = self._charges[loadpoint]
        position = bisect_right(began, second) - 1
        return began[position] if position >= 0 else 0.0

    @cached_property
    def _charges(self) -> list[list[float]]:
        """When charges have begun at each loadpoint, after a pause worth the name."""
        found: list[list[float]] = []
        for index in self._everyone:
            began: list[float] = []
            drew_s = float("-inf")
            for instant in self._trace.instants:
                if instant.loadpoints[index].power_w > 0:
                    if instant.second - drew_s > PAUSE_S:
                        began.append(instant.second)
                    drew_s = instant.second
            found.append(began)
        return found
