"""MQTT in today's words: the topics that recipes of 2026 read and write, and nothing of another generation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
from memory_broker import MemoryBroker
from mqtt_home import EPOCH, SITE, Home
from trio.testing import wait_all_tasks_blocked
from trio_test import in_virtual_time

from evcc_server.clock import Clock
from evcc_server.mqtt.bridge import Bridge
from evcc_server.mqtt.broker_link import MqttOptions, Publication
from evcc_server.state.encode import Compat
from evcclib.commands import BatteryMode
from evcclib.config import BatteryConfig, SiteConfig

COMMANDED = replace(SITE, batteries=(BatteryConfig(capacity_kwh=13.4, modes=frozenset(BatteryMode)),))


@asynccontextmanager
async def speaking(
    compat: Compat, *, broker: MemoryBroker | None = None, site: SiteConfig = COMMANDED
) -> AsyncIterator[MemoryBroker]:
    """A home whose clients are of this generation."""

    class Speaking(Home):
        pass

    Speaking.compat = compat
    clock, broker = Clock(epoch=EPOCH), broker or MemoryBroker()
    home = Speaking(clock, site)
    link = broker.connect("evcc")
    bridge = Bridge(link, MqttOptions(), gateway=home, hub=home.hub, clock=clock, site=site)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bridge.run)
        await wait_all_tasks_blocked()
        yield broker
        nursery.cancel_scope.cancel()


async def command(broker: MemoryBroker, topic: str, payload: str) -> None:
    broker.publish(Publication(f"evcc/{topic}/set", payload.encode(), is_retained=False))
    await wait_all_tasks_blocked()


@in_virtual_time
async def test_topics_are_nested_and_vehicles_have_their_own() -> None:
    async with speaking(Compat.TODAY) as broker:
        payload = broker.payload
        assert (payload("evcc/status"), payload("evcc/loadpoints"), payload("evcc/vehicles")) == ("online", "2", "2")
        assert (payload("evcc/vehicles/golf/title"), payload("evcc/vehicles/golf/capacity")) == ("blauer e-Golf", "44")
        assert (payload("evcc/site/battery/devices"), payload("evcc/site/battery/devices/1/controllable")) == (
            "1",
            "true",
        )
        assert payload("evcc/site/pv") == "2"
        assert payload("evcc/loadpoints/1/effectiveLimitSoc") == "100"
        topics = set(broker.retained)
        assert (
            not {"evcc/site", "evcc/loadpoints/1", "evcc/loadpoints/1/targetSoc", "evcc/loadpoints/1/target/soc"}
            & topics
        )
        assert not any(topic.startswith("evcc/site/vehicles") or "/enable/" in topic for topic in topics)


@pytest.mark.parametrize(
    ("topic", "text", "shown"),
    [
        ("site/prioritySoc", "40", "site/prioritySoc"),
        ("site/bufferSoc", "60", "site/bufferSoc"),
        ("site/residualPower", "-50", "site/residualPower"),
        ("site/batteryDischargeControl", "true", "site/batteryDischargeControl"),
        ("site/batteryGridChargeLimit", "0.1", "site/batteryGridChargeLimit"),
        ("loadpoints/1/mode", "now", "loadpoints/1/mode"),
        ("loadpoints/1/limitSoc", "70", "loadpoints/1/limitSoc"),
        ("loadpoints/1/limitEnergy", "12.5", "loadpoints/1/limitEnergy"),
        ("loadpoints/1/minCurrent", "7", "loadpoints/1/minCurrent"),
        ("loadpoints/1/enableDelay", "90", "loadpoints/1/enableDelay"),
        ("loadpoints/1/priority", "3", "loadpoints/1/priority"),
        ("loadpoints/1/phasesConfigured", "1", "loadpoints/1/phasesConfigured"),
        ("loadpoints/1/smartCostLimit", "0.2", "loadpoints/1/smartCostLimit"),
        ("vehicles/golf/minSoc", "20", "vehicles/golf/minSoc"),
        ("vehicles/golf/limitSoc", "80", "vehicles/golf/limitSoc"),
    ],
)
@in_virtual_time
async def test_what_recipes_set_is_set_and_shown(topic: str, text: str, shown: str) -> None:
    async with speaking(Compat.TODAY) as broker:
        await command(broker, topic, text)
        assert broker.payload(f"evcc/{shown}") == text
        assert f"evcc/{topic}/set" not in broker.retained


@in_virtual_time
async def test_a_vehicle_is_assigned_by_name_and_taken_away() -> None:
    async with speaking(Compat.TODAY) as broker:
        await command(broker, "loadpoints/1/vehicle", "model3")
        assert broker.payload("evcc/loadpoints/1/vehicleTitle") == "weißes Model 3"
        await command(broker, "loadpoints/1/vehicle", "-")
        assert "evcc/loadpoints/1/vehicleName" not in broker.retained


@pytest.mark.parametrize("compat", list(Compat))
@in_virtual_time
async def test_the_battery_is_commanded_for_a_minute(compat: Compat) -> None:
    async with speaking(compat) as broker:
        await command(broker, "site/batteryMode", "hold")
        if compat is Compat.TODAY:
            assert broker.payload("evcc/site/batteryModeExternal") == "hold"
        await command(broker, "site/batteryMode", "sleep")
        assert broker.payload("evcc/site/batteryMode") == "normal"  # nobody steps this home: it does what it did
        await command(broker, "site/batteryMode", "none")
        if compat is Compat.TODAY:
            assert broker.payload("evcc/site/batteryModeExternal") == "unknown"


@pytest.mark.parametrize(("before", "after"), [(Compat.V0_114, Compat.TODAY), (Compat.TODAY, Compat.V0_127)])
@in_virtual_time
async def test_nothing_of_another_generation_stays_retained(before: Compat, after: Compat) -> None:
    async with speaking(after) as fresh:
        expected = set(fresh.retained)
    broker = MemoryBroker()
    async with speaking(before, broker=broker):
        assert set(broker.retained) != expected
    broker.publish(Publication("evcc/loadpoints/1/custom", b"of somebody else"))
    async with speaking(after, broker=broker):
        assert set(broker.retained) == expected | {"evcc/loadpoints/1/custom"}


@in_virtual_time
async def test_a_vehicle_that_is_no_more_leaves_no_topics() -> None:
    broker = MemoryBroker()
    broker.publish(Publication("evcc/vehicles/sold/title", b"Sold"))
    broker.publish(Publication("evcc/vehicles/sold/minSoc/set", b"20", is_retained=False))
    async with speaking(Compat.TODAY, broker=broker):
        assert not any("sold" in topic for topic in broker.retained)
