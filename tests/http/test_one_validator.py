"""One validator for REST and MQTT, and a setter that never waits for a device."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from api_home import BERLIN, SITE
from hypothesis import given
from hypothesis import strategies as st

from evcc_server.settings import TABLE, Context, Setting, find_vehicle, parse, parse_flag, parse_time
from evcclib.config import LoadpointConfig, VehicleConfig
from evcclib.errors import InvalidSetting

EARLIEST, LATEST = datetime.fromisoformat("1971-01-01"), datetime.fromisoformat("9000-01-01")
REST, MQTT = Context(site=SITE), Context(site=SITE, has_unset_words=True)
TEXTS = st.one_of(
    st.text(max_size=12),
    st.floats().map(repr),
    st.integers(-200, 200).map(str),
    st.sampled_from(
        ["pv", "PV", "golf", "80.0", "2035-03-07T06:00:00Z", " 80 ", "1e2", "+5", "5.", ".5", "0x10", "1_0"]
    ),
)


@pytest.mark.api("R-4")
@given(st.sampled_from(TABLE), TEXTS)
def test_what_one_channel_reads_the_other_reads_alike(setting: Setting, text: str) -> None:
    """MQTT alone has words for "unset" and Unix seconds; everything else is the same, value or sentence."""
    rest, mqtt = _read(setting, text, REST), _read(setting, text, MQTT)
    has_more_on_mqtt = setting.key in ("targetTime", "vehicle", "smartCostLimit", "smartFeedInPriorityLimit", "planSoc")
    assert rest == mqtt or (has_more_on_mqtt and isinstance(rest, InvalidSetting))
    if isinstance(rest, InvalidSetting):
        assert str(rest).endswith(f"(allowed: {rest.allowed})")


def _read(setting: Setting, text: str, context: Context) -> object:
    try:
        return parse(setting, text, context)
    except InvalidSetting as error:
        return _Comparable(error)


class _Comparable(InvalidSetting):
    """An error that equals another with the same sentence."""

    def __init__(self, error: InvalidSetting) -> None:
        super().__init__(error.setting, error.value, error.allowed, error.problem)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, InvalidSetting) and str(self) == str(other)

    __hash__ = InvalidSetting.__hash__


@given(st.text(max_size=40))
def test_a_time_is_read_or_refused_and_never_breaks(text: str) -> None:
    try:
        time = parse_time("targetTime", text, BERLIN)
    except InvalidSetting as error:
        assert "invalid time" in str(error)
    else:
        assert time is None or time.tzinfo is UTC


@given(st.datetimes(EARLIEST, LATEST), st.timezones())
def test_a_time_is_read_as_it_was_written(naive: datetime, zone: object) -> None:
    local = naive.replace(tzinfo=zone)  # type: ignore[arg-type]  # hypothesis names no type for it
    offset = local.utcoffset()
    assert offset is not None
    if offset.total_seconds() % 60 == 0:
        assert parse_time("targetTime", local.isoformat(), BERLIN) == local


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2035-03-07",
        "2035-03-07T24:00:00Z",
        "2035-02-30T06:00:00Z",
        "2035-03-07T06:60:00Z",
        "2035-03-07T06:00:00+25:00",
        "2035-03-07T06:00:00+01:99",
        "0001-01-01T00:00:01Z",
        "9999-12-31T23:59:59-01:00",
        "2035-03-07T06:00:00 UTC",
        "٢٠٣٥-03-07T06:00:00Z",
    ],
)
def test_impossible_times_are_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match="invalid time"):
        parse_time("targetTime", text, BERLIN)


@pytest.mark.api("row-22")
def test_a_number_is_a_vehicles_place_in_the_list_whatever_vehicles_are_called() -> None:
    vehicles = (VehicleConfig(name="2"), VehicleConfig(name="9", title="3"), VehicleConfig(name="a"))
    context = Context(site=replace(SITE, vehicles=vehicles, loadpoints=(LoadpointConfig(),)))
    found = [find_vehicle(text, context) for text in ("1", "2", "3", "9")]
    assert found == ["2", "9", "a", "9"]


def test_flags_in_every_spelling() -> None:
    assert [parse_flag("x", text) for text in ("true", "T", "1", "False", "f", "0")] == [True] * 3 + [False] * 3
    with pytest.raises(InvalidSetting, match="invalid value: yes"):
        parse_flag("x", "yes")
