"""A site whose devices are plugins, for tests: its web servers, topics and Modbus devices are in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import httpx
from anyio.abc import ByteStream
from fake_device import FakeDevice

from evcc_server.config.load import parse_config
from evcc_server.config.sources import ModbusAddress, NetworkAddress
from evcc_server.devices.plugin.http import HttpClient
from evcc_server.devices.plugin.mqtt import TopicMessage
from evcc_server.errors import DeviceDown
from evcc_server.wiring.factory import Devices, build

REST = """
site: {{meters: {{grid: grid}}}}
mqtt: {{broker: broker.test}}
meters:
- name: grid
  type: custom
{meter}
chargers:
- name: box
  type: custom
{charger}
vehicles:
- name: car
  type: custom
{vehicle}
loadpoints:
- {{charger: box, vehicle: car}}
"""
CONST_CHARGER = "status: A\nenabled: false\nenable: ''\nmaxcurrent: ''"


@dataclass
class Web:
    """A web server: answers by method and path; what was asked, in order."""

    answers: dict[str, httpx.Response | str | float | Exception] = field(default_factory=dict)
    """A number: so many seconds of silence; an error is raised as the network would."""
    asked: list[httpx.Request] = field(default_factory=list)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.get(f"{request.method} {request.url.path}", httpx.Response(404))
        if isinstance(answer, float):
            await anyio.sleep(answer)
            return httpx.Response(200, text="late")
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            return httpx.Response(200, text=answer)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def client(self) -> HttpClient:
        """A client that knows only this server."""
        return HttpClient(httpx.MockTransport(self))


@dataclass
class MemoryTopics:
    """`Topics` without a broker."""

    messages: dict[str, TopicMessage] = field(default_factory=dict)
    published: list[tuple[str, str, bool]] = field(default_factory=list)
    watched: set[str] = field(default_factory=set)
    is_connected: bool = True

    def say(self, topic: str, payload: str) -> None:
        """A message arrives."""
        self.messages[topic] = TopicMessage(payload.encode(), anyio.current_time())

    def watch(self, topic: str) -> None:
        self.watched.add(topic)

    def latest(self, topic: str) -> TopicMessage | None:
        return self.messages.get(topic)

    async def publish(self, topic: str, payload: str, *, is_retained: bool) -> None:
        await anyio.lowlevel.checkpoint()
        if not self.is_connected:
            raise DeviceDown("mqtt: not connected")
        self.published.append((topic, payload, is_retained))

    async def run(self) -> None:
        await anyio.sleep_forever()


def indented(text: str) -> str:
    """``text`` two spaces further in."""
    return "\n".join(f"  {line}" for line in text.strip().splitlines())


@asynccontextmanager
async def plugin_site(
    *,
    meter: str = "power: 0",
    charger: str = CONST_CHARGER,
    vehicle: str = "soc: 50",
    more: str = "",
    web: Web | None = None,
    topics: MemoryTopics | None = None,
    fakes: Mapping[str, FakeDevice] | None = None,
) -> AsyncIterator[Devices]:
    """The built devices of a site with this meter, charger and vehicle, and ``more``; ``fakes`` are Modbus devices by host."""
    text = REST.format(meter=indented(meter), charger=indented(charger), vehicle=indented(vehicle)) + more
    config = parse_config(text, environment={})

    async def open_fake(address: ModbusAddress) -> ByteStream:
        assert isinstance(address, NetworkAddress)
        return await (fakes or {})[address.host].connect()

    async with anyio.create_task_group() as group:
        for fake in (fakes or {}).values():
            fake.link(group)
        devices = build(config, opener=open_fake, topics=topics or MemoryTopics(), http=(web or Web()).client())
        yield devices
        await devices.aclose()
        group.cancel_scope.cancel()


async def error_of(call: Callable[[], Awaitable[object]], kind: type[Exception]) -> str:
    """The text of the error of this ``kind`` that ``call`` ends with."""
    try:
        await call()
    except kind as error:
        return str(error)
    raise AssertionError(f"no {kind.__name__}")
