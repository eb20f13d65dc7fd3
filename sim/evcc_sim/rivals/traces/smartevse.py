"""A trace of SmartEVSE, lived through by its model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evcc_sim.rivals.models.smartevse import Inputs, Settings, SmartEvse, State
from evcc_sim.rivals.traces.pair import Pair


def replayed(trace: dict[str, Any]) -> Iterator[Pair]:
    """Each step: whatever of its values the trace tells."""
    law = SmartEvse(_settings(trace["config"]))
    for tick in trace["ticks"]:
        law.step(_inputs(tick))
        told = _told(law)
        wanted = {name: value for name, value in tick.items() if name in told}
        yield Pair(wanted, {name: told[name] for name in wanted})


def _settings(config: dict[str, Any]) -> Settings:
    default, is_master = Settings(), config.get("load_balancing", 0) != 0
    return Settings(
        min_a=config.get("min_current_a", default.min_a),
        max_a=config.get("max_current_a", default.max_a),
        mains_max_a=config.get("max_mains_a", default.mains_max_a),
        circuit_max_a=config.get("max_circuit_a", default.circuit_max_a),
        start_a=config.get("start_current_a", default.start_a),
        stop_min=config.get("stop_time_min", default.stop_min),
        import_a=config.get("import_current_a", default.import_a),
        node_max_da=config["node_max_da"] if is_master else None,
    )


def _inputs(tick: dict[str, Any]) -> Inputs:
    mains, node = tick.get("irms_da"), tick.get("node")
    return Inputs(
        mains_da=None if mains is None else tuple(mains),
        pilot_v=tick["pilot_v"],
        battery_da=tick.get("battery_da"),
        node=None if node is None else State(node["state"]),
    )


def _told(law: SmartEvse) -> dict[str, Any]:
    own, node = law.own, law.node
    told = {
        "state": str(own.state),
        "balanced_da": own.set_da,
        "phases": law.phases,
        "solar_stop_timer_s": law.stop_timer_s,
        "error_flags": own.errors,
        "charge_delay_s": law.delay_s,
        "iset_da": law.set_da,
        "switching": (0, 1, 0, 2)[law.wanted_phases],
        "isum_da": law.sum_da,
        "no_current": law.shortages,
    }
    if node is not None:
        told |= {"node_state_at_master": str(node.state), "balanced1_da": node.set_da, "balanced_error1": node.errors}
    return told
