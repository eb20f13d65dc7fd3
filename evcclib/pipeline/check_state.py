"""The door for exported states: what values may be where the type alone does not say it.

Every number and every duration has a row, be it the one that allows any (tests/evcclib/test_door.py looks for those without).
"""

from __future__ import annotations

from collections.abc import Mapping

from evcclib.allowed import INSTANT_MAX, NOTHING, Allowed, Table, among, duration, number, optional, whole
from evcclib.errors import IncompatibleState
from evcclib.ledger.meter_ledger import LedgerState, TimerState
from evcclib.ledger.savings import SavingsState
from evcclib.ledger.session import Mix, SessionState
from evcclib.machines.asking import PollState
from evcclib.machines.battery import BatteryControl
from evcclib.machines.charger import ChargerState, CurrentRange
from evcclib.machines.hidden_sun import PATIENCE_MAX, HiddenSun
from evcclib.machines.limits.mean_power import Bought
from evcclib.machines.readback import Disagreement
from evcclib.machines.rounding import STEPS_A, Heard, Rounding
from evcclib.machines.soc import SocState
from evcclib.machines.unmetered import DOUBT_MAX_W, HYPOTHESES
from evcclib.measured import Measured
from evcclib.pipeline.check_config import of_setting
from evcclib.pipeline.state import Effect, LoadpointState
from evcclib.planning.dues import Due
from evcclib.planning.house_load import HourMean
from evcclib.planning.power_follow import PlanInForce
from evcclib.planning.power_plan import Piece, PowerPlan, Shortfall
from evcclib.settings import SETTINGS, LoadpointSettings, Scope, SiteSettings, VehicleSettings
from evcclib.timetable import plans
from evcclib.units import SECOND

NUMBER_MAX = 1e12
"""No sum of energies, costs or emissions of a home is larger."""
COUNT_MAX = 10**9
"""Nor does anything happen more often there."""
ANY_NUMBER = number(-NUMBER_MAX, NUMBER_MAX)
ANY_INTEGER = whole(-COUNT_MAX, COUNT_MAX)


def check_state(part: object, where: str, table: Table | None = None) -> None:
    """Raises `evcclib.errors.IncompatibleState` if a field of this part of a state, found at ``where``, is out of its range.

    ``table``: a law's own ranges, for what it remembers.
    """
    for name, allowed in (IN_STATE if table is None else table).get(type(part), {}).items():
        allowed.check(f"{where}.{name}", getattr(part, name), IncompatibleState)
    for names, allowed in TOGETHER.get(type(part), {}).items():
        values = tuple(getattr(part, name) for name in names)
        allowed.check(f"{where}.{' and '.join(names)}", values, IncompatibleState)


def _settings(scope: Scope, *, may_be_unset: bool = False) -> dict[str, Allowed]:
    return {
        spec.name: optional(of_setting(scope, spec.name))
        if may_be_unset and spec.default is None
        else of_setting(scope, spec.name)
        for spec in SETTINGS
        if spec.scope is scope
    }


def _are_doubts(value: object) -> bool:
    """Whether these are the accounts of all hypotheses, one of which explains best; or none."""
    if not isinstance(value, tuple) or len(value) not in (0, len(HYPOTHESES)):
        return False
    return not value or (min(value) == 0.0 and max(value) <= DOUBT_MAX_W)


def _is_ordered(values: object) -> bool:
    return isinstance(values, tuple) and values[0] <= values[1]


def _are_both_or_neither(values: object) -> bool:
    return isinstance(values, tuple) and bool(values[0]) is (values[1] is not None)


