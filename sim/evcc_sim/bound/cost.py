"""The day cost: what a stay has cost, by the definitions of this package."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np

from evcc_sim.bound.stay import Stay, stays
from evcc_sim.judge.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What each counts [EUR]."""

    bought_per_kwh: float = 0.30
    not_taken_per_kwh: float = 0.22
    switching: float = 0.002
    phase_change: float = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCost:
    """What goes into the day cost, and what has been charged. Energies at the socket."""

    charged_kwh: float
    sun_kwh: float
    bought_kwh: float
    not_taken_kwh: float
    switchings: int
    phase_changes: int

    def eur(self, weights: Weights) -> float:
        """The one figure."""
        return (
            self.bought_kwh * weights.bought_per_kwh
            + self.not_taken_kwh * weights.not_taken_per_kwh
            + self.switchings * weights.switching
            + self.phase_changes * weights.phase_change
        )

    def __add__(self, other: DayCost) -> DayCost:
        return DayCost(**{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)})


NOTHING = DayCost(charged_kwh=0.0, sun_kwh=0.0, bought_kwh=0.0, not_taken_kwh=0.0, switchings=0, phase_changes=0)


def scored(trace: Trace, loadpoint: int = 0, *, found: tuple[Stay, ...] | None = None) -> DayCost:
    """What a run has made of all stays at a loadpoint. ``found``: `stays` of the run, if somebody has them."""
    there = [stay for stay in (stays(trace) if found is None else found) if stay.loadpoint == loadpoint]
    return cost_of(there, trace.contactor_switches[loadpoint], trace.phase_switches[loadpoint])


def cost_of(stays: Iterable[Stay], switchings: int, phase_changes: int) -> DayCost:
    """What was drawn in these stays, with so many moves in all."""
    charged_kwh = sun_kwh = not_taken_kwh = 0.0
    for stay in stays:
        charged_kwh += stay.kwh(stay.drawn_w)
        sun_kwh += stay.kwh(np.minimum(stay.drawn_w, stay.sun_w))
        not_taken_kwh += stay.usable_kwh - stay.kwh(np.minimum(stay.drawn_w, stay.usable_w))
    return DayCost(
        charged_kwh=charged_kwh,
        sun_kwh=sun_kwh,
        bought_kwh=charged_kwh - sun_kwh,
        not_taken_kwh=not_taken_kwh,
        switchings=switchings,
        phase_changes=phase_changes,
    )
