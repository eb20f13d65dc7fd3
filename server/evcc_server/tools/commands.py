"""The commands to commission a site: ``check``, ``meter``, ``charger``, ``tariff``, ``plan``, ``scan``, ``devices``,
``trace``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import trio

from evcc_server.clock import Clock
from evcc_server.config.load import load_config
from evcc_server.config.model import Config
from evcc_server.config.problems import ConfigError, Problem, expected_one_of
from evcc_server.config.read_address import BAUDRATES_MAX, COMSETS, DEFAULT_PORT, split_host_port
from evcc_server.config.sources import ModbusAddress, NetworkAddress, SerialAddress, Transport
from evcc_server.devices.plugin.mqtt import BrokerTopics
from evcc_server.errors import DeviceError
from evcc_server.log import set_up_logging
from evcc_server.modbus.frame_text import describe_frame
from evcc_server.modbus.link import Trace
from evcc_server.secrets import redact
from evcc_server.tools.check import check
from evcc_server.tools.devices_list import list_devices
from evcc_server.tools.plan import lines as plan_lines
from evcc_server.tools.plan import next_time, planned
from evcc_server.tools.read_once import Findings, Order, give_orders, orders, read_all, read_charger, read_meter
from evcc_server.tools.scan import parse_units, scan
from evcc_server.tools.tariff import configured, fetch_all, lines
from evcc_server.tools.values_text import table
from evcc_server.wiring.factory import WIRE_FRAMINGS, Devices, Links, Opener, build, open_stream
from evcc_server.wiring.site import time_zone, to_site_config
from evcclib.errors import InvalidSetting
from evcclib.model import TariffKind
from evcclib.tariff import Rates

OK, DEVICE_PROBLEM, CONFIG_PROBLEM = 0, 1, 2
MQTT_SETTLE_S = 3.0
"""How long a tool waits for the first MQTT messages before it reads plugins."""

Subparsers = Any  # argparse's class for it is private


def add_tools(commands: Subparsers, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add the tools' commands to the parser."""
    checking = commands.add_parser("check", help="check the configuration and read every device once")
    add_config(checking)
    checking.set_defaults(run=run_check)

    meter = commands.add_parser("meter", help="read meters")
    add_config(meter)
    meter.add_argument("name", nargs="?", help="default: all")
    meter.set_defaults(run=run_meter)

    charger = commands.add_parser("charger", help="read chargers, or tell one of them something")
    add_config(charger)
    charger.add_argument("name", nargs="?", help="default: all")
    switch = charger.add_mutually_exclusive_group()
    switch.add_argument("--enable", dest="enable", action="store_const", const=True, help="let it charge")
    switch.add_argument("--disable", dest="enable", action="store_const", const=False, help="stop it")
    charger.add_argument("--current", type=_amperes, metavar="A", help="limit the current")
    charger.add_argument("--phases", type=int, choices=(1, 3), help="switch the phases")
    charger.add_argument("--yes", action="store_true", help="do not ask before writing")
    charger.set_defaults(run=run_charger)

    tariff = commands.add_parser("tariff", help="fetch prices, emissions and the forecast of the sun once")
    add_config(tariff)
    tariff.add_argument("name", nargs="?", help="grid, feedin, planner, co2 or solar; default: all")
    tariff.set_defaults(run=run_tariff)

    plan = commands.add_parser("plan", help="plan a charge with the lists as they are now; nothing is told to anybody")
    add_config(plan)
    plan.add_argument(
        "loadpoint", nargs="?", type=int, default=1, metavar="N", help="the loadpoint, from 1 on; default: 1"
    )
    plan.add_argument("--energy", type=float, required=True, metavar="KWH", help="how much the car is to get")
    plan.add_argument("--by", required=True, metavar="TIME", help="07:00, or a date with its time")
    plan.set_defaults(run=run_plan)

    scanning = commands.add_parser("scan", help="find Modbus units on a host or a serial bus; reads only")
    scanning.add_argument("target", metavar="HOST[:PORT]|DEVICE", help="192.0.2.2, 192.0.2.2:502 or /dev/ttyUSB0")
    scanning.add_argument("--rtu", action="store_true", help="RTU frames over TCP, as through a gateway")
    scanning.add_argument("--units", default="1-247", type=_units, help="default: 1-247; such as 1-10,50,200")
    scanning.add_argument("--timeout", type=float, default=0.3, metavar="S", help="for each unit, default 0.3")
    scanning.add_argument("--baudrate", type=int, default=9600, help="default: 9600")
    scanning.add_argument("--comset", choices=COMSETS, default="8N1", help="default: 8N1")
    scanning.set_defaults(run=run_scan)

    listing = commands.add_parser("devices", help="list supported devices; with words, search them")
    listing.add_argument("words", nargs="*", metavar="word", help="template, vendor, product")
    listing.set_defaults(run=run_devices)

    tracing = commands.add_parser("trace", help="show every Modbus frame while devices are read")
    add_config(tracing)
    tracing.add_argument("names", nargs="*", metavar="name", help="meters and chargers, default: all")
    tracing.add_argument(
        "--count", type=_count, default=1, metavar="N", help="how often to read, default 1, 0: for ever"
    )
    tracing.set_defaults(run=run_trace)


