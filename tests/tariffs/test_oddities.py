"""What is odd about a list is said in a line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from evcc_server.tariffs.oddities import oddities
from evcclib.tariff import Rate

NINE = datetime(2026, 6, 15, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def rate(start: float, end: float, price: float = 0.3) -> Rate:
    return Rate(NINE + start * HOUR, NINE + end * HOUR, price)


def found(*rates: Rate, unit: str = "EUR") -> list[str]:
    return list(oddities(rates, unit, UTC))


def test_a_whole_list_is_not_odd_in_whatever_order() -> None:
    assert found() == []
    assert found(rate(1, 2), rate(0, 1), rate(2, 5)) == []


def test_gaps_and_overlaps_are_counted_and_the_first_is_named() -> None:
    assert found(rate(0, 1), rate(2, 3), rate(3, 4), rate(6, 7)) == [
        "no value from 2026-06-15 10:00 to 2026-06-15 11:00, and 1 more"
    ]
    assert found(rate(0, 5), rate(1, 2), rate(5, 6)) == [
        "two values from 2026-06-15 10:00 to 2026-06-15 11:00; the one that begins later counts"
    ]


def test_a_price_in_cents_is_noticed_and_watts_are_not() -> None:
    assert found(rate(0, 1, 28.4)) == ["a price of 28.4 EUR/kWh: is it in another unit?"]
    assert found(rate(0, 1, -5.0)) == found(rate(0, 1, 28.4), unit="SEK") == found(rate(0, 1, 8000), unit="W") == []
