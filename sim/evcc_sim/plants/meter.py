"""What a meter shows of a flow: refreshed now and then, late, noisy, coarse, its phases perhaps swapped.

Defaults are those of a good meter. Sources: Eastron SDM630 Modbus v2 data sheet (values every 200 ms, counters 0.01 kWh);
IEC 62053-21 class B (1 %); owners report 30-60 s old values from cloud-read and optical meters.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import simpy

from evcc_sim.plants.bus import WS_PER_KWH, Flow
from evcc_sim.plants.faults import Fault, FaultKind, FaultTable, ReadBack
from evcc_sim.timebase import stream
from evcclib.model import PhaseTriple

WRONG_POWER_W = 2000.0
"""What a meter shows that never shows the true power, while hardly any flows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSpec:
    """How a meter shows what it measures. ``rotation`` gives the grid phase (1..3) behind each of its terminals."""

    refresh_s: float = 0.0  # 0: always current
    lag_s: float = 0.0
    noise_w: float = 0.0  # standard deviation
    resolution_w: float = 0.0  # 0: exact
    counter_resolution_kwh: float = 0.0
    rotation: tuple[int, int, int] = (1, 2, 3)


class _Step(NamedTuple):
    """The flow from ``second`` on, and its counters at that moment."""

    second: float
    powers_w: PhaseTriple
    energy_in_kwh: float
    energy_out_kwh: float


class Shown(NamedTuple):
    """One refresh of the display. NaN powers mean "not available"."""

    power_w: float
    powers_w: PhaseTriple
    energy_in_kwh: float
    energy_out_kwh: float


