"""Values out of JSON by path, in the part of jq's language that devices need: ``.a.b[0]."c d"``, joined by ``|``.

Paths need no library. Longer programs run through the package ``jq`` when it is installed (extra ``jq``); without it they are
refused when the configuration is read, not when the first answer comes.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from collections.abc import Callable

from evcc_server.quoting import quoted

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]
Path = Callable[[JsonValue], JsonValue]

_STEP = re.compile(
    r"""\.?\[(?P<index>-?\d+)\]\??            # [0]
      | \.?\["(?P<key>[^"\\]*)"\]\??           # ["a b"]
      | \."(?P<quoted>[^"\\]*)"\??             # ."a b"
      | \.(?P<name>[A-Za-z_][A-Za-z0-9_]*)\??  # .a
    """,
    re.VERBOSE,
)
_CASTS: dict[str, Callable[[JsonValue], JsonValue]] = {}


class PathError(ValueError):
    """A path that cannot be read, or that does not fit the JSON at hand."""


@functools.lru_cache(maxsize=512)
def compile_path(path: str) -> Path:
    """A function from parsed JSON to the value at ``path``; "" and "." are the whole. Raises `PathError`."""
    steps: list[Callable[[JsonValue], JsonValue]] = []
    try:
        parts = _split_pipes(path)
        if len(parts) > 1 and "" in parts:
            raise PathError(f"{quoted(path)} is no path")
        for part in parts:
            steps += _compile_part(part)
    except PathError:
        return _compile_program(path)

    def follow(value: JsonValue) -> JsonValue:
        for step in steps:
            value = step(value)
        return value

    return follow


def read_path(text: str | bytes, path: str) -> JsonValue:
    """The value at ``path`` in the JSON ``text``; with an empty path a text that is no JSON is itself. Raises `PathError`."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", errors="replace")
    if not path:
        return text.strip()
    try:
        parsed: JsonValue = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PathError(f"no JSON: {quoted(text.strip()[:60])}") from error
    return compile_path(path)(parsed)


def _split_pipes(path: str) -> list[str]:
    parts, depth, start = [], False, 0
    for i, character in enumerate(path):
        if character == '"':
            depth = not depth
        elif character == "|" and not depth:
            parts.append(path[start:i].strip())
            start = i + 1
    parts.append(path[start:].strip())
    return parts


def _compile_part(part: str) -> list[Callable[[JsonValue], JsonValue]]:
    if part in ("", "."):
        return []
    if part in _CASTS:
        return [_CASTS[part]]
    if part.startswith("$."):
        part = part[1:]
    steps: list[Callable[[JsonValue], JsonValue]] = []
    position = 0
    while position < len(part):
        match = _STEP.match(part, position)
        if match is None:
            raise PathError(f"{quoted(part)} is no path")
        index = match["index"]
        if index is not None:
            steps.append(functools.partial(_item, int(index)))
        else:
            key = next(group for group in (match["key"], match["quoted"], match["name"]) if group is not None)
            steps.append(functools.partial(_field, key))
        position = match.end()
    return steps


def _field(key: str, value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return value.get(key)
    if value is None:
        return None
    raise PathError(f"no key {quoted(key)} in a {type(value).__name__}")


def _item(index: int, value: JsonValue) -> JsonValue:
    if isinstance(value, list):
        return value[index] if -len(value) <= index < len(value) else None
    if value is None:
        return None
    raise PathError(f"no item {index} in a {type(value).__name__}")


def _to_number(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError as error:
            raise PathError(f"{quoted(value)} is no number") from error
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise PathError(f"{quoted(value)} is no number")


def _to_text(value: JsonValue) -> JsonValue:
    return value if isinstance(value, str) else json.dumps(value)


def _not(value: JsonValue) -> JsonValue:
    return value is None or value is False


def _length(value: JsonValue) -> JsonValue:
    if isinstance(value, list | dict | str):
        return len(value)
    raise PathError(f"{quoted(value)} has no length")


_CASTS.update({"tonumber": _to_number, "tostring": _to_text, "not": _not, "length": _length})


def _compile_program(path: str) -> Path:
    if importlib.util.find_spec("jq") is None:
        raise PathError(f"{quoted(path)} is no plain path such as .a.b[0]; programs need evcclib's extra, [jq]")
    import jq

    try:
        program = jq.compile(path)
    except ValueError as error:
        raise PathError(f"{quoted(path)}: {str(error).splitlines()[0]}") from error

    def run(value: JsonValue) -> JsonValue:
        try:
            result: JsonValue = program.input_value(value).first()
        except (ValueError, StopIteration) as error:
            raise PathError(f"{quoted(path)}: {str(error).splitlines()[0] if str(error) else 'no result'}") from error
        return result

    return run
