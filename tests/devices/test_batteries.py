"""Batteries under control: what is begun is undone, whatever happens between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import anyio
import pytest
from fake_device import FakeDevice, Fault
from trio_test import in_virtual_time

from evcc_server.devices.template.modbus_meter import ModbusMeter
from evcc_server.errors import DeviceImplausible, DeviceRefused, DeviceSilent
from evcc_server.modbus.link import Link
from evcc_server.modbus.wire import Framing
from evcc_server.profiles.profile import load


async def with_link(fake: FakeDevice, use: Callable[[Link], Awaitable[None]]) -> None:
    async with anyio.create_task_group() as group:
        link = fake.link(group)
        await use(link)
        await link.aclose()
        group.cancel_scope.cancel()


def victron() -> FakeDevice:
    fake = FakeDevice(Framing.SOCKET)
    fake.put(100, "input", 842, 0, 15)
    fake.put(100, "holding", 2901, 100)
    return fake


@in_virtual_time
async def test_hold_never_goes_below_the_owners_minimum() -> None:
    fake = victron()

    async def use(link: Link) -> None:
        battery = ModbusMeter(load("victron-gx"), link, usage="battery", params={"minsoc": 30.0})
        assert battery.modes == ("normal", "hold", "charge")
        await battery.set_mode("hold")
        assert fake.get(100, "holding", 2901) == 300  # the battery is at 15 %
        await battery.release()
        assert fake.get(100, "holding", 2901) == 300
        await battery.release()

    await with_link(fake, use)
    assert fake.writes() == [(6, 2901, (300,)), (6, 2901, (300,))]


@in_virtual_time
async def test_an_unknown_state_of_charge_writes_nothing() -> None:
    fake = victron()
    fake.put(100, "input", 843, 0)
    del fake.words[100, "input", 843]

    async def use(link: Link) -> None:
        battery = ModbusMeter(load("victron-gx"), link, usage="battery")
        with pytest.raises(DeviceImplausible, match="not known"):
            await battery.set_mode("hold")
        with pytest.raises(DeviceImplausible, match="no battery mode"):
            await battery.set_mode("holdcharge")
        assert ModbusMeter(load("victron-gx"), link, usage="grid").modes == ()

    await with_link(fake, use)
    assert fake.writes() == []


@in_virtual_time
async def test_a_mode_that_failed_half_way_is_still_undone() -> None:
    fake = FakeDevice(Framing.SOCKET)
    fake.put(1, "holding", 37046, 0, 5000, 0, 5000)
    fake.put(1, "holding", 47075, 0, 5000, 0, 5000)
    fake.put(1, "holding", 47100, 0)
    fake.faults = [None, None, None, Fault(lost=True)]  # two rated limits, first write, then silence

    async def use(link: Link) -> None:
        battery = ModbusMeter(load("huawei-sun2000"), link, usage="battery")
        with pytest.raises(DeviceSilent):
            await battery.set_mode("hold")
        fake.requests.clear()
        await battery.release()
        assert fake.writes() == [(16, 47075, (0, 5000)), (16, 47077, (0, 5000)), (6, 47100, (0,))]
        fake.requests.clear()
        await battery.release()
        assert fake.writes() == []

    await with_link(fake, use)


@in_virtual_time
async def test_a_battery_that_was_given_back_without_an_answer_is_not_charged_again() -> None:
    fake = FakeDevice(Framing.SOCKET)
    fake.put(1, "holding", 37046, 0, 5000, 0, 5000)

    async def use(link: Link) -> None:
        battery = ModbusMeter(load("huawei-sun2000"), link, usage="battery", params={"maxchargepower": 2000.0})
        await battery.set_mode("charge")
        fake.faults = [None, None, Fault(lost=True)]  # two rated limits, then the answer to the first write
        with pytest.raises(DeviceSilent) as error:
            await battery.set_mode("normal")
        assert not error.value.left_unchanged
        assert battery.keepalive == timedelta(seconds=30)
        fake.requests.clear()
        await battery.kick()
        assert fake.writes() == [(16, 47075, (0, 2000)), (16, 47077, (0, 5000)), (6, 47100, (0,))]
        assert battery.keepalive is None
        fake.requests.clear()
        await battery.kick()
        await battery.release()
        assert fake.writes() == []

    await with_link(fake, use)


@in_virtual_time
async def test_a_mode_that_was_refused_is_not_repeated() -> None:
    fake = FakeDevice(Framing.SOCKET)
    fake.put(1, "holding", 37046, 0, 5000, 0, 5000)

    async def use(link: Link) -> None:
        battery = ModbusMeter(load("huawei-sun2000"), link, usage="battery", params={"maxchargepower": 2000.0})
        fake.faults = [None, Fault(exception=3)]  # the rated limit, then the first write
        with pytest.raises(DeviceRefused) as error:
            await battery.set_mode("charge")
        assert error.value.left_unchanged
        assert (battery.mode, battery.keepalive) == ("normal", None)
        fake.requests.clear()
        await battery.kick()
        await battery.release()
        assert fake.writes() == []

    await with_link(fake, use)


@in_virtual_time
async def test_a_forced_charge_is_renewed_and_other_modes_are_not() -> None:
    fake = FakeDevice(Framing.SOCKET)
    fake.put(1, "holding", 37046, 0, 5000, 0, 5000)

    async def use(link: Link) -> None:
        battery = ModbusMeter(load("huawei-sun2000"), link, usage="battery", params={"maxchargepower": 2000.0})
        assert battery.keepalive is None
        await battery.set_mode("hold")
        assert battery.keepalive is None
        await battery.set_mode("charge")
        assert battery.keepalive == timedelta(seconds=30)
        fake.requests.clear()
        await battery.kick()
        assert fake.writes()[-1] == (6, 47100, (1,))
        assert fake.writes()[1] == (16, 47247, (0, 2000))
        await battery.set_mode("normal")
        fake.requests.clear()
        await battery.kick()
        assert fake.writes() == []

    await with_link(fake, use)


@in_virtual_time
async def test_the_owners_power_is_lowered_to_what_the_battery_takes() -> None:
    fake = FakeDevice(Framing.SOCKET)
    fake.put(1, "holding", 37046, 0, 5000, 0, 4500)

    async def use(link: Link) -> None:
        battery = ModbusMeter(load("huawei-sun2000"), link, usage="battery", params={"maxchargepower": 9000.0})
        await battery.set_mode("charge")
        assert fake.writes()[0] == (16, 47075, (0, 5000))

    await with_link(fake, use)


@in_virtual_time
async def test_renewing_a_mode_and_leaving_it_do_not_mix() -> None:
    fake = FakeDevice(Framing.SOCKET)
    fake.put(1, "holding", 37046, 0, 5000, 0, 4500)

    async def use(link: Link) -> None:
        battery = ModbusMeter(load("huawei-sun2000"), link, usage="battery")
        await battery.set_mode("charge")
        fake.requests.clear()
        fake.faults = [Fault(late_s=0.2)] * 8
        async with anyio.create_task_group() as group:
            group.start_soon(battery.kick)
            await anyio.sleep(0.3)
            group.start_soon(battery.release)
        assert [address for _, address, _ in fake.writes()] == [47075, 47247, 47083, 47246, 47100, 47075, 47077, 47100]
        assert fake.writes()[-1] == (6, 47100, (0,))

    await with_link(fake, use)


def solaredge(control_mode: int) -> FakeDevice:
    fake = FakeDevice(Framing.SOCKET)
    inverter, meter = [0xFFFF] * 50, [0xFFFF] * 105
    inverter[29:31] = [3000, 0]
    inverter[22:25] = [0, 1000, 3]
    meter[1:5] = [100, 200, 300, 0xFFFF]
    meter[16:21] = [-150 & 0xFFFF, 100, -200 & 0xFFFF, -50 & 0xFFFF, 1]
    meter[36:38], meter[44:46], meter[52] = [0, 5], [0, 7], 3
    chain = [0x5375, 0x6E53, 1, 65, *[0] * 65, 103, 50, *inverter, 1, 65, *[0] * 65, 203, 105, *meter, 0xFFFF, 0]
    fake.put(1, "holding", 40000, *chain)
    fake.put(1, "holding", 57348, control_mode)
    fake.put(1, "holding", 57357, 7)
    fake.put(1, "holding", 57716, 0, 0x447A)  # 1000.0, low word first: charging
    return fake


@in_virtual_time
async def test_a_battery_that_is_not_given_into_our_hands_is_not_written_to() -> None:
    fake = solaredge(1)

    async def use(link: Link) -> None:
        battery = ModbusMeter(load("solaredge-hybrid"), link, usage="battery")
        with pytest.raises(DeviceRefused, match="storage_control_mode"):
            await battery.set_mode("hold")
        assert fake.writes() == []
        fake.put(1, "holding", 57348, 4)
        await battery.set_mode("hold")
        assert fake.writes() == [(16, 57357, (7,)), (16, 57360, (0, 0))]

    await with_link(fake, use)


@in_virtual_time
async def test_the_second_logical_device_of_a_sunspec_chain_is_the_meter() -> None:
    async def use(link: Link) -> None:
        grid = await ModbusMeter(load("solaredge-hybrid"), link, usage="grid").read()
        assert grid.power_w == 1500.0  # raw -150 x 10, export counts positive there
        assert grid.powers_w == (-1000.0, 2000.0, 500.0)
        assert grid.currents_a == pytest.approx((-10.0, 20.0, 30.0))
        assert grid.energy_import_kwh == 7.0
        pv = await ModbusMeter(load("solaredge-hybrid"), link, usage="pv").read()
        assert pv.power_w == 4000.0  # 3000 W behind the battery and 1000 W into it

    await with_link(solaredge(4), use)


@in_virtual_time
async def test_models_that_moved_behind_a_new_connection_are_found_again() -> None:
    fake = solaredge(4)

    async def use(link: Link) -> None:
        meter = ModbusMeter(load("solaredge-hybrid"), link, usage="grid")
        assert (await meter.read()).power_w == 1500.0
        chain = [fake.words.pop((1, "holding", 40000 + place)) for place in range(297)]
        fake.put(1, "holding", 40000, *chain[:2], 1, 66, *[0] * 66, *chain[69:])
        await link.aclose()
        with pytest.raises(DeviceImplausible, match="not where they were"):
            await meter.read()
        assert (await meter.read()).power_w == 1500.0

    await with_link(fake, use)


def sungrow(max_discharge_w: int) -> FakeDevice:
    fake = FakeDevice(Framing.SOCKET)
    fake.put(1, "input", 5000, 80)  # 8 kW rated
    fake.put(1, "holding", 13049, 0, 204, 5000)
    fake.put(1, "holding", 33047, max_discharge_w // 10)
    return fake


@in_virtual_time
async def test_what_hold_overwrites_is_brought_back() -> None:
    fake = sungrow(4600)

    async def use(link: Link) -> None:
        battery = ModbusMeter(load("sungrow-sh"), link, usage="battery")
        await battery.set_mode("hold")
        assert fake.get(1, "holding", 33047) == 1
        await battery.set_mode("normal")

    await with_link(fake, use)
    assert fake.get(1, "holding", 33047) == 460


@in_virtual_time
async def test_after_a_crash_the_word_of_hold_is_not_taken_for_the_owners() -> None:
    fake = sungrow(10)

    async def use(link: Link) -> None:
        await ModbusMeter(load("sungrow-sh"), link, usage="battery").set_mode("normal")

    await with_link(fake, use)
    assert fake.get(1, "holding", 33047) == 800
