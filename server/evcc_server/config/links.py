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
    """Every plugin below ``owner``: a custom device, a vehicle, a tariff, or another plugin."""
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
    for source in sources_in(entry.device):
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
    """One connection cannot speak two protocols, nor have two speeds; MQTT plugins need a broker of their own kind."""
    problems: list[Problem] = []
    first: dict[tuple[str, int], tuple[ModbusAddress, str]] = {}
    entries: list[MeterEntry | ChargerEntry] = [*config.meters, *config.chargers]
    for entry in entries:
        for address in addresses_of(entry):
            known, place = first.setdefault(link_key(address), (address, entry.place))
            if known != address and (known.framing != address.framing or isinstance(address, SerialAddress)):
                message = (
                    f"{address} is {_manner(address)} here and {_manner(known)} in {place}; one connection has one"
                )
                problems.append(Problem(config.file, entry.line, entry.place, message))
                break
    if not config.mqtt.broker:
        tariffs = (config.tariffs.grid, config.tariffs.feed_in, config.tariffs.planner)
        owners: list[tuple[int, str, object]] = [(e.line, e.place, e) for e in (*entries, *config.vehicles)]
        owners += [(1, "tariffs", tariff) for tariff in tariffs if isinstance(tariff, CustomTariff)]
        for line, place, owner in owners:
            if any(isinstance(source, MqttSource) for source in sources_in(owner)):
                message = (
                    "source mqtt needs an outside broker, set mqtt: broker (the embedded one carries our topics only)"
                )
                problems.append(Problem(config.file, line, place, message))
    return problems


def _manner(address: ModbusAddress) -> str:
    if isinstance(address, SerialAddress):
        return f"{address.framing} {address.baudrate} {address.comset}"
    return str(address.framing)
