"""Clients of August 2026, each as a small program that asks what the client asks when it starts, and sends its commands.

What each does is in docs/clients.md; none of their code is here.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
import trio
from api_home import EPOCH, SITE, Served, served
from trio_test import in_real_time
from trio_websocket import open_websocket_url

from evcc_server.http.home import ApiOptions
from evcc_server.state.encode import Compat
from evcc_server.state.hub import Level
from evcclib.commands import BatteryMode
from evcclib.config import BatteryConfig, ChargerConfig, CircuitConfig, SiteConfig
from evcclib.model import TariffKind
from evcclib.tariff import Rate, Rates

pytestmark = [pytest.mark.wire, pytest.mark.api("compat-today")]

HOME = replace(
    SITE,
    batteries=(BatteryConfig(capacity_kwh=13.4, modes=frozenset(BatteryMode)),),
    circuits=(CircuitConfig(name="main", current_max_a=32.0),),
    loadpoints=(
        replace(
            SITE.loadpoints[0], circuit="main", charger=ChargerConfig(can_switch_phases=True, has_energy_total=True)
        ),
        replace(SITE.loadpoints[1], charger=ChargerConfig(has_energy_total=True)),
    ),
)
NUMBER, TEXT, FLAG, NULL = (int, float), str, bool, type(None)


@asynccontextmanager
async def today(site: SiteConfig = HOME) -> AsyncIterator[Served]:
    async with served(site, options=ApiOptions(compat=Compat.TODAY)) as api:
        sun = Rates((Rate(EPOCH, EPOCH + timedelta(hours=3), 2500.0),), unit="W")
        api.home.tariffs[TariffKind.SOLAR] = sun
        api.home.cycle()
        yield api


async def ask(api: Served, path: str) -> Any:
    response = await api.get(path)
    assert response.status_code == 200, (path, response.text)
    return response.json()


async def send(api: Served, path: str, method: str = "POST", **options: Any) -> Any:
    response: httpx.Response = await api.client.request(method, path, **options)
    assert response.status_code == 200, (path, response.text)
    return response.json()


def has(document: Mapping[str, Any], *keys: str, kind: Any) -> None:
    """Every key is there and of that kind; a truth value is no number."""
    for key in keys:
        assert key in document, key
        value = document[key]
        assert isinstance(value, kind), (key, value)
        assert kind is FLAG or not isinstance(value, bool), (key, value)


async def of_loadpoint(api: Served, key: str, number: int = 1) -> Any:
    return (await ask(api, "/api/state"))["loadpoints"][number - 1][key]


async def frames(api: Served, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with trio.fail_after(10):
        async with open_websocket_url(f"ws://127.0.0.1:{api.port}/ws") as socket:
            while len(found) < count:
                found.append(json.loads(await socket.get_message()))
    return found


@pytest.mark.api("auth-status")
@in_real_time
async def test_home_assistant_integration() -> None:
    """ha-evcc 2026.8.9, and hass-evcc-card, which asks through it."""
    async with today() as api:
        state = await ask(api, "/api/state")
        version = tuple(int(part) for part in state["version"].split()[0].split("."))
        assert version >= (0, 200)
        assert isinstance(state["vehicles"], dict)
        for vehicle in state["vehicles"].values():
            has(vehicle, "title", kind=TEXT)
        has(state["grid"], "power", kind=NUMBER)
        has(state["battery"], "power", "soc", kind=NUMBER)
        assert [meter["power"] for meter in state["pv"]] == [4120, 2120]
        has(state, "currency", "smartCostType", "batteryMode", kind=TEXT)
        has(state, "tariffGrid", "tariffFeedIn", "tariffPriceHome", "tariffPriceLoadpoints", kind=NUMBER)
        has(state, "homePower", "pvPower", "greenShareHome", "prioritySoc", "bufferSoc", "residualPower", kind=NUMBER)
        has(state, "batteryDischargeControl", "batteryGridChargeActive", "smartCostAvailable", kind=FLAG)
        has(state["circuits"]["main"], "power", "maxCurrent", kind=NUMBER)
        for loadpoint in state["loadpoints"]:
            has(loadpoint, "title", "mode", "vehicleName", "vehicleTitle", "phaseAction", "pvAction", kind=TEXT)
            has(loadpoint, "chargerPhases1p3p", "chargerSinglePhase", "connected", "charging", "enabled", kind=FLAG)
            has(
                loadpoint,
                *(f"chargerFeature{name}" for name in ("Heating", "IntegratedDevice", "SwitchDevice")),
                kind=FLAG,
            )
            has(loadpoint, "planActive", "smartCostActive", "minSocNotReached", "vehicleDetectionActive", kind=FLAG)
            has(
                loadpoint,
                "chargePower",
                "chargedEnergy",
                "sessionEnergy",
                "chargeDuration",
                "offeredCurrent",
                kind=NUMBER,
            )
            has(loadpoint, "limitSoc", "effectiveLimitSoc", "limitEnergy", "minCurrent", "maxCurrent", kind=NUMBER)
            has(
                loadpoint,
                "phasesConfigured",
                "phasesActive",
                "enableDelay",
                "disableThreshold",
                "priority",
                kind=NUMBER,
            )
            has(loadpoint, "sessionPrice", "sessionPricePerKWh", "sessionSolarPercentage", kind=(*NUMBER, NULL))
            has(loadpoint, "phaseRemaining", "pvRemaining", "connectedDuration", kind=int)
        for kind in ("grid", "feedin", "solar", "planner"):
            for rate in (await ask(api, f"/api/tariff/{kind}"))["rates"]:
                has(rate, "value", kind=NUMBER)
                assert list(rate) == ["start", "end", "value"]
        assert await ask(api, "/api/sessions") == []
        assert await ask(api, "/api/auth/status") is True


@pytest.mark.parametrize(
    ("path", "answer", "key", "value"),
    [
        ("prioritysoc/40", 40, "prioritySoc", 40),
        ("buffersoc/60", 60, "bufferSoc", 60),
        ("bufferstartsoc/90", 90, "bufferStartSoc", 90),
        ("residualpower/-100", -100, "residualPower", -100),
        ("batterydischargecontrol/true", True, "batteryDischargeControl", True),
        ("batterygridchargelimit/0.1", 0.1, "batteryGridChargeLimit", 0.1),
    ],
)
@in_real_time
async def test_home_assistant_sets_the_site(path: str, answer: Any, key: str, value: Any) -> None:
    async with today() as api:
        assert await send(api, f"/api/{path}") == answer
        assert (await ask(api, "/api/state"))[key] == value


@pytest.mark.parametrize(
    ("path", "answer", "key", "value"),
    [
        ("mode/now", "now", "mode", "now"),
        ("limitsoc/80", 80, "limitSoc", 80),
        ("limitenergy/12.5", 12.5, "limitEnergy", 12.5),
        ("phases/1", 1, "phasesConfigured", 1),
        ("mincurrent/7", 7, "effectiveMinCurrent", 7),
        ("maxcurrent/10", 10, "maxCurrent", 10),
        ("enable/threshold/-1500", -1500, "enableThreshold", -1500),
        ("disable/threshold/200", 200, "disableThreshold", 200),
        ("enable/delay/90", 90, "enableDelay", 90),
        ("disable/delay/300", 300, "disableDelay", 300),
        ("priority/3", 3, "effectivePriority", 3),
        ("smartcostlimit/0.25", 0.25, "smartCostLimit", 0.25),
        ("vehicle/model3", {"vehicle": "weißes Model 3"}, "vehicleName", "model3"),
    ],
)
@in_real_time
async def test_home_assistant_sets_a_loadpoint(path: str, answer: Any, key: str, value: Any) -> None:
    async with today() as api:
        assert await send(api, f"/api/loadpoints/1/{path}") == answer
        assert await of_loadpoint(api, key) == value


@in_real_time
async def test_home_assistant_takes_settings_back() -> None:
    async with today() as api:
        for path in ("/api/loadpoints/1/smartcostlimit", "/api/batterygridchargelimit", "/api/smartcostlimit"):
            await send(api, f"{path}/0.2")
            assert await send(api, path, "DELETE") is None
        assert await of_loadpoint(api, "smartCostLimit") is None
        assert await send(api, "/api/loadpoints/1/vehicle", "DELETE") == {}
        assert await of_loadpoint(api, "vehicleName") == ""
        assert await send(api, "/api/loadpoints/1/vehicle", "PATCH") == {}


@pytest.mark.api("battery-mode")
@in_real_time
async def test_home_assistant_and_energy_managers_command_the_battery() -> None:
    async with today() as api:
        assert await send(api, "/api/batterymode/hold") == 2
        assert (await ask(api, "/api/state"))["batteryModeExternal"] == "hold"
        assert await send(api, "/api/batterymode", "DELETE") == 0
        assert (await ask(api, "/api/state"))["batteryModeExternal"] == "unknown"
        refused = await api.post("/api/batterymode/holdcharge")
        assert (refused.status_code, "normal, hold, charge" in refused.json()["error"]) == (400, True)
    async with today(SITE) as api:
        assert (await api.post("/api/batterymode/hold")).json()["error"].startswith("battery control not available")
        assert (await ask(api, "/api/state"))["batteryMode"] == "unknown"


@in_real_time
async def test_home_assistant_sets_a_vehicle() -> None:
    async with today() as api:
        assert await send(api, "/api/vehicles/golf/minsoc/20") == {"soc": 20}
        assert await send(api, "/api/vehicles/golf/limitsoc/80") == {"soc": 80}
        golf = (await ask(api, "/api/state"))["vehicles"]["golf"]
        assert (golf["minSoc"], golf["limitSoc"]) == (20, 80)
        assert (await api.post("/api/vehicles/nobody/minsoc/20")).status_code == 400


@in_real_time
async def test_home_assistant_plans_for_a_vehicle() -> None:
    """Also hass-evcc-card and ha-evcc-scheduler."""
    weekly = {"weekdays": [1, 2], "time": "07:00", "tz": "Europe/Berlin", "soc": 60, "active": True}
    async with today() as api:
        none = await ask(api, "/api/loadpoints/1/plan")
        assert (none["planId"], none["planTime"], none["plan"]) == (0, "0001-01-01T00:00:00Z", None)
        by = "2023-03-07T06:00:00Z"
        assert (await send(api, f"/api/vehicles/golf/plan/soc/80/{by}"))["soc"] == 80
        assert await send(api, "/api/vehicles/golf/plan/repeating", json=[weekly]) == [weekly]
        assert await send(api, "/api/vehicles/golf/plan/strategy", json={"continuous": True}) == {
            "continuous": True,
            "precondition": 0,
        }
        api.home.cycle()
        golf = (await ask(api, "/api/state"))["vehicles"]["golf"]
        assert (golf["plan"]["soc"], golf["repeatingPlans"], golf["planStrategy"]["continuous"]) == (80, [weekly], True)
        assert await of_loadpoint(api, "effectivePlanSoc") == 80
        assert (await ask(api, "/api/loadpoints/1/plan"))["planId"] == 1
        preview = await ask(api, f"/api/loadpoints/1/plan/static/preview/soc/90/{by}")
        has(preview, "duration", "power", kind=NUMBER)
        assert list(preview["plan"][0]) == ["start", "end", "value"]
        assert await send(api, "/api/vehicles/golf/plan/soc", "DELETE") == {}
        assert "plan" not in (await ask(api, "/api/state"))["vehicles"]["golf"]


@in_real_time
async def test_home_assistant_and_openhab_listen() -> None:
    """The first frame is the only one with more than one key; parts of the forecast have frames of their own."""
    async with today() as api:
        first, *others = await frames(api, 5)
        assert {"apiReady", "startupCompleted", "grid", "vehicles", "loadpoints.0.mode"} <= first.keys()
        assert not any(key.startswith("forecast") for key in first)
        assert [list(frame) for frame in others] == [
            [f"forecast.{part}"] for part in ("grid", "feedin", "planner", "solar")
        ]


@in_real_time
async def test_every_cycle_is_heard_though_nothing_has_changed() -> None:
    async with today() as api, open_websocket_url(f"ws://127.0.0.1:{api.port}/ws") as socket:
        with trio.fail_after(10):
            for _ in range(5):
                await socket.get_message()
            api.home.cycle()
            heard = [json.loads(await socket.get_message()) for _ in range(20)]
        assert {len(frame) for frame in heard} == {1}


@in_real_time
async def test_messages_are_log_objects() -> None:
    async with today() as api, open_websocket_url(f"ws://127.0.0.1:{api.port}/ws") as socket:
        with trio.fail_after(10):
            for _ in range(5):
                await socket.get_message()
            api.home.hub.tell(Level.WARN, "a meter is silent")
            assert json.loads(await socket.get_message()) == {"log": {"message": "a meter is silent", "level": "warn"}}


@in_real_time
async def test_iobroker() -> None:
    """ioBroker.evcc 0.2.8 polls, and sends a JSON body with every command."""
    async with today() as api:
        state = await ask(api, "/api/state")
        for loadpoint in state["loadpoints"]:
            has(loadpoint, "maxCurrent", "minCurrent", "disableThreshold", "enableThreshold", kind=NUMBER)
            has(loadpoint, "phasesConfigured", "limitSoc", kind=NUMBER)
            has(loadpoint, "smartCostLimit", kind=(*NUMBER, NULL))
        assert [vehicle["title"] for vehicle in state["vehicles"].values()] == ["blauer e-Golf", "weißes Model 3"]
        for path in (
            "buffersoc/50",
            "prioritysoc/20",
            "smartcostlimit/0.2",
            "loadpoints/1/mode/minpv",
            "loadpoints/2/phases/3",
        ):
            await send(api, f"/api/{path}", json={})
        assert await of_loadpoint(api, "mode") == "minpv"
        assert await of_loadpoint(api, "smartCostLimit", 2) == 0.2
        without_value = await api.post("/api/smartcostlimit", json={})
        assert (without_value.status_code, "error" in without_value.json()) == (405, True)


@in_real_time
async def test_phone_app() -> None:
    """evcc's app 1.5.0: a page with the mark, everything through jq on the bare document, one value each."""
    async with today() as api:
        assert "evcc-app-compatible" in (await api.get("/")).text
        assert await ask(api, f"http://127.0.0.1:{api.port}//api/state?jq=.siteTitle") == "Zuhause"
        for loadpoint in await ask(api, "/api/state?jq=.loadpoints"):
            has(loadpoint, "title", "vehicleTitle", "mode", kind=TEXT)
            has(
                loadpoint,
                "vehicleSoc",
                "effectiveLimitSoc",
                "chargePower",
                "sessionEnergy",
                "chargedEnergy",
                kind=NUMBER,
            )
            has(loadpoint, "charging", "connected", "enabled", "chargerFeatureContinuous", kind=FLAG)
            assert "alwaysCharge" not in loadpoint
        sun = await ask(api, "/api/state?jq={adjusted:.solarAdjusted,solar:.forecast.solar}")
        assert sun["adjusted"] is None
        assert sun["solar"]["today"]["energy"] == 7500
        prices = await ask(api, "/api/state?jq={currency:.currency,slots:.forecast.grid}")
        assert (prices["currency"], len(prices["slots"][0])) == ("EUR", 3)
        assert await ask(api, "/api/state?jq=.forecast.co2") is None
        assert await send(api, "/api/loadpoints/1/mode/off") == "off"


