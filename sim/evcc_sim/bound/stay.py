"""A car's stay at a station, as the clairvoyant is told of it: the sun that was there, and what car and station can do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil

import numpy as np
from numpy.typing import NDArray

from evcc_sim.judge.trace import Instant, Trace
from evcc_sim.plants.car import CarSpec
from evcc_sim.plants.faults import FaultKind
from evcc_sim.plants.wallbox import WallboxSpec

Powers = NDArray[np.float64]

PILOT_MIN_A = 6.0
CELL_S = 10.0
MINUTE_S = 60.0
LONGEST_LAG_S = 600.0
"""A car that takes longer than this to reach its minimum has none, for the bound."""
KWH_PER_WS = 1 / 3_600_000.0


@dataclass(frozen=True, slots=True)
class Position:
    """What a car draws at a position of the station's relay, charging: from its smallest current to the largest [W]."""

    phases: int
    min_w: float
    max_w: float


@dataclass(frozen=True, kw_only=True)
class Stay:
    """Arrays have one value for each cell [W]; the stay begins and ends with a step. Energies are at the socket."""

    cell_s: float
    cells_per_step: int
    sun_w: Powers
    usable_w: Powers
    share: Powers  # of the cell in which the car is there
    drawn_w: Powers  # by the car, in the run
    positions: tuple[Position, ...]
    first_phases: int | None = None  # where the relay is when the car arrives; None: anywhere
    pauses: bool = True  # the relay moves without load only
    lag_s: float = 0.0  # from closing until the car draws its minimum
    has_no_minimum: NDArray[np.bool_] | None = None  # steps in which a closed contactor says nothing
    room_kwh: float = float("inf")
    taper_kwh: float = float("inf")  # after so much the car may draw less than its minimum
    leaves: bool = True  # False: the run ends while it is there
    loadpoint: int = 0
    start_s: float = 0.0  # of its first step, since the start of the run

    @cached_property
    def step_s(self) -> float:
        """[s]."""
        return self.cell_s * self.cells_per_step

    @property
    def steps(self) -> int:
        """How many."""
        return len(self.sun_w) // self.cells_per_step

    def means(self, values: Powers) -> Powers:
        """One mean for each step, of one value for each cell."""
        means: Powers = values.reshape(-1, self.cells_per_step).mean(axis=1)
        return means

    def kwh(self, powers_w: Powers) -> float:
        """The energy of one power for each cell."""
        return float(powers_w.sum()) * self.cell_s * KWH_PER_WS

    @property
    def high_share(self) -> Powers:
        """How much of each step's largest power is possible."""
        return self.means(self.share)

    @property
    def low_share(self) -> Powers:
        """How much of its smallest power a closed contactor means."""
        share = self.high_share
        return share if self.has_no_minimum is None else np.where(self.has_no_minimum, 0.0, share)

    @property
    def most_w(self) -> float:
        """What the car can draw."""
        return max(position.max_w for position in self.positions)

    @property
    def nearly_full_kwh(self) -> float:
        """So much is in a car that may begin to taper within the next step."""
        return max(0.0, self.taper_kwh - self.most_w / 1000 * self.step_kwh)

    @property
    def step_kwh(self) -> float:
        """Of one kilowatt."""
        return self.step_s / 3600.0

    @cached_property
    def usable_kwh(self) -> float:
        """The sun that the car could use and had room for."""
        return min(self.room_kwh, self.kwh(self.usable_w))


def stays(trace: Trace) -> tuple[Stay, ...]:
    """All stays of cars in a run, by loadpoint and time: each has the sun that the other cars have left."""
    return tuple(stay for own in range(len(trace.scenario.charger)) for stay in _stays_at(trace, own, (own,)))


def stays_together(trace: Trace) -> tuple[Stay, ...]:
    """The same stays, each with the sun that is there for all cars together."""
    everybody = tuple(range(len(trace.scenario.charger)))
    return tuple(stay for own in everybody for stay in _stays_at(trace, own, everybody))


