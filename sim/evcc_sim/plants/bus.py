"""The house's three-phase bus. What every plant draws or delivers adds up to what flows through the grid connection.

Powers are piecewise constant: a plant sets its `Tap` when it changes, nobody polls. Energies are the exact integrals of these
steps. Grid phase 0 is L1.
"""

from __future__ import annotations

from collections.abc import Callable
from math import fsum

import simpy

from evcclib.model import PhaseTriple

WS_PER_KWH = 3_600_000.0
NOTHING: PhaseTriple = (0.0, 0.0, 0.0)
REFRESH_EVERY = 256
"""Sums are kept by adding differences; after this many changes they are summed anew, so no rounding error can grow."""


class Flow:
    """A three-phase power that changes in steps, with the energies that have flowed. + is what flows into the house."""

    __slots__ = ("_consumed_ws", "_delivered_ws", "_env", "_since", "listeners", "power_w", "powers_w")

    def __init__(self, env: simpy.Environment) -> None:
        self._env = env
        self._since = float(env.now)
        self._consumed_ws = 0.0
        self._delivered_ws = 0.0
        self.powers_w: PhaseTriple = NOTHING
        self.power_w = 0.0
        self.listeners: list[Callable[[], None]] = []

    def _step(self, powers_w: PhaseTriple) -> None:
        now = float(self._env.now)
        energy_ws = self.power_w * (now - self._since)
        if energy_ws >= 0:
            self._consumed_ws += energy_ws
        else:
            self._delivered_ws -= energy_ws
        self._since = now
        self.powers_w = powers_w
        self.power_w = powers_w[0] + powers_w[1] + powers_w[2]

    def energies_kwh(self) -> tuple[float, float]:
        """Energies in the positive and in the negative direction, phases balanced as billing meters do [kWh]."""
        flowing_ws = self.power_w * (float(self._env.now) - self._since)
        if flowing_ws >= 0:
            return (self._consumed_ws + flowing_ws) / WS_PER_KWH, self._delivered_ws / WS_PER_KWH
        return self._consumed_ws / WS_PER_KWH, (self._delivered_ws - flowing_ws) / WS_PER_KWH

    @property
    def energy_in_kwh(self) -> float:
        """Energy in the positive direction [kWh]."""
        return self.energies_kwh()[0]

    @property
    def energy_out_kwh(self) -> float:
        """Energy in the negative direction [kWh]."""
        return self.energies_kwh()[1]


class Tap(Flow):
    """One plant's connection to the bus: + draws from it, - delivers to it, per grid phase [W]."""

    __slots__ = ("_bus", "name")

    def __init__(self, bus: Bus, name: str) -> None:
        super().__init__(bus.env)
        self._bus = bus
        self.name = name

    def set(self, powers_w: PhaseTriple) -> None:
        """From now on these powers flow.

        The grid has followed before anybody is told: a listener may move another tap in turn, and finds a house in balance.
        """
        before = self.powers_w
        if powers_w == before:
            return
        self._step(powers_w)
        self._bus.follow(before, powers_w)
        for listener in self.listeners:
            listener()
        for listener in self._bus.grid.listeners:
            listener()


class Bus:
    """All taps and the grid connection that balances them at every instant, on each phase."""

    def __init__(self, env: simpy.Environment, *, voltage_v: float = 230.0) -> None:
        self.env = env
        self.voltages_v: PhaseTriple = (voltage_v, voltage_v, voltage_v)
        self.taps: list[Tap] = []
        self.grid = Flow(env)
        self._changes = 0

    def tap(self, name: str) -> Tap:
        """A new connection, drawing nothing yet."""
        tap = Tap(self, name)
        self.taps.append(tap)
        return tap

    def follow(self, before: PhaseTriple, after: PhaseTriple) -> None:
        """A tap has just changed; let the grid connection follow, without telling anybody."""
        self._changes += 1
        if self._changes % REFRESH_EVERY == 0:
            total = self.sum_of_taps()
        else:
            now = self.grid.powers_w
            total = (
                now[0] + after[0] - before[0],
                now[1] + after[1] - before[1],
                now[2] + after[2] - before[2],
            )
        self.grid._step(total)

    def sum_of_taps(self) -> PhaseTriple:
        """What all taps draw together, summed anew [W]."""
        powers = [tap.powers_w for tap in self.taps]
        return fsum(p[0] for p in powers), fsum(p[1] for p in powers), fsum(p[2] for p in powers)

    @property
    def currents_a(self) -> PhaseTriple:
        """Current through the grid connection on each phase, + import [A]."""
        p, v = self.grid.powers_w, self.voltages_v
        return p[0] / v[0], p[1] / v[1], p[2] / v[2]


class Sum(Flow):
    """What several taps draw together: the feed line of a sub-distribution."""

    __slots__ = ("_taps",)

    def __init__(self, env: simpy.Environment, taps: list[Tap]) -> None:
        super().__init__(env)
        self._taps = taps
        for tap in taps:
            tap.listeners.append(self._moved)

    def _moved(self) -> None:
        powers = [tap.powers_w for tap in self._taps]
        self._step((fsum(p[0] for p in powers), fsum(p[1] for p in powers), fsum(p[2] for p in powers)))
        for listener in self.listeners:
            listener()
