"""A trace of openWB, lived through by its model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evcc_sim.rivals.models.openwb import ChargePoint, Inputs, OpenWb, Settings, Station
from evcc_sim.rivals.traces.pair import Pair


def replayed(trace: dict[str, Any]) -> Iterator[Pair]:
    """Each cycle: commands to all charge points, and the state, where the trace tells it."""
    law = OpenWb(_settings(trace))
    for tick in trace["ticks"]:
        got = [[list(each) for each in commands] for commands in law.cycle(_inputs(tick), now=tick["t"])]
        wanted = tick.get("state")
        yield Pair((tick["commands"], wanted), (got, None if wanted is None else _state(law)))


def _settings(trace: dict[str, Any]) -> Settings:
    default, pv = Settings(charge_points=()), trace.get("pv", {})
    return Settings(
        charge_points=tuple(_charge_point(lp) for lp in trace["loadpoints"]),
        on_threshold_w=pv.get("switch_on_threshold", default.on_threshold_w),
        on_delay_s=pv.get("switch_on_delay", default.on_delay_s),
        off_threshold_w=pv.get("switch_off_threshold", default.off_threshold_w),
        off_delay_s=pv.get("switch_off_delay", default.off_delay_s),
        phase_buffer_s=60 * pv.get("phase_switch_delay", default.phase_buffer_s / 60),
        retries_phase_switches=pv.get("retry_failed_phase_switches", False),
        counts_slow_cars_fully=trace.get("consider_less_charging", False),
        power_max_w=trace.get("max_total_power_w", default.power_max_w),
        currents_max_a=tuple(trace.get("max_currents_a", default.currents_max_a)),
        fallback_w=trace.get("max_power_errorcase_w", default.fallback_w),
        voltage_v=trace.get("voltage_v", default.voltage_v),
    )


def _charge_point(lp: dict[str, Any]) -> ChargePoint:
    default = ChargePoint()
    return ChargePoint(
        can_switch_phases=lp.get("auto_phase_switch", False),
        car_phases=lp.get("ev_max_phases", default.car_phases),
        connected_phases=lp.get("connected_phases", default.connected_phases),
        is_preferred=lp.get("prio", False),
        min_a=lp.get("min_a", default.min_a),
        max_a_1p=lp.get("max_a_1p", default.max_a_1p),
        max_a_3p=lp.get("max_a_3p", default.max_a_3p),
        nominal_difference_a=lp.get("nominal_difference_a", default.nominal_difference_a),
        keep_charge_active_s=lp.get("keep_charge_active_s", default.keep_charge_active_s),
    )


def _inputs(tick: dict[str, Any]) -> Inputs:
    battery, currents = tick.get("battery"), tick.get("grid_currents_a")
    switching = tick.get("phase_switch_running") or [False] * len(tick["chargers"])
    return Inputs(
        grid_w=tick.get("grid_w"),
        grid_currents_a=None if currents is None else tuple(currents),
        battery_w=0.0 if battery is None else battery["power_w"],
        stations=tuple(
            Station(
                is_plugged=charger["plug"],
                is_charging=charger["charging"],
                power_w=charger["power_w"],
                currents_a=tuple(charger["currents_a"]),
                phases_in_use=charger["phases_in_use"],
                offered_a=charger["evse_current_a"],
                imported_wh=charger["imported_wh"],
                is_switching=is_switching,
            )
            for charger, is_switching in zip(tick["chargers"], switching, strict=True)
        ),
    )


def _state(law: OpenWb) -> dict[str, Any]:
    return {
        "reserved_w": law.reserved_w,
        "released_w": law.released_w,
        "cps": [
            {
                "state": int(state.control),
                "phases": state.phases,
                "phases_to_use": state.phases_to_use,
                "current_a": state.current_a,
                "timer_s": state.timer,
                "phase_timer_s": state.phase_timer,
            }
            for state in law.states
        ],
    }
