"""Meters made of plugins: HTTP, MQTT, Modbus, SunSpec, constants and arithmetic."""

from __future__ import annotations

import math

import anyio
import httpx
import pytest
from fake_device import FakeDevice
from plugin_site import MemoryTopics, Web, error_of, plugin_site
from trio_test import in_virtual_time

from evcc_server.errors import DeviceDown, DeviceError, DeviceImplausible, DeviceRefused, DeviceSilent
from evcc_server.log import TRACE

HTTP = """
power: {source: http, uri: "http://meter.test/api?x=1", jq: .grid.power, scale: -1000}
currents:
- {source: http, uri: "http://meter.test/api?x=1", jq: ".phases[0].current"}
- {source: http, uri: "http://meter.test/api?x=1", jq: ".phases[1].current"}
- {source: http, uri: "http://meter.test/api?x=1", jq: ".phases[2].current"}
energy: {source: http, uri: "http://meter.test/energy"}
soc: {source: http, uri: "http://meter.test/api?x=1", jq: '."state of charge"'}
"""
ANSWER = (
    '{"grid": {"power": 1.5}, "phases": [{"current": 1}, {"current": "2.5"}, {"current": 3}], "state of charge": 41}'
)


@in_virtual_time
async def test_values_come_out_of_json_by_path_and_one_answer_serves_them_all() -> None:
    web = Web({"GET /api": ANSWER, "GET /energy": " 1234.5\n"})
    async with plugin_site(meter=HTTP, web=web) as devices:
        values = await devices.meter("grid").read()
        assert (values.power_w, values.currents_a, values.energy_import_kwh) == (-1500.0, (1.0, 2.5, 3.0), 1234.5)
        assert values.soc_pct == 41
        assert devices.meter("grid").quantities == {"power_w", "currents_a", "energy_import_kwh", "soc_pct"}
        assert [request.url.path for request in web.asked] == ["/api", "/energy"]
        await anyio.sleep(10)
        await devices.meter("grid").read()
        assert len(web.asked) == 4


@in_virtual_time
async def test_credentials_headers_and_body_are_sent() -> None:
    plugin = """
power: {source: http, uri: "http://meter.test/api", method: POST, body: '{"q": 1}', headers: {X-Mode: fast},
        auth: {type: basic, user: me, password: "pa:ss"}}
"""
    web = Web({"POST /api": "7"})
    async with plugin_site(meter=plugin, web=web) as devices:
        assert (await devices.meter("grid").read()).power_w == 7
    (request,) = web.asked
    assert request.headers["X-Mode"] == "fast"
    assert request.headers["Authorization"] == httpx.BasicAuth("me", "pa:ss")._auth_header
    assert request.content == b'{"q": 1}'


@in_virtual_time
async def test_credentials_are_not_carried_to_where_a_redirect_points() -> None:
    moved = httpx.Response(301, headers={"location": "http://meter.test/new"})
    web = Web({"GET /api": moved, "GET /new": "7"})
    plain = "power: {source: http, uri: 'http://meter.test/api'}"
    async with plugin_site(meter=plain, web=web) as devices:
        assert (await devices.meter("grid").read()).power_w == 7
    secret = "power: {source: http, uri: 'http://meter.test/api', headers: {X-Api-Key: abc}}"
    async with plugin_site(meter=secret, web=web) as devices:
        text = await error_of(devices.meter("grid").read, DeviceRefused)
    assert text == "http://meter.test/api: HTTP 301, moved to http://meter.test/new"


FAILURES = [
    (httpx.Response(503), DeviceRefused, "http://meter.test/api: HTTP 503 Service Unavailable"),
    (60.0, DeviceSilent, "http://meter.test/api: no answer within 10 s"),
    ("no json", DeviceImplausible, "http://meter.test/api: no JSON: 'no json'"),
    ('{"grid": [1]}', DeviceImplausible, "http://meter.test/api: no key 'power' in a list"),
    ("x" * 2_000_001, DeviceImplausible, "http://meter.test/api: the answer is larger than 2000000 bytes"),
]


