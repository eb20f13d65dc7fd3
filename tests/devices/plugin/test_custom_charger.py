"""Chargers made of plugins: what is read, and exactly what is written."""

from __future__ import annotations

import anyio
import httpx
import pytest
from fake_device import FakeDevice
from plugin_site import MemoryTopics, Web, error_of, plugin_site
from trio_test import in_virtual_time

from evcc_server.devices.plugin.charger import status_of
from evcc_server.errors import DeviceDown, DeviceError, DeviceImplausible, DeviceRefused, DeviceSilent
from evcc_server.json_path import JsonValue
from evcclib.model import ChargerStatus

HTTP = """
status: {source: http, uri: "http://box.test/state", jq: .cp}
enabled: {source: http, uri: "http://box.test/state", jq: .on}
enable: {source: http, uri: "http://box.test/enable?on=${enable}", method: POST}
maxcurrent: {source: http, uri: "http://box.test/limit", method: PUT, body: '{"amps": ${maxcurrent}}'}
phases1p3p: {source: http, uri: "http://box.test/phases/${phases}"}
wakeup: {source: http, uri: "http://box.test/wake"}
identify: {source: http, uri: "http://box.test/state", jq: .card}
power: {source: http, uri: "http://box.test/state", jq: .kw, scale: 1000}
energy: {source: http, uri: "http://box.test/state", jq: .kwh}
"""
STATE = '{"cp": "C2", "on": 1, "card": "04AB", "kw": 7.2, "kwh": 123.4}'
OK = httpx.Response(200)


@in_virtual_time
async def test_an_http_charger_is_read_and_told() -> None:
    answers: dict[str, httpx.Response | str | float] = {
        "POST /enable": OK,
        "PUT /limit": OK,
        "GET /phases/1": OK,
        "GET /wake": OK,
        "GET /state": STATE,
    }
    web = Web(dict(answers))
    async with plugin_site(charger=HTTP, web=web) as devices:
        charger = devices.charger("box")
        config = charger.config
        assert (config.current_step_a, config.can_switch_phases, config.has_wakeup) == (1.0, True, True)
        assert (config.has_power, config.has_energy_total, config.has_identity, config.has_soc) == (
            True,
            True,
            True,
            False,
        )
        values = await charger.read()
        assert (values.status, values.is_enabled, values.identity) == (ChargerStatus.C, True, "04AB")
        assert (values.power_w, values.energy_total_kwh) == (7200, 123.4)
        web.asked.clear()
        await charger.enable()
        await charger.disable()
        await charger.set_current(10.9)  # whole amperes: never more than was asked for
        await charger.switch_phases(1)
        await charger.wake()
    sent = [(request.method, request.url.raw_path.decode(), request.content) for request in web.asked]
    assert sent == [
        ("POST", "/enable?on=true", b""),
        ("POST", "/enable?on=false", b""),
        ("PUT", "/limit", b'{"amps": 10}'),
        ("GET", "/phases/1", b""),
        ("GET", "/wake", b""),
    ]


@pytest.mark.parametrize(
    ("answer", "left_unchanged"),
    [
        (httpx.Response(400), True),
        (httpx.Response(404), True),
        (httpx.Response(408), False),
        (httpx.Response(500), False),  # it failed in the midst of it
        (httpx.Response(504), False),  # a proxy: the device behind it may have heard
        (httpx.Response(303, headers={"location": "/taken"}), False),
        (11.0, False),
        (httpx.ConnectError("nobody there"), True),
        (httpx.ReadError("connection lost"), False),
        (httpx.RemoteProtocolError("no answer"), False),
    ],
)
@in_virtual_time
async def test_an_http_command_says_whether_it_may_have_been_done(
    answer: httpx.Response | float | Exception, left_unchanged: bool
) -> None:
    charger = HTTP.replace("method: PUT,", "method: PUT, headers: {x-key: a},")  # not followed elsewhere then
    async with plugin_site(charger=charger, web=Web({"PUT /limit": answer})) as devices:
        with pytest.raises(DeviceError) as error:
            await devices.charger("box").set_current(10)
        assert error.value.left_unchanged is left_unchanged


