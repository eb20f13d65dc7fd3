"""`GET /api/loadpoints/<id>/reasons` over a real socket: what it tells, in which language, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import jsonschema
import pytest
from api_home import SITE, Served, served
from trio_test import in_real_time

from evcc_server.http.home import ApiOptions
from evcclib.config import LoadpointConfig
from evcclib.model import ChargeMode

pytestmark = [pytest.mark.wire, pytest.mark.api("lp-reasons")]
CARPORT = LoadpointConfig(title="Carport", mode=ChargeMode.PV, enable_threshold_w=-2000.0)
HOME = replace(SITE, loadpoints=(CARPORT, SITE.loadpoints[1]))
PATH = "/api/loadpoints/1/reasons"


async def reasons(api: Served, query: str = "", **options: Any) -> dict[str, Any]:
    response = await api.get(PATH + query, **options)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json; charset=UTF-8"
    result = response.json()["result"]
    assert isinstance(result, dict)
    return result


async def sets(api: Served, *settings: str) -> None:
    """One after the other, each for ten seconds."""
    for setting in settings:
        assert (await api.post(f"/api/loadpoints/1/{setting}")).status_code == 200
        api.home.cycle()


ENOUGH, TOO_LITTLE = "enable/threshold/-1000", "enable/threshold/-2000"
"""What of the sun the home asks for before it charges, which has 1262 W to spare."""


@in_real_time
async def test_what_has_been_and_what_comes_next() -> None:
    async with served(HOME) as api:
        assert (await reasons(api))["next"] == {
            "waitsFor": "more_surplus",
            "until": None,
            "text": "Waiting for more surplus.",
        }
        for setting in ("mode/off", "mode/pv", ENOUGH):
            api.home.cycle(timedelta(minutes=5))
            await sets(api, setting)
        api.home.cycle(timedelta(seconds=5))
        answer = await reasons(api)
        assert answer["next"] == {
            "waitsFor": "start",
            "until": "2023-03-06T17:16:30Z",
            "text": "Charging starts if the surplus lasts. Until 18:16:30.",
        }
        present, missing, off, first = answer["reasons"]
        assert present == {
            "since": "2023-03-06T17:15:30Z",
            "ended": None,
            "code": "surplus_wait_enable",
            "text": "There is enough surplus; charging starts if it lasts. Until 18:16:30.",
            "params": {},
            "limit": None,
            "until": "2023-03-06T17:16:30Z",
            "inTurnWith": None,
            "count": 1,
            "chargeCurrent": 0,
            "phasesActive": 3,
            "chargePower": 0,
        }
        assert [each["code"] for each in (missing, off, first)] == ["surplus_missing", "mode_off", "surplus_missing"]
        assert (off["since"], off["ended"]) == ("2023-03-06T17:05:10Z", "2023-03-06T17:10:20Z")
        assert (missing["since"], missing["ended"]) == (off["ended"], present["since"])


@in_real_time
async def test_two_that_take_turns_are_one() -> None:
    async with served(HOME) as api:
        await sets(api, *([ENOUGH, TOO_LITTLE] * 4))
        present, swing = (await reasons(api))["reasons"]
        assert (swing["count"], swing["code"], swing["inTurnWith"]["code"]) == (
            8,
            "surplus_missing",
            "surplus_wait_enable",
        )
        assert swing["inTurnWith"]["text"] == "There is enough surplus; charging starts if it lasts."
        assert swing["text"] == (
            "There is not enough surplus. In turn with: There is enough surplus; charging starts if it lasts. (8 times in all)"
        )
        assert (swing["until"], swing["ended"]) == (None, present["since"])


@pytest.mark.parametrize(
    ("query", "headers", "text"),
    [
        ("", {}, "Das Laden beginnt, wenn der Überschuss anhält."),
        ("", {"Accept-Language": "en-GB, de;q=0.5"}, "Charging starts if the surplus lasts."),
        ("?lang=de", {"Accept-Language": "en"}, "Das Laden beginnt, wenn der Überschuss anhält."),
        ("?lang=fi", {"Accept-Language": "de"}, "Charging starts if the surplus lasts."),
    ],
)
@in_real_time
async def test_the_language_is_the_clients_or_else_the_homes(query: str, headers: dict[str, str], text: str) -> None:
    async with served(HOME, options=ApiOptions(language="de")) as api:
        await sets(api, ENOUGH)
        assert (await reasons(api, query, headers=headers))["next"]["text"].startswith(text)


@pytest.mark.parametrize("loadpoint", ["0", "3", "01", "x"])
@in_real_time
async def test_a_loadpoint_that_is_not_there(loadpoint: str) -> None:
    async with served(HOME) as api:
        await api.refuses("GET", f"/api/loadpoints/{loadpoint}/reasons", 404, f"loadpoint not found: {loadpoint}")
        await api.refuses("POST", PATH, 405)


@in_real_time
async def test_it_is_as_the_document_says_and_the_state_has_none_of_it() -> None:
    async with served(HOME) as api:
        before = await api.loadpoint()
        await sets(api, *([ENOUGH, TOO_LITTLE] * 4))
        assert (await api.loadpoint()).keys() == before.keys()
        document = (await api.get("/api/openapi.json")).json()
        described = document["paths"]["/api/loadpoints/{id}/reasons"]["get"]["responses"]["200"]["content"]
        for value in ((await api.get(PATH)).json(), described["application/json"]["example"]):
            jsonschema.validate(value, described["application/json"]["schema"])
