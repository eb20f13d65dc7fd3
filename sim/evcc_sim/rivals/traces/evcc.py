"""A trace of evcc, lived through by its model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evcc_sim.rivals.models.evcc import ELAPSED, Charger, Circuit, Evcc, Inputs, Loadpoint, Settings, State
from evcc_sim.rivals.traces.pair import Pair


def replayed(trace: dict[str, Any]) -> Iterator[Pair]:
    """Each tick: commands to all chargers, and the state of the loadpoint that is decided, where the trace tells it."""
    law = Evcc(_settings(trace))
    for tick in trace["ticks"]:
        decided = tick.get("lp", 0)
        commands = law.tick(_inputs(tick), decided, now=tick["t"])
        got: list[Any] = [[] for _ in tick["chargers"]]
        got[decided] = [list(each) for each in commands]
        wanted = tick.get("state")
        state = None if wanted is None else _state(law.states[decided])
        yield Pair((tick["commands"], wanted), (got, state))


def _settings(trace: dict[str, Any]) -> Settings:
    power_w, current_a = trace.get("circuit_w") or None, trace.get("circuit_a") or None
    circuits = (Circuit(power_max_w=power_w, current_max_a=current_a),) if power_w or current_a else ()
    return Settings(
        loadpoints=tuple(_loadpoint(lp, 0 if circuits else None) for lp in trace["loadpoints"]),
        circuits=circuits,
        residual_w=trace.get("residual_w", 0.0),
        priority_soc_pct=trace.get("priority_soc_pct", 0.0),
        buffer_soc_pct=trace.get("buffer_soc_pct", 0.0),
        buffer_start_soc_pct=trace.get("buffer_start_soc_pct", 0.0),
        voltage_v=trace.get("voltage_v", 230.0),
    )


def _loadpoint(lp: dict[str, Any], circuit: int | None) -> Loadpoint:
    default = Loadpoint()
    return Loadpoint(
        mode=lp.get("mode", default.mode),
        priority=lp.get("priority", 0),
        can_switch_phases=lp.get("phase_switching", False),
        phases_configured=lp.get("phases_configured", 0),
        takes_fractions=lp.get("milliamps", False),
        min_a=lp.get("min_a", default.min_a),
        max_a=lp.get("max_a", default.max_a),
        enable_threshold_w=lp.get("enable_threshold_w", 0.0),
        enable_delay_s=lp.get("enable_delay_s", default.enable_delay_s),
        disable_threshold_w=lp.get("disable_threshold_w", 0.0),
        disable_delay_s=lp.get("disable_delay_s", default.disable_delay_s),
        circuit=circuit,
    )


def _inputs(tick: dict[str, Any]) -> Inputs:
    battery = tick.get("battery")
    return Inputs(
        grid_w=tick.get("grid_w"),
        battery_w=None if battery is None else battery["power_w"],
        battery_soc_pct=0.0 if battery is None else battery["soc_pct"],
        chargers=tuple(_charger(charger) for charger in tick["chargers"]),
    )


def _charger(charger: dict[str, Any]) -> Charger:
    currents = charger.get("currents_a")
    return Charger(
        status=charger.get("status"),
        is_enabled=charger.get("enabled"),
        power_w=charger.get("power_w"),
        currents_a=None if currents is None else tuple(currents),
    )


def _state(state: State) -> dict[str, Any]:
    return {
        "enabled": state.is_enabled,
        "measured_phases": state.measured,
        "offered_a": state.offered_a,
        "phase_timer": _timer(state.phase_timer),
        "phases": state.phases,
        "pv_timer": _timer(state.pv_timer),
    }


def _timer(timer: float | None) -> float | str | None:
    return "elapsed" if timer == ELAPSED else timer
