"""Cars that share the sun, taken together: what there was for the house, and what a run has made of it.

A battery does nothing here, as in the rest of this package. What is bought and what is not taken are counted for the house, and
so is the sun that could be used,

    u = min(s, sum of p_max) where s >= the smallest p_min of the cars that are there;   R: the sum of their rooms
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from evcc_sim.bound.cost import DayCost
from evcc_sim.bound.stay import Powers, Stay, stays_together
from evcc_sim.judge.trace import Trace


@dataclass(frozen=True, kw_only=True)
class Together:
    """Stays that share the sun, and what there is for all of them, cell by cell [W] from ``start_s`` on."""

    stays: tuple[Stay, ...]
    start_s: float
    sun_w: Powers
    usable_w: Powers
    drawn_w: Powers

    def kwh(self, powers_w: Powers) -> float:
        """The energy of one power for each cell."""
        return self.stays[0].kwh(powers_w)

    @property
    def usable_kwh(self) -> float:
        """The sun that the cars could use and had room for."""
        return min(sum(stay.room_kwh for stay in self.stays), self.kwh(self.usable_w))

    def first_cell(self, stay: Stay) -> int:
        """Of a stay among those of all."""
        return round((stay.start_s - self.start_s) / stay.cell_s)


def together(stays: Sequence[Stay]) -> Together:
    """At least one stay, of `stays_together`."""
    start_s = min(stay.start_s for stay in stays)
    cells = max(round((stay.start_s - start_s) / stay.cell_s) + len(stay.sun_w) for stay in stays)
    sun_w, drawn_w, most_w, least_w = np.zeros(cells), np.zeros(cells), np.zeros(cells), np.full(cells, inf)
    for stay in stays:
        first = round((stay.start_s - start_s) / stay.cell_s)
        there = slice(first, first + len(stay.sun_w))
        sun_w[there] = stay.sun_w
        drawn_w[there] += stay.drawn_w
        most_w[there] += max(position.max_w for position in stay.positions) * stay.share
        smallest_w = np.where(stay.share > 0, min(position.min_w for position in stay.positions), inf)
        least_w[there] = np.minimum(least_w[there], smallest_w)
    usable_w = np.where(sun_w >= least_w, np.minimum(sun_w, most_w), 0.0)
    return Together(stays=tuple(stays), start_s=start_s, sun_w=sun_w, usable_w=usable_w, drawn_w=drawn_w)


def scored_together(trace: Trace) -> DayCost:
    """What a run has made of all stays at all its loadpoints."""
    everything = together(stays_together(trace))
    charged_kwh = everything.kwh(everything.drawn_w)
    sun_kwh = everything.kwh(np.minimum(everything.drawn_w, everything.sun_w))
    used_kwh = everything.kwh(np.minimum(everything.drawn_w, everything.usable_w))
    return DayCost(
        charged_kwh=charged_kwh,
        sun_kwh=sun_kwh,
        bought_kwh=charged_kwh - sun_kwh,
        not_taken_kwh=everything.usable_kwh - used_kwh,
        switchings=sum(trace.contactor_switches),
        phase_changes=sum(trace.phase_switches),
    )