@pytest.mark.parametrize(("answer", "kind", "text"), FAILURES, ids=[f[1].__name__ + f[2][-20:] for f in FAILURES])
def test_every_http_failure_is_one_clear_device_error(
    answer: httpx.Response | str | float, kind: type[DeviceError], text: str
) -> None:
    @in_virtual_time
    async def run() -> None:
        async with plugin_site(meter=HTTP, web=Web({"GET /api": answer})) as devices:
            assert await error_of(devices.meter("grid").read, kind) == text

    run()


@in_virtual_time
async def test_a_value_that_is_not_there_is_missing_never_zero() -> None:
    web = Web({"GET /api": '{"grid": {"power": null}, "phases": [{"current": 1}], "state of charge": 140}'})
    async with plugin_site(meter=HTTP, web=web) as devices:
        values = await devices.meter("grid").read()
    assert (values.power_w, values.energy_import_kwh, values.soc_pct) == (None, None, None)
    assert str(values.currents_a) == "(1.0, nan, nan)"  # the phase that is known counts


@in_virtual_time
async def test_zeros_of_a_meter_that_has_counted_are_no_reading() -> None:
    web = Web({"GET /api": '{"w": 0, "kwh": 8000}'})
    plugin = """
power: {source: http, uri: "http://meter.test/api", jq: .w}
energy: {source: http, uri: "http://meter.test/api", jq: .kwh}
"""
    async with plugin_site(meter=plugin, web=web) as devices:
        meter = devices.meter("grid")
        assert (await meter.read()).energy_import_kwh == 8000
        web.answers["GET /api"] = '{"w": 0, "kwh": 0}'
        await anyio.sleep(10)
        assert (
            await error_of(meter.read, DeviceImplausible) == "grid: all zeros, the counters too, after it has counted"
        )
        web.answers["GET /api"] = '{"w": 250, "kwh": 0}'
        await anyio.sleep(10)
        values = await meter.read()
        assert (values.power_w, values.energy_import_kwh) == (250, 0)
        web.answers["GET /api"] = '{"w": 0, "kwh": 0}'
        await anyio.sleep(10)
        assert (await meter.read()).power_w == 0


@pytest.mark.parametrize("text", ["NaN", "inf", "1e9", "", "null", "{}"])
def test_what_is_no_possible_power_is_missing(text: str) -> None:
    @in_virtual_time
    async def run() -> None:
        plugin = "power: {source: http, uri: 'http://meter.test/api'}"
        async with plugin_site(meter=plugin, web=Web({"GET /api": text})) as devices:
            assert (await devices.meter("grid").read()).power_w is None

    run()


METER_THAT_SPEAKS = [
    ("power: {source: http, uri: 'http://meter.test/api'}", "unavailable"),
    ("power: {source: http, uri: 'http://meter.test/api', scale: 1000}", " unavailable "),
    ("power: {source: http, uri: 'http://meter.test/api', jq: .state}", '{"state": "unavailable"}'),
    (
        "power: {source: calc, add: [{source: const, value: 1}, {source: http, uri: 'http://meter.test/api'}]}",
        "unavailable",
    ),
]


@pytest.mark.parametrize(("plugin", "text"), METER_THAT_SPEAKS)
def test_a_word_in_place_of_a_power_is_told(plugin: str, text: str) -> None:
    @in_virtual_time
    async def run() -> None:
        async with plugin_site(meter=plugin, web=Web({"GET /api": text})) as devices:
            with pytest.raises(DeviceImplausible, match=r"^grid: ' ?unavailable ?' is no number$"):
                await devices.meter("grid").read()

    run()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<html><title>Log in</title></html>", "'<html><title>Log in</title></html>'"),
        ("12 W", "'12 W'"),
        ("1,5", "'1,5'"),
        ('{"w": 5}', """'{"w": 5}'"""),
    ],
)
def test_what_else_is_no_number_is_told(text: str, told: str) -> None:
    @in_virtual_time
    async def run() -> None:
        whole = "power: {source: http, uri: 'http://meter.test/api'}"
        async with plugin_site(meter=whole, web=Web({"GET /api": text})) as devices:
            assert await error_of(devices.meter("grid").read, DeviceImplausible) == f"grid: {told} is no number"

    run()


