"""The drivers of the first devices against registers set by hand."""

from __future__ import annotations

import math
import struct
from collections.abc import Awaitable, Callable
from datetime import timedelta

import anyio
import pytest
from fake_device import FakeDevice
from trio_test import in_virtual_time

from evcc_server.devices.template.modbus_charger import ModbusCharger
from evcc_server.devices.template.modbus_meter import ModbusMeter
from evcc_server.errors import DeviceImplausible
from evcc_server.modbus.link import Link
from evcc_server.modbus.wire import Framing
from evcc_server.profiles.profile import load
from evcclib.model import ChargerStatus


async def with_link(fake: FakeDevice, use: Callable[[Link], Awaitable[None]]) -> None:
    async with anyio.create_task_group() as group:
        link = fake.link(group)
        await use(link)
        await link.aclose()
        group.cancel_scope.cancel()


def sdm630() -> FakeDevice:
    fake = FakeDevice(Framing.RTU)
    for address in range(0, 90, 2):
        fake.put_float(1, "input", address, 0.0)
    for place, volts in enumerate((230.5, 231.0, 229.5)):
        fake.put_float(1, "input", 2 * place, volts)
    for place, amps in enumerate((1.5, 2.5, 0.25)):
        fake.put_float(1, "input", 6 + 2 * place, amps)
    for place, watts in enumerate((-300.0, 500.0, 50.0)):
        fake.put_float(1, "input", 12 + 2 * place, watts)
    fake.put_float(1, "input", 52, 250.0)
    fake.put_float(1, "input", 72, 1234.5)
    fake.put_float(1, "input", 74, 99.25)
    return fake


@in_virtual_time
async def test_sdm630_as_grid_meter() -> None:
    fake = sdm630()

    async def use(link: Link) -> None:
        meter = ModbusMeter(load("eastron-sdm630"), link, 1, usage="grid")
        values = await meter.read()
        assert values.power_w == 250.0
        assert values.powers_w == (-300.0, 500.0, 50.0)
        assert values.currents_a == (1.5, 2.5, 0.25)
        assert values.voltages_v == (230.5, 231.0, 229.5)
        assert values.energy_import_kwh == 1234.5
        assert values.energy_export_kwh == 99.25
        assert meter.quantities >= {"power_w", "powers_w", "energy_import_kwh"}

    await with_link(fake, use)
    assert len(fake.requests) == 3  # 0-17, 52-53, 72-75


@in_virtual_time
async def test_sdm630_as_pv_meter_turns_the_sign() -> None:
    async def use(link: Link) -> None:
        values = await ModbusMeter(load("eastron-sdm630"), link, 1, usage="pv").read()
        assert values.power_w == -250.0
        assert values.energy_import_kwh == 99.25

    await with_link(sdm630(), use)


@in_virtual_time
async def test_nonsense_from_a_meter_is_missing_and_not_a_number() -> None:
    fake = sdm630()
    fake.put_float(1, "input", 52, float("nan"))
    fake.put_float(1, "input", 12, 3e7)
    fake.put_float(1, "input", 0, 2300.0)

    async def use(link: Link) -> None:
        values = await ModbusMeter(load("eastron-sdm630"), link, 1, usage="grid").read()
        assert values.power_w is None
        assert str(values.powers_w) == "(nan, 500.0, 50.0)"  # the phases that are known count
        assert str(values.voltages_v) == "(nan, 231.0, 229.5)"
        assert values.currents_a == (1.5, 2.5, 0.25)

    await with_link(fake, use)


