"""Every line of the REST API over a real socket: what is asked, what comes back, what the state shows after."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest
import trio
from api_home import EPOCH, SITE, VERSION, served
from trio_test import in_real_time

from evcc_server.http.home import ApiOptions
from evcc_server.state.encode import Compat
from evcclib.commands import BatteryMode
from evcclib.config import BatteryConfig
from evcclib.model import Planner, TariffKind
from evcclib.tariff import Rate, Rates

pytestmark = pytest.mark.wire


@pytest.mark.api("API-1", "API-3", "row-1", "S-1", "S-2", "S-6", "S-7")
@in_real_time
async def test_state_is_one_object_with_every_loadpoint() -> None:
    async with served() as api:
        response = await api.get("/api/state")
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json; charset=UTF-8"
        assert response.text.endswith("\n")
        state = response.json()["result"]
        assert state["gridPower"] == -412.5
        assert state["version"] == VERSION
        assert [loadpoint["title"] for loadpoint in state["loadpoints"]] == ["Carport", "Garage"]
        assert {"warn", "error", "releaseNotes"}.isdisjoint(state)
        assert state["loadpoints"][0]["vehicleSoc"] == 61.6
        assert {"code", "text", "until", "params", "limit"} == set(state["loadpoints"][0]["reason"])


@pytest.mark.api("API-2")
@pytest.mark.parametrize("loadpoint", ["0", "3", "7", "01", "-1", "x", "1.0", "²", "9" * 30])
@in_real_time
async def test_loadpoints_count_from_one(loadpoint: str) -> None:
    async with served() as api:
        await api.refuses("POST", f"/api/loadpoints/{loadpoint}/mode/pv", 404, f"loadpoint not found: {loadpoint}")


@pytest.mark.api("API-4", "row-2")
@in_real_time
async def test_health_is_ok_until_the_grid_has_been_silent_for_a_minute_and_an_interval() -> None:
    async with served() as api:
        response = await api.get("/api/health")
        assert (response.status_code, response.text) == (200, "OK\n")
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        api.home.grid_is_silent = True
        for _ in range(6):
            api.home.cycle(timedelta(seconds=10))
        assert (await api.get("/api/health")).status_code == 200
        api.home.cycle(timedelta(seconds=11))
        await api.refuses("GET", "/api/health", 500, "the grid meter cannot be read: grid: no answer within 1 s")
        api.home.grid_is_silent = False
        api.home.cycle()
        assert (await api.get("/api/health")).status_code == 200


@pytest.mark.parametrize(
    ("path", "result", "key", "shown"),
    [
        pytest.param("buffersoc/80", 80, "bufferSoc", 80, marks=pytest.mark.api("API-5", "row-3")),
        pytest.param("buffersoc/80.5", 80.5, "bufferSoc", 80.5, marks=pytest.mark.api("API-5", "row-3")),
        pytest.param("bufferstartsoc/95", 95, "bufferStartSoc", 95, marks=pytest.mark.api("today-names")),
        pytest.param("prioritysoc/40.5", 40.5, "prioritySoc", 40.5, marks=pytest.mark.api("API-6", "row-4")),
        pytest.param("residualpower/-100", -100, "residualPower", -100, marks=pytest.mark.api("API-7", "row-5")),
        pytest.param("residualpower/%2B1e2", 100, "residualPower", 100, marks=pytest.mark.api("API-7", "row-5")),
    ],
)
@in_real_time
async def test_site_settings(path: str, result: float, key: str, shown: float) -> None:
    async with served() as api:
        response = await api.post(f"/api/{path}")
        assert response.status_code == 200
        assert response.text == f'{{"result":{result}}}\n'
        assert (await api.state())[key] == shown


@pytest.mark.api("API-5", "API-6", "row-3", "row-4")
@in_real_time
async def test_battery_settings_need_a_battery() -> None:
    async with served(replace(SITE, batteries=())) as api:
        for path in ("buffersoc/80", "prioritysoc/40", "bufferstartsoc/90"):
            await api.refuses("POST", f"/api/{path}", 400, "battery not configured")


COMMANDED = replace(SITE, batteries=(BatteryConfig(capacity_kwh=10, modes=frozenset(BatteryMode)),))


@pytest.mark.api("today-names")
@in_real_time
async def test_a_battery_that_can_be_told_what_to_do() -> None:
    async with served(COMMANDED) as api:
        state = await api.state()
        assert (state["batteryMode"], state["batteryReason"]["code"]) == ("normal", "free")
        assert (state["batteryDischargeControl"], state["batteryGridChargeLimit"]) == (False, None)
        for word, shown in (("true", True), ("0", False), ("T", True)):
            assert (await api.post(f"/api/batterydischargecontrol/{word}")).json() == {"result": shown}
            assert (await api.state())["batteryDischargeControl"] is shown
        assert (await api.post("/api/batterygridchargelimit/-0.05")).text == '{"result":-0.05}\n'
        assert (await api.state())["batteryGridChargeLimit"] == -0.05
        assert (await api.delete("/api/batterygridchargelimit")).text == '{"result":{}}\n'
        assert (await api.state())["batteryGridChargeLimit"] is None
        await api.refuses("POST", "/api/batterydischargecontrol/yes", 400, "true, false")
        assert (await api.state())["batteryDischargeControl"] is True


@pytest.mark.api("today-names")
@in_real_time
async def test_a_battery_that_cannot_be_told_what_to_do_takes_no_settings_of_that() -> None:
    async with served() as api:
        assert "batteryMode" not in await api.state()
        for path in ("batterydischargecontrol/true", "batterygridchargelimit/0.1"):
            await api.refuses("POST", f"/api/{path}", 400, "battery control not available")


@pytest.mark.parametrize(
    ("path", "result", "key", "shown"),
    [
        *(
            pytest.param(f"mode/{word}", f'"{mode}"', "mode", mode, marks=pytest.mark.api("API-12", "row-10"))
            for word, mode in [
                ("off", "off"),
                ("now", "now"),
                ("minpv", "minpv"),
                ("pv", "pv"),
                ("PV", "pv"),
                ("smart", "pv"),
            ]
        ),
        pytest.param("minsoc/20", "20", "minSoc", 20, marks=pytest.mark.api("API-13", "row-11")),
        pytest.param("minsoc/0", "0", "minSoc", 0, marks=pytest.mark.api("API-13", "row-11")),
        pytest.param("minsoc/100.0", "100", "minSoc", 100, marks=pytest.mark.api("API-13", "row-11")),
        pytest.param("target/soc/80", "80", "targetSoc", 80, marks=pytest.mark.api("API-14", "row-12")),
        pytest.param("limitsoc/75", "75", "targetSoc", 75, marks=pytest.mark.api("today-names")),
        pytest.param("target/energy/10.5", "10.5", "targetEnergy", 10.5, marks=pytest.mark.api("API-15", "row-13")),
        pytest.param("limitenergy/9", "9", "targetEnergy", 9, marks=pytest.mark.api("today-names")),
        pytest.param("phases/3", "3", "phases", 3, marks=pytest.mark.api("API-19", "row-17")),
        pytest.param("phases/1", "1", "phasesConfigured", 1, marks=pytest.mark.api("API-19", "row-17")),
        pytest.param("phases/0", "0", "phasesConfigured", 0, marks=pytest.mark.api("API-19", "row-17")),
        pytest.param("mincurrent/6.5", "6.5", "minCurrent", 6.5, marks=pytest.mark.api("API-20", "row-18")),
        pytest.param("maxcurrent/20", "20", "maxCurrent", 20, marks=pytest.mark.api("API-21", "row-19")),
        pytest.param(
            "enable/threshold/-1300", "-1300", "enableThreshold", -1300, marks=pytest.mark.api("API-22", "row-20")
        ),
        pytest.param(
            "disable/threshold/200", "200", "disableThreshold", 200, marks=pytest.mark.api("API-23", "row-21")
        ),
        pytest.param("enable/delay/90", "90", "enableDelay", 90_000_000_000, marks=pytest.mark.api("today-names")),
        pytest.param("disable/delay/0", "0", "disableDelay", 0, marks=pytest.mark.api("today-names")),
        pytest.param("priority/2", "2", "priority", 2, marks=pytest.mark.api("today-names")),
        pytest.param("smartcostlimit/-0.15", "-0.15", "smartCostLimit", -0.15, marks=pytest.mark.api("today-names")),
        pytest.param(
            "smartfeedinprioritylimit/0.12",
            "0.12",
            "smartFeedInPriorityLimit",
            0.12,
            marks=pytest.mark.api("today-names"),
        ),
    ],
)
@in_real_time
async def test_loadpoint_settings(path: str, result: str, key: str, shown: object) -> None:
    async with served() as api:
        response = await api.post(f"/api/loadpoints/1/{path}")
        assert response.status_code == 200, response.text
        assert response.text == f'{{"result":{result}}}\n'
        assert (await api.loadpoint())[key] == shown


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param("buffersoc/140", "soc out of range: 140", marks=pytest.mark.api("API-5")),
        pytest.param("prioritysoc/-5", "soc out of range: -5", marks=pytest.mark.api("API-6")),
        pytest.param("residualpower/100001", "power out of range", marks=pytest.mark.api("API-7")),
        pytest.param("residualpower/5.0.5", "invalid value: 5.0.5"),
        pytest.param("residualpower/nan", "invalid value: nan"),
        pytest.param("residualpower/1e999", "invalid value: 1e999"),
        pytest.param("residualpower/٣", "invalid value: ٣"),
        *(
            pytest.param(f"{path}/{word}", f"invalid value: {word} ")
            for path in ("buffersoc", "loadpoints/1/minsoc", "loadpoints/1/mincurrent", "loadpoints/1/enable/delay")
            for word in ("true", "false")
        ),
        pytest.param("telemetry/foo", "invalid value: foo", marks=pytest.mark.api("API-11", "row-9")),
        pytest.param("loadpoints/1/mode/foo", "invalid value: foo", marks=pytest.mark.api("API-12")),
        pytest.param("loadpoints/1/minsoc/101", "soc out of range", marks=pytest.mark.api("API-13")),
        pytest.param(
            "loadpoints/1/minsoc/20.5", "not a whole number: 20.5 (allowed: 0..100 %)", marks=pytest.mark.api("API-13")
        ),
        pytest.param("loadpoints/1/target/soc/-1", "soc out of range", marks=pytest.mark.api("API-14")),
        pytest.param("loadpoints/1/target/energy/1001", "energy out of range", marks=pytest.mark.api("API-15")),
        pytest.param("loadpoints/1/target/time/soon", "invalid time: soon", marks=pytest.mark.api("API-16")),
        pytest.param("loadpoints/1/target/time/2023-02-30T06:00:00Z", "invalid time", marks=pytest.mark.api("API-16")),
        pytest.param(
            "loadpoints/1/target/time/2020-01-01T00:00:00Z",
            "timestamp is in the past: 2020-01-01 00:00:00+00:00 (allowed: a time in the future)",
            marks=pytest.mark.api("API-16", "row-14"),
        ),
        pytest.param("loadpoints/1/phases/2", "invalid number of phases: 2", marks=pytest.mark.api("API-19")),
        pytest.param(
            "loadpoints/2/phases/0", "invalid number of phases: 0 (allowed: 1 or 3)", marks=pytest.mark.api("API-19")
        ),
        pytest.param("loadpoints/1/mincurrent/abc", "invalid value: abc", marks=pytest.mark.api("API-20")),
        pytest.param("loadpoints/1/mincurrent/99", "current out of range: 99", marks=pytest.mark.api("API-20")),
        pytest.param("loadpoints/1/mincurrent/0", "current out of range: 0", marks=pytest.mark.api("API-20")),
        pytest.param(
            "loadpoints/1/mincurrent/17",
            "min current must be smaller or equal than max current: 17 (allowed: 0.1..16 A)",
            marks=pytest.mark.api("API-20"),
        ),
        pytest.param(
            "loadpoints/1/maxcurrent/5",
            "max current must be greater or equal than min current: 5 (allowed: 6..80 A)",
            marks=pytest.mark.api("API-21"),
        ),
        pytest.param("loadpoints/1/enable/threshold/100001", "threshold out of range", marks=pytest.mark.api("API-22")),
        pytest.param("loadpoints/1/disable/threshold/x", "invalid value: x", marks=pytest.mark.api("API-23")),
        pytest.param("loadpoints/1/vehicle/9", "vehicle not found: 9", marks=pytest.mark.api("row-22")),
        pytest.param("loadpoints/1/vehicle/0", "vehicle not found: 0", marks=pytest.mark.api("row-22")),
        pytest.param("loadpoints/1/remotedemand/never/hems", "invalid value: never", marks=pytest.mark.api("row-25")),
        pytest.param("loadpoints/1/remotedemand/soft/a b", "invalid source: a b", marks=pytest.mark.api("row-25")),
        pytest.param("loadpoints/1/priority/11", "priority out of range"),
        pytest.param("operatorlimit/-1", "operatorLimit out of range: -1 (allowed: 0..1000000 W)"),
        pytest.param("operatorlimit/1000001/60", "operatorLimit out of range: 1000001"),
        pytest.param("operatorlimit/all", "operatorLimit: invalid value: all"),
        pytest.param("operatorlimit/4200/0", "seconds out of range: 0 (allowed: 1..2678400 s)"),
        pytest.param("operatorlimit/4200/2678401", "seconds out of range: 2678401"),
        pytest.param("operatorlimit/4200/1h", "seconds: invalid value: 1h"),
        pytest.param("loadpoints/1/enable/delay/-1", "delay out of range"),
    ],
)
@in_real_time
async def test_a_value_that_is_not_accepted_changes_nothing_and_is_named(path: str, text: str) -> None:
    async with served() as api:
        await api.refuses("POST", f"/api/{path}", 400, text)
        await api.refuses("POST", f"/api/{path}", 400, "(allowed: ")


@pytest.mark.api("R-4")
@in_real_time
async def test_a_value_is_quoted_by_its_beginning_however_long_it_is() -> None:
    """Of every route, in every place of its path."""
    async with served() as api:
        spec = (await api.get("/api/openapi.json")).json()
        asked = 0
        for path, operations in spec["paths"].items():
            for method, operation in operations.items():
                places = [each for each in operation.get("parameters", ()) if each["in"] == "path"]
                for wrong in places:
                    values = {each["name"]: quote(str(each["example"]), safe="") for each in places}
                    values[wrong["name"]] = "9" * 5000
                    response = await api.client.request(method.upper(), path.format_map(values), json={})
                    if response.status_code >= 400:
                        asked += 1
                        assert "9" * 81 not in response.text, (method, path, wrong["name"])
                        assert len(response.text) < 300
        assert asked > 50


@pytest.mark.parametrize(
    ("asked", "utc"),
    [
        ("2023-03-07T06:00:00Z", "2023-03-07T06:00:00Z"),
        ("2023-03-07T06:00:00.000Z", "2023-03-07T06:00:00Z"),
        ("2023-03-07T06:00:00,5Z", "2023-03-07T06:00:00.5Z"),
        ("2023-03-07T07:00:00+01:00", "2023-03-07T06:00:00Z"),
        ("2023-03-07T07:00:00%2B01:00", "2023-03-07T06:00:00Z"),
        ("2023-03-07T05:00:00-01:00", "2023-03-07T06:00:00Z"),
        ("2023-03-07T07:00:00", "2023-03-07T06:00:00Z"),
        ("2023-03-07t07:00", "2023-03-07T06:00:00Z"),
        ("2023-03-07%2007:00", "2023-03-07T06:00:00Z"),
        ("2023-03-07T6:00:00z", "2023-03-07T06:00:00Z"),
    ],
)
@pytest.mark.api("API-16", "row-14")
@in_real_time
async def test_target_time_in_every_form(asked: str, utc: str) -> None:
    async with served() as api:
        response = await api.post(f"/api/loadpoints/1/target/time/{asked}")
        assert response.status_code == 200, response.text
        assert response.text == f'{{"result":{{"soc":100,"energy":0,"time":"{utc}"}}}}\n'
        assert (await api.loadpoint())["targetTime"].startswith("2023-03-07T07:00:00")


@pytest.mark.api("API-17", "row-15")
@in_real_time
async def test_the_zero_time_takes_a_target_time_back() -> None:
    """It is what clients of 2023 read where none is set, and write where none is wanted."""
    async with served() as api:
        for zero in (
            "0001-01-01T00:00:00Z",
            "0001-01-01T00:00:00.000Z",
            "0001-01-01T00:00:00%2B00:00",
            "0001-01-01T00:00:00%2B01:00",
            "0001-01-01T01:00:00%2B01:00",
            "0001-01-01T00:00:00",
            "0001-01-01%2000:00",
        ):
            await api.post("/api/loadpoints/1/target/time/2023-03-07T06:00:00Z")
            response = await api.post(f"/api/loadpoints/1/target/time/{zero}")
            assert response.json() == {"result": {"soc": 100, "energy": 0, "time": "0001-01-01T00:00:00Z"}}
            assert (await api.loadpoint())["targetTime"] == "0001-01-01T00:00:00Z"
        await api.post("/api/loadpoints/1/target/time/2023-03-07T06:00:00Z")
        own = (await api.get("/api/loadpoints/1/target/plan")).json()
        assert (await api.get(f"/api/loadpoints/1/target/plan?targetTime={zero}")).json() == own
        await api.refuses("POST", "/api/loadpoints/1/target/time/0001-01-01T00:00:01Z", 400, "invalid time")


@pytest.mark.api("API-17")
@in_real_time
async def test_target_time_is_taken_back() -> None:
    async with served() as api:
        await api.post("/api/loadpoints/1/target/time/2023-03-07T06:00:00Z")
        response = await api.delete("/api/loadpoints/1/target/time")
        assert response.text == '{"result":{}}\n'
        shown = await api.loadpoint()
        assert shown["targetTime"] == "0001-01-01T00:00:00Z"
        assert shown["planActive"] is False


@pytest.mark.api("API-8", "row-6")
@in_real_time
async def test_tariffs() -> None:
    async with served() as api:
        rates = (await api.get("/api/tariff/grid")).json()["result"]["rates"]
        assert rates[0] == {"start": "2023-03-06T18:00:00+01:00", "end": "2023-03-06T19:00:00+01:00", "price": 0.3}
        assert rates == sorted(rates, key=lambda rate: rate["start"])
        assert (await api.get("/api/tariff/planner")).json()["result"]["rates"] == rates
        assert len((await api.get("/api/tariff/feedin")).json()["result"]["rates"]) == 1
        await api.refuses("GET", "/api/tariff/co2", 404, "tariff not available")
        await api.refuses("GET", "/api/tariff/solar", 404, "tariff not available")
        noon = EPOCH.replace(hour=12)
        for kind, value in ((TariffKind.CO2, 400.0), (TariffKind.SOLAR, 5000.0), (TariffKind.SOLAR_P10, 2500.0)):
            api.home.tariffs[kind] = Rates((Rate(noon, noon + timedelta(minutes=15), value),))
            (found,) = (await api.get(f"/api/tariff/{kind}")).json()["result"]["rates"]
            assert found == {"start": "2023-03-06T13:00:00+01:00", "end": "2023-03-06T13:15:00+01:00", "price": value}
        del api.home.tariffs[TariffKind.FEED_IN]
        await api.refuses("GET", "/api/tariff/feedin", 404, "tariff not available")
        api.home.tariffs[TariffKind.GRID] = Rates((), is_outdated=True)
        await api.refuses("GET", "/api/tariff/grid", 503, "outdated")


@pytest.mark.api("API-10", "API-11", "row-8", "row-9")
@in_real_time
async def test_telemetry_on_both_paths() -> None:
    async with served() as api:
        for path, other in (("telemetry", "settings/telemetry"), ("settings/telemetry", "telemetry")):
            for word, text in (("true", "true"), ("f", "false"), ("1", "true"), ("FALSE", "false")):
                assert (await api.post(f"/api/{path}/{word}")).text == f'{{"result":{text}}}\n'
                assert (await api.get(f"/api/{path}")).text == f'{{"result":{text}}}\n'
                assert (await api.get(f"/api/{other}")).text == f'{{"result":{text}}}\n'


@pytest.mark.api("API-18", "row-16")
@in_real_time
async def test_the_plan_for_a_time_and_for_none() -> None:
    async with served() as api:
        nothing = (await api.get("/api/loadpoints/1/target/plan")).json()["result"]
        assert list(nothing) == ["duration", "plan", "unit", "power"]
        assert nothing["plan"] is None
        await api.post("/api/loadpoints/1/target/soc/80")
        for asked in ("2023-03-07T07:00:00+01:00", "2023-03-07T07:00:00%2B01:00", "2023-03-07T06:00:00.000Z"):
            plan = (await api.get(f"/api/loadpoints/1/target/plan?targetTime={asked}")).json()["result"]
            assert plan["power"] == 11040
            assert plan["unit"] == "EUR"
            assert isinstance(plan["duration"], int)
            assert plan["duration"] > 0
            assert plan["plan"][-1]["end"] <= "2023-03-07T07:00:00+01:00"
            assert set(plan["plan"][0]) == {"start", "end", "price"}
        assert (await api.loadpoint())["targetTime"] == "0001-01-01T00:00:00Z"
        await api.refuses("GET", "/api/loadpoints/1/target/plan?targetTime=later", 400, "invalid time: later")
        await api.post("/api/loadpoints/1/target/time/2023-03-07T06:00:00Z")
        assert (await api.get("/api/loadpoints/1/target/plan")).json()["result"]["plan"]


@pytest.mark.api("API-18", "row-16")
@in_real_time
async def test_a_plan_of_power_has_its_powers_its_cost_and_what_it_lacks_besides() -> None:
    async with served(replace(SITE, planner=Planner.OPTIMAL)) as api:
        nothing = (await api.get("/api/loadpoints/1/target/plan")).json()["result"]
        assert list(nothing) == ["duration", "plan", "unit", "power"]
        await api.post("/api/loadpoints/1/target/soc/80")
        plan = (await api.get("/api/loadpoints/1/target/plan?targetTime=2023-03-07T07:00:00%2B01:00")).json()["result"]
        assert list(plan) == ["duration", "plan", "unit", "power", "pieces", "cost", "shortfall"]
        assert set(plan["plan"][0]) == {"start", "end", "price"} and plan["power"] == 11040
        assert {piece["power"] for piece in plan["pieces"]} == {11040}
        assert plan["pieces"][0]["start"] == plan["plan"][0]["start"]
        assert plan["cost"] > 0 and plan["shortfall"] is None
        soon = (api.home.now().utc + timedelta(minutes=5)).isoformat().replace("+00:00", "Z")
        plan = (await api.get(f"/api/loadpoints/1/target/plan?targetTime={soon}")).json()["result"]
        lacks = plan["shortfall"]
        assert lacks["short"] == pytest.approx(lacks["later"] / 3600 * 11.04, abs=0.01) and lacks["withheld"] == 0


@pytest.mark.api("row-16", "API-18")
@in_real_time
async def test_the_plan_in_a_hole_of_the_prices_has_null_for_a_price() -> None:
    async with served() as api:
        known = api.home.tariffs[TariffKind.GRID].rates
        api.home.tariffs[TariffKind.GRID] = Rates.of(known[-1:])
        api.home.cycle()
        await api.post("/api/loadpoints/1/target/soc/80")
        end = known[-1].start.isoformat().replace("+00:00", "Z")
        plan = (await api.get(f"/api/loadpoints/1/target/plan?targetTime={end}")).json()["result"]["plan"]
        assert plan[-1]["price"] is None


@pytest.mark.api("row-22", "row-23", "row-24")
@in_real_time
async def test_vehicles_are_assigned_removed_and_detected() -> None:
    async with served() as api:
        for word in ("2", "model3", "wei%C3%9Fes%20Model%203"):
            response = await api.post(f"/api/loadpoints/1/vehicle/{word}")
            assert response.text == '{"result":{"vehicle":"weißes Model 3"}}\n'
            assert (await api.loadpoint())["vehicleTitle"] == "weißes Model 3"
            assert (await api.delete("/api/loadpoints/1/vehicle")).text == '{"result":{}}\n'
            assert (await api.loadpoint())["vehiclePresent"] is False
        response = await api.client.patch("/api/loadpoints/1/vehicle")
        assert response.text == '{"result":{}}\n'


@pytest.mark.api("row-25")
@in_real_time
async def test_remote_demand_with_and_without_colon() -> None:
    async with served() as api:
        assert "remoteDisabled" not in await api.loadpoint()
        for word, shown in (("soft", "soft"), ("HARD", "hard"), ("enable", "")):
            for source in ("hems", ":hems"):
                response = await api.post(f"/api/loadpoints/1/remotedemand/{word}/{source}")
                assert response.json() == {"result": {"demand": shown, "source": "hems"}}
                loadpoint = await api.loadpoint()
                assert (loadpoint["remoteDisabled"], loadpoint["remoteDisabledSource"]) == (shown or None, "hems")


@pytest.mark.api("operator-limit", "operator-free")
@in_real_time
async def test_the_operators_limit_is_given_for_a_time_and_withdrawn() -> None:
    async with served() as api:
        for path, seconds in (("4200/900", 900), ("3e3", 7200), ("0/1.5", 1.5)):
            answer = (await api.post(f"/api/operatorlimit/{path}")).json()
            power = float(path.partition("/")[0])
            assert answer == {"result": {"limit": power, "seconds": seconds}}
            state = await api.state()
            assert (state["operatorLimit"], state["operatorLimitSource"]) == (power, "rest")
        for _ in range(2):
            assert (await api.delete("/api/operatorlimit")).text == '{"result":{}}\n'
            assert [key for key in await api.state() if key.startswith("operator")] == []


@pytest.mark.api("row-28", "row-29", "row-30")
@in_real_time
async def test_device_configuration_answers_politely() -> None:
    async with served() as api:
        for kind in ("charger", "meter", "vehicle"):
            assert (await api.get(f"/api/config/templates/{kind}?lang=de")).text == '{"result":[]}\n'
            assert (await api.get(f"/api/config/products/{kind}")).text == '{"result":{}}\n'
            await api.refuses("POST", f"/api/config/test/{kind}", 501)
        await api.refuses("GET", "/api/config/templates/toaster", 400, "invalid class: toaster")
        await api.refuses("GET", "/api/config/products/toaster", 400)
        await api.refuses("GET", "/api/config/templates/meter?name=x", 400, "template not found: x")


@pytest.mark.api("row-31")
@in_real_time
async def test_there_is_no_shutdown() -> None:
    async with served() as api:
        await api.refuses("POST", "/api/shutdown", 404)


@pytest.mark.api("today-names")
@in_real_time
async def test_todays_names_for_vehicles_and_plans() -> None:
    async with served() as api:
        assert (await api.post("/api/vehicles/golf/limitsoc/80")).text == '{"result":80}\n'
        assert (await api.loadpoint())["targetSoc"] == 80
        assert (await api.post("/api/vehicles/golf/minsoc/15")).text == '{"result":15}\n'
        assert (await api.loadpoint())["minSoc"] == 15
        await api.refuses("POST", "/api/vehicles/golf/minsoc/101", 400, "soc out of range")
        await api.refuses("POST", "/api/vehicles/trabant/minsoc/10", 404, "vehicle not found: trabant")
        plan = await api.post("/api/vehicles/golf/plan/soc/70/2023-03-07T06:00:00Z")
        assert plan.json()["result"] == {"soc": 70, "energy": 0, "time": "2023-03-07T06:00:00Z"}
        assert (await api.loadpoint())["targetTime"] == "2023-03-07T07:00:00+01:00"
        assert (await api.delete("/api/vehicles/golf/plan/soc")).status_code == 200
        assert (await api.loadpoint())["targetTime"] == "0001-01-01T00:00:00Z"
        energy = await api.post("/api/loadpoints/2/plan/energy/12/2023-03-07T06:00:00Z")
        assert energy.json()["result"] == {"soc": 100, "energy": 12, "time": "2023-03-07T06:00:00Z"}
        await api.refuses("POST", "/api/loadpoints/2/plan/energy/12/2020-03-07T06:00:00Z", 400, "in the past")
        await api.refuses("POST", "/api/loadpoints/2/plan/energy/1200/2023-03-07T06:00:00Z", 400, "out of range")
        assert (await api.delete("/api/loadpoints/2/plan/energy")).status_code == 200
        for path, key in (
            ("smartcostlimit", "smartCostLimit"),
            ("smartfeedinprioritylimit", "smartFeedInPriorityLimit"),
        ):
            assert (await api.post(f"/api/{path}/0.15")).text == '{"result":0.15}\n'
            assert [(await api.loadpoint(number))[key] for number in (1, 2)] == [0.15, 0.15]
            assert (await api.delete(f"/api/loadpoints/2/{path}")).status_code == 200
            assert [(await api.loadpoint(number))[key] for number in (1, 2)] == [0.15, None]
            assert (await api.delete(f"/api/{path}")).status_code == 200
            assert [(await api.loadpoint(number))[key] for number in (1, 2)] == [None, None]


@pytest.mark.api("R-1", "R-2")
@in_real_time
async def test_a_setting_is_visible_when_its_answer_arrives_and_repeating_it_changes_nothing() -> None:
    async with served() as api:
        for watt in range(20):
            await api.post(f"/api/residualpower/{watt}")
            assert (await api.state())["residualPower"] == watt
        with api.home.hub.subscribe() as watcher:
            watcher.take()
            await api.post("/api/residualpower/19")
            assert watcher.take().values == {}
            await api.post("/api/residualpower/20")
            assert watcher.take().values == {(None, "residualPower"): 20.0}


@pytest.mark.api("S-5")
@in_real_time
async def test_the_newer_generation_of_clients_gets_seconds_and_null() -> None:
    async with served(options=ApiOptions(compat=Compat.V0_127)) as api:
        loadpoint = await api.loadpoint()
        assert loadpoint["targetTime"] is None
        assert loadpoint["enableDelay"] == 60


@pytest.mark.api("API-24")
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@in_real_time
async def test_the_documented_curl_command_works() -> None:
    async with served() as api:
        done = await trio.run_process(
            ["curl", "-s", "-X", "POST", f"http://127.0.0.1:{api.port}/api/loadpoints/1/mode/pv"], capture_stdout=True
        )
        assert done.stdout == b'{"result":"pv"}\n'


def test_the_epoch_is_before_every_target_time_of_these_tests() -> None:
    assert EPOCH.isoformat() == "2023-03-06T17:00:00+00:00"
