"""What the one driver for charging stations makes of a profile, on a station that has everything."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable

import anyio
import pytest
import trio
from fake_device import FakeDevice, Fault
from hypothesis import given, settings
from hypothesis import strategies as st
from trio_test import in_virtual_time, orders, run_deterministic

from evcc_server.devices.template.modbus_charger import ModbusCharger
from evcc_server.errors import DeviceError, DeviceImplausible, DeviceRefused, DeviceSilent
from evcc_server.modbus.link import Link
from evcc_server.modbus.wire import Framing
from evcc_server.profiles.profile import Profile, load, names, parse
from evcclib.model import ChargerStatus

STATION = """
id: station
kind: charger
vendor: Nobody
connection: {transports: [tcp], read_functions: [3], write_functions: [6, 16]}
connectors: {first: 1, last: 2, stride: 100}
registers:
  - {name: status, address: 0, function: holding, type: string, count: 1, per_connector: true}
  - {name: power, address: 1, function: holding, type: uint16, unit: W, per_connector: true}
  - {name: firmware, address: 2, function: holding, type: uint16, per_connector: true}
  - {name: run, address: 10, function: holding, type: uint16, access: rw, per_connector: true}
  - {name: limit, address: 11, function: holding, type: uint16, unit: A, access: rw, per_connector: true}
  - {name: fine_limit, address: 12, function: holding, type: uint16, scale: 0.1, unit: A, access: rw, per_connector: true}
  - {name: power_limit, address: 13, function: holding, type: uint16, scale: 100, unit: W, access: rw, per_connector: true}
  - {name: phases, address: 14, function: holding, type: uint16, access: rw, per_connector: true}
  - {name: vehicle, address: 20, function: holding, type: string, count: 2, per_connector: true}
  - {name: card, address: 22, function: holding, type: uint32, count: 2, per_connector: true}
charger:
  min_a: 6
  max_a: 32
  step_a: 1
  status:
    register: status
    first_letter: true
    map: {A: A, B: B, C: C}
    rules: [{status: B, when: [{register: run, among: [7]}]}]
  current: {register: limit}
  enable:
    on_steps: [{write: run, value: 1}, {write: limit, value: $current}]
    off_steps: [{write: run, value: 0}]
    off_steps_after: [{write: limit, value: 0}]
    state: [{register: run, among: [1]}]
    known_when: [{register: run, among: [0, 1]}]
  values: {power: power}
  phase_switch:
    one: [{write: phases, value: 1}]
    three: [{write: phases, value: 3}]
    state: phases
    states: {1: 1, 3: 3}
    pause_s: 5
    resume_s: 2
  identity: {register: vehicle, registers: [card], format: hex, none: ['00000000']}
  variants:
    - {when: [{register: firmware, among: [2]}], step_a: 0.1, current: {register: fine_limit}}
    - when: [{register: firmware, at_least: 3}]
      current: {register: power_limit, value: 'max(1400, 230 * $phases * $current)'}
