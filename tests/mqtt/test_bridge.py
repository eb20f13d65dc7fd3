"""The bridge in virtual time, over the broker in memory."""

from __future__ import annotations

import json
import logging
from datetime import timedelta

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_broker import MemoryBroker
from mqtt_home import EPOCH, Home, bridged
from trio.testing import wait_all_tasks_blocked
from trio_test import in_virtual_time, orders

from evcc_server.errors import StoreError
from evcc_server.mqtt import tree
from evcc_server.mqtt.broker_link import MqttOptions, Publication
from evcc_server.settings import TABLE
from evcc_server.state.document import Document
from evcc_server.state.hub import Level
from evcc_server.state.values import UNSET_TIME, Names, Phases, Records, Structure, Value
from evcc_sim.quiet import quiet
from evcclib.model import ChargeMode
from evcclib.requests import ChangeLoadpointSetting, Request
from evcclib.settings import Scope

CARPORT = "evcc/loadpoints/1"


@in_virtual_time
async def test_the_start_is_in_order() -> None:
    async with bridged() as world:
        topics = [topic for topic, _ in world.since(0)]
        assert topics[0] == "evcc/loadpoints"
        assert topics[1] == "evcc/updated"
        assert topics.count("evcc/status") == 1
        topics = topics[: topics.index("evcc/status")]
        assert world.broker.payload("evcc/loadpoints") == "2"
        assert world.broker.payload("evcc/status") == "online"
        assert world.broker.payload("evcc/updated") == "1678122000"
        assert {"evcc/site", "evcc/loadpoints/1", "evcc/loadpoints/2", "evcc/site/gridConfigured"} < set(topics)
        assert len(topics) == len(set(topics))


@in_virtual_time
async def test_before_the_first_cycle_nothing_is_published() -> None:
    class Empty(Home):
        def cycle(self) -> None:
            """Nothing is known yet."""

    async with bridged(home=Empty) as world:
        assert world.broker.log == []
        Home.cycle(world.home)
        await wait_all_tasks_blocked()
        assert world.broker.payload("evcc/status") == "online"


@in_virtual_time
async def test_a_state_that_no_cycle_has_measured_is_not_published() -> None:
    class Starting(Home):
        def cycle(self) -> None:
            self.hub.publish(self.view(), self.clock.now(), is_cycle=False)

    async with bridged(home=Starting) as world:
        world.home.hub.tell(Level.WARN, "a device is away")
        await world.home.submit(ChangeLoadpointSetting(0, "current_min_a", 8))
        await wait_all_tasks_blocked()
        assert {topic for topic, _ in world.since(0)} <= {"evcc/site/warn"}
        Home.cycle(world.home)
        await wait_all_tasks_blocked()
        assert world.broker.payload("evcc/status") == "online"
        assert world.broker.payload(f"{CARPORT}/minCurrent") == "8"


@in_virtual_time
async def test_a_clean_stop_says_offline() -> None:
    async with bridged() as world:
        pass
    assert world.since(0)[-1] == ("evcc/status", "offline")


@in_virtual_time
async def test_a_change_by_any_channel_is_published_once_in_every_spelling() -> None:
    async with bridged() as world:
        mark = len(world.broker.log)
        await world.home.submit(ChangeLoadpointSetting(0, "soc_target_pct", 80))
        await wait_all_tasks_blocked()
        published = world.since(mark)
        assert published.count((f"{CARPORT}/targetSoc", "80")) == 1
        assert published.count((f"{CARPORT}/target/soc", "80")) == 1
        mark = len(world.broker.log)
        await world.home.submit(ChangeLoadpointSetting(0, "soc_target_pct", 80))
        await wait_all_tasks_blocked()
        assert not any("oc" in topic.rsplit("/", 1)[1] and "target" in topic for topic, _ in world.since(mark))


