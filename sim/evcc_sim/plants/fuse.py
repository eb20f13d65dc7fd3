"""The main fuse: it heats with the square of the current and trips when it is too hot.

First-order thermal model: heat approaches (I/In)^2 with a time constant and trips above 1.13^2, the conventional non-tripping
current of IEC 60898-1. With 600 s it trips at 1.45 In after 9 min from cold and 3 min from full load, inside the standard's
hour. Above five times the rated current it trips at once (characteristic C, lower edge).

A tripped fuse is counted and cools down at once; the world goes on, since one trip is already the failure of the run.

Whose trip it is, shows a second heat: that of a fuse which carries what the house takes without its cars, or the rated current if
that is more. It is never cooler than one whose cars only fill up what the house leaves of the rated current, so a fuse that trips
while this heat suffices has not tripped for them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log
from typing import NamedTuple

import simpy

from evcc_sim.timebase import Timer
from evcclib.model import PhaseTriple

TRIP_HEAT = 1.13**2
INSTANT_FACTOR = 5.0


class Trip(NamedTuple):
    """``phase`` (0..2) of a fuse has tripped; ``is_houses``: it would have without cars, too."""

    second: float
    phase: int
    is_houses: bool


class Fuse:
    """Three poles on the grid connection. ``cars_a`` is what of ``currents_a`` the cars draw."""

    def __init__(
        self,
        env: simpy.Environment,
        currents_a: Callable[[], PhaseTriple],
        cars_a: Callable[[], PhaseTriple],
        *,
        rated_a: float,
        time_constant_s: float = 600.0,
    ) -> None:
        self.env = env
        self.rated_a = rated_a
        self.trips: list[Trip] = []
        self.hottest = 0.0  # highest heat so far; 1.0 is rated current for ever
        self._currents_a = currents_a
        self._cars_a = cars_a
        self._time_constant_s = time_constant_s
        self._heat = [0.0, 0.0, 0.0]
        self._drive = [0.0, 0.0, 0.0]  # (I/In)^2 since the last change
        self._houses_heat = [0.0, 0.0, 0.0]
        self._houses_drive = [1.0, 1.0, 1.0]
        self._since = float(env.now)
        self._timer: Timer | None = None
        self.changed()  # what flows already, and perhaps never changes

    def changed(self) -> None:
        """The current has changed."""
        self._advance()
        for phase, (current_a, cars_a) in enumerate(zip(self._currents_a(), self._cars_a(), strict=True)):
            self._drive[phase] = (current_a / self.rated_a) ** 2
            self._houses_drive[phase] = max(1.0, ((current_a - cars_a) / self.rated_a) ** 2)
            if self._houses_drive[phase] > INSTANT_FACTOR**2:
                self._houses_heat[phase] = TRIP_HEAT
            if self._drive[phase] > INSTANT_FACTOR**2:
                self._trip(phase)
        self._plan()

    def _advance(self) -> None:
        now = float(self.env.now)
        if now > self._since:
            keep = exp(-(now - self._since) / self._time_constant_s)
            for phase in range(3):
                drive = self._drive[phase]
                heat = drive + (self._heat[phase] - drive) * keep
                self._heat[phase] = heat
                self.hottest = max(self.hottest, heat)
                drive = self._houses_drive[phase]
                self._houses_heat[phase] = min(TRIP_HEAT, drive + (self._houses_heat[phase] - drive) * keep)
            self._since = now

    def _plan(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        delays = [
            self._time_constant_s * log((drive - heat) / (drive - TRIP_HEAT))
            for drive, heat in zip(self._drive, self._heat, strict=True)
            if drive > TRIP_HEAT
        ]
        if delays:
            self._timer = Timer(self.env, min(delays), self._too_hot)

    def _too_hot(self) -> None:
        self._timer = None
        self._advance()
        for phase in range(3):
            if self._heat[phase] >= TRIP_HEAT - 1e-9:
                self._trip(phase)
        self._plan()

    def _trip(self, phase: int) -> None:
        is_houses = self._houses_heat[phase] >= TRIP_HEAT - 1e-6
        self.trips.append(Trip(float(self.env.now), phase, is_houses))
        self._heat[phase] = 0.0
