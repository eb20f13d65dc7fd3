"""Forecasts of the sun, from answers written by hand after what the services publish."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcc_server.config.model import Roof, SolarTariff
from evcc_server.config.read_tariffs import SOLAR_KINDS
from evcc_server.secrets import redact
from evcc_server.tariffs.price_list import Power, PriceListError, summed
from evcc_server.tariffs.solar_providers import (
    SOLAR_PROVIDERS,
    parse_forecast_solar,
    parse_open_meteo,
    parse_solcast,
    solar_provider_of,
)
from evcclib.tariff import Rate

MANUAL = Path(__file__).parents[2] / "docs" / "configuration.md"
SIX = datetime(2026, 6, 13, 6, tzinfo=UTC)
QUARTER, HALF, HOUR = timedelta(minutes=15), timedelta(minutes=30), timedelta(hours=1)
ROOF = Roof(latitude_deg=52.5, longitude_deg=13.25, tilt_deg=30, azimuth_deg=-90, peak_kw=10)

FORECAST_SOLAR = json.dumps(
    {
        "result": {
            "watts": {
                "2026-06-13 07:30:00": 0,
                "2026-06-13 08:00:00": 100,
                "2026-06-13 09:00:00": 500,
                "2026-06-13 12:00:00": 3000,
                "2026-06-13 21:30:00": 0,
                "2026-06-14 05:00:00": 0,
            },
            "watt_hours_day": {"2026-06-13": 12345},
        },
        "message": {"code": 0, "type": "success", "info": {"timezone": "Europe/Berlin"}},
    }
)
OPEN_METEO = json.dumps(
    {
        "utc_offset_seconds": 0,
        "minutely_15_units": {"time": "unixtime", "global_tilted_irradiance": "W/m²", "temperature_2m": "°C"},
        "minutely_15": {
            "time": [1781330400, 1781331300, 1781332200, 1781333100],  # 06:00, 06:15, 06:30, 06:45
            "global_tilted_irradiance": [500.0, -84.0, None, 1000.0],
            "temperature_2m": [20.0, 10.0, 10.0, 0.0],
        },
    }
)
SOLCAST = json.dumps(
    {
        "forecasts": [
            {
                "period_end": "2026-06-13T06:30:00.0000000Z",
                "period": "PT30M",
                "pv_estimate": 2.5,
                "pv_estimate10": 1.5,
                "pv_estimate90": 3.5,
            },
            {
                "period_end": "2026-06-13T07:00:00.0000000Z",
                "period": "PT30M",
                "pv_estimate": 3.0,
                "pv_estimate10": 2.0,
                "pv_estimate90": 4.0,
            },
        ]
    }
)


def test_forecast_solar_is_the_mean_of_two_looks_and_nothing_at_night() -> None:
    """From nine to noon nobody says anything. Berlin is two hours ahead."""
    found = parse_forecast_solar(FORECAST_SOLAR)
    assert found == Power(
        (
            Rate(SIX - HALF, SIX, 50.0),
            Rate(SIX, SIX + HOUR, 300.0),
            Rate(SIX + 13.5 * HOUR, SIX + 21 * HOUR, 0.0),
        )
    )


def test_forecast_solar_in_utc_needs_no_zone() -> None:
    watts = {"2026-06-13T06:00:00+00:00": 200, "2026-06-13T07:00:00+00:00": 400}
    assert parse_forecast_solar(json.dumps({"result": {"watts": watts}})) == Power((Rate(SIX, SIX + HOUR, 300.0),))
    with pytest.raises(PriceListError, match="watts: '2026-06-13 07:30:00' has no time zone"):
        parse_forecast_solar(FORECAST_SOLAR.replace('"timezone"', '"place"'))


def test_open_meteo_is_the_mean_of_the_quarter_before_and_warm_modules_give_less() -> None:
    """500 W/m2 at 20 degrees: the module has 20 + 0.0342 * 500 = 37.1, gives 1 - 0.004 * 12.1 = 0.9516 of 5 kW; 1000 W/m2 at
    0 degrees: 34.2 and 0.9632 of 10 kW. Less than no sun is none, null a gap."""
    found = parse_open_meteo(OPEN_METEO, roof=ROOF)
    assert [(rate.start, rate.end, round(rate.price, 6)) for rate in found.expected] == [
        (SIX - QUARTER, SIX, 4758.0),
        (SIX, SIX + QUARTER, 0.0),
        (SIX + HALF, SIX + 3 * QUARTER, 9632.0),
    ]
    limited = replace(ROOF, ac_limit_kw=8.0, efficiency=0.5)
    assert [round(rate.price) for rate in parse_open_meteo(OPEN_METEO, roof=limited).expected] == [2379, 0, 4816]
    assert parse_open_meteo(OPEN_METEO, roof=replace(ROOF, ac_limit_kw=8.0)).expected[-1].price == 8000


def test_solcast_is_in_kilowatts_and_knows_how_sure_it_is() -> None:
    assert parse_solcast(SOLCAST) == Power(
        (Rate(SIX, SIX + HALF, 2500.0), Rate(SIX + HALF, SIX + HOUR, 3000.0)),
        (Rate(SIX, SIX + HALF, 1500.0), Rate(SIX + HALF, SIX + HOUR, 2000.0)),
        (Rate(SIX, SIX + HALF, 3500.0), Rate(SIX + HALF, SIX + HOUR, 4000.0)),
    )
    without = SOLCAST.replace("pv_estimate10", "a").replace("pv_estimate90", "b")
    assert parse_solcast(without) == Power(parse_solcast(SOLCAST).expected)


def test_several_roofs_give_their_sum_where_all_are_known() -> None:
    first = (Rate(SIX, SIX + HOUR, 100.0), Rate(SIX + HOUR, SIX + 2 * HOUR, 200.0))
    second = (Rate(SIX + HALF, SIX + HOUR + HALF, 10.0),)
    assert summed([first, second]) == (
        Rate(SIX + HALF, SIX + HOUR, 110.0),
        Rate(SIX + HOUR, SIX + HOUR + HALF, 210.0),
    )
    assert summed([first]) == first


ASKED = [
    (
        SolarTariff(kind="forecastsolar", roof=ROOF),
        "https://api.forecast.solar/estimate/52.5/13.25/30/-90/10?time=utc",
    ),
    (
        SolarTariff(kind="forecastsolar", roof=ROOF, token="secretkey", horizon="0,30"),
        "https://api.forecast.solar/secretkey/estimate/52.5/13.25/30/-90/10?time=utc&horizon=0,30",
    ),
    (
        SolarTariff(kind="openmeteo", roof=ROOF, model="icon_seamless"),
        "https://api.open-meteo.com/v1/forecast?latitude=52.5&longitude=13.25"
        "&minutely_15=global_tilted_irradiance,temperature_2m&tilt=30&azimuth=-90"
        "&timeformat=unixtime&timezone=UTC&forecast_days=3&models=icon_seamless",
    ),
    (
        SolarTariff(kind="solcast", site="aa-bb", token="secretkey"),
        "https://api.solcast.com.au/rooftop_sites/aa-bb/forecasts?format=json",
    ),
]


@pytest.mark.parametrize(("tariff", "uri"), ASKED, ids=lambda value: getattr(value, "kind", ""))
def test_where_each_service_is_asked(tariff: SolarTariff, uri: str) -> None:
    request = solar_provider_of(tariff).request
    assert request.uri == uri
    assert "secretkey" not in repr(request)
    assert "secretkey" not in redact(request.uri, {"secretkey"})
    assert request.token == ("secretkey" if tariff.kind == "solcast" else None)


def test_every_service_that_the_file_may_name_is_asked_above_and_stands_in_the_manual() -> None:
    kinds = set(SOLAR_KINDS) - {"custom", "csv", "template"}
    assert {tariff.kind for tariff, _ in ASKED} == set(SOLAR_PROVIDERS) == kinds - {"clearsky"}
    assert kinds <= set(re.findall(r"^\| `(\w+)` \|", MANUAL.read_text(encoding="utf-8"), re.MULTILINE))


def open_meteo_of_the_roof(text: str) -> Power:
    return parse_open_meteo(text, roof=ROOF)


PARSERS: list[tuple[Callable[[str], Power], str]] = [
    (parse_forecast_solar, FORECAST_SOLAR),
    (open_meteo_of_the_roof, OPEN_METEO),
    (parse_solcast, SOLCAST),
]
REFUSED = [
    (FORECAST_SOLAR.replace("Europe/Berlin", "Berlin"), parse_forecast_solar, "timezone: 'Berlin' is not known"),
    (FORECAST_SOLAR.replace(": 3000", ': "much"'), parse_forecast_solar, "'much' is no number"),
    (FORECAST_SOLAR.replace("watts", "watt"), parse_forecast_solar, "no watts"),
    (OPEN_METEO.replace("\\u00b2", "2"), open_meteo_of_the_roof, "global_tilted_irradiance: 'W/m2' is not expected"),
    (OPEN_METEO.replace("20.0, ", ""), open_meteo_of_the_roof, "are not lists of the same length"),
    (SOLCAST.replace("PT30M", "30"), parse_solcast, "period: '30' is not known"),
    (SOLCAST.replace("2.5", '"high"'), parse_solcast, "pv_estimate: 'high' is no number"),
    (SOLCAST.replace("0000000Z", "0"), parse_solcast, "has no time zone"),
]


@pytest.mark.parametrize(("text", "parse", "said"), REFUSED, ids=[row[2][:30] for row in REFUSED])
def test_what_a_service_does_not_write_is_refused(text: str, parse: Callable[[str], Power], said: str) -> None:
    with pytest.raises(PriceListError, match=re.escape(said)):
        parse(text)


@pytest.mark.parametrize("parse", [parse for parse, _ in PARSERS], ids=lambda parse: parse.__name__)
@pytest.mark.parametrize("text", ["", "<html>", "[]", "{}", "null", '{"result": []}', '{"forecasts": []}'])
def test_what_is_no_forecast_is_refused(parse: Callable[[str], Power], text: str) -> None:
    with pytest.raises(PriceListError):
        parse(text)


@given(st.sampled_from(PARSERS), st.integers(0, 500), st.text(max_size=3))
def test_a_damaged_forecast_is_a_forecast_or_refused_never_another_error(
    pair: tuple[Callable[[str], Power], str], place: int, noise: str
) -> None:
    parse, text = pair
    place = min(place, len(text))
    try:
        found = parse(text[:place] + noise + text[place + len(noise) :])
    except PriceListError:
        return
    assert all(rate.start < rate.end for rate in found.expected)
