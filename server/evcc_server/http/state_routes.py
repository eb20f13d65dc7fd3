"""Routes that show the home: state, health, tariffs; and the telemetry switch and remote demands."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evcc_server.http.home import Home
from evcc_server.http.jq_filter import JqFilter
from evcc_server.http.route import Answer, Body, Call, Enveloped, Parameter, Refused, Route, Schema, enveloped
from evcc_server.http.setting_routes import LOADPOINT_ID
from evcc_server.http.state_schema import STATES
from evcc_server.settings import parse_flag
from evcc_server.state.encode import Json, dumps, number, rest_document, time_text
from evcc_server.state.forecast import in_quarters
from evcclib.errors import InvalidSetting
from evcclib.model import RemoteDemand, TariffKind
from evcclib.requests import DemandRemotely
from evcclib.tariff import Rate

TELEMETRY = "telemetry"


def rate_schema(word: str, price: Schema) -> Schema:
    """Of `rate_json`; ``word``: the member that holds the price."""
    return {
        "type": "object",
        "properties": {
            "start": {"type": "string", "format": "date-time"},
            "end": {"type": "string", "format": "date-time"},
            word: price,
        },
        "required": ["start", "end", word],
    }


_PRICE: Schema = {"type": "number"}


def rate_example(word: str) -> Json:
    """Of `rate_json`."""
    return {"start": "2023-03-06T00:00:00+01:00", "end": "2023-03-07T00:00:00+01:00", word: 0.399}


def state_routes(home: Home) -> Iterator[Route]:
    """The routes of this module."""
    described = STATES[home.options.compat]
    yield Route(
        method="GET",
        path="/api/state",
        group="state",
        summary="The whole state, one consistent snapshot",
        handler=_State(home).handle,
        query=(
            Parameter(
                name="jq",
                summary="jq filter over the state; the answer is the filter's output alone",
                schema={"type": "string", "maxLength": 1000},
                example=".loadpoints[0].chargePower",
            ),
        ),
        result=described.schema,
        result_example=described.example,
        other_result="with jq: the filter's output",
        errors={
            400: "the filter is not valid or asks for too much",
            501: "jq is not installed",
            503: "nothing is known yet, or too many filters at once",
        },
    )
    yield from _health(home)
    yield from _access(home)
    yield from _tariff(home)
    yield from _telemetry(home)
    yield from _remote_demand(home)


class _State:
    """Keeps the encoded state until there is a newer one: many clients poll far more often than it changes."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._version = -1
        self._text = ""
        self._filter = JqFilter()

    async def handle(self, call: Call) -> Answer:
        hub = self._home.hub
        if hub.is_empty:
            raise Refused(503, "nothing is known yet")
        if hub.version != self._version:
            self._text = dumps(rest_document(hub.snapshot, self._home.options.compat))
            self._version = hub.version
        program = call.query.get("jq", "")
        if program:
            document = enveloped(self._text, has_envelope=".result" in program)
            return Body(await self._filter.run(program, document) + b"\n")
        return Body(f"{enveloped(self._text, has_envelope=self._home.words.has_envelope)}\n".encode())


def _health(home: Home) -> Iterator[Route]:
    async def health(_: Call) -> Answer:
        if not home.gateway.view().is_healthy:
            raise Refused(500, home.gateway.ailment())
        return Body(b"OK\n", "text/plain; charset=utf-8")

    yield Route(
        method="GET",
        path="/api/health",
        group="state",
        summary="Whether the control loop runs and knows the grid",
        handler=health,
        result={"type": "string"},
        result_example="OK\n",
        content_type="text/plain",
        has_envelope=False,
        errors={500: "the grid has not been read for 60 s and an interval; the text says why"},
    )


def _access(home: Home) -> Iterator[Route]:
    is_open = home.options.token is None and not home.options.is_local_only

    async def status(_: Call) -> Answer:
        return Enveloped(is_open)

    yield Route(
        method="GET",
        path="/api/auth/status",
        group="state",
        summary="Whether everybody may change settings; there are no accounts",
        handler=status,
        result={"type": "boolean"},
        result_example=True,
    )


