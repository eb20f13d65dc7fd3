"""A whole evcc.yaml, as users write it, becomes the typed configuration; what is left out has the documented default."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from evcc_server.config.load import load_config, parse_config
from evcc_server.config.model import Auth, CustomTariff, Fees, FixedTariff, ProviderTariff, TemplateDevice, Zone
from evcc_server.config.problems import ConfigError
from evcc_server.config.sources import ConstSource, NetworkAddress, SerialAddress, Transport
from evcc_server.mqtt.broker_link import BrokerAddress
from evcclib.config import Actions, PollConfig
from evcclib.model import ChargeMode, PollMode, VehicleFeature

SMALLEST = """
site:
  meters: {grid: grid}
meters:
- {name: grid, type: template, template: eastron, usage: grid, modbus: rs485tcpip, host: 192.0.2.1}
chargers:
- {name: box, type: template, template: keba-modbus, host: 192.0.2.2}
loadpoints:
- charger: box
"""

WHOLE = """
network: {schema: https, host: 0.0.0.0, port: 80, allowedOrigins: ["http://panel.local"],
  trustedProxies: [192.0.2.1, "2001:db8::/32"]}
Interval: 30s
log: debug
levels: {modbus: trace}
telemetry: true
persist: false
timezone: Europe/Berlin
auth: {token: "${API_TOKEN}"}
api: {compat: "0.127"}
database: {type: sqlite, dsn: /var/lib/evcc.db}
mqtt:
  broker: tls://broker.local
  topic: /home/evcc/
  user: evcc
  password: ${MQTT_PASSWORD}
  clientid: mine
  insecure: true
  json: false
site:
  title: Zuhause
  voltage: 240
  residualPower: 100
  prioritySoc: 40
  bufferSoc: 80
  maxGridSupplyWhileBatteryCharging: 50
  meters:
    grid: grid
    pv: [roof]
    pvs: [garage]
    battery: cellar
    aux: [boiler]
meters:
- {name: grid, type: template, template: eastron, usage: grid, modbus: rs485serial, device: /dev/ttyUSB0, id: 2,
   baudrate: 38400, comset: 8E1, timeout: 2s}
- {name: roof, type: template, template: sunspec-inverter, usage: pv, modbus: tcpip, host: 192.0.2.3, port: 1502}
- {name: garage, type: template, template: sunspec-inverter, usage: pv, host: 192.0.2.3, port: 1502, id: 7}
- {name: cellar, type: custom, power: 0, soc: 50, capacity: 9.6}
- {name: boiler, type: custom, power: {source: const, value: "0"}}
- {name: house, type: custom, power: 0}
chargers:
- {name: box, type: template, template: heidelberg, modbus: rs485tcpip, host: 192.0.2.4, port: 4196, id: 3}
vehicles:
- name: blue
  type: offline
  title: Blauer
  icon: car
  capacity: 36
  phases: 2
  identifiers: [0123, AA*]
  onIdentify: {mode: now, minCurrent: 6, maxCurrent: 10, minSoc: 20, targetSoc: 80, priority: 2}
- {name: a car, type: custom, soc: {source: http, uri: "http://192.0.2.9/soc"}, cache: 5m, features: [CoarseCurrent]}
circuits:
- {name: main, maxCurrent: 35, meter: grid}
- {name: peak, maxMeanPower: 5000, meanWindow: 60m, meter: grid}
- {name: garage, title: Garage, maxPower: 11000, maxUnbalance: 20, parent: main, safeCurrent: 6}
loadpoints:
- title: Garage
  charger: box
  meter: house
  vehicle: blue
  circuit: garage
  mode: PV
  priority: 3
  phases: 1
  phaseRotation: L2 L3 L1
  mincurrent: 6
  MAXCURRENT: 10.5
  enable: {threshold: -100, delay: 2m}
  disable: {threshold: 50, delay: 1m30s}
  guardDuration: 10m
  resetOnDisconnect: true
  soc: {poll: {mode: always, interval: 30m}, estimate: false}
