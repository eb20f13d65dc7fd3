"""docs/configuration.md: its examples are valid, and no key that is read is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evcc_server.config.load import keys_accepted_in, parse_config

MANUAL = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", MANUAL, re.DOTALL)
ENVIRONMENT = {"EVCC_TOKEN": "a", "METER_PASSWORD": "b", "MAPS_TOKEN": "c"}
UNDOCUMENTED = {
    "co2",  # the planner's old name
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
