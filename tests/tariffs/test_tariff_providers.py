"""Price lists of providers, from answers written by hand after the providers' published formats."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcc_server.config.model import ProviderTariff
from evcc_server.config.read_tariffs import KINDS
from evcc_server.tariffs.providers import (
    PriceListError,
    parse_awattar,
    parse_electricitymaps,
    parse_energy_charts,
    parse_gruenstromindex,
    parse_list,
    parse_octopus,
    parse_tibber,
    provider_of,
)
from evcclib.tariff import Rate

MANUAL = Path(__file__).parents[2] / "docs" / "configuration.md"
NINE = datetime(2023, 3, 7, 9, tzinfo=UTC)
TEN, ELEVEN = NINE + timedelta(hours=1), NINE + timedelta(hours=2)
NINE_S = 1_678_179_600  # seconds since 1970 at NINE

AWATTAR = """{"object": "list", "data": [
  {"start_timestamp": 1678179600000, "end_timestamp": 1678183200000, "marketprice": 123.45, "unit": "Eur/MWh"},
  {"start_timestamp": 1678183200000, "end_timestamp": 1678186800000, "marketprice": -5.0, "unit": "Eur/MWh"}]}"""
TIBBER = """{"data": {"viewer": {"homes": [
  {"id": "old", "currentSubscription": null},
  {"id": "h1", "currentSubscription": {"priceInfo": {
    "today": [{"total": 0.25, "startsAt": "2023-03-07T10:00:00.000+01:00"}],
    "tomorrow": [{"total": 0.35, "startsAt": "2023-03-07T11:00:00.000+01:00"}]}}}]}}}"""
OCTOPUS = """{"count": 2, "next": null, "results": [
  {"value_exc_vat": 20.0, "value_inc_vat": 21.0, "valid_from": "2023-03-07T10:00:00Z", "valid_to": "2023-03-07T10:30:00Z"},
  {"value_exc_vat": 10.0, "value_inc_vat": 10.5, "valid_from": "2023-03-07T09:30:00Z", "valid_to": "2023-03-07T10:00:00Z"}]}"""
ENERGY_CHARTS = """{"license_info": "CC BY 4.0", "unix_seconds": [1678179600, 1678180500, 1678181400],
  "price": [100.0, 90.0, null], "unit": "EUR / MWh", "deprecated": false}"""
GRUENSTROM = """{"forecast": [
  {"epochtime": 1678179600, "co2_g_standard": 312, "timeframe": {"start": 1678179600000, "end": 1678183200000}},
  {"epochtime": 1678183200, "co2_avg": 280.5, "timeframe": {"start": 1678183200000, "end": 1678186800000}}]}"""
MAPS = """{"zone": "DE", "updatedAt": "2023-03-07T08:50:00.000Z", "forecast": [
  {"carbonIntensity": 380, "datetime": "2023-03-07T09:00:00.000Z"},
  {"carbonIntensity": 410, "datetime": "2023-03-07T10:00:00.000Z"}]}"""


def test_awattar_is_per_megawatt_hour_without_tax() -> None:
    assert parse_awattar(AWATTAR) == (Rate(NINE, TEN, 0.12345), Rate(TEN, ELEVEN, -0.005))


def test_tibber_gives_totals_of_today_and_tomorrow() -> None:
    assert parse_tibber(TIBBER) == (Rate(NINE, TEN, 0.25), Rate(TEN, ELEVEN, 0.35))
    assert parse_tibber(TIBBER, home="h1") == parse_tibber(TIBBER)
    with pytest.raises(PriceListError, match="no home with a subscription and the id h2"):
        parse_tibber(TIBBER, home="h2")
    with pytest.raises(PriceListError, match="invalid token"):
        parse_tibber('{"errors": [{"message": "invalid token"}], "data": null}')


def test_octopus_is_in_pence_including_tax() -> None:
    half_past_nine, half_past_ten = NINE + timedelta(minutes=30), TEN + timedelta(minutes=30)
    assert set(parse_octopus(OCTOPUS)) == {Rate(TEN, half_past_ten, 0.21), Rate(half_past_nine, TEN, 0.105)}
    (forever,) = parse_octopus(OCTOPUS.split(",\n  {")[0].replace('"2023-03-07T10:30:00Z"', "null") + "]}")
    assert forever.end - forever.start == timedelta(days=7)


def test_energy_charts_slots_last_until_the_next_begins() -> None:
    quarter = timedelta(minutes=15)
    assert parse_energy_charts(ENERGY_CHARTS) == (
        Rate(NINE, NINE + quarter, 0.1),
        Rate(NINE + quarter, NINE + 2 * quarter, 0.09),
    )


def test_emissions_are_in_grams() -> None:
    assert parse_gruenstromindex(GRUENSTROM) == (Rate(NINE, TEN, 312), Rate(TEN, ELEVEN, 280.5))
    assert parse_electricitymaps(MAPS) == (Rate(NINE, TEN, 380), Rate(TEN, ELEVEN, 410))


def test_custom_lists() -> None:
    listed = [{"start": "2023-03-07T09:00:00Z", "end": "2023-03-07T10:00:00Z", "price": 0.3}]
    assert parse_list(json.dumps(listed)) == (Rate(NINE, TEN, 0.3),)
    assert parse_list({"rates": [{"start": NINE_S, "value": 0.2}]}) == (Rate(NINE, TEN, 0.2),)
    assert parse_list({"result": {"rates": [{"start": NINE_S * 1000, "value": 0.2}]}}) == (Rate(NINE, TEN, 0.2),)


PARSERS: list[Callable[[str], tuple[Rate, ...]]] = [
    parse_awattar,
    parse_tibber,
    parse_octopus,
    parse_energy_charts,
    parse_gruenstromindex,
    parse_electricitymaps,
    parse_list,
]
ANSWERS = [AWATTAR, TIBBER, OCTOPUS, ENERGY_CHARTS, GRUENSTROM, MAPS]


@pytest.mark.parametrize("parse", PARSERS, ids=lambda parse: parse.__name__)
@pytest.mark.parametrize("text", ["", "<html>", "[]", "{}", "null", "7", '{"data": 1, "results": 2}', "[" * 2000])
def test_what_is_no_price_list_is_refused(parse: Callable[[str], tuple[Rate, ...]], text: str) -> None:
    with pytest.raises(PriceListError):
        parse(text)


@given(st.sampled_from(list(zip(PARSERS, [*ANSWERS, "[]"], strict=True))), st.integers(0, 400), st.text(max_size=3))
def test_a_damaged_answer_is_a_list_or_refused_never_another_error(
    pair: tuple[Callable[[str], tuple[Rate, ...]], str], place: int, noise: str
) -> None:
    parse, text = pair
    place = min(place, len(text))
    try:
        rates = parse(text[:place] + noise + text[place + len(noise) :])
    except PriceListError:
        return
    assert all(rate.start < rate.end for rate in rates)


PROVIDERS = [
    (ProviderTariff(kind="awattar"), "https://api.awattar.de/v1/marketdata", "EUR"),
    (ProviderTariff(kind="awattar", region="AT"), "https://api.awattar.at/v1/marketdata", "EUR"),
    (ProviderTariff(kind="tibber", token="t"), "https://api.tibber.com/v1-beta/gql", None),
    (
        ProviderTariff(kind="octopusenergy", product="AGILE-23", region="c"),
        "https://api.octopus.energy/v1/products/AGILE-23/electricity-tariffs/E-1R-AGILE-23-C/standard-unit-rates/",
        "GBP",
    ),
    (ProviderTariff(kind="energycharts"), "https://api.energy-charts.info/price?bzn=DE-LU", "EUR"),
    (
        ProviderTariff(kind="gruenstromindex", region="12345"),
        "https://api.corrently.io/v2.0/gsi/prediction?zip=12345",
        "gCO2eq",
    ),
    (
        ProviderTariff(kind="electricitymaps", token="t", region="DE"),
        "https://api.electricitymap.org/v3/carbon-intensity/forecast?zone=DE",
        "gCO2eq",
    ),
]


@pytest.mark.parametrize(("tariff", "uri", "unit"), PROVIDERS, ids=lambda value: getattr(value, "kind", ""))
def test_where_each_provider_is_asked(tariff: ProviderTariff, uri: str, unit: str | None) -> None:
    provider = provider_of(tariff)
    assert (provider.request.uri, provider.unit) == (uri, unit)
    assert "secret" not in repr(provider_of(ProviderTariff(kind=tariff.kind, token="secret", region="DE")))


def test_every_provider_that_the_file_may_name_is_asked_above_and_stands_in_the_manual() -> None:
    kinds = set(KINDS) - {"fixed", "custom", "template"}
    assert {tariff.kind for tariff, _, _ in PROVIDERS} == kinds
    assert kinds <= set(re.findall(r"^\| `(\w+)` \|", MANUAL.read_text(encoding="utf-8"), re.MULTILINE))
