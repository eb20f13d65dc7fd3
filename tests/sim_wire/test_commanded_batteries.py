"""Every battery that can be told what to do: the driver's writes reach the plant as the mode that was meant."""

import pytest
import trio
from test_emulated_meters import House, nothing
from test_every_meter import FRAMINGS, GRID, SUN
from trio_test import run_deterministic

from evcc_server.devices.template.modbus_meter import ModbusMeter
from evcc_server.modbus.link import Link
from evcc_server.profiles.profile import all_profiles, load
from evcc_sim.devices.emulator import hybrid_emulator
from evcc_sim.devices.memory_stream import MemoryStream, memory_pair
from evcc_sim.devices.modbus_server import serve_stream

CONTROLLED = [profile.id for profile in all_profiles() if profile.battery is not None]


async def order(name: str) -> tuple[list[str], list[str]]:
    """The modes that were ordered, and those that the plant was in after each."""
    battery = House(power_w=-850.0)
    device = hybrid_emulator(name, nothing, grid=GRID, pv=SUN, battery=battery)
    ordered, reached = [], []
    async with trio.open_nursery() as nursery:

        async def connect() -> MemoryStream:
            ours, theirs = memory_pair()
            nursery.start_soon(serve_stream, theirs, device.core, device.framing)
            return ours

        link = Link(connect, FRAMINGS[device.framing])
        driver = ModbusMeter(load(name), link, device.unit_id, usage="battery")
        for mode in [*driver.modes, "normal"]:
            await driver.set_mode(mode)
            ordered.append(mode)
            reached.append(battery.modes[-1] if battery.modes else "nothing")
        await link.aclose()
        nursery.cancel_scope.cancel()
    return ordered, reached


@pytest.mark.parametrize("name", CONTROLLED)
def test_the_plant_is_in_the_mode_that_was_ordered(name: str) -> None:
    ordered, reached = run_deterministic(lambda: order(name))
    assert reached == ordered
