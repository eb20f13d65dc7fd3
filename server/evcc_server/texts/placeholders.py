"""``${maxcurrent:%d}`` and ``{{ .maxcurrent }}``: the value that is written, in the texts of a plugin. Pure.

What stands in a text is checked when the file is read, by filling it in with values as they will come.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from evcc_server.json_path import JsonValue
from evcc_server.quoting import quoted
from evcc_server.texts.go_functions import TemplateError
from evcc_server.texts.go_template import compile_template
from evcc_server.texts.values import FORMAT, as_number, formatted

_PLACEHOLDER = re.compile(r"\$\{(?P<name>\w+)(?::(?P<format>[^}]*))?\}")
_SOME_TIME = datetime(2026, 1, 31, 12, tzinfo=UTC)
_SOME_VALUES: Mapping[str, tuple[JsonValue, ...]] = {
    "enable": (True, False),
    "wakeup": (True,),
    "phases": (1, 3),
    "maxcurrent": (6, 16),
}


def filled_in(text: str, name: str | None, value: JsonValue, scale: float = 1.0, *, now: datetime = _SOME_TIME) -> str:
    """``text`` with ``value`` times ``scale`` for ``name``; None: nothing is written, only the time is known.

    Raises `TemplateError` if the template of the text cannot do with that value.
    """
    number = as_number(value)
    scaled = value if number is None else number * scale

    def replaced(match: re.Match[str]) -> str:
        if name is None or match["name"].casefold() != name.casefold():
            return match[0]
        return formatted(scaled, match["format"] or "%v")

    fields = {} if name is None else {name: scaled}
    return compile_template(_PLACEHOLDER.sub(replaced, text)).fill(fields, now)


def problem_of(text: str, name: str | None) -> str | None:
    """Why ``text`` cannot be filled in with the value ``name``, and what to write; None: it can."""
    return _problem_of_placeholders(text, name) or _problem_of_template(text, name)


def _problem_of_placeholders(text: str, name: str | None) -> str | None:
    for start in re.finditer(r"\$\{", text):
        match = _PLACEHOLDER.match(text, start.start())
        if match is None:
            return f"{quoted(text[start.start() :][:20])} is not understood, {_instead(name)}"
        if name is None or match["name"].casefold() != name.casefold():
            variable = match["name"].upper()
            hint = f"; an environment variable is ${{{variable}}}" if variable != match["name"] and name is None else ""
            return f"{quoted(match[0])} is not known here, {_instead(name)}{hint}"
        if match["format"] is not None and not FORMAT.fullmatch(match["format"]):
            return f"{quoted(match['format'])} is no format, expected %d, %s, %t or such as %.1f"
    return None


def _instead(name: str | None) -> str:
    return "nothing is written here" if name is None else f"write ${{{name}}}"


def _problem_of_template(text: str, name: str | None) -> str | None:
    try:
        template = compile_template(text)
        for field in sorted(template.fields):
            if name is None or field != name.casefold():
                instead = "nothing is written here, only now is known" if name is None else f"write {{{{ .{name} }}}}"
                return f"{{{{ .{field} }}}} is not known here, {instead}"
        for value in _SOME_VALUES.get(name or "", (6.0, 10.5)):
            filled_in(text, name, value)
    except TemplateError as error:
        return f"in {{{{ }}}}: {error}"
    return None
