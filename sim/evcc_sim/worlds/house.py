"""The whole plant: everything on one bus, advanced together. Each device is an object with its physical state and its commands.

`House.run` takes the world to a second and includes what happens exactly then; between two calls nothing needs to be polled.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import time

import simpy

from evcc_sim.plants.battery import Battery
from evcc_sim.plants.bus import Bus, Sum
from evcc_sim.plants.car import Car, Visit
from evcc_sim.plants.faults import FaultTable
from evcc_sim.plants.fuse import Fuse
from evcc_sim.plants.household import Household
from evcc_sim.plants.meter import Meter, MeterSpec
from evcc_sim.plants.prices import Tariffs
from evcc_sim.plants.sunshine import Inverter, PvSpec, Sunshine, clear_hours_w
from evcc_sim.plants.wallbox import Wallbox
from evcc_sim.timebase import Timebase
from evcc_sim.worlds.scenario import Scenario
from evcclib.model import PhaseTriple


class House:
    """All plants of a scenario. Lists follow the scenario's order; cars go by name."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        seed: int | None = None,
        days: int | None = None,
        env: simpy.Environment | None = None,
        weather_env: simpy.Environment | None = None,
    ) -> None:
        """``weather_env``: sun, inverters and household live in this environment, whose time somebody else advances."""
        self.scenario = scenario
        self.seed = scenario.seed if seed is None else seed
        self.days = scenario.days if days is None else days
        self.env = env or simpy.Environment()
        self.weather_env = weather_env or self.env
        self.base: Timebase = scenario.base
        site = scenario.site
        self.bus = Bus(self.env, voltage_v=site.true_voltage_v or site.voltage_v)
        self.faults = FaultTable(scenario.faults(self.days))
        sun_w = None if scenario.weather.forecast is None else self._forecast_w
        self.tariffs = Tariffs(scenario.tariff, self.base, self.seed, sun_w=sun_w)
        self.sunshine = Sunshine(scenario.weather.sky, self.seed, dimming=scenario.weather.dimming)
        self.household = Household(
            self.weather_env, self.bus.tap("household"), scenario.household, self.base, self.seed
        )
        self.inverters = tuple(map(self._inverter, scenario.pv))
        self.batteries = tuple(
            Battery(self.env, self.bus.tap(spec.name), spec, self._grid_power_w) for spec in scenario.battery
        )
        self._couple()
        self.wallboxes = tuple(
            Wallbox(self.env, self.bus.tap(box.name), box, self.bus.voltages_v, faults=self.faults, seed=self.seed)
            for box in (spec.box for spec in scenario.charger)
        )
        self.cars = {
            spec.name: Car(self.env, spec, is_climate_time=self._climate_clock(spec.climate), faults=self.faults)
            for spec in scenario.car
        }
        self.fuse = Fuse(self.env, lambda: self.bus.currents_a, self._cars_a, rated_a=site.fuse_a)
        self.bus.grid.listeners.append(self.fuse.changed)
        self._add_meters()
        self._let_people_live()

    def _let_people_live(self) -> None:
        by_name = {box.name: box for box in self.wallboxes}
        for car in self.cars.values():
            for visit in car.spec.visits:
                self.env.process(self._visit(car, by_name[visit.charger], visit))
            for start, end in car.spec.climate:
                for wall in (start, end):
                    self.env.process(self._climate(car, wall))

    def _forecast_w(self, day: int) -> list[float]:
        """What the control is told of the sun of ``day``, hour by hour [W]."""
        site, share = self.scenario.site, self.scenario.weather.forecast or 0.0
        roofs = (
            clear_hours_w(spec, self.base, day, latitude=site.latitude, longitude=site.longitude)
            for spec in self.scenario.pv
        )
        return [share * sum(each) for each in zip(*roofs, strict=True)]

    def _inverter(self, spec: PvSpec) -> Inverter:
        site = self.scenario.site
        return Inverter(
            self.weather_env,
            self.bus.tap(spec.name),
            spec,
            self.base,
            self.sunshine,
            latitude=site.latitude,
            longitude=site.longitude,
            grid_power_w=self._grid_power_w,
        )

    def run(self, until_s: float) -> None:
        """Advance to ``until_s``, including events at exactly that second."""
        env = self.env
        step = env.step
        if until_s > env.now:
            arrival = env.timeout(until_s - env.now)
            while not arrival.processed:
                step()
        while env.peek() <= until_s:
            step()

    @property
    def now_s(self) -> float:
        """Seconds since the scenario's start."""
        return float(self.env.now)

    def silence(self, device: str) -> bool:
        """Whether ``device`` (``grid`` or a plant's name) gives no answer now."""
        return self.faults.is_silent(device, self.now_s)

    # -- building ----------------------------------------------------------------------------------------------------

    def _grid_power_w(self) -> float:
        return self.bus.grid.power_w

    def _cars_a(self) -> PhaseTriple:
        p = [box.tap.powers_w for box in self.wallboxes]
        v = self.bus.voltages_v
        return sum(each[0] for each in p) / v[0], sum(each[1] for each in p) / v[1], sum(each[2] for each in p) / v[2]

    def _couple(self) -> None:
        """Who reacts to the grid power, and which battery sits behind the first inverter."""
        for battery in self.batteries:
            self.bus.grid.listeners.append(battery.grid_changed)
            if battery.spec.dc_coupled and self.inverters:
                inverter = self.inverters[0]
                limit_w = inverter.spec.ac_limit_w
                if limit_w is not None:
                    battery.ac_room_w = lambda i=inverter, w=limit_w: w - i.power_w
                    battery.dc_surplus_w = lambda i=inverter, w=limit_w: i.available_w - w
                    inverter.stored_w = lambda b=battery: max(0.0, -b.power_w)
                    battery.tap.listeners.append(inverter.update)
        for inverter in self.inverters:
            if inverter.spec.zero_feed_in:
                self.bus.grid.listeners.append(inverter.load_changed)

    def _add_meters(self) -> None:
        env, v, seed, faults = self.env, self.bus.voltages_v, self.seed, self.faults
        spec = self.scenario.grid.meter
        self.grid_meter = Meter(env, "grid", self.bus.grid, v, spec=spec, faults=faults, seed=seed)
        self.pv_meters = tuple(
            Meter(env, inverter.spec.name, inverter.tap, v, sign=-1, faults=faults, seed=seed)
            for inverter in self.inverters
        )
        self.battery_meters = tuple(
            Meter(env, battery.spec.name, battery.tap, v, sign=-1, faults=faults, seed=seed)
            for battery in self.batteries
        )
        self.circuit_meters: dict[str, Meter] = {}
        for circuit in self.scenario.circuit:
            if circuit.has_meter:
                below = self._below(circuit.name)
                taps = [
                    box.tap
                    for box, charger in zip(self.wallboxes, self.scenario.charger, strict=True)
                    if charger.loadpoint.circuit in below
                ]
                taps += [battery.tap for battery in self.batteries if battery.spec.circuit in below]
                flow = Sum(env, taps)
                self.circuit_meters[circuit.name] = Meter(env, circuit.name, flow, v, spec=MeterSpec(), faults=faults)

    def _below(self, name: str) -> set[str]:
        found = {name}
        while True:
            more = {c.name for c in self.scenario.circuit if c.parent in found} - found
            if not more:
                return found
            found |= more

    # -- people -----------------------------------------------------------------------------------------------------

    def _visit(self, car: Car, box: Wallbox, visit: Visit) -> Generator[simpy.Event, None, None]:
        day = 0
        while True:
            if not visit.days or day in visit.days:
                arrive_s = self.base.second(day, visit.arrive)
                depart_s = self.base.second(day + (visit.depart <= visit.arrive), visit.depart)
                if arrive_s > self.env.now:
                    yield self.env.timeout(arrive_s - self.env.now)
                if car.socket is None and box.car is None:
                    car.soc_pct = visit.soc_pct if visit.soc_pct is not None else max(5.0, car.soc_pct - visit.used_pct)
                    car.odometer_km += visit.used_pct * car.spec.range_km_per_pct
                    box.plug_in(car)
                    if depart_s > self.env.now:
                        yield self.env.timeout(depart_s - self.env.now)
                    if box.hosts(car):
                        box.unplug()
            day += 1
            midnight_s = self.base.day_second(day)
            if midnight_s > self.env.now:
                yield self.env.timeout(midnight_s - self.env.now)

    def _climate(self, car: Car, wall: time) -> Generator[simpy.Event, None, None]:
        day = 0
        while True:
            second = self.base.second(day, wall)
            if second > self.env.now:
                yield self.env.timeout(second - self.env.now)
                car.climate_changed()
            day += 1

    def _climate_clock(self, spans: tuple[tuple[time, time], ...]) -> _ClimateClock:
        return _ClimateClock(self, spans)


class _ClimateClock:
    """Tells whether the wall clock is inside one of the spans."""

    def __init__(self, house: House, spans: tuple[tuple[time, time], ...]) -> None:
        self._house = house
        self._spans = spans

    def __call__(self) -> bool:
        wall = self._house.base.utc(self._house.now_s).astimezone(self._house.base.zone).time()
        return any(start <= wall < end for start, end in self._spans)
