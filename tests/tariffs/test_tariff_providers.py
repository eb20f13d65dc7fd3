"""Price lists of providers, from answers written by hand after the providers' published formats."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcc_server.config.bidding_zones import CODES, is_code, zone_code
from evcc_server.config.model import ProviderTariff
from evcc_server.config.read_tariffs import KINDS
from evcc_server.json_path import JsonValue
from evcc_server.secrets import redact
from evcc_server.tariffs.entsoe import parse_entsoe
from evcc_server.tariffs.price_list import PriceListError
from evcc_server.tariffs.providers import (
    _PROVIDERS,
    parse_awattar,
    parse_electricitymaps,
    parse_energy_charts,
    parse_energy_charts_co2,
    parse_gruenstromindex,
    parse_list,
    parse_nord_pool,
    parse_octopus,
    parse_power_list,
    parse_tibber,
    provider_of,
)
from evcclib.tariff import Rate, Rates, price_at

MANUAL = Path(__file__).parents[2] / "docs" / "configuration.md"
NINE = datetime(2023, 3, 7, 9, tzinfo=UTC)
TEN, ELEVEN = NINE + timedelta(hours=1), NINE + timedelta(hours=2)
QUARTER = timedelta(minutes=15)
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
NORD_POOL = """{"deliveryDateCET": "2023-03-07", "version": 2, "market": "DayAhead", "currency": "EUR", "multiAreaEntries": [
  {"deliveryStart": "2023-03-07T09:00:00Z", "deliveryEnd": "2023-03-07T09:15:00Z", "entryPerArea": {"SE3": 45.5, "FI": -1.0}},
  {"deliveryStart": "2023-03-07T09:15:00Z", "deliveryEnd": "2023-03-07T09:30:00Z", "entryPerArea": {"SE3": null, "FI": 2.0}}]}"""
ENERGY_CHARTS_CO2 = """{"unix_seconds": [1678179600, 1678180500, 1678181400, 1678182300], "deprecated": false,
  "co2eq": [491.5, null, null, null], "co2eq_forecast": [480.0, 505.0, null, 508.0]}"""
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
    with_currency = TIBBER.replace('"total": 0.35', '"currency": "SEK", "total": 0.35')
    assert parse_tibber(with_currency, currency="SEK") == parse_tibber(TIBBER)
    with pytest.raises(PriceListError, match="currency: 'SEK' is not expected, only EUR"):
        parse_tibber(with_currency)
    with pytest.raises(PriceListError, match="invalid token"):
        parse_tibber('{"errors": [{"message": "invalid token"}], "data": null}')


def test_tibber_gives_quarters_of_hours() -> None:
    starts = [f"2026-03-07T{hour}:{minute}:00.000+01:00" for hour in (10, 11) for minute in ("00", "15", "30", "45")]
    today = [{"total": i / 10, "startsAt": start} for i, start in enumerate(starts)]
    homes = [{"id": "h1", "currentSubscription": {"priceInfo": {"today": today, "tomorrow": []}}}]
    rates = parse_tibber(json.dumps({"data": {"viewer": {"homes": homes}}}))
    assert [rate.price for rate in rates] == [i / 10 for i in range(8)]
    assert {rate.end - rate.start for rate in rates} == {QUARTER}
    body = provider_of(ProviderTariff(kind="tibber", token="t"), NINE).request.body
    assert body is not None and "priceInfo(resolution: QUARTER_HOURLY)" in body


def test_octopus_is_in_pence_including_tax() -> None:
    half_past_nine, half_past_ten = NINE + timedelta(minutes=30), TEN + timedelta(minutes=30)
    assert parse_octopus(OCTOPUS, now=NINE) == (Rate(half_past_nine, TEN, 0.105), Rate(TEN, half_past_ten, 0.21))


def octopus(*results: tuple[float, str | None, str | None]) -> str:
    """An answer with prices of 2022 on, by until when and by how one pays."""
    listed = [
        {"value_inc_vat": pence, "valid_from": "2022-04-01T00:00:00Z", "valid_to": until, "payment_method": method}
        for pence, until, method in results
    ]
    return json.dumps({"count": len(listed), "next": None, "results": listed})


@pytest.mark.parametrize("now", [NINE, datetime(2026, 11, 30, tzinfo=ZoneInfo("Europe/London"))])
def test_an_octopus_rate_without_end_holds_until_further_notice(now: datetime) -> None:
    (rate,) = parse_octopus(octopus((30.0, None, None)), now=now)
    assert rate.start < now < rate.end and rate.end - now == timedelta(days=7)


def test_of_octopus_rates_that_differ_by_payment_the_owners_counts() -> None:
    both = octopus((30.0, None, "DIRECT_DEBIT"), (33.0, None, "NON_DIRECT_DEBIT"))
    assert [rate.price for rate in parse_octopus(both, now=NINE)] == [0.3]
    assert [rate.price for rate in parse_octopus(both, now=NINE, by_direct_debit=False)] == [0.33]
    message = "no price for the payment method DIRECT_DEBIT, only for NON_DIRECT_DEBIT; see directDebit"
    with pytest.raises(PriceListError, match=message):
        parse_octopus(octopus((33.0, None, "NON_DIRECT_DEBIT")), now=NINE)


def test_energy_charts_slots_last_until_the_next_begins_and_null_is_a_gap() -> None:
    assert parse_energy_charts(ENERGY_CHARTS) == (
        Rate(NINE, NINE + QUARTER, 0.1),
        Rate(NINE + QUARTER, NINE + 2 * QUARTER, 0.09),
    )
    gap = ENERGY_CHARTS.replace("[100.0, 90.0, null]", "[100.0, null, 90.0]")
    assert parse_energy_charts(gap) == (
        Rate(NINE, NINE + QUARTER, 0.1),
        Rate(NINE + 2 * QUARTER, NINE + 3 * QUARTER, 0.09),
    )
    with pytest.raises(PriceListError, match="the list has no price"):
        parse_energy_charts(ENERGY_CHARTS.replace("100.0, 90.0", "null, null"))


def test_nord_pool_is_read_for_one_area() -> None:
    assert parse_nord_pool(NORD_POOL, area="SE3") == (Rate(NINE, NINE + QUARTER, 0.0455),)
    found = parse_nord_pool(NORD_POOL, area="fi")
    assert found == (Rate(NINE, NINE + QUARTER, -0.001), Rate(NINE + QUARTER, NINE + 2 * QUARTER, 0.002))
    with pytest.raises(PriceListError, match="no price for the area NO1, only for SE3, FI"):
        parse_nord_pool(NORD_POOL, area="NO1")
    with pytest.raises(PriceListError, match="currency: 'EUR' is not expected, only NOK"):
        parse_nord_pool(NORD_POOL, area="SE3", currency="NOK")


def test_nord_pool_is_asked_for_the_auctions_today_and_tomorrow() -> None:
    """In Helsinki it is Wednesday an hour earlier than where the auction's days begin."""
    late = datetime(2023, 3, 7, 22, 30, tzinfo=UTC).astimezone(ZoneInfo("Europe/Helsinki"))
    provider = provider_of(ProviderTariff(kind="nordpool", region="FI", currency="SEK"), late)
    assert provider.request.uri.endswith("?date=2023-03-07&market=DayAhead&deliveryArea=FI&currency=SEK")
    assert provider.later is not None and "?date=2023-03-08&" in provider.later.uri
    assert provider.unit == "SEK"


