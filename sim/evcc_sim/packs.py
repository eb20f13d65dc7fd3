"""What a generator is made of: named parameters with their ranges, a function that makes a world of them, and building blocks."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import time

from evcc_sim.car import CarSpec, Visit
from evcc_sim.household import HouseholdSpec
from evcc_sim.scenario import InvalidScenario, Scenario
from evcc_sim.timebase import stream

Value = float | int | str


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers from ``low`` to ``high``; whole ones if ``whole``."""

    low: float
    high: float
    whole: bool = False

    def draw(self, rng: random.Random) -> Value:
        return rng.randint(int(self.low), int(self.high)) if self.whole else round(rng.uniform(self.low, self.high), 2)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these."""

    options: tuple[Value, ...]

    def draw(self, rng: random.Random) -> Value:
        return rng.choice(self.options)


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
        text = ",".join(f"{name}={value}" for name, value in sorted(values.items()))
        return replace(self.make(**values), name=f"@{self.name}:{text}" if text else f"@{self.name}", rows=self.rows)


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
