"""Durations in Go's notation."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcc_server.config.durations import format_duration, parse_duration

KNOWN = [
    ("90s", 90),
    ("1m30s", 90),
    ("1.5h", 5400),
    ("1h2m3s", 3723),
    ("250ms", 0.25),
    ("0", 0),
    (" 5m ", 300),
    ("0s", 0),
]


@pytest.mark.parametrize(("text", "seconds"), KNOWN)
def test_known_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "5x", "-5m", "5 m", "1h-2m", "1e3s", "٣s", "99999999h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        parse_duration(text)


@given(st.integers(0, 10 * 86_400).map(lambda seconds: timedelta(seconds=seconds)))
def test_what_is_written_is_read_back(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        assert parse_duration(text) >= timedelta(0)
    except ValueError:
        return
