"""The sun on a roof: clear sky from pvlib, clouds from `sky`, an inverter with limits.

Sources of the defaults: solar position and clear-sky irradiance by pvlib (Ineichen/Perez, Linke turbidity 3 as its usual
mid-European value, isotropic sky on the plane of the array); 14 % system losses (PVGIS default).
"""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time
from functools import lru_cache
from operator import itemgetter

import numpy as np
import simpy

from evcc_sim.plants.bus import Tap
from evcc_sim.plants.series import Course, course
from evcc_sim.plants.sky import Seconds, Sky, clear_sky_index
from evcc_sim.timebase import Timebase, Timer

CLEAR_SKY_STEP_S = 300
"""pvlib is asked for every five minutes; between them the power is interpolated."""
STEP_SHARE = 0.002
"""A change of less than this share of the peak power is kept until it has grown: twenty watts of an ordinary roof."""
LINKE_TURBIDITY = 3.0


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


def clear_hours_w(spec: PvSpec, base: Timebase, day: int, *, latitude: float, longitude: float) -> list[float]:
    """What the modules deliver in each hour of ``day`` under a clear sky [W, mean]; whatever replaces the sun does not count."""
    zone, each_hour = str(base.zone), 3600 // CLEAR_SKY_STEP_S
    fractions = clear_sky_fractions(latitude, longitude, zone, base.date_of(day), spec.tilt_deg, spec.azimuth_deg)
    hours = round((base.day_second(day + 1) - base.day_second(day)) / 3600)
    powers_w = np.array(fractions[: each_hour * hours]).reshape(hours, each_hour).mean(axis=1)
    watts: list[float] = (spec.peak_w * (1 - spec.losses) * powers_w).tolist()
    return watts


class Sunshine:
    """What the sky lets through, shared by all roofs: 1.0 is clear."""

    def __init__(self, sky: Sky, seed: int, *, dimming: float = 1.0) -> None:
        self._sky = sky
        self._seed = seed
        self._dimming = dimming
        self._days: dict[int, Seconds] = {}

    def passes(self, day: int) -> Seconds:
        """Of each second of ``day``."""
        if day not in self._days:
            self._days = {day: self._dimming * clear_sky_index(self._sky, self._seed, day)}
        return self._days[day]


def noticed(powers_w: Sequence[float], step_w: float) -> Iterator[tuple[int, float]]:
    """When a power has moved by ``step_w`` since it was last told, or has gone, and what it is then."""
    told_w = -step_w
    for second, power_w in enumerate(powers_w):
        if abs(power_w - told_w) >= step_w or (power_w == 0.0 and told_w != 0.0):
            told_w = power_w
            yield second, power_w


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
            env.process(self._follow_sun())

    def _follow_sun(self) -> Generator[simpy.Event, None, None]:
        day = 0
        while True:
            start_s, end_s = self._base.day_second(day), self._base.day_second(day + 1)
            if end_s > self.env.now:
                changes = list(noticed(self._sunny_w(day, int(end_s - start_s)), STEP_SHARE * self.spec.peak_w))
                begun = bisect_right(changes, self.env.now - start_s, key=itemgetter(0))
                for second, power_w in changes[max(0, begun - 1) :]:  # of what was before a start at noon, the last
                    if start_s + second > self.env.now:
                        yield self.env.timeout(start_s + second - self.env.now)
                    self._set_available(power_w)
                yield self.env.timeout(end_s - self.env.now)
            day += 1

    def _sunny_w(self, day: int, length_s: int) -> list[float]:
        """What the modules could deliver in each second of ``day``."""
        spec = self.spec
        fractions = clear_sky_fractions(
            *self._where, str(self._base.zone), self._base.date_of(day), spec.tilt_deg, spec.azimuth_deg
        )
        seconds = np.arange(length_s)
        clear = np.interp(seconds, CLEAR_SKY_STEP_S * np.arange(len(fractions)), fractions)
        powers_w = spec.peak_w * (1 - spec.losses) * clear * self._sun.passes(day)[:length_s]
        watts: list[float] = powers_w.round(1).tolist()
        return watts

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
