"""From a `SiteView` to the two kinds of document that every outlet shows: the site's and one for each loadpoint.

Keys and units are those of the API. A key of a capability that the home has is always there; one of a missing capability is
not [S-4]. What is measured and unknown is None. A few keys show their reset value instead, each with the reason beside it: in
the reference's protocol their 0 is the word for "none".
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Final, NamedTuple

from evcc_server.plan_texts import wall_text
from evcc_server.settings import TABLE
from evcc_server.state.awaited import ends_at, to_second
from evcc_server.state.facts import NO_FACTS, Facts
from evcc_server.state.reasons_text import battery_text, reason_text
from evcc_server.state.shapes import age_of, counter, known, local, phases, rounded, total
from evcc_server.state.shown_settings import ShownSettings, shown_strategy
from evcc_server.state.values import UNSET_TIME, Counter, Names, Records, Slots, Structure, Value
from evcclib.commands import BatteryMode
from evcclib.model import Now, RemoteDemand
from evcclib.reasons import BatteryReason, Reason, ReasonCode
from evcclib.settings import Scope, VehicleSettings
from evcclib.timetable.plans import WeeklyPlan
from evcclib.units import ZERO, Instant, round_half_away, whole_seconds
from evcclib.view import BatteryView, LoadpointView, SiteView

Keys = Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What the documents show that no step computes. Times are shown in ``time_zone``, sentences in ``language``."""

    version: str
    time_zone: tzinfo
    currency: str = "EUR"
    language: str = "en"
    facts: Facts = NO_FACTS


class LimitReason(StrEnum):
    """Why a limit of the grid operator is in force."""

    GIVEN = "given"
    SILENT = "silent"  # its source is, so that what is configured for this holds


class LimitInForce(NamedTuple):
    """The grid operator's limit, whose it is, and when it ends by itself; None: when its source speaks again."""

    power_w: float
    source: str
    reason: LimitReason
    expires_at: Instant | None


@dataclass(frozen=True, slots=True)
class Document:
    """One consistent snapshot [S-7]: the site's keys, those of each loadpoint in configuration order [S-2], and those of each
    vehicle by its configured name."""

    site: Keys
    loadpoints: tuple[Keys, ...]
    vehicles: Mapping[str, Keys] = field(default_factory=dict)


SETTING_KEYS = frozenset(key for row in TABLE if not row.is_repeated for key in row.document_keys) | frozenset(
    {
        "siteTitle", "version", "auth", "gridConfigured", "pvConfigured", "batteryConfigured", "currency", "vehicles",
        "savingsSince", "title", "remoteDisabled", "remoteDisabledSource", "chargerFeatureIntegratedDevice",
        "chargerIcon", "vehiclePresent", "vehicleIcon", "vehicleCapacity", "vehicleIdentity", "vehicleDetectionActive",
        "vehicleFeatureOffline", "tariffGrid", "tariffFeedIn", "tariffCo2", "effectivePlanId", "effectivePlanSoc",
        "effectivePlanTime", "effectivePlanStrategy", "plan", "planEnergy", "planTime", "planProjectedEnd",
    }
)  # fmt: skip
"""Keys that are published when they change; all others are measurements, published in every control cycle [M-12]; so is
``mode``, which people also publish to by mistake [M-4]."""


PASSING_KEYS: Final = frozenset(
    {
        "gridPower", "gridAge", "gridPowers", "gridCurrents", "gridEnergy", "gridReturnEnergy", "pv", "pvEnergy",
        "batteryPower", "batterySoc", "batteryCapacity", "battery", "batteryEnergy", "batteryReturnEnergy",
        "batteryMode", "batteryReason",
        "tariffGrid", "tariffFeedIn", "tariffCo2", "tariffEffectivePrice", "tariffEffectiveCo2",
        "operatorLimit", "operatorLimitSource", "operatorLimitReason", "operatorLimitUntil",
        "chargeCurrents", "chargeVoltages", "chargeTotalImport", "climaterActive", "planOverrun",
        "sessionSolarPercentage", "sessionPrice", "remoteDisabled", "remoteDisabledSource",
        "vehiclePresent", "vehicleName", "vehicleTitle", "vehicleIcon", "vehicleCapacity", "vehicleSoc", "vehicleRange",
        "vehicleTargetSoc", "vehicleOdometer", "vehicleFeatureOffline", "vehicleIdentity",
    }
)  # fmt: skip
"""Keys that not every document has: of what a home can do, what devices tell, what an event has to do first."""