def test_what_is_measured_of_emissions_goes_before_what_was_expected() -> None:
    assert [(rate.start, rate.price) for rate in parse_energy_charts_co2(ENERGY_CHARTS_CO2)] == [
        (NINE, 491.5),
        (NINE + QUARTER, 505.0),
        (NINE + 3 * QUARTER, 508.0),
    ]


@pytest.mark.parametrize(
    ("parse", "text", "said"),
    [
        (parse_awattar, AWATTAR.replace("Eur/MWh", "ct/kWh"), "unit: 'ct/kWh' is not expected, only Eur/MWh"),
        (parse_energy_charts, ENERGY_CHARTS.replace("EUR / MWh", "EUR/kWh"), "unit: 'EUR/kWh' is not expected"),
        (parse_energy_charts, ENERGY_CHARTS.replace("100.0, ", ""), "unix_seconds and price are not lists of the same"),
    ],
    ids=["awattar", "energycharts", "lengths"],
)
def test_another_unit_than_expected_is_refused(parse: Callable[[str], tuple[Rate, ...]], text: str, said: str) -> None:
    with pytest.raises(PriceListError, match=said):
        parse(text)


def test_a_list_of_powers_may_have_quantiles() -> None:
    listed: list[JsonValue] = [
        {"start": NINE_S, "value": 1000, "p10": 400, "p90": 1500},
        {"start": NINE_S + 900, "value": 2000, "p10": 800, "p90": None},
    ]
    found = parse_power_list(listed)
    assert [rate.price for rate in found.expected] == [1000, 2000]
    assert [rate.price for rate in found.p10] == [400, 800]
    assert found.p90 == (Rate(NINE, NINE + QUARTER, 1500),)
    assert parse_power_list(json.dumps({"rates": [{"start": NINE_S, "value": 7}]})).p10 == ()


