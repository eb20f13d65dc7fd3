"""Every charging station that the server knows: its driver commands the emulator's plant and sees what it does."""

from collections.abc import Awaitable, Callable

import pytest
import trio
from test_emulated_chargers import Place, place
from trio_test import run_deterministic

from evcc_server.devices.template.modbus_charger import ModbusCharger
from evcc_server.modbus import wire
from evcc_server.modbus.link import Link
from evcc_server.profiles.profile import Charger, all_profiles, load
from evcc_sim.devices.emulator_charger import charger_emulator
from evcc_sim.devices.memory_stream import MemoryStream, memory_pair
from evcc_sim.devices.modbus_server import FaultHook, Wrapping, no_faults, serve_stream
from evcc_sim.plants.car import CarSpec
from evcc_sim.plants.wallbox import WallboxSpec
from evcclib.model import ChargerStatus

FRAMINGS = {Wrapping.TCP: wire.Framing.SOCKET, Wrapping.RTU: wire.Framing.RTU, Wrapping.ASCII: wire.Framing.ASCII}
CHARGERS = [profile.id for profile in all_profiles() if profile.charger is not None]

METER_IS_AN_OPTION = [p.id for p in all_profiles() if p.charger is not None and p.charger.values.measured_when]


class Watched:
    """A driver that is polled, and kicked as often as it asks for, while time passes."""

    def __init__(self, world: Place, driver: ModbusCharger) -> None:
        self.world = world
        self.driver = driver

    async def wait(self, seconds: float) -> None:
        keepalive = self.driver.keepalive
        period_s = 5.0 if keepalive is None else keepalive.total_seconds()
        while seconds > 0:
            pause_s = min(seconds, period_s)
            await trio.sleep(pause_s)
            seconds -= pause_s
            await (self.driver.read() if keepalive is None else self.driver.kick())
        self.world.sync()


async def drive(
    name: str,
    check: Callable[[Watched], Awaitable[None]],
    *,
    has_meter: bool = True,
    faults: FaultHook = no_faults,
) -> None:
    profile, charger = load(name), facts_of(name)
    spec = WallboxSpec(
        profile=name, current_step_a=charger.step_a, can_switch_phases=can_switch(charger), has_meter=has_meter
    )
    world = place(spec)
    async with trio.open_nursery() as nursery:
        device = charger_emulator(name, world.box, world.sync)

        async def connect() -> MemoryStream:
            ours, theirs = memory_pair()
            nursery.start_soon(serve_stream, theirs, device.core, device.framing, faults)
            return ours

        link = Link(connect, FRAMINGS[device.framing])
        driver = ModbusCharger(profile, link, device.unit_id)
        await check(Watched(world, driver))
        await link.aclose()
        nursery.cancel_scope.cancel()


def facts_of(name: str) -> Charger:
    charger = load(name).charger
    assert charger is not None
    return charger


def can_switch(charger: Charger) -> bool:
    return charger.phase_switch is not None or any(variant.phase_switch for variant in charger.variants)


async def follow_a_car(station: Watched) -> None:
    driver, world = station.driver, station.world
    box = world.box
    await driver.start()
    values = await driver.read()
    assert values.status is ChargerStatus.A
    assert values.is_enabled is not True  # None: the driver cannot know yet

    world.car_arrives(CarSpec(rfid="04a1b2c3"))
    await station.wait(10)
    values = await driver.read()
    assert values.status is ChargerStatus.B
    if driver.config.has_identity:
        assert values.identity == "04a1b2c3"

    await driver.set_current(10.0)
    await driver.enable()
    await station.wait(60)
    values = await driver.read()
    assert (values.status, values.is_enabled) == (ChargerStatus.C, True)
    assert box.pilot_a == pytest.approx(10.0, abs=0.3)
    if values.power_w is not None:
        assert values.power_w == pytest.approx(box.power_w, rel=0.01)
    if values.currents_a is not None:
        assert values.currents_a == pytest.approx(box.currents_a, abs=0.1)
    if values.energy_total_kwh is not None:
        assert values.energy_total_kwh == pytest.approx(box.energy_total_kwh, abs=0.11)
    if values.current_offered_a is not None:
        assert values.current_offered_a == pytest.approx(10.0, abs=0.3)

    await driver.set_current(13.0)
    await station.wait(20)
    assert box.pilot_a == pytest.approx(13.0, abs=0.3)

    if driver.config.can_switch_phases:
        for phases in (1, 3):
            await driver.switch_phases(phases)
            await station.wait(60)
            assert box.phases == phases
            assert (await driver.read()).phases in (None, phases)
        assert box.switched_under_load == []

    await driver.disable()
    await station.wait(15)
    values = await driver.read()
    assert (values.status, values.is_enabled) == (ChargerStatus.B, False)
    assert box.pilot_a == 0

    if driver.config.has_wakeup:
        wakes = box.car.wakes if box.car is not None else 0
        await driver.wake()
        await station.wait(5)
        assert box.car is not None
        assert box.car.wakes > wakes
    await driver.release()


