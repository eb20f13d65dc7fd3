"""Every kind of mistake in evcc.yaml names its line and key, and says what is allowed; nothing is reported twice."""

from __future__ import annotations

import pytest

from evcc_server.config.load import parse_config
from evcc_server.config.problems import ConfigError

BASE = """\
site:
  title: Home
  meters: {grid: grid}
meters:
- name: grid
  type: template
  template: eastron
  usage: grid
  modbus: rs485tcpip
  host: 192.0.2.1
chargers:
- name: box
  type: template
  template: keba-modbus
  host: 192.0.2.2
vehicles:
- name: blue
  type: offline
loadpoints:
- charger: box
  vehicle: blue
  minCurrent: 6
  maxCurrent: 16
"""


def problems_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "evcc.yaml", environment={"SET": "value"})
    return str(caught.value).splitlines()


# what is replaced, by what, and the one line that must come of it
MISTAKES = [
    ("minCurrent: 6", "minCurent: 6", "22: loadpoints[0].minCurent: unknown key, did you mean minCurrent?"),
    ("title: Home", "titel: Home", "2: site.titel: unknown key, did you mean title?"),
    ("title: Home", "law: clasic", "2: site.law: 'clasic' is not known, did you mean classic?"),
    ("title: Home", "zzz: 1", "2: site.zzz: unknown key, allowed here: meters, title,"),
    (
        "minCurrent: 6",
        "minCurrent: six",
        "22: loadpoints[0].minCurrent: invalid value: six (allowed: 0.1..80 A)",
    ),
    (
        "minCurrent: 6",
        "minCurrent: true",
        "22: loadpoints[0].minCurrent: invalid value: true (allowed: 0.1..80 A)",
    ),
    (
        "minCurrent: 6",
        f"minCurrent: {'9' * 5000}",
        f"22: loadpoints[0].minCurrent: invalid value: {'9' * 80}... (allowed: 0.1..80 A)",
    ),
    ("minCurrent: 6", "minCurrent: .nan", "22: loadpoints[0].minCurrent: invalid value: .nan (allowed: 0.1..80 A)"),
    (
        "minCurrent: 6",
        "minCurrent: 99",
        "22: loadpoints[0].minCurrent: current out of range: 99 (allowed: 0.1..80 A)",
    ),
    (
        "minCurrent: 6",
        "minCurrent: 20",
        "22: loadpoints[0].minCurrent: min current must be smaller or equal than max current: 20 (allowed: 0.1..16 A)",
    ),
    (
        "minCurrent: 6",
        "minCurrent: [6]",
        "22: loadpoints[0].minCurrent: expected 0.1..80 A, not a list",
    ),
    (
        "minCurrent: 6",
        "mode: fast",
        "22: loadpoints[0].mode: invalid value: fast (allowed: off, now, minpv, pv)",
    ),
    (
        "minCurrent: 6",
        "phases: 2",
        "22: loadpoints[0].phases: invalid number of phases: 2 (allowed: 0 (automatic), 1 or 3)",
    ),
    (
        "minCurrent: 6",
        "phases: 1.5",
        "22: loadpoints[0].phases: invalid number of phases: 1.5 (allowed: 0 (automatic), 1 or 3)",
    ),
    (
        "minCurrent: 6",
        "priority: 11",
        "22: loadpoints[0].priority: priority out of range: 11 (allowed: 0..10)",
    ),
    (  # the file takes what a client may set and a restart brings back, and no more
        "minCurrent: 6",
        "enable: {delay: 48h}",
        "22: loadpoints[0].enable.delay: delay out of range: 48h (allowed: 0..86400 s, such as 90s or 1m30s)",
    ),
    (
        "minCurrent: 6",
        "enable: {delay: 5}",
        "22: loadpoints[0].enable.delay: invalid value: 5 (allowed: 0..86400 s, such as 90s or 1m30s)",
    ),
    (
        "maxCurrent: 16",
        "maxCurrent: 5",
        "22: loadpoints[0].minCurrent: min current must be smaller or equal than max current: 6 (allowed: 0.1..5 A)",
    ),
    (
        "minCurrent: 6",
        "guardDuration: 5",
        "22: loadpoints[0].guardDuration: '5' is not allowed, expected a duration such as",
    ),
    ("minCurrent: 6", "guardDuration: -5m", "22: loadpoints[0].guardDuration: '-5m' is not allowed"),
    ("minCurrent: 6", "enable: 100", "22: loadpoints[0].enable: expected a mapping (key: value), not a value"),
    (
        "minCurrent: 6",
        "enable: {delay: 1m, treshold: 1}",
        "22: loadpoints[0].enable.treshold: unknown key, did you mean threshold?",
    ),
    (
        "minCurrent: 6",
        "resetOnDisconnect: maybe",
        "22: loadpoints[0].resetOnDisconnect: 'maybe' is not allowed, expected true or false",
    ),
    (
        "meters:\n",
        "network: {trustedProxies: [192.0.2.0/24, nginx]}\nmeters:\n",
        "4: network.trustedProxies: 'nginx' is no address, expected one such as 192.0.2.1 or 192.0.2.0/24",
    ),
    ("host: 192.0.2.1", "host: 192.0.2.1:502", "10: meters[0].host: '192.0.2.1:502' is no host, expected a name or an"),
    ("host: 192.0.2.1", "host: '[fd00::1]'", "10: meters[0].host: '[fd00::1]' is no host, expected a name or an"),
    ("host: 192.0.2.1", "host: http://home/x", "10: meters[0].host: 'http://home/x' is no host, expected a name or an"),
    (
        "host: 192.0.2.1",
        "host: ${grid}",
        "10: meters[0].host: '${grid}' is no host, expected a name or an address alone, without port and http://; an env",
    ),
    (
        "meters:\n",
        "network: {host: '0.0.0.0:7070'}\nmeters:\n",
        "4: network.host: '0.0.0.0:7070' is no host, expected a",
    ),
    ("meters:\n", "mqtt: {host: 'http://x'}\nmeters:\n", "4: mqtt.host: 'http://x' is no host, expected a name or an"),
    ("meters:\n", "mqtt: {broker: '${broker}'}\nmeters:\n", "4: mqtt.broker: no address, expected host, host:port or"),
    (
        "minCurrent: 6",
        "soc: {poll: {mode: often}}",
        "22: loadpoints[0].soc.poll.mode: 'often' is not allowed, expected one of charging",
    ),
    ("minCurrent: 6", "phaseRotation: L1 L1 L3", "22: loadpoints[0].phaseRotation: expected the grid phases behind"),
    (
        "minCurrent: 6",
        "minCurrent: 6\n  MinCurrent: 7",
        "23: loadpoints[0].MinCurrent: key given twice, first in line 22",
    ),
    (
        "- charger: box",
        "- charger: boks",
        "20: loadpoints[0].charger: charger 'boks' does not exist, expected one of box",
    ),
    ("- charger: box", "- title: x", "20: loadpoints[0].charger: missing, expected the name of a charger"),
    ("  vehicle: blue", "  vehicle: green", "21: loadpoints[0].vehicle: vehicle 'green' does not exist"),
    (
        "  vehicle: blue",
        "  circuit: main",
        "21: loadpoints[0].circuit: circuit 'main' does not exist, there are no circuits",
    ),
    ("  vehicle: blue", "  meter: grid", "21: loadpoints[0].meter: meter 'grid' is already used as site.meters.grid"),
    ("{grid: grid}", "{grid: grit}", "3: site.meters.grid: meter 'grit' does not exist, did you mean grid?"),
    (
        "{grid: grid}",
        "{grid: grid, pv: [grid]}",
        "3: site.meters.pv[0]: meter 'grid' is already used as site.meters.grid",
    ),
    ("{grid: grid}", "{aux: [grid]}", "3: site.meters: missing either grid or pv meter"),
    (
        "  template: eastron",
        "  template: eastrn",
        "7: meters[0].template: 'eastrn' is not a supported device, did you mean eastron?",
    ),
    (
        "  template: eastron",
        "  template: keba-modbus",
        "7: meters[0].template: 'keba-modbus' is not a supported device (it is a charger)",
    ),
    (
        "  usage: grid",
        "  usage: girt",
        "8: meters[0].usage: 'girt' is not known, expected one of aux, battery, charge, grid, pv",
    ),
    ("  usage: grid", "  id: 1", "5: meters[0].usage: missing, expected grid or pv or"),
    (
        "  modbus: rs485tcpip",
        "  modbus: tcpip",
        "9: meters[0].modbus: tcpip is not possible with this device, expected rs485serial or rs485tcpip",
    ),
    ("  modbus: rs485tcpip", "  modbus: rs485serial", "5: meters[0].device: missing, expected the serial port"),
    ("  modbus: rs485tcpip", "  modbus: canbus", "9: meters[0].modbus: 'canbus' is not known"),
    ("  host: 192.0.2.1\n", "", "5: meters[0].host: missing, expected the name or address of the device"),
    (
        "  host: 192.0.2.1\n",
        "  host: h\n  port: 70000\n",
        "11: meters[0].port: '70000' is not allowed, expected a whole number from 1 to 65535",
    ),
    (
        "  host: 192.0.2.1\n",
        "  host: h\n  id: 300\n",
        "11: meters[0].id: '300' is not allowed, expected a whole number from 0 to 255",
    ),
    (
        "  type: template\n  template: eastron",
        "  type: temlate\n  template: eastron",
        "6: meters[0].type: 'temlate' is not known, expected template or custom",
    ),
    ("- name: grid\n", "- timeout: 1s\n", "5: meters[0].name: missing"),
    (
        "  type: offline",
        "  type: cloud",
        "18: vehicles[0].type: 'cloud' is not supported, expected offline, custom, template",
    ),
    (
        "  type: offline",
        "  type: template\n  template: vw",
        "19: vehicles[0].template: 'vw' is not supported, expected offline; a car's SoC",
    ),
    (
        "  type: offline",
        "  capacity: -1",
        "18: vehicles[0].capacity: '-1' is not allowed, expected a number from 0 to 2000 kWh",
    ),
    (
        "  type: offline",
        "  chargingCurve: [{soc: 80, power: 7000}, {soc: 101, power: 4000}]",
        "18: vehicles[0].chargingCurve[1].soc: '101' is not allowed, expected a number from 0 to 100 %",
    ),
    (
        "  type: offline",
        "  features: [Fast]",
        "18: vehicles[0].features: 'Fast' is not known, expected Offline, CoarseCurrent",
    ),
    ("  type: offline", "  title: ${UNSET}", "18: vehicles[0].title: environment variable UNSET is not set"),
    ("vehicles:\n", "operatorlimit: {limit: 1}\nvehicles:\n", "16: operatorlimit.name: missing, expected the name"),
    ("vehicles:\n", "operatorlimit: {name: a}\nvehicles:\n", "16: operatorlimit.limit: missing, expected a plugin"),
    (
        "vehicles:\n",
        "operatorlimit: {name: a, limit: -1}\nvehicles:\n",
        "16: operatorlimit.limit: '-1' is not allowed, expected a number from 0 to 1e+06 W",
    ),
    (
        "vehicles:\n",
        "operatorlimit: {name: a, limit: 4200, fallback: all}\nvehicles:\n",
        "16: operatorlimit.fallback: 'all' is not allowed, expected a number from 0 to 1e+06 W",
    ),
    (
        "vehicles:\n",
        "operatorlimit: {name: a, limit: 4200, expiry: 19s}\nvehicles:\n",
        "16: operatorlimit.expiry: '19s' is not allowed, expected at least 20s",
    ),
    (
        "vehicles:\n",
        "operatorlimit: {name: a, limit: 4200, contacts: [{closed: 1, limit: none}]}\nvehicles:\n",
        "16: operatorlimit.limit: not beside contacts, each of which has a limit",
    ),
    (
        "vehicles:\n",
        "operatorlimit: {name: a, contacts: [{closed: 1}]}\nvehicles:\n",
        "16: operatorlimit.contacts[0].limit: missing, expected a number from 0 to 1e+06 W, or none",
    ),
    (
        "vehicles:\n",
        "operatorlimit: {name: a, contacts: [{closed: 1, open: 1, limit: 0}]}\nvehicles:\n",
        "16: operatorlimit.contacts[0]: expected closed or open, a plugin that says whether the contact is closed",
    ),
    (
        "vehicles:\n",
        "operatorlimit: {name: a, limit: 4200, active: {source: gpio}}\nvehicles:\n",
        "16: operatorlimit.active.source: 'gpio' is not supported",
    ),
    (
        "vehicles:\n",
        "operatorlimit: [{name: a, limit: 1}, {name: a, limit: 2}]\nvehicles:\n",
        "16: operatorlimit[1].name: limit 'a' already exists, see line 16",
    ),
    (
        "vehicles:\n",
        "operatorlimit: {name: a, limit: {source: mqtt, topic: t}}\nvehicles:\n",
        "16: operatorlimit: source mqtt needs an outside broker",
    ),
    (
        "vehicles:\n",
        "hems: {type: sma}\nvehicles:\n",
        "16: hems: this section is not supported, a grid operator's limit is read by operatorlimit",
    ),
    ("vehicles:\n", "influx: {}\nvehicles:\n", "16: influx: this section is not supported, remove it"),
    ("vehicles:\n", "interval: 10\nvehicles:\n", "16: interval: '10' is not allowed, expected a duration"),
    ("vehicles:\n", "interval: 0s\nvehicles:\n", "16: interval: '0s' is not allowed, expected at least 0.1s"),
    (
        "vehicles:\n",
        "network: {port: http}\nvehicles:\n",
        "16: network.port: 'http' is not allowed, expected a whole number",
    ),
    ("vehicles:\n", "database: {type: mysql}\nvehicles:\n", "16: database.type: 'mysql' is not known"),
    (
        "vehicles:\n",
        "mqtt: {topic: 'a/#'}\nvehicles:\n",
        "16: mqtt.topic: 'a/#' is no topic, expected one without # and +",
    ),
    (
        "vehicles:\n",
        "mqtt: {broker: 'home:hemmelig@x:1883'}\nvehicles:\n",
        "16: mqtt.broker: no address, expected host, host:port or tls://host:port without user and password",
    ),
    (
        "vehicles:\n",
        "mqtt: {topic: $SYS/evcc}\nvehicles:\n",
        "16: mqtt.topic: '$SYS/evcc' is no topic, expected one without # and + that does not begin with $",
    ),
    (
        "vehicles:\n",
        "mqtt: {broker: 'ws://x'}\nvehicles:\n",
        "16: mqtt.broker: ws:// is not supported, expected host:port",
    ),
    ("vehicles:\n", "log: loud\nvehicles:\n", "16: log: 'loud' is not known, expected one of debug, error"),
    ("vehicles:\n", "api: {compat: '1.0'}\nvehicles:\n", "16: api.compat: '1.0' is not known"),
    (
        "vehicles:\n",
        "timezone: Berlin\nvehicles:\n",
        "16: timezone: 'Berlin' is no time zone, expected one such as Europe/Berlin",
    ),
    ("vehicles:\n", "auth: {}\nvehicles:\n", "16: auth.token: missing, expected the bearer token"),
    ("vehicles:\n", "auth: yes\nvehicles:\n", "16: auth: expected none, or a mapping with token"),
    (
        "vehicles:\n",
        "circuits: [{name: a}]\nvehicles:\n",
        "16: circuits[0]: a circuit without limit, expected maxCurrent, maxPower, maxUnbalance or maxMeanPower",
    ),
    (
        "vehicles:\n",
        "circuits: [{name: a, maxPower: 1, meanWindow: 20m}]\nvehicles:\n",
        "16: circuits[0].meanWindow: expected 15m, 30m or 60m",
    ),
    (
        "  usage: grid\n",
        "  usage: grid\n  circuit: shed\n",
        "5: meters[0].circuit: only a meter of site.meters.battery hangs below a circuit",
    ),
    (
        "  usage: grid\n",
        "  usage: grid\n  phases: 1\n",
        "9: meters[0].phases: expected 3, or nothing where it may be on any one phase",
    ),
    (
        "  meters: {grid: grid}\nmeters:\n",
        "  meters: {grid: grid, battery: b}\nmeters:\n- {name: b, type: custom, circuit: shed, power: 1}\n",
        "5: meters[0].circuit: circuit 'shed' does not exist, there are no circuits",
    ),
    (
        "vehicles:\n",
        "circuits: [{name: a, maxMeanPower: 5000}]\nvehicles:\n",
        "16: circuits[0].maxMeanPower: a mean is taken of what a meter shows, expected meter, too",
    ),
    (
        "vehicles:\n",
        "circuits: [{name: a, maxPower: 1, parent: a}]\nvehicles:\n",
        "16: circuits[0].parent: the circuit is its own parent",
    ),
    (
        "vehicles:\n",
        "tariffs: {grid: {type: fixd, price: 1}}\nvehicles:\n",
        "16: tariffs.grid.type: 'fixd' is not supported, did you mean fixed?",
    ),
    (
        "vehicles:\n",
        "tariffs: {grid: {type: fixed}}\nvehicles:\n",
        "16: tariffs.grid.price: missing, expected a price per kWh",
    ),
    ("vehicles:\n", "tariffs: {grid: {type: tibber}}\nvehicles:\n", "16: tariffs.grid.token: missing"),
    (
        "vehicles:\n",
        "tariffs: {grid: {type: entsoe, securitytoken: t}}\nvehicles:\n",
        "16: tariffs.grid.domain: missing, expected the bidding zone, such as DE-LU, or its code",
    ),
    (
        "vehicles:\n",
        "tariffs: {grid: {type: entsoe, securitytoken: t, domain: BZN|DE}}\nvehicles:\n",
        "16: tariffs.grid.domain: 'BZN|DE' is no bidding zone, expected one of AT, BE, BG",
    ),
    (
        "vehicles:\n",
        "tariffs: {grid: {type: template, template: octopus-api, apikey: k, region: c}}\nvehicles:\n",
        "16: tariffs.grid.productcode: missing, expected the product, such as AGILE-24-10-01; no account is asked for it",
    ),
    (
        "vehicles:\n",
        "tariffs: {grid: {type: awattar, uri: 'http://h/{{ .x }}'}}\nvehicles:\n",
        "16: tariffs.grid.uri: no address, expected http://host/path or https://host/path, without ${...} and {{...}}",
    ),
    (
        "vehicles:\n",
        "tariffs: {grid: {type: awattar, uri: h}}\nvehicles:\n",
        "16: tariffs.grid.uri: no address, expected",
    ),
    ("vehicles:\n", "tariffs: {currency: Euro}\nvehicles:\n", "16: tariffs.currency: 'EURO' is no currency"),
    (
        "vehicles:\n",
        "tariffs: {grid: {type: fixed, price: 1, zones: [{price: 2, days: Xx}]}}\nvehicles:\n",
        "16: tariffs.grid.zones[0].days: invalid day: Xx",
    ),
    (
        "vehicles:\n",
        "tariffs: {grid: {type: fixed, price: 1, zones: [{price: 2, hours: '6-5'}]}}\nvehicles:\n",
        "16: tariffs.grid.zones[0].hours: invalid time range: 6-5, 6 must be before 5",
    ),
    (
        "vehicles:\n",
        "modbusproxy: [{uri: 'h:502'}]\nvehicles:\n",
        "16: modbusproxy[0].port: missing, expected the port",
    ),
    (
        "loadpoints:\n- charger: box\n",
        "loadpoints:\n- box\n- charger: box\n",
        "20: loadpoints[0]: expected a mapping (key: value), not a value",
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "expected"), MISTAKES, ids=[m[2].split(" ", 2)[1] + m[1][:20] for m in MISTAKES]
)
def test_a_mistake_names_line_key_and_what_is_allowed(old: str, new: str, expected: str) -> None:
    assert old in BASE
    found = problems_of(BASE.replace(old, new, 1))
    assert len(found) == 1, found
    assert found[0].startswith(f"evcc.yaml:{expected}"), found[0]


