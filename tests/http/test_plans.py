"""Plans over REST: of vehicles wherever they are, weekly ones, strategies, and what they come to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from api_home import SITE, Served, served
from trio_test import in_real_time

from evcc_server.http.home import ApiOptions
from evcc_server.state.encode import Compat
from evcclib.config import LoadpointConfig
from evcclib.model import ChargeMode

SEVEN = "2023-03-07T06:00:00Z"
NO_TIME = "0001-01-01T00:00:00Z"
WEEKDAYS: dict[str, Any] = {
    "weekdays": [1, 2, 3, 4, 5],
    "time": "07:00",
    "tz": "Europe/Berlin",
    "soc": 70,
    "active": True,
}


async def vehicle(api: Served, name: str = "golf") -> dict[str, Any]:
    found = (await api.get(f"/api/vehicles/{name}")).json()["result"]
    assert isinstance(found, dict)
    return found


@pytest.mark.api("plan-vehicle", "today-names")
@in_real_time
async def test_a_vehicle_that_is_away_has_a_plan_too() -> None:
    async with served() as api:
        answer = await api.post(f"/api/vehicles/model3/plan/soc/70/{SEVEN}")
        assert answer.json()["result"] == {"soc": 70, "energy": 0, "time": SEVEN}
        assert (await vehicle(api, "model3"))["plan"] == {"soc": 70, "time": "2023-03-07T07:00:00+01:00"}
        assert (await api.loadpoint(2))["effectivePlanId"] == 0
        assert (await api.post("/api/loadpoints/2/vehicle/model3")).status_code == 200
        garage = await api.loadpoint(2)
        assert (garage["effectivePlanId"], garage["effectivePlanSoc"]) == (1, 70)
        assert garage["effectivePlanTime"] == garage["targetTime"] == "2023-03-07T07:00:00+01:00"
        assert (garage["targetSoc"], (await vehicle(api, "model3"))["limitSoc"]) == (100, None)
        assert (await api.delete("/api/loadpoints/2/vehicle")).status_code == 200
        assert (await vehicle(api, "model3"))["plan"] is not None
        assert (await api.delete("/api/vehicles/model3/plan/soc")).text == '{"result":{}}\n'
        assert (await vehicle(api, "model3"))["plan"] is None


@pytest.mark.api("plan-vehicle")
@in_real_time
async def test_what_is_no_plan_is_refused_and_says_why() -> None:
    async with served() as api:
        await api.refuses(
            "POST", "/api/vehicles/golf/plan/soc/70/2020-03-07T06:00:00Z", 400, "timestamp is in the past"
        )
        await api.refuses("POST", f"/api/vehicles/golf/plan/soc/101/{SEVEN}", 400, "soc out of range: 101")
        await api.refuses("POST", "/api/vehicles/golf/plan/soc/70/tomorrow", 400, "invalid time: tomorrow")
        await api.refuses("POST", f"/api/vehicles/trabant/plan/soc/70/{SEVEN}", 404, "vehicle not found: trabant")
        await api.refuses("GET", "/api/vehicles/trabant", 404, "vehicle not found: trabant")
        assert (await api.post(f"/api/vehicles/golf/plan/soc/70/{SEVEN}")).status_code == 200
        assert (await api.post(f"/api/vehicles/golf/plan/soc/0/{SEVEN}")).json()["result"]["soc"] == 0
        assert (await vehicle(api))["plan"] is None


@pytest.mark.api("plan-repeating")
@in_real_time
async def test_weekly_plans_replace_those_before_and_the_next_is_in_force() -> None:
    async with served() as api:
        weekend = WEEKDAYS | {"weekdays": [0, 6], "time": "10:30", "soc": 90}
        answer = await api.post("/api/vehicles/golf/plan/repeating", json=[weekend, WEEKDAYS])
        assert answer.json()["result"] == [weekend, WEEKDAYS] == (await vehicle(api))["repeatingPlans"]
        carport = await api.loadpoint()
        assert (carport["effectivePlanId"], carport["effectivePlanSoc"]) == (3, 70)
        assert carport["effectivePlanTime"] == carport["targetTime"] == "2023-03-07T07:00:00+01:00"
        plan = (await api.get("/api/loadpoints/1/plan")).json()["result"]
        assert (plan["planId"], plan["planTime"]) == (3, "2023-03-07T07:00:00+01:00")
        assert plan["plan"][-1]["end"] <= plan["planTime"] and plan["plan"][0]["value"] > 0
        left_out = {key: weekend[key] for key in ("weekdays", "time", "soc")}
        answer = await api.post("/api/vehicles/golf/plan/repeating", json=[left_out])
        assert answer.json()["result"] == [weekend]  # the home's zone, and active
        assert (await api.post("/api/vehicles/golf/plan/repeating", json=[])).text == '{"result":[]}\n'
        assert (await api.loadpoint())["targetTime"] == NO_TIME


@pytest.mark.api("plan-repeating")
@pytest.mark.parametrize(
    ("body", "text"),
    [
        ([WEEKDAYS | {"weekdays": [7]}], "plan 1: weekday out of range: 7 (allowed: 0..6, where 0 is Sunday)"),
        ([WEEKDAYS | {"weekdays": "1"}], "plan 1: invalid weekdays: 1 (allowed: a list of 0..6, where 0 is Sunday)"),
        ([{"weekdays": [1], "time": "07:00"}], "plan 1: soc out of range: nothing (allowed: 1..100 %)"),
        ([{"weekdays": [1], "soc": 80}], "plan 1: invalid time: nothing (allowed: HH:MM, 00:00..23:59)"),
        ([WEEKDAYS, WEEKDAYS | {"tz": "Mars"}], "plan 2: unknown time zone: Mars (allowed: an IANA name such as"),
        ([WEEKDAYS | {"time": "24:00"}], "plan 1: invalid time: 24:00 (allowed: HH:MM, 00:00..23:59)"),
        ([WEEKDAYS | {"soc": 0}], "plan 1: soc out of range: 0 (allowed: 1..100 %)"),
        ([WEEKDAYS | {"active": "yes"}], "plan 1: active: invalid value: yes (allowed: true, false)"),
        (["07:00"], "plan 1: invalid value: 07:00 (allowed: a plan)"),
        (
            {"weekdays": [1]},
            'invalid value: {"weekdays":[1]} (allowed: JSON such as [{"weekdays": [1, 5], "time": "07:00",',
        ),
        ([WEEKDAYS] * 21, "too many plans: 21 (allowed: 0..20)"),
    ],
)
@in_real_time
async def test_a_weekly_plan_that_may_not_be_changes_nothing(body: Any, text: str) -> None:
    async with served() as api:
        assert (await api.post("/api/vehicles/golf/plan/repeating", json=[WEEKDAYS])).status_code == 200
        await api.refuses("POST", "/api/vehicles/golf/plan/repeating", 400, text, json=body)
        assert (await vehicle(api))["repeatingPlans"] == [WEEKDAYS]


@pytest.mark.api("plan-repeating", "plan-strategy")
@in_real_time
async def test_a_body_that_is_nothing_of_the_kind_is_refused() -> None:
    async with served() as api:
        for path in ("plan/repeating", "plan/strategy"):
            for body in (b"", b"[", b"\xff", b"3"):
                text = "the body is not UTF-8" if body == b"\xff" else "invalid value: "
                await api.refuses("POST", f"/api/vehicles/golf/{path}", 400, text, content=body)


@pytest.mark.api("plan-strategy")
@in_real_time
async def test_a_strategy_is_the_loadpoints_or_the_vehicles() -> None:
    async with served() as api:
        block = {"continuous": True, "precondition": 0}
        warm = {"continuous": False, "precondition": 1800}
        assert (await api.post("/api/loadpoints/1/plan/strategy", json={"continuous": True})).json()["result"] == block
        assert (await api.post("/api/vehicles/golf/plan/strategy", json={"precondition": 1800})).json()[
            "result"
        ] == warm
        carport = await api.loadpoint()
        assert (carport["planStrategy"], carport["effectivePlanStrategy"]) == (block, block)
        assert (await vehicle(api))["planStrategy"] == warm
        assert (await api.post(f"/api/vehicles/golf/plan/soc/70/{SEVEN}")).status_code == 200
        assert (await api.loadpoint())["effectivePlanStrategy"] == warm
        assert (await api.post("/api/loadpoints/1/plan/strategy", json={})).json()["result"] == block | {
            "continuous": False
        }
        for body, text in (
            ({"precondition": 86401}, "precondition out of range: 86401 s (allowed: 0..86400 s)"),
            ({"precondition": "x"}, "precondition out of range: x"),
            ({"continuous": 1}, "continuous: invalid value: 1 (allowed: true, false)"),
        ):
            await api.refuses("POST", "/api/loadpoints/1/plan/strategy", 400, text, json=body)


@pytest.mark.api("plan-preview")
@in_real_time
async def test_a_plan_in_force_and_one_that_could_be() -> None:
    async with served() as api:
        plan = (await api.get("/api/loadpoints/1/plan")).json()["result"]
        assert (plan["planId"], plan["planTime"], plan["duration"], plan["plan"]) == (0, NO_TIME, 0, None)
        preview = (await api.get(f"/api/loadpoints/1/plan/static/preview/soc/80/{SEVEN}")).json()["result"]
        assert set(preview) == {"planTime", "duration", "plan", "power"}
        assert preview["planTime"] == "2023-03-07T07:00:00+01:00" and preview["duration"] > 1800
        assert (await api.get("/api/loadpoints/1/plan")).json()["result"] == plan
        assert (await api.post(f"/api/vehicles/golf/plan/soc/80/{SEVEN}")).status_code == 200
        api.home.cycle()
        in_force = (await api.get("/api/loadpoints/1/plan")).json()["result"]
        assert in_force == {"planId": 1, **preview}
        carport = await api.loadpoint()
        assert carport["plan"] == in_force["plan"]
        assert carport["planProjectedStart"] == in_force["plan"][0]["start"]
        assert carport["planProjectedEnd"] == in_force["plan"][-1]["end"]


@pytest.mark.api("plan-preview")
@in_real_time
async def test_a_preview_is_for_the_soc_where_one_is_known_and_for_energy_where_none_is() -> None:
    async with served() as api:
        preview = "/api/loadpoints/{}/plan/static/preview/{}"
        await api.refuses("GET", preview.format(1, f"energy/8/{SEVEN}"), 400, "soc is known: 8 (allowed: only where no")
        await api.refuses("GET", preview.format(2, f"soc/80/{SEVEN}"), 400, "soc is not known: 80 (allowed: only for a")
        await api.refuses("GET", preview.format(1, f"soc/0/{SEVEN}"), 400, "soc out of range: 0 (allowed: 1..100 %)")
        await api.refuses("GET", preview.format(1, f"soc/80/{NO_TIME}"), 400, f"invalid time: {NO_TIME}")
        await api.refuses("GET", preview.format(1, "soc/80/soon"), 400, "invalid time: soon")
        await api.refuses("GET", preview.format(9, f"soc/80/{SEVEN}"), 404, "loadpoint not found: 9")
        found = (await api.get(preview.format(2, f"energy/11.04/{SEVEN}"))).json()["result"]
        assert (found["duration"], found["power"]) == (3600, 11040)
        past = (await api.get(preview.format(1, "soc/80/2020-03-07T06:00:00Z"))).json()["result"]
        assert past["plan"] is None


@pytest.mark.api("plan-energy")
@in_real_time
async def test_the_energy_of_a_guest_is_shown_and_taken_away_by_none() -> None:
    async with served() as api:
        assert (await api.post(f"/api/loadpoints/2/plan/energy/12/{SEVEN}")).status_code == 200
        garage = await api.loadpoint(2)
        assert (garage["planEnergy"], garage["planTime"]) == (12, "2023-03-07T07:00:00+01:00")
        assert (garage["effectivePlanId"], garage["effectivePlanSoc"]) == (1, 0)
        answer = await api.post(f"/api/loadpoints/2/plan/energy/0/{SEVEN}")
        assert answer.json()["result"] == {"soc": 100, "energy": 0, "time": NO_TIME}
        garage = await api.loadpoint(2)
        assert (garage["planEnergy"], garage["planTime"], garage["effectivePlanId"]) == (0, NO_TIME, 0)


@pytest.mark.api("plan-vehicle")
@in_real_time
async def test_clients_after_mid_2024_get_null_for_no_time() -> None:
    async with served(options=ApiOptions(compat=Compat.V0_127)) as api:
        assert (await api.get("/api/loadpoints/1/plan")).json()["result"]["planTime"] is None
        carport = await api.loadpoint()
        assert (carport["effectivePlanTime"], carport["planTime"], carport["plan"]) == (None, None, None)


@pytest.mark.api("plan-vehicle")
@in_real_time
async def test_a_plan_whose_time_is_over_is_gone_everywhere() -> None:
    away = replace(SITE, loadpoints=(LoadpointConfig(mode=ChargeMode.PV), LoadpointConfig(mode=ChargeMode.PV)))
    async with served(away) as api:
        assert (await api.post("/api/vehicles/golf/plan/soc/70/2023-03-06T17:30:00Z")).status_code == 200
        api.home.cycle(timedelta(minutes=29))
        assert (await vehicle(api))["plan"] is not None
        api.home.cycle(timedelta(minutes=2))
        assert (await vehicle(api))["plan"] is None