@pytest.mark.api("M-12")
@in_virtual_time
async def test_measurements_come_every_cycle_and_settings_on_change() -> None:
    async with bridged() as world:
        await trio.sleep(10)
        mark = len(world.broker.log)
        await world.cycle()
        topics = [topic for topic, _ in world.since(mark)]
        assert topics[0] == "evcc/updated"
        assert f"{CARPORT}/chargePower" in topics
        assert f"{CARPORT}/minSoc" not in topics


@in_virtual_time
async def test_updated_comes_before_values_and_at_most_once_a_second() -> None:
    async with bridged() as world:
        mark = len(world.broker.log)
        for _ in range(40):
            await trio.sleep(0.25)
            await world.cycle()
        stamps = [int(payload) for topic, payload in world.since(mark) if topic == "evcc/updated"]
        assert stamps == list(range(1678122001, 1678122011))


@in_virtual_time
async def test_documents_come_at_most_once_a_second_and_hold_the_newest() -> None:
    async with bridged() as world:
        await trio.sleep(5)
        mark = len(world.broker.log)
        for target in range(50, 90):
            await world.home.submit(ChangeLoadpointSetting(0, "soc_target_pct", target))
            await trio.sleep(0.1)
        await trio.sleep(2)
        documents = [json.loads(payload) for topic, payload in world.since(mark) if topic == CARPORT]
        assert 3 <= len(documents) <= 6
        assert documents[-1]["targetSoc"] == 89


@in_virtual_time
async def test_documents_can_be_turned_off() -> None:
    async with bridged(MqttOptions(has_json=False)) as world:
        await trio.sleep(2)
        await world.cycle()
        assert "evcc/site" not in world.broker.retained
        assert CARPORT not in world.broker.retained


@pytest.mark.api("M-8")
@in_virtual_time
async def test_a_command_is_carried_out_and_cleared() -> None:
    async with bridged() as world:
        await world.command(f"{CARPORT}/mode/set", "NOW")
        assert world.home.view().loadpoints[0].settings.mode is ChargeMode.NOW
        assert world.broker.payload(f"{CARPORT}/mode") == "now"
        assert world.since(0).count((f"{CARPORT}/mode/set", "")) == 1


@pytest.mark.api("M-3")
@in_virtual_time
async def test_a_retained_command_is_carried_out_once_and_removed() -> None:
    broker = MemoryBroker()
    broker.publish(Publication(f"{CARPORT}/minSoc/set", b"25"))
    async with bridged(broker=broker) as world:
        assert world.home.requests == [ChangeLoadpointSetting(0, "soc_min_pct", 25)]
        assert f"{CARPORT}/minSoc/set" not in broker.retained
        await world.command(f"{CARPORT}/minSoc/set", "30", is_retained=True)
        assert len(world.home.requests) == 2
        assert f"{CARPORT}/minSoc/set" not in broker.retained
        world.link.disconnect()
        world.link.connect()
        await wait_all_tasks_blocked()
        assert len(world.home.requests) == 2


@in_virtual_time
async def test_the_echo_of_our_own_clearing_is_no_command() -> None:
    async with bridged() as world:
        topic = f"{CARPORT}/target/soc/80/set"
        await world.command(topic, "")
        assert world.home.requests == [ChangeLoadpointSetting(0, "soc_target_pct", 80)]
        await trio.sleep(4.9)
        await world.command(topic, "")
        assert len(world.home.requests) == 1
        await trio.sleep(0.2)
        await world.command(topic, "")
        assert len(world.home.requests) == 2


@pytest.mark.api("API-39", "M-2")
@pytest.mark.parametrize("payload", ["1", "1600000000", "2020-01-01T00:00:00Z", "set", ""])
@in_virtual_time
async def test_a_payload_that_the_home_refuses_leaves_the_word_to_the_topic(payload: str) -> None:
    async with bridged() as world:
        await world.command(f"{CARPORT}/target/time/2023-03-07T06:00:00Z/set", payload)
        assert world.broker.payload(f"{CARPORT}/target/time") == "2023-03-07T06:00:00Z"