def test_a_null_price_is_a_gap_with_every_provider() -> None:
    assert parse_awattar(AWATTAR.replace("123.45", "null")) == (Rate(TEN, ELEVEN, -0.005),)
    assert parse_tibber(TIBBER.replace("0.25", "null")) == (Rate(TEN, ELEVEN, 0.35),)
    assert [rate.price for rate in parse_octopus(OCTOPUS.replace("10.5", "null"), now=NINE)] == [0.21]
    assert parse_gruenstromindex(GRUENSTROM.replace("280.5", "null")) == (Rate(NINE, TEN, 312),)
    assert parse_electricitymaps(MAPS.replace("380", "null")) == (Rate(TEN, ELEVEN, 410),)


def test_emissions_are_in_grams() -> None:
    assert parse_gruenstromindex(GRUENSTROM) == (Rate(NINE, TEN, 312), Rate(TEN, ELEVEN, 280.5))
    assert parse_electricitymaps(MAPS) == (Rate(NINE, TEN, 380), Rate(TEN, ELEVEN, 410))


def test_custom_lists() -> None:
    listed = [{"start": "2023-03-07T09:00:00Z", "end": "2023-03-07T10:00:00Z", "price": 0.3}]
    assert parse_list(json.dumps(listed)) == (Rate(NINE, TEN, 0.3),)
    assert parse_list({"rates": [{"start": NINE_S, "value": 0.2}]}) == (Rate(NINE, TEN, 0.2),)
    assert parse_list({"result": {"rates": [{"start": NINE_S * 1000, "value": 0.2}]}}) == (Rate(NINE, TEN, 0.2),)


def test_custom_slots_without_end_are_as_long_as_they_are_apart() -> None:
    """The last one as long as the one before it; one without price is a gap."""
    listed: list[JsonValue] = [{"start": NINE_S + i * 900, "price": price} for i, price in enumerate([0.1, None, 0.3])]
    assert parse_list(listed) == (
        Rate(NINE, NINE + QUARTER, 0.1),
        Rate(NINE + 2 * QUARTER, NINE + 3 * QUARTER, 0.3),
    )
    with pytest.raises(PriceListError, match="value: None is no number"):
        parse_list([{"start": NINE_S, "cost": 1}])


def entsoe_series(points: dict[int, float], *, auction: int | None = 1, curve: str = "A03", step: str = "PT15M") -> str:
    sequence = "classificationSequence_AttributeInstanceComponent.position"
    return "\n".join(
        [
            "<TimeSeries><mRID>1</mRID><businessType>A62</businessType>",
            f"<{sequence}>{auction}</{sequence}>" if auction else "",
            "<currency_Unit.name>EUR</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name>",
            f"<curveType>{curve}</curveType>",
            "<Period><timeInterval><start>2023-03-07T09:00Z</start><end>2023-03-07T11:00Z</end></timeInterval>",
            f"<resolution>{step}</resolution>",
            *(
                f"<Point><position>{n}</position><price.amount>{eur}</price.amount></Point>"
                for n, eur in points.items()
            ),
            "</Period></TimeSeries>",
        ]
    )


