"""The section ``tariffs``: fees, kinds of lists, roofs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from test_errors import BASE, problems_of

from evcc_server.config.load import parse_config
from evcc_server.config.model import CsvTariff, CustomTariff, Fees, ProviderTariff, Roof, SolarTariff, Tariffs, Zone
from evcc_server.config.sources import HttpSource
from evcc_server.texts.measures import Measure


def read(tariffs: str) -> Tariffs:
    return parse_config(BASE.replace("vehicles:\n", f"tariffs: {{{tariffs}}}\nvehicles:\n"), environment={}).tariffs


HOME = BASE.replace("vehicles:\n", "tariffs: {grid: {type: awattar, $}}\nvehicles:\n")


def test_fees_are_read_as_evcc_writes_them() -> None:
    fees = "charges: 0.1, tax: 0.19, formula: 'math.Max((price + charges) * (1 + tax), 0.0)'"
    text = HOME.replace("$", f"{fees}, chargesZones: [{{months: Nov-Mar, days: Mo-Fr, hours: 17-20, charges: 0.2}}]")
    grid = parse_config(text, environment={}).tariffs.grid
    assert grid == ProviderTariff(
        kind="awattar",
        fees=Fees(
            charges=0.1,
            tax=0.19,
            zones=(Zone(price=0.2, days="Mo-Fr", hours="17-20", months="Nov-Mar"),),
            formula="max((price + charges) * (1 + tax), 0.0)",
        ),
    )


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("formula: 'price * ts'", "tariffs.grid.formula: 'ts' is not known, expected price, charges, tax"),
        ("formula: 'price / 2'", "tariffs.grid.formula: cannot read 'price / 2' at ' / 2'"),
        ("formula: 'max(price'", "tariffs.grid.formula: 'max(price': , or ) is missing at ''"),
        ("chargesZones: [{hours: 17-20}]", "tariffs.grid.chargesZones[0].charges: missing, expected a price per kWh"),
        ("chargesZones: [{months: Jux, charges: 1}]", "tariffs.grid.chargesZones[0].months: invalid month: Jux"),
        ("chargesZones: [{charges: 11}]", "tariffs.grid.chargesZones[0].charges: '11' is not allowed, expected"),
    ],
)
def test_wrong_fees_are_refused_by_their_place(key: str, said: str) -> None:
    (problem,) = problems_of(HOME.replace("$", key))
    assert said in problem


def test_emissions_and_prices_stand_beside_each_other() -> None:
    found = read("planner: {type: awattar}, co2: {type: template, template: grünstromindex, zip: '10117'}")
    assert found.planner == ProviderTariff(kind="awattar")
    assert found.co2 == ProviderTariff(kind="gruenstromindex", region="10117")


def test_a_roof_is_read_as_evcc_writes_it() -> None:
    (first, second) = read(
        "solar: [{type: template, template: open-meteo, lat: 52.5, lon: 13.4, dec: 30, az: -90, kwp: 9.8, ac: 8,"
        " efficiency: 90, alphatemp: -0.003, rossmodel: 0.02, model: icon_seamless, interval: 30m},"
        " {type: forecast-solar, lat: 52.5, lon: 13.4, dec: 30, az: 0, kwp: 5, apikey: abcdef}]"
    ).solar
    roof = Roof(
        latitude_deg=52.5,
        longitude_deg=13.4,
        tilt_deg=30,
        azimuth_deg=-90,
        peak_kw=9.8,
        ac_limit_kw=8,
        efficiency=0.9,
        power_per_kelvin=-0.003,
        kelvin_per_w_m2=0.02,
    )
    assert first == SolarTariff(kind="openmeteo", roof=roof, model="icon_seamless", interval=timedelta(minutes=30))
    assert isinstance(second, SolarTariff)
    assert (second.kind, second.token, second.interval) == ("forecastsolar", "abcdef", timedelta(hours=1))


def test_solcast_is_asked_eight_times_a_day() -> None:
    assert read("solar: {type: solcast, site: a-b, token: abcdef}").solar == (
        SolarTariff(kind="solcast", site="a-b", token="abcdef", interval=timedelta(hours=3)),
    )


def test_prices_are_asked_for_in_the_sites_currency() -> None:
    found = read(
        "currency: SEK, grid: {type: nordpool, region: SE3}, planner: {type: nordpool, region: SE3, currency: eur}"
    )
    assert found.grid == ProviderTariff(kind="nordpool", region="SE3", currency="SEK")
    assert found.planner == ProviderTariff(kind="nordpool", region="SE3", currency="EUR")


def test_own_lists_say_in_what_they_are() -> None:
    found = read(
        "currency: SEK, grid: {type: csv, file: prices.csv, charges: 1},"
        " planner: {type: custom, unit: G/kWh, price: 400}, feedin: {type: custom, unit: SEK / MWh, price: 1},"
        " solar: {type: custom, unit: kW, forecast: {source: http, uri: 'http://h/s'}}"
    )
    assert found.grid == CsvTariff(path="prices.csv", fees=Fees(charges=1))
    assert isinstance(found.planner, CustomTariff) and found.planner.measure == Measure("gCO2eq")
    assert isinstance(found.feed_in, CustomTariff) and found.feed_in.measure == Measure("SEK", 0.001)
    assert found.solar == (CustomTariff(forecast=HttpSource(uri="http://h/s"), measure=Measure("W", 1000)),)


@pytest.mark.parametrize(
    ("tariffs", "said"),
    [
        ("co2: {type: awattar}", "tariffs.co2.type: 'awattar' is not supported, expected one of csv, custom"),
        ("solar: {type: awattar}", "tariffs.solar.type: 'awattar' is not supported, expected one of clearsky, csv"),
        ("grid: {type: clearsky}", "tariffs.grid.type: 'clearsky' is not supported"),
        ("grid: {type: template, template: template}", "tariffs.grid.type: 'template' is not supported"),
        (
            "grid: {type: custom, unit: W, price: 1}",
            "tariffs.grid.unit: 'W' is not known, expected one of EUR/kWh, ct/kWh",
        ),
        ("grid: {type: csv}", "tariffs.grid.file: missing, expected a file"),
        ("grid: {type: nordpool}", "tariffs.grid.region: missing, expected the delivery area, such as SE3"),
        ("grid: {type: awattar, interval: 1m}", "tariffs.grid.interval: '1m' is not allowed, expected at least 300s"),
        (
            "solar: {type: custom}",
            "tariffs.solar.forecast: missing, expected a plugin with a list of start, end, value",
        ),
        ("solar: {type: solcast, token: a}", "tariffs.solar.site: missing, expected the id of the rooftop site"),
        (
            "solar: {type: openmeteo, lat: 91, lon: 0, dec: 0, az: 0, kwp: 1}",
            "tariffs.solar.lat: '91' is not allowed, expected a number from -90 to 90",
        ),
        (
            "solar: {type: openmeteo, lat: 1, lon: 0, dec: 0, kwp: 1}",
            "tariffs.solar.az: missing, expected where they look: 0 is south, -90 east, 90 west",
        ),
        (
            "solar: [{type: clearsky, lat: 1, lon: 0, dec: 0, az: 0, kwp: 1}, {type: csv, file: a}]",
            "tariffs.solar: clearsky is measured by what all roofs give, and goes with no other type",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_its_place(tariffs: str, said: str) -> None:
    (problem,) = problems_of(BASE.replace("vehicles:\n", f"tariffs: {{{tariffs}}}\nvehicles:\n"))
    assert said in problem


def test_a_list_over_mqtt_needs_a_broker() -> None:
    text = "tariffs: {solar: {type: custom, forecast: {source: mqtt, topic: sun}}}\nvehicles:\n"
    (problem,) = problems_of(BASE.replace("vehicles:\n", text))
    assert "tariffs: source mqtt needs an outside broker" in problem
