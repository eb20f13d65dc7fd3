"""Sessions: the list, its filters, the CSV byte for byte, corrections and deletion."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from api_home import BERLIN, Served, served
from trio_test import in_real_time

from evcc_server.keeping.session_csv import csv_name, sessions_csv
from evcc_server.keeping.store import StoredSession
from evcclib.events import SessionRecord

pytestmark = pytest.mark.wire

NIGHT = SessionRecord(
    key="night",
    created=datetime(2023, 3, 5, 22, 4, 11, 500_000, tzinfo=BERLIN),
    finished=datetime(2023, 3, 6, 4, 30, 2, 250_000, tzinfo=BERLIN),
    loadpoint="Carport",
    identifier="",
    vehicle="blauer e-Golf",
    odometer_km=12345.64,
    meter_start_kwh=4190.2,
    meter_stop_kwh=4202.25,
    energy_charged_kwh=12.05,
)
EXAMPLE = replace(
    NIGHT,
    key="example",
    created=datetime(2023, 3, 6, 7, 8, 9, tzinfo=BERLIN),
    finished=datetime(2023, 3, 6, 8, 8, 9, tzinfo=BERLIN),
    vehicle="blauer; e-Golf",
    odometer_km=12345.6,
    meter_start_kwh=1234567.891,
    meter_stop_kwh=1244.5,
    energy_charged_kwh=12.0625,
)
GERMAN = """\
Startzeit;Endzeit;Ladepunkt;Kennung;Fahrzeug;Kilometerstand (km);Anfangszählerstand (kWh);Endzählerstand (kWh);Energie (kWh)
2023-03-06 07:08:09;2023-03-06 08:08:09;Carport;;"blauer; e-Golf";12346;1234567,891;1244,5;12,062
"""
ENGLISH = """\
Created,Finished,Charging point,Identifier,Vehicle,Mileage (km),Meter start (kWh),Meter stop (kWh),Energy (kWh)
2023-03-06 07:08:09,2023-03-06 08:08:09,Carport,,blauer; e-Golf,12346,1234567.891,1244.5,12.062
"""


async def save(api: Served, *sessions: SessionRecord) -> None:
    assert api.store is not None
    for session in sessions:
        await api.store.save(sessions=[session])


@pytest.mark.api("API-9", "row-7")
@in_real_time
async def test_sessions_as_json() -> None:
    async with served() as api:
        assert (await api.get("/api/sessions")).text == '{"result":[]}\n'
        running = replace(NIGHT, key="running", created=datetime(2023, 3, 6, 17, tzinfo=UTC), finished=None)
        short = replace(NIGHT, key="short", energy_charged_kwh=0.049)
        await save(api, NIGHT, running, short)
        sessions = (await api.get("/api/sessions")).json()["result"]
        assert sessions[1] == {
            "id": 1,
            "created": "2023-03-05T22:04:11.5+01:00",
            "finished": "2023-03-06T04:30:02.25+01:00",
            "loadpoint": "Carport",
            "identifier": "",
            "vehicle": "blauer e-Golf",
            "odometer": 12345.6,
            "meterStart": 4190.2,
            "meterStop": 4202.25,
            "chargedEnergy": 12.05,
        }
        assert list(sessions[1])[:4] == ["id", "created", "finished", "loadpoint"]
        assert sessions[0]["finished"] == "0001-01-01T00:00:00Z"
        assert len(sessions) == 2


@pytest.mark.api("API-9", "row-7")
@in_real_time
async def test_filters_go_by_local_time() -> None:
    new_year = replace(NIGHT, key="party", created=datetime(2022, 12, 31, 23, 30, tzinfo=UTC))
    async with served() as api:
        await save(api, NIGHT, new_year)

        async def count(query: str) -> int:
            return len((await api.get(f"/api/sessions?{query}")).json()["result"])

        assert await count("year=2023") == 2
        assert await count("year=2022") == 0
        assert await count("year=2023&month=1") == 1
        assert await count("year=2023&month=03") == 1
        assert await count("month=1") == 2
        for query in ("year=202%25", "year=x", "year=0", "year=2023&month=13", "year=2023&month=x", "year=-1"):
            await api.refuses("GET", f"/api/sessions?{query}", 400, "invalid")


@pytest.mark.api("API-9", "row-7", "DEV-12")
@in_real_time
async def test_csv_over_the_wire() -> None:
    async with served() as api:
        await save(api, EXAMPLE)
        german = await api.get("/api/sessions?format=csv&lang=de")
        assert german.content == b"\xef\xbb\xbf" + GERMAN.encode()
        assert german.headers["content-type"] == "text/csv"
        assert german.headers["content-disposition"] == 'attachment; filename="session.csv"'
        english = b"\xef\xbb\xbf" + ENGLISH.encode()
        assert (await api.get("/api/sessions?format=csv&lang=en")).content == english
        assert (await api.get("/api/sessions?format=csv&lang=xx")).content == english
        assert (await api.get("/api/sessions?format=csv")).content == english
        accepted = await api.get("/api/sessions?format=csv", headers={"Accept-Language": "de-AT,en;q=0.5"})
        assert accepted.content == german.content
        month = await api.get("/api/sessions?format=csv&lang=de&year=2023&month=3")
        assert month.headers["content-disposition"] == 'attachment; filename="session-2023.03.csv"'
        assert month.content == german.content
        assert (await api.get("/api/sessions?format=xlsx")).json()["result"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "\uff1d1", "\uff201"])
def test_csv_cells_are_no_formulas(text: str) -> None:
    named = replace(EXAMPLE, loadpoint=text, identifier=text, vehicle=text, energy_charged_kwh=-0.5)
    content = sessions_csv([StoredSession(session_id=1, session=named)], "en", BERLIN).decode("utf-8-sig")
    row = list(csv.reader(io.StringIO(content)))[1]
    assert row[2:5] == [f"'{text}"] * 3
    assert row[8] == "-0.5"


def test_csv_in_other_languages_and_corner_cases() -> None:
    odd = replace(
        EXAMPLE, finished=None, vehicle=' a "b",\nc', odometer_km=None, meter_start_kwh=None, energy_charged_kwh=0.0005
    )
    rows = [StoredSession(session_id=1, session=odd)]
    assert sessions_csv(rows, "fr", BERLIN).decode("utf-8-sig").splitlines(keepends=True)[1:] == [
        '2023-03-06 07:08:09,,Carport,," a ""b"",\n',
        'c",0,0,"1244,5","0,001"\n',
    ]
    split = [StoredSession(session_id=1, session=replace(odd, vehicle="a\rb"))]
    assert ',"a\nb",' in sessions_csv(split, "fr", BERLIN).decode("utf-8-sig")
    assert ",1244.5,0.001\n" in sessions_csv(rows, "de-CH", BERLIN).decode().replace(";", ",")
    assert ",1244.5,0.001\n" in sessions_csv(rows, "foo bar", BERLIN).decode()
    assert [csv_name(*at) for at in ((None, None), (2023, None), (2023, 3))] == [
        "session",
        "session-2023",
        "session-2023.03",
    ]


@pytest.mark.api("row-26")
@in_real_time
async def test_a_session_is_corrected() -> None:
    async with served() as api:
        await save(api, NIGHT)
        for body, key, shown in (
            ({"vehicle": "weißes Model 3"}, "vehicle", "weißes Model 3"),
            ({"vehicle": None}, "vehicle", ""),
            ({"loadpoint": "Garage"}, "loadpoint", "Garage"),
            ({"odometer": 999.5, "vehicle": "x"}, "odometer", 999.5),
            ({"odometer": None}, "odometer", 0),
        ):
            response = await api.client.put("/api/session/1", json=body)
            assert (response.status_code, response.content) == (200, b"")
            assert (await api.get("/api/sessions")).json()["result"][0][key] == shown


@pytest.mark.api("row-26")
@in_real_time
async def test_a_correction_that_makes_no_sense_changes_nothing() -> None:
    async with served() as api:
        await save(api, NIGHT)
        before = (await api.get("/api/sessions")).text
        for content, text in (
            (b'{"charged_kwh": 1}', "invalid column: charged_kwh"),
            (b'{"vehicle": 7}', "invalid vehicle"),
            (b'{"vehicle": "' + b"x" * 300 + b'"}', "invalid vehicle"),
            (b'{"vehicle": "a\\nb"}', "invalid vehicle"),
            (b'{"loadpoint": "\\ud800"}', "invalid loadpoint"),
            (b'{"odometer": "far"}', "invalid odometer"),
            (b'{"odometer": true}', "invalid odometer"),
            (b'{"odometer": -1}', "invalid odometer"),
            (b'{"odometer": NaN}', "invalid odometer"),
            (b'{"odometer": 1e400}', "invalid odometer"),
            (b"{}", "nothing to change"),
            (b"[]", "not a JSON object"),
            (b"{", "not valid JSON"),
            (b"", "not valid JSON"),
            (b"\xff", "not valid JSON"),
            (b"[" * 50_000, "not valid JSON"),
        ):
            await api.refuses("PUT", "/api/session/1", 400, text, content=content)
        await api.refuses("PUT", "/api/session/2", 404, "session not found: 2", json={"vehicle": "x"})
        await api.refuses("PUT", "/api/session/x", 400, "invalid session", json={"vehicle": "x"})
        assert (await api.get("/api/sessions")).text == before


@pytest.mark.api("row-27")
@in_real_time
async def test_a_session_is_deleted_once() -> None:
    async with served() as api:
        await save(api, NIGHT)
        assert (await api.delete("/api/session/1")).text == '{"result":null}\n'
        await api.refuses("DELETE", "/api/session/1", 404, "session not found: 1")
        await api.refuses("DELETE", f"/api/session/{'9' * 16}", 404)
        await api.refuses("DELETE", f"/api/session/{'9' * 30}", 400)
        assert (await api.get("/api/sessions")).json() == {"result": []}