PLUGINS = [
    # the plugin of a meter's power, and what is said about it
    ("{source: htpp, uri: x}", "power.source: 'htpp' is not supported, did you mean http?"),
    ("{source: script, cmd: x}", "power.source: 'script' is not supported, expected one of calc, combined, const"),
    ("{uri: x}", "power.source: missing, expected one of calc, combined, const, http, modbus, mqtt, sunspec"),
    ("{source: http}", "power.uri: missing, expected an address such as http://host/path"),
    ("{source: http, uri: ftp://x}", "power.uri: 'ftp://x' is no address"),
    ("{source: http, uri: 'http://x', method: FETCH}", "power.method: 'FETCH' is not known"),
    ("{source: http, uri: 'http://x', scale: 0}", "power.scale: must not be 0"),
    ("{source: http, uri: 'http://x', jq: '.a['}", "power.jq: '.a['"),
    ("{source: http, uri: 'http://x', urii: y}", "power.urii: unknown key, did you mean uri?"),
    (
        "{source: http, uri: 'http://x/${soc}'}",
        "power.uri: '${soc}' is not known here, nothing is written here; an env",
    ),
    (
        "{source: http, uri: 'http://x', body: '{{.soc}}'}",
        "power.body: {{ .soc }} is not known here, nothing is written",
    ),
    (
        "{source: http, uri: 'http://x', headers: {X-Key: '${key}'}}",
        "power.headers: X-Key stays as it stands; ${...} and {{...}} are for uri, body and payload",
    ),
    ("{source: mqtt, topic: 'a/{{ now.Unix }}'}", "power.topic: it stays as it stands; ${...} and {{...}} are for uri"),
    ("{source: mqtt}", "power.topic: missing, expected an MQTT topic"),
    ("{source: mqtt, topic: a/+}", "power.topic: 'a/+' is no topic"),
    ("{source: mqtt, topic: a, payload: x}", "power.payload: only for what is written"),
    ("{source: const}", "power.value: missing, expected a value"),
    ("{source: const, value: true}", "power: 'true' is not allowed, expected a number"),
    ("off", "power: 'off' is not allowed, expected a number"),
    ("{source: calc, add: [{source: const, value: yes}]}", "power.add: 'yes' is not allowed, expected a number"),
    ("{source: modbus, uri: 'h:502'}", "power.register: missing, expected address, type and decode"),
    (
        "{source: modbus, uri: '${host}:502', register: {address: 1, decode: int16}}",
        "power.uri: '${host}:502' is no address, expected host:port alone",
    ),
    ("{source: modbus, register: {address: 1}}", "power.uri: missing, expected host:port"),
    (
        "{source: modbus, uri: 'h:502', register: {address: 1, decode: int33}}",
        "power.register.decode: 'int33' is not known, did you",
    ),
    ("{source: modbus, uri: 'h:502', register: {address: 70000}}", "power.register.address: '70000' is not allowed"),
    (
        "{source: modbus, uri: 'h:502', register: {address: 1, type: writesingle}}",
        "power.register.type: writesingle is not possible here",
    ),
    ("{source: sunspec, uri: 'h:502'}", "power.value: missing, expected a point such as 103:W"),
    ("{source: sunspec, uri: 'h:502', value: W}", "power.value: 'W' is no point, expected model:point"),
    ("{source: sunspec, uri: 'h:502', value: '103:Nope'}", "power.value: '103:Nope' is not known"),
    ("{source: calc}", "power: expected exactly one of add, mul, div, min, max, abs, sign"),
    ("{source: calc, add: []}", "power.add: expected a list of plugins"),
    ("{source: calc, div: [{source: const, value: 1}]}", "power.div: expected two plugins"),
    ("{source: calc, add: [{source: const}]}", "power.add[0].value: missing, expected a value"),
]


