"""YAML text to a tree of nodes that remember their line.

YAML 1.2 through ruamel's composer: scalars stay text until someone knows what they should be, so ``mode: off`` is a word,
``title: 0123`` keeps its zero, and every error can name its line. Keys are compared without regard to case; a key given twice
is an error. ``${NAME}`` (capital letters) is replaced from the environment; lower-case placeholders such as ``${enable}``
belong to plugins and stay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from evcc_server.config.problems import ConfigError, Problem

_NULL_TAG = "tag:yaml.org,2002:null"
_VARIABLE = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)(?::-([^}]*))?\}")
_NODES_MAX = 100_000
_QUOTE_TEMPLATES = "put a text with {{ }} in quotes"


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value. ``raw`` is the text before environment variables were filled in: the only form fit for an error message."""

    text: str
    line: int
    raw: str
    is_null: bool = False
    is_quoted: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its value; ``line`` is the key's."""

    key: str
    line: int
    value: Node


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping, in file order."""

    entries: tuple[Entry, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Items:
    """A sequence."""

    items: tuple[Node, ...]
    line: int


Node = Scalar | Table | Items


def read_document(text: str, name: str, environment: Mapping[str, str]) -> Node:
    """The tree of ``text``; an empty file is an empty table. Raises `ConfigError`."""
    yaml = YAML(typ="safe", pure=True)
    try:
        root = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = error.problem or error.context or "not readable"
        line = "".join(text.splitlines()[mark.line : mark.line + 1]) if mark else ""
        if "{{" in line:
            reason += f"; {_QUOTE_TEMPLATES}"
        elif "${" in line:
            reason += "; put ${NAME} in quotes where it stands inside { } or [ ]"
        raise ConfigError([Problem(name, mark.line + 1 if mark else 1, "", f"YAML: {reason}")]) from error
    except RecursionError as error:
        raise ConfigError([Problem(name, 1, "", "YAML: nested too deeply")]) from error
    except (YAMLError, ValueError) as error:
        raise ConfigError([Problem(name, 1, "", f"YAML: {str(error).splitlines()[0]}")]) from error
    if root is None:
        return Table((), 1)
    problems: list[Problem] = []
    try:
        node = _Reader(name, environment, problems).node(root, "")
    except RecursionError as error:
        raise ConfigError([Problem(name, 1, "", "nested too deeply")]) from error
    if problems:
        raise ConfigError(problems)
    return node


class _Reader:
    """Turns ruamel's nodes into ours, collecting problems on the way."""

    def __init__(self, file: str, environment: Mapping[str, str], problems: list[Problem]) -> None:
        self._file = file
        self._environment = environment
        self._problems = problems
        self._open: set[int] = set()
        self._count = 0

    def node(self, source: object, path: str) -> Node:
        assert isinstance(source, ScalarNode | SequenceNode | MappingNode)
        line: int = source.start_mark.line + 1
        self._count += 1
        if id(source) in self._open or self._count > _NODES_MAX:
            if self._count <= _NODES_MAX + 1:
                self._problem(line, path, "an alias that contains itself, or too many values")
            return Table((), line)
        if isinstance(source, ScalarNode):
            return self._scalar(source, line, path)
        self._open.add(id(source))
        try:
            if isinstance(source, SequenceNode):
                children = tuple(self.node(child, f"{path}[{i}]") for i, child in enumerate(source.value))
                return Items(children, line)
            return Table(self._entries(source, path), line)
        finally:
            self._open.discard(id(source))

    def _entries(self, source: MappingNode, path: str) -> tuple[Entry, ...]:
        entries: dict[str, Entry] = {}
        merged: list[Entry] = []
        for key_node, value_node in source.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                hint = f"; {_QUOTE_TEMPLATES}" if isinstance(key_node, MappingNode) and key_node.flow_style else ""
                self._problem(line, path, f"a key must be a word{hint}")
                continue
            key: str = key_node.value
            child_path = f"{path}.{key}" if path else key
            if key == "<<":
                merged += self._merged(value_node, path)
                continue
            first = entries.get(key.casefold())
            if first is not None:
                self._problem(line, child_path, f"key given twice, first in line {first.line}")
                continue
            entries[key.casefold()] = Entry(key, line, self.node(value_node, child_path))
        for entry in merged:
            entries.setdefault(entry.key.casefold(), entry)
        return tuple(entries.values())

    def _merged(self, source: object, path: str) -> list[Entry]:
        node = self.node(source, path)
        if isinstance(node, Scalar):
            self._problem(node.line, path, "<< must name a mapping")
            return []
        tables = (node,) if isinstance(node, Table) else node.items
        return [entry for table in tables if isinstance(table, Table) for entry in table.entries]

    def _scalar(self, source: ScalarNode, line: int, path: str) -> Scalar:
        raw: str = source.value
        is_quoted = source.style in ("'", '"', "|", ">")
        if not is_quoted and source.tag == _NULL_TAG:
            return Scalar("", line, "", is_null=True)
        return Scalar(self._with_environment(raw, line, path), line, raw, is_quoted=is_quoted)

    def _with_environment(self, raw: str, line: int, path: str) -> str:
        def value(match: re.Match[str]) -> str:
            default: str | None = match[2]
            found = self._environment.get(match[1], default)
            if found is None:
                self._problem(line, path, f"environment variable {match[1]} is not set")
            return found or ""

        return _VARIABLE.sub(value, raw)

    def _problem(self, line: int, path: str, message: str) -> None:
        self._problems.append(Problem(self._file, line, path, message))
