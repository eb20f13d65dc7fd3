"""Plugin sources made live: a value to read, or a place to write to.

Values travel as JSON values (text, number, truth) until someone says what they should be, see `evcc_server.texts.values`.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import anyio

from evcc_server.config.links import sources_in
from evcc_server.config.sources import (
    CalcOperation,
    CalcSource,
    CombinedSource,
    ConstSource,
    HttpSource,
    ModbusAddress,
    ModbusSource,
    MqttSource,
    RegisterAccess,
    Source,
    SunspecSource,
)
from evcc_server.devices.plugin.http import TIMEOUT_S, HttpClient
from evcc_server.devices.plugin.mqtt import Topics
from evcc_server.devices.plugin.register import read_function, register_of, write_function
from evcc_server.devices.plugin.sunspec import SunspecPoints
from evcc_server.errors import DeviceImplausible, DeviceSilent
from evcc_server.json_path import JsonValue, PathError, read_path
from evcc_server.modbus.link import Link, Port
from evcc_server.profiles.registers import decode, decode_raw, encode
from evcc_server.quoting import quoted
from evcc_server.texts.go_functions import TemplateError
from evcc_server.texts.placeholders import filled_in
from evcc_server.texts.values import as_number, as_sent_number, as_truth, says_otherwise

Read = Callable[[], Awaitable[JsonValue]]
Write = Callable[[JsonValue], Awaitable[None]]

MODBUS_TIMEOUT_S = 1.0
BROKER_GRACE_S = 60.0
"""How long what a broker said last counts while it is out of reach."""


class _Links(Protocol):
    def get(self, address: ModbusAddress) -> Link: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugins:
    """What sources are made live with."""

    links: _Links
    http: HttpClient
    topics: Topics
    now: Callable[[], datetime]
    """The time where the house is, for the templates in texts."""

    def reader(self, source: Source, *, max_age: timedelta | None = None) -> Read:
        """How to read ``source``. ``max_age``: an MQTT message older than that is missing, where the source doesn't say.

        Reading raises `DeviceError`.
        """
        match source:
            case ConstSource(value=value):
                return _constant(value)
            case HttpSource():
                return self._http_reader(source)
            case MqttSource():
                return self._mqtt_reader(source, max_age)
            case ModbusSource():
                return self._modbus_reader(source)
            case SunspecSource():
                port = Port(
                    self.links.get(source.address), source.unit, timeout_s=_timeout_s(source.timeout, MODBUS_TIMEOUT_S)
                )
                return _scaled(SunspecPoints(port, source.points, subdevice=source.subdevice).read, source.scale)
            case CalcSource():
                return _calculated(source, [self.reader(operand, max_age=max_age) for operand in source.operands])
            case CombinedSource():
                return _status_of(self.reader(source.plugged), self.reader(source.charging))

    def writer(self, source: Source, name: str) -> Write:
        """How to write to ``source``; ``${name}`` in its texts is the value. Writing raises `DeviceError`."""
        match source:
            case HttpSource():

                async def request(value: JsonValue) -> None:
                    body = None if source.body is None else self._filled_in(source.body, name, value, source.scale)
                    uri = self._filled_in(source.uri, name, value, source.scale)
                    await self.http.send(source, uri=uri, body=body)

                return request
            case MqttSource():
                payload = f"${{{name}}}" if source.payload is None else source.payload

                async def publish(value: JsonValue) -> None:
                    text = self._filled_in(payload, name, value, source.scale)
                    topic = self._filled_in(source.topic, name, value, source.scale)
                    await self.topics.publish(topic, text, is_retained=source.is_retained)

                return publish
            case ModbusSource():
                return self._modbus_writer(source)
            case _:
                return _nowhere

    def _filled_in(self, text: str, name: str | None, value: JsonValue = None, scale: float = 1.0) -> str:
        try:
            return filled_in(text, name, value, scale, now=self.now())
        except TemplateError as error:
            raise DeviceImplausible(f"{quoted(text)}: {error}", left_unchanged=True) from error

    def deadline(self, owner: object) -> timedelta:
        """How long a poll of the custom device ``owner`` may take: the time-outs of its sources, one after the other."""
        total_s = 2.0
        for source in sources_in(owner):
            match source:
                case HttpSource(timeout=timeout):
                    total_s = max(total_s, 2 * _timeout_s(timeout, TIMEOUT_S))
                case ModbusSource(timeout=timeout) | SunspecSource(timeout=timeout):
                    total_s += _timeout_s(timeout, MODBUS_TIMEOUT_S)
        return timedelta(seconds=min(total_s, 60.0))

    def _http_reader(self, source: HttpSource) -> Read:
        async def read() -> JsonValue:
            body = None if source.body is None else self._filled_in(source.body, None)
            asked = replace(source, uri=self._filled_in(source.uri, None), body=body)
            text = await self.http.fetch(asked)
            return _extract(text, asked.jq, asked.uri.split("?")[0])

        return _scaled(read, source.scale)

    def _mqtt_reader(self, source: MqttSource, max_age: timedelta | None) -> Read:
        self.topics.watch(source.topic)
        limit = source.timeout or max_age

        async def read() -> JsonValue:
            await anyio.lowlevel.checkpoint()
            message = self.topics.latest(source.topic)
            if message is None:
                raise DeviceSilent(f"mqtt {source.topic}: no message yet")
            age_s = anyio.current_time() - message.at_s
            if age_s > BROKER_GRACE_S and not self.topics.is_connected:
                raise DeviceSilent(f"mqtt {source.topic}: no connection to the broker, no message for {age_s:.0f} s")
            if limit is not None and age_s > limit.total_seconds():
                raise DeviceSilent(f"mqtt {source.topic}: no message for {age_s:.0f} s")
            return _extract(message.payload.decode("utf-8", errors="replace"), source.jq, f"mqtt {source.topic}")

        return _scaled(read, source.scale)

    def _modbus_reader(self, source: ModbusSource) -> Read:
        port = Port(self.links.get(source.address), source.unit, timeout_s=_timeout_s(source.timeout, MODBUS_TIMEOUT_S))
        register, function = register_of(source.register, source.scale), read_function(source.register.access)

        async def read() -> JsonValue:
            values = await port.read(function, register.address, register.count)
            if register.type == "bool":
                return int(bool(values[0]))  # a bit may be taken for a truth or for a number
            if register.mask is not None:
                raw = decode_raw(register, values)
                return None if raw is None else raw * source.scale
            return decode(register, values)

        return read

    def _modbus_writer(self, source: ModbusSource) -> Write:
        port = Port(self.links.get(source.address), source.unit, timeout_s=_timeout_s(source.timeout, MODBUS_TIMEOUT_S))
        register, access = register_of(source.register, source.scale), source.register.access
        function = write_function(access, register.count)

        async def write(value: JsonValue) -> None:
            number = as_sent_number(value)
            if number is None:
                raise DeviceImplausible(
                    f"register {register.address}: {quoted(value)} is no number", left_unchanged=True
                )
            if access is RegisterAccess.WRITE_COIL:
                words: tuple[int, ...] = (int(number != 0),)
            else:
                try:
                    words = tuple(encode(register, number))
                except ValueError as error:
                    text = f"register {register.address}: {error}"
                    raise DeviceImplausible(text, left_unchanged=True) from error
            await port.write(function, register.address, words)

        return write


def _constant(value: str) -> Read:
    async def read() -> JsonValue:
        await anyio.lowlevel.checkpoint()
        return value

    return read


async def _nowhere(_value: JsonValue) -> None:
    """A setter that is a constant: accepted, without effect."""
    await anyio.lowlevel.checkpoint()


def _scaled(read: Read, scale: float) -> Read:
    if scale == 1.0:
        return read

    async def scaled() -> JsonValue:
        value = await read()
        number = as_number(value)
        return value if number is None else number * scale

    return scaled


def _extract(text: str, path: str, place: str) -> JsonValue:
    try:
        return read_path(text, path)
    except PathError as error:
        raise DeviceImplausible(f"{place}: {error}") from error


def _calculated(source: CalcSource, operands: Sequence[Read]) -> Read:
    async def read() -> JsonValue:
        numbers: list[float] = []
        for operand in operands:
            value = await operand()
            number = as_number(value)
            if number is None:
                return value if says_otherwise(value) else None
            numbers.append(number)
        return _calculate(source.operation, numbers)

    return _scaled(read, source.scale)


def _calculate(operation: CalcOperation, numbers: Sequence[float]) -> float | None:
    match operation:
        case CalcOperation.ADD:
            return math.fsum(numbers)
        case CalcOperation.MUL:
            return math.prod(numbers)
        case CalcOperation.DIV:
            return None if numbers[1] == 0 else numbers[0] / numbers[1]
        case CalcOperation.MIN:
            return min(numbers)
        case CalcOperation.MAX:
            return max(numbers)
        case CalcOperation.ABS:
            return abs(numbers[0])
        case CalcOperation.SIGN:
            return float((numbers[0] > 0) - (numbers[0] < 0))


def _status_of(plugged: Read, charging: Read) -> Read:
    async def read() -> JsonValue:
        is_plugged, is_charging = as_truth(await plugged()), as_truth(await charging())
        if is_plugged is None or is_charging is None:
            return None
        if not is_plugged:
            return "A"
        return "C" if is_charging else "B"

    return read


def _timeout_s(timeout: timedelta | None, default_s: float) -> float:
    return default_s if timeout is None else timeout.total_seconds()
