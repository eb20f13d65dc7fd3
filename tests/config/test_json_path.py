"""The part of jq that needs no library; longer programs agree with jq itself."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcc_server.json_path import JsonValue, PathError, compile_path, read_path

DOCUMENT = '{"a": {"b": [10, {"c d": "x"}]}, "n": null, "t": true, "s": "1.5", "e-f": 7}'

FOUND = [
    ("", DOCUMENT),
    (".", json.loads(DOCUMENT)),
    (".a.b[0]", 10),
    (".a.b[-2]", 10),
    ('.a.b[1]."c d"', "x"),
    ('.a["b"][1]["c d"]', "x"),
    ('."e-f"', 7),
    (".n", None),
    (".n.x", None),
    (".missing", None),
    (".a.b[9]", None),
    (".t", True),
    (".t | not", False),
    (".s | tonumber", 1.5),
    (".a | .b | length", 2),
    ("$.a.b[0]", 10),
]


@pytest.mark.parametrize(("path", "value"), FOUND)
def test_paths(path: str, value: JsonValue) -> None:
    assert read_path(DOCUMENT, path) == value


@pytest.mark.parametrize("path", [".t.x", ".a.b.c", ".s | length | .x", ".t | tonumber", ".a.b[1] | tonumber"])
def test_a_path_that_does_not_fit_is_an_error(path: str) -> None:
    with pytest.raises(PathError):
        read_path(DOCUMENT, path)


@pytest.mark.parametrize("path", [".a.b | add", ".a.b[0] * 2", "if .t then 1 else 2 end", ".a[]", ".a.b[0] as $x | $x"])
def test_programs_run_through_jq(path: str) -> None:
    jq = pytest.importorskip("jq")
    document = '{"a": {"b": [10, 20]}, "t": true}'
    if path == ".a[]":
        document = '{"a": [1, 2]}'
    assert read_path(document, path) == jq.compile(path).input_text(document).first()


def test_a_program_with_a_mistake_is_refused_when_it_is_read() -> None:
    with pytest.raises(PathError):
        compile_path(".a | |")


KEYS = st.text("abcxyz", min_size=1, max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-100, 100) | st.text("abc", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)
STEPS = st.lists(KEYS.map(lambda key: f".{key}") | st.integers(-2, 2).map(lambda i: f"[{i}]"), min_size=1, max_size=4)


@given(JSON, STEPS)
def test_paths_agree_with_jq(document: JsonValue, steps: list[str]) -> None:
    jq = pytest.importorskip("jq")
    path = "".join(steps)
    path = path if path.startswith(".") else f".{path}"
    try:
        ours = read_path(json.dumps(document), path)
    except PathError:
        with pytest.raises(ValueError, match="annot"):
            jq.compile(path).input_value(document).first()
        return
    assert ours == jq.compile(path).input_value(document).first()
