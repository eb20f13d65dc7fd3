"""The routes of the settings table, and those that today's clients use for several settings at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta

from evcc_server.http.home import Home
from evcc_server.http.route import Answer, Call, Enveloped, Handler, Parameter, Route, Schema
from evcc_server.settings import BY_NAME, FLAGS, TABLE, Owner, Parsed, Setting, parse, request
from evcc_server.state.encode import Json, rest, whole
from evcc_server.state.values import UNSET_TIME
from evcclib.model import ChargeMode
from evcclib.requests import DetectVehicle
from evcclib.settings import Kind, Scope
from evcclib.timetable.plans import PlanStrategy, VehiclePlan

LOADPOINT_ID = Parameter(
    name="id", summary="Loadpoint, counted from 1", schema={"type": "integer", "minimum": 1}, example="1"
)
VEHICLE_NAME = Parameter(
    name="name", summary="Vehicle, by its configured name", schema={"type": "string"}, example="golf"
)

PREFIXES = {Scope.SITE: "/api", Scope.LOADPOINT: "/api/loadpoints/{id}", Scope.VEHICLE: "/api/vehicles/{name}"}
GROUPS = {Scope.SITE: "site", Scope.LOADPOINT: "loadpoint", Scope.VEHICLE: "vehicle"}

NOTHING: Schema = {"type": "object", "maxProperties": 0}
REFUSED = {400: "the value is not accepted; nothing has changed"}
MISSING = {Scope.SITE: {}, Scope.LOADPOINT: {404: "no such loadpoint"}, Scope.VEHICLE: {404: "no such vehicle"}}


def setting_routes(home: Home) -> Iterator[Route]:
    """POST and DELETE for every setting and each of its paths."""
    for setting in TABLE:
        for path in setting.paths:
            yield Route(
                method="POST",
                path=f"{PREFIXES[setting.scope]}/{path}/{{value}}",
                group=GROUPS[setting.scope],
                summary=setting.summary,
                handler=_setter(home, setting),
                parameters=(*_owner_parameters(setting.scope), value_parameter(setting)),
                result=result_schema(setting),
                result_example=result_example(setting),
                errors=REFUSED | MISSING[setting.scope],
            )
        for path in setting.clear_paths:
            yield Route(
                method="DELETE",
                path=f"{PREFIXES[setting.scope]}/{path}",
                group=GROUPS[setting.scope],
                summary=f"{setting.summary}: none",
                handler=_clearer(home, setting),
                parameters=_owner_parameters(setting.scope),
                result=NOTHING,
                result_example={},
                errors=REFUSED | MISSING[setting.scope],
            )
    yield from _combined(home)


def value_parameter(setting: Setting) -> Parameter:
    """The last segment of a setter's path."""
    return Parameter(
        name="value", summary=f"Allowed: {setting.allowed}", schema=value_schema(setting), example=setting.example
    )


def value_schema(setting: Setting) -> Schema:
    """What the last segment may be. It is wider than what every home accepts: some limits depend on other values."""
    spec = setting.spec
    if spec is None:
        return {"type": "string"}
    match spec.kind:
        case Kind.MODE:
            return {"type": "string", "enum": [mode.value for mode in ChargeMode]}
        case Kind.PHASES:
            return {"type": "integer", "enum": [0, 1, 3]}
        case Kind.TIME:
            return {"type": "string", "format": "date-time"}
        case Kind.FLAG:
            return {"type": "boolean"}
        case _:
            kind = "integer" if spec.kind is Kind.INTEGER else "number"
            return {"type": kind, "minimum": spec.low, "maximum": spec.high}


def result_schema(setting: Setting) -> Schema:
    """What the answer's ``result`` is."""
    if setting.spec is None:
        return {"type": "object", "properties": {"vehicle": {"type": "string"}}, "required": ["vehicle"]}
    if setting.spec.kind is Kind.TIME:
        properties: Schema = {
            "soc": {"type": "integer"},
            "energy": {"type": "number"},
            "time": {"type": ["string", "null"], "format": "date-time"},
        }
        return {"type": "object", "properties": properties, "required": ["soc", "energy", "time"]}
    return value_schema(setting)


def result_example(setting: Setting) -> Json:
    """One of what `result_schema` describes."""
    if setting.spec is None:
        return {"vehicle": "blauer e-Golf"}
    match setting.spec.kind:
        case Kind.MODE:
            return setting.example
        case Kind.FLAG:
            return FLAGS[setting.example]
        case Kind.TIME:
            return {"soc": 80, "energy": 0, "time": setting.example}
        case _:
            return rest(float(setting.example))


