"""The part of Go's text templates that configuration files use: ``{{ if .enable }}on{{ else }}off{{ end }}``.

A template is compiled when the file is read, so that whatever cannot be evaluated here is refused then and is never sent to a
device as it stands: variables, loops and definitions are not known, functions are those of `go_functions.FUNCTIONS`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from evcc_server.json_path import JsonValue
from evcc_server.quoting import quoted
from evcc_server.texts.go_functions import FUNCTIONS, METHODS, TemplateError, Value, is_true, text_of

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<end>-?\}\})
      | (?P<text>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
      | (?P<number>-?\d+(?:\.\d+)?(?!\w))
      | (?P<field>(?:\.[A-Za-z_]\w*)+)
      | (?P<word>[A-Za-z_]\w*)
      | (?P<mark>[().|])
    )""",
    re.VERBOSE,
)
_COMMENT = re.compile(r"(?:\s*\{\{-\s+|\{\{)/\*.*?\*/(?:\s+-\}\}\s*|\}\})", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}
_CONSTANTS: Mapping[str, Value] = {"true": True, "false": False, "nil": None}
_DEPTH_MAX = 20


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    is_adjacent: bool  # nothing is between it and the one before


@dataclass(frozen=True, slots=True)
class _Scope:
    """What an expression sees: the fields by name in lower case, and the time."""

    fields: Mapping[str, JsonValue]
    now: datetime


_Expression = Callable[[_Scope], Value]
_Arguments = tuple[_Expression, ...]
_Part = str | list[_Token]
_Write = Callable[[_Scope], str]


