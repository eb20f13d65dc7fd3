"""The complete dump of the API's worked example, and what may be erased."""

from __future__ import annotations

import json

import pytest
from example_home import example_document

from evcc_server.mqtt import tree
from evcc_server.settings import TABLE
from evcc_server.state.document import Document
from evcc_server.state.encode import Compat
from evcc_server.state.values import Names, Phases, Records

DUMP = """
evcc/site/auxPower 0
evcc/site/battery 1
evcc/site/battery/1/capacity 13.4
evcc/site/battery/1/power -850
evcc/site/battery/1/soc 55
evcc/site/batteryCapacity 13
evcc/site/batteryConfigured true
evcc/site/batteryPower -850
evcc/site/batterySoc 55
evcc/site/bufferSoc 80
evcc/site/currency EUR
evcc/site/greenShare 1
evcc/site/gridConfigured true
evcc/site/gridCurrents -1.79
evcc/site/gridCurrents/l1 2.31
evcc/site/gridCurrents/l2 -1.94
evcc/site/gridCurrents/l3 -2.16
evcc/site/gridEnergy 9120.573
evcc/site/gridPower -412.5
evcc/site/gridPowers -412.5
evcc/site/gridPowers/l1 531.3
evcc/site/gridPowers/l2 -446.2
evcc/site/gridPowers/l3 -497.6
evcc/site/homePower 1297.1
evcc/site/prioritySoc 40
evcc/site/pv 2
evcc/site/pv/1/power 4120
evcc/site/pv/2/power 2120
evcc/site/pvConfigured true
evcc/site/pvPower 6240
evcc/site/residualPower 100
evcc/site/savingsAmount 379.8
evcc/site/savingsEffectivePrice 0.16205
evcc/site/savingsGridCharged 412.3
evcc/site/savingsSelfConsumptionCharged 1190.6
evcc/site/savingsSelfConsumptionPercent 74.278
evcc/site/savingsSince 1672131883
evcc/site/savingsTotalCharged 1602.9
evcc/site/siteTitle Zuhause
evcc/site/tariffEffectivePrice 0.08
evcc/site/tariffFeedIn 0.08
evcc/site/tariffGrid 0.399
evcc/site/vehicles 2
evcc/site/vehicles/1 blauer e-Golf
evcc/site/vehicles/2 weißes Model 3
evcc/site/version 0.114.1 (evcclib 1.0.0)
evcc/loadpoints/1/chargeCurrent 16
evcc/loadpoints/1/chargeCurrents 16.002
evcc/loadpoints/1/chargeCurrents/l1 16.002
evcc/loadpoints/1/chargeCurrents/l2 0
evcc/loadpoints/1/chargeCurrents/l3 0
evcc/loadpoints/1/chargeDuration 9003
evcc/loadpoints/1/chargePower 3680.4
evcc/loadpoints/1/chargeRemainingDuration 13581
evcc/loadpoints/1/chargeRemainingEnergy 13884
evcc/loadpoints/1/chargeTotalImport 4211.873
evcc/loadpoints/1/chargedEnergy 9204.3
evcc/loadpoints/1/chargerFeatureIntegratedDevice false
evcc/loadpoints/1/chargerIcon
evcc/loadpoints/1/charging true
evcc/loadpoints/1/connected true
evcc/loadpoints/1/connectedDuration 10020
evcc/loadpoints/1/disable/threshold 200
evcc/loadpoints/1/disableThreshold 200
evcc/loadpoints/1/enable/threshold 0
evcc/loadpoints/1/enableThreshold 0
evcc/loadpoints/1/enabled true
evcc/loadpoints/1/maxCurrent 16
evcc/loadpoints/1/minCurrent 6
evcc/loadpoints/1/minSoc 20
evcc/loadpoints/1/mode pv
evcc/loadpoints/1/phaseAction inactive
evcc/loadpoints/1/phaseRemaining 0
evcc/loadpoints/1/phases 1
evcc/loadpoints/1/phasesActive 1
evcc/loadpoints/1/phasesConfigured
evcc/loadpoints/1/phasesEnabled 1
evcc/loadpoints/1/planActive false
evcc/loadpoints/1/planProjectedStart 1678155217
evcc/loadpoints/1/pvAction inactive
evcc/loadpoints/1/pvRemaining 0
evcc/loadpoints/1/target/energy 0
evcc/loadpoints/1/target/soc 90
evcc/loadpoints/1/target/time 2023-03-07T06:00:00Z
evcc/loadpoints/1/targetEnergy 0
evcc/loadpoints/1/targetSoc 90
evcc/loadpoints/1/targetTime 1678168800
evcc/loadpoints/1/title Carport
evcc/loadpoints/1/vehicleCapacity 44
evcc/loadpoints/1/vehicleDetectionActive false
evcc/loadpoints/1/vehicleFeatureOffline false
evcc/loadpoints/1/vehicleIcon
evcc/loadpoints/1/vehicleOdometer 12345.6
evcc/loadpoints/1/vehiclePresent true
evcc/loadpoints/1/vehicleRange 181
evcc/loadpoints/1/vehicleSoc 61.6
evcc/loadpoints/1/vehicleTargetSoc 100
evcc/loadpoints/1/vehicleTitle blauer e-Golf
evcc/loadpoints/2/chargeTotalImport 1877.04
evcc/loadpoints/2/enable/threshold -1300
evcc/loadpoints/2/enableThreshold -1300
evcc/loadpoints/2/maxCurrent 16
evcc/loadpoints/2/minCurrent 6
evcc/loadpoints/2/mode off
evcc/loadpoints/2/phases 0
evcc/loadpoints/2/phasesActive 3
evcc/loadpoints/2/phasesConfigured 0
evcc/loadpoints/2/phasesEnabled 3
evcc/loadpoints/2/planProjectedStart
evcc/loadpoints/2/target/soc 75
evcc/loadpoints/2/target/time
evcc/loadpoints/2/targetSoc 75
evcc/loadpoints/2/targetTime
evcc/loadpoints/2/title Garage
evcc/loadpoints/2/vehicleCapacity 80
evcc/loadpoints/2/vehiclePresent true
evcc/loadpoints/2/vehicleTitle weißes Model 3
"""