@in_virtual_time
@pytest.mark.parametrize("usage", ["grid", "pv"])
async def test_zeros_of_a_meter_that_has_counted_are_no_reading(usage: str) -> None:
    fake = sdm630()

    def say(counter_kwh: float, volts: float) -> None:
        for address in range(0, 90, 2):
            fake.put_float(1, "input", address, 0.0)
        fake.put_float(1, "input", 0, volts)
        fake.put_float(1, "input", 72, counter_kwh)

    async def use(link: Link) -> None:
        meter = ModbusMeter(load("eastron-sdm630"), link, 1, usage=usage)
        say(0.0, 0.0)
        assert (await meter.read()).power_w == 0.0  # nothing is known of it yet
        say(8000.0, 230.0)
        await meter.read()
        say(0.0, 0.0)
        for _ in range(2):
            if usage == "grid":
                with pytest.raises(DeviceImplausible, match="all zeros, the counters too"):
                    await meter.read()
            else:  # at night
                values = await meter.read()
                assert (values.power_w, values.energy_import_kwh, values.energy_export_kwh) == (0.0, None, None)
        say(0.0, 230.0)  # it measures something: the counter has been set back
        values = await meter.read()
        assert 0.0 in (values.energy_import_kwh, values.energy_export_kwh)
        say(0.0, 0.0)
        assert (await meter.read()).power_w == 0.0
        say(0.5, 0.0)
        values = await meter.read()
        assert 0.5 in (values.energy_import_kwh, values.energy_export_kwh)

    await with_link(fake, use)


@in_virtual_time
async def test_a_smaller_meter_without_a_counter_still_gives_the_rest() -> None:
    fake = sdm630()
    for address in (74, 75):
        del fake.words[1, "input", address]

    async def use(link: Link) -> None:
        meter = ModbusMeter(load("eastron-sdm630"), link, 1, usage="grid")
        for _ in range(3):
            values = await meter.read()
            assert values.energy_import_kwh == 1234.5
            assert values.energy_export_kwh is None

    await with_link(fake, use)
    assert len(fake.requests) == 3 + 2 + 3 + 3  # the refused pair is split once and not tried again


def sunspec_inverter(base: int = 40000, *, model: int = 103) -> FakeDevice:
    fake = FakeDevice(Framing.SOCKET)
    fake.put(1, "holding", base, 0x5375, 0x6E53, 1, 66, *[0] * 66)
    fake.put(1, "holding", base + 70, 64999, 3, 1, 2, 3)  # a model nobody knows
    start = base + 77
    data = [0xFFFF] * 50
    data[0:5] = [1234, 412, 411, 411, 0xFFFE]  # A and phases, 10^-2
    data[8:12] = [2301, 2302, 2299, 0xFFFF]  # V, 10^-1
    data[12:14] = [0x8000 if model == 0 else 2840, 0]  # W
    data[22:25] = [0x0012, 0xD687, 0]  # 1234567 Wh
    fake.put(1, "holding", start - 2, model or 103, 50, *data)
    fake.put(1, "holding", start + 50, 0xFFFF, 0)
    return fake


@pytest.mark.parametrize("base", [40000, 50000, 0])
@in_virtual_time
async def test_sunspec_inverter_is_found_wherever_its_map_begins(base: int) -> None:
    async def use(link: Link) -> None:
        values = await ModbusMeter(load("sunspec-inverter"), link, usage="pv").read()
        assert values.power_w == 2840.0
        assert values.currents_a == pytest.approx((4.12, 4.11, 4.11))
        assert values.voltages_v == pytest.approx((230.1, 230.2, 229.9))
        assert values.energy_import_kwh == pytest.approx(1234.567)

    await with_link(sunspec_inverter(base), use)


@in_virtual_time
async def test_sunspec_sentinel_is_missing_and_not_zero_but_for_the_power_of_an_inverter_that_sleeps() -> None:
    fake = sunspec_inverter(model=0)
    fake.put(1, "holding", 40000 + 77 + 22, 0xFFFF, 0xFFFF)  # WH

    async def use(link: Link) -> None:
        values = await ModbusMeter(load("sunspec-inverter"), link, usage="pv").read()
        assert values.power_w == 0.0
        assert values.energy_import_kwh is None
        assert values.currents_a is not None

    await with_link(fake, use)


@in_virtual_time
async def test_sunspec_reads_a_model_in_one_request_once_it_is_discovered() -> None:
    fake = sunspec_inverter()

    async def use(link: Link) -> None:
        meter = ModbusMeter(load("sunspec-inverter"), link, usage="pv")
        await meter.read()
        fake.requests.clear()
        await meter.read()

    await with_link(fake, use)
    assert len(fake.requests) == 1


