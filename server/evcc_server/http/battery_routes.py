"""Routes by which another energy manager says what home batteries do; it must say so again within a minute."""

from __future__ import annotations

from collections.abc import Iterator

from evcc_server.http.home import Home
from evcc_server.http.route import Answer, Call, Enveloped, Parameter, Route, Schema
from evcc_server.settings import parse_battery_mode
from evcclib.commands import BatteryMode
from evcclib.requests import CommandBatteries

PATH = "/api/batterymode"
NUMBERS = {None: 0, BatteryMode.NORMAL: 1, BatteryMode.HOLD: 2, BatteryMode.CHARGE: 3}
"""How an answer names modes."""
_NUMBER: Schema = {"type": "integer", "enum": [*NUMBERS.values()]}
_MODE = Parameter(
    name="mode",
    summary="What they do",
    schema={"type": "string", "enum": [*BatteryMode]},
    example=BatteryMode.HOLD.value,
)
_ERRORS = {400: "no battery can be told that; nothing has changed"}


def battery_routes(home: Home) -> Iterator[Route]:
    """The routes of this module."""

    async def command(call: Call) -> Answer:
        mode = parse_battery_mode(call.path["mode"])
        await home.gateway.submit(CommandBatteries(mode))
        return Enveloped(NUMBERS[mode])

    async def free(_: Call) -> Answer:
        await home.gateway.submit(CommandBatteries(None))
        return Enveloped(NUMBERS[None])

    yield Route(
        method="POST",
        path=f"{PATH}/{{mode}}",
        group="site",
        summary="Mode of the home batteries for a minute: normal 1, hold 2, charge 3",
        handler=command,
        parameters=(_MODE,),
        result=_NUMBER,
        result_example=2,
        errors=_ERRORS,
    )
    yield Route(
        method="DELETE",
        path=PATH,
        group="site",
        summary="No mode of the home batteries from outside",
        handler=free,
        result=_NUMBER,
        result_example=0,
        errors=_ERRORS,
    )
