"""The history over the wire: columns, days of 23 and 25 hours, the CSV, and what is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from api_home import BERLIN, Served, served
from trio_test import in_real_time

from evcc_server.http.history_routes import HEADINGS, SPANS_MAX
from evcc_server.keeping.means import MINUTE, QUARTER, Mean

pytestmark = [pytest.mark.wire, pytest.mark.api("history-route")]

NOON = datetime(2023, 3, 5, 11, tzinfo=UTC)
SPRING, AUTUMN = datetime(2023, 3, 26, tzinfo=BERLIN), datetime(2023, 10, 29, tzinfo=BERLIN)


def minutes(start: datetime, count: int, values: Mapping[str, float]) -> list[Mean]:
    return [Mean(start + n * MINUTE, name, value, 60.0) for n in range(count) for name, value in values.items()]


def quarters(start: datetime, end: datetime, values: Mapping[str, float]) -> list[Mean]:
    """Each in one mean: what minutes of it would become."""
    at, found = start.astimezone(UTC), []
    while at < end:
        found += [Mean(at, name, value, QUARTER.total_seconds()) for name, value in values.items()]
        at += QUARTER
    return found


async def asked(api: Served, query: str, *means: Mean) -> dict[str, Any]:
    await api.store.save(means=means)
    answer = await api.get(f"/api/history?{query}")
    assert answer.status_code == 200, answer.text
    result = answer.json()["result"]
    assert isinstance(result, dict)
    return result


def column(result: Mapping[str, Any], key: str, charger: str | None = None) -> list[float | None]:
    (found,) = (each for each in result["columns"] if (each["key"], each.get("charger")) == (key, charger))
    values = found["values"]
    assert isinstance(values, list)
    return values


@in_real_time
async def test_minutes_and_what_is_made_of_them() -> None:
    means = [
        *minutes(NOON, 1, {"gridImport": 300.0, "gridExport": 100.0, "tariffGrid": 0.31}),
        *minutes(NOON + 2 * MINUTE, 15, {"gridImport": 0.0, "gridExport": 1000.0}),
    ]
    async with served() as api:
        of_minutes = await asked(api, "from=2023-03-05T12:00&to=2023-03-05T12:03&step=1m", *means)
        assert of_minutes["start"] == [f"2023-03-05T12:0{n}:00+01:00" for n in range(3)]
        assert column(of_minutes, "gridImport") == [300, None, 0]
        assert column(of_minutes, "gridExport") == [100, None, 1000]
        assert column(of_minutes, "known") == [60, 0, 60]
        assert column(of_minutes, "tariffGrid") == [0.31, None, None]
        of_quarters = await asked(api, "from=2023-03-05T11:07:00Z&to=2023-03-05T11:16:00Z&step=15m")
        assert of_quarters["start"] == ["2023-03-05T12:00:00+01:00", "2023-03-05T12:15:00+01:00"]
        assert column(of_quarters, "gridExport") == [round((100 + 13 * 1000) / 14, 1), 1000]
        of_hour = await asked(api, "from=2023-03-05T12:59&to=2023-03-05T13:00&step=1h")
        assert column(of_hour, "gridImport") == [round(300 / 16, 1)]
        assert column(of_hour, "known") == [960]


@in_real_time
async def test_a_day_has_energies_and_shares() -> None:
    day = datetime(2023, 3, 5, tzinfo=BERLIN)
    sunny = {"gridImport": 100.0, "gridExport": 500.0, "pv": 2000.0, "home": 600.0, "chargePower carport_box": 1000.0}
    async with served() as api:
        result = await asked(
            api, "from=2023-03-04&to=2023-03-06&step=1d", *quarters(day, day + timedelta(days=1), sunny)
        )
        assert result["start"] == ["2023-03-04T00:00:00+01:00", "2023-03-05T00:00:00+01:00"]
        energies = {"gridImportEnergy": 2.4, "gridExportEnergy": 12, "pvEnergy": 48, "homeEnergy": 14.4}
        assert {key: column(result, key) for key in energies} == {key: [None, each] for key, each in energies.items()}
        assert column(result, "chargeEnergy", "carport_box") == [None, 24]
        assert column(result, "ownConsumption") == [None, 75]
        assert column(result, "autarky") == [None, 93.8]
        titles = {each["charger"]: each["title"] for each in result["columns"] if "charger" in each}
        assert titles == {"carport_box": "Carport", "garage_box": "Garage"}


@in_real_time
async def test_shares_are_not_told_of_energies_that_were_known_at_different_times() -> None:
    day = datetime(2023, 3, 5, tzinfo=BERLIN)
    noon = day + timedelta(hours=12)
    means = [
        *quarters(day, day + timedelta(days=1), {"gridImport": 100.0, "gridExport": 500.0}),
        *quarters(noon, day + timedelta(days=1), {"pv": 2000.0, "home": 600.0}),
    ]
    async with served() as api:
        result = await asked(api, "from=2023-03-05&to=2023-03-06&step=1d", *means)
        assert (column(result, "ownConsumption"), column(result, "autarky")) == ([None], [None])
        assert column(result, "pvEnergy") == [24]


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 23), (AUTUMN, 25)])
@in_real_time
async def test_a_day_is_as_long_as_it_is_at_home(day: datetime, hours: int) -> None:
    means = quarters(day - timedelta(days=1), day + timedelta(days=2), {"gridImport": 1000.0})
    after = f"{day + timedelta(days=2):%Y-%m-%d}"
    async with served() as api:
        result = await asked(api, f"from={day - timedelta(days=1):%Y-%m-%d}&to={after}&step=1d", *means)
        assert column(result, "gridImportEnergy") == [24, hours, 24]
        assert [start[10:19] for start in result["start"]] == ["T00:00:00"] * 3
        by_hours = await asked(api, f"from={day:%Y-%m-%d}&to={day + timedelta(days=1):%Y-%m-%d}&step=1h")
        assert len(by_hours["start"]) == len(set(by_hours["start"])) == hours
        assert column(by_hours, "gridImport") == [1000] * hours


@in_real_time
async def test_a_loadpoint_that_there_is_no_more_keeps_its_past() -> None:
    async with served() as api:
        means = minutes(NOON, 1, {"chargePower old_box": 3680.0, "chargePower garage_box": 11.0})
        result = await asked(api, "from=2023-03-05T12:00&to=2023-03-05T12:01&step=1m", *means)
        whose = [each.get("charger") for each in result["columns"] if each["key"] == "chargePower"]
        assert whose == ["carport_box", "garage_box", "old_box"]
        assert column(result, "chargePower", "old_box") == [3680]


@in_real_time
async def test_without_arguments_it_is_today() -> None:
    async with served() as api:
        result = await asked(api, "", *minutes(datetime(2023, 3, 6, 16, 45, tzinfo=UTC), 5, {"home": 250.0}))
        assert (result["step"], result["start"][0]) == ("15m", "2023-03-06T00:00:00+01:00")
        assert column(result, "home")[-1] == 250
        assert result["start"][-1] == "2023-03-06T17:45:00+01:00"


@in_real_time
async def test_the_csv_of_german_and_english_readers() -> None:
    async with served() as api:
        await api.store.save(means=minutes(NOON, 1, {"home": 250.5, "tariffGrid": 0.3125}))
        query = "from=2023-03-05T12:00&to=2023-03-05T12:02&step=1m&format=csv"
        german, english = [await api.get(f"/api/history?{query}&lang={tag}") for tag in ("de", "en")]
        assert german.headers["content-disposition"] == 'attachment; filename="history-1m.csv"'
        assert german.content.startswith(b"\xef\xbb\xbf")
        assert german.text.lstrip("\ufeff").splitlines() == [
            "Beginn;Bekannt (s);Netzbezug (W);Einspeisung (W);PV (W);Haus (W);Batterie lädt (W);Batterie entlädt (W);"
            "Ladestand Batterie (%);Netzpreis (EUR/kWh);Einspeisevergütung (EUR/kWh);Emissionen (g/kWh);"
            "Carport Laden (W);Carport Ladestand Fahrzeug (%);Garage Laden (W);Garage Ladestand Fahrzeug (%)",
            "2023-03-05 12:00:00;60;;;;250,5;;;;0,3125;;;;;;",
            "2023-03-05 12:01:00;0;;;;;;;;;;;;;;",
        ]
        assert english.text.splitlines()[1] == "2023-03-05 12:00:00,60,,,,250.5,,,,0.3125,,,,,,"
        assert HEADINGS["de"].keys() == HEADINGS["en"].keys()


BAD: Iterable[tuple[str, str]] = (
    ("step=5m", "invalid step: 5m (allowed: 1m, 15m, 1h, 1d)"),
    ("format=xlsx", "invalid format: xlsx (allowed: json, csv)"),
    ("from=yesterday", "invalid from: yesterday (allowed: a date as 2026-03-29, or an RFC 3339 time"),
    ("to=2023-02-29", "invalid to: 2023-02-29 (allowed: a date"),
    ("from=2023-03-05&to=2023-03-05", "invalid to: 2023-03-05T00:00:00+01:00 (allowed: after from"),
    ("from=0001-01-01", "invalid from: 0001-01-01 (allowed: "),
    ("from=2023-01-01&to=2023-03-01&step=1m", f"is too much for one answer (allowed: {SPANS_MAX} times the step"),
)


@pytest.mark.parametrize(("query", "text"), BAD)
@in_real_time
async def test_what_makes_no_sense_is_named_with_what_is_allowed(query: str, text: str) -> None:
    async with served() as api:
        await api.refuses("GET", f"/api/history?{query}", 400, text)
