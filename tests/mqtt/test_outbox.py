"""What waits to be sent is bounded, and the newest value wins [R-5]."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evcc_server.mqtt.broker_link import Publication
from evcc_server.mqtt.outbox import PASSING_MAX, Outbox
from evcc_server.mqtt.who_may_write import WriteRules

publications = st.builds(Publication, st.sampled_from(["a", "b", "c"]), st.binary(max_size=2), st.booleans())


def drained(outbox: Outbox) -> list[Publication]:
    taken = []
    while (publication := outbox.take()) is not None:
        taken.append(publication)
    return taken


def test_a_newer_value_takes_the_place_of_an_older_one_at_the_end_of_the_line() -> None:
    outbox = Outbox()
    for topic, payload in (("a", b"1"), ("b", b"1"), ("a", b"2")):
        outbox.put(Publication(topic, payload))
    assert [(each.topic, each.payload) for each in drained(outbox)] == [("b", b"1"), ("a", b"2")]


def test_passing_messages_are_not_merged_but_limited() -> None:
    outbox = Outbox()
    for index in range(PASSING_MAX + 5):
        outbox.put(Publication("warn", str(index).encode(), is_retained=False))
    assert [each.payload for each in drained(outbox)] == [str(index).encode() for index in range(5, PASSING_MAX + 5)]


@given(st.lists(publications, max_size=50))
def test_the_last_retained_value_of_every_topic_gets_out(puts: list[Publication]) -> None:
    outbox = Outbox()
    for publication in puts:
        outbox.put(publication)
    last = {each.topic: each for each in puts if each.is_retained}
    assert {each.topic: each for each in drained(outbox) if each.is_retained} == last
    assert len(outbox) == 0


def test_access() -> None:
    access = WriteRules(root="a/b")
    assert access.admits(None, None)
    assert access.may_publish("a/b/loadpoints/1/target/soc/80/set")
    assert not access.may_publish("a/b/loadpoints/1/mode")
    assert access.may_read("a/b")
    assert not access.may_read("a/bc")
    guarded = WriteRules(root="a", user="home", password="ä")
    assert guarded.admits("home", "ä")
    assert not guarded.admits("home", None)
    assert "ä" not in repr(guarded)


def test_a_name_that_points_here_is_no_proof_for_a_page() -> None:
    access = WriteRules(root="evcc", allowed_origins=("http://home.example",))
    assert access.may_use_page(None, "127.0.0.1:1884")
    assert access.may_use_page("http://192.168.0.9:1884", "192.168.0.9:1884")
    assert access.may_use_page("http://home.example", "192.168.0.9:1884")
    assert not access.may_use_page("http://192.168.0.9:7070", "192.168.0.9:1884")
    assert not access.may_use_page("http://evil.example:1884", "evil.example:1884")
    assert not access.may_use_page("http://[", "[")