@pytest.mark.parametrize("text", ['{"w": {"l1": 5}}', '{"w": [5]}', '{"w": "5 W"}'])
def test_an_object_in_place_of_a_power_is_told(text: str) -> None:
    @in_virtual_time
    async def run() -> None:
        part = "power: {source: http, uri: 'http://meter.test/api', jq: .w}"
        async with plugin_site(meter=part, web=Web({"GET /api": text})) as devices:
            with pytest.raises(DeviceImplausible, match=r"^grid: .* is no number$"):
                await devices.meter("grid").read()

    run()


@pytest.mark.parametrize("text", ["", " ", "-", "--", "NaN", "-nan", "null", "None", '{"w": null}'])
def test_what_says_that_there_is_none_is_missing(text: str) -> None:
    @in_virtual_time
    async def run() -> None:
        path = ", jq: .w" if text.startswith("{") else ""
        plugin = f"power: {{source: http, uri: 'http://meter.test/api'{path}}}"
        async with plugin_site(meter=plugin, web=Web({"GET /api": text})) as devices:
            assert (await devices.meter("grid").read()).power_w is None

    run()


@pytest.mark.parametrize("text", ['{"w": true}', '{"w": false}', '{"w": "on"}', '{"w": "False"}'])
def test_true_and_false_are_no_power(text: str) -> None:
    @in_virtual_time
    async def run() -> None:
        plugin = "power: {source: http, uri: 'http://meter.test/api', jq: .w}"
        async with plugin_site(meter=plugin, web=Web({"GET /api": text})) as devices:
            with pytest.raises(DeviceImplausible, match=r"^grid: ('?(True|False|on)'?) is no number$"):
                await devices.meter("grid").read()

    run()


@in_virtual_time
async def test_mqtt_messages_grow_old() -> None:
    topics = MemoryTopics()
    plugin = """
power: {source: mqtt, topic: meter/power, jq: .w, timeout: 30s}
energy: {source: mqtt, topic: meter/energy, scale: 0.001}
"""
    async with plugin_site(meter=plugin, topics=topics) as devices:
        meter = devices.meter("grid")
        assert topics.watched >= {"meter/power", "meter/energy"}
        assert await error_of(meter.read, DeviceSilent) == "mqtt meter/power: no message yet"
        topics.say("meter/power", '{"w": 250}')
        topics.say("meter/energy", "5000")
        values = await meter.read()
        assert (values.power_w, values.energy_import_kwh) == (250, 5)
        await anyio.sleep(31)
        assert await error_of(meter.read, DeviceSilent) == "mqtt meter/power: no message for 31 s"
        topics.say("meter/power", '{"w": 260}')
        assert (await meter.read()).energy_import_kwh == 5  # a counter that stands still is not renewed by many devices


@in_virtual_time
async def test_a_power_without_timeout_is_missing_after_a_minute() -> None:
    topics = MemoryTopics()
    async with plugin_site(meter="power: {source: mqtt, topic: p}", topics=topics) as devices:
        topics.say("p", "1")
        await anyio.sleep(59)
        assert (await devices.meter("grid").read()).power_w == 1
        await anyio.sleep(2)
        await error_of(devices.meter("grid").read, DeviceSilent)