@pytest.mark.parametrize(("plugin", "expected"), PLUGINS, ids=[p[0][:60] for p in PLUGINS])
def test_a_mistake_in_a_plugin_names_its_place(plugin: str, expected: str) -> None:
    text = BASE.replace("- name: grid\n", f"- name: grid\n  power: {plugin}\n").replace(
        "type: template", "type: custom", 1
    )
    text = text.replace("  template: eastron\n  usage: grid\n  modbus: rs485tcpip\n  host: 192.0.2.1\n", "", 1)
    found = problems_of(text)
    assert len(found) == 1, found
    assert found[0].startswith(f"evcc.yaml:6: meters[0].{expected}"), found[0]


def test_all_mistakes_of_a_file_are_reported_at_once_in_its_order() -> None:
    text = (
        BASE.replace("title: Home", "titel: Home").replace("minCurrent: 6", "mode: fast").replace("eastron", "eastrn")
    )
    assert [line.split(":")[1] for line in problems_of(text)] == ["2", "7", "22"]


def test_a_file_that_is_no_yaml_names_the_line() -> None:
    assert problems_of("mqtt: {user: ${USER}}\n")[0].endswith("put ${NAME} in quotes where it stands inside { } or [ ]")
    assert problems_of("site:\n  title: {{ .title }}\n") == [
        "evcc.yaml:2: site.title: a key must be a word; put a text with {{ }} in quotes"
    ]
    assert problems_of("site:\n  title: {{ if .a }}b{{ end }}\n")[0].endswith("put a text with {{ }} in quotes")
    assert problems_of("site:\n  title: [a\n")[0].startswith("evcc.yaml:")
    assert problems_of("a: b: c\n") == ["evcc.yaml:1: YAML: mapping values are not allowed here"]
    assert problems_of("- a\n") == ["evcc.yaml:1: expected a mapping (key: value) with site and loadpoints"]


