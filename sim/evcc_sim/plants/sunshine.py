"""The sun on a roof: clear sky from pvlib, seeded clouds down to seconds, an inverter with limits.

Sources of the defaults: solar position and clear-sky irradiance by pvlib (Ineichen/Perez, Linke turbidity 3 as its usual
mid-European value, isotropic sky on the plane of the array); 14 % system losses (PVGIS default); cloud passages of one to
some minutes with edges of 5-20 s and brief enhancement above clear sky at the edges (Lave and Kleissl, Solar Energy 91,
2013, cloud speeds of 5-20 m/s; Marcos et al., Progress in Photovoltaics 19, 2011, ramps of roofs of this size).
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum
from functools import lru_cache

import simpy

from evcc_sim.plants.bus import Tap
from evcc_sim.plants.series import Course, course
from evcc_sim.timebase import Timebase, Timer, stream

CLEAR_SKY_STEP_S = 300
"""pvlib is asked for every five minutes; between them the power is interpolated each minute."""
STEP_S = 60.0
LINKE_TURBIDITY = 3.0


class Sky(StrEnum):
    """The day's weather."""

    CLEAR = "clear"
    APRIL = "april"  # sun and clouds in quick succession
    CUMULUS = "cumulus"  # a fair-weather day with clouds now and then
    OVERCAST = "overcast"


@dataclass(frozen=True, slots=True)
class _Clouds:
    """Mean lengths [s] of clear and cloudy spells and the range of what a cloud lets through."""

    clear_s: float
    cloudy_s: float
    passes: tuple[float, float]