@in_real_time
async def test_dbus_evcc_multi() -> None:
    """v2.3 takes no envelope."""
    async with today() as api:
        loadpoints = (await ask(api, "/api/state")).get("loadpoints", [])
        assert len(loadpoints) == 2
        for loadpoint in loadpoints:
            has(loadpoint, "title", "mode", kind=TEXT)
            has(loadpoint, "connected", "charging", kind=FLAG)
            has(loadpoint, "chargePower", "effectiveMaxCurrent", "chargedEnergy", "chargeTotalImport", kind=NUMBER)
            assert [type(current) for current in loadpoint["chargeCurrents"]] == [int] * 3


@in_real_time
async def test_batcontrol() -> None:
    """19 Aug 2026: prices and the sun in quarters of an hour."""
    async with today() as api:
        prices = (await ask(api, "/api/tariff/grid"))["rates"]
        assert [rate["value"] for rate in prices[:5]] == [0.3, 0.3, 0.3, 0.3, 0.29]
        sun = (await ask(api, "/api/tariff/solar"))["rates"]
        assert (len(sun), {rate["value"] for rate in sun}) == (12, {2500})


@in_real_time
async def test_openhab() -> None:
    async with today() as api:
        state = await ask(api, "/api/state")
        assert state["version"].split()[0].replace(".", "").isdigit()
        if "gridConfigured" in state:
            has(state["grid"], "power", kind=NUMBER)
        has(state["battery"]["devices"][0], "power", "soc", "capacity", kind=NUMBER)
        assert isinstance(state["forecast"], dict)
        assert isinstance(state["statistics"], dict)
        for key in (
            "prioritysoc/10",
            "loadpoints/1/limitsoc/70",
            "loadpoints/1/mincurrent/6",
            "vehicles/golf/limitsoc/70",
        ):
            await send(api, f"/api/{key}")
        assert await of_loadpoint(api, "effectiveLimitSoc") == 70


