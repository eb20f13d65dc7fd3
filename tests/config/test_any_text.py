"""Whatever the file holds, the answer is a configuration or a list of problems with lines; never another error."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_load import ENVIRONMENT, WHOLE

from evcc_server.config.load import parse_config
from evcc_server.config.model import Config
from evcc_server.config.problems import ConfigError

WORDS = [
    "",
    "~",
    "0",
    "-1",
    "1e400",
    ".nan",
    "true",
    "off",
    "[]",
    "{}",
    "[a]",
    "{a: b}",
    "5m",
    "'",
    "${X}",
    "*a",
    "&a x",
    "!!int x",
]
LINES = WHOLE.strip().splitlines()


def parsed(text: str) -> Config | ConfigError:
    try:
        return parse_config(text, environment=ENVIRONMENT)
    except ConfigError as error:
        assert error.problems
        count = len(text.splitlines()) + 1
        assert all(1 <= problem.line <= count for problem in error.problems), str(error)
        return error


@settings(max_examples=30, deadline=None)
@given(st.integers(0, len(LINES) - 1), st.sampled_from(WORDS), st.booleans())
def test_any_value_may_be_anything(number: int, word: str, drop: bool) -> None:
    key, colon, _ = LINES[number].partition(":")
    changed = [] if drop else [f"{key}{colon} {word}"]
    parsed("\n".join([*LINES[:number], *changed, *LINES[number + 1 :]]))


@pytest.mark.parametrize("long", ["9" * 5000, "no " * 2000, "x" * 5000])
def test_a_long_value_is_quoted_by_its_beginning(long: str) -> None:
    """In every place there is."""
    refused = 0
    for number, line in enumerate(LINES):
        key, colon, _ = line.partition(":")
        if not colon:
            continue
        found = parsed("\n".join([*LINES[:number], f'{key}{colon} "{long}"', *LINES[number + 1 :]]))
        for problem in found.problems if isinstance(found, ConfigError) else ():
            refused += 1
            assert long[:120] not in str(problem), line
            assert len(str(problem)) < 700, line
    assert refused > 50


@settings(max_examples=30, deadline=None)
@given(st.integers(0, len(WHOLE)), st.text(max_size=4), st.integers(0, 4))
def test_any_place_may_be_damaged(place: int, noise: str, cut: int) -> None:
    parsed(WHOLE[:place] + noise + WHOLE[place + cut :])


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    parsed(text)


HOSTILE = {
    "billion laughs": "a: &a [x, x]\n"
    + "".join(f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}]\n" for a, b in zip("abcdefghijkl", "bcdefghijklm", strict=True)),
    "very deep": "[" * 1100,
    "very deep mapping": "\n".join(" " * i + "a:" for i in range(500)),
    "two documents": "a: 1\n---\nb: 2\n",
    "tabs": "site:\n\tmeters: 1\n",
    "control characters": "site: \x00\x07",
    "a lone surrogate": "site: \ud800",
    "binary": "\x89PNG\r\n\x1a\n",
    "unknown tag": "site: !!python/object:os.system x\n",
    "numbers as keys": "1: 2\n[1, 2]: 3\n? {a: b}\n: 4\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_in_no_time(name: str) -> None:
    assert isinstance(parsed(HOSTILE[name]), ConfigError)
