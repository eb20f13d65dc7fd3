"""The server's drivers, built from the generated configuration, see what the plants do and move what they say."""

import math

import pytest
import trio
from trio_test import in_virtual_time

from evcc_server.config.load import parse_config
from evcc_server.wiring.factory import build
from evcc_sim.devices.site_devices import devices, evcc_yaml
from evcc_sim.runs.virtual_network import VirtualNetwork
from evcc_sim.runs.world_clock import WorldClock
from evcc_sim.worlds import scenario
from evcc_sim.worlds.house import House
from evcclib.model import ChargerStatus

HOME = """
title = "A home that stands still"
household = { constant_w = 700.0 }
pv = [{ name = "roof", constant_w = 4200.0 }]
[[charger]]
box = { name = "keba", profile = "keba-p30", current_step_a = 0.001, can_switch_phases = true }
[[charger]]
box = { name = "heidelberg", profile = "heidelberg-ec", current_step_a = 0.1 }
[[charger]]
box = { name = "alfen", profile = "alfen-ng9xx", current_step_a = 0.001 }
[[car]]
name = "blue"
soc_pct = 40
rfid = "04A1B2C3"
visits = [
  { charger = "keba", arrive = "00:10", depart = "01:00" },
  { charger = "heidelberg", arrive = "01:10", depart = "02:00" },
  { charger = "alfen", arrive = "02:10", depart = "03:00" },
]
"""


@in_virtual_time
async def test_meters_show_the_house() -> None:
    async with trio.open_nursery() as nursery:
        house = House(scenario.parse(HOME, name="home"))
        clock = WorldClock(house)
        network = VirtualNetwork(devices(house, clock.sync), nursery)
        built = build(parse_config(evcc_yaml(house.scenario, network.addresses())), opener=network.open)
        await trio.sleep(5)
        grid = await built.meter("grid").read()
        roof = await built.meter("roof").read()
        assert grid.power_w == pytest.approx(700.0 - 4200.0, abs=0.01)
        assert grid.voltages_v == (230.0, 230.0, 230.0)
        assert grid.powers_w is not None
        assert math.fsum(grid.powers_w) == pytest.approx(grid.power_w, abs=0.01)
        assert roof.power_w == 4200.0
        await trio.sleep(3600)
        grid, roof = await built.meter("grid").read(), await built.meter("roof").read()
        assert grid.energy_export_kwh == pytest.approx(3.5, abs=0.02)
        assert roof.energy_import_kwh == pytest.approx(4.2, abs=0.01)
        await built.aclose()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("name", "arrives_s"), [("keba", 600), ("heidelberg", 4200), ("alfen", 7800)])
def test_chargers_obey_and_tell(name: str, arrives_s: int) -> None:
    @in_virtual_time
    async def run() -> None:
        async with trio.open_nursery() as nursery:
            house = House(scenario.parse(HOME, name="home"))
            clock = WorldClock(house)
            network = VirtualNetwork(devices(house, clock.sync), nursery)
            built = build(parse_config(evcc_yaml(house.scenario, network.addresses())), opener=network.open)
            box = next(box for box in house.wallboxes if box.name == name)
            charger = built.charger(name)
            await trio.sleep(arrives_s - 30)
            await charger.start()
            assert (await charger.read()).status is ChargerStatus.A
            await trio.sleep(60)
            values = await charger.read()
            assert values.status is ChargerStatus.B
            await charger.set_current(9.5)
            await charger.enable()
            for _ in range(12):
                await trio.sleep(5)
                await charger.kick()
                values = await charger.read()
            assert values.status is ChargerStatus.C
            assert values.is_enabled is True
            assert values.currents_a == (9.5, 9.5, 9.5)
            assert values.power_w == pytest.approx(box.power_w, abs=1.0)
            assert values.energy_total_kwh == pytest.approx(box.energy_total_kwh, abs=0.01)
            await charger.disable()
            await trio.sleep(5)
            values = await charger.read()
            assert values.status is ChargerStatus.B
            assert values.is_enabled is False
            assert box.pilot_a == 0
            await built.aclose()
            nursery.cancel_scope.cancel()

    run()
