"""Lists in files of the owner's."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcc_server.tariffs.csv_list import parse_csv
from evcc_server.tariffs.price_list import PriceListError
from evcc_server.texts.measures import EMISSION_MEASURES, POWER_MEASURES, SUN_MEASURES, Measure, price_measures
from evcclib.tariff import Rate

BERLIN = ZoneInfo("Europe/Berlin")
NINE = datetime(2026, 6, 15, 9, tzinfo=UTC)
HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)
PRICES = price_measures("EUR") | EMISSION_MEASURES


def parsed(text: str, allowed: dict[str, Measure] = PRICES) -> tuple[tuple[Rate, ...], str]:
    return parse_csv(text, allowed=allowed, zone=BERLIN)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("start,eur_per_kwh\n2026-06-15T09:00Z,0.25\n", 0.25, "EUR"),
        ("start,ct_per_kwh\n2026-06-15 11:00,25\n", 0.25, "EUR"),
        ("\ufeffstart;EUR_per_MWh\r\n2026-06-15 11:00;-250,5\r\n", -0.2505, "EUR"),
        ("start, g_per_kwh\n2026-06-15T12:00+03:00, 400\n\n", 400, "gCO2eq"),
    ],
)
def test_the_header_says_in_what_the_values_are(text: str, value: float, unit: str) -> None:
    ((rate,), found) = parsed(text)
    assert (rate.start, rate.end, found) == (NINE, NINE + HOUR, unit)
    assert rate.price == pytest.approx(value)


def test_energies_are_of_their_slots() -> None:
    rates, unit = parsed("start,kilowatt_hours\n2026-06-15T09:00Z,0.5\n", SUN_MEASURES)
    assert (rates, unit) == ((Rate(NINE, NINE + HOUR, 500),), "Wh")


def test_powers_and_slots_with_an_end() -> None:
    text = "start,end,kilowatt\n2026-06-15T11:00,2026-06-15T11:15,1.5\n2026-06-15T13:00,,\n2026-06-15T14:00,,2\n"
    rates, unit = parsed(text, POWER_MEASURES)
    assert unit == "W"
    assert rates == (Rate(NINE, NINE + QUARTER, 1500), Rate(NINE + 3 * HOUR, NINE + 4 * HOUR, 2000))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the columns are missing, expected start, perhaps end, and one of eur_per_kwh, ct_per_kwh"),
        ("time,eur_per_kwh\n", "line 1: the columns are time, eur_per_kwh, expected start"),
        ("start,eur\n", "line 1: 'eur' is not known, expected start, perhaps end, and one of"),
        ("start,watt\n", "line 1: 'watt' is not known"),
        ("start,eur_per_kwh\n", "the list is empty"),
        ("start,eur_per_kwh\n2026-06-15T09:00Z,0.25\nsoon,1\n", "line 3: 'soon' is no time"),
        ("start,eur_per_kwh\n2026-06-15T09:00Z,0.25,1\n", "line 2: 3 cells, expected 2"),
        ("start,eur_per_kwh\n2026-06-15T09:00Z,nan\n", "line 2: 'nan' is no number"),
        ('start,eur_per_kwh\n2026-06-15T09:00Z,"0,25"\n', "line 2: '0,25' is no number"),
        ("start,eur_per_kwh\n2026-06-15T09:00Z,1\n2026-06-15T09:00Z,1\n", "line 3: 2026-06-15T09:00Z is not later"),
        ("start,eur_per_kwh\n2026-03-29T02:30,1\n", "line 2: 2026-03-29T02:30 is not there, as the clocks change"),
        ("start,end,eur_per_kwh\n2026-06-15T09:00Z,2026-06-15T08:00Z,1\n", "before it begins"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(PriceListError, match=re.escape(said)):
        parsed(text)


@given(st.text(max_size=80))
def test_any_text_is_a_list_or_refused(text: str) -> None:
    for head in ("", "start,eur_per_kwh\n2026-06-15T09:00Z,"):
        try:
            parsed(head + text)
        except PriceListError:
            continue
