"""Where a limit of the grid operator is read: relays, registers, HTTP and MQTT, against devices in memory."""

from __future__ import annotations

import httpx
import pytest
import trio
from fake_device import FakeDevice
from plugin_site import MemoryTopics, Web, error_of, plugin_site
from trio_test import in_virtual_time

from evcc_server.errors import DeviceError, DeviceImplausible

COIL = '{source: modbus, uri: "plc.test:502", register: {address: 7, type: discrete}}'


def limit(text: str) -> str:
    return f"operatorlimit: {{name: box, {text}}}\n"


@in_virtual_time
async def test_a_relay_at_a_digital_input_and_a_limit_that_the_owner_knows() -> None:
    fake = FakeDevice()
    async with plugin_site(more=limit(f"active: {COIL}, limit: 4200"), fakes={"plc.test": fake}) as devices:
        for bit, power_w in ((0, None), (1, 4200.0), (0, None)):
            fake.put(1, "discrete", 7, bit)
            assert await devices.limits["box"].read() == power_w
        fake.is_reachable = False
        fake.words.clear()
        await error_of(devices.limits["box"].read, DeviceError)


@in_virtual_time
async def test_a_contact_that_opens_to_limit() -> None:
    turned = f"{{source: calc, add: [{{source: const, value: 1}}, {{source: calc, add: [{COIL}], scale: -1}}]}}"
    fake = FakeDevice()
    async with plugin_site(more=limit(f"active: {turned}, limit: 0"), fakes={"plc.test": fake}) as devices:
        for bit, power_w in ((1, None), (0, 0.0)):
            fake.put(1, "discrete", 7, bit)
            assert await devices.limits["box"].read() == power_w


@in_virtual_time
async def test_registers_with_the_limit_and_whether_it_is_on() -> None:
    fake = FakeDevice()
    fake.put(1, "holding", 10, 1, 42)
    registers = ", ".join(
        f'{key}: {{source: modbus, uri: "plc.test:502", register: {{address: {address}}}, scale: {scale}}}'
        for key, address, scale in (("active", 10, 1), ("limit", 11, 100))
    )
    async with plugin_site(more=limit(registers), fakes={"plc.test": fake}) as devices:
        assert await devices.limits["box"].read() == 4200
        fake.put(1, "holding", 10, 0)
        assert await devices.limits["box"].read() is None


@in_virtual_time
async def test_http_says_both_in_one_answer() -> None:
    web = Web({"GET /lpc": '{"active": true, "power": 4200}'})
    http = '{source: http, uri: "http://ems.test/lpc", jq: '
    more = limit(f"active: {http}.active}}, limit: {http}.power}}")
    async with plugin_site(more=more, web=web) as devices:
        assert await devices.limits["box"].read() == 4200
        assert len(web.asked) == 1
        web.answers["GET /lpc"] = '{"active": false, "power": null}'
        await trio.sleep(1)
        assert await devices.limits["box"].read() is None
        web.answers["GET /lpc"] = httpx.Response(500)
        await trio.sleep(1)
        await error_of(devices.limits["box"].read, DeviceError)


@pytest.mark.parametrize(("timeout", "stands_s"), [("", 60), (", timeout: 24h", 86400)])
@in_virtual_time
async def test_a_message_counts_for_a_minute_or_as_long_as_the_owner_says(timeout: str, stands_s: float) -> None:
    topics = MemoryTopics()
    async with plugin_site(more=limit(f"limit: {{source: mqtt, topic: ems/limit{timeout}}}"), topics=topics) as devices:
        assert "no message yet" in await error_of(devices.limits["box"].read, DeviceError)
        topics.say("ems/limit", "4200")
        await trio.sleep(stands_s - 1)
        assert await devices.limits["box"].read() == 4200
        await trio.sleep(2)
        assert "no message for" in await error_of(devices.limits["box"].read, DeviceError)


@pytest.mark.parametrize("said", ["-1", "1000001", "unavailable", "true", "", "nan", "null"])
@in_virtual_time
async def test_what_is_no_limit_is_no_answer(said: str) -> None:
    web = Web({"GET /limit": said})
    async with plugin_site(more=limit('limit: {source: http, uri: "http://ems.test/limit"}'), web=web) as devices:
        await error_of(devices.limits["box"].read, DeviceImplausible)


@pytest.mark.parametrize("said", ["", "unavailable", "null", "[]"])
@in_virtual_time
async def test_what_is_neither_on_nor_off_is_no_answer(said: str) -> None:
    web = Web({"GET /relay": said})
    more = limit('active: {source: http, uri: "http://ems.test/relay"}, limit: 4200')
    async with plugin_site(more=more, web=web) as devices:
        assert "neither true nor false" in await error_of(devices.limits["box"].read, DeviceImplausible)


def relay(address: int) -> str:
    return f'{{source: modbus, uri: "plc.test:502", register: {{address: {address}, type: discrete}}}}'


STEPS = f"""
operatorlimit:
  name: receiver
  contacts:
  - {{closed: {relay(0)}, limit: none}}
  - {{closed: {relay(1)}, limit: 6600}}
  - {{closed: {relay(2)}, limit: 3300}}
  - {{closed: {relay(3)}, limit: 0}}
"""


@pytest.mark.parametrize(
    ("bits", "power_w"),
    [((1, 0, 0, 0), None), ((0, 1, 0, 0), 6600.0), ((0, 0, 1, 0), 3300.0), ((0, 0, 0, 1), 0.0), ((1, 1, 1, 0), 3300.0)],
)
@in_virtual_time
async def test_a_receiver_of_steps(bits: tuple[int, ...], power_w: float | None) -> None:
    fake = FakeDevice()
    for address, bit in enumerate(bits):
        fake.put(1, "discrete", address, bit)
    async with plugin_site(more=STEPS, fakes={"plc.test": fake}) as devices:
        assert await devices.limits["receiver"].read() == power_w


@in_virtual_time
async def test_a_receiver_none_of_whose_contacts_is_closed_has_a_broken_wire() -> None:
    fake = FakeDevice()
    for address in range(4):
        fake.put(1, "discrete", address, 0)
    async with plugin_site(more=STEPS, fakes={"plc.test": fake}) as devices:
        assert "no contact says anything" in await error_of(devices.limits["receiver"].read, DeviceImplausible)
        fake.is_reachable = False
        await error_of(devices.limits["receiver"].read, DeviceError)


@in_virtual_time
async def test_one_contact_that_closes_and_one_that_opens_to_limit() -> None:
    fake = FakeDevice()
    more = limit(f"contacts: [{{closed: {relay(0)}, limit: 4200}}, {{open: {relay(1)}, limit: 0}}]")
    async with plugin_site(more=more, fakes={"plc.test": fake}) as devices:
        for closes, opens, power_w in ((0, 1, None), (1, 1, 4200.0), (0, 0, 0.0), (1, 0, 0.0)):
            fake.put(1, "discrete", 0, closes)
            fake.put(1, "discrete", 1, opens)
            assert await devices.limits["box"].read() == power_w


@in_virtual_time
async def test_contact_that_is_neither_closed_nor_open_is_no_answer() -> None:
    web = Web({"GET /relay": "unavailable"})
    more = limit('contacts: {closed: {source: http, uri: "http://ems.test/relay"}, limit: 4200}')
    async with plugin_site(more=more, web=web) as devices:
        assert "neither true nor false" in await error_of(devices.limits["box"].read, DeviceImplausible)
