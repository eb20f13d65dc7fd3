"""One day of one entrant in one world: lived, measured, or why it could not be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from evcc_sim.board.entrants import Entrant
from evcc_sim.board.figures import measured, of_the_clairvoyant, rules_broken
from evcc_sim.board.pack import Group
from evcc_sim.bound.cost import Weights
from evcc_sim.runs.controls import control_of
from evcc_sim.runs.inprocess import simulate
from evcc_sim.runs.sweep import Job
from evcc_sim.worlds.scenario import InvalidScenario

WEIGHTS = Weights()
Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What is to be run."""

    world: str
    entrant: Entrant
    job: Job

    @property
    def key(self) -> Key:
        """Its place among all."""
        return self.world, self.entrant.name, self.job.seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is kept of a day. ``refused``: why the entrant cannot run such a world; ``error``: what has broken."""

    world: str
    entrant: str
    seed: int
    replay: str
    figures: dict[str, float | None] = field(default_factory=dict)
    best: dict[str, float | None] = field(default_factory=dict)  # the clairvoyant's
    no_bound: str = ""  # why there is none
    broken: dict[str, int] = field(default_factory=dict)
    refused: str = ""
    error: str = ""

    @property
    def key(self) -> Key:
        """That of its day."""
        return self.world, self.entrant, self.seed

    def as_dict(self) -> dict[str, Any]:
        """For JSON, which keeps it as it is."""
        return asdict(self)


def days(groups: Sequence[Group], entrants: Sequence[Entrant], seeds: Sequence[int]) -> list[Day]:
    """All that has to be run. Raises `InvalidScenario`."""
    return [
        Day(world=world.name, entrant=entrant, job=entrant.job(world, seed))
        for group in groups
        for world in group.worlds
        for entrant in entrants
        for seed in seeds
    ]


def lived(day: Day) -> Outcome:
    """Run it. A refusal and a crash are outcomes, too."""
    job = day.job
    empty = Outcome(world=day.world, entrant=day.entrant.name, seed=job.seed, replay=job.replay)
    try:
        result = simulate(job.scenario, job.seed, control=control_of(job.control))
        return replace(
            empty,
            figures=measured(result, WEIGHTS),
            best=of_the_clairvoyant(result, WEIGHTS),
            no_bound=result.regret.missing,
            broken=rules_broken(result),
        )
    except InvalidScenario as error:
        return replace(empty, refused=str(error))
    except Exception as error:  # noqa: BLE001  whatever breaks is told, and the others go on
        return replace(empty, error=repr(error))
