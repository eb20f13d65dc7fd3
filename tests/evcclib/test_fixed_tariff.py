"""Zones by weekday and hour, as owners write them, in local wall time."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import wall_price

from evcclib.errors import InvalidConfig
from evcclib.fixed_tariff import (
    WHOLE_WEEK,
    WHOLE_YEAR,
    FixedTariff,
    Zone,
    fixed_tariff,
    parse_days,
    parse_hours,
    parse_months,
)

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 1, 5, 10, 30, tzinfo=BERLIN)
HOUR = timedelta(hours=1)
DAY = 24 * 60


def day_of(tariff: FixedTariff, local: datetime) -> list[tuple[float, float, float]]:
    """(start, end, price) of the local day of ``local``, in hours after its midnight."""
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    tomorrow = (midnight + timedelta(days=1)).astimezone(UTC)
    since = midnight.astimezone(UTC)
    return [
        ((rate.start - since) / HOUR, (rate.end - since) / HOUR, rate.price)
        for rate in tariff.rates(local.astimezone(UTC), local.tzinfo or BERLIN).rates
        if rate.start < tomorrow
    ]


@pytest.mark.rule("TAR-3")
@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Mo-Fr", (0, 1, 2, 3, 4)),
        ("mon - FRI", (0, 1, 2, 3, 4)),
        ("Sa,So", (5, 6)),
        ("so, sa", (6, 5)),
        ("Fri-Mon", (4, 5, 6, 0)),
        ("Sunday", (6,)),
        ("0", (6,)),
        ("7", (6,)),
        ("1-3", (0, 1, 2)),
        ("mi,do", (2, 3)),
        ("di-di", (1,)),
        ("", WHOLE_WEEK),
    ],
)
def test_days_are_read_as_owners_write_them(text: str, days: tuple[int, ...]) -> None:
    assert parse_days(text) == days


@pytest.mark.rule("TAR-3")
@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Mond", "invalid day: Mond"),
        ("8", "invalid day: 8"),
        ("Mo-Mi-Fr", "invalid day: Mo-Mi-Fr"),
        ("Mo-So,Mo", "too many days"),
        ("Mo,", "too many days"),
        ("Mo,mon", "duplicate days"),
        ("0,7", "duplicate days"),
    ],
)
def test_bad_days_are_refused_by_name(text: str, error: str) -> None:
    with pytest.raises(InvalidConfig, match=f"^{error}$"):
        parse_days(text)


@pytest.mark.rule("TAR-3")
@pytest.mark.parametrize(
    ("text", "months"),
    [
        ("Nov-Mar", (11, 12, 1, 2, 3)),
        ("Mai - okt", (5, 6, 7, 8, 9, 10)),
        ("Mär,Dez", (3, 12)),
        ("1,12", (1, 12)),
        ("June", (6,)),
        ("", WHOLE_YEAR),
    ],
)
def test_months_are_read_as_owners_write_them(text: str, months: tuple[int, ...]) -> None:
    assert parse_months(text) == months


@pytest.mark.rule("TAR-3")
@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Jux", "invalid month: Jux"),
        ("13", "invalid month: 13"),
        ("Jan-Dez,1", "too many months"),
        ("Jan,1", "duplicate months"),
    ],
)
def test_bad_months_are_refused_by_name(text: str, error: str) -> None:
    with pytest.raises(InvalidConfig, match=f"^{error}$"):
        parse_months(text)


@pytest.mark.rule("TAR-2", "TAR-6")
def test_a_zone_of_some_months_ends_with_the_last_day_of_the_last_one() -> None:
    tariff = fixed_tariff(0.1, [(0.2, "", "17-20", "Nov-Mar")])
    assert day_of(tariff, datetime(2026, 3, 31, 12, tzinfo=BERLIN)) == [(0, 17, 0.1), (17, 20, 0.2), (20, 24, 0.1)]
    assert day_of(tariff, datetime(2026, 4, 1, 12, tzinfo=BERLIN)) == [(0, 24, 0.1)]


@pytest.mark.rule("TAR-4")
@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("", ((0, DAY),)),
        ("  ", ((0, DAY),)),
        ("0-5:30,21-0", ((0, 330), (21 * 60, DAY))),
        ("22:15 - 0:00", ((22 * 60 + 15, DAY),)),
        ("0-0", ((0, DAY),)),
        ("09-23:59", ((540, DAY - 1),)),
    ],
)
def test_hours_are_read_as_owners_write_them(text: str, ranges: tuple[tuple[int, int], ...]) -> None:
    assert parse_hours(text) == ranges


@pytest.mark.rule("TAR-4")
@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("5", "invalid time range: 5"),
        ("5-", "invalid time: "),
        ("24-0", "invalid time: 24"),
        ("5-6:5", "invalid time: 6:5"),
        ("5-6:60", "invalid time: 6:60"),
        ("005-6", "invalid time: 005"),
        ("a-6", "invalid time: a"),
        ("5-6-7", "invalid time: 6-7"),
        ("-1-5", "invalid time: "),
        ("7-6", "invalid time range: 7-6, 7 must be before 6"),
        ("7-7:00", "invalid time range: 7-7:00, 7 must be before 7:00"),
        ("0-5,", "invalid time range: "),
    ],
)
def test_bad_hours_are_refused_by_name(text: str, error: str) -> None:
    with pytest.raises(InvalidConfig) as raised:
        parse_hours(text)
    assert str(raised.value).startswith(error)


@pytest.mark.rule("TAR-2", "TAR-6")
def test_without_zones_the_base_price_holds_all_day() -> None:
    tariff = fixed_tariff(0.3, unit="CHF")
    assert day_of(tariff, MONDAY) == [(0, 24, 0.3)]
    assert tariff.rates(MONDAY, BERLIN).unit == "CHF"


@pytest.mark.rule("TAR-2", "TAR-5", "TAR-6")
def test_split_zone_is_cheap_in_both_its_ranges() -> None:
    tariff = fixed_tariff(0.5, [(0.1, "", "0-5:30,21-0")])
    assert day_of(tariff, MONDAY) == [(0, 5.5, 0.1), (5.5, 21, 0.5), (21, 24, 0.1)]


@pytest.mark.rule("TAR-6", "N-5")
def test_rates_cover_seven_local_days_from_the_last_midnight_without_gaps() -> None:
    rates = fixed_tariff(0.5, [(0.1, "Sa-So", ""), (0.2, "Mo-Fr", "22-0")]).rates(MONDAY, BERLIN).rates
    assert rates[0].start == datetime(2026, 1, 5, tzinfo=BERLIN)
    assert rates[-1].end == datetime(2026, 1, 12, tzinfo=BERLIN)
    assert all(earlier.end == later.start for earlier, later in itertools.pairwise(rates))
    assert [rate.price for rate in rates] == [0.5, 0.2] * 5 + [0.1, 0.1]


@pytest.mark.rule("DEF-39", "TAR-5")
def test_adjacent_zones_have_no_empty_rate_between_them() -> None:
    tariff = fixed_tariff(0.5, [(0.2, "", "6-8"), (0.1, "", "0-6")])
    assert day_of(tariff, MONDAY) == [(0, 6, 0.1), (6, 8, 0.2), (8, 24, 0.5)]


@pytest.mark.rule("DEF-39", "TAR-5")
def test_nested_zone_interrupts_the_outer_one() -> None:
    tariff = fixed_tariff(0.5, [(0.2, "", "2-3"), (0.1, "", "0-6")])
    assert day_of(tariff, MONDAY) == [(0, 2, 0.1), (2, 3, 0.2), (3, 6, 0.1), (6, 24, 0.5)]


@pytest.mark.rule("DEF-39", "TAR-5")
def test_of_overlapping_zones_the_later_start_holds() -> None:
    tariff = fixed_tariff(0.5, [(0.1, "", "0-6"), (0.2, "", "4-8")])
    assert day_of(tariff, MONDAY) == [(0, 4, 0.1), (4, 8, 0.2), (8, 24, 0.5)]


@pytest.mark.rule("DEF-39", "TAR-5")
def test_zone_until_midnight_is_the_longer_of_two_with_the_same_start() -> None:
    tariff = fixed_tariff(0.5, [(0.1, "", "20-0"), (0.2, "", "20-22")])
    assert day_of(tariff, MONDAY) == [(0, 20, 0.5), (20, 22, 0.2), (22, 24, 0.1)]


@pytest.mark.rule("TAR-5")
def test_equal_prices_side_by_side_are_one_rate() -> None:
    assert day_of(fixed_tariff(0.5, [(0.1, "", "0-3"), (0.1, "", "3-6")]), MONDAY) == [(0, 6, 0.1), (6, 24, 0.5)]


@pytest.mark.rule("DEF-39", "TAR-6")
def test_spring_night_follows_the_wall_clock() -> None:
    sunday = datetime(2026, 3, 29, 12, tzinfo=BERLIN)
    tariff = fixed_tariff(0.5, [(0.1, "", "2:30-5")])
    assert day_of(tariff, sunday) == [(0, 2, 0.5), (2, 4, 0.1), (4, 23, 0.5)]


@pytest.mark.rule("DEF-39", "TAR-6")
def test_autumn_night_follows_the_wall_clock() -> None:
    sunday = datetime(2026, 10, 25, 12, tzinfo=BERLIN)
    tariff = fixed_tariff(0.5, [(0.1, "", "2-5")])
    assert day_of(tariff, sunday) == [(0, 2, 0.5), (2, 6, 0.1), (6, 25, 0.5)]


@pytest.mark.rule("DEF-39", "TAR-6")
def test_hour_that_comes_twice_has_the_price_of_its_wall_time_both_times() -> None:
    sunday = datetime(2026, 10, 25, 12, tzinfo=BERLIN)
    tariff = fixed_tariff(0.5, [(0.1, "", "2:30-5")])
    assert day_of(tariff, sunday) == [(0, 2.5, 0.5), (2.5, 3, 0.1), (3, 3.5, 0.5), (3.5, 6, 0.1), (6, 25, 0.5)]


ZONES = st.lists(
    st.tuples(
        st.sampled_from([0.1, 0.2, 0.3]),
        st.lists(st.integers(0, 6), min_size=1, unique=True).map(tuple),
        st.integers(0, 95).map(lambda quarter: quarter * 15),
        st.integers(1, 96).map(lambda quarter: quarter * 15),
    ).filter(lambda zone: zone[2] < zone[3]),
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(
    zones=ZONES,
    name=st.sampled_from(
        ["Europe/Berlin", "America/Havana", "Asia/Beirut", "Australia/Lord_Howe", "UTC", "America/Sao_Paulo"]
    ),
    day=st.integers(0, 730),
)
@pytest.mark.rule("DEF-39", "TAR-6")
def test_every_quarter_of_two_years_has_the_price_of_its_wall_time(
    zones: list[tuple[float, tuple[int, ...], int, int]], name: str, day: int
) -> None:
    zone = ZoneInfo(name)
    now = datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)
    table = tuple(
        Zone(price=price, weekdays=days, start_minute=start, end_minute=end)
        for price, days, start, end in sorted(zones, key=lambda row: (row[2], -row[3]))
    )
    rates = FixedTariff(price=0.5, zones=table).rates(now, zone)
    assert all(earlier.end == later.start for earlier, later in zip(rates.rates, rates.rates[1:], strict=False))
    assert rates.rates[0].start.astimezone(zone).date() == now.astimezone(zone).date()
    time = rates.rates[0].start
    while time < rates.rates[0].start + timedelta(days=2):
        rate = rates.at(time)
        assert rate is not None
        assert rate.price == wall_price(time.astimezone(zone), 0.5, zones)
        time += timedelta(minutes=15)


@pytest.mark.rule("DEF-39", "TAR-6")
@pytest.mark.parametrize("year", [2026, 2027])
def test_every_night_of_a_year_has_its_cheap_wall_hours(year: int) -> None:
    tariff = fixed_tariff(0.5, [(0.1, "", "1-5")])
    local = datetime(year, 1, 1, 12, tzinfo=BERLIN)
    lengths = set()
    while local.year == year:
        cheap = [(start, end) for start, end, price in day_of(tariff, local) if price == 0.1]
        assert len(cheap) == 1
        lengths.add(cheap[0][1] - cheap[0][0])
        local += timedelta(days=1)
    assert lengths == {3, 4, 5}


@pytest.mark.rule("TAR-4", "TAR-6")
def test_quarter_of_an_hour_late_in_the_evening_is_a_zone() -> None:
    tariff = fixed_tariff(0.5, [(0.1, "", "23-23:15")])
    assert day_of(tariff, MONDAY) == [(0, 23, 0.5), (23, 23.25, 0.1), (23.25, 24, 0.5)]
