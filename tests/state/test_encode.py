"""Each kind of value on each channel: the table of the API's test vectors."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcc_server.state import encode
from evcc_server.state.encode import Compat
from evcc_server.state.values import UNSET_TIME, Counter, Names, Phases, Records, Structure

#          value,        REST,          WebSocket,  MQTT
NUMBERS = [
    (50.0, "50", "50", "50"),
    (1.23456, "1.23456", "1.2346", "1.2346"),
    (-1234.56789, "-1234.56789", "-1234.6", "-1234.6"),
    (123456.789, "123456.789", "123460", "123457"),
    (100000.0, "100000", "100000", "100000"),
    (0.00001234, "1.234e-05", "1.234e-05", "0.00001234"),
    (5505 * 0.01, "55.05", "55.05", "55.05"),  # 55.050000000000004
    (0.1 + 0.2, "0.3", "0.3", "0.3"),
    (-0.0, "0", "0", "0"),
    (math.nan, "null", "null", ""),
    (math.inf, "null", "null", ""),
    (-math.inf, "null", "null", ""),
]


@pytest.mark.parametrize(("value", "rest", "socket", "mqtt"), NUMBERS)
def test_numbers(value: float, rest: str, socket: str, mqtt: str) -> None:
    assert encode.dumps(encode.rest(value)) == rest
    assert encode.dumps(encode.socket(value)) == socket
    assert encode.mqtt_scalar(value) == mqtt


@pytest.mark.parametrize(
    ("count", "rest", "socket", "mqtt"),
    [
        (12345.6784, "12345.6784", "12345.678", "12345.678"),
        (1234567.8, "1234567.8", "1234567.8", "1234567.8"),
        (100000.0, "100000", "100000", "100000"),
        (0.00001234, "1.234e-05", "0", "0"),
        (-0.0, "0", "0", "0"),
        (math.nan, "null", "null", ""),
        (math.inf, "null", "null", ""),
    ],
)
def test_a_counter_keeps_three_decimals_however_far_it_has_counted(
    count: float, rest: str, socket: str, mqtt: str
) -> None:
    counter = Counter(count)
    assert encode.dumps(encode.rest(counter)) == rest
    assert encode.dumps(encode.socket(counter)) == socket
    assert encode.mqtt_scalar(counter) == mqtt
    assert dict(encode.mqtt("pv", Records(({"energy": counter},)))) == {"pv/1/energy": mqtt, "pv": "1"}


def test_a_record_shows_each_of_its_numbers_as_that_number_alone() -> None:
    battery = Records(
        ({"power": -1234.5678, "soc": 5505 * 0.01, "energy": Counter(12345.6784), "capacity": 0.1 + 0.2},)
    )
    assert encode.dumps(encode.rest(battery)) == (
        '[{"power":-1234.5678,"soc":55.05,"energy":12345.6784,"capacity":0.3}]'
    )
    assert encode.dumps(encode.rest(battery, Compat.V0_127)) == (
        '[{"power":-1234.568,"soc":55.05,"energy":12345.678,"capacity":0.3}]'
    )
    assert encode.dumps(encode.socket(battery)) == ('[{"power":-1234.6,"soc":55.05,"energy":12345.678,"capacity":0.3}]')
    assert dict(encode.mqtt("battery", battery)) == {
        "battery/1/power": "-1234.6",
        "battery/1/soc": "55.05",
        "battery/1/energy": "12345.678",
        "battery/1/capacity": "0.3",
        "battery": "1",
    }


def test_durations_are_nanoseconds_seconds_seconds() -> None:
    duration = timedelta(seconds=90.5)
    assert encode.rest(duration) == 90_500_000_000
    assert encode.rest(duration, Compat.V0_127) == 90
    assert encode.socket(duration) == 90
    assert encode.mqtt_scalar(duration) == "90"


def test_times_keep_their_offset_and_lose_trailing_zeros() -> None:
    time = datetime(2023, 3, 6, 7, 8, 9, 123456, tzinfo=timezone(timedelta(hours=1)))
    assert encode.rest(time) == "2023-03-06T07:08:09.123456+01:00"
    assert encode.socket(time) == "2023-03-06T07:08:09+01:00"
    assert encode.mqtt_scalar(time) == "1678082889"
    assert encode.mqtt_target_time(time) == "2023-03-06T06:08:09Z"
    assert encode.rest(time.replace(microsecond=500_000)) == "2023-03-06T07:08:09.5+01:00"
    assert encode.rest(datetime(2023, 3, 6, 7, 8, 9, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))) == (
        "2023-03-06T07:08:09-03:30"
    )
    assert encode.rest(datetime(2023, 3, 6, tzinfo=UTC)) == "2023-03-06T00:00:00Z"


def test_an_unset_time_differs_from_null_on_rest_only() -> None:
    assert encode.rest(UNSET_TIME) == "0001-01-01T00:00:00Z"
    assert encode.rest(UNSET_TIME, Compat.V0_127) is None
    assert encode.socket(UNSET_TIME) is None
    assert encode.mqtt_scalar(UNSET_TIME) == ""
    assert encode.rest(None) is None
    assert encode.socket(None) is None
    assert encode.mqtt_scalar(None) == ""


def test_phases_are_an_array_or_three_topics_and_their_sum() -> None:
    phases = Phases((1.23456789, -2.0, 3.0))
    assert encode.dumps(encode.rest(phases)) == "[1.23456789,-2,3]"
    assert encode.dumps(encode.socket(phases)) == "[1.23456789,-2,3]"
    assert dict(encode.mqtt("gridPowers", phases)) == {
        "gridPowers/l1": "1.2346",
        "gridPowers/l2": "-2",
        "gridPowers/l3": "3",
        "gridPowers": "2.2346",
    }


def test_lists_are_arrays_or_numbered_topics_and_their_count() -> None:
    pv = Records(({"power": 4120.0}, {"power": 2120.0}))
    assert encode.dumps(encode.rest(pv)) == '[{"power":4120},{"power":2120}]'
    assert encode.rest(pv) == encode.socket(pv)
    assert dict(encode.mqtt("pv", pv)) == {"pv/1/power": "4120", "pv/2/power": "2120", "pv": "2"}
    vehicles = Names(("a", "b"))
    assert encode.rest(vehicles) == encode.socket(vehicles) == ["a", "b"]
    assert dict(encode.mqtt("vehicles", vehicles)) == {"vehicles/1": "a", "vehicles/2": "b", "vehicles": "2"}
    assert dict(encode.mqtt("battery", Records(({"soc": None},)))) == {"battery/1/soc": "", "battery": "1"}


def test_a_structure_is_an_object_or_topics_with_its_main_member_on_top() -> None:
    reason = Structure({"code": "surplus", "until": UNSET_TIME, "params": Structure({"w": 1.0})}, main="code")
    assert encode.rest(reason) == {"code": "surplus", "until": "0001-01-01T00:00:00Z", "params": {"w": 1}}
    assert encode.socket(reason) == {"code": "surplus", "until": None, "params": {"w": 1}}
    assert dict(encode.mqtt("reason", reason)) == {"reason": "surplus", "reason/until": "", "reason/params": '{"w":1}'}


def test_words_and_flags() -> None:
    assert encode.rest(True) is True
    assert encode.mqtt_scalar(True) == "true"
    assert encode.mqtt_scalar(False) == "false"
    assert encode.mqtt_scalar("weißes Model 3") == "weißes Model 3"
    assert encode.mqtt_scalar(12346) == "12346"
    assert encode.dumps({"title": "<weißes>"}) == '{"title":"<weißes>"}'


def test_the_newer_generation_gets_three_decimals() -> None:
    assert encode.rest(9120.57349, Compat.V0_127) == 9120.573


@pytest.mark.api("DEV-1", "DEV-3")
@given(st.floats())
def test_no_number_breaks_a_document_or_shows_an_exponent_on_mqtt(value: float) -> None:
    for text in (encode.dumps(encode.rest(value)), encode.dumps(encode.socket(value))):
        json.loads(text, parse_constant=lambda word: pytest.fail(word))
    payload = encode.mqtt_scalar(value)
    assert "e" not in payload
    assert payload != "-0"
    if math.isfinite(value):
        assert float(payload) == pytest.approx(value, rel=1e-4, abs=1e-9)
