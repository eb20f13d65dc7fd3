"""What goes over the wire to each charging station, and what its registers mean: worked out by hand from the facts.

Each station is a handful of words in a device made of bytes. All of them go through the same six commands; the words that
must arrive were computed from addresses, types and scales, not with our codec.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from fake_device import FakeDevice
from stations import STATIONS, Station, Write, text
from stations_measured import MEASURED
from trio_test import in_virtual_time

from evcc_server.devices.template.modbus_charger import ModbusCharger
from evcc_server.errors import DeviceImplausible
from evcc_server.modbus.wire import Framing
from evcc_server.profiles.profile import load, names

EVERY = pytest.mark.parametrize("station", STATIONS, ids=lambda station: station.title)


@dataclass
class Bench:
    """A station and its driver."""

    fake: FakeDevice
    charger: ModbusCharger
    station: Station

    def put(self, words: Mapping[str, Sequence[int]]) -> None:
        for place, values in words.items():
            *other, space, address = place.split()
            unit = int(other[0]) if other else self.charger._registers.port.unit
            self.fake.put(unit, space, int(address), *values)

    def sent(self) -> list[Write]:
        found = self.fake.writes()
        self.fake.requests.clear()
        return found


async def run(station: Station, script: Callable[[Bench], Awaitable[None]]) -> None:
    profile = load(station.profile)
    framing = Framing.SOCKET if "tcp" in profile.connection.transports else Framing.RTU
    fake = FakeDevice(framing)
    async with anyio.create_task_group() as group:
        charger = ModbusCharger(profile, fake.link(group), station.unit, connector=station.connector)
        bench = Bench(fake, charger, station)
        bench.put(station.words)
        await script(bench)
        await charger._registers.port.link.aclose()
        group.cancel_scope.cancel()


@EVERY
@in_virtual_time
async def test_commands_are_the_words_that_the_facts_say(station: Station) -> None:
    async def script(bench: Bench) -> None:
        await bench.charger.start()
        assert bench.sent() == station.start
        enable, ten, disable, twelve, again, most = station.commands
        await bench.charger.set_current(6)
        bench.sent()
        await bench.charger.enable()
        assert bench.sent() == enable, "enable"
        await bench.charger.set_current(10.75)
        assert bench.sent() == ten, "10.75 A"
        await bench.charger.disable()
        assert bench.sent() == disable, "disable"
        await bench.charger.set_current(12)
        assert bench.sent() == twelve, "12 A while paused"
        await bench.charger.enable()
        assert bench.sent() == again, "enable with 12 A"
        await bench.charger.set_current(99)
        assert bench.sent() == most, "more than the station takes"

    await run(station, script)


@EVERY
@in_virtual_time
async def test_status_words_mean_what_the_facts_say(station: Station) -> None:
    async def script(bench: Bench) -> None:
        await bench.charger.start()
        for words, letter, is_enabled in station.statuses:
            bench.put(words)
            values = await bench.charger.read()
            assert (values.status.value if values.status is not None else None) == letter, words
            assert is_enabled is None or values.is_enabled is is_enabled, words

    await run(station, script)


@EVERY
@in_virtual_time
async def test_phases_are_switched_as_the_facts_say(station: Station) -> None:
    async def script(bench: Bench) -> None:
        await bench.charger.start()
        bench.sent()
        assert bench.charger.config.can_switch_phases == bool(station.phases)
        if not station.phases:
            with pytest.raises(DeviceImplausible):
                await bench.charger.switch_phases(1)
            assert bench.sent() == []
            return
        one, three = station.phases
        await bench.charger.disable()
        bench.sent()
        await bench.charger.switch_phases(1)
        assert bench.sent() == one
        await bench.charger.switch_phases(3)
        assert bench.sent() == three

    await run(station, script)


@EVERY
@in_virtual_time
async def test_watchdogs_are_fed_in_time(station: Station) -> None:
    async def script(bench: Bench) -> None:
        await bench.charger.start()
        bench.sent()
        keepalive = bench.charger.keepalive
        assert (None if keepalive is None else keepalive.total_seconds()) == station.keepalive_s
        if keepalive is not None:
            await bench.charger.kick()
            assert bench.fake.requests, "a kick must be heard"
            assert bench.sent() == station.kick

    await run(station, script)


@pytest.mark.parametrize("title", MEASURED)
@in_virtual_time
async def test_measured_values_are_what_the_facts_say(title: str) -> None:
    words, expected = MEASURED[title]
    station = next(station for station in STATIONS if station.title == title)

    async def script(bench: Bench) -> None:
        bench.put(words)
        await bench.charger.start()
        values = dataclasses.asdict(await bench.charger.read())
        for key, value in expected.items():
            is_exact = value is None or isinstance(value, str)
            assert values[key] == (value if is_exact else pytest.approx(value, rel=1e-6)), key

    await run(station, script)


def test_every_station_is_on_the_bench() -> None:
    chargers = {name for name in names() if load(name).charger is not None}
    elsewhere = {"abl-emh1"}  # ASCII, every frame twice: see the recordings
    assert chargers - elsewhere == {station.profile for station in STATIONS}


def test_what_every_station_measures_is_worked_out_by_hand() -> None:
    """Driver and emulator take the scale from the same profile: a wrong one looks right to both."""
    values = {name: facts.values for name in names() if (facts := load(name).charger) is not None}
    measuring = {
        name
        for name, each in values.items()
        if any((each.power, each.powers, each.currents, each.voltages, each.energy_total, each.energy_session))
    }
    recorded = {path.stem for path in (Path(__file__).parent / "profiles" / "recordings").glob("*.yaml")}
    elsewhere = {"innogy-ebox"}  # below
    assert measuring - {title.split()[0] for title in MEASURED} - recorded - elsewhere == set()


def station_of(profile: str, note: str = "") -> Station:
    return next(station for station in STATIONS if (station.profile, station.note) == (profile, note))


@in_virtual_time
async def test_a_victron_station_that_is_not_in_manual_mode_is_left_alone() -> None:
    async def script(bench: Bench) -> None:
        bench.put({"holding 5009": [1]})
        with pytest.raises(DeviceImplausible, match="mode reads 1"):
            await bench.charger.start()
        assert bench.sent() == []

    await run(station_of("victron-evcs"), script)


@in_virtual_time
async def test_a_smart_evse_at_16_a_is_not_remembered_with_its_doubled_word() -> None:
    async def script(bench: Bench) -> None:
        bench.put({"holding 513": [0x1010], "input 258": [0x1010]})
        await bench.charger.start()
        await bench.charger.enable()
        assert bench.sent() == [(6, 513, (0x0606,))]

    await run(station_of("smartevse"), script)


@in_virtual_time
async def test_em2go_stops_for_ten_seconds_to_change_phases_while_charging() -> None:
    async def script(bench: Bench) -> None:
        await bench.charger.start()
        await bench.charger.set_current(8)
        await bench.charger.enable()
        bench.sent()
        bench.put({"holding 95": [1]})
        before = anyio.current_time()
        await bench.charger.switch_phases(1)
        assert anyio.current_time() - before >= 10
        assert bench.sent() == [(16, 95, (2,)), (16, 95, (1,)), (16, 200, (1,)), (16, 91, (80,))]

    await run(station_of("em2go"), script)


@in_virtual_time
async def test_innogy_shows_no_power_when_it_only_remembers_currents() -> None:
    async def script(bench: Bench) -> None:
        await bench.charger.start()
        ten, volts = [0x4120, 0], [0x4366, 0]
        bench.put({f"input {address}": ten for address in (1006, 1008, 1010)})
        bench.put({f"input {address}": volts for address in (301, 303, 305)})
        bench.put({"input 275": [0x4232, 0]})
        values = await bench.charger.read()
        assert (values.power_w, values.currents_a) == (0.0, (0.0, 0.0, 0.0))
        bench.put({"input 275": [0x4332, 0]})
        values = await bench.charger.read()
        assert (values.power_w, values.currents_a) == (6900.0, (10.0, 10.0, 10.0))
        bench.put({"input 275": [0x3F32, 0]})
        values = await bench.charger.read()
        assert (values.status, values.power_w, values.currents_a) == (None, None, None)

    await run(station_of("innogy-ebox"), script)


@in_virtual_time
async def test_bender_names_the_vehicle_only_while_one_is_connected_that_can_tell() -> None:
    async def script(bench: Bench) -> None:
        await bench.charger.start()
        bench.put({"holding 720": text("04A1", 10), "holding 740": [0], "holding 741": text("OLD", 6)})
        assert (await bench.charger.read()).identity == "04A1"
        bench.put({"holding 740": [1]})
        assert (await bench.charger.read()).identity == "OLD"
        bench.put({"holding 741": [0] * 6})
        assert (await bench.charger.read()).identity == "04A1"

    await run(station_of("bender-cc", "CC613"), script)


@in_virtual_time
async def test_old_keba_p40_firmware_counts_whole_watt_hours() -> None:
    async def script(bench: Bench) -> None:
        bench.put({"holding 1016": [0x003E, 0xBECF], "holding 1036": [0, 1234]})  # product code 4112079
        await bench.charger.start()
        assert (await bench.charger.read()).energy_total_kwh is None  # fifth digit 0: no meter
        bench.put({"holding 1016": [0x003E, 0xBEEF], "holding 1018": [0, 10_200]})  # 4112111
        await bench.charger.start()
        assert (await bench.charger.read()).energy_total_kwh == pytest.approx(1.234)
        bench.put({"holding 1018": [0, 10_201]})
        await bench.charger.start()
        assert (await bench.charger.read()).energy_total_kwh == pytest.approx(0.1234)

    await run(station_of("keba-p40"), script)