def run_check(options: argparse.Namespace) -> int:
    """``check``."""
    config = _load(options.config)

    async def work(devices: Devices) -> int:
        lines, is_ok = await check(config, devices, clock=Clock())
        _print_all(lines, config)
        return OK if is_ok else DEVICE_PROBLEM

    return _with_devices(config, work)


def run_meter(options: argparse.Namespace) -> int:
    """``meter``."""
    config = _load(options.config)
    only = _only(config, meters=True, names=[] if options.name is None else [options.name])

    async def work(devices: Devices) -> int:
        found = [await read_meter(devices.meters[name], devices.meter(name)) for name in devices.meters]
        return _report(found, config)

    return _with_devices(only, work)


def run_charger(options: argparse.Namespace) -> int:
    """``charger``."""
    config = _load(options.config)
    only = _only(config, chargers=True, names=[] if options.name is None else [options.name])
    todo = orders(enable=options.enable, current_a=options.current, phases=options.phases)
    if todo and len(only.chargers) != 1:
        names = ", ".join(charger.name for charger in only.chargers) or "none"
        print(f"evcc-server: name the charger to write to: {names}", file=sys.stderr)
        return CONFIG_PROBLEM

    async def work(devices: Devices) -> int:
        if todo:
            return await _order(devices, next(iter(devices.chargers)), todo, config, is_confirmed=options.yes)
        found = [await read_charger(devices.chargers[name], devices.charger(name)) for name in devices.chargers]
        return _report(found, config)

    return _with_devices(only, work)


async def _order(devices: Devices, name: str, todo: Sequence[Order], config: Config, *, is_confirmed: bool) -> int:
    built, charger = devices.chargers[name], devices.charger(name)
    for point in built.open_points:
        print(f"{name}: not confirmed by anybody: {point}", file=sys.stderr)
    capabilities = charger.config
    for order in todo:
        if order.text.startswith("switch") and not capabilities.can_switch_phases:
            print(f"evcc-server: {name} cannot switch phases; nothing was written", file=sys.stderr)
            return CONFIG_PROBLEM
        maximum = capabilities.current_max_a
        if order.current_a is not None and not 0 < order.current_a <= (80.0 if maximum is None else maximum):
            limit = f"{80 if maximum is None else maximum:g}"
            print(f"evcc-server: {name} takes more than 0 to {limit} A; nothing was written", file=sys.stderr)
            return CONFIG_PROBLEM
    plan = ", then ".join(order.text for order in todo)
    if not is_confirmed and not await _confirmed(f"{name}: {plan}. This writes to the device. Continue? [y/N] "):
        print("nothing was written", file=sys.stderr)
        return CONFIG_PROBLEM
    try:
        await give_orders(charger, todo, deadline=built.deadline)
    except DeviceError as error:
        print(f"evcc-server: {name}: {redact(str(error), config.secrets)}", file=sys.stderr)
        return DEVICE_PROBLEM
    print(f"{name}: done: {plan}")
    if charger.keepalive is not None:
        print(f"{name}: its watchdog is armed; while no server runs it soon falls back to its fail-safe current")
    return _report([await read_charger(built, charger)], config)


async def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        print("evcc-server: not a terminal; add --yes to write without being asked", file=sys.stderr)
        return False

    def ask() -> str:
        try:
            return input(question)
        except EOFError:
            return ""

    answer = await anyio.to_thread.run_sync(ask)
    return answer.strip().casefold() in ("y", "yes", "j", "ja")


