"""docs/configuration.md: its examples are valid, no key that is read is left out, the defaults of its tables are true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from evcc_server.config.load import keys_accepted_in, parse_config
from evcc_server.settings import TABLE
from evcclib.laws.by_name import LAWS

MANUAL = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", MANUAL, re.DOTALL)
ENVIRONMENT = {"EVCC_TOKEN": "a", "METER_PASSWORD": "b", "MAPS_TOKEN": "c"}
UNDOCUMENTED = {
    "encoding",  # decode's old name
    "identifier",
    "mask",
    "returnenergy",
    "maxchargerate",  # a device's own
    "targetsoc",  # limitsoc's old name
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.split(":")[0])
def test_every_example_of_the_manual_is_valid(example: str) -> None:
    assert parse_config(example, "docs/configuration.md", environment=ENVIRONMENT).warnings == ()


def test_the_manual_names_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    more = """
modbusproxy: [{port: 1, uri: h}]
network: {host: h}
mqtt: {broker: h}
api: {compat: "0.114"}
database: {type: sqlite}
tariffs: {grid: {type: tibber, token: x}, planner: {type: custom, price: 1}}
chargers: [{name: c, type: custom}]
meters: [{name: m, type: custom, power: {source: const}}, {name: n, type: template, template: fronius-gen24}]
loadpoints: [{enable: {delay: 1s}, soc: {poll: {mode: always}}}]
vehicles: [{name: v, type: custom, onIdentify: {mode: pv}}]
"""
    read = set().union(*(keys_accepted_in(example) for example in (*EXAMPLES, more)))
    named = {word.casefold() for word in re.findall(r"[A-Za-z0-9]+", " ".join(re.findall(r"`[^`\n]+`", MANUAL)))}
    named |= {word.casefold() for example in EXAMPLES for word in re.findall(r"[A-Za-z0-9]+", example)}
    assert {key for key in read if key.casefold() not in named} - UNDOCUMENTED == set()


def test_the_manual_names_every_law() -> None:
    (row,) = re.findall(r"^\| `law` \|.*$", MANUAL, re.MULTILINE)
    assert set(LAWS) <= set(re.findall(r"`(\w+)`", row))


# -- defaults -----------------------------------------------------------------------------------------------------------------

HOME = {
    "": "meters: [{name: grid, type: custom, power: {source: const, value: 1}}]\n"
    "chargers: [{name: box, type: template, template: keba-modbus, host: h}]\n",
    "site": "site: {meters: {grid: grid}, $}\n",
    "loadpoints": "loadpoints: [{charger: box, $}]\n",
}
"""The least that there must be; a key goes in place of the ``$`` of its section, or beside them."""
SECTIONS = {"Top level": "", "Site": "site", "Loadpoints": "loadpoints"}
NO_VALUES = {"mqtt": "embedded broker", "timezone": "the machine's", "charger": "required"}
"""Defaults in words."""
NESTED = re.compile(r"`(\w+)` \(?`?(-?[\d.]+ ?[a-zA-Z]*|true|false)`?\)?")
"""In a cell: ```threshold` 0 W``, ```delay` `1m```, ```interval` (`60m`)``."""


def rows_of(title: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    text = re.split(r"^## ", MANUAL, flags=re.MULTILINE)
    (section,) = [each for each in text if each.startswith(f"{title}\n")]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in section.splitlines() if line.startswith("|")]
    assert rows[0][1].strip() == "default"
    return [[cell.strip() for cell in row] for row in rows[2:]]


def documented() -> Iterator[tuple[str, str, str]]:
    """Section, key (with its parents) and default of every value that the tables give one for."""
    for title, section in SECTIONS.items():
        for keys, default, meaning in rows_of(title):
            names = re.findall(r"`(\w+)`", keys)
            if default and NO_VALUES.get(names[0]) != default:
                yield from zip([section] * len(names), names, default.replace("`", "").split(", "), strict=True)
            elif names in (["enable"], ["disable"], ["soc"]):
                for name, value in NESTED.findall(meaning):
                    path = ("poll." if name == "interval" else "") + name
                    yield section, f"{names[0]}.{path}", value.removesuffix(" W")


def home(section: str, key: str, value: str) -> str:
    """The text of a home with that value, or with nothing in its place."""
    path = key.split(".")
    entry = f"{path[-1]}: {value}" if value else ""
    for outer in reversed(path[:-1]):
        entry = f"{outer}: {{{entry}}}" if value else ""
    parts = {
        name: text.replace("$", entry if name == section else "").replace(", }", "}") for name, text in HOME.items()
    }
    return "".join(parts.values()) + (entry if section == "" else "")


def test_the_tables_give_these_defaults() -> None:
    """Else nothing would be compared."""
    settings = {row.file_key for row in TABLE if row.file_key is not None}
    keys = [key for _, key, _ in documented()]
    assert settings <= set(keys)
    assert [key for key in keys if key not in settings] == [
        *("interval", "log", "persist", "telemetry", "language"),
        *("sharing", "solver", "maxGridSupplyWhileBatteryCharging", "zeroFeedIn", "voltage"),
        "phaseRotation",
        *("guardDuration", "resetOnDisconnect", "soc.poll.interval", "soc.estimate", "unknownSocGrace"),
    ]


OTHER = {"log": "warn", "persist": "false", "telemetry": "true", "language": "de", "mode": "now", "phases": "3"}
OTHER |= {"zeroFeedIn": "true", "phaseRotation": "L2 L3 L1", "resetOnDisconnect": "true", "soc.estimate": "false"}
OTHER |= {"sharing": "order", "solver": "highs"}
"""Values that are not the default; of all others one more, or one more in front of the unit."""


@pytest.mark.parametrize(("section", "key", "default"), list(documented()))
def test_a_key_with_the_default_of_the_manual_changes_nothing(section: str, key: str, default: str) -> None:
    without, given = (parse_config(home(section, key, value)) for value in ("", default))
    assert given == without
    other = OTHER.get(key) or re.sub(r"\d+", lambda number: str(int(number[0]) + 1), default)
    assert parse_config(home(section, key, other)) != without, "this key is compared with nothing"


def test_defaults_in_the_text_of_the_manual_are_true() -> None:
    """Those that a sentence gives in parentheses."""
    config = parse_config(home("site", "title", ""))
    network, mqtt = (
        re.search(r"`network`: `host` \(default `([\d.]+)`.*?`port` \((\d+)\)", MANUAL),
        re.search(r"on `host` \(`([\d.]+)`\) and `port` \((\d+)\).*?`topic` \(`(\w+)`\)", MANUAL, re.DOTALL),
    )
    assert network is not None and mqtt is not None
    assert (config.network.host, str(config.network.port)) == network.groups()
    assert (config.mqtt.host, str(config.mqtt.port), config.mqtt.topic) == mqtt.groups()
    currency = re.search(r"`currency` \(`(\w+)`\)", MANUAL)
    assert currency is not None and config.tariffs.currency == currency[1]
