"""From configuration to devices: one link for each physical connection, shared by everything that is behind it.

Building opens nothing; a link connects at its first request. ``opener`` is how a stream comes into being, so the simulator can
put plants behind addresses.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

import anyio
from anyio.abc import ByteStream

from evcc_server.clock import system_utc
from evcc_server.config.links import link_key
from evcc_server.config.model import (
    ChargerEntry,
    Config,
    CustomCharger,
    CustomMeter,
    MeterEntry,
    ModbusProxy,
    TemplateDevice,
    VehicleEntry,
)
from evcc_server.config.sources import ModbusAddress, NetworkAddress, SerialAddress, Transport
from evcc_server.devices.contract import Built, Charger, Meter, Vehicle
from evcc_server.devices.plugin.charger import PluginCharger
from evcc_server.devices.plugin.http import HttpClient
from evcc_server.devices.plugin.limit import PluginLimit
from evcc_server.devices.plugin.meter import PluginMeter
from evcc_server.devices.plugin.mqtt import NoTopics, Topics
from evcc_server.devices.plugin.sources import Plugins
from evcc_server.devices.plugin.vehicle import PluginVehicle
from evcc_server.devices.template.modbus_charger import ModbusCharger
from evcc_server.devices.template.modbus_meter import ModbusMeter
from evcc_server.log import TRACE
from evcc_server.modbus import wire
from evcc_server.modbus.frame_text import describe_frame
from evcc_server.modbus.link import Link, Trace
from evcc_server.modbus.serial import open_serial
from evcc_server.modbus.udp import open_udp
from evcc_server.profiles import profile as profiles
from evcc_server.wiring.site import time_zone

_frames_log = logging.getLogger("evcc_server.modbus.frames")

Opener = Callable[[ModbusAddress], Awaitable[ByteStream]]

FAST_PERIOD = timedelta(seconds=1)
"""How often a meter that guards a circuit is read."""
DEADLINE_MIN = timedelta(seconds=5)
VEHICLE_MIN_A = 6.0
"""IEC 61851: no vehicle charges with less."""

WIRE_FRAMINGS: Mapping[Transport, wire.Framing] = {
    Transport.TCP: wire.Framing.SOCKET,
    Transport.RTU: wire.Framing.RTU,
    Transport.RTU_OVER_TCP: wire.Framing.RTU,
    Transport.UDP: wire.Framing.RTU,
    Transport.ASCII: wire.Framing.ASCII,
    Transport.ASCII_OVER_TCP: wire.Framing.ASCII,
}


async def open_stream(address: ModbusAddress) -> ByteStream:
    """A stream to the real device at ``address``. Raises OSError."""
    match address:
        case NetworkAddress(host=host, port=port, transport=Transport.UDP):
            return await open_udp(host, port)
        case NetworkAddress(host=host, port=port):
            return await anyio.connect_tcp(host, port)
        case SerialAddress(device=device, baudrate=baudrate, comset=comset):
            try:
                return await open_serial(device, baudrate, comset)
            except ValueError as error:
                raise OSError(f"{device}: {error}") from error


def _logged(address: ModbusAddress) -> Trace | None:
    """Every frame in the log, for ``levels: {modbus: trace}``."""
    if not _frames_log.isEnabledFor(TRACE):
        return None
    framing = WIRE_FRAMINGS[address.transport]

    def note(is_sent: bool, data: bytes) -> None:
        text = describe_frame(data, framing, is_sent=is_sent)
        _frames_log.log(TRACE, "%s %s %s", address, "->" if is_sent else "<-", text)

    return note


class Links:
    """The links by address, made when first asked for."""

    def __init__(self, opener: Opener = open_stream, *, trace: Callable[[ModbusAddress], Trace] | None = None) -> None:
        self._opener = opener
        self._trace = trace
        self._links: dict[tuple[str, int], Link] = {}

    def get(self, address: ModbusAddress) -> Link:
        """The one link to ``address``."""
        key = link_key(address)
        link = self._links.get(key)
        if link is None:
            opener = self._opener

            async def connect() -> ByteStream:
                return await opener(address)

            trace = _logged(address) if self._trace is None else self._trace(address)
            link = self._links[key] = Link(connect, WIRE_FRAMINGS[address.transport], name=str(address), trace=trace)
        return link

    def all(self) -> tuple[Link, ...]:
        """Every link made so far."""
        return tuple(self._links.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """Everything that was built, by configured name; only what the site uses, unless all was asked for."""

    meters: Mapping[str, Built] = field(default_factory=dict)
    chargers: Mapping[str, Built] = field(default_factory=dict)
    vehicles: Mapping[str, Vehicle] = field(default_factory=dict)
    limits: Mapping[str, PluginLimit] = field(default_factory=dict)
    plugins: Plugins
    links: Links
    proxies: tuple[tuple[ModbusProxy, Link], ...] = ()

    def meter(self, name: str) -> Meter:
        """The meter called ``name``. Raises `KeyError`."""
        return cast(Meter, self.meters[name].device)  # `build` puts only meters there

    def charger(self, name: str) -> Charger:
        """The charger called ``name``. Raises `KeyError`."""
        return cast(Charger, self.chargers[name].device)  # `build` puts only chargers there

    async def aclose(self) -> None:
        """Close every connection."""
        for link in self.links.all():
            await link.aclose()
        await self.plugins.http.aclose()


def build(
    config: Config,
    *,
    opener: Opener = open_stream,
    topics: Topics | None = None,
    http: HttpClient | None = None,
    trace: Callable[[ModbusAddress], Trace] | None = None,
    everything: bool = False,
    utc: Callable[[], datetime] = system_utc,
) -> Devices:
    """The devices of ``config`` that its site uses; with ``everything`` also those that it does not."""
    links = Links(opener, trace=trace)
    http = http or HttpClient()
    topics = topics or NoTopics()
    zone = time_zone(config)
    plugins = Plugins(links=links, http=http, topics=topics, now=lambda: utc().astimezone(zone))
    used = used_meters(config)
    guards = {circuit.meter for circuit in config.circuits if circuit.meter}
    return Devices(
        meters={
            entry.name: _meter(entry, config, plugins, FAST_PERIOD if entry.name in guards else config.interval)
            for entry in config.meters
            if everything or entry.name in used
        },
        chargers={
            entry.name: _charger(entry, config, plugins)
            for entry in config.chargers
            if everything or any(loadpoint.charger == entry.name for loadpoint in config.loadpoints)
        },
        vehicles={entry.name: PluginVehicle(entry, plugins) for entry in config.vehicles if _has_plugins(entry)},
        limits={entry.name: PluginLimit(entry, plugins) for entry in config.operator_limits},
        plugins=plugins,
        links=links,
        proxies=tuple((proxy, links.get(proxy.address)) for proxy in config.proxies),
    )


def used_meters(config: Config) -> frozenset[str]:
    """Names of the meters that site, loadpoints and circuits refer to."""
    site = config.site
    names = {site.grid, *site.pv, *site.battery, *site.aux}
    names |= {loadpoint.meter for loadpoint in config.loadpoints} | {circuit.meter for circuit in config.circuits}
    return frozenset(name for name in names if name)


def _meter(entry: MeterEntry, config: Config, plugins: Plugins, period: timedelta) -> Built:
    match entry.device:
        case TemplateDevice() as device:
            profile = profiles.load(device.profile)
            meter = ModbusMeter(
                profile,
                plugins.links.get(device.address),
                device.unit,
                usage=device.usage,
                params=device.parameters,
                units=_units(device),
                timeout_s=None if device.timeout is None else device.timeout.total_seconds(),
            )
            return Built(
                name=entry.name,
                device=meter,
                period=min(period, config.interval),
                deadline=_deadline(device),
                open_points=profile.open_points,
                details=_details(device),
            )
        case CustomMeter() as custom:
            return Built(
                name=entry.name,
                device=PluginMeter(entry.name, custom, plugins),
                period=config.interval,
                deadline=plugins.deadline(custom),
                details={"type": "custom"},
            )


def _charger(entry: ChargerEntry, config: Config, plugins: Plugins) -> Built:
    match entry.device:
        case TemplateDevice() as device:
            profile = profiles.load(device.profile)
            charger = ModbusCharger(
                profile,
                plugins.links.get(device.address),
                device.unit,
                connector=device.connector,
                safe_a=_safe_current_a(entry.name, config),
                params=device.parameters,
                units=_units(device),
                timeout_s=None if device.timeout is None else device.timeout.total_seconds(),
            )
            return Built(
                name=entry.name,
                device=charger,
                period=config.interval,
                deadline=_deadline(device),
                open_points=profile.open_points,
                details=_details(device),
            )
        case CustomCharger() as custom:
            return Built(
                name=entry.name,
                device=PluginCharger(entry.name, custom, plugins),
                period=config.interval,
                deadline=plugins.deadline(custom),
                details={"type": "custom"},
            )


def _safe_current_a(charger: str, config: Config) -> float | None:
    """What ``charger`` may draw when the server is gone: below a circuit no more than the circuit's safe current.

    Less than a vehicle can charge with is a pause. None: the charger's own minimum.
    """
    circuits = {circuit.name: circuit for circuit in config.circuits}
    safe_a: float | None = None
    for loadpoint in config.loadpoints:
        name = loadpoint.circuit if loadpoint.charger == charger else None
        while name is not None:
            safe_a = min(circuits[name].safe_current_a, math.inf if safe_a is None else safe_a)
            name = circuits[name].parent
    return 0.0 if safe_a is not None and safe_a < VEHICLE_MIN_A else safe_a


def _deadline(device: TemplateDevice) -> timedelta:
    """A poll may take several requests, each with its own time-out; the first one that fails ends it."""
    profile = profiles.load(device.profile)
    timeout = device.timeout or timedelta(milliseconds=profile.connection.timeout_ms)
    return max(DEADLINE_MIN, 5 * timeout)


def _units(device: TemplateDevice) -> Mapping[int, int]:
    """The unit id that the owner gave to the meter behind the device, in place of the usual one."""
    if device.meter_unit is None:
        return {}
    usual = {register.unit_id for register in profiles.load(device.profile).registers}
    return {unit: device.meter_unit for unit in usual if unit is not None}


def _details(device: TemplateDevice) -> Mapping[str, str]:
    return {
        "type": "template",
        "template": device.template,
        "profile": device.profile,
        "usage": device.usage,
        "address": str(device.address),
        "framing": str(device.address.transport),
        "unit": str(device.unit),
    }


def _has_plugins(entry: VehicleEntry) -> bool:
    sources = (entry.soc, entry.soc_limit, entry.range_km, entry.odometer, entry.status, entry.climater, entry.wakeup)
    return any(source is not None for source in sources)