def run_tariff(options: argparse.Namespace) -> int:
    """``tariff``."""
    config = _load(options.config)
    known = configured(config)
    if options.name is not None and options.name not in known:
        text = (
            f"tariff {options.name!r} is not configured, {expected_one_of(options.name, known) if known else 'none is'}"
        )
        raise ConfigError([Problem(config.file, 1, "tariffs", text)])
    only = None if options.name is None else [TariffKind(options.name)]

    async def work(devices: Devices) -> int:
        is_ok = True
        for kind, answer in (await fetch_all(config, devices, Clock(), only)).items():
            if isinstance(answer, str):
                is_ok = False
                print(f"tariff {kind}: {redact(answer, config.secrets)}", file=sys.stderr)
                continue
            for odd in answer.oddities:
                print(f"tariff {kind}: {odd}", file=sys.stderr)
            _print_all([f"tariff {kind}", *(f"  {line}" for line in lines(answer, time_zone(config)))], config)
        return OK if is_ok else DEVICE_PROBLEM

    return _with_devices(_only(config, names=[]), work)


def run_plan(options: argparse.Namespace) -> int:
    """``plan``."""
    config = _load(options.config)
    if not 1 <= options.loadpoint <= len(config.loadpoints):
        print(f"evcc-server: loadpoint {options.loadpoint}: expected 1 to {len(config.loadpoints)}", file=sys.stderr)
        return CONFIG_PROBLEM
    zone = time_zone(config)

    async def work(devices: Devices) -> int:
        clock = Clock()
        is_ok = True
        lists: dict[TariffKind, Rates] = {}
        for kind, answer in (await fetch_all(config, devices, clock)).items():
            if isinstance(answer, str):
                is_ok = False
                print(f"tariff {kind}: {redact(answer, config.secrets)}", file=sys.stderr)
            else:
                lists.update(answer.lists)
        try:
            now = clock.now()
            preview = planned(
                to_site_config(config, devices),
                lists,
                loadpoint=options.loadpoint - 1,
                energy_kwh=options.energy,
                by=next_time(options.by, now.utc, zone),
                now=now,
            )
        except InvalidSetting as error:
            print(f"evcc-server: {error}", file=sys.stderr)
            return CONFIG_PROBLEM
        prices = lists.get(TariffKind.PLANNER) or lists.get(TariffKind.GRID)
        _print_all(plan_lines(preview, prices, now.utc, zone), config)
        return OK if is_ok else DEVICE_PROBLEM

    return _with_devices(config, work)


def run_scan(options: argparse.Namespace) -> int:
    """``scan``."""
    return run_scan_with(options, open_stream)


def run_scan_with(options: argparse.Namespace, opener: Opener) -> int:
    """``scan`` with a way to open streams."""
    try:
        address = _scan_address(options)
    except ValueError as error:
        print(f"evcc-server: {error}", file=sys.stderr)
        return CONFIG_PROBLEM
    set_up_logging("warn", {})

    async def work() -> int:
        link = Links(opener).get(address)
        found, failure = 0, ""
        try:
            async for unit in scan(link, options.units, timeout_s=options.timeout):
                print(f"unit {unit.number}: {unit.description}", flush=True)
                found += 1
        except DeviceError as error:
            failure = str(error)
        finally:
            await link.aclose()
        if failure:
            print(f"evcc-server: {failure}", file=sys.stderr)
        else:
            print(f"{found} of {len(options.units)} units answer")
        if not found and link.openings:
            print(f"evcc-server: {_scan_hint(address)}", file=sys.stderr)
        return OK if found and not failure else DEVICE_PROBLEM

    return trio.run(work)


def _scan_hint(address: ModbusAddress) -> str:
    """What to try when no unit has answered."""
    if isinstance(address, SerialAddress):
        return f"{address.baudrate} baud {address.comset}: the device may want other --baudrate or --comset"
    if address.transport is Transport.TCP:
        return "a gateway that passes serial frames through (transparent, raw) wants --rtu"
    return "a gateway that speaks Modbus TCP itself wants no --rtu"


