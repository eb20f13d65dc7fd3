"""Emulated meters and inverters: raw registers, decoded by hand, are the plant's physical values."""

import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
import trio
from modbus_by_hand import ByHand, Refused
from trio_test import in_virtual_time

from evcc_sim.devices.emulator import Emulator, meter_emulator
from evcc_sim.devices.memory_stream import memory_pair
from evcc_sim.devices.modbus_server import Wrapping, serve_stream
from evcclib.model import PhaseTriple


@dataclass
class House:
    """Values that no register shows by accident."""

    power_w: float = -1234.5
    powers_w: PhaseTriple = (-411.5, -923.25, 100.25)
    currents_a: PhaseTriple = (-1.75, -4.0, 0.5)
    voltages_v: PhaseTriple = (231.5, 229.0, 230.25)
    energy_import_kwh: float = 1234.5
    energy_export_kwh: float = 4321.25
    soc_pct: float = 63.4
    energy_charged_kwh: float = 21.5
    energy_discharged_kwh: float = 18.25
    modes: list[str] = field(default_factory=list)

    def set_mode(self, mode: str) -> None:
        self.modes.append(mode)


SUN = House(
    power_w=6240.0,
    powers_w=(2080.0, 2080.0, 2080.0),
    currents_a=(9.04, 9.04, 9.04),
    energy_import_kwh=17654.321,
    energy_export_kwh=0.0,
)


async def ask(device: Emulator, script: Callable[[ByHand], Awaitable[None]], *, unit: int | None = None) -> None:
    async with trio.open_nursery() as nursery:
        ours, theirs = memory_pair()
        nursery.start_soon(serve_stream, theirs, device.core, device.framing)
        with trio.fail_after(60):
            await script(ByHand(ours, device.framing, device.unit_id if unit is None else unit))
        await ours.aclose()


def nothing() -> None:
    """The world of these tests stands still."""


@in_virtual_time
async def test_sdm630_shows_floats_over_rtu() -> None:
    device = meter_emulator("eastron-sdm630", House(), "grid", nothing)
    assert device.framing is Wrapping.RTU

    async def script(client: ByHand) -> None:
        assert await client.words(4, 52, 2) == (0xC49A, 0x5000)  # -1234.5 as IEEE 754
        assert await client.f32(4, 0) == 231.5
        assert await client.f32(4, 8) == -4.0
        assert [await client.f32(4, 12 + 2 * phase) for phase in range(3)] == [-411.5, -923.25, 100.25]
        assert await client.f32(4, 72) == 1234.5
        assert await client.f32(4, 74) == 4321.25
        assert await client.f32(4, 70) == 50.0
        block = struct.unpack(">9f", struct.pack(">18H", *await client.words(4, 0, 18)))
        assert block == (231.5, 229.0, 230.25, -1.75, -4.0, 0.5, -411.5, -923.25, 100.25)

    await ask(device, script)


@in_virtual_time
async def test_sdm630_in_front_of_an_inverter_counts_generation_as_export() -> None:
    async def script(client: ByHand) -> None:
        assert await client.f32(4, 52) == -6240.0
        assert await client.f32(4, 72) == 0.0
        assert await client.f32(4, 74) == pytest.approx(17654.321, rel=1e-6)

    await ask(meter_emulator("eastron-sdm630", SUN, "pv", nothing), script)


@in_virtual_time
async def test_sdm630_refuses_what_it_does_not_have() -> None:
    async def script(client: ByHand) -> None:
        for function, address, count, code in [(3, 52, 2, 1), (4, 36, 2, 2), (4, 9999, 2, 2)]:
            with pytest.raises(Refused) as refusal:
                await client.words(function, address, count)
            assert refusal.value.code == code
        with pytest.raises(Refused) as refusal:
            await client.write(16, 52, 0, 0)
        assert refusal.value.code == 1

    await ask(meter_emulator("eastron-sdm630", House(), "grid", nothing), script)


def signed(word: int) -> int:
    return word - 0x10000 if word >= 0x8000 else word


@in_virtual_time
async def test_sunspec_inverter_is_found_by_its_chain_and_scaled_by_its_factors() -> None:
    async def script(client: ByHand) -> None:
        assert await client.words(3, 40000, 2) == (0x5375, 0x6E53)
        models: dict[int, tuple[int, int]] = {}
        address = 40002
        while True:
            model, length = await client.words(3, address, 2)
            if model == 0xFFFF:
                assert length == 0
                break
            models[model] = (address + 2, length)
            address += 2 + length
        assert [*models][:2] == [1, 103]
        start, length = models[103]
        points = await client.words(3, start, length)

        def scaled(point: int, factor: int) -> float:
            return signed(points[point]) * 10.0 ** signed(points[factor])

        assert scaled(12, 13) == 6240.0
        assert [scaled(i, 4) for i in (1, 2, 3)] == pytest.approx([9.04, 9.04, 9.04])
        assert [scaled(i, 11) for i in (8, 9, 10)] == pytest.approx([231.5, 229.0, 230.3])
        assert (points[22] << 16 | points[23]) * 10 ** signed(points[24]) == 17654321
        assert points[31] == 0x8000  # no temperature

    await ask(meter_emulator("sunspec-inverter", SUN, "pv", nothing), script)


@in_virtual_time
async def test_a_value_that_a_plant_cannot_tell_is_shown_as_not_available() -> None:
    blind = House(power_w=float("nan"))

    async def sdm(client: ByHand) -> None:
        assert await client.words(4, 52, 2) == (0x7FC0, 0x0000)

    await ask(meter_emulator("eastron-sdm630", blind, "grid", nothing), sdm)

    async def inverter(client: ByHand) -> None:
        model, length = await client.words(3, 40002 + 68, 2)
        assert (model, length) == (103, 50)
        assert (await client.words(3, 40002 + 70 + 12, 1)) == (0x8000,)

    await ask(meter_emulator("sunspec-inverter", blind, "pv", nothing), inverter)
