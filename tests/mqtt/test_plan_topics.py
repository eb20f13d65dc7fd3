"""Plans over MQTT: of vehicles on topics of their own, set in JSON, and nothing left of those that are gone."""

from __future__ import annotations

import json

import pytest
from memory_broker import MemoryBroker
from mqtt_home import bridged
from trio_test import in_virtual_time

from evcc_server.mqtt.broker_link import Publication
from evcclib.requests import AssignVehicle

CARPORT, GOLF = "evcc/loadpoints/1", "evcc/vehicles/golf"
SEVEN = "2023-03-07T06:00:00Z"
WEEKDAYS = {"weekdays": [1, 5], "time": "07:00", "tz": "Europe/Berlin", "soc": 70, "active": True}


def below(broker: MemoryBroker, prefix: str) -> dict[str, str]:
    return {
        topic.removeprefix(f"{prefix}/"): broker.payload(topic) or ""
        for topic in broker.retained
        if topic.startswith(f"{prefix}/")
    }


@pytest.mark.api("M-plans")
@in_virtual_time
async def test_every_vehicle_has_topics_of_its_own() -> None:
    async with bridged() as world:
        assert world.broker.payload("evcc/vehicles") == "2"
        assert below(world.broker, "evcc/vehicles/model3") == {
            "title": "weißes Model 3",
            "repeatingPlans": "0",
            "planStrategy/continuous": "false",
            "planStrategy/precondition": "0",
        }
        await world.command(f"{GOLF}/limitSoc/set", "80")
        assert world.broker.payload(f"{GOLF}/limitSoc") == "80"


@pytest.mark.api("M-plans")
@in_virtual_time
async def test_a_plan_is_set_shown_and_leaves_nothing_behind() -> None:
    async with bridged() as world:
        await world.command(f"{GOLF}/planSoc/set", json.dumps({"value": 80, "time": SEVEN}))
        assert below(world.broker, f"{GOLF}/plan") == {"soc": "80", "time": "1678168800"}
        await world.command(f"{GOLF}/repeatingPlans/set", json.dumps([WEEKDAYS, WEEKDAYS | {"active": False}]))
        assert world.broker.payload(f"{GOLF}/repeatingPlans") == "2"
        assert below(world.broker, f"{GOLF}/repeatingPlans/2") == {
            "weekdays": "2",
            "weekdays/1": "1",
            "weekdays/2": "5",
            "time": "07:00",
            "tz": "Europe/Berlin",
            "soc": "70",
            "active": "false",
        }
        await world.command(f"{GOLF}/repeatingPlans/set", json.dumps([WEEKDAYS | {"weekdays": [1]}]))
        assert below(world.broker, f"{GOLF}/repeatingPlans/2") == {}
        assert "weekdays/2" not in below(world.broker, f"{GOLF}/repeatingPlans/1")
        await world.command(f"{GOLF}/planSoc/set", "none")
        await world.command(f"{GOLF}/repeatingPlans/set", "[]")
        assert below(world.broker, f"{GOLF}/plan") == below(world.broker, f"{GOLF}/repeatingPlans") == {}
        assert world.broker.payload(f"{GOLF}/repeatingPlans") == "0"


@pytest.mark.api("M-plans")
@in_virtual_time
async def test_a_strategy_and_an_energy_with_its_time_are_set_in_json() -> None:
    async with bridged() as world:
        await world.command(f"{CARPORT}/planStrategy/set", '{"continuous":true,"precondition":1800}')
        await world.command(f"{GOLF}/planStrategy/set", '{"precondition":900}')
        assert below(world.broker, f"{CARPORT}/planStrategy") == {"continuous": "true", "precondition": "1800"}
        assert below(world.broker, f"{GOLF}/planStrategy") == {"continuous": "false", "precondition": "900"}
        assert world.broker.payload(f"{CARPORT}/plan") == "null"
        await world.command(f"{CARPORT}/planEnergy/set", json.dumps({"value": 10.5, "time": SEVEN}))
        shown = [world.broker.payload(f"{CARPORT}/{key}") for key in ("planEnergy", "planTime", "effectivePlanId")]
        assert shown == ["10.5", "1678168800", "1"]
        await world.command(f"{CARPORT}/planEnergy/set", "null")
        shown = [world.broker.payload(f"{CARPORT}/{key}") for key in ("planEnergy", "planTime", "effectivePlanId")]
        assert shown == ["0", None, "0"]


@pytest.mark.api("M-plans", "M-10")
@pytest.mark.parametrize(
    ("topic", "payload", "words"),
    [
        (f"{GOLF}/planSoc/set", "80", "invalid value: 80 (allowed: JSON such as"),
        (f"{GOLF}/planSoc/set", '{"value":101,"time":"2023-03-07T06:00:00Z"}', "soc out of range: 101"),
        (f"{GOLF}/planSoc/set", '{"value":80,"time":"2020-03-07T06:00:00Z"}', "timestamp is in the past"),
        (f"{GOLF}/repeatingPlans/set", '[{"weekdays":[9],"time":"07:00","soc":5}]', "plan 1: weekday out of range: 9"),
        (f"{CARPORT}/planStrategy/set", "true", "invalid value: true (allowed: JSON such as"),
        (f"{CARPORT}/planEnergy/set", "10", 'invalid value: 10 (allowed: JSON such as {"value": 10.5'),
        (f"{CARPORT}/planEnergy/set", '{"value":1e9,"time":"2023-03-07T06:00:00Z"}', "energy out of range"),
        ("evcc/loadpoints/7/planEnergy/set", "null", "loadpoint not found: 7"),
    ],
)
@in_virtual_time
async def test_what_is_refused_is_logged_and_changes_nothing(
    topic: str, payload: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with bridged() as world:
        await world.command(f"{GOLF}/planSoc/set", json.dumps({"value": 70, "time": SEVEN}))
        before = dict(world.broker.retained)
        await world.command(topic, payload)
        assert words in caplog.text
        assert {key: value for key, value in world.broker.retained.items() if value} == before


@pytest.mark.api("M-plans", "M-11")
@in_virtual_time
async def test_a_plan_that_ended_while_the_server_was_away_is_erased() -> None:
    broker = MemoryBroker()
    for topic in (f"{GOLF}/plan/soc", f"{GOLF}/repeatingPlans/1/soc", "evcc/vehicles/trabant/title", f"{GOLF}/custom"):
        broker.publish(Publication(topic, b"1"))
    async with bridged(broker=broker):
        assert below(broker, f"{GOLF}/plan") == below(broker, "evcc/vehicles/trabant") == {}
        assert f"{GOLF}/repeatingPlans/1/soc" not in broker.retained
        assert broker.payload(f"{GOLF}/custom") == "1"


@pytest.mark.api("M-plans")
@in_virtual_time
async def test_the_slots_of_a_plan_are_one_text() -> None:
    async with bridged() as world:
        await world.home.submit(AssignVehicle(0, "golf"))
        await world.command(f"{GOLF}/planSoc/set", json.dumps({"value": 80, "time": SEVEN}))
        assert world.broker.payload(f"{CARPORT}/effectivePlanTime") == "1678168800"
        assert world.broker.payload(f"{CARPORT}/effectivePlanSoc") == "80"
        assert json.loads(world.broker.payload(f"{CARPORT}/plan") or "") is None  # nobody knows the SoC