def document(view: SiteView, labels: Labels, now: Now, limit: LimitInForce | None = None) -> Document:
    """The documents of ``view``, which was taken at ``now``; ``limit``: the grid operator's, if there is one."""
    shown_of = _vehicle if view.vehicles else _nobodys
    loadpoints = [
        {**_loadpoint(loadpoint, labels, now, place), **shown_of(loadpoint)}
        for place, loadpoint in enumerate(view.loadpoints)
    ]
    site = {**_site(view, labels), **commanded(view.batteries, labels, now)}
    if limit is not None:
        site |= operator_limit(limit, labels, now)
    return Document(site, tuple(loadpoints), OF_VEHICLES.shown(view, labels))


_NO_ACCOUNTS = Structure({"vehicles": Structure({})})


@functools.cache
def _names(words: tuple[str, ...]) -> Names:
    return Names(words)


class _Vehicles:
    """What owners have set for each vehicle; the very settings of the step before are not worked out again."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[VehicleSettings, str, Labels, Keys]] = {}

    def shown(self, view: SiteView, labels: Labels) -> Mapping[str, Keys]:
        found: dict[str, Keys] = {}
        for (name, settings), title in zip(view.vehicle_settings.items(), view.vehicles, strict=False):
            last = self._last.get(name)
            if last is None or last[0] is not settings or last[1:3] != (title, labels):
                last = self._last[name] = settings, title, labels, _vehicle_keys(settings, title, labels)
            found[name] = last[3]
        return found


def _vehicle_keys(settings: VehicleSettings, title: str, labels: Labels) -> Keys:
    plan = settings.plan
    shown = None if plan is None else Structure({"soc": plan.soc_pct, "time": local(plan.time, labels.time_zone)})
    return {
        "title": title,
        "minSoc": settings.soc_min_pct,
        "limitSoc": settings.soc_target_pct,
        "plan": shown,
        "repeatingPlans": Records(tuple([_weekly(each) for each in settings.weekly_plans])),
        "planStrategy": shown_strategy(settings.plan_strategy),
    }


def _weekly(plan: WeeklyPlan) -> Mapping[str, Value]:
    return {
        "weekdays": Names(plan.weekdays),
        "time": wall_text(plan.time),
        "tz": plan.zone,
        "soc": plan.soc_pct,
        "active": plan.is_active,
    }


_OF_SITE, _OF_LOADPOINT, OF_VEHICLES = ShownSettings(Scope.SITE), ShownSettings(Scope.LOADPOINT), _Vehicles()


def _site(view: SiteView, labels: Labels) -> Keys:
    keys: dict[str, Value] = {
        "siteTitle": view.title,
        "version": labels.version,
        "auth": _NO_ACCOUNTS,
        "gridConfigured": view.has_grid,
        "pvConfigured": view.has_pv,
        "batteryConfigured": view.has_battery,
        "currency": labels.currency,
        "vehicles": _names(view.vehicles),
        **_OF_SITE.shown(view.settings, labels.time_zone),
        "pvPower": view.pv_power_w,
        "auxPower": view.aux_power_w,
        "homePower": view.home_power_w,
        "greenShare": view.green_share,
        "savingsSince": local(view.savings.since, labels.time_zone),
        "savingsTotalCharged": Counter(view.savings.total_charged_kwh),
        "savingsGridCharged": Counter(view.savings.grid_charged_kwh),
        "savingsSelfConsumptionCharged": Counter(view.savings.self_consumption_charged_kwh),
        "savingsSelfConsumptionPercent": view.savings.self_consumption_pct,
        "savingsEffectivePrice": view.savings.effective_price,
        "savingsAmount": view.savings.amount,
    }
    if view.has_grid:
        keys["gridPower"] = view.grid_power_w
        keys["gridAge"] = age_of(view.grid_age)
    if view.has_pv:
        keys["pv"] = Records(tuple(map(_inverter, view.pv_powers_w, view.pv_energies_kwh)))
    if view.has_battery:
        keys["batteryPower"] = view.battery_power_w
        keys["batterySoc"] = rounded(view.battery_soc_pct)
        keys["batteryCapacity"] = rounded(view.battery_capacity_kwh)
        keys["battery"] = Records(tuple(_battery(battery) for battery in view.batteries))
    keys |= known(
        {
            "gridPowers": phases(view.grid_powers_w),
            "gridCurrents": phases(view.grid_currents_a),
            "gridEnergy": counter(view.grid_energy_kwh),
            "gridReturnEnergy": counter(view.grid_energy_export_kwh),
            "pvEnergy": total(view.pv_energies_kwh),
            "batteryEnergy": total([battery.energy_discharged_kwh for battery in view.batteries]),
            "batteryReturnEnergy": total([battery.energy_charged_kwh for battery in view.batteries]),
            "tariffGrid": view.tariff_grid,
            "tariffFeedIn": view.tariff_feed_in,
            "tariffCo2": view.tariff_co2,
            "tariffEffectivePrice": view.tariff_effective_price,
            "tariffEffectiveCo2": view.tariff_effective_co2,
        }
    )
    return keys


def operator_limit(limit: LimitInForce, labels: Labels, now: Now) -> Keys:
    """The grid operator's limit, as every generation shows it."""
    until = None if limit.expires_at is None else now.utc + (limit.expires_at - now.instant)
    return {
        "operatorLimit": limit.power_w,
        "operatorLimitSource": limit.source,
        "operatorLimitReason": limit.reason.value,
        "operatorLimitUntil": UNSET_TIME if until is None else to_second(until).astimezone(labels.time_zone),
    }


