"""Regret: how much more a run's day has cost than it would have with perfect foresight, by the definitions of this package.

Each stay of a car is taken for itself, and all of them are added up, those of several days and of cars that come one after the
other. What owners want bought, by a mode, a plan or a minimum SoC, is a purchase as any other. Cars that are there together share
the sun: what one of them could have made of it depends on the others, and only `evcc_sim.bound.joint` knows, after minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isfinite

from evcc_sim.bound.cost import NOTHING, DayCost, Weights, cost_of
from evcc_sim.bound.one_car import least_cost
from evcc_sim.bound.stay import Stay, stays
from evcc_sim.judge.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Regret:
    """Figures [EUR]; all of them None, and ``missing`` says why, where the bound does not apply.

    ``best``: the best day of the clairvoyant that was seen, which may cost a little more than the least.
    """

    day_cost_eur: float | None = None
    least_cost_eur: float | None = None
    regret_eur: float | None = None
    missing: str = ""
    done: DayCost | None = None
    best: DayCost | None = None

    def as_dict(self) -> dict[str, float | None]:
        """The figures alone."""
        return {name: getattr(self, name) for name in ("day_cost_eur", "least_cost_eur", "regret_eur")}


def regret(trace: Trace, weights: Weights | None = None) -> Regret:
    """Of a run. Takes about 0.1 s for each day of a car."""
    weights = weights or Weights()
    found = stays(trace)
    together = next((pair for pair in combinations(found, 2) if _are_together(*pair)), None)
    if together is not None:
        places = " and ".join(str(stay.loadpoint + 1) for stay in together)
        return Regret(missing=f"the cars at stations {places} share the sun, and the bound is for one car at a time")
    return _regret(trace, found, weights)


def _regret(trace: Trace, found: Sequence[Stay], weights: Weights) -> Regret:
    optima = [least_cost(stay, weights) for stay in found]
    least_eur = sum(optimum.least for optimum in optima)
    if not isfinite(least_eur):
        return Regret(missing="nothing that the clairvoyant may do fits what the car was seen to do")
    done = cost_of(found, sum(trace.contactor_switches), sum(trace.phase_switches))
    done_eur = done.eur(weights)
    best = sum((optimum.walk for optimum in optima if optimum.walk is not None), NOTHING)
    return Regret(
        day_cost_eur=done_eur, least_cost_eur=least_eur, regret_eur=done_eur - least_eur, done=done, best=best
    )


def _are_together(one: Stay, other: Stay) -> bool:
    """Whether two cars are there at the same time, to a step."""
    starts, ends = zip(*((stay.start_s, stay.start_s + stay.steps * stay.step_s) for stay in (one, other)), strict=True)
    return one.loadpoint != other.loadpoint and bool(max(starts) < min(ends))