@in_virtual_time
async def test_a_command_that_was_heard_and_led_nowhere_may_have_been_done() -> None:
    moved = httpx.Response(307, headers={"location": "http://box.test/gone"})
    web = Web({"PUT /limit": moved, "PUT /gone": httpx.ConnectError("nobody there")})
    async with plugin_site(charger=HTTP, web=web) as devices:
        with pytest.raises(DeviceDown) as error:
            await devices.charger("box").set_current(10)
        assert not error.value.left_unchanged


@in_virtual_time
async def test_the_same_command_twice_is_sent_twice_and_what_was_read_before_is_read_again() -> None:
    web = Web({"GET /phases/1": OK, "GET /state": STATE})
    async with plugin_site(charger=HTTP, web=web) as devices:
        charger = devices.charger("box")
        await charger.read()
        await charger.switch_phases(1)
        await charger.switch_phases(1)
        await charger.read()
    assert [request.url.path for request in web.asked] == ["/state", "/phases/1", "/phases/1", "/state"]


@in_virtual_time
async def test_a_refused_command_is_an_error() -> None:
    async with plugin_site(charger=HTTP, web=Web({"POST /enable": httpx.Response(409)})) as devices:
        text = await error_of(devices.charger("box").enable, DeviceRefused)
    assert text == "http://box.test/enable: HTTP 409 Conflict"


MQTT = """
status: {source: mqtt, topic: box/status}
enabled: {source: mqtt, topic: box/enabled}
enable: {source: mqtt, topic: box/set, payload: "${enable:%d}"}
maxcurrent: {source: mqtt, topic: box/current}
maxcurrentmillis: {source: mqtt, topic: box/current, payload: "${maxcurrentmillis:%.1f}", retained: true}
"""


@in_virtual_time
async def test_an_mqtt_charger_publishes_in_the_format_asked_for() -> None:
    topics = MemoryTopics()
    async with plugin_site(charger=MQTT, topics=topics) as devices:
        charger = devices.charger("box")
        topics.say("box/status", "B")
        topics.say("box/enabled", "true")
        values = await charger.read()
        assert (values.status, values.is_enabled, values.power_w) == (ChargerStatus.B, True, None)
        assert (charger.config.current_step_a, charger.config.has_power) == (0.1, False)
        await charger.enable()
        await charger.set_current(6.5)
        assert topics.published == [("box/set", "1", False), ("box/current", "6.5", True)]
        topics.is_connected = False
        await error_of(charger.disable, DeviceDown)
        assert "phases1p3p is not configured" in await error_of(lambda: charger.switch_phases(3), DeviceImplausible)
        assert "wakeup is not configured" in await error_of(charger.wake, DeviceImplausible)


@in_virtual_time
async def test_what_a_broker_said_last_counts_for_a_minute_when_it_is_gone() -> None:
    topics = MemoryTopics()
    async with plugin_site(charger=MQTT, topics=topics) as devices:
        charger = devices.charger("box")
        topics.say("box/status", "C")
        topics.say("box/enabled", "true")
        await anyio.sleep(3600)
        assert (await charger.read()).status is ChargerStatus.C  # said once, still true
        topics.is_connected = False
        assert "no connection to the broker" in await error_of(charger.read, DeviceSilent)
        topics.is_connected = True
        assert (await charger.read()).status is ChargerStatus.C


MODBUS = """
status: {source: combined, plugged: {source: modbus, uri: plc.test, register: {address: 1, type: coil}},
         charging: {source: modbus, uri: plc.test, register: {address: 2, type: discrete}}}
enabled: {source: modbus, uri: plc.test, register: {address: 10}}
enable: {source: modbus, uri: plc.test, register: {address: 10, type: writesingle}}
maxcurrent: {source: modbus, uri: plc.test, register: {address: 20, type: writemultiple, decode: uint32s}, scale: 1000}
phases1p3p: {source: modbus, uri: plc.test, register: {address: 3, type: writecoil}}
"""