def test_an_empty_file_says_what_is_missing() -> None:
    assert problems_of("") == [
        "evcc.yaml:1: site: missing, expected the section site with its meters",
        "evcc.yaml:1: loadpoints: missing, expected a list of loadpoints",
    ]


def test_an_alias_that_contains_itself_is_refused() -> None:
    assert "alias that contains itself" in problems_of("site: &a\n  title: *a\n")[0]


def test_one_connection_cannot_speak_two_protocols() -> None:
    text = BASE.replace("host: 192.0.2.2", "host: 192.0.2.1")
    assert problems_of(text) == [
        "evcc.yaml:12: chargers[0]: 192.0.2.1:502 is tcp here and rtu-over-tcp in meters[0]; one connection has one"
    ]


def test_one_serial_port_cannot_have_two_speeds() -> None:
    second = "- {name: b, type: template, template: eastron, usage: pv, device: /dev/ttyS0, baudrate: 19200}\n"
    text = BASE.replace("  modbus: rs485tcpip\n  host: 192.0.2.1\n", f"  device: /dev/ttyS0\n{second}")
    assert "meters[1]: /dev/ttyS0 is rtu 19200 8N1 here and rtu 9600 8N1 in meters[0]" in problems_of(text)[0]


PORTS = [
    ("mqtt: {port: 7070}\n", "evcc.yaml:1: mqtt.port: port 7070 is already taken by network.port"),
    ("mqtt: {websocketPort: 1883}\n", "evcc.yaml:1: mqtt.websocketPort: port 1883 is already taken by mqtt.port"),
    (
        "modbusproxy: [{port: 1883, uri: h}]\n",
        "evcc.yaml:24: modbusproxy[0].port: port 1883 is already taken by mqtt.port",
    ),
    (
        "modbusproxy: [{port: 5020, uri: h}, {port: 5020, uri: g}]\n",
        "evcc.yaml:24: modbusproxy[1].port: port 5020 is already taken by modbusproxy[0].port",
    ),
    (
        "modbusproxy: [{port: 5020, uri: 192.0.2.1}]\n",
        "evcc.yaml:24: modbusproxy[0]: 192.0.2.1:502 is tcp here and rtu-over-tcp in meters[0]; one connection has one",
    ),
]


