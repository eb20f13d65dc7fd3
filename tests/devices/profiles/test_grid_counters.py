"""Counters of grid meters as inverters hold them: signed where they are, and in the block that counts."""

from __future__ import annotations

import anyio
import pytest
from fake_device import FakeDevice
from trio_test import in_virtual_time

from evcc_server.devices.contract import MeterValues
from evcc_server.devices.template.modbus_meter import ModbusMeter
from evcc_server.profiles.profile import load


async def read(name: str, fake: FakeDevice) -> MeterValues:
    async with anyio.create_task_group() as group:
        link = fake.link(group)
        values = await ModbusMeter(load(name), link, usage="grid").read()
        await link.aclose()
        group.cancel_scope.cancel()
    return values


def huawei(exported: tuple[int, int], imported: tuple[int, int]) -> FakeDevice:
    fake = FakeDevice()
    fake.put(1, "holding", 37101, *[0] * 37)
    fake.put(1, "holding", 37119, *exported, *imported)
    return fake


@pytest.mark.parametrize(
    ("exported", "kwh"),
    [((0xFFFF, 0xCFC7), 123.45), ((0x0000, 0x3039), 123.45), ((0x7FFF, 0xFFFF), None), ((0x8000, 0x0000), None)],
)
@in_virtual_time
async def test_huawei_counts_export_by_its_absolute_value(exported: tuple[int, int], kwh: float | None) -> None:
    values = await read("huawei-sun2000", huawei(exported, (0x0009, 0xFBF1)))
    assert (values.energy_export_kwh, values.energy_import_kwh) == (pytest.approx(kwh), 6543.21)


@pytest.mark.parametrize("imported", [(0x7FFF, 0xFFFF), (0x8000, 0x0000), (0xFFFF, 0xCFC7)])
@in_virtual_time
async def test_huawei_without_a_counter_of_import_shows_none(imported: tuple[int, int]) -> None:
    assert (await read("huawei-sun2000", huawei((0x0000, 0x3039), imported))).energy_import_kwh is None


def goodwe(exported_wh: float, imported_wh: float) -> FakeDevice:
    fake = FakeDevice()
    fake.put(247, "holding", 36015, *[0] * 12)
    fake.put(247, "holding", 36052, 2301, 2302, 2299, 10, 10, 10)
    fake.put_float(247, "holding", 36015, exported_wh)
    fake.put_float(247, "holding", 36017, imported_wh)
    return fake


@in_virtual_time
async def test_goodwe_of_platform_745_counts_in_the_later_block() -> None:
    fake = goodwe(0.0, 0.0)
    fake.put(247, "holding", 36104, *[0] * 20)
    fake.put(247, "holding", 36104, 0, 0, 0x0012, 0xD687)
    fake.put(247, "holding", 36120, 0, 0, 0x0001, 0xE240)
    values = await read("goodwe-et", fake)
    assert (values.energy_export_kwh, values.energy_import_kwh) == (12345.67, 1234.56)


@in_virtual_time
async def test_other_goodwe_inverters_count_in_the_first_block() -> None:
    """They refuse the later one."""
    values = await read("goodwe-et", goodwe(10514.0, 3254462.0))
    assert (values.energy_export_kwh, values.energy_import_kwh) == (10.514, 3254.462)