def _tariff(home: Home) -> Iterator[Route]:
    word = home.words.price
    rates: Schema = {"type": "array", "items": rate_schema(word, _PRICE)}

    async def tariff(call: Call) -> Answer:
        try:
            found = home.gateway.rates(TariffKind(call.path["type"]))
        except ValueError:
            found = None
        if found is None:
            raise Refused(404, "tariff not available")
        if found.is_outdated:
            raise Refused(503, "outdated")
        slots = in_quarters(found) if home.words.in_quarters else found.rates
        return Enveloped({"rates": [rate_json(home, rate) for rate in slots]})

    yield Route(
        method="GET",
        path="/api/tariff/{type}",
        group="state",
        summary="Price list, emissions [g/kWh] or forecast of the sun [W]; planner falls back to grid",
        handler=tariff,
        parameters=(
            Parameter(
                name="type",
                summary="Which list",
                schema={"type": "string", "enum": [kind.value for kind in TariffKind]},
                example="grid",
            ),
        ),
        result={"type": "object", "properties": {"rates": rates}, "required": ["rates"]},
        result_example={"rates": [rate_example(word)]},
        errors={404: "no such tariff is configured", 503: "the provider has not answered for two hours"},
    )


def _telemetry(home: Home) -> Iterator[Route]:
    async def read(_: Call) -> Answer:
        return Enveloped(await home.store.load_flag(TELEMETRY) or False)

    async def write(call: Call) -> Answer:
        is_on = parse_flag(TELEMETRY, call.path["status"])
        await home.store.save_flag(TELEMETRY, is_on)
        return Enveloped(is_on)

    status = Parameter(name="status", summary="true or false", schema={"type": "boolean"}, example="false")
    for path in ("/api/telemetry", "/api/settings/telemetry"):
        yield Route(
            method="GET",
            path=path,
            group="settings",
            summary="Whether telemetry is switched on; nothing is ever sent",
            handler=read,
            result={"type": "boolean"},
            result_example=False,
        )
        yield Route(
            method="POST",
            path=f"{path}/{{status}}",
            group="settings",
            summary="Switch telemetry; nothing is ever sent",
            handler=write,
            parameters=(status,),
            result={"type": "boolean"},
            result_example=False,
            errors={400: "neither true nor false"},
        )


def _remote_demand(home: Home) -> Iterator[Route]:
    async def demand(call: Call) -> Answer:
        loadpoint = home.loadpoint(call.path)
        word = call.path.get("demand", "")
        source = call.path.get("source", "").removeprefix(":")
        if not re.fullmatch(r"[0-9A-Za-z_-]{0,64}", source):
            raise InvalidSetting("source", source, "letters, digits, _ and -", "invalid source")
        try:
            wanted = RemoteDemand("" if word.lower() == "enable" else word.lower())
        except ValueError:
            raise InvalidSetting("demand", word, "soft, hard, enable", "invalid value") from None
        await home.gateway.submit(DemandRemotely(loadpoint, wanted, source))
        return Enveloped({"demand": wanted.value, "source": source})

    yield Route(
        method="POST",
        path="/api/loadpoints/{id}/remotedemand/{demand}/{source}",
        group="loadpoint",
        summary="Demand of an external energy manager: soft stops surplus charging, hard stops all charging",
        handler=demand,
        parameters=(
            LOADPOINT_ID,
            Parameter(
                name="demand",
                summary="soft, hard, enable",
                schema={"type": "string", "enum": ["soft", "hard", "enable"]},
                example="soft",
            ),
            Parameter(
                name="source",
                summary="Who demands it",
                schema={"type": "string", "pattern": "^:?[0-9A-Za-z_-]{1,64}$"},
                example="hems",
            ),
        ),
        result={
            "type": "object",
            "properties": {"demand": {"type": "string"}, "source": {"type": "string"}},
            "required": ["demand", "source"],
        },
        result_example={"demand": "soft", "source": "hems"},
        errors={400: "unknown demand or source", 404: "no such loadpoint"},
    )


def rate_json(home: Home, rate: Rate) -> Json:
    """A rate as clients of 2023 know it; a price that is not known is null."""
    zone = home.site.time_zone
    return {
        "start": time_text(rate.start.astimezone(zone)),
        "end": time_text(rate.end.astimezone(zone)),
        home.words.price: number(rate.price),
    }