CLOUDS = {
    Sky.APRIL: _Clouds(240.0, 150.0, (0.15, 0.55)),
    Sky.CUMULUS: _Clouds(1500.0, 240.0, (0.3, 0.7)),
    Sky.OVERCAST: _Clouds(120.0, 1800.0, (0.08, 0.3)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PvSpec:
    """A string of modules and its inverter. ``constant_w`` or ``steps`` (time of day, power) replace the sun."""

    name: str = "pv"
    profile: str = "sunspec-inverter"
    peak_w: float = 9800.0
    tilt_deg: float = 30.0
    azimuth_deg: float = 180.0
    losses: float = 0.14
    ac_limit_w: float | None = None
    phases: int = 3
    zero_feed_in: bool = False  # follows the load so that nothing is exported
    follow_lag_s: float = 1.0  # how long a zero feed-in inverter takes to follow
    constant_w: float | None = None
    steps: tuple[tuple[time, float], ...] = ()
    series: tuple[tuple[float, float], ...] = ()  # recorded: power [W] from each second of the run on
    is_smooth: bool = False  # a straight line from each value of the series to the next
    wave: tuple[float, float, float] | None = None  # low [W], high [W], period [s]: a square wave between 8 and 18 h


@lru_cache(maxsize=64)
def clear_sky_fractions(
    latitude: float, longitude: float, zone: str, day: date, tilt_deg: float, azimuth_deg: float
) -> tuple[float, ...]:
    """Clear-sky power as a fraction of peak power, every five minutes from local midnight for 25 hours."""
    import pandas as pd
    import pvlib

    start = pd.Timestamp(day, tz=zone)
    times = pd.date_range(start, periods=25 * 3600 // CLEAR_SKY_STEP_S + 1, freq=f"{CLEAR_SKY_STEP_S}s")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pvlib uses what pandas will rename
        site = pvlib.location.Location(latitude, longitude, tz=zone)
        position = site.get_solarposition(times)
        sky = site.get_clearsky(times, solar_position=position, linke_turbidity=LINKE_TURBIDITY)
        plane = pvlib.irradiance.get_total_irradiance(
            tilt_deg, azimuth_deg, position["apparent_zenith"], position["azimuth"], sky["dni"], sky["ghi"], sky["dhi"]
        )
    return tuple(float(max(0.0, watts)) / 1000.0 for watts in plane["poa_global"].fillna(0.0))


class Sunshine:
    """What the sky lets through, shared by all roofs: 1.0 is clear."""

    def __init__(self, env: simpy.Environment, sky: Sky, seed: int, *, dimming: float = 1.0) -> None:
        self.env = env
        self.transmission = dimming
        self.listeners: list[Callable[[], None]] = []
        self._dimming = dimming
        if sky is not Sky.CLEAR:
            env.process(self._drift(CLOUDS[sky], stream(seed, "clouds")))

    def _drift(self, clouds: _Clouds, rng: random.Random) -> Generator[simpy.Event, None, None]:
        clear = 1.0
        while True:
            yield self.env.timeout(rng.expovariate(1 / clouds.clear_s))
            passes = rng.uniform(*clouds.passes)
            edge_s = rng.uniform(5.0, 20.0)
            yield from self._ramp(clear, passes, edge_s, rng)
            yield self.env.timeout(rng.expovariate(1 / clouds.cloudy_s))
            yield from self._ramp(passes, 1.0 + rng.uniform(0.0, 0.12), edge_s, rng)
            yield self.env.timeout(rng.uniform(5.0, 30.0))
            yield from self._ramp(1.0, 1.0, 0.0, rng)

    def _ramp(self, low: float, high: float, edge_s: float, rng: random.Random) -> Generator[simpy.Event, None, None]:
        steps = 1 if edge_s == 0 else rng.randint(2, 5)
        for step in range(1, steps + 1):
            self.transmission = self._dimming * (low + (high - low) * step / steps)
            for listener in self.listeners:
                listener()
            if edge_s > 0:
                yield self.env.timeout(edge_s / steps)


class Inverter:
    """Delivers what sun and limits allow; a zero feed-in inverter follows the load instead."""

    def __init__(
        self,
        env: simpy.Environment,
        tap: Tap,
        spec: PvSpec,
        base: Timebase,
        sunshine: Sunshine,
        *,
        latitude: float,
        longitude: float,
        grid_power_w: Callable[[], float],
    ) -> None:
        self.env = env
        self.tap = tap
        self.spec = spec
        self.stored_w: Callable[[], float] | None = None  # what a battery behind it takes now
        self.available_w = 0.0  # what the modules could deliver now
        self.power_w = 0.0  # what they do deliver
        self._base = base
        self._sun = sunshine
        self._where = (latitude, longitude)
        self._grid_power_w = grid_power_w
        self._fraction = 0.0
        self._follow: Timer | None = None
        self._limit_w = float("inf")  # the zero feed-in controller's
        recorded = course(spec.series, is_smooth=spec.is_smooth)
        if spec.series:
            env.process(self._follow_series(recorded))
        elif spec.wave is not None:
            env.process(self._follow_wave(*spec.wave))
        elif spec.steps:
            env.process(self._follow_steps())
        elif spec.constant_w is not None:
            self._set_available(spec.constant_w)
        else:
            sunshine.listeners.append(self._sky_changed)
            env.process(self._follow_sun())

    def _follow_sun(self) -> Generator[simpy.Event, None, None]:
        day = 0
        spec = self.spec
        while True:
            start_s, end_s = self._base.day_second(day), self._base.day_second(day + 1)
            fractions = clear_sky_fractions(
                *self._where, str(self._base.zone), self._base.date_of(day), spec.tilt_deg, spec.azimuth_deg
            )
            while self.env.now < end_s:
                position = (float(self.env.now) - start_s) / CLEAR_SKY_STEP_S
                low = int(position)
                value = fractions[low] + (fractions[low + 1] - fractions[low]) * (position - low)
                if value == 0.0 and fractions[low + 1] == 0.0:  # night: sleep through it
                    self._fraction = 0.0
                    self._sky_changed()
                    wake = next((i for i in range(low + 1, len(fractions) - 1) if fractions[i + 1] > 0), len(fractions))
                    yield self.env.timeout(max(STEP_S, min(end_s, start_s + wake * CLEAR_SKY_STEP_S) - self.env.now))
                    continue
                self._fraction = value
                self._sky_changed()
                yield self.env.timeout(STEP_S)
            day += 1

    def _follow_steps(self) -> Generator[simpy.Event, None, None]:
        day = 0
        steps = sorted(self.spec.steps)
        while True:
            for wall, power_w in steps:
                second = self._base.second(day, wall)
                if second > self.env.now:
                    yield self.env.timeout(second - self.env.now)
                self._set_available(power_w)
            day += 1

    def _follow_series(self, recorded: Course) -> Generator[simpy.Event, None, None]:
        for second, (power_w,) in recorded:
            if second > self.env.now:
                yield self.env.timeout(second - self.env.now)
            self._set_available(power_w)

    def _follow_wave(self, low_w: float, high_w: float, period_s: float) -> Generator[simpy.Event, None, None]:
        day = 0
        while True:
            start_s, end_s = self._base.second(day, time(8)), self._base.second(day, time(18))
            if start_s > self.env.now:
                yield self.env.timeout(start_s - self.env.now)
            is_high = True
            while self.env.now < end_s:
                self._set_available(high_w if is_high else low_w)
                is_high = not is_high
                yield self.env.timeout(period_s / 2)
            self._set_available(0.0)
            day += 1

    def _sky_changed(self) -> None:
        self._set_available(self.spec.peak_w * (1 - self.spec.losses) * self._fraction * self._sun.transmission)

    def _set_available(self, power_w: float) -> None:
        self.available_w = power_w
        self.update()

    def update(self) -> None:
        """Deliver anew: sun, limit or battery have changed."""
        power_w = min(self.available_w, self._limit_w)
        if self.spec.ac_limit_w is not None:
            power_w = min(power_w, self.spec.ac_limit_w + (self.stored_w() if self.stored_w is not None else 0.0))
        self.power_w = power_w
        if self.spec.phases == 1:
            self.tap.set((-power_w, 0.0, 0.0))
        else:
            self.tap.set((-power_w / 3, -power_w / 3, -power_w / 3))

    def load_changed(self) -> None:
        """The grid power has changed: a zero feed-in inverter follows after its lag."""
        if self.spec.zero_feed_in and self._follow is None and abs(self._load_w() - self._limit_w) > 1.0:
            self._follow = Timer(self.env, self.spec.follow_lag_s, self._follow_load)

    def _load_w(self) -> float:
        """What the house takes without this inverter [W]."""
        return max(0.0, self.power_w + self._grid_power_w())

    def _follow_load(self) -> None:
        self._follow = None
        self._limit_w = self._load_w()
        self.update()
        self.load_changed()
