"""Days of 92 and 100 quarters of an hour, from every kind of source that speaks of days or of the clock on the wall."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from evcc_server.config.model import Fees, ProviderTariff, Roof, Zone
from evcc_server.tariffs.clear_sky import clear_sky
from evcc_server.tariffs.csv_list import parse_csv
from evcc_server.tariffs.entsoe import parse_entsoe
from evcc_server.tariffs.fees import with_fees
from evcc_server.tariffs.oddities import oddities
from evcc_server.tariffs.providers import parse_energy_charts, parse_nord_pool, parse_tibber, provider_of
from evcc_server.texts.measures import price_measures
from evcclib.fixed_tariff import fixed_tariff
from evcclib.tariff import Rate

BERLIN = ZoneInfo("Europe/Berlin")
QUARTER, HOUR = timedelta(minutes=15), timedelta(hours=1)
SPRING, AUTUMN, PLAIN = date(2026, 3, 29), date(2026, 10, 25), date(2026, 6, 15)
DAYS = pytest.mark.parametrize(("day", "quarters"), [(SPRING, 92), (AUTUMN, 100), (PLAIN, 96)], ids=str)


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=BERLIN).astimezone(UTC)


def starts(day: date) -> list[datetime]:
    """Of the quarters of the local day, in UTC."""
    begin, end = midnight(day), midnight(day + timedelta(days=1))
    return [begin + n * QUARTER for n in range((end - begin) // QUARTER)]


def is_whole(rates: tuple[Rate, ...], day: date, quarters: int) -> None:
    """One price for each quarter, the number of it, without a hole."""
    assert [rate.start for rate in rates] == starts(day)
    assert len(rates) == quarters
    assert [round(rate.price * 1000) for rate in rates] == list(range(quarters))
    assert list(oddities(rates, "EUR", BERLIN)) == []


def entsoe_of(day: date, points: int) -> str:
    """A document with the first ``points`` positions of a day."""
    begin, end = (f"{midnight(day + timedelta(days=days)):%Y-%m-%dT%H:%MZ}" for days in (0, 1))
    listed = "".join(
        f"<Point><position>{n + 1}</position><price.amount>{n}</price.amount></Point>" for n in range(points)
    )
    return (
        "<d xmlns='urn:x'><TimeSeries><currency_Unit.name>EUR</currency_Unit.name>"
        "<price_Measure_Unit.name>MWH</price_Measure_Unit.name><curveType>A03</curveType><Period>"
        f"<timeInterval><start>{begin}</start><end>{end}</end></timeInterval><resolution>PT15M</resolution>"
        f"{listed}</Period></TimeSeries></d>"
    )


@DAYS
def test_entsoe_gives_as_many_positions_as_the_day_has_quarters(day: date, quarters: int) -> None:
    is_whole(parse_entsoe(entsoe_of(day, quarters)), day, quarters)
    last = starts(day)[-1]
    assert parse_entsoe(entsoe_of(day, quarters - 1))[-1] == Rate(last, last + QUARTER, (quarters - 2) / 1000)


@DAYS
def test_entsoe_is_asked_for_the_houses_days(day: date, quarters: int) -> None:
    noon = datetime.combine(day, time(12), tzinfo=BERLIN)
    uri = provider_of(ProviderTariff(kind="entsoe", token="t", region="10Y1001A1001A82H"), noon).request.uri
    asked = (uri.split(f"{key}=")[1] for key in ("periodStart", "periodEnd"))
    begin, end = (datetime.fromisoformat(f"{text[:8]}T{text[8:12]}Z") for text in asked)
    assert end - begin == quarters * QUARTER + 24 * HOUR


@DAYS
def test_energy_charts_counts_seconds(day: date, quarters: int) -> None:
    seconds = [int(start.timestamp()) for start in starts(day)]
    is_whole(parse_energy_charts(json.dumps({"unix_seconds": seconds, "price": list(range(quarters))})), day, quarters)


@DAYS
def test_tibber_writes_the_wall_clock_with_its_offset(day: date, quarters: int) -> None:
    today = [
        {"total": n / 1000, "startsAt": start.astimezone(BERLIN).isoformat(timespec="milliseconds")}
        for n, start in enumerate(starts(day))
    ]
    homes = [{"id": "h", "currentSubscription": {"priceInfo": {"today": today, "tomorrow": []}}}]
    is_whole(parse_tibber(json.dumps({"data": {"viewer": {"homes": homes}}})), day, quarters)


@DAYS
def test_nord_pool_writes_utc(day: date, quarters: int) -> None:
    entries = [
        {
            "deliveryStart": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "deliveryEnd": f"{start + QUARTER:%Y-%m-%dT%H:%M:%SZ}",
            "entryPerArea": {"AT": n},
        }
        for n, start in enumerate(starts(day))
    ]
    is_whole(parse_nord_pool(json.dumps({"multiAreaEntries": entries}), area="AT"), day, quarters)


@DAYS
def test_a_file_goes_by_the_wall_clock_and_the_hour_that_comes_twice_stands_there_twice(
    day: date, quarters: int
) -> None:
    rows = [f"{start.astimezone(BERLIN):%Y-%m-%dT%H:%M},{n}" for n, start in enumerate(starts(day))]
    assert len(set(rows)) == quarters
    text = "\n".join(["start,eur_per_mwh", *rows])
    rates, _ = parse_csv(text, allowed=price_measures("EUR"), zone=BERLIN)
    is_whole(rates, day, quarters)


@DAYS
def test_charges_by_the_clock_cut_every_day_where_the_wall_says(day: date, quarters: int) -> None:
    """From 1 to 4 at night: two hours in spring, four in autumn."""
    prices = tuple(Rate(start, start + QUARTER, 0.1) for start in starts(day))
    fees = Fees(zones=(Zone(price=0.05, hours="1-4"),))
    noon = datetime.combine(day, time(12), tzinfo=BERLIN)
    found = with_fees(prices, fees, now=noon, zone=BERLIN)
    assert [rate.start for rate in found] == starts(day)
    dear = [rate for rate in found if rate.price > 0.1]
    assert len(dear) == {92: 8, 96: 12, 100: 16}[quarters]
    assert (dear[0].start.astimezone(BERLIN).hour, dear[-1].end.astimezone(BERLIN).hour) == (1, 4)


@DAYS
def test_a_fixed_tariff_covers_the_day_by_the_wall(day: date, quarters: int) -> None:
    noon = datetime.combine(day, time(12), tzinfo=BERLIN)
    rates = fixed_tariff(0.3, [(0.2, "", "2-3")]).rates(noon, BERLIN).rates
    begin, end = midnight(day), midnight(day + timedelta(days=1))
    cheap = sum((min(r.end, end) - r.start for r in rates if r.price == 0.2 and r.start < end), timedelta(0))
    assert rates[0].start == begin
    assert (end - begin, cheap) == (quarters * QUARTER, {92: 0, 96: 1, 100: 2}[quarters] * HOUR)


@DAYS
def test_a_clear_sky_covers_the_day_without_a_hole(day: date, quarters: int) -> None:
    roof = Roof(latitude_deg=52.5, longitude_deg=13.4, tilt_deg=30, azimuth_deg=0, peak_kw=10)
    found = clear_sky(roof, midnight(day), midnight(day + timedelta(days=1)))
    assert [rate.start for rate in found] == starts(day)
    assert len(found) == quarters
