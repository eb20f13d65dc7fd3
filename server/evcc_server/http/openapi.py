"""OpenAPI 3.1 from the route table."""

from __future__ import annotations

from collections.abc import Sequence

from evcc_server.http.route import Parameter, Route, Schema
from evcc_server.state.encode import Json

_ERROR: Schema = {
    "type": "object",
    "properties": {"error": {"type": "string"}},
    "required": ["error"],
    "additionalProperties": False,
}
_ANYWHERE = {
    "401": "a token is needed",
    "403": "the request comes from a web page of a foreign origin",
    "405": "this path has other methods, see the header Allow",
    "413": "the body is too large",
    "503": "the database failed; nothing has changed",
}


def openapi(routes: Sequence[Route], version: str, *, has_envelope: bool = True) -> Json:
    """The document for ``routes``."""
    paths: dict[str, dict[str, Json]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, has_envelope=has_envelope)
    described: dict[str, Json] = {}
    described.update(sorted(paths.items()))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "evcclib server",
            "version": version,
            "description": "Charging control: state, settings, sessions. Live values come over the WebSocket /ws.",
        },
        "servers": [{"url": "/"}],
        "paths": described,
        "components": {
            "schemas": {"Error": _ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, *, has_envelope: bool) -> Json:
    parameters: list[Json] = [_parameter(parameter, "path") for parameter in route.parameters]
    parameters += [_parameter(parameter, "query") for parameter in route.query]
    operation: dict[str, Json] = {
        "operationId": _operation_id(route),
        "tags": [route.group],
        "summary": route.summary,
        "parameters": parameters,
        "responses": _responses(route, has_envelope=has_envelope),
    }
    if route.changes_state:
        operation["security"] = [{}, {"token": []}]
    if route.body is not None:
        content: dict[str, Json] = {"schema": route.body, "example": route.body_example}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return operation


def _operation_id(route: Route) -> str:
    words = route.path.removeprefix("/api/").replace("{", "").replace("}", "").split("/")
    return "_".join([route.method.lower(), *words])


def _parameter(parameter: Parameter, place: str) -> Json:
    description: dict[str, Json] = {
        "name": parameter.name,
        "in": place,
        "required": place == "path",
        "description": parameter.summary,
        "schema": parameter.schema,
    }
    if parameter.example:
        description["example"] = parameter.example
    return description


def _responses(route: Route, *, has_envelope: bool) -> Json:
    responses: dict[str, Json] = {}
    if route.has_no_content:
        responses[str(route.status)] = {"description": "done"}
    elif route.status >= 400:
        responses[str(route.status)] = _error_response("not available")
    else:
        responses[str(route.status)] = _success(route, has_envelope=has_envelope)
    errors = {str(status): text for status, text in route.errors.items()}
    for status, text in _ANYWHERE.items():
        errors.setdefault(status, text)
    if not route.changes_state:
        del errors["401"], errors["403"]
    for status, text in sorted(errors.items()):
        responses[status] = _error_response(text)
    return responses


def _success(route: Route, *, has_envelope: bool) -> Json:
    schema, example = route.result, route.result_example
    if has_envelope and route.has_envelope:
        schema = {"type": "object", "properties": {"result": schema}, "required": ["result"]}
        example = {"result": example}
    if route.other_result:
        schema = {"anyOf": [schema, {"description": route.other_result}]}
    content: dict[str, Json] = {"schema": schema, "example": example}
    return {"description": "done", "content": {route.content_type: content}}


def _error_response(text: str) -> Json:
    return {"description": text, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