def keba() -> FakeDevice:
    fake = FakeDevice(Framing.SOCKET)
    values = {1000: 1, 1004: 5, 1006: 0, 1008: 0, 1010: 0, 1012: 0, 1014: 17, 1016: 304011, 1018: 1, 1020: 0,
              1036: 120_000, 1100: 0, 1110: 32000, 1500: 0x1A2B3C4D, 1502: 0, 1550: 3, 1552: 1, 1600: 16000, 1602: 0}  # fmt: skip
    for address, value in values.items():
        fake.put(255, "holding", address, value >> 16, value & 0xFFFF)
    return fake


@in_virtual_time
async def test_keba_start_arms_the_failsafe_and_learns_what_the_station_has() -> None:
    fake = keba()

    async def use(link: Link) -> None:
        charger = ModbusCharger(load("keba-p30"), link)
        await charger.start()
        assert fake.writes() == [(6, 5016, (6000,)), (6, 5018, (60,))]
        assert charger.keepalive == timedelta(seconds=30)
        assert charger.config.can_switch_phases
        assert charger.config.current_max_a == 32
        assert charger.config.has_identity
        values = await charger.read()
        assert values.status is ChargerStatus.B
        assert values.is_enabled is False
        assert values.identity == "1a2b3c4d"
        assert values.energy_total_kwh == 12.0
        assert values.phases == 3

    await with_link(fake, use)


@in_virtual_time
async def test_keba_commands() -> None:
    fake = keba()

    async def use(link: Link) -> None:
        charger = ModbusCharger(load("keba-p30"), link)
        await charger.start()
        fake.requests.clear()
        await charger.set_current(10.1239)
        await charger.enable()
        await charger.set_current(99)
        await charger.set_current(3)
        await charger.switch_phases(1)
        await charger.switch_phases(3)
        await charger.disable()
        assert fake.writes() == [
            (6, 5004, (10123,)),
            (6, 5014, (1,)),
            (6, 5004, (32000,)),
            (6, 5004, (6000,)),
            (6, 5052, (0,)),
            (6, 5052, (1,)),
            (6, 5014, (0,)),
        ]
        fake.put(255, "holding", 1602, 0, 60)
        fake.requests.clear()
        await charger.kick()
        await charger.release()
        assert fake.writes() == [(6, 5018, (60,)), (6, 5018, (0,))]
        with pytest.raises(DeviceImplausible):
            await charger.switch_phases(2)
        with pytest.raises(ValueError, match="not a current"):
            await charger.set_current(float("nan"))

    await with_link(fake, use)


@in_virtual_time
async def test_keba_without_meter_and_reader_offers_neither() -> None:
    fake = keba()
    fake.put(255, "holding", 1016, 4, 0xA38C)  # 304012 is overwritten: 304000
    fake.put(255, "holding", 1016, 304000 >> 16, 304000 & 0xFFFF)
    fake.put(255, "holding", 1550, 0, 0)

    async def use(link: Link) -> None:
        charger = ModbusCharger(load("keba-p30"), link)
        await charger.start()
        assert not charger.config.has_power
        assert not charger.config.has_identity
        assert not charger.config.can_switch_phases
        values = await charger.read()
        assert values.power_w is None
        assert values.identity is None

    await with_link(fake, use)


def heidelberg() -> FakeDevice:
    fake = FakeDevice(Framing.RTU)
    fake.put(1, "input", 4, 0x108, 6, 100, 101, 99, 250, 230, 231, 229, 1, 2300, 0, 5, 1, 0x0D40)
    fake.put(1, "input", 100, 16, 6)
    fake.put(1, "holding", 257, 15000, 0, 1)
    fake.put(1, "holding", 261, 0, 0)
    return fake


