"""The door for exported states: what values may be where the type alone does not say it."""

from __future__ import annotations

from evcclib.allowed import NOTHING, Allowed, Table, among, number, optional, whole
from evcclib.charger import ChargerState, CurrentRange
from evcclib.check_config import of_setting
from evcclib.errors import IncompatibleState
from evcclib.polling import PollState
from evcclib.rounding import STEPS_A, Heard, Rounding
from evcclib.settings import SETTINGS, LoadpointSettings, Scope, SiteSettings, VehicleSettings
from evcclib.soc import SocState
from evcclib.state import LoadpointState

NUMBER_MAX = 1e12
"""No sum of energies, costs or emissions of a home is larger."""
ANY_NUMBER = number(-NUMBER_MAX, NUMBER_MAX)
ANY_INTEGER = whole(-(10**9), 10**9)


def check_state(part: object, where: str) -> None:
    """Raises `evcclib.errors.IncompatibleState` if a field of this part of a state, found at ``where``, is out of its range."""
    for name, allowed in IN_STATE.get(type(part), {}).items():
        allowed.check(f"{where}.{name}", getattr(part, name), IncompatibleState)


def _settings(scope: Scope, *, may_be_unset: bool = False) -> dict[str, Allowed]:
    rows = {spec.name: of_setting(scope, spec.name) for spec in SETTINGS if spec.scope is scope}
    return {name: optional(allowed) for name, allowed in rows.items()} if may_be_unset else rows


_CURRENT = number(0, 1000, "A")
_SOC = optional(number(0, 100, "%"))
IN_STATE: Table = {
    SiteSettings: _settings(Scope.SITE),
    LoadpointSettings: _settings(Scope.LOADPOINT),
    VehicleSettings: _settings(Scope.VEHICLE, may_be_unset=True),
    LoadpointState: {
        "measured_phases": among(0, 1, 2, 3),
        "proven_phases": among(0, 1, 2, 3),
        "priority_of_vehicle": optional(of_setting(Scope.LOADPOINT, "priority")),
        "progress_pct": number(0, 200, "%"),
    },
    ChargerState: {
        "current_a": optional(_CURRENT),
        "wanted_a": optional(_CURRENT),
        "phases": among(0, 1, 2, 3),
        "phases_refusals": whole(0, 10**9),
        "unheard_tries": whole(0, 10**9),
        "pending": NOTHING,
        "number": whole(0, 10**9),
    },
    Rounding: {"step_a": number(0, STEPS_A[0], "A")},
    Heard: {"told_a": _CURRENT, "shown_a": _CURRENT},
    CurrentRange: {"least_a": _CURRENT, "most_a": _CURRENT},
    SocState: {
        "soc_pct": _SOC,
        "fetched_pct": _SOC,
        "initial_pct": _SOC,
        "kwh_per_pct": optional(number(0.0001, 1000, "kWh")),
    },
    PollState: {"retries": whole(0, 10**9)},
}