@pytest.mark.parametrize(("more", "expected"), PORTS, ids=[p[0] for p in PORTS])
def test_a_port_has_one_listener(more: str, expected: str) -> None:
    assert problems_of(BASE + more) == [expected]


def test_mqtt_plugins_need_an_outside_broker() -> None:
    text = BASE.replace("  type: offline", "  type: custom\n  soc: {source: mqtt, topic: car/soc}")
    assert problems_of(text)[0].startswith("evcc.yaml:17: vehicles[0]: source mqtt needs an outside broker")


def test_a_charger_or_a_name_cannot_be_used_twice() -> None:
    assert problems_of(BASE + "- charger: box\n") == [
        "evcc.yaml:24: loadpoints[1].charger: charger 'box' is already used by loadpoints[0]"
    ]
    twice = BASE.replace("vehicles:\n", "vehicles:\n- {name: blue}\n")
    assert problems_of(twice) == ["evcc.yaml:18: vehicles[1].name: vehicle 'blue' already exists, see line 17"]


def test_a_load_meter_of_a_gx_device_needs_its_unit() -> None:
    text = BASE.replace(
        "template: eastron\n  usage: grid\n  modbus: rs485tcpip", "template: victron-gx\n  usage: charge"
    )
    assert problems_of(text) == [
        "evcc.yaml:5: meters[0].id: missing, expected the unit of this meter, as the device's list shows it"
    ]
