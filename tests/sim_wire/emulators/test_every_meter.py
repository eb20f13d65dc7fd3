"""Every meter, inverter, hybrid and battery that the server knows: its driver sees the emulator's plant.

Driver and emulator share the register table but no code; the raw facts have their own tests.
"""

from collections.abc import Callable

import pytest
import trio
from test_emulated_meters import House, nothing
from trio_test import run_deterministic

from evcc_server.devices.contract import MeterValues
from evcc_server.devices.template.modbus_meter import ModbusMeter
from evcc_server.modbus import wire
from evcc_server.modbus.link import Link
from evcc_server.profiles.profile import all_profiles, load
from evcc_sim.devices.emulator import PLANT_WIDE, Emulator, hybrid_emulator, part_emulator
from evcc_sim.devices.memory_stream import MemoryStream, memory_pair
from evcc_sim.devices.modbus_server import Wrapping, serve_stream

GRID = House(
    power_w=-1234.0, powers_w=(-411.0, -923.0, 100.0), currents_a=(-1.8, -4.0, 0.4), voltages_v=(231.0, 229.0, 230.0)
)
SUN = House(
    power_w=6240.0,
    powers_w=(2080.0, 2080.0, 2080.0),
    currents_a=(9.0, 9.0, 9.0),
    voltages_v=(231.0, 229.0, 230.0),
    energy_import_kwh=17654.3,
    energy_export_kwh=0.0,
)
BATTERY = House(power_w=-850.0, energy_import_kwh=18.25, energy_export_kwh=21.5)
PLANTS = {"grid": GRID, "pv": SUN, "battery": BATTERY, "charge": SUN, "aux": SUN}

FRAMINGS = {Wrapping.TCP: wire.Framing.SOCKET, Wrapping.RTU: wire.Framing.RTU, Wrapping.ASCII: wire.Framing.ASCII}
UNSIGNED = frozenset({"orno-we514-515"})
UNSIGNED_CURRENTS = frozenset({"abb-b2x", "be-mpm3pm", "dzg-dvh4013"})
"""Their registers know no sign; the library takes the direction from the phase's power."""
UNITS = {("victron-gx", "charge"): {40: 40}, ("victron-gx", "aux"): {40: 40}}
"""Unit ids that differ from house to house and must be configured."""

CASES = [
    (profile.id, str(usage)) for profile in all_profiles() if profile.kind != "charger" for usage in profile.usages
]


def whole_device(name: str, usage: str) -> Emulator:
    """With everything behind it that it could have."""
    if load(name).kind in ("meter", "inverter") and name not in PLANT_WIDE:
        return part_emulator(name, usage, nothing, meter=PLANTS[usage])
    return hybrid_emulator(name, nothing, grid=GRID, pv=SUN, battery=BATTERY, load_meter=SUN)


def only_that(name: str, usage: str) -> Emulator:
    """With nothing behind it but what it is used for, as in a scenario."""
    return part_emulator(name, usage, nothing, meter=PLANTS[usage], battery=BATTERY)


async def read(device: Emulator, name: str, usage: str) -> MeterValues:
    async with trio.open_nursery() as nursery:

        async def connect() -> MemoryStream:
            ours, theirs = memory_pair()
            nursery.start_soon(serve_stream, theirs, device.core, device.framing)
            return ours

        link = Link(connect, FRAMINGS[device.framing])
        try:
            units = UNITS.get((name, usage))
            return await ModbusMeter(load(name), link, device.unit_id, usage=usage, units=units).read()
        finally:
            await link.aclose()
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("emulate", [whole_device, only_that])
@pytest.mark.parametrize(("name", "usage"), CASES)
def test_the_driver_sees_the_plant(name: str, usage: str, emulate: Callable[[str, str], Emulator]) -> None:
    values = run_deterministic(lambda: read(emulate(name, usage), name, usage))
    plant = PLANTS[usage]
    wanted_w = abs(plant.power_w) if name in UNSIGNED else plant.power_w
    assert values.power_w == pytest.approx(wanted_w, abs=10.0 if "deye" in name else 1.0)
    if values.powers_w is not None:
        assert values.powers_w == pytest.approx(plant.powers_w, abs=1.0)
    if values.energy_import_kwh is not None and name not in UNSIGNED:
        assert values.energy_import_kwh == pytest.approx(plant.energy_import_kwh, abs=0.51)
    if values.energy_export_kwh is not None:
        assert values.energy_export_kwh == pytest.approx(plant.energy_export_kwh, abs=0.51)
    if values.currents_a is not None and 0.0 not in values.currents_a[1:]:
        if name in UNSIGNED_CURRENTS:
            shown = [abs(current) for current in values.currents_a]
            assert shown == pytest.approx([abs(current) for current in plant.currents_a], abs=0.11)
        else:
            assert values.currents_a == pytest.approx(plant.currents_a, abs=0.11)
    if values.voltages_v is not None and 0.0 not in values.voltages_v[1:]:
        assert values.voltages_v == pytest.approx(plant.voltages_v, abs=1.01)
    if usage == "battery" and values.soc_pct is not None:
        assert values.soc_pct == pytest.approx(plant.soc_pct, abs=0.61)


def test_a_part_that_a_device_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="sma-inverter cannot be a grid, only pv"):
        part_emulator("sma-inverter", "grid", nothing, meter=GRID)