def entsoe(*series: str) -> str:
    namespace = "urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3"
    head = f'<?xml version="1.0" encoding="utf-8"?>\n<Publication_MarketDocument xmlns="{namespace}"><type>A44</type>'
    return "\n".join([head, *series, "</Publication_MarketDocument>"])


ENTSOE = entsoe(entsoe_series({1: 80, 3: 70.5, 4: -5, 7: 100}))


def by_quarter(rates: tuple[Rate, ...]) -> dict[int, float]:
    """Prices by the number of the quarter since nine, from 1."""
    assert {rate.end - rate.start for rate in rates} == {QUARTER}
    return {int((rate.start - NINE) / QUARTER) + 1: rate.price for rate in rates}


def test_a_position_that_entsoe_leaves_out_repeats_the_one_before_to_the_end_of_the_period() -> None:
    found = {1: 0.08, 2: 0.08, 3: 0.0705, 4: -0.005, 5: -0.005, 6: -0.005, 7: 0.1, 8: 0.1}
    assert by_quarter(parse_entsoe(ENTSOE)) == found


def test_a_first_position_that_entsoe_leaves_out_is_a_gap() -> None:
    assert by_quarter(parse_entsoe(entsoe(entsoe_series({3: 70, 5: 50})))) == {
        n: 0.07 if n < 5 else 0.05 for n in range(3, 9)
    }


def test_a_position_missing_from_a_curve_of_fixed_blocks_is_a_gap() -> None:
    assert by_quarter(parse_entsoe(entsoe(entsoe_series({1: 80, 3: 70}, curve="A01")))) == {1: 0.08, 3: 0.07}


def test_of_two_auctions_in_one_document_only_the_day_ahead_auction_counts() -> None:
    other = entsoe_series({1: 999, 5: 998}, auction=2)
    for document in (entsoe(entsoe_series({1: 80}), other), entsoe(other, entsoe_series({1: 80}))):
        assert set(by_quarter(parse_entsoe(document)).values()) == {0.08}
    with pytest.raises(PriceListError, match="no prices of the day-ahead auction"):
        parse_entsoe(entsoe(other))
    assert set(by_quarter(parse_entsoe(entsoe(entsoe_series({1: 80}, auction=None)))).values()) == {0.08}


def test_of_two_resolutions_the_finer_one_holds() -> None:
    quarters, hours = entsoe_series({1: 80, 2: 81}), entsoe_series({1: 500, 2: 600}, step="PT60M")
    for document in (entsoe(quarters, hours), entsoe(hours, quarters)):
        rates = Rates(parse_entsoe(document))
        assert [price_at(rates, NINE + n * QUARTER) for n in range(3)] == [0.08, 0.081, 0.081]
        assert price_at(rates, TEN) == 0.081


ENTSOE_REFUSED = [
    (ENTSOE.replace("<position>3<", "<position>9<"), "position: '9' is not from 1 to 8"),
    (ENTSOE.replace(">70.5<", ">high<"), "price.amount: 'high' is no number"),
    (ENTSOE.replace("PT15M", "P1D"), "resolution: 'P1D' is not known"),
    (ENTSOE.replace("T09:00Z", "T12:00Z"), "a period from 2023-03-07T12:00:00"),
    (ENTSOE.replace("T09:00Z", "T09:00"), "'2023-03-07T09:00' has no time zone"),
    (ENTSOE.replace("2023-03-07T09:00Z", "soon"), "'soon' is no time"),
    (ENTSOE.replace(">EUR<", ">PLN<"), "prices in 'PLN', expected EUR"),
    (ENTSOE.replace(">MWH<", ">KWH<"), "prices per 'KWH', expected MWH"),
    (ENTSOE.replace("<resolution>PT15M</resolution>", ""), "no resolution"),
    (ENTSOE.replace("<Publication", "<!DOCTYPE a>\n<Publication"), "it defines a document type"),
    (
        "<Acknowledgement_MarketDocument xmlns='urn:a'><Reason><code>999</code><text>No matching data found</text></Reason>"
        "</Acknowledgement_MarketDocument>",
        "No matching data found",
    ),
]