tariffs:
  currency: eur
  grid: {type: fixed, price: 0.29, zones: [{price: 0.2, days: Mo-Fr, hours: "0-6"}]}
  feedin: {type: custom, price: 0.08}
  planner: {type: tibber, token: "${TIBBER}", homeid: h1, charges: 0.1, tax: 0.19}
modbusproxy:
- {port: 5021, uri: "192.0.2.3:1502", readonly: true}
"""
ENVIRONMENT = {"API_TOKEN": "t0ken", "MQTT_PASSWORD": "pa ss", "TIBBER": "tib"}


def test_the_smallest_configuration_has_the_documented_defaults() -> None:
    config = parse_config(SMALLEST, environment={})
    assert config.interval == timedelta(seconds=10)
    assert (config.network.host, config.network.port) == ("127.0.0.1", 7070)
    assert config.database.path == "~/.evcc/evcc.db"
    assert (config.mqtt.broker, config.mqtt.topic, config.mqtt.port) == (None, "evcc", 1883)
    assert (config.auth, config.api_compat, config.persists, config.telemetry) == (Auth(), "0.114", True, False)
    assert (config.site.voltage_v, config.site.residual_power_w, config.site.priority_soc_pct) == (230, 0, 0)
    loadpoint = config.loadpoints[0]
    assert (loadpoint.mode, loadpoint.priority, loadpoint.phases) == (ChargeMode.OFF, 0, 0)
    assert (loadpoint.current_min_a, loadpoint.current_max_a) == (6, 16)
    assert (loadpoint.enable_threshold_w, loadpoint.enable_delay) == (0, timedelta(minutes=1))
    assert (loadpoint.disable_threshold_w, loadpoint.disable_delay) == (0, timedelta(minutes=3))
    assert (loadpoint.guard_duration, loadpoint.reset_on_disconnect) == (timedelta(minutes=5), False)
    assert (loadpoint.poll, loadpoint.estimates_soc) == (
        PollConfig(mode=PollMode.CHARGING, interval=timedelta(hours=1)),
        True,
    )
    assert config.warnings == ()


def test_every_key_arrives_where_it_belongs() -> None:
    config = parse_config(WHOLE, environment=ENVIRONMENT)
    assert (config.network.host, config.network.port) == ("0.0.0.0", 80)
    assert config.network.allowed_origins == ("http://panel.local",)
    assert config.network.trusted_proxies == (ip_network("192.0.2.1"), ip_network("2001:db8::/32"))
    assert (config.interval, config.log, dict(config.levels)) == (timedelta(seconds=30), "debug", {"modbus": "trace"})
    assert (config.telemetry, config.persists, config.time_zone) == (True, False, "Europe/Berlin")
    assert (config.auth.token, config.api_compat, config.database.path) == ("t0ken", "0.127", "/var/lib/evcc.db")
    mqtt = config.mqtt
    assert (mqtt.broker, mqtt.root, mqtt.user, mqtt.password) == (
        BrokerAddress("broker.local", 8883, has_tls=True),
        "home/evcc",
        "evcc",
        "pa ss",
    )
    assert (mqtt.client_id, mqtt.is_insecure, mqtt.has_json) == ("mine", True, False)
    site = config.site
    assert (site.grid, site.pv, site.battery, site.aux) == ("grid", ("roof", "garage"), ("cellar",), ("boiler",))
    assert (site.voltage_v, site.residual_power_w, site.priority_soc_pct, site.buffer_soc_pct) == (240, 100, 40, 80)
    assert site.grid_supply_max_while_battery_charges_w == 50
    grid = config.meter("grid").device
    assert isinstance(grid, TemplateDevice)
    assert grid.address == SerialAddress(device="/dev/ttyUSB0", baudrate=38400, comset="8E1", transport=Transport.RTU)
    assert (grid.unit, grid.timeout, grid.usage) == (2, timedelta(seconds=2), "grid")
    roof, garage = config.meter("roof").device, config.meter("garage").device
    assert isinstance(roof, TemplateDevice) and isinstance(garage, TemplateDevice)
    assert roof.address == garage.address == NetworkAddress(host="192.0.2.3", port=1502, transport=Transport.TCP)
    assert (roof.unit, garage.unit) == (1, 7)
    assert config.meter("cellar").capacity_kwh == 9.6
    loadpoint = config.loadpoints[0]
    assert (loadpoint.title, loadpoint.charger, loadpoint.meter) == ("Garage", "box", "house")
    assert (loadpoint.vehicle, loadpoint.circuit, loadpoint.mode) == ("blue", "garage", ChargeMode.PV)
    assert (loadpoint.priority, loadpoint.phases, loadpoint.phase_rotation) == (3, 1, (2, 3, 1))
    assert (loadpoint.current_min_a, loadpoint.current_max_a) == (6, 10.5)
    assert (loadpoint.enable_threshold_w, loadpoint.enable_delay) == (-100, timedelta(minutes=2))
    assert (loadpoint.disable_threshold_w, loadpoint.disable_delay) == (50, timedelta(seconds=90))
    assert (loadpoint.guard_duration, loadpoint.reset_on_disconnect) == (timedelta(minutes=10), True)
    assert (loadpoint.poll, loadpoint.estimates_soc) == (
        PollConfig(mode=PollMode.ALWAYS, interval=timedelta(minutes=30)),
        False,
    )
    main, peak, sub = config.circuits
    assert (main.name, main.current_max_a, main.meter) == ("main", 35, "grid")
    assert (peak.mean_power_max_w, peak.mean_window, peak.meter) == (5000, timedelta(hours=1), "grid")
    assert (main.mean_power_max_w, sub.unbalance_max_a) == (None, 20)
    assert (sub.parent, sub.power_max_w, sub.safe_current_a) == ("main", 11000, 6)
    (proxy,) = config.proxies
    assert (proxy.port, str(proxy.address), proxy.is_read_only) == (5021, "192.0.2.3:1502", True)


def test_vehicles_are_ordered_by_name_and_keep_what_identifies_them() -> None:
    car, blue = parse_config(WHOLE, environment=ENVIRONMENT).vehicles
    assert (car.name, car.title, car.cache) == ("a car", "A Car", timedelta(minutes=5))
    assert car.features == {VehicleFeature.COARSE_CURRENT}
    assert (blue.title, blue.icon, blue.capacity_kwh, blue.phases) == ("Blauer", "car", 36, 2)
    assert blue.identifiers == ("0123", "AA*")  # a number keeps its zero
    assert blue.features == {VehicleFeature.OFFLINE}
    assert blue.on_identify == Actions(
        mode=ChargeMode.NOW, current_min_a=6, current_max_a=10, soc_min_pct=20, soc_target_pct=80, priority=2
    )


def test_tariffs_of_each_kind() -> None:
    tariffs = parse_config(WHOLE, environment=ENVIRONMENT).tariffs
    assert tariffs.currency == "EUR"
    assert tariffs.grid == FixedTariff(price=0.29, zones=(Zone(price=0.2, days="Mo-Fr", hours="0-6"),))
    assert tariffs.feed_in == CustomTariff(price=ConstSource(value="0.08"))
    assert tariffs.planner == ProviderTariff(kind="tibber", token="tib", home="h1", fees=Fees(charges=0.1, tax=0.19))


def test_a_template_takes_the_devices_own_defaults() -> None:
    config = parse_config(SMALLEST, environment={})
    grid, box = config.meter("grid").device, config.charger("box").device
    assert isinstance(grid, TemplateDevice) and isinstance(box, TemplateDevice)
    assert grid.address == NetworkAddress(host="192.0.2.1", port=502, transport=Transport.RTU_OVER_TCP)
    assert (box.profile, box.unit, box.usage) == ("keba-p30", 255, "charge")


@pytest.mark.parametrize(
    ("template", "port", "unit"),
    [
        ("kostal-ksem", 502, 71),
        ("kostal-ksem-inverter", 1502, 71),
        ("phoenix-charx", 502, 255),
        ("peblar", 502, 1),
        ("bender-icc", 502, 1),
        ("Bender-ICC", 502, 1),
        ("bender", 502, 255),
        ("bender-cc", 502, 255),
    ],
)
def test_port_and_unit_are_those_that_the_template_is_known_for(template: str, port: int, unit: int) -> None:
    is_meter = template.startswith("kostal")
    section = "meters" if is_meter else "chargers"
    usage = ", usage: grid" if is_meter else ""
    text = f"{section}:\n- {{name: new, type: template, template: {template}, host: 192.0.2.9{usage}}}\n"
    config = parse_config(SMALLEST.replace(f"{section}:\n", text), environment={})
    device = config.meter("new").device if is_meter else config.charger("new").device
    assert isinstance(device, TemplateDevice)
    assert device.address == NetworkAddress(host="192.0.2.9", port=port, transport=Transport.TCP)
    assert device.unit == unit


@pytest.mark.parametrize("key", ["id", "meterid"])
@pytest.mark.parametrize("usage", ["charge", "aux"])
def test_a_load_meter_of_a_gx_device_is_named_by_its_id(usage: str, key: str) -> None:
    text = f"meters:\n- {{name: new, type: template, template: victron-gx, usage: {usage}, host: x, {key}: 33}}\n"
    device = parse_config(SMALLEST.replace("meters:\n", text), environment={}).meter("new").device
    assert isinstance(device, TemplateDevice)
    assert device.meter_unit == 33


def test_what_has_no_effect_is_accepted_with_a_warning_that_names_its_line() -> None:
    text = SMALLEST + "  soc: {min: 20}\n  enable: {threshold: 100}\nsponsortoken: abc\nuri: 0.0.0.0:7071\n"
    config = parse_config(text, environment={})
    warnings = [str(warning) for warning in config.warnings]
    assert [warning.split(":")[1] for warning in warnings] == ["10", "11", "11", "12", "13"]
    assert config.network.port == 7071


@pytest.mark.parametrize("text", ["${broker_password}", "{{ .password }}"])
def test_a_secret_that_looks_like_a_placeholder_is_taken_with_a_warning_that_does_not_show_it(text: str) -> None:
    config = parse_config(SMALLEST + f"mqtt: {{user: home, password: '{text}'}}\n", environment={})
    assert config.mqtt.password == text
    (warning,) = map(str, config.warnings)
    assert ": mqtt.password: taken as it stands" in warning
    assert text not in warning


def test_the_announced_name_of_a_sample_file_means_all_interfaces() -> None:
    config = parse_config(SMALLEST + "network: {schema: http, host: evcc.local, port: 7070}\n", environment={})
    assert (config.network.host, config.network.port, config.network.name) == ("0.0.0.0", 7070, "evcc.local")
    (warning,) = config.warnings
    assert "network.host: evcc.local is a name to announce" in str(warning)


def test_a_file_that_cannot_be_read_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.yaml:1: cannot be read: No such file"):
        load_config(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"title: M\xfcller")
    with pytest.raises(ConfigError, match=r"latin\.yaml:1: not UTF-8"):
        load_config(tmp_path / "latin.yaml")


def test_anchors_and_merge_keys_spare_repetition() -> None:
    text = SMALLEST.replace("- charger: box", "- &first\n  charger: box\n  mode: pv")
    text += "- <<: *first\n  charger: box2\n"
    text = text.replace(
        "loadpoints:", "- {name: box2, type: template, template: keba-modbus, host: 192.0.2.5}\nloadpoints:"
    )
    assert [loadpoint.mode for loadpoint in parse_config(text, environment={}).loadpoints] == [ChargeMode.PV] * 2
