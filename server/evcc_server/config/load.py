"""``evcc.yaml`` to a `Config`: strict, and with every problem of the file at once."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

from evcc_server.config.links import check_links
from evcc_server.config.model import Auth, Config, Database, ModbusProxy, Network, Site, Tariffs
from evcc_server.config.problems import ConfigError, Problem
from evcc_server.config.read_address import broker_address, check_host, read_plugin_address, split_host_port
from evcc_server.config.read_devices import read_charger, read_meter
from evcc_server.config.read_operator_limit import read_operator_limit
from evcc_server.config.read_site import (
    check_battery_circuits,
    check_names,
    check_references,
    read_circuit,
    read_loadpoint,
    read_site,
)
from evcc_server.config.read_tariffs import read_tariffs
from evcc_server.config.read_vehicles import read_vehicle
from evcc_server.config.section import Findings, Section
from evcc_server.config.sources import NetworkAddress, Transport
from evcc_server.config.yaml_nodes import Items, Node, Scalar, Table, read_document
from evcc_server.mqtt.broker_link import MqttOptions
from evcc_server.quoting import quoted

LOG_LEVELS = ("fatal", "error", "warn", "info", "debug", "trace")
LANGUAGES = ("en", "de")
COMPATIBLE_WITH = ("0.114", "0.127", "today")
_INTERVAL_MIN = timedelta(milliseconds=100)

_IGNORED = {
    "sponsortoken": "not needed here, ignored",
    "plant": "not needed here, ignored",
    "profile": "not needed here, ignored",
    "metrics": "not needed here, ignored",
}
_UNSUPPORTED = dict.fromkeys(
    ("influx", "eebus", "messaging", "javascript", "go", "ocpp", "shm", "relays", "remote"),
    "this section is not supported, remove it",
) | {"hems": "this section is not supported, a grid operator's limit is read by operatorlimit"}


def load_config(path: str | Path, *, environment: Mapping[str, str] | None = None) -> Config:
    """The configuration in the file ``path``. Raises `ConfigError`, also when the file cannot be read."""
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(path.name, 1, "", f"not UTF-8 text: {error.reason}")]) from error
    except OSError as error:
        raise ConfigError([Problem(str(path), 1, "", f"cannot be read: {error.strerror}")]) from error
    return parse_config(text, path.name, environment=environment)


def parse_config(text: str, name: str = "evcc.yaml", *, environment: Mapping[str, str] | None = None) -> Config:
    """The configuration in ``text``; ``name`` stands in errors. Raises `ConfigError` with every problem found."""
    document = read_document(text, name, os.environ if environment is None else environment)
    if not isinstance(document, Table):
        raise ConfigError(
            [Problem(name, document.line, "", "expected a mapping (key: value) with site and loadpoints")]
        )
    findings = Findings(name)
    config = _config(Section(document, "", findings), document)
    problems = findings.problems or check_links(config)
    if problems:
        raise ConfigError(problems)
    return config


def keys_accepted_in(text: str) -> frozenset[str]:
    """Every key that reading ``text`` would have accepted, so that the manual can be compared with the reader."""
    document = read_document(text, "evcc.yaml", os.environ)
    assert isinstance(document, Table)
    findings = Findings("evcc.yaml")
    _config(Section(document, "", findings), document)
    return frozenset(findings.keys)


def _config(root: Section, document: Table) -> Config:
    site = _site(root)
    meters = root.each("meters", read_meter)
    chargers = root.each("chargers", read_charger)
    vehicles = root.each("vehicles", read_vehicle)
    circuits = root.each("circuits", read_circuit)
    interval = root.duration("interval", default=timedelta(seconds=10), low=_INTERVAL_MIN)
    limits = root.each("operatorlimit", functools.partial(read_operator_limit, site_interval=interval))
    loadpoints = root.each("loadpoints", read_loadpoint)
    if not loadpoints and root.node("loadpoints") is None:
        root.problem("loadpoints", "missing, expected a list of loadpoints")
    check_names(root, [("meter", meters), ("charger", chargers), ("vehicle", vehicles), ("circuit", circuits)])
    check_names(root, [("limit", limits)])
    check_battery_circuits(root, site, meters, [entry.name for entry in circuits])
    check_references(
        root,
        site,
        loadpoints,
        circuits,
        {
            "meter": [entry.name for entry in meters],
            "charger": [entry.name for entry in chargers],
            "vehicle": [entry.name for entry in vehicles],
            "circuit": [entry.name for entry in circuits],
        },
        _lines(document),
    )
    tariffs = root.section("tariffs")
    levels = root.section("levels")
    network = _network(root)
    config = Config(
        file=root.findings.file,
        network=network,
        interval=interval,
        database=_database(root),
        mqtt=_mqtt(root, network),
        site=site,
        meters=meters,
        chargers=chargers,
        vehicles=tuple(sorted(vehicles, key=lambda vehicle: vehicle.name)),
        loadpoints=loadpoints,
        circuits=circuits,
        operator_limits=limits,
        tariffs=read_tariffs(tariffs) if tariffs else Tariffs(),
        proxies=root.each("modbusproxy", _proxy),
        log=root.word("log", LOG_LEVELS, default="info") or "info",
        levels=_levels(levels) if levels else {},
        telemetry=root.boolean("telemetry", default=False),
        persists=root.boolean("persist", default=True),
        auth=_auth(root),
        api_compat=_compat(root.section("api")),
        time_zone=_time_zone(root),
        language=root.word("language", LANGUAGES, default="en") or "en",
    )
    root.close(ignored=_IGNORED, unsupported=_UNSUPPORTED)
    return _finished(config, root.findings)


def _site(root: Section) -> Site:
    """The site; a list of one is read as well."""
    sections = root.sections("site")
    if root.node("site") is None:
        root.problem("site", "missing, expected the section site with its meters")
    elif len(sections) > 1:
        root.problem("site", "expected one site, not several")
    return read_site(sections[0]) if len(sections) == 1 else Site()


def _finished(config: Config, findings: Findings) -> Config:
    warnings = tuple(sorted(findings.warnings, key=lambda warning: warning.line))
    return replace(config, warnings=warnings, secrets=frozenset(findings.secrets))


def _network(root: Section) -> Network:
    host, port = "127.0.0.1", 7070
    uri = root.text("uri")
    if uri is not None:
        root.warn("uri", "deprecated, write network: host and port")
        try:
            host, port = split_host_port(uri if not uri.startswith(":") else f"0.0.0.0{uri}", 7070)
        except ValueError:
            root.problem("uri", f"{quoted(uri)} is no address, expected host:port")
    section = root.section("network")
    if section is None:
        return Network(host=host, port=port)
    section.text("schema")
    host = section.text("host", default=host) or host
    check_host(section, "host", host)
    name = None
    if host.lower().endswith(".local"):
        # Sample files say evcc.local: the name that evcc announced, while it listened everywhere.
        section.warn("host", f"{host} is a name to announce, not an address: serving on all interfaces")
        name, host = host.lower(), "0.0.0.0"  # what the owner of such a file expects
    network = Network(
        host=host,
        port=section.integer("port", default=port, low=0, high=65535),
        name=name,
        allowed_origins=section.texts("allowedOrigins"),
        trusted_proxies=_networks(section, "trustedProxies"),
    )
    section.close()
    return network


def _networks(section: Section, key: str) -> tuple[IPv4Network | IPv6Network, ...]:
    networks = []
    for text in section.texts(key):
        try:
            networks.append(ip_network(text, strict=False))
        except ValueError:
            section.problem(key, f"{quoted(text)} is no address, expected one such as 192.0.2.1 or 192.0.2.0/24")
    return tuple(networks)


def _database(root: Section) -> Database:
    section = root.section("database")
    if section is None:
        return Database()
    section.word("type", ("sqlite",), default="sqlite")
    path = section.text("dsn", "path") or Database().path
    section.close()
    return Database(path=path)


def _mqtt(root: Section, network: Network) -> MqttOptions:
    section = root.section("mqtt")
    if section is None:
        return MqttOptions(allowed_origins=network.allowed_origins)
    broker = None
    if where := section.text("broker", default="").strip():
        try:
            broker = broker_address(where)
        except ValueError as error:
            section.problem("broker", str(error))
    topic = section.text("topic")
    if topic is not None and (topic.strip().startswith("$") or any(character in topic for character in "#+\0")):
        section.problem(
            "topic", f"{quoted(topic)} is no topic, expected one without # and + that does not begin with $"
        )
    host = section.text("host", default="127.0.0.1") or "127.0.0.1"
    check_host(section, "host", host)
    mqtt = MqttOptions(
        broker=broker,
        topic="evcc" if topic is None else topic.strip("/"),
        user=section.text("user", default=""),
        password=section.text("password", default=""),
        client_id=section.text("clientid", default=""),
        is_insecure=section.boolean("insecure", default=False),
        has_json=section.boolean("json", default=True),
        host=host,
        port=section.integer("port", default=1883, low=0, high=65535),
        websocket_port=section.integer("websocketPort", low=0, high=65535),
        allowed_origins=network.allowed_origins,
    )
    section.close()
    return mqtt


def _auth(root: Section) -> Auth:
    node = root.node("auth")
    if node is None:
        return Auth()
    if isinstance(node, Scalar):
        if node.text.casefold() != "none":
            root.problem("auth", "expected none, or a mapping with token")
        return Auth(is_open=True)
    section = root.section("auth")
    if section is None:
        return Auth()
    kind = section.word("type", ("none", "token"))
    token = section.text("token")
    if kind == "none":
        return Auth(is_open=True)
    if not token:
        section.problem("token", "missing, expected the bearer token of clients that may write")
    section.close()
    return Auth(token=token)


def _compat(section: Section | None) -> str:
    if section is None:
        return COMPATIBLE_WITH[0]
    compat = section.word("compat", COMPATIBLE_WITH, default=COMPATIBLE_WITH[0]) or COMPATIBLE_WITH[0]
    section.close()
    return compat


def _levels(section: Section) -> dict[str, str]:
    levels = {name: section.word(name, LOG_LEVELS, default="info") or "info" for name in section.names()}
    section.close()
    return levels


def _time_zone(root: Section) -> str | None:
    name = root.text("timezone")
    if name is None:
        return None
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        root.problem("timezone", f"{quoted(name)} is no time zone, expected one such as Europe/Berlin")
    return name


def _proxy(section: Section) -> ModbusProxy:
    port = section.integer("port", low=1, high=65535)
    if port is None and section.node("port") is None:
        section.problem("port", "missing, expected the port on which other programs connect")
    address = read_plugin_address(section)
    mode = section.text("readonly", default="false").casefold()
    if mode not in ("true", "false", "deny"):
        section.problem("readonly", f"{quoted(mode)} is not allowed, expected true, false or deny")
    section.close()
    nowhere = NetworkAddress(host="", port=502, transport=Transport.TCP)
    return ModbusProxy(
        port=port or 0,
        address=address or nowhere,
        is_read_only=mode != "false",
        line=section.line,
        place=section.path,
    )


def _lines(document: Table) -> dict[str, int]:
    """Line of every key, by its path in lower case."""
    lines: dict[str, int] = {}

    def walk(node: Node, path: str) -> None:
        if isinstance(node, Table):
            for entry in node.entries:
                place = f"{path}.{entry.key}" if path else entry.key
                lines[place.casefold()] = entry.line
                walk(entry.value, place)
        elif isinstance(node, Items):
            for i, item in enumerate(node.items):
                lines.setdefault(f"{path}[{i}]".casefold(), item.line)
                walk(item, f"{path}[{i}]")

    walk(document, "")
    return lines
