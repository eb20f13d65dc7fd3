"""Plugin sources: where one value of a custom device comes from, or goes to.

A source is data here; `evcc_server.devices.plugin.sources` makes it live. In texts of setters ``${name}`` stands for the value
being set, ``${name:%d}`` and ``${name:%.1f}`` format it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class Transport(StrEnum):
    """How Modbus requests are put on a wire."""

    TCP = "tcp"
    RTU = "rtu"
    RTU_OVER_TCP = "rtu-over-tcp"
    ASCII = "ascii"
    ASCII_OVER_TCP = "ascii-over-tcp"
    UDP = "udp"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkAddress:
    """A host and port that speaks Modbus."""

    host: str
    port: int
    transport: Transport

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialAddress:
    """A serial port; ``comset`` such as 8N1."""

    device: str
    baudrate: int
    comset: str
    transport: Transport = Transport.RTU

    def __str__(self) -> str:
        return self.device


ModbusAddress = NetworkAddress | SerialAddress


class RegisterAccess(StrEnum):
    """Which function code a register of a custom device takes."""

    HOLDING = "holding"
    INPUT = "input"
    COIL = "coil"
    DISCRETE = "discrete"
    WRITE_SINGLE = "writesingle"
    WRITE_MULTIPLE = "writemultiple"
    WRITE_COIL = "writecoil"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterSource:
    """``register`` of a custom device: 0-based address, data type, word order; ``mask`` picks bits."""

    address: int
    access: RegisterAccess
    data_type: str  # uint16 int16 uint32 int32 uint64 int64 float32 float64 bool string
    count: int
    is_low_word_first: bool = False
    has_sentinel: bool = False  # all ones (unsigned), the highest and lowest number (signed) mean "not available"
    mask: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstSource:
    """Always the same."""

    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusSource:
    """One register of a device."""

    address: ModbusAddress
    unit: int
    register: RegisterSource
    scale: float = 1.0
    timeout: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SunspecSource:
    """A SunSpec point; the first of ``points`` (``model:point`` or ``model:block:point``) that the device has."""

    address: ModbusAddress
    unit: int
    points: tuple[str, ...]
    subdevice: int = 0  # of several logical devices in one map
    scale: float = 1.0
    timeout: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSource:
    """An HTTP request. ``jq`` is a path into the JSON answer, "" the whole text."""

    uri: str = field(repr=False)  # secrets stand in it, too
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    body: str | None = None
    jq: str = ""
    scale: float = 1.0
    timeout: timedelta | None = None
    cache: timedelta = timedelta(0)
    is_insecure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSource:
    """An MQTT topic; as a setter ``payload`` is published there. A value older than ``timeout`` is missing."""

    topic: str
    payload: str | None = None
    jq: str = ""
    scale: float = 1.0
    timeout: timedelta | None = None
    is_retained: bool = False


class CalcOperation(StrEnum):
    """What to do with several values."""

    ADD = "add"
    MUL = "mul"
    DIV = "div"
    MIN = "min"
    MAX = "max"
    ABS = "abs"
    SIGN = "sign"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalcSource:
    """Arithmetic over other sources. A missing operand makes the result missing."""

    operation: CalcOperation
    operands: tuple[Source, ...]
    scale: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CombinedSource:
    """A charger's status from two facts: is a vehicle plugged in, does it charge."""

    plugged: Source
    charging: Source


Source = ConstSource | ModbusSource | SunspecSource | HttpSource | MqttSource | CalcSource | CombinedSource
Triple = tuple[Source, Source, Source]
