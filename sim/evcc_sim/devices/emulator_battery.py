"""Batteries that do what they are told: writes that add up to one of the profile's modes change the plant's mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pymodbus.constants import ExcCodes

from evcc_server.profiles.profile import Profile, Step
from evcc_sim.devices.quantities import BatteryPlant
from evcc_sim.devices.register_map import Sink, Unit

MODES = ("charge", "holdcharge", "hold", "normal")
"""What is to be preferred when the same writes fit several modes equally well."""

MINIMUM = "min_soc"
"""Some batteries know no modes, only a minimum: above the present charge it makes them charge, at it they rest."""


def listen_to_battery(profile: Profile, units: Sequence[Unit], battery: BatteryPlant) -> None:
    """Let writes to ``units`` reach the plant, as far as the profile says what they mean."""
    control = profile.battery
    if control is None:
        return
    modes = {
        str(mode): tuple(step for step in steps if step.write is not None) for mode, steps in control.modes.items()
    }
    orders = _Orders(modes, battery)
    for unit in units:
        for placed in unit.placed:
            if placed.register.access != "r":
                unit.sinks[placed.key] = orders.sink(placed.key)


class _Orders:
    """What has been written so far, and what it amounts to."""

    def __init__(self, modes: Mapping[str, Sequence[Step]], battery: BatteryPlant) -> None:
        self._modes = modes
        self._battery = battery
        self._written: dict[str, float] = {}
        keys = {step.write for steps in modes.values() for step in steps}
        self._minimum = next(iter(keys)) if len(keys) == 1 and MINIMUM in str(next(iter(keys))) else None

    def sink(self, key: str) -> Sink:
        def take(value: float) -> ExcCodes | None:
            self._written[key] = value
            mode = self._mode_by_minimum(value) if key == self._minimum else self._mode_after(key)
            if mode is not None:
                self._battery.set_mode(mode)
            return None

        return take

    def _mode_by_minimum(self, minimum_pct: float) -> str:
        soc_pct = self._battery.soc_pct
        if minimum_pct > soc_pct + 1:
            return "charge"
        return "hold" if minimum_pct > soc_pct - 1 else "normal"

    def _mode_after(self, key: str) -> str | None:
        """The mode whose writes have all been made, this one last, and whose numbers fit best."""
        best, best_fit = None, 0.0
        for mode in MODES:
            steps = self._modes.get(mode, ())
            if steps and steps[-1].write == key:
                fit = self._fit(steps)
                if fit > best_fit:
                    best, best_fit = mode, fit
        return best

    def _fit(self, steps: Sequence[Step]) -> float:
        total = 0.0
        for step in steps:
            written = self._written.get(str(step.write))
            if written is None:
                if step.when:
                    continue
                return 0.0
            if isinstance(step.value, str):
                if step.value.startswith("-") != (written < 0):
                    return 0.0
                total += 0.5
            elif step.value is None or abs(float(step.value) - written) > 1e-6:
                return 0.0
            else:
                total += 1.0
        return total / len(steps) + len(steps) / 100