def _stays_at(trace: Trace, loadpoint: int, sharing: tuple[int, ...]) -> Iterator[Stay]:
    instants = trace.instants
    first = 0
    is_first = True
    while first < len(instants):
        name = instants[first].loadpoints[loadpoint].car
        after = first + 1
        while after < len(instants) and instants[after].loadpoints[loadpoint].car == name:
            after += 1
        if name and after > first:
            yield _stay(trace, loadpoint, sharing, first, after, is_first=is_first)
            is_first = False
        first = after


def _stay(trace: Trace, loadpoint: int, sharing: tuple[int, ...], first: int, after: int, *, is_first: bool) -> Stay:
    """The car is there at instants ``first`` to ``after`` (not included). What the loadpoints ``sharing`` draw is sun, too."""
    instants, scenario = trace.instants, trace.scenario
    box = scenario.charger[loadpoint].box
    arrived = instants[first]
    car = next(car for car in scenario.car if car.name == arrived.loadpoints[loadpoint].car)
    interval_s = scenario.site.interval_s
    cell_s = interval_s * max(1, round(CELL_S / interval_s))
    per_step = max(1, round(MINUTE_S / cell_s))
    start_s, before = arrived.second, instants[max(0, first - 1)]
    if arrived.loadpoints[loadpoint].energy_kwh > before.loadpoints[loadpoint].energy_kwh:
        start_s = max(before.second, start_s - interval_s)  # it has come, and charged, since one looked
    end_s = instants[min(after, len(instants) - 1)].second
    step_s = cell_s * per_step
    from_s, to_s = start_s // step_s * step_s, max(1, ceil(end_s / step_s)) * step_s
    edges_s: Powers = from_s + cell_s * np.arange(round((to_s - from_s) / cell_s) + 1, dtype=np.float64)
    share: Powers = np.clip((np.minimum(edges_s[1:], end_s) - np.maximum(edges_s[:-1], start_s)) / cell_s, 0.0, 1.0)
    voltage_v = scenario.site.true_voltage_v or scenario.site.voltage_v
    positions = _positions(box, car, voltage_v)
    sun_w = np.maximum(0.0, _surplus_w(trace, sharing, edges_s))
    lag_s = car.dead_time_s + max(PILOT_MIN_A, car.current_min_a) / car.ramp_a_per_s + min(6.0, car.stop_delay_s) + 1.0
    room_kwh, taper_kwh = _room(instants[first:after], loadpoint, car, positions, voltage_v)
    return Stay(
        cell_s=cell_s,
        cells_per_step=per_step,
        sun_w=sun_w,
        usable_w=usable(sun_w, share, positions),
        share=share,
        drawn_w=_means(
            trace,
            edges_s,
            [instant.loadpoints[loadpoint].energy_kwh for instant in instants],
            [instant.loadpoints[loadpoint].power_w for instant in instants],
        ),
        positions=positions,
        first_phases=box.phases if is_first else None,
        pauses=box.phase_switch_pauses,
        lag_s=lag_s,
        has_no_minimum=_has_no_minimum(trace, box, edges_s[::per_step]) | (lag_s > LONGEST_LAG_S),
        room_kwh=room_kwh,
        taper_kwh=taper_kwh,
        leaves=after < len(instants),
        loadpoint=loadpoint,
        start_s=from_s,
    )


def usable(sun_w: Powers, share: Powers, positions: tuple[Position, ...]) -> Powers:
    """What a car could take of the sun, cell by cell."""
    least_w, most_w = min(p.min_w for p in positions), max(p.max_w for p in positions)
    return np.where(sun_w >= least_w, np.minimum(sun_w, most_w) * share, 0.0)


def _positions(box: WallboxSpec, car: CarSpec, voltage_v: float) -> tuple[Position, ...]:
    max_a = min(box.current_max_a, car.current_max_a)
    min_a = min(max_a, max(PILOT_MIN_A, car.current_min_a))
    relay = (1, 3) if box.can_switch_phases else (box.phases,)
    return tuple(
        Position(phases, voltage_v * min(phases, car.phases) * min_a, voltage_v * min(phases, car.phases) * max_a)
        for phases in relay
    )


