"""Where a Modbus device is: the keys of templates (``modbus: tcpip``) and those of plugins (``uri``); and an MQTT broker."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from evcc_server.config.section import Section
from evcc_server.config.sources import ModbusAddress, NetworkAddress, SerialAddress, Transport
from evcc_server.mqtt.broker_link import BrokerAddress
from evcc_server.quoting import quoted

COMSETS = ("8N1", "8E1", "8N2", "8O1", "7E1", "7N2")
BAUDRATES_MAX = 1_000_000
DEFAULT_PORT = 502

# What users write -> transports, of which the first that the device has is taken.
_CHOICES: dict[str, tuple[Transport, ...]] = {
    "tcpip": (Transport.TCP,),
    "rs485tcpip": (Transport.RTU_OVER_TCP, Transport.ASCII_OVER_TCP),
    "rs485serial": (Transport.RTU, Transport.ASCII),
    "udp": (Transport.UDP,),
}
_NETWORK_ORDER = (Transport.TCP, Transport.RTU_OVER_TCP, Transport.ASCII_OVER_TCP, Transport.UDP)
_SERIAL_ORDER = (Transport.RTU, Transport.ASCII)
_NAME = re.compile(r"\w[\w.-]*")


def split_host_port(text: str, default_port: int) -> tuple[str, int]:
    """``host``, ``host:port``, ``[v6]:port`` or a URL of these. Raises ValueError."""
    parts = urlsplit(text if "://" in text else f"//{text}")
    if not parts.hostname or not _is_host(parts.hostname) or "@" in parts.netloc or parts.path not in ("", "/"):
        raise ValueError(f"{quoted(text)} is no address")
    port = default_port if parts.port is None else parts.port
    if not 1 <= port <= 65535:
        raise ValueError(f"{quoted(text)} has no usable port")
    return parts.hostname, port


def check_host(section: Section, key: str, host: str) -> None:
    """Nobody could be reached at ``host``, or listen there, with anything beside the name: a port, a scheme, a placeholder."""
    if _is_host(host):
        return
    rest = "; an environment variable is ${NAME}, in capital letters" if "${" in host else ""
    shown = quoted(host.rpartition("@")[2])
    section.problem(key, f"{shown} is no host, expected a name or an address alone, without port and http://{rest}")


def _is_host(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return _NAME.fullmatch(text) is not None
    return True


def broker_address(text: str) -> BrokerAddress:
    """``[tls://]host[:port]`` of an MQTT broker; the port is 1883, with TLS 8883. Raises ValueError for the owner."""
    scheme = text.partition("://")[0].casefold() if "://" in text else "tcp"
    has_tls = scheme in ("tls", "ssl", "mqtts")
    if not has_tls and scheme not in ("tcp", "mqtt"):
        raise ValueError(f"{scheme}:// is not supported, expected host:port, tcp:// or tls://")
    try:
        return BrokerAddress(*split_host_port(text, 8883 if has_tls else 1883), has_tls)
    except ValueError:
        rest = " without user and password, which are keys of their own" if "@" in text else ""
        raise ValueError(f"no address, expected host, host:port or tls://host:port{rest}") from None


def read_template_address(
    section: Section,
    *,
    transports: Sequence[str],
    default_port: int | None,
    default_serial: tuple[int, str],
) -> ModbusAddress | None:
    """The address in a template's parameters; ``transports`` are those of the device."""
    choices = sorted(choice for choice, wanted in _CHOICES.items() if set(wanted) & set(transports))
    choice = section.word("modbus", _CHOICES)
    host = section.text("host")
    port = section.integer("port", low=1, high=65535)
    uri = section.text("uri")
    device = section.text("device")
    baudrate = section.integer("baudrate", default=default_serial[0], low=300, high=BAUDRATES_MAX)
    comset = section.word("comset", COMSETS, default=default_serial[1]) or default_serial[1]
    if choice is not None and choice not in choices:
        section.problem("modbus", f"{choice} is not possible with this device, expected {' or '.join(choices)}")
        return None
    if section.findings.problems and choice is None and section.has("modbus"):
        return None
    if uri and not host:
        try:
            host, uri_port = split_host_port(uri, default_port or DEFAULT_PORT)
        except ValueError:
            section.problem("uri", f"{quoted(uri.rpartition('@')[2])} is no address, expected host:port alone")
            return None
        port = port or uri_port
    wanted = _CHOICES[choice] if choice else (_NETWORK_ORDER if host else _SERIAL_ORDER if device else ())
    possible = [transport for transport in wanted if transport in transports]
    if not possible:
        named = f"modbus ({', '.join(choices)}) and " if len(choices) > 1 else ""
        keys = "host" if choices == ["tcpip"] else "host or device"
        section.problem("", f"missing: {named}{keys}")
        return None
    transport = possible[0]
    if transport in _SERIAL_ORDER:
        if not device:
            section.problem("device", "missing, expected the serial port, such as /dev/ttyUSB0")
            return None
        return SerialAddress(device=device, baudrate=baudrate, comset=comset, transport=transport)
    if not host:
        section.problem("host", "missing, expected the name or address of the device")
        return None
    check_host(section, "host", host)
    return NetworkAddress(host=host, port=port or default_port or DEFAULT_PORT, transport=transport)


def read_plugin_address(section: Section) -> ModbusAddress | None:
    """The address in a plugin: ``uri`` with ``rtu``, or ``device`` with ``baudrate`` and ``comset``."""
    uri = section.text("uri")
    device = section.text("device")
    is_rtu = section.boolean("rtu", default=False)
    is_udp = section.boolean("udp", default=False)
    baudrate = section.integer("baudrate", default=9600, low=300, high=BAUDRATES_MAX)
    comset = section.word("comset", COMSETS, default="8N1") or "8N1"
    if device and not uri:
        return SerialAddress(device=device, baudrate=baudrate, comset=comset)
    if not uri:
        section.problem("uri", "missing, expected host:port (or device for a serial port)")
        return None
    try:
        host, port = split_host_port(uri, DEFAULT_PORT)
    except ValueError:
        section.problem("uri", f"{quoted(uri.rpartition('@')[2])} is no address, expected host:port alone")
        return None
    transport = Transport.RTU_OVER_TCP if is_rtu else Transport.UDP if is_udp else Transport.TCP
    return NetworkAddress(host=host, port=port, transport=transport)