@pytest.mark.api("M-8", "M-10")
@pytest.mark.parametrize(
    ("topic", "payload", "shown"),
    [
        ("mode", "fast", [("mode", "pv")]),
        ("minCurrent", "99", [("minCurrent", "6")]),
        ("minCurrent", "20", [("minCurrent", "6")]),  # above the maximum: the library refuses
        ("target/soc", "x", [("target/soc", "100"), ("targetSoc", "100")]),
        ("targetTime", "2020-01-01T00:00:00Z", [("target/time", ""), ("targetTime", "")]),
        ("phases", "2", [("phases", "0"), ("phasesConfigured", "0")]),
        ("vehicle", "7", [("vehicleName", ""), ("vehicleTitle", "")]),
    ],
)
@in_virtual_time
async def test_a_refused_command_changes_nothing_and_shows_the_true_value_again(
    caplog: pytest.LogCaptureFixture, topic: str, payload: str, shown: list[tuple[str, str]]
) -> None:
    async with bridged() as world:
        before = world.home.view()
        mark = len(world.broker.log)
        with caplog.at_level(logging.WARNING):
            await world.command(f"{CARPORT}/{topic}/set", payload, is_retained=True)
        assert world.home.view() == before
        assert sorted(world.since(mark)[1:-1]) == [(f"{CARPORT}/{name}", text) for name, text in shown]
        assert world.since(mark)[-1] == (f"{CARPORT}/{topic}/set", "")
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert payload in caplog.text


LIMIT = "evcc/site/operatorLimit"


@pytest.mark.api("M-8")
@in_virtual_time
async def test_the_operators_limit_is_given_and_withdrawn() -> None:
    async with bridged() as world:
        await world.command(f"{LIMIT}/set", '"4200/900"', is_retained=True)
        assert world.home.limited is not None
        assert (world.home.limited.power_w, world.home.limited.source) == (4200, "mqtt")
        assert world.broker.payload(LIMIT) == "4200"
        assert world.broker.payload(f"{LIMIT}Source") == "mqtt"
        assert world.broker.payload(f"{LIMIT}Until") == str(int(EPOCH.timestamp()) + 900)
        for word in ("none", "null"):
            await world.command(f"{LIMIT}/set", word)
            assert world.home.limited is None
        assert not {topic for topic in world.broker.retained if topic.startswith(LIMIT)}


@pytest.mark.api("M-9", "M-10")
@pytest.mark.parametrize("payload", ["-1", "4200/0", "4200/900/1", "4,2", "true"])
@in_virtual_time
async def test_a_limit_that_is_refused_leaves_the_one_that_stands(
    caplog: pytest.LogCaptureFixture, payload: str
) -> None:
    async with bridged() as world:
        await world.command(f"{LIMIT}/set", "4200")
        stands, mark = world.home.limited, len(world.broker.log)
        await world.command(f"{LIMIT}/set", payload)
        assert world.home.limited == stands
        assert (LIMIT, "4200") in world.since(mark)
        assert world.since(mark)[-1] == (f"{LIMIT}/set", "")
        assert "(allowed: " in caplog.text


@pytest.mark.api("M-7")
@in_virtual_time
async def test_an_empty_payload_neither_limits_nor_withdraws() -> None:
    async with bridged() as world:
        await world.command(f"{LIMIT}/set", "4200")
        await trio.sleep(10)
        await world.command(f"{LIMIT}/set", "")
        await world.command(f"{LIMIT}/set", " ")
        assert world.home.limited is not None


@pytest.mark.api("M-3")
@in_virtual_time
async def test_a_limit_that_lay_retained_is_given_once() -> None:
    broker = MemoryBroker()
    broker.publish(Publication(f"{LIMIT}/set", b"4200/900"))
    async with bridged(broker=broker) as world:
        assert world.home.limited is not None
        assert f"{LIMIT}/set" not in broker.retained


