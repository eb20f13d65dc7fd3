"""What a generator is made of: named parameters with their ranges, a function that makes a world of them, and building blocks."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import time

from evcc_sim.plants.car import CarSpec, Visit
from evcc_sim.plants.household import HouseholdSpec
from evcc_sim.timebase import stream
from evcc_sim.worlds.scenario import InvalidScenario, Scenario, checked, found_by

Value = float | int | str


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers from ``low`` to ``high``; whole ones if ``whole``."""

    low: float
    high: float
    whole: bool = False

    def draw(self, rng: random.Random) -> Value:
        return rng.randint(int(self.low), int(self.high)) if self.whole else round(rng.uniform(self.low, self.high), 2)

    def holds(self, value: Value) -> bool:
        """Whether ``value`` may be given."""
        is_whole = isinstance(value, int) or not self.whole
        return is_whole and not isinstance(value, str) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{'whole numbers ' if self.whole else ''}{self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these words, or of these numbers; who gives a number himself may take any between them.

    A word of which ``also`` holds is never drawn, but may be given.
    """

    options: tuple[Value, ...]
    also: Callable[[str], bool] = lambda _word: False

    def draw(self, rng: random.Random) -> Value:
        return rng.choice(self.options)

    def holds(self, value: Value) -> bool:
        """Whether ``value`` may be given."""
        numbers = self._numbers()
        if isinstance(value, str) or not numbers:
            return value in self.options or self.also(str(value))
        return min(numbers) <= value <= max(numbers)

    def __str__(self) -> str:
        numbers = self._numbers()
        return f"{min(numbers):g} to {max(numbers):g}" if numbers else ", ".join(dict.fromkeys(map(str, self.options)))

    def _numbers(self) -> list[float]:
        return [option for option in self.options if not isinstance(option, str)]


@dataclass(frozen=True, slots=True)
class Pack:
    """A generator, the rows of the table of field problems it covers, and what its parameters may be."""

    name: str
    rows: tuple[int, ...]
    make: Callable[..., Scenario]
    parameters: Mapping[str, Span | Choice]

    def draw(self, seed: int) -> Scenario:
        """The world of a seed."""
        rng = stream(seed, "pack", self.name)
        return self.build({name: kind.draw(rng) for name, kind in self.parameters.items()})

    def build(self, values: Mapping[str, Value]) -> Scenario:
        """The world of these parameters, the rest at their defaults. Raises `InvalidScenario`."""
        unknown = sorted(set(values) - set(self.parameters))
        if unknown:
            raise InvalidScenario(
                f"@{self.name}: unknown parameter {unknown[0]!r}; known: {', '.join(self.parameters)}"
            )
        for name, value in values.items():
            if not self.parameters[name].holds(value):
                raise InvalidScenario(f"@{self.name}: {name}={value} is not allowed, only {self.parameters[name]}")
        text = ",".join(f"{name}={value}" for name, value in sorted(values.items()))
        name = f"@{self.name}:{text}" if text else f"@{self.name}"
        return found_by(checked(replace(self.make(**values), name=name, rows=self.rows)), name)


def wall_time(hours: float) -> time:
    """The time of day so many hours after midnight."""
    minutes = int(hours * 60) % 1440
    return time(minutes // 60, minutes % 60)


def one_car(name: str, charger: str, arrive: float, depart: float, **changes: float | int | bool | str) -> CarSpec:
    """A car that stands at ``charger`` from hour ``arrive`` to hour ``depart``; ``changes`` are fields of `CarSpec`."""
    soc_pct = float(changes.pop("soc_pct", 30.0))
    visit = Visit(charger=charger, arrive=wall_time(arrive), depart=wall_time(depart), soc_pct=soc_pct)
    return CarSpec(name=name, visits=(visit,), soc_pct=soc_pct, **changes)  # type: ignore[arg-type]  # by-name options


LIMIT_CYCLES = ("constant_inputs_settle", "settles_on_its_aim")
"""What the classic law does not keep when meter or car are slower than the interval (row 4)."""
QUIET = HouseholdSpec(constant_w=300.0, has_appliances=False)
