"""Routes of evcc's device configuration, as far as clients need an answer."""

from __future__ import annotations

from collections.abc import Iterator

from evcc_server.http.route import Answer, Call, Enveloped, Parameter, Refused, Route
from evcc_server.quoting import short

CLASSES = ("charger", "meter", "vehicle")
_CLASS = Parameter(
    name="class",
    summary="Kind of device",
    schema={"type": "string", "enum": list(CLASSES)},
    example="meter",
)


def device_routes() -> Iterator[Route]:
    """The routes of this module."""

    def known(call: Call) -> str:
        name = call.path["class"]
        if name not in CLASSES:
            raise Refused(400, f"invalid class: {short(name)} (allowed: {', '.join(CLASSES)})")
        return name

    async def templates(call: Call) -> Answer:
        known(call)
        if call.query.get("name"):
            raise Refused(400, f"template not found: {short(call.query['name'])}")
        return Enveloped([])

    async def products(call: Call) -> Answer:
        known(call)
        return Enveloped({})

    async def test(call: Call) -> Answer:
        known(call)
        raise Refused(501, "devices are configured in evcc.yaml; testing them here is not available")

    language = Parameter(name="lang", summary="Language of the descriptions", schema={"type": "string"}, example="en")
    errors = {400: "unknown kind or name"}
    yield Route(
        method="GET",
        path="/api/config/templates/{class}",
        group="config",
        summary="Device templates; there are none, devices are configured in evcc.yaml",
        handler=templates,
        parameters=(_CLASS,),
        query=(language, Parameter(name="name", summary="One of them", schema={"type": "string"}, example="")),
        result={"type": "array"},
        result_example=[],
        errors=errors,
    )
    yield Route(
        method="GET",
        path="/api/config/products/{class}",
        group="config",
        summary="Products by name; there are none, devices are configured in evcc.yaml",
        handler=products,
        parameters=(_CLASS,),
        query=(language,),
        result={"type": "object"},
        result_example={},
        errors=errors,
    )
    yield Route(
        method="POST",
        path="/api/config/test/{class}",
        group="config",
        summary="Try a device; not available",
        handler=test,
        parameters=(_CLASS,),
        status=501,
        errors=errors,
    )