@pytest.mark.api("M-9")
@pytest.mark.parametrize(
    "topic", ["minSoc", "target/soc/DIGITS", "vehicle", "mode", "target/time/DIGITS", "colour/DIGITS"]
)
@in_virtual_time
async def test_what_is_refused_is_logged_by_its_beginning_however_long_it_is(
    caplog: pytest.LogCaptureFixture, topic: str
) -> None:
    digits = "9" * 5000
    async with bridged() as world:
        with caplog.at_level(logging.WARNING):
            await world.command(f"{CARPORT}/{topic.replace('DIGITS', digits)}/set", digits)
    (record,) = caplog.records
    assert "9" * 81 not in record.getMessage()
    assert len(record.getMessage()) < 500


@pytest.mark.parametrize("word", ["true", "false", "True"])
@pytest.mark.parametrize("topic", ["minSoc", "targetSoc", "minCurrent", "phases", "enable/threshold", "priority"])
@in_virtual_time
async def test_true_and_false_are_no_number(caplog: pytest.LogCaptureFixture, topic: str, word: str) -> None:
    async with bridged() as world:
        with caplog.at_level(logging.WARNING):
            await world.command(f"{CARPORT}/{topic}/set", word)
        assert world.home.requests == []
    assert f"invalid value: {word} (" in caplog.text


@pytest.mark.parametrize("topic", ["evcc/loadpoints/9/mode/set", "evcc/loadpoints/1/colour/set", "evcc/site/mode/set"])
@in_virtual_time
async def test_an_unknown_target_is_logged_cleared_and_ignored(caplog: pytest.LogCaptureFixture, topic: str) -> None:
    async with bridged() as world:
        mark = len(world.broker.log)
        await world.command(topic, "pv", is_retained=True)
        assert world.since(mark)[1:] == [(topic, "")]
        assert world.home.requests == []
        assert topic in caplog.text


@pytest.mark.api("M-4")
@in_virtual_time
async def test_without_set_nothing_is_writable_and_the_next_cycle_corrects_it() -> None:
    async with bridged() as world:
        await world.command(f"{CARPORT}/chargePower", "9999", is_retained=True)
        await world.command(f"{CARPORT}/mode", "now", is_retained=True)
        await world.command(f"{CARPORT}/target/soc/80", "80")
        assert world.home.requests == []
        await world.cycle()
        assert world.broker.payload(f"{CARPORT}/chargePower") is None  # nobody has measured it, and 0 is a number
        assert world.broker.payload(f"{CARPORT}/mode") == "pv"


@in_virtual_time
async def test_commands_on_one_topic_keep_their_order() -> None:
    async with bridged() as world:
        for target in range(20, 60):
            world.broker.publish(Publication(f"{CARPORT}/targetSoc/set", str(target).encode(), is_retained=False))
        await wait_all_tasks_blocked()
        assert [request.value for request in world.home.requests] == list(range(20, 60))  # type: ignore[union-attr]  # all settings


@in_virtual_time
async def test_a_disk_that_fails_is_logged_and_the_bridge_lives(caplog: pytest.LogCaptureFixture) -> None:
    class DiskFull(Home):
        async def submit(self, *requests: Request) -> None:
            raise StoreError("disk is full")

    async with bridged(home=DiskFull) as world:
        await world.command(f"{CARPORT}/mode/set", "now")
        assert "disk is full" in caplog.text
        assert world.since(0)[-2:] == [(f"{CARPORT}/mode", "pv"), (f"{CARPORT}/mode/set", "")]


@in_virtual_time
async def test_after_a_lost_connection_everything_is_published_again_and_then_online() -> None:
    async with bridged() as world:
        everything = dict(world.broker.retained)
        world.link.disconnect()
        world.broker.retained.clear()
        world.broker.publish(Publication("evcc/status", b"offline"))
        await world.cycle()
        assert set(world.broker.retained) == {"evcc/status"}
        mark = len(world.broker.log)
        world.link.connect()
        await wait_all_tasks_blocked()
        assert set(world.broker.retained) == set(everything)
        assert world.since(mark)[-1] == ("evcc/status", "online")


