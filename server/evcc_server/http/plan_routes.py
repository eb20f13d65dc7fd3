"""Routes of plans: of a loadpoint's target, of vehicles, their strategies, and what they come to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from evcc_server.http.home import Home
from evcc_server.http.route import Answer, Call, Enveloped, Handler, Parameter, Route, Schema
from evcc_server.http.setting_routes import (
    GROUPS,
    LOADPOINT_ID,
    MISSING,
    NOTHING,
    PREFIXES,
    REFUSED,
    VEHICLE_NAME,
    goals_json,
    owner_of,
    result_example,
    result_schema,
    value_parameter,
    value_schema,
)
from evcc_server.http.state_routes import rate_example, rate_json, rate_schema
from evcc_server.http.state_schema import PLAN_ID, SLOTS, STRATEGY
from evcc_server.plan_texts import strategy_json, weekly_json
from evcc_server.settings import BY_NAME, Setting, energy_plan, parse, parse_time, request
from evcc_server.state.encode import Json, number, rest, rest_keys, time_text, whole
from evcc_server.state.values import UNSET_TIME, Slots
from evcclib.decision import PlanPreview
from evcclib.errors import InvalidSetting
from evcclib.requests import ChangeVehicleSetting
from evcclib.settings import Scope
from evcclib.timetable.plans import PlanStrategy, VehiclePlan, WeeklyPlan

_SLOT_PRICE: Schema = {"type": ["number", "null"], "description": "null where the price list has none"}
_PLAN: Schema = {
    "type": "object",
    "properties": {
        "duration": {"type": "integer", "description": "seconds needed at power"},
        "plan": {"type": ["array", "null"]},
        "unit": {"type": "string"},
        "power": {"type": "number", "description": "W"},
        "pieces": {
            "type": "array",
            "description": "with planner: optimal only, like what follows: with which power when",
            "items": {
                "type": "object",
                "properties": {
                    "start": {"type": "string", "format": "date-time"},
                    "end": {"type": "string", "format": "date-time"},
                    "power": {"type": "number", "description": "W"},
                },
                "required": ["start", "end", "power"],
            },
        },
        "cost": {
            "type": ["number", "null"],
            "description": "of the planned energy; null where not all prices are known",
        },
        "shortfall": {
            "type": ["object", "null"],
            "description": "why the goal cannot be reached in time, and what would do; null: it can",
            "properties": {
                "short": {"type": "number", "description": "kWh that will be missing"},
                "later": {"type": "integer", "description": "seconds later it could be reached"},
                "withheld": {"type": "number", "description": "kWh that limits withhold"},
            },
            "required": ["short", "later", "withheld"],
        },
    },
    "required": ["duration", "plan", "unit", "power"],
}
_SHOWN: Schema = {
    "planTime": {"type": ["string", "null"], "format": "date-time"},
    "duration": {"type": "integer", "description": "seconds needed at power"},
    "plan": SLOTS,
    "power": {"type": "number", "description": "W"},
}
_PREVIEW: Schema = {"type": "object", "properties": _SHOWN, "required": [*_SHOWN]}
_IN_FORCE: Schema = {
    "type": "object",
    "properties": {"planId": PLAN_ID, **_SHOWN},
    "required": ["planId", *_SHOWN],
}
_SLOT_EXAMPLE: Json = {"start": "2023-03-07T02:00:00+01:00", "end": "2023-03-07T04:00:00+01:00", "value": 0.21}
_IN_FORCE_EXAMPLE: dict[str, Json] = {
    "planTime": "2023-03-07T07:00:00+01:00",
    "duration": 7200,
    "plan": [_SLOT_EXAMPLE],
    "power": 11040,
}
_STRATEGY_EXAMPLE: Json = {"continuous": True, "precondition": 1800}
_WEEKLY_EXAMPLE: Json = {
    "weekdays": [1, 2, 3, 4, 5],
    "time": "07:00",
    "tz": "Europe/Berlin",
    "soc": 30,
    "active": True,
}
_WEEKLY_PLAN: Schema = {
    "type": "object",
    "properties": {
        "weekdays": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 6},
            "uniqueItems": True,
            "description": "0: Sunday",
        },
        "time": {"type": "string", "description": "HH:MM"},
        "tz": {"type": "string", "description": "IANA name; without it the home's"},
        "soc": {"type": "integer", "minimum": 1, "maximum": 100, "description": "%"},
        "active": {"type": "boolean"},
    },
    "required": ["weekdays", "time", "soc"],
}
_STRATEGY_BODY: Schema = {
    "type": "object",
    "properties": {
        "continuous": {"type": "boolean"},
        "precondition": {"type": "number", "minimum": 0, "maximum": 86_400, "description": "s"},
    },
}
VEHICLE: Schema = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "minSoc": {"type": ["integer", "null"]},
        "limitSoc": {"type": ["integer", "null"]},
        "plan": {
            "type": ["object", "null"],
            "properties": {"soc": {"type": "integer"}, "time": {"type": "string", "format": "date-time"}},
            "required": ["soc", "time"],
        },
        "repeatingPlans": {"type": "array", "items": _WEEKLY_PLAN},
        "planStrategy": STRATEGY,
    },
    "required": ["title", "minSoc", "limitSoc", "plan", "repeatingPlans", "planStrategy"],
}
_ENERGY = BY_NAME[Scope.LOADPOINT, "energy_target_kwh"]
_TARGET_TIME = BY_NAME[Scope.LOADPOINT, "target_time"]
_TIME = Parameter(name="time", summary="RFC 3339", schema=value_schema(_TARGET_TIME), example=_TARGET_TIME.example)
_SOC = Parameter(
    name="soc",
    summary="Allowed: 1..100 %; 0 takes the plan away",
    schema={"type": "integer", "minimum": 0, "maximum": 100},
    example="80",
)


def _plan_schema(word: str) -> Schema:
    plan: Schema = {"type": ["array", "null"], "items": rate_schema(word, _SLOT_PRICE)}
    members = _PLAN["properties"]
    assert isinstance(members, dict)
    return _PLAN | {"properties": {**members, "plan": plan}}


def plan_routes(home: Home) -> Iterator[Route]:
    """The routes of this module."""
    yield from _target(home)
    yield from _in_force(home)
    yield from _previews(home)
    yield from _energy(home)
    yield from _soc(home)
    yield from _strategies(home)
    yield from _weekly(home)
    yield from _vehicle(home)


def _target(home: Home) -> Iterator[Route]:
    async def plan(call: Call) -> Answer:
        loadpoint = home.loadpoint(call.path)
        text = call.query.get("targetTime", "")
        target_time = parse_time("targetTime", text, home.site.time_zone) if text else None
        preview = home.gateway.plan(loadpoint, target_time=target_time)
        slots: Json = None if preview.slots is None else [rate_json(home, slot) for slot in preview.slots]
        answer: dict[str, Json] = {
            "duration": whole(preview.duration),
            "plan": slots,
            "unit": preview.unit,
            "power": number(preview.power_w),
        }
        return Enveloped(answer | _of_power(home, preview))

    yield Route(
        method="GET",
        path="/api/loadpoints/{id}/target/plan",
        group="loadpoint",
        summary="Charging plan for the target time, or for another one; nothing is stored",
        handler=plan,
        parameters=(LOADPOINT_ID,),
        query=(
            Parameter(
                name="targetTime",
                summary="RFC 3339; without it, or empty: the loadpoint's own target time",
                schema={"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "maxLength": 0}]},
                example="2035-03-07T06:00:00Z",
            ),
        ),
        result=_plan_schema(home.words.price),
        result_example={"duration": 13583, "plan": [rate_example(home.words.price)], "unit": "EUR", "power": 3680},
        errors={400: "not a time", 404: "no such loadpoint"},
    )


def _of_power(home: Home, preview: PlanPreview) -> dict[str, Json]:
    """What a plan of power says more; nothing of another one, nor where nothing is planned."""
    lacks, zone = preview.shortfall, home.site.time_zone
    if not preview.pieces and lacks is None:
        return {}
    return {
        "pieces": [
            {
                "start": time_text(start.astimezone(zone)),
                "end": time_text(end.astimezone(zone)),
                "power": number(power_w),
            }
            for start, end, power_w in preview.pieces
        ],
        "cost": None if preview.cost is None else number(preview.cost),
        "shortfall": None
        if lacks is None
        else {
            "short": number(lacks.short_kwh),
            "later": whole(lacks.later),
            "withheld": number(lacks.lifted_kwh),
        },
    }


def _in_force(home: Home) -> Iterator[Route]:
    async def plan(call: Call) -> Answer:
        preview = home.gateway.plan(home.loadpoint(call.path))
        return Enveloped({"planId": preview.number, **_shown(home, preview)})

    yield Route(
        method="GET",
        path="/api/loadpoints/{id}/plan",
        group="loadpoint",
        summary="What is due, and the plan for it",
        handler=plan,
        parameters=(LOADPOINT_ID,),
        result=_IN_FORCE,
        result_example={"planId": 1, **_IN_FORCE_EXAMPLE},
        errors=MISSING[Scope.LOADPOINT],
    )


def _shown(home: Home, preview: PlanPreview) -> dict[str, Json]:
    zone, by = home.site.time_zone, preview.target_time
    return {
        "planTime": rest(
            UNSET_TIME if by is None or not preview.number else by.astimezone(zone), home.words.nested_times
        ),
        "duration": whole(preview.duration),
        "plan": rest(Slots(preview.slots or (), zone), home.options.compat),
        "power": number(preview.power_w),
    }


def _previews(home: Home) -> Iterator[Route]:
    async def soc(call: Call) -> Answer:
        by = _when(home, call)
        amount = parse(BY_NAME[Scope.LOADPOINT, "soc_target_pct"], call.path["soc"], home.context)
        assert isinstance(amount, int)
        return Enveloped(_shown(home, home.gateway.plan(home.loadpoint(call.path), target_time=by, soc_pct=amount)))

    async def energy(call: Call) -> Answer:
        by = _when(home, call)
        amount = parse(_ENERGY, call.path["value"], home.context)
        assert isinstance(amount, float)
        return Enveloped(_shown(home, home.gateway.plan(home.loadpoint(call.path), target_time=by, energy_kwh=amount)))

    guests = replace(LOADPOINT_ID, example="2")
    for name, loadpoint, parameter, handler, words in (
        ("soc", LOADPOINT_ID, _SOC, soc, "for a vehicle whose SoC and capacity are known"),
        ("energy", guests, value_parameter(_ENERGY), energy, "where no SoC is known"),
    ):
        yield Route(
            method="GET",
            path=f"/api/loadpoints/{{id}}/plan/static/preview/{name}/{{{parameter.name}}}/{{time}}",
            group="loadpoint",
            summary=f"The plan that there would be for a goal, {words}; nothing is stored",
            handler=handler,
            parameters=(loadpoint, parameter, _TIME),
            result=_PREVIEW,
            result_example=_IN_FORCE_EXAMPLE,
            errors=REFUSED | MISSING[Scope.LOADPOINT],
        )


def _when(home: Home, call: Call) -> datetime:
    text = call.path["time"]
    by = parse_time("time", text, home.site.time_zone)
    if by is None:
        raise InvalidSetting("time", text, "an RFC 3339 time", "invalid time")
    return by


def _energy(home: Home) -> Iterator[Route]:
    async def set_plan(call: Call) -> Answer:
        loadpoint = home.loadpoint(call.path)
        amount = parse(_ENERGY, call.path["value"], home.context)
        assert isinstance(amount, float)
        by = parse_time("time", call.path["time"], home.site.time_zone)
        await home.gateway.submit(*energy_plan(loadpoint, amount, by))
        return Enveloped(goals_json(home, loadpoint))

    async def clear_plan(call: Call) -> Answer:
        await home.gateway.submit(request(_TARGET_TIME, home.loadpoint(call.path), None))
        return Enveloped({})

    yield from _pair(
        "/api/loadpoints/{id}/plan/energy", Scope.LOADPOINT, value_parameter(_ENERGY), set_plan, clear_plan
    )


def _soc(home: Home) -> Iterator[Route]:
    async def set_plan(call: Call) -> Answer:
        vehicle = home.vehicle(call.path)
        amount = parse(BY_NAME[Scope.LOADPOINT, "soc_target_pct"], call.path["soc"], home.context)
        assert isinstance(amount, int)
        by = parse_time("time", call.path["time"], home.site.time_zone)
        plan = None if by is None or not amount else VehiclePlan(amount, by)
        await home.gateway.submit(ChangeVehicleSetting(vehicle, "plan", plan))
        shown = UNSET_TIME if by is None else by
        return Enveloped({"soc": amount, "energy": 0, "time": rest(shown, home.options.compat)})

    async def clear_plan(call: Call) -> Answer:
        await home.gateway.submit(ChangeVehicleSetting(home.vehicle(call.path), "plan", None))
        return Enveloped({})

    yield from _pair("/api/vehicles/{name}/plan/soc", Scope.VEHICLE, _SOC, set_plan, clear_plan)


def _pair(path: str, scope: Scope, amount: Parameter, set_plan: Handler, clear_plan: Handler) -> Iterator[Route]:
    """A goal with its time, and its end."""
    owner = VEHICLE_NAME if scope is Scope.VEHICLE else LOADPOINT_ID
    yield Route(
        method="POST",
        path=f"{path}/{{{amount.name}}}/{{time}}",
        group=GROUPS[scope],
        summary="Goal and the time by which it is to be reached",
        handler=set_plan,
        parameters=(owner, amount, _TIME),
        result=result_schema(_TARGET_TIME),
        result_example=result_example(_TARGET_TIME),
        errors=REFUSED | MISSING[scope],
    )
    yield Route(
        method="DELETE",
        path=path,
        group=GROUPS[scope],
        summary="No time for the goal",
        handler=clear_plan,
        parameters=(owner,),
        result=NOTHING,
        result_example={},
        errors=REFUSED | MISSING[scope],
    )


def _strategies(home: Home) -> Iterator[Route]:
    for scope in (Scope.LOADPOINT, Scope.VEHICLE):
        setting = BY_NAME[scope, "plan_strategy"]
        yield Route(
            method="POST",
            path=f"{PREFIXES[scope]}/plan/strategy",
            group=GROUPS[scope],
            summary=setting.summary,
            handler=_from_body(home, setting),
            parameters=(VEHICLE_NAME if scope is Scope.VEHICLE else LOADPOINT_ID,),
            body=_STRATEGY_BODY,
            body_example=_STRATEGY_EXAMPLE,
            result=STRATEGY,
            result_example=_STRATEGY_EXAMPLE,
            errors=REFUSED | MISSING[scope],
        )


def _weekly(home: Home) -> Iterator[Route]:
    setting = BY_NAME[Scope.VEHICLE, "weekly_plans"]
    yield Route(
        method="POST",
        path="/api/vehicles/{name}/plan/repeating",
        group="vehicle",
        summary=f"{setting.summary}; the list replaces all",
        handler=_from_body(home, setting),
        parameters=(VEHICLE_NAME,),
        body={"type": "array", "items": _WEEKLY_PLAN},
        body_example=[_WEEKLY_EXAMPLE],
        result={"type": "array", "items": _WEEKLY_PLAN},
        result_example=[_WEEKLY_EXAMPLE],
        errors=REFUSED | MISSING[Scope.VEHICLE],
    )


def _from_body(home: Home, setting: Setting) -> Handler:
    """Sets what the body says, and answers with what that has been taken for."""

    async def handle(call: Call) -> Answer:
        owner = owner_of(home, setting.scope, call)
        value = parse(setting, await call.text(), home.context)
        await home.gateway.submit(request(setting, owner, value))
        if isinstance(value, PlanStrategy):
            answer: Json = strategy_json(value)
        else:
            assert isinstance(value, tuple)
            answer = [weekly_json(each) for each in value if isinstance(each, WeeklyPlan)]
        return Enveloped(answer)

    return handle


def _vehicle(home: Home) -> Iterator[Route]:
    async def vehicle(call: Call) -> Answer:
        return Enveloped(rest_keys(home.hub.snapshot.vehicles[home.vehicle(call.path)], home.options.compat))

    yield Route(
        method="GET",
        path="/api/vehicles/{name}",
        group="vehicle",
        summary="What has been set for a vehicle, wherever it is",
        handler=vehicle,
        parameters=(VEHICLE_NAME,),
        result=VEHICLE,
        result_example={
            "title": "blauer e-Golf",
            "minSoc": None,
            "limitSoc": 80,
            "plan": {"soc": 80, "time": "2035-03-07T07:00:00+01:00"},
            "repeatingPlans": [_WEEKLY_EXAMPLE],
            "planStrategy": _STRATEGY_EXAMPLE,
        },
        errors=MISSING[Scope.VEHICLE],
    )