@in_virtual_time
async def test_modbus_registers_of_every_type() -> None:
    # words from the types' definitions: 0xFFFE is -2; 0x0001_0000 is 65536; 0x42C8_0000 is the float 100.0
    fake = FakeDevice()
    fake.put(3, "holding", 10, 0xFFFE)
    fake.put(3, "input", 20, 0x0001, 0x0000)
    fake.put(3, "input", 30, 0x0000, 0x42C8)
    fake.put(3, "holding", 40, 0xFFFF)
    fake.put(3, "holding", 50, 0b1011_0000)
    plugin = """
power: {source: modbus, uri: "plc.test:502", id: 3, register: {address: 10, type: holding, decode: int16}, scale: 10}
energy: {source: modbus, uri: "plc.test:502", id: 3, register: {address: 20, type: input, decode: uint32}, scale: 0.001}
currents:
- {source: modbus, uri: "plc.test:502", id: 3, register: {address: 30, type: input, decode: float32s}}
- {source: modbus, uri: "plc.test:502", id: 3, register: {address: 50, decode: uint16, bitmask: 0xF0}}
- {source: const, value: 3}
soc: {source: modbus, uri: "plc.test:502", id: 3, register: {address: 40, type: holding, decode: uint16nan}}
"""
    async with plugin_site(meter=plugin, fakes={"plc.test": fake}) as devices:
        values = await devices.meter("grid").read()
        assert values.power_w == -20
        assert values.energy_import_kwh == pytest.approx(65.536)
        assert values.currents_a == (100.0, 11.0, 3.0)
        assert values.soc_pct is None
        assert fake.connections == 1  # one link for all of them


@pytest.mark.parametrize(
    ("decode", "words", "missing"),
    [
        ("int16nan", (0x8000,), True),
        ("int16nan", (0x7FFF,), True),
        ("int16nan", (0xFFFF,), False),
        ("uint16nan", (0xFFFF,), True),
        ("uint16nan", (0x7FFF,), False),
        ("int32nan", (0x8000, 0), True),
        ("int32nan", (0x7FFF, 0xFFFF), True),
        ("int32snan", (0xFFFF, 0x7FFF), True),
        ("uint32nan", (0xFFFF, 0xFFFF), True),
        ("uint32nan", (0x8000, 0), False),
        ("int64nan", (0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF), True),
        ("int64nan", (0x8000, 0, 0, 0), True),
        ("uint64nan", (0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF), True),
        ("float32nan", (0x7FC0, 0), True),
        ("int16", (0x7FFF,), False),
    ],
)
@in_virtual_time
async def test_what_a_decoder_with_nan_takes_for_missing(decode: str, words: tuple[int, ...], missing: bool) -> None:
    fake = FakeDevice()
    fake.put(1, "holding", 40, *words)
    register = f"{{source: modbus, uri: plc.test, register: {{address: 40, decode: {decode}}}, scale: 1e-12}}"
    plugin = f"power: {{source: const, value: 0}}\npowers: [{register}, {{source: const, value: 1}}, {register}]"
    async with plugin_site(meter=plugin, fakes={"plc.test": fake}) as devices:
        powers_w = (await devices.meter("grid").read()).powers_w
        assert powers_w is not None
        assert math.isnan(powers_w[0]) is missing


def test_frames_are_logged_when_the_log_asks_for_them(caplog: pytest.LogCaptureFixture) -> None:
    @in_virtual_time
    async def run() -> None:
        fake = FakeDevice()
        fake.put(1, "holding", 1, 42)
        plugin = 'power: {source: modbus, uri: "plc.test:502", register: {address: 1}}'
        async with plugin_site(meter=plugin, fakes={"plc.test": fake}) as devices:
            await devices.meter("grid").read()

    run()
    assert not caplog.messages
    with caplog.at_level(TRACE, logger="evcc_server.modbus"):
        run()
    sent, received = caplog.messages
    assert sent.startswith("plc.test:502 -> ")
    assert sent.endswith("unit 1: read holding registers 1")
    assert received.endswith("unit 1: read holding registers: [42]")


