"""Texts, numbers and truths of plugins; a formatted limit never exceeds the limit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcc_server.json_path import JsonValue
from evcc_server.texts.placeholders import filled_in
from evcc_server.texts.values import as_number, as_text, as_truth

VALUES: list[tuple[JsonValue, float | None, bool | None, str | None]] = [
    # value, number, truth, text
    ("1.5", 1.5, True, "1.5"),
    (" 7 ", 7, True, "7"),
    ("0", 0, False, "0"),
    ("true", None, True, "true"),
    ("Off", None, False, "Off"),
    ("", None, None, ""),
    ("nan", None, None, "nan"),
    ("charging", None, None, "charging"),
    (True, None, True, "true"),
    (0, 0, False, "0"),
    (2.0, 2, True, "2"),
    (10900.000000000002, 10900.000000000002, True, "10900"),
    (float("inf"), None, True, "inf"),
    (10**400, None, True, str(10**400)),
    (None, None, None, None),
    ([1], None, None, None),
    ({"a": 1}, None, None, None),
]


@pytest.mark.parametrize(("value", "number", "truth", "text"), VALUES, ids=lambda value: str(value)[:20])
def test_what_a_value_may_be_taken_for(
    value: JsonValue, number: float | None, truth: bool | None, text: str | None
) -> None:
    assert as_number(value) == number
    assert as_truth(value) == truth
    assert as_text(value) == text


TEXTS = [
    ("amps=${maxcurrent}", 10.5, 1.0, "amps=10.5"),
    ("${maxCurrent:%d}", 10.9, 1.0, "10"),
    ("${maxcurrent:%.1f}", 10.96, 1.0, "10.9"),
    ("${maxcurrent:%.0f}", 10.96, 1.0, "10"),
    ("${maxcurrent:%.1f}", 0.3, 1.0, "0.3"),  # 0.3 is a hair below 0.3
    ("${maxcurrent:%d}", 10.9, 1000.0, "10900"),
    ("${maxcurrent:%f}", 6.5, 1.0, "6.500000"),
    ("${maxcurrent:%s} ${other}", 6.5, 1.0, "6.5 ${other}"),
    ("${maxcurrent:%t}", True, 1.0, "true"),
    ("${maxcurrent}", False, 5.0, "false"),
    ("${maxcurrent:%d}", True, 5.0, "1"),
]


@pytest.mark.parametrize(("text", "value", "scale", "expected"), TEXTS, ids=[t[0] for t in TEXTS])
def test_placeholders(text: str, value: JsonValue, scale: float, expected: str) -> None:
    assert filled_in(text, "maxcurrent", value, scale) == expected


@given(st.floats(0, 80), st.sampled_from(["%d", "%f", "%.0f", "%.1f", "%.2f", "%.3f", "%v", "%s"]))
def test_a_limit_is_never_exceeded_by_its_spelling(limit: float, pattern: str) -> None:
    spelled = float(filled_in(f"${{maxcurrent:{pattern}}}", "maxcurrent", limit))
    assert limit - 1 < spelled <= limit + 1e-6
