"""Which physical connections a configuration uses, and whether two entries contradict each other about one of them."""

from __future__ import annotations

from collections.abc import Iterator

from evcc_server.config.model import (
    ChargerEntry,
    Config,
    CustomCharger,
    CustomMeter,
    CustomTariff,
    MeterEntry,
    TemplateDevice,
    VehicleEntry,
)
from evcc_server.config.problems import Problem
from evcc_server.config.sources import (
    CalcSource,
    CombinedSource,
    ModbusAddress,
    ModbusSource,
    MqttSource,
    NetworkAddress,
    SerialAddress,
    Source,
    SunspecSource,
)


def sources_in(owner: object) -> Iterator[Source]:
    """Every plugin below ``owner``: a custom device, a vehicle, a tariff, an operator's limit, or another plugin."""
    match owner:
        case CalcSource(operands=operands):
            yield owner
            for operand in operands:
                yield from sources_in(operand)
        case CombinedSource(plugged=plugged, charging=charging):
            yield from sources_in(plugged)
            yield from sources_in(charging)
        case tuple():
            for item in owner:
                yield from sources_in(item)
        case _ if isinstance(owner, Source):
            yield owner
        case _:
            for name in getattr(owner, "__dataclass_fields__", ()):
                value = getattr(owner, name)
                if isinstance(value, Source | tuple | CustomMeter | CustomCharger):
                    yield from sources_in(value)


def addresses_of(entry: MeterEntry | ChargerEntry) -> Iterator[ModbusAddress]:
    """The Modbus addresses that ``entry`` uses."""
    if isinstance(entry.device, TemplateDevice):
        yield entry.device.address
        return
    yield from addresses_in(entry.device)


def addresses_in(owner: object) -> Iterator[ModbusAddress]:
    """The Modbus addresses of the plugins below ``owner``."""
    for source in sources_in(owner):
        if isinstance(source, ModbusSource | SunspecSource):
            yield source.address


def link_key(address: ModbusAddress) -> tuple[str, int]:
    """What makes two addresses the same physical connection."""
    match address:
        case NetworkAddress(host=host, port=port):
            return host.casefold(), port
        case SerialAddress(device=device):
            return device, 0


def check_links(config: Config) -> list[Problem]:
    """One connection cannot speak two protocols, nor have two speeds; a port has one listener; MQTT plugins need a broker."""
    return [*_check_connections(config), *check_ports(config), *_check_brokers(config)]


def _check_connections(config: Config) -> Iterator[Problem]:
    entries: list[MeterEntry | ChargerEntry] = [*config.meters, *config.chargers]
    users = [(entry.line, entry.place, set(addresses_of(entry))) for entry in entries]
    users += [(vehicle.line, vehicle.place, set(addresses_in(vehicle))) for vehicle in config.vehicles]
    users += [(limit.line, limit.place, set(addresses_in(limit))) for limit in config.operator_limits]
    users += [(proxy.line, proxy.place, {proxy.address}) for proxy in config.proxies]
    first: dict[tuple[str, int], tuple[ModbusAddress, str]] = {}
    for line, user, addresses in users:
        for address in sorted(addresses, key=str):
            known, place = first.setdefault(link_key(address), (address, user))
            if known != address and (known.transport != address.transport or isinstance(address, SerialAddress)):
                manners = f"{_manner(address)} here and {_manner(known)} in {place}"
                yield Problem(config.file, line, user, f"{address} is {manners}; one connection has one")
                break


def check_ports(config: Config, port: int | None = None) -> Iterator[Problem]:
    """Each port has one listener; 0 is any free one. ``port``: given on the command line in place of the file's own for HTTP."""
    taken = {config.network.port: "network.port"} if port is None else {port: "--port"}
    if config.mqtt.root and not config.mqtt.broker:
        embedded = {"mqtt.port": config.mqtt.port, "mqtt.websocketPort": config.mqtt.websocket_port or 0}
        for place, port in embedded.items():
            if port and port in taken:
                yield Problem(config.file, 1, place, f"port {port} is already taken by {taken[port]}")
            taken.setdefault(port, place)
    for proxy in config.proxies:
        place = f"{proxy.place}.port"
        if proxy.port in taken:
            yield Problem(config.file, proxy.line, place, f"port {proxy.port} is already taken by {taken[proxy.port]}")
        taken.setdefault(proxy.port, place)


def _check_brokers(config: Config) -> Iterator[Problem]:
    if config.mqtt.broker:
        return
    entries: list[MeterEntry | ChargerEntry | VehicleEntry] = [*config.meters, *config.chargers, *config.vehicles]
    owners: list[tuple[int, str, object]] = [(entry.line, entry.place, entry) for entry in entries]
    owners += [(limit.line, limit.place, limit) for limit in config.operator_limits]
    known = config.tariffs
    tariffs = (known.grid, known.feed_in, known.planner, known.co2, *known.solar)
    owners += [(1, "tariffs", tariff) for tariff in tariffs if isinstance(tariff, CustomTariff)]
    for line, place, owner in owners:
        if any(isinstance(source, MqttSource) for source in sources_in(owner)):
            reason = "the embedded one carries our topics only"
            yield Problem(config.file, line, place, f"source mqtt needs an outside broker, set mqtt: broker ({reason})")


def _manner(address: ModbusAddress) -> str:
    if isinstance(address, SerialAddress):
        return f"{address.transport} {address.baudrate} {address.comset}"
    return str(address.transport)
