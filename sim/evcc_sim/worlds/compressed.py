"""A house whose weather and household live faster than its clocks, cars and counters."""

from __future__ import annotations

import simpy

from evcc_sim.worlds.house import House
from evcc_sim.worlds.scenario import Scenario


class CompressedHouse:
    """A house that begins at ``start_s`` seconds after midnight, and whose weather runs from ``weather_s`` on ``factor`` times as
    fast.

    Power is power and energy is energy: only sun and household change ``factor`` times as often.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        seed: int | None = None,
        start_s: float = 0.0,
        factor: float = 1.0,
        weather_s: float | None = None,
    ) -> None:
        self._factor = factor
        self._start_s = start_s
        self._weather_start_s = start_s if weather_s is None else weather_s
        self._weather = simpy.Environment(initial_time=self._weather_start_s)
        env = simpy.Environment(initial_time=start_s)
        self.house = House(scenario, seed=seed, env=env, weather_env=self._weather)

    def run(self, until_s: float) -> None:
        """Advance to ``until_s`` seconds after midnight."""
        weather = self._weather
        weather_until_s = self._weather_start_s + (until_s - self._start_s) * self._factor
        while weather.peek() <= weather_until_s:
            self.house.run(self._start_s + (weather.peek() - self._weather_start_s) / self._factor)
            weather.step()
        self.house.run(until_s)
        if weather_until_s > weather.now:
            weather.run(until=weather_until_s)