@in_virtual_time
async def test_heidelberg() -> None:
    fake = heidelberg()

    async def use(link: Link) -> None:
        charger = ModbusCharger(load("heidelberg-ec"), link, 1)
        await charger.start()
        assert fake.writes() == [(16, 258, (4,))]
        assert charger.keepalive == timedelta(seconds=3.75)
        values = await charger.read()
        assert values.status is ChargerStatus.C
        assert values.is_enabled is False
        assert values.power_w == 2300
        assert values.currents_a == pytest.approx((10.0, 10.1, 9.9))
        assert values.energy_total_kwh == pytest.approx(68.928)
        fake.requests.clear()
        await charger.set_current(13.37)  # only remembered: the station is paused
        assert fake.writes() == []
        await charger.enable()
        await charger.set_current(16)
        await charger.set_current(0.5)
        await charger.disable()
        assert fake.writes() == [(16, 261, (133,)), (16, 261, (160,)), (16, 261, (60,)), (16, 261, (0,))]
        fake.requests.clear()
        await charger.wake()
        assert fake.writes() == [(16, 259, (0,)), (16, 259, (1,))]
        fake.put(1, "input", 5, 10)
        fake.put(1, "holding", 259, 0)
        assert (await charger.read()).status is ChargerStatus.B  # the wake-up is still under way
        assert fake.get(1, "holding", 259) == 0
        await anyio.sleep(20)
        assert (await charger.read()).status is ChargerStatus.B  # a lock that was left behind is taken off
        assert fake.get(1, "holding", 259) == 1
        assert (await charger.read()).status is ChargerStatus.F

    await with_link(fake, use)


def alfen() -> FakeDevice:
    fake = FakeDevice(Framing.SOCKET)
    for address in range(300, 380):
        fake.put(1, "holding", address, 0xFFFF)
    for address, value in [(306, 230.0), (308, 231.0), (310, 229.0), (320, 15.5), (322, 15.25), (324, 0.0)]:
        fake.put_float(1, "holding", address, value)
    for address, value in [(338, 3500.0), (340, 3500.0), (342, 0.0), (344, 7000.0)]:
        fake.put_float(1, "holding", address, value)
    fake.put(1, "holding", 374, *struct.unpack(">4H", struct.pack(">d", 1234500.0)))
    fake.put(1, "holding", 1200, 1, *struct.unpack(">5H", b"C2\0\0\0\0\0\0\0\0"))
    fake.put_float(1, "holding", 1206, 16.0)
    fake.put(1, "holding", 1208, 0, 42)
    fake.put_float(1, "holding", 1210, 16.0)
    fake.put_float(1, "holding", 1212, 6.0)
    fake.put(1, "holding", 1214, 1, 3)
    fake.put_float(200, "holding", 1100, 25.0)
    return fake


@pytest.mark.parametrize(
    ("volts", "phases", "can_switch"),
    [(0.0, 1, True), (math.nan, 1, True), (0.0, 3, False), (math.nan, 3, False), (0.0, 0, False), (230.0, 0, True)],
)
@in_virtual_time
async def test_alfen_with_its_relay_on_one_phase_shows_no_voltage_on_the_others(
    volts: float, phases: int, can_switch: bool
) -> None:
    fake = alfen()
    fake.put_float(1, "holding", 308, volts)
    fake.put_float(1, "holding", 310, volts)
    fake.put(1, "holding", 1215, phases)

    async def use(link: Link) -> None:
        charger = ModbusCharger(load("alfen-ng9xx"), link)
        await charger.start()
        assert charger.config.can_switch_phases is can_switch
        assert (await charger.read()).phases == (phases if phases and can_switch else None)
        if can_switch:
            fake.requests.clear()
            await charger.switch_phases(3)
            assert fake.writes() == [(6, 1215, (3,))]

    await with_link(fake, use)


@in_virtual_time
async def test_alfen() -> None:
    fake = alfen()

    async def use(link: Link) -> None:
        charger = ModbusCharger(load("alfen-ng9xx"), link)
        await charger.start()
        assert charger.config.current_max_a == 25.0
        assert charger.config.can_switch_phases
        assert charger.keepalive == timedelta(seconds=25)
        values = await charger.read()
        assert values.status is ChargerStatus.C
        assert values.is_enabled is True
        assert values.power_w == 7000.0
        assert values.currents_a == (15.5, 15.25, 0.0)
        assert values.energy_total_kwh == 1234.5
        assert values.current_offered_a == 16.0
        assert values.phases == 3
        fake.requests.clear()
        await charger.set_current(10.5)
        await charger.kick()
        await charger.disable()
        await charger.kick()
        await charger.set_current(12.0)
        await charger.switch_phases(1)
        ten = struct.unpack(">HH", struct.pack(">f", 10.5))
        assert fake.writes() == [
            (16, 1210, ten),
            (16, 1210, ten),
            (16, 1210, (0, 0)),
            (16, 1210, (0, 0)),
            (6, 1215, (1,)),
        ]

    await with_link(fake, use)
