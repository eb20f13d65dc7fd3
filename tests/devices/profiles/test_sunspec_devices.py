"""SunSpec devices as they are found: which model a value comes from, and what "not implemented" stands for.

The words are those of the models as the alliance publishes them, put together here without our codec.
"""

from __future__ import annotations

import math
import struct

import anyio
import pytest
from fake_device import FakeDevice
from trio_test import in_virtual_time

from evcc_server.config.load import parse_config
from evcc_server.config.model import TemplateDevice
from evcc_server.devices.contract import MeterValues
from evcc_server.devices.plugin.sunspec import SunspecPoints
from evcc_server.devices.template.modbus_meter import ModbusMeter
from evcc_server.modbus.link import Port
from evcc_server.profiles.profile import load

Model = tuple[int, list[int]]
UINT16_NAN, INT16_NAN = 0xFFFF, 0x8000
UINT32_NAN = (0xFFFF, 0xFFFF)


def model(number: int, length: int, points: dict[int, int]) -> Model:
    """A model that has nothing but ``points``, by offset."""
    return number, [points.get(offset, 0xFFFF) for offset in range(length)]


def floats(number: int, length: int, points: dict[int, float]) -> Model:
    """A model in float form that has nothing but ``points``."""
    words = [0x7FC0, 0x0000] * (length // 2)
    for offset, value in points.items():
        words[offset : offset + 2] = struct.unpack(">HH", struct.pack(">f", value))
    return number, words


def modules(*powers: int) -> Model:
    """Model 160 in watts, without counters."""
    words = [0, 0, 0, 0, 0, 0, len(powers), 0xFFFF]
    for number, power in enumerate(powers, 1):
        words += [number, *[0] * 8, 0xFFFF, 0xFFFF, power, *UINT32_NAN, 0xFFFF, 0xFFFF, INT16_NAN, 0xFFFF, 0, 0]
    return 160, words


def inverter(power: int, *, dc: int = INT16_NAN, scale: int = 0) -> Model:
    """Model 103, nothing but power."""
    return model(103, 50, {12: power, 13: scale, 29: dc, 30: scale})


def chain(*models: Model, unit: int = 1, into: FakeDevice | None = None) -> FakeDevice:
    """A device with these models behind its nameplate."""
    fake = into or FakeDevice()
    words = [0x5375, 0x6E53]
    for number, data in ((1, [0] * 66), *models, (0xFFFF, list[int]())):
        words += [number, len(data), *data]
    fake.put(unit, "holding", 40000, *words)
    return fake


def configured(template: str, usage: str, *, more: str = "") -> TemplateDevice:
    text = f"meters:\n- {{name: m, type: template, template: {template}, usage: {usage}, host: 192.0.2.1{more}}}\n"
    device = parse_config(f"{text}site: {{title: x, meters: {{grid: m}}}}\nloadpoints: []\n").meters[0].device
    assert isinstance(device, TemplateDevice)
    return device


async def read(fake: FakeDevice, template: str, usage: str) -> MeterValues:
    """What the owner of ``template`` gets, who configures nothing else."""
    device = configured(template, usage)
    async with anyio.create_task_group() as group:
        link = fake.link(group)
        values = await ModbusMeter(load(device.profile), link, device.unit, usage=usage).read()
        await link.aclose()
        group.cancel_scope.cancel()
    return values


HYBRID = (inverter(1700), modules(3000, 1200, 0, 2500), model(124, 24, {6: 7350, 20: 0xFFFE}))


@in_virtual_time
async def test_a_hybrid_is_two_strings_and_a_battery() -> None:
    assert (await read(chain(*HYBRID), "sunspec-hybrid", "pv")).power_w == 4200.0
    battery = await read(chain(*HYBRID), "sunspec-hybrid", "battery")
    assert (battery.power_w, battery.soc_pct) == (2500.0, 73.5)
    charging = (inverter(1700), modules(3000, 1200, 2500, 0), HYBRID[2])
    assert (await read(chain(*charging), "sunspec-hybrid", "battery")).power_w == -2500.0


@pytest.mark.parametrize(
    ("powers", "battery_w"),
    [
        ((3000, 1200, UINT16_NAN, UINT16_NAN), 0.0),
        ((3000, 1200, UINT16_NAN, 800), 800.0),
        ((3000, UINT16_NAN, 800, UINT16_NAN), -800.0),
    ],
)
@pytest.mark.parametrize("template", ["sunspec-hybrid", "fronius-gen24"])
@in_virtual_time
async def test_a_module_that_is_not_implemented_has_no_power(
    template: str, powers: tuple[int, ...], battery_w: float
) -> None:
    """The inverter's own power (1700 W) is not the battery's, and one module that rests hides no other."""
    fake = chain(inverter(1700), modules(*powers), HYBRID[2])
    battery = await read(fake, template, "battery")
    assert (battery.power_w, battery.soc_pct) == (battery_w, 73.5)


@in_virtual_time
async def test_a_hybrid_without_battery_modules_does_not_know_its_power() -> None:
    battery = await read(chain(inverter(1700), modules(3000, 1200), HYBRID[2]), "sunspec-hybrid", "battery")
    assert (battery.power_w, battery.soc_pct) == (None, 73.5)


@pytest.mark.parametrize("form", [203, 213])
@pytest.mark.parametrize(
    ("template", "unit"), [("sunspec-hybrid", 1), ("sunspec-inverter", 1), ("kostal-ksem", 71), ("fronius-gen24", 200)]
)
@in_virtual_time
async def test_a_grid_meter_is_read_in_either_form(template: str, unit: int, form: int) -> None:
    power = -2345 & 0xFFFF
    whole = model(203, 105, {1: 400, 4: 0xFFFE, 6: 2305, 13: 0xFFFF, 16: power, 20: 0, 44: 12, 45: 345, 52: 0})
    meter = whole if form == 203 else floats(213, 124, {2: 4.0, 10: 230.5, 26: -2345.0, 66: 786777.0})
    fake = chain(inverter(1700), modules(3000, 1200, 0, 0))
    values = await read(chain(meter, unit=unit, into=fake), template, "grid")
    assert values.power_w == -2345.0
    assert values.energy_import_kwh == 786.777
    assert values.currents_a is not None
    assert values.currents_a[0] == 4.0
    assert values.voltages_v is not None
    assert values.voltages_v[0] == pytest.approx(230.5)


@pytest.mark.parametrize("scale", [0, INT16_NAN])
@pytest.mark.parametrize("template", ["sunspec-inverter", "solaredge-inverter"])
@in_virtual_time
async def test_an_inverter_that_sleeps_generates_nothing(template: str, scale: int) -> None:
    values = await read(chain(inverter(INT16_NAN, scale=scale)), template, "pv")
    assert values.power_w == 0.0
    assert values.energy_import_kwh is None


@pytest.mark.parametrize("template", ["sunspec-hybrid", "sunspec-mppt", "fronius-gen24", "kostal-plenticore"])
@in_virtual_time
async def test_strings_that_sleep_generate_nothing(template: str) -> None:
    asleep = modules(UINT16_NAN, UINT16_NAN, UINT16_NAN, UINT16_NAN)
    unit = load(configured(template, "pv").profile).connection.unit_id
    assert (await read(chain(inverter(INT16_NAN), asleep, unit=unit), template, "pv")).power_w == 0.0


@pytest.mark.parametrize("nan", [math.nan, -math.nan])
@in_virtual_time
async def test_an_inverter_in_float_form_sleeps_as_well(nan: float) -> None:
    assert (await read(chain(floats(113, 60, {20: nan})), "sunspec-inverter", "pv")).power_w == 0.0
    assert (await read(chain(floats(113, 60, {20: 6240.0})), "sunspec-inverter", "pv")).power_w == 6240.0


@in_virtual_time
async def test_the_point_of_a_custom_meter_sleeps_as_well() -> None:
    async with anyio.create_task_group() as group:
        link = chain(inverter(INT16_NAN)).link(group)
        assert await SunspecPoints(Port(link, 1), ["101:W", "103:W"]).read() == 0.0
        await link.aclose()
        group.cancel_scope.cancel()


@in_virtual_time
async def test_a_grid_meter_that_has_no_power_has_none() -> None:
    """Nothing that is known about it says that it rests."""
    meter = model(203, 105, {16: INT16_NAN, 20: 0, 44: 12, 45: 345, 52: 0})
    assert (await read(chain(meter), "sunspec-meter", "grid")).power_w is None


BATTERY_NAN = (0xFFFF, 0xFF7F)  # -3.4e38, low word first


@in_virtual_time
async def test_solaredge_without_battery_is_measured_where_its_power_leaves_it() -> None:
    fake = chain(inverter(6240, dc=6400))
    assert (await read(fake, "solaredge-inverter", "pv")).power_w == 6240.0
    assert (await read(fake, "solaredge-hybrid", "pv")).power_w == 6400.0


@in_virtual_time
async def test_a_solaredge_battery_that_rests_has_no_power() -> None:
    fake = chain(inverter(2000, dc=2100))
    fake.put(1, "holding", 57716, *BATTERY_NAN)
    assert (await read(fake, "solaredge-hybrid", "battery")).power_w == 0.0
    assert (await read(fake, "solaredge-hybrid", "pv")).power_w == 2100.0
    fake.put(1, "holding", 57716, 0x0000, 0x447A)  # 1000.0: charging
    assert (await read(fake, "solaredge-hybrid", "pv")).power_w == 3100.0
    assert (await read(fake, "solaredge-inverter", "battery")).power_w == -1000.0
