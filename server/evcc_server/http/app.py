"""The Quart app: routes from the table, errors as JSON, access rules, compression, the page and the WebSocket."""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import zlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import trio
from quart import Request, Response, request, websocket
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from evcc_server.errors import StoreError
from evcc_server.http.home import Home
from evcc_server.http.live_socket import LiveSocket
from evcc_server.http.openapi import openapi
from evcc_server.http.own_page import add_own_page
from evcc_server.http.route import Answer, Body, Enveloped, Refused, Route, enveloped
from evcc_server.http.routes import api_routes
from evcc_server.http.who_may_call import CallRules, Headers
from evcc_server.state.encode import dumps
from evcclib.errors import InvalidSetting, UnknownTarget

log = logging.getLogger(__name__)

JSON_TYPE = "application/json; charset=UTF-8"
BODY_MAX = 64 * 1024
COMPRESS_FROM = 1000
WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
REFUSED_TOLD_MAX = 100
PAGE = files("evcc_server") / "web"
PAGE_FILES: Mapping[str, tuple[str, str]] = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/api/docs": ("docs.html", "text/html; charset=utf-8"),
    "/api/docs.js": ("docs.js", "text/javascript; charset=utf-8"),
}


def build_app(home: Home, *, stop: trio.Event) -> QuartTrio:
    """The app for ``home``. ``stop`` ends its WebSockets; give the same event to `serve_http`."""
    app = QuartTrio("evcc_server", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_MAX
    app.config["BODY_TIMEOUT"] = 10
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = False
    app.asgi_app = CleanPaths(app.asgi_app)  # type: ignore[method-assign]  # the way Quart documents for middleware
    routes = api_routes(home)
    _add_routes(app, routes, has_envelope=home.words.has_envelope)
    _add_documents(app, home, routes)
    access = _access(home)
    refused = _Refusals(access)
    _add_socket(app, home, stop, access, refused)
    _add_errors(app)
    _add_rules(app, access, refused)
    return app


class CleanPaths:
    """Serves ``//api/state/`` as ``/api/state``: a redirect would turn a client's POST into a GET [DEV-6].

    An address that is none is left whole, and so is a path that is not found.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        path = scope.get("path")
        if path is not None:
            if not path.startswith("/"):  # a client that takes us for a proxy sends the whole address
                with contextlib.suppress(ValueError):
                    path = urlsplit(path).path
            scope = {**scope, "path": "/" + "/".join(part for part in path.split("/") if part)}
        await self._app(scope, receive, send)


class _Call:
    """`evcc_server.http.route.Call` for the present request."""

    def __init__(self, quart_request: Request, path: Mapping[str, str]) -> None:
        self._request = quart_request
        self.path = path

    @property
    def query(self) -> Mapping[str, str]:
        return self._request.args.to_dict()

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(self._request.accept_languages.values())

    async def text(self) -> str:
        data = await self._request.get_data()
        try:
            return data if isinstance(data, str) else data.decode()
        except UnicodeDecodeError:
            raise Refused(400, "the body is not UTF-8") from None

    async def json_object(self) -> Mapping[str, object]:
        data = await self._request.get_data()
        try:
            body = json.loads(data)
        except (ValueError, RecursionError):
            raise Refused(400, "the body is not valid JSON") from None
        if not isinstance(body, dict):
            raise Refused(400, "the body is not a JSON object")
        return body


def _add_routes(app: QuartTrio, routes: tuple[Route, ...], *, has_envelope: bool) -> None:
    methods: dict[str, set[str]] = {}
    for route in routes:
        rule = route.path.replace("{", "<").replace("}", ">")
        methods.setdefault(rule, set()).add(route.method)
        app.add_url_rule(
            rule,
            f"{route.method} {rule}",
            _view(route, has_envelope=has_envelope),
            methods=[route.method],
            provide_automatic_options=False,
        )
    for rule, allowed in methods.items():
        _add_preflight(app, rule, allowed)


def _view(route: Route, *, has_envelope: bool) -> Any:
    async def view(**path: str) -> Response:
        return _response(await route.handler(_Call(request, path)), has_envelope=has_envelope)

    return view


def _response(answer: Answer, *, has_envelope: bool) -> Response:
    match answer:
        case Enveloped(value):
            text = enveloped(dumps(value), has_envelope=has_envelope)
            return Response(f"{text}\n", 200, content_type=JSON_TYPE)
        case Body(content, content_type, status, headers):
            return Response(content, status, dict(headers), content_type=content_type)


def _add_preflight(app: QuartTrio, rule: str, allowed: set[str]) -> None:
    """OPTIONS of a path names its methods [DEV-5]."""
    listed = ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set()) | {"OPTIONS"}))

    async def view(**_: str) -> Response:
        headers = {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Methods": listed,
            "Access-Control-Allow-Headers": "Content-Type, Authorization",
            "Allow": listed,
        }
        return Response(b"", 204, headers)

    app.add_url_rule(rule, f"OPTIONS {rule}", view, methods=["OPTIONS"], provide_automatic_options=False)


def _add_documents(app: QuartTrio, home: Home, routes: tuple[Route, ...]) -> None:
    document = dumps(openapi(routes, home.hub.labels.version, has_envelope=home.words.has_envelope)).encode() + b"\n"

    async def description() -> Response:
        return Response(document, 200, content_type=JSON_TYPE)

    app.add_url_rule("/api/openapi.json", "openapi", description, provide_automatic_options=False)
    _add_preflight(app, "/api/openapi.json", {"GET"})
    for path, (name, content_type) in PAGE_FILES.items():
        if home.options.ui is None or path.startswith("/api/"):
            _add_page(app, path, (PAGE / name).read_bytes(), content_type)
    if home.options.ui is not None:
        add_own_page(app, home.options.ui, version=home.hub.labels.version)


def _add_page(app: QuartTrio, path: str, content: bytes, content_type: str) -> None:
    async def page() -> Response:
        response = Response(content, 200, content_type=content_type)
        response.headers["Cache-Control"] = "no-cache"
        await response.add_etag()
        await response.make_conditional(request)
        return response

    app.add_url_rule(path, f"page {path}", page, provide_automatic_options=False)
    _add_preflight(app, path, {"GET"})


def _add_socket(app: QuartTrio, home: Home, stop: trio.Event, access: CallRules, refused: _Refusals) -> None:
    live = LiveSocket(home.hub, stop)

    async def watch() -> Response | None:
        refusal = access.refusal_to_watch(websocket.headers, websocket.scheme)
        if refusal is not None:
            return refused(refusal, websocket.remote_addr, websocket.headers)
        return await live.serve(websocket)

    async def not_a_handshake() -> Response:
        return Response("Bad Request\n", 400, content_type="text/plain; charset=utf-8")

    for path in ("/ws", "/api/ws"):
        app.add_websocket(path, f"socket {path}", watch)
        app.add_url_rule(path, f"plain {path}", not_a_handshake, provide_automatic_options=False)
        _add_preflight(app, path, {"GET"})


def _add_errors(app: QuartTrio) -> None:
    async def refused(error: Refused) -> Response:
        return _error(error.status, str(error))

    async def invalid(error: InvalidSetting) -> Response:
        return _error(400, str(error))

    async def unknown(error: UnknownTarget) -> Response:
        return _error(404, str(error))

    async def disk(error: StoreError) -> Response:
        log.error("the database failed: %s", error)
        return _error(503, "the database failed; nothing has changed")

    async def http(error: HTTPException) -> Response:
        status = error.code or 500
        response = _error(status, (error.name or "error").lower())
        if isinstance(error, MethodNotAllowed):
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
        return response

    async def unexpected(error: Exception) -> Response:
        log.error("a request failed unexpectedly", exc_info=error)
        return _error(500, "internal error")

    app.register_error_handler(Refused, refused)
    app.register_error_handler(InvalidSetting, invalid)
    app.register_error_handler(UnknownTarget, unknown)
    app.register_error_handler(StoreError, disk)
    app.register_error_handler(HTTPException, http)
    app.register_error_handler(Exception, unexpected)


def _error(status: int, text: str) -> Response:
    return Response(dumps({"error": text}) + "\n", status, content_type=JSON_TYPE)


class _Refusals:
    """Answers those who are refused; their owner reads of each in the log, once."""

    def __init__(self, access: CallRules) -> None:
        self._access = access
        self._told: set[tuple[str, str]] = set()

    def __call__(self, text: str, address: str | None, headers: Headers) -> Response:
        told = (self._access.client(address, headers), text)
        if told not in self._told and len(self._told) < REFUSED_TOLD_MAX:
            self._told.add(told)
            log.warning("%s is refused: %s", *told)
        return _error(403, text)


def _add_rules(app: QuartTrio, access: CallRules, refused: _Refusals) -> None:
    async def before() -> Response | None:
        if request.content_length is not None and request.content_length > BODY_MAX:
            return _error(413, f"the body is too large (at most {BODY_MAX} bytes)")
        if request.method in WRITING:
            refusal = access.refusal_to_write(request.remote_addr, request.headers, request.scheme)
            if refusal is not None:
                return refused(refusal, request.remote_addr, request.headers)
            if not access.knows_token(request.headers):
                response = _error(401, "a token is needed: Authorization: Bearer <token>")
                response.headers["WWW-Authenticate"] = "Bearer"
                return response
        # Whatever it is, the body is taken off the connection before the answer, else the connection could not be used again.
        await request.get_data()
        return None

    async def after(response: Response) -> Response:
        if request.path.startswith("/api/"):
            response.headers.setdefault("Cache-Control", "no-store")
            if "Origin" in request.headers:
                response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["X-Content-Type-Options"] = "nosniff"
        if response.status_code == 204:
            response.headers.pop("Content-Type", None)
            response.headers.pop("Content-Length", None)
        if response.content_type is not None and response.status_code not in (204, 206, 304):
            response.headers["Vary"] = "Accept-Encoding"
            await _compress(response)
        return response

    app.before_request(before)
    app.after_request(after)


def _access(home: Home) -> CallRules:
    options = home.options
    return CallRules(
        token=options.token,
        allowed_origins=options.allowed_origins,
        is_local_only=options.is_local_only,
        name=options.name,
        trusted_proxies=options.trusted_proxies,
    )


async def _compress(response: Response) -> None:
    if response.status_code != 200 or "Content-Encoding" in response.headers or request.method == "HEAD":
        return
    if (response.content_length or 0) < COMPRESS_FROM:
        return
    encoding = request.accept_encodings.best_match(["gzip", "deflate"]) if request.accept_encodings else None
    if encoding is None:
        return
    data = await response.get_data(as_text=False)
    response.set_data(gzip.compress(data, 5, mtime=0) if encoding == "gzip" else zlib.compress(data, 5))
    response.headers["Content-Encoding"] = encoding