def _owner_parameters(scope: Scope) -> tuple[Parameter, ...]:
    match scope:
        case Scope.SITE:
            return ()
        case Scope.LOADPOINT:
            return (LOADPOINT_ID,)
        case Scope.VEHICLE:
            return (VEHICLE_NAME,)


def owner_of(home: Home, scope: Scope, call: Call) -> Owner:
    """Whose setting a path is about."""
    match scope:
        case Scope.SITE:
            return None
        case Scope.LOADPOINT:
            return home.loadpoint(call.path)
        case Scope.VEHICLE:
            return home.vehicle(call.path)


def _setter(home: Home, setting: Setting) -> Handler:
    async def handle(call: Call) -> Answer:
        owner = owner_of(home, setting.scope, call)
        value = parse(setting, call.path["value"], home.context)
        await home.gateway.submit(request(setting, owner, value))
        if setting.spec is not None and setting.spec.kind is Kind.TIME:
            return Enveloped(goals_json(home, owner))
        result = result_value(home, value)
        return Enveloped(home.words.vehicle_goal(result) if setting.scope is Scope.VEHICLE else result)

    return handle


def _clearer(home: Home, setting: Setting) -> Handler:
    is_limit = setting.spec is not None and setting.spec.kind is Kind.OPTIONAL_NUMBER

    async def handle(call: Call) -> Answer:
        await home.gateway.submit(request(setting, owner_of(home, setting.scope, call), None))
        return Enveloped(home.words.no_limit() if is_limit else {})

    return handle


def goals_json(home: Home, owner: Owner) -> Json:
    """What a target time is answered with: all that is to be reached, and when."""
    assert isinstance(owner, int)
    goals = home.gateway.view().loadpoints[owner].settings
    time = goals.target_time
    return {
        "soc": goals.soc_target_pct,
        "energy": rest(goals.energy_target_kwh),
        "time": rest(UNSET_TIME if time is None else time.astimezone(UTC), home.options.compat),
    }


def result_value(home: Home, value: Parsed) -> Json:
    """The accepted value in the shape clients know."""
    match value:
        case ChargeMode():
            return value.value
        case str():
            return {"vehicle": home.titles()[value]}
        case timedelta():
            return whole(value)
        case VehiclePlan() | PlanStrategy() | tuple():
            raise TypeError(f"{value} has routes of its own")
        case _:
            return rest(value)


def _everywhere(home: Home, limit: Setting) -> Iterator[Route]:
    """Routes that set a price limit at every loadpoint, or none."""
    (path,), count = limit.clear_paths, range(len(home.site.loadpoints))

    async def set_all(call: Call) -> Answer:
        value = parse(limit, call.path["value"], home.context)
        await home.gateway.submit(*(request(limit, loadpoint, value) for loadpoint in count))
        return Enveloped(result_value(home, value))

    async def clear_all(_: Call) -> Answer:
        await home.gateway.submit(*(request(limit, loadpoint, None) for loadpoint in count))
        return Enveloped(home.words.no_limit())

    yield Route(
        method="POST",
        path=f"/api/{path}/{{value}}",
        group="site",
        summary=f"{limit.summary}, at every loadpoint",
        handler=set_all,
        parameters=(value_parameter(limit),),
        result=value_schema(limit),
        result_example=float(limit.example),
        errors=REFUSED,
    )
    yield Route(
        method="DELETE",
        path=f"/api/{path}",
        group="site",
        summary=f"No {limit.key} at any loadpoint",
        handler=clear_all,
        result=NOTHING,
        result_example={},
    )


def _combined(home: Home) -> Iterator[Route]:
    """Routes that set more than one setting, or one at every loadpoint: all of them or none."""

    async def detect(call: Call) -> Answer:
        await home.gateway.submit(DetectVehicle(home.loadpoint(call.path)))
        return Enveloped({})

    yield Route(
        method="PATCH",
        path="/api/loadpoints/{id}/vehicle",
        group="loadpoint",
        summary="Forget the vehicle and look for the right one by its charging state",
        handler=detect,
        parameters=(LOADPOINT_ID,),
        result=NOTHING,
        result_example={},
        errors=MISSING[Scope.LOADPOINT],
    )
    for limit in ("smart_cost_limit", "feed_in_priority_limit"):
        yield from _everywhere(home, BY_NAME[Scope.LOADPOINT, limit])