class Meter:
    """Shows ``flow`` (times ``sign``). Everything it shows is computed when asked; it costs nothing in between."""

    def __init__(
        self,
        env: simpy.Environment,
        name: str,
        flow: Flow,
        voltages_v: PhaseTriple,
        *,
        spec: MeterSpec | None = None,
        sign: int = 1,
        faults: FaultTable | None = None,
        seed: int = 0,
    ) -> None:
        self.env = env
        self.name = name
        self.spec = spec or MeterSpec()
        self._flow = flow
        self._voltages_v = voltages_v
        self._sign = sign
        self._faults = faults or FaultTable(())
        self._seed = seed
        self._has_faults = bool(self._faults.of(name))
        self._offsets_kwh = (0.0, 0.0)
        self._cached: tuple[float, PhaseTriple, float, Shown] | None = None
        self._reset_done: set[float] = set()
        frozen = any(fault.kind is FaultKind.FROZEN for fault in self._faults.of(name))
        late_s = max((fault.lag_s for fault in self._faults.of(name) if fault.of is ReadBack.POWER), default=0.0)
        self._history: deque[_Step] | None = None
        if self.spec.lag_s > 0 or self.spec.refresh_s > 0 or frozen or late_s > 0:
            self._history = deque((self._present(),))
            flow.listeners.append(self._remember)
        spec = self.spec
        self.is_plain = (  # shows the flow as it is now
            self._history is None
            and not self._has_faults
            and spec.rotation == (1, 2, 3)
            and spec.noise_w == spec.resolution_w == spec.counter_resolution_kwh == 0
        )
        self._keep_s = self.spec.lag_s + self.spec.refresh_s + late_s + 1.0
        if frozen:
            self._keep_s += max(f.duration_s for f in self._faults.of(name) if f.kind is FaultKind.FROZEN)

    # -- what it shows ------------------------------------------------------------------------------------------------

    @property
    def power_w(self) -> float:
        """Total power [W]; NaN: not available."""
        if self.is_plain:  # without the counters, which cost more
            return self._flow.power_w if self._sign == 1 else -self._flow.power_w
        return self.shown().power_w

    @property
    def powers_w(self) -> PhaseTriple:
        """Power at each of its terminals [W]."""
        if self.is_plain:
            p = self._flow.powers_w
            return p if self._sign == 1 else (-p[0], -p[1], -p[2])
        return self.shown().powers_w

    @property
    def currents_a(self) -> PhaseTriple:
        """Current at each of its terminals, with the power's sign [A]."""
        p, v = self.powers_w, self.voltages_v
        return p[0] / v[0], p[1] / v[1], p[2] / v[2]

    @property
    def voltages_v(self) -> PhaseTriple:
        """Voltage at each of its terminals [V]."""
        if self.is_plain:
            return self._voltages_v
        v, r = self._voltages_v, self.spec.rotation
        return v[r[0] - 1], v[r[1] - 1], v[r[2] - 1]

    @property
    def energy_import_kwh(self) -> float:
        """Counter of the positive direction [kWh]."""
        if self.is_plain:
            return self._flow.energies_kwh()[0 if self._sign == 1 else 1] - self._offsets_kwh[0]
        return self.shown().energy_in_kwh

    @property
    def energy_export_kwh(self) -> float:
        """Counter of the negative direction [kWh]."""
        if self.is_plain:
            return self._flow.energies_kwh()[1 if self._sign == 1 else 0] - self._offsets_kwh[1]
        return self.shown().energy_out_kwh

    def shown(self) -> Shown:
        """Everything at once, of one refresh."""
        if self.is_plain:  # nothing between it and the flow
            flow, offsets = self._flow, self._offsets_kwh
            energy_in, energy_out = flow.energies_kwh()
            if self._sign == 1:
                return Shown(flow.power_w, flow.powers_w, energy_in - offsets[0], energy_out - offsets[1])
            p = flow.powers_w
            return Shown(-flow.power_w, (-p[0], -p[1], -p[2]), energy_out - offsets[0], energy_in - offsets[1])
        now = float(self.env.now)
        if self._has_faults:
            return self._shown_with_faults(now)
        return self._shown_of(self._sampled_at(now))

    # -- how it comes about -------------------------------------------------------------------------------------------

    def _sampled_at(self, now: float) -> float:
        spec = self.spec
        second = now - spec.lag_s
        if spec.refresh_s > 0:
            second = (second // spec.refresh_s) * spec.refresh_s
        return max(0.0, second)

    def _shown_of(self, second: float) -> Shown:
        step = self._step_at(second)
        cached = self._cached
        if cached is not None and cached[0] == second and cached[1] == step.powers_w and cached[2] == step.second:
            return cached[3]
        spec, sign, elapsed_s = self.spec, self._sign, second - step.second
        total_w = step.powers_w[0] + step.powers_w[1] + step.powers_w[2]
        energy_in = step.energy_in_kwh + max(0.0, total_w) * elapsed_s / WS_PER_KWH
        energy_out = step.energy_out_kwh + max(0.0, -total_w) * elapsed_s / WS_PER_KWH
        if sign < 0:
            energy_in, energy_out = energy_out, energy_in
        energy_in = self._count(energy_in - self._offsets_kwh[0])
        energy_out = self._count(energy_out - self._offsets_kwh[1])
        r = spec.rotation
        powers: PhaseTriple = (
            sign * step.powers_w[r[0] - 1],
            sign * step.powers_w[r[1] - 1],
            sign * step.powers_w[r[2] - 1],
        )
        if spec.noise_w > 0:
            rng = stream(self._seed, self.name, second)
            deviation = spec.noise_w / 3**0.5
            powers = (
                powers[0] + rng.gauss(0, deviation),
                powers[1] + rng.gauss(0, deviation),
                powers[2] + rng.gauss(0, deviation),
            )
        power = powers[0] + powers[1] + powers[2]
        if spec.resolution_w > 0:
            grid = spec.resolution_w
            powers = (round(powers[0] / grid) * grid, round(powers[1] / grid) * grid, round(powers[2] / grid) * grid)
            power = round(power / grid) * grid
        shown = Shown(power, powers, energy_in, energy_out)
        self._cached = (second, step.powers_w, step.second, shown)
        return shown

    def _count(self, energy_kwh: float) -> float:
        resolution = self.spec.counter_resolution_kwh
        if resolution > 0:
            return int(energy_kwh / resolution + 1e-9) * resolution
        return energy_kwh

    def _shown_with_faults(self, now: float) -> Shown:
        faults = self._faults
        for fault in faults.of(self.name):
            due = fault.kind is FaultKind.COUNTER_RESET and fault.start_s <= now
            if due and fault.start_s not in self._reset_done:
                self._reset_done.add(fault.start_s)
                self.reset_counters()
        if faults.active(self.name, FaultKind.NAN, now) is not None:
            nan = float("nan")
            return Shown(nan, (nan, nan, nan), nan, nan)
        frozen = faults.active(self.name, FaultKind.FROZEN, now)
        shown = self._shown_of(self._sampled_at(now if frozen is None else frozen.start_s))
        misread = faults.reads_back(self.name, ReadBack.POWER, now)
        if misread is not None:
            return self._misread(misread, shown, now)
        lying = faults.active(self.name, FaultKind.LYING, now)
        if lying is None:
            return shown
        factor, offset = lying.params.get("factor", 1.0), lying.params.get("offset_w", 0.0)
        p = shown.powers_w
        return Shown(
            shown.power_w * factor + offset,
            (p[0] * factor + offset / 3, p[1] * factor + offset / 3, p[2] * factor + offset / 3),
            shown.energy_in_kwh,
            shown.energy_out_kwh,
        )

    def _misread(self, fault: Fault, shown: Shown, now: float) -> Shown:
        """``shown`` with the power of some time ago, or with one that is not true."""
        if fault.kind is FaultKind.READ_BACK_LAG:
            late = self._shown_of(self._sampled_at(max(0.0, now - fault.lag_s)))
            return Shown(late.power_w, late.powers_w, shown.energy_in_kwh, shown.energy_out_kwh)
        if fault.kind is FaultKind.READ_BACK_STUCK:
            power_w = fault.params["shows"]
        else:
            power_w = WRONG_POWER_W if abs(shown.power_w) < WRONG_POWER_W else 0.0
        third_w = power_w / 3
        return Shown(power_w, (third_w, third_w, third_w), shown.energy_in_kwh, shown.energy_out_kwh)

    def reset_counters(self) -> None:
        """The counters start again from zero."""
        flow_in, flow_out = self._flow.energy_in_kwh, self._flow.energy_out_kwh
        self._offsets_kwh = (flow_out, flow_in) if self._sign < 0 else (flow_in, flow_out)
        self._cached = None

    def _present(self) -> _Step:
        flow = self._flow
        return _Step(float(self.env.now), flow.powers_w, flow.energy_in_kwh, flow.energy_out_kwh)

    def _remember(self) -> None:
        history = self._history
        assert history is not None
        step = self._present()
        history.append(step)
        horizon = step.second - self._keep_s
        while len(history) > 1 and history[1].second <= horizon:
            history.popleft()

    def _step_at(self, second: float) -> _Step:
        if self._history is None:
            return self._present()
        for step in reversed(self._history):
            if step.second <= second:
                return step
        return self._history[0]
