"""A home battery with its own controller: it holds the grid power at zero, with a lag, within power and SoC limits.

Sources of the defaults: Stromspeicher-Inspektion (HTW Berlin): dead time and settling of some seconds, AC efficiency one way
of 94-96 %, stand-by use of some watts. Efficiency here is one way; the loss stays in the battery's account, so that energy in
equals energy stored plus losses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import simpy

from evcc_sim.plants.bus import WS_PER_KWH, Tap
from evcc_sim.timebase import Timer

DEAD_BAND_W = 15.0
"""The controller leaves a smaller grid power alone."""


class BatteryMode(StrEnum):
    """What it has been told to do, in the words of the device contract."""

    NORMAL = "normal"
    HOLD = "hold"  # may charge, does not discharge
    CHARGE = "charge"  # charges from the grid at its maximum
    HOLD_CHARGE = "holdcharge"  # neither


@dataclass(frozen=True, slots=True, kw_only=True)
class BatterySpec:
    """A battery beside or behind the inverter."""

    name: str = "battery"
    profile: str = "sunspec-storage"
    capacity_kwh: float = 10.0
    charge_max_w: float = 5000.0
    discharge_max_w: float = 5000.0
    soc_pct: float = 50.0
    soc_min_pct: float = 10.0
    soc_max_pct: float = 100.0
    efficiency: float = 0.95
    lag_s: float = 2.0
    dc_coupled: bool = False  # behind the first inverter: its AC limit holds for both together
    circuit: str | None = None  # what the control is told: the circuit that it hangs below, ...
    charges_before_cars: bool = False  # ... and who gives way there to whom


class Battery:
    """+ power is discharge, as a reader of its meter sees it."""

    def __init__(self, env: simpy.Environment, tap: Tap, spec: BatterySpec, grid_power_w: Callable[[], float]) -> None:
        self.env = env
        self.tap = tap
        self.spec = spec
        self.mode = BatteryMode.NORMAL
        self.turns: list[tuple[float, BatteryMode]] = []  # since when it has been in which mode but the first
        self.ac_room_w: Callable[[], float] | None = None  # what the inverter it shares can still deliver
        self.dc_surplus_w: Callable[[], float] | None = None  # sun beyond that inverter's AC limit
        self._grid_power_w = grid_power_w
        self._soc_pct = spec.soc_pct
        self._loss_ws = 0.0
        self._since = float(env.now)
        self._reaction: Timer | None = None
        self._limit: Timer | None = None
        env.timeout(0).callbacks.append(lambda _event: self.grid_changed())

    @property
    def power_w(self) -> float:
        """[W], + discharging."""
        return -self.tap.power_w

    @property
    def soc_pct(self) -> float:
        """State of charge now [%]."""
        stored_ws = self._cell_power_w() * (float(self.env.now) - self._since)
        return self._soc_pct + stored_ws / WS_PER_KWH / self.spec.capacity_kwh * 100.0

    @property
    def losses_kwh(self) -> float:
        """What its converter has turned into heat so far [kWh]."""
        elapsed_s = float(self.env.now) - self._since
        return (self._loss_ws + (self.tap.power_w - self._cell_power_w()) * elapsed_s) / WS_PER_KWH

    def set_mode(self, mode: str) -> None:
        """Raises ValueError for a mode it does not know."""
        before, self.mode = self.mode, BatteryMode(mode)
        if self.mode is not before:
            self.turns.append((float(self.env.now), self.mode))
        self.grid_changed()

    def grid_changed(self) -> None:
        """Called with each change of the grid power; the controller reacts after its lag."""
        if self._reaction is None and self._wanted_w() != self.power_w:
            self._reaction = Timer(self.env, self.spec.lag_s, self._react)

    def _react(self) -> None:
        self._reaction = None
        self._run(self._wanted_w())

    def _wanted_w(self) -> float:
        """The discharge that brings the grid power to zero, within what it can and may do."""
        spec = self.spec
        soc_pct = self.soc_pct
        charge_max_w = spec.charge_max_w if soc_pct < spec.soc_max_pct - 1e-6 else 0.0
        discharge_max_w = spec.discharge_max_w if soc_pct > spec.soc_min_pct + 1e-6 else 0.0
        match self.mode:
            case BatteryMode.CHARGE:
                return -charge_max_w
            case BatteryMode.HOLD_CHARGE:
                return 0.0
            case BatteryMode.HOLD:
                discharge_max_w = 0.0
            case BatteryMode.NORMAL:
                pass
        if self.ac_room_w is not None:
            discharge_max_w = min(discharge_max_w, max(0.0, self.ac_room_w()))
        if self.dc_surplus_w is not None:
            discharge_max_w = min(discharge_max_w, max(-charge_max_w, -max(0.0, self.dc_surplus_w())))
        error_w = self._grid_power_w()
        present_w = self.power_w
        if abs(error_w) < DEAD_BAND_W and -charge_max_w <= present_w <= discharge_max_w:
            return present_w
        return min(discharge_max_w, max(-charge_max_w, present_w + error_w))

    def _cell_power_w(self) -> float:
        """Into the cells [W]."""
        into_w = self.tap.power_w
        return into_w * self.spec.efficiency if into_w >= 0 else into_w / self.spec.efficiency

    def _run(self, discharge_w: float) -> None:
        self._settle()
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        self.tap.set((-discharge_w / 3, -discharge_w / 3, -discharge_w / 3))
        cell_w = self._cell_power_w()
        if cell_w != 0:
            goal_pct = self.spec.soc_max_pct if cell_w > 0 else self.spec.soc_min_pct
            room_ws = (goal_pct - self._soc_pct) / 100 * self.spec.capacity_kwh * WS_PER_KWH
            if room_ws / cell_w >= 0:
                self._limit = Timer(self.env, room_ws / cell_w, self._limit_reached)
        self.grid_changed()

    def _settle(self) -> None:
        now = float(self.env.now)
        self._loss_ws += (self.tap.power_w - self._cell_power_w()) * (now - self._since)
        self._soc_pct = self.soc_pct
        self._since = now

    def _limit_reached(self) -> None:
        self._limit = None
        self._settle()
        self._soc_pct = self.spec.soc_max_pct if self.tap.power_w > 0 else self.spec.soc_min_pct
        self._run(0.0)