"""


def station(firmware: int, *, offset: int = 0) -> FakeDevice:
    fake = FakeDevice(Framing.SOCKET)
    fake.put(1, "holding", offset, 0x4232, 0, firmware)  # "B2"
    fake.put(1, "holding", offset + 10, 0, 0, 0, 0, 3)
    fake.put(1, "holding", offset + 20, 0, 0, 0, 0)
    return fake


async def with_link(fake: FakeDevice, use: Callable[[Link], Awaitable[None]]) -> None:
    async with anyio.create_task_group() as group:
        link = fake.link(group)
        await use(link)
        await link.aclose()
        group.cancel_scope.cancel()


PROFILE = parse(STATION)


@in_virtual_time
async def test_enabling_and_pausing_are_sequences() -> None:
    fake = station(1)

    async def use(link: Link) -> None:
        charger = ModbusCharger(PROFILE, link)
        await charger.start()
        await charger.set_current(10.7)
        await charger.enable()
        await charger.disable()

    await with_link(fake, use)
    assert fake.writes() == [(6, 11, (10,)), (6, 10, (1,)), (6, 11, (10,)), (6, 10, (0,)), (6, 11, (0,))]


@in_virtual_time
async def test_a_station_with_newer_firmware_is_driven_as_its_variant() -> None:
    fake = station(2)

    async def use(link: Link) -> None:
        charger = ModbusCharger(PROFILE, link)
        assert charger.config.current_step_a == 1
        await charger.start()
        assert charger.config.current_step_a == 0.1
        await charger.set_current(10.77)

    await with_link(fake, use)
    assert fake.writes() == [(6, 12, (107,))]


@in_virtual_time
async def test_a_station_that_wants_a_power_gets_one_and_never_too_much() -> None:
    fake = station(3)

    async def use(link: Link) -> None:
        charger = ModbusCharger(PROFILE, link)
        await charger.start()
        await charger.set_current(16)
        await charger.switch_phases(1)
        await charger.set_current(16)
        await charger.set_current(6)

    await with_link(fake, use)
    limits = [values for _, address, values in fake.writes() if address == 13]
    assert limits == [(110,), (36,), (14,)]  # 11040 W, 3680 W, 1400 W, floored to 100 W


@in_virtual_time
async def test_phases_are_switched_while_paused_and_charging_goes_on_after() -> None:
    fake = station(1)
    fake.put(1, "holding", 10, 1, 16)

    async def use(link: Link) -> None:
        charger = ModbusCharger(PROFILE, link)
        await charger.start()
        before = trio.current_time()
        await charger.switch_phases(1)
        assert trio.current_time() - before == pytest.approx(7)
        assert (await charger.read()).phases == 1
        writes = [(address, values[0]) for _, address, values in fake.writes()]
        assert writes == [(10, 0), (11, 0), (14, 1), (10, 1), (11, 16)]
        await charger.disable()
        fake.requests.clear()
        await charger.switch_phases(3)
        assert [(address, values[0]) for _, address, values in fake.writes()] == [(14, 3)]

    await with_link(fake, use)


@in_virtual_time
async def test_status_enable_and_identity_are_what_the_rules_say() -> None:
    fake = station(1)

    async def use(link: Link) -> None:
        charger = ModbusCharger(PROFILE, link)
        await charger.start()
        values = await charger.read()
        assert (values.status, values.is_enabled, values.identity) == (ChargerStatus.B, False, "")
        fake.put(1, "holding", 0, 0x4300)
        fake.put(1, "holding", 22, 0x04A1, 0xB2C3)
        values = await charger.read()
        assert (values.status, values.is_enabled, values.identity) == (ChargerStatus.C, False, "04a1b2c3")
        fake.put(1, "holding", 20, 0x4445, 0x0000)
        fake.put(1, "holding", 10, 7)  # neither on nor off: the rule comes before the letter, the driver remembers
        values = await charger.read()
        assert (values.status, values.is_enabled, values.identity) == (ChargerStatus.B, False, "DE")
        fake.put(1, "holding", 10, 0)
        fake.put(1, "holding", 0, 0x5800)
        assert (await charger.read()).status is None

    await with_link(fake, use)


@in_virtual_time
async def test_the_second_connector_has_its_own_registers() -> None:
    fake = station(1, offset=100)

    async def use(link: Link) -> None:
        charger = ModbusCharger(PROFILE, link, connector=2)
        await charger.start()
        await charger.set_current(8)
        assert (await charger.read()).status is ChargerStatus.B

    await with_link(fake, use)
    assert fake.writes() == [(6, 111, (8,))]


@in_virtual_time
async def test_a_station_that_came_back_keeps_what_was_commanded() -> None:
    fake = station(1)

    async def use(link: Link) -> None:
        charger = ModbusCharger(PROFILE, link)
        await charger.start()
        await charger.set_current(20)
        await charger.enable()
        fake.put(1, "holding", 10, 0, 32)  # it restarted with values of its own
        await charger.start()
        fake.requests.clear()
        await charger.enable()
        assert fake.writes() == [(6, 10, (1,)), (6, 11, (20,))]

    await with_link(fake, use)


@in_virtual_time
async def test_another_device_at_the_address_is_an_error_and_not_a_charger_without_status() -> None:
    fake = FakeDevice(Framing.SOCKET)
    fake.put(1, "holding", 500, 1)

    async def use(link: Link) -> None:
        charger = ModbusCharger(PROFILE, link)
        with pytest.raises(DeviceError):
            await charger.read()
        with pytest.raises(DeviceImplausible):
            await ModbusCharger(load("keba-p30"), link, 1).read()

    await with_link(fake, use)


@in_virtual_time
async def test_a_value_refused_once_is_asked_for_again_after_a_quarter_of_an_hour() -> None:
    fake = station(1)
    del fake.words[1, "holding", 22]

    async def use(link: Link) -> None:
        charger = ModbusCharger(PROFILE, link)
        await charger.start()
        assert (await charger.read()).identity == ""
        fake.put(1, "holding", 22, 0x04A1)
        assert (await charger.read()).identity == ""
        await anyio.sleep(901)
        assert (await charger.read()).identity == "04a10000"

    await with_link(fake, use)


@in_virtual_time
async def test_a_lost_answer_to_a_command_is_an_error_and_nothing_is_taken_as_done() -> None:
    fake = station(1)

    async def use(link: Link) -> None:
        charger = ModbusCharger(PROFILE, link)
        await charger.start()
        fake.faults = [Fault(lost=True)]
        with pytest.raises(DeviceSilent):
            await charger.enable()
        await anyio.sleep(2)
        fake.put(1, "holding", 10, 5)  # it does not tell
        assert (await charger.read()).is_enabled is None
        await charger.disable()
        fake.put(1, "holding", 10, 5)
        assert (await charger.read()).is_enabled is False

    await with_link(fake, use)


@in_virtual_time
async def test_a_command_of_several_writes_may_have_been_done_in_part() -> None:
    fake = station(1)

    async def use(link: Link) -> None:
        charger = ModbusCharger(PROFILE, link)
        await charger.start()
        fake.faults = [Fault(exception=2)]  # its first write: nothing has changed
        with pytest.raises(DeviceRefused) as error:
            await charger.enable()
        assert error.value.left_unchanged
        fake.faults = [None, Fault(exception=2)]  # it runs, but with which current?
        with pytest.raises(DeviceRefused) as error:
            await charger.enable()
        assert not error.value.left_unchanged

    await with_link(fake, use)


@in_virtual_time
async def test_a_phase_change_whose_answer_is_lost_is_planned_for_as_one_phase() -> None:
    fake = station(3)

    async def use(link: Link) -> None:
        charger = ModbusCharger(PROFILE, link)
        await charger.start()
        for phases, answer, power_w in ((1, Fault(lost=True), 2300), (3, Fault(lost=True), 2300), (3, None, 6900)):
            fake.faults = [answer]
            try:
                await charger.switch_phases(phases)
            except DeviceSilent as error:
                assert not error.left_unchanged
            await charger.set_current(10)
            assert fake.get(1, "holding", 13) * 100 == power_w

    await with_link(fake, use)


REPAIRED = STATION.replace(
    "  identity:",
    "  repairs: [{when: [{register: limit, among: [0]}], steps: [{write: limit, value: 1}]}]\n  identity:",
)


@in_virtual_time
async def test_a_repair_does_not_overtake_a_command() -> None:
    fake = station(1)

    async def use(link: Link) -> None:
        charger = ModbusCharger(parse(REPAIRED), link)
        await charger.start()
        fake.requests.clear()
        fake.faults = [Fault(late_s=0.3)]
        async with anyio.create_task_group() as group:
            group.start_soon(charger.read)  # finds no current
            await anyio.sleep(0.1)
            group.start_soon(charger.set_current, 10.0)
        assert fake.writes() == [(6, 11, (10,))]
        fake.put(1, "holding", 11, 0)
        await charger.read()
        assert fake.writes() == [(6, 11, (10,)), (6, 11, (1,))]

    await with_link(fake, use)


@in_virtual_time
async def test_what_a_station_is_found_with_does_not_replace_what_it_was_told_meanwhile() -> None:
    fake = alfen()

    async def use(link: Link) -> None:
        charger = ModbusCharger(load("alfen-ng9xx"), link)
        fake.put(1, "holding", 1210, 0x4180, 0)  # 16 A
        fake.faults = [None, Fault(late_s=0.5), Fault(late_s=0.5)]
        async with anyio.create_task_group() as group:
            group.start_soon(charger.start)
            await anyio.sleep(0.1)
            await charger.set_current(6.0)
            await charger.enable()
        fake.requests.clear()
        await charger.kick()
        assert fake.writes() == [(16, 1210, (0x40C0, 0))]  # 6 A

    await with_link(fake, use)


@in_virtual_time
async def test_while_nobody_knows_the_lower_current_is_repeated() -> None:
    fake = alfen()

    async def use(link: Link) -> None:
        charger = ModbusCharger(load("alfen-ng9xx"), link)
        await charger.start()
        await charger.set_current(10)
        await charger.enable()

        async def unanswered(current_a: float) -> tuple[float, ...]:
            fake.faults = [Fault(lost=True)]
            with pytest.raises(DeviceSilent):
                await charger.set_current(current_a)
            fake.requests.clear()
            await charger.kick()
            return tuple(struct.unpack(">f", struct.pack(">2H", *words))[0] for _, _, words in fake.writes())

        assert await unanswered(16) == (10,)
        await charger.set_current(16)
        assert await unanswered(10) == (10,)
        assert await unanswered(14) == (10,)

    await with_link(fake, use)


@in_virtual_time
async def test_neither_on_nor_off_is_repeated_while_nobody_knows_whether_it_was_enabled() -> None:
    fake = alfen()

    async def use(link: Link) -> None:
        charger = ModbusCharger(load("alfen-ng9xx"), link)
        await charger.start()
        await charger.disable()
        await charger.set_current(10)
        fake.faults = [Fault(lost=True)]
        with pytest.raises(DeviceSilent):
            await charger.enable()
        fake.requests.clear()
        await charger.kick()
        assert fake.writes() == []
        await charger.enable()
        fake.faults = [Fault(lost=True)]
        with pytest.raises(DeviceSilent):
            await charger.disable()
        fake.requests.clear()
        await charger.kick()
        assert fake.writes() == [(16, 1210, (0, 0))]

    await with_link(fake, use)


@in_virtual_time
async def test_a_refused_current_leaves_what_is_repeated_as_it_was() -> None:
    fake = alfen()

    async def use(link: Link) -> None:
        charger = ModbusCharger(load("alfen-ng9xx"), link)
        await charger.start()
        await charger.set_current(16)
        await charger.enable()
        fake.faults = [Fault(exception=3)]
        with pytest.raises(DeviceRefused):
            await charger.set_current(10)
        fake.requests.clear()
        await charger.kick()
        assert fake.writes() == [(16, 1210, (0x4180, 0))]  # 16 A: the caller knows that it stands

    await with_link(fake, use)


@in_virtual_time
async def test_a_watchdog_whose_arming_was_not_answered_is_put_back_all_the_same() -> None:
    fake = station(1)
    fake.put(1, "holding", 30, 0)
    text = STATION.replace(
        "charger:\n",
        "  - {name: timeout, address: 30, function: holding, type: uint16, unit: s, access: rw}\ncharger:\n",
    )
    text += "  watchdog: {kick: any, default_s: 60, timeout: timeout, timeout_write: timeout, zero_is_off: true}\n"

    async def use(link: Link) -> None:
        charger = ModbusCharger(parse(text), link)
        fake.on_write = lambda *_: fake.faults.append(Fault(lost=True))
        fake.faults = [None, None, None, Fault(lost=True)]
        with pytest.raises(DeviceSilent):
            await charger.start()
        assert fake.get(1, "holding", 30) == 60
        fake.on_write = None
        fake.faults.clear()
        await charger.start()
        await charger.release()
        assert fake.get(1, "holding", 30) == 0

    await with_link(fake, use)


def alfen() -> FakeDevice:
    fake = FakeDevice(Framing.SOCKET)
    fake.put(200, "holding", 1100, 0x41C8, 0)
    for address in range(300, 400):
        fake.put(1, "holding", address, 0)
    for address in range(1200, 1216):
        fake.put(1, "holding", address, 0)
    return fake


@in_virtual_time
async def test_a_watchdog_that_repeats_the_setpoint_never_repeats_an_old_one() -> None:
    fake = alfen()

    async def use(link: Link) -> None:
        charger = ModbusCharger(load("alfen-ng9xx"), link)
        await charger.start()
        await charger.set_current(16)
        await charger.enable()
        fake.faults = [Fault(late_s=0.3), Fault(late_s=0.3)]
        async with anyio.create_task_group() as group:
            group.start_soon(charger.set_current, 6.0)
            await anyio.sleep(0.1)
            group.start_soon(charger.kick)
        assert fake.writes()[-1] == (16, 1210, (0x40C0, 0))  # 6 A

    await with_link(fake, use)


@pytest.mark.parametrize(
    ("timeout_s", "share", "poll_age_s", "is_left_out"),
    [(60, 0.25, 0, True), (60, 0.25, 15, True), (60, 0.25, 16, False), (60, 0.5, 1, False), (60, 1.0, 0, False)],
)
@in_virtual_time
async def test_a_kick_of_any_request_is_left_out_when_the_next_one_comes_in_time(
    timeout_s: float, share: float, poll_age_s: float, is_left_out: bool
) -> None:
    fake = station(1)
    profile = parse(STATION + f"  watchdog: {{kick: any, default_s: {timeout_s}, share: {share}}}\n")

    async def use(link: Link) -> None:
        charger = ModbusCharger(profile, link)
        await charger.start()
        fake.requests.clear()
        await charger.kick()
        assert len(fake.requests) == 1, "commands and questions of the start are no polls"
        await charger.read()
        await anyio.sleep(poll_age_s)
        fake.requests.clear()
        await charger.kick()
        assert len(fake.requests) == (0 if is_left_out else 1)
        await anyio.sleep(timeout_s / 2)
        fake.requests.clear()
        await charger.kick()
        assert len(fake.requests) == 1, "nobody has polled since"

    await with_link(fake, use)


@in_virtual_time
async def test_a_poll_that_failed_is_no_reason_to_leave_a_kick_out() -> None:
    fake = station(1)
    profile = parse(STATION + "  watchdog: {kick: any, default_s: 60}\n")

    async def use(link: Link) -> None:
        charger = ModbusCharger(profile, link)
        await charger.start()
        fake.faults = [Fault(lost=True)]
        with pytest.raises(DeviceSilent):
            await charger.read()
        fake.requests.clear()
        await charger.kick()
        assert len(fake.requests) == 1

    await with_link(fake, use)


@in_virtual_time
async def test_a_maximum_below_the_minimum_is_refused_before_anything_is_written() -> None:
    async def use(link: Link) -> None:
        with pytest.raises(ValueError, match="only with 6 A or more"):
            ModbusCharger(PROFILE, link, max_a=5)
        with pytest.raises(ValueError, match="not a charging station"):
            ModbusCharger(load("eastron-sdm630"), link)

    await with_link(station(1), use)


class Notes(FakeDevice):
    """A station of any profile that answers every register with its default and notes what is written."""

    def __init__(self, profile: Profile) -> None:
        super().__init__(Framing.SOCKET)
        for register in profile.registers:
            unit = profile.connection.unit_id if register.unit_id is None else register.unit_id
            for place in range(register.count):
                self.put(unit, register.function, register.address + place, 0)
                self.put(unit, register.also or register.function, register.address + place, 0)


CHARGERS = [name for name in names() if load(name).charger is not None]


@given(orders, st.sampled_from(CHARGERS), st.lists(st.floats(-100, 1000), min_size=1, max_size=4), st.floats(6, 40))
@settings(max_examples=150, deadline=None)
def test_no_setpoint_of_any_station_is_above_its_limit(
    order: int, name: str, currents: list[float], max_a: float
) -> None:
    profile = load(name)
    assert profile.charger is not None
    limit_a = min(profile.charger.max_a, max_a)

    async def use() -> None:
        fake = Notes(profile)
        async with anyio.create_task_group() as group:
            charger = ModbusCharger(profile, fake.link(group), max_a=max_a)
            await charger.enable()
            for current_a in currents:
                fake.requests.clear()
                await charger.set_current(current_a)
                assert written_a(charger, fake) <= limit_a * (1 + 1e-6)
            await charger._registers.port.link.aclose()
            group.cancel_scope.cancel()

    run_deterministic(use, order=order)


def written_a(charger: ModbusCharger, fake: FakeDevice) -> float:
    """The current in the newest write to the current's register, in amperes; power setpoints by 230 V and three phases."""
    facts, profile = charger.facts.current, charger.profile
    register = profile.register(facts.register)
    values = [values for _, address, values in fake.writes() if address == register.address]
    if not values:
        return 0.0
    if register.type == "float32":
        return float(_float(values[-1] if profile.connection.word_order == "high_first" else values[-1][::-1]))
    raw = 0
    for word in values[-1] if profile.connection.word_order == "high_first" else values[-1][::-1]:
        raw = raw << 16 | word
    if register.unit == "W":
        return max(raw * register.scale, 1400.0) / 690 if raw * register.scale > 4140 else 0.0
    if facts.value is not None:
        return float(raw & 0xFF) * register.scale
    return raw * register.scale


def _float(words: tuple[int, ...]) -> float:
    return float(struct.unpack(">f", struct.pack(">2H", *words))[0])