_COUNT = whole(0, COUNT_MAX)
_CURRENT = number(0, 1000, "A")
_POWER = number(0, NUMBER_MAX, "W")
_ENERGY = number(0, NUMBER_MAX, "kWh")
_SHARE = optional(number(0, 1))
_SOC = optional(number(0, 100, "%"))
_DURATION = duration(0, INSTANT_MAX / SECOND)
_ANY = ANY_NUMBER
_ANY_OR_NONE = optional(ANY_NUMBER)
IN_STATE: Table = {
    SiteSettings: _settings(Scope.SITE),
    LoadpointSettings: _settings(Scope.LOADPOINT),
    VehicleSettings: _settings(Scope.VEHICLE, may_be_unset=True),
    **plans.ALLOWED,
    Due: {"number": _COUNT, "soc_pct": optional(whole(1, 100, "%")), "energy_kwh": optional(_ENERGY)},
    LoadpointState: {
        "measured_phases": among(0, 1, 2, 3),
        "proven_phases": among(0, 1, 2, 3),
        "idle_switches": _COUNT,
        "doubts": Allowed(
            f"{len(HYPOTHESES)} numbers of 0..{DOUBT_MAX_W:g} W, the least of them 0, or none", _are_doubts
        ),
        "priority_of_vehicle": optional(of_setting(Scope.LOADPOINT, "priority")),
        "odometer_km": optional(number(0, NUMBER_MAX, "km")),
        "progress_pct": number(0, 200, "%"),
        "power_drawn_w": _POWER,
    },
    ChargerState: {
        "current_a": optional(_CURRENT),
        "wanted_a": optional(_CURRENT),
        "unknown_a": _CURRENT,
        "phases": among(0, 1, 2, 3),
        "phases_refusals": _COUNT,
        "refusals": _COUNT,
        "unheard_tries": _COUNT,
        "pending": NOTHING,
        "number": _COUNT,
    },
    Rounding: {"step_a": number(0, STEPS_A[0], "A")},
    Heard: {"told_a": _CURRENT, "shown_a": _CURRENT},
    CurrentRange: {"least_a": _CURRENT, "most_a": _CURRENT},
    Disagreement: {"repeats": _COUNT},
    BatteryControl: {"number": _COUNT, "failures": _COUNT},
    Bought: {"bought_wh": number(0, NUMBER_MAX, "Wh"), "power_w": _ANY},
    Effect: {"least_w": _ANY, "most_w": _ANY},
    Measured: {"value": _ANY},  # those of a state are of powers and of what batteries say is their SoC
    SocState: {
        "soc_pct": _SOC,
        "fetched_pct": _SOC,
        "fetched_energy_kwh": _ENERGY,
        "initial_pct": _SOC,
        "initial_energy_kwh": _ENERGY,
        "kwh_per_pct": optional(number(0.0001, 1000, "kWh")),
        "moved_pct": _SOC,
        "moved_energy_kwh": _ENERGY,
        "first_pct": _SOC,
        "first_energy_kwh": _ENERGY,
    },
    HiddenSun: {
        "hope_w": _POWER,
        "step_w": _POWER,
        "pv_w": _POWER,
        "load_w": _ANY,
        "patience": number(1, PATIENCE_MAX),
        "start_patience": number(1, PATIENCE_MAX),
        "bought_wh": _POWER,
    },
    PollState: {"retries": _COUNT},
    PlanInForce: {"need_kwh": _ENERGY},
    HourMean: {"power_w": _POWER, "seen": _DURATION},
    PowerPlan: {"cost": _ANY, "bound": _ANY, "unpriced_kwh": _ENERGY},
    Piece: {"power_w": _POWER},
    Shortfall: {"need_kwh": _ENERGY, "available_kwh": _ENERGY, "later": _DURATION, "lifted_kwh": _ENERGY},
    LedgerState: {
        "total_kwh": _ENERGY,
        "session_start_kwh": _ENERGY,
        "counter_kwh": optional(_ENERGY),
        "counted_kwh": _ENERGY,
        "bridge_kwh": _ENERGY,
        "doubt_kwh": optional(_ENERGY),
        "reach_duration": _DURATION,
        "power_w": _POWER,
    },
    TimerState: {"duration": _DURATION},
    SessionState: {
        "odometer_km": optional(number(0, NUMBER_MAX, "km")),
        "meter_start_kwh": _ANY_OR_NONE,
        "meter_stop_kwh": _ANY_OR_NONE,
        "energy_kwh": _ENERGY,
        "shared_kwh": _ENERGY,
        "solar_kwh": _ENERGY,
        "priced_kwh": _ENERGY,
        "price": _ANY,
        "weighed_kwh": _ENERGY,
        "co2_g": _ANY,
    },
    Mix: {"green_share": _SHARE, "price_per_kwh": _ANY_OR_NONE, "co2_g_per_kwh": _ANY_OR_NONE},
    SavingsState: {
        "grid_kwh": _ENERGY,
        "grid_cost": _ANY,
        "saved_cost": _ANY,
        "self_kwh": _ENERGY,
        "self_cost": _ANY,
        "unknown_kwh": _ENERGY,
        "power_w": _POWER,
        "green_share": _SHARE,
        "grid_price": _ANY,
        "feed_in_price": _ANY,
    },
}
TOGETHER: Mapping[type, Mapping[tuple[str, ...], Allowed]] = {
    CurrentRange: {("least_a", "most_a"): Allowed("the first to be no more than the second", _is_ordered)},
    LedgerState: {("session_start_kwh", "total_kwh"): Allowed("the first to be no more than the second", _is_ordered)},
    Rounding: {("heard", "told_at"): Allowed("both or neither", _are_both_or_neither)},
}
"""What each field on its own could be, but not together."""
