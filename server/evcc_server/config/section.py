"""Reads one table of the tree into typed values, noting every problem instead of stopping at the first.

A value that is wrong yields its default, so that reading goes on; the caller raises the collected problems at the end.
Keys that nobody asked for are unknown: `Section.close` reports them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import TypeVar, overload

from evcc_server.config.durations import parse_duration
from evcc_server.config.problems import Problem, expected_one_of, nearest
from evcc_server.config.yaml_nodes import Entry, Items, Node, Scalar, Table
from evcc_server.quoting import quoted
from evcc_server.secrets import is_secret
from evcc_server.settings import number_in
from evcclib.errors import InvalidSetting
from evcclib.settings import Kind, SettingSpec, SettingValue

T = TypeVar("T")
E = TypeVar("E", bound=Enum)

_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})
_PLACEHOLDER = re.compile(r"\$\{\w+|\{\{")


@dataclass(slots=True)
class Findings:
    """What reading a file brought to light, shared by all its sections."""

    file: str
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)  # every key that would have been accepted somewhere

    def problem(self, line: int, key: str, message: str) -> None:
        self.problems.append(Problem(self.file, line, key, message))

    def warn(self, line: int, key: str, message: str) -> None:
        self.warnings.append(Problem(self.file, line, key, message))


class Section:
    """A table being read. ``path`` is its place in the file, "" for the root."""

    def __init__(self, table: Table, path: str, findings: Findings) -> None:
        self.path = path
        self.line = table.line
        self.findings = findings
        self._entries: Mapping[str, Entry] = {entry.key.casefold(): entry for entry in table.entries}
        self._asked: dict[str, str] = {}

    # -- what is there ------------------------------------------------------------------------------------------------

    def has(self, key: str) -> bool:
        """Whether ``key`` is present and not empty."""
        entry = self._entries.get(key.casefold())
        return entry is not None and not (isinstance(entry.value, Scalar) and entry.value.is_null)

    def node(self, *keys: str) -> Node | None:
        """The node under the first of ``keys`` that is present; all of them count as known from now on."""
        found: Node | None = None
        for key in dict.fromkeys(key.casefold() for key in keys):
            spelling = next(spelling for spelling in keys if spelling.casefold() == key)
            self._asked.setdefault(key, spelling)
            self.findings.keys.add(spelling)
            entry = self._entries.get(key.casefold())
            if entry is None or (isinstance(entry.value, Scalar) and entry.value.is_null):
                continue
            if found is None:
                found = entry.value
            else:
                self.findings.problem(entry.line, self.place(entry.key), f"the same as {keys[0]}, give only one")
        return found

    def place(self, key: str) -> str:
        """The path of ``key`` in this section."""
        return f"{self.path}.{key}" if self.path else key

    def line_of(self, key: str) -> int:
        """Where ``key`` stands, or where the section starts."""
        entry = self._entries.get(key.casefold())
        return entry.line if entry else self.line

    def names(self) -> tuple[str, ...]:
        """The keys as written."""
        return tuple(entry.key for entry in self._entries.values())

    def problem(self, key: str, message: str) -> None:
        """Something is wrong with ``key``."""
        self.findings.problem(self.line_of(key), self.place(key) if key else self.path, message)

    def warn(self, key: str, message: str) -> None:
        """``key`` is accepted, but the owner should know something."""
        self.findings.warn(self.line_of(key), self.place(key) if key else self.path, message)

    def close(self, *, ignored: Mapping[str, str] | None = None, unsupported: Mapping[str, str] | None = None) -> None:
        """Report keys nobody asked for. ``ignored`` only warn, ``unsupported`` say why they are refused."""
        for folded, entry in self._entries.items():
            if folded in self._asked:
                continue
            if ignored and folded in ignored:
                self.warn(entry.key, ignored[folded])
            elif unsupported and folded in unsupported:
                if self.has(entry.key):  # an empty section asks for nothing
                    self.problem(entry.key, unsupported[folded])
            else:
                self.problem(entry.key, f"unknown key, {_suggestion(entry.key, self._asked.values())}")

    def close_quietly(self) -> None:
        """Nothing below needs reporting: the section could not be understood as a whole."""
        self._asked |= {folded: entry.key for folded, entry in self._entries.items()}

    # -- single values ------------------------------------------------------------------------------------------------

    def _scalar(self, keys: tuple[str, ...], allowed: str) -> Scalar | None:
        node = self.node(*keys)
        if node is None:
            return None
        if isinstance(node, Scalar):
            if is_secret(keys[0]) and node.text:
                self.findings.secrets.add(node.text)
                if _PLACEHOLDER.search(node.text):
                    self.warn(
                        self._present(keys),
                        "taken as it stands, with ${ } or {{ }}; an environment variable is ${NAME}, in capital letters",
                    )
            return node
        self.problem(self._present(keys), f"expected {allowed}, not a {_kind(node)}")
        return None

    def _present(self, keys: tuple[str, ...]) -> str:
        for key in keys:
            entry = self._entries.get(key.casefold())
            if entry is not None:
                return entry.key
        return keys[0]

    def _wrong(self, keys: tuple[str, ...], scalar: Scalar, allowed: str) -> None:
        shown = "the value" if is_secret(keys[0]) else quoted(scalar.raw)
        self.findings.problem(
            scalar.line, self.place(self._present(keys)), f"{shown} is not allowed, expected {allowed}"
        )

    @overload
    def text(self, *keys: str) -> str | None: ...
    @overload
    def text(self, *keys: str, default: str) -> str: ...
    def text(self, *keys: str, default: str | None = None) -> str | None:
        """A word or a sentence."""
        scalar = self._scalar(keys, "a text")
        return default if scalar is None else scalar.text

    def required_text(self, *keys: str, allowed: str = "a text") -> str:
        """As `text`, but it must be there and not be empty."""
        value = self.text(*keys)
        if value:
            return value
        if value is not None or self.node(*keys) is None:
            self.problem(keys[0], f"missing, expected {allowed}")
        return ""

    @overload
    def number(self, *keys: str, low: float = ..., high: float = ..., unit: str = ...) -> float | None: ...
    @overload
    def number(self, *keys: str, default: float, low: float = ..., high: float = ..., unit: str = ...) -> float: ...
    def number(
        self,
        *keys: str,
        default: float | None = None,
        low: float = -math.inf,
        high: float = math.inf,
        unit: str = "",
    ) -> float | None:
        """A finite number from ``low`` to ``high``."""
        allowed = _range("a number", low, high, unit)
        scalar = self._scalar(keys, allowed)
        if scalar is None:
            return default
        try:
            value = float(scalar.text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and low <= value <= high) or "_" in scalar.text:
            self._wrong(keys, scalar, allowed)
            return default
        return value

    @overload
    def integer(self, *keys: str, low: int = ..., high: int = ..., unit: str = ...) -> int | None: ...
    @overload
    def integer(self, *keys: str, default: int, low: int = ..., high: int = ..., unit: str = ...) -> int: ...
    def integer(
        self,
        *keys: str,
        default: int | None = None,
        low: int = -(2**63),
        high: int = 2**63,
        unit: str = "",
    ) -> int | None:
        """A whole number from ``low`` to ``high``; ``0x`` numbers are read too."""
        allowed = _range("a whole number", low, high, unit)
        scalar = self._scalar(keys, allowed)
        if scalar is None:
            return default
        text = scalar.text.strip()
        try:
            value = int(text, 16) if text.lower().startswith("0x") else int(text, 10)
        except ValueError:
            self._wrong(keys, scalar, allowed)
            return default
        if not low <= value <= high or "_" in text:
            self._wrong(keys, scalar, allowed)
            return default
        return value

    def boolean(self, *keys: str, default: bool) -> bool:
        """true or false."""
        scalar = self._scalar(keys, "true or false")
        if scalar is None:
            return default
        folded = scalar.text.strip().casefold()
        if folded in _TRUE or folded in _FALSE:
            return folded in _TRUE
        self._wrong(keys, scalar, "true or false")
        return default

    @overload
    def duration(self, *keys: str, low: timedelta = ...) -> timedelta | None: ...
    @overload
    def duration(self, *keys: str, default: timedelta, low: timedelta = ...) -> timedelta: ...
    def duration(self, *keys: str, default: timedelta | None = None, low: timedelta = timedelta(0)) -> timedelta | None:
        """A duration with its unit, such as ``90s`` or ``1m30s``, at least ``low``."""
        allowed = "a duration such as 90s or 1m30s"
        scalar = self._scalar(keys, allowed)
        if scalar is None:
            return default
        try:
            value = parse_duration(scalar.text)
        except ValueError:
            self._wrong(keys, scalar, allowed)
            return default
        if value < low:
            self._wrong(keys, scalar, f"at least {low.total_seconds():g}s")
            return default
        return value

    @overload
    def choice(self, key: str, of: type[E]) -> E | None: ...
    @overload
    def choice(self, key: str, of: type[E], *, default: E) -> E: ...
    def choice(self, key: str, of: type[E], *, default: E | None = None) -> E | None:
        """One of the values of the enumeration ``of``, in any case."""
        by_value = {str(member.value).casefold(): member for member in of}
        scalar = self._scalar((key,), "a word")
        if scalar is None:
            return default
        found = by_value.get(scalar.text.strip().casefold())
        if found is None:
            words = [str(member.value) for member in of if str(member.value)]
            self._wrong((key,), scalar, f"one of {', '.join(words)}")
            return default
        return found

    def setting(self, key: str, spec: SettingSpec) -> SettingValue:
        """What evcclib takes for a value of the setting ``spec``, in its own words if it does not; None without."""
        allowed = f"{spec.allowed}, such as 90s or 1m30s" if spec.kind is Kind.DURATION else spec.allowed
        scalar = self._scalar((key,), allowed)
        if scalar is None:
            return None
        try:
            return spec.judged(_setting_value(spec.kind, scalar.text.strip()))
        except InvalidSetting as error:
            refused = InvalidSetting(error.setting, scalar.raw, allowed, error.problem)
            self.findings.problem(scalar.line, self.place(self._present((key,))), str(refused))
            return None

    def word(self, key: str, allowed: Iterable[str], *, default: str | None = None) -> str | None:
        """One of ``allowed``, in any case, as ``allowed`` spells it."""
        by_folded = {word.casefold(): word for word in allowed}
        scalar = self._scalar((key,), "a word")
        if scalar is None:
            return default
        found = by_folded.get(scalar.text.strip().casefold())
        if found is None:
            self.findings.problem(
                scalar.line,
                self.place(self._present((key,))),
                f"{quoted(scalar.raw)} is not known, {expected_one_of(scalar.raw, by_folded.values())}",
            )
            return default
        return found

    # -- tables and lists ---------------------------------------------------------------------------------------------

    def section(self, *keys: str) -> Section | None:
        """The table under ``keys``."""
        node = self.node(*keys)
        if node is None:
            return None
        if isinstance(node, Table):
            return Section(node, self.place(self._present(keys)), self.findings)
        self.problem(self._present(keys), f"expected a mapping (key: value), not a {_kind(node)}")
        return None

    def sections(self, *keys: str) -> tuple[Section, ...]:
        """The tables of the list under ``keys``; a single table counts as a list of one."""
        node = self.node(*keys)
        if node is None:
            return ()
        key = self._present(keys)
        if isinstance(node, Table):
            return (Section(node, self.place(key), self.findings),)
        if isinstance(node, Scalar):
            self.problem(key, "expected a list (- key: value), not a value")
            return ()
        found: list[Section] = []
        for i, item in enumerate(node.items):
            place = f"{self.place(key)}[{i}]"
            if isinstance(item, Table):
                found.append(Section(item, place, self.findings))
            else:
                self.findings.problem(item.line, place, f"expected a mapping (key: value), not a {_kind(item)}")
        return tuple(found)

    def texts(self, *keys: str) -> tuple[str, ...]:
        """The words of the list under ``keys``; a single word counts as a list of one."""
        return tuple(self._texts(keys))

    def _texts(self, keys: tuple[str, ...]) -> list[str]:
        node = self.node(*keys)
        match node:
            case None:
                return []
            case Scalar(text=text):
                return [text]
            case Items(items=items):
                words: list[str] = []
                for i, item in enumerate(items):
                    if isinstance(item, Scalar) and not item.is_null:
                        words.append(item.text)
                    else:
                        place = f"{self.place(self._present(keys))}[{i}]"
                        self.findings.problem(item.line, place, "expected a word")
                return words
            case Table():
                self.problem(self._present(keys), "expected a word or a list of words, not a mapping")
                return []

    def pairs(self, key: str) -> Mapping[str, str]:
        """The table under ``key`` with words as values, such as HTTP headers; a list of tables counts as one."""
        values: dict[str, str] = {}
        for section in self.sections(key):
            values |= {name: section.text(name, default="") for name in section.names()}
            section.close()
        return values

    def each(self, key: str, read: Callable[[Section], T]) -> tuple[T, ...]:
        """``read`` every table of the list under ``key``."""
        return tuple(read(section) for section in self.sections(key))


def _setting_value(kind: Kind, text: str) -> SettingValue | str:
    """What ``text`` says; the text itself if it says nothing."""
    match kind:
        case Kind.MODE:
            return text
        case Kind.DURATION:
            try:
                return parse_duration(text)
            except ValueError:
                return text
        case _:
            number = number_in(text)
            return text if number is None else number


def _suggestion(key: str, known: Iterable[str]) -> str:
    known = list(known)
    near = nearest(key, known)
    return f"did you mean {near}?" if near else f"allowed here: {', '.join(known)}"


def _range(what: str, low: float, high: float, unit: str) -> str:
    unit = f" {unit}" if unit else ""
    if math.isfinite(low) and math.isfinite(high) and abs(low) < 2**62 and abs(high) < 2**62:
        return f"{what} from {low:g} to {high:g}{unit}"
    if math.isfinite(low) and abs(low) < 2**62:
        return f"{what}, at least {low:g}{unit}"
    return f"{what}{unit}"


def _kind(node: Node) -> str:
    match node:
        case Table():
            return "mapping"
        case Items():
            return "list"
        case Scalar():
            return "value"
