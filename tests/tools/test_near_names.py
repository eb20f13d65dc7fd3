"""A device that there is not: what is near, and which protocol the one that was named speaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from evcc_server.config.load import load_config
from evcc_server.config.problems import ConfigError
from evcc_server.profiles import profile as profiles
from evcc_server.profiles.near_names import advice, near_names
from evcc_server.tools.devices_list import list_devices

SEARCHED = [
    (
        "go-e-v3",
        "it speaks HTTP, not Modbus: did you mean go-e-charger (Modbus)? Or write type: custom with source: http",
    ),
    ("goe", "it speaks HTTP, not Modbus: did you mean go-e-charger (Modbus)? Or write type: custom with source: http"),
    (
        "fronius-solarapi-v1",
        "it speaks HTTP, not Modbus: did you mean fronius-gen24 (Modbus)? Or write type: custom with",
    ),
    ("openwb-pro", "it speaks HTTP, not Modbus: did you mean openwb-2.0"),
    ("easee", "it is reached through its maker's cloud, which is not supported"),
    ("sungrow-hybird", "did you mean sungrow-hybrid?"),
    ("kebba", "did you mean keba-p40, keba-p30"),
]


@pytest.mark.parametrize(("word", "said"), SEARCHED, ids=[row[0] for row in SEARCHED])
def test_a_search_that_finds_nothing_names_what_is_near_and_the_protocol(word: str, said: str) -> None:
    lines, is_found = list_devices([word])
    assert (len(lines), is_found) == (1, False)
    assert lines[0].startswith(f"no device matches {word}, {said}")


_HTTP, _CLOUD = "it speaks HTTP, not Modbus", "it is reached through its maker's cloud, which is not supported"
REAL_NAMES = {
    "tesla": (_HTTP, ()),
    "tesla-powerwall": (_HTTP, ()),
    "twc3": (_HTTP, ()),
    "sonoff": (_HTTP, ()),
    "shelly": (_HTTP, ()),
    "shelly-pro-3em": (_HTTP, ()),
    "shelly-of-tomorrow": (_HTTP, ()),
    "tasmota": (_HTTP, ()),
    "mystrom": (_HTTP, ()),
    "fritzdect": (_HTTP, ()),
    "homewizard-kwh": (_HTTP, ()),
    "nrgkick-gen2": (_HTTP, ()),
    "sonnenbatterie": (_HTTP, ()),
    "hardybarth-salia": (_HTTP, ()),
    "kostal-piko": (_HTTP, ("kostal-ksem", "kostal-plenticore", "kostal-plenticore-gen2")),
    "warp2": ("it speaks MQTT, not Modbus", ()),
    "easee": (_CLOUD, ()),
    "zaptec": (_CLOUD, ()),
    "tibber-pulse": (_CLOUD, ()),
    "go-e-cloud": (_CLOUD, ("go-e-charger",)),
    "keba-udp": ("it speaks UDP, not Modbus", ("keba-p40", "keba-p30", "keba-modbus-p40")),
    "e3dc-rscp": ("it speaks RSCP, not Modbus", ("e3dc",)),
    "tplink": ("it speaks a protocol of its maker's, which is not supported", ()),
    "ocpp-wallbox": ("OCPP is not supported", ()),
    "elliconnect": ("EEBus is not supported", ()),
    "wallbe-eco": ("", ("wallbe", "wallbe-meter", "wallbe-pre2019")),
    "webasto-unite": ("", ("webasto-next",)),
    "solar-edge": ("", ("solaredge-hybrid", "solaredge-inverter")),
    "smartevse-3": ("", ("smartevse",)),
    "simpleevse": ("", ()),
    "smappee": ("", ()),
    "solarlog": ("", ()),
    "openhab": ("", ()),
    "evnotify": ("", ()),
}
"""Of evcc's templates of 2023 and today, and of makers: how it is reached, which of ours are near."""


@pytest.mark.parametrize("word", REAL_NAMES)
def test_a_real_name_is_told_its_protocol_and_only_what_is_plausible(word: str) -> None:
    how, near = REAL_NAMES[word]
    names = [name for profile in profiles.all_profiles() for name in (profile.id, *profile.templates)]
    assert near_names(word, names) == near
    assert advice(word, names).startswith(how)
    assert bool(advice(word, names)) == bool(how or near)


@pytest.mark.parametrize("word", ["wallbe", "go-e-charger", "smartevse", "varta", "abb", "keba"])
def test_a_name_that_there_is_is_found(word: str) -> None:
    assert list_devices([word])[1]


def test_the_file_is_told_the_same(tmp_path: Path) -> None:
    (tmp_path / "evcc.yaml").write_text(
        "site: {title: Home, meters: {grid: m}}\nmeters:\n  - {name: m, type: template, template: tesla, usage: grid}\n"
        "chargers:\n  - {name: c, type: template, template: sonoff}\nloadpoints:\n  - {title: Carport, charger: c}\n"
    )
    with pytest.raises(ConfigError) as refused:
        load_config(tmp_path / "evcc.yaml")
    told = [problem.message for problem in refused.value.problems]
    assert [message.split(", ", 1)[1] for message in told] == [f"{_HTTP}: write type: custom with source: http"] * 2


def test_nothing_near_is_nothing() -> None:
    assert list_devices(["zzzzz"]) == (["no device matches zzzzz"], False)
    assert near_names("x", ["xy"]) == near_names("-", ["xy"]) == ()


def test_no_name_of_ours_is_said_to_speak_something_else() -> None:
    names = {name for profile in profiles.all_profiles() for name in (profile.id, *profile.templates)}
    assert not [name for name in names if "not Modbus" in advice(name, ())]