def _surplus_w(trace: Trace, sharing: tuple[int, ...], edges_s: Powers) -> Powers:
    """Means of what the house would deliver without these cars.

    By the grid's counters, which know every moment, as long as nothing else answers the cars; else by what the plants did when
    one looked.
    """
    instants, scenario = trace.instants, trace.scenario
    answers = any(inverter.zero_feed_in for inverter in scenario.pv)
    if not scenario.battery and not answers:
        counted = [i.grid_out_kwh - i.grid_in_kwh + sum(i.loadpoints[n].energy_kwh for n in sharing) for i in instants]
        return _means(
            trace, edges_s, counted, [sum(i.loadpoints[n].power_w for n in sharing) - i.grid_w for i in instants]
        )
    limit_w = sum(float("inf") if spec.ac_limit_w is None else spec.ac_limit_w for spec in scenario.pv)
    surplus_w = [
        (min(i.pv_available_w, limit_w) if answers else i.pv_w)
        - i.household_w
        - sum(other.power_w for n, other in enumerate(i.loadpoints) if n not in sharing)
        for i in instants
    ]
    seconds = np.array([instant.second for instant in instants])
    summed = np.concatenate(([0.0], np.cumsum(np.array(surplus_w[:-1]) * np.diff(seconds) * KWH_PER_WS)))
    return _means(trace, edges_s, summed, surplus_w)


def _means(trace: Trace, edges_s: Powers, counter_kwh: Sequence[float] | Powers, powers_w: Sequence[float]) -> Powers:
    """Between edges, of what a counter has counted at the instants and what flowed from each of them on.

    A longer time without an instant is one without news: what has changed in it has changed in its last interval.
    """
    seconds, counted = np.array([instant.second for instant in trace.instants]), np.array(counter_kwh)
    quiet_s = np.diff(seconds) - trace.scenario.site.interval_s
    quiet = np.flatnonzero(quiet_s > 0)
    until_kwh = counted[quiet] + np.array(powers_w)[quiet] * quiet_s[quiet] * KWH_PER_WS
    seconds = np.insert(seconds, quiet + 1, seconds[quiet] + quiet_s[quiet])
    at_edges = np.interp(edges_s, seconds, np.insert(counted, quiet + 1, until_kwh))
    means: Powers = np.diff(at_edges) / np.diff(edges_s) / KWH_PER_WS
    return means


def _room(
    there: list[Instant], loadpoint: int, car: CarSpec, positions: tuple[Position, ...], voltage_v: float
) -> tuple[float, float]:
    """What goes into the car (with what climate control uses up beside a full battery), and what until it may taper [kWh]."""
    per_pct = car.capacity_kwh / 100 / car.efficiency
    limit_pct = min(car.soc_limit_pct, 100.0)
    seen = [instant.loadpoints[loadpoint] for instant in there]
    start_kwh = seen[0].energy_kwh
    room_kwh = max(now.energy_kwh - start_kwh + max(0.0, limit_pct - now.soc_pct) * per_pct for now in seen)
    full_w = car.current_max_a * voltage_v * car.phases
    low_pct = limit_pct if car.climate else float("inf")
    least_w = max(position.min_w for position in positions)
    if car.taper_end_w < least_w <= full_w:
        share = (least_w - car.taper_end_w) / (full_w - car.taper_end_w)
        low_pct = min(low_pct, 100.0 - (100.0 - car.taper_from_pct) * share)
    if low_pct > limit_pct:
        return room_kwh, float("inf")
    return room_kwh, max(0.0, low_pct - seen[0].soc_pct) * per_pct


def _has_no_minimum(trace: Trace, box: WallboxSpec, edges_s: Powers) -> NDArray[np.bool_]:
    """While the contactor is stuck it may be closed without any current."""
    found = np.zeros(len(edges_s) - 1, dtype=np.bool_)
    for fault in trace.faults:
        if fault.kind is FaultKind.STUCK_CONTACTOR and fault.device == box.name:
            found |= (edges_s[:-1] <= fault.end_s) & (edges_s[1:] >= fault.start_s)
    return found
