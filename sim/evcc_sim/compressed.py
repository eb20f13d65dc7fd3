"""A house whose weather and household live faster than its clocks, cars and counters."""

from __future__ import annotations

import simpy

from evcc_sim.house import House
from evcc_sim.scenario import Scenario


class CompressedHouse:
    """A day of weather in a day divided by ``factor``, beginning at ``weather_s`` seconds after midnight.

    Power is power and energy is energy: only sun and household change ``factor`` times as often.
    """

    def __init__(
        self, scenario: Scenario, *, seed: int | None = None, factor: float = 1.0, weather_s: float = 0.0
    ) -> None:
        self._factor = factor
        self._weather_start_s = weather_s
        self._weather = simpy.Environment(initial_time=weather_s)
        self.house = House(scenario, seed=seed, weather_env=self._weather)

    def run(self, until_s: float) -> None:
        """Advance to ``until_s`` seconds since the start."""
        weather = self._weather
        weather_until_s = self._weather_start_s + until_s * self._factor
        while weather.peek() <= weather_until_s:
            self.house.run((weather.peek() - self._weather_start_s) / self._factor)
            weather.step()
        self.house.run(until_s)
        if weather_until_s > weather.now:
            weather.run(until=weather_until_s)

    @property
    def weather_s(self) -> float:
        """Seconds since midnight (of the first day) by which sun and household live."""
        return float(self._weather.now)
