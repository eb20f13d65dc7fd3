"""The hub: everything first, then what changes, newest value per key, nobody waits for a slow watcher."""

from __future__ import annotations

import pytest
import trio
from example_home import FACTS, NOW, VIEW
from trio_test import in_virtual_time

from evcc_server.state.document import Document
from evcc_server.state.hub import MESSAGES_MAX, Hub, Level, Notice
from evcc_server.state.values import Phases


def test_an_empty_hub_says_so() -> None:
    hub = Hub(FACTS)
    assert hub.is_empty
    with pytest.raises(LookupError):
        _ = hub.snapshot


@in_virtual_time
async def test_a_watcher_gets_everything_first_and_then_what_changed() -> None:
    hub = Hub(FACTS)
    hub.publish(VIEW, NOW)
    with hub.subscribe() as watcher:
        first = await watcher.wait()
        assert first.values[None, "gridPower"] == -412.5
        assert first.values[1, "title"] == "Garage"
        assert len(first.values) == len(hub.snapshot.site) + sum(len(keys) for keys in hub.snapshot.loadpoints)
        hub.publish(VIEW._replace(grid_power_w=5.0), NOW)
        assert (await watcher.wait()).values == {(None, "gridPower"): 5.0}


@in_virtual_time
async def test_a_watcher_of_an_empty_hub_waits_for_the_first_document() -> None:
    hub = Hub(FACTS)
    with hub.subscribe() as watcher, trio.move_on_after(5):
        await watcher.wait()
        pytest.fail("there was no news")
    async with trio.open_nursery() as nursery:
        with hub.subscribe() as watcher:
            nursery.start_soon(publish_later, hub)
            assert (await watcher.wait()).values[None, "siteTitle"] == "Zuhause"


async def publish_later(hub: Hub) -> None:
    await trio.sleep(10)
    hub.publish(VIEW, NOW)


def test_newer_values_replace_those_not_yet_taken() -> None:
    hub = Hub(FACTS)
    hub.publish(VIEW, NOW)
    with hub.subscribe() as watcher:
        watcher.take()
        for power_w in range(1000):
            hub.publish(VIEW._replace(grid_power_w=float(power_w)), NOW)
        assert watcher.take().values == {(None, "gridPower"): 999.0}


def test_measurements_are_repeated_each_cycle_for_those_who_want_it() -> None:
    hub = Hub(FACTS)
    hub.publish(VIEW, NOW)
    with hub.subscribe() as quiet, hub.subscribe(repeats_measurements=True) as chatty:
        quiet.take()
        chatty.take()
        hub.publish(VIEW, NOW, is_cycle=True)
        assert quiet.take().values == {}
        repeated = chatty.take().values
        assert repeated[None, "gridPower"] == -412.5
        assert (None, "residualPower") not in repeated
        hub.publish(VIEW, NOW, is_cycle=False)
        assert chatty.take().values == {}


def test_a_key_that_goes_is_told_as_none() -> None:
    hub = Hub(FACTS)
    hub.publish(VIEW, NOW)
    with hub.subscribe() as watcher:
        watcher.take()
        hub.publish(VIEW._replace(tariff_grid=None), NOW)
        assert watcher.take().values == {(None, "tariffGrid"): None}
    assert "tariffGrid" not in hub.snapshot.site


def test_a_number_that_becomes_a_flag_is_a_change_and_nan_is_not() -> None:
    hub = Hub(FACTS)
    hub.replace(Document({"a": 1, "b": float("nan"), "c": Phases((1.0, float("nan"), 2.0))}, ()))
    with hub.subscribe() as watcher:
        watcher.take()
        hub.replace(Document({"a": True, "b": float("nan"), "c": Phases((1.0, float("nan"), 2.0))}, ()))
        assert watcher.take().values == {(None, "a"): True}


def test_messages_reach_every_watcher_and_are_bounded() -> None:
    hub = Hub(FACTS)
    with hub.subscribe() as one, hub.subscribe() as other:
        hub.tell(Level.WARN, "silent")
        assert one.take().messages == (Notice(Level.WARN, "silent"),)
        for number in range(3 * MESSAGES_MAX):
            hub.tell(Level.ERROR, str(number))
        assert len(other.take().messages) == MESSAGES_MAX


def test_equal_documents_keep_their_version() -> None:
    hub = Hub(FACTS)
    hub.publish(VIEW, NOW)
    version = hub.version
    hub.publish(VIEW, NOW)
    assert hub.version == version