def dump(text: str = DUMP) -> dict[str, str]:
    return dict((*line.split(" ", 1), "")[:2] for line in text.strip().splitlines())  # type: ignore[misc]  # two of three


SETTINGS = {topic for row in TABLE for topic in (*row.document_keys, *row.state_topics)}
OURS = {
    "gridAge",
    "chargerAge",
    "commandPending",
    "reason",
    "effectivePlanId",
    "effectivePlanSoc",
    "effectivePlanTime",
    "effectivePlanStrategy",
    "plan",
    "planEnergy",
    "planTime",
    "planProjectedEnd",
} | {name for name in SETTINGS if not {f"evcc/site/{name}", f"evcc/loadpoints/1/{name}"} & dump().keys()}
"""What 2023 did not have."""


def entries(document: Document) -> dict[str, str]:
    return {topic: text for key, value in tree.keys(document) for topic, text in tree.value_entries("evcc", key, value)}


@pytest.mark.api("API-25", "API-29", "API-34")
def test_the_dump_of_the_worked_example() -> None:
    found = entries(example_document())
    expected = dump()
    assert {topic: found.get(topic) for topic in expected} == expected


def test_everything_else_is_ours_or_a_reset_value_of_the_second_loadpoint() -> None:
    for topic, text in entries(example_document()).items():
        if topic in dump():
            continue
        name = topic.removeprefix("evcc/site/").removeprefix("evcc/loadpoints/1/").removeprefix("evcc/loadpoints/2/")
        if name in OURS or name.split("/")[0] in OURS:
            continue
        assert topic.startswith("evcc/loadpoints/2/"), topic
        assert topic.replace("/2/", "/1/") in dump(), topic
        assert text in ("0", "false", "inactive", ""), topic


def test_documents_are_those_of_rest() -> None:
    documents = {
        topic: json.loads(text) for topic, text in tree.document_entries("evcc", example_document(), Compat.V0_114)
    }
    assert set(documents) == {"evcc/site", "evcc/loadpoints/1", "evcc/loadpoints/2"}
    assert documents["evcc/site"]["gridPower"] == -412.5
    assert "loadpoints" not in documents["evcc/site"]
    assert documents["evcc/loadpoints/1"]["chargeDuration"] == 9003 * 10**9
    assert documents["evcc/loadpoints/2"]["title"] == "Garage"


def test_auth_has_no_topic() -> None:
    assert not any("auth" in topic for topic in entries(example_document()))


@pytest.mark.api("M-11")
def test_only_what_an_earlier_home_of_ours_left_behind_is_stale() -> None:
    document = Document(
        {"pv": Records(({"power": 1.0},)), "vehicles": Names(("a", "b")), "gridPowers": Phases((1, 2, 3))},
        ({"chargeCurrents": Phases((1, 2, 3))}, {}),
        {"golf": {"plan": None, "repeatingPlans": Records(({"soc": 80},))}},
    )
    stale = {
        "evcc/vehicles/trabant/title",
        "evcc/vehicles/golf/plan/soc",
        "evcc/vehicles/golf/repeatingPlans/2/soc",
        "evcc/loadpoints/3",
        "evcc/loadpoints/3/mode",
        "evcc/loadpoints/12/chargeCurrents/l1",
        "evcc/loadpoints/1/socCharge",
        "evcc/site/prioritySoC",
        "evcc/site/pv/2/power",
        "evcc/site/pv/0/power",
        "evcc/site/battery/1/soc",
        "evcc/site/vehicles/3",
        "evcc/site/gridEnergy",
        "evcc/site/gridCurrents/l1",
        "evcc/loadpoints/1/remoteDisabled",
        "evcc/site/operatorLimit",
        "evcc/site/operatorLimitUntil",
        "evcc/loadpoints/1/vehicleIdentity",
        "evcc/loadpoints/2/chargeCurrents/l1",
    }
    kept = {
        "evcc/vehicles",
        "evcc/vehicles/golf/repeatingPlans",
        "evcc/vehicles/golf/repeatingPlans/1/soc",
        "evcc/vehicles/golf/planSoc/set",
        "evcc/vehicles/golf/custom",
        "evcc/site/operatorLimit/set",
        "evcc/loadpoints/2/mode",
        "evcc/loadpoints/1/custom",
        "evcc/loadpoints/1/chargeCurrents/l1",
        "evcc/site/pv/1/power",
        "evcc/site/pv",
        "evcc/site/vehicles/2",
        "evcc/site/gridPowers/l1",
        "evcc/status",
        "homeassistant/loadpoints/3",
    }
    assert set(tree.stale("evcc", document, sorted(stale | kept))) == stale