@in_virtual_time
async def test_topics_of_values_that_are_gone_are_deleted() -> None:
    async with bridged() as world:
        hub = world.home.hub
        hub.replace(
            Document({"pv": Records(({"power": 1.0}, {"power": 2.0})), "gridPowers": Phases((1, 2, 3))}, ({}, {}))
        )
        await wait_all_tasks_blocked()
        assert world.broker.payload("evcc/site/pv/2/power") == "2"
        hub.replace(Document({"pv": Records(({"power": 1.0},)), "gridPowers": None}, ({}, {})))
        await wait_all_tasks_blocked()
        kept = {topic: world.broker.payload(topic) for topic in world.broker.retained if topic.startswith("evcc/site/")}
        assert kept == {"evcc/site/pv": "1", "evcc/site/pv/1/power": "1"}


@in_virtual_time
async def test_topics_that_went_while_there_was_no_connection_are_deleted_on_return() -> None:
    async with bridged() as world:
        hub = world.home.hub
        hub.replace(Document({"gridPowers": Phases((1, 2, 3))}, ({"a": 1.0}, {})))
        await wait_all_tasks_blocked()
        world.link.disconnect()
        hub.replace(Document({}, ({}, {})))
        await wait_all_tasks_blocked()
        assert world.broker.payload("evcc/site/gridPowers/l1") == "1"
        world.link.connect()
        await wait_all_tasks_blocked()
        assert not any(topic.startswith(("evcc/site/", f"{CARPORT}/")) for topic in world.broker.retained)


@in_virtual_time
async def test_white_space_that_lies_retained_is_no_command_but_is_removed() -> None:
    async with bridged() as world:
        await world.command(f"{CARPORT}/mode/set", " ", is_retained=True)
        assert world.home.requests == []
        assert f"{CARPORT}/mode/set" not in world.broker.retained


@in_virtual_time
async def test_a_defect_met_by_one_command_does_not_end_the_others(caplog: pytest.LogCaptureFixture) -> None:
    class Defective(Home):
        async def submit(self, *requests: Request) -> None:
            if requests == (ChangeLoadpointSetting(0, "mode", ChargeMode.NOW),):
                raise ZeroDivisionError
            await super().submit(*requests)

    async with bridged(home=Defective) as world:
        await world.command(f"{CARPORT}/mode/set", "now")
        await world.command(f"{CARPORT}/mode/set", "off")
        assert world.broker.payload(f"{CARPORT}/mode") == "off"
        assert "ZeroDivisionError" in caplog.text


commands = st.tuples(
    st.sampled_from(
        [
            f"{place}/{spelling}/set"
            for row in TABLE
            for place in {
                Scope.SITE: ["evcc/site"],
                Scope.LOADPOINT: [CARPORT, "evcc/loadpoints/2", "evcc/loadpoints/3"],
                Scope.VEHICLE: ["evcc/vehicles/golf", "evcc/vehicles/x"],
            }[row.scope]
            for spelling in (*row.topics, *(f"{spelling}/7" for spelling in row.value_topics))
        ]
    ),
    st.one_of(
        st.sampled_from(["", "0", "1", "3", "6", "16", "80", "-1", "100", "1e9", "nan", "null", "pv", "golf", '"32"']),
        st.floats(allow_nan=True).map(str),
        st.text(max_size=20),
    ),
)


@settings(max_examples=60, deadline=None)
@given(orders, st.lists(commands, max_size=25))
@quiet()
@in_virtual_time
async def test_whatever_clients_send_the_tree_stays_true_and_no_command_stays(
    order: int, sent: list[tuple[str, str]]
) -> None:
    async with bridged() as world:
        for topic, payload in sent:
            await world.command(topic, payload, is_retained=True)
        for loadpoint in world.home.view().loadpoints:
            assert 0 < loadpoint.settings.current_min_a <= loadpoint.settings.current_max_a
            assert loadpoint.settings.phases_configured in (0, 1, 3)
        true = {
            topic: payload
            for key, value in tree.keys(world.home.hub.snapshot)
            for topic, payload in tree.value_entries("evcc", key, value)
            if payload and "Age" not in topic
        }
        assert {topic: world.broker.payload(topic) for topic in true} == true
        assert not any(topic.endswith("/set") for topic in world.broker.retained)


