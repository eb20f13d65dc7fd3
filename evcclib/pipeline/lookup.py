"""A configuration as the step wants it: looked up once, not in every step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from evcclib.config import ChargerConfig, LoadpointConfig, SiteConfig, VehicleConfig
from evcclib.laws.law import Law
from evcclib.machines.charger import COARSE_STEP_A, ceil_to_step, floor_to_step
from evcclib.machines.limits.mean_power import Terms
from evcclib.machines.soc import EstimatorConfig
from evcclib.model import Planner, VehicleFeature


class Bounds(NamedTuple):
    """The currents a charger can be set to: smallest, largest, and the step between them [A] [DEF-7].

    The smallest may be above the largest; then the loadpoint cannot charge.
    """

    minimum_a: float
    maximum_a: float
    step_a: float


class VehicleLayout(NamedTuple):
    """A vehicle and what follows from its configuration; ``can_tell_soc``: it has a SoC source of its own [DEF-42]."""

    config: VehicleConfig
    is_offline: bool
    is_coarse: bool
    can_tell_soc: bool


@dataclass(frozen=True, slots=True)
class LoadpointLayout:
    """A loadpoint and what follows from its configuration."""

    index: int
    config: LoadpointConfig
    charger: ChargerConfig
    is_switchable: bool
    circuits: tuple[str, ...]  # from its own to the root

    def offers_a(self, bounds: Bounds) -> float:
        """The most that its charger could be offering if nobody knows what it does [A]."""
        return max(bounds.maximum_a, self.charger.current_max_a or 0.0)


class SiteLayout:
    """Everything looked up from one `SiteConfig`, and the law that decides."""

    def __init__(self, config: SiteConfig, law: Law) -> None:
        self.config = config
        self.law = law
        self.plans_power = config.planner is Planner.OPTIMAL
        self.voltage_v = config.voltage_v
        self.interval = config.interval
        self.age_max = config.reading_age_max
        self.lost_after = config.reading_age_max + config.grid_stale_pause
        self.battery_count = len(config.batteries)
        self.capacities_kwh = tuple(battery.capacity_kwh for battery in config.batteries)
        self.commanded = {index: each.modes for index, each in enumerate(config.batteries) if each.modes}
        self.vehicles = {
            vehicle.name: VehicleLayout(
                vehicle,
                VehicleFeature.OFFLINE in vehicle.features,
                VehicleFeature.COARSE_CURRENT in vehicle.features,
                vehicle.has_soc and VehicleFeature.OFFLINE not in vehicle.features,
            )
            for vehicle in config.vehicles
        }
        parents = {circuit.name: circuit.parent for circuit in config.circuits}
        self.loadpoints = tuple(
            LoadpointLayout(
                index,
                loadpoint,
                loadpoint.charger,
                loadpoint.charger.can_switch_phases,
                _path(loadpoint.circuit, parents),
            )
            for index, loadpoint in enumerate(config.loadpoints)
        )
        self.members = {
            circuit.name: frozenset(lp.index for lp in self.loadpoints if circuit.name in lp.circuits)
            for circuit in config.circuits
        }
        self.counts = (config.pv_count, len(config.batteries), config.aux_count, len(config.loadpoints))
        self.metered = frozenset(
            circuit.name for circuit in config.circuits if circuit.has_meter or circuit.uses_grid_meter
        )
        self.means = {
            circuit.name: Terms(circuit.mean_power_max_w, circuit.mean_window, config.time_zone)
            for circuit in config.circuits
            if circuit.mean_power_max_w is not None
        }
        # the home batteries below each circuit, and whether a meter up to there shows them
        self.batteries_of = {
            circuit.name: {
                index: any(name in self.metered for name in path[: path.index(circuit.name) + 1])
                for index, path in enumerate([_path(battery.circuit, parents) for battery in config.batteries])
                if circuit.name in path
            }
            for circuit in config.circuits
        }
        self.everyone = frozenset(range(len(self.loadpoints)))
        self._bounds: dict[tuple[int, float, float, bool, float], Bounds] = {}
        self._estimators: dict[tuple[int, str | None], EstimatorConfig] = {}

    def bounds(
        self, index: int, current_min_a: float, current_max_a: float, vehicle: str | None, learned_step_a: float
    ) -> Bounds:
        """What loadpoint ``index`` can be set to between these settings with this vehicle.

        ``learned_step_a`` is a coarser step that the charger turned out to have, 0: none.
        """
        is_coarse = vehicle is not None and self.vehicles[vehicle].is_coarse
        key = (index, current_min_a, current_max_a, is_coarse, learned_step_a)
        bounds = self._bounds.get(key)
        if bounds is None:
            charger = self.loadpoints[index].charger
            step_a = COARSE_STEP_A if is_coarse else min(charger.current_step_a, COARSE_STEP_A)
            step_a = max(step_a, learned_step_a)
            highest_a = current_max_a if charger.current_max_a is None else min(current_max_a, charger.current_max_a)
            bounds = Bounds(ceil_to_step(current_min_a, step_a), floor_to_step(highest_a, step_a), step_a)
            if len(self._bounds) > 1000:
                self._bounds.clear()
            self._bounds[key] = bounds
        return bounds

    def estimator(self, index: int, vehicle: str | None) -> EstimatorConfig:
        """How the SoC of this vehicle is estimated at loadpoint ``index``."""
        estimator = self._estimators.get((index, vehicle))
        if estimator is None:
            capacity_kwh = 0.0 if vehicle is None else self.vehicles[vehicle].config.capacity_kwh
            estimator = EstimatorConfig(
                capacity_kwh=capacity_kwh, estimates=self.loadpoints[index].config.estimates_soc
            )
            self._estimators[index, vehicle] = estimator
        return estimator


def _path(circuit: str | None, parents: dict[str, str | None]) -> tuple[str, ...]:
    path: list[str] = []
    while circuit is not None and circuit not in path:
        path.append(circuit)
        circuit = parents.get(circuit)
    return tuple(path)