def commanded(batteries: Sequence[BatteryView], labels: Labels, now: Now) -> Keys:
    """What the batteries that can be told what to do have been told: of several that differ, the first that is not free."""
    told = [battery for battery in batteries if battery.modes]
    if not told:
        return {}
    shown = next((battery for battery in told if battery.mode is not BatteryMode.NORMAL), told[0])
    mode = "unknown" if shown.mode is None else shown.mode.value
    return {"batteryMode": mode, "batteryReason": _battery_reason(shown.mode_reason, labels, now)}


def _battery_reason(reason: BatteryReason, labels: Labels, now: Now) -> Structure:
    ends = ends_at(reason, now)
    until = None if ends is None else ends.astimezone(labels.time_zone)
    return Structure(
        {
            "code": reason.code.value,
            "text": battery_text(reason.code, labels.language, until),
            "params": Structure(dict(reason.params)),
            "until": UNSET_TIME if until is None else until,
        },
        main="code",
    )


def _loadpoint(view: LoadpointView, labels: Labels, now: Now, place: int) -> Keys:
    configured = view.settings.phases_configured
    keys: dict[str, Value] = {
        "title": view.title,
        **_OF_LOADPOINT.shown(view.settings, labels.time_zone, place),
        "enabled": view.is_enabled,
        "connected": view.is_connected,
        "charging": view.is_charging,
        "chargePower": view.charge_power_w,
        "chargeCurrent": view.current_offered_a,
        "chargedEnergy": Counter(view.energy_charged_kwh * 1000.0),
        "chargeDuration": whole_seconds(view.charge_duration),
        # 0: nothing to tell; clients of 2023 divide the one by 10^9 and hide both at 0
        "chargeRemainingDuration": whole_seconds(view.remaining_duration or ZERO),
        "chargeRemainingEnergy": (view.remaining_energy_kwh or 0.0) * 1000.0,
        "connectedDuration": whole_seconds(view.connected_duration or ZERO),
        "phasesConfigured": configured if view.can_switch_phases else None,
        "phases": configured if view.can_switch_phases else view.phases_enabled,
        "phasesEnabled": view.phases_enabled,
        "phasesActive": view.phases_active,
        "phaseAction": view.phase_action.value,
        "phaseRemaining": whole_seconds(view.phase_remaining),
        "pvAction": view.pv_action.value,
        "pvRemaining": whole_seconds(view.pv_remaining),
        "planActive": view.plan_is_active,
        "planProjectedStart": local(view.plan_projected_start, labels.time_zone),
        **planned(view, labels),
        "chargerFeatureIntegratedDevice": view.charger_is_integrated,
        "chargerIcon": view.charger_icon or None,
        "chargerAge": age_of(view.charger_age),
        "commandPending": bool(view.commands_pending),
        "vehicleDetectionActive": view.vehicle_detection_is_active,
        "reason": shown_reason(view.reason, labels, now),
    }
    if view.remote_source or view.remote_demand is not RemoteDemand.ENABLE:
        # null, once it is over: to clients of 2023 an empty text is a demand
        keys["remoteDisabled"] = view.remote_demand.value or None
        keys["remoteDisabledSource"] = view.remote_source
    keys |= known(
        {
            "chargeCurrents": phases(view.currents_a),
            "chargeVoltages": None if view.can_switch_phases else phases(view.voltages_v),
            "chargeTotalImport": counter(view.energy_total_kwh),
            "vehicleIdentity": view.vehicle_identity,
            "climaterActive": view.is_climating,
            "planOverrun": None if view.plan_overrun is None else whole_seconds(view.plan_overrun),
            "sessionSolarPercentage": view.session_solar_pct,
            "sessionPrice": view.session_price,
        }
    )
    return keys