def _scan_address(options: argparse.Namespace) -> ModbusAddress:
    target: str = options.target
    if not 0 < options.timeout <= 60:
        raise ValueError("--timeout must be more than 0 and at most 60 seconds")
    if target.startswith(("/", ".")) or target.upper().startswith("COM"):
        if not 300 <= options.baudrate <= BAUDRATES_MAX:
            raise ValueError(f"--baudrate must be 300 to {BAUDRATES_MAX}")
        return SerialAddress(device=target, baudrate=options.baudrate, comset=options.comset)
    try:
        host, port = split_host_port(target, DEFAULT_PORT)
    except ValueError as error:
        raise ValueError(f"{target!r}: {error}, expected HOST[:PORT] with a port from 1 to 65535") from error
    return NetworkAddress(host=host, port=port, transport=Transport.RTU_OVER_TCP if options.rtu else Transport.TCP)


def run_devices(options: argparse.Namespace) -> int:
    """``devices``."""
    lines, was_found = list_devices(options.words)
    print("\n".join(lines))
    return OK if was_found else DEVICE_PROBLEM


def run_trace(options: argparse.Namespace) -> int:
    """``trace``."""
    config = _load(options.config)
    only = _only(config, meters=True, chargers=True, names=options.names)

    def trace(address: ModbusAddress) -> Trace:
        framing = WIRE_FRAMINGS[address.transport]

        def note(is_sent: bool, data: bytes) -> None:
            text = describe_frame(data, framing, is_sent=is_sent)
            now = Clock().utc().strftime("%H:%M:%S.%f")[:-3]
            print(f"{now} {address} {'->' if is_sent else '<-'} {text}", flush=True)

        return note

    async def work(devices: Devices) -> int:
        rounds = 0
        is_ok = True
        while options.count == 0 or rounds < options.count:
            found = await read_all(devices)
            for key, findings in found.items():
                is_ok = is_ok and findings.is_ok
                if findings.error:
                    print(f"{key}: {redact(findings.error, config.secrets)}", file=sys.stderr)
            rounds += 1
            if options.count == 0 or rounds < options.count:
                await anyio.sleep(config.interval.total_seconds())
        return OK if is_ok else DEVICE_PROBLEM

    return _with_devices(only, work, trace=trace)


def _load(path: Path) -> Config:
    config = load_config(path)
    set_up_logging("warn", {}, config.secrets)
    return config


def _only(config: Config, *, names: Sequence[str], meters: bool = False, chargers: bool = False) -> Config:
    """``config`` with only these meters and chargers, and nothing else to build. Raises `ConfigError`."""
    known = [*(m.name for m in config.meters if meters), *(c.name for c in config.chargers if chargers)]
    for name in names:
        if name not in known:
            kind = "meter" if not chargers else "charger" if not meters else "device"
            raise ConfigError(
                [Problem(config.file, 1, "", f"{kind} {name!r} does not exist, {expected_one_of(name, known)}")]
            )
    return replace(
        config,
        meters=tuple(m for m in config.meters if meters and (not names or m.name in names)),
        chargers=tuple(c for c in config.chargers if chargers and (not names or c.name in names)),
        vehicles=(),
        proxies=(),
    )


def _with_devices(
    config: Config,
    work: Callable[[Devices], Awaitable[int]],
    *,
    trace: Callable[[ModbusAddress], Trace] | None = None,
) -> int:
    async def main() -> int:
        topics = BrokerTopics(config.mqtt.broker, config.mqtt) if config.mqtt.broker else None
        devices = build(config, topics=topics, trace=trace, everything=True)
        async with anyio.create_task_group() as group:
            if topics is not None:
                group.start_soon(topics.run)
                await anyio.sleep(MQTT_SETTLE_S)
            try:
                status = await work(devices)
            finally:
                with anyio.CancelScope(shield=True):
                    await devices.aclose()
            group.cancel_scope.cancel()
        return status

    return trio.run(main)


def _report(found: Sequence[Findings], config: Config) -> int:
    for findings in found:
        if findings.error:
            print(f"{findings.name}: {redact(findings.error, config.secrets)}", file=sys.stderr)
        else:
            print(findings.name)
            _print_all([f"  {line}" for line in table(("value", "reading"), findings.rows)], config)
    return OK if all(findings.is_ok for findings in found) else DEVICE_PROBLEM


def _print_all(lines: Sequence[str], config: Config) -> None:
    print(redact("\n".join(lines), config.secrets))


def _amperes(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of amperes") from error


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 0 on")
    return int(text)


def _units(text: str) -> tuple[int, ...]:
    try:
        return parse_units(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
