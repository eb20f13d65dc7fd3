"""What a Go template may call: Go's own functions and those that evcc adds, as far as devices and price lists need them."""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from evcc_server.json_path import JsonValue
from evcc_server.quoting import quoted
from evcc_server.texts.values import FORMAT, as_sent_number, as_text, formatted

Value = JsonValue | datetime
_MANY = 20
_INTEGER_MAX = 2**63


class TemplateError(ValueError):
    """A template that cannot be evaluated here; the text says why, for the owner."""


@dataclass(frozen=True, slots=True)
class Function:
    """``call`` takes the time, or what a method belongs to, and then ``least`` to ``most`` values."""

    call: Callable[..., Value]
    least: int
    most: int


def text_of(value: Value) -> str:
    """As it stands in the text."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return as_text(value) or ""


def is_true(value: Value) -> bool:
    """Go's truth: neither false nor 0 nor empty."""
    return bool(value)


def _number(value: Value) -> float:
    number = None if isinstance(value, datetime) else as_sent_number(value)
    if number is None:
        raise TemplateError(f"{quoted(value)} is no number")
    return number


def _whole(value: Value) -> int:
    number = _number(value)
    if abs(number) >= _INTEGER_MAX:
        raise TemplateError(f"{quoted(value)} is too large")
    return int(number)


def _time(value: Value) -> datetime:
    if not isinstance(value, datetime):
        raise TemplateError(f"{quoted(value)} is no time")
    return value


_VERB = re.compile(r"%%|%[^a-zA-Z%]*[a-zA-Z]?")


def _printf(_now: datetime, pattern: Value, *values: Value) -> Value:
    left = list(values)

    def replaced(verb: re.Match[str]) -> str:
        if verb[0] == "%%":
            return "%"
        if FORMAT.fullmatch(verb[0]) is None or not left:
            wrong = "is no format, expected %d, %s, %t or such as %.1f" if left else "has no value"
            raise TemplateError(f"{quoted(verb[0])} {wrong}")
        value = left.pop(0)
        return formatted(text_of(value) if isinstance(value, datetime) else value, verb[0])

    text = _VERB.sub(replaced, text_of(pattern))
    if left:
        raise TemplateError("printf has more values than formats")
    return text


def _round(_now: datetime, value: Value, digits: Value = 0) -> Value:
    """Half away from zero, as Go does."""
    factor = 10.0 ** max(-10, min(_whole(digits), 10))
    number = _number(value) * factor
    return math.copysign(math.floor(abs(number) + 0.5), number) / factor


def _compared(compare: Callable[[Any, Any], bool]) -> Function:
    def call(_now: datetime, one: Value, *others: Value) -> Value:
        return any(compare(*_alike(one, other)) for other in others)

    return Function(call, 2, _MANY if compare is operator.eq else 2)


def _alike(one: Value, other: Value) -> tuple[Value, Value]:
    if isinstance(one, bool) or isinstance(other, bool) or isinstance(one, str) or isinstance(other, str):
        if type(one) is not type(other):
            raise TemplateError(f"{quoted(one)} and {quoted(other)} cannot be compared")
        return one, other
    return _number(one), _number(other)


def _folded(fold: Callable[[Any, Any], Any], convert: Callable[[Value], Any], *, most: int = _MANY) -> Function:
    def call(_now: datetime, first: Value, *others: Value) -> Value:
        result = convert(first)
        for other in others:
            try:
                result = fold(result, convert(other))
            except ArithmeticError:
                raise TemplateError("a division by zero") from None
        checked: Value = result
        return checked

    return Function(call, 2, most)


def _divided(one: int, other: int) -> int:
    """Towards zero, as Go does."""
    quotient = abs(one) // abs(other)
    return quotient if (one < 0) == (other < 0) else -quotient


def _one(convert: Callable[[Value], Value]) -> Function:
    return Function(lambda _now, value: convert(value), 1, 1)


_LAYOUT = {
    "2006": "%Y",
    "01": "%m",
    "02": "%d",
    "15": "%H",
    "04": "%M",
    "05": "%S",
    "06": "%y",
    "Jan": "%b",
    "Mon": "%a",
    "MST": "%Z",
}
_LAYOUT_PART = re.compile(r"2006|Z07:00|-07:00|-0700|Jan|Mon|MST|0[1-6]|15|%")


