"""Emulated charging stations: what is written by hand moves the plant, what is read by hand is its physical state."""

import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
import simpy
import trio
from modbus_by_hand import ByHand, Refused
from trio_test import in_virtual_time

from evcc_sim.devices.emulator_charger import charger_emulator
from evcc_sim.devices.memory_stream import memory_pair
from evcc_sim.devices.modbus_server import serve_stream
from evcc_sim.plants.bus import Bus
from evcc_sim.plants.car import Car, CarSpec
from evcc_sim.plants.wallbox import Wallbox, WallboxSpec


@dataclass
class Place:
    """One station in a world that follows trio's clock."""

    env: simpy.Environment
    bus: Bus
    box: Wallbox

    def sync(self) -> None:
        now = trio.current_time() - self.started
        if now > self.env.now:
            self.env.run(until=now)
        while self.env.peek() <= now:
            self.env.step()

    def __post_init__(self) -> None:
        self.started = trio.current_time()

    def car_arrives(self, spec: CarSpec | None = None) -> Car:
        self.sync()
        car = Car(self.env, spec or CarSpec(rfid="04A1B2C3"))
        self.box.plug_in(car)
        return car


def place(spec: WallboxSpec) -> Place:
    env = simpy.Environment()
    bus = Bus(env)
    return Place(env, bus, Wallbox(env, bus.tap(spec.name), spec, bus.voltages_v))


async def ask(world: Place, script: Callable[[ByHand], Awaitable[None]]) -> None:
    device = charger_emulator(world.box.spec.profile, world.box, world.sync)
    async with trio.open_nursery() as nursery:
        ours, theirs = memory_pair()
        nursery.start_soon(serve_stream, theirs, device.core, device.framing)
        await script(ByHand(ours, device.framing, device.unit_id))
        await ours.aclose()


def long(words: tuple[int, ...]) -> int:
    return words[0] << 16 | words[1]


@in_virtual_time
async def test_keba_charges_in_milliamperes_and_counts_tenths_of_watt_hours() -> None:
    world = place(WallboxSpec(profile="keba-p30", current_step_a=0.001, current_max_a=32.0, can_switch_phases=True))

    async def script(keba: ByHand) -> None:
        assert keba.unit == 255
        assert long(await keba.words(3, 1004, 2)) & 4 == 0  # no car
        world.car_arrives()
        assert long(await keba.words(3, 1004, 2)) & 4
        assert long(await keba.words(3, 1000, 2)) == 5  # disabled
        await keba.write(6, 5004, 13_500)
        await keba.write(6, 5014, 1)
        await trio.sleep(60)
        assert long(await keba.words(3, 1000, 2)) == 3  # charging
        assert [long(await keba.words(3, 1008 + 2 * phase, 2)) for phase in range(3)] == [13_500] * 3  # mA
        assert long(await keba.words(3, 1020, 2)) == 9_315_000  # mW: 3 x 230 V x 13.5 A
        assert world.box.power_w == pytest.approx(9315.0)
        before = long(await keba.words(3, 1036, 2))
        await trio.sleep(3600)
        assert long(await keba.words(3, 1036, 2)) - before == 93_150  # 9.315 kWh in 0.1 Wh
        assert long(await keba.words(3, 1500, 2)) == 0x04A1B2C3
        await keba.write(6, 5014, 0)
        await trio.sleep(10)
        assert long(await keba.words(3, 1000, 2)) == 5
        assert long(await keba.words(3, 1020, 2)) == 0

    await ask(world, script)


@in_virtual_time
async def test_keba_refuses_reads_across_two_values_and_reads_of_write_only_registers() -> None:
    world = place(WallboxSpec(profile="keba-p30"))

    async def script(keba: ByHand) -> None:
        for address, count in [(1008, 4), (1009, 2), (1008, 1), (5004, 1), (1002, 2)]:
            with pytest.raises(Refused):
                await keba.words(3, address, count)
        for function, address, value in [(6, 1000, 3), (16, 5004, 6000), (6, 5014, 7)]:
            with pytest.raises(Refused):
                await keba.write(function, address, value)

    await ask(world, script)


@in_virtual_time
async def test_keba_switches_phases_with_a_pause() -> None:
    world = place(WallboxSpec(profile="keba-p30", can_switch_phases=True, current_step_a=0.001))

    async def script(keba: ByHand) -> None:
        world.car_arrives()
        assert long(await keba.words(3, 1550, 2)) == 3
        await keba.write(6, 5004, 10_000)
        await keba.write(6, 5014, 1)
        await trio.sleep(60)
        await keba.write(6, 5052, 0)
        await trio.sleep(90)
        assert long(await keba.words(3, 1552, 2)) == 0
        assert [long(await keba.words(3, 1008 + 2 * phase, 2)) for phase in range(3)] == [10_000, 0, 0]
        assert world.box.switched_under_load == []

    await ask(world, script)


@in_virtual_time
async def test_keba_without_its_relay_says_so() -> None:
    world = place(WallboxSpec(profile="keba-p30"))

    async def script(keba: ByHand) -> None:
        assert long(await keba.words(3, 1550, 2)) != 3
        with pytest.raises(Refused):
            await keba.write(6, 5052, 0)

    await ask(world, script)


