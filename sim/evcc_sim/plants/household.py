"""The household's own consumption: a standard load profile's shape plus appliances that switch on and off at random.

Sources of the defaults: the shape follows the German standard load profile for households H0 (BDEW/VDEW 1999: night minimum
near 2-4 h, midday and evening peaks, more in winter through its dynamisation function); 4,500 kWh a year is the usual four-person
household of the BDEW. Appliances carry typical name-plate powers and run times (kettle 2 kW for some minutes; stove, oven,
iron and dryer whose thermostats switch; washing machine and dishwasher that heat first, a fridge's compressor of 90 W). How often
they and the small things run is set so that minutes without change and steps of more than 100 and 500 W are as many as in
measured households (tests/sim/measured_days.py).
"""

from __future__ import annotations

import random
from collections.abc import Generator
from dataclasses import dataclass
from datetime import time
from functools import partial
from math import log, pi, sin

import simpy

from evcc_sim.plants.bus import Tap
from evcc_sim.plants.series import Course, course
from evcc_sim.timebase import Timebase, Timer, stream

HOURS_PER_YEAR = 8760.0
WORKDAY = (
    0.50, 0.42, 0.38, 0.37, 0.38, 0.45, 0.80, 1.05, 1.05, 1.00, 1.02, 1.15,
    1.35, 1.20, 1.02, 0.95, 0.98, 1.15, 1.50, 1.75, 1.70, 1.45, 1.15, 0.78,
)  # fmt: skip
SATURDAY = (
    0.58, 0.47, 0.41, 0.38, 0.38, 0.40, 0.55, 0.85, 1.20, 1.40, 1.42, 1.45,
    1.50, 1.35, 1.18, 1.10, 1.12, 1.28, 1.55, 1.70, 1.55, 1.30, 1.10, 0.82,
)  # fmt: skip
SUNDAY = (
    0.62, 0.50, 0.43, 0.39, 0.38, 0.38, 0.45, 0.65, 1.05, 1.30, 1.45, 1.75,
    1.85, 1.45, 1.15, 1.02, 1.02, 1.15, 1.42, 1.62, 1.55, 1.32, 1.05, 0.72,
)  # fmt: skip
SHAPE_STEP_S = 900.0


Stages = tuple[tuple[float, float], ...]
"""Powers [W], each for its seconds."""


@dataclass(frozen=True, slots=True)
class Appliance:
    """Draws ``powers_w`` one after another, ``per_day`` times a day within ``hours``."""

    name: str
    phase: int  # 0..2; the three-phase stove has one entry for each phase
    powers_w: Stages
    per_day: float
    hours: tuple[float, float]


def _thermostat(times: int, *stages: tuple[float, float]) -> Stages:
    return stages * times


APPLIANCES = (
    Appliance("fridge", 0, ((90, 900),), 26, (0, 24)),
    Appliance("freezer", 1, ((80, 700),), 24, (0, 24)),
    Appliance("kettle", 0, ((2000, 160),), 4, (6, 22)),
    Appliance("water heater", 1, ((2000, 75),), 8, (6, 22)),
    Appliance("coffee", 1, ((1400, 60), *_thermostat(4, (0, 45), (1100, 15))), 2, (6, 16)),
    Appliance("microwave", 1, _thermostat(4, (1300, 20), (90, 15)), 1.5, (7, 21)),
    Appliance("stove", 0, ((1800, 240), *_thermostat(10, (0, 65), (1800, 30))), 1.2, (11, 20)),
    Appliance("stove", 1, ((1200, 240), *_thermostat(12, (0, 50), (1200, 25))), 1.2, (11, 20)),
    Appliance("oven", 2, ((2800, 480), *_thermostat(8, (30, 130), (2800, 55))), 0.5, (11, 20)),
    Appliance("washing machine", 1, ((2100, 800), *_thermostat(60, (250, 25), (40, 15)), (500, 240)), 0.5, (8, 19)),
    Appliance("dishwasher", 2, ((60, 400), (2000, 700), (80, 1600), (1900, 500)), 0.7, (9, 22)),
    Appliance("dryer", 2, _thermostat(8, (2200, 200), (250, 100)), 0.3, (9, 21)),
    Appliance("iron", 0, _thermostat(12, (2200, 25), (0, 70)), 0.25, (9, 21)),
    Appliance("hair dryer", 0, ((1500, 200),), 0.8, (6, 10)),
    Appliance("vacuum cleaner", 2, ((800, 400), (0, 60), (800, 300)), 0.3, (9, 19)),
)
APPLIANCES_KWH_PER_DAY = sum(
    a.per_day * sum(power * seconds for power, seconds in a.powers_w) / 3.6e6 for a in APPLIANCES
)
SMALL_W = (4.0, 220.0)
SMALL_S = (10.0, 1200.0)
"""Lamps, screens and chargers: power and time are alike on a logarithmic scale."""
SMALL_PER_DAY = 650.0


def _log_mean(low: float, high: float) -> float:
    return (high - low) / log(high / low)