def _written(time: Value, layout: Value) -> Value:
    """``time`` in Go's notation, an example of 2 January 2006."""
    moment = _time(time)

    def part(match: re.Match[str]) -> str:
        offset = moment.strftime("%z")
        match match[0]:
            case "Z07:00" if not moment.utcoffset():
                return "Z"
            case "Z07:00" | "-07:00":
                return f"{offset[:3]}:{offset[3:]}"
            case "-0700":
                return offset
            case "%":
                return "%"
            case "03":
                return f"{(moment.hour - 1) % 12 + 1:02}"
            case known:
                return moment.strftime(_LAYOUT[known])

    return _LAYOUT_PART.sub(part, text_of(layout))


def _later(time: Value, years: Value, months: Value, days: Value) -> Value:
    """So much later by the calendar, at the same time of day; the 31st of a shorter month runs into the next, as in Go."""
    moment, count = _time(time), _time(time).month - 1 + _whole(months)
    try:
        first = moment.replace(year=moment.year + _whole(years) + count // 12, month=count % 12 + 1, day=1)
        return datetime.fromordinal(first.toordinal() + moment.day - 1 + _whole(days)).replace(
            hour=moment.hour, minute=moment.minute, second=moment.second, tzinfo=moment.tzinfo
        )
    except (ValueError, OverflowError):
        raise TemplateError("that time is out of reach") from None


METHODS: Mapping[str, Function] = {
    "AddDate": Function(_later, 3, 3),
    "Format": Function(_written, 1, 1),
    "Local": Function(lambda time: _time(time), 0, 0),
    "UTC": Function(lambda time: _time(time).astimezone(UTC), 0, 0),
    "Unix": Function(lambda time: math.floor(_time(time).timestamp()), 0, 0),
}
"""Of a time; `Function.call` takes it first."""

FUNCTIONS: Mapping[str, Function] = {
    "eq": _compared(operator.eq),
    "ne": _compared(operator.ne),
    "lt": _compared(operator.lt),
    "le": _compared(operator.le),
    "gt": _compared(operator.gt),
    "ge": _compared(operator.ge),
    "and": Function(lambda _now, *values: next((v for v in values if not is_true(v)), values[-1]), 1, _MANY),
    "or": Function(lambda _now, *values: next((v for v in values if is_true(v)), values[-1]), 1, _MANY),
    "not": _one(lambda value: not is_true(value)),
    "ternary": Function(lambda _now, yes, no, condition: yes if is_true(condition) else no, 3, 3),
    "default": Function(lambda _now, other, value: value if is_true(value) else other, 2, 2),
    "printf": Function(_printf, 1, _MANY),
    "print": Function(lambda _now, *values: "".join(map(text_of, values)), 1, _MANY),
    "round": Function(_round, 1, 2),
    "floor": _one(lambda value: math.floor(_number(value))),
    "ceil": _one(lambda value: math.ceil(_number(value))),
    "int": _one(_whole),
    "int64": _one(_whole),
    "float64": _one(_number),
    "toString": _one(text_of),
    "quote": _one(lambda value: json.dumps(text_of(value))),
    "upper": _one(lambda value: text_of(value).upper()),
    "lower": _one(lambda value: text_of(value).lower()),
    "add": _folded(operator.add, _whole),
    "sub": _folded(operator.sub, _whole, most=2),
    "mul": _folded(operator.mul, _whole),
    "div": _folded(_divided, _whole, most=2),
    "mod": _folded(math.fmod, _whole, most=2),
    "min": _folded(min, _whole),
    "max": _folded(max, _whole),
    "addf": _folded(operator.add, _number),
    "subf": _folded(operator.sub, _number),
    "mulf": _folded(operator.mul, _number),
    "divf": _folded(operator.truediv, _number),
    "now": Function(lambda now: now, 0, 0),
    "addDate": Function(lambda _now, time, years, months, days: _later(time, years, months, days), 4, 4),
    "date": Function(lambda _now, layout, time: _written(time, layout), 2, 2),
    "unixEpoch": _one(lambda value: math.floor(_time(value).timestamp())),
}
"""By name; `Function.call` takes the present time first."""
