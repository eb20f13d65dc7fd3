"""What one can see of cars at stations, with and without a meter."""

from __future__ import annotations

from evcc_sim.judge.trace import Instant, LoadpointInstant
from evcc_sim.plants.car import CarSpec
from evcc_sim.plants.wallbox import WallboxSpec
from evcclib.machines.charger import DRAWING_W
from evcclib.model import PhaseTriple


def counted_phases(box: WallboxSpec, car: CarSpec | None, loadpoint: LoadpointInstant) -> int:
    """The phases that a control must count on under a limit: those that it sees the car use, else all that are connected."""
    if car is None or not box.has_meter or loadpoint.power_w < DRAWING_W:
        return loadpoint.phases
    return min(car.phases, loadpoint.phases)


def seen_powers_w(box: WallboxSpec, car: CarSpec | None, loadpoint: LoadpointInstant) -> PhaseTriple:
    """What a station surely draws on each grid phase, as far as one can see it [W].

    Without a meter the site's power shows the sum, and nobody on which of the connected phases it flows.
    """
    if box.has_meter:
        return loadpoint.powers_w
    phases = box.phase_rotation[: counted_phases(box, car, loadpoint)]
    even_w = loadpoint.power_w / len(phases)
    first, second, third = (min(own_w, even_w) for own_w in loadpoint.powers_w)
    return (first, second, third)


class Doubt:
    """How much less a house takes than when one could see what the cars at some stations take, asked at each instant: it might
    have been those cars."""

    def __init__(self, stations: list[int]) -> None:
        self._stations = stations
        self._offers_a: dict[int, float] = {}
        self._settles_s: dict[int, float] = {}
        self._seen_w: dict[int, float] = {}

    def fallen_w(self, instant: Instant) -> float:
        """[W]; 0 if it takes more."""
        load_w = instant.grid_w + instant.pv_w + instant.battery_w - instant.charge_w
        for station in self._stations:
            offer_a = instant.loadpoints[station].pilot_a
            if offer_a != self._offers_a.get(station):
                self._offers_a[station] = offer_a
                self._settles_s[station] = instant.second + SETTLES_S
            if instant.second <= self._settles_s[station]:
                self._seen_w[station] = load_w
        offered = [self._seen_w[station] for station in self._stations if self._offers_a[station] > 0]
        return max([0.0, *(seen_w - load_w for seen_w in offered)])


SETTLES_S = 60.0
"""So long a car takes at most from an offer to its current."""
