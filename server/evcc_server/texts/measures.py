"""In what the values of a list are, as owners write it: ``EUR/kWh``, ``ct/kWh``, ``g/kWh``, ``kW``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evcclib.tariff import CO2_UNIT, POWER_UNIT


@dataclass(frozen=True, slots=True)
class Measure:
    """``unit`` as of `evcclib.tariff.Rates`; a value times ``factor`` is in it, prices and emissions for a kWh."""

    unit: str
    factor: float = 1.0


GRAMS = Measure(CO2_UNIT)
WATTS = Measure(POWER_UNIT)


def price_measures(currency: str) -> dict[str, Measure]:
    """How prices in ``currency`` may be written."""
    return {
        f"{currency}/kWh": Measure(currency),
        "ct/kWh": Measure(currency, 0.01),
        f"{currency}/MWh": Measure(currency, 0.001),
    }


EMISSION_MEASURES = {"g/kWh": GRAMS, "kg/MWh": GRAMS}
POWER_MEASURES = {"W": WATTS, "kW": Measure(POWER_UNIT, 1000.0)}
ENERGY_UNIT = "Wh"
SUN_MEASURES = POWER_MEASURES | {"Wh": Measure(ENERGY_UNIT), "kWh": Measure(ENERGY_UNIT, 1000.0)}
"""An energy is that of its whole slot."""


def measure_of(text: str, allowed: Mapping[str, Measure]) -> Measure | None:
    """Which of ``allowed`` the ``text`` is, in any case."""
    wanted = text.replace(" ", "").casefold()
    return next((measure for name, measure in allowed.items() if name.casefold() == wanted), None)
