"""The clients of a server in virtual time: one asks by REST, one by MQTT, one watches the WebSocket.

`Seen` remembers what each of them has been shown last of every setting, in its channel's own words. What anybody has seen must be
there when a server starts again on the same database, whatever ended the last one; `Seen.check` says what is not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import trio

from evcc_server.http.home import Home
from evcc_server.http.live_socket import LiveSocket
from evcc_server.http.route import Answer, Body, Enveloped, Route
from evcc_server.http.routes import api_routes
from evcc_server.http.setting_routes import PREFIXES
from evcc_server.keeping.setting_rows import NO_VALUE, encode
from evcc_server.mqtt import tree
from evcc_server.settings import BY_NAME, TABLE, Setting
from evcc_server.state.document import Document
from evcc_server.state.encode import Compat, Json, rest_keys, socket, socket_key
from evcclib.requests import (
    AssignVehicle,
    ChangeLoadpointSetting,
    ChangeSiteSetting,
    ChangeVehicleSetting,
    Request,
)
from evcclib.settings import Scope

ROOT = "evcc"
REST, SOCKET, MQTT = "REST", "WebSocket", "MQTT"

Place = tuple[str, str]
"""A channel, and what a value is called there."""
Words = Mapping[Place, Json]


@dataclass(frozen=True, slots=True)
class Spelt:
    """A request in the words of its channels: method and path of REST, topic and payload of MQTT."""

    method: str
    path: str
    topic: str
    payload: str


def spelt(request: Request) -> Spelt:
    """How a client asks for ``request``. Raises LookupError for one that no setting stands for."""
    setting, owner, text = _row(request)
    prefix = PREFIXES[setting.scope].format(id=owner, name=owner)
    below = {Scope.SITE: "site", Scope.LOADPOINT: f"loadpoints/{owner}", Scope.VEHICLE: f"vehicles/{owner}"}[
        setting.scope
    ]
    topic = f"{ROOT}/{below}/{setting.topics[0]}/set"
    if text == NO_VALUE and setting.clear_paths:
        return Spelt("DELETE", f"{prefix}/{setting.clear_paths[0]}", topic, text)
    return Spelt("POST", f"{prefix}/{setting.paths[0]}/{text}", topic, text)


def _row(request: Request) -> tuple[Setting, str, str]:
    match request:
        case ChangeSiteSetting(name, value):
            return BY_NAME[Scope.SITE, name], "", encode(value)
        case ChangeLoadpointSetting(loadpoint, name, value):
            return BY_NAME[Scope.LOADPOINT, name], str(loadpoint + 1), encode(value)
        case ChangeVehicleSetting(vehicle, name, value):
            return BY_NAME[Scope.VEHICLE, name], vehicle, encode(value)
        case AssignVehicle(loadpoint, vehicle):
            return BY_NAME[Scope.LOADPOINT, "vehicle"], str(loadpoint + 1), vehicle or NO_VALUE
        case _:
            raise LookupError(f"no setting for {request}")


# -- what has been seen ---------------------------------------------------------------------------------------------------------


class Seen:
    """What has been shown last, on each channel, of what must outlive a restart."""

    def __init__(self) -> None:
        self._last: dict[Place, Json] = {}
        self._last_words: list[Words] = []

    def state(self, result: dict[str, Any]) -> None:
        """``GET /api/state`` has been answered."""
        site = dict(result)
        for index, loadpoint in enumerate(site.pop("loadpoints")):
            self._take(REST, {socket_key(index, name): value for name, value in loadpoint.items()})
        self._take(REST, site)

    def frame(self, text: str) -> None:
        """A frame of the WebSocket has come."""
        self._take(SOCKET, json.loads(text))

    def message(self, topic: str, payload: bytes) -> None:
        """A message has come on a topic."""
        self._last[MQTT, topic] = payload.decode()

    def _take(self, channel: str, values: Mapping[str, Json]) -> None:
        self._last.update({(channel, name): value for name, value in values.items()})

    def last(self, channel: str, name: str) -> Json:
        """What a channel has shown last under a name. Raises KeyError if it has shown nothing."""
        return self._last[channel, name]

    def has_shown(self, channel: str, name: str) -> bool:
        """Whether a channel has shown anything under a name."""
        return (channel, name) in self._last

    def ended(self, *last: Document) -> None:
        """The server is gone. Whoever looks next may also see what it has shown last, and what was just about to become so."""
        self._last_words = [words(document) for document in last]

    def check(self, now: Document) -> list[str]:
        """What a server that has just started and shows ``now`` has forgotten of what was seen; from now on that counts."""
        shown = words(now)
        lost = [
            f"{channel}: {name} is {value!r}, {self._last[channel, name]!r} was seen"
            for (channel, name), value in shown.items()
            if (channel, name) in self._last
            and value != self._last[channel, name]
            and all(value != each.get((channel, name)) for each in self._last_words)
        ]
        self._last.clear()
        return lost


_SITE_KEYS = frozenset(row.key for row in TABLE if row.scope is Scope.SITE)
_LOADPOINT_KEYS = frozenset(row.key for row in TABLE if row.scope is Scope.LOADPOINT and row.spec is not None) | {
    "vehicleName",
    "vehicleTitle",
}


def words(document: Document) -> Words:
    """Every setting of ``document``, and which vehicle is where, as each channel spells it."""
    found: dict[Place, Json] = {}
    for (place, name), value in tree.keys(document):
        if not isinstance(place, str):
            if name not in (_SITE_KEYS if place is None else _LOADPOINT_KEYS):
                continue
            found[REST, socket_key(place, name)] = rest_keys({name: value}, Compat.V0_114)[name]
            found[SOCKET, socket_key(place, name)] = socket(value)
        found.update({(MQTT, topic): text for topic, text in tree.value_entries(ROOT, (place, name), value)})
    return found


# -- who asks and who watches ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Call:
    """An `evcc_server.http.route.Call`."""

    path: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    languages: tuple[str, ...] = ()
    body: str = ""

    async def text(self) -> str:
        return self.body

    async def json_object(self) -> Mapping[str, object]:
        return {}


class RestClient:
    """Asks the routes themselves: what lies between them and a socket knows nothing of settings."""

    def __init__(self, home: Home, seen: Seen) -> None:
        self._routes = api_routes(home)
        self._seen = seen

    async def ask(self, method: str, path: str) -> Json:
        """The answer's ``result``. Raises what the route does, LookupError without one."""
        for route in self._routes:
            found = _match(route, method, path)
            if found is not None:
                return _result(await route.handler(_Call(found)))
        raise LookupError(f"{method} {path}")

    async def look(self) -> None:
        """See the state."""
        state = await self.ask("GET", "/api/state")
        assert isinstance(state, dict)
        self._seen.state(state)


def _match(route: Route, method: str, path: str) -> dict[str, str] | None:
    wanted, given = route.path.split("/"), path.split("/")
    if route.method != method or len(wanted) != len(given):
        return None
    found: dict[str, str] = {}
    for name, text in zip(wanted, given, strict=True):
        if name.startswith("{"):
            found[name[1:-1]] = text
        elif name != text:
            return None
    return found


def _result(answer: Answer) -> Json:
    match answer:
        case Enveloped(value):
            return value
        case Body(content):
            document = json.loads(content)
            result: Json = document.get("result", document)
            return result


async def watch_socket(home: Home, seen: Seen) -> None:
    """Watch ``/ws`` until cancelled."""
    connection: Any = _Socket(seen.frame)
    await LiveSocket(home.hub, trio.Event()).serve(connection)


class _Socket:
    """What `LiveSocket` needs of a connection: everything is taken at once, nothing is ever said."""

    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take

    async def accept(self) -> None:
        await trio.lowlevel.checkpoint()

    async def send(self, data: str) -> None:
        self._take(data)
        await trio.lowlevel.checkpoint()

    async def receive(self) -> str:
        await trio.sleep_forever()

    async def close(self, _code: int) -> None:
        await trio.lowlevel.checkpoint()
