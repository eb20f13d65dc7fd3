"""Who enters: laws of the library and other systems by their names, and anybody's law or control as ``module:attribute``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evcc_sim.board.pack import World
from evcc_sim.runs.controls import NAMED, control_of
from evcc_sim.runs.sweep import Job
from evcc_sim.worlds.laws import law_of, with_law
from evcc_sim.worlds.scenario import InvalidScenario
from evcc_sim.worlds.variants import resolve
from evcclib.laws.by_name import LAWS

USUAL = (*LAWS, *NAMED)
LAW = "law:"
LOOKS_S = {"smartevse": 2, "openems": 1}
"""An interval that divides the period at which each decides; ten seconds do for all others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """A law, or a control with one of its own."""

    name: str
    law: str = ""
    control: str = ""

    @property
    def is_rival(self) -> bool:
        """Whether it is another system."""
        return self.control in NAMED

    @property
    def is_foreign(self) -> bool:
        """Whether its code is somebody's, so that nobody here knows when it changes."""
        return ":" in self.law or ":" in self.control

    def job(self, world: World, seed: int) -> Job:
        """A day of it. Raises `InvalidScenario`."""
        looks_s = LOOKS_S.get(self.control)
        changes = world.changes if looks_s is None else (*world.changes, f"site.interval_s={looks_s}")
        scenario = with_law(resolve(world.base, changes=changes), self.law, control=self.control)
        return Job(scenario=scenario, seed=seed, control=self.control)


def entrants(names: Sequence[str]) -> tuple[Entrant, ...]:
    """Each once, in this order. Raises `InvalidScenario`."""
    return tuple(_entrant(name) for name in dict.fromkeys(names))


def _entrant(name: str) -> Entrant:
    if name.startswith(LAW):
        law_of(name.removeprefix(LAW))
        return Entrant(name=name.removeprefix(LAW), law=name.removeprefix(LAW))
    if name in LAWS:
        return Entrant(name=name, law=name)
    if name in NAMED:
        return Entrant(name=name, control=name)
    if ":" not in name:
        raise InvalidScenario(
            f"--controls {name!r}: expected some of {', '.join(USUAL)}, module:factory or law:module:law"
        )
    control_of(name)
    return Entrant(name=name, control=name)