@in_virtual_time
async def test_keba_falls_to_its_safe_current_when_the_watchdog_starves() -> None:
    world = place(WallboxSpec(profile="keba-p30", current_step_a=0.001))

    async def script(keba: ByHand) -> None:
        world.car_arrives()
        await keba.write(6, 5016, 7_000)
        await keba.write(6, 5018, 30)
        assert long(await keba.words(3, 1600, 2)) == 7_000
        assert long(await keba.words(3, 1602, 2)) == 30
        await keba.write(6, 5004, 16_000)
        await keba.write(6, 5014, 1)
        await trio.sleep(25)
        assert long(await keba.words(3, 1008, 2)) == 16_000
        await keba.write(6, 5018, 30)
        await trio.sleep(25)
        assert long(await keba.words(3, 1008, 2)) == 16_000
        await trio.sleep(20)
        assert long(await keba.words(3, 1008, 2)) == 7_000
        await keba.write(6, 5018, 30)
        await trio.sleep(20)
        assert long(await keba.words(3, 1008, 2)) == 16_000

    await ask(world, script)


@in_virtual_time
async def test_heidelberg_pauses_at_zero_and_is_kept_alive_by_any_request() -> None:
    world = place(WallboxSpec(profile="heidelberg-ec", current_step_a=0.1))

    async def script(box: ByHand) -> None:
        assert (await box.words(4, 5, 1)) in {(2,), (3,)}
        world.car_arrives()
        assert (await box.words(3, 257, 1)) == (15_000,)
        assert (await box.words(4, 5, 1)) in {(4,), (5,)}
        await box.write(16, 261, 75)
        for _ in range(30):
            await trio.sleep(10)
            await box.words(4, 5, 1)
        assert (await box.words(4, 5, 1)) in {(6,), (7,)}
        assert await box.words(4, 6, 3) == (75, 75, 75)  # tenths of amperes
        assert await box.words(4, 14, 1) == (5175,)
        assert await box.words(3, 261, 1) == (75,)
        await trio.sleep(30)
        assert await box.words(4, 6, 3) == (0, 0, 0)  # nobody asked for 15 s; its fail-safe current is 0
        for _ in range(5):
            await trio.sleep(10)
            await box.words(4, 5, 1)
        assert await box.words(4, 6, 3) == (75, 75, 75)
        await box.write(16, 261, 0)
        await trio.sleep(10)
        assert (await box.words(4, 5, 1)) in {(4,), (5,)}
        assert await box.words(3, 261, 1) == (0,)

    await ask(world, script)


@pytest.mark.parametrize("value", [161, 65_535])
def test_heidelberg_refuses_more_than_its_limit(value: int) -> None:
    @in_virtual_time
    async def run() -> None:
        world = place(WallboxSpec(profile="heidelberg-ec"))

        async def script(box: ByHand) -> None:
            with pytest.raises(Refused) as refusal:
                await box.write(16, 261, value)
            assert refusal.value.code == 3
            assert await box.words(3, 261, 1) == (0,)

        await ask(world, script)

    run()


@in_virtual_time
async def test_alfen_takes_floats_and_forgets_its_setpoint_when_nobody_renews_it() -> None:
    world = place(WallboxSpec(profile="alfen-ng9xx", current_step_a=0.001, can_switch_phases=True, current_max_a=32.0))

    def floats(value: float) -> tuple[int, int]:
        high, low = struct.unpack(">HH", struct.pack(">f", value))
        return high, low

    async def script(alfen: ByHand) -> None:
        world.car_arrives()
        status = struct.pack(">5H", *await alfen.words(3, 1201, 5))
        assert status.rstrip(b"\0") in {b"B1", b"B2", b"C1", b"D1"}
        await alfen.write(16, 1210, *floats(10.25))
        with pytest.raises(Refused):
            await alfen.write(16, 1210, 0x4140)  # half a number
        for _ in range(3):
            await trio.sleep(30)
            await alfen.write(16, 1210, *floats(10.25))
        assert struct.pack(">5H", *await alfen.words(3, 1201, 5)).rstrip(b"\0") in {b"C2", b"D2", b"C", b"D"}
        assert await alfen.f32(3, 320) == 10.25
        assert await alfen.f32(3, 344) == pytest.approx(7072.5)
        wh = struct.unpack(">d", struct.pack(">4H", *await alfen.words(3, 374, 4)))[0]
        assert wh == pytest.approx(1000 * world.box.energy_total_kwh)
        await trio.sleep(90)
        assert await alfen.f32(3, 320) == 6.0  # the safe current
        await alfen.write(16, 1210, *floats(0.0))
        await trio.sleep(10)
        assert await alfen.f32(3, 344) == 0.0
        await alfen.write(6, 1215, 1)
        await trio.sleep(30)
        assert await alfen.words(3, 1215, 1) == (1,)
        assert world.box.phases == 1

    await ask(world, script)
