"""What a ``/set`` topic and its payload mean [M-1..M-7]."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcc_server.mqtt.topics import (
    Aim,
    UnknownTopic,
    aim,
    command_filters,
    is_command,
    is_filter,
    is_topic,
    matches,
    value,
)
from evcc_server.settings import BY_TOPIC, TABLE, Context
from evcclib.commands import BatteryMode
from evcclib.config import BatteryConfig, LoadpointConfig, SiteConfig, VehicleConfig
from evcclib.errors import InvalidSetting, UnknownTarget
from evcclib.model import ChargeMode
from evcclib.settings import Scope

SITE = SiteConfig(
    time_zone=ZoneInfo("Europe/Berlin"),
    batteries=(BatteryConfig(modes=frozenset(BatteryMode)),),
    vehicles=(VehicleConfig(name="golf", title="blauer e-Golf"), VehicleConfig(name="model3", title="weißes Model 3")),
    loadpoints=(LoadpointConfig(title="Carport"), LoadpointConfig(title="Garage")),
)
CONTEXT = Context(site=SITE, has_unset_words=True)


def wanted(topic: str, payload: str | bytes) -> tuple[str, object, object]:
    """Setting, owner and value of one command."""
    target = aim("evcc", f"evcc/{topic}/set", CONTEXT)
    data = payload.encode() if isinstance(payload, str) else payload
    return target.setting.name, target.owner, value(target, data, CONTEXT)


@pytest.mark.api("M-1")
@pytest.mark.parametrize(
    ("topic", "payload", "expected"),
    [
        ("site/bufferSoc", "80.5", ("buffer_soc_pct", None, 80.5)),
        ("site/prioritySoc", "40", ("priority_soc_pct", None, 40)),
        ("site/residualPower", "-100", ("residual_power_w", None, -100)),
        ("site/batteryDischargeControl", "true", ("battery_discharge_control", None, True)),
        ("site/batteryDischargeControl", "0", ("battery_discharge_control", None, False)),
        ("site/batteryGridChargeLimit", "0.1", ("battery_grid_charge_limit", None, 0.1)),
        ("site/batteryGridChargeLimit", "null", ("battery_grid_charge_limit", None, None)),
        ("loadpoints/1/mode", "PV", ("mode", 0, ChargeMode.PV)),
        ("loadpoints/2/minSoc", "20.0", ("soc_min_pct", 1, 20)),
        ("loadpoints/1/targetSoc", "80", ("soc_target_pct", 0, 80)),
        ("loadpoints/1/target/soc", "80.0", ("soc_target_pct", 0, 80)),
        ("loadpoints/1/limitSoc", "80", ("soc_target_pct", 0, 80)),
        ("loadpoints/1/targetEnergy", "10.5", ("energy_target_kwh", 0, 10.5)),
        ("loadpoints/1/target/energy", "10.5", ("energy_target_kwh", 0, 10.5)),
        ("loadpoints/1/limitEnergy", "1e1", ("energy_target_kwh", 0, 10)),
        ("loadpoints/1/minCurrent", "6.5", ("current_min_a", 0, 6.5)),
        ("loadpoints/1/maxCurrent", " 16 ", ("current_max_a", 0, 16)),
        ("loadpoints/2/phases", "3", ("phases_configured", 1, 3)),
        ("loadpoints/2/phasesConfigured", "0", ("phases_configured", 1, 0)),
        ("loadpoints/1/enableThreshold", "-1300", ("enable_threshold_w", 0, -1300)),
        ("loadpoints/1/enable/threshold", "-1300", ("enable_threshold_w", 0, -1300)),
        ("loadpoints/1/disableThreshold", "200", ("disable_threshold_w", 0, 200)),
        ("loadpoints/1/disable/threshold", "200", ("disable_threshold_w", 0, 200)),
        ("loadpoints/1/vehicle", "2", ("vehicle", 0, "model3")),
        ("loadpoints/1/vehicle", "golf", ("vehicle", 0, "golf")),
        ("loadpoints/1/vehicle", "weißes Model 3", ("vehicle", 0, "model3")),
        ("loadpoints/1/vehicle", "0", ("vehicle", 0, None)),
        ("loadpoints/1/vehicle", "-1", ("vehicle", 0, None)),
        ("loadpoints/1/vehicle", "none", ("vehicle", 0, None)),
        ("vehicles/golf/limitSoc", "70", ("soc_target_pct", "golf", 70)),
    ],
)
def test_every_setter_in_every_spelling(topic: str, payload: str, expected: tuple[str, object, object]) -> None:
    assert wanted(topic, payload) == expected


MORNING = datetime(2023, 3, 7, 6, tzinfo=UTC)


@pytest.mark.parametrize("topic", ["loadpoints/1/targetTime", "loadpoints/1/target/time"])
@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("2023-03-07T06:00:00Z", MORNING),
        ("2023-03-07T07:00:00+01:00", MORNING),
        ("2023-03-07 07:00", MORNING),  # the home's own time
        ("1678168800", MORNING),
        *((word, None) for word in ("null", "none", "nil", "-", "NONE")),
    ],
)
def test_target_times(topic: str, payload: str, expected: datetime | None) -> None:
    assert wanted(topic, payload) == ("target_time", 0, expected)


@pytest.mark.api("M-2")
@pytest.mark.parametrize(
    ("topic", "payload", "expected"),
    [
        ("loadpoints/1/target/soc/80", "60", 60),  # the payload wins
        ("loadpoints/1/target/soc/80", "set", 80),
        ("loadpoints/1/target/soc/80", "", 80),
        ("loadpoints/1/target/soc/80", "80", 80),
        ("loadpoints/1/targetSoc/80", "", 80),
        ("loadpoints/1/target/energy/10.5", "", 10.5),
        ("loadpoints/1/target/time/2023-03-07T06:00:00Z", "", MORNING),
        ("loadpoints/1/target/time/1", "2023-03-07T06:00:00Z", MORNING),
        ("loadpoints/1/enable/threshold/-1300", "", -1300),
        ("loadpoints/1/disable/threshold/200", "on", 200),
    ],
)
def test_the_value_may_be_a_level_of_the_topic(topic: str, payload: str, expected: object) -> None:
    assert wanted(topic, payload)[2] == expected


@pytest.mark.api("M-7")
def test_a_level_that_is_no_value_is_refused_when_the_payload_is_none_either() -> None:
    with pytest.raises(InvalidSetting):
        wanted("loadpoints/1/target/soc/full", "")


@pytest.mark.api("M-7")
@pytest.mark.parametrize("payload", ["", "  ", '""'])
def test_an_empty_payload_is_no_command(payload: str) -> None:
    assert wanted("loadpoints/1/mode", payload)[2] is ...


@pytest.mark.api("M-6")
@pytest.mark.parametrize("payload", ['"16"', ' "16"\n', '" 16 "'])
def test_white_space_and_one_pair_of_quotes_are_taken_off(payload: str) -> None:
    assert wanted("loadpoints/1/maxCurrent", payload)[2] == 16


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("site/bufferSoc", "140"),
        ("site/residualPower", "NaN"),
        ("site/residualPower", "inf"),
        ("loadpoints/1/mode", "fast"),
        ("loadpoints/1/minSoc", "20.5"),
        ("loadpoints/1/minCurrent", "1000"),
        ("loadpoints/1/minCurrent", b"\xff\xfe"),
        ("loadpoints/1/phases", "2"),
        ("loadpoints/1/vehicle", "9"),
        ("loadpoints/1/targetTime", "tomorrow"),
        ("loadpoints/1/maxCurrent", '""16""'),
        ("loadpoints/1/maxCurrent", "1" * 10_000),
    ],
)
def test_bad_payloads_are_refused_with_a_sentence(topic: str, payload: str | bytes) -> None:
    with pytest.raises(InvalidSetting) as caught:
        wanted(topic, payload)
    assert 5 < len(str(caught.value)) < 400


@pytest.mark.parametrize("topic", ["loadpoints/0/mode", "loadpoints/3/mode", "loadpoints/01/mode", "loadpoints/x/mode"])
def test_unknown_loadpoints(topic: str) -> None:
    with pytest.raises(UnknownTarget, match="loadpoint not found"):
        aim("evcc", f"evcc/{topic}/set", CONTEXT)


@pytest.mark.parametrize(
    "topic",
    [
        "evcc/loadpoints/1/colour/set",
        "evcc/loadpoints/1/mode/pv/set",
        "evcc/loadpoints/1/set",
        "evcc/loadpoints/1/mode",
        "evcc/site/mode/set",
        "evcc/set",
        "home/site/bufferSoc/set",
    ],
)
def test_unknown_topics(topic: str) -> None:
    with pytest.raises(UnknownTopic):
        aim("evcc", topic, CONTEXT)


def test_a_root_may_have_several_levels() -> None:
    assert aim("a/b", "a/b/site/bufferSoc/set", CONTEXT) == Aim(BY_TOPIC[Scope.SITE, "bufferSoc"], None)


@pytest.mark.api("M-4", "M-5")
def test_the_filters_cover_every_setter_and_nothing_else_is_a_command() -> None:
    owners = {Scope.SITE: "site", Scope.LOADPOINT: "loadpoints/1", Scope.VEHICLE: "vehicles/golf"}
    for setting in TABLE:
        for spelling in setting.topics:
            assert is_command("a/b", f"a/b/{owners[setting.scope]}/{spelling}/set")
        for spelling in setting.value_topics:
            assert is_command("a/b", f"a/b/{owners[setting.scope]}/{spelling}/7/set")
    assert not is_command("evcc", "evcc/loadpoints/1/mode")
    assert not is_command("evcc", "other/site/bufferSoc/set")


@pytest.mark.parametrize(
    ("topic", "topic_filter", "is_match"),
    [
        ("a/b/c", "a/b/c", True),
        ("a/b/c", "a/+/c", True),
        ("a/b/c", "a/#", True),
        ("a", "a/#", True),
        ("a/b/c", "#", True),
        ("a/b/c", "a/b", False),
        ("a/b", "a/b/+", False),
        ("a/b/", "a/b/+", True),
        ("/a", "+/a", True),
        ("$SYS/a", "#", False),
        ("$SYS/a", "+/a", False),
        ("$SYS/a", "$SYS/#", True),
    ],
)
def test_matching(topic: str, topic_filter: str, is_match: bool) -> None:
    assert matches(topic, topic_filter) is is_match


def test_legal_filters_and_topics() -> None:
    assert all(map(is_filter, ("#", "+", "a/#", "a/+/b", "/", "a//b")))
    assert not any(map(is_filter, ("", "a#", "a/#/b", "a+", "+a/b", "a\0")))
    assert all(map(is_topic, ("a", "/", "a/b")))
    assert not any(map(is_topic, ("", "a/#", "+", "$SYS/x", "a\0")))


@given(st.text(max_size=40), st.binary(max_size=40))
def test_no_topic_and_no_payload_ever_raises_anything_else(topic: str, payload: bytes) -> None:
    for name in (topic, f"evcc/{topic}", f"evcc/loadpoints/1/{topic}/set", f"evcc/site/{topic}/set"):
        try:
            value(aim("evcc", name, CONTEXT), payload, CONTEXT)
        except (UnknownTopic, UnknownTarget, InvalidSetting):
            continue


@pytest.mark.api("M-1")
@given(st.sampled_from([row for row in TABLE if row.scope is Scope.LOADPOINT]), st.binary(max_size=30))
def test_all_spellings_of_a_setting_agree(setting: object, payload: bytes) -> None:
    def outcome(spelling: str) -> object:
        try:
            return wanted(f"loadpoints/1/{spelling}", payload)
        except InvalidSetting as error:
            return str(error)

    assert len({repr(outcome(spelling)) for spelling in setting.topics}) == 1  # type: ignore[attr-defined]  # drawn from TABLE


def test_filters_are_those_of_the_api() -> None:
    assert command_filters("evcc")[:4] == (
        "evcc/site/+/set",
        "evcc/loadpoints/+/+/set",
        "evcc/loadpoints/+/+/+/set",
        "evcc/loadpoints/+/+/+/+/set",
    )


def test_the_manual_names_every_setting() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "mqtt.md").read_text()
    for setting in TABLE:
        for spelling in setting.topics:
            if "/" not in spelling or setting.value_topics:
                assert f"`{spelling}`" in manual, spelling
