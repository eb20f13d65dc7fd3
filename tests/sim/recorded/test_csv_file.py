"""An owner's file: what its rows mean, and one clear error for whatever is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evcc_sim.recorded.csv_file import Recorded, WrongFile, read_powers, read_prices
from evcc_sim.timebase import Timebase

JUNE = Timebase(date(2026, 6, 15), ZoneInfo("Europe/Berlin"))
AUTUMN = Timebase(date(2026, 10, 25), ZoneInfo("Europe/Berlin"))
SPRING = Timebase(date(2026, 3, 29), ZoneInfo("Europe/Berlin"))

Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> str:
        (tmp_path / "own.csv").write_bytes(text.encode())
        return str(tmp_path / "own.csv")

    return write


@pytest.mark.parametrize(
    ("text", "rows", "is_smooth", "ends_s"),
    [
        ("second,watt\n0,400\n90,0\n", ((0, 400), (90, 0)), False, 90 + 86_400),
        ("\ufeffsecond , KW\r\n0,0.4\r\n\r\n90,2\r\n", ((0, 400), (90, 2000)), False, 90 + 86_400),
        ("since,watt\n2026-06-14T23:00,100\n2026-06-15T01:00,200\n", ((0, 100), (3600, 200)), False, 25 * 3600),
        ("since_utc,watt\n2026-06-14T22:00,100\n2026-06-14T22:01Z,200\n", ((0, 100), (60, 200)), False, 86_460),
        ("start,watt\n2026-06-15T00:00,1\n2026-06-15T00:15,2\n", ((0, 1), (900, 2)), False, 1800),
        ("time,watt\n2026-06-14T23:59:55,0\n2026-06-15T00:00:05+02:00,10\n", ((0, 5), (5, 10)), True, 15),
        ("time,watt\n2026-06-15T00:00:07,5\n2026-06-15 00:00:17,10\n", ((0, 5), (7, 5), (17, 10)), True, 27),
    ],
)
def test_what_rows_mean(write: Write, text: str, rows: object, is_smooth: bool, ends_s: float) -> None:
    found = read_powers(write(text), JUNE)
    assert (found.rows, found.is_smooth, found.file.ends_s) == (rows, is_smooth, ends_s)


def test_a_column_for_each_phase_or_plant(write: Write) -> None:
    found = read_powers(write("second,l1_watt,l2_w,roof_west_kilowatt\n0,1,2,3\n"), JUNE)
    assert (found.names, found.rows) == (("l1", "l2", "roof_west"), ((0, 1, 2, 3000),))


def test_prices_per_mwh_negative_ones_too(write: Write) -> None:
    text = "start_utc,eur_per_mwh\n2026-06-14T22:00Z,16\n2026-06-14T22:15Z,-250.32\n"
    found = read_prices(write(text), JUNE, unit="EUR")
    assert found.rows == ((0, 0.016), (900, pytest.approx(-0.25032)))
    assert (found.file.apart_s, found.file.ends_s) == (900, 1800)
    cents = read_prices(write("start,ct_per_kwh\n2026-06-15T00:00,30\n2026-06-15T01:00,-5\n"), JUNE, unit="CHF")
    assert [price for _, price in cents.rows] == pytest.approx([0.3, -0.05])


def test_both_nights_on_which_clocks_change(write: Write) -> None:
    hours = [f"2026-10-2{day}T{hour:02}:00Z,{hour}" for day, hour in [(4, 22), (4, 23), *((5, h) for h in range(23))]]
    found = read_prices(write("start_utc,eur_per_mwh\n" + "\n".join(hours)), AUTUMN, unit="EUR")
    assert len(found.rows) == 25 and found.file.ends_s == AUTUMN.day_second(1) == 25 * 3600
    local = read_powers(write("since,watt\n2026-03-29T00:00,1\n2026-03-29T03:00,2\n"), SPRING)
    assert local.rows == ((0, 1), (7200, 2))


POWERS = "expected a time (second, since, start or time), then watt or kilowatt"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ":1: '' is no header"),
        ("second\n0\n", f":1: 'second' is no header of such a file, {POWERS}"),
        ("Zeit;Leistung\n0;1\n", f":1: 'Zeit;Leistung' is no header of such a file, {POWERS}"),
        ("second,eur_per_kwh\n0,1\n", f":1: 'second,eur_per_kwh' is no header of such a file, {POWERS}"),
        ("second,watt,watt\n0,1,2\n", "each column needs a name of its own"),
        ("second,watt,roof_watt\n0,1,2\n", "each column needs a name of its own"),
        ("second,watt\n", ": 0 rows are too few, expected at least 1"),
        ("time,watt\n2026-06-15T00:00,1\n", ": 1 rows are too few, expected at least 2"),
        ("second,watt\n0,1\n10\n", ":3: 1 values, expected 2"),
        ("second,watt\n0,1\n10,\n", ":3: '' is no number"),
        ("second,watt\n0,1_5\n", ":2: '1_5' is no number"),
        ("second,watt\n0,1\n1_0,2\n", ":3: '1_0' is no number"),
        ("second,watt\n0,\u0663\n", ":2: '\u0663' is no number"),
        ("second,watt\n0,NaN\n", ":2: 'NaN' is no number"),
        ("second,watt\n0,1\n\n10,-inf\n", ":4: '-inf' is no number"),
        ("second,watt\n0,-3\n", ":2: -3 is not allowed, only 0 to 1e+07 W"),
        ("second,kw\n0,2e4\n", ":2: 2e4 is not allowed, only 0 to 1e+07 W"),
        ("second,watt\n0,1\n60,2\n60,3\n", ":4: 60 is not after the row above it"),
        ("second,watt\n0,1\n-1,2\n", ":3: second -1 is not allowed, only 0 to 316224000"),
        ("since,watt\nyesterday,1\n", ":2: 'yesterday' is no date and time, expected for example 2026-06-15T10:00"),
        ("since,watt\n0001-01-01T00:00+23:59,1\n", ":2: 0001-01-01T00:00+23:59: the year 1 is not allowed, only 1980 to"),
        ("since_utc,watt\n2026-06-15T00:00+02:00,1\n", ":2: 2026-06-15T00:00+02:00 is not in UTC, as the column 'since_utc'"),
        (
            "start,watt\n2026-06-15T00:00,1\n2026-06-15T00:15,1\n2026-06-15T00:45,1\n",
            ":4: 1800 s after the row above it, expected 900 s as at the start",
        ),
        ("start,watt\n2026-06-15T00:00,1\n2026-06-15T06:00,1\n", ": rows 21600 s apart are not allowed, only 1 to 3600 s"),
        ("time,watt\n2026-06-15T00:00:00,1\n2026-06-15T00:00:00.1,1\n", ": rows 0.1 s apart are not allowed"),
        (
            "time,watt\n2026-06-15T00:00,1\n2026-06-15T00:00:10,1\n2026-06-15T00:00:20,1\n2026-06-15T00:01:30,1\n",
            ":5: a gap of 70 s, expected at most 60 s",
        ),
        ("second,watt\n16380,0\n", "is from 2026-06-15 04:33 to 2026-06-15 04:33, and the run begins at 2026-06-15 00:00"),
        ("since,watt\n2013-06-15T00:00,1\n2013-06-15T00:01,1\n", "is from 2013-06-15 00:00 to 2013-06-15 00:01, and"),
        ('second,watt\n0,"1\n', ":2: not CSV: unexpected end of data"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_what_is_allowed(write: Write, text: str, words: str) -> None:
    path = write(text)
    with pytest.raises(WrongFile) as caught:
        read_powers(path, JUNE)
    assert words in str(caught.value) and str(caught.value).startswith(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "start,watt\n",
            "is no header of such a file, expected a time (start, start_utc or second), then eur_per_kwh or",
        ),
        ("start,chf_per_kwh\n", "then eur_per_kwh or eur_per_mwh or ct_per_kwh"),
        ("time,eur_per_kwh\n2026-06-15T00:00,1\n", ":1: 'time' is not allowed here"),
        ("second,eur_per_kwh\n0,1\n60,1\n", ": slots of 60 s are not allowed, only of 5, 10, 15, 20, 30, 60 minutes"),
        ("second,eur_per_kwh\n0,1\n3600,1001e1\n", ":3: 1001e1 is not allowed, only -1000 to 10000 EUR for a kWh"),
        (
            "second,eur_per_kwh\n0,1\n3600,1\n4500,2\n",
            ":4: 900 s after the row above it, expected 3600 s as at the start",
        ),
    ],
)
def test_wrong_prices(write: Write, text: str, words: str) -> None:
    with pytest.raises(WrongFile) as caught:
        read_prices(write(text), JUNE, unit="EUR")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("base", "time", "how_often"), [(AUTUMN, "2026-10-25T02:30", "twice"), (SPRING, "2026-03-29T02:30", "never")]
)
def test_a_time_that_the_clocks_make_unclear_needs_its_offset(
    write: Write, base: Timebase, time: str, how_often: str
) -> None:
    with pytest.raises(WrongFile, match=f":3: {time} is there {how_often} in Europe/Berlin.* expected an offset"):
        read_powers(write(f"since,watt\n{time[:10]}T00:00,1\n{time},2\n"), base)
    assert read_powers(write(f"since,watt\n{time[:10]}T00:00,1\n{time}+01:00,2\n"), base).rows


def test_what_is_no_file_of_text(tmp_path: Path) -> None:
    (tmp_path / "binary.csv").write_bytes(b"second,watt\n0,\xff\n")
    for name, words in (
        ("none.csv", "there is no such file"),
        ("", "this is a folder"),
        ("binary.csv", "not UTF-8"),
    ):
        with pytest.raises(WrongFile, match=words):
            read_powers(str(tmp_path / name), JUNE)


CELLS = st.sampled_from(
    [
        "0",
        "60",
        "1e3",
        "-5",
        "nan",
        "",
        '"',
        "2026-06-15T00:00",
        "2026-10-25T02:30",
        "9999-12-31T23:59-12:00",
        "12:00",
        "x",
    ]
) | st.text(max_size=6)
HEADS = st.sampled_from(["second", "since", "since_utc", "start", "start_utc", "time", "time_utc", "zeit"])
UNITS = st.sampled_from(["watt", "l1_kw", "eur_per_mwh", "ct_per_kwh", "x"])
TABLES = st.builds(
    lambda head, units, rows: "\n".join(",".join(cells) for cells in [[head, *units], *rows]),
    HEADS,
    st.lists(UNITS, min_size=1, max_size=2),
    st.lists(st.lists(CELLS, min_size=1, max_size=3), max_size=5),
)
ALWAYS_THE_SAME = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(text=TABLES | st.text(), is_price=st.booleans(), base=st.sampled_from([JUNE, AUTUMN, SPRING]))
@ALWAYS_THE_SAME
def test_any_text_is_rows_or_one_line_of_error(write: Write, text: str, is_price: bool, base: Timebase) -> None:
    path = write(text)
    try:
        found: Recorded = read_prices(path, base, unit="EUR") if is_price else read_powers(path, base)
    except WrongFile as error:
        assert str(error).startswith(path) and len(str(error).splitlines()) == 1
        return
    seconds = [row[0] for row in found.rows]
    assert seconds[0] == 0.0 and seconds == sorted(set(seconds))
    assert {len(row) for row in found.rows} == {1 + len(found.names)}
    assert is_price or all(0 <= watts <= 1e7 for _second, *values in found.rows for watts in values)


@given(rows=st.integers(2, 30), data=st.data())
@ALWAYS_THE_SAME
def test_of_several_wrong_lines_the_first_is_named(write: Write, rows: int, data: st.DataObject) -> None:
    wrong = data.draw(st.dictionaries(st.integers(0, rows - 1), st.sampled_from(["-1", "nan", "", "1,2"]), min_size=1))
    lines = [f"{60 * number},{wrong.get(number, '5')}" for number in range(rows)]
    with pytest.raises(WrongFile) as caught:
        read_powers(write("\n".join(["second,watt", *lines])), JUNE)
    assert f"own.csv:{min(wrong) + 2}: " in str(caught.value)


@given(
    begin_s=st.integers(-7200, 0),
    length_s=st.sampled_from([1, 10, 60, 900]),
    watts=st.lists(st.integers(0, 10_000), min_size=2, max_size=50),
)
@ALWAYS_THE_SAME
def test_however_a_moment_is_written_it_is_the_same(
    write: Write, begin_s: int, length_s: int, watts: list[int]
) -> None:
    moments = [JUNE.utc(begin_s + number * length_s) for number in range(len(watts))]

    def as_said(word: str, said: Callable[..., str]) -> object:
        text = "\n".join(
            [f"{word},watt", *(f"{said(each)},{power}" for each, power in zip(moments, watts, strict=True))]
        )
        try:
            return read_powers(write(text), JUNE).rows
        except WrongFile as error:
            return str(error)

    ways = [
        as_said("start", lambda each: each.isoformat()),
        as_said("start_utc", lambda each: each.replace(tzinfo=None).isoformat()),
        as_said("start", lambda each: each.astimezone(JUNE.zone).replace(tzinfo=None).isoformat()),
    ]
    assert ways[0] == ways[1] == ways[2]