@dataclass(frozen=True, slots=True)
class _Operand:
    """A value, or a function that still wants its arguments."""

    make: Callable[[_Arguments], _Expression]
    is_function: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template; ``fields`` are the names that it asks for, in lower case, "" for the bare dot."""

    fields: frozenset[str]
    _write: _Write

    def fill(self, fields: Mapping[str, JsonValue], now: datetime) -> str:
        """The text for these values. Raises `TemplateError`."""
        return self._write(_Scope({name.casefold(): value for name, value in fields.items()}, now))


@functools.lru_cache(maxsize=512)
def compile_template(text: str) -> Template:
    """``text`` as a template; without ``{{`` it is itself. Raises `TemplateError`."""
    parser = _Parser(_parts(text))
    write = parser.block(until=())
    return Template(frozenset(parser.fields), write)


def _parts(text: str) -> list[_Part]:
    """Plain texts and the tokens of the actions between them; ``{{-`` and ``-}}`` have taken the blanks beside them."""
    text = _COMMENT.sub("", text)
    parts: list[_Part] = []
    position, trims_next = 0, False
    while True:
        start = text.find("{{", position)
        plain = text[position:] if start < 0 else text[position:start]
        trims = start >= 0 and re.match(r"\{\{-\s", text[start : start + 4]) is not None
        plain = plain.lstrip() if trims_next else plain
        parts.append(plain.rstrip() if trims else plain)
        if start < 0:
            return parts
        tokens, position, trims_next = _action(text, start + (3 if trims else 2))
        parts.append(tokens)


def _action(text: str, position: int) -> tuple[list[_Token], int, bool]:
    tokens: list[_Token] = []
    while True:
        match = _TOKEN.match(text, position)
        if match is None:
            rest = text[position : position + 20].strip()
            raise TemplateError(f"{quoted(rest)} is not understood here" if rest else "{{ without }}")
        kind = str(match.lastgroup)
        position = match.end()
        if kind == "end":
            return tokens, position, match[kind].startswith("-")
        tokens.append(_Token(kind, match[kind], match.start(kind) == match.start()))


class _Parser:
    """Makes functions of parts; ``fields`` collects the names on the way."""

    def __init__(self, parts: Sequence[_Part]) -> None:
        self._parts = parts
        self._at = 0
        self._tokens: list[_Token] = []
        self._depth = 0
        self.fields: set[str] = set()

    # -- texts and actions ------------------------------------------------------------------------------------------------

    def block(self, until: tuple[str, ...]) -> _Write:
        """Everything up to an action that begins with one of ``until``, which is left as the present one."""
        written: list[_Write] = []
        while self._at < len(self._parts):
            part = self._parts[self._at]
            self._at += 1
            if isinstance(part, str):
                written.append(functools.partial(_plain, part))
                continue
            self._tokens = list(part)
            word = self._peek().text if self._tokens and self._peek().kind == "word" else ""
            if word in until:
                return functools.partial(_all, tuple(written))
            written.append(self._branches() if word == "if" else self._shown(word))
        if until:
            raise TemplateError("{{ if }} without {{ end }}")
        return functools.partial(_all, tuple(written))

    def _shown(self, word: str) -> _Write:
        if word in ("else", "end"):
            raise TemplateError(f"{{{{ {word} }}}} without {{{{ if }}}}")
        return functools.partial(_text, self._whole_pipeline())

    def _branches(self) -> _Write:
        """``if``, any number of ``else if``, ``else``, ``end``; the present action is the one with ``if``."""
        self._tokens.pop(0)
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise TemplateError("nested too deeply")
        condition = self._whole_pipeline()
        then = self.block(until=("else", "end"))
        otherwise: _Write = functools.partial(_plain, "")
        if self._tokens.pop(0).text == "else":
            if self._tokens and self._peek().text == "if":
                otherwise = self._branches()
            else:
                self._nothing_left()
                otherwise = self.block(until=("end",))
                self._tokens.pop(0)
        self._nothing_left()
        self._depth -= 1
        return functools.partial(_either, condition, then, otherwise)

    # -- expressions ------------------------------------------------------------------------------------------------------

    def _whole_pipeline(self) -> _Expression:
        expression = self._pipeline()
        self._nothing_left()
        return expression

    def _nothing_left(self) -> None:
        if self._tokens:
            raise TemplateError(f"{quoted(self._peek().text)} is not understood here")

    def _pipeline(self) -> _Expression:
        expression = self._command(None)
        while self._tokens and self._peek().text == "|":
            self._tokens.pop(0)
            expression = self._command(expression)
        return expression

    def _command(self, piped: _Expression | None) -> _Expression:
        """A function with what it is given, the value before the ``|`` last; or one value."""
        if not self._tokens:
            raise TemplateError("something is missing in {{ }}")
        first = self._operand()
        arguments: list[_Expression] = []
        while self._tokens and self._peek().text not in ("|", ")"):
            arguments.append(self._operand().make(()))
        if piped is not None:
            arguments.append(piped)
        if arguments and not first.is_function:
            raise TemplateError("only a function takes what stands behind it or before |")
        return first.make(tuple(arguments))

    def _operand(self) -> _Operand:
        token = self._tokens.pop(0)
        if token.text == "(" and token.kind == "mark":
            return self._parenthesis()
        if token.kind == "word" and token.text not in _CONSTANTS:
            if token.text not in FUNCTIONS:
                known = ", ".join(sorted(FUNCTIONS))
                raise TemplateError(f"{quoted(token.text)} is not known, there are if, else, end, {known}")
            return self._method(_Operand(functools.partial(_called, token.text), is_function=True))
        return _value(self._constant_or_field(token))

    def _constant_or_field(self, token: _Token) -> _Expression:
        match token.kind:
            case "text" | "number":
                return functools.partial(_constant, _literal(token))
            case "word":
                return functools.partial(_constant, _CONSTANTS[token.text])
            case "field":
                self.fields.add(token.text[1:].casefold())
                return functools.partial(_field, token.text[1:].casefold())
            case _ if token.text == ".":
                self.fields.add("")
                return functools.partial(_field, "")
        raise TemplateError(f"{quoted(token.text)} is not understood here")

    def _parenthesis(self) -> _Operand:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise TemplateError("nested too deeply")
        inner = self._pipeline()
        if not self._tokens or self._tokens.pop(0).text != ")":
            raise TemplateError("( without )")
        self._depth -= 1
        return self._method(_value(inner))

    def _method(self, operand: _Operand) -> _Operand:
        """``operand``, or its methods where they stand right behind; the last one takes the arguments."""
        if not (self._tokens and self._peek().kind == "field" and self._peek().is_adjacent):
            return operand
        names = self._tokens.pop(0).text[1:].split(".")
        for name in names:
            if name not in METHODS:
                raise TemplateError(f"{quoted(name)} is not known, a time has {', '.join(sorted(METHODS))}")
        receiver = operand.make(())
        for name in names[:-1]:
            receiver = _of(name, receiver, ())
        return _Operand(functools.partial(_of, names[-1], receiver), is_function=True)

    def _peek(self) -> _Token:
        return self._tokens[0]


def _literal(token: _Token) -> Value:
    if token.kind == "number":
        return float(token.text) if "." in token.text else int(token.text)
    inner = token.text[1:-1]
    if token.text.startswith("`"):
        return inner
    return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[0]), inner)


def _value(expression: _Expression) -> _Operand:
    return _Operand(lambda _arguments: expression)


def _constant(value: Value, _scope: _Scope) -> Value:
    return value


def _field(name: str, scope: _Scope) -> Value:
    try:
        return scope.fields[name]
    except KeyError:
        raise TemplateError(f".{name} is not known here") from None


def _called(name: str, arguments: _Arguments) -> _Expression:
    function = FUNCTIONS[name]
    if not function.least <= len(arguments) <= function.most:
        wanted = str(function.least) if function.least == function.most else f"at least {function.least}"
        raise TemplateError(f"{name} takes {wanted} values, not {len(arguments)}")
    return lambda scope: function.call(scope.now, *(argument(scope) for argument in arguments))


def _of(name: str, receiver: _Expression, arguments: _Arguments) -> _Expression:
    """The method ``name`` of what ``receiver`` gives."""
    if len(arguments) != METHODS[name].least:
        raise TemplateError(f"{name} takes {METHODS[name].least} values, not {len(arguments)}")
    return lambda scope: METHODS[name].call(receiver(scope), *(argument(scope) for argument in arguments))


def _plain(text: str, _scope: _Scope) -> str:
    return text


def _text(expression: _Expression, scope: _Scope) -> str:
    return text_of(expression(scope))


def _all(parts: tuple[_Write, ...], scope: _Scope) -> str:
    return "".join(part(scope) for part in parts)


def _either(condition: _Expression, then: _Write, otherwise: _Write, scope: _Scope) -> str:
    return then(scope) if is_true(condition(scope)) else otherwise(scope)
