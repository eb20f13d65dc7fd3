"""A loadpoint in today's words."""

from __future__ import annotations

from evcc_server.settings import Setting
from evcc_server.state.document import Keys, Labels, planned, shown_reason
from evcc_server.state.shapes import age_of, counter, known, local, phases
from evcc_server.state.shown_settings import ShownSettings
from evcc_server.state.values import Counter, Value
from evcclib.config import LoadpointConfig
from evcclib.model import Now
from evcclib.reasons import ReasonCode
from evcclib.settings import Scope
from evcclib.units import ZERO, round_half_away, whole_seconds
from evcclib.view import LoadpointView

NO_LIMIT_PCT = 100
OPERATOR = "operator"
_NEVER = (
    "AutodetectDisabled", "Average", "Cacheable", "ClimaterDisabled", "Continuous", "Heating", "Offline", "Retryable",
    "Streaming", "SwitchDevice", "WakeUpDisabled", "WelcomeCharge",
)  # fmt: skip
"""Features of chargers that none of ours has."""
NO_FEATURES = {f"chargerFeature{name}": False for name in _NEVER}
COARSE_A = 1.0
"""A station that takes whole amperes only."""


def key_of(setting: Setting) -> str:
    """What today's clients call a setting."""
    return setting.today_key or setting.key


_SETTINGS = ShownSettings(Scope.LOADPOINT, key_of)


def loadpoint_keys(view: LoadpointView, config: LoadpointConfig, labels: Labels, now: Now) -> Keys:
    """Every key of one loadpoint."""
    place = view.loadpoint
    return {
        "name": f"lp-{place + 1}",
        "title": view.title,
        **_SETTINGS.shown(view.settings, labels.time_zone, place),
        **_charging(view),
        **_limits(view),
        **_plan(view, labels),
        **_charger(view, config),
        **_vehicle(view),
        "reason": shown_reason(view.reason, labels, now),
        "dimmed": view.reason.limit == OPERATOR,
    }


def _charging(view: LoadpointView) -> Keys:
    energy = Counter(view.energy_charged_kwh * 1000.0)
    keys: dict[str, Value] = {
        "enabled": view.is_enabled,
        "connected": view.is_connected,
        "charging": view.is_charging,
        "chargePower": view.charge_power_w,
        "offeredCurrent": view.current_offered_a,
        "chargedEnergy": energy,
        "sessionEnergy": energy,
        "chargeDuration": whole_seconds(view.charge_duration),
        "connectedDuration": whole_seconds(view.connected_duration or ZERO),
        "sessionPrice": view.session_price,
        "sessionPricePerKWh": view.session_price_per_kwh,
        "sessionCo2PerKWh": view.session_co2_g_per_kwh,
        "sessionSolarPercentage": view.session_solar_pct,
        "phasesActive": view.phases_active,
        "phaseAction": view.phase_action.value,
        "phaseRemaining": whole_seconds(view.phase_remaining),
        "pvAction": view.pv_action.value,
        "pvRemaining": whole_seconds(view.pv_remaining),
        "chargerAge": age_of(view.charger_age),
        "commandPending": bool(view.commands_pending),
    }
    return keys | known(
        {
            "chargeCurrents": phases(view.currents_a),
            "chargeVoltages": phases(view.voltages_v),
            "chargeTotalImport": counter(view.energy_total_kwh),
            "chargeRemainingDuration": age_of(view.remaining_duration),
            "chargeRemainingEnergy": None if view.remaining_energy_kwh is None else view.remaining_energy_kwh * 1000.0,
        }
    )


def _limits(view: LoadpointView) -> Keys:
    """What is set and what comes of it; no limit of the SoC is 0 where it is set, and 100 where it holds."""
    settings = view.settings
    limit_pct = settings.soc_target_pct or NO_LIMIT_PCT
    return {
        "limitSoc": 0 if limit_pct == NO_LIMIT_PCT else limit_pct,
        "effectiveLimitSoc": limit_pct,
        "effectiveMinSoc": settings.soc_min_pct,
        "minSocNotReached": view.reason.code is ReasonCode.MIN_SOC,
        "effectiveMinCurrent": settings.current_min_a if view.current_low_a is None else view.current_low_a,
        "effectiveMaxCurrent": settings.current_max_a if view.current_high_a is None else view.current_high_a,
        "effectivePriority": view.priority,
        "phasesConfigured": settings.phases_configured if view.can_switch_phases else view.phases_enabled,
        "smartCostActive": view.smart_cost_is_active,
        "smartFeedInPriorityActive": view.feed_in_priority_is_active,
    }


def _plan(view: LoadpointView, labels: Labels) -> Keys:
    zone = labels.time_zone
    due = {key: value for key, value in planned(view, labels).items() if key != "targetTime"}
    return due | {
        "planActive": view.plan_is_active,
        "planProjectedStart": local(view.plan_projected_start, zone),
        "planOverrun": whole_seconds(view.plan_overrun or ZERO),
        "smartCostNextStart": local(view.smart_cost_next_start, zone),
        "smartFeedInPriorityNextStart": local(view.feed_in_priority_next_start, zone),
    }


def _charger(view: LoadpointView, config: LoadpointConfig) -> Keys:
    return NO_FEATURES | {
        "chargerIcon": view.charger_icon or None,
        "chargerPhases1p3p": view.can_switch_phases,
        "chargerSinglePhase": not view.can_switch_phases and view.phases_enabled == 1,
        "chargerFeatureCoarseCurrent": config.charger.current_step_a >= COARSE_A,
        "chargerFeatureIntegratedDevice": view.charger_is_integrated,
        "chargerStatusReason": "unknown",
    }


def _vehicle(view: LoadpointView) -> Keys:
    """Of a guest, "" and 0: today's words for what is not known."""
    return {
        "vehicleName": view.vehicle or "",
        "vehicleTitle": view.vehicle_title,
        "vehicleSoc": view.vehicle_soc_pct or 0.0,
        "vehicleRange": round_half_away(view.vehicle_range_km or 0.0),
        "vehicleOdometer": Counter(view.vehicle_odometer_km or 0.0),
        "vehicleLimitSoc": view.vehicle_soc_limit_pct or 0.0,
        "vehicleIdentity": view.vehicle_identity or "",
        "vehicleDetectionActive": view.vehicle_detection_is_active,
        "vehicleWelcomeActive": False,
        "vehicleClimaterActive": view.is_climating,
    }