@in_real_time
async def test_smartload_addon() -> None:
    """evcc-smartload, Feb 2026: tries to log in, whatever comes of it, and knows an absent route by its status."""
    async with today() as api:
        await api.post("/api/auth/login", json={"password": "x"})
        loadpoint = (await ask(api, "/api/state"))["loadpoints"][0]
        has(loadpoint, "vehicleName", "mode", kind=TEXT)
        has(loadpoint, "vehicleSoc", kind=NUMBER)
        assert (await ask(api, "/api/tariff/grid"))["rates"]
        for path in (
            "batterygridchargelimit/0.05",
            "smartcostlimit/0.1",
            "batterymode/charge",
            "batterydischargecontrol/false",
        ):
            await send(api, f"/api/{path}")
        assert (await ask(api, "/api/state"))["batteryModeExternal"] == "charge"


ABSENT = ("history/energy", "gridsessions", "config/site", "loadpoints/1/alwayscharge/on", "settings/nothing")


@pytest.mark.parametrize("path", ABSENT)
@in_real_time
async def test_what_there_is_not_is_a_404_in_json(path: str) -> None:
    async with today() as api:
        response = await api.get(f"/api/{path}")
        assert (response.status_code, list(response.json())) == (404, ["error"])


@in_real_time
async def test_the_description_tells_bare_answers() -> None:
    async with today() as api:
        document = await ask(api, "/api/openapi.json")
        answers = document["paths"]["/api/loadpoints/{id}/mode/{value}"]["post"]["responses"]["200"]
        assert answers["content"]["application/json"]["schema"]["type"] == "string"