@pytest.mark.parametrize(("text", "said"), ENTSOE_REFUSED, ids=[row[1][:20] for row in ENTSOE_REFUSED])
def test_what_entsoe_does_not_write_is_refused(text: str, said: str) -> None:
    with pytest.raises(PriceListError, match=re.escape(said)):
        parse_entsoe(text)


def octopus_at_nine(text: str) -> tuple[Rate, ...]:
    return parse_octopus(text, now=NINE)


def nord_pool_in_finland(text: str) -> tuple[Rate, ...]:
    return parse_nord_pool(text, area="FI")


PARSERS: list[Callable[[str], tuple[Rate, ...]]] = [
    parse_awattar,
    parse_tibber,
    octopus_at_nine,
    parse_energy_charts,
    parse_gruenstromindex,
    parse_electricitymaps,
    parse_entsoe,
    nord_pool_in_finland,
    parse_energy_charts_co2,
    parse_list,
]
ANSWERS = [AWATTAR, TIBBER, OCTOPUS, ENERGY_CHARTS, GRUENSTROM, MAPS, ENTSOE, NORD_POOL, ENERGY_CHARTS_CO2]


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
    (
        ProviderTariff(kind="energycharts"),
        "https://api.energy-charts.info/price?bzn=DE-LU&start=2023-03-07&end=2023-03-08",
        "EUR",
    ),
    (
        ProviderTariff(kind="entsoe", token="t", region="10Y1001A1001A82H"),
        "https://web-api.tp.entsoe.eu/api?securityToken=t&documentType=A44&in_Domain=10Y1001A1001A82H"
        "&out_Domain=10Y1001A1001A82H&periodStart=202303062300&periodEnd=202303082300",
        "EUR",
    ),
    (
        ProviderTariff(kind="nordpool", region="SE3"),
        "https://dataportal-api.nordpoolgroup.com/api/DayAheadPrices"
        "?date=2023-03-07&market=DayAhead&deliveryArea=SE3&currency=EUR",
        "EUR",
    ),
    (
        ProviderTariff(kind="energychartsco2", region="AT"),
        "https://api.energy-charts.info/co2eq?country=at",
        "gCO2eq",
    ),
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
    provider = provider_of(tariff, NINE.astimezone(ZoneInfo("Europe/Berlin")))
    assert (provider.request.uri, provider.unit) == (uri, unit)
    assert "secret" not in repr(provider_of(ProviderTariff(kind=tariff.kind, token="secret", region="DE"), NINE))
    assert "secret" not in redact(uri.replace("=t&", "=secret&"))


def test_energy_charts_is_asked_until_tomorrow_by_the_houses_calendar() -> None:
    late = datetime(2026, 11, 30, 23, 30, tzinfo=UTC).astimezone(ZoneInfo("Europe/Berlin"))
    uri = provider_of(ProviderTariff(kind="energycharts", region="AT"), late).request.uri
    assert uri.endswith("?bzn=AT&start=2026-12-01&end=2026-12-02")


def reads(parse: Callable[[str], tuple[Rate, ...]], text: str) -> bool:
    try:
        return bool(parse(text))
    except PriceListError:
        return False


def test_every_provider_has_a_name_in_the_file_and_an_answer_by_hand() -> None:
    assert _PROVIDERS.keys() <= set(KINDS)
    answered = {
        tariff.kind
        for tariff, _, _ in PROVIDERS
        if any(reads(provider_of(tariff, NINE).parse, answer) for answer in ANSWERS)
    }
    assert answered == _PROVIDERS.keys()


def test_codes_of_bidding_zones() -> None:
    assert all(is_code(code) for code in CODES.values())
    assert {zone_code(text) for text in ("DE-LU", "bzn|de-lu", "10Y1001A1001A82H")} == {CODES["DE-LU"]}
    assert zone_code("10Y1001A1001A82X") is zone_code("Germany") is None


def test_every_provider_that_the_file_may_name_is_asked_above_and_stands_in_the_manual() -> None:
    kinds = set(KINDS) - {"fixed", "custom", "csv", "template"}
    assert {tariff.kind for tariff, _, _ in PROVIDERS} == kinds
    assert kinds <= set(re.findall(r"^\| `(\w+)` \|", MANUAL.read_text(encoding="utf-8"), re.MULTILINE))
