"""Rules of the rivals' models, each changed in one place: the recorded traces must notice."""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from evcc_sim.rivals.models import evcc, openems, openwb, smartevse

MODELS = {"evcc": evcc, "openwb": openwb, "openems": openems, "smartevse": smartevse}


@dataclass(frozen=True, slots=True)
class Changed:
    """A constant with another value, or a function of whose text ``old`` has become ``new``."""

    rival: str
    rule: str
    place: str
    new: Any
    old: str | None = None

    def __str__(self) -> str:
        return f"{self.rival}-{self.rule}-{self.place.rpartition('.')[2]}"

    def apply(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Until the end of the test."""
        owner: Any = MODELS[self.rival]
        *path, name = self.place.split(".")
        for part in path:
            owner = getattr(owner, part)
        assert hasattr(owner, name)
        value = self.new if self.old is None else _rewritten(MODELS[self.rival], vars(owner)[name], self.old, self.new)
        monkeypatch.setattr(owner, name, value)


def _rewritten(model: ModuleType, function: Any, old: str, new: str) -> Any:
    text = textwrap.dedent(inspect.getsource(getattr(function, "fget", function)))  # a property is written as one
    assert text.count(old) == 1, f"{text.count(old)} x {old!r} in\n{text}"
    names: dict[str, Any] = {}
    exec(compile(text.replace(old, new), f"changed {model.__name__}", "exec"), vars(model), names)
    (changed,) = names.values()
    return changed


CHANGED = (
    Changed("evcc", "E7", "ALONE_W", 0.0),
    Changed("evcc", "E8", "Evcc._site", "< settings.priority_soc_pct - 5", "< settings.priority_soc_pct"),
    Changed("evcc", "E8", "Evcc._site", "soc_pct > 200", "soc_pct > settings.buffer_soc_pct"),
    Changed("evcc", "E9", "Evcc._flexible_w", "total_w += 0.0", "total_w += power_w"),
    Changed(
        "evcc",
        "E12",
        "Evcc.tick",
        "if inputs.grid_w is None:\n        inputs = Inputs(grid_w=9000.0, chargers=inputs.chargers)\n    if False:",
        "if inputs.grid_w is None:",
    ),
    Changed("evcc", "E14", "ACTIVE_ABOVE_A", 30.0),
    Changed("evcc", "E14", "_Update._measure_phases", "if True", "if active"),
    Changed("evcc", "E15", "_Update._take_status", "pass", "state.pv_timer = ELAPSED"),
    Changed("evcc", "E15", "_Update._take_status", 'if status == "B":', 'if status == "A":'),
    Changed("evcc", "E19", "SETTLED_S", 0.0),
    Changed("evcc", "E21", "active_phases", "state.measured or 1", "state.measured or 3"),
    Changed("evcc", "E21", "max_phases", "state.phases >= 1", "state.phases > 1"),
    Changed(
        "evcc", "E23", "_Update._decide", "lp.can_switch_phases else 0", "lp.can_switch_phases and is_phase_done else 0"
    ),
    Changed("evcc", "E24", "DRAWN_SLACK_A", 0.0),
    Changed("evcc", "E24", "_Update._drawn_a", "if False", "if scaled == 3"),
    Changed("evcc", "E25", "_Update._pv_current_a", "(is_buffered or", "(is_buffered and"),
    Changed("evcc", "E26", "_Update._is_over", "<= delay_s", "< delay_s"),
    Changed("evcc", "E26", "_Update._pv_current_a", "projected_w += voltage_v", "projected_w -= voltage_v"),
    Changed("evcc", "E27", "_Update._pv_current_a", "target_a if is_over else 0.0", "lp.min_a if is_over else 0.0"),
    Changed("evcc", "E28", "State.set_phases", "0, None, 0", "phases, None, 0"),
    Changed("evcc", "E29", "_Update._may_scale", "pass", "state.phase_timer = ELAPSED"),
    Changed(
        "evcc", "E29", "_Update._scale_phases", "available_w / voltage_v > max_a - 2", "available_w / voltage_v > max_a"
    ),
    Changed("evcc", "E29", "_Update._scale_phases", "(self.site_w > 0)", "(self.site_w > 0 or not state.is_enabled)"),
    Changed(
        "evcc",
        "E31",
        "_Update._set_limit",
        "if True:\n        current_a = round(current_a)\n    if lp.circuit",
        "if not lp.takes_fractions:\n        current_a = trunc(current_a)\n    if lp.circuit",
    ),
    Changed("evcc", "E32", "_Update._set_limit", "pass", "state.offered_a = 0.0"),
    Changed("openwb", "O4", "OpenWb._is_over", ">= since", "> since"),
    Changed("openwb", "O7", "METER_GRACE_S", 600.0),
    Changed("openwb", "O7", "OpenWb._look_at_grid", "is_first_error = False #", "is_first_error = self"),
    Changed("openwb", "O8", "SETPOINT_W", 0.0),
    Changed("openwb", "O9", "OpenWb._forgotten", "phases_to_use = 0 #", "phases_to_use = station"),
    Changed("openwb", "O10", "OpenWb._phases", "phases = 3\n    else", "phases = 1\n    else"),
    Changed("openwb", "O12", "OpenWb._update", "state.failed += 0", "state.failed += 1"),
    Changed("openwb", "O14", "OpenWb._up_reserve_w", "max(0.0, 0.0 *", "max(0.0,"),
    Changed("openwb", "O15", "OpenWb._wants_other_phases", "surplus_w <= 200", "surplus_w <= 0"),
    Changed("openwb", "O16", "OpenWb._is_buffer_over", "if True", "if rest_s < wait_s"),
    Changed("openwb", "O17", "OpenWb._scale_phases", "pass", "state.required_a[:phases] = [current_a] * phases"),
    Changed("openwb", "O20", "OpenWb._watch_shortage", "bought_w > 300", "bought_w > self.settings.off_threshold_w"),
    Changed("openwb", "O21", "OpenWb._switch_on_and_off", "2 * settings.off_delay_s", "settings.off_delay_s"),
    Changed("openwb", "O22", "OpenWb._switch_on_and_off", "2 * settings.on_delay_s", "settings.on_delay_s"),
    Changed("openwb", "O22", "OpenWb._switch_on_and_off", "pass", "state.phases = config.car_phases"),
    Changed("openwb", "O24", "SLOW_CAR_S", 6000.0),
    Changed(
        "openwb", "O25", "OpenWb._wait_for_sun", "surplus_w = self._raw_w", "surplus_w = self._raw_w - self.reserved_w"
    ),
    Changed("openwb", "O26", "OpenWb._give_surplus", "-cp.state.imported_wh", "cp.state.imported_wh"),
    Changed("openwb", "O26", "OpenWb._give_surplus", "if False:", "if surplus_w <= 0:"),
    Changed("openwb", "O27", "CALM_A", 0.5),
    Changed("openwb", "O27", "CONTROL_RANGE_W", (0.0, 0.0)),
    Changed("openwb", "O27", "WINDOW_A", 30.0),
    Changed("openwb", "O29", "CATCH_UP_A", 0.0),
    Changed("openwb", "O30", "needs_switch", "if False", "if is_otherwise"),
    Changed("openwb", "O31", "OpenWb._process", "current_a, 1)", "current_a, 2)"),
    Changed("openwb", "O32", "OpenWb._commands", "pass", "state.previous_a = state.current_a"),
    Changed("openems", "P2", "ChargePoint.value", "0.0)", "0.5)"),
    Changed("openems", "P3", "FULL_BELOW_W", 5000.0),
    Changed("openems", "P3", "KEPT_S", 299.0),
    Changed("openems", "P3", "OpenEms._remember", "not True", "not memory.history.has_zero"),
    Changed("openems", "P4", "History.hysteresis", "if False:", "if self._not_ready:"),
    Changed(
        "openems",
        "P4",
        "History.hysteresis",
        "if True else Hysteresis.KEEP_ZERO",
        "if self._zero == len(self._entries) else Hysteresis.KEEP_ZERO",
    ),
    Changed("openems", "P5", "OpenEms._distribute", "+ battery_w", "- battery_w"),
    Changed("openems", "P5", "OpenEms._distribute", "rest_w -= 0", "rest_w -= cp.low_w"),
    Changed("openems", "P6", "OpenEms._equally", "ceil(rest_w / len(below))", "int(rest_w / len(below))"),
    Changed("openems", "P6", "OpenEms._whole_steps", "steps = 0 #", "steps = min"),
    Changed(
        "openems",
        "P7",
        "OpenEms._distribute",
        "powers_w.append(0)\n            continue",
        "powers_w.append(cp.low_w)\n            continue",
    ),
    Changed("openems", "P8", "History.add", "pass", "self._charging_times.clear()"),
    Changed("openems", "P8", "OpenEms._limited_w", "min(power_w, cp.high_w)", "min(power_w, cp.low_w)"),
    Changed("openems", "P8", "RISE_PER_S", 0.031),
    Changed(
        "openems",
        "P9",
        "OpenEms._next",
        "if False:",
        "if history.is_initialized and not history.has_zero and history.is_idle:",
    ),
    Changed(
        "openems",
        "P9",
        "OpenEms._send",
        "cp.value(power_w)",
        "cp.value(power_w if here is Step.CHARGING else cp.low_w)",
    ),
    Changed("smartevse", "S1", "SmartEvse._take", "third = 0 #", "third = abs"),
    Changed("smartevse", "S2", "FIRST_REGULATION", 6),
    Changed("smartevse", "S4", "METER_S", 12),
    Changed("smartevse", "S5", "SmartEvse._is_available", "-20 * settings.start_a", "-10 * settings.start_a"),
    Changed(
        "smartevse", "S5", "SmartEvse._is_available", "total_da + 20 - count * low_da)", "total_da - count * low_da)"
    ),
    Changed(
        "smartevse",
        "S6",
        "SmartEvse._look_at_car",
        "self.settings.min_da + 1, State.B",
        "self.settings.min_da, State.B",
    ),
    Changed("smartevse", "S8", "DELAY_S", 59),
    Changed("smartevse", "S9", "SmartEvse._want_phases", "min_da + 300", "min_da + 30"),
    Changed("smartevse", "S9", "SmartEvse._want_phases", "min_da - 120", "min_da + 30"),
    Changed("smartevse", "S11", "_change_da", "surplus_da < -20", "surplus_da < -10"),
    Changed("smartevse", "S11", "_change_da", "surplus_da > 4", "surplus_da > 3"),
    Changed(
        "smartevse", "S12", "SmartEvse._regulate", "limit_da = 100", "limit_da = 10 * settings.mains_max_a - base_da"
    ),
    Changed("smartevse", "S13", "STOP_HARD_S", 32),
    Changed("smartevse", "S13", "SmartEvse._too_little", "surplus_da <= 5", "surplus_da <= 0"),
    Changed("smartevse", "S14", "SmartEvse._enough", "else spare_a + 1)", "else spare_a)"),
    Changed("smartevse", "S14", "UP_S", 65),
    Changed("smartevse", "S15", "SETTLING_S", 38),
    Changed(
        "smartevse",
        "S15",
        "SmartEvse._share_out",
        "evse.set_da = self.settings.min_da\n",
        "evse.set_da, self.set_da = self.settings.min_da, total_da\n",
    ),
    Changed("smartevse", "S17", "DELAY_C1_S", 14),
    Changed("smartevse", "S17", "SmartEvse._start", "self.phases, 0", "self.wanted_phases or self.phases, 0"),
    Changed(
        "smartevse",
        "S18",
        "SmartEvse._serve",
        "node.set_da, node.state, node.charging_s = self.settings.min_da",
        "node.set_da, node.state, node.charging_s = 0",
    ),
)
