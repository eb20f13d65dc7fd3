"""What ``evcc-server devices NAME`` prints to start from is a valid entry, and leads to that very device."""

from __future__ import annotations

import pytest

from evcc_server.config.load import parse_config
from evcc_server.config.model import TemplateDevice
from evcc_server.profiles import profile as profiles
from evcc_server.tools.devices_list import example
from evcc_server.wiring.factory import build
from evcc_server.wiring.site import to_site_config

DRIVABLE = [p.id for p in profiles.all_profiles() if p.charger is not None or p.usages]
REST = """
site: {meters: {grid: some}}
loadpoints: [{charger: other}]
"""
OTHER_METER = "meters: [{name: some, type: custom, power: 0}]\n"
OTHER_CHARGER = "chargers: [{name: other, type: custom, status: A, enabled: false, enable: '', maxcurrent: ''}]\n"


@pytest.mark.parametrize("name", DRIVABLE)
def test_the_printed_example_can_be_used(name: str) -> None:
    profile = profiles.load(name)
    text = "\n".join(example(profile)) + "\n"
    if profile.charger is not None:
        text = text.replace("my_charger", "other") + OTHER_METER + REST
    else:
        text = text.replace("my_meter", "some") + OTHER_CHARGER + REST
    config = parse_config(text, environment={})
    entry = config.charger("other") if profile.charger is not None else config.meter("some")
    assert isinstance(entry.device, TemplateDevice)
    assert entry.device.profile == name
    assert entry.device.unit == profile.connection.unit_id
    site = to_site_config(config, build(config))
    assert len(site.loadpoints) == 1


@pytest.mark.parametrize("name", [name for name in DRIVABLE if profiles.load(name).charger is None])
def test_every_usage_can_be_configured(name: str) -> None:
    profile = profiles.load(name)
    base = "\n".join(line for line in example(profile) if "usage:" not in line).replace("my_meter", "some")
    base = base.replace(base.split("template: ")[-1].split("\n")[0], name, 1)
    for usage in profile.usages:
        config = parse_config(f"{base}\n    usage: {usage}\n{OTHER_CHARGER}{REST}", environment={})
        device = config.meter("some").device
        assert isinstance(device, TemplateDevice)
        assert (device.profile, device.usage) == (name, str(usage))
        assert "power_w" in build(config).meter("some").quantities