shown_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(-1e6, 1e6) | st.just(float("nan")),
    st.sampled_from(["", "pv", "0"]),
    st.builds(timedelta, seconds=st.integers(0, 9)),
    st.just(UNSET_TIME),
    st.builds(Phases, st.tuples(st.floats(-9, 9), st.just(0.0), st.just(-0.0))),
    st.builds(Names, st.lists(st.sampled_from(["zoe", "kangoo"]), max_size=2).map(tuple)),
    st.builds(Records, st.lists(st.just({"power": 1.0}), max_size=2).map(tuple)),
    st.builds(lambda code: Structure({"code": code, "text": "why"}, main="code"), st.sampled_from(["a", "b"])),
)


@settings(deadline=None, max_examples=50)
@given(orders, st.lists(st.tuples(shown_values, shown_values), min_size=1, max_size=6))
@in_virtual_time
async def test_whatever_a_value_becomes_its_topics_are_those_of_a_fresh_start(
    order: int, values: list[tuple[Value, Value]]
) -> None:
    async with bridged() as world:
        hub = world.home.hub
        for site, loadpoint in values:
            document = Document({"x": site}, ({"targetSoc": loadpoint, "y": loadpoint}, {}))
            hub.replace(document, is_cycle=True)
            await wait_all_tasks_blocked()
        fresh = {
            topic: payload
            for key, value in tree.keys(document)
            for topic, payload in tree.value_entries("evcc", key, value)
            if payload
        }
        below = {
            topic: world.broker.payload(topic)
            for topic in world.broker.retained
            if topic.startswith(("evcc/site/", "evcc/loadpoints/1/", "evcc/loadpoints/2/"))
        }
        assert below == fresh


@pytest.mark.api("M-9")
@in_virtual_time
async def test_a_client_can_not_forge_lines_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with bridged() as world:
        await world.command(f"{CARPORT}/mode/set", "fast\nERROR all is lost")
        await world.command(f"{CARPORT}/vehicle/set", "x\x1b[2J\u2028y")
        assert len(caplog.records) == 2
        assert not any("\n" in record.getMessage() or "\x1b" in record.getMessage() for record in caplog.records)


@pytest.mark.api("M-11")
@in_virtual_time
async def test_what_an_earlier_home_left_behind_is_erased() -> None:
    broker = MemoryBroker()
    for topic in ("evcc/loadpoints/3", "evcc/loadpoints/3/mode", "evcc/site/pv/3/power", "evcc/loadpoints/1/custom"):
        broker.publish(Publication(topic, b"1"))
    broker.publish(Publication(f"{CARPORT}/remoteDisabled", b"soft"))
    async with bridged(broker=broker):
        assert not any("/3" in topic for topic in broker.retained)
        assert f"{CARPORT}/remoteDisabled" not in broker.retained
        assert broker.payload("evcc/loadpoints/1/custom") == "1"


@in_virtual_time
async def test_log_messages_pass_and_are_not_kept() -> None:
    async with bridged() as world:
        world.home.hub.tell(Level.WARN, "der Zähler schweigt")
        await wait_all_tasks_blocked()
        assert world.broker.log[-1] == Publication("evcc/site/warn", "der Zähler schweigt".encode(), is_retained=False)
        assert "evcc/site/warn" not in world.broker.retained


@in_virtual_time
async def test_the_root_may_have_several_levels() -> None:
    async with bridged(MqttOptions(topic="/home/evcc/")) as world:
        assert all(topic.startswith("home/evcc/") for topic in world.broker.retained)
        await world.command("home/evcc/site/residualPower/set", "-50")
        assert world.broker.payload("home/evcc/site/residualPower") == "-50"