SMALL_KWH_PER_DAY = SMALL_PER_DAY * _log_mean(*SMALL_W) * _log_mean(*SMALL_S) / 3.6e6
BUSY_KWH = 4500.0
"""A household of less a year uses its appliances less often and smaller small things, in proportion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdSpec:
    """``constant_w`` replaces the profile, ``steps`` (time of day, power) both, ``series`` all.

    ``split`` shares it among the phases, unless ``series`` has a power for each.
    """

    annual_kwh: float = 4500.0
    has_appliances: bool = True
    constant_w: float | None = None
    steps: tuple[tuple[time, float], ...] = ()
    series: tuple[tuple[float, float] | tuple[float, float, float, float], ...] = ()
    """Recorded: power [W], or that of each phase, from each second of the run on."""
    is_smooth: bool = False  # a straight line from each value of the series to the next
    split: tuple[float, float, float] = (0.4, 0.35, 0.25)


class Household:
    """Draws from its tap."""

    def __init__(self, env: simpy.Environment, tap: Tap, spec: HouseholdSpec, base: Timebase, seed: int) -> None:
        self.env = env
        self.tap = tap
        self.spec = spec
        self._base = base
        self._shape_w = 0.0
        self._appliances_w = [0.0, 0.0, 0.0]
        self._busy = min(1.0, spec.annual_kwh / BUSY_KWH) if spec.has_appliances else 0.0
        recorded = course(spec.series, is_smooth=spec.is_smooth)
        if spec.series:
            env.process(self._follow_series(recorded))
        elif spec.constant_w is not None and not spec.steps:
            self._shape_w = spec.constant_w
            self._apply()
        elif spec.steps:
            env.process(self._follow_steps())
        else:
            env.process(self._follow_shape())
            if self._busy > 0:
                env.process(self._use_small_things(stream(seed, "household", "small")))
                for index, appliance in enumerate(APPLIANCES):
                    env.process(self._use(appliance, stream(seed, "household", index)))

    @property
    def power_w(self) -> float:
        return self.tap.power_w

    def _apply(self) -> None:
        split, extra, shape = self.spec.split, self._appliances_w, self._shape_w
        self.tap.set((shape * split[0] + extra[0], shape * split[1] + extra[1], shape * split[2] + extra[2]))

    def _follow_steps(self) -> Generator[simpy.Event, None, None]:
        day = 0
        steps = sorted(self.spec.steps)
        self._shape_w = steps[-1][1] if self.spec.constant_w is None else self.spec.constant_w
        self._apply()
        while True:
            for wall, power_w in steps:
                second = self._base.second(day, wall)
                if second > self.env.now:
                    yield self.env.timeout(second - self.env.now)
                self._shape_w = power_w
                self._apply()
            day += 1

    def _follow_series(self, recorded: Course) -> Generator[simpy.Event, None, None]:
        for second, watts in recorded:
            if second > self.env.now:
                yield self.env.timeout(second - self.env.now)
            if len(watts) == 3:
                self.tap.set((watts[0], watts[1], watts[2]))
            else:
                self._shape_w = watts[0]
                self._apply()

    def _follow_shape(self) -> Generator[simpy.Event, None, None]:
        switched_kwh_per_day = self._busy * (APPLIANCES_KWH_PER_DAY + SMALL_KWH_PER_DAY)
        average_w = self.spec.annual_kwh / HOURS_PER_YEAR * 1000.0 - switched_kwh_per_day / 24 * 1000.0
        while True:
            self._shape_w = average_w * self._shape_at(float(self.env.now))
            self._apply()
            yield self.env.timeout(SHAPE_STEP_S)

    def _shape_at(self, second: float) -> float:
        local = self._base.utc(second).astimezone(self._base.zone)
        table = WORKDAY if local.weekday() < 5 else SATURDAY if local.weekday() == 5 else SUNDAY
        hour = local.hour + local.minute / 60
        low = table[int(hour)]
        value = low + (table[(int(hour) + 1) % 24] - low) * (hour - int(hour))
        # H0 is dynamised over the year: about 1.24 in January, 0.79 in July
        season = 1.0 + 0.22 * sin(2 * pi * (local.timetuple().tm_yday + 81) / 365)
        return value * season / (sum(table) / 24)

    def _use(self, appliance: Appliance, rng: random.Random) -> Generator[simpy.Event, None, None]:
        day = 0
        first, last = appliance.hours
        per_day = appliance.per_day * self._busy
        while True:
            start_s = self._base.day_second(day)
            uses = int(per_day) + (rng.random() < per_day % 1)
            moments = sorted(start_s + 3600 * rng.uniform(first, last) for _ in range(uses))
            for moment in moments:
                if moment > self.env.now:
                    yield self.env.timeout(moment - self.env.now)
                for power_w, seconds in appliance.powers_w:
                    self._draw(appliance.phase, power_w)
                    yield self.env.timeout(seconds * rng.uniform(0.8, 1.2))
                    self._appliances_w[appliance.phase] -= power_w
                self._apply()
            day += 1
            midnight = self._base.day_second(day)
            if midnight > self.env.now:
                yield self.env.timeout(midnight - self.env.now)

    def _use_small_things(self, rng: random.Random) -> Generator[simpy.Event, None, None]:
        """They are many, and more while the house is busy."""
        per_second = SMALL_PER_DAY / 86_400.0
        while True:
            yield self.env.timeout(rng.expovariate(per_second * self._shape_at(float(self.env.now))))
            (phase,) = rng.choices((0, 1, 2), self.spec.split)
            power_w = round(self._busy * SMALL_W[0] * (SMALL_W[1] / SMALL_W[0]) ** rng.random())
            lasts_s = SMALL_S[0] * (SMALL_S[1] / SMALL_S[0]) ** rng.random()
            self._draw(phase, power_w)
            Timer(self.env, lasts_s, partial(self._draw, phase, -power_w))

    def _draw(self, phase: int, power_w: float) -> None:
        """So much more from now on; whole watts, so that their sum is exact."""
        self._appliances_w[phase] += power_w
        self._apply()
