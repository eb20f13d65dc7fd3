"""The JSON Schema of the state document and an example of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from evcc_server.http.route import Schema
from evcc_server.settings import TABLE
from evcc_server.state.encode import Compat, Json
from evcclib.commands import BatteryMode
from evcclib.model import ChargeMode
from evcclib.settings import Kind, Scope

_NUMBER: Schema = {"type": ["number", "null"]}
_AMOUNT: Schema = {"type": "number"}
_ENERGY: Schema = {"type": "number", "description": "kWh"}
_WHOLE: Schema = {"type": "integer"}
_FLAG: Schema = {"type": "boolean"}
_TEXT: Schema = {"type": "string"}
_TIME: Schema = {"type": ["string", "null"], "format": "date-time"}
_DURATION: Schema = {"type": ["integer", "null"], "description": "nanoseconds; seconds with compat 0.127"}
_TRIPLE: Schema = {"type": "array", "items": _NUMBER, "minItems": 3, "maxItems": 3}

STRATEGY: Schema = {
    "type": "object",
    "properties": {
        "continuous": {"type": "boolean", "description": "in one block"},
        "precondition": {"type": "integer", "description": "seconds right before the departure, whatever they cost"},
    },
    "required": ["continuous", "precondition"],
}
SLOTS: Schema = {
    "type": ["array", "null"],
    "items": {
        "type": "object",
        "properties": {
            "start": {"type": "string", "format": "date-time"},
            "end": {"type": "string", "format": "date-time"},
            "value": {"type": ["number", "null"], "description": "price; null where the list has none"},
        },
        "required": ["start", "end", "value"],
    },
}
PLAN_ID: Schema = {"type": "integer", "description": "0: nothing is due, 1: what comes once, 2 and more: weekly plans"}

_OF_KIND: dict[Kind, Schema] = {
    Kind.MODE: {"type": "string", "enum": [mode.value for mode in ChargeMode]},
    Kind.INTEGER: _WHOLE,
    Kind.NUMBER: _AMOUNT,
    Kind.OPTIONAL_NUMBER: _NUMBER,
    Kind.PHASES: {"type": ["integer", "null"]},
    Kind.TIME: _TIME,
    Kind.DURATION: _DURATION,
    Kind.FLAG: _FLAG,
    Kind.STRATEGY: STRATEGY,
}


def _settings(scope: Scope) -> dict[str, Schema]:
    return {row.key: _OF_KIND[row.spec.kind] for row in TABLE if row.scope is scope and row.spec is not None}


_REASON: Schema = {
    "type": "object",
    "description": "why the loadpoint does what it does",
    "properties": {
        "code": _TEXT,
        "text": _TEXT,
        "params": {"type": "object"},
        "until": _TIME,
        "limit": {"type": ["string", "null"]},
    },
    "required": ["code", "text", "params", "until", "limit"],
}
_BATTERY_REASON: Schema = {
    "type": "object",
    "description": "why the home battery is in its mode",
    "properties": {"code": _TEXT, "text": _TEXT, "params": {"type": "object"}, "until": _TIME},
    "required": ["code", "text", "params", "until"],
}
_SITE: dict[str, Schema] = {
    "siteTitle": _TEXT,
    "version": _TEXT,
    "auth": {"type": "object"},
    "gridConfigured": _FLAG,
    "pvConfigured": _FLAG,
    "batteryConfigured": _FLAG,
    "currency": _TEXT,
    "vehicles": {"type": "array", "items": _TEXT},
    **_settings(Scope.SITE),
    "pvPower": _NUMBER,
    "auxPower": _NUMBER,
    "homePower": _NUMBER,
    "greenShare": _NUMBER,
    "savingsSince": _TIME,
    "savingsTotalCharged": _NUMBER,
    "savingsGridCharged": _NUMBER,
    "savingsSelfConsumptionCharged": _NUMBER,
    "savingsSelfConsumptionPercent": _NUMBER,
    "savingsEffectivePrice": _NUMBER,
    "savingsAmount": _NUMBER,
}
_SITE_OPTIONAL: dict[str, Schema] = {
    "gridPower": _NUMBER,
    "gridAge": _DURATION,
    "gridPowers": _TRIPLE,
    "gridCurrents": _TRIPLE,
    "gridEnergy": _ENERGY,
    "gridReturnEnergy": _ENERGY,
    "pvEnergy": _ENERGY,
    "pv": {"type": "array", "items": {"type": "object", "properties": {"power": _NUMBER, "energy": _ENERGY}}},
    "batteryEnergy": _ENERGY,
    "batteryReturnEnergy": _ENERGY,
    "batteryPower": _NUMBER,
    "batterySoc": _NUMBER,
    "batteryCapacity": _NUMBER,
    "batteryMode": {"type": "string", "enum": ["unknown", *[mode.value for mode in BatteryMode]]},
    "batteryReason": _BATTERY_REASON,
    "battery": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "power": _NUMBER,
                "soc": _NUMBER,
                "capacity": _NUMBER,
                "energy": _ENERGY,
                "returnEnergy": _ENERGY,
            },
        },
    },
    "tariffGrid": _NUMBER,
    "tariffFeedIn": _NUMBER,
    "tariffCo2": _NUMBER,
    "tariffEffectivePrice": _NUMBER,
    "tariffEffectiveCo2": _NUMBER,
    "operatorLimit": {
        "type": "number",
        "description": "W, for all loadpoints together; with its kin only while one is in force",
    },
    "operatorLimitSource": {"type": "string", "description": "rest, mqtt, or the name of a configured source"},
    "operatorLimitReason": {"type": "string", "enum": ["given", "silent"]},
    "operatorLimitUntil": _TIME,
}
_LOADPOINT: dict[str, Schema] = {
    "title": _TEXT,
    **_settings(Scope.LOADPOINT),
    "enabled": _FLAG,
    "connected": _FLAG,
    "charging": _FLAG,
    "chargePower": _NUMBER,
    "chargeCurrent": _NUMBER,
    "chargedEnergy": {"type": ["number", "null"], "description": "Wh"},
    "chargeDuration": _DURATION,
    "chargeRemainingDuration": _DURATION,
    "chargeRemainingEnergy": {"type": ["number", "null"], "description": "Wh"},
    "connectedDuration": _DURATION,
    "phases": _WHOLE,
    "phasesEnabled": _WHOLE,
    "phasesActive": _WHOLE,
    "phaseAction": _TEXT,
    "phaseRemaining": _DURATION,
    "pvAction": _TEXT,
    "pvRemaining": _DURATION,
    "planActive": _FLAG,
    "planProjectedStart": _TIME,
    "planProjectedEnd": _TIME,
    "effectivePlanId": PLAN_ID,
    "effectivePlanSoc": {"type": "integer", "description": "%; 0: the goal is an energy, or nothing is due"},
    "effectivePlanTime": _TIME,
    "effectivePlanStrategy": STRATEGY,
    "plan": SLOTS,
    "planEnergy": _ENERGY,
    "planTime": _TIME,
    "chargerFeatureIntegratedDevice": _FLAG,
    "chargerIcon": {"type": ["string", "null"]},
    "chargerAge": _DURATION,
    "commandPending": _FLAG,
    "vehicleDetectionActive": _FLAG,
    "reason": _REASON,
}
_LOADPOINT_OPTIONAL: dict[str, Schema] = {
    "chargeCurrents": _TRIPLE,
    "chargeVoltages": _TRIPLE,
    "chargeTotalImport": _NUMBER,
    "remoteDisabled": {"type": ["string", "null"], "description": "soft, hard; null: not any more"},
    "remoteDisabledSource": _TEXT,
    "vehiclePresent": _FLAG,
    "vehicleName": _TEXT,
    "vehicleTitle": _TEXT,
    "vehicleIcon": _TEXT,
    "vehicleCapacity": _NUMBER,
    "vehicleSoc": _NUMBER,
    "vehicleRange": _WHOLE,
    "vehicleTargetSoc": _NUMBER,
    "vehicleOdometer": _NUMBER,
    "vehicleFeatureOffline": _FLAG,
    "vehicleIdentity": _TEXT,
    "climaterActive": _FLAG,
    "planOverrun": _DURATION,
    "sessionSolarPercentage": _NUMBER,
    "sessionPrice": _NUMBER,
}


def _object(required: dict[str, Schema], optional: dict[str, Schema]) -> Schema:
    properties: Schema = {**required, **optional}
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def state_schema() -> Schema:
    """The value of ``result``: every key, none other."""
    loadpoints: Schema = {"type": "array", "items": _object(_LOADPOINT, _LOADPOINT_OPTIONAL)}
    return _object({**_SITE, "loadpoints": loadpoints}, _SITE_OPTIONAL)


EXAMPLE_STATE: Json = {
    "auth": {"vehicles": {}},
    "auxPower": 0,
    "batteryConfigured": False,
    "currency": "EUR",
    "greenShare": 1,
    "gridConfigured": True,
    "gridPower": -412.5,
    "homePower": 1297.1,
    "loadpoints": [],
    "pv": [{"power": 4120}],
    "pvConfigured": True,
    "pvPower": 4120,
    **{row.key: 0 for row in TABLE if row.scope is Scope.SITE},
    "batteryDischargeControl": False,
    "batteryGridChargeLimit": None,
    "savingsAmount": 0,
    "savingsEffectivePrice": 0.08,
    "savingsGridCharged": 0,
    "savingsSelfConsumptionCharged": 0,
    "savingsSelfConsumptionPercent": 0,
    "savingsSince": "2023-03-06T10:04:43+01:00",
    "savingsTotalCharged": 0,
    "siteTitle": "Home",
    "vehicles": [],
    "version": "0.114.1 (evcclib 0.1.0)",
}


class Described(NamedTuple):
    """What the state document is to one generation of clients."""

    schema: Schema
    example: Json


_OF_2023 = Described(state_schema(), EXAMPLE_STATE)
STATES: Mapping[Compat, Described] = {
    Compat.V0_114: _OF_2023,
    Compat.V0_127: _OF_2023,
    Compat.TODAY: Described(
        {
            "type": "object",
            "description": "the keys that docs/clients.md lists; what a home has not got is missing",
            "properties": {
                "version": _TEXT,
                "siteTitle": _TEXT,
                "apiReady": _FLAG,
                "grid": {"type": ["object", "null"]},
                "pv": {"type": "array", "items": {"type": "object"}},
                "battery": {"type": ["object", "null"]},
                "vehicles": {"type": "object", "additionalProperties": {"type": "object"}},
                "forecast": {"type": "object"},
                "statistics": {"type": "object"},
                "loadpoints": {"type": "array", "items": {"type": "object"}},
            },
            "required": ["version", "siteTitle", "apiReady", "grid", "pv", "battery", "vehicles", "loadpoints"],
        },
        {
            "version": "0.313.2 (evcclib 0.1.0)",
            "siteTitle": "Home",
            "apiReady": True,
            "grid": {"name": "grid", "power": -412.5},
            "pv": [],
            "battery": None,
            "vehicles": {"golf": {"title": "blauer e-Golf", "capacity": 44}},
            "loadpoints": [],
        },
    ),
}
