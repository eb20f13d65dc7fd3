"""The sixteen ways in which the stock amqtt broker can be emptied, filled up or silenced; ours stands. Numbered as in
docs/mqtt.md, one test or more for each."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypedDict

import pytest
import trio
from mqtt_by_hand import (
    DISCONNECT,
    PATIENCE_S,
    PUBLISH,
    Client,
    Closed,
    Will,
    connect_packet,
    connected,
    dial,
    packet,
    publish_packet,
    text,
)
from trio_test import in_real_time

from evcc_server.mqtt.broker_link import Connected, MqttOptions, Publication, Received
from evcc_server.mqtt.embedded import EmbeddedBroker
from evcc_server.mqtt.sessions import Limits

pytestmark = pytest.mark.wire


class Login(TypedDict, total=False):
    """What a client says of itself."""

    user: str
    password: str


SET = "evcc/loadpoints/1/mode/set"
OTHER_SET = "evcc/loadpoints/1/minCurrent/set"
LOGIN: Login = {"user": "home", "password": "secret"}


@asynccontextmanager
async def serving(
    limits: Limits | None = None, *, has_login: bool = False
) -> AsyncIterator[tuple[EmbeddedBroker, int]]:
    """A broker on a free port."""
    login: Login = LOGIN if has_login else {}
    link = EmbeddedBroker(MqttOptions(port=0, **login), limits)
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        assert await link.receive() == Connected()
        yield link, link.ports["tcp"]
        nursery.cancel_scope.cancel()


async def eventually(is_reached: Callable[[], bool]) -> None:
    with trio.fail_after(PATIENCE_S):
        while not is_reached():
            await trio.sleep(0.01)


async def published(link: EmbeddedBroker, *publications: Publication) -> None:
    for publication in publications:
        link.publish(publication)
    await link.flush()


@in_real_time
async def test_1_a_client_that_did_not_subscribe_is_sent_nothing() -> None:
    async with serving() as (link, port), connected(port, "reader") as reader:
        await published(link, Publication("evcc/site/pvPower", b"12"), Publication("evcc/status", b"online"))
        await reader.subscribe("evcc/#")
        async with connected(port, "other") as other:
            assert await other.settle() == []


@in_real_time
async def test_1_a_subscriber_gets_each_retained_message_once() -> None:
    async with serving() as (link, port), connected(port, "early") as early:
        await early.subscribe("evcc/#")
        await published(link, Publication("evcc/site/pvPower", b"12"), Publication("evcc/status", b"online"))
        async with connected(port, "late") as late:
            await late.subscribe("evcc/site/#")
            delivered = await late.settle()
            assert [(each.topic, each.payload, each.is_retained) for each in delivered] == [
                ("evcc/site/pvPower", b"12", True)
            ]
        assert [each.is_retained for each in await early.settle()] == [False, False]


@in_real_time
async def test_2_a_wrong_password_does_not_touch_the_client_of_that_name() -> None:
    async with serving(has_login=True) as (link, port), connected(port, "car", **LOGIN) as client:
        await client.subscribe("evcc/#")
        for is_clean in (True, False):
            async with connected(port, "car", is_clean=is_clean, user="home", password="guess") as intruder:
                assert intruder.code == 5
                with pytest.raises(Closed):
                    await intruder.settle()
        await published(link, Publication("evcc/site/pvPower", b"12"))
        assert [each.payload for each in await client.settle()] == [b"12"]


@in_real_time
async def test_2_a_wrong_password_does_not_touch_a_stored_session() -> None:
    async with serving(has_login=True) as (link, port):
        async with connected(port, "car", is_clean=False, **LOGIN) as client:
            await client.subscribe("evcc/#", 1)
        await eventually(lambda: link.census.away == 1)
        for is_clean in (True, False):
            async with connected(port, "car", is_clean=is_clean, user="home", password="guess") as intruder:
                assert intruder.code == 5
        await published(link, Publication("evcc/site/pvPower", b"12"))
        async with connected(port, "car", is_clean=False, **LOGIN) as client:
            assert client.is_session_present
            assert [each.payload for each in await client.settle()] == [b"12"]


@in_real_time
async def test_3_connecting_and_leaving_in_one_segment_leaves_nothing_behind() -> None:
    async with serving() as (link, port):
        for index in range(200):
            client = await dial(port)
            await client.send(connect_packet(f"quick-{index}") + DISCONNECT)
            await client.stream.aclose()
        await eventually(lambda: link.census.wires == 0)
        assert link.census.clients == link.census.away == 0


@in_real_time
async def test_4_clients_that_vanish_while_connecting_do_not_use_up_the_listener() -> None:
    async with serving(Limits(connections=5)) as (link, port):
        for index in range(30):
            client = await dial(port)
            if index % 2:
                await client.send(connect_packet("ghost"))
            client.vanish()
        with trio.fail_after(PATIENCE_S):
            while not await is_let_in(port):
                await trio.sleep(0.01)
        await eventually(lambda: link.census.wires == 0)


async def is_let_in(port: int) -> bool:
    try:
        async with connected(port) as client:
            return client.code == 0
    except Closed:
        return False


@in_real_time
async def test_4_connections_beyond_the_limit_are_closed_and_the_others_live() -> None:
    async with serving(Limits(connections=2)) as (_, port), connected(port, "a") as first, connected(port, "b"):
        assert await (await dial(port)).wait_closed() < 2
        assert await first.settle() == []


@in_real_time
async def test_4_connections_that_are_over_hold_no_place() -> None:
    async with serving(Limits(peer_connections=2)) as (link, port):
        for _ in range(6):
            async with connected(port) as client:
                assert client.code == 0
            await eventually(lambda: link.census.wires == 0)


@in_real_time
async def test_4_connections_that_say_nothing_lock_nobody_out() -> None:
    async with serving(Limits(connections=9, peer_connections=3, connect_s=60)) as (_, port), connected(port, "one"):
        silent = [await dial(port) for _ in range(4)]
        async with connected(port, "two") as second:
            assert await second.settle() == []
        for client in silent[:3]:
            await client.wait_closed()
        await silent[3].stream.aclose()


@in_real_time
async def test_5_a_silent_client_is_closed_after_its_keep_alive_and_its_will_is_sent() -> None:
    will = Will(SET, b"off")
    async with serving() as (link, port), connected(port, "silent", keep_alive_s=1, will=will) as silent:
        assert 1.2 < await silent.wait_closed() < 3
        with trio.fail_after(PATIENCE_S):
            assert await link.receive() == Received(SET, b"off")


@pytest.mark.parametrize("is_clean", [True, False])
@in_real_time
async def test_6_a_client_that_comes_back_takes_over_from_its_old_connection(is_clean: bool) -> None:
    async with serving(has_login=True) as (link, port), connected(port, "display", is_clean=is_clean, **LOGIN) as old:
        await old.subscribe("evcc/#", 1)
        async with connected(port, "display", is_clean=is_clean, **LOGIN) as new:
            await old.wait_closed()
            assert new.is_session_present is not is_clean
            if is_clean:
                await new.subscribe("evcc/#", 1)
            await published(link, Publication("evcc/site/pvPower", b"12"))
            assert [each.payload for each in await new.settle()] == [b"12"]
        await eventually(lambda: link.census.wires == 0)


@in_real_time
async def test_6_two_at_once_under_one_name_end_with_one_that_works() -> None:
    async with serving() as (link, port), trio.open_nursery() as nursery:
        closed: list[Client] = []

        async def use(client: Client) -> None:
            async with client.stream:
                await client.send(connect_packet("display"))
                await client.wait_closed()
            closed.append(client)

        for client in [await dial(port) for _ in range(8)]:
            nursery.start_soon(use, client)
        await eventually(lambda: len(closed) == 7)
        await eventually(lambda: (link.census.wires, link.census.clients) == (1, 1))
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("theirs", "ours"), [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (1, 2), (2, 2), (0, 2)])
@in_real_time
async def test_7_delivery_has_the_lower_quality_of_service_of_both_sides(theirs: int, ours: int) -> None:
    async with serving() as (_, port), connected(port, "reader") as reader, connected(port, "writer") as writer:
        await reader.subscribe("evcc/#", ours)
        await writer.publish(SET, b"pv", qos=theirs)
        assert [each.qos for each in await reader.settle()] == [min(theirs, ours)]


@in_real_time
async def test_7_what_the_server_publishes_goes_by_the_same_rule() -> None:
    async with serving() as (link, port), connected(port, "reader") as reader:
        await reader.subscribe("evcc/site/a", 2)
        await reader.subscribe("evcc/site/b", 0)
        await published(link, Publication("evcc/site/a", b"1"), Publication("evcc/site/b", b"1"))
        assert [each.qos for each in await reader.settle()] == [1, 0]


@pytest.mark.parametrize("qos", [0, 1])
@in_real_time
async def test_8_a_stalled_subscriber_costs_a_bounded_amount_and_nobody_else_notices(qos: int) -> None:
    limits = Limits(stall_s=0.5, queued_messages=100)
    async with (
        serving(limits) as (link, port),
        connected(port, "stalled", receive_buffer=4096) as stalled,
        connected(port, "healthy") as healthy,
    ):
        await stalled.subscribe("evcc/#", qos)
        await healthy.subscribe("evcc/site/mark")
        for index in range(4000):
            link.publish(Publication(f"evcc/site/{index}", b"x" * 2000, is_retained=False))
            if index % 50 == 49:  # fewer than wait in the outbox
                link.publish(Publication("evcc/site/mark", str(index).encode(), is_retained=False))
                assert (await healthy.next_delivered()).payload == str(index).encode()
                assert link.census.queued <= limits.queued_messages + limits.unacknowledged
        if qos == 0:  # at QoS 1 the window keeps what is on the wire so small that a stall does not show
            await eventually(lambda: link.census.clients == 1)


@in_real_time
async def test_9_no_message_is_lost_while_others_subscribe_and_unsubscribe() -> None:
    async with serving() as (_, port), connected(port, "steady") as steady, connected(port, "writer") as writer:
        await steady.subscribe(SET)

        async def come_and_go(name: str) -> None:
            async with connected(port, name) as client:
                for index in range(100):
                    await client.subscribe(f"evcc/loadpoints/+/x{index}/#")
                    await client.unsubscribe(f"evcc/loadpoints/+/x{index}/#")

        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(come_and_go, f"restless-{number}")
            for index in range(500):
                await writer.publish(SET, str(index).encode(), qos=1)
        assert [each.payload for each in await steady.settle()] == [str(index).encode() for index in range(500)]


@in_real_time
async def test_10_filters_are_forgotten_when_unsubscribed_and_when_their_client_leaves() -> None:
    async with serving() as (link, port):
        async with connected(port) as client:
            for index in range(20):
                await client.subscribe(f"evcc/{index}")
            assert link.census.filters == 20
            await client.unsubscribe("evcc/0")
            assert link.census.filters == 19
        await eventually(lambda: link.census.filters == 0)


@in_real_time
async def test_10_filters_are_limited() -> None:
    async with serving(Limits(filters=3)) as (_, port), connected(port) as client:
        assert [await client.subscribe(f"evcc/{index}") for index in (0, 1, 2, 3, 0)] == [0, 0, 0, 0x80, 0]


@in_real_time
async def test_10_a_filter_is_as_long_as_a_topic_may_be() -> None:
    async with serving(Limits(topic_length=8)) as (_, port), connected(port) as client:
        assert [await client.subscribe(text) for text in ("evcc/123", "evcc/1234", "evcc/#")] == [0, 0x80, 0]


@in_real_time
async def test_10_filters_of_all_together_are_limited_and_a_refusal_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with (
        serving(Limits(filters=3, all_filters=4)) as (_, port),
        connected(port, "a") as a,
        connected(port, "b") as b,
    ):
        assert [await a.subscribe(f"evcc/{index}") for index in range(5)] == [0, 0, 0, 0x80, 0x80]
        assert [await b.subscribe(f"evcc/{index}") for index in range(3)] == [0, 0x80, 0x80]
        assert await b.subscribe("evcc/a#") == 0x80
        assert await a.settle() == []
    assert [line for line in caplog.messages if "refused" in line] == [
        "MQTT client 'a': the filter 'evcc/3' and more are refused: too many",
        "MQTT client 'b': the filter 'evcc/1' and more are refused: too many",
        "MQTT client 'b': the filter 'evcc/a#' is refused",
    ]


@in_real_time
async def test_10_a_home_automation_with_hundreds_of_sensors_is_served() -> None:
    kinds = [f"homeassistant/{kind}/+/config" for kind in range(29)]
    discovery = [*kinds, *(text.replace("/+/", "/+/+/") for text in kinds)]
    sensors = [f"evcc/loadpoints/{number % 9 + 1}/value{number}" for number in range(400)]
    async with serving() as (link, port), connected(port, "hass") as client:
        await published(link, *(Publication(topic, topic.encode()) for topic in sensors))
        assert {await client.subscribe(text) for text in (*discovery, "evcc/status", *sensors)} == {0}
        assert [each.topic for each in await client.settle()] == sensors
        await published(link, *(Publication(topic, b"new") for topic in sensors))
        assert [each.payload for each in (await client.settle())[len(sensors) :]] == [b"new"] * len(sensors)


@in_real_time
async def test_commands_of_one_client_are_limited_and_those_of_others_are_not(caplog: pytest.LogCaptureFixture) -> None:
    limits = Limits(commands=3, commands_per_s=0.0, dropped_commands=2)
    async with serving(limits) as (link, port), connected(port, "a") as eager, connected(port, "b") as calm:
        for number in range(5):
            await eager.publish(SET, str(number).encode())
        await calm.publish(SET, b"b")
        assert [await link.receive() for _ in range(4)] == [Received(SET, word) for word in (b"0", b"1", b"2", b"b")]
        await eager.send(publish_packet(SET, b"9"))
        await eager.wait_closed()
        await calm.publish(SET, b"c")
        assert await link.receive() == Received(SET, b"c")
    assert [line for line in caplog.messages if "dropped" in line] == [
        f"MQTT client 'a': too many commands at once, {SET!r} and more are dropped"
    ]


@in_real_time
async def test_11_a_connection_that_says_nothing_is_closed() -> None:
    async with serving(Limits(connect_s=0.3)) as (link, port):
        silent, slow = await dial(port), await dial(port)
        await slow.send(connect_packet("slow")[:9])
        await silent.wait_closed()
        await slow.wait_closed()
        await eventually(lambda: link.census.wires == 0)


@in_real_time
async def test_11_a_packet_that_announces_100_mebibytes_is_not_waited_for() -> None:
    async with serving() as (_, port), connected(port) as client:
        await client.send(bytes([0x30, 0x80, 0x80, 0x80, 0x32]) + b"x" * 1000)
        assert await client.wait_closed() < 2


@in_real_time
async def test_12_overlapping_filters_deliver_once() -> None:
    async with serving() as (link, port), connected(port) as client:
        await client.subscribe("evcc/#", 0)
        await client.subscribe("evcc/site/+", 1)
        await published(link, Publication("evcc/site/pvPower", b"12"))
        assert [(each.payload, each.qos) for each in await client.settle()] == [(b"12", 1)]


@in_real_time
async def test_12_subscribing_again_takes_the_new_quality_of_service() -> None:
    async with serving() as (link, port), connected(port) as client:
        await client.subscribe("evcc/#", 0)
        assert await client.subscribe("evcc/#", 1) == 1
        await published(link, Publication("evcc/site/pvPower", b"12"))
        assert [each.qos for each in await client.settle()] == [1]


@pytest.mark.parametrize(
    "topic", ["evcc/site/pvPower", "evcc/status", "evcc/loadpoints/1/mode", "home/x", "evcc/a/set"]
)
@in_real_time
async def test_13_clients_can_not_write_state_topics_nor_leave_anything_behind(topic: str) -> None:
    async with serving() as (link, port), connected(port, "reader") as reader, connected(port, "forger") as forger:
        await reader.subscribe("#")
        await forger.publish(topic, b"forged", is_retained=True)
        await forger.publish(SET, b"pv")
        assert [each.topic for each in await reader.settle()] == [SET]
        assert await link.receive() == Received(SET, b"pv")
        assert link.census.retained == 0


@in_real_time
async def test_13_who_writes_state_topics_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as (link, port), connected(port, "forger") as forger:
        for number in range(9):
            await forger.publish(f"evcc/site/{number}", str(number).encode())
        await forger.publish(SET, b"pv")
        assert await link.receive() == Received(SET, b"pv")
    assert [line for line in caplog.messages if "may not write" in line] == [
        "MQTT client 'forger': it may not write 'evcc/site/0', this and the like are ignored"
    ]


@pytest.mark.parametrize(
    "login", [{}, {"user": "home"}, {"user": "home", "password": ""}, {"user": "x", "password": "secret"}]
)
@in_real_time
async def test_13_nobody_gets_in_without_the_credentials(login: Login) -> None:
    async with serving(has_login=True) as (_, port), connected(port, **login) as client:
        assert client.code == 5
        await client.wait_closed()


@in_real_time
async def test_14_a_last_will_can_not_write_what_its_client_can_not() -> None:
    async with serving() as (link, port), connected(port, "reader") as reader:
        await reader.subscribe("#")
        async with connected(port, "forger", will=Will("evcc/loadpoints/1/mode", b"now", is_retained=True)) as forger:
            assert forger.code == 0
        async with connected(port, "honest", will=Will(SET, b"off")):
            pass
        assert (await reader.next_delivered()).topic == SET
        assert await link.receive() == Received(SET, b"off")
        assert link.census.retained == 0


@in_real_time
async def test_14_no_will_after_a_goodbye() -> None:
    async with serving() as (link, port), connected(port, "reader") as reader:
        await reader.subscribe("#")
        async with connected(port, "polite", will=Will(SET, b"off")) as polite:
            await polite.say_goodbye()
        await eventually(lambda: link.census.clients == 1)
        assert await reader.settle() == []


@pytest.mark.parametrize("topic", ["", "$SYS/broker", "evcc/+/set", "evcc/#", "a\0b"])
@in_real_time
async def test_15_publishing_to_an_impossible_topic_closes_the_connection(topic: str) -> None:
    async with serving() as (_, port), connected(port) as client:
        await client.send(publish_packet(topic, b"x"))
        assert await client.wait_closed() < 2


@in_real_time
async def test_16_a_known_client_gets_what_came_while_it_was_away() -> None:
    async with serving(has_login=True) as (link, port):
        async with connected(port, "logger", is_clean=False, **LOGIN) as client:
            await client.subscribe("evcc/#", 1)
        await eventually(lambda: link.census.away == 1)
        await published(link, *(Publication(f"evcc/site/{index}", b"1") for index in range(3)))
        async with connected(port, "logger", is_clean=False, **LOGIN) as client:
            assert [each.topic for each in await client.settle()] == [f"evcc/site/{index}" for index in range(3)]


@in_real_time
async def test_16_a_known_client_gets_again_what_it_did_not_acknowledge() -> None:
    async with serving(has_login=True) as (link, port):
        async with connected(port, "logger", is_clean=False, **LOGIN) as client:
            await client.subscribe("evcc/#", 1)
            await published(link, Publication("evcc/site/pvPower", b"12"))
            assert (await client.read_packet())[0] == PUBLISH
        await eventually(lambda: link.census.away == 1)
        async with connected(port, "logger", is_clean=False, **LOGIN) as client:
            assert [each.payload for each in await client.settle()] == [b"12"]


@in_real_time
async def test_16_strangers_leave_no_session_behind() -> None:
    async with serving() as (link, port):
        async with connected(port, "stranger", is_clean=False) as client:
            await client.subscribe("evcc/#", 1)
        await eventually(lambda: link.census.wires == 0)
        assert link.census.away == link.census.filters == 0


@in_real_time
async def test_another_version_of_mqtt_is_told_so() -> None:
    async with serving() as (_, port):
        client = await dial(port)
        await client.send(connect_packet("five", level=5))
        assert (await client.read_packet())[2] == b"\0\1"
        await client.wait_closed()


@in_real_time
async def test_messages_that_are_never_released_are_limited() -> None:
    async with serving(Limits(held_messages=4)) as (_, port), connected(port) as client:
        await client.send(b"".join(publish_packet(SET, b"x", qos=2, number=number) for number in range(1, 20)))
        await client.wait_closed()


@in_real_time
async def test_garbage_does_not_stop_the_broker() -> None:
    random_bytes = random.Random(7)
    valid = connect_packet("fuzz", will=Will(SET, b"x"), user="u", password="p")
    async with serving(Limits(connect_s=0.5)) as (link, port), connected(port, "steady") as steady:
        for index in range(300):
            client = await dial(port)
            data = bytearray(valid if index % 3 else random_bytes.randbytes(40))
            if index % 3 == 1:
                data[random_bytes.randrange(len(data))] ^= 1 << random_bytes.randrange(8)
            elif index % 3 == 2:
                data += packet(random_bytes.randrange(16), random_bytes.randrange(16), random_bytes.randbytes(12))
                data += packet(8, 2, b"\0\1" + text("a/#/b") + b"\7")
            await client.send(bytes(data))
            await client.stream.aclose()
        await eventually(lambda: link.census.wires == 1)
        assert await steady.settle() == []
