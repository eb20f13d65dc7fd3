"""Routes by which the grid operator's limit is given and withdrawn."""

from __future__ import annotations

from collections.abc import Iterator

from evcc_server.http.home import Home
from evcc_server.http.route import Answer, Call, Enveloped, Parameter, Route, Schema
from evcc_server.settings import (
    OPERATOR_LIMIT_LASTS,
    OPERATOR_LIMIT_LASTS_MAX,
    OPERATOR_LIMIT_MAX_W,
    parse_operator_limit,
)
from evcc_server.state.encode import number

PATH = "/api/operatorlimit"
GIVER = "rest"

_POWER: Schema = {"type": "number", "minimum": 0, "maximum": OPERATOR_LIMIT_MAX_W}
_SECONDS: Schema = {"type": "number", "minimum": 1, "maximum": OPERATOR_LIMIT_LASTS_MAX.total_seconds()}
_VALUE = Parameter(name="value", summary="W, for all loadpoints together", schema=_POWER, example="4200")


def operator_limit_routes(home: Home) -> Iterator[Route]:
    """The routes of this module."""

    async def limit(call: Call) -> Answer:
        power_w, lasts = parse_operator_limit(
            "/".join(call.path[name] for name in ("value", "seconds") if name in call.path)
        )
        await home.gateway.limit(GIVER, power_w, lasts)
        return Enveloped({"limit": number(power_w), "seconds": number(lasts.total_seconds())})

    async def unlimit(_: Call) -> Answer:
        await home.gateway.unlimit(GIVER)
        return Enveloped({})

    hours = OPERATOR_LIMIT_LASTS.total_seconds() / 3600
    for path, parameters, lasting in (
        (f"{PATH}/{{value}}", (_VALUE,), f"for {hours:g} hours"),
        (
            f"{PATH}/{{value}}/{{seconds}}",
            (_VALUE, Parameter(name="seconds", summary="How long it stands", schema=_SECONDS, example="900")),
            "for so many seconds",
        ),
    ):
        yield Route(
            method="POST",
            path=path,
            group="site",
            summary=f"Limit of the grid operator, {lasting}; takes the place of the last one that came by REST",
            handler=limit,
            parameters=parameters,
            result={
                "type": "object",
                "properties": {"limit": _POWER, "seconds": _SECONDS},
                "required": ["limit", "seconds"],
            },
            result_example={"limit": 4200, "seconds": 900},
            errors={
                400: "the value is not accepted; nothing has changed",
                503: "it cannot be written down; nothing has changed",
            },
        )
    yield Route(
        method="DELETE",
        path=PATH,
        group="site",
        summary="Withdraw the limit that came by REST; those of others stand",
        handler=unlimit,
        result={"type": "object", "maxProperties": 0},
        result_example={},
        errors={503: "it cannot be written down; nothing has changed"},
    )
