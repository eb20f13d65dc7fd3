"""Stations that take something else than a current or a phase count, in their own words.

A quirk gives live values and listeners that win over those made from the register table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pymodbus.constants import ExcCodes

from evcc_sim.devices.register_map import Sink, Source
from evcc_sim.plants.wallbox import Wallbox

Quirk = Callable[[Wallbox], tuple[dict[str, Source], dict[str, Sink]]]

PHASES_CHANGE_W = 4140.0
"""A GoodWe station uses one phase for less than six amperes on three."""


def _goodwe(box: Wallbox) -> tuple[dict[str, Source], dict[str, Sink]]:
    """It is given a power and chooses the phases by it."""
    has_three = box.spec.phases == 3

    def take(power_w: float) -> ExcCodes | None:
        phases = 3 if has_three and power_w >= PHASES_CHANGE_W else 1
        if box.spec.can_switch_phases:
            if phases != box.phases:
                box.switch_phases(phases)
        else:
            phases = box.phases
        box.set_current(power_w / box.voltage_v / phases)
        return None

    sources: dict[str, Source] = {
        "power_limit": lambda: box.current_limit_a * box.voltage_v * box.phases,
        "phase_class": lambda: 0 if has_three else 1,
        "power_class": lambda: 1,
    }
    return sources, {"power_limit": take}


def _smartevse(box: Wallbox) -> tuple[dict[str, Source], dict[str, Sink]]:
    """The current stands in both bytes of a register; the lowest bit of the settings is the phase relay."""

    def take(word: float) -> ExcCodes | None:
        current_a = int(word) & 0xFF
        if current_a < 6:
            box.disable()
        else:
            box.set_current(current_a)
            box.enable()
        return None

    def set_up(word: float) -> ExcCodes | None:
        phases = 3 if int(word) & 1 else 1
        if phases != box.phases:
            box.switch_phases(phases)
        return None

    def offered() -> float:
        return int(box.current_limit_a) if box.enabled else 0

    return {"current_limit": lambda: 257 * offered(), "advertised_current": offered}, {
        "current_limit": take,
        "settings": set_up,
    }


QUIRKS: Mapping[str, Quirk] = {"goodwe-hca": _goodwe, "smartevse": _smartevse}