@in_virtual_time
async def test_a_modbus_charger_writes_what_its_registers_say() -> None:
    fake = FakeDevice()
    fake.put(1, "coil", 1, 1)
    fake.put(1, "coil", 3, 0)
    fake.put(1, "discrete", 2, 0)
    fake.put(1, "holding", 10, 0)
    fake.put(1, "holding", 20, 0, 0)
    async with plugin_site(charger=MODBUS, fakes={"plc.test": fake}) as devices:
        charger = devices.charger("box")
        values = await charger.read()
        assert (values.status, values.is_enabled) == (ChargerStatus.B, False)
        await charger.enable()
        await charger.set_current(70)
        await charger.switch_phases(1)
        fake.put(1, "discrete", 2, 1)
        values = await charger.read()
        assert (values.status, values.is_enabled) == (ChargerStatus.C, True)
    # 70 A * 1000 = 70000 = 0x0001_1170, low word first
    assert fake.writes() == [(6, 10, (1,)), (16, 20, (0x1170, 0x0001)), (5, 3, (0xFF00,))]


STATUSES = [
    ("A", "A"),
    ("b", "B"),
    ("C", "C"),
    ("D", "C"),
    ("C1", "B"),
    ("D1", "B"),
    ("C2", "C"),
    ("B2", "B"),
    ("E", "E"),
    ("F", "F"),
    (None, None),
]


@pytest.mark.parametrize(("value", "letter"), STATUSES)
def test_status_letters(value: JsonValue, letter: str | None) -> None:
    status = status_of(value)
    assert (None if status is None else status.value) == letter


@pytest.mark.parametrize("value", ["", "charging", "G", "Available", 2, True, "AB"])
def test_what_is_no_status_is_refused(value: JsonValue) -> None:
    with pytest.raises(DeviceImplausible, match="is none of A, B, C, D, E, F"):
        status_of(value)


CURRENTS = """
status: {source: http, uri: "http://box.test/state", jq: .cp}
enabled: {source: http, uri: "http://box.test/state", jq: .on}
enable: {source: http, uri: "http://box.test/enable?on=${enable}", method: POST}
maxcurrent: {source: http, uri: "http://box.test/limit", method: PUT, body: '{"amps": ${maxcurrent}}'}
currents:
- {source: http, uri: "http://box.test/state", jq: .a1}
- {source: http, uri: "http://box.test/state", jq: .a2}
- {source: http, uri: "http://box.test/state", jq: .a3}
"""


@pytest.mark.parametrize(
    ("a2", "a3", "shown"),
    [
        ('"NaN"', '"NaN"', "(6.13, nan, nan)"),
        ("null", "9999", "(6.13, nan, nan)"),
        ("0", '""', "(6.13, 0.0, nan)"),
    ],
)
def test_the_phases_that_a_single_phase_meter_has_count(a2: str, a3: str, shown: str) -> None:
    @in_virtual_time
    async def run() -> None:
        state = f'{{"cp": "C", "on": true, "a1": 6.13, "a2": {a2}, "a3": {a3}}}'
        async with plugin_site(charger=CURRENTS, web=Web({"GET /state": state})) as devices:
            assert str((await devices.charger("box").read()).currents_a) == shown

    run()


@in_virtual_time
async def test_no_phase_at_all_is_no_current() -> None:
    state = '{"cp": "C", "on": true, "a1": "NaN", "a2": "NaN", "a3": "NaN"}'
    async with plugin_site(charger=CURRENTS, web=Web({"GET /state": state})) as devices:
        assert (await devices.charger("box").read()).currents_a is None


@in_virtual_time
async def test_zeros_of_a_built_in_meter_that_has_counted_are_no_reading() -> None:
    web = Web({"GET /state": STATE})
    async with plugin_site(charger=HTTP, web=web) as devices:
        charger = devices.charger("box")
        await charger.read()
        for letter, power_w in (("C2", None), ("B2", 0)):
            web.answers["GET /state"] = f'{{"cp": "{letter}", "on": 1, "card": "04AB", "kw": 0, "kwh": 0}}'
            await anyio.sleep(10)
            values = await charger.read()
            assert (values.power_w, values.energy_total_kwh, values.is_enabled) == (power_w, None, True)
        web.answers["GET /state"] = '{"cp": "C2", "on": 1, "card": "04AB", "kw": 7.2, "kwh": 0}'
        await anyio.sleep(10)
        values = await charger.read()
        assert (values.power_w, values.energy_total_kwh) == (7200, 0)