@in_virtual_time
async def test_a_dead_modbus_device_is_down() -> None:
    fake = FakeDevice(is_reachable=False)
    plugin = 'power: {source: modbus, uri: "plc.test:502", register: {address: 1}}'
    async with plugin_site(meter=plugin, fakes={"plc.test": fake}) as devices:
        assert "cannot connect" in await error_of(devices.meter("grid").read, DeviceDown)


@in_virtual_time
async def test_sunspec_takes_the_first_point_that_the_device_has() -> None:
    # a map by hand: "SunS", model 1 (66 words), model 101 (50 words), end
    fake = FakeDevice()
    fake.put(1, "holding", 40000, 0x5375, 0x6E53, 1, 66, *([0] * 66), 101, 50, *([0x8000] * 50), 0xFFFF, 0)
    inverter = 40000 + 2 + 2 + 66 + 2
    fake.put(1, "holding", inverter + 12, 4200, 0)  # W and its scale factor 10**0
    fake.put(1, "holding", inverter + 22, 0x0001, 0x86A0, 0)  # WH 100000 Wh, scale factor 10**0
    plugin = """
power: {source: sunspec, uri: "pv.test", value: ["213:W", "103:W"]}
energy: {source: sunspec, uri: "pv.test", value: "103:WH", scale: 0.001}
"""
    async with plugin_site(meter=plugin, fakes={"pv.test": fake}) as devices:
        values = await devices.meter("grid").read()
    assert (values.power_w, values.energy_import_kwh) == (4200, 100)


@in_virtual_time
async def test_sunspec_subdevices_are_told_apart() -> None:
    # two logical devices in one map, each with model 1 and model 203 (105 words)
    fake = FakeDevice()
    one_meter = (1, 66, *([0] * 66), 203, 105, *([0x8000] * 105))
    fake.put(1, "holding", 40000, 0x5375, 0x6E53, *one_meter, *one_meter, 0xFFFF, 0)
    for number, watts in ((0, 100), (1, 200)):
        data = 40002 + number * len(one_meter) + 2 + 66 + 2
        fake.put(1, "holding", data + 16, watts, 0, 0, 0, 0)  # W, its phases, and the scale factor 10**0
    plugin = """
power: {source: sunspec, uri: "pv.test", value: "203:W", subdevice: 1}
soc: {source: sunspec, uri: "pv.test", value: "203:W"}
"""
    async with plugin_site(meter=plugin, fakes={"pv.test": fake}) as devices:
        values = await devices.meter("grid").read()
    assert (values.power_w, values.soc_pct) == (200, 100)


CALCULATIONS = [
    ("{source: calc, add: [{source: const, value: 1}, {source: const, value: 2.5}]}", 3.5),
    ("{source: calc, mul: [{source: const, value: 3}, {source: const, value: -2}]}", -6),
    ("{source: calc, div: [{source: const, value: 3}, {source: const, value: 2}]}", 1.5),
    ("{source: calc, div: [{source: const, value: 3}, {source: const, value: 0}]}", None),
    ("{source: calc, min: [{source: const, value: 3}, {source: const, value: 2}]}", 2),
    ("{source: calc, max: [{source: const, value: 3}, {source: const, value: 2}], scale: 10}", 30),
    ("{source: calc, abs: {source: const, value: -3}}", 3),
    ("{source: calc, sign: {source: const, value: -3}}", -1),
    ("{source: calc, add: [{source: const, value: 1}, {source: const, value: ''}]}", None),
]


@pytest.mark.parametrize(("plugin", "expected"), CALCULATIONS, ids=[c[0][14:40] for c in CALCULATIONS])
def test_arithmetic_over_plugins(plugin: str, expected: float | None) -> None:
    @in_virtual_time
    async def run() -> None:
        async with plugin_site(meter=f"power: {plugin}") as devices:
            assert (await devices.meter("grid").read()).power_w == expected

    run()
