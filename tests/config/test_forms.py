"""Files as owners of 2022 and of 2026 write them: each is taken as it is, or every line to change is named with what to write.

``forms/`` holds them; ``#!`` at the end of a file are the problems expected: line, key and the beginning of the message.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from test_errors import BASE, problems_of

from evcc_server.config.load import parse_config
from evcc_server.config.model import Config, CustomCharger, CustomMeter, TemplateDevice
from evcc_server.config.problems import ConfigError
from evcc_server.config.sources import HttpSource
from evcc_server.wiring.factory import build
from evcc_server.wiring.site import to_site_config

FILES = sorted((Path(__file__).parent / "forms").glob("*.yaml"))


def expected_in(text: str) -> list[str]:
    return [line.removeprefix("#! ") for line in text.splitlines() if line.startswith("#! ")]


TAKEN = [path for path in FILES if not expected_in(path.read_text(encoding="utf-8"))]
REFUSED = [path for path in FILES if path not in TAKEN]


def test_there_are_files_of_both_kinds_and_eras() -> None:
    assert (len(FILES), len(TAKEN)) == (25, 12)
    assert {path.name[:2] for path in TAKEN} == {path.name[:2] for path in REFUSED} == {"22", "23", "26"}


@pytest.mark.parametrize("path", TAKEN, ids=lambda path: path.stem)
def test_a_file_is_taken_and_its_site_built(path: Path) -> None:
    config = parse_config(path.read_text(encoding="utf-8"), path.name, environment={})
    site = to_site_config(config, build(config, everything=True))
    assert len(site.loadpoints) == len(config.loadpoints) > 0


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.stem)
def test_a_file_is_refused_with_every_line_and_what_to_write(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        parse_config(text, path.name, environment={})
    said = str(caught.value).splitlines()
    expected = expected_in(text)
    assert [line[: len(f"{path.name}:{start}")] for line, start in zip(said, expected, strict=True)] == [
        f"{path.name}:{start}" for start in expected
    ]


# -- what comes of the forms --------------------------------------------------------------------------------------------------


def taken(name: str) -> Config:
    (path,) = (path for path in FILES if path.name.startswith(name))
    return parse_config(path.read_text(encoding="utf-8"), path.name, environment={})


def test_a_site_may_be_a_list_of_one() -> None:
    assert taken("22-01").site.grid == "netz"
    assert problems_of(BASE.replace("site:\n  title: Home\n  meters: {grid: grid}\n", "site: [{}, {}]\n")) == [
        "evcc.yaml:1: site: expected one site, not several"
    ]


def test_headers_may_be_a_list_of_tables() -> None:
    config = taken("22-04")
    meter, charger = config.meters[0].device, config.chargers[0].device
    assert isinstance(meter, CustomMeter) and isinstance(meter.power, HttpSource)
    assert meter.power.headers == {"Authorization": "Bearer abcdef", "Content-Type": "application/json"}
    assert isinstance(charger, CustomCharger) and isinstance(charger.enable, HttpSource)
    assert charger.enable.headers == meter.power.headers


def test_a_bearer_token_may_be_called_password() -> None:
    meter = taken("26-17").meters[0].device
    assert isinstance(meter, CustomMeter) and isinstance(meter.power, HttpSource)
    assert (meter.power.token, meter.power.user, meter.power.password) == ("abcdef", None, None)


def test_the_charge_meter_may_stand_in_meters() -> None:
    assert taken("22-05").loadpoints[0].meter == "lp"


DEYE = "{name: akku, type: template, template: deye-hybrid-3p, usage: battery, host: 192.0.2.9, modbus: tcpip$}"


@pytest.mark.parametrize(
    ("more", "watts"),
    [("", None), (", batterytype: lv", 1), (", batterytype: HV", 10), (", powerunit: 5, batterytype: hv", 5)],
)
def test_a_type_of_battery_says_how_power_is_counted(more: str, watts: float | None) -> None:
    config = parse_config(BASE.replace("\nmeters:\n", f"\nmeters:\n- {DEYE.replace('$', more)}\n"))
    device = config.meters[0].device
    assert isinstance(device, TemplateDevice)
    assert device.parameters.get("powerunit") == watts


def test_keys_without_effect_are_told_of() -> None:
    said = [str(warning).partition(": ")[2] for warning in taken("26-15").warnings]
    assert said == [
        "meters[1].maxacpower: without effect, the power that is measured counts",
        *(f"meters[2].{key}: without effect, this device does not take it" for key in ("minsoc", "maxsoc", "watchdog")),
    ]


@pytest.mark.parametrize(
    ("template", "value", "said"),
    [
        ("alfen", "true", []),
        ("alfen", "false", ["chargers[0].phases1p3p: without effect, give the loadpoint phases: 1 or phases: 3"]),
        (
            "heidelberg",
            "true",
            ["chargers[0].phases1p3p: without effect, it is not known how this station switches phases"],
        ),
        ("heidelberg", "false", []),
    ],
)
def test_what_a_station_can_need_not_be_said(template: str, value: str, said: list[str]) -> None:
    box = (
        f"  template: {template}\n  modbus: {'tcpip' if template == 'alfen' else 'rs485tcpip'}\n  phases1p3p: {value}\n"
    )
    config = parse_config(BASE.replace("  template: keba-modbus\n", box))
    assert [str(warning).partition(": ")[2] for warning in config.warnings] == said
