"""What vendors' devices answer while they rest is no silence: nothing flows."""

from __future__ import annotations

import anyio
import pytest
from fake_device import FakeDevice
from trio_test import in_virtual_time

from evcc_server.devices.template.modbus_meter import ModbusMeter
from evcc_server.profiles.profile import load

INT32_NAN, INT32_MAX, UINT32_NAN = (0x8000, 0x0000), (0x7FFF, 0xFFFF), (0xFFFF, 0xFFFF)


@pytest.mark.parametrize(
    ("name", "usage", "resting"),
    [
        ("sma-inverter", "pv", {"holding 30775": INT32_NAN}),
        ("sma-data-manager", "pv", {"holding 30775": INT32_MAX}),
        ("sma-data-manager", "battery", {"holding 31393": UINT32_NAN, "holding 31395": UINT32_NAN}),
        ("sma-hybrid", "pv", {"holding 30773": INT32_NAN, "holding 30961": INT32_NAN}),
        ("sma-hybrid", "battery", {"input 31393": UINT32_NAN, "input 31395": UINT32_NAN}),
        ("sma-storage", "battery", {"input 30775": INT32_NAN}),
        ("sma-sunny-island", "battery", {"input 30775": INT32_NAN}),
        ("huawei-sun2000", "pv", {"holding 32064": INT32_MAX}),
        ("goodwe-et", "pv", {f"holding {address}": UINT32_NAN for address in (35105, 35109, 35113, 35117)}),
    ],
)
@in_virtual_time
async def test_a_device_that_rests_has_no_power(name: str, usage: str, resting: dict[str, tuple[int, int]]) -> None:
    profile = load(name)
    fake = FakeDevice()
    for block in profile.connection.blocks:
        fake.put(profile.connection.unit_id, block.function, block.address, *[0] * block.count)
    for place, words in resting.items():
        space, address = place.split()
        fake.put(profile.connection.unit_id, space, int(address), *words)
    async with anyio.create_task_group() as group:
        link = fake.link(group)
        assert (await ModbusMeter(profile, link, usage=usage).read()).power_w == 0.0
        await link.aclose()
        group.cancel_scope.cancel()