def planned(view: LoadpointView, labels: Labels) -> Keys:
    """What is due here, and when that is charged. Clients of 2023 see the time of a vehicle's plan as target time."""
    plan = view.plan
    keys: dict[str, Value] = {
        "effectivePlanId": plan.number,
        "effectivePlanSoc": 0 if plan.soc_pct is None else round_half_away(plan.soc_pct),
        "effectivePlanTime": local(plan.time, labels.time_zone),
        "effectivePlanStrategy": shown_strategy(plan.strategy),
        "plan": Slots(plan.slots, labels.time_zone),
        "planEnergy": plan.energy_kwh,
        "planTime": local(plan.energy_time, labels.time_zone),
        "planProjectedEnd": local(plan.projected_end, labels.time_zone),
    }
    if view.settings.target_time is None:
        keys["targetTime"] = local(plan.time, labels.time_zone)
    return keys


def _vehicle(view: LoadpointView) -> Keys:
    return {
        "vehiclePresent": view.vehicle is not None,
        "vehicleName": view.vehicle or "",
        "vehicleTitle": view.vehicle_title,
        "vehicleIcon": view.vehicle_icon,
        "vehicleCapacity": view.vehicle_capacity_kwh,
        # 0: unknown, so that clients of 2023 show the vehicle without it
        "vehicleSoc": view.vehicle_soc_pct or 0.0,
        "vehicleRange": round_half_away(view.vehicle_range_km or 0.0),
        "vehicleTargetSoc": view.vehicle_soc_limit_pct or 0.0,
        "vehicleOdometer": Counter(view.vehicle_odometer_km or 0.0),
        "vehicleFeatureOffline": view.vehicle_is_offline,
    }


def _nobodys(view: LoadpointView) -> Keys:
    """Of a home that names no vehicles: only what the station itself knows of a guest."""
    return known({"vehicleSoc": view.vehicle_soc_pct})


def shown_reason(reason: Reason, labels: Labels, now: Now) -> Structure:
    """Why a loadpoint does what it does, as every generation shows it."""
    if not reason.params and reason.limit is None and reason.until is None and reason.until_utc is None:
        return _plain_reason(reason.code, labels.language)
    until = ends_at(reason, now)
    return _reason_until(reason, labels.language, None if until is None else until.astimezone(labels.time_zone))


@functools.cache
def _plain_reason(code: ReasonCode, language: str) -> Structure:
    return _reason_until(Reason(code), language, None)


def _reason_until(reason: Reason, language: str, until: datetime | None) -> Structure:
    return Structure(
        {
            "code": reason.code.value,
            "text": reason_text(reason, language, until),
            "params": Structure(dict(reason.params)),
            "until": UNSET_TIME if until is None else until,
            "limit": reason.limit,
        },
        main="code",
    )


def _inverter(power_w: float | None, energy_kwh: float | None) -> dict[str, float | Counter | None]:
    return {"power": power_w} | _counted(energy=energy_kwh)


def _battery(battery: BatteryView) -> dict[str, float | Counter | None]:
    # a capacity of 0 is the protocol's word for one that is not configured
    shown = {"power": battery.power_w, "soc": battery.soc_pct, "capacity": battery.capacity_kwh or 0.0}
    return shown | _counted(energy=battery.energy_discharged_kwh, returnEnergy=battery.energy_charged_kwh)


def _counted(**counts: float | None) -> dict[str, float | Counter | None]:
    """Those that the device counts."""
    return {name: Counter(count) for name, count in counts.items() if count is not None}
