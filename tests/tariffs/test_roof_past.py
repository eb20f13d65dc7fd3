"""What a roof has given lets expect what it will give."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from evcc_server.tariffs.roof_past import HourMeans, RoofPast
from evcclib.tariff import Rate

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
CLEAR = (Rate(NOON, NOON + HOUR, 1000.0), Rate(NOON + HOUR, NOON + 2 * HOUR, 2000.0))


def past(*shares: float, hour: datetime = NOON) -> RoofPast:
    """Of so many days before the 15th, the last one yesterday."""
    found = RoofPast()
    for ago, share in zip(range(len(shares), 0, -1), shares, strict=True):
        found = found.noted(hour - ago * DAY, share * 800.0, 800.0)
    return found


def prices(rates: tuple[Rate, ...]) -> list[float]:
    return [round(rate.price, 6) for rate in rates]


def test_without_a_past_the_sky_is_clear_and_nobody_knows_how_surely() -> None:
    found = past(0.1, 0.2, 0.3, 0.4).expected(CLEAR)
    assert (found.expected, found.p10, found.p90) == (CLEAR, (), ())


def test_five_days_give_the_middle_and_the_tenths() -> None:
    """0.1 0.2 0.5 0.8 0.9: the middle is the third; a tenth of the way from the first to the last is 0.4 of the way from the
    first to the second. At one o'clock nothing is known: all hours count."""
    found = past(0.5, 0.1, 0.9, 0.8, 0.2).expected(CLEAR)
    assert prices(found.expected) == [500, 1000]
    assert prices(found.p10) == [140, 280]
    assert prices(found.p90) == [860, 1720]


def test_each_hour_has_its_own_past() -> None:
    both = past(0.2, 0.2, 0.2, 0.2, 0.2)
    for time, share in past(0.6, 0.6, 0.6, 0.6, 0.6, hour=NOON + HOUR).shares.items():
        both = both.noted(time, share * 800, 800)
    assert prices(both.expected(CLEAR).expected) == [200, 1200]


def test_what_tells_nothing_is_not_remembered_and_what_is_old_is_forgotten() -> None:
    assert RoofPast().noted(NOON, 10.0, 49.0).shares == {}
    assert RoofPast().noted(NOON, 10.0, 50.0).shares == {NOON: 0.2}
    assert RoofPast().noted(NOON, 3000.0, 1000.0).shares == {NOON: 2.0}
    assert RoofPast().noted(NOON, -5.0, 1000.0).shares == {NOON: 0.0}
    old = RoofPast().noted(NOON, 500.0, 1000.0)
    assert NOON in old.noted(NOON + 30 * DAY - HOUR, 500.0, 1000.0).shares
    assert NOON not in old.noted(NOON + 30 * DAY, 500.0, 1000.0).shares


def test_a_past_comes_back_from_the_disk_or_is_refused() -> None:
    known = past(0.5, 0.25)
    assert RoofPast.restored(json.loads(json.dumps(known.export()))) == known
    for wrong in ({"soon": 0.5}, {"2026-06-15T12:00": 0.5}, {NOON.isoformat(): 3.0}, {NOON.isoformat(): "a"}):
        with pytest.raises(ValueError):  # some are datetime's own
            RoofPast.restored(wrong)


def test_an_hour_counts_when_it_is_over_and_enough_of_it_was_seen() -> None:
    means = HourMeans()
    looks = [(NOON + n * MINUTE, float(n)) for n in range(60)]
    assert [means.look(time, power) for time, power in looks] == [None] * 60
    assert means.look(NOON + HOUR, 0.0) == (NOON, 29.5)
    for n in range(1, 50):  # with the first, fifty
        assert means.look(NOON + HOUR + n * MINUTE, 100.0) is None
    assert means.look(NOON + 2 * HOUR, None) == (NOON + HOUR, 98.0)
    for n in range(1, 50):  # forty-nine: the first was not there
        means.look(NOON + 2 * HOUR + n * MINUTE, 100.0)
    assert means.look(NOON + 3 * HOUR, 1.0) is None
