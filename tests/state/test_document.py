"""The state document of the worked example, key by key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest
from example_home import CARPORT, FACTS, NOW, VIEW, example_document

from evcc_server.http.state_schema import state_schema
from evcc_server.settings import TABLE
from evcc_server.state import encode
from evcc_server.state.document import PASSING_KEYS, LimitInForce, LimitReason, document
from evcc_server.state.reasons_text import LANGUAGES, battery_text, reason_text, warning_text
from evcc_server.state.values import Counter
from evcclib.commands import BatteryMode
from evcclib.events import Warned, WarningCode
from evcclib.model import RemoteDemand
from evcclib.pipeline.observe_loadpoint import READ_BACKS
from evcclib.reasons import BatteryCode, BatteryReason, Reason, ReasonCode
from evcclib.settings import Scope
from evcclib.units import Instant
from evcclib.view import BatteryView

SITE = json.loads("""
{"auth":{"vehicles":{}},"auxPower":0,"battery":[{"power":-850,"soc":55,"capacity":13.4}],"batteryCapacity":13,
 "batteryConfigured":true,"batteryPower":-850,"batterySoc":55,"bufferSoc":80,"currency":"EUR","greenShare":1,
 "gridConfigured":true,"gridCurrents":[2.31,-1.94,-2.16],"gridEnergy":9120.573,"gridPower":-412.5,
 "gridPowers":[531.3,-446.2,-497.6],"homePower":1297.1,
 "prioritySoc":40,"pv":[{"power":4120},{"power":2120}],"pvConfigured":true,"pvPower":6240,"residualPower":100,
 "savingsAmount":379.8014,"savingsEffectivePrice":0.162054,"savingsGridCharged":412.3,
 "savingsSelfConsumptionCharged":1190.6,"savingsSelfConsumptionPercent":74.2779,
 "savingsSince":"2022-12-27T10:04:43+01:00","savingsTotalCharged":1602.9,"siteTitle":"Zuhause",
 "tariffEffectivePrice":0.08,"tariffFeedIn":0.08,"tariffGrid":0.399,"vehicles":["blauer e-Golf","weißes Model 3"],
 "version":"0.114.1 (evcclib 1.0.0)"}""")
CARPORT_KEYS = json.loads("""
{"chargeCurrent":16,"chargeCurrents":[16.002,0,0],"chargeDuration":9003000000000,"chargePower":3680.4,
 "chargeRemainingDuration":13581000000000,"chargeRemainingEnergy":13884.444,"chargeTotalImport":4211.873,
 "chargedEnergy":9204.3,"chargerFeatureIntegratedDevice":false,"chargerIcon":null,"charging":true,"connected":true,
 "connectedDuration":10020000000000,"disableThreshold":200,"enableThreshold":0,"enabled":true,"maxCurrent":16,
 "minCurrent":6,"minSoc":20,"mode":"pv","phaseAction":"inactive","phaseRemaining":0,"phases":1,"phasesActive":1,
 "phasesConfigured":null,"phasesEnabled":1,"planActive":false,"planProjectedStart":"2023-03-07T03:13:37+01:00",
 "pvAction":"inactive","pvRemaining":0,"targetEnergy":0,"targetSoc":90,
 "targetTime":"2023-03-07T07:00:00+01:00","title":"Carport","vehicleCapacity":44,"vehicleDetectionActive":false,
 "vehicleFeatureOffline":false,"vehicleIcon":"","vehicleOdometer":12345.6,"vehiclePresent":true,"vehicleRange":181,
 "vehicleSoc":61.6,"vehicleTargetSoc":100,"vehicleTitle":"blauer e-Golf"}""")
GARAGE_KEYS = json.loads("""
{"chargeCurrent":0,"chargeCurrents":[0,0,0],"chargeDuration":0,"chargePower":0,"chargeRemainingDuration":0,
 "chargeRemainingEnergy":0,"chargeTotalImport":1877.04,"chargedEnergy":0,"chargerFeatureIntegratedDevice":false,
 "chargerIcon":null,"charging":false,"connected":false,"connectedDuration":0,"disableThreshold":0,
 "enableThreshold":-1300,"enabled":false,"maxCurrent":16,"minCurrent":6,"minSoc":0,"mode":"off",
 "phaseAction":"inactive","phaseRemaining":0,"phases":0,"phasesActive":3,"phasesConfigured":0,"phasesEnabled":3,
 "planActive":false,"planProjectedStart":"0001-01-01T00:00:00Z","pvAction":"inactive","pvRemaining":0,
 "targetEnergy":0,"targetSoc":75,"targetTime":"0001-01-01T00:00:00Z",
 "title":"Garage","vehicleCapacity":80,"vehicleDetectionActive":false,"vehicleFeatureOffline":false,"vehicleIcon":"",
 "vehicleOdometer":0,"vehiclePresent":true,"vehicleRange":0,"vehicleSoc":0,"vehicleTargetSoc":0,
 "vehicleTitle":"weißes Model 3"}""")
SETTINGS = {(row.scope, key) for row in TABLE for key in row.document_keys}
OWN_SITE_KEYS = {"gridAge"} | {key for scope, key in SETTINGS if scope is Scope.SITE} - set(SITE)
TODAYS_PLAN_KEYS = {
    "effectivePlanId",
    "effectivePlanSoc",
    "effectivePlanTime",
    "effectivePlanStrategy",
    "plan",
    "planEnergy",
    "planTime",
    "planProjectedEnd",
}
OWN_LOADPOINT_KEYS = (
    {"reason", "chargerAge", "commandPending"}
    | TODAYS_PLAN_KEYS
    | {key for scope, key in SETTINGS if scope is Scope.LOADPOINT} - set(CARPORT_KEYS)
)
"""What 2023 did not have."""


@pytest.mark.api("S-1", "S-2", "S-3", "S-4", "S-6")
def test_the_example_home_has_exactly_these_keys_and_values() -> None:
    shown = encode.rest_document(example_document())
    loadpoints: Any = shown.pop("loadpoints")
    carport, garage = loadpoints
    assert {key: value for key, value in shown.items() if key not in OWN_SITE_KEYS} == SITE
    assert {key: carport[key] for key in CARPORT_KEYS} == CARPORT_KEYS
    assert {key: garage[key] for key in GARAGE_KEYS} == GARAGE_KEYS
    assert set(carport) - set(CARPORT_KEYS) == OWN_LOADPOINT_KEYS
    assert set(garage) - set(GARAGE_KEYS) == OWN_LOADPOINT_KEYS
    assert list(shown) == sorted(shown)


def test_the_same_settings_are_shown_in_the_words_of_whoever_shows_them() -> None:
    shown = [
        document(VIEW, replace(FACTS, time_zone=zone), NOW).loadpoints[0]["targetTime"]
        for zone in (FACTS.time_zone, UTC, FACTS.time_zone)
    ]
    assert [str(time) for time in shown] == [
        "2023-03-07 07:00:00+01:00",
        "2023-03-07 06:00:00+00:00",
        "2023-03-07 07:00:00+01:00",
    ]


@pytest.mark.api("S-4")
def test_without_a_battery_only_its_flag_is_there() -> None:
    shown = encode.rest_document(document(VIEW._replace(has_battery=False, batteries=()), FACTS, NOW))
    assert [key for key in shown.keys() - OWN_SITE_KEYS if key.startswith("battery")] == ["batteryConfigured"]


@pytest.mark.api("S-4")
def test_before_the_first_reading_what_is_measured_is_null_and_other_values_are_at_reset() -> None:
    carport = CARPORT._replace(charge_power_w=None, vehicle_soc_pct=None, currents_a=None, energy_total_kwh=None)
    view = VIEW._replace(grid_power_w=None, home_power_w=None, grid_powers_w=None, loadpoints=(carport,))
    shown = document(view, FACTS, NOW)
    assert shown.site["gridPower"] is None
    assert shown.site["homePower"] is None
    assert "gridPowers" not in shown.site
    assert shown.loadpoints[0]["chargePower"] is None
    assert shown.loadpoints[0]["vehicleSoc"] == 0
    assert "chargeCurrents" not in shown.loadpoints[0]


@pytest.mark.api("S-5")
def test_what_cannot_be_known_is_null_on_every_channel_and_never_zero() -> None:
    unknown = {
        "pvPower": "pv_power_w",
        "homePower": "home_power_w",
        "greenShare": "green_share",
        "auxPower": "aux_power_w",
        "batteryPower": "battery_power_w",
        "batterySoc": "battery_soc_pct",
        "batteryCapacity": "battery_capacity_kwh",
        "gridPower": "grid_power_w",
    }
    view = VIEW._replace(**dict.fromkeys(unknown.values()))  # type: ignore[arg-type]  # all of them may be None
    site = document(view, FACTS, NOW).site
    for key in unknown:
        assert encode.rest(site[key]) is None
        assert encode.socket(site[key]) is None
        assert dict(encode.mqtt(key, site[key])) == {key: ""}
    carport = document(VIEW._replace(loadpoints=(CARPORT._replace(charge_power_w=None),)), FACTS, NOW).loadpoints[0]
    assert encode.rest(carport["chargePower"]) is None
    assert encode.socket(carport["chargePower"]) is None
    assert dict(encode.mqtt("chargePower", carport["chargePower"])) == {"chargePower": ""}


@pytest.mark.api("S-4")
def test_the_operators_limit_is_shown_while_there_is_one() -> None:
    def shown(limit: LimitInForce | None) -> dict[str, Any]:
        site = document(VIEW, FACTS, NOW, limit).site
        return {key: encode.rest(site[key]) for key in site if key.startswith("operator")}

    assert shown(None) == {}
    given = LimitInForce(4200.0, "rest", LimitReason.GIVEN, NOW.instant + timedelta(minutes=15))
    until = (NOW.utc + timedelta(minutes=15)).astimezone(FACTS.time_zone)
    assert shown(given) == {
        "operatorLimit": 4200,
        "operatorLimitSource": "rest",
        "operatorLimitReason": "given",
        "operatorLimitUntil": encode.time_text(until),
    }
    assert shown(LimitInForce(0.0, "relay", LimitReason.SILENT, None)) == {
        "operatorLimit": 0,
        "operatorLimitSource": "relay",
        "operatorLimitReason": "silent",
        "operatorLimitUntil": "0001-01-01T00:00:00Z",
    }
    properties: Any = state_schema()["properties"]
    assert set(shown(given)) <= set(properties) & PASSING_KEYS


@pytest.mark.api("S-4")
def test_a_remote_demand_is_shown_from_the_first_on_and_null_when_it_is_over() -> None:
    def shown(demand: RemoteDemand, source: str) -> list[object]:
        lp = CARPORT._replace(remote_demand=demand, remote_source=source)
        keys = document(VIEW._replace(loadpoints=(lp,)), FACTS, NOW).loadpoints[0]
        return [keys.get(key, "absent") for key in ("remoteDisabled", "remoteDisabledSource")]

    assert shown(RemoteDemand.ENABLE, "") == ["absent", "absent"]
    assert shown(RemoteDemand.SOFT, "hems") == ["soft", "hems"]
    assert shown(RemoteDemand.HARD, "") == ["hard", ""]
    assert shown(RemoteDemand.ENABLE, "hems") == [None, "hems"]


@pytest.mark.api("S-4")
def test_a_home_without_vehicles_has_no_key_about_them_but_what_its_station_tells() -> None:
    guest = CARPORT._replace(vehicle=None, vehicle_soc_pct=None)
    view = VIEW._replace(vehicles=(), loadpoints=(guest, guest._replace(vehicle_soc_pct=61.6)))
    without, told = document(view, FACTS, NOW).loadpoints
    assert [key for key in without if key.startswith("vehicle")] == ["vehicleDetectionActive"]
    assert told["vehicleSoc"] == 61.6


@pytest.mark.api("S-4")
def test_a_station_without_an_icon_has_null_for_one() -> None:
    shown = document(VIEW._replace(loadpoints=(CARPORT._replace(charger_icon=""),)), FACTS, NOW)
    assert shown.loadpoints[0]["chargerIcon"] is None


def test_what_may_be_missing_is_what_the_schema_does_not_demand() -> None:
    site: Any = state_schema()
    loadpoint = site["properties"]["loadpoints"]["items"]
    optional = [key for each in (site, loadpoint) for key in each["properties"] if key not in each["required"]]
    assert set(optional) == PASSING_KEYS


COUNTERS = ["gridEnergy", "gridReturnEnergy", "pvEnergy", "batteryEnergy", "batteryReturnEnergy"]


def test_energies_are_shown_where_devices_count_them() -> None:
    battery = VIEW.batteries[0]._replace(energy_discharged_kwh=18.25, energy_charged_kwh=21.5)
    view = VIEW._replace(grid_energy_export_kwh=17654.3214, pv_energies_kwh=(12345.6784, 1.0), batteries=(battery,))
    site = document(view, FACTS, NOW).site
    assert [encode.rest(site[key]) for key in COUNTERS] == [9120.573, 17654.3214, 12346.6784, 18.25, 21.5]
    assert encode.rest(site["pv"]) == [{"power": 4120, "energy": 12345.6784}, {"power": 2120, "energy": 1}]
    assert encode.rest(site["battery"]) == [
        {"power": -850, "soc": 55, "capacity": 13.4, "energy": 18.25, "returnEnergy": 21.5}
    ]
    site = document(view._replace(pv_energies_kwh=(12345.6784, None)), FACTS, NOW).site
    assert "pvEnergy" not in site
    assert encode.rest(site["pv"]) == [{"power": 4120, "energy": 12345.6784}, {"power": 2120}]


def test_every_counter_can_be_followed_by_differences() -> None:
    shown = example_document()
    counters = {
        key for keys in (shown.site, *shown.loadpoints) for key, value in keys.items() if type(value) is Counter
    }
    assert counters == {
        *("gridEnergy", "savingsTotalCharged", "savingsGridCharged", "savingsSelfConsumptionCharged"),
        *("chargedEnergy", "chargeTotalImport", "vehicleOdometer"),
    }


def test_a_phase_that_is_not_known_is_null_and_so_is_the_sum() -> None:
    nan = float("nan")
    carport = CARPORT._replace(currents_a=(6.13, nan, nan))
    currents = document(VIEW._replace(loadpoints=(carport,)), FACTS, NOW).loadpoints[0]["chargeCurrents"]
    assert encode.rest(currents) == [6.13, None, None]
    assert encode.socket(currents) == [6.13, None, None]
    assert dict(encode.mqtt("chargeCurrents", currents)) == {
        "chargeCurrents/l1": "6.13",
        "chargeCurrents/l2": "",
        "chargeCurrents/l3": "",
        "chargeCurrents": "",
    }


def test_the_newer_generation_gets_seconds_and_null() -> None:
    shown = encode.rest_document(example_document(), encode.Compat.V0_127)
    loadpoints = shown["loadpoints"]
    assert isinstance(loadpoints, list)
    carport, garage = loadpoints
    assert isinstance(carport, dict)
    assert isinstance(garage, dict)
    assert carport["chargeDuration"] == 9003
    assert garage["targetTime"] is None
    assert shown["savingsEffectivePrice"] == 0.162


def test_the_schema_knows_every_key() -> None:
    schema = state_schema()
    shown = encode.rest_document(example_document())
    properties = schema["properties"]
    assert isinstance(properties, dict)
    assert shown.keys() <= properties.keys()


def test_a_reason_carries_code_sentence_and_end() -> None:
    reason = Reason(ReasonCode.SURPLUS_WAIT_ENABLE, {"surplus_w": 1500.0}, until=NOW.instant + timedelta(seconds=60))
    shown = document(VIEW._replace(loadpoints=(CARPORT._replace(reason=reason),)), FACTS, NOW)
    assert encode.rest(shown.loadpoints[0]["reason"]) == {
        "code": "surplus_wait_enable",
        "text": "There is enough surplus; charging starts if it lasts. Until 18:01:00.",
        "params": {"surplus_w": 1500},
        "until": "2023-03-06T18:01:00+01:00",
        "limit": None,
    }


@pytest.mark.parametrize("code", ReasonCode)
def test_every_reason_has_a_sentence_in_both_languages(code: ReasonCode) -> None:
    english, german = (reason_text(Reason(code, limit="circuit"), language) for language in ("en", "de-AT"))
    assert english != german
    assert "circuit" in english
    assert "circuit" in german


@pytest.mark.parametrize(
    ("ending", "german"), [(" (unbalance)", " (Schieflast)"), (" (mean power)", " (Leistungsmittel)"), ("", "")]
)
def test_which_limit_of_a_circuit_it_is_is_said_in_both_languages(ending: str, german: str) -> None:
    reason = Reason(ReasonCode.LIMITED, limit=f"Haus{ending}")
    assert f"limited by Haus{ending})" in reason_text(reason, "en")
    assert f"begrenzt durch Haus{german})" in reason_text(reason, "de")


@pytest.mark.parametrize("read_back", READ_BACKS)
def test_a_read_back_that_disagrees_is_said_with_the_reason_in_both_languages(read_back: str) -> None:
    reason = Reason(ReasonCode.SURPLUS, {"read_back": read_back})
    assert reason_text(reason, "en") == f"Charging follows the surplus (read-back disagrees: {read_back})."
    assert "Überschuss (Rückmeldung widerspricht: " in reason_text(reason, "de")


@pytest.mark.parametrize("code", WarningCode)
def test_every_warning_has_a_sentence_in_both_languages(code: WarningCode) -> None:
    english, german = (
        warning_text(Warned(code, 0, {"power_w": 5.0}), language, "Carport") for language in ("en", "de")
    )
    assert english != german
    assert english.startswith("Carport: ")
    assert english.endswith("(power_w 5)")


def test_what_a_battery_has_been_told_is_shown_with_its_reason() -> None:
    free = BatteryView(0.0, 50.0, 10.0, None, None, modes=frozenset(BatteryMode))
    rests = BatteryReason(BatteryCode.RESTS, {"wanted": "normal"}, until=Instant(NOW.instant + timedelta(minutes=2)))
    held = free._replace(mode=BatteryMode.HOLD, mode_reason=rests)

    def shown(*batteries: BatteryView) -> Mapping[str, Any]:
        keys: Mapping[str, Any] = encode.rest_document(document(VIEW._replace(batteries=batteries), FACTS, NOW))
        return keys

    assert "batteryMode" not in shown(free._replace(modes=frozenset()))
    assert (shown(free)["batteryMode"], shown(free)["batteryReason"]["code"]) == ("normal", "free")
    assert shown(free._replace(mode=None))["batteryMode"] == "unknown"
    found = shown(free, held)
    assert found["batteryMode"] == "hold"
    assert found["batteryReason"]["params"] == {"wanted": "normal"}
    assert "Until" in found["batteryReason"]["text"]


def test_every_reason_of_a_battery_has_its_sentences() -> None:
    sentences = {battery_text(code, language) for code in BatteryCode for language in LANGUAGES}
    assert len(sentences) == len(BatteryCode) * len(LANGUAGES)


def test_a_plan_that_does_not_hold_is_told_with_what_would_do() -> None:
    reason = Reason(ReasonCode.PLAN_ACTIVE, {"short_kwh": 12.96, "later_min": 71})
    assert reason_text(reason, "en") == (
        "Charging by plan. 13.0 kWh will be missing in time; 1:11 h more would do, or a lower goal."
    )
    limited = Reason(ReasonCode.PLAN_ACTIVE, {"short_kwh": 3.0, "later_min": 17, "withheld_kwh": 5.04})
    assert reason_text(limited, "de") == (
        "Laden nach Plan. 3.0 kWh werden rechtzeitig fehlen; 0:17 h mehr würden reichen, oder ein niedrigeres Ziel."
        " Grenzen halten 5.0 kWh zurück."
    )
