"""What a kWh costs in the end, computed by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from evcc_server.config.model import Fees, Zone
from evcc_server.tariffs.fees import with_fees
from evcc_server.tariffs.price_list import PriceListError
from evcclib.tariff import Rate

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 31, 12, tzinfo=BERLIN)
MIDNIGHT = datetime(2026, 3, 30, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = (Rate(MIDNIGHT, MIDNIGHT + 24 * HOUR, 0.1),)


def by_hour(fees: Fees, rates: tuple[Rate, ...] = DAY) -> list[tuple[float, float, float]]:
    found = with_fees(rates, fees, now=NOON, zone=BERLIN)
    return [((r.start - MIDNIGHT) / HOUR, (r.end - MIDNIGHT) / HOUR, round(r.price, 9)) for r in found]


def test_charges_are_taxed_with_the_price() -> None:
    assert by_hour(Fees(charges=0.05, tax=0.2)) == [(0, 24, 0.18)]


def test_charges_of_a_zone_replace_the_others_and_cut_the_slots() -> None:
    """From April on there is no such zone."""
    fees = Fees(charges=0.05, zones=(Zone(price=0.2, hours="17-20", months="Nov-Mar"),))
    day_and_more = (Rate(MIDNIGHT, MIDNIGHT + 48 * HOUR, 0.1),)
    assert by_hour(fees, day_and_more) == [(0, 17, 0.15), (17, 20, 0.3), (20, 24, 0.15), (24, 48, 0.15)]


def test_with_zones_only_the_seven_days_whose_charges_are_known_count() -> None:
    fees = Fees(zones=(Zone(price=0.2),))
    long = (Rate(MIDNIGHT - 1000 * HOUR, MIDNIGHT + 1000 * HOUR, 0.1),)
    found = by_hour(fees, long)
    assert (found[0][0], found[-1][1]) == (0, 7 * 24)
    assert {price for _, _, price in found} == {0.3}


@pytest.mark.parametrize(
    ("formula", "total"),
    [
        ("max((price + charges) * (1 + tax), 0.0)", 0.18),
        ("price * 2 - charges", 0.15),
        ("-price", -0.1),
        ("min(price, 0.05) + abs(0 - tax)", 0.25),
    ],
)
def test_a_formula_has_the_last_word(formula: str, total: float) -> None:
    assert by_hour(Fees(charges=0.05, tax=0.2, formula=formula)) == [(0, 24, total)]


def test_a_formula_without_a_value_is_no_price() -> None:
    with pytest.raises(PriceListError, match=r"formula: cost has no value for a price of 0\.1"):
        by_hour(Fees(formula="cost"))
