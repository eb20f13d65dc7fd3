"""A server that falls silent: each station with a watchdog keeps its current while kicked, then falls to its fail-safe one."""

from collections.abc import Awaitable, Callable

import pytest
import trio
from test_emulated_chargers import Place, place
from test_every_charger import FRAMINGS, Watched
from trio_test import run_deterministic

from evcc_server.devices.template.modbus_charger import ModbusCharger
from evcc_server.modbus.link import Link
from evcc_server.profiles.profile import all_profiles, load
from evcc_sim.devices.emulator_charger import charger_emulator
from evcc_sim.devices.memory_stream import MemoryStream, memory_pair
from evcc_sim.devices.modbus_server import serve_stream
from evcc_sim.plants.wallbox import WallboxSpec

WATCHED = [
    profile.id for profile in all_profiles() if profile.charger is not None and profile.charger.watchdog is not None
]


Script = Callable[[Place, ModbusCharger], Awaitable[None]]


async def drive(name: str, script: Script) -> None:
    profile = load(name)
    assert profile.charger is not None
    world = place(WallboxSpec(profile=name, current_step_a=profile.charger.step_a))
    async with trio.open_nursery() as nursery:
        device = charger_emulator(name, world.box, world.sync)

        async def connect() -> MemoryStream:
            ours, theirs = memory_pair()
            nursery.start_soon(serve_stream, theirs, device.core, device.framing)
            return ours

        link = Link(connect, FRAMINGS[device.framing])
        driver = ModbusCharger(profile, link, device.unit_id)
        await script(world, driver)
        await link.aclose()
        nursery.cancel_scope.cancel()


async def fall_silent(world: Place, driver: ModbusCharger) -> None:
    box, station = world.box, Watched(world, driver)
    await driver.start()
    assert box.spec.watchdog_s > 0, "the watchdog of a new station is armed"
    assert driver.keepalive is not None
    assert driver.keepalive.total_seconds() <= box.spec.watchdog_s / 2
    world.car_arrives()
    await driver.set_current(12)
    await driver.enable()
    await station.wait(2.5 * box.spec.watchdog_s)
    world.sync()
    assert box.pilot_a == pytest.approx(12, abs=0.3)

    await trio.sleep(box.spec.watchdog_s + 1)
    world.sync()
    assert box.spec.failsafe_a <= 6
    assert box.pilot_a == (box.spec.failsafe_a if box.spec.failsafe_a >= 6 else 0)

    await driver.kick()
    await driver.set_current(12)
    await station.wait(30)
    world.sync()
    assert box.pilot_a == pytest.approx(12, abs=0.3)


@pytest.mark.parametrize("name", WATCHED)
def test_a_silent_server_leaves_the_station_at_its_fail_safe_current(name: str) -> None:
    run_deterministic(lambda: drive(name, fall_silent))


async def poll_for_a_while(world: Place, driver: ModbusCharger) -> None:
    await driver.start()
    world.car_arrives()
    await driver.set_current(12)
    await driver.enable()
    keepalive, watchdog_s = driver.keepalive, world.box.spec.watchdog_s
    assert keepalive is not None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kick_for_ever, driver, keepalive.total_seconds())
        for _ in range(30):
            await trio.sleep(watchdog_s / 10)
            await driver.read()
        world.sync()
        assert world.box.pilot_a == pytest.approx(12, abs=0.3)
        for _ in range(30):
            await trio.sleep(watchdog_s / 10)
            world.sync()
            assert world.box.pilot_a == pytest.approx(12, abs=0.3), "kicks are not left out when nobody polls any more"
        nursery.cancel_scope.cancel()


async def kick_for_ever(driver: ModbusCharger, period_s: float) -> None:
    while True:
        await trio.sleep(period_s)
        await driver.kick()


@pytest.mark.parametrize("name", WATCHED)
def test_polls_spare_kicks_only_while_there_are_polls(name: str) -> None:
    run_deterministic(lambda: drive(name, poll_for_a_while))