@pytest.mark.parametrize("name", CHARGERS)
def test_the_driver_commands_the_station(name: str) -> None:
    run_deterministic(lambda: drive(name, follow_a_car))


async def is_found_on_one_phase(station: Watched) -> None:
    driver, box = station.driver, station.world.box
    box.switch_phases(1)
    await trio.sleep(60)
    station.world.sync()
    assert box.phases == 1
    await driver.start()
    assert driver.config.can_switch_phases
    assert (await driver.read()).phases in (None, 1)
    await driver.set_current(10.0)
    await driver.switch_phases(3)
    await station.wait(60)
    assert box.phases == 3
    assert (await driver.read()).phases in (None, 3)


@pytest.mark.parametrize("name", [name for name in CHARGERS if can_switch(facts_of(name))])
def test_a_station_that_is_found_on_one_phase_gets_three_again(name: str) -> None:
    run_deterministic(lambda: drive(name, is_found_on_one_phase))


async def counts_as_the_plant_does(station: Watched) -> None:
    """Charge for a while at three currents: what the driver says was charged is what has flowed."""
    driver, box = station.driver, station.world.box
    await driver.start()
    values = driver.facts.values
    assert driver.config.has_power is (values.power is not None)
    assert driver.config.has_energy_total is (values.energy_total is not None)
    assert driver.config.has_energy_session is (values.energy_session is not None)
    before = await driver.read()
    flowed_kwh = -box.energy_total_kwh
    station.world.car_arrives()
    for current_a in (8.0, 16.0, 6.0):
        await driver.set_current(current_a)
        await driver.enable()
        await station.wait(1200)
        now = await driver.read()
        if values.power is not None:
            assert now.power_w == pytest.approx(box.power_w, rel=0.01)
    flowed_kwh += box.energy_total_kwh
    if values.energy_total is not None:
        assert before.energy_total_kwh is not None
        assert now.energy_total_kwh is not None
        assert now.energy_total_kwh - before.energy_total_kwh == pytest.approx(flowed_kwh, abs=0.11)
    if values.energy_session is not None:
        assert now.energy_session_kwh == pytest.approx(flowed_kwh, abs=0.11)


@pytest.mark.parametrize("name", CHARGERS)
def test_a_station_counts_what_flows(name: str) -> None:
    run_deterministic(lambda: drive(name, counts_as_the_plant_does))


async def measures_nothing(station: Watched) -> None:
    driver = station.driver
    await driver.start()
    config = driver.config
    assert (config.has_power, config.has_energy_total, config.has_energy_session) == (False, False, False)
    station.world.car_arrives()
    await driver.set_current(10.0)
    await driver.enable()
    await station.wait(60)
    values = await driver.read()
    assert values.status is ChargerStatus.C
    assert (values.power_w, values.energy_total_kwh, values.currents_a) == (None, None, None)


@pytest.mark.parametrize("name", METER_IS_AN_OPTION)
def test_a_station_without_a_meter_measures_nothing(name: str) -> None:
    run_deterministic(lambda: drive(name, measures_nothing, has_meter=False))
