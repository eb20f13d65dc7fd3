"""The little language in which profiles say how a value comes from registers.

    source  ::= sum ("|" sum)*              the first that is available
    sum     ::= ["-"] product (("+" | "-") product)*
    product ::= factor ("*" factor)*
    factor  ::= number | name["?"] | "$"parameter | function "(" sum ("," sum)* ")" | "(" source ")"

A name is a register's key; with ``?`` not available counts as 0, unless all of a sum is not available (``power? + 0`` is 0
then: right for an inverter that has nothing to say at night). Any other missing value makes the whole missing. Names may
contain dots, digits and underscores (``160.3.DCW``). Functions: ``min``, ``max``, ``abs``, ``negative(x)`` (1 below zero,
else 0), ``direction(x)`` (-1 below zero, else 1), ``bit(register, number)`` (1 or 0).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

FUNCTIONS = ("min", "max", "abs", "negative", "direction", "bit")

_TOKEN = re.compile(r"\s*(?:(\d+\.\d+(?![.\w])|\d+(?![.\w]))|([A-Za-z_0-9][\w.]*\??)|(\$\w+)|([-+*|(),]))")

Lookup = Callable[[str], float | None]


@dataclass(frozen=True, slots=True)
class _Number:
    value: float


@dataclass(frozen=True, slots=True)
class _Name:
    key: str
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class _Call:
    operator: str  # + * neg first, or a function
    operands: tuple[_Node, ...]


_Node = _Number | _Name | _Call
_Function = Callable[[Lookup], float | None]


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str] = []
        place, text = 0, text.rstrip()
        while place < len(text):
            match = _TOKEN.match(text, place)
            if match is None:
                raise ValueError(f"cannot read {text!r} at {text[place:]!r}")
            self._tokens.append(match.group().strip())
            place = match.end()
        self._place = 0

    def parse(self) -> _Node:
        node = self._source()
        if self._peek():
            raise ValueError(f"cannot read {self._text!r} at {self._peek()!r}")
        return node

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _take(self, *wanted: str) -> str:
        token = self._peek()
        if not token or (wanted and token not in wanted):
            raise ValueError(f"{self._text!r}: {' or '.join(wanted) or 'a value'} is missing at {token!r}")
        self._place += 1
        return token

    def _many(self, operator: str, sign: str, part: Callable[[], _Node]) -> _Node:
        parts = [part()]
        while self._peek() == sign:
            self._take()
            parts.append(part())
        return parts[0] if len(parts) == 1 else _Call(operator, tuple(parts))

    def _source(self) -> _Node:
        return self._many("first", "|", self._sum)

    def _sum(self) -> _Node:
        parts: list[_Node] = []
        sign = self._take() if self._peek() == "-" else "+"
        while True:
            part = self._many("*", "*", self._factor)
            parts.append(_Call("neg", (part,)) if sign == "-" else part)
            if self._peek() not in ("+", "-"):
                return parts[0] if len(parts) == 1 else _Call("+", tuple(parts))
            sign = self._take()

    def _factor(self) -> _Node:
        token = self._take()
        if token == "(":
            node = self._source()
            self._take(")")
            return node
        if token in FUNCTIONS and self._peek() == "(":
            self._take("(")
            operands = [self._sum()]
            while self._take(",", ")") == ",":
                operands.append(self._sum())
            return _Call(token, tuple(operands))
        if re.fullmatch(r"\d+(\.\d+)?", token):
            return _Number(float(token))
        if token in ("+", "-", "*", "|", ")", ","):
            raise ValueError(f"{self._text!r}: a value is missing at {token!r}")
        return _Name(token.rstrip("?"), token.endswith("?"))


@functools.lru_cache(maxsize=4096)
def _parsed(text: str) -> _Node:
    return _Parser(text).parse()


@functools.lru_cache(maxsize=4096)
def names_in(source: str) -> tuple[str, ...]:
    """Registers (and ``$parameters``) that ``source`` uses, each once. Raises `ValueError` for what cannot be read."""
    found: dict[str, None] = {}

    def walk(node: _Node) -> None:
        if isinstance(node, _Name):
            found[node.key] = None
        elif isinstance(node, _Call):
            for operand in node.operands:
                walk(operand)

    walk(_parsed(source))
    return tuple(found)


@functools.lru_cache(maxsize=4096)
def compiled(source: str) -> Callable[[Lookup], float | None]:
    """The value of ``source`` as a function of a lookup that gives each name's value, or None when it is not available.

    Raises `ValueError` for what cannot be read.
    """
    return _function(_parsed(source))


def _function(node: _Node) -> _Function:
    """``node`` as a function of the lookup: polls evaluate the same few formulas for years."""
    if isinstance(node, _Number):
        number = node.value
        return lambda _: number
    if isinstance(node, _Name):
        key = node.key
        return lambda lookup: lookup(key)
    operands = tuple((_function(operand), _is_optional(operand)) for operand in node.operands)
    operator = node.operator

    def first(lookup: Lookup) -> float | None:
        for operand, _ in operands:
            value = operand(lookup)
            if value is not None:
                return value
        return None

    def combined(lookup: Lookup) -> float | None:
        found: list[float] = []
        is_any_known = False
        for operand, is_optional in operands:
            value = operand(lookup)
            if value is None:
                if not is_optional:
                    return None
                found.append(0.0)
            else:
                is_any_known = True
                found.append(value)
        return _apply(operator, found) if is_any_known else None

    return first if operator == "first" else combined


def _is_optional(node: _Node) -> bool:
    if isinstance(node, _Call):
        return node.operator == "neg" and _is_optional(node.operands[0])
    return isinstance(node, _Name) and node.is_optional


def _apply(operator: str, values: list[float]) -> float:
    match operator:
        case "+":
            return sum(values)
        case "*":
            product = 1.0
            for value in values:
                product *= value
            return product
        case "neg":
            return -values[0]
        case "min":
            return min(values)
        case "abs":
            return abs(values[0])
        case "negative":
            return float(values[0] < 0)
        case "direction":
            return -1.0 if values[0] < 0 else 1.0
        case "bit":
            return float(int(values[0]) >> int(values[1]) & 1)
        case _:
            return max(values)
